# SPDX-License-Identifier: BSD-2-Clause
"""A row of the output: what it has, in JSON lines and in Parquet."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .tasks import Task

Record = Dict[str, Any]

#: The columns in their order. Those of objects are lists, an entry for each object of a detect or segment answer, and
#: null for other prompts; an error row has path, prompt and error alone.
COLUMNS = {
    "path": "as the input has it",
    "prompt": "as the input has it",
    "text": "the answer",
    "finish_reason": "eos or length",
    "error": "why there is no answer; null where there is one",
    "width": "of the picture, in pixels",
    "height": "of the picture, in pixels",
    "labels": "names of the objects",
    "x_min": "boxes in pixels, not rounded",
    "y_min": "",
    "x_max": "",
    "y_max": "",
    "confidences": "mean probability of the tokens that name the box, 0…1",
    "masks": "COCO run lengths {size: [height, width], counts}; null without <seg> tokens or a mask decoder",
}


def new_record(task: Task, **values: Any) -> Record:
    """A row with these values, null elsewhere."""
    record: Record = dict.fromkeys(COLUMNS)
    record.update(path=task.path, prompt=task.prompt, **values)
    return record


def error_record(task: Task, error: BaseException) -> Record:
    """The row of a picture or prompt that cannot be answered."""
    return error_text_record(task, f"{type(error).__name__}: {error}")


def error_text_record(task: Task, text: str) -> Record:
    """The same, in words."""
    return new_record(task, error=text)


def schema() -> Any:
    """Of Parquet files, and of what workers send."""
    import pyarrow as pa

    mask = pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.string())])
    kinds = {"width": pa.int32(), "height": pa.int32(), "labels": pa.list_(pa.string()), "masks": pa.list_(mask)}
    kinds.update(dict.fromkeys(("x_min", "y_min", "x_max", "y_max", "confidences"), pa.list_(pa.float64())))
    return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])


def to_table(records: List[Record]) -> Any:
    """An Arrow table of rows."""
    import pyarrow as pa

    return pa.Table.from_pylist(records, schema=schema())


def task_table(tasks: List[Task]) -> Any:
    """An Arrow table of tasks."""
    import pyarrow as pa

    return pa.table({"path": [task.path for task in tasks], "prompt": [task.prompt for task in tasks]})


def is_object_prompt(prompt: str, image_token: Optional[str] = None) -> bool:
    """Whether the answer is made of boxes: "detect …" or "segment …", perhaps behind the place of the picture."""
    if image_token:
        prompt = prompt.replace(image_token, "")
    return prompt.split(None, 1)[:1] in (["detect"], ["segment"])
