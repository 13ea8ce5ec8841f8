#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# test_manual.sh COMMAND SOURCE_DIR PART: the manual page and the completions say what the command's --help says, no flag
# more, no flag less (text); the page is clean for mandoc and groff; bash, zsh and fish complete what they should.
set -u
paligemma=$1 source=$2 part=$3
scratch=${PALI_TEST_SCRATCH:?}
manual=$source/examples/cli/manual completions=$source/examples/cli/completions
LC_ALL=C.UTF-8
export LC_ALL
command -v "$part" >/dev/null 2>&1 || [ "$part" = text ] || { echo "skipped: $part is missing"; exit 77; }
checks=0 failures=0
fail() { failures=$((failures + 1)); echo "failed: $*" >&2; }
same() { # FILE OTHER WHAT
    checks=$((checks + 1))
    diff "$1" "$2" >"$scratch/difference" || { fail "$3:"; head -n 20 "$scratch/difference" >&2; }
}

# ---- the flags, read in another way than update.sh does: "SUBCOMMAND FLAG" a line
commands=$("$paligemma" --help | sed -n 's/^  \([a-z-]*\)  .*/\1/p')
[ "$(echo "$commands" | wc -l)" -ge 16 ] || fail "--help shows too few subcommands"
for command in $commands; do
    "$paligemma" "$command" --help | grep -oE '^  (-[a-z], )?--?[a-z][a-z0-9-]*' | tr -d ',' | tr ' ' '\n' | grep . |
        sed "s/^/$command /"
done | sort >"$scratch/help.flags"
[ "$(wc -l <"$scratch/help.flags")" -gt 200 ] || fail "--help shows too few flags"
grep -vE ' (-h|--help)$' "$scratch/help.flags" >"$scratch/help.own" # each has these; the page says so once

# ---- text: made of what --help says, and not changed since; read in two ways
case $part in
text)
    mkdir -p "$scratch/made"
    sh "$manual/update.sh" "$paligemma" "$scratch/made" || fail "update.sh"
    for file in "$manual/paligemma.1" "$completions/paligemma.bash" "$completions/_paligemma" "$completions/paligemma.fish"; do
        same "$file" "$scratch/made/$(basename "$file")" \
            "$file is not what --help says now (run: sh examples/cli/manual/update.sh build/bin/paligemma)"
    done

    page_flags() {
        awk '$1 == ".Ss" { command = $2 }
            $1 == ".Sh" { command = "" }
            $1 == ".It" && command != "" { for (i = 2; i < NF; i++) if ($i == "Fl") print command, "-" $(i + 1) }' "$1" | sort
    }
    page_flags "$manual/paligemma.1" >"$scratch/page.flags"
    same "$scratch/help.own" "$scratch/page.flags" "--help (<) and paligemma.1 (>) have other flags"
    # A flag too few and a flag too many are seen.
    sed '/^\.It Fl -seed /d' "$manual/paligemma.1" >"$scratch/too-few.1"
    sed 's/^\.It Fl -seed Ar S/&\n.It Fl -nonsense/' "$manual/paligemma.1" >"$scratch/too-many.1"
    for page in too-few too-many; do
        checks=$((checks + 1))
        page_flags "$scratch/$page.1" | cmp -s - "$scratch/help.own" && fail "$page.1 went unnoticed"
    done
    ;;
mandoc)
    checks=1
    mandoc -T lint -W style "$manual/paligemma.1" >"$scratch/lint" 2>&1
    [ ! -s "$scratch/lint" ] || { fail "mandoc -T lint"; cat "$scratch/lint" >&2; }
    ;;
groff)
    groff -mandoc -Tutf8 -z /dev/null 2>/dev/null || { echo "skipped: this groff has no mdoc macros"; exit 77; }
    checks=1
    groff -mandoc -ww -Tutf8 -z "$manual/paligemma.1" >"$scratch/lint" 2>&1
    [ ! -s "$scratch/lint" ] || { fail "groff -ww"; cat "$scratch/lint" >&2; }
    ;;
bash)
    cat >"$scratch/try.bash" <<'END'
source "$1"
compopt() { asked=$2; }
try() { # words…: what the last of them may become, or which kind of file
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) asked=
    _paligemma
    ((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
    [[ -z $asked ]] || echo "files: $asked"
}
case $2 in
flags) for command in ${@:3}; do try paligemma $command - | sed "s/^/$command /"; done | sort ;;
*) try "${@:2}" ;;
esac
END
    # shellcheck disable=SC2086
    bash "$scratch/try.bash" "$completions/paligemma.bash" flags $commands >"$scratch/bash.flags"
    same "$scratch/help.flags" "$scratch/bash.flags" "--help (<) and bash's completion (>) have other flags"
    complete_in_bash() { # EXPECTED word…: the answers in one line
        expected=$1
        shift
        checks=$((checks + 1))
        got=$(bash "$scratch/try.bash" "$completions/paligemma.bash" "$@" | tr '\n' ' ')
        [ "$got" = "$expected" ] || fail "bash completes '$*' to '$got' instead of '$expected'"
    }
    complete_in_bash "score save " paligemma s
    complete_in_bash "files: dirnames " paligemma generate -m ""
    complete_in_bash "files: default " paligemma generate --image ""
    complete_in_bash "" paligemma generate --prompt ""
    complete_in_bash "float32 " paligemma generate --dtype f
    complete_in_bash "float32 float16 " paligemma save --dtype = f
    complete_in_bash "dynamic static sliding " paligemma batch --cache =
    complete_in_bash "--early-stopping " paligemma generate --ea
    complete_in_bash "files: default " paligemma batch ""
    complete_in_bash "files: dirnames " paligemma info ""
    complete_in_bash "" paligemma generate ""
    ;;
zsh) # what the script tells _arguments
    cat >"$scratch/try.zsh" <<'END'
script=$1
shift
_arguments() {
    if [[ $1 == -C ]]; then
        state=arguments
        return 1
    fi
    print -rl -- "$@"
}
for command in "$@"; do
    words=($command)
    curcontext=:::
    source $script | sed -n 's/^\((.*[^)]*)\)\{0,1\}\**\(--*[a-z][a-z0-9-]*\)[=[].*/\2/p' | sed "s/^/$command /"
done | sort
END
    # shellcheck disable=SC2086
    zsh -f "$scratch/try.zsh" "$completions/_paligemma" $commands >"$scratch/zsh.flags" || fail "zsh"
    same "$scratch/help.flags" "$scratch/zsh.flags" "--help (<) and zsh's completion (>) have other flags"
    ;;
fish)
    in_fish() { HOME=$scratch fish --no-config -c "source '$completions/paligemma.fish'; complete -C '$1'" | cut -f 1; }
    for command in $commands; do
        in_fish "paligemma $command -" | grep '^-' | sed "s/^/$command /"
        in_fish "paligemma $command --" | sed "s/^/$command /"
    done | sort -u >"$scratch/fish.flags"
    same "$scratch/help.flags" "$scratch/fish.flags" "--help (<) and fish's completion (>) have other flags"
    checks=$((checks + 2))
    got=$(in_fish "paligemma s" | sort | tr '\n' ' ')
    [ "$got" = "save score " ] || fail "fish completes 'paligemma s' to '$got'"
    got=$(in_fish "paligemma save --dtype " | sort | tr '\n' ' ')
    [ "$got" = "bfloat16 float16 float32 " ] || fail "fish completes 'paligemma save --dtype' to '$got'"
    ;;
*)
    fail "there is no part $part"
    ;;
esac

echo "test_manual: $part: $checks checks, $failures failed"
[ $failures -eq 0 ]
