# SPDX-License-Identifier: BSD-2-Clause
"""The tokenizer's part of a processor: text to ids and back."""

from __future__ import annotations

import ctypes
from typing import Any, Iterable, List, Optional, Sequence, Union

import numpy as np

from ._arrays import as_array
from ._handle import Handle
from ._library import call, lib, take_text
from .config import PaliGemmaConfig


class Tokenizer:
    """processor.tokenizer. Ids are Python ints; text is str. Any thread."""

    def __init__(self, handle: Handle, config: PaliGemmaConfig) -> None:
        self.handle = handle
        known = config.get("tokenizer_config")
        self.bos_token: str = (known and known.get("bos_token")) or "<bos>"
        self.eos_token: str = (known and known.get("eos_token")) or "<eos>"
        self.pad_token: str = (known and known.get("pad_token")) or "<pad>"
        self.image_token = "<image>"
        self.padding_side: str = (known and known.get("padding_side")) or "left"
        self.bos_token_id = self.convert_tokens_to_ids(self.bos_token)
        self.eos_token_id = self.convert_tokens_to_ids(self.eos_token)
        self.pad_token_id = self.convert_tokens_to_ids(self.pad_token)
        self.image_token_id = self.convert_tokens_to_ids(self.image_token)
        self.vocab_size = int(config["text_config.vocab_size"])
        self.all_special_ids = [self.bos_token_id, self.eos_token_id, self.pad_token_id, self.image_token_id]

    def encode(self, text: str, add_special_tokens: bool = False) -> List[int]:
        """Ids of `text`; tokens that the text spells (<loc0000>, <image>) are recognised. Never adds any itself."""
        if add_special_tokens:
            raise ValueError("this tokenizer adds no special tokens; the processor lays prompts out")
        data = text.encode("utf-8")
        ids, count = ctypes.POINTER(ctypes.c_int64)(), ctypes.c_size_t()
        with self.handle.borrow() as processor:
            call(lib.pali_processor_encode, processor, data, len(data), ctypes.byref(ids), ctypes.byref(count))
        try:
            return ids[: count.value] if count.value else []
        finally:
            lib.pali_free(ctypes.cast(ids, ctypes.c_void_p))

    def decode(
        self, token_ids: Any, skip_special_tokens: bool = False, clean_up_tokenization_spaces: Optional[bool] = None
    ) -> Any:
        """Text of a row of ids, or (as in Transformers 5) a list of texts of several rows."""
        ids = as_array(token_ids)
        if ids.ndim == 2 or (isinstance(token_ids, (list, tuple)) and token_ids and np.ndim(token_ids[0]) == 1):
            return self.batch_decode(token_ids, skip_special_tokens)
        row = np.ascontiguousarray(ids, dtype=np.int64).reshape(-1)
        text = ctypes.c_char_p()
        pointer = row.ctypes.data_as(ctypes.POINTER(ctypes.c_int64))
        with self.handle.borrow() as processor:
            call(lib.pali_processor_decode, processor, pointer, row.size, int(skip_special_tokens), ctypes.byref(text))
        return take_text(text)

    def batch_decode(
        self, sequences: Any, skip_special_tokens: bool = False, clean_up_tokenization_spaces: Optional[bool] = None
    ) -> List[str]:
        """A text for each row; rows may have different lengths."""
        return [str(self.decode(row, skip_special_tokens)) for row in sequences]

    def convert_tokens_to_ids(self, tokens: Union[str, Sequence[str]]) -> Any:
        """The id of an added token such as <loc0000>, or of each of several."""
        if not isinstance(tokens, str):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        ids = self.encode(tokens)
        if len(ids) != 1:
            raise ValueError(f"{tokens!r} is not one token")
        return ids[0]

    def convert_ids_to_tokens(self, ids: Union[int, Iterable[int]]) -> Any:
        """The text that each id stands for."""
        if isinstance(ids, (int, np.integer)):
            return self.decode([ids])
        return [self.decode([index]) for index in as_array(ids).reshape(-1)]

    def __len__(self) -> int:
        return self.vocab_size

    def __call__(self, text: str, add_special_tokens: bool = False, **_: Any) -> Any:
        """A mapping with `input_ids`, as tokenizers have it."""
        return {"input_ids": self.encode(text, add_special_tokens)}
