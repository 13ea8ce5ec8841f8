/* SPDX-License-Identifier: BSD-2-Clause */
#include "processor/template_lex.h"

#include <string.h>

struct lexer {
    struct pali__template *t;
    const char *source;
    size_t size, at;
    bool line_starting; /* what was read last ended with a newline */
    struct pali__token *tokens;
    size_t count, capacity;
    char brackets[PALI__T_DEPTH]; /* open ones */
    int n_brackets;
};

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static char peek(const struct lexer *lexer, size_t ahead)
{
    return lexer->at + ahead < lexer->size ? lexer->source[lexer->at + ahead] : '\0';
}

static bool begins(const struct lexer *lexer, const char *word)
{
    size_t size = strlen(word);
    return lexer->size - lexer->at >= size && memcmp(lexer->source + lexer->at, word, size) == 0;
}

static void advance(struct lexer *lexer, size_t size)
{
    for (size_t i = 0; i < size; i++)
        lexer->t->line += lexer->source[lexer->at + i] == '\n';
    lexer->at += size;
}

static void skip_spaces(struct lexer *lexer)
{
    struct pali__ttext rest = { lexer->source + lexer->at, lexer->size - lexer->at };
    advance(lexer, rest.size - pali__t_strip(rest, true, false).size);
}

static pali_status add(struct lexer *lexer, enum pali__token_kind kind, const char *bytes, size_t size)
{
    if (lexer->count == lexer->capacity) {
        size_t capacity = lexer->capacity ? lexer->capacity * 2 : 256;
        struct pali__token *grown = NULL;
        TRY(pali__template_alloc(lexer->t, &grown, capacity * sizeof *grown));
        if (lexer->count)
            memcpy(grown, lexer->tokens, lexer->count * sizeof *grown);
        lexer->tokens = grown;
        lexer->capacity = capacity;
    }
    lexer->tokens[lexer->count++] =
        (struct pali__token){ .kind = kind, .line = lexer->t->line, .text = { bytes, size } };
    return PALI_OK;
}

/* ---- strings and numbers ---- */

static char *write_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | (code >> 6));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | (code >> 12));
        *to++ = (char)(0x80 | ((code >> 6) & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | (code >> 18));
        *to++ = (char)(0x80 | ((code >> 12) & 0x3f));
        *to++ = (char)(0x80 | ((code >> 6) & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* `n` hexadecimal digits at the lexer's place, or -1. */
static int64_t read_hex(struct lexer *lexer, int n)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    int64_t code = 0;
    for (int i = 0; i < n; i++) {
        const char *digit = peek(lexer, 0) ? strchr(digits, peek(lexer, 0)) : NULL;
        if (!digit)
            return -1;
        code = code * 16 + (digit - digits) % 16;
        advance(lexer, 1);
    }
    return code;
}

/* What stands behind a backslash. As in Python, one that means nothing stays. */
static pali_status read_escape(struct lexer *lexer, char **to)
{
    static const char names[] = "\\'\"abfnrtv", values[] = "\\'\"\a\b\f\n\r\t\v";
    char name = peek(lexer, 0);
    const char *found = name ? strchr(names, name) : NULL;
    int digits = name == 'x' ? 2 : name == 'u' ? 4 : name == 'U' ? 8 : 0;
    if (digits) {
        advance(lexer, 1);
        int64_t code = read_hex(lexer, digits);
        if (code < 1 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
            return pali__template_fail(lexer->t, PALI_ERROR_FORMAT, "an escape \\%c in a string names no character",
                                       name);
        *to = write_utf8(*to, (uint32_t)code);
        return PALI_OK;
    }
    if (is_digit(name) || name == 'N')
        return pali__template_fail(lexer->t, PALI_ERROR_UNSUPPORTED, "the escape \\%c in a string is not served", name);
    if (found)
        *(*to)++ = values[found - names];
    else if (name != '\n') {
        *(*to)++ = '\\';
        *(*to)++ = name;
    }
    advance(lexer, 1);
    return PALI_OK;
}

static pali_status read_string(struct lexer *lexer)
{
    char quote = peek(lexer, 0), *copy = NULL, *to;
    const char *end = lexer->source + lexer->at + 1, *stop = lexer->source + lexer->size;
    while (end < stop && *end != quote)
        end += *end == '\\' && end + 1 < stop ? 2 : 1;
    if (end >= stop)
        return pali__template_fail(lexer->t, PALI_ERROR_FORMAT, "a string does not end");
    TRY(add(lexer, PALI__TOKEN_VALUE, NULL, 0));
    TRY(pali__template_alloc(lexer->t, &copy, (size_t)(end - lexer->source) - lexer->at));
    to = copy;
    advance(lexer, 1);
    while (lexer->source + lexer->at < end) {
        char c = peek(lexer, 0);
        advance(lexer, 1);
        if (c != '\\')
            *to++ = c;
        else
            TRY(read_escape(lexer, &to));
    }
    advance(lexer, 1);
    lexer->tokens[lexer->count - 1].value = pali__t_text(copy, (size_t)(to - copy));
    return PALI_OK;
}

/* Decimal digits with an optional fraction. With at most 15 digits a division by a power of ten is exactly what
 * reading the number means; more, or an exponent, stands in no chat template. */
static pali_status read_number(struct lexer *lexer)
{
    static const double powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    int64_t number = 0;
    int digits = 0, decimals = 0;
    bool is_float = false;
    TRY(add(lexer, PALI__TOKEN_VALUE, NULL, 0));
    for (;; advance(lexer, 1)) {
        if (peek(lexer, 0) == '.' && !is_float && is_digit(peek(lexer, 1))) {
            is_float = true;
            continue;
        }
        if (!is_digit(peek(lexer, 0)))
            break;
        if (++digits > (is_float ? 15 : 18))
            return pali__template_fail(lexer->t, PALI_ERROR_UNSUPPORTED, "a number of that many digits is not served");
        number = number * 10 + (peek(lexer, 0) - '0');
        decimals += is_float;
    }
    if (is_letter(peek(lexer, 0)))
        return pali__template_fail(lexer->t, PALI_ERROR_UNSUPPORTED, "a number that is written with \"%c\" is not served",
                                   peek(lexer, 0));
    if (is_float && digits > 15)
        return pali__template_fail(lexer->t, PALI_ERROR_UNSUPPORTED, "a number of that many digits is not served");
    lexer->tokens[lexer->count - 1].value =
        is_float ? pali__t_float((double)number / powers[decimals]) : pali__t_int(number);
    return PALI_OK;
}

/* ---- inside of {{ }} and {% %} ---- */

static pali_status read_operator(struct lexer *lexer)
{
    static const char *const operators[] = { "**", "//", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "[",
                                             "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";" };
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (!begins(lexer, operators[i]))
            continue;
        char c = operators[i][0];
        if (c == '(' || c == '[' || c == '{') {
            if (lexer->n_brackets == PALI__T_DEPTH)
                return pali__template_fail(lexer->t, PALI_ERROR_LIMIT, "more than %d brackets are open", PALI__T_DEPTH);
            lexer->brackets[lexer->n_brackets++] = c == '(' ? ')' : c == '[' ? ']' : '}';
        } else if ((c == ')' || c == ']' || c == '}') &&
                   (!lexer->n_brackets || lexer->brackets[--lexer->n_brackets] != c)) {
            return pali__template_fail(lexer->t, PALI_ERROR_FORMAT, "a \"%c\" closes nothing", c);
        }
        TRY(add(lexer, PALI__TOKEN_OPERATOR, operators[i], strlen(operators[i])));
        advance(lexer, strlen(operators[i]));
        return PALI_OK;
    }
    unsigned byte = (unsigned char)peek(lexer, 0);
    return pali__template_fail(lexer->t, PALI_ERROR_FORMAT, byte < 0x80 ? "unexpected \"%c\"" : "unexpected byte %u", byte);
}

/* The end of a tag, and the white space that goes with it; false if it does not stand here. */
static bool take_end(struct lexer *lexer, const char *end, bool trims)
{
    char sign = peek(lexer, 0);
    size_t length = sign == '-' || (sign == '+' && trims) ? 1 : 0;
    if (lexer->n_brackets || peek(lexer, length) != end[0] || peek(lexer, length + 1) != end[1])
        return false;
    advance(lexer, length + 2);
    if (length && sign == '-')
        skip_spaces(lexer);
    else if (!length && trims && peek(lexer, 0) == '\n')
        advance(lexer, 1);
    lexer->line_starting = lexer->source[lexer->at - 1] == '\n';
    return true;
}

static pali_status read_tag(struct lexer *lexer, bool is_block)
{
    int line = lexer->t->line;
    for (;;) {
        skip_spaces(lexer);
        if (lexer->at >= lexer->size) {
            lexer->t->line = line;
            return pali__template_fail(lexer->t, PALI_ERROR_FORMAT, "a \"%s\" is not closed", is_block ? "{%" : "{{");
        }
        TRY(pali__template_charge(lexer->t, 0));
        if (take_end(lexer, is_block ? "%}" : "}}", is_block))
            return add(lexer, is_block ? PALI__TOKEN_BLOCK_END : PALI__TOKEN_OUTPUT_END, NULL, 0);
        char c = peek(lexer, 0);
        if (is_letter(c)) {
            size_t length = 1;
            while (is_letter(peek(lexer, length)) || is_digit(peek(lexer, length)))
                length++;
            TRY(add(lexer, PALI__TOKEN_NAME, lexer->source + lexer->at, length));
            advance(lexer, length);
        } else if (is_digit(c)) {
            TRY(read_number(lexer));
        } else if (c == '"' || c == '\'') {
            TRY(read_string(lexer));
        } else {
            TRY(read_operator(lexer));
        }
    }
}

/* ---- between the tags ---- */

static pali_status skip_comment(struct lexer *lexer)
{
    int line = lexer->t->line;
    size_t begin = lexer->at;
    while (lexer->at < lexer->size && !begins(lexer, "#}"))
        advance(lexer, 1);
    if (lexer->at >= lexer->size) {
        lexer->t->line = line;
        return pali__template_fail(lexer->t, PALI_ERROR_FORMAT, "a comment is not closed");
    }
    char sign = lexer->at > begin ? lexer->source[lexer->at - 1] : '\0';
    advance(lexer, 2);
    if (sign == '-')
        skip_spaces(lexer);
    else if (sign != '+' && peek(lexer, 0) == '\n')
        advance(lexer, 1);
    lexer->line_starting = lexer->source[lexer->at - 1] == '\n';
    return PALI_OK;
}

/* The text before a tag, less what the tag's mark or lstrip_blocks takes away. */
static struct pali__ttext cut_before(const struct lexer *lexer, struct pali__ttext text, char sign, char tag)
{
    if (sign == '-')
        return pali__t_strip(text, false, true);
    if (sign == '+' || tag == '{')
        return text;
    size_t begin = text.size;
    while (begin && text.bytes[begin - 1] != '\n')
        begin--;
    struct pali__ttext line = { text.bytes + begin, text.size - begin };
    if ((begin > 0 || lexer->line_starting) && pali__t_strip(line, true, false).size == 0)
        text.size = begin;
    return text;
}

static pali_status read_piece(struct lexer *lexer)
{
    struct pali__ttext text = { lexer->source + lexer->at, 0 };
    char tag = '\0';
    for (size_t i = lexer->at; i + 1 < lexer->size && !tag; i++)
        if (lexer->source[i] == '{' && strchr("{%#", lexer->source[i + 1]) && lexer->source[i + 1]) {
            tag = lexer->source[i + 1];
            text.size = i - lexer->at;
        }
    if (!tag) {
        text.size = lexer->size - lexer->at;
        TRY(add(lexer, PALI__TOKEN_DATA, text.bytes, text.size));
        advance(lexer, text.size);
        return PALI_OK;
    }
    size_t whole = text.size;
    char sign = peek(lexer, whole + 2);
    if (sign != '-' && sign != '+')
        sign = '\0';
    text = cut_before(lexer, text, sign, tag);
    if (text.size)
        TRY(add(lexer, PALI__TOKEN_DATA, text.bytes, text.size));
    advance(lexer, whole + (sign ? 3 : 2));
    if (tag == '#')
        return skip_comment(lexer);
    TRY(add(lexer, tag == '%' ? PALI__TOKEN_BLOCK : PALI__TOKEN_OUTPUT, NULL, 0));
    return read_tag(lexer, tag == '%');
}

/* Newlines of other systems become "\n", and one at the very end goes, as Jinja has it. */
static pali_status normalise(struct pali__template *t, char **out, size_t *size, const char *source)
{
    size_t n = 0;
    TRY(pali__template_alloc(t, out, *size));
    for (size_t i = 0; i < *size; i++) {
        if (source[i] == '\r' && i + 1 < *size && source[i + 1] == '\n')
            continue;
        (*out)[n++] = source[i] == '\r' ? '\n' : source[i];
    }
    *size = n && (*out)[n - 1] == '\n' ? n - 1 : n;
    return PALI_OK;
}

pali_status pali__template_lex(struct pali__template *t, struct pali__token **tokens, const char *source, size_t size)
{
    struct lexer lexer = { .t = t, .line_starting = true };
    char *copy = NULL;
    t->line = 1;
    TRY(normalise(t, &copy, &size, source));
    lexer.source = copy;
    lexer.size = size;
    while (lexer.at < lexer.size)
        TRY(read_piece(&lexer));
    TRY(add(&lexer, PALI__TOKEN_END, NULL, 0));
    *tokens = lexer.tokens;
    return PALI_OK;
}
