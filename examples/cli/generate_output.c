/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "generate_command.h"
#include "json_write.h"
#include "resources.h"

static void print_number(double value)
{
    if (isfinite(value))
        printf("%.6f", value);
    else
        fputs("null", stdout);
}

const char *finish_reason_name(pali_finish_reason reason)
{
    switch (reason) {
    case PALI_FINISH_EOS:
        return "eos";
    case PALI_FINISH_LENGTH:
        return "length";
    case PALI_FINISH_CANCELLED:
        return "cancelled";
    case PALI_FINISH_STOP_STRING:
        return "stop_string";
    case PALI_FINISH_CONSTRAINT:
        return "constraint";
    }
    return "unknown";
}

/* [[{"id": 5, "text": "a", "logprob": -0.5}, …], …]; an id behind the tokenizer's last has no text. */
static void print_alternatives(const struct shown *shown, int64_t row)
{
    size_t n_ids = 0;
    pali_generation_token_ids(shown->answer, row, &n_ids);
    fputs(", \"top_logprobs\": [", stdout);
    for (size_t i = 0; i < n_ids; i++) {
        size_t n = 0;
        const pali_token_logprob *top = pali_generation_top_logprobs(shown->answer, row, i, &n);
        fputs(i ? ", [" : "[", stdout);
        for (size_t j = 0; j < n && top[j].id >= 0; j++) {
            char *text = NULL;
            printf("%s{\"id\": %" PRId64 ", \"text\": ", j ? ", " : "", top[j].id);
            if (pali_processor_decode(shown->processor, &top[j].id, 1, 0, &text, NULL) == PALI_OK)
                json_write_text(text);
            else
                fputs("null", stdout);
            pali_free(text);
            fputs(", \"logprob\": ", stdout);
            print_number(top[j].logprob);
            putchar('}');
        }
        putchar(']');
    }
    putchar(']');
}

/* What is known of one answer, behind its ids and text. */
static void print_details(const struct shown *shown, int64_t row)
{
    size_t n = 0;
    const double *logprobs = pali_generation_logprobs(shown->answer, row, &n);
    double score = pali_generation_score(shown->answer, row);

    printf(", \"finish_reason\": \"%s\"", finish_reason_name(pali_generation_finish_reason(shown->answer, row)));
    if (!isnan(score)) {
        fputs(", \"score\": ", stdout);
        print_number(score);
    }
    if (logprobs && shown->with_logprobs) {
        fputs(", \"logprobs\": [", stdout);
        for (size_t i = 0; i < n; i++) {
            fputs(i ? ", " : "", stdout);
            print_number(logprobs[i]);
        }
        putchar(']');
    }
    if (pali_generation_top_logprobs(shown->answer, row, 0, NULL))
        print_alternatives(shown, row);
}

static void print_answer(const struct shown *shown, int64_t row)
{
    size_t n_ids = 0;
    const int64_t *ids = pali_generation_token_ids(shown->answer, row, &n_ids);
    fputs("\"token_ids\": ", stdout);
    json_write_ids(ids, n_ids);
    fputs(", \"text\": ", stdout);
    json_write_text(pali_generation_text(shown->answer, row));
}

static void print_timing(const struct shown *shown, const pali_timing *timing)
{
    const struct {
        const char *name;
        double value;
    } stages[] = {
        { "load_s", shown->load_s },
        { "image_s", timing->image_s },
        { "prefill_s", timing->prefill_s },
        { "decode_s", timing->decode_s },
    };
    fputs(", \"timing\": {", stdout);
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        printf("\"%s\": %.6f, ", stages[i].name, stages[i].value);
    printf("\"decode_tokens\": %" PRId64 ", \"tokens_per_s\": %.3f, \"peak_rss_bytes\": %" PRId64 "}",
           timing->decode_tokens, timing->decode_s > 0.0 ? (double)timing->decode_tokens / timing->decode_s : 0.0,
           peak_rss_bytes());
}

pali_status print_answer_json(const struct shown *shown, pali_error **error)
{
    pali_timing timing = PALI_TIMING_INIT;
    int64_t n_answers = pali_generation_rows(shown->answer);
    pali_status status = pali_generation_timing(shown->answer, &timing, error);
    if (status != PALI_OK)
        return status;

    printf("{\"prompt_tokens\": %" PRId64 ", ", timing.prompt_tokens);
    print_answer(shown, 0);
    printf(", \"decode_passes\": %" PRId64, pali_generation_passes(shown->answer));
    print_timing(shown, &timing);
    print_details(shown, 0);
    if (n_answers > 1) {
        fputs(", \"answers\": [", stdout);
        for (int64_t row = 0; row < n_answers; row++) {
            fputs(row ? ", {" : "{", stdout);
            print_answer(shown, row);
            print_details(shown, row);
            putchar('}');
        }
        putchar(']');
    }
    puts("}");
    return PALI_OK;
}
