#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# install-dependencies.sh [tests] [clang] [bindings]: what the build needs and this machine lacks, by apt, without a question.
# Does nothing where all is there. Other systems are told what to install.
set -eu

missing=
want() { missing="$missing $1"; }
has() { command -v "$1" >/dev/null 2>&1; }
has_header() { echo "#include <$1>" | "${CC:-cc}" -E - >/dev/null 2>&1; }

has cmake || want cmake
has make || want make # the default generator, which the README commands use
has pkg-config || want pkg-config
if has "${CC:-cc}"; then
    has_header stdio.h || want libc6-dev
    { has_header stdio.h && printf '#include <stdio.h>\n#include <png.h>\n' | "${CC:-cc}" -E - >/dev/null 2>&1; } ||
        want libpng-dev
    has_header jpeglib.h || want libjpeg-dev
    has_header json-c/json.h || want libjson-c-dev
    has_header dnnl.h || want libdnnl-dev
else
    missing="$missing gcc libc6-dev libpng-dev libjpeg-dev libjson-c-dev libdnnl-dev"
fi
for part in "$@"; do
    case $part in
    tests) has g++ || has c++ || want g++ ;; # the headers are tried as C++ too
    clang)
        has clang || want clang
        has clang && echo '#include <omp.h>' | clang -fopenmp -E - >/dev/null 2>&1 || want libomp-dev
        ;;
    bindings) # the interface from other languages, the manual page, the completions, the packages, the ABI
        has mandoc || want mandoc
        has zsh || want zsh
        has fish || want fish
        has dpkg-shlibdeps || want dpkg-dev
        has pip3 || want python3-pip # the Python package's test
        python3 -c 'import setuptools' 2>/dev/null || want python3-setuptools
        { has python3 && python3 -c 'import numpy, PIL' 2>/dev/null; } || want "python3-numpy python3-pil"
        has abidw || want abigail-tools
        has cargo || want cargo
        has rustfmt || want rustfmt
        has cargo-clippy || want rust-clippy
        has go || [ -x /usr/lib/go/bin/go ] || want golang-go
        python3 -c 'import starlette, uvicorn' 2>/dev/null || want "python3-starlette python3-uvicorn" # examples/server
        ;;
    *)
        echo "install-dependencies.sh: unknown part $part" >&2
        exit 2
        ;;
    esac
done
[ -n "$missing" ] || exit 0

if ! has apt-get; then
    echo "These Debian packages, or what they are called here, must be installed first:$missing" >&2
    exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! has sudo; then
        echo "To be installed as root first: apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "\$ apt-get install$missing"
export DEBIAN_FRONTEND=noninteractive
quietly() {
    log=$(mktemp)
    if ! $as_root env DEBIAN_FRONTEND=noninteractive "$@" </dev/null >"$log" 2>&1; then
        cat "$log" >&2
        echo "failed: $*" >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
}
quietly apt-get update
# shellcheck disable=SC2086
quietly apt-get install -y --no-install-recommends $missing
