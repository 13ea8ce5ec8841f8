#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check_subproject.sh SOURCE_DIR CMAKE CC GENERATOR [CMAKE_OPTION]: the library as a part of another project, through
# add_subdirectory (static, as that project says nothing) and FetchContent (shared, as it asks for that): built, run and
# installed, with nothing of the part where it should not be.
set -eu
source=$1 cmake=$2 cc=$3 generator=$4
shift 4
scratch=${PALI_TEST_SCRATCH:?}
jobs=$(nproc 2>/dev/null || echo 2)
rm -rf "$scratch/add_subdirectory" "$scratch/FetchContent" "$scratch/prefix"

# build HOW TYPE [option…]: -O0, as it is the build that is tried, not the library.
build() {
    how=$1 type=$2
    shift 2
    echo "== $how: a $type"
    "$cmake" -S "$source/tests/api/subproject" -B "$scratch/$how" -G "$generator" -DCMAKE_C_COMPILER="$cc" \
        -DCMAKE_C_FLAGS=-O0 -DPALIGEMMA_SOURCE="$source" -DHOW="$how" -DEXPECTED_TYPE="$type" "$@" >"$scratch/log" ||
        { tail -n 30 "$scratch/log" >&2; exit 1; }
    "$cmake" --build "$scratch/$how" --parallel "$jobs" >"$scratch/log" || { tail -n 30 "$scratch/log" >&2; exit 1; }
    "$scratch/$how/whole"
    rm -rf "$scratch/prefix"
    "$cmake" --install "$scratch/$how" --prefix "$scratch/prefix" >/dev/null
    installed=$(cd "$scratch/prefix" && find . ! -type d)
    [ "$installed" = ./bin/whole ] || { echo "installed, and not the project's own: $installed" >&2; exit 1; }
    for stray in bin examples paligemma.pc CPackConfig.cmake; do
        [ ! -e "$scratch/$how/$stray" ] || { echo "the build folder has the part's $stray" >&2; exit 1; }
    done
}

build add_subdirectory STATIC_LIBRARY "$@"
build FetchContent SHARED_LIBRARY -DBUILD_SHARED_LIBS=ON "$@"
