#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check_tree.sh SOURCE_DIR: base names of C files are unique (a stack trace needs no path), each begins with the licence
# line, the command and the examples include public headers only, and only kernels/onednn knows oneDNN.
set -u
cd "$1" || exit 1
failed=0
complain() { echo "$1" >&2; failed=1; }

files=$(find lib include tests examples -name '*.[ch]' ! -path 'tests/api/old_headers/*' | sort) # those are copies
for name in $(printf '%s\n' "$files" | sed 's|.*/||' | sort | uniq -d); do
    complain "more than one file is called $name"
done
for file in $files; do
    [ "$(head -n 1 "$file")" = "/* SPDX-License-Identifier: BSD-2-Clause */" ] || complain "$file: no licence line"
done
for file in $(printf '%s\n' "$files" | grep '^examples/'); do
    sed -n 's/^ *# *include *"\(.*\)".*/\1/p' "$file" | while read -r header; do
        case $header in _cgo_export.h) continue ;; esac # cgo makes it
        [ -f "$(dirname "$file")/$header" ] || echo "$file includes $header"
    done
done | grep . >&2 && failed=1
for file in $(printf '%s\n' "$files" | grep '^lib/' | grep -v '^lib/kernels/onednn/'); do
    ! grep -q 'include *[<"].*dnnl' "$file" || complain "$file includes oneDNN's header"
done
for header in include/paligemma/*.h; do
    ! grep -q 'include *"' "$header" || complain "$header includes something that is not installed"
done
exit $failed
