# SPDX-License-Identifier: BSD-2-Clause
"""Synthetic pictures of coloured shapes, and the questions one can ask about them.

A scene is a list of shapes from left to right; boxes are in pixels of a 112-pixel picture, on a
2-pixel grid. `render` draws a scene at any size; `questions` makes (task, prompt, answer) triples.
"""
import colorsys
import dataclasses
import io
import random

import numpy
from PIL import Image, ImageDraw

SIDE = 112
KINDS = ["circle", "square", "triangle"]
COLOURS = ["red", "green", "blue", "yellow", "purple"]
# Hue in degrees with its spread, then the range of the brightness.
PAINT = {"red": (0, 7, .7, 1), "green": (125, 16, .5, .9), "blue": (222, 10, .65, 1),
         "yellow": (54, 5, .85, 1), "purple": (288, 10, .5, .85)}


@dataclasses.dataclass
class Shape:
    """One shape: its kind, its colour and its box (left, top, right, bottom)."""
    kind: str
    colour: str
    box: tuple

    @property
    def name(self):
        return f"{self.colour} {self.kind}"

    @property
    def centre(self):
        return (self.box[0] + self.box[2]) / 2


def overlap(a, b):
    """Area shared by two boxes."""
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def iou(a, b):
    """Intersection over union of two boxes."""
    shared = overlap(a, b)
    return shared / max(area(a) + area(b) - shared, 1e-9)


def make_scene(rng, count):
    """Place `count` shapes: little overlap, and clearly apart from left to right."""
    while True:
        shapes = []
        for _ in range(count):
            kind, colour = rng.choice(KINDS), rng.choice(COLOURS)
            width = height = 2 * rng.randint(12, 26 if count == 1 else 23 if count == 2 else 20)
            if kind == "triangle":
                height = max(24, width + 2 * rng.randint(-3, 3))
            left = 2 * rng.randint(1, (SIDE - width) // 2 - 1)
            top = 2 * rng.randint(1, (SIDE - height) // 2 - 1)
            shapes.append(Shape(kind, colour, (left, top, left + width, top + height)))
        shapes.sort(key=lambda s: s.centre)
        pairs = [(a, b) for i, a in enumerate(shapes) for b in shapes[i + 1:]]
        if all(b.centre - a.centre >= 10 and overlap(a.box, b.box) <=
               (a.colour != b.colour) * .15 * min(area(a.box), area(b.box)) for a, b in pairs):
            return shapes


def paint(rng, colour):
    """One shade of a named colour, as three numbers up to 255."""
    hue, spread, low, high = PAINT[colour]
    shade = colorsys.hsv_to_rgb((hue + rng.uniform(-spread, spread)) % 360 / 360, rng.uniform(.78, 1),
                                rng.uniform(low, high))
    return numpy.array(shade, numpy.float32) * 255


def dull(rng):
    """A grayish colour for backgrounds."""
    return numpy.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, .18), rng.uniform(.05, 1)),
                       numpy.float32) * 255


def background(rng, noise, side):
    """Flat, gradient, stripes, checks or clouds, between two dull colours."""
    first, second = dull(rng), dull(rng)
    style = rng.choice(["flat", "gradient", "gradient", "stripes", "checks", "clouds"])
    if style == "flat":
        return numpy.broadcast_to(first, (side, side, 3)).copy()
    if style != "gradient":                     # patterns are softer than a gradient
        second = first + (second - first) * rng.uniform(.15, .6)
    line = numpy.linspace(-1, 1, side, dtype=numpy.float32)
    angle = rng.uniform(0, 6.2832)
    across = line[None, :] * numpy.cos(angle) + line[:, None] * numpy.sin(angle)
    if style == "gradient":
        mix = numpy.clip(across * .5 + .5, 0, 1)
    elif style == "stripes":
        mix = .5 + .5 * numpy.sin(across * rng.uniform(6, 30))
    elif style == "checks":
        along = line[None, :] * -numpy.sin(angle) + line[:, None] * numpy.cos(angle)
        pace = rng.uniform(5, 16)
        mix = (numpy.sin(across * pace) * numpy.sin(along * pace) > 0).astype(numpy.float32)
    else:
        cells = rng.randint(3, 14)
        small = Image.fromarray((noise.random((cells, cells)) * 255).astype(numpy.uint8))
        mix = numpy.asarray(small.resize((side, side), Image.BICUBIC), numpy.float32) / 255
    return first + mix[..., None] * (second - first)


def render(rng, scene, side=SIDE, jpeg=True):
    """Draw a scene; return the picture (side, side, 3) and the owner of every pixel (-1: background)."""
    noise = numpy.random.default_rng(rng.getrandbits(64))
    picture = background(rng, noise, side)
    owner = numpy.full((side, side), -1, numpy.int8)
    fine = 3
    scale = fine * side / SIDE
    for index in rng.sample(range(len(scene)), len(scene)):
        shape = scene[index]
        left, top, right, bottom = (c * scale for c in shape.box)
        mask = Image.new("L", (side * fine, side * fine))
        draw = ImageDraw.Draw(mask)
        if shape.kind == "circle":
            draw.ellipse((left, top, right - 1, bottom - 1), fill=255)
        elif shape.kind == "square":
            draw.rectangle((left, top, right - 1, bottom - 1), fill=255)
        else:
            draw.polygon([((left + right - 1) / 2, top), (right - 1, bottom - 1), (left, bottom - 1)], fill=255)
        alpha = numpy.asarray(mask.reduce(fine), numpy.float32)[..., None] / 255
        colour = paint(rng, shape.colour)
        if rng.random() < .4:                   # a soft light from above or below
            light = numpy.linspace(1, rng.uniform(.75, 1), side, dtype=numpy.float32)[:, None, None]
            colour = colour * (light if rng.random() < .5 else light[::-1])
        picture += alpha * (colour - picture)
        owner[alpha[..., 0] > .5] = index
    if rng.random() < .75:
        grain = noise.standard_normal((side, side, 1 if rng.random() < .5 else 3), numpy.float32)
        picture += grain * rng.uniform(1, 10)
    picture = numpy.clip(picture + .5, 0, 255).astype(numpy.uint8)
    if jpeg and rng.random() < .6:
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "JPEG", quality=rng.randint(60, 95))
        picture = numpy.asarray(Image.open(stream).convert("RGB"))
    return picture, owner


def caption(scene):
    """'a red circle, a blue square and a green triangle', from left to right."""
    names = [f"a {s.name}" for s in scene]
    return " and ".join(([", ".join(names[:-1])] if names[1:] else []) + names[-1:])


def location(pixel):
    """The <loc> token of a coordinate of the 112-pixel picture."""
    return f"<loc{min(1023, round(pixel / SIDE * 1024)):04d}>"


def detection(scene, targets):
    """The answer to 'detect A ; B': boxes from left to right, named as they were asked for."""
    found = []
    for shape in scene:
        for target in targets:
            if target in (shape.name, shape.kind):
                left, top, right, bottom = map(location, shape.box)
                found.append(f"{top}{left}{bottom}{right} {target}")
                break
    return " ; ".join(found) or "none"


def detected(scene, targets):
    """The boxes which `detection` lists."""
    return [s.box for s in scene if s.name in targets or s.kind in targets]


def some_name(rng, scene):
    """A name to ask for: mostly one of the scene, sometimes another."""
    if rng.random() < .8:
        return rng.choice(scene).name
    return f"{rng.choice(COLOURS)} {rng.choice(KINDS)}"


def ask_caption(rng, scene):
    return "caption en", caption(scene)


def ask_detect(rng, scene):
    draw = rng.random()
    if draw < .4:
        targets = [some_name(rng, scene)]
    elif draw < .65:
        targets = [rng.choice(scene).kind if rng.random() < .8 else rng.choice(KINDS)]
    else:
        targets = [some_name(rng, scene), some_name(rng, scene)]
        if targets[0] == targets[1]:
            targets.pop()
    return "detect " + " ; ".join(targets), detection(scene, targets)


def ask_count(rng, scene):
    if rng.random() < .35:
        return "answer en how many shapes are there?", str(len(scene))
    kind = rng.choice(scene).kind if rng.random() < .6 else rng.choice(KINDS)
    return f"answer en how many {kind}s are there?", str(sum(s.kind == kind for s in scene))


def ask_colour(rng, scene):
    kinds = [s.kind for s in scene]
    single = [s for s in scene if kinds.count(s.kind) == 1]
    if not single:
        return None
    shape = rng.choice(single)
    return f"answer en what color is the {shape.kind}?", shape.colour


def ask_left(rng, scene):
    names = [s.name for s in scene]
    single = [s for s in scene if names.count(s.name) == 1]
    if len(single) < 2:
        return None
    a, b = rng.sample(single, 2)
    return f"answer en is the {a.name} left of the {b.name}?", "yes" if a.centre < b.centre else "no"


TASKS = {"caption": ask_caption, "detect": ask_detect, "count": ask_count, "colour": ask_colour,
         "left": ask_left}


def questions(rng, scene, tasks):
    """(task, prompt, answer) for those of the tasks that the scene allows."""
    made = [(task, TASKS[task](rng, scene)) for task in tasks]
    return [(task, *qa) for task, qa in made if qa]


def random_scene(rng):
    """A scene of one, two or three shapes."""
    return make_scene(rng, rng.choice([1, 2, 2, 3, 3]))


if __name__ == "__main__":
    rng = random.Random(1)
    sheet = Image.new("RGB", (8 * SIDE, 6 * SIDE))
    for i in range(48):
        scene = random_scene(rng)
        sheet.paste(Image.fromarray(render(rng, scene)[0]), (i % 8 * SIDE, i // 8 * SIDE))
    sheet.save("shapes.png")
