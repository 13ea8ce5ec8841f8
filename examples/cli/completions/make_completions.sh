#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# make_completions.sh PALIGEMMA bash|zsh|fish: the shell's completion script, from what the command's --help says.
set -eu
here=$(dirname "$0")
table=$(sh "$here/../manual/help_table.sh" "$1")
printf '%s\n' "$table" | LC_ALL=C awk -F '\t' -v shell="$2" -f "$here/help.awk" -f "$here/$2.awk"
