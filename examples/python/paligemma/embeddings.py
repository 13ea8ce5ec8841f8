# SPDX-License-Identifier: BSD-2-Clause
"""Vectors of pages, queries and texts, and the score by which pages are found for a query (ColPali)."""

from __future__ import annotations

import ctypes
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Optional, Union

import numpy as np

from ._arrays import as_array, tensor_of, to_torch, view
from ._calls import LongCall, Progress
from ._handle import Handle, Keep, lend, optional
from ._library import call, lib
from ._structs import EmbedOptions
from .adapter import Adapter
from .generation import wants_torch
from .inputs import NAMES, Inputs

if TYPE_CHECKING:
    from .model import PaliGemmaForConditionalGeneration


class _Outputs(Handle):
    _free = "pali_outputs_free"


def embed(
    model: PaliGemmaForConditionalGeneration,
    inputs: Any,
    *,
    pooling: Optional[str] = None,
    normalize: Optional[bool] = None,
    skip_projection: bool = False,
    adapter: Optional[Adapter] = None,
    adapter_scale: float = 1.0,
    threads: int = 0,
    progress: Union[None, bool, Progress] = None,
    cancel: Optional[threading.Event] = None,
) -> Any:
    """float32 [batch, length, dim], rows of padding zero; with pooling="mean" [batch, dim].

    Args:
        inputs: of processor.process_images, process_queries, or any other.
        normalize: every vector to length 1; None: where the checkpoint has a projection.
        skip_projection: the hidden states themselves.
    """
    if pooling not in (None, "none", "mean"):
        raise ValueError(f'pooling {pooling!r}; None or "mean"')
    options = EmbedOptions(
        pooling=int(pooling == "mean"),
        normalize=-1 if normalize is None else int(normalize),
        skip_projection=int(skip_projection),
        adapter_scale=adapter_scale,
        threads=threads,
    )
    tensors = {name: inputs[name] for name in inputs if name in NAMES and name != "labels"}
    with ExitStack() as stack:
        running = stack.enter_context(LongCall(progress, cancel))
        options.progress = running.progress_fn
        options.adapter = stack.enter_context(optional(adapter, "adapter"))
        given = stack.enter_context(Inputs.of(tensors))
        address = running.new(
            lib.pali_embed,
            lib.pali_outputs_free,
            stack.enter_context(lend(model, "model")),
            stack.enter_context(given.borrow()),
            ctypes.byref(options),
        )
    outputs = _Outputs(address)
    with outputs.borrow() as made:
        array = view(lib.pali_outputs_get(made, b"embeddings").contents, Keep(outputs))
    return to_torch(array) if wants_torch(*tensors.values()) else array


def max_sim(queries: Any, pages: Any) -> np.ndarray[Any, Any]:
    """float32 [queries, pages]: Σ over a query's vectors of the largest product with one of the page's.

    Either is [n, length, dim], or [length, dim] for one alone.
    """
    left, right = as_array(queries, np.float32), as_array(pages, np.float32)
    rows = [len(array) if array.ndim == 3 else 1 for array in (left, right)]
    scores = np.empty(rows, np.float32)
    pointer = scores.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    call(lib.pali_max_sim, pointer, ctypes.byref(tensor_of(left)), ctypes.byref(tensor_of(right)))
    return scores
