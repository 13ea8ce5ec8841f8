# SPDX-License-Identifier: BSD-2-Clause
"""The thread that computes: it takes waiting jobs that may run together, in the order they came, and runs them."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from . import errors
from .batch import Batch
from .engine import Engine
from .jobs import Failed, Gate, Job
from .metrics import Metrics
from .settings import Settings

log = logging.getLogger("paligemma.server")


class Batcher:
    """`submit` and `close` are for any thread."""

    def __init__(self, engine: Engine, settings: Settings, metrics: Metrics) -> None:
        self.engine = engine
        self.settings = settings
        self.metrics = metrics
        self.gate = Gate(settings.max_queue)
        self.waiting: deque[Job] = deque()
        self.running_rows = 0
        self.batch_seconds = 1.0  # of late
        self.closing = False
        self.condition = threading.Condition()
        self.thread = threading.Thread(target=self._work, name="paligemma-batches", daemon=True)
        metrics.gauge("queue_depth", "Requests that wait for their batch.", lambda: self.gate.waiting)
        metrics.gauge("running_rows", "Answers that are being decoded.", lambda: self.running_rows)

    def start(self) -> None:
        self.thread.start()

    def retry_after(self) -> float:
        """Seconds until there is likely to be room again."""
        batches = self.gate.waiting / self.settings.max_batch + 1
        return min(60.0, batches * self.batch_seconds / 2)

    def submit(self, job: Job) -> None:
        with self.condition:
            if self.closing:
                raise errors.shutting_down()
            self.waiting.append(job)
            self.condition.notify()

    def cancel(self, job: Job) -> None:
        """Whoever waited for it has gone."""
        job.cancelled = True
        job.ticket.leave()

    def close(self) -> None:
        """Lets no job in any more, answers all that wait, and returns."""
        self.gate.close()
        with self.condition:
            self.closing = True
            self.condition.notify()
        self.thread.join()

    # ---- the thread ----

    def _work(self) -> None:
        while jobs := self._collect():
            for job in jobs:
                job.ticket.leave()
            begin = time.monotonic()
            self.running_rows = sum(job.rows for job in jobs)
            self._run(jobs)
            self.running_rows = 0
            self.batch_seconds += 0.2 * (time.monotonic() - begin - self.batch_seconds)

    def _collect(self) -> list[Job]:
        """The jobs of the next batch; none when the service ends. The first one waits a moment for company."""
        with self.condition:
            patience: float | None = None
            while True:
                self.waiting = deque(job for job in self.waiting if not job.cancelled)
                batch, full = self._together()
                if batch and patience is None:
                    patience = time.monotonic() + self.settings.batch_wait
                if batch and (full or self.closing or time.monotonic() >= (patience or 0.0)):
                    taken = set(map(id, batch))
                    self.waiting = deque(job for job in self.waiting if id(job) not in taken)
                    return batch
                if not batch and self.closing:
                    return []
                self.condition.wait(None if not batch or patience is None else max(0.0, patience - time.monotonic()))

    def _together(self) -> tuple[list[Job], bool]:
        """The job that has waited longest, and those behind it that may share its batch; whether that is all the batch
        can hold."""
        batch: list[Job] = []
        rows = tokens = 0
        for job in self.waiting:
            if batch and job.request.sampling != batch[0].request.sampling:
                continue
            too_long = tokens + job.tokens > self.settings.max_batch_tokens
            if batch and (rows + job.rows > self.settings.max_batch or too_long):
                return batch, True
            batch.append(job)
            rows += job.rows
            tokens += job.tokens
        return batch, rows >= self.settings.max_batch

    def _run(self, jobs: list[Job]) -> None:
        """What fails in company is tried alone, so that no job fails for the sake of another."""
        try:
            Batch(jobs, self.engine, self.metrics).run()
        except Exception as exception:
            left = [job for job in jobs if not job.cancelled]
            if left and len(jobs) > 1:
                log.warning("a batch of %d failed, its jobs run alone now: %s", len(jobs), exception)
                for job in left:
                    if job.posted:
                        job.send(Failed(self.engine.error_of(exception)))
                    else:
                        self._run([job])
            elif left:
                error = self.engine.error_of(exception)
                if error.status >= 500:
                    log.error("a request failed", exc_info=exception)
                left[0].send(Failed(error))
