# SPDX-License-Identifier: BSD-2-Clause
"""Quantization settings as Transformers has them: taken, said to be without effect, and passed over."""

from __future__ import annotations

from typing import Any, Dict


class TorchAoConfig:
    """Accepted by from_pretrained, which warns: the library has no integer weights yet and uses those of the file.

    A bfloat16 checkpoint is mapped, not copied, so that it needs no memory of its own beyond the page cache.
    """

    def __init__(self, quant_type: Any = None, modules_to_not_convert: Any = None, **options: Any) -> None:
        self.quant_type = quant_type
        self.modules_to_not_convert = modules_to_not_convert
        self.options: Dict[str, Any] = options

    def __repr__(self) -> str:
        return f"TorchAoConfig({self.quant_type!r})"
