# SPDX-License-Identifier: BSD-2-Clause
"""Who looks at whom: the attention mask as the kernels apply it, and heat maps over a picture."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any, Optional, Sequence

import numpy as np

from ._arrays import int64s, view
from ._handle import Handle, Keep
from ._library import call, lib, new, take_text
from ._structs import HeatMapOptions, MaskOptions, MaskTextOptions
from .errors import ArgumentError
from .hub import Path, checkpoint_directory
from .image import Image
from .inputs import NAMES, Inputs
from .outputs import PaliGemmaCausalLMOutputWithPast

if TYPE_CHECKING:
    from .processor import PaliGemmaProcessor


class _Config(Handle):
    _free = "pali_config_free"


def _config(path: Path) -> _Config:
    return _Config(new(lib.pali_config_load, os.fsencode(checkpoint_directory(path))))


class AttentionMask(Handle):
    """Which keys each query sees, in each layer. Immutable, for any number of threads."""

    _free = "pali_mask_free"

    @classmethod
    def create(
        cls,
        path: Path,
        inputs: Any,
        *,
        prefix_length: int = -1,
        past_length: int = 0,
        processor: Optional[PaliGemmaProcessor] = None,
    ) -> AttentionMask:
        """Of a pass over `inputs` by the checkpoint `path`, whose weights are not needed.

        `prefix_length` as in forward; `past_length` leading tokens are in a cache already. With a processor text() has
        words instead of ids.
        """
        tensors = {name: inputs[name] for name in inputs if name in NAMES and name not in ("labels", "pixel_values")}
        options = MaskOptions(prefix_length=prefix_length, past_length=past_length)
        with _config(path) as config, config.borrow() as fields, Inputs.of(tensors, processor) as given:
            with given.borrow() as address:
                return cls(new(lib.pali_mask_create, fields, address, ctypes.byref(options)))

    def layer(self, layer: int) -> np.ndarray[Any, Any]:
        """uint8 [batch, queries, keys], 1 where decoder layer `layer` sees the key; a read-only view."""
        with self.borrow() as mask:
            tensor = lib.pali_mask_layer(mask, layer)
            if not tensor:
                raise IndexError(f"there is no layer {layer}")
            return view(tensor.contents, Keep(self), writable=False)

    def window(self, layer: int) -> int:
        """The layer's window, in tokens; 0: none."""
        with self.borrow() as mask:
            return int(lib.pali_mask_window(mask, layer))

    def text(self, *, row: int = 0, layer: int = -1, tokens_per_image: int = 5, color: bool = False) -> str:
        """A line for each query, as AttentionMaskVisualizer draws it; `layer` -1: all kinds side by side."""
        options = MaskTextOptions(row=row, layer=layer, tokens_per_image=tokens_per_image, color=int(color))
        text = ctypes.c_char_p()
        with self.borrow() as mask:
            call(lib.pali_mask_text, ctypes.byref(text), mask, ctypes.byref(options))
        return take_text(text)

    def image(self, *, row: int = 0, layer: int = 0, scale: int = 0) -> Image:
        """The same as a picture: a square of `scale` pixels for each query and key (0: as large as is handy)."""
        with self.borrow() as mask:
            return Image(new(lib.pali_mask_image, mask, row, layer, scale))


def heat_map(
    path: Path,
    inputs: Any,
    outputs: PaliGemmaCausalLMOutputWithPast,
    *,
    row: int = 0,
    image: int = 0,
    query: int = -1,
    layers: Optional[Sequence[int]] = None,
    heads: Optional[Sequence[int]] = None,
) -> np.ndarray[Any, Any]:
    """float32 [grid, grid]: how much of a token's attention falls on each patch of a picture; its sum is at most 1.

    Args:
        path: the checkpoint's directory (model.name_or_path).
        inputs: of the pass; after a cache, those of the whole row.
        outputs: what forward returned with output_attentions.
        query: the token that looks, by its position in the pass; negative ones count from the end.
        layers, heads: the mean is over these (None: over all there are).
    """
    options = HeatMapOptions(row=row, image=image, query=query)
    for name, values in (("layers", layers), ("heads", heads)):
        if values is not None:
            setattr(options, name, int64s(values))
            setattr(options, "n_" + name, len(values))
    handle = outputs.handle
    if handle is None:
        raise ArgumentError("outputs that no forward pass of this package made")
    grid_side, values_at = ctypes.c_int64(), ctypes.POINTER(ctypes.c_float)()
    tensors = {name: inputs[name] for name in inputs if name in NAMES and name not in ("labels", "pixel_values")}
    with _config(path) as config, config.borrow() as fields, Inputs.of(tensors) as given, given.borrow() as address:
        with handle.borrow() as made:
            call(
                lib.pali_heat_map, ctypes.byref(values_at), ctypes.byref(grid_side), fields, address, made,
                ctypes.byref(options),
            )  # fmt: skip
    side = grid_side.value
    result = np.array(values_at[: side * side], np.float32).reshape(side, side)
    lib.pali_free(ctypes.cast(values_at, ctypes.c_void_p))
    return result
