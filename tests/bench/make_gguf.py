# SPDX-License-Identifier: BSD-2-Clause
"""Write the decoder of a PaliGemma checkpoint (a Gemma or Gemma 2 model) as a gguf file, to time llama.cpp with it.

    python make_gguf.py [--dtype bfloat16|float16|float32] CHECKPOINT_DIR OUT.gguf

Needs the packages gguf and numpy. The file has no vocabulary: it serves llama-bench, which makes up its tokens. It
takes checkpoints with the tensor names of make_random_checkpoint.py.
"""
import argparse
import pathlib

import gguf
import numpy

from checkpoint_arrays import bfloat16_bits, checkpoint_arrays, float32

PREFIX = "language_model.model."
MATRICES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
            "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
            "mlp.down_proj": "ffn_down"}
NORMS = {
    "gemma": {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"},
    "gemma2": {"input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm",
               "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm"},
}
FILE_TYPES = {"bfloat16": gguf.LlamaFileType.MOSTLY_BF16, "float16": gguf.LlamaFileType.MOSTLY_F16,
              "float32": gguf.LlamaFileType.ALL_F32}


def add_matrix(writer, name, array, dtype):
    if dtype == "bfloat16":
        writer.add_tensor(name, bfloat16_bits(array).view(numpy.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
    else:
        writer.add_tensor(name, float32(array).astype(dtype))


def add_norm(writer, name, array):
    """llama.cpp multiplies by the weight as it is in the file; Gemma by one more than its weight."""
    writer.add_tensor(name, float32(array) + numpy.float32(1))


def add_settings(writer, family, text, arrays, dtype):
    layer = PREFIX + "layers.0."
    head_dim = text.get("head_dim", 256)
    writer.add_name("random")
    writer.add_context_length(8192)
    writer.add_embedding_length(text["hidden_size"])
    writer.add_block_count(text["num_hidden_layers"])
    writer.add_feed_forward_length(arrays[layer + "mlp.gate_proj.weight"].shape[0])
    writer.add_head_count(text["num_attention_heads"])
    writer.add_head_count_kv(text["num_key_value_heads"])
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(FILE_TYPES[dtype])
    writer.add_vocab_size(text["vocab_size"])
    writer.add_tokenizer_model("none")
    if family == "gemma2":
        writer.add_sliding_window(4096)
        writer.add_attn_logit_softcapping(50.0)
        writer.add_final_logit_softcapping(30.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", choices=FILE_TYPES, default="bfloat16")
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    options = parser.parse_args()

    config, arrays = checkpoint_arrays(options.checkpoint)
    text = config["text_config"]
    family = text["model_type"]
    writer = gguf.GGUFWriter(options.out, family)
    add_settings(writer, family, text, arrays, options.dtype)
    add_matrix(writer, "token_embd.weight", arrays[PREFIX + "embed_tokens.weight"], options.dtype)
    for i in range(text["num_hidden_layers"]):
        for name, theirs in MATRICES.items():
            array = arrays[f"{PREFIX}layers.{i}.{name}.weight"]
            add_matrix(writer, f"blk.{i}.{theirs}.weight", array, options.dtype)
        for name, theirs in NORMS[family].items():
            add_norm(writer, f"blk.{i}.{theirs}.weight", arrays[f"{PREFIX}layers.{i}.{name}.weight"])
    add_norm(writer, "output_norm.weight", arrays[PREFIX + "norm.weight"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
