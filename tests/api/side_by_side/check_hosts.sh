#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check_hosts.sh KIND CC INCLUDE LIBRARY PLUGIN: side_host built in another way than the library, and run beside it.
#   libomp   by clang, whose OpenMP is another one than gcc's
#   libpng   with a libpng of its own inside, whose symbols it exports
set -eu
kind=$1 cc=$2 include=$3 library=$4 plugin=$5
here=$(dirname "$0")
examples=${PALI_TEST_EXAMPLES:?} scratch=${PALI_TEST_SCRATCH:?}
skip() { echo "SKIPPED: $1"; exit 77; }

[ -z "${PALI_SANITIZE-}" ] || skip "a host built without sanitizers cannot load a sanitized library"
case $kind in
libomp)
    command -v clang >/dev/null 2>&1 || skip "clang is not installed"
    cc=clang flags=
    echo '#include <omp.h>' | clang -fopenmp=libomp -E - >/dev/null 2>&1 || skip "clang's OpenMP (libomp-dev) is not installed"
    openmp=-fopenmp=libomp png=-lpng
    ;;
libpng)
    archive=$("$cc" -print-file-name=libpng16.a)
    [ -f "$archive" ] || skip "libpng16.a is not installed"
    openmp=-fopenmp png="$archive -lz -lm" flags=-rdynamic
    ;;
esac
# shellcheck disable=SC2086
"$cc" -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror $openmp $flags -I"$include" -I"$here" "$here/side_host.c" \
    -o "$scratch/host" "$library" $png -ldl -pthread -Wl,-rpath,"$(dirname "$library")"
ldd "$scratch/host" | sed -n 's/ *(0x.*//; /omp\|png/p'
case $kind in
libomp)
    ldd "$scratch/host" | grep -q libomp && ldd "$scratch/host" | grep -q libgomp ||
        skip "the library is built with the same OpenMP as the host"
    ;;
libpng)
    nm -D --defined-only "$scratch/host" | grep -q ' T png_read_info' || { echo "the host exports no libpng" >&2; exit 1; }
    ;;
esac
"$scratch/host" "$plugin" "$examples/tiny/model" "$examples/pictures/shapes.png"
