# SPDX-License-Identifier: BSD-2-Clause
"""What a hurried user gets wrong is a TypeError or ArgumentError in words, never a look into foreign memory."""

from __future__ import annotations

import unittest

import paligemma

from support import PICTURE, model, processor


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


if __name__ == "__main__":
    unittest.main()
