# SPDX-License-Identifier: BSD-2-Clause
"""torchao's quantization of the same weights, for compare_quantized*.py.

All of it runs on a CPU in float32, so that what is measured is the rounding alone. Int4WeightOnlyConfig itself needs the
package mslk and a GPU; torchao's prototype of it for CPUs, PrototypeInt4WeightOnlyConfig, takes its place: int4 with a
zero point for each group. IntxWeightOnlyConfig with int4 is symmetric, the form that ours has unless it is asked for
zero points.
"""
import torch
from torchao.prototype.quantization.int4 import Int4OpaqueTensor, PrototypeInt4WeightOnlyConfig
from torchao.quantization import (Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig, IntxWeightOnlyConfig,
                                  quantize_)
from torchao.quantization.granularity import PerGroup
from torchao.quantization.quantize_.workflows import Int4ChooseQParamsAlgorithm


def zero_points(group, algorithm):
    return PrototypeInt4WeightOnlyConfig(group_size=group, set_inductor_config=False,
                                         int4_choose_qparams_algorithm=algorithm)


def symmetric(group):
    return IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(group))


# Name in the tables: the configuration.
SCHEMES = {
    "int8_weight_only": Int8WeightOnlyConfig(set_inductor_config=False),
    "int8_dynamic": Int8DynamicActivationInt8WeightConfig(set_inductor_config=False),
    **{f"int4 g{group}": symmetric(group) for group in (128, 32)},
    **{f"int4 g{group}, zero points": zero_points(group, Int4ChooseQParamsAlgorithm.TINYGEMM) for group in (128, 32)},
    **{f"int4 g{group}, zero points, HQQ": zero_points(group, Int4ChooseQParamsAlgorithm.HQQ) for group in (128, 32)},
}


def quantize(module, scheme, chosen=lambda name: True):
    """Rounds the linear layers in a module whose names are chosen, in place."""
    quantize_(module, SCHEMES[scheme], lambda part, name: isinstance(part, torch.nn.Linear) and chosen(name))


def weight_of(linear, original):
    """The weights that a rounded layer multiplies with. The prototype's tensor shows its scales and zero points but not
    its codes: they are the nearest. A product must agree, but for weights halfway between two codes (one of 2,500 where
    weights are bfloat16), which are as wrong with either."""
    weight = linear.weight
    if not isinstance(weight, Int4OpaqueTensor):
        return weight.dequantize()
    group = weight.block_size[1]
    scale, zero = (part.T[..., None] for part in weight.scale_and_zero.unbind(-1))
    groups = original.unflatten(1, (-1, group))
    values = (torch.round((groups - zero) / scale).clamp(-8, 7) * scale + zero).flatten(1)
    x = torch.randn(8, original.shape[1], generator=torch.Generator().manual_seed(1))
    product = x @ values.T
    assert (linear(x) - product).norm() < 1e-2 * product.norm(), "these are not the codes that torchao has"
    return values


@torch.no_grad()
def make_dense(module):
    """Replaces weights in int4 by the numbers that they stand for, products with single inputs of 1: torchao's kernel for
    the prototype's tensors takes minutes in float32 where a processor has no AVX-512."""
    for part in module.modules():
        if isinstance(part, torch.nn.Linear) and type(part.weight).__name__ in ("Int4OpaqueTensor",
                                                                                "IntxUnpackedToInt8Tensor"):
            part.weight = torch.nn.Parameter(part(torch.eye(part.in_features)).T.contiguous(), requires_grad=False)
