# SPDX-License-Identifier: BSD-2-Clause
"""Fetching pictures: which addresses, hosts and redirects are refused, and the bounds of size and time."""

import http.server
import socket
import threading
import time
import unittest
from unittest import mock

from paligemma_server.fetch import Fetcher, FetchError, is_public


class Addresses(unittest.TestCase):
    def test_private_in_every_disguise(self):
        for address in (
            "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 0.0.0.0 100.64.0.1 224.0.0.1 255.255.255.255 "
            "240.0.0.1 192.0.2.1 198.18.0.1 :: ::1 fe80::1 fe80::1%eth0 fc00::1 ff02::1 ::ffff:127.0.0.1 "
            "::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 2002:7f00:1:: 2002:a00:1:: 2001:db8::1 fec0::1 feff::1"
        ).split():
            self.assertFalse(is_public(address), address)

    def test_public(self):
        for address in "8.8.8.8 151.101.1.1 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1".split():
            self.assertTrue(is_public(address), address)


class Site(http.server.BaseHTTPRequestHandler):
    """/size/N: N bytes; /to?URL: a redirect; /loop: one to itself; /slow: a byte now and then; /status/N."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.seen.append((self.path, self.headers["Host"]))
        kind, _, rest = self.path[1:].partition("/" if not self.path.startswith("/to?") else "?")
        if kind in ("to", "loop"):
            self.send_response(302)
            self.send_header("Location", rest if kind == "to" else "/loop")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif kind == "slow":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            for _ in range(100):
                time.sleep(0.05)
                try:
                    self.wfile.write(b"x")
                except OSError:
                    break
            self.close_connection = True
        elif kind == "drip":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            for _ in range(100):
                time.sleep(0.05)
                try:
                    self.wfile.write(b"x")
                except OSError:
                    break
        else:
            self.send_response(int(rest) if kind == "status" else 200)
            size = int(rest) if kind == "size" else 0
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.wfile.write(b"x" * size)


class Fetching(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
        cls.server.daemon_threads = True
        cls.server.seen = []
        cls.port = cls.server.server_address[1]
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def setUp(self):
        self.server.seen.clear()

    def fetcher(self, *hosts, private=True, **limits):
        limits = {"timeout": 5.0, "max_bytes": 1000, "redirects": 2, **limits}
        return Fetcher(hosts or (f"*:{self.port}",), allow_private=private, **limits)

    def url(self, path, host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    def refused(self, url, pattern, fetcher=None):
        with self.assertRaisesRegex(FetchError, pattern):
            (fetcher or self.fetcher()).fetch(url)

    def test_a_picture(self):
        self.assertEqual(self.fetcher().fetch(self.url("/size/10", "localhost")), b"x" * 10)
        self.assertEqual(self.server.seen, [("/size/10", f"localhost:{self.port}")])

    def test_private_addresses_are_refused_before_anything_is_sent(self):
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]"):
            self.refused(self.url("/size/1", host), "not allowed|cannot be found", self.fetcher(private=False))
        self.assertEqual(self.server.seen, [])

    def test_a_name_with_one_private_address_among_public_ones(self):
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, self.port)) for address in ("8.8.8.8", "127.0.0.1")
        ]
        with mock.patch("socket.getaddrinfo", return_value=found):
            self.refused(self.url("/size/1", "example.org"), "not allowed", self.fetcher(private=False))

    def test_the_name_is_looked_up_once_and_that_address_is_used(self):
        first = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", self.port))]
        with mock.patch("socket.getaddrinfo", side_effect=[first]) as look_up:
            self.assertEqual(self.fetcher().fetch(self.url("/size/1", "example.org")), b"x")
        self.assertEqual(look_up.call_count, 1)

    def test_hosts(self):
        fetcher = self.fetcher("localhost", f".example.org:{self.port}", "[::1]")
        self.assertFalse(fetcher._allows("localhost", self.port))  # without a port: 80 and 443
        self.assertTrue(fetcher._allows("localhost", 443))
        self.assertTrue(fetcher._allows("a.example.org", self.port) and fetcher._allows("example.org", self.port))
        self.assertFalse(fetcher._allows("badexample.org", self.port) or fetcher._allows("a.example.org", 80))
        self.refused(self.url("/size/1"), "not allowed", fetcher)

    def test_redirects(self):
        self.assertEqual(self.fetcher().fetch(self.url("/to?/size/3")), b"xxx")
        self.refused(self.url("/loop"), "more than 2 redirects")
        self.refused(self.url("/to?file:///etc/passwd"), "only http")
        self.refused(self.url("/to?http://127.0.0.1:1/"), "not allowed")

    def test_a_redirect_to_a_private_address(self):
        public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", self.port))]
        with mock.patch("paligemma_server.fetch.is_public", side_effect=[True, False]):
            with mock.patch("socket.getaddrinfo", return_value=public):
                self.refused(self.url("/to?/size/3"), "not allowed", self.fetcher(private=False))
        self.assertEqual(len(self.server.seen), 1)

    def test_size(self):
        self.assertEqual(len(self.fetcher().fetch(self.url("/size/1000"))), 1000)
        self.refused(self.url("/size/1001"), "larger than 1000 bytes")

    def test_time(self):
        for path in ("/slow", "/drip"):
            begin = time.monotonic()
            self.refused(self.url(path), "too long", self.fetcher(timeout=0.3))
            self.assertLess(time.monotonic() - begin, 4)  # whoever answers takes five

    def test_other_failures(self):
        self.refused(self.url("/status/404"), "status 404")
        self.refused("http://user:word@localhost/", "user name")
        self.refused("ftp://localhost/", "only http")
        self.refused("http:///x", "only http")
        self.refused("http://localhost:99999/", "malformed")
        self.refused(self.url("/a b"), "percent-encoded")
        self.refused(self.url("/a\r\nHost: b"), "percent-encoded|cannot be fetched|status|malformed")
        self.refused("http://127.0.0.1:1/", "cannot be fetched", self.fetcher("127.0.0.1:1"))


if __name__ == "__main__":
    unittest.main()
