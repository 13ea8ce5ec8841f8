# SPDX-License-Identifier: BSD-2-Clause
"""Objects of `detect` and `segment` answers: read, written, drawn, as COCO JSON."""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple, Union, overload

import numpy as np

from ._arrays import int64s
from ._handle import Handle, optional
from ._library import Address, call, lib, new, take_text, texts, utf8
from ._structs import CocoOptions, Confidence, DetectionsOptions, DrawOptions
from ._structs import Detection as DetectionStruct
from .image import Image
from .masks import MaskDecoder, paste_mask

if TYPE_CHECKING:
    from .processor import PaliGemmaProcessor


@dataclass(frozen=True)
class Detection:
    """One object. Coordinates are fractions of the picture, 0…1, from its upper left corner."""

    y_min: float
    x_min: float
    y_max: float
    x_max: float
    label: str = ""
    seg: Optional[Tuple[int, ...]] = None  #: the 16 <seg> indices, 0…127
    text_span: Tuple[int, int] = (0, 0)  #: where in the answer it stands, in bytes of its UTF-8
    confidence: Optional[float] = None  #: mean probability of the tokens that name its place, 0…1
    confidence_min: Optional[float] = None  #: that of the least likely one

    def box(self, width: int, height: int) -> Tuple[float, float, float, float]:
        """(x_min, y_min, x_max, y_max) in pixels of a picture of that size, not rounded."""
        return self.x_min * width, self.y_min * height, self.x_max * width, self.y_max * height

    def mask(self, decoder: MaskDecoder, width: int, height: int, soft: bool = False) -> Optional[np.ndarray[Any, Any]]:
        """uint8 [height, width]: 255 in the object (`soft`: 0…255 with smooth edges); None without <seg> tokens."""
        if self.seg is None:
            return None
        box = (self.y_min, self.x_min, self.y_max, self.x_max)
        return paste_mask(decoder.decode(self.seg), box, width, height, soft)


class Detections(Handle, Sequence[Detection]):
    """The objects of one answer or file: a sequence of Detection values that can be drawn and written.

    Immutable; any number of threads may read it.
    """

    _free = "pali_detections_free"

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._items = _read(address)

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        scale: int = 1024,
        processor: Optional[PaliGemmaProcessor] = None,
        token_ids: Optional[Sequence[int]] = None,
        logprobs: Optional[Sequence[float]] = None,
    ) -> Detections:
        """All objects in an answer; other text is passed over.

        Args:
            text: the answer, special tokens left out.
            scale: what <loc> numbers are divided by: 1024 as the Hugging Face demo, 1023 as big_vision.
            processor, token_ids, logprobs: the answer's tokens and their log-probabilities (generate with
                output_logprobs), for the confidences.
        """
        found = cls(new(lib.pali_detections_parse, utf8(text), ctypes.byref(DetectionsOptions(scale=scale))))
        if logprobs is not None:
            if processor is None or token_ids is None:
                raise TypeError("confidences need processor, token_ids and logprobs")
            found._rate(processor, token_ids, logprobs)
        return found

    @classmethod
    def of(cls, items: Sequence[Detection], *, scale: int = 1024) -> Detections:
        """Objects of one's own, on the grid of the <loc> tokens (a thousandth of the picture)."""
        return cls.parse(encode_detections(items, scale=scale), scale=scale)

    @classmethod
    def from_coco(
        cls,
        coco: Any,
        width: int = 0,
        height: int = 0,
        *,
        mask_decoder: Optional[MaskDecoder] = None,
        image_id: int = 0,
    ) -> Detections:
        """The annotations of one picture of a COCO file (its JSON as text or as objects).

        Size 0: that in `images`. `image_id` 0: the only picture. With a decoder that has the encoder, masks become
        <seg> tokens.
        """
        source = coco if isinstance(coco, str) else json.dumps(coco)
        options = CocoOptions(image_id=image_id)
        with optional(mask_decoder, "mask_decoder") as decoder:
            options.mask_decoder = decoder
            return cls(new(lib.pali_detections_from_coco, utf8(source), width, height, ctypes.byref(options)))

    def encode(self, *, scale: int = 1024) -> str:
        """As text, such as answers are trained on."""
        return encode_detections(self._items, scale=scale)

    def to_coco(
        self,
        width: int,
        height: int,
        *,
        mask_decoder: Optional[MaskDecoder] = None,
        image_id: int = 1,
        file_name: Optional[str] = None,
        categories: Sequence[str] = (),
        uncompressed_rle: bool = False,
    ) -> Dict[str, Any]:
        """In the form of COCO's instances: images, categories, annotations; boxes in pixels, not rounded."""
        options = CocoOptions(image_id=image_id, uncompressed_rle=int(uncompressed_rle))
        if file_name is not None:
            options.file_name = utf8(file_name)
        options.categories, options.n_categories = texts(categories), len(categories)
        options.confidences = self._confidences()
        text = ctypes.c_char_p()
        with self.borrow() as address, optional(mask_decoder, "mask_decoder") as decoder:
            options.mask_decoder = decoder
            call(lib.pali_detections_to_coco, ctypes.byref(text), address, width, height, ctypes.byref(options))
        coco: Dict[str, Any] = json.loads(take_text(text))
        return coco

    def draw(
        self,
        image: Any,
        *,
        mask_decoder: Optional[MaskDecoder] = None,
        mask_opacity: float = 0.5,
        thickness: int = 0,
        text_scale: int = 0,
    ) -> Image:
        """Drawn on a copy of the picture: masks (with a decoder), boxes, labels with their confidences.

        `thickness`, `text_scale`: in pixels, and in sizes of the font; 0: by the picture's size; -1: none.
        """
        source = Image.of(image)
        canvas = source.copy()
        if source is not image:
            source.close()
        options = DrawOptions(mask_opacity=mask_opacity, thickness=thickness, text_scale=text_scale)
        options.confidences = self._confidences()
        with self.borrow() as address, canvas.borrow() as picture, optional(mask_decoder, "mask_decoder") as decoder:
            options.mask_decoder = decoder
            call(lib.pali_detections_draw, address, picture, ctypes.byref(options))
        return canvas

    @overload
    def __getitem__(self, index: int) -> Detection: ...
    @overload
    def __getitem__(self, index: slice) -> List[Detection]: ...
    def __getitem__(self, index: Union[int, slice]) -> Union[Detection, List[Detection]]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Detections({self._items})"

    def _rate(self, processor: PaliGemmaProcessor, ids: Sequence[int], logprobs: Sequence[float]) -> None:
        rated = (Confidence * max(len(self), 1))()
        values = (ctypes.c_double * max(len(logprobs), 1))(*logprobs)
        with self.borrow() as address, processor.borrow() as tokenizer:
            call(lib.pali_detections_confidence, rated, address, tokenizer, int64s(ids), values, len(ids))
        self._items = [replace(item, confidence=c.mean, confidence_min=c.min) for item, c in zip(self._items, rated)]

    def _confidences(self) -> Any:
        pairs = [(item.confidence, item.confidence_min) for item in self._items if item.confidence is not None]
        return (Confidence * len(pairs))(*[Confidence(*pair) for pair in pairs]) if pairs else None


def encode_detections(detections: Sequence[Detection], *, scale: int = 1024) -> str:
    """Objects as text, such as answers are trained on: "<loc…><loc…><loc…><loc…> label ; …"."""
    text = ctypes.c_char_p()
    options = DetectionsOptions(scale=scale)
    call(lib.pali_detections_encode, ctypes.byref(text), _structs(detections), len(detections), ctypes.byref(options))
    return take_text(text)


def _read(address: int) -> List[Detection]:
    found = []
    for index in range(lib.pali_detections_count(address)):
        item = lib.pali_detections_get(address, index).contents
        found.append(
            Detection(
                item.y_min,
                item.x_min,
                item.y_max,
                item.x_max,
                item.label.decode("utf-8", "replace"),
                tuple(item.seg[:16]) if item.seg else None,
                (item.text_begin, item.text_end),
            )
        )
    return found


def _structs(detections: Sequence[Detection]) -> Any:
    array = (DetectionStruct * max(len(detections), 1))()
    for place, item in zip(array, detections):
        place.y_min, place.x_min, place.y_max, place.x_max = item.y_min, item.x_min, item.y_max, item.x_max
        place.label = utf8(item.label)
        if item.seg is not None:
            if len(item.seg) != 16:
                raise ValueError(f"{len(item.seg)} <seg> indices; a mask has 16")
            place.seg = (ctypes.c_int32 * 16)(*item.seg)
    return array
