# SPDX-License-Identifier: BSD-2-Clause
"""Write tests/data/adapters/NAME: LoRA adapters as PEFT saves them, and what their base models answer with them.

    python make_adapter_fixtures.py

Needs tests/data/models (make_model_fixtures.py) and peft (requirements-peft.txt).
"""
import json
import pathlib
import shutil

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file
from transformers import PaliGemmaForConditionalGeneration

import oracle_runs
from fixture_models import style_name, write_json

DATA = pathlib.Path(__file__).parent.parent / "data"
NEW_TOKENS, MIN_MARGIN = 12, 0.005

# name: base, seed, what LoraConfig is given, type of the file, tensor names ("peft": as PEFT wrote them)
ADAPTERS = {
    "pg1-all": dict(
        base="pg1", seed=201, dtype="float32", names="peft",
        config=dict(r=3, lora_alpha=6, target_modules="all-linear",
                    rank_pattern={"q_proj": 5, "layers.0.mlp.fc1": 2, "^model.multi_modal_projector.linear": 4},
                    alpha_pattern={"layers.1.mlp.down_proj": 9, "down_proj": 4, "out_proj": 1.5})),
    "pg1-second": dict(
        base="pg1", seed=212, dtype="float32", names="A",
        config=dict(r=4, lora_alpha=4, target_modules=["q_proj", "v_proj"])),
    "pg1-head": dict(
        base="pg1", seed=203, dtype="float32", names="peft",
        config=dict(r=2, lora_alpha=4, target_modules=["lm_head", "o_proj"])),
    "pg2-rs": dict(
        base="pg2", seed=204, dtype="bfloat16", names="peft",
        config=dict(r=4, lora_alpha=3, use_rslora=True, target_modules="all-linear")),
}


def base_model(name):
    return PaliGemmaForConditionalGeneration.from_pretrained(DATA / "models" / name, dtype=torch.float32,
                                                             attn_implementation="eager").eval()


def random_pairs(model, seed, dtype):
    """Fill A and B in place, B too (training starts with zeros): an update is about a third of its weight."""
    pairs = sorted((name, p) for name, p in model.named_parameters() if ".lora_" in name)
    for index, (_, parameter) in enumerate(pairs):
        rng = np.random.default_rng([seed, index])
        values = rng.standard_normal(tuple(parameter.shape)) * 0.35 / np.sqrt(parameter.shape[1])
        parameter.data = torch.from_numpy(values).to(getattr(torch, dtype)).to(torch.float32)


def rename(name):
    """As releases before 4.52 named the modules, and with the adapter's own name left in."""
    module = name.removeprefix("base_model.model.")
    for half in ("lora_A", "lora_B"):
        module = module.replace(f".{half}.weight", f".{half}.default.weight")
    return "base_model.model." + style_name(module, "A")


def save(adapted, directory, spec):
    """As save_pretrained does, without its README and without this machine's paths."""
    shutil.rmtree(directory, ignore_errors=True)
    adapted.save_pretrained(directory)
    (directory / "README.md").unlink(missing_ok=True)
    config = json.loads((directory / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = spec["base"]
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    write_json(directory / "adapter_config.json", config)
    path = directory / "adapter_model.safetensors"
    tensors = {name: t.to(getattr(torch, spec["dtype"])) for name, t in load_file(path).items()}
    if spec["names"] == "A":
        tensors = {rename(name): t for name, t in tensors.items()}
    save_file(tensors, path, metadata={"format": "pt"})


def outputs(model, base, case):
    got = oracle_runs.forward(model, load_file(DATA / "models" / base / f"{case}.inputs.safetensors"))
    return {name: got[name] for name in ("logits", "image_hidden_states") if name in got}


def difference(a, b):
    return max((a[name] - b[name]).abs().max().item() for name in a)


def scale(model, factor):
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.scale_layer(factor)


def greedy(model, base):
    inputs = load_file(DATA / "models" / base / "generate.inputs.safetensors")
    answers, margin = oracle_runs.slow_greedy(model, inputs, NEW_TOKENS)
    assert answers == oracle_runs.generate(model, inputs, NEW_TOKENS)
    assert margin >= MIN_MARGIN, f"a near-tie ({margin}): take another seed"
    return {"max_new_tokens": NEW_TOKENS, "token_ids": answers, "margin": round(margin, 6)}


def write(name, spec):
    directory = DATA / "adapters" / name
    adapted = get_peft_model(base_model(spec["base"]), LoraConfig(**spec["config"])).eval()
    random_pairs(adapted, spec["seed"], spec["dtype"])
    save(adapted, directory, spec)
    if spec["names"] == "peft":  # What the files say is what counts: the order of the patterns' keys is lost in them.
        adapted = PeftModel.from_pretrained(base_model(spec["base"]), directory).eval()
    model, base = adapted.base_model.model, spec["base"]
    expected = {case: outputs(model, base, case) for case in ("basic", "left_pad_suffix")}
    plain = difference(expected["basic"], outputs(base_model(base), base, "basic"))
    for case, tensors in expected.items():
        save_file(tensors, directory / f"{case}.expected.safetensors")
    answer = greedy(model, base)
    (directory / "generate.json").write_text(json.dumps(answer) + "\n")
    scale(model, 0.5)
    save_file({"logits": outputs(model, base, "basic")["logits"]}, directory / "half.expected.safetensors")
    scale(model, 2.0)
    merged = "-"
    if name != "pg1-head":  # A tied head that is merged changes the embedding too.
        merged = difference(outputs(adapted.merge_and_unload(), base, "basic"), expected["basic"])
        assert merged < 2e-5
    print(f"{name}: moves the outputs by {plain:.3f}; merged differs by {merged}; {answer}")


def write_both():
    """The two adapters of pg1, the first at half its scale, merged one after the other."""
    model = PeftModel.from_pretrained(base_model("pg1"), DATA / "adapters" / "pg1-all").eval()
    scale(model, 0.5)
    model = model.merge_and_unload()
    second = DATA / "adapters" / "pg1-second"
    model = get_peft_model(model, LoraConfig(**ADAPTERS["pg1-second"]["config"])).eval()
    random_pairs(model, ADAPTERS["pg1-second"]["seed"], "float32")
    model = model.merge_and_unload()
    save_file({"logits": outputs(model, "pg1", "basic")["logits"]}, second / "both.expected.safetensors")


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    for name, spec in ADAPTERS.items():
        write(name, spec)
    write_both()


if __name__ == "__main__":
    main()
