# SPDX-License-Identifier: BSD-2-Clause
"""The service: its routes, and what becomes of a request."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from . import errors, metrics
from .batcher import Batcher
from .body import drop_body, read_body
from .delivery import ClientGone, EventStream, Mailbox, events
from .engine import Engine, Prompt
from .fetch import Fetcher
from .jobs import Finished, Job, Ticket
from .observe import Observed
from .pictures import read_picture
from .prompt import Draft, asks_for_objects, draft
from .request import ChatRequest, read_chat_request
from .responses import Completion
from .settings import Settings

Result = TypeVar("Result")


class Service:
    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self.engine = engine
        self.metrics = metrics.Metrics()
        self.metrics.gauge("resident_bytes", "Memory of the process.", metrics.resident_bytes)
        self.batcher = Batcher(engine, settings, self.metrics)
        # Slow hosts must not hold up requests that bring their pictures along.
        self.threads = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="paligemma-pictures")
        self.fetching = ThreadPoolExecutor(settings.fetch_workers, thread_name_prefix="paligemma-fetches")
        self.created = int(time.time())
        self.fetcher = None
        if settings.fetch_hosts:
            self.fetcher = Fetcher(
                settings.fetch_hosts,
                timeout=settings.fetch_timeout,
                max_bytes=settings.fetch_max_bytes,
                redirects=settings.fetch_redirects,
                allow_private=settings.fetch_private,
            )

    # ---- small routes ----

    async def health(self, request: Request) -> Response:
        alive = self.batcher.thread.is_alive() and not self.batcher.gate.closed
        return JSONResponse({"status": "ok" if alive else "shutting down"}, 200 if alive else 503)

    async def show_metrics(self, request: Request) -> Response:
        return PlainTextResponse(self.metrics.render(), headers={"content-type": metrics.CONTENT_TYPE})

    def _card(self) -> dict[str, object]:
        name = self.settings.model_name
        return {"id": name, "object": "model", "created": self.created, "owned_by": "libpaligemma"}

    async def models(self, request: Request) -> Response:
        self._authorize(request)
        return JSONResponse({"object": "list", "data": [self._card()]})

    async def model(self, request: Request) -> Response:
        self._authorize(request)
        if request.path_params["name"] != self.settings.model_name:
            raise errors.model_not_found(request.path_params["name"])
        return JSONResponse(self._card())

    def _authorize(self, request: Request) -> None:
        if self.settings.api_key is None:
            return
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(key.strip().encode(), self.settings.api_key.encode()):
            raise errors.unauthorized()

    # ---- chat completions ----

    async def chat(self, request: Request) -> Response | EventStream:
        created = time.monotonic()
        try:
            self._authorize(request)
            if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
                raise errors.ApiError(415, "The body must be application/json.", code="unsupported_media_type")
            ticket = self.batcher.gate.enter(self.batcher.retry_after())
        except errors.ApiError:
            await drop_body(request, self.settings.max_body, self.settings.body_timeout)
            raise
        try:
            return await self._admitted(request, ticket, created)
        except (ClientGone, ClientDisconnect):
            self.metrics.cancelled.add()
            return Response(status_code=499)  # for the metrics: nobody reads it
        finally:
            ticket.leave()  # had it not been left when the batch began

    async def _admitted(self, request: Request, ticket: Ticket, created: float) -> Response | EventStream:
        settings = self.settings
        try:
            body = await read_body(request, settings.max_body, settings.body_timeout)
        except errors.ApiError:
            await drop_body(request, settings.max_body, settings.body_timeout)
            raise
        deadline = created + settings.request_timeout
        chat, plan = await self._in_thread(self.threads, deadline, self._read, body)
        del body
        fetches = any(not url.lower().startswith("data:") for url in plan.urls)
        threads = self.fetching if fetches else self.threads
        prompt, wants_objects = await self._in_thread(threads, deadline, self._prepare, chat, plan)
        self.metrics.prompt_tokens.add(prompt.n_tokens)
        mailbox = Mailbox()
        job = Job(prompt, chat, wants_objects, mailbox.post, ticket, created)
        if job.rows > 1 and job.tokens > settings.max_batch_tokens:
            raise errors.invalid(
                f"n × (prompt + max_tokens) is {job.rows} × ({prompt.n_tokens} + {chat.max_tokens}) tokens, more than "
                f"the {settings.max_batch_tokens} of a batch.",
                "n",
            )
        return await self._answer(job, mailbox, request)

    async def _in_thread(
        self, threads: ThreadPoolExecutor, deadline: float, work: Callable[..., Result], *arguments: object
    ) -> Result:
        """What `work` returns; the event loop serves others meanwhile."""
        running = asyncio.get_running_loop().run_in_executor(threads, work, *arguments)
        try:
            return await asyncio.wait_for(running, max(0.0, deadline - time.monotonic()))
        except asyncio.TimeoutError:
            raise errors.timed_out(self.settings.request_timeout) from None

    def _read(self, body: bytes) -> tuple[ChatRequest, Draft]:
        """In a thread: bodies are large."""
        chat = read_chat_request(body, self.settings)
        return chat, draft(chat.messages, self.engine.has_template)

    def _prepare(self, chat: ChatRequest, plan: Draft) -> tuple[Prompt, bool]:
        """In a thread: fetches and decodes the pictures, lays out the prompt."""
        if len(plan.urls) > self.settings.max_images:
            raise errors.invalid(f"At most {self.settings.max_images} pictures are taken.", "messages")
        pictures = []
        for number, url in enumerate(plan.urls):
            where = f"picture {number}"
            pictures.append(self.engine.picture(read_picture(url, self.fetcher, where), where))
        text = self.engine.render(plan.templated) if plan.templated is not None else plan.text
        prompt = self.engine.prompt(text, pictures)
        return prompt, asks_for_objects(plan.text) if chat.detections is None else chat.detections

    async def _answer(self, job: Job, mailbox: Mailbox, request: Request) -> Response | EventStream:
        completion = Completion(job, self.settings.model_name)
        incoming = events(job, mailbox, request.receive, self.settings.request_timeout)
        handed_over = False

        def done() -> None:
            self.batcher.cancel(job)
            self.metrics.latency.observe(time.monotonic() - job.created)

        try:
            self.batcher.submit(job)
            if job.request.stream:
                first = await incoming.__anext__()
                handed_over = True
                return EventStream(completion, first, incoming, self.settings.request_timeout, done)
            finished = [event async for event in incoming if isinstance(event, Finished)]
            return JSONResponse(completion.whole(finished))
        finally:
            if not handed_over:
                await incoming.aclose()
                done()

    # ---- beginning and end ----

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self.batcher.start()
        yield
        # The HTTP side has answered all its requests by now; whatever is left has no reader.
        await asyncio.get_running_loop().run_in_executor(None, self.batcher.close)
        self.threads.shutdown(wait=False)
        self.fetching.shutdown(wait=False)


# ---- errors ----


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ApiError)
    headers = dict(error.headers)
    if error.status in (408, 413):
        headers["Connection"] = "close"
    return JSONResponse(error.body(), error.status, headers=headers)


async def _http_error(request: Request, error: Exception) -> Response:
    """Starlette's own: no such path, no such method."""
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}."
    return await _api_error(request, errors.ApiError(error.status_code, message, headers=dict(error.headers or {})))


async def _crash(request: Request, error: Exception) -> Response:
    return await _api_error(request, errors.internal())


def make_app(settings: Settings, engine: Engine) -> Starlette:
    service = Service(settings, engine)
    app = Starlette(
        routes=[
            Route("/v1/chat/completions", service.chat, methods=["POST"]),
            Route("/v1/models", service.models, methods=["GET"]),
            Route("/v1/models/{name:path}", service.model, methods=["GET"]),
            Route("/health", service.health, methods=["GET"]),
            Route("/metrics", service.show_metrics, methods=["GET"]),
        ],
        exception_handlers={errors.ApiError: _api_error, HTTPException: _http_error, Exception: _crash},
        lifespan=service.lifespan,
    )
    app.add_middleware(Observed, service_metrics=service.metrics)
    return app
