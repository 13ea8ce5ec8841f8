# SPDX-License-Identifier: BSD-2-Clause
"""Reading a request's body within bounds of size and time."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from .errors import ApiError, too_large

# A client that is refused early still sends its body and reads the answer only then, so the rest is read and dropped,
# up to this many times the limit.
DROPPED = 4


async def drop_body(request: Request, limit: int, seconds: float) -> None:
    """Reads what the client still sends, and keeps nothing."""

    async def drop() -> None:
        size = 0
        async for block in request.stream():
            size += len(block)
            if size > DROPPED * limit:
                return

    try:
        await asyncio.wait_for(drop(), seconds)
    except (asyncio.TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: read already
        return


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """The body, or a refusal with 413 or 408."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise too_large("The body", limit)

    async def read() -> bytes:
        body = bytearray()
        async for block in request.stream():
            body += block
            if len(body) > limit:
                raise too_large("The body", limit)
        return bytes(body)

    try:
        return await asyncio.wait_for(read(), seconds)
    except asyncio.TimeoutError:
        raise ApiError(408, f"The body took longer than {seconds:g} seconds.", code="timeout") from None
