# SPDX-License-Identifier: BSD-2-Clause
"""What the tests share: a small HTTP client, a service in this process on a made-up engine, and the real one in a process
of its own on the demonstration model."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import uvicorn

from paligemma_server.app import make_app
from paligemma_server.engine import Picture, Prompt, RowScores, Scores, TokenScore
from paligemma_server.errors import ApiError, internal, invalid
from paligemma_server.settings import Settings

SOURCE = Path(__file__).resolve().parents[3]
MODEL = str(SOURCE / "examples" / "tiny" / "model")
PICTURES = SOURCE / "examples" / "pictures"
SANITIZED = bool(os.environ.get("PALI_SANITIZE"))


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def events(self):
        """The values of a stream of events, without its end mark, which must be there unless it ended in an error."""
        lines = [line[len("data: ") :] for line in self.body.decode().split("\n\n") if line]
        if lines[-1] == "[DONE]":
            lines.pop()
        return [json.loads(line) for line in lines]

    def text(self, index=0):
        """The content of a choice, of a whole answer or a stream."""
        if not self.headers["content-type"].startswith("text/event-stream"):
            return self.json()["choices"][index]["message"]["content"]
        deltas = [choice["delta"] for event in self.events() for choice in event["choices"] if choice["index"] == index]
        return "".join(delta.get("content") or "" for delta in deltas)


def call(port, method, path, body=None, headers=None, timeout=120):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def chat(port, body, **more):
    return call(port, "POST", "/v1/chat/completions", body, **more)


def begin(port, body):
    """Sends a request and returns the open socket: closing it is a client that goes away."""
    data = json.dumps(body).encode()
    connection = socket.create_connection(("127.0.0.1", port))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
    connection.sendall(head.encode() + b"\r\n\r\n" + data)
    return connection


def data_uri(path, kind="png"):
    return f"data:image/{kind};base64," + base64.b64encode(Path(path).read_bytes()).decode()


def user(text, *urls):
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"role": "user", "content": [*parts, {"type": "text", "text": text}]}]


def metric(port, name):
    """The value of one line of /metrics."""
    text = call(port, "GET", "/metrics").body.decode()
    found = re.search(rf"^paligemma_{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.01)


# ---- an engine that is made up ----


class FakeEngine:
    """The answer to a prompt is its own text backwards, a character a token, then <eos> (0). `pause` is a step's time;
    while `held` no step begins."""

    has_template = False
    eos_ids = frozenset([0])

    def __init__(self):
        self.pause = 0.0
        self.held = threading.Event()
        self.held.set()
        self.batches = []  # texts of the prompts of each
        self.steps = 0
        self.fail = None  # called with the texts of a batch; may raise

    def picture(self, data, where):
        if data == b"bad":
            raise invalid(f"{where}: bad", where, "invalid_image")
        return Picture(None, 10, 20)

    def prompt(self, text, pictures):
        return Prompt(text, tuple(pictures), len(text) + len(pictures))

    def generate(self, prompts, sampling, *, max_tokens, top_logprobs, on_token, cancel):
        texts = [prompt.text for prompt in prompts for _ in range(sampling.choices)]
        self.batches.append([prompt.text for prompt in prompts])
        if self.fail:
            self.fail([prompt.text for prompt in prompts])
        ended = [False] * len(texts)
        for step in range(max_tokens):
            while not self.held.wait(0.01) and not cancel.is_set():
                pass
            time.sleep(self.pause)
            self.steps += 1
            for row, text in enumerate(texts):
                if ended[row] or cancel.is_set():
                    continue
                over = step >= len(text)
                token = (0, "") if over else (ord(text[-1 - step]), text[-1 - step])
                ended[row] = on_token(row, *token) or over
            if all(ended) or cancel.is_set():
                break
        scores = RowScores([-0.5] * max_tokens, None) if top_logprobs is not None else None
        return Scores([scores] * len(texts), {"image": 0.0, "prefill": 0.0, "decode": 0.0})

    def decode(self, ids):
        return "".join(map(chr, ids))

    def token_scores(self, tokens, scores, top):
        return [TokenScore(text, logprob, []) for (_, text), logprob in zip(tokens, scores.logprobs)]

    def detections(self, text, ids, scores, prompt, mask_format):
        return [{"label": text}]

    def error_of(self, exception):
        return exception if isinstance(exception, ApiError) else internal()


class InProcess:
    """A service on a FakeEngine; `with` it."""

    def __init__(self, **settings):
        self.engine = FakeEngine()
        self.settings = Settings(model="/somewhere/fake", **settings)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        config = uvicorn.Config(make_app(self.settings, self.engine), log_level="critical", lifespan="on")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)

    def __enter__(self):
        self.thread.start()
        wait_for(lambda: self.server.started)
        return self

    def __exit__(self, *_):
        self.engine.held.set()
        self.stop()

    def stop(self):
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive(), "the service does not end"

    def chat(self, text, **more):
        return chat(self.port, {"model": "fake", "messages": user(text), **more})


# ---- the real one ----


class Process:
    """paligemma-server on the demonstration model; `with` it."""

    def __init__(self, *options, key=None):
        environment = {**os.environ, "PALIGEMMA_API_KEY": key or ""}
        command = [sys.executable, "-m", "paligemma_server", "-m", MODEL, "--port", "0", "--dtype", "float32", "--log-level", "warning"]
        self.process = subprocess.Popen(
            [*command, *map(str, options)], stdout=subprocess.PIPE, env=environment, text=True
        )
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/v1", line)
        assert found, f"the service did not start: {line!r}"
        self.port = int(found.group(1))
        wait_for(self._answers, 60)

    def _answers(self):
        with contextlib.suppress(OSError):
            return call(self.port, "GET", "/health").status == 200
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends it as a service manager does; returns its exit status."""
        self.process.terminate()
        status = self.process.wait(60)
        self.process.stdout.close()
        return status

    def ask(self, prompt, *pictures, **more):
        urls = [data_uri(picture) for picture in pictures or (PICTURES / "shapes.png",)]
        return chat(self.port, {"model": "model", "messages": user(prompt, *urls), **more})
