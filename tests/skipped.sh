#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# skipped.sh BUILD_DIR CTEST_OUTPUT: what the last ctest run in a folder left out, and why, as the tests themselves said.
set -eu
names=$(sed -n 's/^\t *[0-9]* - \(.*\) (Skipped)$/\1/p' "$2" | tr '\n' ' ')
awk -v names=" $names" '
    / Testing: / && NF == 3 { name = $3 }
    /^<end of output>$/ { inside = 0 }
    inside && !/^-+$/ && (index(names, " " name " ") || /SKIPPED|skipped [\x27"]/) { print "    " name ": " $0 }
    /^Output:$/ { inside = 1 }
' "$1/Testing/Temporary/LastTest.log"
