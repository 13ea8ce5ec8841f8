# SPDX-License-Identifier: BSD-2-Clause
"""Counts every request by path and status, and gives each response an id that the log has too."""

from __future__ import annotations

import logging
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .metrics import Metrics

log = logging.getLogger("paligemma.server")
KNOWN = ("/v1/chat/completions", "/v1/models", "/health", "/metrics")


class Observed:
    def __init__(self, app: ASGIApp, service_metrics: Metrics) -> None:
        self.app = app
        self.metrics = service_metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begin, request_id, status = time.monotonic(), secrets.token_hex(8), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], (b"x-request-id", request_id.encode())]}
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            path = scope["path"] if scope["path"] in KNOWN else "other"
            self.metrics.requests.add(1, path, str(status))
            log.info("%s %s %s %d %.3f s", request_id, scope["method"], path, status, time.monotonic() - begin)
