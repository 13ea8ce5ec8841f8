# SPDX-License-Identifier: BSD-2-Clause
"""Write a PaliGemma 2 checkpoint (3B or 10B, 224 or 448 px) as a file of gemma.cpp, in bfloat16, to time it.

    python make_sbs.py CHECKPOINT_DIR OUT.sbs

Needs numpy. It takes checkpoints with the tensor names of make_random_checkpoint.py. The file has gemma.cpp's older
layout, which names each tensor with a letter for its type and leaves the model to be deduced from the names: a header,
the names, their places, and the tensors, each at a multiple of 256 bytes. It has no tokenizer: it serves
gemma_cpp_bench.cc, which makes up its tokens.
"""
import argparse
import pathlib
import struct

import numpy

from checkpoint_arrays import bfloat16_bits, checkpoint_arrays, float32

ALIGNMENT, END_ALIGNMENT = 256, 65536
VOCABULARY = 257152  # without the 64 rows that Transformers' checkpoints append
VISION_HEADS = 16
TEXT, VISION = "language_model.model.", "vision_tower.vision_model."


def padded(size, alignment=ALIGNMENT):
    return -(-size // alignment) * alignment


class Blobs:
    """Names and the arrays to be joined under each."""

    def __init__(self):
        self.blobs = []

    def bfloat16(self, name, *arrays):
        self.blobs.append(("B" + name, [bfloat16_bits(array) for array in arrays]))

    def float32(self, name, *arrays):
        self.blobs.append(("F" + name, [float32(array) for array in arrays]))

    def write(self, path):
        sizes = [sum(array.nbytes for array in arrays) for _, arrays in self.blobs]
        start = padded(16 + 32 * len(sizes))
        offsets, end = [], start
        for size in sizes:
            offsets.append(end)
            end += padded(size)
        with open(path, "wb") as file:
            file.write(struct.pack("<4sIQ", b"SBS\n", len(sizes), padded(end, END_ALIGNMENT)))
            for name, _ in self.blobs:
                file.write(struct.pack("16s", name.encode()))
            for place in zip(offsets, sizes):
                file.write(struct.pack("<QQ", *place))
            for offset, (_, arrays) in zip(offsets, self.blobs):
                file.write(b"\0" * (offset - file.tell()))
                for array in arrays:
                    numpy.ascontiguousarray(array).tofile(file)
            file.write(b"\0" * (padded(end, END_ALIGNMENT) - file.tell()))


def add_decoder(blobs, arrays, text):
    blobs.bfloat16("c_embedding", arrays[TEXT + "embed_tokens.weight"][:VOCABULARY])
    blobs.bfloat16("c_final_norm", arrays[TEXT + "norm.weight"])
    kv_heads = text["num_key_value_heads"]
    for i in range(text["num_hidden_layers"]):
        layer = f"{TEXT}layers.{i}."
        k, v = (numpy.array_split(arrays[f"{layer}self_attn.{name}_proj.weight"], kv_heads) for name in "kv")
        pairs = [array for pair in zip(k, v) for array in pair]
        blobs.bfloat16(f"qkv_ein_{i}", arrays[layer + "self_attn.q_proj.weight"], *pairs)
        blobs.bfloat16(f"att_w_{i}", arrays[layer + "self_attn.o_proj.weight"])
        blobs.bfloat16(f"gating_ein_{i}", arrays[layer + "mlp.gate_proj.weight"], arrays[layer + "mlp.up_proj.weight"])
        blobs.bfloat16(f"linear_w_{i}", arrays[layer + "mlp.down_proj.weight"])
        blobs.bfloat16(f"pre_att_ns_{i}", arrays[layer + "input_layernorm.weight"])
        blobs.bfloat16(f"post_att_ns_{i}", arrays[layer + "post_attention_layernorm.weight"])
        blobs.bfloat16(f"pre_ff_ns_{i}", arrays[layer + "pre_feedforward_layernorm.weight"])
        blobs.bfloat16(f"post_ff_ns_{i}", arrays[layer + "post_feedforward_layernorm.weight"])


def add_tower(blobs, arrays, layers):
    patches = arrays[VISION + "embeddings.patch_embedding.weight"]
    blobs.bfloat16("img_emb_kernel", patches.transpose(0, 2, 3, 1))
    blobs.float32("img_emb_bias", arrays[VISION + "embeddings.patch_embedding.bias"])
    blobs.float32("img_pos_emb", arrays[VISION + "embeddings.position_embedding.weight"])
    blobs.bfloat16("enc_norm_scale", arrays[VISION + "post_layernorm.weight"])
    blobs.bfloat16("enc_norm_bias", arrays[VISION + "post_layernorm.bias"])
    blobs.bfloat16("img_head_kernel", arrays["multi_modal_projector.linear.weight"])
    blobs.float32("img_head_bias", arrays["multi_modal_projector.linear.bias"])
    for i in range(layers):
        layer = f"{VISION}encoder.layers.{i}."
        for kind, end in (("weight", "w"), ("bias", "b")):
            add = blobs.bfloat16 if kind == "weight" else blobs.float32
            heads = [numpy.array_split(arrays[f"{layer}self_attn.{name}_proj.{kind}"], VISION_HEADS) for name in "qkv"]
            add(f"qkv_ein_{end}_{i}", *[array for triple in zip(*heads) for array in triple])
            add(f"attn_out_{end}_{i}", arrays[f"{layer}self_attn.out_proj.{kind}"])
            add(f"linear_0_{end}_{i}", arrays[f"{layer}mlp.fc1.{kind}"])
            add(f"linear_1_{end}_{i}", arrays[f"{layer}mlp.fc2.{kind}"])
        for number, name in enumerate(("layer_norm1", "layer_norm2")):
            blobs.bfloat16(f"ln_{number}_scale_{i}", arrays[f"{layer}{name}.weight"])
            blobs.bfloat16(f"ln_{number}_bias_{i}", arrays[f"{layer}{name}.bias"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    options = parser.parse_args()

    config, arrays = checkpoint_arrays(options.checkpoint)
    if config["text_config"]["model_type"] != "gemma2":
        parser.error("gemma.cpp knows PaliGemma 2 only")
    blobs = Blobs()
    add_decoder(blobs, arrays, config["text_config"])
    add_tower(blobs, arrays, config["vision_config"]["num_hidden_layers"])
    blobs.write(options.out)


if __name__ == "__main__":
    main()
