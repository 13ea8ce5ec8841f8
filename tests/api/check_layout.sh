#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check_layout.sh OLD_INCLUDE NEW_INCLUDE CC: all that a program built against the old headers has compiled in is so in
# the new ones too: offsets and sizes of fields, values of enumerators and constants, sizes of structs. Those that begin
# with struct_size may have grown.
set -eu
old=$1 new=$2 cc=$3
here=$(dirname "$0")
scratch=${PALI_TEST_SCRATCH:?}

awk -f "$here/layout.awk" "$old"/paligemma/*.h >"$scratch/layout.c"
for age in old new; do
    eval include=\$$age
    # A name that the new headers lack does not compile, which says so.
    "$cc" -std=c11 -I"$include" "$scratch/layout.c" -o "$scratch/layout-$age"
    "$scratch/layout-$age" >"$scratch/$age.txt"
done
[ "$(grep -c '^field' "$scratch/old.txt")" -ge 200 ] || { echo "only few fields were found in $old" >&2; exit 1; }
structs=$(cat "$old"/paligemma/*.h | grep -c '^typedef struct pali_[a-z_]* {')
found=$(grep -cE '^(sized|fixed)' "$scratch/old.txt")
[ "$structs" -eq "$found" ] || { echo "$found of $structs structs were understood" >&2; exit 1; }

awk 'NR == FNR { was[$1 " " $2] = $0; next }
     !($1 " " $2 in was) || was[$1 " " $2] == $0 { next }
     { split(was[$1 " " $2], before, " ") }
     $1 == "sized" && $3 >= before[3] { next }
     { print "was: " was[$1 " " $2] "   is: " $0; failed = 1 }
     END { exit failed }' "$scratch/old.txt" "$scratch/new.txt" >&2 || {
    echo "a program built against $old would break on the above" >&2
    exit 1
}
echo "$(wc -l <"$scratch/old.txt") sizes, offsets and values are what they were"
