# SPDX-License-Identifier: BSD-2-Clause
"""Writes ../data/python/reference_page.json: what Transformers makes of the programs of its page on PaliGemma, on the
demonstration model. The programs are those of examples/python/tests/reference_page.py. Not run with Transformers: the
attention mask visualizer, which downloads a picture, and quantization, which needs torchao (the program runs without)."""

import json
import os
import sys

import torch
import transformers

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "examples", "python", "tests"))
import reference_page  # noqa: E402

torch.set_num_threads(1)
pictures = [os.path.join(ROOT, "examples", "pictures", name) for name in ("shapes.png", "shapes.jpg")]
programs = {name: text for name, text in reference_page.PROGRAMS.items() if name != "visualizer"}
found = reference_page.run(programs, "transformers", os.path.join(ROOT, "examples", "tiny", "model"), pictures)
recorded = {**reference_page.record(found), "visualizer": {}}
target = os.path.join(ROOT, "tests", "data", "python", "reference_page.json")
os.makedirs(os.path.dirname(target), exist_ok=True)
versions = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]}
with open(target, "w", encoding="utf-8") as file:
    json.dump({"versions": versions, "programs": recorded}, file, indent=None, separators=(",", ":"))
    file.write("\n")
