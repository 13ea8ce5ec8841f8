# SPDX-License-Identifier: BSD-2-Clause
"""Time one decoder block under torchao's schemes, beside `paligemma bench` on a checkpoint of the same scheme.

    python time_torchao.py [--threads N] [--rows 260] [--dtype bfloat16|float32] [--schemes NAME …] CHECKPOINT_DIR

Needs the packages of tests/oracle/requirements-quantized.txt. The matrices of the checkpoint's first decoder block, with
random values, multiply one row (decode) and --rows rows (prefill); attention and norms are left out, in torchao's
favour. Prints, for each scheme, one JSON object: seconds for the block, and what all blocks of the model would take.
A whole model is not run because a prompt takes minutes where torchao has no kernel for the processor.
"""
import argparse
import json
import os
import pathlib
import time

import torch
import torchao
from torchao.prototype.quantization.int4 import PrototypeInt4WeightOnlyConfig
from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig, quantize_

SCHEMES = {
    "none": None,
    "int8_weight_only": Int8WeightOnlyConfig,
    "int4_weight_only": lambda: PrototypeInt4WeightOnlyConfig(group_size=128, set_inductor_config=False),
    "int8_dynamic": Int8DynamicActivationInt8WeightConfig,
}


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rows", type=int, default=260)
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--schemes", nargs="+", default=list(SCHEMES), choices=list(SCHEMES))
    return parser.parse_args()


def make_block(config, dtype):
    """The block's linear layers: [out, in] of q, k, v, o, gate, up, down."""
    hidden, mlp = config["hidden_size"], config["intermediate_size"]
    q = config["num_attention_heads"] * config.get("head_dim", 256)
    kv = config["num_key_value_heads"] * config.get("head_dim", 256)
    shapes = [(q, hidden), (kv, hidden), (kv, hidden), (hidden, q), (mlp, hidden), (mlp, hidden), (hidden, mlp)]
    return torch.nn.ModuleList(torch.nn.Linear(n_in, n_out, bias=False, dtype=dtype) for n_out, n_in in shapes)


@torch.inference_mode()
def time_block(block, rows, dtype):
    inputs = [torch.randn(1, rows, layer.in_features, dtype=dtype) for layer in block]
    best = float("inf")
    for _ in range(2):
        start = time.monotonic()
        for layer, x in zip(block, inputs):
            layer(x)
        best = min(best, time.monotonic() - start)
    return best


def main():
    options = parse_options()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    config = json.loads((options.checkpoint / "config.json").read_text())["text_config"]
    dtype, layers = getattr(torch, options.dtype), config["num_hidden_layers"]
    for name in options.schemes:
        block = make_block(config, dtype)
        if SCHEMES[name]:
            quantize_(block, SCHEMES[name]())
        decode, prefill = time_block(block, 1, dtype), time_block(block, options.rows, dtype)
        print(json.dumps({"scheme": name, "dtype": options.dtype, "block_decode_s": decode, "block_prefill_s": prefill,
                          "decode_tokens_per_s": 1 / (decode * layers), "prefill_s": prefill * layers,
                          "version": f"torchao {torchao.__version__}, PyTorch {torch.__version__}"}), flush=True)


if __name__ == "__main__":
    main()
