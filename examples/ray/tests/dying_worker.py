# SPDX-License-Identifier: BSD-2-Clause
"""dying_worker.py DIR CHECKPOINT [NAME=VALUE …]: Ray's workers in trouble; run by test_run.py.

Prints the records of a worker that dies of one picture, then what is said of a checkpoint that cannot be opened.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from paligemma_ray import Task
from paligemma_ray.engine import Cluster, answer_all, connected
from paligemma_ray.records import new_record, to_table
from paligemma_ray.settings import Settings


class DyingWorker:
    def __init__(self, settings: Settings) -> None:
        pass

    def __call__(self, batch: Any) -> Any:
        tasks = [Task(row["path"], row["prompt"]) for row in batch.to_pylist()]
        if any(task.path == "poison" for task in tasks):
            os._exit(1)  # as the kernel's out-of-memory killer would end it
        return to_table([new_record(task, text=str(len(tasks))) for task in tasks])


def main() -> None:
    tasks = [Task("poison" if number == 5 else str(number), "x") for number in range(12)]
    environment = dict(assignment.split("=", 1) for assignment in sys.argv[3:])
    cluster = Cluster(workers=1, temp_dir=sys.argv[1], worker_env=environment)
    with connected(cluster, 1) as workers:
        for records in answer_all(tasks, Settings("model", "/"), cluster, workers, 4, DyingWorker):
            for record in records:
                print(json.dumps(record), flush=True)
        try:
            list(answer_all(tasks, Settings(sys.argv[2], "/"), cluster, workers, 4))
        except RuntimeError as error:
            print(json.dumps({"failed": str(error)}), flush=True)


if __name__ == "__main__":
    main()
