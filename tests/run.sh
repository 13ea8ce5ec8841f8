#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh: installs what is missing (apt), builds in Release with warnings as errors, runs every test; then all again
# under the address and undefined-behaviour sanitizers. PALIGEMMA_TEST_QUICK=1 leaves the second
# half out.
set -eu
cd "$(dirname "$0")/.."
quick=${PALIGEMMA_TEST_QUICK:-0}
jobs=$(nproc 2>/dev/null || echo 2)

sh cmake/install-dependencies.sh tests
generator="Unix Makefiles"
if command -v ninja >/dev/null 2>&1; then generator=Ninja; fi

summary=
failed=0
# build_and_test NAME FOLDER [cmake option…]
build_and_test() {
    name=$1 folder=$2
    shift 2
    echo "== $name: building in $folder"
    cmake -S . -B "$folder" -G "$generator" -DPALIGEMMA_WERROR=ON "$@"
    cmake --build "$folder" --parallel "$jobs"
    echo "== $name: testing"
    log=$folder/ctest.log
    if (cd "$folder" && ctest --output-on-failure --parallel "$jobs" 2>&1; echo $? >ctest.status) | tee "$log"; then :; fi
    [ "$(cat "$folder/ctest.status")" = 0 ] || failed=1
    skipped=$(grep -c 'Skipped *[0-9.]* sec' "$log" || true)
    summary="$summary
$name: $(grep 'tests passed' "$log" || echo 'no result'), $skipped skipped, $(grep 'Total Test time' "$log" || true)
$(sh tests/skipped.sh "$folder" "$log")"
}

build_and_test Release build-test -DCMAKE_BUILD_TYPE=Release
if [ "$quick" = 1 ]; then
    summary="$summary
Sanitizers: left out, as PALIGEMMA_TEST_QUICK=1 asks"
elif [ ! -r /proc/self/maps ]; then
    summary="$summary
Sanitizers: NOT RUN: they need /proc, which is not mounted here (mount -t proc proc /proc)"
else
    build_and_test Sanitizers build-sanitize -DCMAKE_BUILD_TYPE=Release -DPALIGEMMA_SANITIZE=address,undefined
fi

echo
echo "== tests/run.sh: summary$summary"
exit $failed
