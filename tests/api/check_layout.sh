#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check_layout.sh OLD_INCLUDE NEW_INCLUDE CC: all that a program built against the old headers has compiled in is so in
# the new ones too: offsets and sizes of fields, values of enumerators and constants, sizes of structs, and the bytes of
# every _INIT. Structs that begin with struct_size may have grown, which is all that struct_size itself may say.
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

# Defaults: today's _INIT over the bytes of the old struct. Pointers in them are NULL, so that bytes can be compared.
cat "$old"/paligemma/*.h | sed -n 's/^#define \(PALI_[A-Z0-9_]*\)_INIT\([ \\].*\)*$/\1/p' >"$scratch/macros"
sed -n 's/^    X(\(pali_[a-z0-9_]*\), \(PALI_[A-Z0-9_]*\)).*/\1 \2/p' "$here/struct_list.h" >"$scratch/list"
awk 'BEGIN {
         print "#include <paligemma/paligemma.h>\n#include <stdio.h>"
         print "static void bytes(const char *type, const void *init, size_t size)\n{"
         print "    for (size_t i = sizeof(size_t); i < size; i++)"
         print "        printf(\"%s %zu %d\\n\", type, i, ((const unsigned char *)init)[i]);\n}"
         print "int main(void)\n{"
     }
     NR == FNR { type[$2] = $1; next }
     !($1 in type) { print $1 "_INIT goes with no struct of struct_list.h" >"/dev/stderr"; failed = 1; exit }
     {
         printf "    static const %s %s = %s_INIT;\n", type[$1], $1, $1
         printf "    bytes(\"%s\", &%s, sizeof %s);\n", type[$1], $1, $1
     }
     END { print "    return 0;\n}"; exit failed }' "$scratch/list" "$scratch/macros" >"$scratch/defaults.c"
for age in old new; do
    eval include=\$$age
    "$cc" -std=c11 -I"$include" "$scratch/defaults.c" -o "$scratch/defaults-$age"
    "$scratch/defaults-$age" >"$scratch/defaults-$age.txt"
done
sized=$(grep -c '^sized' "$scratch/old.txt")
compared=$(cut -d ' ' -f 1 "$scratch/defaults-old.txt" | uniq | wc -l)
[ "$sized" -eq "$compared" ] || { echo "defaults of $compared of $sized structs were found in $old" >&2; exit 1; }
awk 'FILENAME == ARGV[1] {
         if ($1 == "field") {
             split($2, part, ".")
             for (i = 0; i < $4; i++) field[part[1], $3 + i] = $2
         }
         next
     }
     FILENAME == ARGV[2] { now[$1, $2] = $3; next }
     !(($1, $2) in now) || now[$1, $2] != $3 {
         name = ($1, $2) in field ? field[$1, $2] : $1 ", reserved space"
         if (!(name in told)) print "another default: " name
         told[name] = failed = 1
     }
     END { exit failed }' "$scratch/old.txt" "$scratch/defaults-new.txt" "$scratch/defaults-old.txt" >&2 || {
    echo "a program built against $old would mean something else by the above" >&2
    exit 1
}
echo "$(wc -l <"$scratch/old.txt") sizes, offsets and values and the defaults of $compared structs are what they were"
