# SPDX-License-Identifier: BSD-2-Clause
"""The output folder, killed at every place where it can be. Without Ray or a model."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import unittest
import unittest.mock
from typing import Any, List

from paligemma_ray import Store, StoreError, Task, read_output
from paligemma_ray.records import Record, error_text_record, new_record
from paligemma_ray.tasks import key_of

SETTINGS = {"model": "m"}


def answer(number: int) -> Record:
    task = Task(f"{number}.png", "détect \U0001f697")
    mask = {"size": [4, 5], "counts": "0d0"}
    boxes: Any = {side: [0.1 + number, 1 / 3] for side in ("x_min", "y_min", "x_max", "y_max", "confidences")}
    return new_record(
        task, text="ä\n\0", finish_reason="eos", width=5, height=4, labels=["a", ""], masks=[mask, None], **boxes
    )


def answers(*numbers: int) -> List[Record]:
    return [answer(number) for number in numbers]


class Killed(BaseException):
    pass


class Folder(unittest.TestCase):
    kind = "jsonl"

    def setUp(self) -> None:
        if self.kind == "parquet":
            try:
                import pyarrow.parquet  # noqa: F401
            except ImportError:
                self.skipTest("no pyarrow")
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top)
        self.folder = os.path.join(self.top, "a", "out")

    def store(self, **options: Any) -> Store:
        store = Store(self.folder, self.kind, SETTINGS, **{"part_rows": 3, **options})
        self.addCleanup(store.close)
        return store

    def rows(self) -> List[Record]:
        return sorted(read_output(self.folder), key=lambda row: int(row["path"].split(".")[0]))

    def files(self) -> List[str]:
        return sorted(name for name in os.listdir(self.folder) if name.startswith("part"))

    def test_rows_come_back_as_they_were(self) -> None:
        with self.store() as store:
            self.assertEqual(store.add(answers(0, 1)), answers(0, 1))
            self.assertEqual(self.rows(), answers(0, 1))
            self.assertEqual(store.add(answers(1, 2)), answers(2))
            self.assertEqual(self.files(), [f"part-000000.{self.kind}"])
            store.add(answers(3))
        self.assertEqual(self.rows(), answers(0, 1, 2, 3))
        self.assertEqual(self.files(), [f"part-{number:06d}.{self.kind}" for number in (0, 1)])
        with self.store() as store:
            self.assertEqual(store.written, {key_of(row["path"], row["prompt"]) for row in answers(0, 1, 2, 3)})

    def test_a_killed_run_leaves_its_journal(self) -> None:
        store = self.store()
        store.add(answers(0, 1))
        store.close()
        journal = os.path.join(self.folder, "_journal.jsonl")
        with open(journal, "ab") as file:  # killed in the middle of a line, and of a character
            file.write(json.dumps(answer(2), ensure_ascii=False).encode()[:40])
        self.assertEqual(self.rows(), answers(0, 1))
        with self.store() as store:
            self.assertEqual(len(store.written), 2)
            self.assertEqual(store.add(answers(0, 1, 2)), answers(2))
        self.assertEqual(self.rows(), answers(0, 1, 2))
        self.assertEqual(os.path.getsize(journal), 0)

    def test_killed_before_any_system_call_of_a_part(self) -> None:
        """Every fsync, rename and truncation once raises instead; what was there before must be there after."""
        for place in range(1, 20):
            shutil.rmtree(self.folder, ignore_errors=True)
            store = self.store(part_rows=100)
            store.add(answers(0, 1, 2))
            calls = 0

            def counted(*_: Any, place: int = place) -> None:
                nonlocal calls
                calls += 1
                if calls == place:
                    raise Killed

            patches = [unittest.mock.patch(f"os.{name}", _before(counted, name)) for name in ("fsync", "replace")]
            with patches[0], patches[1]:
                try:
                    store.finish_part()
                except Killed:
                    pass
            finished = calls < place
            store.close()
            with self.subTest(place=place), self.store() as again:
                self.assertEqual(len(again.written), 3)
            self.assertEqual(self.rows(), answers(0, 1, 2))
            self.assertFalse([name for name in os.listdir(self.folder) if name.endswith(".unfinished")])
            if finished:
                self.assertGreater(place, 3)
                return
        self.fail("a part took more than 20 system calls")

    def test_errors_are_tried_again_when_asked(self) -> None:
        bad = error_text_record(Task("7.png", "x"), "no picture")
        with self.store() as store:
            store.add([answer(0), bad, answer(1)])
            store.add([error_text_record(Task("8.png", "x"), "no picture")])
        self.assertEqual(len(self.rows()), 4)
        with self.store() as store:
            self.assertEqual(store.n_errors, 2)
            self.assertEqual(store.drop_errors(), 2)
            self.assertEqual(self.rows(), answers(0, 1))
            self.assertNotIn(key_of("7.png", "x"), store.written)
            store.add([bad])
        self.assertEqual(self.rows(), [*answers(0, 1), bad])

    def test_a_folder_of_something_else_is_refused(self) -> None:
        with self.store() as store:
            store.add(answers(0))
            with self.assertRaisesRegex(StoreError, "another run"):
                Store(self.folder, self.kind, SETTINGS)
        other_kind = "jsonl" if self.kind != "jsonl" else "parquet"
        for kind, settings in ((self.kind, {"model": "other"}), (other_kind, SETTINGS)):
            with self.assertRaisesRegex(StoreError, "begun with"):
                Store(self.folder, kind, settings)
        os.unlink(os.path.join(self.folder, "_run.json"))
        with self.assertRaisesRegex(StoreError, "something else"):
            self.store()
        with self.assertRaises(StoreError):
            Store(self.folder, "csv", SETTINGS)


class ParquetFolder(Folder):
    kind = "parquet"


def _before(counted: Any, name: str) -> Any:
    original = getattr(os, name)

    def call(*arguments: Any) -> Any:
        counted()
        return original(*arguments)

    return call


if __name__ == "__main__":
    unittest.main()
