# SPDX-License-Identifier: BSD-2-Clause
"""Threads, the GIL, cancelling, Ctrl-C, closing, memory."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import paligemma
from support import PICTURE, SANITIZED, TINY, model, processor, resident

ENDLESS = {"max_new_tokens": 20000, "eos_token_id": []}


class Running(unittest.TestCase):
    def test_another_thread_runs_meanwhile(self) -> None:
        """While one long pass runs, Python code of another thread goes on."""
        inputs = processor()([PICTURE] * 16, ["caption en"] * 16)
        ticks: list[float] = []
        done = threading.Event()

        def tick() -> None:
            while not done.is_set():
                ticks.append(time.monotonic())
                time.sleep(0.0005)

        thread = threading.Thread(target=tick)
        thread.start()
        begin = time.monotonic()
        model().get_image_features(inputs.pixel_values).close()
        end = time.monotonic()
        done.set()
        thread.join()
        inside = [at for at in ticks if begin < at < end]
        # With the GIL held it could only run in the callbacks between the five layers.
        self.assertGreater(len(inside), 20, f"{len(inside)} ticks in {end - begin:.3f} s")

    def test_many_threads_one_model(self) -> None:
        prompts = ["caption en", "detect circle", "answer en how many shapes are there?"]
        want = {prompt: model().generate(**processor()(PICTURE, prompt)).tolist() for prompt in prompts}

        def answer(number: int) -> bool:
            prompt = prompts[number % 3]
            return model().generate(**processor()(PICTURE, prompt)).tolist() == want[prompt]

        with ThreadPoolExecutor(8) as pool:
            self.assertTrue(all(pool.map(answer, range(48))))

    def test_cancel(self) -> None:
        event = threading.Event()
        threading.Timer(0.2, event.set).start()
        begin = time.monotonic()
        with self.assertRaises(paligemma.CancelledError):
            model().generate(**processor()(PICTURE, "caption en"), **ENDLESS, cancel=event)
        self.assertLess(time.monotonic() - begin, 20)
        with self.assertRaises(paligemma.CancelledError):
            paligemma.PaliGemmaForConditionalGeneration.from_pretrained(TINY, dtype="float32", cancel=event)

    def test_callback_that_raises_or_stops(self) -> None:
        inputs = processor()(PICTURE, "caption en")

        def fail(token: paligemma.Token) -> None:
            raise LookupError(token.text)

        with self.assertRaisesRegex(LookupError, "a"):
            model().generate(**inputs, on_token=fail)
        got = model().generate(**inputs, on_token=lambda token: token.text == " square", return_dict_in_generate=True)
        self.assertEqual((got.texts, got.finish_reasons), (["a blue square"], ["cancelled"]))

    def test_ctrl_c(self) -> None:
        """SIGINT ends an endless generation with KeyboardInterrupt; the model answers afterwards as before."""
        program = f"""
import os, signal, sys, threading, time
sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
from support import *
inputs = processor()(PICTURE, "caption en")
want = model().generate(**inputs).tolist()
for _ in range(5):
    threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGINT)).start()
    begin = time.monotonic()
    try:
        model().generate(**inputs, max_new_tokens=20000, eos_token_id=[])
        sys.exit("it was not interrupted")
    except KeyboardInterrupt:
        print(round(time.monotonic() - begin - 0.15, 3))
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
assert model().generate(**inputs).tolist() == want
print("usable")
"""
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False
        )
        lines = done.stdout.decode().split()
        self.assertEqual((done.returncode, lines[-1:]), (0, ["usable"]), done.stdout.decode())
        self.assertLess(max(map(float, lines[:-1])), 20)

    def test_close(self) -> None:
        own = paligemma.PaliGemmaForConditionalGeneration.from_pretrained(TINY)
        features = own.get_image_features(processor()(PICTURE, "caption en").pixel_values)
        cache = paligemma.Cache.create(own)
        array = features.array
        own.close()
        own.close()
        self.assertTrue(own.closed)
        with self.assertRaises(paligemma.ClosedError):
            own.generate(**processor()(PICTURE, "caption en"))
        features.close()
        cache.close()
        self.assertTrue(np.isfinite(array).all())  # the array keeps what it looks into
        with self.assertRaises(paligemma.ClosedError):
            len(cache)

    def test_close_while_in_use(self) -> None:
        own = paligemma.PaliGemmaForConditionalGeneration.from_pretrained(TINY)
        started = threading.Event()
        inputs = processor()(PICTURE, "caption en")
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(
                own.generate, **inputs, max_new_tokens=300, eos_token_id=[], on_token=lambda _: started.set()
            )
            started.wait()
            own.close()
            self.assertEqual(running.result().shape[1], inputs.input_ids.shape[1] + 300)
        self.assertTrue(own.closed)

    def test_a_cache_belongs_to_one_call(self) -> None:
        cache = paligemma.Cache.create(model())
        inputs = processor()(PICTURE, "caption en")

        def again(_: paligemma.Token) -> None:
            model().generate(**inputs, cache=cache)

        with self.assertRaises(paligemma.BusyError):
            model().generate(**inputs, cache=cache, on_token=again)

    def test_memory_is_constant(self) -> None:
        """1,000 generations, with streams, failures, arrays and forward passes among them, leave nothing behind."""
        inputs = processor()(PICTURE, "caption en", return_tensors="np")

        def some(count: int) -> None:
            for number in range(count):
                output = model().generate(
                    **inputs,
                    max_new_tokens=2,
                    on_token=lambda token: None,
                    output_logprobs=True,
                    return_dict_in_generate=True,
                )
                self.assertEqual(output.texts, ["a blue"])
                if number % 10 == 0:
                    processor()(PICTURE, "detect circle", suffix="none")
                    model()(**inputs).logits.sum()
                    list(model().stream(**inputs, max_new_tokens=2))
                    with self.assertRaises(paligemma.PaliGemmaError):
                        model().generate(**inputs, num_beams=-4)
            gc.collect()

        some(100)
        before = resident()
        some(1000)
        grown = resident() - before
        print(f"1,000 generations: {grown / 1024:+.0f} KiB resident")
        # The sanitizer keeps freed memory in quarantine.
        self.assertLess(grown, (256 if SANITIZED else 4) << 20)

    def test_fork(self) -> None:
        """A child that loads its own model works, whatever the parent has done before."""
        model().generate(**processor()(PICTURE, "caption en"), max_new_tokens=2)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                own = paligemma.PaliGemmaForConditionalGeneration.from_pretrained(TINY, threads=1)
                answer = own.generate(**processor()(PICTURE, "caption en"), max_new_tokens=2)
                status = 0 if processor().decode(answer[0], skip_special_tokens=True) == "caption en\na blue" else 2
            finally:
                os._exit(status)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                self.assertEqual(os.waitstatus_to_exitcode(status), 0)
                return
            time.sleep(0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self.fail("the child hangs")


if __name__ == "__main__":
    unittest.main()
