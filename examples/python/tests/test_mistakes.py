# SPDX-License-Identifier: BSD-2-Clause
"""What a hurried user gets wrong is a TypeError or ArgumentError in words, never a look into foreign memory."""

from __future__ import annotations

import gc
import threading
import unittest

import numpy as np

import paligemma
from paligemma import _calls

from support import PICTURE, SANITIZED, model, processor, resident


class Mistakes(unittest.TestCase):
    def setUp(self) -> None:
        self.processor = processor()
        self.model = model()
        self.inputs = self.processor(images=PICTURE, text="caption en", return_tensors="np")

    def test_constructors_take_no_foreign_values(self) -> None:
        for kind, maker in ((paligemma.Image, "Image.open"), (paligemma.Detections, "Detections.parse"),
                            (paligemma.Adapter, "Adapter.load"), (paligemma.Cache, "Cache.create"),
                            (paligemma.Constraint, "Constraint.choices"), (paligemma.MaskDecoder, "MaskDecoder.load"),
                            (paligemma.Checkpoint, "Checkpoint.open")):  # fmt: skip
            for value in ("shapes.png", b"bytes", 12345, None, self.model):
                with self.assertRaisesRegex(TypeError, maker, msg=f"{kind.__name__}({value!r})"):
                    kind(value)

    def test_objects_of_another_kind(self) -> None:
        for name in ("cache", "adapter", "constraint", "image_features"):
            for value in (5, "x", self.processor, self.model):
                with self.assertRaises(TypeError, msg=f"{name}={value!r}"):
                    self.model.generate(**self.inputs, max_new_tokens=2, **{name: value})
        with self.assertRaises(TypeError):
            paligemma.Cache.create(self.processor)
        with self.assertRaises(TypeError):
            paligemma.Constraint.choices(self.model, ["yes"])

    def test_a_text_where_a_list_belongs(self) -> None:
        with self.assertRaisesRegex(TypeError, "list"):
            self.model.score(self.inputs, "yes")
        with self.assertRaisesRegex(TypeError, "list"):
            paligemma.Constraint.choices(self.processor, "yes")
        with self.assertRaisesRegex(TypeError, "list"):
            paligemma.Constraint.choices(self.processor, None)
        with self.assertRaisesRegex(TypeError, "text"):
            paligemma.Detections.parse(None)

    def test_a_pass_of_nothing(self) -> None:
        with self.assertRaisesRegex(paligemma.ArgumentError, "input_ids"):
            self.model()

    def test_a_view_outlives_its_closed_owner(self) -> None:
        # So large that its memory goes back to the system when it is freed: reading it then would end the program.
        image = paligemma.Image.from_array(np.full((3000, 3000, 3), 7, np.uint8))
        pixels = image.pixels
        image.close()
        del image
        gc.collect()
        self.assertEqual(int(pixels[::500, ::500].sum()), 7 * 6 * 6 * 3)

    def test_inputs_that_were_looked_into_stay_as_they_are(self) -> None:
        inputs = paligemma.Inputs.of({"pixel_values": np.ones((1, 3, 4, 4), np.float32)})
        copied = inputs["pixel_values"]
        inputs["pixel_values"] = np.zeros((1, 3, 2, 2), np.float32)
        self.assertEqual(float(copied.sum()), 48.0)
        views = inputs.arrays()
        with self.assertRaises(paligemma.ArgumentError):
            inputs["pixel_values"] = np.ones((1, 3, 4, 4), np.float32)
        self.assertEqual(views["pixel_values"].shape, (1, 3, 2, 2))

    def test_what_failed_is_not_kept(self) -> None:
        def boom(_token: object) -> None:
            raise KeyError("boom")

        def calls() -> int:
            gc.collect()
            return sum(isinstance(value, _calls.LongCall) for value in gc.get_objects())

        before = calls()
        for _ in range(20):
            with self.assertRaises(KeyError):
                self.model.generate(**self.inputs, max_new_tokens=4, on_token=boom)
            stream = self.model.stream(**self.inputs, max_new_tokens=20)
            next(stream)
            stream.close()
            dropped = self.model.stream(**self.inputs, max_new_tokens=20)
            next(dropped)
            del dropped, stream
        for thread in threading.enumerate():
            if thread.name == "paligemma-stream":
                thread.join()
        self.assertLessEqual(calls(), before)

    def test_errors_leave_no_memory_behind(self) -> None:
        def fail(times: int) -> None:
            for _ in range(times):
                with self.assertRaises(paligemma.PaliGemmaError):
                    paligemma.Checkpoint.open("/no/such/" + 400 * "x")

        fail(500)
        before = resident()
        fail(20000)
        self.assertLess(resident() - before, (256 if SANITIZED else 4) << 20)  # a message of 400 bytes each would be 8 MB and more

    def test_a_stream_leaves_the_caller_s_event_alone(self) -> None:
        event = threading.Event()
        stream = self.model.stream(**self.inputs, max_new_tokens=20, cancel=event)
        next(stream)
        stream.close()
        self.assertFalse(event.is_set())
        stream = self.model.stream(**self.inputs, max_new_tokens=2000, min_new_tokens=2000, cancel=event)
        next(stream)
        event.set()
        with self.assertRaises(paligemma.CancelledError):
            for _ in stream:
                pass


if __name__ == "__main__":
    unittest.main()
