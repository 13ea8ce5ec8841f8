# SPDX-License-Identifier: BSD-2-Clause
"""What a worker does: one model, batches of tasks in, records out. Without Ray."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional, Sequence

import paligemma

from .records import Record, is_object_prompt, new_record
from .retry import answer_tasks
from .settings import Settings
from .tasks import Task


class Answerer:
    """The model, the processor and, for masks, the mask decoder of one process.

    The weights stay in the mapped files: the workers of a machine share them through its page cache.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._model = paligemma.PaliGemmaForConditionalGeneration.from_pretrained(
            settings.model, dtype=settings.dtype, threads=settings.threads
        )
        self._processor = paligemma.PaliGemmaProcessor.from_pretrained(settings.model)
        self._masks = paligemma.MaskDecoder.load(settings.vae) if settings.vae else None

    def answer(self, tasks: Sequence[Task]) -> List[Record]:
        """A record for each task, in their order."""
        return answer_tasks(tasks, self.open_picture, self.answer_batch, self.settings.retries)

    def open_picture(self, task: Task) -> paligemma.Image:
        """Of a file; a path is never taken for an address in the network."""
        with open(os.path.join(self.settings.root, task.path), "rb") as file:
            return paligemma.Image.of(file.read())

    def answer_batch(self, tasks: Sequence[Task], pictures: Sequence[paligemma.Image]) -> List[Record]:
        """Answers that are computed together."""
        token = self._processor.image_token
        # In front of the prompt, where it would be anyway: said in words, because other rows may place theirs.
        prompts = [task.prompt if token in task.prompt else token + task.prompt for task in tasks]
        for_objects = [is_object_prompt(task.prompt, token) for task in tasks]
        inputs = self._processor(images=[[picture] for picture in pictures], text=prompts)
        options: Dict[str, Any] = {}
        if self.settings.max_new_tokens:
            options["max_new_tokens"] = self.settings.max_new_tokens
        output = self._model.generate(
            **inputs,
            **options,
            output_logprobs=any(for_objects),
            return_dict_in_generate=True,
            processor=self._processor,
        )
        records = []
        for row, task in enumerate(tasks):
            text, (width, height) = output.texts[row], pictures[row].size
            record = new_record(task, text=text, finish_reason=output.finish_reasons[row], width=width, height=height)
            if for_objects[row]:
                ids, logprobs = output.token_ids[row], output.logprobs[row]
                with paligemma.Detections.parse(
                    text, processor=self._processor, token_ids=ids, logprobs=logprobs
                ) as found:
                    record.update(object_columns(found, width, height, self._masks))
            records.append(record)
        return records


def object_columns(
    found: Sequence[paligemma.Detection], width: int, height: int, decoder: Optional[paligemma.MaskDecoder] = None
) -> Record:
    """The columns of objects: boxes in pixels, and masks of the whole picture where there is a decoder."""
    boxes = [item.box(width, height) for item in found]
    sides = ("x_min", "y_min", "x_max", "y_max")
    columns: Record = {name: [box[index] for box in boxes] for index, name in enumerate(sides)}
    columns["labels"] = [item.label for item in found]
    columns["confidences"] = [item.confidence for item in found]
    columns["masks"] = [_run_lengths(item, width, height, decoder) for item in found]
    return columns


def _run_lengths(
    item: paligemma.Detection, width: int, height: int, decoder: Optional[paligemma.MaskDecoder]
) -> Optional[Record]:
    mask = item.mask(decoder, width, height) if decoder is not None else None
    if mask is None:
        return None
    return {"size": [height, width], "counts": paligemma.rle_to_text(paligemma.rle_encode(mask))}
