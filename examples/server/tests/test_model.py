# SPDX-License-Identifier: BSD-2-Clause
"""The service on the demonstration model: the command's tokens, boxes, masks, streams, pictures by http, its end."""

import base64
import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
import zlib
from functools import partial
from pathlib import Path

from harness import MODEL, PICTURES, Process, begin, call, chat, data_uri, metric, user, wait_for

COMMAND = os.environ["PALI_COMMAND"]
ENDLESS = {"logit_bias": {"1": -100}, "max_tokens": 400}  # no <eos>


def by_command(prompt, picture, *options):
    run = subprocess.run(
        [COMMAND, "generate", "-m", MODEL, "-i", picture, "-p", prompt, "--json", *options],
        capture_output=True,
        check=True,
    )
    return json.loads(run.stdout)


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Process("--max-tokens", 1000)
        cls.addClassCleanup(cls.service.stop)

    def test_the_commands_tokens(self):
        for name, prompt in (
            ("shapes.png", "caption en"),
            ("shapes.jpg", "caption en"),
            ("shapes.png", "detect circle"),
            ("shapes.jpg", "answer en how many shapes are there?"),
        ):
            right = by_command(prompt, PICTURES / name, "--max-new-tokens", "100", "--logprobs")
            reply = self.service.ask(prompt, PICTURES / name, logprobs=True, max_tokens=100)
            answer, choice = reply.json(), reply.json()["choices"][0]
            self.assertEqual(choice["message"]["content"], right["text"])
            self.assertEqual(choice["finish_reason"], "stop")
            self.assertEqual(answer["usage"]["completion_tokens"], len(right["token_ids"]))
            self.assertEqual(answer["usage"]["prompt_tokens"], right["prompt_tokens"])
            scores = [score["logprob"] for score in choice["logprobs"]["content"]]
            for ours, theirs in zip(scores, right["logprobs"]):
                self.assertAlmostEqual(ours, theirs, 6)  # which is what the command prints
            self.assertEqual(len(scores), len(right["token_ids"]) - 1)  # all but <eos>
            self.assertEqual("".join(score["token"] for score in choice["logprobs"]["content"]), right["text"])

    def test_sampled_as_the_command_samples(self):
        right = by_command(
            "caption en", PICTURES / "shapes.png", "--temperature", "1.5", "--top-p", "0.9", "--seed", "7"
        )
        reply = self.service.ask("caption en", temperature=1.5, top_p=0.9, seed=7, n=3, max_tokens=20)
        texts = [reply.text(index) for index in range(3)]
        self.assertEqual(texts[0], right["text"])
        self.assertEqual(len(reply.json()["choices"]), 3)
        stream = self.service.ask("caption en", temperature=1.5, top_p=0.9, seed=7, n=3, max_tokens=20, stream=True)
        self.assertEqual([stream.text(index) for index in range(3)], texts)

    def test_a_stream_says_what_the_whole_says(self):
        more = {"logprobs": True, "top_logprobs": 2, "max_tokens": 30}
        whole = self.service.ask("detect circle", **more)
        stream = self.service.ask("detect circle", stream=True, stream_options={"include_usage": True}, **more)
        self.assertTrue(stream.body.endswith(b"data: [DONE]\n\n"))
        events = stream.events()
        choice = whole.json()["choices"][0]
        self.assertEqual(stream.text(), choice["message"]["content"])
        self.assertEqual(events[0]["choices"][0]["delta"]["role"], "assistant")
        self.assertEqual(events[-1]["usage"], whole.json()["usage"])
        self.assertEqual(events[-1]["choices"], [])
        self.assertEqual(events[-2]["choices"][0]["finish_reason"], "stop")
        self.assertEqual(events[-3]["choices"][0]["logprobs"], choice["logprobs"])
        self.assertEqual(events[-3]["choices"][0]["delta"]["detections"], choice["message"]["detections"])
        self.assertGreater(len(events), 6)
        self.assertEqual({len(score["top_logprobs"]) for score in choice["logprobs"]["content"]}, {2})

    def test_boxes(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "coco.json"
            by_command("detect circle", PICTURES / "shapes.png", "--detections", path, "--max-new-tokens", "50")
            right = json.loads(path.read_text())["annotations"]
        found = self.service.ask("detect circle").json()["choices"][0]["message"]["detections"]
        self.assertEqual([entry["label"] for entry in found], [entry["category_name"] for entry in right])
        self.assertEqual([entry["bbox"] for entry in found], [entry["bbox"] for entry in right])
        self.assertGreater(len(found), 0)
        for entry in found:
            self.assertTrue(0 < entry["score_min"] <= entry["score"] <= 1)
            self.assertEqual(set(entry["box"]), {"x_min", "y_min", "x_max", "y_max"})
        self.assertNotIn("detections", self.service.ask("caption en").json()["choices"][0]["message"])
        asked = self.service.ask("caption en", detections=True).json()["choices"][0]["message"]
        self.assertEqual(asked["detections"], [])
        refused = self.service.ask("detect circle", detections=False).json()["choices"][0]["message"]
        self.assertNotIn("detections", refused)

    def test_stop_and_length(self):
        whole = self.service.ask("caption en").text()
        for stream in (False, True):
            reply = self.service.ask("caption en", stop=[" and", "zebra"], stream=stream)
            self.assertEqual(reply.text(), whole.split(" and")[0])
        reply = self.service.ask("caption en", max_tokens=2).json()
        self.assertEqual(reply["choices"][0]["finish_reason"], "length")
        self.assertEqual(reply["usage"]["completion_tokens"], 2)
        self.assertTrue(whole.startswith(reply["choices"][0]["message"]["content"]))

    def test_several_pictures_and_turns(self):
        both = self.service.ask("caption en", PICTURES / "shapes.png", PICTURES / "shapes.jpg").json()
        one = self.service.ask("caption en").json()
        self.assertEqual(both["usage"]["prompt_tokens"] - one["usage"]["prompt_tokens"], 64)
        turns = [
            {"role": "system", "content": "be kind"},
            *user("caption en", data_uri(PICTURES / "shapes.png")),
            {"role": "assistant", "content": "something"},
            {"role": "user", "content": "detect circle"},
        ]
        reply = chat(self.service.port, {"model": "model", "messages": turns})
        self.assertEqual(reply.text(), self.service.ask("detect circle").text())

    def test_what_the_library_refuses_is_400(self):
        for urls, code in (
            (["data:image/gif;base64,R0lGODlhAQABAAAAACw="], "invalid_image"),
            ([data_uri(PICTURES / "shapes.png")[:2002]], "invalid_image"),
        ):
            reply = chat(self.service.port, {"model": "model", "messages": user("caption en", *urls)})
            self.assertEqual((reply.status, reply.json()["error"]["code"]), (400, code))
        reply = self.service.ask("caption <image> <image> en")
        self.assertEqual((reply.status, reply.json()["error"]["param"]), (400, "messages"))
        reply = self.service.ask("caption en", logit_bias={"999999": 1})
        self.assertEqual(reply.status, 400)
        self.assertEqual(self.service.ask("caption en").status, 200)

    def test_a_client_that_goes_away_in_the_middle(self):
        alone = self.service.ask("caption en", **ENDLESS).text()
        content = user("caption en", data_uri(PICTURES / "shapes.png"))
        before = metric(self.service.port, "requests_cancelled_total")
        gone = [
            begin(self.service.port, {"model": "model", "messages": content, **ENDLESS, "max_tokens": 1000})
            for _ in range(2)
        ]
        threading.Timer(0.1, lambda: [connection.close() for connection in gone]).start()
        self.assertEqual(self.service.ask("caption en", **ENDLESS).text(), alone)
        wait_for(lambda: metric(self.service.port, "running_rows") == 0)
        self.assertEqual(metric(self.service.port, "requests_cancelled_total") - before, 2)


class Options(unittest.TestCase):
    def test_pixels_and_prompt_length_and_key(self):
        with Process("--max-pixels", 1000, "--max-prompt-tokens", 70, key="secret") as service:
            content = {"model": "model", "messages": user("caption en", data_uri(PICTURES / "shapes.png"))}
            self.assertEqual(chat(service.port, content).status, 401)
            known = {"Authorization": "Bearer secret"}
            reply = chat(service.port, content, headers=known)
            self.assertEqual((reply.status, reply.json()["error"]["code"]), (400, "image_too_large"))
            content["messages"] = user("answer en how many shapes are there in it, do you think?", tiny_png())
            reply = chat(service.port, content, headers=known)
            self.assertEqual((reply.status, reply.json()["error"]["code"]), (400, "context_length_exceeded"))

    def test_pictures_by_http(self):
        handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(PICTURES))
        handler.func.log_message = lambda *_: None
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
            threading.Thread(target=site.serve_forever, daemon=True).start()
            host = f"127.0.0.1:{site.server_address[1]}"
            content = {"model": "model", "messages": user("caption en", f"http://{host}/shapes.png")}
            with Process("--fetch-host", host, "--fetch-private", "--fetch-max-bytes", 200_000) as service:
                self.assertEqual(chat(service.port, content).text(), service.ask("caption en").text())
                content["messages"] = user("caption en", f"http://{host}/none.png")
                reply = chat(service.port, content)
                self.assertEqual((reply.status, reply.json()["error"]["code"]), (400, "image_fetch_failed"))
            with Process("--fetch-host", host) as service:
                reply = chat(service.port, content)
                self.assertIn("not allowed", reply.json()["error"]["message"])
            site.shutdown()

    def test_a_service_that_cannot_start_says_why(self):
        run = subprocess.run(
            [sys.executable, "-m", "paligemma_server", "-m", "/nowhere"], capture_output=True, text=True
        )
        self.assertEqual(run.returncode, 1)
        self.assertIn("/nowhere", run.stderr)
        self.assertNotIn("Traceback", run.stderr)

    def test_sigterm_answers_what_was_taken(self):
        service = Process()
        replies = []
        threads = [
            threading.Thread(
                target=lambda n=n: replies.append(service.ask("caption en", stream=bool(n % 2), **ENDLESS))
            )
            for n in range(12)
        ]
        for thread in threads:
            thread.start()
        wait_for(lambda: metric(service.port, "queue_depth") + metric(service.port, "running_rows") == 12)
        service.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(60)
        self.assertEqual([reply.status for reply in replies], [200] * 12)
        self.assertEqual(len({reply.text() for reply in replies}), 1)
        self.assertEqual(service.process.wait(30), 0)
        service.process.stdout.close()
        with self.assertRaises(OSError):
            call(service.port, "GET", "/health")


def tiny_png():
    from paligemma_server.objects import gray_png

    class Row(bytes):
        def tobytes(self):
            return bytes(self)

    class Mask(list):
        shape = (20, 20)

    data = gray_png(Mask(Row(20) for _ in range(20)))
    assert zlib.decompress(data[41:-16]) == b"\0" * 420
    return "data:image/png;base64," + base64.b64encode(data).decode()


if __name__ == "__main__":
    unittest.main()
