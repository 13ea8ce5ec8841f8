# SPDX-License-Identifier: BSD-2-Clause
# Reads the lines of ../manual/help_table.sh: what the script of a shell is written from, by write_script().
# What may stand for an option: the words are said by its help, too, or this script ends.
BEGIN {
    words["--dtype"] = "float32 bfloat16"
    words["save --dtype"] = "float32 bfloat16 float16"
    words["--cache-dtype"] = "float32 bfloat16"
    words["--cache"] = "dynamic static sliding"
    words["--scale"] = "1024 1023"
    words["mask --scale"] = ""
    words["--constrain"] = "detect segment choices"
    words["--early-stopping"] = "true false never"
    words["--name-style"] = "transformers-4 transformers-5 modules-4 modules-5"
    words["--pooling"] = "none mean"
}
function words_of(command, flag, help,    i, n, list, found) {
    found = ((command " " flag) in words) ? words[command " " flag] : flag in words ? words[flag] : ""
    n = split(found, list, " ")
    for (i = 1; i <= n; i++)
        if (index(help, list[i]) == 0) {
            printf "paligemma %s %s: the help does not say %s\n", command, flag, list[i] >"/dev/stderr"
            failed = 1
        }
    return found
}
function kind_of(value) { # of a value: a directory, a file, or something of which no shell knows
    if (value ~ /DIR/) return "directory"
    return value ~ /^(FILE|FILE\.json|IMG|IN|OUT|OUT\..*|.*\.safetensors)$/ ? "file" : "other"
}
function quoted(text) { gsub(/\047/, "\047\\\047\047", text); return "\047" text "\047" }

$1 == "command" { commands[++n_commands] = $2; summary[$2] = $3 }
$1 == "usage" { # words before the first option are arguments without a flag
    n = split($3, part, " ")
    for (i = 1; i <= n && part[i] !~ /^[-[]/; i++) positional[$2] = kind_of(part[i])
}
$1 == "option" {
    n = ++n_options[$2]
    short[$2, n] = $3 == "-" ? "" : $3; long[$2, n] = $4 == "-" ? "" : $4; value[$2, n] = $5 == "-" ? "" : $5
    help[$2, n] = $6; choice[$2, n] = words_of($2, $4, $6)
}

END {
    if (n_commands == 0) failed = 1
    if (failed) exit 1
    if (shell == "zsh") print "#compdef paligemma"
    print "# SPDX-License-Identifier: BSD-2-Clause"
    print "# paligemma in " shell ". Made by make_completions.sh of what --help says; not to be changed by hand."
    write_script()
}
