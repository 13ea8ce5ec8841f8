# SPDX-License-Identifier: BSD-2-Clause
"""pali_inputs: named tensors on their way into and out of the library."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Dict, Mapping, Optional

import numpy as np

from ._arrays import as_array, tensor_of, view
from ._handle import Handle, Keep, lend
from ._library import call, lib, new, utf8
from .errors import ArgumentError

#: The tensors a model takes, with their types.
NAMES: Dict[str, Any] = {
    "input_ids": np.int64,
    "attention_mask": np.int64,
    "token_type_ids": np.int64,
    "position_ids": np.int64,
    "labels": np.int64,
    "pixel_values": np.float32,
    "inputs_embeds": np.float32,
}


class Inputs(Handle):
    """A set of named tensors; belongs to one thread while it is changed."""

    _free = "pali_inputs_free"
    _viewed = False

    @classmethod
    def of(cls, tensors: Mapping[str, Any], processor: Optional[Handle] = None) -> Inputs:
        """Of arrays or torch tensors, which are copied. With a processor answers to it have text."""
        if processor is None:
            inputs = cls(new(lib.pali_inputs_create))
        else:
            with lend(processor, "processor") as address:
                inputs = cls(new(lib.pali_processor_inputs, address))
        for name, value in tensors.items():
            if value is not None:
                inputs[name] = value
        return inputs

    @classmethod
    def load(cls, path: "str | os.PathLike[str]") -> Inputs:
        """All tensors of a safetensors file."""
        return cls(new(lib.pali_inputs_load, os.fsencode(path)))

    def save(self, path: "str | os.PathLike[str]") -> None:
        """Writes a safetensors file, which appears only when it is complete."""
        with self.borrow() as inputs:
            call(lib.pali_inputs_save, inputs, os.fsencode(path))

    def __setitem__(self, name: str, value: Any) -> None:
        if self._viewed:
            raise ArgumentError(f"{name} cannot be set any more: arrays() gave out views of this set")
        array = as_array(value, NAMES.get(name))
        with self.borrow() as inputs:
            call(lib.pali_inputs_set, inputs, utf8(name), ctypes.byref(tensor_of(array)))

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        """A copy."""
        return self._view(name).copy()

    def _view(self, name: str) -> np.ndarray[Any, Any]:
        with self.borrow() as inputs:
            tensor = lib.pali_inputs_get(inputs, utf8(name))
            if not tensor:
                raise KeyError(name)
            return view(tensor.contents, Keep(self))

    def keys(self) -> "list[str]":
        """Names, in the order they were set."""
        with self.borrow() as inputs:
            return [lib.pali_inputs_name(inputs, i).decode() for i in range(lib.pali_inputs_count(inputs))]

    def arrays(self) -> Dict[str, np.ndarray[Any, Any]]:
        """Views of all tensors; they keep the set alive, of which nothing can be replaced from then on."""
        self._viewed = True
        return {name: self._view(name) for name in self.keys()}
