# SPDX-License-Identifier: BSD-2-Clause
"""Tokens as they come: an iterator, and Transformers' streamers."""

from __future__ import annotations

import queue
import threading
import weakref
from typing import Any, Callable, Dict, Iterator, List, Optional

import numpy as np

from .outputs import GenerateOutput, Token
from .tokenizer import Tokenizer


class _Cancel:
    """Set when the stream was closed or dropped, or the caller's event is set, which stays the caller's."""

    def __init__(self, event: Optional[threading.Event]) -> None:
        self.own = threading.Event()
        self._event = event

    def is_set(self) -> bool:
        return self.own.is_set() or (self._event is not None and self._event.is_set())


class _Running:
    """What a stream and its thread share. The thread does not hold the stream, which can so be dropped."""

    def __init__(self, cancel: _Cancel, on_token: Optional[Callable[[Token], Any]]) -> None:
        self.queue: "queue.SimpleQueue[Optional[Token]]" = queue.SimpleQueue()
        self.cancel = cancel
        self.on_token = on_token
        self.output: Optional[GenerateOutput] = None
        self.error: Optional[BaseException] = None

    def run(self, generate: Callable[..., Any]) -> None:
        try:
            self.output = generate(on_token=self.put, cancel=self.cancel)
        except BaseException as error:
            if not self.cancel.own.is_set():
                self.error = error
        finally:
            self.queue.put(None)

    def put(self, token: Token) -> Any:
        self.queue.put(token)
        return self.on_token(token) if self.on_token is not None else False


class TokenStream:
    """Iterator of Tokens of a generation that runs in a thread of its own. Made by model.stream().

    The generation stops when the stream is closed, its `with` is left, or nobody holds it any more.
    """

    def __init__(self, generate: Callable[..., Any], options: Dict[str, Any]) -> None:
        cancel = _Cancel(options.pop("cancel", None))
        self._running = _Running(cancel, options.pop("on_token", None))
        self._closed = False
        self._ended = False
        self._thread = threading.Thread(
            target=self._running.run, args=(generate,), name="paligemma-stream", daemon=True
        )
        self._thread.start()
        self._finalizer = weakref.finalize(self, cancel.own.set)

    @property
    def output(self) -> Optional[GenerateOutput]:
        """Everything there is, after the last token; None before, and after an early close."""
        return self._running.output

    def __iter__(self) -> Iterator[Token]:
        return self

    def __next__(self) -> Token:
        token = None if self._ended else self._running.queue.get()
        if token is not None:
            return token
        if not self._ended:
            self._end()
            error, self._running.error = self._running.error, None
            if error is not None:
                try:
                    raise error
                finally:
                    del error
        raise StopIteration

    def texts(self) -> Iterator[str]:
        """The pieces of text alone, empty ones left out; for one answer."""
        return (token.text for token in self if token.text)

    def close(self) -> None:
        """Stops the generation and waits for its end (a layer or a token). A second time does nothing."""
        self._closed = True
        if not self._ended:
            self._running.cancel.own.set()
            self._end()

    def _end(self) -> None:
        self._thread.join()
        self._ended = True
        self._finalizer.detach()

    def __enter__(self) -> TokenStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BaseStreamer:
    """What generate(streamer=…) wants: put(ids [1, n] of the prompt, then [1] for each token), end()."""

    def put(self, value: Any) -> None:
        """Takes ids."""
        raise NotImplementedError

    def end(self) -> None:
        """The generation is over."""
        raise NotImplementedError


class TextStreamer(BaseStreamer):
    """Prints the answer as it comes. `tokenizer` may be a processor's tokenizer or the processor."""

    def __init__(self, tokenizer: Any, skip_prompt: bool = False, **decode_options: Any) -> None:
        self.tokenizer: Tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
        self.skip_prompt = skip_prompt
        self.decode_options = decode_options
        self._ids: List[int] = []
        self._printed = 0
        self._first = True

    def put(self, value: Any) -> None:
        """Takes ids; what is whole text among them goes to on_finalized_text."""
        if self._first and self.skip_prompt:
            self._first = False
            return
        self._first = False
        self._ids.extend(np.asarray(value).reshape(-1).tolist())
        text = str(self.tokenizer.decode(self._ids, **self.decode_options))
        if text.endswith("\ufffd"):  # the beginning of a character
            return
        piece, self._printed = text[self._printed :], len(text)
        self.on_finalized_text(piece)

    def end(self) -> None:
        """Gives out what is left and begins anew."""
        text = str(self.tokenizer.decode(self._ids, **self.decode_options)) if self._ids else ""
        piece = text[self._printed :]
        self._ids, self._printed, self._first = [], 0, True
        self.on_finalized_text(piece, stream_end=True)

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """Prints a piece."""
        print(text, flush=True, end="\n" if stream_end else "")


class TextIteratorStreamer(TextStreamer):
    """Iterator of pieces of text; generate runs in another thread."""

    def __init__(
        self, tokenizer: Any, skip_prompt: bool = False, timeout: Optional[float] = None, **decode_options: Any
    ) -> None:
        super().__init__(tokenizer, skip_prompt, **decode_options)
        self.timeout = timeout
        self.text_queue: "queue.Queue[Optional[str]]" = queue.Queue()

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """Puts a piece into the queue."""
        self.text_queue.put(text, timeout=self.timeout)
        if stream_end:
            self.text_queue.put(None, timeout=self.timeout)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        piece = self.text_queue.get(timeout=self.timeout)
        if piece is None:
            raise StopIteration
        return piece
