# SPDX-License-Identifier: BSD-2-Clause
"""Answers in the shape of OpenAI's chat completions, whole or in chunks."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field

from .engine import TokenScore
from .jobs import Delta, Finished, Job


def _logprobs(scores: list[TokenScore] | None) -> dict[str, object] | None:
    def entry(text: str, logprob: float) -> dict[str, object]:
        return {"token": text, "logprob": max(logprob, -9999.0), "bytes": list(text.encode("utf-8"))}

    if scores is None:
        return None
    content = [
        {**entry(score.text, score.logprob), "top_logprobs": [entry(text, logprob) for text, logprob in score.top]}
        for score in scores
    ]
    return {"content": content, "refusal": None}


@dataclass
class Completion:
    """Names one response. Everything that is sent for it has these."""

    job: Job
    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def _head(self, kind: str) -> dict[str, object]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def usage(self, n_tokens: int) -> dict[str, int]:
        prompt = self.job.prompt.n_tokens
        return {"prompt_tokens": prompt, "completion_tokens": n_tokens, "total_tokens": prompt + n_tokens}

    def whole(self, finished: list[Finished]) -> dict[str, object]:
        choices = []
        for choice in sorted(finished, key=lambda choice: choice.index):
            message: dict[str, object] = {"role": "assistant", "content": choice.text, "refusal": None}
            if choice.detections is not None:
                message["detections"] = choice.detections
            choices.append(
                {
                    "index": choice.index,
                    "message": message,
                    "logprobs": _logprobs(choice.logprobs),
                    "finish_reason": choice.reason,
                }
            )
        usage = self.usage(sum(choice.n_tokens for choice in finished))
        return {**self._head("chat.completion"), "choices": choices, "usage": usage}

    # ---- chunks ----

    def _chunk(
        self, index: int, delta: dict[str, object], reason: str | None = None, scores: list[TokenScore] | None = None
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": _logprobs(scores), "finish_reason": reason}
        chunk = {**self._head("chat.completion.chunk"), "choices": [choice]}
        if self.job.request.include_usage:
            chunk["usage"] = None
        return server_sent(chunk)

    def opening(self) -> bytes:
        return b"".join(
            self._chunk(index, {"role": "assistant", "content": "", "refusal": None})
            for index in range(self.job.request.n)
        )

    def delta(self, delta: Delta) -> bytes:
        return self._chunk(delta.index, {"content": delta.text})

    def finish(self, finished: Finished) -> bytes:
        """What is only known at the end, then the end."""
        chunks = b""
        if finished.logprobs is not None or finished.detections is not None:
            last: dict[str, object] = {"content": ""}
            if finished.detections is not None:
                last["detections"] = finished.detections
            chunks = self._chunk(finished.index, last, scores=finished.logprobs)
        return chunks + self._chunk(finished.index, {}, finished.reason)

    def closing(self, finished: list[Finished]) -> bytes:
        last = b""
        if self.job.request.include_usage:
            usage = self.usage(sum(choice.n_tokens for choice in finished))
            last = server_sent({**self._head("chat.completion.chunk"), "choices": [], "usage": usage})
        return last + b"data: [DONE]\n\n"


def server_sent(value: object) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n\n"
