# SPDX-License-Identifier: BSD-2-Clause
"""What the tests share: where things are, and the command whose answers are right."""

from __future__ import annotations

import json
import os
import subprocess
import unittest
from functools import lru_cache
from typing import Any

import paligemma

ROOT = os.path.abspath(os.environ.get("PALI_SOURCE") or os.path.join(os.path.dirname(__file__), "..", "..", ".."))
TINY = os.path.join(ROOT, "examples", "tiny", "model")
PICTURE = os.path.join(ROOT, "examples", "pictures", "shapes.png")
OTHER = os.path.join(ROOT, "examples", "pictures", "shapes.jpg")
DATA = os.path.join(ROOT, "tests", "data")
SCRATCH = os.environ.get("PALI_TEST_SCRATCH") or os.environ.get("TMPDIR") or "/tmp"
SANITIZED = bool(os.environ.get("PALI_SANITIZE"))


@lru_cache(maxsize=None)
def model(dtype: Any = None) -> paligemma.PaliGemmaForConditionalGeneration:
    return paligemma.PaliGemmaForConditionalGeneration.from_pretrained(TINY, dtype=dtype)


@lru_cache(maxsize=None)
def processor() -> paligemma.PaliGemmaProcessor:
    return paligemma.PaliGemmaProcessor.from_pretrained(TINY)


def command(*arguments: str) -> Any:
    """The JSON that the command prints; the test is skipped where there is no command."""
    program = os.environ.get("PALI_COMMAND")
    if not program:
        raise unittest.SkipTest("PALI_COMMAND does not say where the command is")
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, env=environment, check=True)
    return json.loads(done.stdout)


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
