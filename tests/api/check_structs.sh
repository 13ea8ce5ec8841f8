#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check_structs.sh HEADER_DIR LIST: every struct of the headers that begins with struct_size, and no other, stands in
# struct_list.h, so that the tests over that list see it; each has its _INIT macro and its _init function.
set -u
headers=$1 list=$2
scratch=${PALI_TEST_SCRATCH:?}
failed=0

grep -h -A1 '^typedef struct pali_[a-z_]* {' "$headers"/*.h |
    awk '/^typedef/ { name = $3 } /size_t struct_size;/ { print name }' | sort >"$scratch/headers"
sed -n 's/^    X(\(pali_[a-z_]*\), PALI_[A-Z_]*).*/\1/p' "$list" | sort >"$scratch/list"
count=$(wc -l <"$scratch/headers")
[ "$count" -ge 23 ] || { echo "only $count structs were found in $headers" >&2; failed=1; }
# One that is written in another way would go unseen above.
fields=$(cat "$headers"/*.h | grep -c 'size_t struct_size')
[ "$fields" -eq "$count" ] || { echo "$fields fields struct_size, but $count structs begin with one" >&2; failed=1; }
diff "$scratch/headers" "$scratch/list" >"$scratch/difference" || {
    echo "the headers (<) and $list (>) differ:" >&2
    grep '^[<>]' "$scratch/difference" >&2
    failed=1
}
while read -r type; do
    macro=$(printf '%s' "$type" | tr '[:lower:]' '[:upper:]')_INIT
    cat "$headers"/*.h | grep -q "^#define $macro[ \\]" || { echo "$type has no $macro" >&2; failed=1; }
    cat "$headers"/*.h | grep -q "^PALI_API void ${type}_init($type \*" || { echo "$type has no ${type}_init" >&2; failed=1; }
    grep -q "X($type, ${macro%_INIT})" "$list" || { echo "$list: $type does not go with ${macro%_INIT}" >&2; failed=1; }
done <"$scratch/headers"
[ $failed -ne 0 ] || echo "$count structs with struct_size"
exit $failed
