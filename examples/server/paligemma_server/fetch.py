# SPDX-License-Identifier: BSD-2-Clause
"""Fetching a picture on behalf of a stranger. The stranger names the URL, so it must not reach what only this machine
can reach: hosts are those of a list, names are resolved once, every address of the name must be a public one, and the
connection goes to that very address (no second look-up that may say something else). Redirects are followed by hand,
each through all the checks; size and time are bounded over all of them."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from urllib.parse import SplitResult, urljoin, urlsplit

REDIRECTS = (301, 302, 303, 307, 308)
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class FetchError(Exception):
    """Why there is no picture. The message tells the stranger nothing about what stands at a forbidden address."""


def is_public(address: str) -> bool:
    """Whether the address is on the public internet, also where an IPv6 address stands for an IPv4 one."""
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:  # fec0::/10, which was private once; for `is_global` it is like any other
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


class Fetcher:
    """Immutable; any number of threads."""

    def __init__(
        self, hosts: tuple[str, ...], *, timeout: float, max_bytes: int, redirects: int, allow_private: bool = False
    ) -> None:
        """`hosts`: "example.org", ".example.org" (it and what ends so), "example.org:8080", or "*" for any.
        Without a port only 80 and 443 are allowed."""
        self.hosts = tuple(host.lower() for host in hosts)
        self.timeout = timeout
        self.max_bytes = max_bytes
        self.redirects = redirects
        self.allow_private = allow_private
        self.tls = ssl.create_default_context()

    def fetch(self, url: str) -> bytes:
        deadline = time.monotonic() + self.timeout
        for _ in range(self.redirects + 1):
            location, body = self._get(url, deadline)
            if location is None:
                return body
            url = urljoin(url, location)
        raise FetchError(f"more than {self.redirects} redirects")

    # ---- what is allowed ----

    def _allows(self, host: str, port: int) -> bool:
        usual = port in (80, 443)
        for allowed in self.hosts:
            name, colon, its_port = (
                allowed.rpartition(":") if allowed.rpartition(":")[2].isdigit() else (allowed, "", "")
            )
            if port != int(its_port) if colon else not usual:
                continue
            if name in ("*", host) or (name.startswith(".") and (host.endswith(name) or host == name[1:])):
                return True
        return False

    def _split(self, url: str) -> tuple[SplitResult, str, int]:
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            host = (parts.hostname or "").rstrip(".").encode("idna").decode("ascii").lower()
        except ValueError:
            raise FetchError("the URL is malformed") from None
        if parts.scheme not in ("http", "https") or not host:
            raise FetchError("only http and https URLs are fetched")
        if parts.username is not None or parts.password is not None:
            raise FetchError("a URL with a user name or password is not fetched")
        if any(ord(character) <= 32 or ord(character) >= 127 for character in parts.path + parts.query):
            raise FetchError("the URL has characters that must be percent-encoded")
        if not self._allows(host, port):
            raise FetchError("pictures from this host are not allowed")
        return parts, host, port

    def _address(self, host: str, port: int) -> tuple[int, tuple[object, ...]]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise FetchError("the host cannot be found") from None
        if not self.allow_private and not all(is_public(str(entry[4][0])) for entry in found):
            raise FetchError("pictures from this host are not allowed")
        return found[0][0], found[0][4]

    # ---- one request ----

    @contextlib.contextmanager
    def _connection(self, scheme: str, host: str, port: int, deadline: float) -> Iterator[http.client.HTTPConnection]:
        """A connection to the address that was checked. A timer ends it at the deadline whatever it is doing: a server
        that sends a byte now and then would outlast the socket's own time limit."""
        family, address = self._address(host, port)
        plain = socket.socket(family, socket.SOCK_STREAM)
        timer = threading.Timer(max(0.0, deadline - time.monotonic()), _shut, (plain,))
        timer.daemon = True
        connection = http.client.HTTPConnection(host, port)
        try:
            plain.settimeout(max(0.001, deadline - time.monotonic()))
            timer.start()
            plain.connect(address)
            connection.sock = self.tls.wrap_socket(plain, server_hostname=host) if scheme == "https" else plain
            if connection.sock is not plain:  # the wrapper has taken the descriptor over
                timer.cancel()
                timer = threading.Timer(max(0.0, deadline - time.monotonic()), _shut, (connection.sock,))
                timer.daemon = True
                timer.start()
            yield connection
        finally:
            timer.cancel()
            connection.close()
            plain.close()

    def _get(self, url: str, deadline: float) -> tuple[str | None, bytes]:
        """Where a redirect leads, or the body."""
        parts, host, port = self._split(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            with self._connection(parts.scheme, host, port, deadline) as connection:
                headers = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "paligemma-server"}
                connection.request("GET", target, headers=headers)
                response = connection.getresponse()
                location = response.getheader("Location")
                if response.status in REDIRECTS and location:
                    return location, b""
                if response.status != 200:
                    raise FetchError(f"the host answered with status {response.status}")
                return None, self._body(response, deadline)
        except (OSError, http.client.HTTPException, ValueError):
            late = time.monotonic() >= deadline
            raise FetchError("fetching took too long" if late else "the picture cannot be fetched") from None

    def _body(self, response: http.client.HTTPResponse, deadline: float) -> bytes:
        blocks, size = [], 0
        while block := response.read1(65536):
            size += len(block)
            if size > self.max_bytes:
                raise FetchError(f"the picture is larger than {self.max_bytes} bytes")
            blocks.append(block)
        if time.monotonic() >= deadline:  # cut short by the timer, which looks like the end
            raise FetchError("fetching took too long")
        return b"".join(blocks)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
