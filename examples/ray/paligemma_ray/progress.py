# SPDX-License-Identifier: BSD-2-Clause
"""How far a run is: a line that is rewritten on a terminal, a line now and then elsewhere; a summary at the end."""

from __future__ import annotations

import sys
import time
from typing import Callable, List, Optional, TextIO

from .records import Record


class Progress:
    """Counts rows.

    Args:
        n_rows: rows to be answered.
        n_written: rows that were there before.
        out: where the lines go; None: nowhere.
        clock: seconds.
    """

    def __init__(
        self,
        n_rows: int,
        n_written: int = 0,
        n_twice: int = 0,
        out: Optional[TextIO] = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.n_rows, self.n_written, self.n_twice = n_rows, n_written, n_twice
        self.n_done = self.n_errors = 0
        self._out, self._clock = out, clock
        self._terminal = out is not None and out.isatty()
        self._begin, self._first, self._n_first = clock(), 0.0, 0
        self._next = self._begin

    def add(self, records: List[Record]) -> None:
        """Rows that are on disk."""
        self.n_done += len(records)
        self.n_errors += sum(record["error"] is not None for record in records)
        now = self._clock()
        if not self._first and records:  # the workers have started: what follows is the steady speed
            self._first, self._n_first = now, self.n_done
        if self._out is not None and (now >= self._next or self.n_done == self.n_rows):
            self._next = now + (0.5 if self._terminal else 10)
            print(self._line(now), end="\r" if self._terminal else "\n", file=self._out, flush=True)

    def _line(self, now: float) -> str:
        seconds, n_timed = now - self._first, self.n_done - self._n_first
        line = f"{self.n_done} of {self.n_rows}, {_errors(self.n_errors)}"
        if n_timed and seconds > 0:
            left = (self.n_rows - self.n_done) * seconds / n_timed
            line += f", {n_timed / seconds:.2f} pictures/s, {_duration(left)} left"
        return line.ljust(70) if self._terminal else line

    def summary(self) -> str:
        """The last line: all that happened in this run."""
        if self._terminal and self.n_done:
            print(file=self._out)
        seconds = self._clock() - self._begin
        parts = [f"{self.n_done - self.n_errors} answered", _errors(self.n_errors)]
        if self.n_done < self.n_rows:
            parts.append(f"{self.n_rows - self.n_done} not done")
        parts.append(f"{self.n_written} already written")
        if self.n_twice:
            parts.append(f"{self.n_twice} twice in the input")
        rate = self.n_done / seconds if seconds > 0 else 0.0
        return f"{', '.join(parts)}; {_duration(seconds)}, {rate:.2f} pictures/s"


def _errors(count: int) -> str:
    return f"{count} error" + "s" * (count != 1)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
