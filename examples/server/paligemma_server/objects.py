# SPDX-License-Identifier: BSD-2-Clause
"""The objects of an answer as JSON: boxes, labels, scores, masks."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import paligemma
from paligemma.detections import Detection, Detections
from paligemma.masks import MaskDecoder


class Objects:
    """Any number of threads."""

    def __init__(self, processor: paligemma.PaliGemmaProcessor, mask_weights: str | None) -> None:
        self.processor = processor
        self.masks = MaskDecoder.load(mask_weights) if mask_weights else None

    def of(
        self, text: str, ids: list[int], logprobs: list[float] | None, size: tuple[int, int] | None, mask_format: str
    ) -> list[dict[str, Any]]:
        """`size` is the picture's, (width, height). Scores come from the tokens' log-probabilities, where the text is
        all that the tokens say: not where a stop string cut it."""
        scored = logprobs is not None and self.processor.decode(ids, skip_special_tokens=True) == text
        tokens: dict[str, Any] = {"processor": self.processor, "token_ids": ids, "logprobs": logprobs} if scored else {}
        with Detections.parse(text, **tokens) as found:
            entries = [self._entry(item) for item in found]
            if size is None or not entries:
                return entries
            decoder = self.masks if mask_format == "rle" else None
            for item, entry, annotation in zip(
                found, entries, found.to_coco(*size, mask_decoder=decoder)["annotations"]
            ):
                entry["bbox"] = annotation["bbox"]
                if annotation.get("segmentation") is not None:
                    entry["segmentation"] = annotation["segmentation"]
                if mask_format == "png" and self.masks is not None and item.seg is not None:
                    entry["mask_png"] = base64.b64encode(gray_png(item.mask(self.masks, *size))).decode("ascii")
            return entries

    @staticmethod
    def _entry(item: Detection) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "label": item.label,
            "box": {"x_min": item.x_min, "y_min": item.y_min, "x_max": item.x_max, "y_max": item.y_max},
        }
        if item.confidence is not None:
            entry["score"], entry["score_min"] = item.confidence, item.confidence_min
        return entry


def gray_png(mask: Any) -> bytes:
    """An 8-bit grey PNG of uint8 [height, width]."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = mask.shape
    rows = b"".join(b"\0" + row.tobytes() for row in mask)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
