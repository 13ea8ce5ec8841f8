# SPDX-License-Identifier: BSD-2-Clause
"""PaliGemmaProcessor: pictures and prompts to model inputs, and token ids back to text."""

from __future__ import annotations

import ctypes
import json
import os
import threading
import weakref
from contextlib import ExitStack
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from ._handle import Handle
from ._library import Address, call, lib, new, take_text, texts, utf8
from ._structs import ApplyOptions, ChatOptions, ProcessorOptions
from .batch import BatchFeature, check_tensor_type
from .config import PaliGemmaConfig
from .errors import ArgumentError
from .hub import Path, checkpoint_directory
from .image import RESAMPLE, Image
from .inputs import Inputs
from .tokenizer import Tokenizer

Images = Any  #: one picture, a list of them, or a list of lists: see Image.of
Texts = Union[str, Sequence[str]]
Message = Dict[str, Any]

_loaded: "weakref.WeakValueDictionary[str, PaliGemmaProcessor]" = weakref.WeakValueDictionary()
_loading = threading.Lock()


class PaliGemmaProcessor(Handle):
    """Immutable once loaded: any number of threads may use one."""

    _free = "pali_processor_free"

    def __init__(self, address: Address, path: str) -> None:
        super().__init__(address)
        self.name_or_path = path
        self.config = PaliGemmaConfig.from_pretrained(path)
        self.tokenizer = Tokenizer(self, self.config)
        self.image_token = self.tokenizer.image_token
        self.image_token_id = self.tokenizer.image_token_id
        self.image_seq_length = int(self.config.get("preprocessor_config.image_seq_length") or 0)

    @classmethod
    def from_pretrained(
        cls, path: Path, *, revision: Optional[str] = None, resample: str = "pillow", use_fast: Optional[bool] = None,
        **ignored: Any,
    ) -> PaliGemmaProcessor:  # fmt: skip
        """Opens a checkpoint directory, or a hub name in the Hugging Face cache.

        `resample`: "pillow" (bits of Pillow 13's bicubic), "torchvision", "pillow_12". `use_fast` and the options that
        Transformers' downloads take (token, cache_dir, trust_remote_code, …) are accepted and without effect.
        """
        check_ignored(ignored)
        directory = checkpoint_directory(path, revision)
        options = ProcessorOptions(resample=RESAMPLE[resample])
        processor = cls(new(lib.pali_processor_load, os.fsencode(directory), ctypes.byref(options)), directory)
        if resample == "pillow":
            _loaded[os.path.realpath(directory)] = processor
        return processor

    @classmethod
    def shared(cls, directory: str) -> PaliGemmaProcessor:
        """The one that is already loaded for this directory, or a new one."""
        with _loading:
            processor = _loaded.get(os.path.realpath(directory))
            return processor if processor is not None and not processor.closed else cls.from_pretrained(directory)

    # ---- pictures and prompts ----

    def __call__(
        self,
        images: Images = None,
        text: Optional[Texts] = None,
        suffix: Optional[Texts] = None,
        *,
        return_tensors: Optional[str] = None,
        padding: Union[bool, str] = True,
        padding_side: Optional[str] = None,
        max_length: Optional[int] = None,
        **ignored: Any,
    ) -> BatchFeature:
        """One prompt or several with their pictures, to what model(**inputs) and model.generate(**inputs) take.

        Args:
            images: one picture; a list, one for each prompt (or all of them of a single prompt); a list of lists.
                A picture is a PIL image, uint8 array, path, URL, a file's bytes, or an Image.
            text: a prompt or several. Image tokens, <bos> and the newline are added, as in Transformers. None: "".
            suffix: the answers to learn from: they are appended, and `labels` marks them.
            return_tensors: "np" (default), or "pt" for torch tensors.
            padding: True, "longest": to the longest row; "max_length": to `max_length`, over which a row is an error.
            padding_side: "left" (default) or "right".

        Returns:
            input_ids, attention_mask, token_type_ids (0 prefix, 1 suffix), labels (-100: no loss), all int64
            [batch, length]; pixel_values float32 [images, 3, height, width], -1…1. The arrays are views over the
            library's memory, which they keep alive.
        """
        check_ignored(ignored)
        prompts = ["" if text is None else text] if isinstance(text, str) or text is None else list(text)
        suffixes = None if suffix is None else [suffix] if isinstance(suffix, str) else list(suffix)
        if suffixes is not None and len(suffixes) != len(prompts):
            raise ArgumentError(f"{len(suffixes)} suffixes for {len(prompts)} texts")
        flat, per_text = _pictures(images, len(prompts))
        options = self._options(padding, padding_side, max_length)
        if suffixes is not None:
            options.suffixes = texts(suffixes)
        if per_text is not None:
            options.images_per_text = (ctypes.c_size_t * len(per_text))(*per_text)

        with ExitStack() as stack:
            handles = _picture_array(flat, stack)
            processor = stack.enter_context(self.borrow())
            count, bounds = len(flat), ctypes.byref(options)
            if isinstance(text, str) or text is None:
                address = new(lib.pali_processor_apply, processor, handles, count, utf8(prompts[0]), bounds)
            else:
                address = new(
                    lib.pali_processor_apply_batch, processor, handles, count, texts(prompts), len(prompts), bounds
                )
        return _features(address, return_tensors)

    def continuation(self, text: str, *, return_tensors: Optional[str] = None) -> BatchFeature:
        """`text` as it stands, to follow what a cache holds: model.generate(**inputs, cache=cache)."""
        with self.borrow() as processor:
            return _features(new(lib.pali_processor_apply_continuation, processor, utf8(text)), return_tensors)

    def process_images(self, images: Images, *, return_tensors: Optional[str] = None, **padding: Any) -> BatchFeature:
        """Pages for model.embed, as ColPaliProcessor makes them: a row for each picture."""
        options = self._options(**padding)
        flat = list(images) if isinstance(images, (list, tuple)) else [images]
        with ExitStack() as stack:
            handles = _picture_array(flat, stack)
            processor = stack.enter_context(self.borrow())
            address = new(lib.pali_processor_apply_pages, processor, handles, len(flat), ctypes.byref(options))
        return _features(address, return_tensors)

    def process_queries(self, text: Texts, *, return_tensors: Optional[str] = None, **padding: Any) -> BatchFeature:
        """Queries for model.embed, as ColPaliProcessor makes them: a row for each text."""
        options = self._options(**padding)
        queries = [text] if isinstance(text, str) else list(text)
        with self.borrow() as processor:
            address = new(
                lib.pali_processor_apply_queries, processor, texts(queries), len(queries), ctypes.byref(options)
            )
        return _features(address, return_tensors)

    def _options(
        self, padding: Union[bool, str] = True, padding_side: Optional[str] = None, max_length: Optional[int] = None
    ) -> ApplyOptions:
        if padding not in (True, False, "longest", "max_length", "do_not_pad"):
            raise ArgumentError(f'padding {padding!r}; True, False, "longest" or "max_length"')
        if padding == "max_length" and max_length is None:
            raise ArgumentError('padding="max_length" needs max_length')
        side = padding_side or self.tokenizer.padding_side
        if side not in ("left", "right"):
            raise ArgumentError(f'padding_side {side!r}; "left" or "right"')
        options = ApplyOptions(padding_side=int(side == "right"), max_length=max_length or 0)
        options.pad_to = (max_length or 0) if padding == "max_length" else 0
        return options

    # ---- messages ----

    @property
    def chat_template(self) -> Optional[str]:
        """Source of the checkpoint's template, None if it has none, as PaliGemma's published ones."""
        with self.borrow() as processor:
            source = lib.pali_processor_chat_template(processor, None)
        return source.decode() if source is not None else None

    def apply_chat_template(
        self,
        conversation: Any,
        chat_template: Optional[str] = None,
        *,
        add_generation_prompt: bool = False,
        tokenize: bool = False,
        return_dict: bool = True,
        return_tensors: Optional[str] = None,
        **options: Any,
    ) -> Any:
        """Messages to the text of a prompt or, with `tokenize`, to inputs with the pictures that the messages name.

        `conversation` is a list of messages {"role": …, "content": text or list of blocks}, or a list of such lists.
        `chat_template` is a template itself or the name of one of the checkpoint's.
        """
        several = bool(conversation) and isinstance(conversation[0], (list, tuple))
        prompts = [
            self._render(messages, chat_template, add_generation_prompt)
            for messages in (conversation if several else [conversation])
        ]
        if not tokenize:
            return prompts if several else prompts[0]
        pictures = [message_pictures(messages) for messages in (conversation if several else [conversation])]
        batch = self(
            [row for row in pictures] if any(pictures) else None, prompts, return_tensors=return_tensors, **options
        )
        return batch if return_dict else batch["input_ids"]

    def _render(self, messages: Sequence[Message], template: Optional[str], add_generation_prompt: bool) -> str:
        options = ChatOptions(add_generation_prompt=int(add_generation_prompt))
        if template is not None:
            options.chat_template = utf8(template)
        encoded = json.dumps([_plain(message) for message in messages]).encode()
        text = ctypes.c_char_p()
        with self.borrow() as processor:
            call(lib.pali_processor_apply_chat_template, ctypes.byref(text), processor, encoded, ctypes.byref(options))
        return take_text(text)

    # ---- ids to text ----

    def decode(self, token_ids: Any, skip_special_tokens: bool = False, **_: Any) -> Any:
        """Text of a row of ids; a list of texts of several rows. <loc> and <seg> tokens are never left out."""
        return self.tokenizer.decode(token_ids, skip_special_tokens)

    def batch_decode(self, sequences: Any, skip_special_tokens: bool = False, **_: Any) -> List[str]:
        """A text for each row."""
        return self.tokenizer.batch_decode(sequences, skip_special_tokens)

    def post_process_image_text_to_text(
        self, generated_outputs: Any, skip_special_tokens: bool = True, **_: Any
    ) -> Any:
        """Texts of what generate returned."""
        return self.tokenizer.decode(generated_outputs, skip_special_tokens)

    @property
    def model_input_names(self) -> List[str]:
        """Names of what __call__ returns."""
        return ["input_ids", "attention_mask", "pixel_values", "token_type_ids", "labels"]

    def __repr__(self) -> str:
        return f"<PaliGemmaProcessor of {self.name_or_path}>"


# What Transformers' from_pretrained and calls take and a library that computes on the CPU and downloads nothing can
# pass over without changing a result.
_HARMLESS = frozenset(
    "attn_implementation cache_dir force_download local_files_only low_cpu_mem_usage offload_folder "
    "offload_state_dict proxies resume_download token trust_remote_code use_auth_token use_safetensors max_memory "
    "common_kwargs images_kwargs text_kwargs add_special_tokens return_attention_mask return_token_type_ids "
    "truncation do_rescale do_normalize".split()
)


def check_ignored(options: Dict[str, Any]) -> None:
    """An option that is not known is an error: it might have changed the result."""
    for name, value in options.items():
        if name not in _HARMLESS and value is not None:
            raise TypeError(f"unknown option {name!r}")


def message_pictures(messages: Sequence[Message]) -> List[Any]:
    """What the image blocks of messages hold (`image`, `url`, `path`, `image_url`), in order."""
    pictures = []
    for message in messages:
        content = message.get("content")
        for block in content if isinstance(content, (list, tuple)) else []:
            if block.get("type") not in ("image", "image_url"):
                continue
            picture: Any = None
            for key in ("image", "url", "path", "image_url", "base64"):
                if block.get(key) is not None:
                    picture = block[key]
                    break
            if isinstance(picture, dict):
                picture = picture.get("url")
            if picture is not None:
                pictures.append(picture)
    return pictures


def _plain(message: Message) -> Message:
    """A message without the pictures themselves, which JSON cannot hold and templates do not look at."""
    content = message.get("content")
    if not isinstance(content, (list, tuple)):
        return message
    blocks = [
        {key: value for key, value in block.items() if isinstance(value, (str, int, float, bool, dict, type(None)))}
        for block in content
    ]
    return {**message, "content": blocks}


def _pictures(images: Images, n_texts: int) -> Tuple[List[Any], Optional[List[int]]]:
    """All pictures one after another, and how many of them each text has (None: as the library finds out)."""
    if images is None:
        return [], None
    if getattr(images, "ndim", 0) == 4:  # an array of pictures
        images = list(images)
    if not isinstance(images, (list, tuple)):
        return [images], None
    if any(isinstance(row, (list, tuple)) for row in images):
        rows = [list(row) if isinstance(row, (list, tuple)) else [row] for row in images]
        if len(rows) != n_texts:
            raise ArgumentError(f"{len(rows)} lists of pictures for {n_texts} texts")
        return [picture for row in rows for picture in row], [len(row) for row in rows]
    return list(images), None


def _picture_array(pictures: Sequence[Any], stack: ExitStack) -> Any:
    """The addresses of pictures, which live until the stack is left."""
    addresses = []
    for picture in pictures:
        image = Image.of(picture)
        if image is not picture:
            stack.callback(image.close)
        addresses.append(stack.enter_context(image.borrow()))
    return (ctypes.c_void_p * max(len(addresses), 1))(*addresses)


def _features(address: Address, return_tensors: Optional[str]) -> BatchFeature:
    """The arrays of a new pali_inputs, which live as long as any of them."""
    inputs = Inputs(address)  # owned before anything can fail
    check_tensor_type(return_tensors)
    return BatchFeature(inputs.arrays()).convert_to_tensors(return_tensors)
