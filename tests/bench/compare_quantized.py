# SPDX-License-Identifier: BSD-2-Clause
"""The demonstration model quantized by this library and by torchao: how far the logits move, and what becomes of the
answers. docs/quantization.md, "Quality", shows the tables.

    python compare_quantized.py PALIGEMMA SCRATCH [--only ROW …] [--forced 200] [--pictures 500]

Needs tests/oracle/requirements-quantized.txt. The questions are those of examples/tiny/evaluate.py. Logits are compared
at the tokens of the answers that Transformers gives in float32, prompt and answer in one pass, over the first --forced
pictures: the Kullback-Leibler divergence of the next token's probabilities from Transformers' in float32, and how often
the likeliest token is the same. The scores are of answers that each makes itself, over --pictures pictures. Ours are
`PALIGEMMA forward` and `PALIGEMMA batch` on what `PALIGEMMA quantize` wrote, in float32; torchao's are Transformers' in
float32, with the very numbers of its int4 weights as ordinary matrices and with its own layers in int8.

What was measured is kept in SCRATCH/results.jsonl: a run can be cut into pieces with --only, and the table is made of all
that is there.
"""
import argparse
import collections
import json
import pathlib
import random
import shutil
import subprocess
import sys

import torch
import torchao
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

import torchao_schemes

HERE = pathlib.Path(__file__).resolve().parent
TINY = HERE.parent.parent / "examples" / "tiny"
sys.path.insert(0, str(TINY))
import evaluate  # noqa: E402
import shapes  # noqa: E402

ROWS_IN_A_PASS, NEW_TOKENS = 64, 40

# Row of the table: arguments of `paligemma quantize` (None: the checkpoint as it is), and of the commands that run it.
OURS = {
    "ours, not quantized": (None, ""),
    "ours, int8_weight_only": ("--scheme int8_weight_only", "--no-int8-head"),
    "ours, int8_weight_only and head": ("--scheme int8_weight_only", "--int8-head"),
    "ours, int8_dynamic": ("--scheme int8_dynamic", "--no-int8-head"),
    **{f"ours, int4 g{group}{title}": (f"--scheme int4_weight_only --group-size {group}{more}", "--no-int8-head")
       for group in (128, 32)
       for title, more in (("", ""), (", largest value", " --largest-value-scales"), (", zero points", " --zero-points"),
                           (", calibrated", " --calibrate LINES"),
                           (", zero points, calibrated", " --zero-points --calibrate LINES"))},
    "ours, int4 g128 and head": ("--scheme int4_weight_only --group-size 128", "--int8-head"),
}
# The scheme of the decoder, and whether the head is rounded to int8 as well.
TORCHAO = {"torchao, not quantized": (None, False), "torchao, bfloat16": (None, False),
           **{f"torchao, {name}": (name, False) for name in torchao_schemes.SCHEMES},
           "torchao, int8_weight_only and head": ("int8_weight_only", True),
           "torchao, int4 g128, zero points and head": ("int4 g128, zero points", True)}


def questions(pictures):
    """(number of the picture, picture, task, prompt, right answer), as evaluate.score() draws them."""
    rng = random.Random(evaluate.SEED)
    for number in range(pictures):
        scene = shapes.random_scene(rng)
        picture = Image.fromarray(shapes.render(rng, scene)[0])
        for question in shapes.questions(rng, scene, shapes.TASKS):
            yield (number, picture, *question)


def pieces(items, size):
    return [items[i:i + size] for i in range(0, len(items), size)]


def with_answers(processor, asked, answers):
    """Prompts and answers as one batch, padded on the left, and where the logits that answer stand: all but the last token
    of a row predict, from the last of the prompt on."""
    inputs = processor(images=[a[1] for a in asked], text=["<image>" + a[3] for a in asked], padding=True,
                       return_tensors="pt")
    rows = [ids[mask.bool()].tolist() for ids, mask in zip(inputs["input_ids"], inputs["attention_mask"])]
    width = max(len(row) + len(answer) for row, answer in zip(rows, answers))
    ids = torch.full((len(rows), width), processor.tokenizer.pad_token_id)
    mask, types = torch.zeros_like(ids), torch.zeros_like(ids)
    for i, (row, answer) in enumerate(zip(rows, answers)):
        ids[i, width - len(row) - len(answer):] = torch.tensor(row + answer)
        mask[i, width - len(row) - len(answer):] = 1
        types[i, width - len(answer):] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types, "pixel_values": inputs["pixel_values"]}


def predicting(logits, types):
    """[rows, kept, vocabulary], the last kept positions: those that predict an answer's token, one after another."""
    return logits[:, :-1][types[:, -logits.shape[1]:][:, 1:].bool()]


def make_reference(model, processor, forced, scratch):
    """Inputs and Transformers' logits in float32, in files of ROWS_IN_A_PASS rows."""
    folder = scratch / "reference"
    if (folder / "done").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for number, asked in enumerate(pieces(list(questions(forced)), ROWS_IN_A_PASS)):
        answers = evaluate.generate(model, processor, [a[1] for a in asked], [a[3] for a in asked], NEW_TOKENS)
        inputs = with_answers(processor, asked, answers)
        save_file(inputs, folder / f"{number:03}.inputs.safetensors")
        save_file({"logits": torch_logits(model, inputs)}, folder / f"{number:03}.logits.safetensors")
    (folder / "done").touch()
    return folder


def kept(inputs):
    return int(inputs["token_type_ids"].sum(1).max()) + 1


@torch.no_grad()
def torch_logits(model, inputs):
    arguments = {**inputs, "pixel_values": inputs["pixel_values"].to(model.dtype)}
    logits = model(**arguments, logits_to_keep=kept(inputs), use_cache=False).logits
    return predicting(logits.float(), inputs["token_type_ids"]).contiguous()


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    return done.stdout


class Ours:
    def __init__(self, options, row, processor):
        quantize, flags = OURS[row]
        self.command, self.scratch, self.processor = options.paligemma, options.scratch, processor
        self.flags = ["--dtype", "float32", "--threads", "1", *flags.split()]
        self.directory = TINY / "model"
        if quantize:
            self.directory = self.scratch / "checkpoint"
            shutil.rmtree(self.directory, ignore_errors=True)
            words = [str(self.calibration()) if word == "LINES" else word for word in quantize.split()]
            run(self.command, "quantize", TINY / "model", self.directory, *words, "--threads", "1")

    def calibration(self):
        """The lines of docs/quantization.md: questions about other pictures, with the model's own answers."""
        data, path = HERE.parent / "data" / "tiny", self.scratch / "calibration.jsonl"
        with open(path, "w") as file:
            for entry in json.loads((data / "expected.json").read_text()):
                if int(entry["image"][:2]) < 16:
                    print(json.dumps({"image": str(data / entry["image"]), "prompt": entry["prompt"],
                                      "suffix": entry["text"]}), file=file)
        return path

    def logits(self, path):
        inputs, out = load_file(path), self.scratch / "logits.safetensors"
        run(self.command, "forward", "-m", self.directory, "--inputs", path, "-o", out, "--logits-to-keep", kept(inputs),
            *self.flags)
        return predicting(load_file(out)["logits"], inputs["token_type_ids"])

    def answers(self, asked):
        folder = self.scratch / "pictures"
        folder.mkdir(exist_ok=True)
        lines = []
        for number, picture, _, prompt, _ in asked:
            path = folder / f"{number:03}.png"
            if not path.exists():
                picture.save(path)
            lines.append(json.dumps({"image": str(path), "prompt": prompt}))
        (self.scratch / "lines.jsonl").write_text("\n".join(lines) + "\n")
        out = run(self.command, "batch", self.scratch / "lines.jsonl", "-m", self.directory, "--max-new-tokens",
                  NEW_TOKENS, *self.flags)
        return [json.loads(line)["text"] for line in out.splitlines()]


class Torchao:
    def __init__(self, options, row, processor):
        scheme, head = TORCHAO[row]
        self.processor = processor
        self.model = evaluate.load(TINY / "model", torch.bfloat16 if row.endswith("bfloat16") else torch.float32)[0]
        if scheme:
            torchao_schemes.quantize(self.model.model.language_model.layers, scheme)
            torchao_schemes.make_dense(self.model.model.language_model.layers)
        if head:  # A matrix of its own: the embedding stays as it is.
            weight = self.model.lm_head.weight.detach().clone()
            self.model.lm_head.weight = torch.nn.Parameter(weight, requires_grad=False)
            torchao_schemes.quantize(self.model, "int8_weight_only", lambda name: name == "lm_head")

    def logits(self, path):
        return torch_logits(self.model, load_file(path))

    def answers(self, asked):
        texts = []
        for piece in pieces(asked, ROWS_IN_A_PASS):
            rows = evaluate.generate(self.model, self.processor, [a[1] for a in piece], [a[3] for a in piece], NEW_TOKENS)
            texts += [self.processor.tokenizer.decode(row, skip_special_tokens=True) for row in rows]
        return texts


def compare_logits(subject, reference):
    """Means over all tokens of the answers."""
    divergence, same = [], []
    for path in sorted(reference.glob("*.inputs.safetensors")):
        expected = load_file(str(path).replace("inputs", "logits"))["logits"].double()
        got = subject.logits(path).double()
        p, q = expected.log_softmax(-1), got.log_softmax(-1)
        divergence.append((p.exp() * (p - q)).sum(-1))
        same.append(expected.argmax(-1) == got.argmax(-1))
    same = torch.cat(same)
    return {"kl": torch.cat(divergence).mean().item(), "tokens": len(same), "differ": int((~same).sum())}


def score(subject, pictures):
    asked = list(questions(pictures))
    tally = collections.defaultdict(list)
    for (_, _, task, _, answer), text in zip(asked, subject.answers(asked), strict=True):
        evaluate.judge(tally, task, text, answer)
    summary = evaluate.summary(tally)
    return {name: summary[name] for name in ("answers", "boxes")} | {"iou": summary["iou"]["share"]}


def print_table(results):
    print("| | KL divergence | same likeliest token | answers right | boxes, IoU ≥ 0.7 | mean IoU |\n" + "|---" * 6 + "|")
    for row in (row for rows in (OURS, TORCHAO) for row in rows if row in results):
        r = results[row]
        print(f"| {row} | {r['kl']:.2e} | {100 * (1 - r['differ'] / r['tokens']):.2f} % "
              f"| {100 * r['answers']['share']:.2f} % | {100 * r['boxes']['share']:.2f} % | {r['iou']:.4f} |")
    counts = {(r["tokens"], r["answers"]["of"], r["boxes"]["of"]) for r in results.values()}
    print("tokens, answers, boxes:", *counts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paligemma")
    parser.add_argument("scratch", type=pathlib.Path)
    parser.add_argument("--only", nargs="*", choices=[*OURS, *TORCHAO], default=[*OURS, *TORCHAO])
    parser.add_argument("--forced", type=int, default=200)
    parser.add_argument("--pictures", type=int, default=500)
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print("torch", torch.__version__, "torchao", torchao.__version__, "transformers", transformers.__version__)
    options.scratch.mkdir(parents=True, exist_ok=True)
    model, processor = evaluate.load(TINY / "model")
    reference = make_reference(model, processor, options.forced, options.scratch)
    kept_results = options.scratch / "results.jsonl"
    for row in options.only:
        subject = (Ours if row in OURS else Torchao)(options, row, processor)
        result = {"row": row, **compare_logits(subject, reference), **score(subject, options.pictures)}
        print(json.dumps(result), flush=True)
        with open(kept_results, "a") as file:
            print(json.dumps(result), file=file)
    lines = kept_results.read_text().splitlines() if kept_results.exists() else []
    print_table({result["row"]: result for result in map(json.loads, lines)})


if __name__ == "__main__":
    main()
