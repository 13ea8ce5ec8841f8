# SPDX-License-Identifier: BSD-2-Clause
"""What the answers of a run depend on, and how it is run; sent to the workers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Dict, Optional


@dataclass(frozen=True)
class Settings:
    """Of every worker. Paths must mean the same on every machine."""

    model: str  #: a checkpoint directory, or a hub name in the machine's Hugging Face cache
    root: str  #: what paths of pictures are relative to
    dtype: Optional[str] = None  #: float32, bfloat16, None: the checkpoint's
    max_new_tokens: int = 0  #: 0: the checkpoint's, or 20
    vae: Optional[str] = None  #: the mask decoder's weights
    threads: int = 1  #: of a worker
    retries: int = 1  #: of a picture that cannot be read, and of a batch

    def of_answers(self) -> Dict[str, Any]:
        """Those that a continued run must share: another answer would stand beside the old ones."""
        return {
            "model": os.path.abspath(self.model) if os.path.isdir(self.model) else self.model,
            "dtype": self.dtype,
            "max_new_tokens": self.max_new_tokens,
            "vae": os.path.abspath(self.vae) if self.vae else None,
        }
