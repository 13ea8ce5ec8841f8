# SPDX-License-Identifier: BSD-2-Clause
"""Write tests/data/models/NAME/mask.txt: a prompt's mask as AttentionMaskVisualizer's own function draws it.

    python make_mask_text_fixtures.py      (after make_model_fixtures.py)

The visualizer of 5.23.0 gives that function a plain causal mask (it passes no token types); here it gets the mask by
the rule, which make_model_fixtures.py has held against the attentions. Only the lines of the matrix are kept, without
the empty sliding part behind "|": with a window the function draws a band of its own and not what a layer applies.
"""
import pathlib

import numpy as np
from PIL import Image
from transformers import PaliGemmaProcessor
from transformers.utils.attention_visualizer import generate_attention_matrix_from_mask

import oracle_runs

MODELS = pathlib.Path(__file__).resolve().parent.parent / "data" / "models"
PROMPT, SUFFIX = 'is it "red" or the cat\'s\t?', "the red cat"


def main():
    for name in ("pg1", "pg2"):
        processor = PaliGemmaProcessor.from_pretrained(MODELS / name)
        image = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
        inputs = processor(images=image, text="<image>" + PROMPT, suffix=SUFFIX, return_tensors="pt")
        words = processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
        text = generate_attention_matrix_from_mask(words, oracle_runs.visible(inputs), img_token="<image>")
        lines = [line.split("    |    ")[0] for line in text.splitlines() if "    |    " in line]
        assert len(lines) == len(words)
        (MODELS / name / "mask.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(name, len(words), words)


if __name__ == "__main__":
    main()
