# SPDX-License-Identifier: BSD-2-Clause
"""What goes on in Python while the library works: progress, cancelling, Ctrl-C, and exceptions of callbacks."""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from typing import Any, Callable, Optional, Union

from ._library import Address, take_error
from ._structs import ProgressFn
from .errors import CancelledError, error_of_status

#: progress(stage, fraction): stage is "load", "image", "prefill", …; fraction runs 0…1 within it.
Progress = Callable[[str, float], Any]


class LongCall:
    """One call that takes long: `with LongCall(progress, cancel) as running: running.call(function, …)`.

    Python runs signal handlers only between byte codes, that is, inside of our callbacks, where an exception would be
    lost in C. So SIGINT is noted while the block lasts, the callbacks stop the library, and the handler that was there
    is called afterwards: KeyboardInterrupt comes out of `call`, with everything in order.
    """

    def __init__(
        self,
        progress: Union[None, bool, Progress] = None,
        cancel: Optional[threading.Event] = None,
        max_time: Optional[float] = None,
    ) -> None:
        self._cancel = cancel
        self._deadline = None if max_time is None else time.monotonic() + max_time
        self._exception: Optional[BaseException] = None
        self._interrupt: Any = None
        self._previous: Any = None
        self._bar = _Bar() if progress is True else None
        self._progress: Optional[Progress] = self._bar if self._bar is not None else (progress or None)  # type: ignore[assignment]
        self.progress_fn = ProgressFn(self._on_progress)

    # ---- SIGINT ----

    def __enter__(self) -> LongCall:
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            if callable(handler):
                self._previous = handler
                signal.signal(signal.SIGINT, self._on_sigint)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        if self._bar is not None:
            self._bar.close()

    def _on_sigint(self, number: int, frame: Any) -> None:
        self._interrupt = (number, frame)

    def _restore(self) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    # ---- inside of callbacks ----

    def stopped(self) -> bool:
        """Whether the library is to stop, for a reason that `call` raises."""
        if self._exception is not None or self._interrupt is not None:
            return True
        return self._cancel is not None and self._cancel.is_set()

    def overdue(self) -> bool:
        """Whether max_time is over: not an error, what there is is kept."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def guarded(self, function: Callable[..., int]) -> Callable[..., int]:
        """`function` as a callback: what it raises is kept for `call`, and stops the library."""

        def callback(*arguments: Any) -> int:
            try:
                if self.stopped():
                    return 1
                return function(*arguments) or int(self.stopped())
            except BaseException as exception:
                self._exception = exception
                return 1

        return callback

    def _on_progress(self, _user: Any, stage: bytes, fraction: float) -> int:
        try:
            if not self.stopped() and self._progress is not None:
                self._progress(stage.decode(), fraction)
        except BaseException as exception:
            self._exception = exception
        return int(self.stopped())

    # ---- the call ----

    def new(self, function: Any, free: Any, *arguments: Any) -> Address:
        """Calls what returns an object through its first parameter; the address of the object."""
        out = ctypes.c_void_p()
        try:
            self.call(function, ctypes.byref(out), *arguments)
        except BaseException:
            free(out)
            raise
        assert out.value is not None
        return Address(out.value)

    def call(self, function: Any, *arguments: Any) -> None:
        """Calls the library, with the GIL released; raises what a callback raised, KeyboardInterrupt, or the error."""
        error = ctypes.c_void_p()
        status = function(*arguments, ctypes.byref(error))
        failure = take_error(status, error) if status else None
        exception, self._exception = self._exception, None
        if exception is not None:
            try:
                raise exception
            finally:
                del exception  # its traceback holds this frame, and the two would keep each other
        if self._interrupt is not None:
            number, frame = self._interrupt
            self._interrupt = None
            self._restore()
            self._previous(number, frame)
        if (
            self._cancel is not None
            and self._cancel.is_set()
            and (failure is None or isinstance(failure, CancelledError))
        ):
            raise error_of_status(CancelledError.status, "cancelled")
        if failure is not None:
            raise failure


class _Bar:
    """Progress through tqdm: one bar for each stage."""

    def __init__(self) -> None:
        from tqdm.auto import tqdm

        self._make = tqdm
        self._bar: Any = None
        self._stage = ""

    def __call__(self, stage: str, fraction: float) -> None:
        if self._bar is None or stage != self._stage:
            self.close()
            self._stage = stage
            self._bar = self._make(
                total=100, desc=stage, unit="%", bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}"
            )
        self._bar.n = round(100 * fraction)
        self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
