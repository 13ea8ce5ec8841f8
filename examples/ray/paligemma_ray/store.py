# SPDX-License-Identifier: BSD-2-Clause
"""The output folder: every row exactly once, whatever kills the run.

    part-000000.parquet, part-000001.parquet, …   finished, never touched again (or .jsonl)
    _journal.jsonl                                the rows since the last finished part, on disk as soon as they come
    _run.json                                     what the answers depend on, so that a second run continues the same
    _lock                                         held by the run that writes

A part is written beside its name, synced and renamed, and then the journal is emptied. Killed between the two, the
journal holds rows that a part has, too: they are dropped when the folder is opened. So is an unfinished last line.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from typing import IO, Any, Dict, Iterable, Iterator, List, Optional, Set

from .records import Record, to_table
from .tasks import key_of

FORMATS = ("parquet", "jsonl")
_JOURNAL, _RUN, _LOCK = "_journal.jsonl", "_run.json", "_lock"
_PART = re.compile(r"part-(\d{6,})\.(parquet|jsonl)")


class StoreError(RuntimeError):
    """The folder cannot be used; the text says why."""


class Store:
    """A folder that rows are added to. `with Store(…) as store:` finishes the last part if nothing was raised.

    Args:
        folder: made if it is not there.
        kind: "parquet" or "jsonl".
        settings: what the answers depend on; a folder with other ones is refused.
        part_rows: rows of a part.
    """

    def __init__(self, folder: str, kind: str, settings: Dict[str, Any], part_rows: int = 10000) -> None:
        if kind not in FORMATS:
            raise StoreError(f"format {kind!r}; {' or '.join(FORMATS)}")
        self.folder, self.kind, self.part_rows = folder, kind, part_rows
        self.written: Set[bytes] = set()
        self.n_errors = 0  #: error rows among them
        self._journal: Optional[IO[bytes]] = None
        os.makedirs(folder, exist_ok=True)
        self._lock = open(os.path.join(folder, _LOCK), "w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._open({"format": kind, **settings})
        except BlockingIOError:
            self._lock.close()
            raise StoreError(f"another run writes to {folder}") from None
        except BaseException:
            self.close()
            raise

    def _open(self, settings: Dict[str, Any]) -> None:
        self._check_settings(settings)
        for name in os.listdir(self.folder):
            if name.endswith(".unfinished"):
                os.unlink(os.path.join(self.folder, name))
        parts = _parts(self.folder)
        self._next = 1 + max((int(_PART.fullmatch(name).group(1)) for name in parts), default=-1)  # type: ignore[union-attr]
        for name in parts:
            for row in _read_part(os.path.join(self.folder, name), ["path", "prompt", "error"]):
                self._note(row)
        self._rows = [row for row in _read_journal(self.folder) if self._note(row)]
        self._write_atomically(_JOURNAL, b"".join(map(_line, self._rows)))
        self._journal = open(os.path.join(self.folder, _JOURNAL), "ab")

    def _check_settings(self, settings: Dict[str, Any]) -> None:
        path = os.path.join(self.folder, _RUN)
        found = None
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
        if next(read_output(self.folder), None) is None:
            if found != settings:
                self._write_atomically(_RUN, json.dumps(settings, indent=1).encode() + b"\n")
            return
        if found is None:
            raise StoreError(f"{self.folder} has answers of something else, without {_RUN}")
        for name in {**found, **settings}:
            if found.get(name) != settings.get(name):
                raise StoreError(
                    f"{self.folder} was begun with {name} {found.get(name)!r}, now it is {settings.get(name)!r}: "
                    "continue with the same, or choose another folder"
                )

    def _note(self, row: Record) -> bool:
        """Whether the row is new."""
        key = key_of(row["path"], row["prompt"])
        if key in self.written:
            return False
        self.written.add(key)
        self.n_errors += row.get("error") is not None
        return True

    def add(self, records: Iterable[Record]) -> List[Record]:
        """Keeps rows: on disk when this returns. Those that are there are passed over; returns the others."""
        assert self._journal is not None
        new = [record for record in records if self._note(record)]
        self._journal.write(b"".join(map(_line, new)))
        _sync(self._journal)
        self._rows.extend(new)
        if len(self._rows) >= self.part_rows:
            self.finish_part()
        return new

    def finish_part(self) -> None:
        """Makes a part of the journal."""
        assert self._journal is not None
        if not self._rows:
            return
        self._write_part(f"part-{self._next:06d}.{self.kind}", self._rows)
        self._next += 1
        self._rows = []
        self._journal.truncate(0)
        _sync(self._journal)

    def drop_errors(self) -> int:
        """Takes error rows out, so that they are tried again; returns how many."""
        assert self._journal is not None
        dropped = self.n_errors
        if not dropped:
            return 0
        self.finish_part()
        for name in _parts(self.folder):
            rows = list(_read_part(os.path.join(self.folder, name)))
            good = [row for row in rows if row["error"] is None]
            if len(good) < len(rows) and good:
                self._write_part(name, good)
            elif not good:
                os.unlink(os.path.join(self.folder, name))
            self.written -= {key_of(row["path"], row["prompt"]) for row in rows if row["error"] is not None}
        self.n_errors = 0
        return dropped

    def _write_part(self, name: str, rows: List[Record]) -> None:
        if self.kind == "jsonl":
            self._write_atomically(name, b"".join(map(_line, rows)))
            return
        import pyarrow as pa
        import pyarrow.parquet

        sink = pa.BufferOutputStream()
        pyarrow.parquet.write_table(to_table(rows), sink)
        self._write_atomically(name, sink.getvalue())

    def _write_atomically(self, name: str, content: Any) -> None:
        path = os.path.join(self.folder, name)
        with open(path + ".unfinished", "wb") as file:
            file.write(content)
            _sync(file)
        os.replace(path + ".unfinished", path)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Gives the folder back; what is in the journal stays there for the next run."""
        if self._journal is not None:
            self._journal.close()
        self._lock.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        try:
            if kind is None:
                self.finish_part()
        finally:
            self.close()


def read_output(folder: str) -> Iterator[Record]:
    """All rows of a folder, also of a run that is not finished, each once."""
    seen = set()
    for name in _parts(folder):
        for row in _read_part(os.path.join(folder, name)):
            seen.add(key_of(row["path"], row["prompt"]))
            yield row
    for row in _read_journal(folder):
        if key_of(row["path"], row["prompt"]) not in seen:
            yield row


def _parts(folder: str) -> List[str]:
    return sorted((name for name in os.listdir(folder) if _PART.fullmatch(name)), key=lambda name: (len(name), name))


def _read_part(path: str, columns: Optional[List[str]] = None) -> Iterator[Record]:
    if path.endswith(".parquet"):
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=columns):
                yield from batch.to_pylist()
    else:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def _read_journal(folder: str) -> Iterator[Record]:
    """Whole lines only: a run may have been killed in the middle of the last."""
    try:
        with open(os.path.join(folder, _JOURNAL), "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line)
    except FileNotFoundError:
        return


def _line(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
