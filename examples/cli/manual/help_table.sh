#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# help_table.sh PALIGEMMA: everything that the command's --help says, a line of six fields with tabs between for each
# thing, from which the manual page and the shells' completions are made:
#     command  SUBCOMMAND  SUMMARY
#     usage    SUBCOMMAND  SYNOPSIS
#     about    SUBCOMMAND  SENTENCES       one or more
#     option   SUBCOMMAND  SHORT  LONG  VALUE  HELP    ("-" where there is none)
set -eu
paligemma=$1
tab=$(printf '\t')

"$paligemma" --help | sed -n "s/^  \([a-z][a-z-]*\)  *\(.*\)/command$tab\1$tab\2/p"
"$paligemma" --help | sed -n 's/^  \([a-z][a-z-]*\)  *.*/\1/p' | while read -r command; do
    "$paligemma" "$command" --help | LC_ALL=C awk -v command="$command" '
        function flush() {
            if (names == "") return
            short = long = "-"
            if (match(names, /^-[a-zA-Z]/)) { short = substr(names, 1, 2); names = substr(names, 3); sub(/^, /, "", names) }
            if (match(names, /^--[a-z0-9-]+/)) { long = substr(names, 1, RLENGTH); names = substr(names, RLENGTH + 1) }
            sub(/^ /, "", names)
            printf "option\t%s\t%s\t%s\t%s\t%s\n", command, short, long, names == "" ? "-" : names, help
            names = ""
        }
        NR == 1 { sub(/^usage: paligemma [a-z-]+ ?/, ""); printf "usage\t%s\t%s\n", command, $0; next }
        /^  -/ { # the names, 26 wide, and the help; below names that are wider
            flush()
            line = substr($0, 3); help = ""
            match(line, /^(-[a-zA-Z])?(, )?(--[a-z0-9-]+)?( [^ ]+)?/)
            names = substr(line, 1, RLENGTH)
            if (RLENGTH > 26 && length(line) > RLENGTH) sub(/ [^ ]+$/, "", names) # that was the first word of the help
            if (length(names) <= 26) help = substr(line, 28)
            next
        }
        /^ +/ && names != "" { sub(/^ +/, ""); help = help (help == "" ? "" : " ") $0; next }
        $0 != "" { printf "about\t%s\t%s\n", command, $0 }
        END { flush() }'
done
