#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check_headers.sh INCLUDE_DIR CC [CXX]: every public header compiles alone, twice included, as strict C11 and as
# strict C++17, with every warning an error; paligemma.hpp as C++17 and C++20. Without a C++ compiler the C half is done
# and the test says so.
set -u
include=$1 cc=$2 cxx=${3-}
scratch=${PALI_TEST_SCRATCH:?}
warnings="-Wall -Wextra -Wpedantic -pedantic-errors -Wshadow -Wconversion -Wundef -Werror"
failed=0
command -v "$cc" >/dev/null 2>&1 || { echo "SKIPPED: $cc is not installed"; exit 77; }
[ -z "$cxx" ] || command -v "$cxx" >/dev/null 2>&1 || cxx=
# clang: all it has, but for what warns of the language itself and of padding.
more_of() {
    if "$1" --version | grep -q clang; then
        echo "-Weverything -Wno-padded -Wno-declaration-after-statement -Wno-c++98-compat -Wno-c++98-compat-pedantic" \
            "-Wno-weak-vtables -Wno-unsafe-buffer-usage -Wno-unknown-warning-option"
    fi
}
cc_warnings="$warnings $(more_of "$cc")"
[ -z "$cxx" ] || cxx_warnings="$warnings $(more_of "$cxx")" # the two need not be of one make

for header in "$include"/paligemma/*.h; do
    name=paligemma/$(basename "$header")
    printf '#include <%s>\n#include <%s>\nint main(void) { return 0; }\n' "$name" "$name" >"$scratch/alone.c"
    cp "$scratch/alone.c" "$scratch/alone.cpp"
    # shellcheck disable=SC2086
    "$cc" -std=c11 $cc_warnings -Wstrict-prototypes -Wmissing-prototypes -I"$include" -fsyntax-only "$scratch/alone.c" ||
        { echo "$name: not clean as C11" >&2; failed=1; }
    if [ -n "$cxx" ]; then
        # shellcheck disable=SC2086
        "$cxx" -std=c++17 $cxx_warnings -Wold-style-cast -I"$include" -fsyntax-only "$scratch/alone.cpp" ||
            { echo "$name: not clean as C++17" >&2; failed=1; }
    fi
done

if [ -n "$cxx" ]; then
    printf '#include <paligemma/paligemma.hpp>\n#include <paligemma/paligemma.hpp>\n' >"$scratch/alone.cpp"
    for standard in c++17 c++20; do
        # shellcheck disable=SC2086
        "$cxx" -std=$standard $cxx_warnings -Wold-style-cast -I"$include" -fsyntax-only "$scratch/alone.cpp" ||
            { echo "paligemma/paligemma.hpp: not clean as $standard" >&2; failed=1; }
    done
fi

# The _INIT macros are part of the interface: they too must initialise in both languages.
{
    echo '#include <paligemma/paligemma.h>'
    sed -n 's/^#define \(PALI_[A-Z_]*\)_INIT .*/\1/p' "$include"/paligemma/*.h | while read -r macro; do
        type=$(printf '%s' "$macro" | tr '[:upper:]' '[:lower:]')
        echo "static $type of_$type = ${macro}_INIT;"
        echo "size_t size_of_$type(void); size_t size_of_$type(void) { return of_$type.struct_size; }"
    done
} >"$scratch/init.c"
cp "$scratch/init.c" "$scratch/init.cpp"
count=$(grep -c '^static' "$scratch/init.c")
[ "$count" -ge 8 ] || { echo "only $count _INIT macros found" >&2; failed=1; }
# shellcheck disable=SC2086
"$cc" -std=c11 $cc_warnings -I"$include" -fsyntax-only "$scratch/init.c" || { echo "_INIT: not clean as C11" >&2; failed=1; }
if [ -n "$cxx" ]; then
    # shellcheck disable=SC2086
    "$cxx" -std=c++17 $cxx_warnings -Wno-old-style-cast -I"$include" -fsyntax-only "$scratch/init.cpp" ||
        { echo "_INIT: not clean as C++17" >&2; failed=1; }
else
    echo "no C++ compiler: the headers were tried as C only"
fi
exit $failed
