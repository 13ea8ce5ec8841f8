# SPDX-License-Identifier: BSD-2-Clause
"""Write small tokenizers and what the tokenizers library (0.23) makes of texts and ids.

    python make_tokenizer_fixtures.py DIRECTORY

For each NAME.json there is a NAME.jsonl with lines [text or null, ids, decoded, decoded without special tokens].
"""
import copy
import json
import pathlib
import random
import sys

import tokenizers

CORPUS = """Where is the cow standing? There are two cats on the mat, and one more cat is under the table. What
colour is the car? The car is red. detect car ; person ; traffic light. segment the left shoe. caption en answer en how
many birds are in the picture? A small black dog runs along the beach with a yellow ball in its mouth, while the sun
goes down behind the hills.   Two   spaces,  and    more.""".split(" ")
SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>"]
LETTERS = ["▁"] + [chr(c) for c in range(33, 127)] + list("éüñßЖи中文字のあ") + ["\t", "’", "“"]


def train(count):
    """Merges of byte-pair encoding on the corpus, then every other way to the pieces they make, as Gemma's file has."""
    text = "▁".join(CORPUS).replace("\n", "▁")
    words = [list("▁" + word) if word else ["▁", "▁"] for word in text.split("▁")]
    merges = []
    for _ in range(count):
        pairs = {}
        for word in words:
            for pair in zip(word, word[1:]):
                pairs[pair] = pairs.get(pair, 0) + 1
        if not pairs:
            break
        best = max(sorted(pairs), key=pairs.get)
        merges.append(best)
        for word in words:
            i = 0
            while i + 1 < len(word):
                if (word[i], word[i + 1]) == best:
                    word[i:i + 2] = [word[i] + word[i + 1]]
                i += 1
    pieces = list(dict.fromkeys(LETTERS + [a + b for a, b in merges]))
    known, full = set(pieces), []
    for a, b in merges:
        whole = a + b
        ways = [(whole[:i], whole[i:]) for i in range(1, len(whole))]
        full += [(a, b)] + [way for way in ways if way[0] in known and way[1] in known and way != (a, b)]
    return pieces, list(dict.fromkeys(full))


def added(token, piece, **flags):
    entry = {"id": token, "content": piece, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": False}
    return {**entry, **flags}


def gemma_form():
    """Gemma's layout with 256 byte pieces, runs of newlines and spaces, and a few location and segment tokens."""
    learned, merges = train(230)
    newlines = ["\n" * n for n in range(1, 7)]
    spaces = ["▁" * n for n in range(2, 6)]
    runs = [(a, b) for run in (newlines, ["▁"] + spaces) for whole in run for a in run for b in run if a + b == whole]
    marked = SPECIAL + ["<mask>", "<start_of_turn>"] + newlines
    pieces = marked + [f"<0x{b:02X}>" for b in range(256)] + spaces + learned
    vocab = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    tokens = [added(vocab[p], p, special=p in SPECIAL) for p in marked + spaces]
    start = [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    extra = [f"<loc{i:04d}>" for i in range(12)] + [f"<seg{i:03d}>" for i in range(6)]
    tokens += [added(len(vocab) + i, p, normalized=True) for i, p in enumerate(extra)]
    tokens.append(added(len(vocab) + len(extra), "<image>", special=True))
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, "pre_tokenizer": None,
        "post_processor": {"type": "TemplateProcessing",
                           "single": start, "pair": start + [{"Sequence": {"id": "B", "type_id": 1}}],
                           "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": vocab, "merges": [f"{a} {b}" for a, b in runs + merges]},
    }


def pairs_form(base):
    """The same as newer releases write it: merges as pairs, and a pre-tokenizer that finds nothing to split."""
    data = copy.deepcopy(base)
    data["model"]["merges"] = [merge.split(" ") for merge in data["model"]["merges"]]
    data["pre_tokenizer"] = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
                             "invert": False}
    data["normalizer"] = {"type": "Sequence", "normalizers": [data["normalizer"]]}
    return data


def odd_form(fuse):
    """Missing byte pieces, merges across words, tokens that take white space along or that normalising changes."""
    pieces = ["<unk>", "<eos>", "▁", "a", "b", "c", "d", "x", "\n", "ab", "bc", "abc", "a▁", "▁b", "a▁b", "<unk>a",
              "abcd", "cd", "<0xC3>", "<0xA9>", "<0xE4>", "<0xB8>", "<0xad>", "<0x+7>", "<0xB8><0xC3>", "bb", "bbb"]
    merges = ["b c", "a b", "ab c", "a bc", "a ▁", "▁ b", "a▁ b", "a ▁b", "<unk> a", "c d", "ab cd", "abc d",
              "<0xB8> <0xC3>", "b b", "bb b", "b bb", "b c"]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    extra = [added(1, "<eos>", special=True), added(27, "[L]", lstrip=True), added(28, "[R]", rstrip=True, special=True),
             added(29, "[B]", lstrip=True, rstrip=True), added(30, "x x", normalized=True, special=True),
             added(31, "y y"), added(32, "[", normalized=True), added(33, "[Lx"), added(34, "é", normalized=True),
             added(35, "▁▁"), added(36, "[N]", normalized=True, lstrip=True, rstrip=True)]
    data = gemma_form()
    data["added_tokens"] = extra
    data["model"].update(vocab=vocab, merges=merges, fuse_unk=fuse)
    return data


def plain_form():
    """No normalizer: a space is like any character; whole texts are looked up first; unknown characters vanish."""
    data = gemma_form()
    data["normalizer"] = None
    data["model"].update(ignore_merges=True, unk_token=None, byte_fallback=False)
    data["model"]["merges"] = data["model"]["merges"][:60]
    return data


def random_text(rng, data):
    contents = [token["content"] for token in data["added_tokens"]]
    words = [word for word in CORPUS if word] + list(data["model"]["vocab"])

    def unicode_char():
        limit = rng.choice([0x80, 0x800, 0x3000, 0x10000, 0x110000])
        while 0xD800 <= (code := rng.randrange(limit)) < 0xE000:
            pass
        return chr(code)
    sources = [lambda: rng.choice(words), lambda: " ", lambda: " " * rng.randrange(1, 9),
               lambda: "\n" * rng.randrange(1, 10),
               lambda: rng.choice(contents), lambda: rng.choice(contents)[:-1], unicode_char,
               lambda: rng.choice("abcdx \t\n[]▁<>é") * rng.randrange(1, 4),
               lambda: rng.choice(["\u00a0", "\u2003", "\u3000", "\r\n", "\x0b", "\x85", "<0x41>", "\0"])]
    used = rng.sample(sources, rng.randrange(1, len(sources) + 1))
    return "".join(rng.choice(used)() for _ in range(rng.choice([0, 1, 2, 5, 10, 20, 40])))


def write(folder, name, data, count, texts=()):
    path = folder / f"{name}.json"
    text = json.dumps(data, ensure_ascii=name == "gemma_pairs", separators=(",", ":"))
    path.write_text(text + "\n", encoding="utf-8")
    oracle = tokenizers.Tokenizer.from_file(str(path))
    rng = random.Random(name)
    texts = list(texts) + [random_text(rng, data) for _ in range(count)]
    size = oracle.get_vocab_size()
    byte_ids = [i for piece, i in data["model"]["vocab"].items() if piece.startswith("<0x")]
    cases = [[text, oracle.encode(text, add_special_tokens=False).ids] for text in texts]
    for _ in range(count // 4):
        pool = rng.choice([range(size), byte_ids, list(range(size)) + byte_ids * 3])
        cases.append([None, [rng.choice(pool) for _ in range(rng.randrange(20))]])
    with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as file:
        for text, ids in cases:
            decoded = [oracle.decode(ids, skip_special_tokens=skip) for skip in (False, True)]
            file.write(json.dumps([text, ids] + decoded, ensure_ascii=False, separators=(",", ":")) + "\n")
    return [ids for text, ids in cases if text is not None]


def main(directory):
    folder = pathlib.Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    fixed = ["", " ", "Where is the cow standing?\n", "a<loc0001> b", "<image><image>caption en\n", "\n\n\n\n\n\n\n\n\n",
             " ".join(CORPUS) * 4, "the" * 700, "a" * 2000, " " * 1999, "<loc000" * 300, "é́中🙂" * 50, "▁the▁ cat ▁▁▁",
             "<0x41><0xFF>", "the\0cat\0", "<bos><eos><pad><unk><loc0003><seg002><image>"]
    base = gemma_form()
    ids = write(folder, "gemma_strings", base, 180, fixed)
    write(folder, "gemma_pairs", pairs_form(base), 20)
    pairs = tokenizers.Tokenizer.from_file(str(folder / "gemma_pairs.json"))
    lines = (folder / "gemma_strings.jsonl").read_text(encoding="utf-8").split("\n")
    texts = [case[0] for case in map(json.loads, filter(None, lines)) if case[0] is not None]
    assert [pairs.encode(text, add_special_tokens=False).ids for text in texts] == ids
    odd = ["a [L] a", "a  [R]  \u3000\n[R]b", " \t[B] \n[B]c", "x x", "y y", "a x xb", "[[Lx[L]", "é",
           "aéa", "中a中 中b", "  ▁▁",
           "a b", "bbbbbbb" * 20, "abcdabcd", "abababcbcbc", "\u00ada", "[N] [N]  [L]", "zzz", "za", "z\u00b8中éz"]
    write(folder, "odd_fused", odd_form(True), 120, odd)
    write(folder, "odd_single", odd_form(False), 60, odd)
    write(folder, "plain", plain_form(), 60,
          ["the", "the cat", "▁the", "cat", "standing?", "\u4e00", "▁\u4e00▁the", "a▁\u4e01\u4e00▁▁"])


if __name__ == "__main__":
    main(sys.argv[1])
