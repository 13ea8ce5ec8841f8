# SPDX-License-Identifier: BSD-2-Clause
"""Arrays: views without copies, their lifetimes, DLPack, torch."""

from __future__ import annotations

import gc
import unittest
import weakref
from typing import Any

import numpy as np

import paligemma
from support import PICTURE, TINY, model, processor

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]


class Arrays(unittest.TestCase):
    def test_views_keep_their_owner(self) -> None:
        inputs = processor()(PICTURE, "caption en")
        self.assertIsNotNone(inputs.pixel_values.base)
        pixels = inputs["pixel_values"]
        want = pixels.copy()
        del inputs
        gc.collect()
        model().generate(**processor()(PICTURE, "detect circle"), max_new_tokens=3)
        np.testing.assert_array_equal(pixels, want)

    def test_the_last_view_frees(self) -> None:
        output = model()(**processor()(PICTURE, "caption en"), use_cache=False)
        owner = weakref.ref(output.handle)
        logits = output.logits[0, -1]
        del output
        gc.collect()
        self.assertIsNotNone(owner())
        self.assertTrue(np.isfinite(logits).all())
        del logits
        gc.collect()
        self.assertIsNone(owner())

    def test_forward(self) -> None:
        inputs = processor()(PICTURE, "caption en", suffix="a blue square")
        output = model("float32")(
            **inputs, output_hidden_states=True, output_attentions=True, output_vision_hidden_states=True
        )
        length = inputs.input_ids.shape[1]
        self.assertEqual(output.logits.shape, (1, length, 1804))
        self.assertEqual((len(output.hidden_states), len(output.attentions)), (5, 4))
        self.assertEqual(output.attentions[0].shape, (1, 4, length, length))
        self.assertEqual(output.image_hidden_states.shape, (1, 64, 128))
        self.assertEqual(output.vision_hidden_states[0].shape, (1, 64, 160))
        self.assertEqual(len(output.past_key_values), length)
        np.testing.assert_allclose(output.attentions[0].sum(-1), 1, atol=1e-5)
        # The loss, computed here from the logits.
        shifted, labels = output.logits[0, :-1].astype(np.float64), inputs.labels[0, 1:]
        kept = labels != -100
        logprobs = (
            shifted
            - np.log(np.exp(shifted - shifted.max(-1, keepdims=True)).sum(-1, keepdims=True))
            - shifted.max(-1, keepdims=True)
        )
        want = -logprobs[np.arange(len(labels))[kept], labels[kept]].mean()
        self.assertAlmostEqual(float(output.loss), want, places=5)
        self.assertIs(output["logits"], output.logits)
        self.assertIs(output[1], output.logits)
        last = model("float32")(**inputs, logits_to_keep=1, use_cache=False)
        np.testing.assert_allclose(last.logits[:, 0], output.logits[:, -1], atol=1e-4)
        chosen = model("float32")(**inputs, logits_to_keep=np.array([3, -1]), use_cache=False)
        np.testing.assert_allclose(chosen.logits[0], output.logits[0, [3, -1]], atol=1e-4)

    def test_forward_with_a_cache(self) -> None:
        inputs = processor()(PICTURE, "caption en")
        output = model("float32")(**inputs)
        token = output.logits[:, -1:].argmax(-1)
        step = model("float32")(input_ids=token, past_key_values=output.past_key_values)
        both = model("float32")(
            input_ids=np.concatenate([inputs.input_ids, token], 1),
            pixel_values=inputs.pixel_values,
            token_type_ids=np.concatenate([inputs.token_type_ids, [[1]]], 1),
        )
        np.testing.assert_allclose(step.logits[0, -1], both.logits[0, -1], atol=1e-4)

    def test_dlpack(self) -> None:
        features = model().get_image_features(processor()(PICTURE, "caption en").pixel_values)
        array = np.from_dlpack(features)
        self.assertTrue(np.shares_memory(array, np.asarray(features)))
        image = paligemma.Image.open(PICTURE)
        self.assertTrue(np.shares_memory(np.from_dlpack(image), image.pixels))
        want = array.copy()
        features.close()
        del features
        gc.collect()
        np.testing.assert_array_equal(array, want)

    def test_errors(self) -> None:
        inputs = processor()(PICTURE, "caption en")
        with self.assertRaises(paligemma.ShapeError):
            model()(input_ids=inputs.input_ids, pixel_values=np.zeros((2, 3, 112, 112), np.float32))
        with self.assertRaises(paligemma.PaliGemmaError):
            model()(input_ids=np.array([[10**9]]))
        with self.assertRaises(TypeError):
            model()(**inputs, no_such_option=1)
        with self.assertRaises(paligemma.FileError) as caught:
            paligemma.PaliGemmaForConditionalGeneration.from_pretrained("/no/such/folder")
        self.assertIn("/no/such/folder", str(caught.exception))
        self.assertIsInstance(caught.exception, OSError)
        with self.assertRaisesRegex(paligemma.FileError, "hf download"):
            paligemma.PaliGemmaProcessor.from_pretrained("google/no-such-model-anywhere")
        with self.assertRaises(ValueError):
            paligemma.PaliGemmaForConditionalGeneration.from_pretrained(TINY, dtype="float16")
        with self.assertRaises(ValueError):
            paligemma.PaliGemmaForConditionalGeneration.from_pretrained(TINY, device_map="cuda")
        with self.assertRaises(TypeError):
            paligemma.PaliGemmaForConditionalGeneration.from_pretrained(TINY, no_such_option=1)

    @unittest.skipIf(torch is None, "torch is not installed")
    def test_torch(self) -> None:
        plain = processor()(PICTURE, "caption en")
        inputs = processor()(PICTURE, "caption en", return_tensors="pt").to("cpu")
        self.assertIsInstance(inputs.pixel_values, torch.Tensor)
        output = model().generate(**inputs)
        self.assertIsInstance(output, torch.Tensor)
        self.assertEqual(output.tolist(), model().generate(**plain).tolist())
        logits: Any = model()(**inputs).logits
        self.assertIsInstance(logits, torch.Tensor)
        inputs.to(torch.bfloat16)
        self.assertEqual((inputs.pixel_values.dtype, inputs.input_ids.dtype), (torch.bfloat16, torch.int64))
        self.assertEqual(model().generate(**inputs).shape[0], 1)
        self.assertEqual(torch.from_dlpack(model().get_image_features(inputs.pixel_values)).shape, (1, 64, 128))

    @unittest.skipIf(torch is not None, "torch is installed")
    def test_without_torch(self) -> None:
        inputs = processor()(PICTURE, "caption en", return_tensors="pt")
        self.assertIsInstance(inputs.pixel_values, np.ndarray)


if __name__ == "__main__":
    unittest.main()
