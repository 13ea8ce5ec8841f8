# SPDX-License-Identifier: BSD-2-Clause
"""A tokenizer of Gemma's form with about 400 pieces, for the model fixtures.

Special tokens and newline runs come first, then the 256 byte pieces, characters and a few merges; `<loc…>`,
`<seg…>` and `<image>` are added tokens behind the vocabulary, as in the published checkpoints.
"""
import json
import pathlib

SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>"]
NEWLINES = ["\n" * n for n in range(1, 5)]
WORDS = ["cat", "caption", "detect", "en", "is", "red", "the", "what"]
ADDED = [f"<loc{i:04d}>" for i in range(8)] + [f"<seg{i:03d}>" for i in range(4)] + ["<image>"]


def word_merges():
    """Merges that build each word from the left, with the space mark joined last."""
    merges = []
    for word in WORDS:
        pieces = [(word[:i], word[i]) for i in range(1, len(word))] + [("▁", word)]
        merges += [pair for pair in pieces if pair not in merges]
    return merges


def tokenizer_json():
    """tokenizer.json as the `tokenizers` library stores it, with merges as strings."""
    merges = word_merges()
    pieces = SPECIAL + ["<mask>"] + NEWLINES + [f"<0x{byte:02X}>" for byte in range(256)]
    pieces += ["▁"] + [chr(code) for code in range(33, 127)]
    pieces += [piece for piece in dict.fromkeys(a + b for a, b in merges) if piece not in pieces]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    ids = dict(vocabulary, **{piece: len(pieces) + i for i, piece in enumerate(ADDED)})

    def entry(piece):
        return {"id": ids[piece], "content": piece, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": piece in ADDED[:-1], "special": piece in SPECIAL + ["<image>"]}

    single = [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    pair = single + [{"SpecialToken": {"id": "<bos>", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}]
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [entry(piece) for piece in SPECIAL + ["<mask>"] + NEWLINES + ADDED],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": None,
        "post_processor": {"type": "TemplateProcessing", "single": single, "pair": pair,
                           "special_tokens": {"<bos>": {"id": "<bos>", "ids": [ids["<bos>"]], "tokens": ["<bos>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": vocabulary, "merges": [f"{a} {b}" for a, b in merges]},
    }


TOKENIZER_CONFIG = {
    "add_bos_token": True, "add_eos_token": False, "bos_token": "<bos>", "clean_up_tokenization_spaces": False,
    "eos_token": "<eos>", "extra_special_tokens": {"image_token": "<image>"}, "image_token": "<image>",
    "model_max_length": 1000000000000000019884624838656, "pad_token": "<pad>", "padding_side": "left",
    "processor_class": "PaliGemmaProcessor", "spaces_between_special_tokens": False,
    "tokenizer_class": "GemmaTokenizer", "unk_token": "<unk>",
}

_TOKENIZER = tokenizer_json()
IMAGE_ID = _TOKENIZER["added_tokens"][-1]["id"]
NEWLINE_ID = _TOKENIZER["model"]["vocab"]["\n"]
PAD_ID, EOS_ID, BOS_ID = 0, 1, 2
# Ordinary pieces, from which random prompts are drawn: everything behind the newline runs.
FIRST_TEXT_ID = NEWLINE_ID + len(NEWLINES)
# As the published embedding, rounded up to a multiple of 64 rows; the rows behind <image> are live logits.
VOCABULARY_ROWS = (IMAGE_ID // 64 + 1) * 64


def write(directory):
    """Write tokenizer.json and tokenizer_config.json."""
    directory = pathlib.Path(directory)
    for name, value in (("tokenizer.json", _TOKENIZER), ("tokenizer_config.json", TOKENIZER_CONFIG)):
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":") if name == "tokenizer.json" else None)
        (directory / name).write_text(text + "\n", encoding="utf-8")
