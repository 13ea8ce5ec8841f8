# SPDX-License-Identifier: BSD-2-Clause
"""Time the same work with this library and with other programs, in turn, and print one table with ratios and limits.

    python compare_peers.py --checkpoint pg2-3b [--command build/bin/paligemma]
        [--transformers PYTHON] [--dtypes bfloat16 float32]
        [--gemma-cpp gemma_cpp_bench MODEL.sbs]
        [--llama-cpp llama-bench MODEL.gguf] [--ik-llama-cpp llama-bench MODEL.gguf]
        [--rounds 2] [--runs 2] [--new-tokens 16] [--threads N] [--only NAME …] [--results FILE]

docs/peers.md says how the others are built and how their model files are made. Needs nothing but Python; PYTHON is one
that has Transformers. Every program gets one picture of equal pixels, the picture's tokens and four more, and makes the
same number of tokens greedily; llama.cpp and ik_llama.cpp have the decoder alone. Programs are processes of their own,
one at a time; a round runs each once, so that a change of the machine's speed meets all. Nothing else may run
meanwhile.

With --results, measurements are appended to FILE, one JSON object a line, and the table is made of all lines there: a
session can be cut into several calls (--only). --rounds 0 prints the table alone.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
OURS = "paligemma"
COLUMNS = [("image_s", "image, s"), ("prefill_s", "prefill, s"), ("both_s", "image + prefill, s"),
           ("decode_tokens_per_s", "decode, tokens/s")]


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=pathlib.Path, required=True)
    parser.add_argument("--command", default="build/bin/paligemma")
    parser.add_argument("--transformers", metavar="PYTHON")
    parser.add_argument("--dtypes", nargs="+", default=["bfloat16", "float32"], choices=["bfloat16", "float32"])
    for name in ("--gemma-cpp", "--llama-cpp", "--ik-llama-cpp"):
        parser.add_argument(name, nargs=2, metavar=("PROGRAM", "MODEL"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--runs", type=int, default=2, help="runs within a process (default 2)")
    parser.add_argument("--new-tokens", type=int, default=16)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", nargs="+", metavar="NAME", help="the programs to run, by their names in the table")
    parser.add_argument("--results", type=pathlib.Path)
    return parser.parse_args()


def output_of(command):
    """What a program prints; its complaints are shown if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{done.stderr[-2000:]}\n{command[0]} failed with status {done.returncode}")
    return done.stdout


def json_lines(text):
    """The lines of a program's output that are JSON objects."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def prompt_tokens(options):
    vision = json.loads((options.checkpoint / "config.json").read_text())["vision_config"]
    return (vision.get("image_size", 224) // vision["patch_size"]) ** 2 + 4


def run_ours(options):
    report = json.loads(output_of([
        options.command, "bench", "-m", options.checkpoint, "--dtype", "bfloat16", "--threads", options.threads,
        "--prompt-tokens", prompt_tokens(options), "--new-tokens", options.new_tokens, "--runs", options.runs,
        "--json"]))
    stages = ("image_s", "prefill_s", "decode_tokens_per_s")
    return [{**{stage: report[stage][which] for stage in stages},
             "limits": {stage: report[stage]["limit"] for stage in stages}, "machine": report["machine"]}
            for which in ("best", "median")]


def run_transformers(options, dtype):
    return json_lines(output_of([
        options.transformers, HERE / "time_transformers.py", "--dtype", dtype, "--runs", options.runs, "--new-tokens",
        options.new_tokens, "--threads", options.threads, options.checkpoint]))


def run_gemma_cpp(options):
    program, model = options.gemma_cpp
    return json_lines(output_of([program, "--weights", model, "--max_lps", options.threads, options.new_tokens,
                                 options.runs]))


def run_llama_bench(options, program, model, *extra):
    """Prefill and decode are tests apart here, each with a run to warm up; the answer begins without a prompt."""
    tokens = prompt_tokens(options)
    prefill, decode = json.loads(output_of([
        program, "-m", model, "-p", tokens, "-n", options.new_tokens, "-t", options.threads, "-r", options.runs,
        "-b", max(2048, tokens), "-ub", max(512, tokens), "-o", "json", *extra]))
    return [{"prefill_s": tokens / p, "decode_tokens_per_s": d}
            for p, d in zip(prefill["samples_ts"], decode["samples_ts"])]


def programs(options):
    """What to run, by name."""
    table = {OURS: lambda: run_ours(options)}
    if options.transformers:
        for dtype in options.dtypes:
            table[f"Transformers {dtype}"] = lambda dtype=dtype: run_transformers(options, dtype)
    if options.gemma_cpp:
        table["gemma.cpp"] = lambda: run_gemma_cpp(options)
    if options.llama_cpp:
        table["llama.cpp"] = lambda: run_llama_bench(options, *options.llama_cpp)
    if options.ik_llama_cpp:
        table["ik_llama.cpp"] = lambda: run_llama_bench(options, *options.ik_llama_cpp)
        table["ik_llama.cpp repacked"] = lambda: run_llama_bench(options, *options.ik_llama_cpp, "-rtr", "1")
    unknown = set(options.only or ()) - set(table)
    if unknown:
        sys.exit(f"no program {', '.join(sorted(unknown))}; there are {', '.join(table)}")
    return {name: run for name, run in table.items() if not options.only or name in options.only}


def measure(options, results):
    for number in range(options.rounds):
        for name, run in programs(options).items():
            start = time.monotonic()
            lines = [{"program": name, "checkpoint": options.checkpoint.name, **line} for line in run()]
            results += lines
            print(f"round {number + 1}, {name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
            if options.results:
                with open(options.results, "a") as file:
                    file.writelines(json.dumps(line) + "\n" for line in lines)


def is_rate(column):
    return column.endswith("_per_s")


def values_of(results, program, column):
    """All that was measured of a column; picture and prefill together are the sum of one run."""
    lines = [line for line in results if line["program"] == program]
    if column == "both_s":
        return [line["image_s"] + line["prefill_s"] for line in lines if "image_s" in line]
    return [line[column] for line in lines if column in line]


def cell(results, program, column):
    """Best, median, and how many times as fast we are."""
    values, ours = values_of(results, program, column), values_of(results, OURS, column)
    if not values:
        return "–"
    best = max if is_rate(column) else min
    text = f"{best(values):.2f} ({statistics.median(values):.2f})"
    if program == OURS or not ours:
        return text
    ratio = best(ours) / best(values) if is_rate(column) else best(values) / best(ours)
    return f"{text}, {ratio:.2f}×"


def limit_rows(results):
    """What the machine could do in its best minute, and our share of it."""
    lines = [line for line in results if "limits" in line]
    if not lines:
        return
    limits = {}
    for column, _ in COLUMNS:
        if column == "both_s":
            limits[column] = limits["image_s"] + limits["prefill_s"]
        else:
            limits[column] = (max if is_rate(column) else min)(line["limits"][column] for line in lines)
    yield "limit of the machine", [f"{limits[column]:.2f}" for column, _ in COLUMNS]
    shares = []
    for column, _ in COLUMNS:
        ours = values_of(results, OURS, column)
        share = max(ours) / limits[column] if is_rate(column) else limits[column] / min(ours)
        shares.append(f"{100 * share:.1f} %")
    yield "share that paligemma reaches", shares


def print_table(results):
    names = list(dict.fromkeys(line["program"] for line in results))
    names.sort(key=lambda name: name != OURS)
    print("best (median), and how many times as fast paligemma is\n")
    print("| | " + " | ".join(title for _, title in COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for name in names:
        print(f"| {name} | " + " | ".join(cell(results, name, column) for column, _ in COLUMNS) + " |")
    for name, cells in limit_rows(results):
        print(f"| {name} | " + " | ".join(cells) + " |")
    for machine in [line["machine"] for line in results if "machine" in line][-1:]:
        print(f"\n{machine['threads']} threads, {machine['instruction_set']}")
    for version in sorted({line["version"] for line in results if "version" in line}):
        print(version)


def main():
    options = parse_options()
    results = []
    if options.results and options.results.exists():
        results = [line for line in json_lines(options.results.read_text())
                   if line["checkpoint"] == options.checkpoint.name]
    measure(options, results)
    if not results:
        sys.exit("nothing was measured")
    print_table(results)


if __name__ == "__main__":
    main()
