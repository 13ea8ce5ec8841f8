# SPDX-License-Identifier: BSD-2-Clause
"""PaliGemmaForConditionalGeneration: loading, forward passes, generation."""

from __future__ import annotations

import ctypes
import os
import threading
from contextlib import ExitStack
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from ._arrays import FLOAT32, Array, as_array, int64s, tensor_of, to_torch, view
from ._calls import LongCall, Progress
from ._handle import KINDS, Handle, Keep, lend
from ._library import Address, lib, new
from ._structs import ForwardOptions, ImageFeaturesOptions
from .adapter import Adapter
from .batch import check_device
from .cache import Cache
from .config import PaliGemmaConfig
from .constraint import Constraint
from .embeddings import embed
from .errors import ArgumentError
from .features import ImageFeatures
from .generation import AllowedTokens, Callbacks, OnToken, StoppingCriterion, output_of, run, wants_torch
from .generation_config import GenerationConfig
from .hub import Path, checkpoint_directory
from .inputs import Inputs
from .loading import model_options
from .outputs import PaliGemmaCausalLMOutputWithPast
from .processor import PaliGemmaProcessor, check_ignored
from .quantization import TorchAoConfig, quantized_copy
from .scores import Score, score
from .streamers import TokenStream
from .tokenizer import Tokenizer

Bar = Union[None, bool, Progress]


class _Outputs(Handle):
    _free = "pali_outputs_free"


class PaliGemmaForConditionalGeneration(Handle):
    """The network. Immutable once loaded: any number of threads may use one at the same time.

    Long calls release the GIL; Ctrl-C, an exception in a callback, or `cancel` stops them, and everything stays usable.
    A fork() after the first call shares the mapped weights, but not the threads: see docs/python.md.
    """

    _free = "pali_model_free"
    main_input_name = "input_ids"

    def __init__(self, address: Address, path: str) -> None:
        super().__init__(address)
        self.name_or_path = path
        self.config = PaliGemmaConfig._read(lib.pali_model_config(address))
        self.dtype: str = "float32" if lib.pali_model_dtype(address) == FLOAT32 else "bfloat16"
        self.generation_config = GenerationConfig()
        self._processor: Optional[PaliGemmaProcessor] = None
        self._adapter: Tuple[Optional[Adapter], float] = (None, 1.0)

    @classmethod
    def from_pretrained(
        cls,
        path: Path,
        *,
        dtype: Any = None,
        torch_dtype: Any = None,
        device_map: Any = None,
        revision: Optional[str] = None,
        threads: int = 0,
        adapters: Any = None,
        copy_weights: bool = False,
        int8_head: Optional[bool] = None,
        ignore_memory: bool = False,
        quantization_config: Optional[TorchAoConfig] = None,
        progress: Bar = None,
        cancel: Optional[threading.Event] = None,
        **ignored: Any,
    ) -> PaliGemmaForConditionalGeneration:
        """Opens a checkpoint directory, or a hub name in the Hugging Face cache; the weights stay in the mapped files.

        Args:
            dtype, torch_dtype: "float32", "bfloat16" (torch's too), or None, "auto": bfloat16 for bfloat16 files, else
                float32. Activations and sums are float32 in either.
            device_map: "auto" or "cpu".
            threads: of OpenMP; 0: its own number.
            adapters: PEFT LoRA directories to add to the weights, a path, a list, or {path: scale}.
            copy_weights: read them into memory of huge pages, which decodes some per cent faster, instead of mapping
                the files.
            int8_head: quantize the head to int8 while loading; None: where the checkpoint is quantized but its head not.
            ignore_memory: load even if the machine has less memory than the model needs (OutOfMemoryError otherwise).
            quantization_config: a TorchAoConfig, which says how it works. A checkpoint that is quantized needs none.
            progress: True for tqdm, or a function of (stage, fraction).
            cancel: an event that stops the loading when it is set.
        """
        check_ignored(ignored)
        if device_map is not None:
            check_device(device_map)
        directory = weights = checkpoint_directory(path, revision)
        options = model_options(
            dtype if dtype is not None else torch_dtype, threads, adapters, copy_weights, int8_head, ignore_memory
        )
        with ExitStack() as stack:
            if quantization_config is not None:
                weights = stack.enter_context(quantized_copy(directory, quantization_config, threads, progress, cancel))
            running = stack.enter_context(LongCall(progress, cancel))
            options.progress = running.progress_fn
            address = running.new(lib.pali_model_load, lib.pali_model_free, os.fsencode(weights), ctypes.byref(options))
        return cls(address, directory)

    # ---- what Transformers' models have ----

    @property
    def device(self) -> Any:
        """The CPU: torch.device("cpu") where torch is in use, else "cpu"."""
        import sys

        torch = sys.modules.get("torch")
        return torch.device("cpu") if torch is not None and hasattr(torch, "device") else "cpu"

    def eval(self) -> PaliGemmaForConditionalGeneration:
        """Itself: there is no training."""
        return self

    def to(self, *where: Any, **named: Any) -> PaliGemmaForConditionalGeneration:
        """Itself, for the CPU; anything else is an error. The type of the weights is chosen while loading."""
        for argument in (*where, *named.values()):
            check_device(argument)
        return self

    def can_generate(self) -> bool:
        """True."""
        return True

    @property
    def processor(self) -> PaliGemmaProcessor:
        """The checkpoint's processor: the one in use for this directory, else loaded now."""
        if self._processor is None or self._processor.closed:
            self._processor = PaliGemmaProcessor.shared(self.name_or_path)
        return self._processor

    # ---- adapters ----

    def load_adapter(self, path: Path, *, scale: float = 1.0, use: bool = True) -> Adapter:
        """A PEFT LoRA adapter for this model; with `use` every later call has it until set_adapter says otherwise."""
        adapter = Adapter.load(self, path)
        if use:
            self.set_adapter(adapter, scale)
        return adapter

    def set_adapter(self, adapter: Optional[Adapter], scale: float = 1.0) -> None:
        """The adapter of calls that name none (None: the model as it is)."""
        self._adapter = (adapter, scale)

    def _adapter_of(self, options: Dict[str, Any]) -> Tuple[Optional[Adapter], float]:
        adapter, scale = self._adapter
        if "adapter" in options:
            adapter, scale = options.pop("adapter"), 1.0
        given = options.pop("adapter_scale", None)
        return adapter, scale if given is None else float(given)

    # ---- forward ----

    def __call__(self, *args: Any, **options: Any) -> PaliGemmaCausalLMOutputWithPast:
        """forward()."""
        output: PaliGemmaCausalLMOutputWithPast = self.forward(*args, **options)
        return output

    def forward(
        self,
        input_ids: Array = None,
        pixel_values: Array = None,
        attention_mask: Array = None,
        position_ids: Array = None,
        past_key_values: Optional[Cache] = None,
        token_type_ids: Array = None,
        inputs_embeds: Array = None,
        labels: Array = None,
        use_cache: Optional[bool] = None,
        logits_to_keep: Union[int, Array] = 0,
        *,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
        output_vision_hidden_states: bool = False,
        attention_layers: Optional[Sequence[int]] = None,
        attention_heads: Optional[Sequence[int]] = None,
        image_features: Optional[ImageFeatures] = None,
        prefix_length: int = -1,
        cache_position: Any = None,
        image_states_divided: bool = False,
        return_dict: Optional[bool] = None,
        threads: int = 0,
        progress: Bar = None,
        cancel: Optional[threading.Event] = None,
        **options: Any,
    ) -> Any:
        """One pass; see docs/forward.md. Arrays are views over the library's memory, tensors where tensors came in.

        Args:
            input_ids: int64 [batch, length]; or inputs_embeds float32 [batch, length, hidden]; or both.
            pixel_values: float32 [images, 3, size, size], -1…1; or image_features, computed earlier.
            attention_mask: [batch, length] or, with a cache, [batch, cached + length]; 1 real, 0 padding.
            position_ids: [batch, length], the first token has 1.
            past_key_values: a Cache, which the pass continues and extends; input_ids are then only what is new.
            token_type_ids: [batch, length], 0 prefix, 1 suffix; without them prefix_length tokens are prefix
                (-1: all of a first pass, none once the cache holds tokens).
            labels: [batch, length], -100: no loss.
            use_cache: return a cache, also where none was given (default, as in Transformers); False saves its memory.
            logits_to_keep: 0: all positions; n: the last n; or an array of positions.
            cache_position: slot of the cache where the pass begins, what stands there and behind is forgotten first;
                an array, as Transformers has it, counts by its first number.
            attention_layers, attention_heads: with output_attentions, only these.
            adapter, adapter_scale: a LoRA adapter for this pass (default: set_adapter's).
            threads: for this pass; 0: the model's number. Results do not depend on it.
        """
        given = (input_ids, pixel_values, attention_mask, inputs_embeds, labels)
        tensors = {
            "input_ids": input_ids,
            "pixel_values": None if image_features is not None else pixel_values,
            "attention_mask": attention_mask,
            "position_ids": position_ids,
            "token_type_ids": token_type_ids,
            "inputs_embeds": inputs_embeds,
            "labels": labels,
        }
        adapter, scale = self._adapter_of(options)
        check_ignored(options)
        structure = ForwardOptions(
            prefix_length=prefix_length,
            output_hidden_states=int(bool(output_hidden_states)),
            output_attentions=int(bool(output_attentions)),
            output_vision_hidden_states=int(bool(output_vision_hidden_states)),
            image_states_divided=int(image_states_divided),
            adapter_scale=scale,
            threads=threads,
        )
        _set_list(structure, "attention_layers", attention_layers)
        _set_list(structure, "attention_heads", attention_heads)
        if np.ndim(as_array(logits_to_keep)) == 0:
            structure.logits_to_keep = int(logits_to_keep)
        else:
            _set_list(structure, "logits_index", as_array(logits_to_keep).reshape(-1).tolist())
        if cache_position is not None and past_key_values is not None:
            structure.cache_position = int(as_array(cache_position).reshape(-1)[0])
        cache = past_key_values
        if cache is None and use_cache is not False:
            rows = next((value.shape[0] for value in (input_ids, inputs_embeds) if value is not None), 0)
            if rows == 0:
                raise ArgumentError("a forward pass needs input_ids or inputs_embeds, not empty")
            cache = Cache.create(self, int(rows))

        with ExitStack() as stack:
            inputs = stack.enter_context(Inputs.of(tensors))
            running = stack.enter_context(LongCall(progress, cancel))
            structure.progress = running.progress_fn
            for name, handle in (("cache", cache), ("features", image_features), ("adapter", adapter)):
                if handle is not None:
                    setattr(structure, name, stack.enter_context(lend(handle, KINDS.get(name, name))))
            address = running.new(
                lib.pali_model_forward,
                lib.pali_outputs_free,
                stack.enter_context(self.borrow()),
                stack.enter_context(inputs.borrow()),
                ctypes.byref(structure),
            )
        output = _output_of(_Outputs(address), cache, wants_torch(*given))
        return output if return_dict is not False else output.to_tuple()

    def get_image_features(
        self,
        pixel_values: Array,
        *,
        threads: int = 0,
        progress: Bar = None,
        cancel: Optional[threading.Event] = None,
        **options: Any,
    ) -> ImageFeatures:
        """Tower and projector alone, on [images, 3, size, size] float32."""
        adapter, scale = self._adapter_of(options)
        check_ignored(options)
        pixels = as_array(pixel_values, np.float32)
        structure = ImageFeaturesOptions(adapter_scale=scale, threads=threads)
        with ExitStack() as stack:
            running = stack.enter_context(LongCall(progress, cancel))
            structure.progress = running.progress_fn
            if adapter is not None:
                structure.adapter = stack.enter_context(lend(adapter, "adapter"))
            address = running.new(
                lib.pali_model_image_features,
                lib.pali_image_features_free,
                stack.enter_context(self.borrow()),
                ctypes.byref(tensor_of(pixels)),
                ctypes.byref(structure),
            )
        return ImageFeatures(address)

    def image_features_of(self, features: Array, *, divided: bool = False) -> ImageFeatures:
        """Features from elsewhere, [images, tokens, hidden], copied. `divided`: as Transformers < 5.4 gives them."""
        array = as_array(features, np.float32)
        with self.borrow() as model:
            return ImageFeatures(
                new(lib.pali_image_features_create, model, ctypes.byref(tensor_of(array)), int(divided))
            )

    # ---- generation ----

    def generate(
        self,
        inputs: Any = None,
        generation_config: Any = None,
        *,
        streamer: Any = None,
        on_token: Optional[OnToken] = None,
        stopping_criteria: Optional[Sequence[StoppingCriterion]] = None,
        prefix_allowed_tokens_fn: Optional[AllowedTokens] = None,
        constraint: Optional[Constraint] = None,
        image_features: Optional[ImageFeatures] = None,
        past_key_values: Optional[Cache] = None,
        cache: Optional[Cache] = None,
        tokenizer: Optional[Tokenizer] = None,
        processor: Optional[PaliGemmaProcessor] = None,
        threads: int = 0,
        progress: Bar = None,
        cancel: Optional[threading.Event] = None,
        **options: Any,
    ) -> Any:
        """Answers every row of the inputs: generate(**processor(image, prompt), max_new_tokens=50).

        Args:
            inputs: what the processor returned, or input_ids; `**inputs` does the same.
            generation_config, **options: GenerationConfig's fields.
            streamer: an object with put(ids) and end(), as Transformers' TextStreamer; for one answer.
            on_token: called with each Token as it comes; END_ROW ends its answer, anything else that is true all of them,
                and what there is is kept.
            stopping_criteria: functions of (ids [1, n], None), true to stop; for one answer.
            prefix_allowed_tokens_fn: function of (row, ids), the ids that may follow.
            constraint: what an answer may be.
            image_features: computed earlier, instead of pixel_values.
            past_key_values: a Cache that holds the beginning of input_ids, which are the whole sequence; or
            cache: a Cache that input_ids continue: they are only what is new (processor.continuation).
            tokenizer, processor: whose text on_token, stop_strings and `texts` have; default the checkpoint's.
            progress: True for tqdm, or a function of (stage, fraction): "image" and "prefill".
            cancel: an event; when it is set, the call ends with CancelledError within a layer or a token.
            adapter, adapter_scale: a LoRA adapter for this call.
            threads: for this call; 0: the model's number. Answers do not depend on it.

        Returns:
            int64 [answers, prompt + new tokens], padded on the right (a tensor where tensors came in); with
            return_dict_in_generate a GenerateOutput: texts, log-probabilities, timing and more.
        """
        tensors = _take_tensors(inputs, options)
        adapter, scale = self._adapter_of(options)
        for name in [name for name in options if name in _IGNORED_BY_GENERATE]:
            options.pop(name)
        settings = GenerationConfig.of(generation_config or self.generation_config, options)
        as_torch = wants_torch(*tensors.values())
        prompts = _prompts(tensors)
        if past_key_values is not None:
            cache = past_key_values
            _drop_cached(tensors, cache.length())
        if image_features is not None:
            tensors.pop("pixel_values", None)
        structure = settings.options(self.config, prompts.shape[1])
        structure.adapter_scale = scale
        structure.threads = threads
        answers = len(prompts) * (settings.num_return_sequences or 1)
        if (streamer is not None or stopping_criteria) and answers > 1:
            raise ArgumentError("streamer and stopping_criteria are for one answer; on_token serves several")

        source: Optional[Handle] = processor or (tokenizer.handle if isinstance(tokenizer, Tokenizer) else None)
        needs_text = on_token is not None or bool(settings.stop_strings) or settings.return_dict_in_generate
        if source is None and needs_text:
            source = self.processor
        with ExitStack() as stack:
            running = stack.enter_context(LongCall(progress, cancel, settings.max_time))
            given = stack.enter_context(Inputs.of(tensors, source))
            callbacks = Callbacks(
                running, prompts, as_torch, on_token, streamer, stopping_criteria, prefix_allowed_tokens_fn
            )
            callbacks.rows = answers
            if streamer is not None:
                streamer.put(to_torch(prompts) if as_torch else prompts)
                stack.callback(streamer.end)
            handles = {"features": image_features, "cache": cache, "adapter": adapter, "constraint": constraint}
            generation = stack.enter_context(run(self, given, structure, callbacks, running, handles))
            output = output_of(generation, prompts, self._pad_id(settings), settings.return_dict_in_generate)
        if as_torch:
            output.sequences = to_torch(output.sequences)
        if not settings.return_dict_in_generate:
            return output.sequences
        output.past_key_values = cache
        return output

    def stream(self, inputs: Any = None, generation_config: Any = None, **options: Any) -> TokenStream:
        """generate() as an iterator of Tokens; closing it (or leaving its `with`) stops the generation.

        The generation runs in a thread of its own. After the last token `stream.output` is the GenerateOutput.
        """
        options["return_dict_in_generate"] = True
        return TokenStream(lambda **more: self.generate(inputs, generation_config, **options, **more), options)

    # ---- scores and embeddings ----

    def score(self, inputs: Any, answers: Sequence[Union[str, Sequence[int]]], **options: Any) -> List[Score]:
        """How likely each answer is behind the prompt: see paligemma.score."""
        options["adapter"], options["adapter_scale"] = self._adapter_of(options)
        return score(self, inputs, answers, **options)

    @property
    def embedding_dim(self) -> int:
        """Width of the checkpoint's embedding projection (ColPali: 128), 0 if it has none."""
        with self.borrow() as model:
            return int(lib.pali_model_embedding_dim(model))

    def embed(self, inputs: Any, **options: Any) -> Any:
        """Vectors of pages, queries or texts: see paligemma.embed."""
        options["adapter"], options["adapter_scale"] = self._adapter_of(options)
        return embed(self, inputs, **options)

    def _pad_id(self, settings: GenerationConfig) -> int:
        for value in (settings.pad_token_id, self.config.get("generation_config.pad_token_id"),
                      self.config.get("pad_token_id"), self.config.get("text_config.pad_token_id")):  # fmt: skip
            if value is not None:
                return int(value)
        return 0

    def __repr__(self) -> str:
        return f"<PaliGemmaForConditionalGeneration of {self.name_or_path}, {self.dtype}>"


_TENSORS = ("input_ids", "pixel_values", "attention_mask", "token_type_ids", "position_ids", "inputs_embeds")

# Options of Transformers' generate that a library without them can pass over: they change how, not what.
_IGNORED_BY_GENERATE = frozenset(
    "labels synced_gpus disable_compile compile_config renormalize_logits output_scores output_logits "
    "remove_invalid_values".split()
)


def _take_tensors(inputs: Any, options: Dict[str, Any]) -> Dict[str, Any]:
    """The model's tensors, out of `inputs` and of the options."""
    tensors: Dict[str, Any] = {}
    if inputs is not None and hasattr(inputs, "keys"):
        tensors.update({name: inputs[name] for name in _TENSORS if name in inputs})
    elif inputs is not None:
        tensors["input_ids"] = inputs
    tensors.update({name: options.pop(name) for name in _TENSORS if options.get(name) is not None})
    for name in _TENSORS:
        options.pop(name, None)
    if "input_ids" not in tensors and "inputs_embeds" not in tensors:
        raise ArgumentError("generate needs input_ids (or inputs_embeds): generate(**processor(image, prompt))")
    return tensors


def _prompts(tensors: Dict[str, Any]) -> np.ndarray[Any, Any]:
    """int64 [batch, length]; without input_ids answers stand alone, as in Transformers."""
    if "input_ids" in tensors:
        ids = as_array(tensors["input_ids"], np.int64)
        if ids.ndim != 2:
            raise ArgumentError(f"input_ids of shape {ids.shape}; [batch, length] is wanted")
        return ids
    return np.empty((len(tensors["inputs_embeds"]), 0), np.int64)


def _drop_cached(tensors: Dict[str, Any], cached: int) -> None:
    """Leaves what stands behind the first `cached` tokens, as Transformers does with past_key_values."""
    if cached == 0:
        return
    length = tensors["input_ids"].shape[1]
    if length <= cached:
        raise ArgumentError(
            f"past_key_values holds {cached} tokens and input_ids, which must be the whole sequence, {length}; "
            "with cache= they are only what is new"
        )
    for name in ("input_ids", "token_type_ids", "position_ids"):
        if name in tensors:
            tensors[name] = tensors[name][:, cached:]
    tensors.pop("pixel_values", None)


def _set_list(structure: ForwardOptions, name: str, values: Optional[Sequence[int]]) -> None:
    if values is not None:
        setattr(structure, name, int64s(values))
        setattr(structure, "n_" + name, len(values))


def _output_of(outputs: _Outputs, cache: Optional[Cache], as_torch: bool) -> PaliGemmaCausalLMOutputWithPast:
    """Views of every tensor; each keeps the outputs alive."""
    keep = Keep(outputs)
    arrays: Dict[str, Any] = {}
    with outputs.borrow() as address:
        for index in range(lib.pali_outputs_count(address)):
            name = lib.pali_outputs_name(address, index)
            array = view(lib.pali_outputs_get(address, name).contents, keep)
            arrays[name.decode()] = to_torch(array) if as_torch else array
    names = "loss logits image_hidden_states last_hidden_state token_loss".split()
    output = PaliGemmaCausalLMOutputWithPast(**{name: arrays[name] for name in names if name in arrays})
    output.handle = outputs
    output.past_key_values = cache
    output.hidden_states = _numbered(arrays, "hidden_states")
    output.attentions = _numbered(arrays, "attentions")
    output.vision_hidden_states = _numbered(arrays, "vision_hidden_states")
    return output


def _numbered(arrays: Dict[str, Any], name: str) -> Optional[Tuple[Any, ...]]:
    numbers = sorted(int(key.rsplit(".", 1)[1]) for key in arrays if key.rsplit(".", 1)[0] == name)
    return tuple(arrays[f"{name}.{number}"] for number in numbers) or None
