# SPDX-License-Identifier: BSD-2-Clause
"""One answer as it grows, token by token: where it ends, and how much of its text may be shown already."""

from __future__ import annotations

from collections.abc import Callable


class GrowingAnswer:
    """A stop string is no part of the answer, so text that may turn out to begin one is held back."""

    def __init__(
        self, max_tokens: int, stops: tuple[str, ...], eos_ids: frozenset[int], decode: Callable[[list[int]], str]
    ) -> None:
        """`decode` gives the text of ids, special tokens left out."""
        self.max_tokens = max_tokens
        self.stops = stops
        self.eos_ids = eos_ids
        self.decode = decode
        self.longest_stop = max(map(len, stops), default=0)
        self.text = ""
        self.shown = 0  # characters of the text that were given out
        self.tokens: list[tuple[int, str]] = []  # ids, with what each adds to the text
        self.reason: str | None = None  # OpenAI's finish_reason, once it is known

    @property
    def ended(self) -> bool:
        return self.reason is not None

    def add(self, token_id: int, text: str) -> str:
        """Takes the next token. Returns the text that may be shown now."""
        self.tokens.append((token_id, text))
        before = len(self.text)
        self.text += text
        start = max(0, before - self.longest_stop + 1)
        found = [place for stop in self.stops if (place := self.text.find(stop, start)) >= 0]
        if found:
            self.text = self.text[: min(found)]
            self.reason = "stop"
        elif token_id in self.eos_ids:
            self.reason = "stop"
        elif len(self.tokens) >= self.max_tokens:
            self.reason = "length"
            self._complete()
        return self._show(len(self.text) if self.ended else len(self.text) - self._begun())

    def _complete(self) -> None:
        """The bytes of a character that the limit cut in two are shown as the tokenizer shows them, as they are in an
        answer that runs alone; in a batch of longer answers the library still waits for the rest of the character."""
        whole = self.decode([token_id for token_id, _ in self.tokens])
        if whole.startswith(self.text):
            self.text = whole

    def _begun(self) -> int:
        """Length of the longest end of the text that is the beginning of a stop string."""
        for length in range(min(self.longest_stop - 1, len(self.text)), 0, -1):
            if any(stop.startswith(self.text[-length:]) for stop in self.stops):
                return length
        return 0

    def _show(self, until: int) -> str:
        new, self.shown = self.text[self.shown : until], max(self.shown, until)
        return new

    def visible_tokens(self) -> int:
        """How many tokens begin in front of the text's end: all but <eos> and those of a stop string."""
        place = count = 0
        for token_id, text in self.tokens:
            if token_id in self.eos_ids or (place >= len(self.text) and text):
                break
            place += len(text)
            count += 1
        return count
