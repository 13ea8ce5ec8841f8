# SPDX-License-Identifier: BSD-2-Clause
"""Several jobs answered together. Rows end one by one, when their answer is complete or their client has gone,
and the others go on as if they had been alone."""

from __future__ import annotations

import time

from . import errors
from .answer import GrowingAnswer
from .engine import Engine, RowScores
from .jobs import Delta, Failed, Finished, Job
from .metrics import Metrics


class Row:
    """One answer of a job."""

    def __init__(self, job: Job, number: int, engine: Engine) -> None:
        self.job = job
        self.number = number
        self.answer = GrowingAnswer(job.request.max_tokens, job.request.stop, engine.eos_ids, engine.decode)
        self.told = False  # that it has finished

    @property
    def goes_on(self) -> bool:
        return not self.answer.ended and not self.job.cancelled


class Batch:
    """Also what stops the library between layers: `is_set`, as threading.Event has it, once nobody waits any more."""

    def __init__(self, jobs: list[Job], engine: Engine, metrics: Metrics) -> None:
        self.jobs = jobs
        self.engine = engine
        self.metrics = metrics
        self.rows = [Row(job, number, engine) for job in jobs for number in range(job.rows)]

    def is_set(self) -> bool:
        return all(job.cancelled for job in self.jobs)

    def run(self) -> None:
        """Answers every job that is not cancelled, or raises what the engine raised."""
        now = time.monotonic()
        self.metrics.batch_rows.observe(len(self.rows))
        for job in self.jobs:
            self.metrics.queued.observe(now - job.created)
        scores = self.engine.generate(
            [job.prompt for job in self.jobs],
            self.jobs[0].request.sampling,
            max_tokens=max(job.request.max_tokens for job in self.jobs),
            top_logprobs=max((job.request.top_logprobs for job in self.jobs if job.wants_scores), default=None),
            on_token=self._on_token,
            cancel=self,
        )
        for stage, seconds in scores.seconds.items():
            self.metrics.stages.add(seconds, stage)
        for row, row_scores in zip(self.rows, scores.rows):
            if not row.told and not row.job.cancelled:
                self._finish(row, row_scores)

    def _on_token(self, index: int, token_id: int, text: str) -> bool:
        """Returns whether the row ends."""
        row = self.rows[index]
        if row.goes_on:
            self._take(row, token_id, text)
        return not row.goes_on

    def _take(self, row: Row, token_id: int, text: str) -> None:
        if not row.answer.tokens and row.number == 0:
            self.metrics.first_token.observe(time.monotonic() - row.job.created)
        self.metrics.new_tokens.add()
        shown = row.answer.add(token_id, text)
        if shown:
            for index in row.job.indices(row.number):
                row.job.send(Delta(index, shown))
        if row.answer.ended and not row.job.wants_scores:
            self._finish(row, None)

    def _finish(self, row: Row, scores: RowScores | None) -> None:
        job, answer = row.job, row.answer
        row.told = True
        if answer.reason is None:  # the library ended a row that we would have let go on: a mistake on our side
            job.send(Failed(errors.internal()))
            return
        ids = [token_id for token_id, _ in answer.tokens]
        detections = logprobs = None
        if job.wants_objects:
            detections = self.engine.detections(answer.text, ids, scores, job.prompt, job.request.mask_format)
        if job.request.logprobs and scores is not None:
            visible = answer.tokens[: answer.visible_tokens()]
            logprobs = self.engine.token_scores(visible, scores, job.request.top_logprobs)
        for index in job.indices(row.number):
            job.send(Finished(index, answer.text, answer.reason, len(ids), logprobs, detections))
