# SPDX-License-Identifier: BSD-2-Clause
"""Answers: the command's tokens, batches, options, streaming."""

from __future__ import annotations

import gc
import io
import threading
import time
import unittest
import warnings
from contextlib import redirect_stdout

import numpy as np

import paligemma
from paligemma import Constraint, GenerationConfig, Token
from support import OTHER, PICTURE, TINY, command, model, processor


class Generate(unittest.TestCase):
    def test_tokens_of_the_command(self) -> None:
        for prompt in ("caption en", "detect circle", "answer en how many shapes are there?"):
            said = command("generate", "-m", TINY, "-i", PICTURE, "-p", prompt, "--json", "--logprobs")
            inputs = processor()(images=PICTURE, text=prompt)
            got = model().generate(**inputs, return_dict_in_generate=True, output_logprobs=True)
            self.assertEqual(got.texts[0], said["text"])
            self.assertEqual(got.token_ids[0], said["token_ids"])
            np.testing.assert_allclose(got.logprobs[0], said["logprobs"], atol=2e-6)
            self.assertEqual(got.sequences.shape, (1, inputs.input_ids.shape[1] + len(said["token_ids"])))
            text = processor().decode(got.sequences[0], skip_special_tokens=True)
            self.assertEqual(text, prompt + "\n" + said["text"])

    def test_a_batch_answers_as_its_rows(self) -> None:
        prompts, pictures = ["caption en", "detect circle", "caption en"], [PICTURE, OTHER, OTHER]
        together = model().generate(processor()(pictures, prompts), max_new_tokens=30, return_dict_in_generate=True)
        self.assertEqual(together.sequences.shape[0], 3)
        for row, (picture, prompt) in enumerate(zip(pictures, prompts)):
            alone = model().generate(**processor()(picture, prompt), max_new_tokens=30, return_dict_in_generate=True)
            self.assertEqual(alone.token_ids[0], together.token_ids[row])
        self.assertEqual(together.finish_reasons, ["eos"] * 3)
        self.assertGreater(together.timing.prompt_tokens, 150)

    def test_right_padding_too(self) -> None:
        left = processor()([PICTURE] * 2, ["caption en", "detect red circle ; blue square"])
        right = processor()([PICTURE] * 2, ["caption en", "detect red circle ; blue square"], padding_side="right")
        self.assertFalse(np.array_equal(left.input_ids, right.input_ids))
        a, b = (model().generate(i, return_dict_in_generate=True).token_ids for i in (left, right))
        self.assertEqual(a, b)

    def test_streaming(self) -> None:
        inputs = processor()(PICTURE, "caption en")
        want = model().generate(**inputs, return_dict_in_generate=True)
        seen: list[Token] = []
        model().generate(**inputs, on_token=seen.append)
        self.assertEqual([token.id for token in seen], want.token_ids[0])
        self.assertEqual("".join(token.text for token in seen), want.texts[0])
        with model().stream(**inputs) as stream:
            tokens = list(stream)
        self.assertEqual([token.id for token in tokens], want.token_ids[0])
        self.assertEqual(stream.output.texts, want.texts)

    def test_a_stream_that_is_left_early(self) -> None:
        with model().stream(**processor()(PICTURE, "caption en"), max_new_tokens=400, eos_token_id=[]) as stream:
            first = next(stream)
        self.assertEqual(first.text, "a")
        self.assertIsNone(stream.output)
        self.assertEqual(list(stream), [])

    def test_a_stream_that_is_dropped(self) -> None:
        before = threading.active_count()
        next(model().stream(**processor()(PICTURE, "caption en"), max_new_tokens=20000, eos_token_id=[]))
        gc.collect()
        deadline = time.monotonic() + 60
        while threading.active_count() > before and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(threading.active_count(), before)

    def test_a_stream_raises_what_generate_raises(self) -> None:
        with self.assertRaises(paligemma.ArgumentError):
            list(model().stream(**processor()(PICTURE, "caption en"), num_beams=1000))

    def test_streamers_of_transformers(self) -> None:
        inputs = processor()(PICTURE, "caption en")
        printed = io.StringIO()
        with redirect_stdout(printed):
            streamer = paligemma.TextStreamer(processor().tokenizer, skip_prompt=True, skip_special_tokens=True)
            model().generate(**inputs, streamer=streamer)
        self.assertEqual(printed.getvalue(), "a blue square, a yellow circle and a red triangle\n")
        pieces = paligemma.TextIteratorStreamer(processor(), skip_prompt=True, skip_special_tokens=True)
        model().generate(**inputs, streamer=pieces)
        self.assertEqual("".join(pieces), "a blue square, a yellow circle and a red triangle")

    def test_sampling_and_seeds(self) -> None:
        inputs = processor()(PICTURE, "caption en")
        options = {"do_sample": True, "temperature": 8.0, "max_new_tokens": 12}
        runs = [model().generate(**inputs, **options, seed=seed).tolist() for seed in (1, 1, 2)]
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0], runs[2])
        paligemma.set_seed(7)
        first = model().generate(**inputs, **options).tolist()
        second = model().generate(**inputs, **options).tolist()
        paligemma.set_seed(7)
        self.assertEqual(model().generate(**inputs, **options).tolist(), first)
        self.assertNotEqual(first, second)

    def test_options(self) -> None:
        inputs = processor()(PICTURE, "caption en")
        ids = processor().tokenizer.encode(" blue")
        avoided = model().generate(**inputs, bad_words_ids=[ids], return_dict_in_generate=True)
        self.assertNotIn(" blue", avoided.texts[0])
        biased = model().generate(**inputs, logit_bias={ids[0]: -100.0}, return_dict_in_generate=True)
        self.assertEqual(avoided.texts, biased.texts)
        stopped = model().generate(**inputs, stop_strings=["square"], return_dict_in_generate=True)
        self.assertEqual((stopped.texts, stopped.finish_reasons), (["a blue square"], ["stop_string"]))
        short = model().generate(**inputs, max_length=inputs.input_ids.shape[1] + 3, return_dict_in_generate=True)
        self.assertEqual((short.texts, short.finish_reasons), (["a blue square"], ["length"]))
        config = GenerationConfig(max_new_tokens=2)
        self.assertEqual(model().generate(inputs, config).shape[1], inputs.input_ids.shape[1] + 2)
        beams = model().generate(**inputs, num_beams=3, num_return_sequences=2, return_dict_in_generate=True)
        self.assertEqual(len(beams.texts), 2)
        self.assertGreaterEqual(beams.sequences_scores[0], beams.sequences_scores[1])
        guessed = model().generate(**inputs, prompt_lookup_num_tokens=3, return_dict_in_generate=True)
        self.assertEqual(guessed.texts, model().generate(**inputs, return_dict_in_generate=True).texts)
        top = model().generate(**inputs, top_logprobs=2, max_new_tokens=2, return_dict_in_generate=True)
        self.assertEqual([len(place) for place in top.top_logprobs[0]], [2, 2])
        self.assertEqual(top.top_logprobs[0][0][0].id, top.token_ids[0][0])
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            model().generate(**inputs, temperature=0.5, max_new_tokens=1)
        self.assertIn("do_sample", str(said[0].message))
        for wrong in ({"no_such_option": 1}, {"penalty_alpha": 0.6}):
            with self.assertRaises(TypeError):
                model().generate(**inputs, **wrong)
        for wrong in ({"max_new_tokens": -1}, {"cache_implementation": "magic"}, {"num_beams": 1000}):
            with self.assertRaises(ValueError):
                model().generate(**inputs, **wrong)

    def test_what_may_follow(self) -> None:
        inputs = processor()(PICTURE, "answer en how many shapes are there?")
        with Constraint.choices(processor(), ["two dogs", "five"]) as constraint:
            got = model().generate(**inputs, constraint=constraint, return_dict_in_generate=True)
        self.assertIn(got.texts[0], ("two dogs", "five"))
        self.assertEqual(got.finish_reasons, ["constraint"])
        with Constraint.detect(processor(), ["a cat"], max_objects=1) as constraint:
            got = model().generate(**processor()(PICTURE, "detect circle"), constraint=constraint,
                                   return_dict_in_generate=True)  # fmt: skip
        found = paligemma.Detections.parse(got.texts[0])
        self.assertEqual([item.label for item in found], ["a cat"])
        digits = processor().tokenizer.encode("12")
        asked: list[tuple[int, int]] = []

        def allowed(row: int, ids: np.ndarray) -> list[int]:
            asked.append((row, len(ids)))
            return [*digits, 1]

        for wrong in (-1, 10**6):
            with self.assertRaises(ValueError):
                model().generate(**inputs, prefix_allowed_tokens_fn=lambda row, ids, wrong=wrong: [wrong])
        got = model().generate(**inputs, prefix_allowed_tokens_fn=allowed, max_new_tokens=4)
        self.assertLessEqual(set(got[0, inputs.input_ids.shape[1] :].tolist()), {*digits, 1})
        self.assertEqual(asked[0], (0, inputs.input_ids.shape[1]))

    def test_stopping_criteria(self) -> None:
        inputs = processor()(PICTURE, "caption en")
        got = model().generate(
            **inputs, stopping_criteria=[lambda ids, scores: ids.shape[1] >= 70], return_dict_in_generate=True
        )
        self.assertEqual((got.sequences.shape[1], got.finish_reasons), (70, ["cancelled"]))

    def test_caches(self) -> None:
        inputs = processor()(PICTURE, "caption en")
        with paligemma.Cache.create(model()) as cache:
            first = model().generate(**inputs, past_key_values=cache, max_new_tokens=3, return_dict_in_generate=True)
            self.assertEqual(len(cache), 68 + 2)
            whole = {"input_ids": first.sequences, "pixel_values": inputs.pixel_values}
            rest = model().generate(**whole, past_key_values=cache, return_dict_in_generate=True)
            answer = model().generate(**inputs, return_dict_in_generate=True).token_ids[0]
            self.assertEqual(first.token_ids[0] + rest.token_ids[0], answer)
            with self.assertRaises(ValueError):
                model().generate(input_ids=inputs.input_ids, past_key_values=cache)
            cache.truncate(68)
            copy = cache.fork()
            self.assertEqual((len(copy), copy.rows, copy.nbytes > 0), (68, 1, True))
            with paligemma.Cache.create(model(), prefix=copy) as shared:
                follow = processor().continuation("a blue")
                got = model().generate(**follow, cache=shared, return_dict_in_generate=True)
            self.assertEqual(got.texts, [" square, a yellow circle and a red triangle"])

    def test_features(self) -> None:
        inputs = processor()(PICTURE, "caption en")
        want = model().generate(**inputs).tolist()
        with model().get_image_features(inputs.pixel_values) as features:
            self.assertEqual(features.shape, (1, 64, 128))
            self.assertFalse(features.array.flags.writeable)
            got = model().generate(input_ids=inputs.input_ids, image_features=features).tolist()
            copied = model().image_features_of(features.array)
        self.assertEqual(got, want)
        self.assertEqual(model().generate(**inputs, image_features=copied).tolist(), want)

    def test_max_time(self) -> None:
        got = model().generate(
            **processor()(PICTURE, "caption en"), max_time=0.0, max_new_tokens=50, return_dict_in_generate=True
        )
        self.assertEqual((len(got.token_ids[0]), got.finish_reasons), (1, ["cancelled"]))

    def test_progress(self) -> None:
        seen: list[tuple[str, float]] = []
        model().generate(
            **processor()(PICTURE, "caption en"),
            max_new_tokens=1,
            progress=lambda stage, part: seen.append((stage, part)),
        )
        self.assertEqual({stage for stage, _ in seen}, {"image", "prefill"})
        self.assertTrue(all(0 <= part <= 1 for _, part in seen))

        def fail(stage: str, part: float) -> None:
            raise KeyError(stage)

        with self.assertRaises(KeyError):
            model().generate(**processor()(PICTURE, "caption en"), progress=fail)
        with self.assertRaises(KeyError):
            paligemma.PaliGemmaForConditionalGeneration.from_pretrained(TINY, progress=fail)


if __name__ == "__main__":
    unittest.main()
