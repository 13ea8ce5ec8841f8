/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma diff: two files of tensors compared in the order in which a pass computes them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arguments.h"
#include "commands.h"
#include "json_write.h"

static const struct usage usage = {
    "diff",
    "Compares two safetensors files, such as paligemma forward writes, and names the first tensor that departs.\n"
    "Exit status 0: equal within tolerance, 1: not equal.",
    "A.safetensors B.safetensors"
};

struct diff {
    const char *paths[2];
    pali_compare_options options;
    bool json, all;
};

static void print_index(const int64_t *index, int32_t rank)
{
    putchar('[');
    for (int32_t i = 0; i < rank; i++)
        printf("%s%" PRId64, i ? ", " : "", index[i]);
    putchar(']');
}

static void print_shape(const pali_inputs *tensors, const char *name)
{
    const pali_tensor *tensor = pali_inputs_get(tensors, name);
    print_index(tensor->shape, tensor->rank);
}

/* ---- for people ---- */

static void print_line(const struct diff *diff, const pali_difference *one, const pali_inputs *const files[2])
{
    printf("%-24s ", one->name);
    switch (one->kind) {
    case PALI_DIFFERENCE_MISSING_A:
    case PALI_DIFFERENCE_MISSING_B:
        printf("only in %s\n", diff->paths[one->kind == PALI_DIFFERENCE_MISSING_A]);
        return;
    case PALI_DIFFERENCE_SHAPE:
        fputs("shapes ", stdout);
        print_shape(files[0], one->name);
        fputs(" and ", stdout);
        print_shape(files[1], one->name);
        putchar('\n');
        return;
    case PALI_DIFFERENCE_NONE:
        fputs("equal   ", stdout);
        break;
    case PALI_DIFFERENCE_VALUES:
        fputs("departs ", stdout);
        break;
    }
    printf(" max |a-b| %.3g", one->max_abs);
    if (one->max_abs > 0.0) {
        fputs(" at ", stdout);
        print_index(one->max_index, one->rank);
    }
    printf(", relative %.3g, rms %.3g", one->max_rel, one->rms);
    if (one->n_departing)
        printf(", %" PRId64 " of %" PRId64 " values", one->n_departing, one->count);
    if (one->n_nan_a || one->n_nan_b)
        printf(", NaN %" PRId64 " and %" PRId64, one->n_nan_a, one->n_nan_b);
    putchar('\n');
}

static void print_text(const struct diff *diff, const pali_comparison *comparison, const pali_inputs *const files[2])
{
    size_t first = pali_comparison_first(comparison), count = pali_comparison_count(comparison);
    for (size_t i = 0; i < count; i++)
        if (diff->all || i == first || pali_comparison_get(comparison, i)->kind >= PALI_DIFFERENCE_MISSING_A)
            print_line(diff, pali_comparison_get(comparison, i), files);
    const pali_difference *one = pali_comparison_get(comparison, first);
    bool whole = !one || one->kind >= PALI_DIFFERENCE_MISSING_A; /* no values depart: count all that are equal */
    size_t n_equal = 0;
    for (size_t i = 0; i < (whole ? count : first); i++)
        n_equal += pali_comparison_get(comparison, i)->kind == PALI_DIFFERENCE_NONE;
    if (!one) {
        printf("equal: %zu tensors within %g + %g·|b|\n", count, diff->options.atol, diff->options.rtol);
    } else if (one->kind == PALI_DIFFERENCE_VALUES) {
        printf("the first to depart is %s, at ", one->name);
        print_index(one->first_index, one->rank);
        printf(": %.9g and %.9g; %zu tensors before it agree\n", one->first_a, one->first_b, n_equal);
    } else if (one->kind == PALI_DIFFERENCE_SHAPE) {
        printf("the first to depart is %s; %zu tensors before it agree\n", one->name, n_equal);
    } else {
        printf("the %zu tensors that both files have agree\n", n_equal);
    }
}

/* ---- for programs ---- */

static void print_json_tensor(const pali_difference *one)
{
    static const char *const kinds[] = { "equal", "values", "shape", "missing in a", "missing in b" };
    fputs("{\"name\": ", stdout);
    json_write_text(one->name);
    printf(", \"result\": \"%s\"", kinds[one->kind]);
    if (one->kind <= PALI_DIFFERENCE_VALUES) {
        printf(", \"count\": %" PRId64 ", \"departing\": %" PRId64 ", \"nan\": [%" PRId64 ", %" PRId64 "], \"max_abs\": ",
               one->count, one->n_departing, one->n_nan_a, one->n_nan_b);
        json_write_number(one->max_abs);
        fputs(", \"max_rel\": ", stdout);
        json_write_number(one->max_rel);
        fputs(", \"rms\": ", stdout);
        json_write_number(one->rms);
    }
    if (one->kind <= PALI_DIFFERENCE_VALUES && one->max_abs > 0.0) {
        fputs(", \"max_index\": ", stdout);
        print_index(one->max_index, one->rank);
    }
    if (one->n_departing) {
        fputs(", \"first_index\": ", stdout);
        print_index(one->first_index, one->rank);
        fputs(", \"first_values\": [", stdout);
        json_write_number(one->first_a);
        fputs(", ", stdout);
        json_write_number(one->first_b);
        putchar(']');
    }
    putchar('}');
}

static void print_json(const pali_comparison *comparison)
{
    const pali_difference *first = pali_comparison_get(comparison, pali_comparison_first(comparison));
    printf("{\"equal\": %s, \"first\": ", first ? "false" : "true");
    json_write_text(first ? first->name : NULL);
    fputs(", \"tensors\": [", stdout);
    for (size_t i = 0; i < pali_comparison_count(comparison); i++) {
        fputs(i ? ", " : "", stdout);
        print_json_tensor(pali_comparison_get(comparison, i));
    }
    puts("]}");
}

static int compare_files(const struct diff *diff)
{
    pali_inputs *files[2] = { NULL, NULL };
    pali_comparison *comparison = NULL;
    pali_error *error = NULL;
    int status = EXIT_FAILED;
    if (pali_inputs_load(&files[0], diff->paths[0], &error) != PALI_OK ||
        pali_inputs_load(&files[1], diff->paths[1], &error) != PALI_OK ||
        pali_compare(&comparison, files[0], files[1], &diff->options, &error) != PALI_OK) {
        report(error);
    } else {
        if (diff->json)
            print_json(comparison);
        else
            print_text(diff, comparison, (const pali_inputs *const[]){ files[0], files[1] });
        status = pali_comparison_first(comparison) == pali_comparison_count(comparison) ? EXIT_DONE : EXIT_FAILED;
    }
    pali_error_free(error);
    pali_comparison_free(comparison);
    pali_inputs_free(files[0]);
    pali_inputs_free(files[1]);
    return status;
}

int cmd_diff(int argc, char **argv)
{
    struct diff diff = { .options = PALI_COMPARE_OPTIONS_INIT };
    struct option options[] = {
        { NULL, "--atol", "X", OPTION_FLOAT, false, &diff.options.atol, 0, 1e300,
          "values agree if |a - b| <= atol + rtol·|b| (default 1e-4)", false },
        { NULL, "--rtol", "X", OPTION_FLOAT, false, &diff.options.rtol, 0, 1e300, "(default 1e-4)", false },
        { NULL, "--all", NULL, OPTION_SWITCH, false, &diff.all, 0, 0, "a line for every tensor", false },
        { NULL, "--json", NULL, OPTION_SWITCH, false, &diff.json, 0, 0, "print one JSON object, with every tensor",
          false },
    };
    int status = options_parse_several(&usage, options, sizeof options / sizeof options[0], diff.paths, 2, argc, argv);
    if (status == OPTIONS_GO_ON && !diff.paths[1])
        return usage_error(&usage, "%s is missing", diff.paths[0] ? "B.safetensors" : "A.safetensors");
    return status == OPTIONS_GO_ON ? compare_files(&diff) : status;
}
