# SPDX-License-Identifier: BSD-2-Clause
"""From a job's events to the client, which may go away at any time, or not read."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

from starlette.types import Receive, Scope, Send

from .errors import ApiError, timed_out
from .jobs import Delta, Event, Failed, Finished, Job
from .responses import Completion, server_sent


class ClientGone(Exception):
    """There is nobody to answer any more."""


class Mailbox:
    """Events of one job, put in from the computing thread."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.queue: asyncio.Queue[Event] = asyncio.Queue()

    def post(self, event: Event) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it whoever would read this
            self.loop.call_soon_threadsafe(self.queue.put_nowait, event)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def events(job: Job, mailbox: Mailbox, receive: Receive, limit: float) -> AsyncGenerator[Delta | Finished, None]:
    """The job's events until all choices are finished. Raises its failure, 504 `limit` seconds after it was created, or
    ClientGone."""
    unfinished = job.request.n
    gone = asyncio.ensure_future(_gone(receive))
    event_task: asyncio.Future[Event] | None = None
    try:
        while unfinished:
            event_task = asyncio.ensure_future(mailbox.queue.get())
            left = max(0.0, job.created + limit - time.monotonic())
            await asyncio.wait({event_task, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if not event_task.done():
                raise ClientGone if gone.done() else timed_out(limit)
            event = event_task.result()
            if isinstance(event, Failed):
                raise event.error
            unfinished -= isinstance(event, Finished)
            yield event
    finally:
        gone.cancel()
        if event_task is not None:
            event_task.cancel()


class EventStream:
    """A response of server-sent events. The status is sent with the first event, so that what fails before has a status
    of its own."""

    def __init__(
        self,
        completion: Completion,
        first: Delta | Finished,
        others: AsyncGenerator[Delta | Finished, None],
        limit: float,
        done: Callable[[], None],
    ) -> None:
        self.completion = completion
        self.first = first
        self.others = others
        self.limit = limit
        self.done = done  # called whatever happens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def put(data: bytes, more: bool = True) -> None:
            left = max(0.01, self.completion.job.created + self.limit - time.monotonic())
            await asyncio.wait_for(send({"type": "http.response.body", "body": data, "more_body": more}), left)

        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await put(await self._tell(put), more=False)
        except (ClientGone, asyncio.TimeoutError, OSError):
            return  # gone, or not reading: the connection closes without an end of the stream
        finally:
            await self.others.aclose()
            self.done()

    async def _tell(self, put: Callable[[bytes], Awaitable[None]]) -> bytes:
        """Sends everything but the last piece, which is returned."""
        finished: list[Finished] = []

        def written(event: Delta | Finished) -> bytes:
            if isinstance(event, Delta):
                return self.completion.delta(event)
            finished.append(event)
            return self.completion.finish(event)

        try:
            await put(self.completion.opening() + written(self.first))
            async for event in self.others:
                await put(written(event))
        except ApiError as error:
            return server_sent(error.body())
        return self.completion.closing(finished)
