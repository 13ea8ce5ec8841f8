# SPDX-License-Identifier: BSD-2-Clause
"""LoRA adapters as PEFT writes them: beside the weights from call to call, or added while loading."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any, Mapping, Tuple

from ._handle import Handle, lend
from ._library import lib, new
from .hub import Path, checkpoint_directory

if TYPE_CHECKING:
    from .model import PaliGemmaForConditionalGeneration


class Adapter(Handle):
    """Immutable, of one model, for any number of threads: generate(**inputs, adapter=adapter, adapter_scale=0.5)."""

    _free = "pali_adapter_free"

    @classmethod
    def load(cls, model: PaliGemmaForConditionalGeneration, path: Path) -> Adapter:
        """Reads a PEFT directory (adapter_config.json, adapter_model.safetensors)."""
        with lend(model, "model") as address:
            return cls(new(lib.pali_adapter_load, address, os.fsencode(checkpoint_directory(path))))

    def __len__(self) -> int:
        """How many weights it covers."""
        with self.borrow() as adapter:
            return int(lib.pali_adapter_count(adapter))

    def __bool__(self) -> bool:
        return True

    @property
    def rank(self) -> int:
        """The largest rank among them."""
        with self.borrow() as adapter:
            return int(lib.pali_adapter_rank(adapter))


def adapter_paths(adapters: Any) -> Tuple[Any, Any, int]:
    """A path, a list of paths, or {path: scale} as the library's arrays of paths and scales."""
    if adapters is None:
        return None, None, 0
    if isinstance(adapters, (str, os.PathLike)):
        adapters = [adapters]
    scales = dict(adapters) if isinstance(adapters, Mapping) else dict.fromkeys(adapters, 1.0)
    paths = (ctypes.c_char_p * max(len(scales), 1))(*[os.fsencode(checkpoint_directory(path)) for path in scales])
    return paths, (ctypes.c_double * max(len(scales), 1))(*scales.values()), len(scales)
