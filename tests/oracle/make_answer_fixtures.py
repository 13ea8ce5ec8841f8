# SPDX-License-Identifier: BSD-2-Clause
"""Write what Transformers says about constrained answers, prompt lookup and given suffixes.

    python make_answer_fixtures.py

tests/data/models/NAME/generate_pad.choices.json, generate_pad.mask.json, lookup.inputs.safetensors,
lookup.lookup.json and generate.scores.json for pg1 and pg2; tests/data/tiny/constrained.json for the demonstration
model.
"""
import json
import pathlib
import zlib

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoProcessor, PaliGemmaForConditionalGeneration

import answer_grammar
import fixture_cases
import fixture_models
from small_tokenizer import EOS_ID, PAD_ID

HERE = pathlib.Path(__file__).parent
MODELS, TINY = HERE.parent / "data" / "models", HERE.parent / "data" / "tiny"
TINY_MODEL = HERE.parent.parent / "examples" / "tiny" / "model"
CHOICES = ["the cat is red", "the cat", "what is the caption", "<loc0001><loc0003>", "red", "no"]
SUFFIXES = ["red", "red cat", "the cat is red", "", "what is the caption en detect", "red"]
LABELS = ["red circle", "red", "blue square", "green triangle", "circle"]
MIN_MARGIN = 5e-3  # between the two best tokens that may follow


def load(path):
    return PaliGemmaForConditionalGeneration.from_pretrained(path, dtype=torch.float32,
                                                             attn_implementation="eager").eval()


class Chooser:
    """prefix_allowed_tokens_fn that also remembers which steps left no choice."""

    def __init__(self, grammar, prompt, new_tokens):
        self.grammar, self.prompt, self.new_tokens = grammar, prompt, new_tokens
        self.only = {}

    def __call__(self, batch, sequence):
        ids = sequence[self.prompt:].tolist()
        allowed = self.grammar.allowed(ids, self.new_tokens - len(ids))
        self.only[len(ids)] = allowed == {self.grammar.eos}
        return sorted(allowed)


def constrained(model, inputs, grammar, new_tokens):
    """New tokens of one row, how it ended, and the smallest margin among the tokens that may follow.

    An <eos> that nothing else could take the place of is not a token of the answer."""
    prompt = inputs["input_ids"].shape[1]
    chooser = Chooser(grammar, prompt, new_tokens)
    out = model.generate(**inputs, do_sample=False, max_new_tokens=new_tokens, eos_token_id=EOS_ID, pad_token_id=PAD_ID,
                         prefix_allowed_tokens_fn=chooser, return_dict_in_generate=True, output_scores=True)
    tokens, margin = out.sequences[0, prompt:].tolist(), float("inf")
    for scores in out.scores:
        best = scores[0].topk(2).values
        margin = min(margin, float(best[0] - best[1]))
    if tokens[-1] != EOS_ID:
        over = grammar.allowed(tokens, 10 ** 6) == {grammar.eos}
        return tokens, "constraint" if over else "length", margin
    if chooser.only[len(tokens) - 1]:
        return tokens[:-1], "constraint", margin
    return tokens, "eos", margin


def rows_of(inputs):
    """Each row alone and without its padding."""
    for row, mask in enumerate(inputs["attention_mask"].bool()):
        one = {k: v[row:row + 1, mask] for k, v in inputs.items() if v.dim() == 2}
        yield {**one, "pixel_values": inputs["pixel_values"][row:row + 1]}


class Every:
    """Every third id, another third at every step, and <eos> at every fifth: what the test's mask callback allows."""

    def __init__(self, vocabulary):
        self.vocabulary, self.eos = vocabulary, EOS_ID

    def allowed(self, ids, room):
        allowed = {i for i in range(2, self.vocabulary) if i % 3 == len(ids) % 3}
        return allowed | ({EOS_ID} if len(ids) % 5 == 4 else set())


def write(path, value):
    path.write_text(json.dumps(value) + "\n")


def constraint_cases(model, directory, case):
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    runs = []
    for choices, new_tokens in ((CHOICES, 16), (CHOICES[3:], 12), (CHOICES[:2], 16), (["no"], 2), (["no", ""], 2)):
        grammar = answer_grammar.Choices(tokenizer, choices)
        answers = [constrained(model, row, grammar, new_tokens) for row in rows_of(case)]
        runs.append({"choices": choices, "max_new_tokens": new_tokens, "token_ids": [a[0] for a in answers],
                     "finish": [a[1] for a in answers]})
        assert min(a[2] for a in answers) > MIN_MARGIN
        print("  choices", runs[-1])
    write(directory / "generate_pad.choices.json", runs)
    answers = [constrained(model, row, Every(model.config.text_config.vocab_size), 12) for row in rows_of(case)]
    print("  mask", answers)
    assert min(a[2] for a in answers) > MIN_MARGIN
    write(directory / "generate_pad.mask.json", {"max_new_tokens": 12, "token_ids": [a[0] for a in answers]})


def greedy(model, inputs, new_tokens, **more):
    ids = model.generate(**inputs, do_sample=False, max_new_tokens=new_tokens, eos_token_id=EOS_ID, pad_token_id=PAD_ID,
                         **more)
    row = ids[0, inputs["input_ids"].shape[1]:].tolist()
    return row[:row.index(EOS_ID) + 1] if EOS_ID in row else row


def smallest_margin(model, inputs, tokens):
    """Between the two best logits that predict each of the tokens, by one pass."""
    logits = suffix_logits(model, inputs, tokens)
    best = logits.topk(2).values
    return float((best[:, 0] - best[:, 1]).min())


def lookup_case(model, spec, directory):
    """A prompt that repeats itself, drawn until its answer does too and no step is a near-tie."""
    new_tokens = 24
    for attempt in range(3000):
        maker = fixture_cases.Maker(spec["config"], [spec["seed"], zlib.crc32(b"lookup"), attempt])
        phrase = maker.text(4)
        prompt = maker.image() + [fixture_cases.BOS_ID] + phrase * 3 + [fixture_cases.NEWLINE_ID]
        inputs = {**fixture_cases.batch([prompt]), "pixel_values": maker.pixels(1)}
        tokens = greedy(model, inputs, new_tokens)
        repeats = sum(tokens[i - 2:i] == tokens[i - 4:i - 2] for i in range(4, len(tokens)))
        if len(tokens) < new_tokens or repeats < 4 or len(set(tokens)) < 6 or fixture_cases.IMAGE_ID in tokens:
            continue
        if smallest_margin(model, inputs, tokens) < MIN_MARGIN:
            continue
        agrees = {n: greedy(model, inputs, new_tokens, prompt_lookup_num_tokens=n) == tokens for n in (1, 3, 10)}
        save_file(inputs, directory / "lookup.inputs.safetensors")
        write(directory / "lookup.lookup.json", {"max_new_tokens": new_tokens, "token_ids": tokens})
        print(f"  lookup: attempt {attempt}, {tokens}, the oracle's own lookup agrees: {agrees}")
        return
    raise SystemExit("no repetitive answer found")


def suffix_logits(model, inputs, tokens):
    """Logits that predict each of the tokens behind the prompt, from one forward pass over both."""
    new = torch.tensor([tokens])
    ids = torch.cat([inputs["input_ids"], new], 1)
    types = torch.cat([inputs["token_type_ids"], torch.ones_like(new)], 1)
    logits = model(input_ids=ids, token_type_ids=types, attention_mask=torch.ones_like(ids),
                   pixel_values=inputs["pixel_values"], use_cache=False).logits
    return logits[0, -len(tokens) - 1:-1]


def score_case(model, directory, case):
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    inputs, entries = next(iter(rows_of(case))), []
    for text in SUFFIXES:
        ids = tokenizer.encode(text + "<eos>", add_special_tokens=False).ids
        logprobs = suffix_logits(model, inputs, ids).log_softmax(-1).gather(1, torch.tensor(ids)[:, None])[:, 0]
        entries.append({"text": text, "token_ids": ids, "logprobs": [round(x, 6) for x in logprobs.tolist()]})
        print(f"  {text!r}: {logprobs.sum():.4f}")
    write(directory / "generate.scores.json", entries)


def tiny_cases():
    model, processor = load(TINY_MODEL), AutoProcessor.from_pretrained(TINY_MODEL)
    tokenizer = Tokenizer.from_file(str(TINY_MODEL / "tokenizer.json"))
    side, entries = model.config.vision_config.image_size, []
    forms = [("detect", None, False, 40), ("detect", LABELS, False, 40), ("segment", LABELS, False, 60),
             ("segment", None, False, 48), ("detect", LABELS, True, 9), ("detect", None, False, 6)]
    for number, (image, prompt) in enumerate([
            ("00.png", "detect green square"), ("01.jpg", "detect yellow circle ; yellow square"),
            ("02.png", "caption en"), ("03.jpg", "detect circle"), ("04.png", "detect red circle ; blue square"),
            ("05.jpg", "answer en how many shapes are there?")]):
        picture = Image.open(TINY / image).convert("RGB").resize((side, side), Image.BICUBIC)
        inputs = dict(processor(images=picture, text="<image>" + prompt, return_tensors="pt"))
        inputs.pop("labels", None)
        for kind, labels, allow_empty, new_tokens in forms:
            grammar = answer_grammar.Objects(tokenizer, kind == "segment", labels, 16, allow_empty)
            tokens, finish, margin = constrained(model, inputs, grammar, new_tokens)
            if margin < MIN_MARGIN:
                print("  near-tie passed over:", image, kind)
                continue
            entries.append({"image": image, "prompt": prompt, "kind": kind, "labels": labels,
                            "allow_empty": allow_empty, "max_new_tokens": new_tokens, "token_ids": tokens,
                            "finish": finish, "text": tokenizer.decode(tokens, skip_special_tokens=True)})
            print(" ", kind, finish, entries[-1]["text"])
    lines = ",\n ".join(json.dumps(entry) for entry in entries)
    (TINY / "constrained.json").write_text("[" + lines + "]\n")


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    for name in ("pg1", "pg2"):
        print(name)
        directory = MODELS / name
        model = load(directory)
        constraint_cases(model, directory, load_file(directory / "generate_pad.inputs.safetensors"))
        score_case(model, directory, load_file(directory / "generate.inputs.safetensors"))
        lookup_case(model, fixture_models.MODELS[name], directory)
    tiny_cases()


if __name__ == "__main__":
    main()
