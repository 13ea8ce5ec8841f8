# SPDX-License-Identifier: BSD-2-Clause
"""Write a random checkpoint of full size, laid out as the published ones are: for timing, memory and loading.

    python make_random_checkpoint.py [--model paligemma-3b] [--image-size 224] [--dtype bfloat16] [--layers N]
                                     [--seed 0] [--tokenizer DIR] OUT_DIR

Needs nothing but Python. Every matrix is a piece of one block of normal values, begun at another place and repeated:
the block's length is prime, so no two rows of a matrix are equal. RMSNorm weights are near 0, LayerNorm's near 1.
"""
import argparse
import array
import json
import math
import pathlib
import random
import shutil
import struct
import sys

VOCABULARY, IMAGE_TOKEN, PATCH = 257216, 257152, 14
SHARD_LIMIT = 5_000_000_000
BLOCK = 1_048_573
STD = 0.02

# hidden, layers, MLP, query heads, key/value heads, head_dim, query_pre_attn_scalar (Gemma 2).
DECODERS = {
    "paligemma-3b": ("gemma", 2048, 18, 16384, 8, 1, 256, None),
    "paligemma2-3b": ("gemma2", 2304, 26, 9216, 8, 4, 256, 256),
    "paligemma2-10b": ("gemma2", 3584, 42, 14336, 16, 8, 256, 256),
    "paligemma2-28b": ("gemma2", 4608, 46, 36864, 32, 16, 128, 144),
}
VISION_HIDDEN, VISION_LAYERS, VISION_MLP, VISION_HEADS = 1152, 27, 4304, 16


def config_json(options):
    """config.json with the fields that the published file has, and without those it leaves to defaults."""
    family, hidden, layers, mlp, heads, kv_heads, head_dim, scalar = DECODERS[options.model]
    tokens, dtype = (options.image_size // PATCH) ** 2, options.dtype
    layers, vision_layers = min(layers, options.layers), min(VISION_LAYERS, options.layers)
    text = {"hidden_size": hidden, "intermediate_size": mlp, "model_type": family, "num_attention_heads": heads,
            "num_hidden_layers": layers, "num_image_tokens": tokens, "num_key_value_heads": kv_heads,
            "torch_dtype": dtype, "vocab_size": VOCABULARY}
    vision = {"hidden_size": VISION_HIDDEN, "intermediate_size": VISION_MLP, "model_type": "siglip_vision_model",
              "num_attention_heads": VISION_HEADS, "num_hidden_layers": vision_layers, "num_image_tokens": tokens,
              "patch_size": PATCH, "projection_dim": hidden, "vision_use_head": False}
    if options.image_size != 224:
        vision["image_size"] = options.image_size
    config = {"architectures": ["PaliGemmaForConditionalGeneration"], "bos_token_id": 2, "eos_token_id": 1,
              "hidden_size": 2048, "image_token_index": IMAGE_TOKEN, "model_type": "paligemma", "pad_token_id": 0,
              "projection_dim": hidden, "text_config": text, "torch_dtype": dtype, "vision_config": vision}
    if family == "gemma":
        vision["projector_hidden_act"] = "gelu_fast"
        config.update(ignore_index=-100, transformers_version="4.41.0.dev0", vocab_size=VOCABULARY)
        return config
    text.update(attn_logit_softcapping=50.0, cache_implementation="hybrid", eos_token_id=[1, 107],
                final_logit_softcapping=30.0, hidden_act="gelu_pytorch_tanh", hidden_activation="gelu_pytorch_tanh",
                query_pre_attn_scalar=scalar, sliding_window=4096)
    if head_dim != 256:
        text["head_dim"] = head_dim
    config.update(_vocab_size=257152, num_hidden_layers=layers, transformers_version="4.47.0.dev0")
    return config


def side_files(directory, options):
    """Everything but the weights."""
    tokens = (options.image_size // PATCH) ** 2
    files = {
        "config.json": config_json(options),
        "generation_config.json": {"_from_model_config": True, "bos_token_id": 2, "eos_token_id": 1,
                                   "pad_token_id": 0, "transformers_version": "4.47.0.dev0"},
        "preprocessor_config.json": {
            "do_convert_rgb": None, "do_normalize": True, "do_rescale": True, "do_resize": True,
            "image_mean": [0.5] * 3, "image_processor_type": "SiglipImageProcessor", "image_seq_length": tokens,
            "image_std": [0.5] * 3, "processor_class": "PaliGemmaProcessor", "resample": 3,
            "rescale_factor": 0.00392156862745098,
            "size": {"height": options.image_size, "width": options.image_size}},
    }
    for name, value in files.items():
        (directory / name).write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        source = options.tokenizer / name if options.tokenizer else None
        if source and source.exists():
            shutil.copyfile(source, directory / name)


def with_bias(name, *shape):
    return [(name + ".weight", shape), (name + ".bias", shape[:1])]


def vision_tensors(layers, hidden, image_size):
    """Names (style A) and shapes of the tower and the projector, in the order of the modules."""
    d, prefix = VISION_HIDDEN, "vision_tower.vision_model."
    yield from with_bias(prefix + "embeddings.patch_embedding", d, 3, PATCH, PATCH)
    yield prefix + "embeddings.position_embedding.weight", ((image_size // PATCH) ** 2, d)
    for i in range(layers):
        layer = f"{prefix}encoder.layers.{i}."
        for name in "kvq":
            yield from with_bias(f"{layer}self_attn.{name}_proj", d, d)
        yield from with_bias(layer + "self_attn.out_proj", d, d)
        yield from with_bias(layer + "layer_norm1", d)
        yield from with_bias(layer + "mlp.fc1", VISION_MLP, d)
        yield from with_bias(layer + "mlp.fc2", d, VISION_MLP)
        yield from with_bias(layer + "layer_norm2", d)
    yield from with_bias(prefix + "post_layernorm", d)
    yield from with_bias("multi_modal_projector.linear", hidden, d)


def decoder_tensors(model, layers):
    """Names (style A) and shapes of the decoder; the head is tied to the embedding and not in the file."""
    family, hidden, _, mlp, heads, kv_heads, head_dim, _ = DECODERS[model]
    yield "language_model.model.embed_tokens.weight", (VOCABULARY, hidden)
    norms = ["input_layernorm", "post_attention_layernorm"]
    if family == "gemma2":
        norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    for i in range(layers):
        layer = f"language_model.model.layers.{i}."
        yield layer + "self_attn.q_proj.weight", (heads * head_dim, hidden)
        yield layer + "self_attn.k_proj.weight", (kv_heads * head_dim, hidden)
        yield layer + "self_attn.v_proj.weight", (kv_heads * head_dim, hidden)
        yield layer + "self_attn.o_proj.weight", (hidden, heads * head_dim)
        yield layer + "mlp.gate_proj.weight", (mlp, hidden)
        yield layer + "mlp.up_proj.weight", (mlp, hidden)
        yield layer + "mlp.down_proj.weight", (hidden, mlp)
        for norm in norms:
            yield f"{layer}{norm}.weight", (hidden,)
    yield "language_model.model.norm.weight", (hidden,)


def block_bytes(values, dtype):
    """Little-endian float32, or bfloat16: the upper half of each float32."""
    data = array.array("f", values)
    if sys.byteorder == "big":
        data.byteswap()
    data = data.tobytes()
    if dtype == "float32":
        return data
    half = bytearray(len(data) // 2)
    half[0::2], half[1::2] = data[2::4], data[3::4]
    return bytes(half)


def write_repeated(file, block, start, size):
    """`size` bytes of the endlessly repeated block, from byte `start` on."""
    view = memoryview(block)
    while size > 0:
        piece = view[start:start + size]
        file.write(piece)
        size, start = size - len(piece), 0


def plan_shards(tensors, item_size):
    """Tensors in order, cut into lists of at most SHARD_LIMIT bytes."""
    shards, used = [[]], 0
    for name, shape in tensors:
        size = math.prod(shape) * item_size
        if shards[-1] and used + size > SHARD_LIMIT:
            shards.append([])
            used = 0
        shards[-1].append((name, shape, size))
        used += size
    return shards


def write_shard(path, shard, dtype, blocks, rng):
    """One safetensors file; `blocks` holds the values of matrices and, apart, those of LayerNorm weights."""
    item_size = 2 if dtype == "bfloat16" else 4
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape, size in shard:
        header[name] = {"dtype": "BF16" if dtype == "bfloat16" else "F32", "shape": list(shape),
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, _, size in shard:
            ones = ".layer_norm" in name or "post_layernorm" in name
            block = blocks[1 if ones and name.endswith(".weight") else 0]
            write_repeated(file, block, rng.randrange(BLOCK) * item_size, size)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=DECODERS, default="paligemma-3b")
    parser.add_argument("--image-size", type=int, choices=(224, 448, 896), default=224)
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--layers", type=int, default=1000, help="at most so many in the decoder and in the tower")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tokenizer", type=pathlib.Path, help="directory to copy tokenizer.json from")
    parser.add_argument("out", type=pathlib.Path)
    options = parser.parse_args()
    if options.layers < 1:
        parser.error("--layers must be at least 1")

    options.out.mkdir(parents=True, exist_ok=True)
    side_files(options.out, options)
    rng = random.Random(options.seed)
    normal = [rng.gauss(0.0, STD) for _ in range(BLOCK)]
    blocks = block_bytes(normal, options.dtype), block_bytes([1.0 + x for x in normal], options.dtype)

    hidden, layers = DECODERS[options.model][1], min(DECODERS[options.model][2], options.layers)
    tensors = list(vision_tensors(min(VISION_LAYERS, options.layers), hidden, options.image_size))
    tensors += decoder_tensors(options.model, layers)
    shards = plan_shards(tensors, 2 if options.dtype == "bfloat16" else 4)
    weight_map, total = {}, 0
    for number, shard in enumerate(shards, 1):
        name = "model.safetensors"
        if len(shards) > 1:
            name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        write_shard(options.out / name, shard, options.dtype, blocks, rng)
        weight_map.update((tensor, name) for tensor, _, _ in shard)
        total += sum(size for _, _, size in shard)
        print(f"{options.out / name}: {len(shard)} tensors")
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
        (options.out / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    print(f"{total} bytes of weights")


if __name__ == "__main__":
    main()
