# SPDX-License-Identifier: BSD-2-Clause
"""Looking into a checkpoint without loading the model, and writing one anew."""

from __future__ import annotations

import ctypes
import os
import threading
from typing import Any, List, Optional, Tuple, Union

import numpy as np

from ._arrays import view
from ._calls import LongCall, Progress
from ._handle import Handle, Keep
from ._library import call, lib, new, take_text
from ._structs import SaveOptions, Tensor
from .adapter import adapter_paths
from .dtypes import saved_dtype
from .hub import Path, checkpoint_directory

NAME_STYLES = {None: 0, "transformers_4": 1, "transformers_5": 2, "modules_4": 3, "modules_5": 4}


class Checkpoint(Handle):
    """The tensors of a directory, mapped into memory. Immutable, for any number of threads."""

    _free = "pali_checkpoint_free"

    @classmethod
    def open(cls, path: Path) -> Checkpoint:
        """Maps model.safetensors, or the shards of its index."""
        directory = checkpoint_directory(path)
        checkpoint = cls(new(lib.pali_checkpoint_open, os.fsencode(directory)))
        checkpoint.path = directory
        return checkpoint

    path: str = ""

    def keys(self) -> List[str]:
        """Names as the files have them, sorted."""
        with self.borrow() as checkpoint:
            return [
                lib.pali_checkpoint_name(checkpoint, index).decode()
                for index in range(lib.pali_checkpoint_count(checkpoint))
            ]

    def __len__(self) -> int:
        with self.borrow() as checkpoint:
            return int(lib.pali_checkpoint_count(checkpoint))

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        """A read-only view into the map; of a bfloat16 tensor a float32 copy, as NumPy has no such type."""
        try:
            index = self.keys().index(name)
        except ValueError:
            raise KeyError(name) from None
        return self._tensor(index)[0]

    def dtype(self, name: str) -> str:
        """The type in the file: "bfloat16", "float32", …"""
        return self._tensor(self.keys().index(name))[1]

    def _tensor(self, index: int) -> Tuple[np.ndarray[Any, Any], str]:
        tensor = Tensor()
        with self.borrow() as checkpoint:
            call(lib.pali_checkpoint_tensor, checkpoint, index, ctypes.byref(tensor))
            return view(tensor, Keep(self), writable=False), lib.pali_dtype_name(tensor.dtype).decode()

    @property
    def nbytes(self) -> int:
        """Bytes of all its files."""
        with self.borrow() as checkpoint:
            return int(lib.pali_checkpoint_size(checkpoint))

    def compare(self) -> Tuple[List[str], List[str]]:
        """(missing, unexpected): what its config.json needs and is not there, and the reverse."""
        missing, unexpected = ctypes.c_char_p(), ctypes.c_char_p()
        config = new(lib.pali_config_load, os.fsencode(self.path))
        try:
            with self.borrow() as checkpoint:
                call(lib.pali_checkpoint_compare, checkpoint, config, ctypes.byref(missing), ctypes.byref(unexpected))
        finally:
            lib.pali_config_free(config)
        return take_text(missing).splitlines(), take_text(unexpected).splitlines()


def save_checkpoint(
    source: Path,
    target: "str | os.PathLike[str]",
    *,
    dtype: Any = None,
    name_style: Optional[str] = None,
    max_shard_size: int = 0,
    write_tied_head: bool = False,
    adapters: Any = None,
    progress: Union[None, bool, Progress] = None,
    cancel: Optional[threading.Event] = None,
) -> None:
    """Writes a checkpoint anew, as Transformers opens it; see docs/saving.md.

    Args:
        dtype: "float32", "bfloat16", "float16" of all weights; None: each as it is.
        name_style: "transformers_4" (default: every release opens it), "transformers_5", "modules_4", "modules_5".
        max_shard_size: bytes of a file; 0: 5e9.
        adapters: PEFT LoRA directories to add to the weights, a path, a list, or {path: scale}.
    """
    options = SaveOptions(
        dtype=saved_dtype(dtype),
        name_style=NAME_STYLES[name_style],
        max_shard_size=max_shard_size,
        write_tied_head=int(write_tied_head),
    )
    options.adapters, options.adapter_scales, options.n_adapters = adapter_paths(adapters)
    with LongCall(progress, cancel) as running:
        options.progress = running.progress_fn
        running.call(
            lib.pali_checkpoint_save,
            os.fsencode(checkpoint_directory(source)),
            os.fsencode(target),
            ctypes.byref(options),
        )
