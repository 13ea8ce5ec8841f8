# SPDX-License-Identifier: BSD-2-Clause
"""The mask VQ-VAE of PARITY §15 in PyTorch, with weights that a C program can compute too.

Value i of tensor NAME is  scale · (mix(fnv1a(NAME) + i) >> 8) · 2^-23 - scale  in float32, where mix is the 32-bit
finalizer below and scale depends on the tensor's shape: tests/mask_weights.h has the same two functions.
"""
import numpy as np
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 1))

    def forward(self, x):
        return x + self.net(x)


def up(n_in, n_out):
    return nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1)


def down(n_in, n_out):
    return nn.Conv2d(n_in, n_out, 4, stride=2, padding=1)


class MaskModel(nn.Module):
    def __init__(self):
        super().__init__()
        self._vq_vae = nn.Module()
        self._vq_vae._embedding = nn.Parameter(torch.empty(128, 512))
        self.decoder = nn.Sequential(
            nn.Conv2d(512, 128, 1), nn.ReLU(), Block(128), Block(128),
            up(128, 128), nn.ReLU(), up(128, 64), nn.ReLU(), up(64, 32), nn.ReLU(), up(32, 16), nn.ReLU(),
            nn.Conv2d(16, 1, 1))
        self.encoder = nn.Sequential(
            down(1, 16), nn.ReLU(), down(16, 32), nn.ReLU(), down(32, 64), nn.ReLU(), down(64, 128), nn.ReLU(),
            Block(128), Block(128), nn.Conv2d(128, 512, 1))
        for name, parameter in self.named_parameters():
            parameter.data = torch.from_numpy(weights(name, tuple(parameter.shape)))

    def decode(self, seg):
        """[n, 16] indices to [n, 64, 64]."""
        codes = self._vq_vae._embedding[seg].reshape(-1, 4, 4, 512).permute(0, 3, 1, 2)
        return self.decoder(codes)[:, 0]

    def distances(self, masks):
        """[n, 64, 64] in 0…1 to the squared distances [n, 16, 128] from the rows of the codebook."""
        codes = self.encoder(2.0 * (masks[:, None] - 0.5)).permute(0, 2, 3, 1).reshape(-1, 16, 512)
        return ((codes[:, :, None] - self._vq_vae._embedding) ** 2).sum(-1)


def mix(x):
    x = (x ^ (x >> 16)) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * np.uint32(0x846CA68B)
    return x ^ (x >> 16)


def scale_of(name, shape):
    """A layer keeps the size of its values; the last one of a block adds little."""
    if len(shape) != 4:
        return 1.0 if len(shape) == 2 else 0.125
    transposed = len(shape) == 4 and name in {f"decoder.{i}.weight" for i in (4, 6, 8, 10)}
    n_seen = shape[0] * 4 if transposed else shape[1] * shape[2] * shape[3]
    return (0.5 if ".net.4." in name else 1.0) * np.sqrt(6.0 / n_seen)


def weights(name, shape):
    seed = 2166136261
    for byte in name.encode():
        seed = ((seed ^ byte) * 16777619) & 0xFFFFFFFF
    with np.errstate(over="ignore"):
        bits = mix(np.arange(int(np.prod(shape)), dtype=np.uint32) + np.uint32(seed)) >> 8
    scale = np.float32(scale_of(name, shape))
    return (scale * (bits.astype(np.float32) * np.float32(2.0**-23) - np.float32(1))).reshape(shape)
