# SPDX-License-Identifier: BSD-2-Clause
# The completion script of bash.
function write_script(    c, i, n, command, list, names, files, directories) {
    print "_paligemma()\n{"
    print "    local current=${COMP_WORDS[COMP_CWORD]} before=$((COMP_CWORD - 1)) words= kind="
    print "    if [[ $current == = ]]; then # bash makes a word of its own of the = in --option=value"
    print "        current="
    print "    elif [[ ${COMP_WORDS[before]} == = ]]; then"
    print "        before=$((before - 1))"
    print "    fi"
    print "    COMPREPLY=()"
    for (c = 1; c <= n_commands; c++) list = list commands[c] " "
    print "    if ((COMP_CWORD == 1)); then"
    print "        words=\"" list "--help --version\""
    print "    else"
    print "        case \"${COMP_WORDS[1]} ${COMP_WORDS[before]}\" in"
    for (c = 1; c <= n_commands; c++) {
        command = commands[c]
        for (i = 1; i <= n_options[command]; i++) {
            if (value[command, i] == "") continue
            names = ""
            if (short[command, i] != "") names = "\"" command " " short[command, i] "\""
            if (long[command, i] != "") names = names (names == "" ? "" : " | ") "\"" command " " long[command, i] "\""
            if (choice[command, i] != "") print "        " names ") words=\"" choice[command, i] "\" ;;"
            else print "        " names ") kind=" kind_of(value[command, i]) " ;;"
        }
    }
    print "        *)\n            case ${COMP_WORDS[1]} in"
    for (c = 1; c <= n_commands; c++) {
        command = commands[c]
        list = ""
        for (i = 1; i <= n_options[command]; i++)
            list = list (i > 1 ? " " : "") short[command, i] (short[command, i] != "" && long[command, i] != "" ? " " : "") \
                long[command, i]
        print "            " command ")"
        print "                words=\"" list "\""
        print "                kind=" (command in positional ? positional[command] : "other")
        print "                ;;"
    }
    print "            esac"
    print "            [[ $current == -* ]] || words="
    print "            ;;"
    print "        esac"
    print "    fi"
    print "    if [[ $words ]]; then"
    print "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")"
    print "    elif [[ $kind == directory ]]; then"
    print "        compopt -o dirnames"
    print "    elif [[ $kind == file ]]; then"
    print "        compopt -o default"
    print "    fi"
    print "}"
    print "complete -F _paligemma paligemma"
}
