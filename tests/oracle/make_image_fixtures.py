# SPDX-License-Identifier: BSD-2-Clause
"""Writes tests/data/images: small pictures of every kind, and what Pillow, torchvision and transformers make of them.

    python make_image_fixtures.py [OUTPUT_FOLDER]

Pinned: Pillow 13.0.0, torch 2.15.0, torchvision 0.29.2, transformers 5.23.0 (README.md beside this file).

expected.safetensors holds, for the picture NAME,
    NAME            [height, width, 3] uint8   Image.open(NAME).convert("RGB")
    NAME|white      the same over white, transformers.image_transforms.convert_to_rgb; only where it differs
    NAME|exif       after ImageOps.exif_transpose; only where it differs
    NAME|whole      [1] int64                  the shortest beginning of the file that Pillow still decodes to NAME
resize.safetensors holds sources and their resized copies: SOURCE, SOURCE|pillow|WxH, SOURCE|torchvision|WxH, and
    SOURCE|pillow12|WxH as Pillow up to 12 resizes, rows first, where that differs.
pixel_values.safetensors holds what the two SigLIP image processors return: SOURCE, SOURCE|BACKEND|CASE.
"""
import io
import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.numpy import save_file
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv
from transformers.image_transforms import convert_to_rgb
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.siglip.image_processing_siglip import SiglipImageProcessor

warnings.simplefilter("ignore")
random = np.random.default_rng(20240514)


def scene(height, width, channels=3, top=255):
    """Gradients with a disc, a stripe and noise: something in every frequency."""
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for c in range(channels):
        plane = (x * (c + 1) / width + y * (3 - c % 3) / height) / 4
        plane = np.where((x - width * 0.6) ** 2 + (y - height * 0.4) ** 2 < (min(height, width) / 4) ** 2, 1 - plane, plane)
        plane = np.where((x + 2 * y + c) % 11 < 2, c % 2, plane)
        planes.append(plane + random.normal(0, 0.05, plane.shape))
    return np.clip(np.rint(np.stack(planes, -1) * top), 0, top).astype(np.int64)


# ---- PNG, written by hand: Pillow cannot write most of its kinds ----

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def pack_row(row, depth):
    flat = row.reshape(-1)
    if depth == 16:
        return flat.astype(">u2").tobytes()
    if depth == 8:
        return flat.astype(np.uint8).tobytes()
    bits = ((flat[:, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8)
    return np.packbits(bits.reshape(-1)).tobytes()


def filter_rows(rows, step):
    """All five filters in turn."""
    out, above = b"", bytes(len(rows[0]))
    for number, row in enumerate(rows):
        kind, line = number % 5, bytearray()
        for i, value in enumerate(row):
            a = row[i - step] if i >= step else 0
            b, c = above[i], above[i - step] if i >= step else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line.append((value - (0, a, b, (a + b) // 2, paeth)[kind]) & 255)
        out += bytes([kind]) + bytes(line)
        above = row
    return out


def png(samples, depth, color_type, palette=None, trns=None, interlaced=False, before=b"", split=None):
    height, width, channels = samples.shape
    step = max(1, channels * depth // 8)
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    data = b""
    for x, y, dx, dy in passes:
        part = samples[y::dy, x::dx]
        if part.size:
            data += filter_rows([pack_row(row, depth) for row in part], step)
    packed = zlib.compress(data, 9)
    pieces = [packed[i : i + split] for i in range(0, len(packed), split)] if split else [packed]
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlaced))
    out += before
    if palette is not None:
        out += chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    if trns is not None:
        out += chunk(b"tRNS", trns)
    return out + b"".join(chunk(b"IDAT", piece) for piece in pieces) + chunk(b"IEND", b"")


def tiff(orientation, big_endian):
    e = ">" if big_endian else "<"
    head = (b"MM" if big_endian else b"II") + struct.pack(e + "HI", 42, 8)
    return head + struct.pack(e + "HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def png_pictures():
    pictures = {}
    for color_type, channels, name in ((0, 1, "gray"), (2, 3, "rgb"), (4, 2, "graya"), (6, 4, "rgba")):
        for depth in (1, 2, 4, 8, 16) if color_type == 0 else (8, 16):
            top = 2**depth - 1
            samples = scene(17, 23, channels, top)
            if name == "gray" and depth == 16:
                samples[: 17 // 2] //= 200  # Pillow clips at 255, so most of the range is white
            pictures[f"{name}{depth}.png"] = png(samples, depth, color_type)
            pictures[f"{name}{depth}-adam7.png"] = png(samples, depth, color_type, interlaced=True)
            if channels in (1, 3):
                key = samples[3, 4] if depth != 16 else samples[3, 4] // 256
                pictures[f"{name}{depth}-trns.png"] = png(samples, depth, color_type, trns=key.astype(">u2").tobytes())
    for depth in (1, 2, 4, 8):
        n = 2**depth
        palette = random.integers(0, 256, (n, 3))
        samples = scene(17, 23, 1, n - 1)
        alpha = random.integers(0, 256, n).astype(np.uint8).tobytes()
        pictures[f"palette{depth}.png"] = png(samples, depth, 3, palette)
        pictures[f"palette{depth}-adam7.png"] = png(samples, depth, 3, palette, interlaced=True)
        pictures[f"palette{depth}-trns.png"] = png(samples, depth, 3, palette, alpha[: max(1, n - 1)])
    samples = scene(17, 23, 1, 255)
    palette = random.integers(0, 256, (100, 3))
    pictures["palette8-short.png"] = png(samples, 8, 3, palette, bytes([255, 0] + [255, 128] * 60))
    rgb = scene(17, 23)
    pictures["rgb8-key257.png"] = png(rgb, 8, 2, trns=struct.pack(">HHH", *(int(v) + 256 for v in rgb[0, 0])))
    pictures["rgb8-gamma.png"] = png(rgb, 8, 2, before=chunk(b"gAMA", struct.pack(">I", 100000)), split=50)
    pictures["rgb8-exif.png"] = png(rgb, 8, 2, before=chunk(b"eXIf", tiff(6, True)))
    pictures["pixel.png"] = png(scene(1, 1), 8, 2)
    pictures["row-adam7.png"] = png(scene(1, 13), 8, 2, interlaced=True)
    pictures["column-adam7.png"] = png(scene(13, 1), 8, 2, interlaced=True)
    pictures["small-adam7.png"] = png(scene(3, 2, 1, 1), 1, 0, interlaced=True)
    return pictures


# ---- JPEG ----


def jpeg(picture, **options):
    data = io.BytesIO()
    picture.save(data, "JPEG", **options)
    return data.getvalue()


def without_segment(data, marker):
    at = data.index(bytes([0xFF, marker]))
    return data[:at] + data[at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0] :]


def with_sampling(data, horizontal, vertical, width, height):
    """Claims other sampling factors for the first component and the size that then has the same number of blocks."""
    at = data.index(b"\xff\xc0")
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 : at + 11] + bytes([horizontal << 4 | vertical]) + data[at + 12 :]


def jpeg_pictures():
    color = Image.fromarray(scene(45, 61).astype(np.uint8))
    small = Image.fromarray(scene(17, 23).astype(np.uint8))
    gray = Image.fromarray(scene(45, 61, 1)[..., 0].astype(np.uint8))
    cmyk = Image.fromarray(scene(33, 29, 4).astype(np.uint8), "CMYK")
    pictures = {}
    for number, name in enumerate(("444", "422", "420")):
        pictures[f"color{name}.jpg"] = jpeg(color, quality=85, subsampling=number)
        pictures[f"color{name}-progressive.jpg"] = jpeg(color, quality=70, subsampling=number, progressive=True)
    # The entropy data of 4:2:2 read as 4:4:0, 4:2:0 as 4:1:1: the same blocks, another arrangement.
    pictures["color440.jpg"] = with_sampling(pictures["color422.jpg"], 1, 2, 45, 61)
    pictures["color411.jpg"] = with_sampling(pictures["color420.jpg"], 4, 1, 115, 24)
    pictures["restart.jpg"] = jpeg(color, quality=60, restart_marker_blocks=3)
    pictures["coarse.jpg"] = jpeg(color, quality=5)
    pictures["fine.jpg"] = jpeg(small, quality=100, subsampling=0)
    pictures["rgb.jpg"] = jpeg(small, quality=90, keep_rgb=True)
    pictures["gray.jpg"] = jpeg(gray, quality=80)
    pictures["gray-progressive.jpg"] = jpeg(gray, quality=80, progressive=True)
    pictures["cmyk.jpg"] = jpeg(cmyk, quality=90)
    pictures["cmyk-progressive.jpg"] = jpeg(cmyk, quality=75, progressive=True)
    adobe = pictures["cmyk.jpg"].index(b"Adobe")
    pictures["ycck.jpg"] = pictures["cmyk.jpg"][: adobe + 11] + b"\2" + pictures["cmyk.jpg"][adobe + 12 :]
    pictures["cmyk-bare.jpg"] = without_segment(pictures["cmyk.jpg"], 0xEE)
    pictures["pixel.jpg"] = jpeg(Image.fromarray(scene(1, 1).astype(np.uint8)))
    for orientation in range(1, 9):
        exif = b"Exif\0\0" + tiff(orientation, orientation % 2 == 0)
        pictures[f"exif{orientation}.jpg"] = jpeg(small, quality=75, exif=exif)
    return pictures


# ---- PNM ----


def pnm_pictures():
    pictures = {}
    bits, gray, rgb = scene(9, 13, 1, 1), scene(9, 13, 1), scene(9, 13)

    def text(samples):
        return "\n".join(" ".join(map(str, row.reshape(-1))) for row in samples).encode() + b"\n"

    pictures["bitmap.pbm"] = b"P4\n# a comment\n13 9\n" + b"".join(pack_row(row, 1) for row in bits)
    pictures["plain.pbm"] = b"P1 13 9\n" + text(bits)
    pictures["dense.pbm"] = b"P1 13 9\n" + text(bits).replace(b" ", b"")
    for top in (1, 100, 255, 1000, 65535):
        wide = ">u2" if top > 255 else "u1"
        grays, colors = gray * top // 255, rgb * top // 255
        grays[-1, -1] = colors[-1, -1] = 1  # one digit: a plain file cut before it lacks a pixel
        if top > 255:
            grays[:5] //= top // 255
        pictures[f"gray{top}.pgm"] = b"P5 13 9 %d\n" % top + grays.astype(wide).tobytes()
        pictures[f"color{top}.ppm"] = b"P6\n13\t9\r\n#x\n%d\n" % top + colors.astype(wide).tobytes()
        pictures[f"plain{top}.pgm"] = b"P2 13 9 %d\n" % top + text(grays)
        pictures[f"plain{top}.ppm"] = b"P3 13 9 %d #\n" % top + text(colors).replace(b"\n", b" # end\n", 2)
    return pictures


# ---- what the oracle says ----


def open_rgb(data):
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def shortest_whole(data, rgb):
    """Pillow decodes every longer beginning of the file too, and to the same picture; so this can be bisected."""
    low, high = 0, len(data)
    while low < high:
        middle = (low + high) // 2
        try:
            ok = np.array_equal(open_rgb(data[:middle]), rgb)
        except Exception:
            ok = False
        low, high = (low, middle) if ok else (middle + 1, high)
    return low


def expected(pictures):
    tensors = {}
    for name, data in pictures.items():
        rgb = open_rgb(data)
        white = convert_to_rgb(Image.open(io.BytesIO(data)), return_numpy=True)
        turned = np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
        tensors[name] = rgb
        if not np.array_equal(white, rgb):
            tensors[name + "|white"] = white
        if turned.shape != rgb.shape or not np.array_equal(turned, rgb):
            tensors[name + "|exif"] = turned
        tensors[name + "|whole"] = np.array([shortest_whole(data, rgb)], np.int64)
    return {key: np.ascontiguousarray(value) for key, value in tensors.items()}


def resized():
    tensors = {}
    sources = {
        "scene": (scene(61, 97), [(97, 61), (97, 30), (40, 61), (97, 130), (150, 61), (31, 19), (120, 100), (1, 1), (3, 200), (250, 2), (96, 62), (28, 28)]),
        "noise": (random.integers(0, 2, (50, 70, 3)) * 255, [(35, 25), (140, 100), (33, 77), (7, 5), (69, 51)]),
        "portrait": (scene(90, 40), [(20, 49), (20, 50), (30, 20), (39, 88), (39, 87), (80, 60), (41, 91)]),
        "wide": (scene(3, 900), [(7, 7), (28, 28), (899, 3)]),
        "tall": (scene(900, 3), [(7, 7), (28, 28), (3, 899)]),
        "pixel": (scene(1, 1), [(5, 4), (1, 1)]),
    }
    for source, (pixels, sizes) in sources.items():
        pixels = pixels.astype(np.uint8)
        tensors[source] = pixels
        for width, height in sizes:
            tensors[f"{source}|pillow|{width}x{height}"] = np.array(Image.fromarray(pixels).resize((width, height), Image.BICUBIC))
            rows_first = Image.fromarray(pixels).resize((width, len(pixels)), Image.BICUBIC).resize((width, height), Image.BICUBIC)
            if not np.array_equal(np.array(rows_first), tensors[f"{source}|pillow|{width}x{height}"]):
                tensors[f"{source}|pillow12|{width}x{height}"] = np.array(rows_first)
            if 1 in (*pixels.shape[:2], width * height):
                continue  # PyTorch 2.15 takes these for channels-last and stops with an internal assertion
            planes = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
            planes = tv.resize(planes, [height, width], interpolation=InterpolationMode.BICUBIC, antialias=True)
            tensors[f"{source}|torchvision|{width}x{height}"] = planes.permute(1, 2, 0).contiguous().numpy()
    return tensors


CASES = {  # mirrored in tests/unit/test_image.c
    "half": dict(image_mean=[0.5] * 3, image_std=[0.5] * 3),
    "imagenet": dict(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]),
    "rescale": dict(do_normalize=False),
    "factor": dict(rescale_factor=0.01, image_mean=[0.1, 0.2, 0.3], image_std=[0.7, 0.8, 0.9]),
    "normalize": dict(do_rescale=False, image_mean=[100.0, 110.0, 120.0], image_std=[60.0, 61.0, 62.5]),
}


def pixel_values():
    tensors = {}
    ramp = np.stack([np.arange(256).reshape(16, 16), np.arange(255, -1, -1).reshape(16, 16), np.arange(256).reshape(16, 16).T], -1)
    for source, pixels in (("scene", scene(37, 53)), ("ramp", ramp)):
        picture = Image.fromarray(pixels.astype(np.uint8))
        tensors[source] = np.array(picture)
        for backend, kind in (("pillow", SiglipImageProcessorPil), ("torchvision", SiglipImageProcessor)):
            for case, options in CASES.items():
                processor = kind(size={"height": 16, "width": 16}, **options)
                values = processor(images=picture, return_tensors="pt")["pixel_values"]
                tensors[f"{source}|{backend}|{case}"] = values.numpy().astype(np.float32)[0]
    return tensors


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "data" / "images")
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {**png_pictures(), **jpeg_pictures(), **pnm_pictures()}
    for name, data in pictures.items():
        (folder / name).write_bytes(data)
    save_file(expected(pictures), folder / "expected.safetensors")
    save_file(resized(), folder / "resize.safetensors")
    save_file(pixel_values(), folder / "pixel_values.safetensors")


if __name__ == "__main__":
    main()
