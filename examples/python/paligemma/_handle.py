# SPDX-License-Identifier: BSD-2-Clause
"""Objects of the library: owned, closed by `with`, close() or the garbage collector, never while in use."""

from __future__ import annotations

import threading
import weakref
from typing import Any, ClassVar, Optional, TypeVar

from ._library import Address, lib
from .errors import BusyError, ClosedError

_Self = TypeVar("_Self", bound="Handle")  # typing.Self needs Python 3.11


class _Owned:
    """An address and how many calls are using it. Freed when it is closed and nobody uses it any more."""

    __slots__ = ("_lock", "address", "closed", "free", "name", "users")

    def __init__(self, address: int, free: Any, name: str) -> None:
        self.address = address
        self.free = free
        self.name = name
        self.users = 0
        self.closed = False
        # Re-entrant: the garbage collector may run close() of another object's finalizer inside of it.
        self._lock = threading.RLock()

    def acquire(self, alone: bool) -> int:
        with self._lock:
            if self.closed:
                raise ClosedError(f"this {self.name} is closed")
            if alone and self.users:
                raise BusyError(f"this {self.name} is in use by another thread or call")
            self.users += 1
            return self.address

    def release(self) -> None:
        with self._lock:
            self.users -= 1
            free_now = self.closed and self.users == 0
        if free_now:
            self.free(self.address)

    def close(self) -> None:
        with self._lock:
            free_now = not self.closed and self.users == 0
            self.closed = True
        if free_now:
            self.free(self.address)


class Borrowed:
    """`with handle.borrow() as address:` keeps the object from being freed until the end of the block."""

    __slots__ = ("_alone", "_owned")

    def __init__(self, owned: _Owned, alone: bool) -> None:
        self._owned = owned
        self._alone = alone

    def __enter__(self) -> int:
        return self._owned.acquire(self._alone)

    def __exit__(self, *_: object) -> None:
        self._owned.release()


def _makers(kind: type) -> str:
    """The methods that make such objects, for a message."""
    names = [name for name, value in vars(kind).items() if isinstance(value, classmethod) and name[0] != "_"]
    return ", ".join(f"{kind.__name__}.{name}" for name in names) or "other objects' methods"


class Handle:
    """Base of all objects of the library.

    close() ends the object (at the end of the call that is using it, if another thread is); afterwards its methods
    raise ClosedError. Without it the garbage collector does the same. `with` closes at the end of the block.
    """

    _free: ClassVar[str]
    _alone: ClassVar[bool] = False  #: belongs to one thread at a time

    def __init__(self, address: Address) -> None:
        if not isinstance(address, Address):
            raise TypeError(f"{type(self).__name__}() takes what the library made; objects come from {_makers(type(self))}")
        self._owned = _Owned(address, getattr(lib, self._free), type(self).__name__)
        self._finalizer = weakref.finalize(self, self._owned.close)
        # At exit the operating system takes everything at once; a thread that still runs must not lose its model.
        self._finalizer.atexit = False

    def borrow(self) -> Borrowed:
        """The address for the time of a block. Of use to this package's own modules."""
        return Borrowed(self._owned, self._alone)

    def close(self) -> None:
        """Ends the object. A second time does nothing."""
        self._finalizer()

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._owned.closed

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError(f"{type(self).__name__} objects belong to one process and cannot be pickled")


#: Fields of options structs whose names are not those of their types.
KINDS = {"features": "image_features"}


def lend(handle: Any, kind: str) -> Borrowed:
    """handle.borrow() of an object of one kind, pali_KIND in C; anything else is a TypeError."""
    if not isinstance(handle, Handle) or handle._free != f"pali_{kind}_free":
        raise TypeError(f"expected a {kind.replace('_', ' ')}, found {type(handle).__name__}")
    return handle.borrow()


class optional:
    """`with optional(handle, kind) as address:` is lend(handle, kind), or None where there is none."""

    __slots__ = ("_borrowed",)

    def __init__(self, handle: Any, kind: str) -> None:
        self._borrowed = lend(handle, kind) if handle is not None else None

    def __enter__(self) -> Optional[int]:
        return self._borrowed.__enter__() if self._borrowed is not None else None

    def __exit__(self, *_: object) -> None:
        if self._borrowed is not None:
            self._borrowed.__exit__()


class Keep:
    """Keeps a handle in use while an array looks into it: close() then waits for the array."""

    __slots__ = ("_borrowed", "_handle")

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._borrowed: Optional[Borrowed] = None
        borrowed = handle.borrow()
        borrowed.__enter__()
        self._borrowed = borrowed

    def __del__(self) -> None:
        if self._borrowed is not None:
            self._borrowed.__exit__()
