# SPDX-License-Identifier: BSD-2-Clause
"""Write tests/data/quantized/round_int8.safetensors: rows of activations as compressed-tensors rounds them to int8.

    python make_round_int8_fixtures.py     (with requirements-quantized.txt)

For each width N a tensor x.N: [rows, N] float32, and what the package makes of it, symmetric, dynamic, a scale for each
token: q.N int8 and scale.N: [rows] float32.
"""
import pathlib

import torch
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import fake_quantize, quantize
from compressed_tensors.quantization.utils.helpers import compute_dynamic_scales_and_zp
from safetensors.torch import save_file

PATH = pathlib.Path(__file__).resolve().parent.parent / "data" / "quantized" / "round_int8.safetensors"
ARGS = QuantizationArgs(num_bits=8, strategy="token", dynamic=True, symmetric=True)


def special_rows(width):
    """All zero; ties, with a scale of exactly 1 or 2^-20; the largest negative; tiny and subnormal; huge; negative 0."""
    steps = torch.arange(width, dtype=torch.float32) % 255 - 127
    ties = steps + 0.5
    ties[0] = 127.5
    negative = ties.clone()
    negative[0] = -127.5
    lone = torch.zeros(width)
    lone[width // 2] = -3.25
    subnormal = steps * 2.0 ** -149
    subnormal[0] = 190 * 2.0 ** -149
    return torch.stack([torch.zeros(width), ties, -ties, negative, ties * 2.0 ** -20, lone, subnormal, steps * 1e-43,
                        steps * 1e-38, steps * 2e36, torch.full((width,), -0.0)])


def main():
    torch.set_num_threads(1)
    torch.manual_seed(6)
    tensors = {}
    for width in (1, 7, 33, 160):
        normal = torch.randn(4, width)
        x = torch.cat([normal, normal[:2] * 1e-4, normal[:2].exp() * 30, special_rows(width)])
        scale, zero_point = compute_dynamic_scales_and_zp(x[None], ARGS, None)
        q = quantize(x[None], scale, zero_point, ARGS, dtype=torch.int8)
        assert torch.equal(fake_quantize(x[None], scale, zero_point, ARGS), q * scale)
        assert scale.shape == (1, len(x), 1) and not zero_point.any()
        tensors.update({f"x.{width}": x, f"q.{width}": q[0], f"scale.{width}": scale[0, :, 0].contiguous()})
    PATH.parent.mkdir(exist_ok=True)
    save_file(tensors, PATH)
    print(PATH.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
