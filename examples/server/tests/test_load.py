# SPDX-License-Identifier: BSD-2-Clause
"""Many clients at once, of every kind: each gets exactly one answer, the one it would get alone, or a clean 429 and then
its answer; and the memory does not grow."""

import collections
import os
import random
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from harness import PICTURES, SANITIZED, Process, begin, chat, data_uri, metric, user, wait_for

CLIENTS = int(os.environ.get("PALI_SERVER_CLIENTS", 40 if SANITIZED else 200))
ROUNDS = int(os.environ.get("PALI_SERVER_ROUNDS", 1 if SANITIZED else 1))
SEQUENCE = 100 if SANITIZED else 1000
# Many connections at once leave the allocator's arenas ragged, by up to 15 MiB, up and down; one after the other do not.
GROWTH = (64 if SANITIZED else 32) << 20  # the sanitizer keeps freed memory for a while
SEQUENCE_GROWTH = (64 if SANITIZED else 4) << 20

PNG, JPEG = data_uri(PICTURES / "shapes.png"), data_uri(PICTURES / "shapes.jpg", "jpeg")
CAPTION, DETECT = user("caption en", PNG), user("detect circle", JPEG)

KINDS = [
    {"messages": CAPTION},
    {"messages": user("caption en", JPEG), "stream": True},
    {"messages": DETECT},
    {"messages": DETECT, "stream": True, "logprobs": True},
    {"messages": user("answer en how many shapes are there?", PNG), "logprobs": True, "top_logprobs": 3},
    {"messages": user("caption en", PNG, JPEG), "max_tokens": 12},
    {"messages": CAPTION, "max_tokens": 3},
    {"messages": CAPTION, "stop": " and"},
    {"messages": CAPTION, "stop": ["square", "circle"], "stream": True},
    {"messages": CAPTION, "n": 2},
    {"messages": CAPTION, "temperature": 1.2, "seed": 3, "n": 2},
    {"messages": DETECT, "temperature": 0.7, "top_p": 0.8, "seed": 4, "stream": True},
    {"messages": user("caption en", "data:image/png;base64,YmFk")},
    {"messages": CAPTION, "temperature": 9},
]  # fmt: skip


def essence(reply):
    """What is the same each time: status, texts, reasons, scores, boxes."""
    if reply.status != 200:
        return reply.status, reply.json()["error"]["code"]
    if "event-stream" not in reply.headers["content-type"]:
        return [(c["message"], c["finish_reason"], c["logprobs"]) for c in reply.json()["choices"]]
    assert reply.body.endswith(b"data: [DONE]\n\n"), reply.body[-200:]
    choices = [choice for event in reply.events() for choice in event["choices"]]
    return reply.text(), [(c["finish_reason"], c["logprobs"], c["delta"].get("detections")) for c in choices if
                          c["finish_reason"] or c["logprobs"]]  # fmt: skip


class Load(unittest.TestCase):
    def one_after_another(self, service):
        """How much memory that takes."""
        body = {"model": "model", "messages": user("detect circle", JPEG), "max_tokens": 3}
        for _ in range(SEQUENCE // 10):
            self.assertEqual(chat(service.port, body).status, 200)
        before = metric(service.port, "resident_bytes")
        for number in range(SEQUENCE):
            self.assertEqual(chat(service.port, {**body, "stream": bool(number % 2)}).status, 200)
        return metric(service.port, "resident_bytes") - before

    def test_load(self):
        with Process("--max-queue", 32, "--batch-wait", 0.02) as service:
            bodies = [{"model": "model", **kind} for kind in KINDS]
            right = [essence(chat(service.port, body)) for body in bodies]
            refused, wrong = collections.Counter(), []

            def client(number):
                kind = number % len(bodies)
                while True:
                    reply = chat(service.port, bodies[kind])
                    if reply.status != 429:
                        break
                    refused[reply.json()["error"]["code"]] += 1
                    time.sleep(random.uniform(0.2, 1.0))  # Retry-After is for people with more time
                if essence(reply) != right[kind]:
                    wrong.append((bodies[kind], essence(reply), right[kind]))
                return 1

            def leaver(number):
                connection = begin(service.port, bodies[number % 6])
                time.sleep(random.uniform(0, 0.2))
                connection.close()

            def all_at_once():
                leavers = [threading.Thread(target=leaver, args=(number,)) for number in range(CLIENTS // 10)]
                for thread in leavers:
                    thread.start()
                with ThreadPoolExecutor(CLIENTS) as threads:
                    self.assertEqual(sum(threads.map(client, range(CLIENTS))), CLIENTS)
                for thread in leavers:
                    thread.join()
                wait_for(lambda: metric(service.port, "queue_depth") + metric(service.port, "running_rows") == 0)

            all_at_once()
            memory = [metric(service.port, "resident_bytes")]
            for _ in range(ROUNDS):
                all_at_once()
                memory.append(metric(service.port, "resident_bytes"))
            grown = memory[-1] - memory[0]
            rows, batches = metric(service.port, "batch_rows_sum"), metric(service.port, "batch_rows_count")
            after = self.one_after_another(service)
            print(
                f"{(1 + ROUNDS) * CLIENTS} requests, {sum(refused.values())} times 429, {rows / batches:.1f} answers a "
                f"batch, MiB of memory after each round: {' '.join(f'{size / 2**20:.1f}' for size in memory)}; "
                f"{SEQUENCE} one after another: {after / 2**20:+.1f}"
            )
            self.assertEqual(wrong[:3], [])
            self.assertEqual(set(refused), {"queue_full"})
            self.assertLess(grown, GROWTH)
            self.assertLess(after, SEQUENCE_GROWTH)
            self.assertGreater(rows / batches, 2)
            self.assertEqual(metric(service.port, 'requests_total{path="/v1/chat/completions",status="500"}'), 0)


if __name__ == "__main__":
    unittest.main()
