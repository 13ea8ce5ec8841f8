# SPDX-License-Identifier: BSD-2-Clause
"""What the processor returns: named arrays, with the manners of Transformers' BatchFeature."""

from __future__ import annotations

from collections import UserDict
from typing import Any, Optional

import numpy as np

from ._arrays import is_torch, to_torch
from .dtypes import numpy_dtype


class BatchFeature(UserDict):  # type: ignore[type-arg]
    """A mapping of names to arrays: `model(**inputs)`, inputs["input_ids"], inputs.input_ids, inputs.to("cpu")."""

    def __getattr__(self, name: str) -> Any:
        if name == "data" or name.startswith("__"):
            raise AttributeError(name)
        try:
            return self.data[name]
        except KeyError:
            raise AttributeError(name) from None

    def to(self, *where: Any, device: Any = None, dtype: Any = None, **_: Any) -> BatchFeature:
        """In place, as Transformers does: a device ("cpu", which is all there is here) or a type for the floats."""
        for argument in (*where, device, dtype):
            if argument is None:
                continue
            kind = numpy_dtype(argument)
            if kind is None:
                check_device(argument)
            else:
                self.data = {name: _cast(value, argument, kind) for name, value in self.data.items()}
        return self

    def convert_to_tensors(self, tensor_type: Optional[str] = None, **_: Any) -> BatchFeature:
        """ "np" or "pt": NumPy arrays or torch tensors over the same memory."""
        if tensor_type is not None:
            check_tensor_type(tensor_type)
            change = to_torch if str(tensor_type) == "pt" else np.asarray
            self.data = {name: value if is_torch(value) else change(value) for name, value in self.data.items()}
        return self


def check_tensor_type(tensor_type: Any) -> None:
    """Only "pt" and "np" are known."""
    if tensor_type is not None and str(getattr(tensor_type, "value", tensor_type)) not in ("pt", "np"):
        raise ValueError(f'return_tensors {tensor_type!r}; "np" or "pt"')


def check_device(device: Any) -> None:
    """The library computes on the CPU; a device map that says anything else is an error."""
    kind = getattr(device, "type", device)
    if isinstance(kind, dict):
        for value in kind.values():
            check_device(value)
    elif str(kind).split(":")[0] not in ("cpu", "auto", "sequential", "balanced", "balanced_low_0"):
        raise ValueError(f"device {device!r}: this library computes on the CPU")


def _cast(value: Any, wanted: Any, kind: Any) -> Any:
    if is_torch(value):
        import torch

        if not value.is_floating_point():
            return value
        return value.to(wanted if isinstance(wanted, torch.dtype) else getattr(torch, str(np.dtype(kind))))
    return value.astype(kind) if value.dtype.kind == "f" else value
