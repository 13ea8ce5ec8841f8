# SPDX-License-Identifier: BSD-2-Clause
"""A checkpoint's configuration, by attribute (config.text_config.hidden_size) and by dotted name."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Dict, Iterator, Mapping, Union

from ._library import lib, new
from .hub import checkpoint_directory

Value = Union[int, float, str, None]


class Section:
    """The fields below one name. A field that is unset is None."""

    def __init__(self, fields: Mapping[str, Value]) -> None:
        self._fields: Dict[str, Any] = {}
        nested: Dict[str, Dict[str, Value]] = {}
        for name, value in fields.items():
            head, dot, tail = name.partition(".")
            if dot:
                nested.setdefault(head, {})[tail] = value
            else:
                self._fields[head] = value
        for head, below in nested.items():
            self._fields[head] = Section(below)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_fields" not in self.__dict__ or name not in self._fields:
            raise AttributeError(f"the configuration has no {name}")
        return self._fields[name]

    def __getitem__(self, name: str) -> Any:
        """By dotted name: config["text_config.hidden_size"]."""
        head, dot, tail = name.partition(".")
        value = self._fields[head]
        return value[tail] if dot else value

    def get(self, name: str, default: Any = None) -> Any:
        """By dotted name; `default` where there is no such field or it is unset."""
        try:
            value = self[name]
        except (KeyError, TypeError):
            return default
        return default if value is None else value

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __dir__(self) -> Any:
        return [*super().__dir__(), *self._fields]

    def to_dict(self) -> Dict[str, Any]:
        """Nested dictionaries."""
        return {name: value.to_dict() if isinstance(value, Section) else value for name, value in self._fields.items()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.to_dict()})"


class PaliGemmaConfig(Section):
    """config.json and its companions (generation_config, preprocessor_config, tokenizer_config), with defaults."""

    @classmethod
    def from_pretrained(cls, path: Union[str, "os.PathLike[str]"], *, revision: str | None = None) -> PaliGemmaConfig:
        """Of a checkpoint directory or the name of one in the Hugging Face cache."""
        address = new(lib.pali_config_load, os.fsencode(checkpoint_directory(path, revision)))
        try:
            return cls._read(address)
        finally:
            lib.pali_config_free(address)

    @classmethod
    def _read(cls, address: int) -> PaliGemmaConfig:
        names = [lib.pali_config_name(address, index) for index in range(lib.pali_config_count(address))]
        fields = {name.decode(): _value(address, name) for name in names}
        config = cls(fields)
        config._fields.setdefault("image_token_id", fields.get("image_token_index"))
        return config

    def get_text_config(self) -> Section:
        """The decoder's part, as Transformers' method of that name gives it."""
        text: Section = self.text_config
        return text


def _value(address: int, name: bytes) -> Value:
    whole, real, text = ctypes.c_int64(), ctypes.c_double(), ctypes.c_char_p()
    if lib.pali_config_get_int(address, name, ctypes.byref(whole), None) == 0:
        return whole.value
    if lib.pali_config_get_float(address, name, ctypes.byref(real), None) == 0:
        return real.value
    if lib.pali_config_get_string(address, name, ctypes.byref(text), None) == 0 and text.value is not None:
        return text.value.decode("utf-8", "replace")
    return None
