#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check.sh LIBRARY HEADER_DIR: the library's ABI is the recorded one, SONAME.abi beside this script. Fails on a change to
# anything that was recorded, and on an addition that was not. LIBRARY is "" where no build with -g was made.
set -u
library=$1 headers=$2
here=$(dirname "$0")
scratch=${PALI_TEST_SCRATCH:?}

if [ -z "$library" ] || ! command -v abidw >/dev/null 2>&1 || ! command -v abidiff >/dev/null 2>&1; then
    echo "SKIPPED: abidw and abidiff (Debian: abigail-tools) were not there when the build was configured"
    exit 77
fi
soname=$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
record=$here/$soname.abi
[ -f "$record" ] || { echo "$soname has no record: sh tests/api/abi/record.sh BUILD_DIR" >&2; exit 1; }
sh "$here/dump.sh" "$library" "$headers" "$scratch/now.abi" || exit 1
functions=$(grep -c "<elf-symbol name='pali_" "$scratch/now.abi")
[ "$functions" -ge 150 ] || { echo "only $functions functions were found in $library" >&2; exit 1; }

if ! abidiff --harmless --no-added-syms "$record" "$scratch/now.abi" >"$scratch/changes"; then
    cat "$scratch/changes" >&2
    echo "What programs are built against has changed (above, seen from $record): see docs/abi.md" >&2
    exit 1
fi
if ! abidiff --harmless "$record" "$scratch/now.abi" >"$scratch/additions"; then
    cat "$scratch/additions" >&2
    echo "The additions above are not recorded: sh tests/api/abi/record.sh BUILD_DIR, and commit the record" >&2
    exit 1
fi
echo "$functions functions of $soname are as recorded"
