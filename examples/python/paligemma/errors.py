# SPDX-License-Identifier: BSD-2-Clause
"""What can go wrong: one exception for each status of the library, also of the built-in kind it resembles."""

from __future__ import annotations


class PaliGemmaError(Exception):
    """Base of all. `status` is the library's number (pali_status), the text is its message."""

    status = 0


class ArgumentError(PaliGemmaError, ValueError):
    """The call makes no sense: an option out of range, an id outside the vocabulary."""

    status = -1


class OutOfMemoryError(PaliGemmaError, MemoryError):
    """An allocation failed."""

    status = -2


class FileError(PaliGemmaError, OSError):
    """A file cannot be opened, read or written."""

    status = -3


class FormatError(PaliGemmaError, ValueError):
    """A file is not what it should be."""

    status = -4


class UnsupportedError(PaliGemmaError, NotImplementedError):
    """Well-formed, but not handled."""

    status = -5


class ShapeError(PaliGemmaError, ValueError):
    """Tensors that do not fit together."""

    status = -6


class LimitError(PaliGemmaError):
    """A limit was reached: pixels, the capacity of a fixed cache."""

    status = -7


class CancelledError(PaliGemmaError):
    """The caller's `cancel` was set."""

    status = -8


class InternalError(PaliGemmaError):
    """A dependency failed unexpectedly."""

    status = -9


class ClosedError(PaliGemmaError, ValueError):
    """The object was closed."""


class BusyError(PaliGemmaError, RuntimeError):
    """The object belongs to one thread at a time, and another one is using it."""


_BY_STATUS = {
    kind.status: kind
    for kind in (
        ArgumentError,
        OutOfMemoryError,
        FileError,
        FormatError,
        UnsupportedError,
        ShapeError,
        LimitError,
        CancelledError,
        InternalError,
    )
}


def error_of_status(status: int, message: str) -> PaliGemmaError:
    """The exception for a status of the library."""
    return _BY_STATUS.get(status, InternalError)(message)
