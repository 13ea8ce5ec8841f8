# SPDX-License-Identifier: BSD-2-Clause
"""Write a random quantized checkpoint of full size, as compressed-tensors would: for timing, memory and loading.

    python make_random_quantized.py [--model paligemma2-28b] [--scheme int4] [--group-size 128] [--image-size 224]
                                    [--layers N] [--seed 0] [--tokenizer DIR] OUT_DIR

Needs nothing but Python. The decoder's matrices are quantized, tower, projector and embedding are bfloat16:
  int4          pack-quantized: weight_packed int32, weight_scale bfloat16 [outputs, groups], weight_shape int64
  int8          int-quantized: weight int8, weight_scale bfloat16 [outputs, 1]
  int8-dynamic  the same, inputs are rounded to int8 as well
Codes are pieces of one random block, begun at another place and repeated; its length is prime. Scales are such that the
weights have the deviation of make_random_checkpoint.py's, which keeps activations of order one.
"""
import argparse
import json
import math
import pathlib
import random
import struct

import make_random_checkpoint as plain

CODE_STD = {"int4": 4.6, "int8": 73.6, "int8-dynamic": 73.6}  # of uniform codes: -8…7, and -127…127
BYTES = {"BF16": 2, "I8": 1, "I32": 4, "I64": 8}


def quantization_config(scheme, group_size):
    """The member quantization_config, with all the fields that compressed-tensors writes."""
    four_bits = scheme == "int4"
    weights = {"actorder": None, "block_structure": None, "dynamic": False,
               "group_size": group_size if four_bits else None, "num_bits": 4 if four_bits else 8,
               "observer": "minmax", "observer_kwargs": {}, "scale_dtype": None,
               "strategy": "group" if four_bits else "channel", "symmetric": True, "type": "int", "zp_dtype": None}
    inputs = None
    if scheme == "int8-dynamic":
        inputs = {"actorder": None, "block_structure": None, "dynamic": True, "group_size": None, "num_bits": 8,
                  "observer": None, "observer_kwargs": {}, "scale_dtype": None, "strategy": "token",
                  "symmetric": True, "type": "int", "zp_dtype": None}
    form = "pack-quantized" if four_bits else "int-quantized"
    group = {"format": form, "input_activations": inputs, "output_activations": None, "targets": ["Linear"],
             "weights": weights}
    return {"config_groups": {"group_0": group}, "format": form, "global_compression_ratio": None,
            "ignore": ["lm_head", "re:.*vision_tower.*", "re:.*multi_modal_projector.*"], "kv_cache_scheme": None,
            "quant_method": "compressed-tensors", "quantization_status": "compressed", "sparsity_config": {},
            "transform_config": {}, "version": "0.20.0"}


def stored_tensors(options):
    """(name, type, shape, block) of every tensor in the files; `block` names the values, or is the bytes themselves."""
    hidden, layers = plain.DECODERS[options.model][1], min(plain.DECODERS[options.model][2], options.layers)
    for name, shape in plain.vision_tensors(min(plain.VISION_LAYERS, options.layers), hidden, options.image_size):
        ones = (".layer_norm" in name or "post_layernorm" in name) and name.endswith(".weight")
        yield name, "BF16", shape, "ones" if ones else "normal"
    for name, shape in plain.decoder_tensors(options.model, layers):
        if not name.endswith("_proj.weight"):
            yield name, "BF16", shape, "normal"
            continue
        outputs, inputs = shape
        if options.scheme != "int4":
            yield name, "I8", shape, "codes"
            yield name + "_scale", "BF16", (outputs, 1), "scales"
            continue
        yield name + "_packed", "I32", (outputs, -(-inputs // 8)), "codes"
        yield name + "_scale", "BF16", (outputs, -(-inputs // options.group_size)), "scales"
        yield name + "_shape", "I64", (2,), struct.pack("<2q", outputs, inputs)


def make_blocks(options, rng):
    """The values that tensors are cut from."""
    normal = [rng.gauss(0.0, plain.STD) for _ in range(plain.BLOCK)]
    scale = plain.STD / CODE_STD[options.scheme]
    codes = rng.randbytes(4 * plain.BLOCK)
    if options.scheme != "int4":
        codes = codes.replace(b"\x80", b"\x00")  # -128 is no code of a symmetric scheme
    return {"normal": plain.block_bytes(normal, "bfloat16"),
            "ones": plain.block_bytes([1.0 + x for x in normal], "bfloat16"),
            "scales": plain.block_bytes([scale * rng.uniform(0.8, 1.2) for _ in range(plain.BLOCK)], "bfloat16"),
            "codes": codes}


def plan_shards(tensors):
    """Tensors in order, cut into lists of at most SHARD_LIMIT bytes."""
    shards, used = [[]], 0
    for name, kind, shape, block in tensors:
        size = math.prod(shape) * BYTES[kind]
        if shards[-1] and used + size > plain.SHARD_LIMIT:
            shards.append([])
            used = 0
        shards[-1].append((name, kind, shape, block, size))
        used += size
    return shards


def write_shard(path, shard, blocks, rng):
    """One safetensors file."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, kind, shape, _, size in shard:
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, kind, _, block, size in shard:
            values = block if isinstance(block, bytes) else blocks[block]
            start = 0 if isinstance(block, bytes) else rng.randrange(len(values) // BYTES[kind]) * BYTES[kind]
            plain.write_repeated(file, values, start, size)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=plain.DECODERS, default="paligemma2-28b")
    parser.add_argument("--scheme", choices=CODE_STD, default="int4")
    parser.add_argument("--group-size", type=int, choices=(32, 64, 128), default=128, help="inputs of a scale in int4")
    parser.add_argument("--image-size", type=int, choices=(224, 448, 896), default=224)
    parser.add_argument("--layers", type=int, default=1000, help="at most so many in the decoder and in the tower")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tokenizer", type=pathlib.Path, help="directory to copy tokenizer.json from")
    parser.add_argument("out", type=pathlib.Path)
    options = parser.parse_args()
    if options.layers < 1:
        parser.error("--layers must be at least 1")
    options.dtype = "bfloat16"

    options.out.mkdir(parents=True, exist_ok=True)
    plain.side_files(options.out, options)
    path = options.out / "config.json"
    config = json.loads(path.read_text())
    config["quantization_config"] = quantization_config(options.scheme, options.group_size)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")

    rng = random.Random(options.seed)
    blocks = make_blocks(options, rng)
    shards = plan_shards(stored_tensors(options))
    weight_map, total = {}, 0
    for number, shard in enumerate(shards, 1):
        name = "model.safetensors"
        if len(shards) > 1:
            name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        write_shard(options.out / name, shard, blocks, rng)
        weight_map.update((tensor[0], name) for tensor in shard)
        total += sum(tensor[4] for tensor in shard)
        print(f"{options.out / name}: {len(shard)} tensors")
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
        (options.out / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    print(f"{total} bytes of weights")


if __name__ == "__main__":
    main()
