#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# quickstart.sh: installs what is missing (apt), builds the library and the command, and puts three prompts to the small
# model in examples/tiny/model about the pictures in examples/pictures. Every command is printed as it can be typed.
set -eu
cd "$(dirname "$0")/.."

run() {
    line='$'
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9_./=:-]* | '') line="$line \"$word\"" ;;
        *) line="$line $word" ;;
        esac
    done
    printf '%s\n' "$line"
    "$@"
}

# The same for what says much while it works: shown only when it fails.
run_quietly() {
    log=$(mktemp)
    if ! run "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        exit 1
    fi
    sed -n 1p "$log"
    rm -f "$log"
}

sh cmake/install-dependencies.sh

echo "== Build (a minute or two)"
run_quietly cmake -S . -B build -DCMAKE_BUILD_TYPE=Release -DPALIGEMMA_BUILD_TESTS=OFF
run_quietly cmake --build build --parallel "$(nproc 2>/dev/null || echo 2)"

model=examples/tiny/model
echo
echo "== A caption"
run build/bin/paligemma generate -m $model -i examples/pictures/shapes.png -p "caption en"
echo
echo "== A question and its answer"
run build/bin/paligemma generate -m $model -i examples/pictures/shapes.jpg -p "answer en how many shapes are there?"
echo
echo "== A detection, drawn into build/quickstart-detection.png"
run build/bin/paligemma generate -m $model -i examples/pictures/shapes.png -p "detect blue square ; red triangle" \
    --max-new-tokens 40 --draw build/quickstart-detection.png

cat <<'END'

== With a real checkpoint
The model above is a toy that knows coloured shapes. For a real one, accept its licence on its page
https://huggingface.co/google/paligemma2-3b-mix-224 once, then fetch it with the Hugging Face command-line tool
(pip install huggingface_hub), which puts it where paligemma finds it by its name:

$ hf auth login
$ hf download google/paligemma2-3b-mix-224
$ build/bin/paligemma generate -m google/paligemma2-3b-mix-224 -i PICTURE.jpg -p "caption en"

Any directory with a checkpoint's files (config.json, *.safetensors, tokenizer.json, preprocessor_config.json) does too:
-m DIR. See also: build/bin/paligemma --help
END
