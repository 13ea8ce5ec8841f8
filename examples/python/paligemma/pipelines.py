# SPDX-License-Identifier: BSD-2-Clause
"""pipeline("image-text-to-text"): pictures and texts to answers in one call."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Optional, Sequence, Union

from .errors import ArgumentError, UnsupportedError
from .hub import Path
from .model import PaliGemmaForConditionalGeneration
from .processor import PaliGemmaProcessor, message_pictures

#: Transformers' default for this pipeline, where generation_config.json says nothing.
MAX_NEW_TOKENS = 256


def pipeline(
    task: str = "image-text-to-text",
    model: Union[None, Path, PaliGemmaForConditionalGeneration] = None,
    *,
    processor: Union[None, Path, PaliGemmaProcessor] = None,
    device: Any = None,
    dtype: Any = None,
    torch_dtype: Any = None,
    **model_options: Any,
) -> ImageTextToTextPipeline:
    """The one pipeline there is. `model`: a directory, a hub name, or a model; `processor` likewise (default: its)."""
    if task not in ("image-text-to-text", "any-to-any"):
        raise ArgumentError(f'task {task!r}; "image-text-to-text" is the one there is')
    if model is None:
        raise ArgumentError("which model? pipeline(task, model=DIRECTORY)")
    if not isinstance(model, PaliGemmaForConditionalGeneration):
        options = {**model_options.pop("model_kwargs", {}), **model_options}
        model = PaliGemmaForConditionalGeneration.from_pretrained(
            model, dtype=dtype, torch_dtype=torch_dtype, **options
        )
    if device is not None and device != -1:
        model.to(device)
    if processor is None:
        processor = model.processor
    elif not isinstance(processor, PaliGemmaProcessor):
        processor = PaliGemmaProcessor.from_pretrained(processor)
    return ImageTextToTextPipeline(model, processor)


class ImageTextToTextPipeline:
    """pipe(images, text=…): a list of {"input_text", "generated_text"}; of such lists for several chats."""

    task = "image-text-to-text"

    def __init__(self, model: PaliGemmaForConditionalGeneration, processor: PaliGemmaProcessor) -> None:
        self.model = model
        self.processor = processor

    def __call__(
        self,
        images: Any = None,
        text: Any = None,
        *,
        batch_size: int = 1,
        max_new_tokens: Optional[int] = None,
        return_full_text: Optional[bool] = None,
        return_tensors: bool = False,
        skip_special_tokens: bool = True,
        stop_sequence: Union[None, str, Sequence[str]] = None,
        generate_kwargs: Optional[Dict[str, Any]] = None,
        **generate_options: Any,
    ) -> List[Any]:
        """Answers.

        Args:
            images: one picture (path, URL, PIL, array, bytes) or a list, one for each text; or {"images", "text"}.
            text: a prompt or several; or messages (a list of {"role", "content"}), or a list of such lists.
            batch_size: prompts that are answered together.
            return_full_text: prompt and answer (default), or the answer alone.
            return_tensors: ids ("generated_token_ids") instead of text.
            **generate_options: of model.generate.
        """
        options = {**(generate_kwargs or {}), **generate_options}
        if max_new_tokens is not None:
            if "max_new_tokens" in options:
                raise ArgumentError("max_new_tokens is given twice")
            options["max_new_tokens"] = max_new_tokens
        if stop_sequence is not None:
            options["stop_strings"] = stop_sequence
        if "max_new_tokens" not in options and "max_length" not in options and not self._file_says_length():
            options["max_new_tokens"] = MAX_NEW_TOKENS
        tasks, several = self._tasks(images, text)
        full = return_full_text is not False
        results: List[Any] = []
        for first in range(0, len(tasks), max(batch_size, 1)):
            batch = tasks[first : first + max(batch_size, 1)]
            records = self._answer(batch, options, full, return_tensors, skip_special_tokens)
            results.extend(records if several else [record for row in records for record in row])
        return results

    def _file_says_length(self) -> bool:
        """Whether generation_config.json has a length of its own, which goes before this pipeline's default."""
        try:
            with open(os.path.join(self.model.name_or_path, "generation_config.json"), encoding="utf-8") as file:
                settings = json.load(file)
        except FileNotFoundError:
            return False
        return settings.get("max_new_tokens") is not None or settings.get("max_length") is not None

    def _tasks(self, images: Any, text: Any) -> Any:
        """[(shown input, prompt, pictures)], and whether they are several chats: a list of records for each then."""
        if text is None and _is_messages(images):
            images, text = None, images
        if text is None and isinstance(images, dict):
            images, text = images["images"], images["text"]
        if _is_messages(text):
            if images is not None:
                raise ArgumentError("pictures of messages stand in their content, not beside them")
            several = not isinstance(text[0], dict)
            chats = text if several else [text]
            if any(chat[-1].get("role") == "assistant" for chat in chats):
                raise UnsupportedError("messages that end with the assistant's: an answer cannot be continued")
            prompts = [self.processor.apply_chat_template(chat, add_generation_prompt=True) for chat in chats]
            return [(chat, p, message_pictures(chat)) for chat, p in zip(chats, prompts)], several
        if text is None:
            raise ArgumentError("a text is needed")
        if isinstance(text, str):
            pictures = list(images) if isinstance(images, (list, tuple)) else [] if images is None else [images]
            return [(text, text, _flat(pictures))], False
        rows = list(images) if isinstance(images, (list, tuple)) else [images] * len(text)
        if len(rows) != len(text):
            raise ArgumentError(f"{len(rows)} pictures for {len(text)} texts")
        return [(prompt, prompt, _flat([row])) for prompt, row in zip(text, rows)], False

    def _answer(
        self, batch: List[Any], options: Dict[str, Any], full: bool, tensors: bool, skip_special: bool
    ) -> List[List[Dict[str, Any]]]:
        """For each prompt of the batch its records, one for each of num_return_sequences."""
        inputs = self.processor([pictures for _, _, pictures in batch], [prompt for _, prompt, _ in batch])
        output = self.model.generate(inputs, processor=self.processor, **{**options, "return_dict_in_generate": True})
        each = len(output.token_ids) // len(batch)
        records = []
        for place, (shown, _, _) in enumerate(batch):
            answers = range(place * each, (place + 1) * each)
            if tensors:
                row = [{"input_text": shown, "generated_token_ids": output.sequences[answer]} for answer in answers]
            else:
                texts = [str(self.processor.decode(output.token_ids[answer], skip_special)) for answer in answers]
                row = [{"input_text": shown, "generated_text": _full(shown, text) if full else text} for text in texts]
            records.append(row)
        return records


def _full(shown: Any, answer: str) -> Any:
    """Prompt and answer, as Transformers joins them: without the newline that the processor puts between them."""
    return shown + answer if isinstance(shown, str) else [*shown, {"role": "assistant", "content": answer}]


def _is_messages(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or not value:
        return False
    first = value[0]
    return isinstance(first, dict) or (isinstance(first, (list, tuple)) and bool(first) and isinstance(first[0], dict))


def _flat(pictures: Sequence[Any]) -> List[Any]:
    found: List[Any] = []
    for picture in pictures:
        if isinstance(picture, (list, tuple)):
            found.extend(picture)
        elif picture is not None:
            found.append(picture)
    return found
