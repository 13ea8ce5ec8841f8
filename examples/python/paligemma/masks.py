# SPDX-License-Identifier: BSD-2-Clause
"""Masks: 16 <seg> tokens to a mask of 64 × 64 and back, the mask in the picture, COCO's run lengths."""

from __future__ import annotations

import ctypes
import os
from typing import Any, List, Sequence, Tuple

import numpy as np

from ._arrays import as_array
from ._handle import Handle
from ._library import call, lib, new, take_text, utf8
from ._structs import Detection as DetectionStruct
from .errors import ArgumentError

Mask = np.ndarray[Any, Any]
Box = Tuple[float, float, float, float]  #: y_min, x_min, y_max, x_max, fractions of the picture, 0…1

_U8, _U32 = ctypes.POINTER(ctypes.c_uint8), ctypes.POINTER(ctypes.c_uint32)
_F32, _I32 = ctypes.POINTER(ctypes.c_float), ctypes.POINTER(ctypes.c_int32)


class MaskDecoder(Handle):
    """The published VQ-VAE (vae-oid.npz, or safetensors with the same names). Immutable, for any number of threads."""

    _free = "pali_mask_decoder_free"

    @classmethod
    def load(cls, path: "str | os.PathLike[str]") -> MaskDecoder:
        """Reads the weights."""
        return cls(new(lib.pali_mask_decoder_load, os.fsencode(path)))

    @property
    def has_encoder(self) -> bool:
        """Whether the file had the encoder too, which encode() needs."""
        with self.borrow() as decoder:
            return bool(lib.pali_mask_decoder_has_encoder(decoder))

    def decode(self, seg: Sequence[int]) -> Mask:
        """float32 [64, 64], nominally -1 (off) … 1 (on), of 16 indices 0…127."""
        if len(seg) != 16:
            raise ArgumentError(f"{len(seg)} <seg> indices; a mask has 16")
        mask = np.empty((64, 64), np.float32)
        with self.borrow() as decoder:
            call(lib.pali_mask_decoder_decode, decoder, (ctypes.c_int32 * 16)(*seg), mask.ctypes.data_as(_F32))
        return mask

    def encode(self, mask: Any) -> List[int]:
        """The 16 indices of a mask [64, 64], 0 (off) … 1 (on)."""
        array = as_array(mask, np.float32)
        if array.shape != (64, 64):
            raise ArgumentError(f"a mask of shape {array.shape}; [64, 64] is wanted")
        seg = (ctypes.c_int32 * 16)()
        with self.borrow() as decoder:
            call(lib.pali_mask_decoder_encode, decoder, array.ctypes.data_as(_F32), seg)
        return list(seg)


def paste_mask(mask: Any, box: Box, width: int, height: int, soft: bool = False) -> Mask:
    """uint8 [height, width] with a mask [64, 64] laid into a box: 255 where it is on, or `soft`: 0…255."""
    array = as_array(mask, np.float32)
    if array.shape != (64, 64):
        raise ArgumentError(f"a mask of shape {array.shape}; [64, 64] is wanted")
    if width < 1 or height < 1:
        raise ArgumentError(f"a picture of {width} × {height}")
    out = np.empty((height, width), np.uint8)
    place = DetectionStruct(*box)
    call(
        lib.pali_segment_paste, out.ctypes.data_as(_U8), array.ctypes.data_as(_F32), ctypes.byref(place), width, height,
        int(soft),
    )  # fmt: skip
    return out


def crop_mask(picture_mask: Any, box: Box) -> Mask:
    """The reverse: float32 [64, 64], 0…1, of a box of a mask [height, width] uint8, for MaskDecoder.encode."""
    array = _picture(picture_mask)
    mask = np.empty((64, 64), np.float32)
    place = DetectionStruct(*box)
    height, width = array.shape
    call(
        lib.pali_segment_crop, mask.ctypes.data_as(_F32), array.ctypes.data_as(_U8), width, height, ctypes.byref(place)
    )
    return mask


def box_pixels(box: Box, width: int, height: int, soft: bool = False) -> Tuple[int, int, int, int]:
    """(x_min, y_min, x_max, y_max): the pixels a box covers, the last two just outside. All 0 if it has none."""
    pixels = (ctypes.c_int32 * 4)()
    covered = lib.pali_detection_pixels(ctypes.byref(DetectionStruct(*box)), width, height, int(soft), pixels)
    x_min, y_min, x_max, y_max = pixels if covered else (0, 0, 0, 0)
    return x_min, y_min, x_max, y_max


def rle_encode(mask: Any) -> List[int]:
    """COCO's uncompressed `counts` of a mask [height, width]: runs column by column, beginning with what is off."""
    array = _picture(mask)
    counts, n_counts = _U32(), ctypes.c_size_t()
    height, width = array.shape
    call(lib.pali_rle_encode, ctypes.byref(counts), ctypes.byref(n_counts), array.ctypes.data_as(_U8), width, height)
    return _take(counts, n_counts)


def rle_decode(counts: Sequence[int], width: int, height: int) -> Mask:
    """uint8 [height, width] of 0 and 1."""
    if width < 1 or height < 1:
        raise ArgumentError(f"a picture of {width} × {height}")
    mask = np.empty((height, width), np.uint8)
    call(lib.pali_rle_decode, mask.ctypes.data_as(_U8), _counts(counts), len(counts), width, height)
    return mask


def rle_to_text(counts: Sequence[int]) -> str:
    """The text that COCO and pycocotools use."""
    text = ctypes.c_char_p()
    call(lib.pali_rle_to_text, ctypes.byref(text), _counts(counts), len(counts))
    return take_text(text)


def rle_from_text(text: str) -> List[int]:
    """The reverse."""
    counts, n_counts = _U32(), ctypes.c_size_t()
    call(lib.pali_rle_from_text, ctypes.byref(counts), ctypes.byref(n_counts), utf8(text))
    return _take(counts, n_counts)


def _picture(mask: Any) -> Mask:
    array = as_array(mask)
    if array.ndim != 2:
        raise ArgumentError(f"a mask of shape {array.shape}; [height, width] is wanted")
    return np.ascontiguousarray(array if array.dtype == np.uint8 else array != 0, dtype=np.uint8)


def _counts(counts: Sequence[int]) -> Any:
    return (ctypes.c_uint32 * max(len(counts), 1))(*counts)


def _take(counts: Any, n_counts: ctypes.c_size_t) -> List[int]:
    values = list(counts[: n_counts.value]) if n_counts.value else []
    lib.pali_free(ctypes.cast(counts, ctypes.c_void_p))
    return values
