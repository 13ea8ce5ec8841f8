# SPDX-License-Identifier: BSD-2-Clause
"""Boxes, masks, scores, adapters, attention, checkpoints, comparisons."""

from __future__ import annotations

import os
import shutil
import tempfile
import unittest

import numpy as np

import paligemma
from paligemma import Detection, Detections
from support import DATA, PICTURE, SCRATCH, TINY, command, model, processor


class Objects(unittest.TestCase):
    def test_detections_of_an_answer(self) -> None:
        answer = model().generate(
            **processor()(PICTURE, "detect circle"), output_logprobs=True, return_dict_in_generate=True
        )
        found = Detections.parse(
            answer.texts[0], processor=processor(), token_ids=answer.token_ids[0], logprobs=answer.logprobs[0]
        )
        self.assertEqual([item.label for item in found], ["circle"])
        self.assertTrue(0 < found[0].confidence_min <= found[0].confidence <= 1)
        with paligemma.Image.open(PICTURE) as image:
            width, height = image.size
            coco = found.to_coco(width, height, file_name="shapes.png", categories=["square", "circle"])
            drawn = found.draw(image)
            self.assertFalse(np.array_equal(drawn.pixels, image.pixels))
        self.assertEqual(coco["annotations"][0]["category_id"], 2)
        x_min, y_min, x_max, y_max = found[0].box(width, height)
        np.testing.assert_allclose(coco["annotations"][0]["bbox"], [x_min, y_min, x_max - x_min, y_max - y_min])
        back = Detections.from_coco(coco)
        np.testing.assert_allclose(back[0].x_max, found[0].x_max)
        self.assertEqual(found.encode(), answer.texts[0])

    def test_detections_of_one_s_own(self) -> None:
        item = Detection(0.25, 0.125, 0.5, 0.75, "ein Löwe", tuple(range(16)))
        found = Detections.of([item, item])
        self.assertEqual((found[0].y_min, found[1].label, found[0].seg), (0.25, "ein Löwe", item.seg))
        self.assertEqual(list(Detections.parse("nothing here")), [])
        with self.assertRaises(paligemma.ArgumentError):
            paligemma.encode_detections([Detection(0, 0, 1, 1, "a;b")])

    def test_masks(self) -> None:
        rng = np.random.default_rng(1)
        mask = (rng.random((9, 13)) < 0.4).astype(np.uint8)
        counts = paligemma.rle_encode(mask)
        np.testing.assert_array_equal(paligemma.rle_decode(counts, 13, 9), mask)
        self.assertEqual(paligemma.rle_from_text(paligemma.rle_to_text(counts)), counts)
        with self.assertRaises(paligemma.FormatError):
            paligemma.rle_decode(counts, 13, 10)
        pasted = paligemma.paste_mask(np.ones((64, 64)), (0.25, 0.5, 0.75, 1.0), 40, 20)
        self.assertEqual((pasted.sum(), pasted[5:15, 20:].min()), (255 * 200, 255))
        np.testing.assert_allclose(paligemma.crop_mask(pasted > 0, (0.25, 0.5, 0.75, 1.0)), 1)
        self.assertEqual(paligemma.box_pixels((0.25, 0.5, 0.75, 1.0), 40, 20), (20, 5, 40, 15))

    def test_mask_decoder(self) -> None:
        weights = [
            name for name in os.listdir(os.path.join(DATA, "structured")) if name.endswith((".npz", ".safetensors"))
        ]
        loaded = None
        for name in weights:
            try:
                loaded = paligemma.MaskDecoder.load(os.path.join(DATA, "structured", name))
            except paligemma.PaliGemmaError:
                continue
        if loaded is None:
            self.skipTest("tests/data has no weights of the mask network")
        mask = loaded.decode(range(16))
        self.assertEqual(mask.shape, (64, 64))

    def test_image(self) -> None:
        image = paligemma.Image.from_array(np.zeros((20, 30, 3), np.uint8))
        image.draw_box(2, 3, 10, 12, thickness=1, color=(9, 8, 7))
        self.assertEqual(image.pixels[3, 5].tolist(), [9, 8, 7])
        image.pixels[0, 0] = 255
        self.assertEqual(np.asarray(image.to_pil())[0, 0].tolist(), [255, 255, 255])
        image.draw_text(0, 10, "a", color=(1, 2, 3))
        image.blend(np.full((20, 30), 255, np.uint8), 1.0, (5, 5, 5))
        self.assertEqual(set(image.pixels.reshape(-1).tolist()), {5})
        image.draw_map(np.eye(4))
        self.assertEqual(image.resize(5, 4).size, (5, 4))
        with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
            path = os.path.join(folder, "a.png")
            image.save(path)
            np.testing.assert_array_equal(paligemma.Image.open(path).pixels, image.pixels)
        self.assertEqual(paligemma.Image.open(PICTURE).source.format, "PNG")
        with self.assertRaises(paligemma.LimitError):
            paligemma.Image.open(PICTURE, max_pixels=10)
        with self.assertRaises(ValueError):
            paligemma.Image.open(PICTURE, alpha="green")

    def test_scores(self) -> None:
        inputs = processor()(PICTURE, "answer en how many circles are there?")
        scores = model().score(inputs, ["0", "1", "2", "3"])
        said = command("score", "-m", TINY, "-i", PICTURE, "-p", "answer en how many circles are there?", "--json",
                       *[word for text in "0123" for word in ("--suffix", text)])  # fmt: skip
        best = max(scores, key=lambda score: score.total)
        self.assertEqual(best.index, 1)
        self.assertEqual(best.token_ids[-1], processor().tokenizer.eos_token_id)
        self.assertAlmostEqual(float(best.token_logprobs.sum()), best.total, places=5)
        self.assertIn(f"{best.total:.3f}", str(_rounded(said)))
        ids = [processor().tokenizer.encode(text) for text in "01"]
        plain = model().score(inputs, ids)
        without = model().score(inputs, ["0", "1"], without_eos=True)
        self.assertEqual([score.total for score in plain], [score.total for score in without])

    def test_adapters(self) -> None:
        directory = os.path.join(DATA, "adapters")
        found = [
            entry.path
            for entry in os.scandir(directory)
            if os.path.exists(os.path.join(entry.path, "adapter_config.json"))
        ]
        base = paligemma.PaliGemmaForConditionalGeneration.from_pretrained(os.path.join(DATA, "models", "pg1"))
        ids = np.array([[2, 10, 11, 12]])
        plain = base(input_ids=ids).logits.copy()
        adapter = None
        for path in sorted(found):
            try:
                adapter = base.load_adapter(path, use=False)
                break
            except paligemma.PaliGemmaError:
                continue
        self.assertIsNotNone(adapter)
        self.assertGreater(len(adapter), 0)
        self.assertGreater(adapter.rank, 0)
        with_it = base(input_ids=ids, adapter=adapter).logits
        self.assertFalse(np.allclose(with_it, plain))
        np.testing.assert_array_equal(base(input_ids=ids, adapter=adapter, adapter_scale=0.0).logits, plain)
        base.set_adapter(adapter)
        np.testing.assert_array_equal(base(input_ids=ids).logits, with_it)
        base.set_adapter(None)
        np.testing.assert_array_equal(base(input_ids=ids).logits, plain)
        merged = paligemma.PaliGemmaForConditionalGeneration.from_pretrained(
            os.path.join(DATA, "models", "pg1"), adapters={path: 1.0}
        )
        np.testing.assert_allclose(merged(input_ids=ids).logits, with_it, atol=1e-3)

    def test_attention(self) -> None:
        inputs = processor()(PICTURE, "caption en", suffix="a red square")
        with paligemma.AttentionMask.create(TINY, inputs, processor=processor()) as mask:
            sees = mask.layer(0)[0]
            types = inputs.token_type_ids[0]
            position = np.arange(len(types))
            prefix = (types[:, None] == 0) & (types[None, :] == 0)
            np.testing.assert_array_equal(sees, prefix | (position[None, :] <= position[:, None]))
            self.assertEqual(mask.window(0), 0)
            self.assertIn("'▁square'", mask.text())
            self.assertGreater(mask.image().width, len(types))
            with self.assertRaises(IndexError):
                mask.layer(99)
        output = model("float32")(**inputs, output_attentions=True)
        got = paligemma.heat_map(TINY, inputs, output, query=-2)
        want = np.mean([layer[0, :, -2, :64].mean(0) for layer in output.attentions], 0).reshape(8, 8)
        np.testing.assert_allclose(got, want, atol=1e-6)

    def test_checkpoints(self) -> None:
        with paligemma.Checkpoint.open(TINY) as checkpoint:
            self.assertEqual(checkpoint.compare(), ([], []))
            name = next(name for name in checkpoint.keys() if name.endswith("embed_tokens.weight"))
            self.assertEqual(checkpoint.dtype(name), "bfloat16")
            tensor = checkpoint[name]
            self.assertEqual(tensor.dtype, np.float32)
            self.assertGreater(checkpoint.nbytes, tensor.size * 2)
            with self.assertRaises(KeyError):
                checkpoint["no such tensor"]
        with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
            target = os.path.join(folder, "float32")
            stages: list[str] = []
            paligemma.save_checkpoint(TINY, target, dtype="float32", progress=lambda stage, _: stages.append(stage))
            self.assertEqual(set(stages), {"save"})
            with paligemma.Checkpoint.open(target) as saved:
                renamed = next(name for name in saved.keys() if name.endswith("embed_tokens.weight"))
                np.testing.assert_array_equal(saved[renamed], tensor)
                self.assertFalse(saved[renamed].flags.writeable)
            shutil.rmtree(target)

    def test_compare(self) -> None:
        inputs = processor()(PICTURE, "caption en")
        with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
            path = os.path.join(folder, "outputs.safetensors")
            model("float32")(**inputs).save(path)
            with paligemma.Inputs.load(path) as saved:
                arrays = {name: value.copy() for name, value in saved.arrays().items()}
        arrays["logits"][0, 3, 5] += 1
        differences = {
            item.name: item for item in paligemma.compare(arrays, {**arrays, "logits": arrays["logits"] * 1})
        }
        self.assertEqual({item.kind for item in differences.values()}, {"none"})
        other = {**arrays, "logits": arrays["logits"].copy()}
        other["logits"][0, 3, 5] -= 1
        logits = next(item for item in paligemma.compare(arrays, other) if item.name == "logits")
        self.assertEqual((logits.kind, logits.first_index, logits.n_departing), ("values", (0, 3, 5), 1))

    def test_machine(self) -> None:
        machine = paligemma.measure_machine(model(), 16)
        self.assertGreater(machine.read_bytes_per_s, 0)
        self.assertGreater(machine.vision_bytes, 0)
        self.assertGreater(machine.decoder_bytes, 0)
        self.assertEqual({machine.vision_gemm_dtype, machine.decoder_gemm_dtype}, {machine.gemm_dtype})


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value


if __name__ == "__main__":
    unittest.main()
