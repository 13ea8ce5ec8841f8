# SPDX-License-Identifier: BSD-2-Clause
"""What is to be done: a picture and a prompt each, from a folder, a list, JSON lines or Parquet."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, Collection, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

#: What counts as a picture in a folder. (Whatever a list names is tried.)
PICTURE_SUFFIXES = frozenset(".png .jpg .jpeg .pnm .ppm .pgm .webp .bmp .gif .tif .tiff".split())
#: Names of the column with the path, the first that is there; "image" is that of `paligemma batch`.
PATH_COLUMNS = ("image", "path", "file_name")


class TaskError(ValueError):
    """The input cannot be read; the text says where."""


class Task(NamedTuple):
    """One row: the path as the input has it, which is also how the output names it, and the prompt."""

    path: str
    prompt: str


def key_of(path: str, prompt: str) -> bytes:
    """What a row is known by: 16 bytes, because there may be millions."""
    text = path.encode("utf-8", "surrogatepass") + b"\0" + prompt.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).digest()


def read_tasks(source: str, prompt: Optional[str] = None, root: Optional[str] = None) -> Tuple[str, Iterator[Task]]:
    """The folder that paths are relative to, and the tasks, read as they are asked for.

    Args:
        source: a folder (searched to the bottom, in order of names), a .parquet file, JSON lines (.jsonl, .ndjson), or
            a list with a path on each line.
        prompt: of rows that have none of their own.
        root: what paths are relative to; by default the folder itself, or the current one for files.
    """
    if os.path.isdir(source):
        root, tasks = root or source, _of_paths(_walk(source, root or source), source, prompt)
    else:
        kind = os.path.splitext(source)[1].lower()
        root = root or "."
        if kind == ".parquet":
            tasks = _of_rows(_parquet_rows(source), prompt)
        elif kind in (".jsonl", ".ndjson"):
            tasks = _of_rows(_json_rows(source), prompt)
        else:
            tasks = _of_paths(_lines(source), source, prompt)
    return os.path.abspath(root), tasks


def plan(tasks: Iterable[Task], written: Collection[bytes], limit: int = 0) -> Tuple[List[Task], int, int]:
    """The tasks that are not written yet, each once; how many were written; how many were there twice.

    `limit`: at most so many tasks, 0: all.
    """
    wanted: List[Task] = []
    seen = set()
    n_written = n_twice = 0
    for task in tasks:
        key = key_of(*task)
        if key in seen:
            n_twice += 1
            continue
        seen.add(key)
        if key in written:
            n_written += 1
        elif not limit or len(wanted) < limit:
            wanted.append(task)
    return wanted, n_written, n_twice


def _walk(folder: str, root: str) -> Iterator[Tuple[str, str]]:
    for directory, folders, names in os.walk(folder, onerror=_refuse):
        folders.sort()
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES:
                # A name that is no UTF-8 is written with escapes: no such file is found, and the row says so.
                path = os.fsencode(os.path.relpath(os.path.join(directory, name), root))
                yield path.decode("utf-8", "backslashreplace"), directory


def _refuse(error: OSError) -> None:
    raise TaskError(f"cannot read the folder {error.filename}: {error.strerror}")


def _lines(name: str) -> Iterator[Tuple[str, str]]:
    for number, line in _text_lines(name):
        yield line, f"{name}, line {number}"


def _of_paths(paths: Iterable[Tuple[str, str]], source: str, prompt: Optional[str]) -> Iterator[Task]:
    if prompt is None:
        raise TaskError(f"{source} has no prompts: one for all is needed (--prompt)")
    for path, _ in paths:
        yield Task(path, prompt)


def _text_lines(name: str) -> Iterator[Tuple[int, str]]:
    try:
        with open(name, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"cannot read {name}: {error}") from error


def _json_rows(name: str) -> Iterator[Tuple[Dict[str, Any], str]]:
    for number, line in _text_lines(name):
        where = f"{name}, line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise TaskError(f"{where}: no JSON: {error}") from error
        if not isinstance(row, dict):
            raise TaskError(f"{where}: no JSON object")
        yield row, where


def _parquet_rows(name: str) -> Iterator[Tuple[Dict[str, Any], str]]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(name)
        columns = [column for column in (*PATH_COLUMNS, "prompt") if column in file.schema_arrow.names]
        number = 0
        for batch in file.iter_batches(columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield row, f"{name}, row {number}"
    except (OSError, pyarrow.ArrowException) as error:
        raise TaskError(f"cannot read {name}: {error}") from error


def _of_rows(rows: Iterable[Tuple[Dict[str, Any], str]], prompt: Optional[str]) -> Iterator[Task]:
    for row, where in rows:
        path = next((row[column] for column in PATH_COLUMNS if row.get(column) is not None), None)
        own = row.get("prompt")
        text = prompt if own is None else own
        if not isinstance(path, str):
            raise TaskError(f"{where}: no path of a picture in {' or '.join(PATH_COLUMNS)}")
        if not isinstance(text, str):
            raise TaskError(f"{where}: no prompt, and none for all (--prompt)")
        try:
            (path + text).encode("utf-8")
        except UnicodeEncodeError as error:  # half of a surrogate pair in JSON
            raise TaskError(f"{where}: {error}") from error
        yield Task(path, text)
