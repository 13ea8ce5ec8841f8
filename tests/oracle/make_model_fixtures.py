# SPDX-License-Identifier: BSD-2-Clause
"""Write tests/data/models: small random checkpoints with the outputs of Transformers on them.

    python make_model_fixtures.py [--only NAME …] [OUT_DIR]
"""
import argparse
import json
import pathlib
import shutil
import zlib

import torch
import transformers
from safetensors.torch import save_file
from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration

import fixture_cases
import fixture_models
import oracle_runs

MIN_MARGIN = 5e-3  # Between the best and the second logit of every greedy step: no near-ties.


def give_window(model):
    """Transformers 5.23 hands Mistral both masks in a dict, which fails: give it the one with the window, as meant."""
    inner = model.model.language_model
    forward = inner.forward

    def with_window(*args, attention_mask=None, **kwargs):
        if isinstance(attention_mask, dict):
            attention_mask = attention_mask["sliding_attention"]
        return forward(*args, attention_mask=attention_mask, **kwargs)

    if model.config.text_config.model_type == "mistral":
        inner.forward = with_window
    return model


def build(spec, directory):
    """Write the checkpoint; return its model in float32 with exactly the file's weights."""
    config = PaliGemmaConfig.from_dict(spec["config"])
    config._attn_implementation = "eager"
    model = PaliGemmaForConditionalGeneration._from_config(config, attn_implementation="eager", dtype=torch.float32)
    model.eval()
    model.tie_weights()
    fixture_models.random_weights(model, spec["seed"], spec["dtype"])
    model.tie_weights()
    give_window(model)
    fixture_models.write_side_files(directory, spec)
    if spec["style"] == "saved":
        saved = PaliGemmaForConditionalGeneration._from_config(config, dtype=getattr(torch, spec["dtype"]))
        saved.load_state_dict(model.state_dict())
        saved.save_pretrained(directory)
    else:
        fixture_models.write_shards(directory, fixture_models.file_tensors(model, spec), spec["shards"])
    return model


def load(directory, dtype):
    model = PaliGemmaForConditionalGeneration.from_pretrained(directory, dtype=dtype, attn_implementation="eager")
    return give_window(model.eval())


def check_loaded(model, loaded, name):
    """What from_pretrained makes of the files is the model that the outputs come from."""
    other = dict(loaded.named_parameters())
    for key, value in model.named_parameters():
        assert torch.equal(value, other[key].float()), f"{name}: {key} differs after loading"


def forward_cases(model, half, spec, directory):
    for name, (make, keep, hidden, attentions) in fixture_cases.FORWARD.items():
        if name not in spec.get("cases", fixture_cases.FORWARD):
            continue
        inputs = make(fixture_cases.Maker(spec["config"], [spec["seed"], zlib.crc32(name.encode())]))
        if keep is not None:
            inputs.pop("labels", None)
        expected = oracle_runs.forward(model, inputs, keep, hidden, attentions)
        if attentions:
            oracle_runs.check_attentions(model, inputs, expected)
        if name == "split":
            cached = oracle_runs.cached_suffix_logits(model, inputs)
            print(f"  split: cache against one pass {(cached - expected['logits']).abs().max():.1e}")
        error = oracle_runs.bfloat16_error(half, inputs, keep, expected)
        save_file(inputs, directory / f"{name}.inputs.safetensors")
        save_file(expected, directory / f"{name}.expected.safetensors")
        fixture_models.write_json(directory / f"{name}.bf16.json", error)
        print(f"  {name}: logits std {expected['logits'].std():.2f} max {expected['logits'].abs().max():.2f}, "
              f"bfloat16 max {error['max_abs']:.3f} mean {error['mean_abs']:.4f}")


def generate_case(model, spec, case, directory):
    """Draw prompts until the greedy choices are clear, both ways agree, and the rows end as the case wants."""
    name, (lengths, new_tokens, wanted_ends) = case
    disagreed = 0
    for attempt in range(2000):
        maker = fixture_cases.Maker(spec["config"], [spec["seed"], zlib.crc32(name.encode()), attempt])
        inputs = fixture_cases.prompts(maker, lengths)
        answers, margin = oracle_runs.slow_greedy(model, inputs, new_tokens, MIN_MARGIN)
        if margin <= 0:
            continue
        ends = [row[-1] == oracle_runs.EOS_ID for row in answers]
        varied = all(len(set(row)) >= min(4, len(row) - 1) for row in answers)
        if not varied or ends != wanted_ends:
            continue
        if oracle_runs.generate(model, inputs, new_tokens) != answers:
            disagreed += 1
            continue
        save_file(inputs, directory / f"{name}.inputs.safetensors")
        fixture_models.write_json(directory / f"{name}.generate.json", {
            "max_new_tokens": new_tokens, "margin": margin, "input_ids": inputs["input_ids"].tolist(),
            "token_ids": answers})
        print(f"  {name}: attempt {attempt}, margin {margin:.3f}, disagreed {disagreed}, {answers}")
        return
    raise SystemExit(f"{name}: no prompt found")


def make(name, directory):
    spec = fixture_models.MODELS[name]
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    print(name)
    model = build(spec, directory)
    check_loaded(model, load(directory, torch.float32), name)
    half = build(spec, directory).to(torch.bfloat16)
    forward_cases(model, half, spec, directory)
    for case in fixture_cases.GENERATE.items():
        if case[0] in spec.get("cases", fixture_cases.GENERATE):
            generate_case(model, spec, case, directory)
    for path in directory.iterdir():
        path.chmod(0o644)


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=fixture_models.MODELS, default=list(fixture_models.MODELS))
    parser.add_argument("out", nargs="?", type=pathlib.Path, default=here.parent / "data" / "models")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    print("torch", torch.__version__, "transformers", transformers.__version__)
    for name in options.only:
        make(name, options.out / name)


if __name__ == "__main__":
    main()
