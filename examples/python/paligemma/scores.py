# SPDX-License-Identifier: BSD-2-Clause
"""How likely given answers are behind one prompt."""

from __future__ import annotations

import ctypes
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Union

import numpy as np

from ._arrays import view_at
from ._calls import LongCall, Progress
from ._handle import Handle, Keep, lend, optional
from ._library import lib, texts
from ._structs import ScoreOptions
from .adapter import Adapter
from .features import ImageFeatures
from .generation_config import token_lists
from .inputs import Inputs

if TYPE_CHECKING:
    from .model import PaliGemmaForConditionalGeneration
    from .processor import PaliGemmaProcessor


@dataclass(frozen=True)
class Score:
    """Of one answer. Logarithms are natural."""

    index: int  #: which of the answers
    total: float  #: log-probability of the whole
    mean: float  #: divided by its number of tokens, which does not favour short ones
    token_ids: Any  #: int64 [n], <eos> included where it was scored
    token_logprobs: Any  #: float32 [n]


class _Scores(Handle):
    _free = "pali_scores_free"


def score(
    model: PaliGemmaForConditionalGeneration,
    inputs: Any,
    answers: Sequence[Union[str, Sequence[int]]],
    *,
    processor: Optional[PaliGemmaProcessor] = None,
    image_features: Optional[ImageFeatures] = None,
    without_eos: bool = False,
    adapter: Optional[Adapter] = None,
    adapter_scale: float = 1.0,
    threads: int = 0,
    progress: Union[None, bool, Progress] = None,
    cancel: Optional[threading.Event] = None,
) -> List[Score]:
    """The answers' log-probabilities, in the order given; sort by `total` or `mean` for a ranking.

    Args:
        inputs: of one row, what the processor returned for the prompt.
        answers: texts, scored with <eos> behind them unless `without_eos`; or lists of ids, as they are.
    """
    if isinstance(answers, str) or not isinstance(answers, (list, tuple)):
        raise TypeError(f"expected a list of answers, found {type(answers).__name__}")
    as_ids = bool(answers) and not isinstance(answers[0], str)
    options = ScoreOptions(without_eos=int(without_eos), adapter_scale=adapter_scale, threads=threads)
    tensors = {name: inputs[name] for name in inputs if name != "labels"}
    if image_features is not None:
        tensors.pop("pixel_values", None)
    with ExitStack() as stack:
        running = stack.enter_context(LongCall(progress, cancel))
        options.progress = running.progress_fn
        options.features = stack.enter_context(optional(image_features, "image_features"))
        options.adapter = stack.enter_context(optional(adapter, "adapter"))
        given = stack.enter_context(Inputs.of(tensors, None if as_ids else processor or model.processor))
        lists, count = token_lists(answers) if as_ids else (texts(answers), len(answers))
        address = running.new(
            lib.pali_score_tokens if as_ids else lib.pali_score,
            lib.pali_scores_free,
            stack.enter_context(lend(model, "model")),
            stack.enter_context(given.borrow()),
            lists,
            count,
            ctypes.byref(options),
        )
    return _read(_Scores(address))


def _read(scores: _Scores) -> List[Score]:
    keep, count = Keep(scores), ctypes.c_size_t()
    found = []
    with scores.borrow() as address:
        for index in range(lib.pali_scores_count(address)):
            ids = lib.pali_scores_token_ids(address, index, ctypes.byref(count))
            logprobs = lib.pali_scores_token_logprobs(address, index, ctypes.byref(count))
            found.append(
                Score(
                    index,
                    float(lib.pali_scores_total(address, index)),
                    float(lib.pali_scores_mean(address, index)),
                    view_at(ctypes.cast(ids, ctypes.c_void_p).value, np.int64, (count.value,), keep, False),
                    view_at(ctypes.cast(logprobs, ctypes.c_void_p).value, np.float32, (count.value,), keep, False),
                )
            )
    return found
