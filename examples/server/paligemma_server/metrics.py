# SPDX-License-Identifier: BSD-2-Clause
"""Counters, gauges and histograms in Prometheus' text format."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    def escaped(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    pairs = ",".join(f'{name}="{escaped(value)}"' for name, value in zip(names, values))
    return f"{{{pairs}}}" if pairs else ""


def _number(value: float) -> str:
    """In full: counters must not lose their last digits."""
    return str(int(value)) if value.is_integer() else repr(value)


class Counter:
    def __init__(self, labels: tuple[str, ...] = ()) -> None:
        self.labels = labels
        self.values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}
        self.lock = threading.Lock()

    def add(self, amount: float = 1.0, *values: str) -> None:
        with self.lock:
            self.values[values] = self.values.get(values, 0.0) + amount

    def lines(self, name: str) -> list[str]:
        with self.lock:
            return [f"{name}{_labels(self.labels, key)} {_number(value)}" for key, value in sorted(self.values.items())]


class Gauge:
    """Its value is looked up when somebody asks."""

    def __init__(self, read: Callable[[], float]) -> None:
        self.read = read

    def lines(self, name: str) -> list[str]:
        return [f"{name} {_number(float(self.read()))}"]


class Histogram:
    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.lock = threading.Lock()

    def observe(self, value: float) -> None:
        with self.lock:
            self.counts[bisect.bisect_left(self.bounds, value)] += 1
            self.sum += value

    def lines(self, name: str) -> list[str]:
        with self.lock:
            lines, total = [], 0
            for bound, count in zip((*self.bounds, float("inf")), self.counts):
                total += count
                lines.append(f'{name}_bucket{{le="{"+Inf" if bound == float("inf") else f"{bound:g}"}"}} {total}')
            return [*lines, f"{name}_sum {_number(self.sum)}", f"{name}_count {total}"]


class Metrics:
    """All that the service counts. `queue_depth` and the other gauges are added by whoever knows them."""

    def __init__(self) -> None:
        self.table: dict[str, tuple[str, str, Counter | Gauge | Histogram]] = {}
        self.requests = self._counter("requests_total", "Requests answered.", ("path", "status"))
        self.cancelled = self._counter("requests_cancelled_total", "Requests whose client went away.")
        self.prompt_tokens = self._counter("prompt_tokens_total", "Tokens of prompts, pictures' included.")
        self.new_tokens = self._counter("generation_tokens_total", "Tokens of answers.")
        self.stages = self._counter("stage_seconds_total", "Seconds of computing.", ("stage",))
        self.batch_rows = self._histogram("batch_rows", "Answers in a batch.", ROWS)
        self.latency = self._histogram("request_seconds", "From request to the end of its answer.", SECONDS)
        self.first_token = self._histogram("first_token_seconds", "From request to the first token.", SECONDS)
        self.queued = self._histogram("queue_seconds", "From request to the start of its batch.", SECONDS)

    def _counter(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
        counter = Counter(labels)
        self.table[name] = ("counter", text, counter)
        return counter

    def _histogram(self, name: str, text: str, bounds: tuple[float, ...]) -> Histogram:
        histogram = Histogram(bounds)
        self.table[name] = ("histogram", text, histogram)
        return histogram

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        self.table[name] = ("gauge", text, Gauge(read))

    def render(self) -> str:
        lines: list[str] = []
        for name, (kind, text, metric) in self.table.items():
            full = f"paligemma_{name}"
            lines += [f"# HELP {full} {text}", f"# TYPE {full} {kind}", *metric.lines(full)]
        return "\n".join(lines) + "\n"


def resident_bytes() -> float:
    """Memory of this process; 0 where there is no /proc."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return float(file.read().split()[1]) * 4096
    except OSError:
        return 0.0
