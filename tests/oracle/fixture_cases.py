# SPDX-License-Identifier: BSD-2-Clause
"""The inputs on which the fixtures' expected outputs are computed: one function a case, all from a seed."""
import numpy as np
import torch

from small_tokenizer import BOS_ID, EOS_ID, FIRST_TEXT_ID, IMAGE_ID, NEWLINE_ID, PAD_ID


class Maker:
    """Draws rows and pictures for one model."""

    def __init__(self, config, seed):
        vision = config["vision_config"]
        self.rng = np.random.default_rng(seed)
        self.side = vision["image_size"]
        self.tokens = (vision["image_size"] // vision["patch_size"]) ** 2
        self.hidden = config["text_config"]["hidden_size"]

    def text(self, n):
        return self.rng.integers(FIRST_TEXT_ID, IMAGE_ID, n).tolist()

    def image(self):
        return [IMAGE_ID] * self.tokens

    def prompt(self, n):
        """Picture, <bos>, n pieces of text, newline: what the processor makes of a prompt."""
        return self.image() + [BOS_ID] + self.text(n) + [NEWLINE_ID]

    def suffix(self, n):
        return self.text(n) + [EOS_ID]

    def pixels(self, n):
        """Noise over a gradient, in the 8-bit levels that the image processor puts out."""
        ramp = np.linspace(0, 1, self.side)
        a, b, c = self.rng.uniform(-1, 1, (3, n, 3, 1, 1))
        values = 0.5 + 0.3 * (a * ramp[None, None, :, None] + b * ramp) + 0.1 * c
        values = values + 0.2 * self.rng.standard_normal(values.shape)
        levels = np.clip(np.round(values * 255), 0, 255)
        return torch.from_numpy(((levels / 255 - 0.5) / 0.5).astype(np.float32))


def batch(prefixes, suffixes=None, side="left", labels=False):
    """Rows padded to one length, with mask, types and, on request, labels; as the processor lays them out."""
    suffixes = suffixes or [[] for _ in prefixes]
    length = max(len(p) + len(s) for p, s in zip(prefixes, suffixes))
    rows = {name: [] for name in ("input_ids", "attention_mask", "token_type_ids", "labels")}
    for prefix, suffix in zip(prefixes, suffixes):
        n, pad = len(prefix) + len(suffix), length - len(prefix) - len(suffix)
        left, right = (pad, 0) if side == "left" else (0, pad)
        for name, row, fill in (("input_ids", prefix + suffix, PAD_ID), ("attention_mask", [1] * n, 0),
                                ("token_type_ids", [0] * len(prefix) + [1] * len(suffix), 0),
                                ("labels", [-100] * len(prefix) + suffix, -100)):
            rows[name].append([fill] * left + row + [fill] * right)
    if not labels:
        del rows["labels"]
    return {name: torch.tensor(value, dtype=torch.int64) for name, value in rows.items()}


def basic(m):
    return {**batch([m.prompt(6)]), "pixel_values": m.pixels(1)}


def two_images(m):
    """Two rows of two pictures each, one row with text before and between them."""
    first = m.image() + m.image() + [BOS_ID] + m.text(3) + [NEWLINE_ID]
    second = m.text(2) + m.image() + m.text(1) + m.image() + [BOS_ID, NEWLINE_ID]
    return {**batch([first, second]), "pixel_values": m.pixels(4)}


def suffix(m):
    return {**batch([m.prompt(4)], [m.suffix(7)], labels=True), "pixel_values": m.pixels(1)}


def left_pad_suffix(m):
    return {**batch([m.prompt(3), m.prompt(5)], [m.suffix(3), m.suffix(8)], labels=True), "pixel_values": m.pixels(2)}


def right_pad_suffix(m):
    return {**batch([m.prompt(6), m.prompt(2)], [m.suffix(5), m.suffix(4)], "right", True),
            "pixel_values": m.pixels(2)}


def text_only(m):
    return batch([[BOS_ID] + m.text(12) + [NEWLINE_ID]], [m.suffix(6)])


def position_ids(m):
    """Positions from 0 instead of 1, with a gap before the suffix."""
    inputs = {**batch([m.prompt(4)], [m.suffix(4)]), "pixel_values": m.pixels(1)}
    length = inputs["input_ids"].shape[1]
    positions = torch.arange(length)
    positions[length - 5:] += 9
    return {**inputs, "position_ids": positions[None]}


def embeds(m):
    """Rows instead of tokens: no input_ids, no picture."""
    inputs = batch([[BOS_ID] + m.text(9)], [m.suffix(5)])
    shape = (*inputs.pop("input_ids").shape, m.hidden)
    return {**inputs, "inputs_embeds": torch.from_numpy(m.rng.standard_normal(shape).astype(np.float32))}


def embeds_merge(m):
    """Rows for the text; the picture's rows are still to be put where input_ids has image tokens."""
    inputs = {**batch([m.prompt(5)]), "pixel_values": m.pixels(1)}
    shape = (*inputs["input_ids"].shape, m.hidden)
    return {**inputs, "inputs_embeds": torch.from_numpy(m.rng.standard_normal(shape).astype(np.float32))}


def split(m):
    """Computed in one pass; the test runs the prefix (type 0) with a cache and then the suffix."""
    return {**batch([m.prompt(4)], [m.suffix(9)]), "pixel_values": m.pixels(1)}


# name: function, logits to keep (None: all), hidden states, attentions.
FORWARD = {
    "basic": (basic, None, True, True), "two_images": (two_images, None, False, False),
    "suffix": (suffix, None, True, True), "left_pad_suffix": (left_pad_suffix, None, False, False),
    "right_pad_suffix": (right_pad_suffix, None, False, False), "text_only": (text_only, None, False, False),
    "position_ids": (position_ids, None, False, False), "embeds": (embeds, None, False, False),
    "embeds_merge": (embeds_merge, None, False, False), "keep_last": (basic, 3, False, False),
    "keep_list": (suffix, [2, 0, 11], False, False), "split": (split, None, False, False),
}

# name: prompts of how many text pieces, new tokens, which rows must end in <eos> before that.
GENERATE = {"generate": ([5], 16, [False]), "generate_pad": ([7, 2], 10, [False, False]),
            "generate_eos": ([4, 1], 12, [True, False])}


def prompts(m, lengths):
    return {**batch([m.prompt(n) for n in lengths]), "pixel_values": m.pixels(len(lengths))}
