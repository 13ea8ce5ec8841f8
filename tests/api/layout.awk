# SPDX-License-Identifier: BSD-2-Clause
# layout.awk HEADER…: a C program that prints what an old binary has compiled in: the size of every struct, offset and
# size of its fields (reserved ones may become something else and are left out), values of enumerators and constants.
# It reads headers in this tree's form: `typedef struct NAME {` … `} NAME;`, comments not nested in declarations' names.
BEGIN {
    print "/* SPDX-License-Identifier: BSD-2-Clause */"
    print "#include <paligemma/paligemma.h>\n#include <stdio.h>\nint main(void)\n{"
}
{
    line = $0
    text = ""
    while (line != "") { # comments out; one may run over lines
        if (in_comment) {
            at = index(line, "*/")
            if (!at) break
            line = substr(line, at + 2)
            in_comment = 0
        } else {
            at = index(line, "/*")
            if (!at) { text = text line; break }
            text = text substr(line, 1, at - 1)
            line = substr(line, at + 2)
            in_comment = 1
        }
    }
}
text ~ /^#define PALI_[A-Z_]+ +[0-9]+ *$/ && text !~ /VERSION/ {
    split(text, word, " ")
    printf "    printf(\"constant %s %%lld\\n\", (long long)%s);\n", word[2], word[2]
}
text ~ /^typedef struct pali_[a-z0-9_]+ \{/ { split(text, word, " "); type = word[3]; body = ""; kind = "struct"; text = "" }
text ~ /^typedef enum pali_[a-z0-9_]+ \{/ { kind = "enum"; body = ""; sub(/^[^{]*\{/, "", text) }
kind != "" {
    if (text ~ /\}/) {
        sub(/\}.*/, "", text)
        body = body " " text
        if (kind == "enum") {
            n = split(body, part, ",")
            for (i = 1; i <= n; i++)
                if (match(part[i], /PALI_[A-Z0-9_]+/)) {
                    name = substr(part[i], RSTART, RLENGTH)
                    printf "    printf(\"enum %s %%lld\\n\", (long long)%s);\n", name, name
                }
        } else {
            n = split(body, declaration, ";")
            for (i = 1; i <= n; i++) {
                if (declaration[i] !~ /[a-z]/) continue
                if (match(declaration[i], /\(\*[a-z_0-9]+\)/)) # a pointer to a function
                    m = split(substr(declaration[i], RSTART + 2, RLENGTH - 3), part, ",")
                else
                    m = split(declaration[i], part, ",")
                for (j = 1; j <= m; j++) {
                    sub(/\[.*/, "", part[j])
                    sub(/ +$/, "", part[j])
                    match(part[j], /[a-z_0-9]+$/)
                    name = substr(part[j], RSTART)
                    if (name !~ /^reserved/)
                        printf "    printf(\"field %s.%s %%zu %%zu\\n\", offsetof(%s, %s), sizeof ((%s *)0)->%s);\n",
                            type, name, type, name, type, name
                }
            }
            sized = body ~ /size_t struct_size;/ ? "sized" : "fixed"
            printf "    printf(\"%s %s %%zu\\n\", sizeof(%s));\n", sized, type, type
        }
        kind = ""
    } else
        body = body " " text
}
END { print "    return 0;\n}" }
