# SPDX-License-Identifier: BSD-2-Clause
"""Write the tokenizer of the demonstration model: a small one of Gemma's form.

    python tokenizer.py DIRECTORY
"""
import json
import pathlib
import sys

WORDS = """a an and answer are above at below big black blue box can caption cap circle circles color
colors colour cow describe detect do does door en find four gray green how image in is it left many me
more next no none object objects of ocr on one or orange picture purple question red right segment
shape shapes show size small square squares than that the there these this three to top triangle
triangles two under what where which white with yellow yes zero bottom between""".split()
SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>"]
LOCATIONS = [f"<loc{i:04d}>" for i in range(1024)]
SEGMENTS = [f"<seg{i:03d}>" for i in range(128)]


def encode(text, ranks):
    """Plain byte-pair encoding of one word with the merges found so far."""
    pieces = list(text)
    while True:
        best = min(range(len(pieces) - 1), default=None,
                   key=lambda i: ranks.get((pieces[i], pieces[i + 1]), 1 << 30))
        if best is None or (pieces[best], pieces[best + 1]) not in ranks:
            return pieces
        pieces[best:best + 2] = [pieces[best] + pieces[best + 1]]


def word_merges():
    """Merges that make every word one piece, with and without the space mark before it."""
    ranks = {}
    for word in sorted(WORDS, key=lambda w: (len(w), w)) + ["▁" + w for w in WORDS] + ["▁;", "▁▁"]:
        while len(pieces := encode(word, ranks)) > 1:
            ranks[pieces[0], pieces[1]] = len(ranks)
    for word in WORDS:
        assert encode(word, ranks) == [word] and encode("▁" + word, ranks) == ["▁" + word], word
    return list(ranks)


def tokenizer_json():
    """The tokenizer as the `tokenizers` library stores it."""
    merges = word_merges()
    newlines = ["\n" * n for n in range(1, 9)]
    pieces = SPECIAL + ["<mask>"] + newlines + [f"<0x{b:02X}>" for b in range(256)]
    pieces += ["▁"] + [chr(c) for c in range(33, 127)]
    pieces += [p for p in dict.fromkeys(a + b for a, b in merges) if p not in pieces]
    added = LOCATIONS + SEGMENTS + ["<image>"]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    ids = dict(vocabulary, **{piece: len(pieces) + i for i, piece in enumerate(added)})

    def entry(piece):
        return {"id": ids[piece], "content": piece, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": piece in added[:-1], "special": piece in SPECIAL + ["<image>"]}

    bos = [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    pair = bos + [{"SpecialToken": {"id": "<bos>", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}]
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [entry(p) for p in SPECIAL + ["<mask>"] + newlines + added],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": None,
        "post_processor": {"type": "TemplateProcessing", "single": bos, "pair": pair,
                           "special_tokens": {"<bos>": {"id": "<bos>", "ids": [ids["<bos>"]],
                                                        "tokens": ["<bos>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": vocabulary, "merges": [f"{a} {b}" for a, b in merges]},
    }


def tokenizer_config():
    """tokenizer_config.json in the form of the published checkpoints."""
    return {"add_bos_token": True, "add_eos_token": False, "bos_token": "<bos>", "eos_token": "<eos>",
            "pad_token": "<pad>", "unk_token": "<unk>", "extra_special_tokens": {"image_token": "<image>"},
            "image_token": "<image>", "clean_up_tokenization_spaces": False, "padding_side": "left",
            "model_max_length": 1000000000000000019884624838656, "processor_class": "PaliGemmaProcessor",
            "spaces_between_special_tokens": False, "tokenizer_class": "GemmaTokenizerFast"}


def write(directory):
    """Write tokenizer.json, tokenizer_config.json and special_tokens_map.json; return the token count."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tokens = tokenizer_json()
    special = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>",
               "image_token": "<image>"}
    for name, value in (("tokenizer.json", tokens), ("tokenizer_config.json", tokenizer_config()),
                        ("special_tokens_map.json", special)):
        (directory / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 1 + tokens["added_tokens"][-1]["id"]


if __name__ == "__main__":
    print(write(sys.argv[1]), "tokens")
