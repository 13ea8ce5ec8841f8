# SPDX-License-Identifier: BSD-2-Clause
"""Ray: batches of tasks to records, by workers on one machine or many. The only file that knows Ray."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Optional, Sequence

from .records import Record, error_text_record, task_table, to_table
from .settings import Settings
from .tasks import Task

# Nothing is sent anywhere. Before Ray is imported, which reads it.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


@dataclass(frozen=True)
class Cluster:
    """Where the workers are."""

    workers: int = 0  #: 0: as many as the CPUs allow
    address: Optional[str] = None  #: of a running cluster, "auto": this machine's; None: a Ray of our own, here
    temp_dir: Optional[str] = None  #: of a Ray of our own. Short: Ray's sockets lie in it
    object_store_mb: int = 128  #: of a Ray of our own; only paths and texts pass through
    worker_env: Dict[str, str] = field(default_factory=dict)  #: environment of the workers
    verbose: bool = False  #: Ray's own messages and bars


class Worker:
    """Ray's view of an Answerer: an actor that takes Arrow tables."""

    def __init__(self, settings: Settings) -> None:
        try:
            from .answers import Answerer

            self._answerer = Answerer(settings)
        except Exception as error:
            # In words: the command, which would have to load the library for the exception itself, may have none.
            raise RuntimeError(f"{type(error).__name__}: {error}") from None

    def __call__(self, batch: Any) -> Any:
        return to_table(self._answerer.answer([Task(row["path"], row["prompt"]) for row in batch.to_pylist()]))


@contextlib.contextmanager
def connected(cluster: Cluster, threads: int) -> Iterator[int]:
    """Ray for the time of a block; the number of workers."""
    import ray

    workers = cluster.workers or max(_usable_cpus() // threads, 1)
    options: Dict[str, Any] = {
        "log_to_driver": cluster.verbose,
        "logging_level": logging.INFO if cluster.verbose else logging.ERROR,
    }
    if cluster.worker_env:
        options["runtime_env"] = {"env_vars": cluster.worker_env}
    if cluster.address:
        options["address"] = cluster.address
    else:
        options.update(
            address="local",
            num_cpus=workers * threads,
            num_gpus=0,
            include_dashboard=False,
            object_store_memory=cluster.object_store_mb << 20,
            _temp_dir=cluster.temp_dir,
        )
    ray.init(**options)
    try:
        if cluster.address and not cluster.workers:
            workers = max(int(ray.cluster_resources().get("CPU", 1)) // threads, 1)
        yield workers
    finally:
        ray.shutdown()


def answer_all(
    tasks: Sequence[Task],
    settings: Settings,
    cluster: Cluster,
    workers: int,
    batch_size: int,
    worker: Any = Worker,
) -> Iterator[List[Record]]:
    """Records of all tasks, as batches are done: every task once.

    A batch whose worker died (twice: Ray tries again) is taken apart afterwards; a task whose worker dies also when it
    is alone becomes an error row. `worker` is the class of the workers, with the manners of Worker.
    """
    left = dict.fromkeys(tasks)
    for rows, how in ((batch_size, "together with others"), (1, "alone")):
        before = len(left)
        for records in _pass(list(left), settings, cluster, workers, rows, worker):
            for record in records:
                left.pop(Task(record["path"], record["prompt"]), None)
            yield records
        if not left:
            return
        if len(left) == before and before > 4 * rows:
            raise RuntimeError(f"not one of {before} rows came back: every worker died, {how}; see Ray's logs")
    yield [error_text_record(task, "WorkerDied: the process that computed this row alone died") for task in left]


def _pass(
    tasks: List[Task], settings: Settings, cluster: Cluster, workers: int, batch_size: int, worker: Any
) -> Iterator[List[Record]]:
    """One run of Ray Data. A block is a batch, so that each is handed over as soon as it is done."""
    import ray.data
    import ray.exceptions

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = cluster.verbose
    context.print_on_execution_start = cluster.verbose
    context.max_errored_blocks = -1  # what is lost is missed, and done again, by answer_all
    if not cluster.verbose:
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    blocks = [task_table(tasks[begin : begin + batch_size]) for begin in range(0, len(tasks), batch_size)]
    # Alone means that no other row waits in the queue of a worker that dies.
    pool = ray.data.ActorPoolStrategy(
        size=max(min(workers, len(blocks)), 1), max_tasks_in_flight_per_actor=2 if batch_size > 1 else 1
    )
    with warnings.catch_warnings():
        # Ray 2.60 announces names of their own for such options, but has none yet for these two.
        warnings.filterwarnings("ignore", message=".*ray_remote_args.* is deprecated")
        answered = ray.data.from_arrow(blocks).map_batches(
            worker,
            fn_constructor_args=(settings,),
            batch_size=None,
            batch_format="pyarrow",
            compute=pool,
            num_cpus=settings.threads,
            max_restarts=-1,
            max_task_retries=1,  # Ray Data's own number is without end, for a picture that kills, too
        )
    try:
        for batch in answered.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            yield batch.to_pylist()
    except ray.exceptions.RayError as error:  # a worker cannot begin; the last line of its traceback says why
        raise RuntimeError(str(error).strip().splitlines()[-1]) from error


def _usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
