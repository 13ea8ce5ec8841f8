#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# make_manual.sh PALIGEMMA: the manual page, paligemma.1.in with what the command's --help says of every option.
set -eu
here=$(dirname "$0")
table=$(sh "$here/help_table.sh" "$1")
printf '%s\n' "$table" | LC_ALL=C awk -F '\t' '
    function text(line) { # as roff takes it anywhere
        gsub(/\\/, "\\e", line)
        gsub(/\342\200\246/, "...\\\\\\&", line) # which ends no sentence
        gsub(/\302\267/, "\\(pc", line)
        gsub(/\^/, "\\(ha", line)
        gsub(/"/, "\\(dq", line)
        gsub(/~/, "\\(ti", line)
        return line
    }
    # Sentences as lines of text of at most 80 bytes, none of which looks like a request.
    function sentences(all,    i, n, word, line, out) {
        n = split(text(all), word, " ")
        line = out = ""
        for (i = 1; i <= n; i++) {
            if (word[i] ~ /^[(]?--?[a-z]/) gsub(/-/, "\\-", word[i]) # an option, not a hyphen
            if (line == "" && word[i] ~ /^[.\047]/) word[i] = "\\&" word[i]
            if (line != "" && (length(line) + length(word[i]) > 79 || line ~ /[.]$/)) {
                out = out line "\n"
                line = ""
            }
            line = line (line == "" ? "" : " ") word[i]
        }
        return out line
    }
    FILENAME == "-" && $1 == "command" { summary[$2] = $3; next }
    FILENAME == "-" && $1 == "usage" { # a subcommand begins
        body = body ".Ss " $2 "\n.Nm\n.Cm " $2 "\n"
        n = split($3, part, " ")
        optional = 0
        for (i = 1; i <= n; i++) {
            if (part[i] ~ /^\[/) optional = 1
            else if (part[i] ~ /^-/) { body = body ".Fl " substr(part[i], 2) " Ar " part[i + 1] "\n"; i++ }
            else body = body ".Ar " part[i] "\n"
        }
        body = body ".Op Ar option ...\n"
        fresh = 1
        next
    }
    FILENAME == "-" && $1 == "about" { body = body (fresh ? ".Pp\n" : "") sentences($3) "\n"; fresh = 0; next }
    FILENAME == "-" && $1 == "option" {
        if ($4 == "--help") { body = body ".El\n"; next } # the last one, which DESCRIPTION has for all
        if (last != $2) body = body ".Bl -tag -width Ds\n"
        last = $2
        line = ".It"
        if ($3 != "-") line = line " Fl " substr($3, 2)
        if ($3 != "-" && $4 != "-") line = line " ,"
        if ($4 != "-") line = line " Fl " substr($4, 2)
        if ($5 != "-") line = line " Ar " text($5)
        split($6, part, " ") # a name such as float32 is no word to begin with a capital letter
        body = body line "\n" sentences((part[1] ~ /[0-9_.]/ ? $6 : toupper(substr($6, 1, 1)) substr($6, 2)) ".") "\n"
        next
    }
    FILENAME == "-" { next }
    /^@SUBCOMMANDS@$/ { printf "%s", body; next }
    { print }' - "$here/paligemma.1.in"
