# SPDX-License-Identifier: BSD-2-Clause
"""Compare the stored outputs of tests/data/models with what the installed Transformers computes now.

    python compare_forward.py [--tolerance 1e-4] [DIRECTORY]

With 5.x this shows that the files are still what the release gives. With 4.57 it is an independent check, and what
4.57 does otherwise is put right here: it gets the mask rule's own masks, keeps its features undivided, scales
rows that are given, and its logits get the final soft cap.
"""
import argparse
import json
import pathlib
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import PaliGemmaForConditionalGeneration

import oracle_runs

OLD = transformers.__version__.startswith("4.")


def style_b(name):
    """A style C or D name as style B, the newest that 4.57 opens."""
    name = name.removeprefix("model.")
    if name.startswith("language_model.model."):
        name = "language_model." + name.removeprefix("language_model.model.")
    if name.startswith("vision_tower.") and "vision_model" not in name:
        name = name.replace("vision_tower.", "vision_tower.vision_model.")
    return name if name == "lm_head.weight" else "model." + name


def load(directory):
    """The model in float32; a checkpoint that this release would not open whole is renamed first."""
    path = directory / "model.safetensors"
    tensors = load_file(path) if path.exists() else {}
    lone = tensors and not any(name.endswith("embed_tokens.weight") for name in tensors)
    renamed = OLD and tensors and not any(".vision_model." in name for name in tensors)
    if not (lone or renamed):
        return PaliGemmaForConditionalGeneration.from_pretrained(directory, dtype=torch.float32,
                                                                 attn_implementation="eager").eval()
    tensors = {style_b(name): tensor for name, tensor in tensors.items()}
    tensors.setdefault("model.language_model.embed_tokens.weight", tensors.get("lm_head.weight"))
    with tempfile.TemporaryDirectory() as folder:
        save_file({name: t.clone() for name, t in tensors.items()}, f"{folder}/model.safetensors", {"format": "pt"})
        for name in ("config.json", "generation_config.json"):
            pathlib.Path(folder, name).write_text((directory / name).read_text())
        return PaliGemmaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32,
                                                                 attn_implementation="eager").eval()


def additive(mask):
    return torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)[:, None]


@torch.no_grad()
def forward_old(model, inputs, keep):
    """oracle_runs.forward for 4.57."""
    text = model.config.text_config
    root_hidden = text.hidden_size ** 0.5
    full = additive(oracle_runs.visible(inputs))
    masks = {"full_attention": full,
             "sliding_attention": additive(oracle_runs.visible(inputs, getattr(text, "sliding_window", None)))}
    gemma2 = text.model_type == "gemma2"
    model.model._update_causal_mask = lambda *args, **kwargs: masks if gemma2 else full
    arguments = {k: v for k, v in inputs.items() if k not in ("labels", "token_type_ids")}
    features = None
    if "inputs_embeds" in inputs:
        rows = inputs["inputs_embeds"] / root_hidden
        if "pixel_values" in inputs:
            features = model.get_image_features(inputs["pixel_values"])
            placeholder = model.get_input_embeddings().weight[model.config.image_token_id] * root_hidden
            where = (inputs["input_ids"] == model.config.image_token_id if "input_ids" in inputs else
                     (inputs["inputs_embeds"] == placeholder).all(-1))[..., None]
            rows = rows.masked_scatter(where, features)
        arguments = {"inputs_embeds": rows, "attention_mask": inputs["attention_mask"]}
    out = model(**arguments, output_hidden_states=True, output_attentions=True, use_cache=False)
    cap = getattr(text, "final_logit_softcapping", None)
    got = {"logits": cap * torch.tanh(out.logits / cap) if cap else out.logits,
           "last_hidden_state": out.hidden_states[-1]}
    features = out.image_hidden_states if features is None else features
    if features is not None:
        got["image_hidden_states"] = features * root_hidden
    if "labels" in inputs:
        got["loss"] = torch.nn.functional.cross_entropy(got["logits"][:, :-1].flatten(0, 1),
                                                        inputs["labels"][:, 1:].flatten())
    if keep is not None:
        got["logits"] = got["logits"][:, keep]
    got.update({f"hidden_states.{i}": h for i, h in enumerate(out.hidden_states)})
    got.update({f"attentions.{i}": a for i, a in enumerate(out.attentions)})
    return got


def real_rows(name, tensor, inputs):
    """The entries of an output that belong to tokens, not to padding."""
    real = inputs["attention_mask"].bool()
    if name == "loss" or name == "image_hidden_states" or tensor.shape[1] != real.shape[1] and tensor.dim() == 3:
        return tensor
    return tensor.transpose(1, 2)[real] if name.startswith("attentions") else tensor[real]


def compare(model, directory, case):
    """Largest difference for each kind of output of one case."""
    inputs = load_file(directory / f"{case}.inputs.safetensors")
    expected = load_file(directory / f"{case}.expected.safetensors")
    kept = expected.pop("kept", None)
    if OLD:
        got = forward_old(model, inputs, kept)
    else:
        got = oracle_runs.forward(model, inputs, kept.tolist() if kept is not None else None, True,
                                  "attentions.0" in expected)
    worst = {}
    for name, value in expected.items():
        if name.startswith(("token_loss", "vision_hidden_states")):  # make_forward_fixtures.py computes them itself
            continue
        difference = (real_rows(name, got[name], inputs) - real_rows(name, value, inputs)).abs().max().item()
        kind = name.split(".")[0]
        worst[kind] = max(worst.get(kind, 0.0), difference)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    default = pathlib.Path(__file__).resolve().parent.parent / "data" / "models"
    parser.add_argument("directory", nargs="?", type=pathlib.Path, default=default)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("torch", torch.__version__, "transformers", transformers.__version__)
    overall = 0.0
    for directory in sorted(path for path in options.directory.iterdir() if path.is_dir()):
        if json.loads((directory / "config.json").read_text())["text_config"]["model_type"] in ("llama", "mistral"):
            continue  # 4.57 unties their head, and 5.23 cannot run Mistral's window: see make_model_fixtures.py
        model = load(directory)
        for path in sorted(directory.glob("*.expected.safetensors")):
            case = path.name.removesuffix(".expected.safetensors")
            worst = compare(model, directory, case)
            overall = max(overall, *worst.values())
            print(f"{directory.name:14} {case:18}", *(f"{kind} {value:.1e}" for kind, value in worst.items()))
    print(f"largest difference {overall:.1e}")
    sys.exit(overall > options.tolerance)


if __name__ == "__main__":
    main()
