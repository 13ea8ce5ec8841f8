# SPDX-License-Identifier: BSD-2-Clause
"""Tensors of the library as NumPy arrays and back. What comes out is a view: the array keeps its owner alive."""

from __future__ import annotations

import ctypes
import sys
import warnings
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from ._structs import MAX_RANK, Tensor
from .errors import ArgumentError

FLOAT32, BFLOAT16, FLOAT16, FLOAT64, INT64, INT32, INT16, INT8, UINT8, BOOL = range(1, 11)

_TYPES = {
    FLOAT32: np.dtype(np.float32),
    FLOAT16: np.dtype(np.float16),
    FLOAT64: np.dtype(np.float64),
    INT64: np.dtype(np.int64),
    INT32: np.dtype(np.int32),
    INT16: np.dtype(np.int16),
    INT8: np.dtype(np.int8),
    UINT8: np.dtype(np.uint8),
    BOOL: np.dtype(np.bool_),
}
_NUMBERS = {dtype: number for number, dtype in _TYPES.items()}

Array = Any  #: numpy.ndarray, or torch.Tensor where tensors were asked for or given


class _Memory:
    """What NumPy makes an array of: an address and the object that owns it."""

    __slots__ = ("__array_interface__", "owner")

    def __init__(self, address: int, dtype: np.dtype[Any], shape: Tuple[int, ...], owner: object, writable: bool):
        self.owner = owner
        self.__array_interface__ = {
            "version": 3,
            "shape": shape,
            "typestr": dtype.str,
            "data": (address, not writable),
        }


def view_at(
    address: Optional[int], dtype: Any, shape: Sequence[int], owner: object, writable: bool = True
) -> np.ndarray[Any, Any]:
    """An array over memory that `owner` keeps. An empty one has memory of its own."""
    kind, sizes = np.dtype(dtype), tuple(int(size) for size in shape)
    if not address or 0 in sizes:
        return np.empty(sizes, kind)
    return np.asarray(_Memory(address, kind, sizes, owner, writable))


def view(tensor: Any, owner: object, writable: bool = True) -> np.ndarray[Any, Any]:
    """The array of a pali_tensor. NumPy has no bfloat16: such a tensor becomes a float32 copy, which is exact."""
    shape = tuple(tensor.shape[: tensor.rank])
    if tensor.dtype == BFLOAT16:
        halves = view_at(tensor.data, np.uint16, shape, owner, writable)
        return (halves.astype(np.uint32) << 16).view(np.float32)
    return view_at(tensor.data, _TYPES[tensor.dtype], shape, owner, writable)


def is_torch(value: object) -> bool:
    """Whether `value` is a torch tensor; never imports torch."""
    torch = sys.modules.get("torch")
    kind = getattr(torch, "Tensor", None)
    return kind is not None and isinstance(value, kind)


def as_array(value: Any, dtype: Any = None) -> np.ndarray[Any, Any]:
    """Anything array-like, a torch tensor (of any float type, on the CPU) included, as a contiguous NumPy array."""
    if is_torch(value):
        value = value.detach()
        if value.device.type != "cpu":
            value = value.cpu()
        if value.is_floating_point() and value.element_size() < 4:
            value = value.float()
        value = value.numpy()
    elif not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__"):
        value = np.from_dlpack(value)
    return np.ascontiguousarray(value, dtype=dtype) if np.ndim(value) else np.asarray(value, dtype=dtype)


def tensor_of(array: np.ndarray[Any, Any]) -> Tensor:
    """The pali_tensor over a contiguous array, which must outlive it."""
    number = _NUMBERS.get(array.dtype)
    if number is None:
        raise ArgumentError(f"an array of {array.dtype}: the library has no such type")
    if array.ndim > MAX_RANK:
        raise ArgumentError(f"an array of {array.ndim} dimensions; at most {MAX_RANK}")
    tensor = Tensor(data=array.ctypes.data, dtype=number, rank=array.ndim)
    stride = 1
    for axis in range(array.ndim - 1, -1, -1):
        tensor.shape[axis] = array.shape[axis]
        tensor.strides[axis] = stride
        stride *= array.shape[axis]
    return tensor


def int64s(values: Sequence[int]) -> Any:
    """A C array of int64."""
    return (ctypes.c_int64 * max(len(values), 1))(*values)


_warned_of_torch = False


def torch_or_none() -> Any:
    """The module torch, or None with a warning (once) where it cannot be imported."""
    global _warned_of_torch
    try:
        import torch
    except ImportError:
        if not _warned_of_torch:
            _warned_of_torch = True
            warnings.warn('torch is not installed: return_tensors="pt" gives NumPy arrays', stacklevel=4)
        return None
    return torch


def to_torch(array: np.ndarray[Any, Any]) -> Any:
    """A tensor over the array's memory (a copy if that may not be written)."""
    torch = torch_or_none()
    if torch is None:
        return array
    return torch.from_numpy(array if array.flags.writeable else array.copy())
