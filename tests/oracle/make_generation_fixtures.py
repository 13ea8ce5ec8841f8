# SPDX-License-Identifier: BSD-2-Clause
"""Write tests/data/generation and tests/data/models/NAME/CASE.options.json: generation with every option.

    python make_generation_fixtures.py

Everything comes from transformers' own `generate`, `_get_logits_processor` and `StopStringCriteria`.
"""
import json
import pathlib

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoProcessor, AutoTokenizer, PaliGemmaForConditionalGeneration
from transformers.generation.stopping_criteria import StopStringCriteria

from small_tokenizer import EOS_ID, PAD_ID

DATA = pathlib.Path(__file__).parent.parent / "data"
MODELS = DATA / "models"
VOCABULARY = 48
NEW_TOKENS = 12


def write(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, separators=(",", ":")).replace("},{", "},\n{") + "\n")


def numbers(tensor):
    """float32 values as short decimals that read back exactly; -infinity as null."""
    return [None if v == float("-inf") else float(f"{v:.9g}") for v in tensor.tolist()]


# ---- what is done to one row of scores

def processors(model, n_prompt, **settings):
    """The list that `generate` would make."""
    config, _ = model._prepare_generation_config(None, eos_token_id=settings.pop("eos_token_id", 1), **settings)
    model._prepare_special_tokens(config, device="cpu")
    config.max_length = n_prompt + (config.max_new_tokens or 20)
    return model._get_logits_processor(config, input_ids_seq_length=n_prompt, device="cpu", model_kwargs={})


PROCESSORS = [
    {"repetition_penalty": 1.7}, {"repetition_penalty": 0.6},
    {"no_repeat_ngram_size": 1}, {"no_repeat_ngram_size": 2}, {"no_repeat_ngram_size": 3},
    {"no_repeat_ngram_size": 40},
    {"bad_words_ids": [[5]]}, {"bad_words_ids": [[1]]}, {"bad_words_ids": [[3, 4], [4, 3, 7], [9], [2, 2]]},
    {"bad_words_ids": [[1], [6, 1]], "eos_token_id": [1, 7]},
    {"min_new_tokens": 4}, {"min_new_tokens": 40, "eos_token_id": [1, 9, 30]},
    {"sequence_bias": {(3,): 2.5, (8,): -1.25, (40,): float("-inf")}},
    {"suppress_tokens": [4, 5, 47]}, {"begin_suppress_tokens": [6, 0]},
    {"max_new_tokens": 1, "forced_eos_token_id": 1}, {"max_new_tokens": 6, "forced_eos_token_id": [1, 9]},
    {"sequence_bias": {(3,): 4.0, (2,): -4.0}, "repetition_penalty": 1.4, "no_repeat_ngram_size": 2,
     "bad_words_ids": [[7], [2, 3]], "min_new_tokens": 5, "suppress_tokens": [11]},
]

WARPERS = [
    {"temperature": 0.7, "top_k": 0}, {"temperature": 1.0, "top_k": 5}, {"temperature": 1.3, "top_k": 1},
    {"temperature": 2.0, "top_k": 1000}, {"temperature": 1.0, "top_k": 0, "top_p": 0.63},
    {"temperature": 0.8, "top_k": 0, "top_p": 0.07}, {"temperature": 1.0, "top_k": 12, "top_p": 0.91},
    {"temperature": 1.0, "top_k": 0, "min_p": 0.137}, {"temperature": 1.5, "top_k": 0, "min_p": 1.0},
    {"temperature": 1.0, "top_k": 0, "typical_p": 0.31}, {"temperature": 0.6, "top_k": 0, "typical_p": 0.83},
    {"temperature": 1.2, "top_k": 20, "top_p": 0.871, "min_p": 0.061, "typical_p": 0.77},
]


def score_cases(model):
    """Random rows, half of them with many ties, before and after; for WARPERS the probabilities that are drawn from."""
    rng, cases = np.random.default_rng(41), []
    for settings in PROCESSORS + WARPERS:
        for ties in (False, True):
            samples = settings in WARPERS
            scores = rng.standard_normal(VOCABULARY) * 2
            scores = torch.tensor(np.round(scores * 2) / 2 if ties else scores, dtype=torch.float32)
            if samples:
                scores[rng.integers(0, VOCABULARY, 3)] = float("-inf")
            prompt = rng.integers(2, 10, 9).tolist()
            ids = rng.integers(2, 10, 0 if "begin_suppress_tokens" in settings and ties else 5).tolist()
            made = processors(model, len(prompt), do_sample=samples, **settings)
            out = made(torch.tensor([prompt + ids]), scores[None].clone())[0]
            case = {k: v for k, v in settings.items() if k != "sequence_bias"}
            if "sequence_bias" in settings:
                case["logit_bias"] = [[k[0], None if v == float("-inf") else v]
                                      for k, v in settings["sequence_bias"].items()]
            cases.append({"options": case, "ties": ties, "prompt": prompt, "ids": ids, "scores": numbers(scores),
                          "expected": numbers(out.softmax(-1) if samples else out)})
    return cases


# ---- stop strings

STOP_TEXTS = [
    ("caption en\nthe cat is red", ["cat"]), ("caption en\nthe cat is red", ["e c", "zzz"]),
    ("caption en\nthe cat is red", ["the cat is"]), ("caption en\nthe cat is red", ["n\nth"]),
    ("caption en\nthe cat is red", ["\n"]), ("what is red? the cat.", ["t i"]), ("what is red? the cat.", ["?", "."]),
    ("ab é ü ab", ["é"]), ("ab é ü ab", [" ü a"]), ("a<loc0001><loc0002> cat", ["<loc0002>"]),
    ("a<loc0001><loc0002> cat", ["1><l"]), ("cat<eos>the", ["<eos>"]), ("ccaccatcat", ["cat"]),
    ("aaaaaaa", ["aaa"]), ("caption", ["aptio"]), ("the the the", ["the the"]),
]


def stop_cases():
    """For every beginning of the token sequence: does the criterion stop there?"""
    tokenizer = AutoTokenizer.from_pretrained(MODELS / "pg1")
    cases = []
    for text, strings in STOP_TEXTS:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        criterion = StopStringCriteria(tokenizer, strings)
        stops = [bool(criterion(torch.tensor([ids[:n]]), None)[0]) for n in range(1, len(ids) + 1)]
        cases.append({"text": text, "stop_strings": strings, "ids": ids, "stops": stops})
    return cases


STOP_ANSWERS = [
    ("00.png", "caption en", [" a", "zzz"], 1), ("00.png", "caption en", ["e c", "quare"], 1),
    ("01.jpg", "caption en", ["and a"], 1), ("02.png", "caption en", ["\na"], 1), ("02.png", "caption en", ["nd"], 3),
    ("03.jpg", "detect red circle", ["><loc"], 1), ("03.jpg", "caption en", [","], 4), ("04.png", "caption en", ["<eos>"], 1),
    ("05.jpg", "caption en", ["<eos>", "and"], 2),
]


def stop_answers():
    """What the demonstration model answers to its test pictures with stop strings, beams included."""
    path = DATA.parent.parent / "examples" / "tiny" / "model"
    model = PaliGemmaForConditionalGeneration.from_pretrained(path, dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(path, use_fast=False)
    cases = []
    for picture, prompt, strings, beams in STOP_ANSWERS:
        image = Image.open(DATA / "tiny" / picture).convert("RGB")
        inputs = processor(images=image, text=prompt, return_tensors="pt")
        out = model.generate(**inputs, do_sample=False, max_new_tokens=40, stop_strings=strings, num_beams=beams,
                             num_return_sequences=beams, tokenizer=processor.tokenizer, return_dict_in_generate=True,
                             output_scores=True)
        answers = out.sequences[:, inputs["input_ids"].shape[1]:].tolist()
        if beams > 1:
            answers = [ids[:int((rows >= 0).sum())] for ids, rows in zip(answers, out.beam_indices)]
        cases.append({"image": picture, "prompt": prompt, "stop_strings": strings, "num_beams": beams,
                      "token_ids": answers, "texts": processor.batch_decode(answers, skip_special_tokens=True)})
    return cases


# ---- whole answers

def greedy_runs(plain):
    """Options for one row, from what it answers without any."""
    return [
        {"repetition_penalty": 1.3}, {"repetition_penalty": 0.8}, {"no_repeat_ngram_size": 2},
        {"no_repeat_ngram_size": 1}, {"min_new_tokens": 6}, {"bad_words_ids": [[plain[0]]]},
        {"bad_words_ids": [plain[:2], plain[1:3]]}, {"eos_token_id": [EOS_ID, plain[-2]]},
        {"logit_bias": [[plain[1], -3.0], [33, 2.0]]}, {"logit_bias": [[EOS_ID, 1.5]], "min_new_tokens": 3},
        {"repetition_penalty": 1.2, "no_repeat_ngram_size": 2, "min_new_tokens": 8},
    ]


def beam_runs(plain):
    return [
        {"num_beams": 4, "num_return_sequences": 4},
        {"num_beams": 4, "num_return_sequences": 3, "length_penalty": 0.0, "early_stopping": True},
        {"num_beams": 3, "num_return_sequences": 3, "length_penalty": 2.0, "early_stopping": "never"},
        {"num_beams": 4, "num_return_sequences": 2, "length_penalty": -1.0},
        {"num_beams": 5, "num_return_sequences": 5, "early_stopping": True, "no_repeat_ngram_size": 2},
        {"num_beams": 4, "num_return_sequences": 4, "repetition_penalty": 1.3},
        {"num_beams": 3, "num_return_sequences": 3, "min_new_tokens": 5},
        {"num_beams": 4, "num_return_sequences": 2, "bad_words_ids": [[plain[0]], plain[1:3]]},
        {"num_beams": 2, "num_return_sequences": 2, "eos_token_id": [EOS_ID, plain[-2]]},
        {"num_beams": 3, "num_return_sequences": 1, "logit_bias": [[EOS_ID, 1.0]], "length_penalty": 0.5},
    ]


def run(model, inputs, options):
    """The answers to one row up to an eos, their scores, and log_softmax of the raw logits of their tokens."""
    settings = {k: v for k, v in options.items() if k != "logit_bias"}
    if "logit_bias" in options:
        settings["sequence_bias"] = {(id,): bias for id, bias in options["logit_bias"]}
    ends = settings.setdefault("eos_token_id", [EOS_ID])
    out = model.generate(**inputs, do_sample=False, max_new_tokens=NEW_TOKENS, pad_token_id=PAD_ID,
                         return_dict_in_generate=True, output_scores=True, output_logits=True, **settings)
    beams = "num_beams" in options
    answers, logprobs, margin = [], [], float("inf")
    for i, sequence in enumerate(out.sequences[:, inputs["input_ids"].shape[1]:].tolist()):
        length = next((n + 1 for n, id in enumerate(sequence) if id in ends), len(sequence))
        answers.append(sequence[:length])
        rows = out.beam_indices[i].tolist() if beams else [0] * length
        logits = torch.stack([out.logits[n][rows[n]] for n in range(length)]).double()  # [tokens, vocabulary]
        logprobs.append(numbers(logits.log_softmax(-1).gather(1, torch.tensor(answers[-1])[:, None])[:, 0]))
        if not beams:
            best = torch.stack([out.scores[n][0] for n in range(length)]).topk(2).values
            margin = float((best[:, 0] - best[:, 1]).min())
            top = logits.log_softmax(-1).topk(5)
    record = {"options": options, "token_ids": answers, "logprobs": logprobs}
    if beams:
        record["scores"] = numbers(out.sequences_scores)
    else:
        record["top_ids"], record["top_logprobs"] = top.indices.tolist(), [numbers(row) for row in top.values]
    return record, margin


@torch.no_grad()
def answer_cases(model, inputs):
    rows = []
    for row, mask in enumerate(inputs["attention_mask"].bool()):
        one = {k: v[row:row + 1, mask] for k, v in inputs.items() if v.dim() == 2}
        one["pixel_values"] = inputs["pixel_values"][row:row + 1]
        plain, _ = run(model, one, {})
        answer = (plain["token_ids"][0] + [33, 34, 35])[:max(3, len(plain["token_ids"][0]))]
        runs = []
        for options in [{}] + greedy_runs(answer) + beam_runs(answer):
            record, margin = run(model, one, options)
            if margin > 0.002:  # No near-tie at any step.
                runs.append(record)
        rows.append(runs)
    return {"max_new_tokens": NEW_TOKENS, "rows": rows}


def main():
    torch.set_num_threads(1)
    for name in ("pg1", "pg2"):
        model = PaliGemmaForConditionalGeneration.from_pretrained(MODELS / name, dtype=torch.float32,
                                                                  attn_implementation="eager").eval()
        for case in ("generate", "generate_pad", "generate_eos"):
            cases = answer_cases(model, load_file(MODELS / name / f"{case}.inputs.safetensors"))
            write(MODELS / name / f"{case}.options.json", cases)
            print(name, case, *[len(runs) for runs in cases["rows"]])
    write(DATA / "generation" / "scores.json", score_cases(model))
    write(DATA / "generation" / "stop_strings.json", stop_cases())
    write(DATA / "generation" / "stop_answers.json", stop_answers())


if __name__ == "__main__":
    main()
