# SPDX-License-Identifier: BSD-2-Clause
"""A batch that must not be lost: pictures alone first, then the batch again, then row by row.

Plain functions: how a picture is opened and a batch answered is given to them.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any, Callable, List, Optional, Sequence, Tuple

from .records import Record, error_record
from .tasks import Task

OpenPicture = Callable[[Task], Any]
AnswerBatch = Callable[[Sequence[Task], Sequence[Any]], List[Record]]

#: Trying again cannot help; another error of the system (a network folder that stumbles) may pass.
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def answer_tasks(
    tasks: Sequence[Task], open_picture: OpenPicture, answer: AnswerBatch, retries: int = 1, pause: float = 1.0
) -> List[Record]:
    """A record for each task, in their order; an error record where nothing helped.

    Args:
        open_picture: a picture of a task; one that cannot be opened does not touch the others.
        answer: records of tasks and their pictures, together.
        retries: how often a picture that cannot be read, and a batch, are tried again, after `pause` seconds.
    """
    records: List[Optional[Record]] = [None] * len(tasks)
    opened: List[Tuple[int, Any]] = []
    with contextlib.ExitStack() as stack:
        for index, task in enumerate(tasks):
            try:
                picture = _open(task, open_picture, retries, pause)
            except Exception as error:
                records[index] = error_record(task, error)
                continue
            if hasattr(picture, "close"):
                stack.callback(picture.close)
            opened.append((index, picture))
        if opened:
            answers = _answer([tasks[index] for index, _ in opened], [it for _, it in opened], answer, retries, pause)
            for (index, _), record in zip(opened, answers):
                records[index] = record
    return [record for record in records if record is not None]


def _open(task: Task, open_picture: OpenPicture, retries: int, pause: float) -> Any:
    for left in range(retries, 0, -1):
        try:
            return open_picture(task)
        except OSError as error:
            # Without a number it is about what the file holds, not about reading it.
            if isinstance(error, _FINAL) or error.errno is None:
                raise
            time.sleep(pause * (retries - left + 1))
    return open_picture(task)


def _answer(
    tasks: Sequence[Task], pictures: Sequence[Any], answer: AnswerBatch, retries: int, pause: float
) -> List[Record]:
    for left in range(retries, -1, -1):
        try:
            return answer(tasks, pictures)
        except Exception as error:
            if len(tasks) == 1 and left == 0:
                return [error_record(tasks[0], error)]
            if left:
                time.sleep(pause)
    # One of them spoils it: each alone, without further patience.
    return [_answer([task], [picture], answer, 0, pause)[0] for task, picture in zip(tasks, pictures)]
