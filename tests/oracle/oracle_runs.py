# SPDX-License-Identifier: BSD-2-Clause
"""What the oracle computes on a case: forward outputs, greedy tokens by two ways, and bfloat16's own error."""
import torch

from small_tokenizer import EOS_ID, IMAGE_ID, PAD_ID


def merged_rows(model, inputs):
    """inputs_embeds with the picture's rows put in: transformers takes tokens or rows, not both."""
    features = model.get_image_features(inputs["pixel_values"]).pooler_output
    where = (inputs["input_ids"] == model.config.image_token_id)[..., None]
    return inputs["inputs_embeds"].masked_scatter(where, features), features


@torch.no_grad()
def forward(model, inputs, keep=None, hidden_states=False, attentions=False):
    """The tensors of CASE.expected.safetensors. token_type_ids are always given: without them 5.x is causal."""
    arguments, features = dict(inputs), None
    if all(name in inputs for name in ("inputs_embeds", "input_ids", "pixel_values")):
        arguments["inputs_embeds"], features = merged_rows(model, inputs)
        del arguments["input_ids"], arguments["pixel_values"]
    if keep is not None:
        arguments["logits_to_keep"] = keep if isinstance(keep, int) else torch.tensor(keep)
    out = model(**arguments, output_hidden_states=True, output_attentions=attentions, use_cache=False)
    expected = {"logits": out.logits, "last_hidden_state": out.hidden_states[-1]}
    if out.loss is not None:
        expected["loss"] = out.loss
    features = out.image_hidden_states if features is None else features
    if features is not None:
        expected["image_hidden_states"] = features
    if keep is not None:
        length = out.hidden_states[-1].shape[1]
        kept = range(length - keep, length) if isinstance(keep, int) else keep
        expected["kept"] = torch.tensor(list(kept), dtype=torch.int64)
    if hidden_states:
        expected.update({f"hidden_states.{i}": h for i, h in enumerate(out.hidden_states)})
    if attentions:
        expected.update({f"attentions.{i}": a for i, a in enumerate(out.attentions)})
    return {name: t.detach().clone().contiguous() for name, t in expected.items()}


def visible(inputs, window=None):
    """The mask rule itself: [batch, query, key]. Types 0 see each other; the rest is causal, within the window."""
    types, mask = inputs["token_type_ids"], inputs["attention_mask"]
    q, k = torch.arange(types.shape[1])[:, None], torch.arange(types.shape[1])[None]
    causal = (k <= q) & (k > q - window if window else True)
    prefix = (types[:, :, None] == 0) & (types[:, None, :] == 0)
    return (mask[:, None, :] == 1) & (causal | prefix)


def check_attentions(model, inputs, expected):
    """The oracle must have looked exactly where the rule says, in every layer."""
    text = model.config.text_config
    for i in range(text.num_hidden_layers):
        slides = getattr(text, "layer_types", None) and text.layer_types[i] == "sliding_attention"
        slides = slides or text.model_type == "mistral"
        want = visible(inputs, text.sliding_window if slides else None)
        got = (expected[f"attentions.{i}"] > 0).any(1)
        real = inputs["attention_mask"].bool()
        assert torch.equal(got[real], want[real]), f"layer {i} does not follow the mask rule"


@torch.no_grad()
def cached_suffix_logits(model, inputs):
    """Prefix with a cache, then suffix with that cache: must equal one pass."""
    n = int((inputs["token_type_ids"][0] == 0).sum())
    first = {k: v[:, :n] for k, v in inputs.items() if k not in ("pixel_values", "labels")}
    out = model(**first, pixel_values=inputs["pixel_values"], use_cache=True)
    rest = model(input_ids=inputs["input_ids"][:, n:], attention_mask=inputs["attention_mask"],
                 past_key_values=out.past_key_values, use_cache=True)
    return torch.cat([out.logits, rest.logits], 1)


@torch.no_grad()
def slow_greedy(model, inputs, new_tokens, min_margin=0.0):
    """Greedy tokens by whole passes over the growing row, generated tokens being type 1; and the smallest margin.

    Gives up at a margin under min_margin, and at a generated <image>, for which a whole pass would want a picture.
    """
    state = {k: v.clone() for k, v in inputs.items()}
    done, answers, margin = [False] * len(state["input_ids"]), [[] for _ in state["input_ids"]], float("inf")
    for _ in range(new_tokens):
        positions = state["attention_mask"].cumsum(1).clamp(min=1)
        logits = model(**state, position_ids=positions, use_cache=False, logits_to_keep=1).logits[:, -1]
        best = logits.topk(2).values
        tokens = logits.argmax(-1)
        for row, token in enumerate(tokens.tolist()):
            if done[row]:
                tokens[row] = PAD_ID
                continue
            margin = min(margin, float(best[row, 0] - best[row, 1]))
            answers[row].append(token)
            if token == IMAGE_ID or margin < min_margin:
                return answers, min(margin, 0.0)
            done[row] = token == EOS_ID
        if all(done):
            break
        ones = torch.ones_like(tokens[:, None])
        for name, more in (("input_ids", tokens[:, None]), ("attention_mask", ones), ("token_type_ids", ones)):
            state[name] = torch.cat([state[name], more], 1)
    return answers, margin


@torch.no_grad()
def generate(model, inputs, new_tokens):
    """The same by transformers' own generate with its cache."""
    ids = model.generate(**inputs, do_sample=False, use_cache=True, max_new_tokens=new_tokens, eos_token_id=EOS_ID,
                         pad_token_id=PAD_ID)
    answers = ids[:, inputs["input_ids"].shape[1]:].tolist()
    return [row[:row.index(EOS_ID) + 1] if EOS_ID in row else row for row in answers]


def bfloat16_error(half, inputs, keep, expected):
    """Error of PyTorch's bfloat16 logits against the float32 oracle's, over positions that are not padding."""
    cast = {k: v.to(torch.bfloat16) if v.is_floating_point() else v for k, v in inputs.items()}
    error = (forward(half, cast, keep)["logits"].float() - expected["logits"]).abs()
    real = inputs["attention_mask"].bool()
    error = error[real[:, expected["kept"]] if "kept" in expected else real].double()
    return {"max_abs": error.max().item(), "mean_abs": error.mean().item(), "rms": error.square().mean().sqrt().item()}
