# SPDX-License-Identifier: BSD-2-Clause
"""Where two runs depart: sets of activations, compared in the order in which a pass computes them."""

from __future__ import annotations

import ctypes
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, List, Tuple

from ._handle import Handle
from ._library import lib, new
from ._structs import CompareOptions
from .inputs import Inputs

KINDS = ("none", "values", "shape", "missing_a", "missing_b")


@dataclass(frozen=True)
class Difference:
    """What became of one tensor."""

    name: str
    kind: str  #: "none", "values", "shape", "missing_a" (only in the second), "missing_b"
    count: int  #: values
    n_departing: int  #: values that do not agree
    max_abs: float
    max_rel: float
    rms: float
    first_index: Tuple[int, ...]  #: of the first value that departs
    first_values: Tuple[float, float]
    max_index: Tuple[int, ...]  #: of max_abs
    max_values: Tuple[float, float]


class _Comparison(Handle):
    _free = "pali_comparison_free"


def compare(a: Any, b: Any, *, atol: float = 1e-4, rtol: float = 1e-4) -> List[Difference]:
    """Of two sets, each an Inputs, a mapping of arrays, or the path of a safetensors file (outputs.save)."""
    options = CompareOptions(atol=atol, rtol=rtol)
    with ExitStack() as stack:
        sets = [stack.enter_context(_inputs(value, stack).borrow()) for value in (a, b)]
        comparison = stack.enter_context(_Comparison(new(lib.pali_compare, *sets, ctypes.byref(options))))
        address = stack.enter_context(comparison.borrow())
        return [_read(lib.pali_comparison_get(address, i).contents) for i in range(lib.pali_comparison_count(address))]


def _inputs(value: Any, stack: ExitStack) -> Inputs:
    if isinstance(value, Inputs):
        return value
    return stack.enter_context(Inputs.of(value) if hasattr(value, "keys") else Inputs.load(value))


def _read(item: Any) -> Difference:
    rank = item.rank
    return Difference(
        item.name.decode(),
        KINDS[item.kind],
        item.count,
        item.n_departing,
        item.max_abs,
        item.max_rel,
        item.rms,
        tuple(item.first_index[:rank]),
        (item.first_a, item.first_b),
        tuple(item.max_index[:rank]),
        (item.max_a, item.max_b),
    )
