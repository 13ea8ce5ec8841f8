# SPDX-License-Identifier: BSD-2-Clause
"""Open what `paligemma save` writes with the installed Transformers, and compare logits with the original's.

    python check_saved.py PALIGEMMA [DIRECTORY]

For every model of tests/data/models, every name style, every dtype, in one file and in shards, these with the tied
head. The original's weights are rounded to the dtype by PyTorch; both run in float32. Exit status 1 if the default
style is not opened to equal logits. What a release cannot open (4.57 lacks the vision tower's names of 5.x) is told from the keys it misses.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file
from transformers import PaliGemmaForConditionalGeneration

import compare_forward

STYLES = ("transformers-4", "transformers-5", "modules-4", "modules-5")
DTYPES = (None, "float32", "bfloat16", "float16")
SHARDS = (None, "60KB")


@torch.no_grad()
def logits(model, inputs):
    """One pass, which both releases compute alike on a prompt of pictures and prefix only."""
    arguments = {k: v for k, v in inputs.items() if k != "labels"}
    return model(**arguments, use_cache=False).logits


def original(directory, dtype):
    model = compare_forward.load(directory)
    if dtype:
        for parameter in model.parameters():
            parameter.data = parameter.data.to(getattr(torch, dtype)).to(torch.float32)
    return model


def opened(directory):
    """The saved model in float32, or None if a weight was not found."""
    model, info = PaliGemmaForConditionalGeneration.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    missing = {key for key in info["missing_keys"] if not key.endswith("lm_head.weight")}
    return None if missing or info["unexpected_keys"] else model.eval()


def save(command, directory, out, style, dtype, shards):
    arguments = [command, "save", str(directory), str(out), "--name-style", style]
    arguments += ["--dtype", dtype] if dtype else []
    arguments += ["--max-shard-size", shards, "--write-tied-head"] if shards else []
    subprocess.run(arguments, check=True)


def check(command, directory, style, dtype, shards):
    """Largest difference of the logits of `basic`; None if the release does not open the directory."""
    inputs = load_file(directory / "basic.inputs.safetensors")
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "saved")
        save(command, directory, out, style, dtype, shards)
        config = transformers.AutoConfig.from_pretrained(out)
        assert not dtype or config.dtype == getattr(torch, dtype), config.dtype
        model = opened(out)
    if model is None:
        return None
    return (logits(model, inputs) - logits(original(directory, dtype), inputs)).abs().max().item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("directory", nargs="?", type=pathlib.Path,
                        default=pathlib.Path(__file__).parent.parent / "data" / "models")
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    print("transformers", transformers.__version__)
    good = True
    for style in STYLES:
        for dtype in DTYPES:
            results = [check(options.command, directory, style, dtype, shards)
                       for directory in sorted(options.directory.iterdir()) for shards in SHARDS]
            found = [r for r in results if r is not None]
            good = good and (style != STYLES[0] or (len(found) == len(results) and max(found) == 0.0))
            print(f"{style:16} {dtype or 'as it is':10} opened {len(found)} of {len(results)}",
                  f"largest difference {max(found):.1e}" if found else "")
    sys.exit(not good)


if __name__ == "__main__":
    main()
