# SPDX-License-Identifier: BSD-2-Clause
"""Errors as OpenAI's interface has them: a status code and a JSON object that clients turn into exceptions."""

from __future__ import annotations

import math


class ApiError(Exception):
    """One refusal. `param` names the member of the request that is to blame, `code` is for programs."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = headers or {}

    def body(self) -> dict[str, object]:
        param = None if self.param is None else _encodable(self.param)
        return {"error": {"message": _encodable(self.message), "type": self.kind, "param": param, "code": self.code}}


def _encodable(text: str) -> str:
    """Names that a request made up may have half of a surrogate pair, which UTF-8 cannot hold: it is spelt out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    return ApiError(400, message, param=param, code=code)


def unauthorized() -> ApiError:
    return ApiError(
        401,
        "This service needs an API key: Authorization: Bearer KEY.",
        kind="authentication_error",
        code="invalid_api_key",
        headers={"WWW-Authenticate": "Bearer"},
    )


def model_not_found(name: str) -> ApiError:
    return ApiError(404, f"The model {name!r} is not served here.", param="model", code="model_not_found")


def too_large(what: str, limit: int) -> ApiError:
    return ApiError(413, f"{what} is larger than the limit of {limit} bytes.", code="request_too_large")


def queue_full(retry_after: float) -> ApiError:
    return ApiError(
        429,
        "Too many requests are waiting; try again later.",
        kind="rate_limit_error",
        code="queue_full",
        headers={"Retry-After": str(max(1, math.ceil(retry_after)))},
    )


def shutting_down() -> ApiError:
    return ApiError(
        503, "The service is shutting down.", kind="server_error", code="shutting_down", headers={"Retry-After": "5"}
    )


def timed_out(limit: float) -> ApiError:
    return ApiError(504, f"The answer took longer than {limit:g} seconds.", kind="server_error", code="timeout")


def internal(message: str = "The service failed to answer.") -> ApiError:
    return ApiError(500, message, kind="server_error", code="internal_error")
