# SPDX-License-Identifier: BSD-2-Clause
"""Add to tests/data/models/NAME what Transformers makes of many pictures: 16 frames, and rows with several pictures each.

    python make_batch_fixtures.py

For the cases "frames" and "mixed" of the two models with 28 px:
    CASE.pictures.safetensors   picture.N uint8 [height, width, 3], texts uint8, each ended by a NUL
    CASE.inputs.safetensors     what PaliGemmaProcessor (Pillow) makes of them, left-padded
    CASE.expected.safetensors   logits, last_hidden_state, image_hidden_states in float32
    CASE.bf16.json              as in README.md
    CASE.generate.json          greedy answers, as in README.md
    mixed.kv16.safetensors      logits with a cache that rounds keys and values to bfloat16 before attention reads them
"""
import pathlib

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import DynamicCache, GemmaTokenizer, PaliGemmaForConditionalGeneration
from transformers.models.paligemma.processing_paligemma import PaliGemmaProcessor
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

import fixture_models
import oracle_runs

MODELS = pathlib.Path(__file__).parent.parent / "data" / "models"
I = "<image>"
WORDS = ["caption", "en", "what", "is", "the", "cat", "red", "detect", "difference", "a", "b"]
NEW_TOKENS = 12
MIN_MARGIN = 0.005


class RoundingCache(DynamicCache):
    """Keys and values in bfloat16 precision."""

    def update(self, key_states, value_states, layer_idx, *args, **kwargs):
        return super().update(key_states.bfloat16().float(), value_states.bfloat16().float(), layer_idx, *args, **kwargs)


def picture(rng, height, width):
    y, x = np.mgrid[0:height, 0:width]
    a, b, c = rng.uniform(20, 230, 3)
    pixels = np.stack([a + x * 3, b + y * 2 - x, c + (x ^ y)], -1) + rng.normal(0, 14, (height, width, 3))
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def words(rng, n):
    return " ".join(rng.choice(WORDS, n))


def frames(rng):
    return [I * 16 + words(rng, 5)], [picture(rng, 30, 26) for _ in range(16)]


def mixed(rng):
    texts = [words(rng, 2) + I + words(rng, 3) + I + words(rng, 1), I + I + words(rng, 6), words(rng, 1) + I]
    return texts, [picture(rng, 24 + 3 * i, 40 - 4 * i) for i in range(5)]


def process(directory, texts, pictures):
    image_processor = SiglipImageProcessorPil.from_pretrained(directory)
    processor = PaliGemmaProcessor(image_processor, GemmaTokenizer.from_pretrained(directory))
    out = processor(images=[Image.fromarray(p) for p in pictures], text=texts, padding=True, return_tensors="pt")
    return {k: out[k].contiguous() for k in ("input_ids", "attention_mask", "token_type_ids", "pixel_values")}


def draw(name, case, directory, model):
    """Pictures and words for which no greedy step is a near-tie and both ways of generating agree."""
    for attempt in range(300):
        rng = np.random.default_rng([fixture_models.MODELS[name]["seed"], len(case), attempt])
        texts, pictures = {"frames": frames, "mixed": mixed}[case](rng)
        inputs = process(directory, texts, pictures)
        answers, margin = oracle_runs.slow_greedy(model, inputs, NEW_TOKENS, MIN_MARGIN)
        if margin > 0 and oracle_runs.generate(model, inputs, NEW_TOKENS) == answers:
            return texts, pictures, inputs, answers, margin
    raise SystemExit(f"{name} {case}: no prompt found")


def write(name, case, directory, model, half):
    texts, pictures, inputs, answers, margin = draw(name, case, directory, model)
    expected = oracle_runs.forward(model, inputs)
    save_file({**{f"picture.{i}": torch.from_numpy(p) for i, p in enumerate(pictures)},
               "texts": torch.tensor(list("".join(t + "\0" for t in texts).encode()), dtype=torch.uint8)},
              directory / f"{case}.pictures.safetensors")
    save_file(inputs, directory / f"{case}.inputs.safetensors")
    save_file(expected, directory / f"{case}.expected.safetensors")
    if case == "mixed":
        cache = RoundingCache(config=model.config.text_config)
        rounded = model(**inputs, past_key_values=cache, use_cache=True).logits
        save_file({"logits": rounded.contiguous()}, directory / f"{case}.kv16.safetensors")
    fixture_models.write_json(directory / f"{case}.bf16.json", oracle_runs.bfloat16_error(half, inputs, None, expected))
    fixture_models.write_json(directory / f"{case}.generate.json", {
        "max_new_tokens": NEW_TOKENS, "margin": margin, "input_ids": inputs["input_ids"].tolist(), "token_ids": answers})
    print(name, case, texts, f"margin {margin:.3f}", answers)


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    for name in ("pg1-lone-head", "pg2-f32"):
        directory = MODELS / name
        load = lambda dtype: PaliGemmaForConditionalGeneration.from_pretrained(
            directory, dtype=dtype, attn_implementation="eager").eval()
        model, half = load(torch.float32), load(torch.bfloat16)
        for case in ("frames", "mixed"):
            write(name, case, directory, model, half)


if __name__ == "__main__":
    main()
