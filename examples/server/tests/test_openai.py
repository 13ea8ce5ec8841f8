# SPDX-License-Identifier: BSD-2-Clause
"""The service as OpenAI's own client sees it."""

import unittest

from harness import PICTURES, Process, chat, data_uri, user

try:
    import openai
except ImportError:
    openai = None

QUESTION = user("detect circle", data_uri(PICTURES / "shapes.png"))


@unittest.skipIf(openai is None, "the Python package openai is missing")
class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Process(key="secret")
        cls.addClassCleanup(cls.service.stop)
        cls.client = cls.new_client("secret")
        cls.addClassCleanup(cls.client.close)
        cls.plain = chat(
            cls.service.port,
            {"model": "model", "messages": QUESTION, "logprobs": True, "top_logprobs": 2},
            headers={"Authorization": "Bearer secret"},
        ).json()

    @classmethod
    def new_client(cls, key):
        return openai.OpenAI(base_url=f"http://127.0.0.1:{cls.service.port}/v1", api_key=key, max_retries=2)

    def test_models(self):
        self.assertEqual([model.id for model in self.client.models.list()], ["model"])
        self.assertEqual(self.client.models.retrieve("model").object, "model")

    def test_whole(self):
        answer = self.client.chat.completions.create(
            model="model", messages=QUESTION, logprobs=True, top_logprobs=2, temperature=0, seed=1, user="me"
        )
        choice, right = answer.choices[0], self.plain["choices"][0]
        self.assertEqual(choice.message.content, right["message"]["content"])
        self.assertEqual(choice.finish_reason, "stop")
        self.assertEqual(choice.message.detections, right["message"]["detections"])
        self.assertEqual(
            [(token.token, token.logprob) for token in choice.logprobs.content],
            [(token["token"], token["logprob"]) for token in right["logprobs"]["content"]],
        )
        self.assertEqual(answer.usage.model_dump(exclude_none=True), self.plain["usage"])

    def test_stream(self):
        with self.client.chat.completions.create(
            model="model", messages=QUESTION, stream=True, logprobs=True, stream_options={"include_usage": True}
        ) as stream:
            chunks = list(stream)
        choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
        right = self.plain["choices"][0]
        self.assertEqual("".join(choice.delta.content or "" for choice in choices), right["message"]["content"])
        tokens = [token for choice in choices if choice.logprobs for token in choice.logprobs.content]
        self.assertEqual(len(tokens), len(right["logprobs"]["content"]))
        self.assertEqual(chunks[-1].usage.completion_tokens, self.plain["usage"]["completion_tokens"])
        self.assertEqual([choice.finish_reason for choice in choices if choice.finish_reason], ["stop"])
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)

    def test_extensions(self):
        answer = self.client.chat.completions.create(
            model="model", messages=user("caption en", data_uri(PICTURES / "shapes.png")),
            extra_body={"detections": True, "top_k": 5}, temperature=1.0, n=2, stop="and", max_completion_tokens=9,
        )  # fmt: skip
        self.assertEqual([choice.message.detections for choice in answer.choices], [[], []])

    def test_errors(self):
        create = self.client.chat.completions.create
        with self.assertRaises(openai.BadRequestError) as caught:
            create(model="model", messages=QUESTION, temperature=3)
        self.assertEqual(caught.exception.param, "temperature")
        with self.assertRaises(openai.NotFoundError) as caught:
            create(model="gpt", messages=QUESTION)
        self.assertEqual(caught.exception.code, "model_not_found")
        with self.assertRaises(openai.BadRequestError):
            create(model="model", messages=QUESTION, tools=[{"type": "function", "function": {"name": "f"}}])
        with self.new_client("wrong") as stranger, self.assertRaises(openai.AuthenticationError):
            stranger.models.list()

    def test_leaving_a_stream(self):
        stream = self.client.chat.completions.create(
            model="model", messages=QUESTION, stream=True, logit_bias={"1": -100}, max_tokens=1000
        )
        next(iter(stream))
        stream.close()
        self.test_whole()


if __name__ == "__main__":
    unittest.main()
