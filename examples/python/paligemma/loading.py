# SPDX-License-Identifier: BSD-2-Clause
"""How a checkpoint is loaded, and what memory that will need, told beforehand."""

from __future__ import annotations

import ctypes
import os
from typing import Any, NamedTuple, Optional

from ._library import call, lib
from ._structs import MemoryForecast as MemoryForecastStruct
from ._structs import ModelOptions
from .adapter import adapter_paths
from .dtypes import model_dtype
from .hub import Path, checkpoint_directory


def model_options(
    dtype: Any, threads: int, adapters: Any, copy_weights: bool, int8_head: Optional[bool], ignore_memory: bool
) -> ModelOptions:
    """from_pretrained's options as the library has them."""
    options = ModelOptions(
        dtype=model_dtype(dtype),
        threads=threads,
        copy_weights=int(copy_weights),
        int8_head=0 if int8_head is None else 1 if int8_head else -1,
        ignore_memory=int(ignore_memory),
    )
    options.adapters, options.adapter_scales, options.n_adapters = adapter_paths(adapters)
    return options


class MemoryForecast(NamedTuple):
    """Bytes that one sequence with one picture needs."""

    weights_mapped: int  #: in mapped files, which all processes share that have them open
    weights_copied: int  #: in memory of the model's own
    vision: int  #: the tower's working memory
    activations: int  #: the decoder's
    cache_per_token: int  #: keys and values in float32; half of it in bfloat16, about a quarter in int8
    cache: int  #: of all tokens
    total: int  #: weights, cache, and the larger of tower and decoder
    available: Optional[int]  #: what the machine has; None: not known


def forecast_memory(
    path: Path,
    n_tokens: int = 128,
    *,
    dtype: Any = None,
    revision: Optional[str] = None,
    adapters: Any = None,
    copy_weights: bool = False,
    int8_head: Optional[bool] = None,
) -> MemoryForecast:
    """Reads the headers of a checkpoint, no weights, and says what a model loaded with these options of from_pretrained
    needs for a picture and `n_tokens` tokens of prompt and answer. from_pretrained goes by the same figures.
    """
    forecast = MemoryForecastStruct()
    options = model_options(dtype, 0, adapters, copy_weights, int8_head, False)
    call(
        lib.pali_model_forecast_memory,
        ctypes.byref(forecast),
        os.fsencode(checkpoint_directory(path, revision)),
        ctypes.byref(options),
        n_tokens,
    )
    figures = {name: getattr(forecast, name) for name in MemoryForecast._fields}
    return MemoryForecast(**{**figures, "available": None if forecast.available < 0 else forecast.available})
