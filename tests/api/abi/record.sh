#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# record.sh BUILD_DIR [--reserved-space]: records the ABI of the library in BUILD_DIR as SONAME.abi beside this script.
# Additions may be recorded at any time. A struct that has grown, or uses reserved space, only with --reserved-space,
# and only where the layout that older headers promise holds. A function that has gone, never: that is a new SONAME.
set -eu
build=$1 allowed=${2-}
here=$(cd "$(dirname "$0")" && pwd)
headers=$here/../../../include/paligemma
library=$build/lib/abi/libpaligemma.so
[ -f "$library" ] || { echo "$library is not there: install abigail-tools, run cmake and build again" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
soname=$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
sh "$here/dump.sh" "$library" "$headers" "$scratch/now.abi"

if [ -f "$here/$soname.abi" ]; then
    status=0
    abidiff --harmless --no-added-syms "$here/$soname.abi" "$scratch/now.abi" >"$scratch/changes" || status=$?
    cat "$scratch/changes"
    if [ $((status & 8)) -ne 0 ]; then
        echo "not recorded: this breaks programs. Bump PALIGEMMA_SOVERSION in CMakeLists.txt first" >&2
        exit 1
    fi
    if [ "$status" -ne 0 ]; then
        [ "$allowed" = --reserved-space ] || { echo "not recorded: see docs/abi.md about --reserved-space" >&2; exit 1; }
        for old in "$here"/../old_headers/*/; do
            PALI_TEST_SCRATCH=$scratch sh "$here/../check_layout.sh" "$old" "$headers/.." "${CC:-cc}"
        done
    fi
fi
cp "$scratch/now.abi" "$here/$soname.abi"
echo "recorded $soname.abi"
