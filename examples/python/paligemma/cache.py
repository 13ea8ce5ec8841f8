# SPDX-License-Identifier: BSD-2-Clause
"""Key/value caches: the tokens a model has seen, kept, rolled back, copied, shared, saved."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any, Optional, Sequence

from ._arrays import int64s
from ._handle import Handle, lend, optional
from ._library import call, lib, new
from ._structs import CacheOptions
from .dtypes import cache_dtype

if TYPE_CHECKING:
    from .model import PaliGemmaForConditionalGeneration


class Cache(Handle):
    """Keys and values of each row of a batch; belongs to one thread at a time (BusyError otherwise).

    A cache that others continue (their `prefix`) is frozen and may be continued from any number of threads.
    """

    _free = "pali_cache_free"
    _alone = True

    @classmethod
    def create(
        cls,
        model: PaliGemmaForConditionalGeneration,
        rows: int = 1,
        *,
        capacity: int = 0,
        fixed: bool = False,
        sliding: bool = False,
        dtype: Any = None,
        prefix: Optional[Cache] = None,
    ) -> Cache:
        """An empty one.

        Args:
            rows: sequences.
            capacity: tokens a row to make room for at once; 0: grow as needed.
            fixed: never grow past `capacity` (LimitError): a "static" cache.
            sliding: layers with a window keep only what the window can still reach.
            dtype: of keys and values, "float32" (default), "bfloat16", "int8" (a quarter of the memory; each head's
                key and value of a token has a scale of its own).
            prefix: every row continues this one's only row, which is not copied.
        """
        options = CacheOptions(
            rows=rows, capacity=capacity, fixed=int(fixed), sliding=int(sliding), dtype=cache_dtype(dtype)
        )
        with lend(model, "model") as address, optional(prefix, "cache") as shared:
            options.prefix = shared
            return cls(new(lib.pali_cache_create, address, ctypes.byref(options)))

    @classmethod
    def load(cls, model: PaliGemmaForConditionalGeneration, path: "str | os.PathLike[str]") -> Cache:
        """As it was saved; FormatError if another model made it."""
        with lend(model, "model") as address:
            return cls(new(lib.pali_cache_load, address, os.fsencode(path)))

    def save(self, path: "str | os.PathLike[str]") -> None:
        """Writes a safetensors file."""
        with self.borrow() as cache:
            call(lib.pali_cache_save, cache, os.fsencode(path))

    def fork(self) -> Cache:
        """A copy; a shared prefix stays shared."""
        with self.borrow() as cache:
            return Cache(new(lib.pali_cache_fork, cache))

    def truncate(self, length: int) -> None:
        """Forgets all tokens from `length` on, in every row; exact, or LimitError."""
        with self.borrow() as cache:
            call(lib.pali_cache_truncate, cache, length)

    crop = truncate

    def reset(self) -> None:
        """Forgets everything but a shared prefix; the memory stays."""
        with self.borrow() as cache:
            lib.pali_cache_reset(cache)

    def reorder(self, parents: Sequence[int]) -> None:
        """Row i becomes a continuation of what was row parents[i]; there are len(parents) rows afterwards."""
        with self.borrow() as cache:
            call(lib.pali_cache_reorder, cache, int64s(parents), len(parents))

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens of the first row, under Transformers' name (which counts the same in every layer)."""
        return self.length(0)

    def length(self, row: int = 0) -> int:
        """Tokens stored in a row, padding and a shared prefix included."""
        with self.borrow() as cache:
            return int(lib.pali_cache_length(cache, row))

    def __len__(self) -> int:
        return self.length(0)

    def __bool__(self) -> bool:
        return True

    @property
    def rows(self) -> int:
        """Sequences."""
        with self.borrow() as cache:
            return int(lib.pali_cache_rows(cache))

    @property
    def nbytes(self) -> int:
        """Bytes allocated for its tokens, a shared prefix's not counted."""
        with self.borrow() as cache:
            return int(lib.pali_cache_size_bytes(cache))

    def __repr__(self) -> str:
        return "<paligemma.Cache, closed>" if self.closed else f"<paligemma.Cache {self.rows} × {self.length()} tokens>"
