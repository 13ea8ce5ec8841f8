# SPDX-License-Identifier: BSD-2-Clause
"""Write tests/data/models/NAME/CASE.beams.json: what Transformers' beam search answers to the cases of generate.

    python make_beam_fixtures.py
"""
import json
import pathlib

import torch
from safetensors.torch import load_file
from transformers import PaliGemmaForConditionalGeneration

from small_tokenizer import EOS_ID, PAD_ID

MODELS = pathlib.Path(__file__).parent.parent / "data" / "models"
RUNS = [(2, 8), (4, 12), (5, 1), (8, 16)]  # beams, new tokens


def answers(model, inputs, beams, new_tokens):
    """New tokens of every row, each run alone and without its padding, until <eos>; and their scores."""
    rows, scores = [], []
    for row, mask in enumerate(inputs["attention_mask"].bool()):
        one = {k: v[row:row + 1, mask] for k, v in inputs.items() if v.dim() == 2}
        images = inputs["pixel_values"][row:row + 1]
        out = model.generate(**one, pixel_values=images, num_beams=beams, do_sample=False, max_new_tokens=new_tokens,
                             eos_token_id=EOS_ID, pad_token_id=PAD_ID, length_penalty=1.0, early_stopping=False,
                             return_dict_in_generate=True, output_scores=True)
        tokens = out.sequences[0, one["input_ids"].shape[1]:].tolist()
        rows.append(tokens[:tokens.index(EOS_ID) + 1] if EOS_ID in tokens else tokens)
        scores.append(round(out.sequences_scores[0].item(), 6))
    return {"num_beams": beams, "max_new_tokens": new_tokens, "token_ids": rows, "scores": scores}


@torch.no_grad()
def main():
    for name in ("pg1", "pg2"):
        model = PaliGemmaForConditionalGeneration.from_pretrained(MODELS / name, dtype=torch.float32,
                                                                  attn_implementation="eager").eval()
        for case in ("generate", "generate_pad", "generate_eos"):
            inputs = load_file(MODELS / name / f"{case}.inputs.safetensors")
            runs = [answers(model, inputs, *run) for run in RUNS]
            (MODELS / name / f"{case}.beams.json").write_text(json.dumps(runs) + "\n")
            print(name, case, *[run["token_ids"] for run in runs], sep="\n  ")


if __name__ == "__main__":
    main()
