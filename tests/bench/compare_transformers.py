# SPDX-License-Identifier: BSD-2-Clause
"""Time the same work with Transformers and with the command paligemma, in turn, and print a table with the ratios.

    python compare_transformers.py [--command build/bin/paligemma] [--runs 3] [--new-tokens 32] [--threads N]
                                   [--dtype bfloat16] CHECKPOINT_DIR

Needs the packages of tests/oracle/requirements.txt. Both sides get one picture of equal pixels, the picture's image
tokens and four more tokens; both make the same number of new tokens greedily, end tokens ignored. A round is one run
of each side, so that a change of the machine's speed meets both; best and median are taken over the rounds. Nothing
else may run meanwhile.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

import torch
from transformers import PaliGemmaForConditionalGeneration

STAGES = [("image_s", "image, s"), ("prefill_s", "prefill, s"), ("decode_tokens_per_s", "decode, tokens/s")]


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("--command", default="build/bin/paligemma")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    return parser.parse_args()


class Transformers:
    """The reference, its weights in memory."""

    def __init__(self, options):
        torch.set_num_threads(options.threads)
        start = time.monotonic()
        self.model = PaliGemmaForConditionalGeneration.from_pretrained(
            options.checkpoint, dtype=getattr(torch, options.dtype)).eval()
        self.load_s = time.monotonic() - start
        self.new_tokens = options.new_tokens
        config = self.model.config
        size = config.vision_config.image_size
        n_image = (size // config.vision_config.patch_size) ** 2
        self.pixels = torch.zeros(1, 3, size, size, dtype=self.model.dtype)
        ids = [config.image_token_index] * n_image + [2 + i % 97 for i in range(n_image, n_image + 4)]
        self.ids = torch.tensor([ids])

    @torch.inference_mode()
    def run(self):
        """One picture and one answer, stage by stage, as generate() does them."""
        start = time.monotonic()
        self.model.get_image_features(self.pixels)
        image = time.monotonic() - start

        start = time.monotonic()
        out = self.model(input_ids=self.ids, pixel_values=self.pixels, token_type_ids=torch.zeros_like(self.ids),
                         logits_to_keep=1, use_cache=True)
        token = out.logits[:, -1].float().argmax(-1, keepdim=True)
        prefill = time.monotonic() - start - image  # the tower runs in this pass again

        start = time.monotonic()
        for _ in range(self.new_tokens - 1):
            out = self.model(input_ids=token, past_key_values=out.past_key_values, logits_to_keep=1, use_cache=True,
                             token_type_ids=torch.ones_like(token))
            token = out.logits[:, -1].float().argmax(-1, keepdim=True)
        decode = (self.new_tokens - 1) / (time.monotonic() - start)
        return {"image_s": image, "prefill_s": prefill, "decode_tokens_per_s": decode}


def run_ours(options, tokens):
    """One run of paligemma bench, the whole report."""
    command = [options.command, "bench", "-m", str(options.checkpoint), "--dtype", options.dtype, "--threads",
               str(options.threads), "--prompt-tokens", str(tokens), "--new-tokens", str(options.new_tokens),
               "--runs", "1", "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    options = parse_options()
    reference = Transformers(options)
    theirs, ours, reports = [], [], []
    for _ in range(options.runs):
        theirs.append(reference.run())
        reports.append(run_ours(options, reference.ids.shape[1]))
        ours.append({key: reports[-1][key]["best"] for key, _ in STAGES})
    machine = reports[-1]["machine"]
    print(f"{machine['threads']} threads, {machine['instruction_set']}, torch {torch.__version__}, {options.dtype}; "
          f"loading: Transformers {reference.load_s:.1f} s, ours {min(r['load_s'] for r in reports):.3f} s\n")
    print("| | Transformers: best (median) | ours: best (median) | ratio of the best | share of the machine's limit |")
    print("|---|---|---|---|---|")
    for key, name in STAGES:
        best = max if key == "decode_tokens_per_s" else min
        a, b = [run[key] for run in theirs], [run[key] for run in ours]
        ratio = best(b) / best(a) if best is max else best(a) / best(b)
        share = max(report[key]["share"] for report in reports)
        print(f"| {name} | {best(a):.3f} ({statistics.median(a):.3f}) | {best(b):.3f} ({statistics.median(b):.3f}) | "
              f"{ratio:.2f} | {100 * share:.1f} % |")


if __name__ == "__main__":
    main()
