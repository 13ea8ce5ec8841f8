# SPDX-License-Identifier: BSD-2-Clause
"""The shared library and PyTorch in one process: same tokens as alone, and PyTorch computes what it did before.

    beside_torch.py torch|paligemma LIBRARY CHECKPOINT PICTURE ANSWER.json      (which of the two is loaded first)
"""
import ctypes
import json
import sys
import threading

first, library_path, checkpoint, picture, answer_path = sys.argv[1:]


def load_library():
    library = ctypes.CDLL(library_path)
    library.pali_error_message.restype = ctypes.c_char_p
    library.pali_generation_token_ids.restype = ctypes.POINTER(ctypes.c_int64)
    library.pali_generation_token_ids.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.POINTER(ctypes.c_size_t)]
    return library


if first == "paligemma":
    library = load_library()
    import torch
else:
    import torch
    library = load_library()


def call(function, *arguments):
    """A function whose first parameter is what comes out and whose last is the error."""
    out, error = ctypes.c_void_p(), ctypes.c_void_p()
    status = function(ctypes.byref(out), *arguments, ctypes.byref(error))
    if status:
        raise RuntimeError(library.pali_error_message(error).decode())
    return out


def answer():
    """The tokens of one answer."""
    model = call(library.pali_model_load, checkpoint.encode(), None)
    processor = call(library.pali_processor_load, checkpoint.encode(), None)
    image = call(library.pali_image_open, picture.encode(), None)
    inputs = call(library.pali_processor_apply, processor, ctypes.byref(image), ctypes.c_size_t(1), b"caption en", None)
    generation = call(library.pali_generate, model, inputs, None)
    n = ctypes.c_size_t()
    ids = library.pali_generation_token_ids(generation, 0, ctypes.byref(n))
    tokens = ids[: n.value]
    for end, handle in (
        (library.pali_generation_free, generation),
        (library.pali_inputs_free, inputs),
        (library.pali_image_free, image),
        (library.pali_processor_free, processor),
        (library.pali_model_free, model),
    ):
        end(handle)
    return tokens


def torch_work():
    """Both of PyTorch's ways to oneDNN and OpenMP: a large product and a convolution, forwards and backwards."""
    torch.manual_seed(0)
    a = torch.randn(256, 256, requires_grad=True)
    layer = torch.nn.Conv2d(3, 8, 3)
    value = (a @ a).tanh().sum() + layer(torch.ones(1, 3, 64, 64)).sum()
    value.backward()
    bfloat16 = (torch.ones(64, 64, dtype=torch.bfloat16) @ torch.ones(64, 64, dtype=torch.bfloat16)).sum()
    return value.item(), a.grad.sum().item(), bfloat16.item()


with open(answer_path, encoding="utf-8") as file:
    expected = json.load(file)["token_ids"]
before = torch_work()
assert answer() == expected, "other tokens than alone"
assert torch_work() == before, "PyTorch computes something else beside the library"

found = []
threads = [threading.Thread(target=lambda: found.append(answer())) for _ in range(2)]
for thread in threads:
    thread.start()
during = torch_work()
for thread in threads:
    thread.join()
assert found == [expected, expected], "other tokens while PyTorch computes"
assert during == before, "PyTorch computes something else while the library answers"
print(f"torch {torch.__version__}, {first} loaded first: same tokens, same numbers")
