# SPDX-License-Identifier: BSD-2-Clause
"""One generation: callbacks while it runs, and what is taken out of it."""

from __future__ import annotations

import ctypes
import math
from contextlib import ExitStack
from typing import Any, Callable, List, Optional, Sequence

import numpy as np

from ._arrays import is_torch, to_torch, view_at
from ._calls import LongCall
from ._handle import KINDS, Handle, lend
from ._library import call, lib
from ._structs import GenerateOptions, TokenFn, TokenMaskFn
from ._structs import Timing as TimingStruct
from .errors import ArgumentError
from .inputs import Inputs
from .outputs import GenerateOutput, Timing, Token, TokenLogprob

FINISH = {1: "eos", 2: "length", 3: "cancelled", 4: "stop_string", 5: "constraint"}

#: What on_token returns to end the answer of the token's row alone.
END_ROW = object()
_PALI_END_ROW = 2

#: on_token(token): END_ROW ends this answer, anything else that is true all of them; what there is is kept.
OnToken = Callable[[Token], Any]
#: prefix_allowed_tokens_fn(row, ids of prompt and answer): the ids that may follow.
AllowedTokens = Callable[[int, Any], Sequence[int]]
#: A stopping criterion, as in Transformers: called with ids [1, n] and None.
StoppingCriterion = Callable[..., Any]


class _Generation(Handle):
    _free = "pali_generation_free"


class Callbacks:
    """The C callbacks of one generation, kept alive by this object."""

    def __init__(
        self,
        running: LongCall,
        prompts: np.ndarray[Any, Any],
        as_torch: bool,
        on_token: Optional[OnToken],
        streamer: Any,
        stopping_criteria: Optional[Sequence[StoppingCriterion]],
        allowed: Optional[AllowedTokens],
    ) -> None:
        self._running = running
        self._prompts = prompts
        self._convert: Callable[[Any], Any] = to_torch if as_torch else np.asarray
        self._on_token = on_token
        self._streamer = streamer
        self._criteria = list(stopping_criteria or [])
        self._allowed = allowed
        self._answer: List[int] = []
        self.token_fn = TokenFn(running.guarded(self._token))
        self.mask_fn = TokenMaskFn(running.guarded(self._mask)) if allowed is not None else TokenMaskFn()

    def _token(self, _user: Any, pointer: Any) -> int:
        token = pointer.contents
        stop, ends_row = self._running.overdue(), False
        if self._on_token is not None:
            text = token.text.decode("utf-8", "replace") if token.text is not None else ""
            verdict = self._on_token(Token(token.row, token.id, text))
            ends_row = verdict is END_ROW
            stop = (bool(verdict) and not ends_row) or stop
        if self._streamer is not None:
            self._streamer.put(self._convert(np.array([token.id], np.int64)))
        if self._criteria:
            self._answer.append(token.id)
            ids = self._convert(np.concatenate([self._prompts[:1], np.array([self._answer], np.int64)], axis=1))
            stop = any(bool(np.all(np.asarray(criterion(ids, None)))) for criterion in self._criteria) or stop
        return 1 if stop else _PALI_END_ROW if ends_row else 0

    def _mask(self, _user: Any, row: int, ids: Any, count: int, allowed: Any, vocabulary: int) -> int:
        assert self._allowed is not None
        answer = np.array(ids[:count], np.int64) if count else np.empty(0, np.int64)
        prompt = self._prompts[row * len(self._prompts) // max(self.rows, 1)]
        wanted = self._allowed(row, self._convert(np.concatenate([prompt, answer])))
        mask = view_at(ctypes.cast(allowed, ctypes.c_void_p).value, np.uint8, (vocabulary,), self)
        ids_wanted = np.asarray([int(index) for index in wanted], np.int64)
        if ids_wanted.size and not 0 <= ids_wanted.min() <= ids_wanted.max() < vocabulary:
            raise ArgumentError(f"prefix_allowed_tokens_fn gave an id that is not among 0…{vocabulary - 1}")
        mask[ids_wanted] = 1
        return 0

    #: Answers in all; rows of the prompt times num_return_sequences.
    rows = 0


def run(
    model: Handle,
    inputs: Inputs,
    options: GenerateOptions,
    callbacks: Callbacks,
    running: LongCall,
    handles: Any,
) -> _Generation:
    """Runs pali_generate with the objects in `handles` (field of the options: Handle) in use meanwhile."""
    options.on_token = callbacks.token_fn
    options.progress = running.progress_fn
    options.token_mask = callbacks.mask_fn
    with ExitStack() as stack:
        for name, handle in handles.items():
            if handle is not None:
                setattr(options, name, stack.enter_context(lend(handle, KINDS.get(name, name))))
        address = stack.enter_context(model.borrow())
        tensors = stack.enter_context(inputs.borrow())
        made = running.new(lib.pali_generate, lib.pali_generation_free, address, tensors, ctypes.byref(options))
    return _Generation(made)


def output_of(generation: _Generation, prompts: np.ndarray[Any, Any], pad: int, want_all: bool) -> GenerateOutput:
    """Everything a generation has, copied; without `want_all` only the sequences."""
    with generation.borrow() as address:
        rows = int(lib.pali_generation_rows(address))
        answers = [_ids(address, row) for row in range(rows)]
        output = GenerateOutput(_sequences(prompts, answers, pad))
        if not want_all:
            return output
        output.token_ids = answers
        found = [lib.pali_generation_text(address, row) for row in range(rows)]
        output.texts = [text.decode("utf-8", "replace") if text is not None else None for text in found]
        output.finish_reasons = [FINISH[lib.pali_generation_finish_reason(address, row)] for row in range(rows)]
        scores = [lib.pali_generation_score(address, row) for row in range(rows)]
        if not all(math.isnan(score) for score in scores):
            output.sequences_scores = np.array(scores, np.float32)
        output.logprobs = _logprobs(address, rows)
        output.top_logprobs = _top_logprobs(address, answers)
        output.timing = _timing(address)
        output.passes = int(lib.pali_generation_passes(address))
        return output


def _sequences(prompts: np.ndarray[Any, Any], answers: List[List[int]], pad: int) -> np.ndarray[Any, Any]:
    """[answers, prompt + new], padded on the right, as Transformers' generate returns it."""
    rows, length = len(answers), prompts.shape[1]
    longest = max((len(answer) for answer in answers), default=0)
    sequences = np.full((rows, length + longest), pad, np.int64)
    for row, answer in enumerate(answers):
        sequences[row, :length] = prompts[row * len(prompts) // rows]
        sequences[row, length : length + len(answer)] = answer
    return sequences


def _ids(address: int, row: int) -> List[int]:
    count = ctypes.c_size_t()
    ids = lib.pali_generation_token_ids(address, row, ctypes.byref(count))
    return list(ids[: count.value]) if ids and count.value else []


def _logprobs(address: int, rows: int) -> Optional[List[List[float]]]:
    count, found = ctypes.c_size_t(), []
    for row in range(rows):
        values = lib.pali_generation_logprobs(address, row, ctypes.byref(count))
        if not values:
            return None
        found.append(list(values[: count.value]))
    return found


def _top_logprobs(address: int, answers: List[List[int]]) -> Optional[List[List[List[TokenLogprob]]]]:
    count = ctypes.c_size_t()
    found: List[List[List[TokenLogprob]]] = []
    for row, answer in enumerate(answers):
        places = []
        for place in range(len(answer)):
            values = lib.pali_generation_top_logprobs(address, row, place, ctypes.byref(count))
            if not values:
                return None
            places.append([TokenLogprob(value.id, value.logprob) for value in values[: count.value]])
        found.append(places)
    return found


def _timing(address: int) -> Timing:
    timing = TimingStruct()
    call(lib.pali_generation_timing, address, ctypes.byref(timing))
    return Timing(timing.image_s, timing.prefill_s, timing.decode_s, timing.prompt_tokens, timing.decode_tokens)


def wants_torch(*values: Any) -> bool:
    """Whether any of the values is a torch tensor: then the results are."""
    return any(is_torch(value) for value in values)
