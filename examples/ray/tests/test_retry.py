# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of a batch when something fails, and what the progress says. Without Ray or a model."""

from __future__ import annotations

import errno
import io
import unittest
from typing import Any, List, Sequence

from paligemma_ray import Task
from paligemma_ray.progress import Progress
from paligemma_ray.records import Record, error_text_record, new_record
from paligemma_ray.retry import answer_tasks

TASKS = [Task(f"{number}.png", "x") for number in range(4)]


class Retry(unittest.TestCase):
    def setUp(self) -> None:
        self.batches: List[List[str]] = []
        self.failures = 0  # of the next batches
        self.poison = "none"

    def answer(self, tasks: Sequence[Task], pictures: Sequence[Any]) -> List[Record]:
        self.assertEqual([task.path for task in tasks], list(pictures))
        self.batches.append(list(pictures))
        if self.failures or self.poison in pictures:
            self.failures = max(self.failures - 1, 0)
            raise ValueError("bad batch")
        return [new_record(task, text=task.path) for task in tasks]

    def run_all(self, open_picture: Any = lambda task: task.path, retries: int = 1) -> List[Any]:
        records = answer_tasks(TASKS, open_picture, self.answer, retries, pause=0)
        self.assertEqual([record["path"] for record in records], [task.path for task in TASKS])
        return [record["error"] or record["text"] for record in records]

    def test_all_is_well(self) -> None:
        self.assertEqual(self.run_all(), ["0.png", "1.png", "2.png", "3.png"])
        self.assertEqual(len(self.batches), 1)

    def test_a_bad_picture_does_not_touch_the_others(self) -> None:
        def open_picture(task: Task) -> str:
            if task.path == "1.png":
                raise OSError("no picture")
            return task.path

        self.assertEqual(self.run_all(open_picture), ["0.png", "OSError: no picture", "2.png", "3.png"])
        self.assertEqual(self.batches, [["0.png", "2.png", "3.png"]])

    def test_a_failed_batch_is_tried_again(self) -> None:
        self.failures = 1
        self.assertEqual(self.run_all(), ["0.png", "1.png", "2.png", "3.png"])
        self.assertEqual(len(self.batches), 2)

    def test_then_its_rows_alone(self) -> None:
        self.poison = "2.png"
        self.assertEqual(self.run_all(), ["0.png", "1.png", "ValueError: bad batch", "3.png"])
        self.assertEqual([len(batch) for batch in self.batches], [4, 4, 1, 1, 1, 1])

    def test_only_what_may_pass_is_read_again(self) -> None:
        for error, times in ((OSError(errno.EIO, "stumbled"), 3), (FileNotFoundError(errno.ENOENT, "gone"), 1)):
            tried: List[str] = []

            def open_picture(task: Task, error: OSError = error, tried: List[str] = tried) -> str:
                tried.append(task.path)
                raise error

            self.assertIn(error.strerror, self.run_all(open_picture, retries=2)[0])
            self.assertEqual(len(tried), times * len(TASKS))
        self.assertEqual(self.batches, [])


class Lines(unittest.TestCase):
    def test_progress_and_summary(self) -> None:
        now = [100.0]
        out = io.StringIO()
        progress = Progress(4, 3, 1, out, lambda: now[0])
        now[0] = 110
        progress.add([new_record(TASKS[0], text="")])
        now[0] = 112
        progress.add([new_record(TASKS[1], text=""), error_text_record(TASKS[2], "bad")])
        now[0] = 114
        progress.add([new_record(TASKS[3], text="")])
        lines = ["1 of 4, 0 errors", "4 of 4, 1 error, 0.75 pictures/s, 0.0 s left"]
        self.assertEqual(out.getvalue().splitlines(), lines)
        now[0] = 120
        self.assertEqual(
            progress.summary(),
            "3 answered, 1 error, 3 already written, 1 twice in the input; 20.0 s, 0.20 pictures/s",
        )
        self.assertIn("0 answered, 0 errors, 5 not done", Progress(5, out=None, clock=lambda: 1).summary())


if __name__ == "__main__":
    unittest.main()
