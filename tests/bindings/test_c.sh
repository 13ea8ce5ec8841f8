#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# test_c.sh: the programs of examples/c, built against the installed library by CMake and by hand, say what the command
# says; and a program's memory stays what it is over 1,000 generations.
set -u
source=${PALI_SOURCE:?} scratch=${PALI_TEST_SCRATCH:?} command=${PALI_COMMAND:?} cc=${PALI_CC:-cc}
sanitize=${PALI_SANITIZE:-}
model=$source/examples/tiny/model pictures=$source/examples/pictures set=$source/tests/data/tiny
command -v cmake >/dev/null && command -v pkg-config >/dev/null || { echo "skipped: cmake or pkg-config is missing"; exit 77; }
checks=0 failures=0
fail() { failures=$((failures + 1)); echo "failed: $*" >&2; }
same() { # FILE OTHER WHAT
    checks=$((checks + 1))
    cmp -s "$1" "$2" || { fail "$3"; diff "$1" "$2" | head -n 6 >&2; }
}
expect() { # STATUS command…: output and messages are kept
    status=$1
    shift
    checks=$((checks + 1))
    "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    got=$?
    [ $got -eq "$status" ] || { fail "exit status $got instead of $status: $*"; cat "$scratch/err" >&2; }
}
ask() { "$command" generate -m "$model" -i "$1" -p "$2" --max-new-tokens "${3:-20}" || fail "the command: $1, $2"; }

# ---- by CMake, as a project of its own
flags="-Wall -Wextra -Werror"
[ -z "$sanitize" ] || flags="$flags -fsanitize=$sanitize -fno-sanitize-recover=all"
rm -rf "$scratch/build"
cmake -S "$source/examples" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$PALI_PREFIX" -DPALIGEMMA_BUILD_CLI=OFF \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$flags" >"$scratch/cmake.log" 2>&1 &&
    cmake --build "$scratch/build" >>"$scratch/cmake.log" 2>&1 || { cat "$scratch/cmake.log" >&2; exit 1; }
bin=$scratch/build/examples

# ---- caption
ask "$pictures/shapes.jpg" "caption en" >"$scratch/expected"
expect 0 "$bin/caption" "$model" "$pictures/shapes.jpg"
same "$scratch/expected" "$scratch/out" "caption says something else than the command"
expect 2 "$bin/caption"
expect 1 "$bin/caption" "$scratch/no-such-model" "$pictures/shapes.jpg"
grep -q no-such-model "$scratch/err" || fail "caption does not say what is missing"

# ---- converse: questions as they are, and through a chat template
printf '%s\n' "caption en" "" "answer en how many shapes are there?" "detect blue square" >"$scratch/questions"
grep . "$scratch/questions" | while read -r question; do ask "$pictures/shapes.png" "$question" 100; done >"$scratch/expected"
checks=$((checks + 2))
"$bin/converse" "$model" "$pictures/shapes.png" <"$scratch/questions" >"$scratch/out" || fail "converse"
same "$scratch/expected" "$scratch/out" "converse says something else than the command"
rm -rf "$scratch/chat"
cp -r "$model" "$scratch/chat"
printf '%s' "{% for message in messages %}{% for part in message.content %}{% if part.type == 'image' %}<image>" \
    "{% else %}{{ part.text | lower }}{% endif %}{% endfor %}{% endfor %}" >"$scratch/chat/chat_template.jinja"
printf '%s\n' '[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "CAPTION en \"\\"}]}]' \
    >"$scratch/messages.json"
"$command" generate -m "$scratch/chat" -i "$pictures/shapes.png" --messages "$scratch/messages.json" \
    --max-new-tokens 100 >"$scratch/expected" || fail "the command with messages"
printf '%s\n' 'CAPTION en "\' | "$bin/converse" "$scratch/chat" "$pictures/shapes.png" >"$scratch/out" || fail "converse in a chat"
same "$scratch/expected" "$scratch/out" "converse says something else in a chat than the command"
echo "caption en" | "$bin/converse" "$scratch/chat" "$scratch/none.png" >"$scratch/out" 2>&1 && fail "no picture, no failure"

# ---- folder
rm -rf "$scratch/pictures"
mkdir "$scratch/pictures"
for name in 00.png 01.jpg 02.png 03.jpg 04.png; do cp "$set/$name" "$scratch/pictures/"; done
for picture in "$scratch"/pictures/*; do
    printf '%s\t%s\n' "$(basename "$picture")" "$(ask "$picture" "caption en")"
done >"$scratch/expected"
expect 0 "$bin/folder" "$model" "$scratch/pictures" "caption en" 2
same "$scratch/expected" "$scratch/out" "folder says something else than the command"
tr '\r' '\n' <"$scratch/err" | grep -qx "4 of 5 pictures" || fail "folder shows no progress"
echo nonsense >"$scratch/pictures/02a.png"
expect 1 "$bin/folder" "$model" "$scratch/pictures" "caption en"
same "$scratch/expected" "$scratch/out" "folder says something else beside a damaged picture"
grep -q 02a.png "$scratch/err" || fail "folder does not name the damaged picture"
expect 2 "$bin/folder" "$model" "$scratch/pictures" "caption en" 0

# ---- detect
"$command" generate -m "$model" -i "$pictures/shapes.png" -p "detect blue square ; red triangle" --max-new-tokens 200 \
    --draw "$scratch/expected.png" --detections "$scratch/expected.json" >"$scratch/text" || fail "the command detecting"
expect 0 "$bin/detect" "$model" "$pictures/shapes.png" "blue square ; red triangle" "$scratch/drawn.png"
same "$scratch/expected.png" "$scratch/drawn.png" "detect draws something else than the command"
cut -f 1 "$scratch/out" >"$scratch/labels"
printf '%s\n' "blue square" "red triangle" >"$scratch/expected"
same "$scratch/expected" "$scratch/labels" "detect prints other labels"
expect 1 "$bin/detect" "$model" "$pictures/shapes.png" "blue square" "$scratch/no/such/folder.png"

# ---- workers
set -- "$set"/0?.???
for picture in "$@"; do printf '%s\t%s\n' "$picture" "$(ask "$picture" "caption en")"; done >"$scratch/expected"
expect 0 "$bin/workers" "$model" 6 "caption en" "$@"
same "$scratch/expected" "$scratch/out" "workers say something else than the command"
expect 1 "$bin/workers" "$model" 2 "caption en" "$1" "$scratch/none.png"
grep -q "none.png.*cannot open" "$scratch/out" || fail "workers do not say which picture is missing"

# ---- by hand, and what stays in memory
# shellcheck disable=SC2046,SC2086
"$cc" -std=c11 -D_POSIX_C_SOURCE=200809L $flags "$source/tests/bindings/steady_memory.c" -o "$scratch/steady_memory" \
    $(pkg-config --cflags --libs paligemma) || fail "pkg-config"
case $sanitize in
*thread*) generations=40 limit=1000000 ;; # the sanitizer remembers every access: its memory says nothing
*address*) generations=1000 limit=2048 ;;
*) generations=1000 limit=512 ;;
esac
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1 \
    expect 0 "$scratch/steady_memory" "$model" "$set/02.png" $generations $limit
cat "$scratch/out"
[ "$generations" = 1000 ] || echo "with the thread sanitizer: $generations generations, memory not looked at"

echo "test_c: $checks checks, $failures failed"
[ $failures -eq 0 ]
