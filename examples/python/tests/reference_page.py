# SPDX-License-Identifier: BSD-2-Clause
"""The programs of Transformers' page on PaliGemma (docs: model_doc/paligemma), run with either package.

PROGRAMS make the page's calls with the page's arguments. The page itself, as Markdown, can be given in the variable
PALIGEMMA_REFERENCE_PAGE: then its own code blocks are run too, word for word. What is replaced before they run: the
package's name in import lines, checkpoint names, addresses of pictures, and a download by `requests`.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import re
import sys
import textwrap
import types
from typing import Any, Dict, List

#: A later program sees the names of an earlier one with the same first word, as on the page.
PROGRAMS: Dict[str, str] = {
    "pipeline": """
        import torch
        from transformers import pipeline

        ask = pipeline(task="image-text-to-text", model="google/paligemma2-3b-mix-224")
        ask("https://example.org/a.jpg", text="What is in this image?")
    """,
    "auto": """
        import torch
        import requests
        from PIL import Image
        from transformers import AutoProcessor, PaliGemmaForConditionalGeneration

        name = "google/paligemma2-3b-mix-224"
        model = PaliGemmaForConditionalGeneration.from_pretrained(name, device_map="auto", attn_implementation="sdpa")
        processor = AutoProcessor.from_pretrained(name)
        image = Image.open(requests.get("https://example.org/a.jpg", stream=True).raw)
        inputs = processor(image, "What is in this image?", return_tensors="pt").to(model.device)
        output = model.generate(**inputs, max_new_tokens=50, cache_implementation="static")
        print(processor.decode(output[0], skip_special_tokens=True))
    """,
    "auto, suffix": """
        inputs = processor(
            images=image, text="What is in this image?", suffix="a pallas cat", return_tensors="pt"
        ).to(model.device)
        outputs = model(**inputs)
    """,
    "quantized": """
        import torch
        import requests
        from PIL import Image
        from transformers import TorchAoConfig, AutoProcessor, PaliGemmaForConditionalGeneration

        model = PaliGemmaForConditionalGeneration.from_pretrained(
            "google/paligemma2-28b-mix-224",
            device_map="auto",
            quantization_config=TorchAoConfig("int4_weight_only", group_size=128),
        )
        processor = AutoProcessor.from_pretrained("google/paligemma2-28b-mix-224")
        image = Image.open(requests.get("https://example.org/a.jpg", stream=True).raw)
        inputs = processor(image, "What is in this image?", return_tensors="pt").to(model.device)
        output = model.generate(**inputs, max_new_tokens=50, cache_implementation="static")
        print(processor.decode(output[0], skip_special_tokens=True))
    """,
    "visualizer": """
        from transformers.utils.attention_visualizer import AttentionMaskVisualizer

        visualizer = AttentionMaskVisualizer("google/paligemma2-3b-mix-224")
        visualizer("<img> What is in this image?")
    """,
    "two pictures": """
        import torch
        import requests
        from PIL import Image
        from transformers import AutoProcessor, PaliGemmaForConditionalGeneration

        model = PaliGemmaForConditionalGeneration.from_pretrained("google/paligemma-3b-ft-nlvr2-448", device_map="auto")
        processor = AutoProcessor.from_pretrained("google/paligemma-3b-ft-nlvr2-448")
        one = Image.open(requests.get("https://example.org/a.jpg", stream=True).raw)
        other = Image.open(requests.get("https://example.org/b.jpg", stream=True).raw)
        inputs = processor(
            images=[[one, other]], text="Are these two images the same?", return_tensors="pt"
        ).to(model.device)
        output = model.generate(**inputs, max_new_tokens=20, cache_implementation="static")
        print(processor.decode(output[0], skip_special_tokens=True))
    """,
    "known prompts": """
        from transformers import AutoModelForImageTextToText, AutoProcessor

        model = AutoModelForImageTextToText.from_pretrained("google/paligemma2-3b-mix-224", dtype="float32")
        processor = AutoProcessor.from_pretrained("google/paligemma2-3b-mix-224")
        pictures = ["https://example.org/a.jpg", "https://example.org/b.jpg"]
        from PIL import Image
        import requests
        pictures = [Image.open(requests.get(url, stream=True).raw) for url in pictures]
        inputs = processor(images=pictures, text=["caption en", "detect circle"], return_tensors="pt", padding=True)
        output = model.generate(**inputs, max_new_tokens=30, do_sample=False)
        print(processor.batch_decode(output, skip_special_tokens=True))
        outputs = model(**inputs)
    """,
}


def programs_of(markdown: str) -> Dict[str, str]:
    """The page's Python blocks under the names of PROGRAMS that fit their order."""
    blocks = [textwrap.dedent(block) for block in re.findall(r"^ *```py\n(.*?)^ *```$", markdown, re.S | re.M)]
    names = ["pipeline", "auto", "quantized", "visualizer", "auto, suffix", "two pictures"]
    if len(blocks) != len(names):
        raise ValueError(f"the page has {len(blocks)} programs, {len(names)} were known")
    return dict(zip(names, blocks))


def run(programs: Dict[str, str], package: str, checkpoint: str, pictures: List[str]) -> Dict[str, Dict[str, Any]]:
    """Runs programs with `package`; of each what it printed and the names it left."""
    found: Dict[str, Dict[str, Any]] = {}
    spaces: Dict[str, Dict[str, Any]] = {}
    order = sorted(programs, key=lambda name: "," in name)
    for name in order:
        namespace = spaces.setdefault(name.split(",")[0], {"__name__": "__main__"})
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), _requests(pictures):
            exec(
                compile(_adapted(textwrap.dedent(programs[name]), package, checkpoint, pictures), name, "exec"),
                namespace,
            )
        found[name] = {"printed": printed.getvalue(), **namespace}
    return found


def _adapted(source: str, package: str, checkpoint: str, pictures: List[str]) -> ast.Module:
    """The program with names and addresses replaced, and its last value kept as `result`."""
    source = re.sub(r"\bfrom transformers\b", f"from {package}", source)
    if importlib.util.find_spec("torch") is None:
        source = re.sub(r"^import torch$", "", source, flags=re.M)  # the programs do nothing with it
    if package == "transformers" and importlib.util.find_spec("accelerate") is None:
        source = re.sub(r',\s*device_map="auto"', "", source)  # which needs accelerate there
    if package == "transformers" and "TorchAoConfig" in source:  # which needs torchao: weights as they are, here too
        source = "TorchAoConfig = lambda *_, **__: None\n" + source.replace("import TorchAoConfig, ", "import ")
    source = re.sub(r'"google/[^"]+"', repr(checkpoint), source)
    addresses: List[str] = []

    def picture(match: Any) -> str:
        if match[0] not in addresses:
            addresses.append(match[0])
        # b.jpg is the other picture also where it stands alone.
        return repr(pictures[1 if "/b.jpg" in match[0] else addresses.index(match[0])])

    source = re.sub(r'"https://[^"]+"', picture, source)
    tree = ast.parse(source)
    last = tree.body[-1]
    if isinstance(last, ast.Expr):
        tree.body[-1] = ast.copy_location(ast.Assign([ast.Name("result", ast.Store())], last.value), last)
    return ast.fix_missing_locations(tree)


@contextlib.contextmanager
def _requests(pictures: List[str]) -> Any:
    """`requests` whose get(PATH).raw is the file: nothing is downloaded."""

    def get(url: str, stream: bool = False) -> Any:
        assert url in pictures
        with open(url, "rb") as file:
            return types.SimpleNamespace(raw=io.BytesIO(file.read()))

    before = sys.modules.get("requests")
    sys.modules["requests"] = types.ModuleType("requests")
    sys.modules["requests"].get = get  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del sys.modules["requests"]
        if before is not None:
            sys.modules["requests"] = before


def record(found: Dict[str, Dict[str, Any]]) -> Dict[str, Dict[str, Any]]:
    """What is compared, in the form of JSON: texts, tokens, input tensors, logits and loss at some places."""
    recorded = {}
    for name, names in found.items():
        entry: Dict[str, Any] = {"printed": names["printed"]} if name != "visualizer" else {}
        if "output" in names and "," not in name:
            entry["output"] = names["output"].tolist()
        if isinstance(names.get("result"), list):
            entry["result"] = names["result"]
        if "inputs" in names:
            for key, value in names["inputs"].items():
                flat = value.reshape(-1)
                entry[key] = flat[::997].tolist() if key == "pixel_values" else value.tolist()
                entry[key + " shape"] = list(value.shape)
        if "outputs" in names:
            logits, loss = names["outputs"].logits, names["outputs"].loss
            entry["logits"] = logits[:, -1, ::101].tolist()
            loss = float(loss.detach() if hasattr(loss, "detach") else loss)
            entry["loss"] = None if loss != loss else loss
        recorded[name] = entry
    return recorded
