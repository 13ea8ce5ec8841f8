# SPDX-License-Identifier: BSD-2-Clause
"""The small random checkpoints: configurations as published, weights, tensor names of each style, files."""
import copy
import json
import re

import numpy as np
import torch
from safetensors.torch import save_file

import small_tokenizer

VOCAB, IMAGE_ID = small_tokenizer.VOCABULARY_ROWS, small_tokenizer.IMAGE_ID


def paligemma_config(text, vision, dtype, extra=None):
    """config.json with the fields, and only the fields, of the published PaliGemma 1 files."""
    tokens = (vision["image_size"] // vision["patch_size"]) ** 2
    return {
        "architectures": ["PaliGemmaForConditionalGeneration"], "bos_token_id": 2, "eos_token_id": 1,
        "hidden_size": text["hidden_size"], "ignore_index": -100, "image_token_index": IMAGE_ID,
        "model_type": "paligemma", "pad_token_id": 0, "projection_dim": text["hidden_size"],
        "text_config": {**text, "num_image_tokens": tokens, "torch_dtype": dtype, "vocab_size": VOCAB},
        "torch_dtype": dtype, "transformers_version": "4.41.0.dev0",
        "vision_config": {**vision, "model_type": "siglip_vision_model", "num_image_tokens": tokens,
                          "projection_dim": text["hidden_size"], "projector_hidden_act": "gelu_fast",
                          "vision_use_head": False},
        "vocab_size": VOCAB, **(extra or {}),
    }


def paligemma2_config(text, vision, dtype):
    """config.json with the fields of the published PaliGemma 2 files: no top-level hidden_size to rely on."""
    text = {"model_type": "gemma2", "cache_implementation": "hybrid", "eos_token_id": [1, 107],
            "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", **text}
    config = paligemma_config(text, vision, dtype, {"num_hidden_layers": text["num_hidden_layers"],
                                                    "transformers_version": "4.47.0.dev0"})
    config["hidden_size"] = 2048  # As published: a trap, the decoder's width is text_config.hidden_size.
    del config["ignore_index"], config["vocab_size"]
    config["_vocab_size"] = VOCAB
    return config


def vision_config(hidden, heads, mlp, layers, image):
    return {"hidden_size": hidden, "image_size": image, "intermediate_size": mlp, "num_attention_heads": heads,
            "num_hidden_layers": layers, "patch_size": 14}


def text_config(hidden, mlp, layers, heads, kv, **extra):
    return {"hidden_size": hidden, "intermediate_size": mlp, "num_attention_heads": heads,
            "num_hidden_layers": layers, "num_key_value_heads": kv, **extra}


def gemma2(scalar, attn_cap, final_cap, window, head_dim):
    return {"attn_logit_softcapping": attn_cap, "final_logit_softcapping": final_cap, "head_dim": head_dim,
            "query_pre_attn_scalar": scalar, "sliding_window": window}


def other_text(model_type, hidden, mlp, layers, heads, kv, **extra):
    """Llama or Mistral: Transformers 5.23 opens such a file only if it says use_bidirectional_attention."""
    return {**text_config(hidden, mlp, layers, heads, kv), "model_type": model_type, "hidden_act": "silu",
            "use_bidirectional_attention": True, **extra}


LLAMA3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
          "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
FEW = ("basic", "suffix", "left_pad_suffix", "generate", "generate_eos")

# name: configuration, dtype of the file, style of the names, what is done with the head, number of shards, seed,
# cases (all if absent).
# "saved" lets save_pretrained of the installed release write config.json and the weights.
MODELS = {
    "pg1": dict(
        config=paligemma_config(text_config(32, 88, 2, 2, 1, model_type="gemma"),
                                vision_config(36, 3, 52, 2, 42), "float32"),
        dtype="float32", style="A", head="tied", shards=2, seed=101),
    "pg2": dict(
        config=paligemma2_config(text_config(48, 76, 4, 4, 2, **gemma2(24, 5.0, 3.0, 6, 16)),
                                 vision_config(40, 2, 60, 3, 42), "bfloat16"),
        dtype="bfloat16", style="saved", head="tied", shards=1, seed=102),
    "pg1-bf16": dict(
        config=paligemma_config(text_config(40, 96, 3, 2, 1, model_type="gemma", head_dim=32),
                                vision_config(36, 4, 52, 2, 42), "bfloat16"),
        dtype="bfloat16", style="B", head="equal", shards=1, seed=103, cases=FEW),
    "pg2-f16": dict(
        config=paligemma2_config(text_config(64, 80, 2, 8, 4, **gemma2(8, 50.0, 30.0, 8, 8)),
                                 vision_config(32, 2, 40, 2, 28), "float16"),
        dtype="float16", style="D", head="tied", shards=1, seed=114, cases=FEW),
    "pg2-f32": dict(
        config=paligemma2_config(text_config(48, 64, 3, 4, 2, **gemma2(12, 6.0, 4.0, 4, 8)),
                                 vision_config(35, 5, 53, 2, 28), "float32"),
        dtype="float32", style="A", head="equal", shards=1, seed=105, cases=FEW),
    "pg1-lone-head": dict(
        config=paligemma_config(text_config(32, 64, 2, 4, 1, model_type="gemma", head_dim=16),
                                vision_config(32, 2, 48, 2, 28), "float32"),
        dtype="float32", style="D", head="alone", shards=1, seed=106, cases=FEW),
    "llama": dict(
        config=paligemma_config(other_text("llama", 32, 56, 2, 4, 2, rope_parameters=LLAMA3),
                                vision_config(32, 2, 40, 2, 28), "float32"),
        dtype="float32", style="saved", head="tied", shards=1, seed=107, cases=FEW + ("split",)),
    "llama-untied": dict(
        config=paligemma_config(other_text("llama", 32, 56, 2, 4, 4, rope_theta=1000.0, rms_norm_eps=1e-5,
                                           rope_scaling={"type": "linear", "factor": 4.0}, head_dim=16),
                                vision_config(32, 2, 40, 2, 28), "bfloat16", {"tie_word_embeddings": False}),
        dtype="bfloat16", style="B", head="own", shards=1, seed=108, cases=("basic", "suffix", "generate")),
    "mistral": dict(
        config=paligemma_config(other_text("mistral", 32, 56, 3, 4, 2, sliding_window=5, rms_norm_eps=1e-5),
                                vision_config(32, 2, 40, 2, 28), "float32"),
        dtype="float32", style="D", head="tied", shards=1, seed=109, cases=FEW + ("split",)),
}

# Standard deviation of a matrix is gain / sqrt(columns); chosen so that logits are of order 1, scores spread over
# several units, and the rows that layers add weigh as much as the rows that enter.
GAINS = [(r"language_model.*(q|k)_proj\.weight", 1.5), (r"language_model.*v_proj\.weight", 1.2),
         (r"language_model.*o_proj\.weight", 1.5), (r"language_model.*(gate|up)_proj\.weight", 1.3),
         (r"language_model.*down_proj\.weight", 2.0), (r"multi_modal_projector.*weight", 1.3),
         (r"vision_tower.*(q|k)_proj\.weight", 1.5), (r"vision_tower.*weight", 1.2)]


def random_tensor(rng, name, shape, adds_one=True):
    """One weight: matrices by GAINS, RMSNorm around 0 if the model adds one, LayerNorm around 1, biases not zero."""
    values = rng.standard_normal(shape)
    if name.endswith("embed_tokens.weight"):
        values *= 0.8 / np.sqrt(shape[1])
        values[small_tokenizer.EOS_ID] *= 2.0  # A random model would almost never end an answer.
        return values if adds_one else values * np.sqrt(shape[1])  # Llama's rows enter unscaled.
    if name == "lm_head.weight":
        values *= 3.2 / np.sqrt(shape[1])
        values[small_tokenizer.EOS_ID] *= 2.0
        return values
    if name.endswith("position_embedding.weight"):
        return values * 0.5
    if name.endswith(".bias"):
        return values * 0.3
    if name.endswith("language_model.norm.weight"):
        return values * 0.25 + 0.4 if adds_one else values * 0.08 + 0.3
    if len(shape) == 1:
        return values * 0.25 + (0.0 if adds_one and "vision_tower" not in name else 1.0)
    gain = next(gain for pattern, gain in GAINS if re.search(pattern, name))
    return values * gain / np.sqrt(np.prod(shape[1:]))


def random_weights(model, seed, dtype):
    """Fill a model in place with values that the file's dtype holds exactly: the oracle runs on the file's weights."""
    adds_one = model.config.text_config.model_type.startswith("gemma")
    for index, (name, parameter) in enumerate(sorted(model.named_parameters())):
        rng = np.random.default_rng([seed, index])
        values = torch.from_numpy(random_tensor(rng, name, tuple(parameter.shape), adds_one))
        parameter.data = values.to(torch.float32).to(getattr(torch, dtype)).to(torch.float32)


def style_name(name, style):
    """The file's name for a parameter, from its name in memory in transformers 5 (style D)."""
    if style in "AB":
        name = name.replace("model.vision_tower.", "model.vision_tower.vision_model.")
    if style in "AC":
        name = name.replace("model.language_model.", "language_model.model.")
        name = re.sub(r"^model\.(vision_tower|multi_modal_projector)\.", r"\1.", name)
    return "language_model." + name if style == "A" and name == "lm_head.weight" else name


def file_tensors(model, spec):
    """Names and tensors as they go into the file."""
    embedding = "model.language_model.embed_tokens.weight"
    tensors = {name: p.data for name, p in model.named_parameters() if name != "lm_head.weight"}
    if spec["head"] in ("equal", "alone"):
        tensors["lm_head.weight"] = tensors[embedding].clone()
    if spec["head"] == "own":
        tensors["lm_head.weight"] = model.lm_head.weight.data
    if spec["head"] == "alone":
        del tensors[embedding]
    dtype = getattr(torch, spec["dtype"])
    return {style_name(name, spec["style"]): t.to(dtype).contiguous() for name, t in tensors.items()}


def write_shards(directory, tensors, n_shards):
    """One model.safetensors, or shards of about equal size with the index file."""
    if n_shards == 1:
        save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
        return
    total = sum(t.nbytes for t in tensors.values())
    shards, size = [{} for _ in range(n_shards)], 0
    for name, tensor in tensors.items():
        shards[min(size * n_shards // total, n_shards - 1)][name] = tensor
        size += tensor.nbytes
    weight_map = {}
    for i, shard in enumerate(shards):
        file = f"model-{i + 1:05d}-of-{n_shards:05d}.safetensors"
        save_file(shard, directory / file, metadata={"format": "pt"})
        weight_map.update(dict.fromkeys(shard, file))
    write_json(directory / "model.safetensors.index.json",
               {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))})


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_side_files(directory, spec):
    """All but the weights: config.json, generation_config.json, preprocessor_config.json, the tokenizer."""
    config = copy.deepcopy(spec["config"])
    vision = config["vision_config"]
    write_json(directory / "config.json", config)
    write_json(directory / "generation_config.json",
               {"_from_model_config": True, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
                "transformers_version": config["transformers_version"]})
    write_json(directory / "preprocessor_config.json", {
        "do_convert_rgb": None, "do_normalize": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.5] * 3, "image_processor_type": "SiglipImageProcessor",
        "image_seq_length": vision["num_image_tokens"], "image_std": [0.5] * 3,
        "processor_class": "PaliGemmaProcessor", "resample": 3, "rescale_factor": 0.00392156862745098,
        "size": {"height": vision["image_size"], "width": vision["image_size"]}})
    small_tokenizer.write(directory)
