#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check_symbols.sh HEADER_DIR MAP LIBRARY: what the headers declare with PALI_API, what the version script lists and
# what the library exports are the same names; each exported one carries a PALI_ version.
set -u
headers=$1 map=$2 library=$3
scratch=${PALI_TEST_SCRATCH:?}
LC_ALL=C
export LC_ALL

# Comments and preprocessor lines out, declarations to one line each; the name is the word before the first "(".
cat "$headers"/*.h | tr '\n' '\001' | sed 's|/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/||g' | tr '\001' '\n' | grep -v '^ *#' |
    tr '\n' ' ' | tr ';' '\n' | sed -n 's/.*PALI_API[^(]*[ *]\(pali_[a-z0-9_]*\) *(.*/\1/p' | sort -u >"$scratch/headers"
sed -n 's/^ *\(pali_[a-z0-9_]*\);.*/\1/p' "$map" | sort >"$scratch/map"
nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sort >"$scratch/exported"
sed 's/@.*//' "$scratch/exported" | sort -u >"$scratch/library"

failed=0
[ -s "$scratch/headers" ] || { echo "no declaration found in $headers" >&2; failed=1; }
for pair in "headers map" "map library"; do
    # shellcheck disable=SC2086
    set -- $pair
    if ! diff "$scratch/$1" "$scratch/$2" >"$scratch/difference"; then
        echo "$1 (<) and $2 (>) differ:" >&2
        grep '^[<>]' "$scratch/difference" >&2
        failed=1
    fi
done
if grep -v '@@PALI_[0-9]' "$scratch/exported"; then
    echo "the symbols above are exported without a version" >&2
    failed=1
fi
uniq -d "$scratch/map" | grep . && { echo "the names above stand in the map twice" >&2; failed=1; }
[ $failed -ne 0 ] || echo "$(wc -l <"$scratch/map") symbols agree"
exit $failed
