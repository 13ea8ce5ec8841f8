# SPDX-License-Identifier: BSD-2-Clause
"""Where a checkpoint is: a directory, or a hub name looked up in the Hugging Face cache. Nothing is downloaded."""

from __future__ import annotations

import ctypes
import os
from typing import Optional, Union

from ._library import call, lib, take_text, utf8

Path = Union[str, "os.PathLike[str]"]


def hub_path(name: str, revision: Optional[str] = None) -> str:
    """Directory of the snapshot of `name` ("google/paligemma2-3b-mix-224") in the Hugging Face cache."""
    path = ctypes.c_char_p()
    call(lib.pali_hub_path, ctypes.byref(path), utf8(name), utf8(revision) if revision else None)
    return take_text(path)


def checkpoint_directory(path: Path, revision: Optional[str] = None) -> str:
    """`path` if it is a directory, or cannot be a hub name; else the snapshot of that name."""
    name = os.fspath(path)
    if os.path.isdir(name) or not isinstance(path, str) or name.count("/") != 1 or name.startswith((".", "/", "~")):
        return name
    repository, at, tag = name.partition("@")
    return hub_path(repository, tag if at else revision)
