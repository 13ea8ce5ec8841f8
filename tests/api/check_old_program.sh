#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check_old_program.sh PROGRAM COMMAND: a program built against older headers gives the answer that today's command gives.
set -eu
program=$1 command=$2
examples=${PALI_TEST_EXAMPLES:?} scratch=${PALI_TEST_SCRATCH:?}
model=$examples/tiny/model picture=$examples/pictures/shapes.png

for prompt in "caption en" "detect circle"; do
    "$program" "$model" "$picture" "$prompt" >"$scratch/old"
    "$command" generate -m "$model" -i "$picture" -p "$prompt" --dtype float32 --max-new-tokens 60 --json \
        >"$scratch/answer.json"
    sed -n 's/.*"token_ids": \[\([^]]*\)\].*/\1/p' "$scratch/answer.json" | tr -d , >"$scratch/today"
    [ -s "$scratch/today" ] || { cat "$scratch/answer.json" >&2; exit 1; }
    head -n 1 "$scratch/old" | diff - "$scratch/today" || { echo "other tokens for $prompt" >&2; exit 1; }
    tail -n 1 "$scratch/old"
done
