# SPDX-License-Identifier: BSD-2-Clause
"""Write tests/data/models/NAME/split.hidden.safetensors: a suffix after a cached prefix whose mask hides cached tokens.

    python make_mask_fixtures.py      (after make_model_fixtures.py)

The prefix of the case `split` runs with all of it visible; the suffix then with an attention_mask over both that
hides the prefix's tokens 1, 4 and 5. `mask` is that mask, `logits` those of the suffix.
"""
import pathlib

import torch
from safetensors.torch import load_file, save_file
from transformers import PaliGemmaForConditionalGeneration

MODELS = pathlib.Path(__file__).parent.parent / "data" / "models"
HIDDEN = [1, 4, 5]


@torch.no_grad()
def main():
    for name in ("pg1", "pg2"):
        model = PaliGemmaForConditionalGeneration.from_pretrained(MODELS / name, dtype=torch.float32,
                                                                  attn_implementation="eager").eval()
        inputs = load_file(MODELS / name / "split.inputs.safetensors")
        types, mask = inputs["token_type_ids"], inputs["attention_mask"].clone()
        n = int((types[0] == 0).sum())
        first = {k: v[:, :n] for k, v in inputs.items() if v.dim() == 2 and k != "labels"}
        out = model(**first, pixel_values=inputs["pixel_values"], use_cache=True)
        mask[:, HIDDEN] = 0
        # One token at a time: causal whatever the version makes of token types after a cache.
        rows, cache = [], out.past_key_values
        for i in range(n, types.shape[1]):
            step = model(input_ids=inputs["input_ids"][:, i:i + 1], attention_mask=mask[:, :i + 1],
                         past_key_values=cache, use_cache=True)
            rows.append(step.logits)
            cache = step.past_key_values
        save_file({"mask": mask, "logits": torch.cat(rows, 1).contiguous()},
                  MODELS / name / "split.hidden.safetensors")


if __name__ == "__main__":
    main()
