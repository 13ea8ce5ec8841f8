# SPDX-License-Identifier: BSD-2-Clause
"""Writes tests/data/processor: two checkpoint directories without weights, and what PaliGemmaProcessor makes of texts.

    python make_processor_fixtures.py [OUTPUT_FOLDER]

Pinned: transformers 5.23.0, tokenizers, Pillow 13.0.0, torchvision 0.29.2 (README.md beside this file).

with_preprocessor/ has 28 px and 4 image tokens, config_only/ 56 px and 16 tokens and no preprocessor_config.json.
cases.safetensors holds picture.0 … picture.3, and for each case DIRECTORY|NAME
    |setup            int64 [texts, pictures, padding side (0 left, 1 right), pad_to]; picture i is picture.(i % 4)
    |texts, |suffixes uint8, each string ended by a NUL        |images_per_text  int64, absent when not given
    |input_ids, |attention_mask, |token_type_ids, |labels      int64, as the oracle returns them
    |pixel_values, |pixel_values_torchvision                   float32, only for a few cases
"""
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from transformers import GemmaTokenizer
from transformers.models.paligemma.processing_paligemma import PaliGemmaProcessor
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.siglip.image_processing_siglip import SiglipImageProcessor

import small_tokenizer

random = np.random.default_rng(7)
I = "<image>"


class BosFirst(PaliGemmaProcessor):
    """5.15.1 to 5.23.0 put <bos> behind the sixth character of a text without <image> if another text of the batch
    has one (find gives -1, plus the token's 7 characters). Before, and in this library, it stands first."""

    def prepare_inputs_layout(self, images=None, text=None, **kwargs):
        lone = [bool(isinstance(text, list) and any(I in t for t in text) and I not in t) for t in (text if isinstance(text, list) else [text])]
        images, laid_out, *rest = super().prepare_inputs_layout(images=images, text=text, **kwargs)
        bos = self.tokenizer.bos_token
        laid_out = [bos + given + "\n" if fix else out for fix, given, out in zip(lone, text if isinstance(text, list) else [text], laid_out)]
        return (images, laid_out, *rest)


# name: texts, and options: suffixes, images (per text, for texts without <image>), n (pictures, if <image> is used),
# right (padding side), pad_to, pixels (keep pixel_values)
CASES = {
    "plain": (["caption en"], dict(pixels=True)),
    "empty": ([""], {}),
    "two-pictures": (["what is the difference?"], dict(images=[2])),
    "newline": (["caption en\n"], {}),
    "newlines": (["caption en\n\n"], {}),
    "only-newline": (["\n"], {}),
    "inner-newlines": (["a\n\n\nb\n"], {}),
    "spaces": ["  caption   en  "],
    "user-bos": (["<bos>caption en"], {}),
    "user-eos": (["caption<eos> en<pad>"], {}),
    "loc": (["detect <loc0001><loc0007> cat <seg003>"], {}),
    "unicode": (["żółw 猫 🐢 é"], {}),
    "almost-image": (["<imag <image <<imag>> image>"], {}),
    "image-first": ([I + "caption en"], dict(n=1, pixels=True)),
    "image-space": ([I + " caption en"], dict(n=1)),
    "image-bos": ([I + "<bos>Describe the image."], dict(n=1)),
    "image-newline": ([I + "\n"], dict(n=1)),
    "image-alone": ([I], dict(n=1)),
    "image-last": (["what is this " + I], dict(n=1)),
    "image-middle": (["ab" + I + "c"], dict(n=1)),
    "images-around": ([I + "a" + I + I + "b"], dict(n=3, pixels=True)),
    "image-angle": (["<" + I + ">"], dict(n=1)),
    "suffix": (["caption en"], dict(suffixes=["the cat is red"])),
    "suffix-empty": (["caption en"], dict(suffixes=[""])),
    "suffix-space": (["caption en"], dict(suffixes=[" the\n"])),
    "suffix-newline": (["caption en"], dict(suffixes=["\n\n"])),
    "suffix-image": ([I + "detect cat"], dict(n=1, suffixes=["<loc0000><loc0001><loc0002><loc0003> cat"])),
    "batch": (["caption en", "detect the red cat", ""], dict(pixels=True)),
    "batch-right": (["caption en", "detect the red cat", ""], dict(right=True)),
    "batch-pad-to": (["caption en", "detect the red cat", ""], dict(pad_to=50)),
    "batch-pad-to-right": (["caption en", "detect"], dict(pad_to=40, right=True)),
    "batch-counts": (["caption en", "what", "x"], dict(images=[2, 1, 3])),
    "batch-suffix": (["caption en", "what is the cat"], dict(suffixes=["red", "the red cat is the cat"])),
    "batch-suffix-right": (["caption en", "what is the cat"], dict(suffixes=["red", ""], right=True)),
    "batch-placed": ([I + "caption en", "a" + I + "b" + I], dict(n=3)),
    "batch-bos-first": ([I + "caption en", "detect the cat", "abc"], dict(n=1, differs=True)),
}
CASES["spaces"] = (CASES["spaces"], {})

# Calls that the oracle refuses too; tests/unit/test_processor.c has the same ones.
ERRORS = [
    ([I + "a"], 2, {}), ([I + I + "a"], 1, {}), (["a", "b"], 1, {}), (["a", "b"], 3, {}), ([I + "a", "b"], 2, {}),
    (["a"], 1, dict(suffix=["x" + I])), (["a", "b"], 2, dict(suffix=["x"])),
]


def picture(height, width):
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 / width, y * 255 / height, (x ^ y) * 4 % 256], -1) + random.normal(0, 12, (height, width, 3))
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


PICTURES = [picture(40, 50), picture(28, 28), picture(13, 91), picture(64, 20)]


def write_directory(folder, size, tokens, with_preprocessor):
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["PaliGemmaForConditionalGeneration"], "bos_token_id": 2, "eos_token_id": 1, "hidden_size": 32,
        "image_token_index": small_tokenizer.IMAGE_ID, "model_type": "paligemma", "pad_token_id": 0, "projection_dim": 32,
        "text_config": {"hidden_size": 32, "intermediate_size": 64, "model_type": "gemma", "num_attention_heads": 2,
                        "num_hidden_layers": 1, "num_image_tokens": tokens, "num_key_value_heads": 1,
                        "vocab_size": small_tokenizer.VOCABULARY_ROWS},
        "vision_config": {"hidden_size": 32, "image_size": size, "intermediate_size": 64, "model_type": "siglip_vision_model",
                          "num_attention_heads": 2, "num_hidden_layers": 1, "num_image_tokens": tokens, "patch_size": 14,
                          "projection_dim": 32},
        "vocab_size": small_tokenizer.VOCABULARY_ROWS,
    }
    preprocessor = {
        "do_convert_rgb": None, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5] * 3,
        "image_processor_type": "SiglipImageProcessor", "image_seq_length": tokens, "image_std": [0.5] * 3,
        "processor_class": "PaliGemmaProcessor", "resample": 3, "rescale_factor": 0.00392156862745098,
        "size": {"height": size, "width": size},
    }
    files = {"config.json": config}
    if with_preprocessor:
        files["preprocessor_config.json"] = preprocessor
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value, indent=2) + "\n")
    small_tokenizer.write(folder)
    options = {k: v for k, v in preprocessor.items() if k not in ("image_processor_type", "processor_class")}
    tokenizer = GemmaTokenizer.from_pretrained(folder)
    return [BosFirst(kind(**options), tokenizer) for kind in (SiglipImageProcessorPil, SiglipImageProcessor)]


def pictures(n):
    return [Image.fromarray(PICTURES[i % len(PICTURES)]) for i in range(n)]


def images_argument(texts, options):
    """A flat list where <image> is used, or where each text has one picture; else a list of lists."""
    counts = options.get("images", [1] * len(texts))
    n = options.get("n", sum(counts))
    if "images" not in options:
        return pictures(n), n
    flat, nested = pictures(n), []
    for count in counts:
        nested.append(flat[:count])
        flat = flat[count:]
    return nested, n


def call(processor, texts, options):
    images, n = images_argument(texts, options)
    arguments = dict(return_tensors="np", padding="max_length" if "pad_to" in options else True)
    if "pad_to" in options:
        arguments["max_length"] = options["pad_to"]
    if "suffixes" in options:
        arguments["suffix"] = options["suffixes"]
    if options.get("right"):
        arguments["padding_side"] = "right"
    return processor(images=images, text=texts, **arguments), n


def strings(values):
    return np.frombuffer("".join(value + "\0" for value in values).encode(), np.uint8).copy()


def add_case(tensors, processors, key, texts, options):
    result, n = call(processors[0], texts, options)
    tensors[key + "|setup"] = np.array([len(texts), n, bool(options.get("right")), options.get("pad_to", 0)], np.int64)
    tensors[key + "|texts"] = strings(texts)
    if "suffixes" in options:
        tensors[key + "|suffixes"] = strings(options["suffixes"])
    if "images" in options:
        tensors[key + "|images_per_text"] = np.array(options["images"], np.int64)
    for name in ("input_ids", "attention_mask", "token_type_ids", "labels"):
        tensors[f"{key}|{name}"] = np.ascontiguousarray(result[name]).astype(np.int64)
    if options.get("pixels"):
        tensors[key + "|pixel_values"] = np.ascontiguousarray(result["pixel_values"]).astype(np.float32)
        result, _ = call(processors[1], texts, options)
        tensors[key + "|pixel_values_torchvision"] = np.ascontiguousarray(result["pixel_values"]).astype(np.float32)
    plain = PaliGemmaProcessor(processors[0].image_processor, processors[0].tokenizer)
    same = np.array_equal(call(plain, texts, options)[0]["input_ids"], tensors[key + "|input_ids"])
    assert same != options.get("differs", False), key


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "data" / "processor")
    tensors = {f"picture.{i}": pixels for i, pixels in enumerate(PICTURES)}
    processors = write_directory(folder / "with_preprocessor", 28, 4, True)
    for name, (texts, options) in CASES.items():
        add_case(tensors, processors, "with_preprocessor|" + name, texts, options)
    for texts, n, options in ERRORS:
        try:
            processors[0](images=pictures(n), text=texts, return_tensors="np", padding=True, **options)
        except ValueError:
            continue
        raise AssertionError((texts, n, options))
    processors = write_directory(folder / "config_only", 56, 16, False)
    for name in ("plain", "image-middle", "batch-suffix"):
        texts, options = CASES[name]
        add_case(tensors, processors, "config_only|" + name, texts, options)
    save_file(tensors, folder / "cases.safetensors")


if __name__ == "__main__":
    main()
