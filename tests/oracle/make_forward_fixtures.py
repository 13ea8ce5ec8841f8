# SPDX-License-Identifier: BSD-2-Clause
"""Add cases to tests/data/models/pg1 and pg2: what else a forward pass takes and returns.

    python make_forward_fixtures.py      (after make_model_fixtures.py)

`placeholders`  inputs_embeds alone, with the embedding of <image> where the picture's rows belong
`padded`        two left-padded rows with suffixes: hidden_states.N, attentions.N, loss, token_loss
`keep_negative` logits of positions -1, 0 and -5, in that order
`blind`         two rows, one of which is nothing but padding: its attention is uniform, and all of it is compared
`tower`         two pictures: vision_hidden_states.N, what enters each block of the tower and leaves the last

The files are those of make_model_fixtures.py; logits are left out where the case is not about them.
"""
import pathlib
import zlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import PaliGemmaForConditionalGeneration

import fixture_cases
import fixture_models
import oracle_runs

MODELS = pathlib.Path(__file__).resolve().parent.parent / "data" / "models"


@torch.no_grad()
def placeholders(model, maker):
    inputs = {**fixture_cases.batch([maker.prompt(4)], [maker.suffix(3)]), "pixel_values": maker.pixels(1)}
    inputs["inputs_embeds"] = model.get_input_embeddings()(inputs.pop("input_ids"))
    return inputs, oracle_runs.forward(model, inputs, 3)


@torch.no_grad()
def padded(model, maker):
    inputs = fixture_cases.batch([maker.prompt(2), maker.prompt(5)], [maker.suffix(3), maker.suffix(6)], labels=True)
    inputs["pixel_values"] = maker.pixels(2)
    expected = oracle_runs.forward(model, inputs, None, True, True)
    oracle_runs.check_attentions(model, inputs, expected)
    logits, labels = expected.pop("logits")[:, :-1], inputs["labels"][:, 1:]
    expected["token_loss"] = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    assert torch.isclose(expected["token_loss"].sum() / (labels != -100).sum(), expected["loss"])
    return inputs, expected


def keep_negative(model, maker):
    inputs = {**fixture_cases.batch([maker.prompt(5)], [maker.suffix(4)]), "pixel_values": maker.pixels(1)}
    return inputs, oracle_runs.forward(model, inputs, [-1, 0, -5])


def blind(model, maker):
    inputs = fixture_cases.batch([maker.prompt(3)[-5:]] * 2, [maker.suffix(4)] * 2)
    inputs["attention_mask"][1] = 0
    return inputs, oracle_runs.forward(model, inputs, 2, True, True)


@torch.no_grad()
def tower(model, maker):
    inputs = {**fixture_cases.batch([maker.prompt(1), maker.prompt(1)]), "pixel_values": maker.pixels(2)}
    expected = oracle_runs.forward(model, inputs, 1)
    out = model.model.vision_tower(inputs["pixel_values"], output_hidden_states=True)
    assert len(out.hidden_states) == model.config.vision_config.num_hidden_layers + 1
    # The last entry is the last block's output, which the projector's input is the norm of.
    post = model.model.vision_tower.post_layernorm(out.hidden_states[-1])
    assert torch.equal(model.model.multi_modal_projector(post), expected["image_hidden_states"])
    expected.update({f"vision_hidden_states.{i}": h for i, h in enumerate(out.hidden_states)})
    return inputs, expected


def main():
    torch.set_num_threads(1)
    for name in ("pg1", "pg2"):
        model = PaliGemmaForConditionalGeneration.from_pretrained(MODELS / name, dtype=torch.float32,
                                                                  attn_implementation="eager").eval()
        spec = fixture_models.MODELS[name]
        for make in (placeholders, padded, keep_negative, blind, tower):
            case = make.__name__
            maker = fixture_cases.Maker(spec["config"], [spec["seed"], zlib.crc32(case.encode())])
            inputs, expected = make(model, maker)
            save_file(inputs, MODELS / name / f"{case}.inputs.safetensors")
            save_file({k: t.contiguous() for k, t in expected.items()}, MODELS / name / f"{case}.expected.safetensors")
            print(name, case, sorted(expected))


if __name__ == "__main__":
    main()
