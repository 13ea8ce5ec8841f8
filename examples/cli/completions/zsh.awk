# SPDX-License-Identifier: BSD-2-Clause
# The completion script of zsh.
function zsh_action(words, kind) {
    if (words != "") return "(" words ")"
    return kind == "directory" ? "_files -/" : kind == "file" ? "_files" : " "
}
function zsh_option(command, i,    about, tail, star, s, l) {
    s = short[command, i]; l = long[command, i]
    if (l == "--help") return "\047(- *)\047{-h,--help}\047[show the options]\047"
    about = help[command, i]
    gsub(/[][]/, "\\\\&", about)
    tail = "[" about "]"
    if (value[command, i] != "") {
        about = value[command, i]
        gsub(/:/, "\\:", about)
        tail = tail ":" about ":" zsh_action(choice[command, i], kind_of(value[command, i]))
        if (l != "") l = l "="
    }
    star = help[command, i] ~ /once for each|be repeated|several times|given twice/
    if (s == "" || l == "") return quoted((star ? "*" : "") s l tail)
    return (star ? "\"*\"" : "\"(" s " " long[command, i] ")\"") "{" s "," l "}" quoted(tail)
}
function write_script(    c, i, command) {
    print "_paligemma()\n{"
    print "    local curcontext=$curcontext state line"
    print "    local -a commands"
    print "    typeset -A opt_args"
    print "    _arguments -C \047(- *)\047{-h,--help}\047[show the subcommands]\047 \047(- *)--version[show the version]\047 \\"
    print "        \0471: :->command\047 \047*:: :->arguments\047 && return"
    print "    case $state in"
    print "    command)"
    print "        commands=("
    for (c = 1; c <= n_commands; c++) print "            " quoted(commands[c] ":" summary[commands[c]])
    print "        )"
    print "        _describe -t commands subcommand commands"
    print "        ;;"
    print "    arguments)"
    print "        curcontext=${curcontext%:*}-$words[1]:"
    print "        case $words[1] in"
    for (c = 1; c <= n_commands; c++) {
        command = commands[c]
        print "        " command ")"
        print "            _arguments \\"
        for (i = 1; i <= n_options[command]; i++)
            print "                " zsh_option(command, i) \
                (i < n_options[command] || command in positional ? " \\" : "")
        if (command in positional) print "                \047*: :" zsh_action("", positional[command]) "\047"
        print "            ;;"
    }
    print "        esac"
    print "        ;;"
    print "    esac"
    print "}"
    print "_paligemma \"$@\""
}
