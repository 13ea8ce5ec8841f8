# SPDX-License-Identifier: BSD-2-Clause
"""The tensors of a bfloat16 checkpoint as NumPy arrays over the mapped files, for the scripts beside this one that
write the files of other programs. NumPy has no bfloat16: such a tensor is an array of uint16, its bits."""
import json

import numpy

TYPES = {"BF16": numpy.uint16, "F32": numpy.float32}


def file_arrays(path):
    """The tensors of one safetensors file by name, nothing read but the header."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    data = numpy.memmap(path, numpy.uint8, "r", offset=8 + size)
    return {name: data[slice(*entry["data_offsets"])].view(TYPES[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in header.items()}


def checkpoint_arrays(directory):
    """config.json and all tensors of a checkpoint, in one file or in shards."""
    config = json.loads((directory / "config.json").read_text())
    arrays = {}
    for path in sorted(directory.glob("*.safetensors")):
        arrays.update(file_arrays(path))
    return config, arrays


def float32(array):
    """The same values as float32."""
    if array.dtype == numpy.uint16:
        return (array.astype(numpy.uint32) << 16).view(numpy.float32)
    return array.astype(numpy.float32)


def bfloat16_bits(array):
    """The bits of the values in bfloat16; only of what is bfloat16 already: nothing is rounded."""
    if array.dtype != numpy.uint16:
        raise SystemExit("only checkpoints in bfloat16 can be converted")
    return array
