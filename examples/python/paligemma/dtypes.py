# SPDX-License-Identifier: BSD-2-Clause
"""Element types by all their names: torch.bfloat16, "bfloat16", numpy.float32, "auto"."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import BFLOAT16, FLOAT16, FLOAT32, INT8

_FLOATS = {"float32": FLOAT32, "bfloat16": BFLOAT16, "float16": FLOAT16, "float": FLOAT32, "half": FLOAT16}


def dtype_name(dtype: Any) -> str:
    """ "bfloat16" for torch.bfloat16, "float32" for numpy.float32 or numpy.dtype("float32"), …"""
    if isinstance(dtype, type) and issubclass(dtype, np.generic):
        return np.dtype(dtype).name
    return str(dtype).rsplit(".", 1)[-1]


def numpy_dtype(dtype: Any) -> Any:
    """The NumPy type for a float type by any name (bfloat16, which NumPy lacks, is float32); None if it is none."""
    name = dtype_name(dtype)
    if name == "bfloat16":
        return np.float32
    return {"float32": np.float32, "float16": np.float16, "float64": np.float64, "float": np.float32}.get(name)


def model_dtype(dtype: Any) -> int:
    """pali_dtype of a model: 0 for None and "auto"."""
    if dtype is None or (isinstance(dtype, str) and dtype == "auto"):
        return 0
    number = _FLOATS.get(dtype_name(dtype))
    if number not in (FLOAT32, BFLOAT16):
        raise ValueError(f'dtype {dtype_name(dtype)!r}: a model runs in "float32" or "bfloat16" ("auto": by its files)')
    return number


def cache_dtype(dtype: Any) -> int:
    """pali_dtype of a cache's keys and values: 0 for None (float32)."""
    return INT8 if dtype is not None and dtype_name(dtype) == "int8" else model_dtype(dtype)


def saved_dtype(dtype: Any) -> int:
    """pali_dtype of a file: 0 for None (as it is)."""
    if dtype is None:
        return 0
    number = _FLOATS.get(dtype_name(dtype))
    if number is None:
        raise ValueError(f'dtype {dtype_name(dtype)!r}; "float32", "bfloat16" or "float16"')
    return number
