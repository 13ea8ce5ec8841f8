# SPDX-License-Identifier: BSD-2-Clause
"""The shared object: where it is, and how it is called."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import subprocess
from typing import Any, List, Tuple

from ._functions import FUNCTIONS
from .errors import error_of_status

#: The interface this package was written for: pali_version() must begin so.
INTERFACE = (0, 1)
SONAME = "libpaligemma.so.0"


def _candidates() -> List[Tuple[str, str]]:
    """Paths (or a bare name for the loader) in the order they are tried, each with where it came from."""
    chosen = os.environ.get("PALIGEMMA_LIBRARY")
    if chosen:
        return [(os.path.join(chosen, SONAME) if os.path.isdir(chosen) else chosen, "PALIGEMMA_LIBRARY")]
    found = []
    if shutil.which("pkg-config"):
        answer = subprocess.run(
            ["pkg-config", "--variable=libdir", "paligemma"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        folder = answer.stdout.decode().strip()
        if answer.returncode == 0 and folder:
            found.append((os.path.join(folder, SONAME), "pkg-config"))
    found.append((SONAME, "the loader's path"))
    return found


def _open() -> Tuple[ctypes.CDLL, str]:
    reasons = []
    for path, source in _candidates():
        try:
            return ctypes.CDLL(path), path
        except OSError as error:
            reasons.append(f"  {source}: {error}")
    raise ImportError(
        f"{SONAME} was not found. Install libpaligemma, or tell where it is: PALIGEMMA_LIBRARY=/path/{SONAME}, "
        "PKG_CONFIG_PATH (the folder of paligemma.pc), or LD_LIBRARY_PATH. Tried:\n" + "\n".join(reasons)
    )


def _bind(dll: ctypes.CDLL, path: str) -> None:
    """Gives each function its types. A function the library lacks is one of a newer interface than it has."""
    dll.pali_version.restype = ctypes.c_char_p
    version = dll.pali_version().decode()
    numbers = tuple(int(part) for part in version.split(".")[:2])
    # While the product is 0.x every minor number may be another interface; afterwards a larger one only adds.
    if numbers != INTERFACE:
        raise ImportError(f"{path} is version {version}; this package needs {'.'.join(map(str, INTERFACE))}")
    for name, (result, parameters) in FUNCTIONS.items():
        try:
            function = getattr(dll, name)
        except AttributeError:
            raise ImportError(f"{path} (version {version}) has no {name}: it is older than this package") from None
        function.restype = result
        function.argtypes = parameters


lib, library_path = _open()
_bind(lib, library_path)


def library_version() -> str:
    """Version of the shared object, "major.minor.patch"."""
    return str(lib.pali_version().decode())


def call(function: Any, *arguments: Any) -> None:
    """Calls what returns a status and ends in `pali_error **`; raises what went wrong. The GIL is released."""
    error = ctypes.c_void_p()
    status = function(*arguments, ctypes.byref(error))
    if status != 0:
        raise take_error(status, error)


def take_error(status: int, error: ctypes.c_void_p) -> Exception:
    """The exception for a status and the pali_error it came with, which is freed."""
    message = lib.pali_error_message(error) if error else lib.pali_status_name(status)
    lib.pali_error_free(error)
    return error_of_status(status, message.decode("utf-8", "replace"))


class Address(int):
    """Of an object that the library made: no other number becomes a handle."""


def new(function: Any, *arguments: Any) -> Address:
    """Calls what returns a new object through its first parameter; the address of the object."""
    out = ctypes.c_void_p()
    call(function, ctypes.byref(out), *arguments)
    assert out.value is not None
    return Address(out.value)


def take_text(text: ctypes.c_char_p) -> str:
    """A text the library handed over, which is freed."""
    value = text.value or b""
    lib.pali_free(ctypes.cast(text, ctypes.c_void_p))
    return value.decode("utf-8", "replace")


def utf8(text: str) -> bytes:
    """Text for C. A NUL inside would end it early, so it is refused."""
    if not isinstance(text, str):
        raise TypeError(f"expected a text (str), found {type(text).__name__}")
    encoded = text.encode("utf-8")
    if b"\0" in encoded:
        raise ValueError("a text with a NUL character")
    return encoded


def texts(values: Any) -> Any:
    """An array of C strings."""
    if isinstance(values, (str, bytes)) or not isinstance(values, (list, tuple)):
        raise TypeError(f"expected a list of texts, found {type(values).__name__}")
    encoded = [utf8(value) for value in values]
    return (ctypes.c_char_p * max(len(encoded), 1))(*encoded)
