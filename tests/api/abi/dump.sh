#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# dump.sh LIBRARY HEADER_DIR OUT: the ABI of LIBRARY, built with -g, as abidw describes it: exported functions and the
# types in HEADER_DIR, without anything that depends on where and by whom it was built.
set -eu
abidw --headers-dir "$2" --drop-private-types --exported-interfaces-only --drop-undefined-syms --no-corpus-path \
    --no-show-locs --no-comp-dir-path --no-elf-needed --no-architecture --no-parameter-names --no-write-default-sizes \
    --out-file "$3.full" "$1"
sed "s/path='[^']*\/lib\//path='lib\//" "$3.full" >"$3" # abidw names sources by where they were built
rm -f "$3.full"
