# SPDX-License-Identifier: BSD-2-Clause
"""Whole runs of the command on a Ray of its own: answers, bad pictures, death and resumption."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from typing import Any, List, Tuple

from paligemma_ray import read_output
from support import PICTURES, TINY, batch_command, clean_environment

PROMPTS = ("caption en", "detect circle", "answer en how many shapes are there?")
OPTIONS = ["--model", TINY, "--dtype", "float32", "--max-new-tokens", "30", "--workers", "2", "--retries", "0"]
# Ray starts a dozen processes: it has this long on a busy machine.
LIMIT = 500


class Runs(unittest.TestCase):
    def setUp(self) -> None:
        # Ray's sockets lie below, and their paths have 107 bytes at most.
        self.ray = tempfile.mkdtemp(prefix="r", dir="/tmp")
        self.folder = tempfile.mkdtemp(dir=os.environ.get("PALI_TEST_SCRATCH"))
        self.output = os.path.join(self.folder, "out")
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(shutil.rmtree, self.ray, ignore_errors=True)
        self.addCleanup(self.check_no_process_is_left)

    def command(self, *arguments: str) -> List[str]:
        command = [sys.executable, "-m", "paligemma_ray", *OPTIONS, "--ray-temp-dir", self.ray, "-o", self.output]
        for assignment in self.worker_environment():
            command += ["--worker-env", assignment]
        return [*command, *arguments]

    @staticmethod
    def worker_environment() -> List[str]:
        """The sanitizers' runtime: the workers load the library; Ray's own programs need none."""
        names = ("LD_PRELOAD", "ASAN_OPTIONS", "UBSAN_OPTIONS") if os.environ.get("LD_PRELOAD") else ()
        return [f"{name}={os.environ[name]}" for name in names if os.environ.get(name)]

    def environment(self) -> Any:
        # Ray keeps a token in the home folder.
        return {**clean_environment(), "HOME": self.folder, "RAY_USAGE_STATS_ENABLED": "0"}

    def run_command(self, *arguments: str, status: int = 0) -> Tuple[str, str]:
        done = subprocess.run(
            self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment(),
            timeout=LIMIT, universal_newlines=True,
        )  # fmt: skip
        self.assertEqual(done.returncode, status, done.stderr[-4000:])
        return done.stdout, done.stderr

    def check_no_process_is_left(self) -> None:
        end = time.monotonic() + 30
        while processes_with(self.ray):
            self.assertLess(time.monotonic(), end, f"Ray's processes are left: {processes_with(self.ray)}")
            time.sleep(0.2)

    def pictures(self, copies: int) -> str:
        folder = os.path.join(self.folder, "pictures")
        for number in range(copies):
            os.makedirs(os.path.join(folder, str(number)))
            for name in os.listdir(PICTURES):
                shutil.copy(os.path.join(PICTURES, name), os.path.join(folder, str(number), name))
        return folder

    def test_a_folder_to_json_lines(self) -> None:
        folder = self.pictures(3)
        with open(os.path.join(folder, "bad.jpg"), "wb") as file:
            file.write(b"\xff\xd8\xff\xe0 no picture")
        arguments = [folder, "--prompt", "detect circle", "--format", "jsonl", "--batch-size", "3", "--workers", "1"]
        said, progress = self.run_command(*arguments)
        self.assertRegex(said, "^paligemma-ray: 6 answered, 1 error, 0 already written; .* pictures/s\n$")
        self.assertIn("7 of 7, 1 error", progress)

        rows = {row["path"]: row for row in read_output(self.output)}
        self.assertEqual([name for name in os.listdir(self.output) if name[0] != "_"], ["part-000000.jsonl"])
        bad = rows.pop("bad.jpg")
        self.assertRegex(bad["error"], "^(Format|Unsupported)Error: ")
        self.assertIsNone(bad["text"])
        paths = sorted(rows)
        expected = batch_command([(os.path.join(folder, path), "detect circle") for path in paths])
        self.assertEqual([rows[path]["text"] for path in paths], [row["text"] for row in expected])
        for row in rows.values():
            self.assertEqual((row["labels"], row["width"], row["error"]), (["circle"], 336, None))
            self.assertTrue(0 <= row["x_min"][0] < row["x_max"][0] <= 336)

        # All is there, but for the error, which is mended: Ray starts only for that.
        self.assertIn("0 answered, 0 errors, 7 already written", self.run_command(*arguments)[0])
        shutil.copy(os.path.join(PICTURES, "shapes.jpg"), os.path.join(folder, "bad.jpg"))
        with open(os.path.join(self.output, "part-000000.jsonl"), "rb") as file:
            self.assertEqual(len(file.readlines()), 7)

    def test_killed_and_resumed_in_parquet(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet

        folder = self.pictures(20)
        tasks = [
            (os.path.join(str(number), name), PROMPTS[number % 3])
            for number in range(20)
            for name in sorted(os.listdir(PICTURES))
        ]
        source = os.path.join(self.folder, "tasks.parquet")
        table = pa.table({"image": [path for path, _ in tasks], "prompt": [prompt for _, prompt in tasks]})
        pyarrow.parquet.write_table(table, source)
        arguments = [source, "--root", folder, "--batch-size", "2", "--part-rows", "15", "--quiet"]

        with open(os.path.join(self.folder, "log"), "w+") as log:
            run = subprocess.Popen(self.command(*arguments), stdout=log, stderr=log, env=self.environment())
            end = time.monotonic() + LIMIT
            while count_rows(self.output) < 5 and run.poll() is None and time.monotonic() < end:
                time.sleep(0.01)
            run.kill()
            status = run.wait()
            log.seek(0)
            self.assertEqual(status, -signal.SIGKILL, log.read()[-4000:])
        before = list(read_output(self.output))
        self.assertTrue(5 <= len(before) < len(tasks), len(before))
        self.check_no_process_is_left()  # they go with the run

        said, _ = self.run_command(*arguments)
        self.assertIn(f"{len(tasks) - len(before)} answered, 0 errors, {len(before)} already written", said)
        parts = sorted(name for name in os.listdir(self.output) if name[0] != "_")
        tables = [pyarrow.parquet.read_table(os.path.join(self.output, name)) for name in parts]
        rows = [row for table in tables for row in table.to_pylist()]
        self.assertEqual(sorted((row["path"], row["prompt"]) for row in rows), sorted(tasks))
        self.assertGreater(len(parts), 1)
        self.assertEqual([row for row in rows if row in before], before)
        texts = {(row["path"], row["prompt"]): row["text"] for row in rows}
        expected = batch_command([(os.path.join(folder, path), prompt) for path, prompt in tasks])
        self.assertEqual([texts[task] for task in tasks], [row["text"] for row in expected])

    def test_a_worker_that_dies_and_one_that_cannot_begin(self) -> None:
        broken = os.path.join(self.folder, "broken")
        os.makedirs(broken)
        shutil.copy(os.path.join(TINY, "config.json"), broken)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dying_worker.py")
        done = subprocess.run(
            [sys.executable, script, self.ray, broken, *self.worker_environment()],
            stdout=subprocess.PIPE, env=self.environment(), timeout=LIMIT, check=True,
        )  # fmt: skip
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
        self.assertRegex(rows.pop()["failed"], "FileError: .*/broken'.* model.safetensors")
        self.assertEqual(sorted(row["path"] for row in rows), sorted([*map(str, [*range(5), *range(6, 12)]), "poison"]))
        self.assertEqual([row["path"] for row in rows if row["error"] is not None], ["poison"])
        self.assertIn("WorkerDied", rows[-1]["error"])

    def test_what_is_wrong_is_said(self) -> None:
        for arguments, message in (
            ([self.folder], "no prompts"),
            ([os.path.join(self.folder, "none.jsonl"), "-p", "x"], "cannot read"),
            ([self.folder, "-p", "x", "--model", "/nowhere/at/all"], "no checkpoint directory /nowhere/at/all"),
        ):
            self.assertIn(message, self.run_command(*arguments, status=1)[1])
        self.assertIn("is less than 1", self.run_command(self.folder, "--batch-size", "0", status=2)[1])


def count_rows(output: str) -> int:
    """Of a run that is going on: parts may come and the journal go between two looks."""
    try:
        return sum(1 for _ in read_output(output))
    except (OSError, ValueError):
        return 0


def processes_with(text: str) -> List[str]:
    """Command lines of the processes that name `text`."""
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if text in line and int(number) != os.getpid():
            found.append(line[:200])
    return found


if __name__ == "__main__":
    unittest.main()
