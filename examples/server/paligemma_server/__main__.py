# SPDX-License-Identifier: BSD-2-Clause
"""The command line: paligemma-server --model DIR [options]."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence

import paligemma
import uvicorn

from .app import make_app
from .engine import Engine
from .settings import Settings

LIMITS = {
    "max_batch": "answers decoded together",
    "batch_wait": "seconds a request waits for others to share its batch",
    "max_batch_tokens": "prompt and answer tokens of a batch; sampled choices (`n`) that need more get 400",
    "max_queue": "waiting requests; one more gets 429",
    "request_timeout": "seconds from a request to the end of its answer; then 504",
    "body_timeout": "seconds for a request's body to arrive",
    "max_body": "bytes of a request's body",
    "max_images": "pictures in a request",
    "max_pixels": "pixels of one picture",
    "max_prompt_tokens": "tokens of a prompt, pictures included",
    "max_tokens": "tokens that a request may ask for",
    "default_tokens": "tokens it gets if it does not ask",
    "max_choices": "`n` of a request",
    "fetch_timeout": "seconds to fetch a picture, redirects included",
    "fetch_max_bytes": "bytes of a fetched picture",
    "fetch_redirects": "redirects that are followed",
    "fetch_workers": "pictures fetched at the same time",
}


def parser() -> argparse.ArgumentParser:
    defaults = Settings(model="")
    parser = argparse.ArgumentParser(prog="paligemma-server", description="An OpenAI-compatible service for PaliGemma.")
    parser.add_argument("-m", "--model", required=True, help="checkpoint directory or hub name")
    parser.add_argument("--served-name", default="", help="what requests call the model (default: its last part)")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"))
    parser.add_argument("--threads", type=int, default=0, help="of OpenMP (default: its own number)")
    parser.add_argument("--vae", dest="mask_weights", metavar="FILE", help="weights that make masks of <seg> tokens")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free (default: %(default)s)")
    parser.add_argument(
        "--api-key-file", help="requests must show its first line (default: $PALIGEMMA_API_KEY, or none)"
    )
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    fetching = parser.add_argument_group("pictures by http(s)")
    fetching.add_argument(
        "--fetch-host",
        dest="fetch_hosts",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="fetch from here; .example.org: it and its subdomains; *: any public host. Default: none, nothing is fetched",
    )
    fetching.add_argument(
        "--fetch-private", action="store_true", help="these hosts may have private addresses (an intranet's)"
    )
    limits = parser.add_argument_group("limits")
    for name, text in LIMITS.items():
        default = getattr(defaults, name)
        limits.add_argument(
            "--" + name.replace("_", "-"), type=type(default), default=default, help=f"{text} (default: {default})"
        )
    return parser


def read_settings(arguments: argparse.Namespace) -> Settings:
    values = vars(arguments)
    names = {field.name for field in dataclasses.fields(Settings)}
    settings = Settings(**{name: value for name, value in values.items() if name in names and name != "fetch_hosts"},
                        fetch_hosts=tuple(arguments.fetch_hosts))  # fmt: skip
    for name in LIMITS:
        if getattr(settings, name) <= 0 and name not in ("batch_wait", "fetch_redirects"):
            raise SystemExit(f"paligemma-server: --{name.replace('_', '-')} must be above 0")
    key = os.environ.get("PALIGEMMA_API_KEY") or None
    if arguments.api_key_file:
        with open(arguments.api_key_file, encoding="utf-8") as file:
            key = file.readline().strip()
        if not key:
            raise SystemExit(f"paligemma-server: {arguments.api_key_file} has no key in its first line")
    return dataclasses.replace(settings, api_key=key, default_tokens=min(settings.default_tokens, settings.max_tokens))


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=arguments.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = read_settings(arguments)
        listener = listen(arguments.host, arguments.port)
        engine = Engine(settings)
    except (OSError, ImportError, paligemma.PaliGemmaError) as error:
        print(f"paligemma-server: {error}", file=sys.stderr)
        return 1
    app = make_app(settings, engine)
    # Starting and stopping is uvicorn's: SIGTERM or Ctrl-C closes the door, open requests are answered, then it ends.
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on", timeout_keep_alive=30)
    for number in (signal.SIGTERM, signal.SIGINT):  # some versions raise the signal again when all is done
        signal.signal(number, lambda *_: sys.exit(0))
    listener.listen(config.backlog)  # before anybody is told; who comes before uvicorn is ready waits
    host, port = listener.getsockname()[:2]
    print(
        f"paligemma-server: {settings.model_name} on http://{f'[{host}]' if ':' in host else host}:{port}/v1",
        flush=True,
    )
    uvicorn.Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
