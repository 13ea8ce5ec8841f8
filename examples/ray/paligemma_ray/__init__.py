# SPDX-License-Identifier: BSD-2-Clause
"""Answers about a set of pictures by PaliGemma, on one machine or many, with Ray Data.

    python -m paligemma_ray --model google/paligemma2-3b-mix-224 --prompt "caption en" --output answers photographs/

One idea a file: `tasks` (what is to be done), `records` (what a row of the output is), `store` (the folder that keeps
them, whatever happens), `answers` (what a worker does with a batch), `engine` (Ray), `progress`, and the command in
`__main__`. Only `engine` knows Ray.
"""

from .records import COLUMNS
from .store import Store, StoreError, read_output
from .tasks import Task, TaskError, read_tasks

__all__ = ["COLUMNS", "Store", "StoreError", "Task", "TaskError", "read_output", "read_tasks"]
