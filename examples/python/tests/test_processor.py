# SPDX-License-Identifier: BSD-2-Clause
"""Pictures of every kind, texts, suffixes, padding, ids and text, messages."""

from __future__ import annotations

import base64
import io
import os
import pathlib
import pickle
import unittest

import numpy as np
from PIL import Image as PILImage

import paligemma
from support import DATA, OTHER, PICTURE, TINY, processor

TEMPLATE = (
    "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for b in m.content %}"
    "{% if b.type == 'text' %}{{ b.text }}{% endif %}{% endfor %}{% endif %}{% endfor %}"
)


class Processor(unittest.TestCase):
    def test_kinds_of_pictures(self) -> None:
        with open(PICTURE, "rb") as file:
            data = file.read()
        pil = PILImage.open(PICTURE)
        array = np.asarray(pil.convert("RGB"))
        want = processor()(PICTURE, "caption en").pixel_values
        kinds = {
            "path": pathlib.Path(PICTURE),
            "file URL": pathlib.Path(PICTURE).as_uri(),
            "data URL": "data:image/png;base64," + base64.b64encode(data).decode(),
            "bytes": data,
            "file": io.BytesIO(data),
            "PIL": pil,
            "array": array,
            "channels first": np.ascontiguousarray(array.transpose(2, 0, 1)),
            "with alpha": np.concatenate([array, np.zeros_like(array[:, :, :1])], 2),
            "strided": np.repeat(array, 2, axis=1)[:, ::2],
            "Image": paligemma.Image.open(PICTURE),
        }
        for name, picture in kinds.items():
            with self.subTest(name):
                np.testing.assert_array_equal(processor()(picture, "caption en").pixel_values, want)
        for wrong in (array.astype(np.float32), array[0, 0], 3, "/no/such/picture.png", b"no picture"):
            with self.assertRaises((ValueError, OSError, NotImplementedError)):
                processor()(wrong, "caption en")

    def test_what_pillow_alone_opens(self) -> None:
        file = io.BytesIO()
        PILImage.open(PICTURE).save(file, "BMP")
        got = processor()(file.getvalue(), "caption en").pixel_values
        np.testing.assert_array_equal(got, processor()(PICTURE, "caption en").pixel_values)

    def test_layout(self) -> None:
        inputs = processor()(images=PICTURE, text="caption en")
        tokenizer = processor().tokenizer
        self.assertEqual(
            inputs.input_ids[0].tolist(),
            [tokenizer.image_token_id] * 64 + [tokenizer.bos_token_id, *tokenizer.encode("caption en\n")],
        )
        self.assertEqual(inputs.pixel_values.shape, (1, 3, 112, 112))
        self.assertEqual(inputs.keys(), {"input_ids", "attention_mask", "token_type_ids", "labels", "pixel_values"})
        two = processor()(images=[[PICTURE, OTHER]], text=["caption en"])
        self.assertEqual((two.pixel_values.shape[0], (two.input_ids == tokenizer.image_token_id).sum()), (2, 128))
        also = processor()(images=[PICTURE, OTHER], text="caption en")
        np.testing.assert_array_equal(two.input_ids, also.input_ids)
        placed = processor()(images=[PICTURE, OTHER], text="<image><image>caption en")
        np.testing.assert_array_equal(placed.input_ids, two.input_ids)
        with self.assertRaises(paligemma.ShapeError):
            processor()(images=PICTURE, text="<image><image>caption en")
        with self.assertRaises(ValueError):
            processor()(images=[[PICTURE]], text=["a", "b"])

    def test_suffix_and_padding(self) -> None:
        inputs = processor()(
            images=[PICTURE] * 2, text=["caption en", "detect circle"], suffix=["a red circle", "none"]
        )
        eos = processor().tokenizer.eos_token_id
        for row in range(2):
            learned = inputs.labels[row][inputs.labels[row] != -100]
            self.assertEqual(learned[-1], eos)
            np.testing.assert_array_equal(inputs.input_ids[row][inputs.token_type_ids[row] == 1], learned)
        padded = processor()(PICTURE, "caption en", padding="max_length", max_length=80)
        self.assertEqual((padded.input_ids.shape, int(padded.attention_mask[0, :12].sum())), ((1, 80), 0))
        with self.assertRaises(paligemma.LimitError):
            processor()(PICTURE, "caption en", max_length=10)
        for wrong in ({"padding": "some"}, {"padding_side": "up"}, {"return_tensors": "tf"}, {"suffix": ["a", "b"]}):
            with self.assertRaises(ValueError):
                processor()(PICTURE, "caption en", **wrong)
        with self.assertRaises(TypeError):
            processor()(PICTURE, "caption en", no_such_option=1)

    def test_features(self) -> None:
        inputs = processor()(PICTURE, "caption en").to("cpu").to(dtype="float16")
        self.assertEqual((inputs["pixel_values"].dtype, inputs.input_ids.dtype), (np.float16, np.int64))
        with self.assertRaises(AttributeError):
            inputs.no_such_tensor  # noqa: B018
        with self.assertRaises(ValueError):
            inputs.to("cuda")

    def test_text(self) -> None:
        tokenizer = processor().tokenizer
        for text in ("a red circle", "<loc0001><seg127> é 漢 🙂\n", ""):
            ids = tokenizer.encode(text)
            self.assertEqual(tokenizer.decode(ids), text)
        self.assertEqual(processor().batch_decode([[2, 5], [1]]), ["<bos>\n", "<eos>"])
        self.assertEqual(processor().decode(np.array([[2, 5], [1, 0]]), skip_special_tokens=True), ["\n", ""])
        self.assertEqual(tokenizer.convert_ids_to_tokens(tokenizer.convert_tokens_to_ids("<loc0012>")), "<loc0012>")
        with self.assertRaises(paligemma.ArgumentError):
            tokenizer.decode([10**9])

    def test_messages(self) -> None:
        block = {"type": "image", "url": PICTURE}
        messages = [{"role": "user", "content": [block, {"type": "text", "text": "caption en"}]}]
        self.assertEqual(processor().apply_chat_template(messages, TEMPLATE), "caption en")
        inputs = processor().apply_chat_template(messages, TEMPLATE, tokenize=True)
        np.testing.assert_array_equal(inputs.input_ids, processor()(PICTURE, "caption en").input_ids)
        self.assertIsNone(processor().chat_template)
        with self.assertRaises(paligemma.FormatError):
            processor().apply_chat_template(messages)

    def test_config(self) -> None:
        config = paligemma.AutoConfig.from_pretrained(TINY)
        self.assertEqual(config.text_config.hidden_size, 128)
        self.assertEqual(config["vision_config.patch_size"], 14)
        self.assertIsNone(config.get("generation_config.max_length"))
        self.assertEqual(config.to_dict()["vision_config"]["image_size"], 112)
        with self.assertRaises(AttributeError):
            config.no_such_field  # noqa: B018

    def test_pages_and_queries(self) -> None:
        directory = os.path.join(DATA, "colpali")
        checkpoints = [
            entry.path for entry in os.scandir(directory) if os.path.exists(os.path.join(entry.path, "config.json"))
        ]
        self.assertTrue(checkpoints)
        retriever = paligemma.PaliGemmaForConditionalGeneration.from_pretrained(checkpoints[0])
        with retriever.processor as own:
            pages = retriever.embed(own.process_images([PICTURE, OTHER]))
            queries = retriever.embed(own.process_queries(["red", "how many"]))
        self.assertEqual(pages.shape[::2], (2, retriever.embedding_dim))
        np.testing.assert_allclose(np.linalg.norm(pages[0, -1]), 1, atol=1e-5)
        scores = paligemma.max_sim(queries, pages)
        want = np.einsum("qld,pmd->qplm", queries.astype(float), pages.astype(float)).max(-1).sum(-1)
        np.testing.assert_allclose(scores, want, atol=1e-4)

    def test_no_pickle(self) -> None:
        with self.assertRaises(TypeError):
            pickle.dumps(processor())


if __name__ == "__main__":
    unittest.main()
