# SPDX-License-Identifier: BSD-2-Clause
"""The bytes of a request's pictures: from data URIs, and by http(s) where that is allowed."""

from __future__ import annotations

import base64
import binascii

from .errors import ApiError, invalid
from .fetch import Fetcher, FetchError


def _from_data_uri(url: str, where: str) -> bytes:
    head, comma, data = url.partition(",")
    media, *parameters = head[len("data:") :].split(";")
    if not comma or "base64" not in parameters or not media.lower().startswith("image/"):
        raise invalid(f"{where}: a data URI must be data:image/…;base64,….", where, "invalid_image_url")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"{where}: the data URI is not base64.", where, "invalid_image_url") from None


def read_picture(url: str, fetcher: Fetcher | None, where: str) -> bytes:
    """Runs in a thread: fetching waits."""
    scheme = url.split(":", 1)[0].lower()
    if scheme == "data":
        return _from_data_uri(url, where)
    if scheme not in ("http", "https"):
        raise invalid(f"{where}: an image_url is a data URI or an http(s) URL.", where, "invalid_image_url")
    if fetcher is None:
        raise invalid(
            f"{where}: this service fetches no pictures; send a data URI.", where, "image_fetching_not_allowed"
        )
    try:
        return fetcher.fetch(url)
    except FetchError as error:
        raise ApiError(400, f"{where}: {error}", param=where, code="image_fetch_failed") from None
