# SPDX-License-Identifier: BSD-2-Clause
"""What decoding costs in accuracy: kernels that take tokens one by one round the inputs of quantized matrices, and may do
so only while the error stays below that of PyTorch's bfloat16 run of the same quantized weights.

    python compare_quantized_decode.py PALIGEMMA SCRATCH [--only NAME …] [--pictures 10]

Needs tests/oracle/requirements-quantized.txt. Rows are run as decoding runs them: `PALIGEMMA forward --save-cache` on the
prefix, then one process for each further token with `--load-cache`, in float32, the head as the checkpoint has it. Their
logits are compared with those of the dequantized weights in float32 in one pass:

* tests/data/quantized: the case `split`; expected logits and the error of PyTorch in bfloat16 (of the whole row) are
  those of the fixtures;
* the demonstration model as `PALIGEMMA quantize` writes it: prompts and answers of compare_quantized.py; Transformers
  opens the same directory, in float32 and in bfloat16.

The root of the mean square (rms) must be below bfloat16's. Where the scheme rounds inputs to int8, any two orders of
summation can round an input to either of two neighbours, and everything behind it moves: "other sums" is what PyTorch
in float32 differs from itself by with "eager" for "sdpa" attention.
"""
import argparse
import json
import pathlib
import shutil

import torch
import transformers
from safetensors.torch import load_file, save_file

import compare_quantized as demonstration

FIXTURES = demonstration.HERE.parent / "data" / "quantized"
SCHEMES = {"int8_weight_only": "--scheme int8_weight_only", "int4 g128": "--scheme int4_weight_only",
           "int4 g32": "--scheme int4_weight_only --group-size 32", "int8_dynamic": "--scheme int8_dynamic"}
FLAGS = ["--dtype", "float32", "--threads", "1", "--no-int8-head"]


class Decoder:
    def __init__(self, command, scratch):
        self.command, self.scratch = command, scratch

    def step(self, directory, inputs, *cache):
        """Logits of one process over these tensors."""
        given, out = self.scratch / "step.inputs.safetensors", self.scratch / "step.logits.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in inputs.items()}, given)
        demonstration.run(self.command, "forward", "-m", directory, "--inputs", given, "-o", out, *FLAGS, *cache)
        return load_file(out)["logits"]

    def logits(self, directory, inputs):
        """[tokens, vocabulary] of the tokens behind the prefix of a batch of one row."""
        prefix = int((inputs["token_type_ids"] == 0).sum())
        length, cache = inputs["input_ids"].shape[1], self.scratch / "step.cache"
        first = {name: tensor if name == "pixel_values" else tensor[:, :prefix] for name, tensor in inputs.items()}
        self.step(directory, first, "--save-cache", cache)
        rows = []
        for at in range(prefix, length):
            one = {name: inputs[name][:, at:at + 1] for name in ("input_ids", "token_type_ids")}
            one["attention_mask"] = inputs["attention_mask"][:, :at + 1]
            rows.append(self.step(directory, one, "--load-cache", cache, "--save-cache", cache)[0])
        return torch.cat(rows)


def error(got, expected):
    difference = (got.double() - expected.double()).abs()
    return {"max_abs": difference.max().item(), "rms": difference.square().mean().sqrt().item()}


def fixture(decoder, name):
    folder = FIXTURES / name
    inputs = load_file(folder / "split.inputs.safetensors")
    behind = inputs["token_type_ids"][0] == 1
    expected = load_file(folder / "split.expected.safetensors")["logits"][0, behind]
    return {"tokens": len(expected), "ours": error(decoder.logits(folder, inputs), expected),
            "bfloat16": json.loads((folder / "split.bf16.json").read_text())}


def open_with_transformers(directory, dtype, attention="sdpa"):
    return transformers.PaliGemmaForConditionalGeneration.from_pretrained(directory, dtype=dtype,
                                                                          attn_implementation=attention).eval()


@torch.no_grad()
def one_pass(model, inputs):
    pixels = inputs["pixel_values"].to(model.dtype)
    logits = model(**{**inputs, "pixel_values": pixels}, use_cache=False).logits.float()
    return logits[inputs["token_type_ids"] == 1]


def demonstration_rows(pictures):
    model, processor = demonstration.evaluate.load(demonstration.TINY / "model")
    for asked in demonstration.questions(pictures):
        answer = demonstration.evaluate.generate(model, processor, [asked[1]], [asked[3]])
        yield demonstration.with_answers(processor, [asked], answer)


def scheme(decoder, name, pictures):
    directory = decoder.scratch / "checkpoint"
    shutil.rmtree(directory, ignore_errors=True)
    demonstration.run(decoder.command, "quantize", demonstration.TINY / "model", directory, *SCHEMES[name].split())
    plain, half = (open_with_transformers(directory, dtype) for dtype in (torch.float32, torch.bfloat16))
    eager = open_with_transformers(directory, torch.float32, "eager")
    found = {"expected": [], "ours": [], "bfloat16": [], "other sums": []}
    for inputs in demonstration_rows(pictures):
        for who, model in (("expected", plain), ("bfloat16", half), ("other sums", eager)):
            found[who].append(one_pass(model, inputs))
        found["ours"].append(decoder.logits(directory, inputs))
    expected = torch.cat(found.pop("expected"))
    return {"tokens": len(expected), **{who: error(torch.cat(rows), expected) for who, rows in found.items()}}


def main():
    names = [path.name for path in sorted(FIXTURES.iterdir()) if path.is_dir()] + list(SCHEMES)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paligemma")
    parser.add_argument("scratch", type=pathlib.Path)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--pictures", type=int, default=10)
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    options.scratch.mkdir(parents=True, exist_ok=True)
    decoder = Decoder(options.paligemma, options.scratch)
    columns = [(who, kind) for who in ("ours", "bfloat16", "other sums") for kind in ("max_abs", "rms")]
    print("| | tokens | " + " | ".join(f"{who}, {kind}" for who, kind in columns) + " |\n" + "|---" * 8 + "|")
    above = []
    for name in options.only:
        found = scheme(decoder, name, options.pictures) if name in SCHEMES else fixture(decoder, name)
        cells = [f"{found[who][kind]:.1e}" if who in found else "" for who, kind in columns]
        print(f"| {name} | {found['tokens']} | " + " | ".join(cells) + " |", flush=True)
        above += [name] if found["ours"]["rms"] >= found["bfloat16"]["rms"] else []
    raise SystemExit(f"not below PyTorch's bfloat16: {', '.join(above)}" if above else 0)


if __name__ == "__main__":
    main()
