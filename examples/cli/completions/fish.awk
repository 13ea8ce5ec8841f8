# SPDX-License-Identifier: BSD-2-Clause
# The completion script of fish.
function fish_values(words, kind) {
    if (words != "") return " -x -a " quoted(words)
    return kind == "directory" ? " -x -a \047(__fish_complete_directories (commandline -ct))\047" \
        : kind == "file" ? " -r -F" : " -x"
}
function write_script(    c, i, command, line) {
    print "function __paligemma_runs -a subcommand"
    print "    set -l tokens (commandline -opc)"
    print "    test (count $tokens) -gt 1 -a \"$tokens[2]\" = \"$subcommand\""
    print "end"
    print "function __paligemma_runs_nothing"
    print "    test (count (commandline -opc)) -eq 1"
    print "end"
    print "complete -c paligemma -f"
    print "complete -c paligemma -n __paligemma_runs_nothing -s h -l help -d \047show the subcommands\047"
    print "complete -c paligemma -n __paligemma_runs_nothing -l version -d \047show the version\047"
    for (c = 1; c <= n_commands; c++)
        print "complete -c paligemma -n __paligemma_runs_nothing -a " commands[c] " -d " quoted(summary[commands[c]])
    for (c = 1; c <= n_commands; c++) {
        command = commands[c]
        for (i = 1; i <= n_options[command]; i++) {
            line = "complete -c paligemma -n \047__paligemma_runs " command "\047"
            if (short[command, i] != "") line = line " -s " substr(short[command, i], 2)
            if (long[command, i] != "") line = line " -l " substr(long[command, i], 3)
            if (value[command, i] != "") line = line fish_values(choice[command, i], kind_of(value[command, i]))
            print line " -d " quoted(help[command, i])
        }
        if (command in positional) {
            line = "complete -c paligemma -n \047__paligemma_runs " command "\047"
            print line (positional[command] == "file" ? " -F" : fish_values("", positional[command]))
        }
    }
}
