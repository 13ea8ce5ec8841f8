# SPDX-License-Identifier: BSD-2-Clause
"""What the tests share: where things are, and the command whose answers are right."""

from __future__ import annotations

import json
import os
import subprocess
import unittest
from typing import Any, Dict, List, Sequence, Tuple

ROOT = os.path.abspath(os.environ.get("PALI_SOURCE") or os.path.join(os.path.dirname(__file__), "..", "..", ".."))
TINY = os.path.join(ROOT, "examples", "tiny", "model")
PICTURES = os.path.join(ROOT, "examples", "pictures")
DATA = os.path.join(ROOT, "tests", "data")


def mask_network(folder: str) -> str:
    """A file with random weights in the shapes of the published mask decoder."""
    import numpy as np

    shapes = {"_vq_vae._embedding": (128, 512)}
    shapes.update({"decoder.0.weight": (128, 512, 1, 1), "decoder.12.weight": (1, 16, 1, 1)})
    for block in (2, 3):
        for layer, side in ((0, 3), (2, 3), (4, 1)):
            shapes[f"decoder.{block}.net.{layer}.weight"] = (128, 128, side, side)
    for layer, n_in, n_out in ((4, 128, 128), (6, 128, 64), (8, 64, 32), (10, 32, 16)):
        shapes[f"decoder.{layer}.weight"] = (n_in, n_out, 4, 4)
    for name, shape in list(shapes.items()):
        if name.endswith("weight"):
            up = name in ("decoder.4.weight", "decoder.6.weight", "decoder.8.weight", "decoder.10.weight")
            shapes[name.replace("weight", "bias")] = (shape[1 if up else 0],)
    draw = np.random.default_rng(7)
    path = os.path.join(folder, "vae.npz")
    np.savez(path, **{name: draw.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()})
    return path


def clean_environment() -> Dict[str, str]:
    """Without the sanitizers' runtime: for programs that bring their own, or do not load the library."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def batch_command(lines: Sequence[Tuple[str, str]], max_new_tokens: int = 30) -> List[Dict[str, Any]]:
    """What `paligemma batch` answers, in float32."""
    program = os.environ.get("PALI_COMMAND")
    if not program:
        raise unittest.SkipTest("PALI_COMMAND does not say where the command is")
    source = "".join(json.dumps({"image": path, "prompt": prompt}) + "\n" for path, prompt in lines)
    command = [program, "batch", "-m", TINY, "--dtype", "float32", "--max-new-tokens", str(max_new_tokens), "-"]
    done = subprocess.run(command, input=source.encode(), stdout=subprocess.PIPE, env=clean_environment(), check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]
