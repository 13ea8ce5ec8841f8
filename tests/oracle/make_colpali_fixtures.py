# SPDX-License-Identifier: BSD-2-Clause
"""Write tests/data/colpali: a small random ColPali checkpoint, pages and queries, their embeddings and scores.

    python make_colpali_fixtures.py [OUT_DIR]

hf is as ColPaliForRetrieval of Transformers saves it; engine.json is the config.json of PaliGemma that colpali-engine
puts beside the same weights, which the test renames.
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from transformers import ColPaliConfig, ColPaliForRetrieval, ColPaliProcessor

import fixture_models as models

TEXTS = ["the cat", "what is red?", "caption the red cat en"]
DIM = 12


def config():
    text = models.text_config(32, 64, 2, 4, 1, model_type="gemma", head_dim=16)
    return models.paligemma_config(text, models.vision_config(32, 2, 48, 2, 28), "float32")


def build(directory):
    """A ColPaliForRetrieval with drawn weights, saved."""
    directory.mkdir(parents=True, exist_ok=True)
    spec = {"config": config()}
    models.write_side_files(directory, spec)
    wrapped = ColPaliConfig(vlm_config=spec["config"], embedding_dim=DIM)
    model = ColPaliForRetrieval._from_config(wrapped, attn_implementation="eager").eval()
    for index, (name, parameter) in enumerate(sorted(model.named_parameters())):
        rng = np.random.default_rng([201, index])
        shape = tuple(parameter.shape)
        if name == "embedding_proj_layer.weight":
            values = rng.standard_normal(shape) / np.sqrt(shape[1])
        else:
            values = models.random_tensor(rng, name, shape)
        parameter.data = torch.from_numpy(values).to(torch.float32)
    model.save_pretrained(directory)
    return model


def run(model, inputs):
    names = ("input_ids", "attention_mask", "token_type_ids", "pixel_values")
    with torch.no_grad():
        kept = {name: inputs[name] for name in names if name in inputs}
        state = model.vlm(**kept).last_hidden_state
        return model(**kept).embeddings, state


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", nargs="?", type=pathlib.Path, default=here.parent / "data" / "colpali")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = build(options.out / "hf")
    models.write_json(options.out / "engine.json", config())
    again = ColPaliForRetrieval.from_pretrained(options.out / "hf", attn_implementation="eager").eval()
    processor = ColPaliProcessor.from_pretrained(options.out / "hf")
    rng = np.random.default_rng(202)
    pictures = [rng.integers(0, 256, (28, 28, 3), dtype=np.uint8) for _ in range(2)]
    pages = processor.process_images([Image.fromarray(p) for p in pictures])
    queries = processor.process_queries(TEXTS)
    page_embeddings, _ = run(model, pages)
    query_embeddings, query_states = run(model, queries)
    assert torch.equal(run(again, queries)[0], query_embeddings)
    scores = processor.score_retrieval(query_embeddings, page_embeddings)
    tensors = {f"page.{k}": v for k, v in pages.items()} | {f"query.{k}": v for k, v in queries.items()}
    tensors |= {f"picture.{i}": torch.from_numpy(p) for i, p in enumerate(pictures)}
    tensors |= {"page.embeddings": page_embeddings, "query.embeddings": query_embeddings, "scores": scores,
                "query.states": query_states}
    # Longer pages than a tile of ours holds, a ragged last tile, and a page whose products are all negative.
    many = {"many.queries": rng.standard_normal((3, 11, 24)), "many.pages": rng.standard_normal((4, 150, 24))}
    many["many.queries"][2] = np.abs(many["many.queries"][2])
    many["many.pages"][3] = -np.abs(many["many.pages"][3])
    many = {name: torch.from_numpy(values).to(torch.float32) for name, values in many.items()}
    tensors |= many | {"many.scores": processor.score_retrieval(many["many.queries"], many["many.pages"])}
    assert tensors["many.scores"][2, 3] < 0
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, options.out / "cases.safetensors")
    (options.out / "texts.json").write_text(json.dumps(TEXTS) + "\n")
    for path in options.out.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
    print("transformers", transformers.__version__, "scores", scores.tolist())


if __name__ == "__main__":
    main()
