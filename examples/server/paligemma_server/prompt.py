# SPDX-License-Identifier: BSD-2-Clause
"""Messages to one prompt. PaliGemma is no chat model: without a chat template of the checkpoint's, the text of the last
user message is the prompt, word for word, and nothing else is read."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import invalid
from .request import Message


@dataclass(frozen=True)
class Draft:
    """A prompt before its pictures are there: the text, or the messages that a template makes one of."""

    text: str
    urls: tuple[str, ...]
    templated: list[dict[str, object]] | None = None


def _urls(message: Message) -> tuple[str, ...]:
    return tuple(part.url for part in message.parts if part.url is not None)


def _text(message: Message) -> str:
    return "".join(part.text for part in message.parts if part.text is not None)


def _for_template(message: Message) -> dict[str, object]:
    blocks = [{"type": "image"} if part.text is None else {"type": "text", "text": part.text} for part in message.parts]
    plain = len(blocks) == 1 and blocks[0]["type"] == "text"
    return {"role": message.role, "content": blocks[0]["text"] if plain and message.role != "user" else blocks}


def draft(messages: tuple[Message, ...], has_template: bool) -> Draft:
    """With a template all messages and all pictures count. Without one: the last user message, and its pictures, or, if
    it has none, those of the nearest user message before it that has some, so that one may ask again about a picture."""
    users = [message for message in messages if message.role == "user"]
    if not users:
        raise invalid("There is no user message.", "messages")
    text = _text(users[-1])
    if has_template:
        urls = tuple(url for message in messages for url in _urls(message))
        return Draft(text, urls, [_for_template(message) for message in messages])
    if not text.strip():
        raise invalid("The last user message has no text.", "messages")
    return Draft(text, next((_urls(message) for message in reversed(users) if _urls(message)), ()))


def asks_for_objects(text: str) -> bool:
    """Whether the prompt is one of those that PaliGemma answers with boxes."""
    return text.lstrip().split(" ", 1)[0] in ("detect", "segment")
