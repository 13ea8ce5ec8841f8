/* SPDX-License-Identifier: BSD-2-Clause */
#include "arguments.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

int usage_error(const struct usage *usage, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "paligemma %s: ", usage->command);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, " (see paligemma %s --help)\n", usage->command);
    return EXIT_USAGE;
}

static void print_help(const struct usage *usage, const struct option *options, size_t n_options)
{
    printf("usage: paligemma %s%s%s", usage->command, usage->positional ? " " : "",
           usage->positional ? usage->positional : "");
    for (size_t i = 0; i < n_options; i++)
        if (options[i].required)
            printf(" %s %s", options[i].flag ? options[i].flag : options[i].long_flag, options[i].value);
    printf(" [option…]\n%s\n\n", usage->summary);
    for (size_t i = 0; i < n_options; i++) {
        const struct option *option = &options[i];
        char names[64];
        snprintf(names, sizeof names, "%s%s%s%s%s", option->flag ? option->flag : "",
                 option->flag && option->long_flag ? ", " : "", option->long_flag ? option->long_flag : "",
                 option->value ? " " : "", option->value ? option->value : "");
        if (strlen(names) > 26) /* the text goes below a long name */
            printf("  %s\n  %-26s %s\n", names, "", option->help);
        else
            printf("  %-26s %s\n", names, option->help);
    }
    printf("  %-26s %s\n", "-h, --help", "show this");
}

static bool parse_integer(const struct option *option, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || (double)value < option->min || (double)value > option->max)
        return false;
    *(int64_t *)option->target = value;
    return true;
}

static bool parse_float(const struct option *option, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < option->min || value > option->max)
        return false;
    *(double *)option->target = value;
    return true;
}

static bool parse_seed(const struct option *option, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || strchr(text, '-'))
        return false;
    *(uint64_t *)option->target = value;
    return true;
}

static bool parse_dtype(const struct option *option, const char *text)
{
    static const pali_dtype known[] = { PALI_FLOAT32, PALI_BFLOAT16, PALI_INT8 };
    for (size_t i = 0; i < (option->kind == OPTION_CACHE_DTYPE ? 3 : 2); i++)
        if (strcmp(text, pali_dtype_name(known[i])) == 0) {
            *(pali_dtype *)option->target = known[i];
            return true;
        }
    return false;
}

/* Appends the numbers of "0,3,-1"; false when it is no such list, or one of them is out of range. */
static bool parse_list(const struct option *option, const char *text, bool *no_memory)
{
    struct integers *list = option->target;
    size_t most = list->count + 1;
    for (const char *at = text; *at; at++)
        most += *at == ',';
    int64_t *items = realloc(list->items, most * sizeof *items);
    *no_memory = !items;
    if (!items)
        return false;
    list->items = items;
    for (const char *at = text;; at++) {
        char *end;
        errno = 0;
        long long value = strtoll(at, &end, 10);
        if (errno || end == at || (double)value < option->min || (double)value > option->max || (*end && *end != ','))
            return false;
        items[list->count++] = value;
        at = end;
        if (!*at)
            return true;
    }
}

static int set_list(const struct usage *usage, const struct option *option, const char *name, const char *text)
{
    bool no_memory;
    if (parse_list(option, text, &no_memory))
        return OPTIONS_GO_ON;
    if (no_memory)
        return report_text("out of memory");
    return usage_error(usage, "%s takes whole numbers from %.0f to %.0f with commas between, not \"%s\"", name,
                       option->min, option->max, text);
}

/* Stores `text` as the option's value; OPTIONS_GO_ON, or the exit status. `name` is the flag as it was written. */
static int set_value(const struct usage *usage, struct option *option, const char *name, const char *text, int argc)
{
    if (option->seen && option->kind != OPTION_TEXTS && option->kind != OPTION_SWITCH)
        return usage_error(usage, "%s is given twice", name);
    switch (option->kind) {
    case OPTION_SWITCH:
        *(bool *)option->target = true;
        break;
    case OPTION_TEXT:
        *(const char **)option->target = text;
        break;
    case OPTION_TEXTS: {
        struct texts *texts = option->target; /* argv bounds how many there can be */
        if (!texts->items && !(texts->items = calloc((size_t)argc, sizeof *texts->items)))
            return report_text("out of memory");
        texts->items[texts->count++] = text;
        break;
    }
    case OPTION_INT:
        if (!parse_integer(option, text))
            return usage_error(usage, "%s takes a whole number from %.0f to %.0f, not \"%s\"", name, option->min,
                               option->max, text);
        break;
    case OPTION_LIST: {
        int status = set_list(usage, option, name, text);
        if (status != OPTIONS_GO_ON)
            return status;
        break;
    }
    case OPTION_FLOAT:
        if (!parse_float(option, text))
            return usage_error(usage, "%s takes a number from %g to %g, not \"%s\"", name, option->min, option->max,
                               text);
        break;
    case OPTION_SEED:
        if (!parse_seed(option, text))
            return usage_error(usage, "%s takes a whole number from 0 to 18446744073709551615, not \"%s\"", name, text);
        break;
    case OPTION_DTYPE:
        if (!parse_dtype(option, text))
            return usage_error(usage, "%s takes float32 or bfloat16, not \"%s\"", name, text);
        break;
    case OPTION_CACHE_DTYPE:
        if (!parse_dtype(option, text))
            return usage_error(usage, "%s takes float32, bfloat16 or int8, not \"%s\"", name, text);
        break;
    }
    option->seen = true;
    return OPTIONS_GO_ON;
}

/* The option that `argument` names, as "-m", "--model" or "--model=…"; *inline_value is what follows the "=", or NULL. */
static struct option *find_option(struct option *options, size_t n_options, const char *argument,
                                  const char **inline_value)
{
    const char *equals = strncmp(argument, "--", 2) == 0 ? strchr(argument, '=') : NULL;
    size_t size = equals ? (size_t)(equals - argument) : strlen(argument);
    *inline_value = equals ? equals + 1 : NULL;
    for (size_t i = 0; i < n_options; i++) {
        const char *names[2] = { options[i].flag, options[i].long_flag };
        for (int n = 0; n < 2; n++)
            if (names[n] && strlen(names[n]) == size && memcmp(names[n], argument, size) == 0)
                return &options[i];
    }
    return NULL;
}

static int parse_option(const struct usage *usage, struct option *options, size_t n_options, int *at, int argc,
                        char **argv)
{
    const char *argument = argv[*at], *value;
    struct option *option = find_option(options, n_options, argument, &value);
    if (!option)
        return usage_error(usage, "unknown option %s", argument);
    if (option->kind == OPTION_SWITCH) {
        if (value)
            return usage_error(usage, "%s takes no value", option->long_flag);
    } else if (!value) {
        if (*at + 1 >= argc)
            return usage_error(usage, "%s needs a value: %s", argument, option->value);
        value = argv[++*at];
    }
    return set_value(usage, option, option->long_flag ? option->long_flag : option->flag, value, argc);
}

/* --x and --no-x do not go together. */
static int check_opposites(const struct usage *usage, const struct option *options, size_t n_options)
{
    for (size_t i = 0; i < n_options; i++)
        for (size_t j = 0; j < n_options; j++) {
            const char *no = options[i].long_flag, *yes = options[j].long_flag;
            if (options[i].seen && options[j].seen && no && yes && !strncmp(no, "--no-", 5) && !strcmp(no + 5, yes + 2))
                return usage_error(usage, "%s and %s contradict each other", yes, no);
        }
    return OPTIONS_GO_ON;
}

static int check_required(const struct usage *usage, const struct option *options, size_t n_options)
{
    for (size_t i = 0; i < n_options; i++)
        if (options[i].required && !options[i].seen)
            return usage_error(usage, "%s %s is missing", options[i].flag ? options[i].flag : options[i].long_flag,
                               options[i].value);
    return OPTIONS_GO_ON;
}

int options_parse_several(const struct usage *usage, struct option *options, size_t n_options, const char **positional,
                          size_t n_positional, int argc, char **argv)
{
    bool only_positional = false;
    size_t n_found = 0;
    for (int at = 0; at < argc; at++) {
        const char *argument = argv[at];
        if (only_positional || argument[0] != '-' || argument[1] == '\0') {
            if (n_found == n_positional)
                return usage_error(usage, "unexpected argument \"%s\"", argument);
            positional[n_found++] = argument;
        } else if (strcmp(argument, "--") == 0) {
            only_positional = true;
        } else if (strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0) {
            print_help(usage, options, n_options);
            return EXIT_DONE;
        } else {
            int status = parse_option(usage, options, n_options, &at, argc, argv);
            if (status != OPTIONS_GO_ON)
                return status;
        }
    }
    int status = check_opposites(usage, options, n_options);
    return status == OPTIONS_GO_ON ? check_required(usage, options, n_options) : status;
}

int options_parse(const struct usage *usage, struct option *options, size_t n_options, const char **positional, int argc,
                  char **argv)
{
    return options_parse_several(usage, options, n_options, positional, positional ? 1 : 0, argc, argv);
}

void set_model_options(pali_model_options *options, const struct common *common)
{
    options->dtype = common->dtype;
    options->threads = (int32_t)common->threads;
    options->copy_weights = common->copy_weights;
    options->ignore_memory = common->ignore_memory;
    options->int8_head = common->no_int8_head ? -1 : common->int8_head;
}
