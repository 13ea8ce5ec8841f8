# SPDX-License-Identifier: BSD-2-Clause
"""Time Transformers on the work that `paligemma bench` does; compare_peers.py runs this and the command in turn.

    python time_transformers.py [--runs 2] [--new-tokens 32] [--threads N] [--dtype bfloat16|float32] CHECKPOINT_DIR

Needs the packages of tests/oracle/requirements.txt. The work is one picture of equal pixels, the picture's tokens and
four more, and an answer made greedily, end tokens ignored. Each run prints one JSON object. The loop is generate()'s
without its bookkeeping, so it is no slower.
"""
import argparse
import json
import os
import pathlib
import time

import torch
import transformers

TEXT_TOKENS = 4


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    options = parser.parse_args()
    if options.new_tokens < 2 or options.runs < 1:
        parser.error("at least one run of two tokens")
    return options


def make_inputs(model):
    """Pixels, token ids and their types, as the processor gives them for a prompt without an answer."""
    vision = model.config.vision_config
    size, n_image = vision.image_size, (vision.image_size // vision.patch_size) ** 2
    ids = [model.config.image_token_id] * n_image + [2 + i for i in range(TEXT_TOKENS)]
    ids = torch.tensor([ids])
    return {"pixel_values": torch.zeros(1, 3, size, size, dtype=model.dtype), "input_ids": ids,
            "token_type_ids": torch.zeros_like(ids)}


def next_token(out):
    return out.logits[:, -1].float().argmax(-1, keepdim=True)


@torch.inference_mode()
def run(model, inputs, new_tokens):
    """One picture and one answer, stage by stage."""
    start = time.monotonic()
    model.get_image_features(inputs["pixel_values"])
    image = time.monotonic() - start

    start = time.monotonic()
    out = model(**inputs, logits_to_keep=1, use_cache=True)
    token = next_token(out)
    image_and_prefill = time.monotonic() - start

    start = time.monotonic()
    for _ in range(new_tokens - 1):
        out = model(input_ids=token, past_key_values=out.past_key_values, logits_to_keep=1, use_cache=True)
        token = next_token(out)
    decode = (new_tokens - 1) / (time.monotonic() - start)
    return {"image_s": image, "prefill_s": image_and_prefill - image, "decode_tokens_per_s": decode}


def main():
    options = parse_options()
    torch.set_num_threads(options.threads)
    start = time.monotonic()
    model = transformers.PaliGemmaForConditionalGeneration.from_pretrained(
        options.checkpoint, dtype=getattr(torch, options.dtype)).eval()
    load = time.monotonic() - start
    inputs = make_inputs(model)
    for _ in range(options.runs):
        print(json.dumps({**run(model, inputs, options.new_tokens), "load_s": load,
                          "version": f"Transformers {transformers.__version__}, PyTorch {torch.__version__}"}),
              flush=True)


if __name__ == "__main__":
    main()
