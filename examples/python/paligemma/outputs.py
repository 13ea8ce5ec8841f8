# SPDX-License-Identifier: BSD-2-Clause
"""What a forward pass and a generation return: by attribute, by name and by index, as Transformers' outputs."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any, Iterator, List, NamedTuple, Optional, Tuple

from ._arrays import Array
from ._handle import Handle
from ._library import call, lib


class _Output:
    """outputs.logits, outputs["logits"], outputs[0]: fields that are None are not counted."""

    def to_tuple(self) -> Tuple[Any, ...]:
        """The fields that are there."""
        return tuple(value for _, value in self.items())

    def items(self) -> List[Tuple[str, Any]]:
        """Names and values of the fields that are there."""
        found = [(field.name, getattr(self, field.name)) for field in dataclasses.fields(self)]  # type: ignore[arg-type]
        return [(name, value) for name, value in found if value is not None]

    def keys(self) -> List[str]:
        """Names of the fields that are there."""
        return [name for name, _ in self.items()]

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return self.to_tuple()[key]
        value = dict(self.items()).get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.items())

    def __contains__(self, key: object) -> bool:
        return key in self.keys()


@dataclass
class PaliGemmaCausalLMOutputWithPast(_Output):
    """Of model(**inputs); all arrays float32."""

    loss: Optional[Array] = None  #: [], with labels: the mean over those that are not -100
    logits: Optional[Array] = None  #: [batch, kept, vocabulary]
    past_key_values: Any = None  #: Cache
    hidden_states: Optional[Tuple[Array, ...]] = None  #: layers + 1 of [batch, length, hidden]
    attentions: Optional[Tuple[Array, ...]] = None  #: of each layer asked for: [batch, heads, length, keys]
    image_hidden_states: Optional[Array] = None  #: [images, tokens, hidden], not divided by sqrt(hidden)
    last_hidden_state: Optional[Array] = None  #: [batch, length, hidden], after the final norm
    token_loss: Optional[Array] = None  #: [batch, length - 1], 0 where the label is -100
    vision_hidden_states: Optional[Tuple[Array, ...]] = None  #: layers + 1 of [images, patches, vision hidden]

    def __post_init__(self) -> None:
        #: The library's object that the arrays look into; for this package's own modules.
        self.handle: Optional[Handle] = None

    def save(self, path: "str | os.PathLike[str]") -> None:
        """Writes all tensors to a safetensors file, under the library's names (hidden_states.0, …)."""
        if self.handle is None:
            raise ValueError("outputs that no forward pass of this package made")
        with self.handle.borrow() as outputs:
            call(lib.pali_outputs_save, outputs, os.fsencode(path))


class Token(NamedTuple):
    """One new token, as it comes."""

    row: int  #: which answer
    id: int
    text: str  #: what it adds to the answer: whole characters, "" while one is incomplete


class TokenLogprob(NamedTuple):
    """A token that might have been, with its natural logarithm of probability."""

    id: int
    logprob: float


class Timing(NamedTuple):
    """Seconds, for the whole batch, and tokens."""

    image_s: float
    prefill_s: float
    decode_s: float
    prompt_tokens: int
    decode_tokens: int


@dataclass
class GenerateOutput(_Output):
    """Of generate(…, return_dict_in_generate=True). Lists have an entry for each answer."""

    sequences: Array  #: int64 [answers, prompt + new], padded on the right; as generate returns otherwise
    sequences_scores: Optional[Array] = None  #: with beams what they are ranked by, else mean log-probabilities
    past_key_values: Any = None  #: the Cache, where one was given
    token_ids: Optional[List[List[int]]] = None  #: the new tokens, <eos> included
    texts: Optional[List[Optional[str]]] = None  #: the answers, special tokens left out
    finish_reasons: Optional[List[str]] = None  #: "eos", "length", "cancelled", "stop_string", "constraint"
    logprobs: Optional[List[List[float]]] = None  #: of each new token, with output_logprobs
    top_logprobs: Optional[List[List[List[TokenLogprob]]]] = None  #: likeliest first, with top_logprobs
    timing: Optional[Timing] = None
    passes: int = 0  #: how often the decoder ran after the prompts

    @property
    def scores(self) -> None:
        """Logits of every step are not kept; see output_logprobs and top_logprobs."""
        return None
