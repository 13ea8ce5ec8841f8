# SPDX-License-Identifier: BSD-2-Clause
"""The reference page's programs with only the import changed, against Transformers.

Where Transformers is installed it runs the same programs here; its answers of another day, which
tests/oracle/make_python_fixtures.py recorded, are compared in any case.
"""

from __future__ import annotations

import importlib.util
import json
import os
import unittest
import warnings
from typing import Any, Dict

import numpy as np

from paligemma import PaliGemmaProcessor
from reference_page import PROGRAMS, programs_of, record, run
from support import DATA, OTHER, PICTURE, TINY, model

FIXTURE = os.path.join(DATA, "python", "reference_page.json")

# The programs run in bfloat16, as the checkpoint says: there two implementations differ by a few steps of 2^-8.
# Pixels: Transformers resizes with torchvision or, without it, Pillow; ours are Pillow's; both are bicubic, and differ
# by one level in 255 (2/255 after normalization) here and there.
TOLERANCES = {"pixel_values": 2.5 / 127.5, "logits": 0.25, "loss": 0.15}


def ours(programs: Dict[str, str]) -> Dict[str, Dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run(programs, "paligemma", TINY, [PICTURE, OTHER])


class ReferencePage(unittest.TestCase):
    def compare(self, got: Dict[str, Dict[str, Any]], want: Dict[str, Dict[str, Any]]) -> None:
        for name, entry in got.items():
            for key, value in entry.items():
                if key not in want[name]:
                    continue
                with self.subTest(f"{name}: {key}"):
                    expected = want[name][key]
                    if key in TOLERANCES and expected is not None:
                        np.testing.assert_allclose(value, expected, atol=TOLERANCES[key])
                    elif key == "result":
                        self.assertEqual(
                            [item["generated_text"] for item in value], [i["generated_text"] for i in expected]
                        )
                    else:
                        self.assertEqual(value, expected)

    def test_against_the_record(self) -> None:
        with open(FIXTURE, encoding="utf-8") as file:
            want = json.load(file)["programs"]
        self.assertEqual(set(want), set(PROGRAMS))
        found = ours(PROGRAMS)
        self.compare(record(found), want)
        self.assertIn("■", found["visualizer"]["printed"])
        self.assertIn("'<bos>'", found["visualizer"]["printed"])

    def test_numbers_in_float32(self) -> None:
        """With torchvision's way of resizing, and in float32, arrays are those of Transformers."""
        with open(FIXTURE, encoding="utf-8") as file:
            want = json.load(file)["programs"]["known prompts"]
        inputs = PaliGemmaProcessor.from_pretrained(TINY, resample="torchvision")(
            images=[PICTURE, OTHER], text=["caption en", "detect circle"]
        )
        np.testing.assert_allclose(inputs.pixel_values.reshape(-1)[::997], want["pixel_values"], atol=1e-6)
        np.testing.assert_array_equal(inputs.input_ids, want["input_ids"])
        output = model("float32")(**inputs)
        np.testing.assert_allclose(output.logits[:, -1, ::101], want["logits"], atol=1e-3)

    @unittest.skipIf(importlib.util.find_spec("transformers") is None, "Transformers is not installed")
    def test_beside_transformers(self) -> None:
        programs = {name: source for name, source in PROGRAMS.items() if name != "visualizer"}  # which downloads
        theirs = run(programs, "transformers", TINY, [PICTURE, OTHER])
        self.compare(record(ours(programs)), record(theirs))

    @unittest.skipIf(not os.environ.get("PALIGEMMA_REFERENCE_PAGE"), "PALIGEMMA_REFERENCE_PAGE names no page")
    def test_the_page_itself(self) -> None:
        with open(os.environ["PALIGEMMA_REFERENCE_PAGE"], encoding="utf-8") as file:
            programs = programs_of(file.read())
        found = record(ours(programs))
        self.assertEqual(set(found), set(programs))
        with open(FIXTURE, encoding="utf-8") as file:
            self.compare(found, json.load(file)["programs"])


if __name__ == "__main__":
    unittest.main()
