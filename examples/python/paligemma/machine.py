# SPDX-License-Identifier: BSD-2-Clause
"""What this machine can do at the most, for comparison."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, NamedTuple

from ._handle import lend
from ._library import call, lib
from ._structs import Machine as MachineStruct

if TYPE_CHECKING:
    from .model import PaliGemmaForConditionalGeneration


class Machine(NamedTuple):
    """Measured limits."""

    threads: int
    gemm_dtype: str  #: type of the factors of large products
    instruction_set: str  #: of the kernels: "avx2", "avx512", …
    read_bytes_per_s: float
    vision_flops_per_s: float
    decoder_flops_per_s: float


def measure_machine(model: PaliGemmaForConditionalGeneration, n_tokens: int = 260) -> Machine:
    """Measures for about a second, on the model's own shapes, with prompts of `n_tokens`."""
    machine = MachineStruct()
    with lend(model, "model") as address:
        call(lib.pali_machine_measure, ctypes.byref(machine), address, n_tokens)
    return Machine(
        machine.threads,
        lib.pali_dtype_name(machine.gemm_dtype).decode(),
        machine.instruction_set.decode(),
        machine.read_bytes_per_s,
        machine.vision_flops_per_s,
        machine.decoder_flops_per_s,
    )
