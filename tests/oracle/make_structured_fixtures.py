# SPDX-License-Identifier: BSD-2-Clause
"""Writes tests/data/structured: objects in texts, masks of the VQ-VAE, masks in pictures, run lengths.

    python make_structured_fixtures.py [OUTPUT_FOLDER]

Pinned: Pillow 13.0.0, torch 2.15.0, numpy 2, pycocotools 2.0 (README.md beside this file).

parsed.json     texts and the objects that the demo's grammar finds in them
masks.safetensors
    seg [n, 16] int32, mask [n, 64, 64]             what the decoder makes of indices (mask_vqvae.py)
    blob [n, 64, 64] uint8, blob_seg [n, 16] int32  what the encoder makes of blob / 255
    FORM|K|Y1,X1,Y2,X2|WxH  [H, W] uint8            mask K pasted into that box (<loc> numbers); FORM is hard or soft
    crop|Y1,X1,Y2,X2|picture, …|mask                a picture's mask, and the [64, 64] float32 cut out of it
rle.json        masks and pycocotools' run lengths of them
small.npz, compressed.npz                           np.savez of several types and shapes; np.savez_compressed
"""
import json
import re
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from pycocotools import mask as coco
from safetensors.numpy import save_file

from mask_vqvae import MaskModel

torch.set_num_threads(1)
random = np.random.default_rng(20240601)

# ---- objects in a text: the demo's grammar (PARITY §15) but for what its words leave open. Here numbers that are no
# token (<loc1024>) end a group, text in front may have line ends, spaces are ASCII, and a label has none around it. ----

LOC, SEG = r"<loc(0\d{3}|10[01]\d|102[0-3])>", r"<seg(0\d\d|1[01]\d|12[0-7])>"
OBJECT = re.compile(r"(.*?)" + LOC * 4 + r"\s*" + f"(?:{SEG * 16})?" + r"\s*([^;<>]+)? ?(?:; )?", re.ASCII | re.DOTALL)


def objects(text):
    found, at = [], 0
    while match := OBJECT.match(text, at):
        label = (match[22] or "").rstrip(" \t\n\r\f\v")
        last = 21 if match[6] else 5
        end = match.start(22) + len(label) if label else match.end(last) + 1
        found.append({
            "loc": [int(match[i]) for i in range(2, 6)],
            "seg": [int(match[i]) for i in range(6, 22)] if match[6] else None,
            "label": label,
            "begin": len(text[: match.end(1)].encode()),
            "end": len(text[:end].encode()),
        })
        at = match.end()
    return found


def fragment():
    def loc(top=1024):
        return f"<loc{random.integers(top):04d}>"

    def seg(top=128):
        return f"<seg{random.integers(top):03d}>"

    kinds = [
        lambda: "".join(loc() for _ in range(4)),
        lambda: "".join(loc() for _ in range(4)) + random.choice(["", " ", "\n", " \t"]) + "".join(seg() for _ in range(16)),
        lambda: "".join(loc() for _ in range(random.integers(1, 6))),
        lambda: "".join(seg() for _ in range(random.integers(1, 18))),
        lambda: loc(1100), lambda: seg(140),
        lambda: str(random.choice(["<loc12>", "<loc00001>", "<loc", "<seg", "<loc+123>", "<loc 123>", "<LOC0001>", "<eos>", "0001>"])),
        lambda: str(random.choice([" ; ", ";", "; ", " ", "  ", "\n", "\t", "<", ">", "\u00a0", "\u3000", "\x1c"])),
        lambda: str(random.choice([" cat", "dog", " red car", " \u00e9l\u00e9phant", " \u732b", "7", " a > b", "\U0001f408", " <b>"])),
    ]
    return kinds[random.choice(len(kinds), p=[0.2, 0.12, 0.07, 0.05, 0.06, 0.02, 0.06, 0.2, 0.22])]()


def parsed():
    texts = ["".join(fragment() for _ in range(random.integers(1, 14))) for _ in range(300)]
    return {"texts": [{"text": text, "objects": objects(text)} for text in texts]}


# ---- masks ----


def paste(mask, loc, width, height, form):
    out = np.zeros([height, width], np.uint8)
    if form == "hard":  # big_vision, evaluators/proj/paligemma/transfers/segmentation.py
        y1, x1, y2, x2 = np.array(loc, np.int32) / 1023
        y1, x1, y2, x2 = map(int, (y1 * height, x1 * width, y2 * height, x2 * width))
        if y2 > y1 and x2 > x1:
            resized = Image.fromarray(mask).resize([x2 - x1, y2 - y1], resample=Image.BILINEAR)
            out[y1:y2, x1:x2] = (np.asarray(resized) > 0.0) * 255
    else:  # the Hugging Face demo
        y1, x1, y2, x2 = [n / 1024 for n in loc]
        y1, x1, y2, x2 = map(round, (y1 * height, x1 * width, y2 * height, x2 * width))
        if y2 > y1 and x2 > x1:
            soft = np.clip(mask * 0.5 + 0.5, 0, 1)
            out[y1:y2, x1:x2] = np.array(Image.fromarray((soft * 255).astype("uint8")).resize([x2 - x1, y2 - y1]))
    return out


BOXES = [
    (0, (0, 0, 1023, 1023), 90, 70), (1, (100, 200, 900, 800), 97, 61), (2, (512, 0, 1023, 511), 40, 33),
    (3, (300, 300, 420, 350), 200, 120), (0, (10, 10, 1000, 40), 60, 200), (1, (5, 5, 30, 1020), 150, 40),
    (2, (0, 0, 1023, 1023), 64, 64), (3, (0, 0, 1023, 1023), 64, 20), (0, (0, 0, 1023, 1023), 20, 64),
    (1, (700, 700, 700, 900), 50, 50), (2, (600, 600, 500, 700), 50, 50), (3, (333, 334, 335, 336), 30, 30),
    (0, (0, 512, 1023, 514), 300, 10), (2, (256, 768, 768, 1023), 5, 7), (1, (511, 511, 513, 513), 1, 1),
]


def blob(height, width):
    """Noise, smoothed until it has shapes."""
    field = torch.from_numpy(random.standard_normal((1, 1, height // 8 + 2, width // 8 + 2)).astype(np.float32))
    return F.interpolate(field, (height, width), mode="bicubic", antialias=True)[0, 0].numpy()


def crop(picture, loc):
    """big_vision, pp/proj/paligemma/segmentation.py; the box is an exact one of 1023rds."""
    height, width = picture.shape
    bbox = np.array(loc) / 1023
    y1, x1, y2, x2 = (int(np.round(a)) for a in (height * bbox[0], width * bbox[1], height * bbox[2], width * bbox[3]))
    part = torch.from_numpy((picture[y1:y2, x1:x2] > 0).astype(np.float32))[None, None]
    return F.interpolate(part, (64, 64), mode="bilinear", antialias=True)[0, 0].numpy()


def masks():
    model, tensors = MaskModel().eval(), {}
    seg = random.integers(0, 128, (4, 16))
    blobs = np.stack([(1 / (1 + np.exp(-6 * blob(64, 64))) * 255).astype(np.uint8) for _ in range(4)])
    with torch.no_grad():
        mask = model.decode(torch.from_numpy(seg)).numpy()
        nearest = model.distances(torch.from_numpy(blobs.astype(np.float32) / np.float32(255))).sort(-1)
    margin = (nearest.values[..., 1] / nearest.values[..., 0] - 1).min()
    assert margin > 2e-5, f"two rows of the codebook are equally near: {margin}"
    tensors |= {"seg": seg, "mask": mask, "blob": blobs, "blob_seg": nearest.indices[..., 0].numpy()}
    for number, loc, width, height in BOXES:
        for form in ("hard", "soft"):
            tensors[f"{form}|{number}|{','.join(map(str, loc))}|{width}x{height}"] = paste(mask[number], loc, width, height, form)
    for loc, width, height in [((0, 0, 1023, 1023), 64, 64), ((100, 50, 900, 1000), 150, 110), ((300, 300, 600, 500), 70, 90), ((0, 0, 1023, 20), 160, 30)]:
        key = f"crop|{','.join(map(str, loc))}|"
        tensors[key + "picture"] = (blob(height, width) > 0).astype(np.uint8) * 255
        tensors[key + "mask"] = crop(tensors[key + "picture"], loc)
    return {
        key: np.ascontiguousarray(value.astype(np.int32) if value.dtype == np.int64 else value) for key, value in tensors.items()
    }


# ---- run lengths ----


def run_lengths():
    pictures = [np.zeros((3, 4)), np.ones((3, 4)), np.ones((1, 1)), np.zeros((1, 1)), np.eye(7), random.integers(0, 2, (9, 13))]
    pictures += [blob(40, 70) > 0.3, blob(50, 20) > -0.5, np.arange(4000).reshape(1, 4000) > 3000, np.arange(70000).reshape(70, 1000) % 997 < 500]
    cases = []
    for picture in pictures:
        picture = picture.astype(np.uint8)
        encoded = coco.encode(np.asfortranarray(picture))
        runs, flat = [0], picture.T.reshape(-1)
        for i, value in enumerate(flat):
            if value != (flat[i - 1] if i else 0):
                runs.append(0)
            runs[-1] += 1
        assert coco.frPyObjects({"size": list(picture.shape), "counts": runs}, *picture.shape)["counts"] == encoded["counts"]
        case = {"width": picture.shape[1], "height": picture.shape[0], "text": encoded["counts"].decode(), "counts": runs}
        assert np.array_equal(coco.decode(encoded), picture)
        cases.append(case | {"pixels": "".join(map(str, picture.reshape(-1)))} if picture.size < 5000 else case)
    return {"masks": cases}


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "data" / "structured")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "parsed.json").write_text(json.dumps(parsed()) + "\n")
    save_file(masks(), folder / "masks.safetensors")
    (folder / "rle.json").write_text(json.dumps(run_lengths()) + "\n")
    np.savez(folder / "small.npz", **{"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "scalar": np.float64(2.5), "half": np.array([1, 0.5], np.float16), "empty": np.zeros((0, 4), np.uint8), "ids": np.arange(3)})
    np.savez_compressed(folder / "compressed.npz", a=np.arange(6, dtype=np.float32))


if __name__ == "__main__":
    main()
