# SPDX-License-Identifier: BSD-2-Clause
"""What passes between the HTTP side and the thread that computes: a job one way, events the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Union

from . import errors
from .engine import Prompt, TokenScore
from .request import ChatRequest


@dataclass(frozen=True)
class Delta:
    """More text of choice `index`."""

    index: int
    text: str


@dataclass(frozen=True)
class Finished:
    """Choice `index` is complete."""

    index: int
    text: str
    reason: str
    n_tokens: int
    logprobs: list[TokenScore] | None
    detections: list[dict[str, object]] | None


@dataclass(frozen=True)
class Failed:
    """The job is over, without an answer."""

    error: errors.ApiError


Event = Union[Delta, Finished, Failed]


class Gate:
    """Lets in no more requests than may wait. A ticket is held from before a request's body is read until its batch
    begins, so that waiting requests are bounded in memory too."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.waiting = 0
        self.closed = False
        self.lock = threading.Lock()

    def enter(self, retry_after: float) -> Ticket:
        with self.lock:
            if self.closed:
                raise errors.shutting_down()
            if self.waiting >= self.limit:
                raise errors.queue_full(retry_after)
            self.waiting += 1
        return Ticket(self)

    def close(self) -> None:
        with self.lock:
            self.closed = True


class Ticket:
    def __init__(self, gate: Gate) -> None:
        self.gate: Gate | None = gate

    def leave(self) -> None:
        """Any number of times, from any thread."""
        gate = self.gate
        if gate is None:
            return
        with gate.lock:
            if self.gate is not None:
                self.gate = None
                gate.waiting -= 1


@dataclass(eq=False)
class Job:
    """One request on its way. `post` takes events from the computing thread; `cancelled` is set by the HTTP side, and
    no event follows then that anybody reads."""

    prompt: Prompt
    request: ChatRequest
    wants_objects: bool
    post: Callable[[Event], None]
    ticket: Ticket
    created: float = field(default_factory=time.monotonic)
    cancelled: bool = False
    posted: bool = False  # whether the client may have seen something of the answer

    @property
    def rows(self) -> int:
        """Greedy choices are all the same: one is computed."""
        return self.request.sampling.choices

    @property
    def tokens(self) -> int:
        """What its keys and values need room for."""
        return self.rows * (self.prompt.n_tokens + self.request.max_tokens)

    @property
    def wants_scores(self) -> bool:
        """Log-probabilities are known when the whole batch is done."""
        return self.request.logprobs or self.wants_objects

    def indices(self, row: int) -> range:
        """The choices that row `row` of the job answers."""
        return range(self.request.n) if self.rows == 1 else range(row, row + 1)

    def send(self, event: Event) -> None:
        self.posted = True
        self.post(event)
