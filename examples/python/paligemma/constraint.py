# SPDX-License-Identifier: BSD-2-Clause
"""What an answer may be: one of some texts, or objects as `detect` and `segment` prompts ask for them."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Optional, Sequence

from ._handle import Handle, lend
from ._library import lib, new, texts
from ._structs import ConstraintOptions

if TYPE_CHECKING:
    from .processor import PaliGemmaProcessor


class Constraint(Handle):
    """Immutable, for any number of generations and threads: generate(**inputs, constraint=constraint).

    The answer is of its form whatever the model, also when max_new_tokens ends it; see docs/constraints.md.
    """

    _free = "pali_constraint_free"

    @classmethod
    def choices(cls, processor: PaliGemmaProcessor, choices: Sequence[str]) -> Constraint:
        """The answer is one of these texts."""
        with lend(processor, "processor") as address:
            return cls(new(lib.pali_constraint_choices, address, texts(choices), len(choices)))

    @classmethod
    def detect(cls, processor: PaliGemmaProcessor, labels: Optional[Sequence[str]] = None, *, max_objects: int = 0,
               max_label_tokens: int = 16, allow_empty: bool = False) -> Constraint:  # fmt: skip
        """The answer to `detect …`: boxes with these labels (None: any label of max_label_tokens).

        `max_objects` 0: as many as max_new_tokens has room for. `allow_empty`: also no object.
        """
        options = ConstraintOptions(
            max_objects=max_objects, max_label_tokens=max_label_tokens, allow_empty=int(allow_empty)
        )
        return cls._objects(lib.pali_constraint_detect, processor, labels, options)

    @classmethod
    def segment(cls, processor: PaliGemmaProcessor, labels: Optional[Sequence[str]] = None, *, max_objects: int = 0,
                max_label_tokens: int = 16, allow_empty: bool = False) -> Constraint:  # fmt: skip
        """The answer to `segment …`: the same with 16 <seg> tokens between box and label; 21 tokens at the least."""
        options = ConstraintOptions(
            max_objects=max_objects, max_label_tokens=max_label_tokens, allow_empty=int(allow_empty)
        )
        return cls._objects(lib.pali_constraint_segment, processor, labels, options)

    @classmethod
    def _objects(cls, function: Any, processor: PaliGemmaProcessor, labels: Optional[Sequence[str]],
                 options: ConstraintOptions) -> Constraint:  # fmt: skip
        names = texts(labels) if labels is not None else None
        with lend(processor, "processor") as address:
            return cls(new(function, address, names, len(labels) if labels is not None else 0, ctypes.byref(options)))
