# SPDX-License-Identifier: BSD-2-Clause
"""Score a checkpoint directory on unseen pictures, with the generate() of Transformers.

    python evaluate.py [DIRECTORY] [--pictures 500] [--dtype float32]

Captions and answers count when they are right word for word, boxes when their intersection over union
with the true box is at least 0.7. Every picture is asked for a caption, a detection, a count and, where
the picture allows it, a colour and a left-or-right question.
"""
import argparse
import collections
import json
import pathlib
import random
import re

import torch
from PIL import Image
from transformers import PaliGemmaForConditionalGeneration, PaliGemmaProcessor

import shapes

HERE = pathlib.Path(__file__).parent
SEED = 770000


def load(directory, dtype=torch.float32):
    """Model and processor of a checkpoint directory."""
    model = PaliGemmaForConditionalGeneration.from_pretrained(directory, dtype=dtype).eval()
    return model, PaliGemmaProcessor.from_pretrained(directory)


@torch.no_grad()
def generate(model, processor, pictures, prompts, most=40):
    """Greedy new tokens of every prompt, up to and including <eos>."""
    inputs = processor(images=pictures, text=["<image>" + p for p in prompts], padding=True, return_tensors="pt")
    inputs.pop("labels", None)
    inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
    out = model.generate(**inputs, do_sample=False, max_new_tokens=most)[:, inputs["input_ids"].shape[1]:]
    eos = processor.tokenizer.eos_token_id
    rows = []
    for row in out.tolist():
        rows.append(row[:row.index(eos) + 1] if eos in row else row)
    return rows


def boxes_of(text):
    """Boxes (left, top, right, bottom) in pixels of the 112-pixel picture, of a detection answer."""
    numbers = re.findall(r"<loc(\d{4})><loc(\d{4})><loc(\d{4})><loc(\d{4})>", text)
    return [tuple(int(n) * shapes.SIDE / 1024 for n in (x0, y0, x1, y1)) for y0, x0, y1, x1 in numbers]


def without_boxes(text):
    return re.sub(r"<loc\d{4}>", "", text)


def judge(tally, task, text, answer):
    """Count one answer."""
    wanted, found = boxes_of(answer), boxes_of(text)
    if not wanted:
        tally["none" if task == "detect" else task].append(text == answer)
        return
    tally["names"].append(without_boxes(text) == without_boxes(answer))
    tally["boxes"] += [len(found) == len(wanted) and shapes.iou(found[i], box) >= .7
                       for i, box in enumerate(wanted)]
    tally["iou"] += [shapes.iou(found[i], box) if len(found) == len(wanted) else 0.
                     for i, box in enumerate(wanted)]


def summary(tally):
    """Shares per kind, and over all answers: captions, counts, colours, left or right, and 'none'."""
    share = {name: {"share": round(sum(v) / len(v), 4), "of": len(v)} for name, v in sorted(tally.items())}
    answers = [x for name in ("caption", "count", "colour", "left", "none") for x in tally[name]]
    share["answers"] = {"share": round(sum(answers) / len(answers), 4), "of": len(answers)}
    return share


def score(directory, pictures=500, dtype=torch.float32, show=0):
    """Ask about `pictures` unseen pictures and judge the answers."""
    model, processor = load(directory, dtype)
    rng = random.Random(SEED)
    tally, batch = collections.defaultdict(list), []
    for number in range(pictures):
        scene = shapes.random_scene(rng)
        picture = Image.fromarray(shapes.render(rng, scene)[0])
        batch += [(picture, *question) for question in shapes.questions(rng, scene, shapes.TASKS)]
        if len(batch) >= 96 or number == pictures - 1:
            rows = generate(model, processor, [b[0] for b in batch], [b[2] for b in batch])
            for (_, task, prompt, answer), row in zip(batch, rows):
                text = processor.tokenizer.decode(row, skip_special_tokens=True)
                judge(tally, task, text, answer)
                if show and without_boxes(text) != without_boxes(answer):
                    show -= 1
                    print(number, prompt, "|", text, "| right:", answer)
            batch = []
    return summary(tally)


if __name__ == "__main__":
    parse = argparse.ArgumentParser()
    parse.add_argument("directory", nargs="?", default=HERE / "model")
    parse.add_argument("--pictures", type=int, default=500)
    parse.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parse.add_argument("--show", type=int, default=0, help="print so many wrong answers")
    args = parse.parse_args()
    torch.set_num_threads(2)
    print(json.dumps(score(args.directory, args.pictures, getattr(torch, args.dtype), args.show), indent=1))
