# SPDX-License-Identifier: BSD-2-Clause
"""Reading what is to be done, and leaving out what is done. Without Ray or a model."""

from __future__ import annotations

import os
import tempfile
import unittest

from paligemma_ray import Task, TaskError, read_tasks
from paligemma_ray.records import is_object_prompt
from paligemma_ray.tasks import key_of, plan


class Tasks(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name: str, text: str) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_a_folder_is_searched_to_the_bottom(self) -> None:
        os.makedirs(os.path.join(self.folder, "b", "c"))
        for name in ("z.PNG", "a.jpg", "notes.txt", "b/c/d.jpeg", "b/é.webp"):
            self.write(name, "")
        root, tasks = read_tasks(self.folder, "caption en")
        paths = [task.path for task in tasks]
        self.assertEqual(paths, ["a.jpg", "z.PNG", "b/é.webp", "b/c/d.jpeg"])
        self.assertEqual(root, os.path.abspath(self.folder))
        with self.assertRaisesRegex(TaskError, "prompt"):
            list(read_tasks(self.folder)[1])

    def test_a_name_that_is_no_utf8_is_written_with_escapes(self) -> None:
        with open(os.path.join(os.fsencode(self.folder), b"\xff.png"), "w"):
            pass
        self.assertEqual(list(read_tasks(self.folder, "x")[1]), [Task("\\xff.png", "x")])

    def test_lists_and_json_lines(self) -> None:
        tasks = read_tasks(self.write("list.txt", "a.png\r\n\n b c.png\n"), "hm")[1]
        self.assertEqual(list(tasks), [Task("a.png", "hm"), Task(" b c.png", "hm")])
        name = self.write("l.jsonl", '{"image": "a.png"}\n\n{"path": "b.png", "prompt": "detect ö", "image": null}\n')
        root, rows = read_tasks(name, "caption en", "/data")
        self.assertEqual((root, list(rows)), ("/data", [Task("a.png", "caption en"), Task("b.png", "detect ö")]))

    def test_parquet(self) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet
        except ImportError:
            self.skipTest("no pyarrow")
        name = os.path.join(self.folder, "l.parquet")
        table = pa.table({"id": [1, 2], "path": ["a.png", "b.png"], "prompt": [None, "detect car"]})
        pyarrow.parquet.write_table(table, name)
        self.assertEqual(list(read_tasks(name, "p")[1]), [Task("a.png", "p"), Task("b.png", "detect car")])
        with self.assertRaisesRegex(TaskError, "row 1: no prompt"):
            list(read_tasks(name)[1])
        with self.assertRaisesRegex(TaskError, "cannot read"):
            list(read_tasks(self.write("no.parquet", "no Parquet"), "p")[1])

    def test_what_is_wrong_is_said_with_its_place(self) -> None:
        for text, message in (
            ('{"image": "a.png"}', "line 1: no prompt"),
            ('\n{"prompt": "x"}', "line 2: no path"),
            ("{", "line 1: no JSON"),
            ("[]", "line 1: no JSON object"),
            ('{"image": 3, "prompt": "x"}', "line 1: no path"),
            ('{"image": "a", "prompt": "\\ud800"}', "line 1: .*surrogate"),
        ):
            with self.subTest(text), self.assertRaisesRegex(TaskError, message):
                list(read_tasks(self.write("l.jsonl", text))[1])
        with self.assertRaisesRegex(TaskError, "cannot read"):
            list(read_tasks(os.path.join(self.folder, "none.txt"), "x")[1])

    def test_a_plan_has_each_task_once_and_none_that_is_written(self) -> None:
        tasks = [Task("a", "x"), Task("b", "x"), Task("a", "x"), Task("a", "y"), Task("c", "x")]
        written = {key_of("b", "x")}
        self.assertEqual(plan(tasks, written), ([Task("a", "x"), Task("a", "y"), Task("c", "x")], 1, 1))
        self.assertEqual(plan(tasks, written, limit=1), ([Task("a", "x")], 1, 1))
        self.assertNotEqual(key_of("a", "bc"), key_of("ab", "c"))

    def test_which_prompts_ask_for_objects(self) -> None:
        for prompt in ("detect car", " segment a ; b", "<image>detect car"):
            self.assertTrue(is_object_prompt(prompt, "<image>"), prompt)
        for prompt in ("caption en", "", "detective story", "what to detect?"):
            self.assertFalse(is_object_prompt(prompt, "<image>"), prompt)


if __name__ == "__main__":
    unittest.main()
