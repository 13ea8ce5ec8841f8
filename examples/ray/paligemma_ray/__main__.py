# SPDX-License-Identifier: BSD-2-Clause
"""The command: python -m paligemma_ray, or paligemma-ray."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import Any, List, Optional

from .engine import Cluster, answer_all, connected
from .progress import Progress
from .settings import Settings
from .store import FORMATS, Store, StoreError
from .tasks import TaskError, plan, read_tasks


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs the command; its exit status: 0 done (also with error rows), 1 failed, 2 wrong options, 130 interrupted."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(options)
    except (TaskError, StoreError, OSError, RuntimeError) as error:
        print(f"paligemma-ray: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("paligemma-ray: interrupted; the same command continues", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    _check_model(options.model)
    root, tasks = read_tasks(options.input, options.prompt, options.root)
    settings = Settings(
        model=os.path.abspath(options.model) if os.path.isdir(options.model) else options.model,
        root=root,
        dtype=options.dtype,
        max_new_tokens=options.max_new_tokens,
        vae=os.path.abspath(options.vae) if options.vae else None,
        threads=options.threads_per_worker,
        retries=options.retries,
    )
    cluster = Cluster(
        workers=options.workers,
        address=options.address,
        temp_dir=options.ray_temp_dir,
        object_store_mb=options.object_store_mb,
        worker_env=dict(options.worker_env),
        verbose=options.verbose,
    )
    with Store(options.output, options.format, settings.of_answers(), options.part_rows) as store:
        if options.retry_errors:
            store.drop_errors()
        wanted, n_written, n_twice = plan(tasks, store.written, options.limit)
        progress = Progress(len(wanted), n_written, n_twice, None if options.quiet else sys.stderr)
        try:
            if wanted:  # else there is nothing to start Ray for
                with connected(cluster, settings.threads) as workers:
                    for records in answer_all(wanted, settings, cluster, workers, options.batch_size):
                        progress.add(store.add(records))
        finally:
            print(f"paligemma-ray: {progress.summary()}")
    return 0


def _check_model(model: str) -> None:
    """A slip of the pen is said before Ray starts. (A hub name is looked up by the workers.)"""
    if not os.path.isdir(model) and (model.count("/") != 1 or model.startswith((".", "/", "~"))):
        raise TaskError(f"no checkpoint directory {model}")


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="paligemma-ray",
        description="Answers a prompt about each picture of a set, on all CPUs of a machine or a Ray cluster. Run it "
        "again to continue: what is written (by path and prompt) is passed over.",
    )
    add = parser.add_argument
    add("input", help="folder; list of paths; .jsonl or .parquet with columns image (or path) and, if you like, prompt")
    add("--model", "-m", required=True, help="checkpoint directory, or hub name in the Hugging Face cache")
    add("--output", "-o", required=True, metavar="DIR", help="folder of the answers")
    add("--prompt", "-p", help="of rows without one of their own")
    add("--format", choices=FORMATS, default="parquet", help="of the parts (default: parquet)")
    add("--root", metavar="DIR", help="what paths are relative to (default: the input folder, or the current one)")
    add("--batch-size", type=_positive, default=8, metavar="N", help="rows answered together (default: 8)")
    add("--workers", type=_count, default=0, metavar="N", help="processes (default: CPUs / threads per worker)")
    add("--threads-per-worker", type=_positive, default=1, metavar="N", help="(default: 1)")
    add("--max-new-tokens", type=_count, default=0, metavar="N", help="(default: the checkpoint's, or 20)")
    add("--dtype", choices=("float32", "bfloat16"), help="(default: the checkpoint's)")
    add("--vae", metavar="FILE", help="weights of the mask decoder (vae-oid.npz), for masks of segment answers")
    add("--limit", type=_count, default=0, metavar="N", help="at most so many rows in this run")
    add("--retries", type=_count, default=1, metavar="N", help="of a failed read or batch (default: 1)")
    add("--retry-errors", action="store_true", help="answer the error rows of earlier runs again")
    add("--part-rows", type=_positive, default=10000, metavar="N", help="rows of a file (default: 10000)")
    add("--address", help="a running Ray cluster: auto, HOST:PORT, ray://… (default: a Ray of its own, here)")
    add("--ray-temp-dir", metavar="DIR", help="of a Ray of its own; a short path (default: Ray's, in /tmp)")
    add("--object-store-mb", type=_positive, default=128, metavar="N", help="of a Ray of its own (default: 128)")
    add("--worker-env", type=_assignment, action="append", default=[], metavar="NAME=VALUE",
        help="environment of the workers; may be given several times")  # fmt: skip
    add("--quiet", "-q", action="store_true", help="no progress, only the summary")
    add("--verbose", "-v", action="store_true", help="Ray's own messages, too")
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def _assignment(text: str) -> "tuple[str, str]":
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r}; NAME=VALUE is wanted")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
