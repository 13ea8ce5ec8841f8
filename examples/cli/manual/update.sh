#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# update.sh PALIGEMMA [OUT_DIR]: makes paligemma.1 and the three completions anew, into their places in the tree or all
# into OUT_DIR. To be run after a change of the command's options: sh examples/cli/manual/update.sh build/bin/paligemma
set -eu
paligemma=$1
here=$(cd "$(dirname "$0")" && pwd)
manual=${2:-$here} completions=${2:-$here/../completions}
sh "$here/make_manual.sh" "$paligemma" >"$manual/paligemma.1.new"
mv "$manual/paligemma.1.new" "$manual/paligemma.1"
for pair in "bash paligemma.bash" "zsh _paligemma" "fish paligemma.fish"; do
    name=${pair#* }
    sh "$here/../completions/make_completions.sh" "$paligemma" "${pair% *}" >"$completions/$name.new"
    mv "$completions/$name.new" "$completions/$name"
done
