# SPDX-License-Identifier: BSD-2-Clause
"""Pictures: from files, bytes, arrays and PIL; 8-bit RGB inside."""

from __future__ import annotations

import ctypes
import io
import os
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ._arrays import as_array, is_torch, view_at
from ._handle import Handle, Keep
from ._library import call, lib, new, utf8
from ._structs import ImageOptions, ImageSource
from .errors import ArgumentError, FormatError, UnsupportedError

ALPHA = {"drop": 0, "white": 1}
RESAMPLE = {"pillow": 0, "torchvision": 1, "pillow_12": 2}

Color = Sequence[int]  #: red, green, blue, each 0…255


class Source(NamedTuple):
    """What a file was before it became 8-bit RGB. `format` is None for a picture made of pixels."""

    format: Optional[str]
    mode: Optional[str]  #: Pillow's name: "RGB", "RGBA", "P", "L", "CMYK", …
    width: int
    height: int
    bits: int
    transparency: bool
    orientation: int  #: EXIF, 1…8
    turned: bool


class Image(Handle):
    """A picture of the library: Image.open(path), Image.decode(bytes), Image.of(anything).

    Drawing changes it in place; while one thread draws no other may use it.
    """

    _free = "pali_image_free"

    @classmethod
    def open(
        cls,
        path: Union[str, "os.PathLike[str]"],
        *,
        alpha: str = "drop",
        exif: bool = False,
        max_pixels: int = 178956970,
    ) -> Image:
        """Decodes a PNG, JPEG or PNM file. `alpha`: "drop", as Pillow's convert("RGB"), or "white"."""
        options = _options(alpha, exif, max_pixels)
        return cls(new(lib.pali_image_open, os.fsencode(path), ctypes.byref(options)))

    @classmethod
    def decode(cls, data: bytes, *, alpha: str = "drop", exif: bool = False, max_pixels: int = 178956970) -> Image:
        """The same from a file's bytes."""
        data = bytes(data)
        options = _options(alpha, exif, max_pixels)
        return cls(new(lib.pali_image_decode, data, len(data), ctypes.byref(options)))

    @classmethod
    def from_array(cls, array: Any) -> Image:
        """Of uint8 pixels: [height, width, 3 or 4 (alpha dropped)], [3, height, width], or [height, width]."""
        pixels = as_array(array)
        if pixels.dtype != np.uint8:
            raise ArgumentError(f"pixels of {pixels.dtype}; they must be uint8, 0…255")
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[:, :, None], 3, axis=2)
        elif pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4) and pixels.shape[0] in (1, 3, 4):
            pixels = pixels.transpose(1, 2, 0)
        if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
            raise ArgumentError(f"pixels of shape {tuple(pixels.shape)}; [height, width, 3] is wanted")
        if pixels.shape[2] == 1:
            pixels = np.repeat(pixels, 3, axis=2)
        pixels = np.ascontiguousarray(pixels[:, :, :3])
        height, width = pixels.shape[:2]
        return cls(new(lib.pali_image_create, pixels.ctypes.data_as(_BYTES), width, height, 0))

    @classmethod
    def of(cls, image: Any) -> Image:
        """Anything that is a picture: Image, PIL, array, tensor, path, file, http(s) or data URL, a file's bytes."""
        if isinstance(image, Image):
            return image
        if isinstance(image, (bytes, bytearray, memoryview)):
            return _decode_any(bytes(image))
        if isinstance(image, (str, os.PathLike)):
            return _open_any(os.fspath(image))
        if hasattr(image, "convert") and hasattr(image, "mode"):  # PIL, without importing it
            return cls.from_array(np.asarray(image.convert("RGB")))
        if hasattr(image, "read"):
            return _decode_any(image.read())
        if is_torch(image) or hasattr(image, "__array__") or hasattr(image, "__dlpack__"):
            return cls.from_array(image)
        raise ArgumentError(f"{type(image).__name__} is no picture: PIL, array, path, URL or bytes")

    @property
    def width(self) -> int:
        """In pixels."""
        with self.borrow() as image:
            return int(lib.pali_image_width(image))

    @property
    def height(self) -> int:
        """In pixels."""
        with self.borrow() as image:
            return int(lib.pali_image_height(image))

    @property
    def size(self) -> Tuple[int, int]:
        """(width, height), as PIL has it."""
        return self.width, self.height

    @property
    def pixels(self) -> np.ndarray[Any, Any]:
        """[height, width, 3] uint8: a view, in which writing draws."""
        with self.borrow() as image:
            address = ctypes.cast(lib.pali_image_pixels(image), ctypes.c_void_p).value
            return view_at(address, np.uint8, (self.height, self.width, 3), Keep(self))

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray[Any, Any]:
        pixels = self.pixels
        return pixels.astype(dtype) if dtype is not None and dtype != np.uint8 else pixels.copy() if copy else pixels

    def __dlpack__(self, **options: Any) -> Any:
        return self.pixels.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.pixels.__dlpack_device__()

    @property
    def source(self) -> Source:
        """What it was decoded from."""
        source = ImageSource()
        with self.borrow() as image:
            call(lib.pali_image_get_source, image, ctypes.byref(source))
        return Source(
            source.format.decode() if source.format else None,
            source.mode.decode() if source.mode else None,
            source.width,
            source.height,
            source.bits,
            bool(source.transparency),
            source.orientation,
            bool(source.turned),
        )

    def resize(self, width: int, height: int, resample: str = "pillow") -> Image:
        """A bicubic copy. `resample`: "pillow", "torchvision" or "pillow_12", whose bits it has."""
        with self.borrow() as image:
            return Image(new(lib.pali_image_resize, image, width, height, _choice(RESAMPLE, resample, "resample")))

    def draw_box(self, x_min: float, y_min: float, x_max: float, y_max: float, thickness: int = 2,
                 color: Color = (255, 0, 0)) -> None:  # fmt: skip
        """Outlines a box, in pixels, inward."""
        with self.borrow() as image:
            lib.pali_image_draw_box(image, x_min, y_min, x_max, y_max, thickness, _rgb(color))

    def blend(self, mask: Any, opacity: float = 0.5, color: Color = (255, 0, 0)) -> None:
        """Lays a colour over the picture where `mask`, [height, width] uint8, is not 0."""
        values = as_array(mask, np.uint8)
        if values.shape != (self.height, self.width):
            raise ArgumentError(f"a mask of shape {values.shape} for a picture of {(self.height, self.width)}")
        with self.borrow() as image:
            lib.pali_image_blend(image, values.ctypes.data_as(_BYTES), opacity, _rgb(color))

    def draw_text(self, x: int, y: int, text: str, scale: int = 1, color: Color = (255, 255, 255)) -> None:
        """Writes `text` with its upper left corner at (x, y), in cells of 6 × 9 pixels times `scale`."""
        with self.borrow() as image:
            lib.pali_image_draw_text(image, x, y, utf8(text), scale, _rgb(color))

    def draw_map(self, values: Any, opacity: float = 0.6) -> None:
        """Lays a heat map [rows, columns] over the picture: clear where it is 0, glowing where it is largest."""
        array = as_array(values, np.float32)
        if array.ndim != 2:
            raise ArgumentError(f"a map of shape {array.shape}; [rows, columns] is wanted")
        with self.borrow() as image:
            data = array.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            call(lib.pali_image_draw_map, image, data, array.shape[0], array.shape[1], opacity)

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Writes a PNG."""
        with self.borrow() as image:
            call(lib.pali_image_save_png, image, os.fsencode(path))

    def to_pil(self) -> Any:
        """A PIL.Image with a copy of the pixels."""
        from PIL import Image as PILImage

        return PILImage.fromarray(self.pixels.copy())

    def copy(self) -> Image:
        """Another picture of the same pixels."""
        return Image.from_array(self.pixels)

    def __repr__(self) -> str:
        return "<paligemma.Image, closed>" if self.closed else f"<paligemma.Image {self.width} × {self.height}>"


_BYTES = ctypes.POINTER(ctypes.c_uint8)


def _choice(names: Any, name: str, what: str) -> int:
    if name not in names:
        raise ArgumentError(f"{what} {name!r}; one of {', '.join(map(repr, names))}")
    return int(names[name])


def _options(alpha: str, exif: bool, max_pixels: int) -> ImageOptions:
    return ImageOptions(alpha=_choice(ALPHA, alpha, "alpha"), exif_orientation=int(exif), max_pixels=max_pixels)


def _rgb(color: Color) -> Any:
    return (ctypes.c_uint8 * 3)(*color)


def _or_by_pillow(ours: Callable[[], Image], source: Any, name: str) -> Image:
    """By the library, or for other kinds than PNG, JPEG and PNM by Pillow where there is one."""
    try:
        return ours()
    except UnsupportedError as refusal:
        try:
            from PIL import Image as PILImage
        except ImportError:
            raise refusal from None
        try:
            return Image.of(PILImage.open(source))
        except OSError:
            raise FormatError(f"{name}: no picture that the library or Pillow opens") from refusal


def _decode_any(data: bytes, name: str = "picture in memory") -> Image:
    return _or_by_pillow(lambda: Image.decode(data), io.BytesIO(data), name)


def _open_any(name: str) -> Image:
    scheme = name.split(":", 1)[0].lower() if ":" in name else ""
    if scheme in ("http", "https", "data", "file"):
        import urllib.request

        with urllib.request.urlopen(name) as answer:  # file and data URLs too
            return _decode_any(answer.read(), name[:80])
    return _or_by_pillow(lambda: Image.open(name), name, name)
