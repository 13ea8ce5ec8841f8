# SPDX-License-Identifier: BSD-2-Clause
"""Write tests/data/images/modes.txt: what Pillow says each picture there is, before any conversion.

    python make_image_mode_fixtures.py      (after make_image_fixtures.py)

A line a file: name, format, mode, width, height, EXIF orientation (1 if there is none), 1 if it has transparency.
"""
import pathlib

from PIL import Image

IMAGES = pathlib.Path(__file__).resolve().parent.parent / "data" / "images"


def main():
    lines = []
    for path in sorted(IMAGES.iterdir()):
        if path.suffix in (".safetensors", ".txt"):
            continue
        with Image.open(path) as image:
            transparent = image.mode in ("LA", "RGBA") or "transparency" in image.info
            lines.append(f"{path.name} {image.format} {image.mode} {image.width} {image.height} "
                         f"{image.getexif().get(0x112, 1)} {int(transparent)}\n")
    (IMAGES / "modes.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
