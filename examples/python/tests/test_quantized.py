# SPDX-License-Identifier: BSD-2-Clause
"""Quantized checkpoints of the demonstration model, caches in int8, and the memory that is forecast."""

from __future__ import annotations

import glob
import os
import tempfile
import threading
import unittest
from typing import Any, List, Tuple

import numpy as np

import paligemma
from support import OTHER, PICTURE, SCRATCH, TINY, model, processor

PROMPTS = ["caption en", "answer en how many shapes are there?"]


def answers(of: paligemma.PaliGemmaForConditionalGeneration) -> List[str]:
    inputs = processor()([PICTURE] * len(PROMPTS), PROMPTS)
    result = of.generate(**inputs, return_dict_in_generate=True)
    return list(result.texts)


def load(path: str, **options: Any) -> paligemma.PaliGemmaForConditionalGeneration:
    return paligemma.PaliGemmaForConditionalGeneration.from_pretrained(path, **options)


class Quantized(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(dir=SCRATCH)
        self.addCleanup(folder.cleanup)
        self.target = os.path.join(folder.name, "quantized")

    def test_int8_answers_as_the_model_does(self) -> None:
        steps: List[Tuple[str, float]] = []
        paligemma.quantize(TINY, self.target, progress=lambda stage, fraction: steps.append((stage, fraction)))
        self.assertEqual({stage for stage, _ in steps}, {"quantize"})
        fractions = [fraction for _, fraction in steps]
        self.assertEqual((fractions, fractions[-1]), (sorted(fractions), 1.0))
        with paligemma.Checkpoint.open(self.target) as checkpoint, paligemma.Checkpoint.open(TINY) as before:
            self.assertTrue(any(name.endswith(".weight_packed") for name in checkpoint.keys()))
            self.assertEqual(checkpoint.compare(), ([], []))
            self.assertLess(checkpoint.nbytes, before.nbytes)
        with load(self.target) as quantized:
            self.assertEqual(answers(quantized), answers(model()))
        with self.assertRaisesRegex(paligemma.ArgumentError, "quantized"):
            paligemma.quantize(TINY, self.target)  # which is not empty
        with self.assertRaises(paligemma.UnsupportedError):
            paligemma.quantize(self.target, self.target + "-twice")

    def test_the_head(self) -> None:
        """int8_head changes what the head computes, a little; a bfloat16 checkpoint keeps its own unless told."""
        inputs = processor()(PICTURE, "caption en")
        with load(TINY, int8_head=True) as int8, load(TINY, int8_head=False) as plain:
            want = model()(**inputs).logits
            np.testing.assert_array_equal(plain(**inputs).logits, want)
            distance = float(np.abs(int8(**inputs).logits - want).max())
        self.assertGreater(distance, 0)
        self.assertLess(distance, 0.05 * float(np.abs(want).max()))

    def test_int4_with_options(self) -> None:
        inputs = [processor()(picture, "caption en") for picture in (PICTURE, OTHER)]
        stages: List[str] = []
        paligemma.quantize(
            TINY,
            self.target,
            "int4_weight_only",
            group_size=32,
            zero_points=True,
            parts=["decoder", "vision"],
            calibration=inputs,
            progress=lambda stage, _: stages.append(stage),
        )
        self.assertEqual(list(dict.fromkeys(stages)), ["calibrate", "quantize"])
        with paligemma.Checkpoint.open(self.target) as checkpoint:
            names = checkpoint.keys()
            self.assertTrue(any(name.endswith(".weight_zero_point") for name in names))
            self.assertTrue(any("vision" in name and name.endswith(".weight_scale") for name in names))
        with load(self.target) as quantized:
            want, got = model()(**inputs[0]).logits, quantized(**inputs[0]).logits
        self.assertLess(float(np.abs(got - want).mean()), 0.2 * float(np.abs(want).mean()))

    def test_cancelled(self) -> None:
        event = threading.Event()
        with self.assertRaises(paligemma.CancelledError):
            paligemma.quantize(TINY, self.target, progress=lambda *_: event.set(), cancel=event)
        self.assertEqual(glob.glob(self.target + "*"), [])

    def test_mistakes(self) -> None:
        for options in (
            {"scheme": "int3"},
            {"parts": ["norms"]},
            {"parts": []},
            {"group_size": 7, "scheme": "int4_weight_only"},
        ):
            with self.subTest(str(options)), self.assertRaises(ValueError):
                paligemma.quantize(TINY, self.target, **options)  # type: ignore[arg-type]
        with self.assertRaises(TypeError):
            paligemma.quantize(TINY, self.target, calibration=[PICTURE])  # type: ignore[list-item]
        with self.assertRaises(TypeError):
            load(TINY, quantization_config=8)
        with self.assertRaisesRegex(ValueError, "q_proj"):
            paligemma.TorchAoConfig("int8_weight_only", modules_to_not_convert=["q_proj"])

    def test_while_loading(self) -> None:
        """quantization_config loads what quantize() would have written, and leaves no file."""
        inputs = processor()(PICTURE, "caption en")
        paligemma.quantize(TINY, self.target, "int4_weight_only", group_size=64)
        config = paligemma.TorchAoConfig("int4_weight_only", modules_to_not_convert=["lm_head"], group_size=64)
        before = tempfile.tempdir
        tempfile.tempdir = os.path.dirname(self.target)
        try:
            with load(TINY, quantization_config=config) as converted, load(self.target) as written:
                self.assertEqual(os.listdir(tempfile.tempdir), ["quantized"])
                np.testing.assert_array_equal(converted(**inputs).logits, written(**inputs).logits)
                self.assertEqual(converted.processor.decode([1, 2]), written.processor.decode([1, 2]))
        finally:
            tempfile.tempdir = before

    def test_cache_in_int8(self) -> None:
        inputs = processor()(PICTURE, "caption en")
        want = model().generate(**inputs).tolist()
        with paligemma.Cache.create(model(), dtype="int8") as cache, paligemma.Cache.create(model()) as plain:
            self.assertEqual(model().generate(**inputs, cache=cache).tolist(), want)
            model().generate(**inputs, cache=plain)
            self.assertLess(cache.nbytes, 0.4 * plain.nbytes)
        with self.assertRaises(ValueError):
            paligemma.Cache.create(model(), dtype="float16")


class Memory(unittest.TestCase):
    def test_forecast(self) -> None:
        short, long = paligemma.forecast_memory(TINY, 10), paligemma.forecast_memory(TINY, 1010)
        self.assertEqual(long.cache - short.cache, 1000 * short.cache_per_token)
        self.assertEqual(
            short.total,
            short.weights_mapped + short.weights_copied + short.cache + max(short.vision, short.activations),
        )
        copied = paligemma.forecast_memory(TINY, 10, copy_weights=True)
        self.assertGreater(copied.weights_copied, short.weights_copied)
        self.assertGreater(paligemma.forecast_memory(TINY, int8_head=True).weights_copied, short.weights_copied)
        self.assertTrue(short.available is None or short.available > 0)
        with self.assertRaises(paligemma.ArgumentError):
            paligemma.forecast_memory(TINY, -1)
        with self.assertRaises(paligemma.FileError):
            paligemma.forecast_memory("/nowhere")

    def test_ignored(self) -> None:
        with load(TINY, ignore_memory=True) as loaded:
            self.assertEqual(answers(loaded), answers(model()))


if __name__ == "__main__":
    unittest.main()
