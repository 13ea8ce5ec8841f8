#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# test_cpp.sh: paligemma.hpp through the installed library. cpp/wrapper.cpp and cpp/quantized.cpp call all of it,
# cpp/many.cpp from many threads and a thousand times, and the programs of examples/cpp give the tokens of the command. PALI_CC names the
# compiler the library is built with: a sanitizer's runtime must be the same.
set -eu
source=${PALI_SOURCE:?} scratch=${PALI_TEST_SCRATCH:?} command=${PALI_COMMAND:?}
sanitize=${PALI_SANITIZE-}
skip() { echo "SKIPPED: $1"; exit 77; }

case $("${PALI_CC:-cc}" --version | head -n 1) in
*clang*) cxx=clang++ ;;
*) cxx=g++ ;;
esac
command -v "$cxx" >/dev/null 2>&1 || skip "$cxx is not installed"
flags="-O0 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
[ -z "$sanitize" ] || flags="$flags -fsanitize=$sanitize -fno-sanitize-recover=all -g"
package=$(pkg-config --cflags --libs paligemma)

# build STANDARD SOURCE PROGRAM
build() {
    # shellcheck disable=SC2086
    "$cxx" -std="$1" $flags "$source/$2" -o "$scratch/$3" $package -pthread
}
rm -rf "$scratch"/saved-*
build c++17 tests/bindings/cpp/wrapper.cpp wrapper
build c++17 tests/bindings/cpp/quantized.cpp quantized
build c++20 tests/bindings/cpp/many.cpp many
"$scratch/wrapper" "$source/tests/data"
"$scratch/quantized"
generations=1000
[ -z "$sanitize" ] || generations=200 # a sanitizer counts what is lost itself, and is slow
"$scratch/many" $generations

model=$source/examples/tiny/model picture=$source/examples/pictures/shapes.png
# same PROMPT PROGRAM [ARGUMENT…]: its standard output is the command's answer.
same() {
    prompt=$1
    shift
    expected=$("$command" generate -m "$model" -i "$picture" -p "$prompt" --max-new-tokens 60)
    got=$("$@")
    [ -n "$got" ] && [ "$got" = "$expected" ] || { echo "$*: \"$got\", the command says \"$expected\"" >&2; exit 1; }
    echo "$1: $got"
}
built=$(dirname "$(dirname "$command")")/examples # by CMake, which found a C++ compiler
for example in caption stream detect; do
    if [ -x "$built/${example}_cpp" ]; then
        ln -sf "$built/${example}_cpp" "$scratch/$example"
    else
        build c++17 "examples/cpp/$example.cpp" "$example"
    fi
done
same "caption en" "$scratch/caption" "$model" "$picture" "caption en"
same "caption en" "$scratch/stream" "$model" "$picture" "caption en"
"$scratch/detect" "$model" "$picture" circle "$scratch/boxes.png" >"$scratch/boxes.txt"
cat "$scratch/boxes.txt"
grep -q '^circle: [0-9 ]*$' "$scratch/boxes.txt" || { echo "detect found no circle" >&2; exit 1; }
cmp -s "$picture" "$scratch/boxes.png" && { echo "detect drew nothing" >&2; exit 1; }
if "$scratch/caption" /nonexistent "$picture" x 2>"$scratch/error"; then echo "no error for no model" >&2; exit 1; fi
grep -q /nonexistent "$scratch/error"
