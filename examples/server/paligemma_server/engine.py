# SPDX-License-Identifier: BSD-2-Clause
"""The model behind the service, through the package `paligemma`: the only file here that knows it. Everything but
`generate` may be called from any thread at any time."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import paligemma
from paligemma.generation import END_ROW

from . import errors
from .objects import Objects
from .request import Sampling
from .settings import Settings


@dataclass(frozen=True)
class Picture:
    """Already of the size that the model sees, so that what waits in the queue is small; resizing it again changes
    nothing. `width` and `height` are those it came with."""

    image: paligemma.Image
    width: int
    height: int


@dataclass(frozen=True)
class Prompt:
    text: str
    pictures: tuple[Picture, ...]
    n_tokens: int  # pictures included


@dataclass(frozen=True)
class RowScores:
    """Log-probabilities of an answer's tokens, and of the likeliest ones in the place of each."""

    logprobs: list[float]
    top: list[list[paligemma.TokenLogprob]] | None


@dataclass(frozen=True)
class Scores:
    rows: list[RowScores | None]
    seconds: dict[str, float]  # by stage


@dataclass(frozen=True)
class TokenScore:
    text: str
    logprob: float
    top: list[tuple[str, float]]


class Cancel(Protocol):
    def is_set(self) -> bool: ...


class Engine:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.model = paligemma.PaliGemmaForConditionalGeneration.from_pretrained(
            settings.model, dtype=settings.dtype, threads=settings.threads
        )
        self.processor = paligemma.PaliGemmaProcessor.from_pretrained(settings.model)
        self.objects = Objects(self.processor, settings.mask_weights)
        self.has_template = self.processor.chat_template is not None
        self.eos_ids = self._read_eos_ids()
        self.side = int(self.processor.config["vision_config.image_size"])

    def _read_eos_ids(self) -> frozenset[int]:
        """All of them; `generate` is given the same, so that both sides agree on where an answer ends."""
        ids = self.processor.config.get("generation_config.eos_token_id", 1)
        path = os.path.join(self.processor.name_or_path, "generation_config.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                ids = json.load(file).get("eos_token_id") or ids
        return frozenset([ids] if isinstance(ids, int) else ids)

    # ---- before ----

    def picture(self, data: bytes, where: str) -> Picture:
        """Decodes and shrinks a picture; `where` names it in errors."""
        try:
            with paligemma.Image.decode(data, max_pixels=self.settings.max_pixels) as image:
                return Picture(image.resize(self.side, self.side), image.width, image.height)
        except paligemma.LimitError as error:
            raise errors.invalid(f"{where}: {error}", where, "image_too_large") from None
        except (paligemma.FormatError, paligemma.UnsupportedError, paligemma.ArgumentError) as error:
            raise errors.invalid(f"{where}: {error}", where, "invalid_image") from None

    def render(self, messages: list[dict[str, object]]) -> str:
        """The prompt that the checkpoint's chat template makes of messages."""
        try:
            return str(self.processor.apply_chat_template(messages, add_generation_prompt=True))
        except paligemma.PaliGemmaError as error:
            raise errors.invalid(f"The chat template refuses the messages: {error}", "messages") from None

    def prompt(self, text: str, pictures: Sequence[Picture]) -> Prompt:
        try:
            inputs = self.processor(images=[[picture.image for picture in pictures]], text=[text])
        except (paligemma.ArgumentError, paligemma.ShapeError) as error:
            raise errors.invalid(str(error), "messages") from None
        n_tokens = int(inputs["input_ids"].shape[1])
        if n_tokens > self.settings.max_prompt_tokens:
            message = f"The prompt has {n_tokens} tokens; at most {self.settings.max_prompt_tokens} are taken."
            raise errors.invalid(message, "messages", "context_length_exceeded")
        return Prompt(text, tuple(pictures), n_tokens)

    # ---- the batch ----

    def generate(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        *,
        max_tokens: int,
        top_logprobs: int | None,
        on_token: Callable[[int, int, str], bool],
        cancel: Cancel,
    ) -> Scores:
        """Answers all prompts; the answers to prompt i are rows i·choices and following.

        `on_token(row, id, text)` returns whether this row ends here; `cancel` ends all, with an exception.
        `top_logprobs` None: no log-probabilities are wanted."""
        inputs = self.processor(
            images=[[picture.image for picture in prompt.pictures] for prompt in prompts],
            text=[prompt.text for prompt in prompts],
        )
        output = self.model.generate(
            **inputs,
            **_options(sampling),
            processor=self.processor,
            max_new_tokens=max_tokens,
            eos_token_id=sorted(self.eos_ids),
            on_token=lambda token: END_ROW if on_token(token.row, token.id, token.text) else None,
            output_logprobs=top_logprobs is not None,
            top_logprobs=top_logprobs or 0,
            cancel=cast(threading.Event, cancel),  # of which it asks is_set
            return_dict_in_generate=True,
        )
        rows: list[RowScores | None] = [None] * len(output.token_ids)
        if output.logprobs is not None:
            tops = output.top_logprobs or [None] * len(rows)
            rows = [RowScores(logprobs, top) for logprobs, top in zip(output.logprobs, tops)]
        timing = output.timing
        return Scores(rows, {"image": timing.image_s, "prefill": timing.prefill_s, "decode": timing.decode_s})

    # ---- after ----

    def decode(self, ids: list[int]) -> str:
        """The text of an answer, special tokens left out."""
        return str(self.processor.decode(ids, skip_special_tokens=True))

    def token_scores(self, tokens: Sequence[tuple[int, str]], scores: RowScores, top: int) -> list[TokenScore]:
        """For the first tokens of an answer."""
        tops = scores.top or [[] for _ in tokens]
        return [
            TokenScore(
                text, logprob, [(str(self.processor.decode([other.id])), other.logprob) for other in likely[:top]]
            )
            for (_, text), logprob, likely in zip(tokens, scores.logprobs, tops)
        ]

    def detections(
        self, text: str, ids: list[int], scores: RowScores | None, prompt: Prompt, mask_format: str
    ) -> list[dict[str, object]]:
        """The objects of an answer, as docs/server.md describes them, in the first picture."""
        size = (prompt.pictures[0].width, prompt.pictures[0].height) if prompt.pictures else None
        logprobs = scores.logprobs[: len(ids)] if scores else None
        return self.objects.of(text, ids, logprobs, size, mask_format)

    def error_of(self, exception: Exception) -> errors.ApiError:
        """What a client is told about a failed batch of one."""
        if isinstance(exception, errors.ApiError):
            return exception
        if isinstance(exception, paligemma.OutOfMemoryError):
            return errors.ApiError(503, "Not enough memory.", kind="server_error", code="out_of_memory")
        if isinstance(exception, (paligemma.ArgumentError, paligemma.ShapeError, paligemma.LimitError)):
            return errors.invalid(str(exception))
        return errors.internal()


def _options(sampling: Sampling) -> dict[str, Any]:
    options: dict[str, Any] = {
        "do_sample": sampling.temperature > 0.0,
        "num_beams": 1,
        "repetition_penalty": sampling.repetition_penalty,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "logit_bias": dict(sampling.logit_bias),
    }
    if sampling.temperature > 0.0:
        options.update(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            seed=sampling.seed,
            num_return_sequences=sampling.choices,
        )
        if sampling.top_k:
            options["top_k"] = sampling.top_k
    return options
