# SPDX-License-Identifier: BSD-2-Clause
"""Write the fixed set of unseen pictures with the oracle's answers, and the demonstration pictures.

    python make_test_set.py [DIRECTORY of the checkpoint]

tests/data/tiny/expected.json lists {image, prompt, token_ids, text, right_answer, boxes, gap}: the new
tokens which Transformers' greedy generate() gives in float32 (pictures resized with Pillow's bicubic
filter first, where they are larger than the model's), the decoded text, the right answer, the right boxes
as (y0, x0, y1, x1) in 1024ths, and the least distance between the best and the second-best logit.
"""
import argparse
import json
import pathlib
import random

import torch
from PIL import Image

import evaluate
import shapes

HERE = pathlib.Path(__file__).parent
SEED = 880000
ASKED = [["caption", "detect", "left"], ["detect", "count"], ["caption", "detect", "colour"],
         ["caption", "detect"]]


def resized(picture, model):
    side = model.config.vision_config.image_size
    return picture if picture.size == (side, side) else picture.resize((side, side), Image.BICUBIC)


@torch.no_grad()
def answer(model, processor, picture, prompt):
    """Greedy new tokens, and the least gap between the two best logits at any of them."""
    tokens = evaluate.generate(model, processor, [resized(picture, model)], [prompt])[0]
    inputs = processor(images=resized(picture, model), text="<image>" + prompt, return_tensors="pt")
    new = torch.tensor([tokens])
    ids = torch.cat([inputs["input_ids"], new], 1)
    types = torch.cat([torch.zeros_like(inputs["input_ids"]), torch.ones_like(new)], 1)
    logits = model(input_ids=ids, token_type_ids=types, attention_mask=torch.ones_like(ids),
                   pixel_values=inputs["pixel_values"]).logits[0, -len(tokens) - 1:-1]
    best = logits.topk(2).values
    assert logits.argmax(-1).tolist() == tokens
    return tokens, float((best[:, 0] - best[:, 1]).min())


def boxes_of(scene, prompt):
    """The right boxes of a detection, as the numbers of <loc> tokens."""
    targets = prompt.removeprefix("detect ").split(" ; ") if prompt.startswith("detect ") else []
    return [[int(shapes.location(box[i])[4:8]) for i in (1, 0, 3, 2)] for box in shapes.detected(scene, targets)]


def save(picture, path):
    picture.save(path, **({"quality": 90} if path.suffix == ".jpg" else {"optimize": True}))
    return Image.open(path).convert("RGB")


def test_set(model, processor, directory, count=48):
    """Small pictures of several sizes, half of them PNG, half JPEG."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = random.Random(SEED)
    entries = []
    for number in range(count):
        scene = shapes.random_scene(rng)
        side = [112, 112, 112, 168][number // 2 % 4]
        name = f"{number:02d}.{['png', 'jpg'][number % 2]}"
        drawn = Image.fromarray(shapes.render(rng, scene, side, jpeg=number % 2 == 0)[0])
        picture = save(drawn, directory / name)
        for task, prompt, right in shapes.questions(rng, scene, ASKED[number % 4]):
            tokens, gap = answer(model, processor, picture, prompt)
            entries.append({"image": name, "prompt": prompt, "token_ids": tokens,
                            "text": processor.tokenizer.decode(tokens, skip_special_tokens=True),
                            "right_answer": right, "boxes": boxes_of(scene, prompt), "gap": round(gap, 4)})
    lines = ",\n ".join(json.dumps(entry) for entry in entries)
    (directory / "expected.json").write_text("[" + lines + "]\n")
    return entries


def demonstration(model, processor, directory, side=336):
    """Larger pictures of three shapes on which caption, answers and boxes are right."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = random.Random(SEED + 1)
    names = ["shapes.png", "shapes.jpg"]
    while names:
        scene = shapes.make_scene(rng, 3)
        if len({s.kind for s in scene}) < 3 or len({s.colour for s in scene}) < 3:
            continue
        picture = save(Image.fromarray(shapes.render(rng, scene, side, jpeg=False)[0]), directory / names[0])
        first, last = scene[0].name, scene[2].name
        tally = {"caption": [], "count": [], "colour": [], "left": [], "none": [], "boxes": [], "names": [], "iou": []}
        asked = [("caption", "caption en", shapes.caption(scene)),
                 ("count", "answer en how many shapes are there?", "3"),
                 ("left", f"answer en is the {first} left of the {last}?", "yes"),
                 ("detect", f"detect {first} ; {last}", shapes.detection(scene, [first, last]))]
        asked += [("colour", f"answer en what color is the {s.kind}?", s.colour) for s in scene]
        asked += [("detect", f"detect {s.kind}", shapes.detection(scene, [s.kind])) for s in scene]
        texts = []
        for task, prompt, right in asked:
            tokens = answer(model, processor, picture, prompt)[0]
            texts.append(processor.tokenizer.decode(tokens, skip_special_tokens=True))
            evaluate.judge(tally, task, texts[-1], right)
        if all(all(values) for name, values in tally.items() if name != "iou"):
            print(names.pop(0), *zip([a[1] for a in asked], texts), sep="\n  ")


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("directory", nargs="?", default=HERE / "model")
    args = parse.parse_args()
    torch.set_num_threads(2)
    model, processor = evaluate.load(args.directory)
    entries = test_set(model, processor, HERE.parent.parent / "tests/data/tiny")
    right = [e["text"] == e["right_answer"] for e in entries if not e["boxes"]]
    print(len(entries), "questions;", sum(right), "of", len(right), "answers right; least gap",
          min(e["gap"] for e in entries))
    demonstration(model, processor, HERE.parent / "pictures")


if __name__ == "__main__":
    main()
