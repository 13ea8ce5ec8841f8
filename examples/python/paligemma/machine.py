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
    gemm_dtype: str  #: type of the factors of large products with weights that are not quantized
    instruction_set: str  #: of the kernels: "avx2", "avx512", …
    read_bytes_per_s: float
    vision_flops_per_s: float
    decoder_flops_per_s: float
    vision_bytes: int  #: of the weights that one picture needs, as they lie in memory
    decoder_bytes: int  #: of those that one token needs, the head's among them
    vision_gemm_dtype: str  #: as gemm_dtype, of the tower's blocks; "int8" where inputs are rounded to it
    decoder_gemm_dtype: str  #: of the decoder's blocks


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
        machine.vision_bytes,
        machine.decoder_bytes,
        lib.pali_dtype_name(machine.vision_gemm_dtype).decode(),
        lib.pali_dtype_name(machine.decoder_gemm_dtype).decode(),
    )
