# SPDX-License-Identifier: BSD-2-Clause
"""The body of `/v1/chat/completions`, checked member by member. What would change an answer and is not served is
refused by name; what cannot change one is passed over."""

from __future__ import annotations

import json
import math
import secrets
from dataclasses import dataclass
from typing import Any

from .errors import ApiError, invalid, model_not_found
from .settings import Settings

ROLES = ("system", "developer", "user", "assistant")

# Members of OpenAI's interface that have no bearing on what the answer says.
WITHOUT_EFFECT = frozenset(
    "user store metadata service_tier parallel_tool_calls safety_identifier prompt_cache_key prompt_cache_retention "
    "prediction verbosity".split()
)

# Commas and opening brackets of a body, those in texts among them: they bound the number of its values.
MAX_MARKS = 200_000

# Members that would change the answer, and the value that asks for nothing.
NOT_SERVED: dict[str, tuple[object, ...]] = {
    "tools": (None, []),
    "tool_choice": (None, "none", "auto"),
    "functions": (None, []),
    "function_call": (None, "none", "auto"),
    "response_format": (None, {"type": "text"}),
    "modalities": (None, ["text"]),
    "audio": (None,),
    "reasoning_effort": (None,),
    "web_search_options": (None,),
}


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen. Requests with equal `Sampling` may share a batch."""

    temperature: float = 0.0  # 0 is greedy; None of the rest counts then but the penalties
    top_p: float = 1.0
    top_k: int = 0  # 0: the checkpoint's own, or Transformers' 50; -1: all
    min_p: float = 0.0
    seed: int = 0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    choices: int = 1  # answers to each prompt


@dataclass(frozen=True)
class Part:
    """A piece of a message: a text, or the URL of a picture."""

    text: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Message:
    role: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class ChatRequest:
    messages: tuple[Message, ...]
    sampling: Sampling
    n: int  # choices in the response
    max_tokens: int
    stop: tuple[str, ...]
    logprobs: bool
    top_logprobs: int
    stream: bool
    include_usage: bool
    detections: bool | None  # None: where the prompt is `detect …` or `segment …`
    mask_format: str


class Fields:
    """The members of a JSON object, taken out one by one; `None` and a member that is missing are the same."""

    def __init__(self, members: dict[str, object], prefix: str = "") -> None:
        self.members = dict(members)
        self.prefix = prefix

    def take(self, name: str) -> object:
        return self.members.pop(name, None)

    def refuse(self, name: str, what: str) -> ApiError:
        return invalid(f"{self.prefix}{name} {what}.", self.prefix + name)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refuse(name, "must be an integer")
        if not low <= value <= high:
            raise self.refuse(name, f"must be between {low} and {high}")
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        value = self.take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.refuse(name, "must be a number")
        if not low <= value <= high:
            raise self.refuse(name, f"must be between {low:g} and {high:g}")
        return float(value)

    def switch(self, name: str) -> bool | None:
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise self.refuse(name, "must be true or false")
        return value

    def text(self, name: str) -> str | None:
        value = self.take(name)
        if value is not None and not isinstance(value, str):
            raise self.refuse(name, "must be a string")
        return value


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def read_json(body: bytes) -> dict[str, object]:
    """The object that the body holds."""
    # The parser holds Python's lock from beginning to end, in whatever thread; what takes it long is many values.
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > MAX_MARKS:
        raise invalid(f"The body has more than {MAX_MARKS} commas and opening brackets.", code="request_too_complex")
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise invalid(f"The body is not JSON in UTF-8: {error}.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise invalid("The body must be a JSON object.", code="invalid_json")
    return value


def _utf8(text: str, param: str) -> str:
    """JSON may spell half of a surrogate pair, which is no character."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise invalid(f"{param} has half of a surrogate pair.", param) from None
    if "\0" in text:
        raise invalid(f"{param} has a NUL.", param)
    return text


# ---- messages ----


def _read_part(part: object, where: str) -> Part:
    if not isinstance(part, dict):
        raise invalid(f"{where} must be an object.", where)
    kind = part.get("type")
    if kind == "text" and isinstance(part.get("text"), str):
        return Part(text=_utf8(part["text"], where))
    if kind == "image_url":
        url = part.get("image_url")
        url = url.get("url") if isinstance(url, dict) else url
        if isinstance(url, str):
            return Part(url=url)
        raise invalid(f"{where}.image_url.url must be a string.", where)
    raise invalid(f"{where} must be a text or an image_url.", where)


def _read_message(message: object, where: str) -> Message:
    if not isinstance(message, dict):
        raise invalid(f"{where} must be an object.", where)
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        raise invalid(f"{where}.role must be one of {', '.join(ROLES)}.", f"{where}.role")
    if content is None and role == "assistant":
        content = ""
    if isinstance(content, str):
        return Message(role, (Part(text=_utf8(content, f"{where}.content")),))
    if not isinstance(content, list):
        raise invalid(f"{where}.content must be a string or a list of parts.", f"{where}.content")
    return Message(role, tuple(_read_part(part, f"{where}.content[{i}]") for i, part in enumerate(content)))


def _read_messages(fields: Fields) -> tuple[Message, ...]:
    messages = fields.take("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("messages must be a list of at least one message.", "messages")
    return tuple(_read_message(message, f"messages[{i}]") for i, message in enumerate(messages))


# ---- the rest ----


def _read_stop(fields: Fields) -> tuple[str, ...]:
    stop = fields.take("stop")
    stops = [stop] if isinstance(stop, str) else stop if stop is not None else []
    if not isinstance(stops, list) or len(stops) > 16 or not all(isinstance(s, str) and s for s in stops):
        raise invalid("stop must be a string, or a list of up to 16 of them, none empty.", "stop")
    return tuple(_utf8(s, "stop") for s in stops)


def _read_bias(fields: Fields) -> tuple[tuple[int, float], ...]:
    bias = fields.take("logit_bias")
    if bias is None:
        return ()
    refusal = invalid("logit_bias must map at most 1024 token ids to numbers from -100 to 100.", "logit_bias")
    if not isinstance(bias, dict) or len(bias) > 1024:
        raise refusal
    pairs = []
    for name, value in bias.items():
        if not name.isascii() or not name.isdigit() or len(name) > 9:
            raise refusal
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not -100 <= value <= 100:
            raise refusal
        # OpenAI's ends of the scale are meant to forbid and to force.
        pairs.append((int(name), -math.inf if value == -100 else float(value)))
    return tuple(sorted(pairs))


def _read_sampling(fields: Fields, n: int) -> Sampling:
    temperature = fields.number("temperature", 0.0, 0.0, 2.0)
    top_p = fields.number("top_p", 1.0, 0.0, 1.0)
    top_k = fields.integer("top_k", 0, -1, 1_000_000)
    min_p = fields.number("min_p", 0.0, 0.0, 1.0)
    seed = fields.integer("seed", secrets.randbits(63), -(2**63), 2**64 - 1) % 2**64
    penalties: dict[str, Any] = {
        "presence_penalty": fields.number("presence_penalty", 0.0, -2.0, 2.0),
        "frequency_penalty": fields.number("frequency_penalty", 0.0, -2.0, 2.0),
        "repetition_penalty": fields.number("repetition_penalty", 1.0, 0.01, 100.0),
        "logit_bias": _read_bias(fields),
    }
    if 0.0 < temperature < 1e-5 or top_p == 0.0:  # both leave the likeliest token alone, as greedy does
        temperature = 0.0
    if temperature == 0.0:
        return Sampling(**penalties)
    return Sampling(temperature, top_p, top_k, min_p, seed, choices=n, **penalties)


def _refuse_others(fields: Fields) -> None:
    for name, nothing in NOT_SERVED.items():
        if fields.take(name) not in nothing:
            raise invalid(f"{name} is not served for this model.", name, "unsupported_parameter")
    for name in fields.members:
        if name not in WITHOUT_EFFECT:
            raise invalid(f"Unrecognized request argument: {name}.", name, "unknown_parameter")


def read_chat_request(body: bytes, settings: Settings) -> ChatRequest:
    """The request, or an `ApiError` that names what is wrong with it."""
    fields = Fields(read_json(body))
    model = fields.text("model")
    if model is None:
        raise invalid("model is missing.", "model")
    if model != settings.model_name:
        raise model_not_found(model)
    n = fields.integer("n", 1, 1, settings.max_choices)
    older = fields.integer("max_tokens", settings.default_tokens, 1, settings.max_tokens)
    max_tokens = fields.integer("max_completion_tokens", older, 1, settings.max_tokens)
    logprobs = bool(fields.switch("logprobs"))
    top_logprobs = fields.integer("top_logprobs", 0, 0, 20)
    if top_logprobs and not logprobs:
        raise invalid("top_logprobs needs logprobs: true.", "top_logprobs")
    stream = bool(fields.switch("stream"))
    stream_options = fields.take("stream_options")
    if stream_options is not None and (not stream or not isinstance(stream_options, dict)):
        raise invalid("stream_options must be an object, and needs stream: true.", "stream_options")
    of_stream = Fields(stream_options if isinstance(stream_options, dict) else {}, "stream_options.")
    detections = fields.switch("detections")
    mask_format = fields.text("mask_format") or "rle"
    if mask_format not in ("rle", "png"):
        raise invalid('mask_format must be "rle" or "png".', "mask_format")
    request = ChatRequest(
        messages=_read_messages(fields),
        sampling=_read_sampling(fields, n),
        n=n,
        max_tokens=max_tokens,
        stop=_read_stop(fields),
        logprobs=logprobs,
        top_logprobs=top_logprobs,
        stream=stream,
        include_usage=bool(of_stream.switch("include_usage")),
        detections=detections,
        mask_format=mask_format,
    )
    _refuse_others(fields)
    return request
