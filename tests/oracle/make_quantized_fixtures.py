# SPDX-License-Identifier: BSD-2-Clause
"""Write tests/data/quantized/NAME: checkpoints as compressed-tensors saves them, and what they compute.

    python make_quantized_fixtures.py [--only NAME …] [OUT_DIR]

Needs requirements-quantized.txt. The package's own functions find the scales (of the largest weight), round, pack and
write; Transformers opens the result, and its outputs in float32 are the expected ones.
"""
import argparse
import json
import pathlib
import shutil
import tempfile
import zlib

import compressed_tensors
import numpy as np
import torch
import transformers
from compressed_tensors.compressors import BaseCompressor, ModelCompressor
from compressed_tensors.compressors.format import infer_module_format
from compressed_tensors.quantization import (QuantizationArgs, QuantizationConfig, QuantizationScheme,
                                             QuantizationStatus, apply_quantization_config)
from compressed_tensors.quantization.utils import calculate_qparams, is_module_quantized
from safetensors.torch import load_file, save_file
from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration

import fixture_cases
import oracle_runs
from fixture_models import (gemma2, paligemma2_config, paligemma_config, random_weights, style_name, text_config,
                            vision_config, write_json)

# Tokens of an answer, and the least distance between the best and the second logit of every step. Where inputs are
# rounded, one that falls to the other of two neighbours moves all logits after it: there choices must be clearer.
ANSWER, ANSWER_INT8_INPUTS = (8, 0.01), (4, 0.03)
UNQUANTIZED = ["re:.*vision_tower.*", "re:.*multi_modal_projector.*", "lm_head"]
TOKEN = QuantizationArgs(num_bits=8, type="int", symmetric=True, strategy="token", dynamic=True)


def weights(bits, group=None, symmetric=True):
    return QuantizationArgs(num_bits=bits, type="int", symmetric=symmetric, strategy="group" if group else "channel",
                            group_size=group)


def scheme(args, targets=("Linear",), inputs=None):
    return QuantizationScheme(targets=list(targets), weights=args, input_activations=inputs)


def gemma(vision, mlp=256, **top):
    return paligemma_config(text_config(128, mlp, 2, 4, 1, model_type="gemma", head_dim=32), vision, "float32", top)


def gemma_2(vision):
    return paligemma2_config(text_config(128, 128, 2, 4, 2, **gemma2(24, 5.0, 12.0, 6, 32)), vision, "float32")


TOWER = vision_config(32, 2, 48, 1, 28)
ODD_TOWER = vision_config(36, 3, 53, 2, 28)  # Rows of 36 and 53: neither fills whole 32-bit words.

# name: configuration, dtype of what is not quantized and of the scales, config_groups, what is ignored, names ("saved":
# as save_pretrained writes them; else a style of fixture_models), seed, and whether the outputs are also compared with
# those of the file opened by Transformers. 5.23 waits for zero points that are not packed, and fails to initialize the
# modules of a packed tower; a tower in plain int8 was not tried.
MODELS = {
    "pg1-int4-g32": dict(config=gemma(TOWER), dtype="bfloat16", names="saved", ignore=UNQUANTIZED, seed=301,
                         opens=True, lists_ignored=True, groups={"group_0": scheme(weights(4, 32))}),
    "pg2-int4-g64": dict(config=gemma_2(TOWER), dtype="float16", names="A", ignore=UNQUANTIZED, seed=302, opens=True,
                         groups={"group_0": scheme(weights(4, 64))}),
    "pg2-int4-zero-points": dict(config=gemma_2(TOWER), dtype="bfloat16", names="saved", ignore=UNQUANTIZED, seed=316,
                                 opens=False, groups={"group_0": scheme(weights(4, 32, symmetric=False))}),
    "pg1-int8": dict(config=gemma(TOWER), dtype="bfloat16", names="A", ignore=UNQUANTIZED, seed=304, opens=True,
                     groups={"group_0": scheme(weights(8))}),
    "pg2-w8a8": dict(config=gemma_2(TOWER), dtype="bfloat16", names="saved", ignore=UNQUANTIZED, seed=305, opens=True,
                     groups={"group_0": scheme(weights(8), inputs=TOKEN)}),
    # Every matrix: int4 with groups of 128 in the decoder, int4 with a scale for each output in the tower, int8 in the
    # projector and in a head of its own.
    "pg1-all": dict(config=gemma(ODD_TOWER, tie_word_embeddings=False), dtype="bfloat16", names="D", ignore=[],
                    seed=306, opens=False, groups={
                        "group_0": scheme(weights(4, 128), ["re:.*language_model.*_proj$"]),
                        "group_1": scheme(weights(4), ["re:.*vision_tower.*(_proj|fc1|fc2)$"]),
                        "group_2": scheme(weights(8), ["lm_head", "re:.*multi_modal_projector.*"])}),
    "pg1-w8a8-vision": dict(config=gemma(ODD_TOWER, mlp=128), dtype="float32", names="saved", seed=307, opens=False,
                            ignore=["lm_head", "re:.*multi_modal_projector.*"],
                            groups={"group_0": scheme(weights(8), inputs=TOKEN)}),
}


def rounds_inputs(spec):
    return any(group.input_activations for group in spec["groups"].values())


def float_model(spec, directory):
    """A random model in the file's dtype, opened from files: only such a model knows the names it is saved under."""
    config = PaliGemmaConfig.from_dict(spec["config"])
    model = PaliGemmaForConditionalGeneration._from_config(config, dtype=torch.float32)
    model.tie_weights()
    random_weights(model, spec["seed"], spec["dtype"])
    model.tie_weights()
    model.to(getattr(torch, spec["dtype"])).save_pretrained(directory)
    return PaliGemmaForConditionalGeneration.from_pretrained(directory, dtype=getattr(torch, spec["dtype"])).eval()


def find_scales(module):
    """Scales and zero points of the smallest and the largest weight of every group, as a min-max observer has them."""
    args, w = module.quantization_scheme.weights, module.weight.data
    groups = w.unflatten(-1, (-1, args.group_size or w.shape[-1]))
    scales, zero_points = calculate_qparams(groups.amin(-1), groups.amax(-1), args)
    assert module.weight_scale.shape == scales.shape
    module.weight_scale.data.copy_(scales)
    module.weight_zero_point.data.copy_(zero_points)


def write_checkpoint(spec, directory):
    """What llm-compressor does after it has found the scales: compress, save_pretrained, update_config. The latter lists
    the modules that are ignored by their names in the file; Transformers 5.23 looks for the names in memory and cannot
    open such a checkpoint. The expressions serve both; the list is returned."""
    with tempfile.TemporaryDirectory() as scratch:
        model = float_model(spec, scratch)
        apply_quantization_config(model, QuantizationConfig(config_groups=spec["groups"], ignore=spec["ignore"]),
                                  show_progress=False)
        for module in model.modules():
            if is_module_quantized(module):
                find_scales(module)
                module.quantization_status = QuantizationStatus.FROZEN
        compressor = ModelCompressor.from_pretrained_model(model)
        compressor.compress_model(model)
        model.save_pretrained(directory)
        compressor.update_config(directory)
    (directory / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((directory / "config.json").read_text())
    listed = config["quantization_config"]["ignore"]
    config["quantization_config"]["ignore"] = spec["ignore"]
    spec["names_in_file"] = rename(directory / "model.safetensors", spec["names"])
    if spec["names"] != "saved":
        config = {**spec["config"], "torch_dtype": spec["dtype"], "quantization_config": config["quantization_config"]}
    write_json(directory / "config.json", config)
    return listed


def in_memory(name):
    """The name in memory of a tensor in style C, as save_pretrained writes."""
    name = name.replace("language_model.model.", "language_model.").replace("language_model.lm_head.", "lm_head.")
    return name if name.startswith("lm_head.") else "model." + name


def rename(path, style):
    """From style C, as save_pretrained writes, to another; for each name in the file, the one in memory."""
    tensors = load_file(path)
    if style == "saved":
        return {name: in_memory(name) for name in tensors}
    names = {style_name(in_memory(name), style): name for name in tensors}
    save_file({name: tensors[old] for name, old in names.items()}, path, metadata={"format": "pt"})
    return {name: in_memory(old) for name, old in names.items()}


def load(directory, dtype):
    return PaliGemmaForConditionalGeneration.from_pretrained(directory, dtype=dtype, attn_implementation="eager").eval()


def stored_tensors(directory, spec):
    """The file's tensors under their names in memory."""
    tensors = load_file(directory / "model.safetensors")
    return {spec["names_in_file"][name]: t for name, t in tensors.items()}


def dequantized(directory, spec, dtype):
    """The model with ordinary weights scale·(q - zero_point), by the package's own decompress, and with inputs rounded,
    by its own forward, where the scheme says so. Scales are turned to float32 first, as from_pretrained turns them."""
    model = PaliGemmaForConditionalGeneration._from_config(PaliGemmaConfig.from_dict(spec["config"]),
                                                           attn_implementation="eager", dtype=torch.float32).eval()
    model.tie_weights()
    apply_quantization_config(model, QuantizationConfig(config_groups=spec["groups"], ignore=spec["ignore"]),
                              show_progress=False)
    tensors = stored_tensors(directory, spec)
    for name, module in model.named_modules():
        if is_module_quantized(module):
            scheme = module.quantization_scheme
            part = {key: t.float() if key == "weight_scale" else t for key, t in part_of(tensors, name).items()}
            compressor = BaseCompressor.get_value_from_registry(infer_module_format(type(module), scheme).value)
            module.weight.data = compressor.decompress(part, scheme)["weight"]
            module.quantization_status = QuantizationStatus.DECOMPRESSED
            assert np.array_equal(read_weight(part, scheme.weights.num_bits), module.weight.detach().numpy()), name
            tensors = {key: t for key, t in tensors.items() if not key.startswith(name + ".weight")}
    parameters = dict(model.named_parameters())
    for name, tensor in tensors.items():
        assert parameters[name].shape == tensor.shape
        parameters[name].data = tensor.float()
    model.tie_weights()
    return model.to(dtype)


def part_of(tensors, module):
    return {key.removeprefix(module + "."): t for key, t in tensors.items() if key.startswith(module + ".weight")}


def read_weight(part, bits):
    """W[j, k] = scale[j, ⌊k / group⌋] · (q[j, k] - zero_point[j, ⌊k / group⌋]), from the stored tensors alone."""
    scale = part["weight_scale"].float().numpy()
    if "weight" in part:
        return scale * part["weight"].float().numpy()
    n_out, n_in = part["weight_shape"].tolist()

    def unpack(words, count):  # [rows, words] → [rows, count]: fields of `bits` bits from the lowest up, less 2^(bits-1)
        fields = (words.astype(np.uint32)[:, :, None] >> np.arange(0, 32, bits, dtype=np.uint32)) & (2**bits - 1)
        return fields.reshape(len(words), -1)[:, :count].astype(np.float32) - 2**(bits - 1)

    q = unpack(part["weight_packed"].numpy(), n_in)
    group = -(-n_in // scale.shape[1])
    if "weight_zero_point" in part:  # Packed along the outputs.
        zero = unpack(np.ascontiguousarray(part["weight_zero_point"].numpy().T), n_out).T
        q = q - np.repeat(zero, group, 1)[:, :n_in]
    return q * np.repeat(scale, group, 1)[:, :n_in]


@torch.no_grad()
def rounding_noise(model, inputs, expected, runs=16):
    """How far the logits move where inputs are rounded to int8, if what is rounded moves by some float32 steps.

    An input that lies between two integers then goes to either. The largest of a row always does if it is negative:
    its scale makes it -127.5 but for a step of float32, which goes to -128 or to -127. Another order of summation is
    such a move: no implementation comes nearer than this, PyTorch's on another processor neither.
    """
    def move(module, args):
        return (args[0] * (1 + (2 * torch.rand(args[0].shape, generator=noise) - 1) * 2**-20), *args[1:])

    noise, errors = torch.Generator().manual_seed(1), []
    rounding = [m for m in model.modules() if is_module_quantized(m) and m.quantization_scheme.input_activations]
    hooks = [module.register_forward_pre_hook(move) for module in rounding]
    for _ in range(runs):
        errors.append((oracle_runs.forward(model, inputs)["logits"] - expected["logits"]).double())
    for hook in hooks:
        hook.remove()
    return {"max_abs": max(error.abs().max().item() for error in errors),
            "rms": max(error.square().mean().sqrt().item() for error in errors)}


def forward_case(model, half, spec, name, directory):
    make = fixture_cases.FORWARD[name][0]
    inputs = make(fixture_cases.Maker(spec["config"], [spec["seed"], zlib.crc32(name.encode())]))
    inputs.pop("labels", None)
    expected = oracle_runs.forward(model, inputs, hidden_states=name == "basic")
    error = oracle_runs.bfloat16_error(half, inputs, None, expected)
    save_file(inputs, directory / f"{name}.inputs.safetensors")
    save_file(expected, directory / f"{name}.expected.safetensors")
    write_json(directory / f"{name}.bf16.json", error)
    if rounds_inputs(spec):
        write_json(directory / f"{name}.noise.json", rounding_noise(model, inputs, expected))
    return expected, error


def generate_case(model, spec, directory, new_tokens, min_margin):
    """Draw prompts until the greedy choices are clear and by cache and by whole passes the same."""
    for attempt in range(2000):
        maker = fixture_cases.Maker(spec["config"], [spec["seed"], zlib.crc32(b"generate"), attempt])
        inputs = fixture_cases.prompts(maker, [5])
        answers, margin = oracle_runs.slow_greedy(model, inputs, new_tokens, min_margin)
        if margin < min_margin or len(answers[0]) < new_tokens or len(set(answers[0])) < min(4, new_tokens - 1):
            continue
        if oracle_runs.generate(model, inputs, new_tokens) != answers:
            continue
        save_file(inputs, directory / "generate.inputs.safetensors")
        write_json(directory / "generate.generate.json", {
            "max_new_tokens": new_tokens, "margin": margin, "input_ids": inputs["input_ids"].tolist(),
            "token_ids": answers})
        return attempt, margin
    raise SystemExit("no prompt found")


def write(name, directory):
    spec = MODELS[name]
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    listed = write_checkpoint(spec, directory)
    model, half = dequantized(directory, spec, torch.float32), dequantized(directory, spec, torch.bfloat16)
    expected, error = forward_case(model, half, spec, "basic", directory)
    forward_case(model, half, spec, "split", directory)
    # Opened the ordinary way, the package decompresses at the first pass: the same outputs.
    if spec["opens"]:
        inputs = load_file(directory / "basic.inputs.safetensors")
        assert torch.equal(oracle_runs.forward(load(directory, torch.float32), inputs)["logits"], expected["logits"])
    attempt, margin = generate_case(model, spec, directory, *(ANSWER_INT8_INPUTS if rounds_inputs(spec) else ANSWER))
    if spec.get("lists_ignored"):
        path = directory / "config.json"
        config = json.loads(path.read_text())
        config["quantization_config"]["ignore"] = listed
        write_json(path, config)
    for path in directory.iterdir():
        path.chmod(0o644)
    size = sum(path.stat().st_size for path in directory.iterdir())
    print(f"{name}: logits std {expected['logits'].std():.2f}, bfloat16 max {error['max_abs']:.3f} "
          f"rms {error['rms']:.4f}; answer: attempt {attempt}, margin {margin:.3f}; {size / 1024:.0f} KiB")


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("out", nargs="?", type=pathlib.Path, default=here.parent / "data" / "quantized")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    print("torch", torch.__version__, "transformers", transformers.__version__,
          "compressed-tensors", compressed_tensors.__version__)
    for name in options.only:
        write(name, options.out / name)


if __name__ == "__main__":
    main()
