# SPDX-License-Identifier: BSD-2-Clause
"""The declarations of this package against the C headers: a header that changes must fail here."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from typing import Any, Dict, Tuple

from paligemma import _functions, _library, _structs, errors
from paligemma._arrays import BFLOAT16, BOOL, FLOAT32, INT8
from paligemma.quantization import PARTS, SCHEMES
from support import ROOT, SCRATCH

HEADERS = os.path.join(ROOT, "include", "paligemma")

#: What the package leaves to C: a process-wide allocator makes no sense under an interpreter.
LEFT_OUT = {"pali_set_allocator"}
CONSTANTS = {
    "PALI_ERROR_ARGUMENT": errors.ArgumentError.status,
    "PALI_ERROR_INTERNAL": errors.InternalError.status,
    "PALI_ERROR_CANCELLED": errors.CancelledError.status,
    "PALI_FLOAT32": FLOAT32,
    "PALI_BFLOAT16": BFLOAT16,
    "PALI_BOOL": BOOL,
    "PALI_INT8": INT8,
    "PALI_MAX_RANK": _structs.MAX_RANK,
    "PALI_PADDING_RIGHT": 1,
    "PALI_ALPHA_WHITE": 1,
    "PALI_RESAMPLE_TORCHVISION": 1,
    "PALI_RESAMPLE_PILLOW_12": 2,
    "PALI_FINISH_EOS": 1,
    "PALI_FINISH_LENGTH": 2,
    "PALI_FINISH_CANCELLED": 3,
    "PALI_FINISH_STOP_STRING": 4,
    "PALI_FINISH_CONSTRAINT": 5,
    "PALI_POOLING_MEAN": 1,
    "PALI_SEGMENT_SOFT": 1,
    "PALI_NAMES_TRANSFORMERS_4": 1,
    "PALI_NAMES_MODULES_5": 4,
    "PALI_DIFFERENCE_MISSING_B": 4,
    "PALI_INT8_WEIGHT_ONLY": SCHEMES["int8_weight_only"],
    "PALI_INT4_WEIGHT_ONLY": SCHEMES["int4_weight_only"],
    "PALI_INT8_DYNAMIC": SCHEMES["int8_dynamic_activation_int8_weight"],
    "PALI_QUANTIZE_DECODER": PARTS["decoder"],
    "PALI_QUANTIZE_VISION": PARTS["vision"],
    "PALI_QUANTIZE_PROJECTOR": PARTS["projector"],
    "PALI_QUANTIZE_HEAD": PARTS["head"],
    "PALI_VERSION_MAJOR": _library.INTERFACE[0],
    "PALI_VERSION_MINOR": _library.INTERFACE[1],
}


def source_of_headers() -> str:
    text = ""
    for name in sorted(os.listdir(HEADERS)):
        with open(os.path.join(HEADERS, name), encoding="utf-8") as file:
            text += re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    return text


def c_program() -> str:
    """Prints a line for each field: struct, field, offset, size; for each default; for each constant."""
    lines = ["#include <paligemma/paligemma.h>", "#include <stddef.h>", "#include <stdio.h>", "int main(void)", "{"]
    for struct, name in _structs.C_NAMES.items():
        lines.append(f'    printf("{name} - 0 %zu\\n", sizeof({name}));')
        for field, _ in struct._fields_:
            lines.append(
                f'    printf("{name} {field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));'
            )
    lines += [f'    printf("constant {name} %lld 0\\n", (long long){name});' for name in CONSTANTS]
    return "\n".join([*lines, "    return 0;", "}", ""])


class Layout(unittest.TestCase):
    def test_structs(self) -> None:
        compiler = shutil.which(os.environ.get("CC", "cc"))
        if compiler is None:
            self.skipTest("no C compiler")
        expected: Dict[Tuple[str, str], Tuple[int, int]] = {}
        for struct, name in _structs.C_NAMES.items():
            expected[name, "-"] = (0, ctypes.sizeof(struct))
            for field, _ in struct._fields_:
                place = getattr(struct, field)
                expected[name, field] = (place.offset, place.size)
        for name, value in CONSTANTS.items():
            expected["constant", name] = (value, 0)
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
            path = os.path.join(folder, "layout")
            with open(path + ".c", "w", encoding="utf-8") as file:
                file.write(c_program())
            build = [compiler, "-std=c11", "-I" + os.path.dirname(HEADERS), path + ".c", "-o", path]
            subprocess.run(build, check=True, env=environment)
            printed = subprocess.run([path], check=True, stdout=subprocess.PIPE, env=environment).stdout.decode()
        found = {(a, b): (int(c), int(d)) for a, b, c, d in (line.split() for line in printed.splitlines())}
        self.assertEqual(found, expected)

    def test_every_struct_and_field_is_declared(self) -> None:
        source = source_of_headers()
        bodies = dict((name, body) for body, name in re.findall(r"typedef struct \w+ \{([^}]*)\} (pali_\w+);", source))
        bodies.pop("pali_allocator")
        self.assertEqual(set(bodies), set(_structs.C_NAMES.values()))
        for struct, name in _structs.C_NAMES.items():
            statements = [statement.strip() for statement in bodies[name].split(";") if statement.strip()]
            declared = [
                field for statement in statements for field in re.findall(r"(\w+)(?:\[\w+\])?\s*(?=,|$)", statement)
            ]
            self.assertEqual([field for field, _ in struct._fields_], declared, name)

    def test_defaults_are_the_library_s(self) -> None:
        for struct, name in _structs.C_NAMES.items():
            if not issubclass(struct, _structs.Sized):
                continue
            with self.subTest(name):
                # Room for a newer library's longer struct.
                memory = ctypes.create_string_buffer(b"\xff" * 4096)
                function = getattr(_library.lib, name + "_init")
                function(ctypes.cast(memory, ctypes.POINTER(struct)))
                ours = struct()
                self.assertEqual(memory.raw[: ctypes.sizeof(struct)], bytes(ours))

    def test_functions(self) -> None:
        """Every function of the headers is declared, with as many parameters, of the same kinds."""
        source = source_of_headers()
        enums = set(re.findall(r"typedef enum (\w+)", source))
        declarations = {
            name: (result, parameters)
            for result, name, parameters in re.findall(
                r"^PALI_API\s+([^;(]*?)\s*\b(pali_\w+)\(([^;]*)\);", source, re.M
            )
        }
        self.assertGreater(len(declarations), 150)
        self.assertEqual(set(declarations) - LEFT_OUT, set(_functions.FUNCTIONS))
        for name, (result, parameters) in _functions.FUNCTIONS.items():
            c_result, c_parameters = declarations[name]
            wanted = [] if c_parameters.strip() == "void" else [kind(p, enums) for p in c_parameters.split(",")]
            with self.subTest(name):
                self.assertEqual([python_kind(parameter) for parameter in parameters], wanted)
                self.assertEqual(python_kind(result), kind(c_result, enums, named=False))


SCALARS = {
    "int64_t": "int8", "int32_t": "int4", "int": "int4", "size_t": "int8", "uint8_t": "int1", "uint32_t": "int4",
    "double": "float8", "float": "float4", "char": "char",
}  # fmt: skip


def kind(declaration: str, enums: Any, named: bool = True) -> str:
    """A C type as "int8", "text", "object", "*int8", "*pali_tensor", …: what matters to the call."""
    text = re.sub(r"\b(const|struct)\b", " ", declaration).strip()
    if named:
        text = re.sub(r"\w+\s*\[\d*\]$", "*", text) if text.endswith("]") else re.sub(r"\w+$", "", text)
    base, stars = re.findall(r"\w+", text)[0], text.count("*")
    if base == "void":
        return "none" if stars == 0 else "*" * (stars - 1) + "object"
    if base == "char":
        return "*" * (stars - 1) + "text"
    if base in enums:
        return "*" * stars + "int4"
    if base in SCALARS:
        return "*" * stars + SCALARS[base]
    if base in _structs.C_NAMES.values():
        return "*" * stars + base
    return "*" * (stars - 1) + "object"


def python_kind(declared: Any) -> str:
    if declared is None:
        return "none"
    if declared is ctypes.c_void_p:
        return "object"
    if declared is ctypes.c_char_p:
        return "text"
    if declared in _structs.C_NAMES:
        return _structs.C_NAMES[declared]
    if hasattr(declared, "_type_") and not isinstance(declared._type_, str):
        return "*" + python_kind(declared._type_)
    return ("float" if declared._type_ in "fd" else "int") + str(ctypes.sizeof(declared))


if __name__ == "__main__":
    unittest.main()
