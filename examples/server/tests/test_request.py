# SPDX-License-Identifier: BSD-2-Clause
"""Bodies of requests: what is taken, what is refused, and that the refusal names the member."""

import json
import math
import unittest

from paligemma_server.errors import ApiError
from paligemma_server.prompt import draft
from paligemma_server.request import read_chat_request
from paligemma_server.settings import Settings

SETTINGS = Settings(model="/models/tiny/", max_tokens=100, default_tokens=50)
USER = [{"role": "user", "content": "caption en"}]


def read(**members):
    return read_chat_request(json.dumps({"model": "tiny", "messages": USER, **members}).encode(), SETTINGS)


class Taken(unittest.TestCase):
    def test_defaults(self):
        request = read()
        self.assertEqual((request.max_tokens, request.n, request.stop, request.stream), (50, 1, (), False))
        self.assertEqual(request.sampling.temperature, 0.0)
        self.assertEqual(request.sampling.choices, 1)
        self.assertIsNone(request.detections)

    def test_null_is_the_same_as_missing(self):
        names = "max_tokens temperature top_p seed stop n logprobs stream stream_options tools detections".split()
        request = read(**dict.fromkeys(names))
        self.assertEqual((request.max_tokens, request.sampling), (50, read().sampling))

    def test_max_completion_tokens_goes_first(self):
        self.assertEqual(read(max_tokens=5, max_completion_tokens=7).max_tokens, 7)

    def test_greedy_requests_may_share_a_batch_whatever_their_seeds(self):
        self.assertEqual(read(seed=1, n=3).sampling, read(seed=2, top_p=0.5).sampling)
        self.assertNotEqual(read(seed=1, temperature=1).sampling, read(seed=2, temperature=1).sampling)
        self.assertEqual(read(seed=-1, temperature=1).sampling.seed, 2**64 - 1)

    def test_sampling_without_seed_differs_each_time(self):
        self.assertNotEqual(read(temperature=1).sampling.seed, read(temperature=1).sampling.seed)

    def test_bias(self):
        self.assertEqual(read(logit_bias={"7": -100, "3": 1}).sampling.logit_bias, ((3, 1.0), (7, -math.inf)))

    def test_members_without_effect(self):
        read(user="me", metadata={}, store=False, tools=[], response_format={"type": "text"}, service_tier="auto")


class Refused(unittest.TestCase):
    def refused(self, param, status=400, **members):
        with self.assertRaises(ApiError) as caught:
            read(**members)
        self.assertEqual((caught.exception.status, caught.exception.param), (status, param))

    def test_by_name(self):
        self.refused("model", 404, model="other")
        self.refused("model", model=None)
        self.refused("temperature", temperature=2.5)
        self.refused("temperature", temperature="hot")
        self.refused("temperature", temperature=True)
        self.refused("top_p", top_p=-0.1)
        self.refused("max_tokens", max_tokens=0)
        self.refused("max_tokens", max_tokens=101)
        self.refused("max_tokens", max_tokens=1.5)
        self.refused("n", n=9)
        self.refused("seed", seed="x")
        self.refused("stop", stop=[""])
        self.refused("stop", stop=["a"] * 17)
        self.refused("stop", stop={"a": 1})
        self.refused("top_logprobs", top_logprobs=3)
        self.refused("top_logprobs", logprobs=True, top_logprobs=21)
        self.refused("stream", stream=1)
        self.refused("stream_options", stream_options={"include_usage": True})
        self.refused("mask_format", mask_format="gif")
        self.refused("logit_bias", logit_bias={"a": 1})
        self.refused("logit_bias", logit_bias={"1": 101})
        self.refused("tools", tools=[{}])
        self.refused("response_format", response_format={"type": "json_object"})
        self.refused("max_token", max_token=3)
        self.refused("temperature", temperature=10**400)

    def test_messages(self):
        self.refused("messages", messages=[])
        self.refused("messages", messages="x")
        self.refused("messages[0]", messages=["x"])
        self.refused("messages[0].role", messages=[{"role": "tool", "content": "x"}])
        self.refused("messages[0].content", messages=[{"role": "user", "content": None}])
        self.refused("messages[0].content[0]", messages=[{"role": "user", "content": [{"type": "audio"}]}])
        self.refused("messages[0].content", messages=[{"role": "user", "content": "a\0b"}])

    def test_bodies(self):
        for body in (b"", b"{", b"[]", b"\xff\xfe", b'{"n": NaN}', b"[" * 100_000, b'{"messages": "\\ud800"}'):
            with self.assertRaises(ApiError) as caught:
                read_chat_request(body, SETTINGS)
            self.assertEqual(caught.exception.status, 400)
        self.refused("messages[0].content", messages=[{"role": "user", "content": "\ud800"}])

    def test_more_values_than_a_request_has(self):
        for filler in ("[],", '"",', "{},", "0,"):
            with self.assertRaises(ApiError) as caught:
                read_chat_request(f'{{"messages": [{filler * 200_001}0]}}'.encode(), SETTINGS)
            self.assertEqual((caught.exception.status, caught.exception.code), (400, "request_too_complex"))

    def test_a_name_that_utf8_cannot_hold(self):
        with self.assertRaises(ApiError) as caught:
            read(**{"\ud800x": 1})
        error = caught.exception.body()["error"]
        self.assertEqual((caught.exception.status, error["param"]), (400, "\\ud800x"))
        error["message"].encode("utf-8")


class Prompts(unittest.TestCase):
    def draft(self, *messages, template=False):
        return draft(read(messages=list(messages)).messages, template)

    @staticmethod
    def pictured(text, *urls):
        parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}

    def test_the_last_user_message_is_the_prompt(self):
        system = {"role": "system", "content": "be kind"}
        plan = self.draft(system, self.pictured("caption en", "a", "b"))
        self.assertEqual((plan.text, plan.urls), ("caption en", ("a", "b")))

    def test_asking_again_about_the_same_picture(self):
        answer = {"role": "assistant", "content": "a cat"}
        plan = self.draft(self.pictured("caption en", "a"), answer, self.pictured("detect cat"))
        self.assertEqual((plan.text, plan.urls), ("detect cat", ("a",)))

    def test_a_template_gets_everything(self):
        answer = {"role": "assistant", "content": "a cat"}
        plan = self.draft(self.pictured("caption en", "a"), answer, self.pictured("and?", "b"), template=True)
        self.assertEqual(plan.urls, ("a", "b"))
        self.assertEqual(plan.templated[1], answer)
        self.assertEqual(plan.templated[2]["content"], [{"type": "image"}, {"type": "text", "text": "and?"}])

    def test_no_user_no_text(self):
        for message in ({"role": "system", "content": "x"}, {"role": "user", "content": " "}):
            with self.assertRaises(ApiError):
                self.draft(message)


if __name__ == "__main__":
    unittest.main()
