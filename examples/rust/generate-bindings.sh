#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# generate-bindings.sh: makes paligemma-sys/src/bindings.rs anew from the headers of this repository. Needs bindgen
# 0.60 (Debian 12: apt-get install bindgen rustfmt); a newer one may lay the file out differently but not otherwise.
set -eu
cd "$(dirname "$0")"
{
    echo '// SPDX-License-Identifier: BSD-2-Clause'
    echo '// Made by generate-bindings.sh from include/paligemma/*.h; not to be edited.'
    echo
    # Enumerations are integers with constants: what a newer library returns must not be undefined behaviour here.
    bindgen ../../include/paligemma/paligemma.h --use-core --ctypes-prefix ::std::os::raw \
        --allowlist-function 'pali_.*' --allowlist-type 'pali_.*' --allowlist-var 'PALI_.*' \
        --default-enum-style consts --no-prepend-enum-name --size_t-is-usize \
        --no-doc-comments --no-layout-tests --disable-header-comment --rust-target 1.47 --rustfmt-bindings \
        -- -I ../../include -std=c11
} >paligemma-sys/src/bindings.rs.new
mv paligemma-sys/src/bindings.rs.new paligemma-sys/src/bindings.rs
