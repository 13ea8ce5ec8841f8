# SPDX-License-Identifier: BSD-2-Clause
"""Queue, batches, time limits and clients that go away, on a made-up engine whose every step the test decides."""

import json
import logging
import re
import socket
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

from harness import InProcess, begin, call, chat, metric, user, wait_for

from paligemma_server import __main__ as command
from paligemma_server.request import read_chat_request

logging.disable()  # failures are meant


def ask(service, text, **more):
    return {"model": "fake", "messages": user(text), **more}


class Batches(unittest.TestCase):
    def together(self, service, bodies):
        """Sends all while the engine is held by a first request; replies in order."""
        service.engine.held.clear()
        with ThreadPoolExecutor(len(bodies) + 1) as threads:
            first = threads.submit(service.chat, "first")
            wait_for(lambda: service.engine.batches)
            replies = []
            for number, body in enumerate(bodies, 1):
                replies.append(threads.submit(chat, service.port, body))
                wait_for(lambda: metric(service.port, "queue_depth") == number)
            service.engine.held.set()
            self.assertEqual(first.result().text(), "tsrif")
            return [reply.result() for reply in replies]

    def test_what_waits_shares_a_batch_and_each_row_ends_by_itself(self):
        with InProcess(max_batch=8) as service:
            bodies = [
                ask(service, "abc"),
                ask(service, "abcdefgh", max_tokens=2),
                ask(service, "xyz;abc", stop=";"),
                ask(service, "n", n=3),
                ask(service, "sampled", temperature=1.0, seed=1),
                ask(service, "with scores", logprobs=True),
            ]
            replies = self.together(service, bodies)
            self.assertEqual([reply.text() for reply in replies], ["cba", "hg", "cba", "n", "delpmas", "serocs htiw"])
            choices = [reply.json()["choices"] for reply in replies]
            self.assertEqual([choice[0]["finish_reason"] for choice in choices], ["stop", "length"] + ["stop"] * 4)
            self.assertEqual([choice["message"]["content"] for choice in choices[3]], ["n", "n", "n"])
            self.assertEqual(len(choices[5][0]["logprobs"]["content"]), 11)
            self.assertIsNone(choices[0][0]["logprobs"])
            self.assertEqual(replies[0].json()["usage"]["completion_tokens"], 4)
            self.assertEqual(len(service.engine.batches), 3)  # the first; the sampled one; all others
            self.assertEqual(len(service.engine.batches[1]), 5)

    def test_no_batch_is_larger_than_allowed(self):
        with InProcess(max_batch=2) as service:
            self.together(service, [ask(service, text) for text in ("a", "b", "c", "d", "e")])
            self.assertEqual(service.engine.batches[1:], [["a", "b"], ["c", "d"], ["e"]])

    def test_nor_needs_more_tokens(self):
        with InProcess(max_batch_tokens=25) as service:
            self.together(service, [ask(service, text, max_tokens=9) for text in ("a", "b", "c", "d" * 50)])
            self.assertEqual(service.engine.batches[1:], [["a", "b"], ["c"], ["d" * 50]])

    def test_nor_do_the_choices_of_one_request(self):
        with InProcess(max_batch_tokens=30) as service:
            sampled = {"temperature": 1.0, "seed": 1, "max_tokens": 8}
            self.assertEqual(service.chat("ab", n=3, **sampled).status, 200)
            reply = service.chat("abc", n=3, **sampled)
            self.assertEqual((reply.status, reply.json()["error"]["param"]), (400, "n"))
            self.assertIn("3 × (3 + 8) tokens, more than the 30", reply.json()["error"]["message"])
            self.assertEqual(service.chat("abc", n=3, max_tokens=8).status, 200)  # greedy: computed once

    def test_a_failure_hits_only_its_own_request(self):
        with InProcess() as service:

            def fail(texts):
                if "bad" in texts:
                    raise RuntimeError("bad")

            service.engine.fail = fail
            replies = self.together(service, [ask(service, text) for text in ("abc", "bad", "xyz")])
            self.assertEqual([reply.status for reply in replies], [200, 500, 200])
            self.assertEqual(replies[2].text(), "zyx")
            error = replies[1].json()["error"]
            self.assertEqual((error["type"], error["code"]), ("server_error", "internal_error"))


class Limits(unittest.TestCase):
    def test_a_full_queue_is_429_and_its_requests_are_answered(self):
        with InProcess(max_batch=1, max_queue=3) as service, ThreadPoolExecutor(8) as threads:
            service.engine.held.clear()
            running = threads.submit(service.chat, "run")
            wait_for(lambda: service.engine.batches)
            waiting = [threads.submit(service.chat, text) for text in ("ab", "cd", "ef")]
            wait_for(lambda: metric(service.port, "queue_depth") == 3)
            refused = service.chat("gh")
            self.assertEqual((refused.status, refused.json()["error"]["code"]), (429, "queue_full"))
            self.assertGreaterEqual(int(refused.headers["retry-after"]), 1)
            service.engine.held.set()
            self.assertEqual(running.result().text(), "nur")
            self.assertEqual(sorted(reply.result().text() for reply in waiting), ["ba", "dc", "fe"])
            self.assertEqual(service.chat("gh").text(), "hg")

    def test_time_is_504_and_frees_the_engine(self):
        with InProcess(request_timeout=0.3) as service:
            service.engine.held.clear()
            for more in ({}, {"stream": True}):
                reply = service.chat("abc", **more)
                self.assertEqual((reply.status, reply.json()["error"]["code"]), (504, "timeout"))
            service.engine.held.set()
            self.assertEqual(service.chat("abc").text(), "cba")

    def test_time_in_the_middle_of_a_stream_is_an_error_event(self):
        with InProcess(request_timeout=0.5) as service:
            service.engine.pause = 0.1
            reply = service.chat("a long answer", stream=True)
            self.assertEqual(reply.status, 200)
            self.assertEqual(reply.events()[-1]["error"]["code"], "timeout")
            self.assertFalse(reply.body.endswith(b"[DONE]\n\n"))

    def test_bodies(self):
        with InProcess(max_body=10_000, body_timeout=0.5) as service:
            reply = chat(service.port, ask(service, "x" * 20_000))
            self.assertEqual((reply.status, reply.json()["error"]["code"]), (413, "request_too_large"))
            chunked = iter([b"{" + b" " * 6000, b" " * 6000])
            reply = call(service.port, "POST", "/v1/chat/completions", chunked)
            self.assertEqual(reply.status, 413)
            head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            head += b"Content-Length: 9\r\n\r\n{"
            with socket.create_connection(("127.0.0.1", service.port)) as slow:
                slow.sendall(head)
                self.assertIn(b" 408 ", slow.recv(1000))
            reply = chat(service.port, ask(service, "x"), headers={"Content-Type": "text/plain"})
            self.assertEqual(reply.status, 415)
            self.assertEqual(metric(service.port, "queue_depth"), 0)

    def test_bodies_are_read_in_a_thread(self):
        """While one is, others are answered."""
        begun, go_on = threading.Event(), threading.Event()

        def slow(body, settings):
            begun.set()
            go_on.wait(20)
            return read_chat_request(body, settings)

        with mock.patch("paligemma_server.app.read_chat_request", slow), InProcess() as service:
            with ThreadPoolExecutor(1) as threads:
                asked = threads.submit(service.chat, "abc")
                self.assertTrue(begun.wait(20))
                self.assertEqual(call(service.port, "GET", "/health", timeout=10).status, 200)
                go_on.set()
                self.assertEqual(asked.result().text(), "cba")

    def test_a_body_of_empty_lists_holds_nobody_up(self):
        with InProcess() as service, ThreadPoolExecutor(1) as threads:
            body = b'{"messages": [' + b"[]," * 6_600_000 + b"0]}"
            begin_ = time.monotonic()
            json.loads(body)
            parsing = time.monotonic() - begin_
            asked = threads.submit(call, service.port, "POST", "/v1/chat/completions", body)
            slowest = 0.0
            while not asked.done():
                begin_ = time.monotonic()
                call(service.port, "GET", "/health")
                slowest = max(slowest, time.monotonic() - begin_)
            self.assertEqual(asked.result().json()["error"]["code"], "request_too_complex")
            self.assertLess(slowest, parsing)  # it is refused without being parsed

    def test_pictures(self):
        with InProcess(max_images=2) as service:
            for urls, code in (
                (["data:image/png;base64,YmFk"], "invalid_image"),
                (["data:image/png;base64,Y"], "invalid_image_url"),
                (["data:text/plain;base64,YmFk"], "invalid_image_url"),
                (["data:image/png,YmFk"], "invalid_image_url"),
                (["file:///etc/passwd"], "invalid_image_url"),
                (["/etc/passwd"], "invalid_image_url"),
                (["http://example.org/a.png"], "image_fetching_not_allowed"),
                (["data:image/png;base64,YQ=="] * 3, None),
            ):
                reply = chat(service.port, {"model": "fake", "messages": user("caption", *urls)})
                self.assertEqual((reply.status, reply.json()["error"]["code"]), (400, code), urls)


class ClientsThatGo(unittest.TestCase):
    def test_they_disturb_nobody_and_free_the_engine(self):
        with InProcess(batch_wait=0.3) as service, ThreadPoolExecutor(4) as threads:
            service.engine.pause = 0.02
            text = "a long answer, long enough to go away in its middle"
            stays = threads.submit(service.chat, text)
            for stream in (False, True):
                begin_now = begin(service.port, ask(service, text * 20, stream=stream, max_tokens=1000))
                threading.Timer(0.7, begin_now.close).start()
            self.assertEqual(stays.result().text(), text[::-1])
            wait_for(lambda: metric(service.port, "running_rows") == 0)
            self.assertEqual([len(batch) for batch in service.engine.batches], [3])
            self.assertLess(service.engine.steps, 1000)  # of the others' 1000
            self.assertEqual(metric(service.port, "queue_depth"), 0)

    def test_in_the_queue(self):
        with InProcess(max_batch=1) as service, ThreadPoolExecutor(4) as threads:
            service.engine.held.clear()
            first = threads.submit(service.chat, "first")
            wait_for(lambda: service.engine.batches)
            gone = begin(service.port, ask(service, "gone"))
            wait_for(lambda: metric(service.port, "queue_depth") == 1)
            gone.close()
            wait_for(lambda: metric(service.port, "queue_depth") == 0)
            service.engine.held.set()
            first.result()
            self.assertEqual(service.chat("next").text(), "txen")
            self.assertEqual(service.engine.batches, [["first"], ["next"]])


class TheEnd(unittest.TestCase):
    def test_shutting_down_answers_all_that_was_taken(self):
        with InProcess(max_batch=2) as service, ThreadPoolExecutor(8) as threads:
            service.engine.held.clear()
            asked = [threads.submit(service.chat, text, stream=text > "c") for text in ("ab", "bc", "cd", "de", "ef")]
            wait_for(lambda: metric(service.port, "queue_depth") + metric(service.port, "running_rows") == 5)
            service.server.should_exit = True
            threading.Timer(0.3, service.engine.held.set).start()
            self.assertEqual([reply.result().text() for reply in asked], ["ba", "cb", "dc", "ed", "fe"])
            service.stop()
            with self.assertRaises(OSError):
                service.chat("late")


class SmallRoutes(unittest.TestCase):
    def test_errors_have_openais_shape(self):
        with InProcess(api_key="secret") as service:
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}):
                for method, path in (
                    ("POST", "/v1/chat/completions"),
                    ("GET", "/v1/models"),
                    ("GET", "/v1/models/fake"),
                ):
                    reply = call(service.port, method, path, b"{}" if method == "POST" else None, headers)
                    self.assertEqual((reply.status, reply.json()["error"]["code"]), (401, "invalid_api_key"))
            known = {"Authorization": "Bearer secret"}
            reply = call(service.port, "POST", "/v1/chat/completions", b"{nonsense", known)
            self.assertEqual((reply.status, reply.json()["error"]["code"]), (400, "invalid_json"))
            for method, path, status in (("GET", "/v1/nothing", 404), ("GET", "/v1/chat/completions", 405),
                                         ("GET", "/v1/models/other", 404)):  # fmt: skip
                reply = call(service.port, method, path, headers=known)
                self.assertEqual(
                    (reply.status, set(reply.json()["error"])), (status, {"message", "type", "param", "code"})
                )
            self.assertEqual(call(service.port, "GET", "/v1/models", headers=known).json()["data"][0]["id"], "fake")
            self.assertEqual(call(service.port, "GET", "/health").json(), {"status": "ok"})

    def test_a_name_that_utf8_cannot_hold(self):
        with InProcess() as service:
            reply = service.chat("abc", **{"\ud800": 1})
            self.assertEqual((reply.status, reply.json()["error"]["param"]), (400, "\\ud800"))

    def test_the_address_is_told_once_it_listens(self):
        told = []

        def tell(line, **_):
            port = int(re.search(r":(\d+)/v1", line).group(1))
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            told.append(port)

        with (
            mock.patch.object(command, "Engine"),
            mock.patch.object(command, "make_app"),
            mock.patch.object(command.signal, "signal"),
            mock.patch.object(command.uvicorn.Server, "run", lambda _, sockets: sockets[0].close()),
            mock.patch.object(command, "print", tell, create=True),
        ):
            self.assertEqual(command.main(["-m", "x", "--port", "0"]), 0)
        self.assertEqual(len(told), 1)

    def test_metrics(self):
        with InProcess() as service:
            service.chat("abc")
            service.chat("abc", nonsense=1)
            text = call(service.port, "GET", "/metrics").body.decode()
            for line in (
                'paligemma_requests_total{path="/v1/chat/completions",status="200"} 1',
                'paligemma_requests_total{path="/v1/chat/completions",status="400"} 1',
                "paligemma_prompt_tokens_total 3",
                "paligemma_generation_tokens_total 4",
                'paligemma_batch_rows_bucket{le="1"} 1',
                "paligemma_batch_rows_count 1",
                "paligemma_queue_depth 0",
                "paligemma_request_seconds_count 1",
            ):
                self.assertIn(line + "\n", text)


if __name__ == "__main__":
    unittest.main()
