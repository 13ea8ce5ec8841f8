# SPDX-License-Identifier: BSD-2-Clause
"""Quantized checkpoints: written by quantize(), or for one process by from_pretrained(…, quantization_config=…)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile
import threading
from contextlib import ExitStack
from typing import Any, Dict, Iterator, Mapping, Optional, Sequence, Union

from ._calls import LongCall, Progress
from ._library import lib
from ._structs import QuantizeOptions
from .hub import Path, checkpoint_directory
from .inputs import NAMES, Inputs

#: pali_quantization_scheme by torchao's names, and the short one of the command.
SCHEMES = {"int8_weight_only": 1, "int4_weight_only": 2, "int8_dynamic_activation_int8_weight": 3, "int8_dynamic": 3}
#: pali_quantization_part.
PARTS = {"decoder": 1, "vision": 2, "projector": 4, "head": 8}


def quantize(
    source: Path,
    target: "str | os.PathLike[str]",
    scheme: str = "int8_weight_only",
    *,
    group_size: Optional[int] = None,
    zero_points: bool = False,
    parts: Union[str, Sequence[str]] = ("decoder",),
    largest_value_scales: bool = False,
    calibration: Optional[Sequence[Mapping[str, Any]]] = None,
    max_shard_size: int = 0,
    threads: int = 0,
    progress: Union[None, bool, Progress] = None,
    cancel: Optional[threading.Event] = None,
) -> None:
    """Writes a checkpoint with weights of 8 or 4 bits, which Transformers and vLLM open, too; see docs/quantization.md.

    Args:
        target: a directory that is not there yet, or empty; it appears when all is written.
        scheme: "int8_weight_only", "int4_weight_only", "int8_dynamic_activation_int8_weight" ("int8_dynamic").
        group_size: inputs that share a scale in int4: 32, 64 or 128 (default).
        zero_points: groups of int4 have a zero point.
        parts: some of "decoder", "vision", "projector", "head".
        largest_value_scales: a scale fits the largest weight of its group, as in torchao, instead of being the one of
            several with the least squared error.
        calibration: what the processor returned for some pictures and prompts, each like those that the model will
            see: the model is run on them to round weights where it matters least (GPTQ).
        max_shard_size: bytes of a file; 0: 5e9.
        threads: 0: OpenMP's own number.
        progress: True for tqdm, or a function of (stage, fraction), stages "calibrate" and "quantize".
        cancel: an event that stops the writing when it is set; nothing is left behind.
    """
    options = QuantizeOptions(
        scheme=_number(SCHEMES, scheme, "scheme"),
        group_size=group_size or 0,
        zero_points=int(zero_points),
        parts=sum({_number(PARTS, part, "part") for part in ([parts] if isinstance(parts, str) else parts)}),
        largest_value_scales=int(largest_value_scales),
        max_shard_size=max_shard_size,
        threads=threads,
    )
    if options.parts == 0:
        raise ValueError("parts is empty: nothing would be quantized")
    with ExitStack() as stack:
        given = [
            stack.enter_context(stack.enter_context(Inputs.of(_tensors(tensors))).borrow())
            for tensors in calibration or ()
        ]
        if given:
            options.calibration = (ctypes.c_void_p * len(given))(*given)
            options.n_calibration = len(given)
        running = stack.enter_context(LongCall(progress, cancel))
        options.progress = running.progress_fn
        running.call(
            lib.pali_quantize, os.fsencode(checkpoint_directory(source)), os.fsencode(target), ctypes.byref(options)
        )


def _number(names: Mapping[str, int], name: Any, what: str) -> int:
    try:
        return names[name]
    except (KeyError, TypeError):
        raise ValueError(f"{what} {name!r}; known are {', '.join(names)}") from None


def _tensors(given: Mapping[str, Any]) -> Dict[str, Any]:
    """Of what a processor returns, the tensors that a model takes."""
    if not isinstance(given, Mapping):
        raise TypeError(f"calibration takes what the processor returns, found {type(given).__name__}")
    return {name: given[name] for name in NAMES if name in given}


#: torchao's classes of the schemes, which Transformers takes instead of names.
_CLASSES = {
    "Int8WeightOnlyConfig": "int8_weight_only",
    "Int4WeightOnlyConfig": "int4_weight_only",
    "Int8DynamicActivationInt8WeightConfig": "int8_dynamic_activation_int8_weight",
}
#: What stays as it is unless `parts` says otherwise.
_NOT_CONVERTED = ("lm_head", "vision_tower", "multi_modal_projector", "embed_tokens")


class TorchAoConfig:
    """How from_pretrained(…, quantization_config=…) quantizes, with the names of Transformers.

    The library quantizes files: from_pretrained writes a quantized copy of the checkpoint into a temporary folder
    (TMPDIR), maps it, and removes it; the space is free again when the model is closed. What is loaded more than once
    is better quantized once, by quantize().

    Args:
        quant_type: "int8_weight_only", "int4_weight_only", "int8_dynamic_activation_int8_weight", or one of torchao's
            objects (Int4WeightOnlyConfig(group_size=128), …).
        modules_to_not_convert: taken where it names what stays as it is anyway: "lm_head", "vision_tower",
            "multi_modal_projector".
        group_size, zero_points, parts, largest_value_scales: as in quantize(), which has the defaults.
    """

    def __init__(
        self,
        quant_type: Any = "int8_weight_only",
        modules_to_not_convert: Optional[Sequence[str]] = None,
        *,
        group_size: Optional[int] = None,
        zero_points: bool = False,
        parts: Union[str, Sequence[str]] = ("decoder",),
        largest_value_scales: bool = False,
    ) -> None:
        self.quant_type = _CLASSES.get(type(quant_type).__name__, quant_type)
        _number(SCHEMES, self.quant_type, "quant_type")
        for name in modules_to_not_convert or ():
            if name.rsplit(".", 1)[-1] not in _NOT_CONVERTED:
                raise ValueError(
                    f"modules_to_not_convert: {name!r} is part of the decoder, which is quantized as a whole"
                )
        group_size = group_size if group_size is not None else getattr(quant_type, "group_size", None)
        self.options: Dict[str, Any] = {
            "group_size": group_size if self.quant_type == "int4_weight_only" else None,
            "zero_points": zero_points,
            "parts": parts,
            "largest_value_scales": largest_value_scales,
        }

    def __repr__(self) -> str:
        return f"TorchAoConfig({self.quant_type!r}, {', '.join(f'{k}={v!r}' for k, v in self.options.items() if v)})"


@contextlib.contextmanager
def quantized_copy(
    directory: str,
    config: Any,
    threads: int,
    progress: Union[None, bool, Progress],
    cancel: Optional[threading.Event],
) -> Iterator[str]:
    """A quantized copy of a checkpoint that goes with the block; a model that has it mapped keeps the files."""
    if not isinstance(config, TorchAoConfig):
        raise TypeError(f"quantization_config takes a paligemma.TorchAoConfig, found {type(config).__name__}")
    with tempfile.TemporaryDirectory(prefix="paligemma-") as folder:
        copy = os.path.join(folder, "quantized")
        quantize(
            directory, copy, config.quant_type, threads=threads, progress=progress, cancel=cancel, **config.options
        )
        yield copy
