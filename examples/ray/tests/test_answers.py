# SPDX-License-Identifier: BSD-2-Clause
"""What a worker does with a batch: the demonstration model, no Ray."""

from __future__ import annotations

import os
import shutil
import tempfile
import unittest

import numpy as np

import paligemma
from paligemma_ray import COLUMNS, Task
from paligemma_ray.answers import Answerer, object_columns
from paligemma_ray.settings import Settings
from support import PICTURES, TINY, batch_command, mask_network


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        for name in os.listdir(PICTURES):
            shutil.copy(os.path.join(PICTURES, name), cls.folder)
        with open(os.path.join(PICTURES, "shapes.png"), "rb") as whole:
            with open(os.path.join(cls.folder, "cut.png"), "wb") as cut:
                cut.write(whole.read()[:700])
        cls.answerer = Answerer(Settings(TINY, cls.folder, dtype="float32", threads=1, max_new_tokens=30, retries=0))

    def test_a_batch_of_everything(self) -> None:
        tasks = [
            Task("shapes.png", "caption en"),
            Task("cut.png", "caption en"),
            Task("shapes.jpg", "detect circle ; square"),
            Task("nowhere.png", "caption en"),
            Task("http://localhost/x.png", "caption en"),
            Task("shapes.png", "two <image> places <image>"),
            Task("shapes.png", "<image>detect circle"),
            Task("shapes.png", "nul\0"),
            Task("shapes.jpg", ""),
        ]
        records = self.answerer.answer(tasks)
        self.assertEqual([Task(row["path"], row["prompt"]) for row in records], tasks)
        for record in records:
            self.assertEqual(list(record), list(COLUMNS))
        failed = {index: record["error"] for index, record in enumerate(records) if record["error"] is not None}
        self.assertEqual(sorted(failed), [1, 3, 4, 5, 7])
        self.assertRegex(failed[1], "^FormatError: .*PNG")
        self.assertRegex(failed[3], "^FileNotFoundError: .*nowhere.png")
        self.assertRegex(failed[4], "^FileNotFoundError: ")
        self.assertRegex(failed[5], "<image>|picture")
        good = [task for index, task in enumerate(tasks) if index not in failed]
        expected = batch_command([(os.path.join(self.folder, task.path), task.prompt) for task in good])
        for record, wanted in zip([row for row in records if row["error"] is None], expected):
            self.assertEqual((record["text"], record["finish_reason"]), (wanted["text"], wanted["finish_reason"]))
            self.assertEqual((record["width"], record["height"]), (336, 336))
        self.assertEqual([record["labels"] for record in records if record["labels"] is not None][1], ["circle"])
        self.assertIsNone(records[0]["labels"])

    def test_columns_of_objects(self) -> None:
        (record,) = self.answerer.answer([Task("shapes.png", "detect circle")])
        (found,) = paligemma.Detections.parse(record["text"])
        box = [record[side] for side in ("x_min", "y_min", "x_max", "y_max")]
        self.assertEqual(box, [[value] for value in found.box(336, 336)])
        self.assertTrue(0 < record["confidences"][0] <= 1)
        self.assertEqual(record["masks"], [None])

    def test_masks_are_run_lengths_of_the_whole_picture(self) -> None:
        with paligemma.MaskDecoder.load(mask_network(self.folder)) as decoder:
            seg = tuple(range(0, 128, 8))
            cat = paligemma.Detection(0.25, 0.5, 0.75, 1.0, "cat", seg)
            items = paligemma.Detections.of([cat, paligemma.Detection(0, 0, 0.875, 0.5, "no mask")])
            columns = object_columns(items, 60, 40, decoder)
            mask = items[0].mask(decoder, 60, 40)
        self.assertEqual(columns["labels"], ["cat", "no mask"])
        self.assertEqual((columns["x_min"], columns["y_max"]), ([30, 0], [30, 35]))
        self.assertIsNone(columns["masks"][1])
        self.assertEqual(columns["masks"][0]["size"], [40, 60])
        decoded = paligemma.rle_decode(paligemma.rle_from_text(columns["masks"][0]["counts"]), 60, 40)
        np.testing.assert_array_equal(decoded, mask != 0)
        self.assertTrue(decoded.any())
        self.assertEqual(object_columns(items, 60, 40)["masks"], [None, None])

    def test_memory_is_constant(self) -> None:
        tasks = [Task("shapes.png", "detect circle"), Task("cut.png", "caption en"), Task("shapes.jpg", "caption en")]
        for _ in range(20):
            self.answerer.answer(tasks)
        before = resident()
        for _ in range(100):
            self.answerer.answer(tasks)
        grown = resident() - before
        # The sanitizers keep what was freed for a while.
        self.assertLess(grown, 64e6 if os.environ.get("PALI_SANITIZE") else 4e6)


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    unittest.main()
