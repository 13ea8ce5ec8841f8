# SPDX-License-Identifier: BSD-2-Clause
"""Train the demonstration model on synthetic pictures, on the processor, in float32.

    torchrun --nproc-per-node 2 train.py --work DIRECTORY

One process with one thread per core, which average their gradients: on a machine that others use too this
is much faster than one process with two threads. `python train.py` works as well.

Phase "tower": the vision tower alone, with dense targets: for every patch the kind, colour, rank from
the left and box of the shape there, and the number of shapes. The heads for this are thrown away later.
Phase "whole": everything, with three or four prompts per picture; the picture goes through the tower
once. The dense targets stay as a small additional loss. The rates are those of a phase of 48 minutes; the model
that is here left it after 37.4 of them.
Phase "polish": the same with a third of the rates falling to zero, and more left-or-right questions, half of
them about two shapes of one colour, which were the weak point. Checkpoints go to DIRECTORY; with --resume the
training goes on from there. At the end the checkpoint is in DIRECTORY/model and seed, time and score in
DIRECTORY/score.json.
"""
import argparse
import json
import math
import os
import pathlib
import random
import time

import numpy
import torch
import torch.distributed
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration

import evaluate
import shapes
import tokenizer

HERE = pathlib.Path(__file__).parent
PATCH, GRID = 14, 8
TOKENS = GRID * GRID
BINS = shapes.SIDE // 2 + 1
NONE = -100


# ---------------------------------------------------------------- the model

def make_model(tokens):
    """A PaliGemma of about two million parameters with fresh weights."""
    image_token = tokens - 1
    config = PaliGemmaConfig(
        bos_token_id=2, eos_token_id=1, pad_token_id=0, image_token_index=image_token,
        projection_dim=128, hidden_size=128, vocab_size=tokens,
        text_config=dict(model_type="gemma", hidden_size=128, intermediate_size=256, num_hidden_layers=4,
                         num_attention_heads=4, num_key_value_heads=1, head_dim=32, vocab_size=tokens,
                         num_image_tokens=TOKENS, max_position_embeddings=512, hidden_activation="gelu_pytorch_tanh",
                         bos_token_id=2, eos_token_id=1, pad_token_id=0),
        vision_config=dict(model_type="siglip_vision_model", hidden_size=160, intermediate_size=640,
                           num_hidden_layers=5, num_attention_heads=5, image_size=shapes.SIDE, patch_size=PATCH,
                           projection_dim=128, projector_hidden_act="gelu_fast", vision_use_head=False))
    model = PaliGemmaForConditionalGeneration(config)
    start_smoothly(model)
    return model


@torch.no_grad()
def start_smoothly(model):
    """Start positions of patches and <loc> tokens as smooth functions of the coordinate."""
    def waves(values, width):
        angles = values[:, None] * math.pi * 2 ** torch.linspace(0, 5, width // 2)[None]
        return torch.cat([angles.sin(), angles.cos()], 1)

    weight = model.model.vision_tower.embeddings.position_embedding.weight
    line = (torch.arange(GRID) + .5) / GRID
    half = weight.shape[1] // 2
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    weight.copy_(.1 * torch.cat([waves(rows.flatten(), half), waves(columns.flatten(), half)], 1))
    table = model.get_input_embeddings().weight
    ids = torch.arange(model.config.image_token_index - 1152, model.config.image_token_index - 128)
    mix = torch.randn(table.shape[1], table.shape[1]) / table.shape[1] ** .5
    table[ids] = .03 * waves(torch.arange(1024) / 1024, table.shape[1]) @ mix


class Heads(torch.nn.Module):
    """What the tower alone is trained with: linear read-outs of every patch."""

    def __init__(self, width):
        super().__init__()
        self.sizes = [len(shapes.KINDS) + 1, len(shapes.COLOURS) + 1, 4, 4] + [BINS] * 4
        self.linear = torch.nn.Linear(width, sum(self.sizes))

    def forward(self, features):
        return self.linear(features).split(self.sizes, -1)


def tower_pass(model, pictures):
    """Features of uint8 pictures, normalized as the image processor does."""
    pixels = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
    return model.model.vision_tower(pixel_values=pixels).last_hidden_state


def decoder_pass(model, features, which, batch):
    """Logits at the newline and at every suffix token: the same numbers as model(...) gives, computed
    with the prefix padded in the middle and with the last layer only where logits are wanted."""
    language = model.model.language_model
    image = model.model.multi_modal_projector(features)[which]
    hidden = torch.cat([image, language.embed_tokens(batch["tokens"])], 1)
    cos, sin = language.rotary_emb(hidden, batch["positions"])
    cos, sin = cos[:, None], sin[:, None]
    mask, keep = batch["mask"], batch["suffix"].shape[1]

    def norm(module, x):
        return F.rms_norm(x, x.shape[-1:], 1 + module.weight, module.eps)

    def rotate(x, cos, sin):
        first, second = x.chunk(2, -1)
        return x * cos + torch.cat([-second, first], -1) * sin

    for index, layer in enumerate(language.layers):
        attention = layer.self_attn
        x = norm(layer.input_layernorm, hidden)
        count, length, _ = x.shape
        key = rotate(attention.k_proj(x)[:, None], cos, sin)
        value = attention.v_proj(x)[:, None]
        if index == len(language.layers) - 1:
            x, hidden, mask = x[:, -keep:], hidden[:, -keep:], mask[:, :, -keep:]
            cos, sin = cos[:, :, -keep:], sin[:, :, -keep:]
        query = attention.q_proj(x).view(count, x.shape[1], -1, attention.head_dim).transpose(1, 2)
        query = rotate(query, cos, sin)
        heads = query.shape[1]
        mixed = F.scaled_dot_product_attention(query, key.expand(-1, heads, -1, -1),
                                               value.expand(-1, heads, -1, -1), mask)
        hidden = hidden + attention.o_proj(mixed.transpose(1, 2).reshape(count, x.shape[1], -1))
        hidden = hidden + layer.mlp(norm(layer.post_attention_layernorm, hidden))
    return norm(language.norm, hidden) @ language.embed_tokens.weight.T


# ---------------------------------------------------------------- pictures and texts

def draw(seed, number, counts):
    """Pictures: their pixels, the owner of each patch, the scenes."""
    rng = random.Random(seed)
    pictures = numpy.empty((number, shapes.SIDE, shapes.SIDE, 3), numpy.uint8)
    owners = numpy.empty((number, TOKENS), numpy.int8)
    scenes = []
    for i in range(number):
        scene = shapes.make_scene(rng, rng.choice(counts))
        pictures[i], owner = shapes.render(rng, scene)
        cells = owner.reshape(GRID, PATCH, GRID, PATCH)
        cover = numpy.stack([(cells == k).sum((1, 3)) for k in range(len(scene))])
        owners[i] = numpy.where(cover.max(0) > .2 * PATCH ** 2, cover.argmax(0), -1).ravel()
        scenes.append(scene)
    return pictures, owners, scenes


class Pool:
    """Pictures drawn once and used several times, mirrored or not, with new prompts every time."""

    def __init__(self, seed, number, counts):
        pictures, owners, self.scenes = draw(seed, number, counts)
        self.pictures, self.owners = torch.from_numpy(pictures), torch.from_numpy(owners)

    def sample(self, rng, number):
        """Pictures with their scenes and the dense targets."""
        chosen = [rng.randrange(len(self.scenes)) for _ in range(number)]
        pictures, owners = self.pictures[chosen], self.owners[chosen].long()
        mirrored = torch.tensor([rng.random() < .5 for _ in chosen])
        pictures = torch.where(mirrored[:, None, None, None], pictures.flip(2), pictures)
        scenes = []
        for row, (index, flip) in enumerate(zip(chosen, mirrored.tolist())):
            scene = self.scenes[index]
            if flip:
                scene = [shapes.Shape(s.kind, s.colour, (shapes.SIDE - s.box[2], s.box[1], shapes.SIDE - s.box[0],
                                                         s.box[3])) for s in reversed(scene)]
                owner = owners[row].view(GRID, GRID).flip(1).reshape(-1)
                owners[row] = torch.where(owner >= 0, len(scene) - 1 - owner, owner)
            scenes.append(scene)
        table = torch.zeros(number, 4, 8, dtype=torch.long)     # row 3 stands for the background
        table[:, 3, 4:] = NONE
        for row, scene in enumerate(scenes):
            table[row, :, 3] = len(scene)
            for rank, s in enumerate(scene):
                table[row, rank] = torch.tensor([shapes.KINDS.index(s.kind) + 1, shapes.COLOURS.index(s.colour) + 1,
                                                 rank + 1, len(scene)] + [c // 2 for c in s.box])
        dense = table.gather(1, (owners % 4)[..., None].expand(-1, -1, 8))
        return pictures, scenes, dense


class Texts:
    """Prompts and answers as padded token tensors."""

    def __init__(self, path):
        self.tokenizer = Tokenizer.from_file(str(path))
        self.newline = self.tokenizer.token_to_id("\n")
        size = self.tokenizer.get_vocab_size()
        self.near = torch.arange(size)[:, None].repeat(1, 2)    # neighbours on the grid, for <loc> tokens
        grid = [self.tokenizer.token_to_id(shapes.location(2 * i)) for i in range(BINS)]
        for i, token in enumerate(grid):
            self.near[token] = torch.tensor([grid[max(i - 1, 0)], grid[min(i + 1, BINS - 1)]])

    def encode(self, texts):
        return [e.ids for e in self.tokenizer.encode_batch(texts, add_special_tokens=False)]

    def batch(self, asked):
        """Layout of a row: image, <bos> prompt, padding, newline, answer, padding."""
        prefixes = [[2] + ids for ids in self.encode([prompt for _, prompt, _ in asked])]
        suffixes = [[self.newline] + ids for ids in self.encode([answer for *_, answer in asked])]
        most, long = max(map(len, prefixes)), max(map(len, suffixes))
        rows = len(asked)
        tokens = torch.zeros(rows, most + long, dtype=torch.long)
        suffix = torch.full((rows, long), NONE)
        for i, (a, b) in enumerate(zip(prefixes, suffixes)):
            tokens[i, :len(a)] = torch.tensor(a)
            tokens[i, most:most + len(b)] = torch.tensor(b)
            suffix[i, :len(b)] = torch.tensor(b[1:] + [1])
        length = torch.tensor([len(a) for a in prefixes])[:, None]
        total = TOKENS + most + long
        place = torch.arange(total)[None].expand(rows, -1)
        start = TOKENS + most
        positions = 1 + torch.where(place < start, place, place - most + length)
        real = (place < TOKENS + length) | (place == start)               # the prefix
        order = place[0][None, :] <= place[0][:, None]
        causal = order & (place[0] > start)[None, :]
        mask = real[:, None, None, :] | causal[None, None]
        return {"tokens": tokens, "suffix": suffix, "positions": positions, "mask": mask,
                "lengths": torch.tensor([len(b) for b in suffixes])}


def ask(rng, scenes, chances, twins=0):
    """Prompts for a batch of pictures: which picture, and (task, prompt, answer). The share `twins` of
    the left-or-right questions is, where possible, about two shapes of one colour."""
    which, asked = [], []
    for index, scene in enumerate(scenes):
        tasks = [task for task, chance in chances.items() for _ in range(int(chance + rng.random()))]
        made = shapes.questions(rng, scene, tasks)
        for i, (task, prompt, _) in enumerate(made):
            if task == "left" and rng.random() < twins:
                tries = shapes.questions(rng, scene, ["left"] * 6)
                made[i] = next((q for q in tries if any(q[1].count(c) == 2 for c in shapes.COLOURS)), made[i])
        which += [index] * len(made)
        asked += made
    return torch.tensor(which), asked


# ---------------------------------------------------------------- losses and scores

def dense_loss(outputs, dense):
    """Cross-entropy of the read-outs; the boxes with some weight on the neighbouring bins."""
    loss = 0
    for i, output in enumerate(outputs):
        target = dense[..., i].reshape(-1)
        logs = output.reshape(target.numel(), -1).log_softmax(-1)
        if i < 4:
            loss = loss + F.nll_loss(logs, target)
        else:
            inside = target >= 0
            target, logs = target[inside], logs[inside]
            for shift, weight in ((0, .7), (-1, .15), (1, .15)):
                loss = loss + .25 * weight * F.nll_loss(logs, (target + shift).clamp(0, BINS - 1))
    return loss


def text_loss(logits, batch, near, soft):
    """Weighted cross-entropy of the answers; <loc> tokens share `soft` with their neighbours."""
    targets = batch["suffix"]
    inside = targets >= 0
    weight = (batch["lengths"].float() ** -.5)[:, None].expand(targets.shape)[inside]
    logs, targets = logits[inside].log_softmax(-1), targets[inside][:, None]
    sides = logs.gather(1, near[targets[:, 0]]).mean(1)
    loss = -(1 - soft) * logs.gather(1, targets)[:, 0] - soft * sides
    return (loss * weight).sum() / weight.sum()


@torch.no_grad()
def validate(model, heads, texts, pool, pictures=300):
    """Shares of right answers per task, and of boxes, given the right tokens before each token."""
    rng = random.Random(5)
    right, boxes, seen = {}, [], torch.zeros(6)
    for _ in range(pictures // 50):
        images, scenes, dense = pool.sample(rng, 50)
        features = tower_pass(model, images)
        outputs = heads(features)
        inside = dense[..., 4] >= 0
        hits = [(outputs[i].argmax(-1) == dense[..., i]).float().mean() for i in range(4)]
        off = [(outputs[i].argmax(-1) - dense[..., i])[inside].abs().float() for i in range(4, 8)]
        seen += torch.stack(hits + [torch.stack(off).mean(), (torch.stack(off) <= 1).float().mean()])
        which, asked = ask(rng, scenes, dict.fromkeys(shapes.TASKS, 1))
        batch = texts.batch(asked)
        best = decoder_pass(model, features, which, batch).argmax(-1)
        same = (best == batch["suffix"]) | (batch["suffix"] < 0)
        for row, (task, prompt, answer) in enumerate(asked):
            if task != "detect" or answer == "none":
                name = "none" if answer == "none" else task
                right.setdefault(name, []).append(bool(same[row].all()))
                continue
            tokens = best[row, :batch["lengths"][row]].tolist()
            found = evaluate.boxes_of(texts.tokenizer.decode(tokens))
            wanted = evaluate.boxes_of(answer)
            boxes += [len(found) == len(wanted) and shapes.iou(found[i], box) >= .7 for i, box in enumerate(wanted)]
    score = {task: round(sum(v) / len(v), 3) for task, v in right.items()}
    score["boxes"] = round(sum(boxes) / len(boxes), 3)
    names = ["kind", "colour", "rank", "count", "off", "near"]
    return score, dict(zip(names, [round(float(v), 3) for v in seen / (pictures // 50)]))


# ---------------------------------------------------------------- the optimizer

class Muon(torch.optim.Optimizer):
    """Momentum with orthogonalized updates for the hidden matrices (K. Jordan, 2024), in float32."""

    def __init__(self, groups):
        super().__init__(groups, dict(lr=.02, momentum=.95, decay=.01))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            sets = {}
            for p in group["params"]:
                if p.grad is not None:
                    sets.setdefault(p.shape, []).append(p)
            for (rows, columns), params in sets.items():
                grads = torch.stack([p.grad for p in params])
                for p, g in zip(params, grads):
                    mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                    mean.lerp_(g, 1 - group["momentum"])
                    g.lerp_(mean, group["momentum"])
                x = grads.mT if rows > columns else grads
                x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
                for _ in range(5):
                    a = x @ x.mT
                    x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
                x = x.mT if rows > columns else x
                for p, update in zip(params, x):
                    p.mul_(1 - group["lr"] * group["decay"])
                    p.add_(update, alpha=-group["lr"] * max(1, rows / columns) ** .5)


def make_optimizers(model, heads):
    """Muon for the matrices of the layers, AdamW for the rest; the tower in groups of its own."""
    matrices, others = ([], []), ([], [])
    for name, p in [*model.named_parameters(), *heads.named_parameters()]:
        tower = "vision_tower" in name
        (matrices if ".layers." in name and p.ndim == 2 else others)[tower].append(p)
    muon = Muon([dict(params=m, base=.02) for m in matrices])
    adam = torch.optim.AdamW([dict(params=o, base=.002) for o in others], betas=(.9, .98), weight_decay=0)
    return [muon, adam]


# ---------------------------------------------------------------- training

RANK, WORLD = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def average(params, progress):
    """Average the gradients over the processes; return the progress of the first one."""
    if WORLD == 1:
        return progress
    grads = [p.grad for p in params if p.grad is not None]
    flat = torch.cat([g.flatten() for g in grads] + [torch.tensor([progress * WORLD * (RANK == 0)])])
    torch.distributed.all_reduce(flat)
    flat /= WORLD
    for grad, part in zip(grads, flat.split([g.numel() for g in grads] + [1])):
        grad.copy_(part.view_as(grad))
    return flat[-1].item()


def export(model, directory):
    """Write the model as an ordinary checkpoint directory, in bfloat16."""
    directory = pathlib.Path(directory)
    tokenizer.write(directory)
    PaliGemmaForConditionalGeneration.from_pretrained(
        None, config=model.config, state_dict={k: v.detach().bfloat16() for k, v in model.state_dict().items()},
        dtype=torch.bfloat16).save_pretrained(directory)
    generation = {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0}
    images = {"do_convert_rgb": None, "do_normalize": True, "do_rescale": True, "do_resize": True,
              "image_mean": [.5] * 3, "image_std": [.5] * 3, "image_processor_type": "SiglipImageProcessor",
              "image_seq_length": TOKENS, "processor_class": "PaliGemmaProcessor", "resample": 3,
              "rescale_factor": 1 / 255, "size": {"height": shapes.SIDE, "width": shapes.SIDE}}
    for name, value in (("generation_config.json", generation), ("preprocessor_config.json", images)):
        (directory / name).write_text(json.dumps(value, indent=2) + "\n")


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--work", type=pathlib.Path, required=True)
    parse.add_argument("--seed", type=int, default=1)
    parse.add_argument("--tower-minutes", type=float, default=9)
    parse.add_argument("--whole-minutes", type=float, default=48)
    parse.add_argument("--whole-stop", type=float, default=37.4, help="leave that phase after so many of them")
    parse.add_argument("--polish-minutes", type=float, default=14)
    parse.add_argument("--batch", type=int, default=32)
    parse.add_argument("--pool", type=int, default=40000)
    parse.add_argument("--resume", type=pathlib.Path)
    args = parse.parse_args()
    torch.set_num_threads(2 if WORLD == 1 else 1)
    if WORLD > 1:
        torch.distributed.init_process_group("gloo")
    torch.manual_seed(args.seed)
    directory = args.work / f"tokenizer{RANK}"
    model = make_model(tokenizer.write(directory)).train()
    heads = Heads(160)
    texts = Texts(directory / "tokenizer.json")
    history = []
    if args.resume:
        state = torch.load(args.resume)
        model.load_state_dict(state["model"])
        heads.load_state_dict(state["heads"])
        history = state["history"]
    if RANK == 0:
        print("parameters", sum(p.numel() for p in model.parameters()), flush=True)
    check = Pool(args.seed + 900, 600, [1, 2, 2, 3, 3])
    for phase, minutes in (("tower", args.tower_minutes), ("whole", args.whole_minutes),
                           ("polish", args.polish_minutes)):
        if minutes:
            run(args, phase, minutes, model, heads, texts, check, history)
    if RANK:
        return
    export(model, args.work / "model")
    result = {"seed": args.seed, "parameters": sum(p.numel() for p in model.parameters()), "phases": history,
              "minutes": round(sum(h["minutes"] for h in history), 1),
              "score": evaluate.score(args.work / "model")}
    (args.work / "score.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result), flush=True)


def run(args, phase, minutes, model, heads, texts, check, history):
    """One phase of the training, as long as `minutes`; the rates follow the clock."""
    begin = time.time()
    seed = args.seed * 100 + 10 * RANK + ["tower", "whole", "polish"].index(phase)
    rng = random.Random(seed)
    size = args.pool if phase != "polish" else args.pool * 2 // 5
    pool = Pool(10000 + seed, size // WORLD, [1, 2, 2, 3, 3])
    print(phase, "pictures drawn in", round(time.time() - begin), "s", flush=True)
    optimizers = make_optimizers(model, heads)
    params = [*model.parameters(), *heads.parameters()]
    chances = {"caption": .7, "detect": 1.2, "count": .5, "colour": .6, "left": .9}
    twins, peak, warm, dense_weight, end = 0, 1, 100, .2, 1
    if phase == "whole":
        end = args.whole_stop / minutes
    elif phase == "polish":
        chances.update(colour=.3, left=1.4)
        twins, peak, warm, dense_weight = .5, .3, 40, .06
    step, progress, shown, saved, mean = 0, 0, time.time(), time.time(), {}

    def save():
        spent = {"phase": phase, "minutes": round((time.time() - begin) / 60, 1), "steps": step, "batch": args.batch}
        torch.save({"model": model.state_dict(), "heads": heads.state_dict(), "history": history + [spent]},
                   args.work / f"{phase}.pt")
        return spent

    while progress < end:
        rate = peak * min(1, (step + 1) / warm)
        if phase == "tower":
            rate *= 1 - .7 * progress
        else:
            rate *= .5 + .5 * math.cos(math.pi * progress)
        for optimizer in optimizers:
            for index, group in enumerate(optimizer.param_groups):
                group["lr"] = group["base"] * rate * (.4 if phase != "tower" and index == 1 else 1)
        images, scenes, dense = pool.sample(rng, args.batch // WORLD)
        features = tower_pass(model, images)
        losses = {"dense": dense_loss(heads(features), dense)}
        loss = losses["dense"]
        if phase != "tower":
            which, asked = ask(rng, scenes, chances, twins)
            batch = texts.batch(asked)
            logits = decoder_pass(model, features, which, batch)
            losses["text"] = text_loss(logits, batch, texts.near, .2 * (phase == "whole" or progress < .7))
            loss = losses["text"] + dense_weight * (1 - progress) * loss
        loss.backward()
        progress = average(params, (time.time() - begin) / 60 / minutes)
        torch.nn.utils.clip_grad_norm_(params, 5.)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        step += 1
        for name, value in losses.items():
            mean[name] = mean.get(name, value.item()) * .98 + value.item() * .02
        if RANK == 0 and time.time() - shown > 120:
            shown = time.time()
            print(phase, f"{(shown - begin) / 60:.1f} min", "step", step,
                  {k: round(v, 3) for k, v in mean.items()}, *validate(model, heads, texts, check, 150), flush=True)
        if RANK == 0 and time.time() - saved > 120:
            saved = time.time()
            save()
    if RANK:
        return
    history.append(save())
    print(phase, "ends after", step, "steps", *validate(model, heads, texts, check), flush=True)


if __name__ == "__main__":
    main()
