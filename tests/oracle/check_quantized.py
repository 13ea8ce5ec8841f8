#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What `paligemma quantize` writes, opened by Transformers with the compressed-tensors package.

    check_quantized.py PALIGEMMA DATA SCRATCH

quantizes the fixtures DATA/models/pg1-bf16, pg2 and pg1-lone-head in every scheme, group size, with zero points and in
several parts, and holds what Transformers makes of each file against the file's own numbers: every quantized module has
the weights scale · (q - zero point), every other tensor is the original. With --largest-value-scales the integers are
those that compressed-tensors makes of the same weights. Exit status 77: a package is missing.
"""

import json
import pathlib
import shutil
import struct
import subprocess
import sys

try:
    import compressed_tensors
    import numpy
    import torch
    import transformers
    from compressed_tensors.compressors.base import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationConfig
    from compressed_tensors.quantization.lifecycle.forward import quantize
    from compressed_tensors.quantization.utils import calculate_qparams
    from safetensors.torch import load_file
except ImportError as missing:
    print(f"SKIPPED: the exchange with compressed-tensors needs the package {missing.name}")
    sys.exit(77)

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

PARTS = {"decoder": "language_model.layers.", "vision": "vision_tower.", "projector": "multi_modal_projector.",
         "head": "lm_head."}
RUNS = [
    ("--scheme int8_weight_only", "decoder"),
    ("--scheme int8_weight_only --largest-value-scales", "decoder,vision,projector"),
    ("--scheme int8_dynamic", "decoder"),
    ("--scheme int8_dynamic --largest-value-scales", "decoder,vision,projector"),
    ("--scheme int4_weight_only", "decoder"),
    ("--scheme int4_weight_only --group-size 32", "decoder,vision"),
    ("--scheme int4_weight_only --group-size 64 --zero-points", "decoder"),
    ("--scheme int4_weight_only --group-size 32 --zero-points --largest-value-scales", "decoder,vision,projector"),
    ("--scheme int4_weight_only --group-size 32 --largest-value-scales", "vision"),
]


def load(folder):
    """All tensors, under the names of Transformers 5's modules."""
    tensors = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        if not path.name.startswith("model"):
            continue
        for name, tensor in load_file(path).items():
            name = name.removeprefix("model.")
            name = name.replace("language_model.lm_head.", "lm_head.").replace("language_model.model.",
                                                                               "language_model.")
            name = name.replace("vision_tower.vision_model.", "vision_tower.")
            tensors[name if name.startswith("lm_head.") else "model." + name] = tensor
    return tensors


def unpack(words, bits, count):
    """Values of rows of 32-bit words, the first in the lowest bits."""
    words = words.numpy().view(numpy.uint32)
    values = [(words >> numpy.uint32(bits * i)) & numpy.uint32(2**bits - 1) for i in range(32 // bits)]
    return torch.from_numpy(numpy.stack(values, -1).reshape(words.shape[0], -1)[:, :count].astype(numpy.int32)
                            - 2 ** (bits - 1))


def parts_of(tensors, module):
    """Integers, scales and zero points (in the shape of the scales), and the number of bits."""
    scale = tensors[module + ".weight_scale"]
    if module + ".weight_packed" not in tensors:
        return tensors[module + ".weight"].to(torch.int32), scale, torch.zeros_like(scale), 8
    packed = tensors[module + ".weight_packed"]
    rows, columns = tensors[module + ".weight_shape"].tolist()
    bits = 4 if packed.shape[1] == -(-columns * 4 // 32) else 8
    zero = torch.zeros_like(scale)
    if module + ".weight_zero_point" in tensors:
        zero = unpack(tensors[module + ".weight_zero_point"].T.contiguous(), bits, rows).T
    return unpack(packed, bits, columns), scale, zero, bits


def spread(values, columns):
    return values.float().repeat_interleave(-(-columns // values.shape[1]), dim=1)[:, :columns]


def check_integers(original, q, scale, zero, bits, symmetric):
    """Against compressed-tensors' own, of the weights in float32."""
    group_size = q.shape[1] // scale.shape[1]
    args = QuantizationArgs(num_bits=bits, symmetric=symmetric, strategy="group", group_size=group_size,
                            scale_dtype=scale.dtype)
    groups = original.float().unflatten(1, (-1, group_size))
    scales, zeros = calculate_qparams(groups.amin(-1), groups.amax(-1), args)
    assert torch.equal(scales, scale.float()), "scales"
    assert torch.equal(zeros.float(), zero.float()), "zero points"
    expected = quantize(original.float(), scales, zeros, args, dtype=torch.int8)
    assert torch.equal(expected.to(torch.int32), q), "integers"


def open_whole(target, config):
    """The modules of the model as Transformers opens it, decompressed."""
    model = transformers.PaliGemmaForConditionalGeneration.from_pretrained(target, dtype="auto")
    compressed_tensors.ModelCompressor(config).decompress_model(model)
    return model


def open_parts(source, after, config):
    """The same, each module by the package alone. For zero points: compressed-tensors 0.20 packs them, but
    makes unpacked room for them while Transformers loads, which then finds mismatched sizes."""
    model = transformers.PaliGemmaForConditionalGeneration.from_pretrained(source, dtype="auto")
    compressed_tensors.quantization.apply_quantization_config(model, config)
    for name, module in model.named_modules():
        if not hasattr(module, "quantization_scheme"):
            continue
        state = {key.removeprefix(name + "."): tensor for key, tensor in after.items() if key.startswith(name + ".")}
        state.pop("bias", None)
        scheme = module.quantization_scheme
        weight = BaseCompressor.get_value_from_registry(scheme.format).decompress(state, scheme)["weight"]
        module.weight.data = weight
    return model


def check(source, target, options, parts):
    before, after = load(source), load(target)
    config = QuantizationConfig.model_validate(
        json.loads((pathlib.Path(target) / "config.json").read_text())["quantization_config"])
    model = open_parts(source, after, config) if "--zero-points" in options else open_whole(target, config)
    modules = dict(model.named_modules())
    n_quantized = 0
    for name, weight in before.items():
        module = name.removesuffix(".weight")
        tied_head = module == "lm_head" and model.config.tie_word_embeddings
        chosen = not tied_head and weight.ndim == 2 and any(
            name.startswith(("model." if part != "head" else "") + PARTS[part]) for part in parts) and \
            isinstance(modules.get(module), torch.nn.Linear)
        if not chosen:
            if tied_head or name not in after:
                continue
            assert torch.equal(after[name], weight), f"{name} is not as it was"
            parameter = model.state_dict().get(name)
            assert parameter is not None and torch.equal(parameter, weight), f"{name} is another one when opened"
            continue
        n_quantized += 1
        q, scale, zero, bits = parts_of(after, module)
        expected = (spread(scale, q.shape[1]) * (q - spread(zero, q.shape[1]))).to(scale.dtype)
        opened = modules[module].weight
        assert opened.dtype == scale.dtype and torch.equal(opened, expected), f"{module}: other weights when opened"
        error = (expected.float() - weight.float()).square().sum() / weight.float().square().sum()
        assert error < (1e-3 if bits == 8 else 3e-2), f"{module}: relative error {error}"
        if "--largest-value-scales" in options:
            check_integers(weight, q, scale, zero, bits, module + ".weight_zero_point" not in after)
    opened_as_quantized = sum(hasattr(module, "quantization_scheme") for module in modules.values())
    assert opened_as_quantized == n_quantized > 0, f"{n_quantized} written, {opened_as_quantized} opened as quantized"
    return n_quantized


def main():
    paligemma, data, scratch = sys.argv[1:]
    checked = 0
    for fixture in ("pg1-bf16", "pg2", "pg1-lone-head"):
        source = pathlib.Path(data) / "models" / fixture
        for options, parts in RUNS:
            target = pathlib.Path(scratch) / "exchange"
            shutil.rmtree(target, ignore_errors=True)
            command = [paligemma, "quantize", str(source), str(target), *options.split(), "--parts", parts]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            try:
                n = check(source, target, options.split(), parts.split(","))
            except AssertionError as failure:
                sys.exit(f"{fixture} {options} --parts {parts}: {failure}")
            print(f"{fixture} {options} --parts {parts}: {n} matrices")
            checked += n
    print(f"{checked} matrices, opened by transformers {transformers.__version__} with compressed-tensors "
          f"{compressed_tensors.__version__}")


if __name__ == "__main__":
    main()
