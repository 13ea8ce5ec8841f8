# SPDX-License-Identifier: BSD-2-Clause
"""Single decoder blocks of a large checkpoint, quantized by this library and by torchao: relative errors of the weights,
of each matrix's outputs and of the block's.

    python compare_quantized_layers.py PALIGEMMA CHECKPOINT_DIR SCRATCH [--layers 0 9 17] [--only ROW …] [--decode]

Needs tests/oracle/requirements-quantized.txt, 4 GB of memory and 1.5 GB of disk. A block is cut out of the checkpoint
(make_random_checkpoint.py's, or any in bfloat16 with the names of the published PaliGemma 1) and stands twice in one of
its own, as the last block's output is only seen after a norm; the embedding keeps 512 rows, the tower one block. Inputs
are TOKENS rows of normal values in which one column of a hundred is 20 times as large. Every error is a quotient of
Euclidean norms, against PyTorch in float32.

Ours: the weights are read from what `PALIGEMMA quantize` wrote; a matrix's outputs are computed from them in PyTorch,
inputs rounded to int8 where the scheme says so; the block's come from `PALIGEMMA forward`. torchao's are its own layers
in PyTorch, all in float32. With --decode, "last rows" is the block's output for the last 8 tokens when they are run one after another
behind the others, as decoding does, against PyTorch with the file's dequantized weights in one pass, and beside that
what PyTorch makes of these weights in bfloat16.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import torchao_schemes

TOKENS, ONE_BY_ONE, VOCABULARY = 64, 8, 512
MATRICES = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj",
            "mlp.up_proj", "mlp.down_proj"]
INT4 = "--scheme int4_weight_only --group-size"
OURS = {"int8_weight_only": "--scheme int8_weight_only", "int8_dynamic": "--scheme int8_dynamic",
        "int4 g128": f"{INT4} 128", "int4 g32": f"{INT4} 32", "int4 g128, zero points": f"{INT4} 128 --zero-points",
        "int4 g32, zero points": f"{INT4} 32 --zero-points"}


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[-2000:]}")


def cut(source, layer, directory):
    """A checkpoint of one block, twice, and little else."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config = json.loads((source / "config.json").read_text())
    config.update(vocab_size=VOCABULARY, image_token_index=VOCABULARY - 1)
    config["text_config"].update(num_hidden_layers=2, vocab_size=VOCABULARY)
    config["vision_config"].update(num_hidden_layers=1)
    (directory / "config.json").write_text(json.dumps(config))
    blocks, tower = "language_model.model.layers.", "vision_tower.vision_model.encoder.layers."
    tensors = {}
    for path in sorted(source.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                if name.startswith(f"{blocks}{layer}."):
                    for place in "01":
                        tensors[name.replace(f"{blocks}{layer}.", f"{blocks}{place}.")] = file.get_tensor(name).clone()
                elif name.endswith("embed_tokens.weight"):
                    tensors[name] = file.get_slice(name)[:VOCABULARY].clone()
                elif not name.startswith((blocks, tower)) or name.startswith(tower + "0."):
                    tensors[name] = file.get_tensor(name)
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})


def rows_with_outliers(width, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(TOKENS, width, generator=generator)
    return x * torch.where(torch.rand(width, generator=generator) < 0.01, 20.0, 1.0)


def relative(got, expected):
    return ((got - expected).norm() / expected.norm()).item()


def root_mean(errors):
    return (sum(error * error for error in errors) / len(errors)) ** 0.5


@torch.no_grad()
def block_output(model, x):
    """hidden_states.1, all tokens seeing each other."""
    ones = torch.ones(1, len(x), dtype=torch.int64)
    return model(inputs_embeds=x[None].to(model.dtype), attention_mask=ones, token_type_ids=0 * ones, use_cache=False,
                 output_hidden_states=True, logits_to_keep=1).hidden_states[1][0].float()


@torch.no_grad()
def last_rows(model, x):
    """The same with the last ONE_BY_ONE tokens generated: each sees only what is before it."""
    ones = torch.ones(1, len(x), dtype=torch.int64)
    types = (torch.arange(len(x)) >= len(x) - ONE_BY_ONE).long()[None]
    return model(inputs_embeds=x[None].to(model.dtype), attention_mask=ones, token_type_ids=types, use_cache=False,
                 output_hidden_states=True, logits_to_keep=1).hidden_states[1][0, -ONE_BY_ONE:].float()


def unpack(words, bits, count):
    """Integers of rows of 32-bit words, the first in the lowest bits."""
    fields = [(words >> (bits * i)) & (2**bits - 1) for i in range(32 // bits)]
    return torch.stack(fields, -1).flatten(1)[:, :count].float() - 2 ** (bits - 1)


def stored_weight(tensors, name):
    """scale · (q - zero point) of a matrix of the file, in float32."""
    scale = tensors[name + ".weight_scale"].float()
    if name + ".weight" in tensors:
        return scale * tensors[name + ".weight"].float()
    n_out, n_in = tensors[name + ".weight_shape"].tolist()
    words = tensors[name + ".weight_packed"]
    bits = 32 * words.shape[1] // n_in
    q = unpack(words, bits, n_in).unflatten(1, (scale.shape[1], -1))
    if name + ".weight_zero_point" in tensors:
        q = q - unpack(tensors[name + ".weight_zero_point"].T.contiguous(), bits, n_out).T[..., None]
    return (q * scale[..., None]).flatten(1)


def rounded_to_int8(x):
    """Rows as the dynamic scheme has them: 127.5 steps to the largest value."""
    scale = x.abs().amax(-1, keepdim=True) / 127.5
    return torch.round(x / scale).clamp(-128, 127) * scale


class Ours:
    def __init__(self, options, scheme, source):
        self.options, self.scheme, self.directory = options, scheme, options.scratch / "quantized"
        shutil.rmtree(self.directory, ignore_errors=True)
        run(options.paligemma, "quantize", source, self.directory, *OURS[scheme].split(), "--threads", "1")
        self.tensors = load_file(self.directory / "model.safetensors")

    def weight(self, matrix, _):
        return stored_weight(self.tensors, "language_model.model.layers.0." + matrix)

    def product(self, matrix, weight, x):
        return (rounded_to_int8(x) if self.scheme == "int8_dynamic" else x) @ weight.T

    def forward(self, x, types, *cache):
        given, out = self.options.scratch / "in.safetensors", self.options.scratch / "out.safetensors"
        mask = torch.ones(1, self.seen, dtype=torch.int64)
        save_file({"inputs_embeds": x[None].contiguous(), "token_type_ids": types[None].contiguous(),
                   "attention_mask": mask}, given)
        run(self.options.paligemma, "forward", "-m", self.directory, "--inputs", given, "-o", out, "--dtype", "float32",
            "--threads", "1", "--no-int8-head", "--output-hidden-states", *cache)
        return load_file(out)["hidden_states.1"][0]

    def block(self, x):
        self.seen = len(x)
        return self.forward(x, torch.zeros(len(x), dtype=torch.int64))

    def decoded(self, x):
        """The last rows, one after another."""
        self.seen, cache = len(x) - ONE_BY_ONE, self.options.scratch / "cache"
        self.forward(x[:self.seen], torch.zeros(self.seen, dtype=torch.int64), "--save-cache", cache)
        rows = []
        for row in x[self.seen:]:
            self.seen += 1
            rows.append(self.forward(row[None], torch.ones(1, dtype=torch.int64), "--load-cache", cache, "--save-cache",
                                     cache))
        return torch.cat(rows)


class Torchao:
    def __init__(self, scheme, model):
        """Rounds the model's first block."""
        self.model, self.block_of_layers = model, model.model.language_model.layers[0]
        torchao_schemes.quantize(self.block_of_layers, scheme)

    def weight(self, matrix, original):
        return torchao_schemes.weight_of(self.block_of_layers.get_submodule(matrix), original)

    @torch.no_grad()
    def product(self, matrix, _, x):
        return self.block_of_layers.get_submodule(matrix)(x)

    def block(self, x):
        return block_output(self.model, x)


def open_plain(directory, dtype=torch.float32):
    return transformers.PaliGemmaForConditionalGeneration.from_pretrained(directory, dtype=dtype).eval()


def put_weights(model, weights):
    for matrix, weight in weights.items():
        model.model.language_model.layers[0].get_submodule(matrix).weight.data = weight.to(model.dtype)


@torch.no_grad()
def measure(subject, original, x, expected):
    """Errors of one block: all weights together, each matrix's outputs, and the block's, with and without what came in."""
    outputs, difference, size, weights = {}, 0.0, 0.0, {}
    for number, (matrix, weight) in enumerate(original.items()):
        weights[matrix] = subject.weight(matrix, weight)
        difference += (weights[matrix] - weight).square().sum().item()
        size += weight.square().sum().item()
        inputs = rows_with_outliers(weight.shape[1], number)
        outputs[matrix] = relative(subject.product(matrix, weights[matrix], inputs), inputs @ weight.T)
    got = subject.block(x)
    return {"weights": (difference / size) ** 0.5, **outputs, "block": relative(got, expected),
            "added": relative(got - x, expected - x)}, weights


def decoding(subject, weights, directory, x):
    """Ours token by token, and PyTorch in bfloat16, against the same weights in float32."""
    plain = open_plain(directory)
    put_weights(plain, weights)
    expected = last_rows(plain, x)
    half = last_rows(plain.to(torch.bfloat16), x)
    return {"last rows": relative(subject.decoded(x), expected), "last rows, bfloat16": relative(half, expected)}


def measure_layer(options, layer, rows):
    directory = options.scratch / "block"
    cut(options.checkpoint, layer, directory)
    model = open_plain(directory)
    original = {matrix: model.model.language_model.layers[0].get_submodule(matrix).weight.detach()
                for matrix in MATRICES}
    x = rows_with_outliers(model.config.text_config.hidden_size, 100 + layer)
    expected = block_output(model, x)
    del model
    for row in rows:
        who, scheme = row.split(", ", 1)
        subject = Ours(options, scheme, directory) if who == "ours" else Torchao(scheme, open_plain(directory))
        found, weights = measure(subject, original, x, expected)
        if options.decode and who == "ours" and scheme != "int8_dynamic":
            found.update(decoding(subject, weights, directory, x))
        with open(options.scratch / "layers.jsonl", "a") as file:
            print(json.dumps({"row": row, "layer": layer, **found}), file=file)
        print(layer, row, {name: f"{value:.2e}" for name, value in found.items()}, flush=True)


def print_table(path):
    """The layers of each row in one: the root of the mean square."""
    found = {}
    for line in path.read_text().splitlines():
        result = json.loads(line)
        found.setdefault(result.pop("row"), {})[result.pop("layer")] = result
    titles = ["weights", *MATRICES, "block", "added", "last rows", "last rows, bfloat16"]
    print("| | layers | " + " | ".join(title.split(".")[-1] for title in titles) + " |\n" + "|---" * (2 + len(titles)) + "|")
    for row, layers in found.items():
        cells = [f"{root_mean([layer[title] for layer in layers.values()]):.2e}"
                 if all(title in layer for layer in layers.values()) else "" for title in titles]
        print(f"| {row} | {len(layers)} | " + " | ".join(cells) + " |")


def main():
    rows = [f"ours, {scheme}" for scheme in OURS] + [f"torchao, {scheme}" for scheme in torchao_schemes.SCHEMES]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paligemma")
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("scratch", type=pathlib.Path)
    parser.add_argument("--layers", type=int, nargs="*", default=[0, 9, 17])
    parser.add_argument("--only", nargs="+", choices=rows, default=rows)
    parser.add_argument("--decode", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    options.scratch.mkdir(parents=True, exist_ok=True)
    for layer in options.layers:
        measure_layer(options, layer, options.only)
    print_table(options.scratch / "layers.jsonl")


if __name__ == "__main__":
    main()
