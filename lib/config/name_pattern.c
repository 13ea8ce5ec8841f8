/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pattern becomes a small program, which is then followed along all its ways at once, so that no pattern takes
 * exponential time. Only whether there is a match is asked for: greedy and lazy repetition are the same.
 */
#include "config/name_pattern.h"

#include <stddef.h>
#include <string.h>

enum op {
    BYTE,         /* x: which */
    ANY,          /* but a newline */
    SET,          /* x: which */
    SPLIT,        /* go on at x and at y */
    JUMP,         /* to x */
    BEGIN, END,   /* of the name */
    EDGE, NO_EDGE, /* of a word */
    AHEAD, NOT_AHEAD, /* the steps behind it, up to DONE, match here or do not; then on at x */
    DONE
};

enum { DEPTH_MAX = 32, REPEAT_MAX = 255 };

/* ---- from the text to steps ---- */

struct parser {
    struct pali__name_pattern *out;
    const char *at;
    const char *wrong; /* NULL: nothing so far */
    int depth;
    bool looks_ahead;
};

static void alternatives(struct parser *parser);

static void fail(struct parser *parser, const char *why)
{
    if (!parser->wrong)
        parser->wrong = why;
    parser->at += strlen(parser->at);
}

static void insert(struct parser *parser, int where, enum op op, int32_t x, int32_t y)
{
    struct pali__name_pattern *out = parser->out;

    if (out->n_steps == PALI__PATTERN_STEPS) {
        fail(parser, "it is too long");
        return;
    }
    memmove(out->steps + where + 1, out->steps + where, (size_t)(out->n_steps - where) * sizeof *out->steps);
    out->steps[where] = (struct pali__pattern_step){ (int)op, x, y };
    out->n_steps++;
}

static void add(struct parser *parser, enum op op, int32_t x, int32_t y)
{
    insert(parser, parser->out->n_steps, op, x, y);
}

/* The bytes of \d, \w or \s, or of the capital letter all others. False for another letter. */
static bool add_class(uint8_t set[32], char letter)
{
    char lower = (char)(letter | 32);
    bool inverted = letter != lower;

    if (lower != 'd' && lower != 'w' && lower != 's')
        return false;
    for (int c = 0; c < 256; c++) {
        bool digit = c >= '0' && c <= '9', alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool space = c == ' ' || (c >= '\t' && c <= '\r');
        if ((lower == 'd' ? digit : lower == 'w' ? digit || alpha : space) != inverted)
            set[c / 8] |= (uint8_t)(1u << c % 8);
    }
    return true;
}

static uint8_t *new_set(struct parser *parser)
{
    struct pali__name_pattern *out = parser->out;

    if (out->n_sets == PALI__PATTERN_SETS) {
        fail(parser, "it has too many sets");
        return NULL;
    }
    memset(out->sets[out->n_sets], 0, sizeof out->sets[0]);
    add(parser, SET, out->n_sets, 0);
    return out->sets[out->n_sets++];
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A member of a set, behind a backslash or not; -1 if it was a class, which is in the set now, or is not served. */
static int set_member(struct parser *parser, uint8_t set[32])
{
    char c = *parser->at++;

    if (c == '\\' && *parser->at) {
        c = *parser->at++;
        if (add_class(set, c))
            return -1;
        if (is_letter_or_digit(c))
            fail(parser, "it has an escape that is not served");
    } else if ((unsigned char)c >= 0x80) {
        fail(parser, "it has a set beyond ASCII");
    }
    return (unsigned char)c;
}

/* Behind the opening bracket. */
static void set(struct parser *parser)
{
    uint8_t *set = new_set(parser);
    bool inverted = *parser->at == '^';

    parser->at += inverted;
    for (bool first = true; set && *parser->at && (first || *parser->at != ']'); first = false) {
        int low = set_member(parser, set), high = low;
        if (low >= 0 && parser->at[0] == '-' && parser->at[1] && parser->at[1] != ']') {
            parser->at++;
            high = set_member(parser, set);
            if (high < low)
                fail(parser, "it has a set whose range is empty");
        }
        for (int c = low; low >= 0 && c <= high; c++)
            set[c / 8] |= (uint8_t)(1u << c % 8);
    }
    if (parser->wrong)
        return;
    if (*parser->at != ']') {
        fail(parser, "a set is not closed");
        return;
    }
    parser->at++;
    for (int i = 0; inverted && i < 32; i++)
        set[i] = (uint8_t)~set[i];
}

static void escape(struct parser *parser)
{
    uint8_t bytes[32] = { 0 };
    char c = *parser->at;

    if (!c) {
        fail(parser, "it ends in a backslash");
        return;
    }
    parser->at++;
    if (c == 'b' || c == 'B') {
        add(parser, c == 'b' ? EDGE : NO_EDGE, 0, 0);
    } else if (c == 'A' || c == 'Z') {
        add(parser, c == 'A' ? BEGIN : END, 0, 0);
    } else if (add_class(bytes, c)) {
        uint8_t *set = new_set(parser);
        if (set)
            memcpy(set, bytes, sizeof bytes);
    } else if (is_letter_or_digit(c)) {
        fail(parser, "it has an escape that is not served");
    } else {
        add(parser, BYTE, (unsigned char)c, 0);
    }
}

static void lookahead(struct parser *parser, enum op op)
{
    int start = parser->out->n_steps;

    if (parser->looks_ahead) {
        fail(parser, "it has lookahead in lookahead");
        return;
    }
    parser->looks_ahead = true;
    add(parser, op, 0, 0);
    alternatives(parser);
    add(parser, DONE, 0, 0);
    parser->looks_ahead = false;
    if (!parser->wrong)
        parser->out->steps[start].x = parser->out->n_steps - start;
}

/* Behind the opening parenthesis. */
static void group(struct parser *parser)
{
    if (++parser->depth > DEPTH_MAX)
        fail(parser, "it is nested too deeply");
    if (!strncmp(parser->at, "?=", 2) || !strncmp(parser->at, "?!", 2)) {
        parser->at += 2;
        lookahead(parser, parser->at[-1] == '=' ? AHEAD : NOT_AHEAD);
    } else {
        if (!strncmp(parser->at, "?P<", 3))
            parser->at += strcspn(parser->at, ">");
        else if (!strncmp(parser->at, "?:", 2))
            parser->at++;
        else if (*parser->at == '?')
            fail(parser, "it has a kind of group that is not served");
        parser->at += *parser->at == '>' || *parser->at == ':';
        alternatives(parser);
    }
    parser->depth--;
    if (*parser->at != ')')
        fail(parser, "a parenthesis is not closed");
    else
        parser->at++;
}

static void atom(struct parser *parser)
{
    char c = *parser->at++;

    if (c == '(')
        group(parser);
    else if (c == '[')
        set(parser);
    else if (c == '\\')
        escape(parser);
    else if (c == '.')
        add(parser, ANY, 0, 0);
    else if (c == '^' || c == '$')
        add(parser, c == '^' ? BEGIN : END, 0, 0);
    else if (c == '*' || c == '+' || c == '?')
        fail(parser, "there is nothing to repeat");
    else
        add(parser, BYTE, (unsigned char)c, 0);
}

/* {m}, {m,}, {,n} or {m,n} at parser->at: *most is -1 without an upper bound. Anything else is no repetition. */
static bool read_counts(struct parser *parser, int *least, int *most)
{
    const char *at = parser->at + 1;
    int numbers[2] = { 0, -1 };
    bool given[2] = { false, false };
    int which = 0;

    for (; *at && *at != '}'; at++) {
        if (*at == ',' && which == 0) {
            which = 1;
            continue;
        }
        if (*at < '0' || *at > '9')
            return false;
        numbers[which] = (given[which] ? numbers[which] : 0) * 10 + (*at - '0');
        given[which] = true;
        if (numbers[which] > REPEAT_MAX)
            numbers[which] = REPEAT_MAX + 1;
    }
    if (!*at || (!given[0] && !given[1]))
        return false;
    parser->at = at + 1;
    *least = numbers[0];
    *most = which ? numbers[1] : numbers[0];
    return true;
}

static void copy_steps(struct parser *parser, const struct pali__pattern_step *steps, int n)
{
    for (int i = 0; i < n; i++)
        add(parser, (enum op)steps[i].op, steps[i].x, steps[i].y);
}

/* The steps from `start` on, `least` to `most` times. */
static void repeat(struct parser *parser, int start, int least, int most)
{
    struct pali__pattern_step steps[PALI__PATTERN_STEPS];
    int n = parser->out->n_steps - start;

    if (least > REPEAT_MAX || most > REPEAT_MAX || (most >= 0 && most < least)) {
        fail(parser, "it has a repetition that is not served");
        return;
    }
    memcpy(steps, parser->out->steps + start, (size_t)n * sizeof *steps);
    parser->out->n_steps = start;
    for (int i = 0; i < least && !parser->wrong; i++)
        copy_steps(parser, steps, n);
    if (most < 0) {
        add(parser, SPLIT, 1, n + 2);
        copy_steps(parser, steps, n);
        add(parser, JUMP, -(n + 1), 0);
    }
    for (int i = least; i < most && !parser->wrong; i++) {
        add(parser, SPLIT, 1, n + 1);
        copy_steps(parser, steps, n);
    }
}

static void atom_and_repetition(struct parser *parser)
{
    int start = parser->out->n_steps, least = 1, most = 1;
    char c;

    atom(parser);
    if (parser->wrong)
        return;
    c = *parser->at;
    if (c == '*' || c == '+' || c == '?') {
        parser->at++;
        least = c == '+';
        most = c == '?' ? 1 : -1;
    } else if (c != '{' || !read_counts(parser, &least, &most)) {
        return;
    }
    parser->at += *parser->at == '?'; /* lazy */
    if (*parser->at == '*' || *parser->at == '+' || *parser->at == '?')
        fail(parser, "it repeats a repetition");
    else
        repeat(parser, start, least, most);
}

static void alternatives(struct parser *parser)
{
    int start = parser->out->n_steps;

    while (*parser->at && *parser->at != '|' && *parser->at != ')')
        atom_and_repetition(parser);
    if (*parser->at != '|')
        return;
    parser->at++;
    insert(parser, start, SPLIT, 1, parser->out->n_steps - start + 2);
    int jump = parser->out->n_steps;
    add(parser, JUMP, 0, 0);
    alternatives(parser);
    if (!parser->wrong)
        parser->out->steps[jump].x = parser->out->n_steps - jump;
}

const char *pali__name_pattern_parse(struct pali__name_pattern *out, const char *pattern)
{
    struct parser parser = { .out = out, .at = pattern };

    out->n_steps = out->n_sets = 0;
    alternatives(&parser);
    if (!parser.wrong && *parser.at)
        fail(&parser, "a parenthesis is not opened");
    add(&parser, DONE, 0, 0);
    return parser.wrong;
}

/* ---- along the name ---- */

static bool is_word(char c) { return is_letter_or_digit(c) || c == '_'; }

static bool edge_at(const char *name, size_t at)
{
    return is_word(name[at]) != (at > 0 && is_word(name[at - 1]));
}

/* The steps that are to be taken next, each once. */
struct places {
    int16_t steps[PALI__PATTERN_STEPS];
    int n;
    bool has[PALI__PATTERN_STEPS];
};

static bool run(const struct pali__name_pattern *pattern, int first, const char *name, size_t at);

/* Whether step `index`, which takes no byte, lets pass at name[at]. */
static bool passes(const struct pali__name_pattern *pattern, int index, const char *name, size_t at)
{
    switch ((enum op)pattern->steps[index].op) {
    case BEGIN:
        return at == 0;
    case END:
        return !name[at];
    case EDGE:
        return edge_at(name, at);
    case NO_EDGE:
        return !edge_at(name, at);
    case AHEAD:
        return run(pattern, index + 1, name, at);
    case NOT_AHEAD:
        return !run(pattern, index + 1, name, at);
    default:
        return true;
    }
}

static void add_place(struct places *places, int step)
{
    if (!places->has[step]) {
        places->has[step] = true;
        places->steps[places->n++] = (int16_t)step;
    }
}

static void clear(struct places *places)
{
    while (places->n > 0)
        places->has[places->steps[--places->n]] = false;
}

static bool takes(const struct pali__name_pattern *pattern, const struct pali__pattern_step *step, unsigned char c)
{
    return step->op == BYTE ? step->x == c
                            : step->op == ANY ? c != '\n'
                                              : step->op == SET && pattern->sets[step->x][c / 8] >> c % 8 & 1;
}

static bool run(const struct pali__name_pattern *pattern, int first, const char *name, size_t at)
{
    struct places places[2], *now = &places[0], *next = &places[1], *other;

    for (int i = 0; i < 2; i++) {
        places[i].n = 0;
        memset(places[i].has, 0, (size_t)pattern->n_steps * sizeof *places[i].has);
    }
    add_place(now, first);
    for (; now->n > 0; at++) {
        unsigned char c = (unsigned char)name[at];
        for (int i = 0; i < now->n; i++) { /* the list grows while it is read */
            int index = now->steps[i];
            const struct pali__pattern_step *step = &pattern->steps[index];
            if (step->op == DONE)
                return true;
            if (step->op == BYTE || step->op == ANY || step->op == SET) {
                if (c && takes(pattern, step, c))
                    add_place(next, index + 1);
            } else if (step->op == SPLIT) {
                add_place(now, index + step->x);
                add_place(now, index + step->y);
            } else if (passes(pattern, index, name, at)) {
                add_place(now, index + (step->op >= AHEAD || step->op == JUMP ? step->x : 1));
            }
        }
        if (!c)
            return false;
        clear(now);
        other = now;
        now = next;
        next = other;
    }
    return false;
}

bool pali__name_pattern_matches(const struct pali__name_pattern *pattern, const char *name)
{
    return run(pattern, 0, name, 0);
}
