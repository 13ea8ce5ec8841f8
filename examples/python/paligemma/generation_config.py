# SPDX-License-Identifier: BSD-2-Clause
"""The options of generate, with Transformers' names, and their way into pali_generate_options."""

from __future__ import annotations

import ctypes
import random
import warnings
from dataclasses import dataclass, fields
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from ._arrays import int64s
from ._library import texts
from ._structs import GenerateOptions, LogitBias, TokenList
from .config import PaliGemmaConfig
from .errors import ArgumentError

Words = Sequence[Sequence[int]]

_seeds = random.Random()

# Caches differ in memory, not in what they answer; a generation has one of its own that fits.
_CACHES = (None, "static", "dynamic", "dynamic_full", "hybrid", "sliding_window", "offloaded", "offloaded_static",
           "offloaded_hybrid", "hybrid_chunked")  # fmt: skip


def set_seed(seed: int) -> None:
    """Makes the sampling of generate calls without `seed` repeatable from here on."""
    _seeds.seed(seed)


@dataclass
class GenerationConfig:
    """None everywhere: the checkpoint's generation_config.json, then Transformers' default. See docs/generation.md."""

    # How long.
    max_new_tokens: Optional[int] = None  #: default 20
    max_length: Optional[int] = None  #: prompt and answer together; max_new_tokens goes before it
    min_new_tokens: Optional[int] = None
    max_time: Optional[float] = None  #: seconds, after which an answer ends as it is
    # Which token.
    do_sample: Optional[bool] = None
    temperature: Optional[float] = None
    top_k: Optional[int] = None
    top_p: Optional[float] = None
    min_p: Optional[float] = None
    typical_p: Optional[float] = None
    seed: Optional[int] = None  #: of the draws; None: another one each time (see set_seed)
    # Beams and several answers.
    num_beams: Optional[int] = None
    num_return_sequences: Optional[int] = None
    best_of: Optional[int] = None
    length_penalty: Optional[float] = None
    early_stopping: Union[None, bool, str] = None
    # What is done to the logits.
    repetition_penalty: Optional[float] = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    no_repeat_ngram_size: Optional[int] = None
    bad_words_ids: Optional[Words] = None
    force_words_ids: Optional[Words] = None
    sequence_bias: Any = None  #: {(id,): bias} or [[[id], bias], …], single tokens
    logit_bias: Optional[Mapping[int, float]] = None
    suppress_tokens: Optional[Sequence[int]] = None
    # When to stop.
    eos_token_id: Union[None, int, Sequence[int]] = None  #: [] or -1: nothing ends an answer but its length
    pad_token_id: Optional[int] = None
    bos_token_id: Optional[int] = None
    stop_strings: Union[None, str, Sequence[str]] = None
    # What comes back.
    return_dict_in_generate: bool = False
    output_logprobs: bool = False
    top_logprobs: int = 0  #: alternatives for each token, 0…64
    # How.
    prompt_lookup_num_tokens: Optional[int] = None
    cache_implementation: Optional[str] = None  #: every kind gives the same answers
    use_cache: Optional[bool] = None

    @classmethod
    def of(cls, config: Any, options: Mapping[str, Any]) -> GenerationConfig:
        """`config` (ours, Transformers' or a mapping) with `options` over it; an unknown option is a TypeError."""
        names = {field.name for field in fields(cls)}
        values: Dict[str, Any] = {}
        if isinstance(config, Mapping):
            options = {**config, **options}
        elif config is not None:
            values = {name: getattr(config, name) for name in names if getattr(config, name, None) is not None}
            if not isinstance(config, cls) and values.get("max_length") == 20:
                del values["max_length"]  # what Transformers' class has where nobody said anything
        for name, value in options.items():
            if name not in names:
                raise TypeError(f"generate has no option {name!r}")
            values[name] = value
        return cls(**{name: value for name, value in values.items() if value is not None})

    def samples(self, config: PaliGemmaConfig) -> bool:
        """Whether the answer is drawn."""
        return bool(config.get("generation_config.do_sample")) if self.do_sample is None else self.do_sample

    def options(self, config: PaliGemmaConfig, prompt_length: int) -> GenerateOptions:
        """The library's form. Arrays in it live as long as the struct."""
        if self.cache_implementation not in _CACHES:
            raise ArgumentError(f"cache_implementation {self.cache_implementation!r} is not there")
        options = GenerateOptions()
        options.max_new_tokens = self._new_tokens(prompt_length)
        options.min_new_tokens = _or_none(self.min_new_tokens)
        self._set_sampling(options, config)
        self._set_beams(options, config)
        self._set_logits(options)
        self._set_stops(options)
        options.logprobs = int(self.output_logprobs)
        options.top_logprobs = self.top_logprobs
        options.prompt_lookup_num_tokens = self.prompt_lookup_num_tokens or 0
        return options

    def _new_tokens(self, prompt_length: int) -> int:
        if self.max_new_tokens is not None:
            if self.max_new_tokens <= 0:
                raise ArgumentError(f"max_new_tokens {self.max_new_tokens}; at least 1")
            return self.max_new_tokens
        if self.max_length is None:
            return 0
        if self.max_length <= prompt_length:
            raise ArgumentError(f"max_length {self.max_length} leaves no room after a prompt of {prompt_length} tokens")
        return self.max_length - prompt_length

    def _set_sampling(self, options: GenerateOptions, config: PaliGemmaConfig) -> None:
        if not self.samples(config):
            options.temperature = -1.0
            # As Transformers: said, and passed over.
            for name, neutral in (
                ("temperature", 1.0),
                ("top_k", 50),
                ("top_p", 1.0),
                ("min_p", 0.0),
                ("typical_p", 1.0),
            ):
                value = getattr(self, name)
                if value is not None and value not in (neutral, 0):
                    warnings.warn(f"{name}={value} is without effect: do_sample is not set", stacklevel=5)
            return
        temperature = self.temperature
        if temperature is None:
            temperature = float(config.get("generation_config.temperature", 1.0))
        if temperature <= 0:
            raise ArgumentError(f"temperature {temperature}; above 0 when sampling (do_sample=False is greedy)")
        options.temperature = temperature
        if self.top_k is not None:
            options.top_k = self.top_k if self.top_k > 0 else -1
        options.top_p = self.top_p or 0.0
        options.min_p = _or_none(self.min_p)
        options.typical_p = self.typical_p or 0.0
        options.seed = (self.seed if self.seed is not None else _seeds.getrandbits(64)) & (2**64 - 1)

    def _set_beams(self, options: GenerateOptions, config: PaliGemmaConfig) -> None:
        options.num_beams = self.num_beams or 0
        options.num_return_sequences = self.num_return_sequences or 0
        options.best_of = self.best_of or 0
        beams = self.num_beams or int(config.get("generation_config.num_beams", 1))
        if beams > 1:
            options.length_penalty = 1.0 if self.length_penalty is None else self.length_penalty
            options.early_stopping = {None: 0, True: 1, False: -1, "never": 2}[self.early_stopping]

    def _set_logits(self, options: GenerateOptions) -> None:
        options.repetition_penalty = self.repetition_penalty or 0.0
        options.presence_penalty = self.presence_penalty
        options.frequency_penalty = self.frequency_penalty
        options.no_repeat_ngram_size = _or_none(self.no_repeat_ngram_size)
        biases = _biases(self.sequence_bias, self.logit_bias, self.suppress_tokens)
        options.logit_bias = (LogitBias * max(len(biases), 1))(*biases)
        options.n_logit_bias = len(biases)
        options.bad_words, options.n_bad_words = token_lists(self.bad_words_ids or [])
        options.force_words, options.n_force_words = token_lists(self.force_words_ids or [])

    def _set_stops(self, options: GenerateOptions) -> None:
        if self.eos_token_id is not None:
            eos = [self.eos_token_id] if isinstance(self.eos_token_id, int) else list(self.eos_token_id)
            eos = [index for index in eos if index >= 0]
            options.eos_token_ids = int64s(eos)
            options.n_eos_token_ids = len(eos)
        if self.stop_strings:
            stops = [self.stop_strings] if isinstance(self.stop_strings, str) else list(self.stop_strings)
            options.stop_strings = texts(stops)
            options.n_stop_strings = len(stops)


def _or_none(value: Any) -> Any:
    """0 of the library is "the file's", -1 "none"; None of Transformers is "the file's", 0 "none"."""
    return 0 if value is None else value if value > 0 else -1


def token_lists(words: Words) -> Any:
    """Sequences of ids as an array of pali_token_list, and how many."""
    lists = [TokenList(int64s(word), len(word)) for word in words]
    return (TokenList * max(len(lists), 1))(*lists), len(lists)


def _biases(
    sequences: Any, single: Optional[Mapping[int, float]], suppressed: Optional[Sequence[int]]
) -> List[LogitBias]:
    biases = dict(single or {})
    pairs = sequences.items() if isinstance(sequences, Mapping) else sequences or []
    for ids, bias in pairs:
        if len(ids) != 1:
            raise ArgumentError("sequence_bias of more than one token is not there")
        biases[ids[0]] = biases.get(ids[0], 0.0) + bias
    for index in suppressed or []:
        biases[index] = float("-inf")
    return [LogitBias(int(index), ctypes.c_float(bias).value) for index, bias in biases.items()]
