# SPDX-License-Identifier: BSD-2-Clause
"""What a service is told when it starts: the checkpoint, and every limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Times are in seconds, sizes in bytes."""

    model: str
    served_name: str = ""  # what requests call the model; "" is the last part of `model`
    dtype: str | None = None
    threads: int = 0  # 0 is the library's own choice
    mask_weights: str | None = None  # the VQ-VAE of <seg> tokens; without it there are boxes and no masks
    api_key: str | None = None  # None: anybody may ask

    max_batch: int = 8  # answers that are decoded together
    batch_wait: float = 0.01  # how long a request waits for others to share its batch
    max_batch_tokens: int = 16_384  # prompts and answers of a batch, which its keys and values need memory for
    max_queue: int = 64  # requests that wait for their batch
    request_timeout: float = 120.0  # from the first byte of a request to the last of its answer
    body_timeout: float = 30.0  # for the request's body to arrive

    max_body: int = 20 << 20
    max_images: int = 8
    max_pixels: int = 40_000_000  # of one picture
    max_prompt_tokens: int = 16_384  # pictures included
    max_tokens: int = 1024  # what a request may ask for
    default_tokens: int = 256  # what it gets if it does not ask
    max_choices: int = 8

    fetch_hosts: tuple[str, ...] = ()  # pictures by http(s) come from these only; "*" is any, none is no fetching
    fetch_private: bool = False  # True: these hosts may have private addresses
    fetch_timeout: float = 10.0
    fetch_max_bytes: int = 20 << 20
    fetch_redirects: int = 3
    fetch_workers: int = 8

    @property
    def model_name(self) -> str:
        return self.served_name or self.model.rstrip("/").rsplit("/", 1)[-1]
