/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate_command.h"

static const struct usage usage = {
    "generate",
    "Answers a prompt (\"caption en\", \"answer en what is this?\", \"detect cat\") about one or more pictures.",
    NULL
};

/* ---- values that are more than a number */

/* ID:BIAS, as 108:-2.5 or 108:-inf. */
static bool parse_bias(const char *text, pali_logit_bias *bias)
{
    char *end, *end_of_bias;
    bias->id = strtoll(text, &end, 10);
    if (end == text || *end != ':')
        return false;
    bias->bias = strtof(end + 1, &end_of_bias);
    return end_of_bias != end + 1 && !*end_of_bias && !isnan(bias->bias);
}

static int read_biases(struct generate *generate)
{
    size_t n = generate->logit_bias.count;
    generate->biases = calloc(n + 1, sizeof *generate->biases);
    if (!generate->biases)
        return report_text("out of memory");
    for (size_t i = 0; i < n; i++)
        if (!parse_bias(generate->logit_bias.items[i], &generate->biases[i]))
            return usage_error(&usage, "--logit-bias takes ID:BIAS, as 108:-2.5 or 108:-inf, not \"%s\"",
                               generate->logit_bias.items[i]);
    generate->options.logit_bias = generate->biases;
    generate->options.n_logit_bias = n;
    return OPTIONS_GO_ON;
}

static int read_eos(struct generate *generate)
{
    size_t n = generate->eos.count;
    if (n == 0)
        return OPTIONS_GO_ON;
    generate->eos_ids = calloc(n, sizeof *generate->eos_ids);
    if (!generate->eos_ids)
        return report_text("out of memory");
    for (size_t i = 0; i < n; i++) {
        char *end;
        generate->eos_ids[i] = strtoll(generate->eos.items[i], &end, 10);
        if (end == generate->eos.items[i] || *end)
            return usage_error(&usage, "--eos-token-id takes a token id, not \"%s\"", generate->eos.items[i]);
    }
    generate->options.eos_token_ids = generate->eos_ids;
    generate->options.n_eos_token_ids = n;
    return OPTIONS_GO_ON;
}

static int read_early_stopping(struct generate *generate)
{
    static const struct {
        const char *name;
        int32_t value;
    } known[] = { { "false", -1 }, { "true", 1 }, { "never", 2 } };
    for (size_t i = 0; generate->early_stopping && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(generate->early_stopping, known[i].name) == 0) {
            generate->options.early_stopping = known[i].value;
            return OPTIONS_GO_ON;
        }
    return generate->early_stopping
               ? usage_error(&usage, "--early-stopping takes true, false or never, not \"%s\"", generate->early_stopping)
               : OPTIONS_GO_ON;
}

/* Words as they are encoded later; each bad one also behind a space, which makes other tokens of it. */
static int read_words(struct generate *generate)
{
    size_t n_bad = generate->bad_words.count;
    generate->bad_lists = calloc(2 * n_bad + 1, sizeof *generate->bad_lists);
    generate->force_lists = calloc(generate->force_words.count + 1, sizeof *generate->force_lists);
    generate->spaced = calloc(n_bad + 1, sizeof *generate->spaced);
    bool done = generate->bad_lists && generate->force_lists && generate->spaced;
    for (size_t i = 0; done && i < n_bad; i++) {
        size_t size = strlen(generate->bad_words.items[i]) + 2;
        generate->spaced[i] = malloc(size);
        done = generate->spaced[i] != NULL;
        if (done)
            snprintf(generate->spaced[i], size, " %s", generate->bad_words.items[i]);
    }
    return done ? OPTIONS_GO_ON : report_text("out of memory");
}

static int read_values(struct generate *generate)
{
    pali_generate_options *options = &generate->options;
    int status = OPTIONS_GO_ON;
    if (!generate->prompt == !generate->messages)
        status = usage_error(&usage, generate->prompt ? "-p and --messages exclude each other"
                                                      : "-p PROMPT is missing, or --messages FILE");
    else if (options->num_beams > 1 && options->temperature > 0.0)
        status = usage_error(&usage, "--num-beams and --temperature exclude each other: beam search does not sample");
    else if ((generate->logprobs || options->top_logprobs > 0) && !generate->common.json)
        status = usage_error(&usage, "--logprobs and --top-logprobs need --json, which shows them");
    if (status == OPTIONS_GO_ON)
        status = check_constrain(&usage, &generate->constrain);
    if (status == OPTIONS_GO_ON && options->num_beams > 1 &&
        (generate->constrain.kind || options->prompt_lookup_num_tokens > 0))
        status = usage_error(&usage, "--num-beams excludes --constrain and --prompt-lookup-num-tokens");
    if (status == OPTIONS_GO_ON)
        status = read_biases(generate);
    if (status == OPTIONS_GO_ON)
        status = read_eos(generate);
    if (status == OPTIONS_GO_ON)
        status = read_early_stopping(generate);
    if (status == OPTIONS_GO_ON)
        status = read_words(generate);
    options->stop_strings = generate->stop.items;
    options->n_stop_strings = generate->stop.count;
    options->logprobs = generate->logprobs || generate->objects.json; /* an object's score comes from them */
    return status;
}

int generate_parse(struct generate *generate, int argc, char **argv)
{
    pali_generate_options *answer = &generate->options;
    struct option options[] = {
        COMMON_OPTIONS(generate->common, true),
        { "-i", "--image", "IMG", OPTION_TEXTS, false, &generate->images, 0, 0,
          "PNG, JPEG or PNM file; once for each picture", false },
        { "-p", "--prompt", "PROMPT", OPTION_TEXT, false, &generate->prompt, 0, 0, "what to ask", false },
        { NULL, "--messages", "FILE", OPTION_TEXT, false, &generate->messages, 0, 0,
          "instead of -p: a JSON list of messages for the chat template; - is standard input", false },
        { NULL, "--max-new-tokens", "N", OPTION_INT, false, &answer->max_new_tokens, 1, 1e9,
          "end the answer after N tokens (default: the checkpoint's, or 20)", false },
        { NULL, "--min-new-tokens", "N", OPTION_INT, false, &answer->min_new_tokens, -1, 1e9,
          "do not end it before (default: the checkpoint's, or 0; -1: none)", false },
        { NULL, "--eos-token-id", "ID", OPTION_TEXTS, false, &generate->eos, 0, 0,
          "token that ends it, instead of the checkpoint's; may be repeated", false },
        { NULL, "--stop", "TEXT", OPTION_TEXTS, false, &generate->stop, 0, 0,
          "end it with the token that completes TEXT; may be repeated", false },
        { NULL, "--temperature", "T", OPTION_FLOAT, false, &answer->temperature, -1, 1e6,
          "sample from logits / T; 0: the likeliest token (default: as the checkpoint says, or 0)", false },
        { NULL, "--top-k", "K", OPTION_INT, false, &answer->top_k, -1, 1e9,
          "when sampling: of the K likeliest (default: the checkpoint's, or 50; -1: all)", false },
        { NULL, "--top-p", "P", OPTION_FLOAT, false, &answer->top_p, 0, 1,
          "when sampling: of the likeliest that make up P (default: the checkpoint's, or 1)", false },
        { NULL, "--min-p", "P", OPTION_FLOAT, false, &answer->min_p, -1, 1,
          "when sampling: of those P times as likely as the likeliest (default: the checkpoint's, or all)", false },
        { NULL, "--typical-p", "P", OPTION_FLOAT, false, &answer->typical_p, 0, 1,
          "when sampling: of the most typical that make up P (default: the checkpoint's, or 1)", false },
        { NULL, "--seed", "S", OPTION_SEED, false, &answer->seed, 0, 0,
          "when sampling: same seed, same answer (default 0)", false },
        { NULL, "--repetition-penalty", "R", OPTION_FLOAT, false, &answer->repetition_penalty, 0, 1e6,
          "make tokens of prompt and answer less likely (default: the checkpoint's, or 1)", false },
        { NULL, "--presence-penalty", "R", OPTION_FLOAT, false, &answer->presence_penalty, -1e6, 1e6,
          "subtract R from the logit of each token that the answer has (default 0)", false },
        { NULL, "--frequency-penalty", "R", OPTION_FLOAT, false, &answer->frequency_penalty, -1e6, 1e6,
          "subtract R for each time that the answer has it (default 0)", false },
        { NULL, "--no-repeat-ngram-size", "N", OPTION_INT, false, &answer->no_repeat_ngram_size, -1, 1e9,
          "no N tokens in a row twice (default: the checkpoint's, or none)", false },
        { NULL, "--logit-bias", "ID:BIAS", OPTION_TEXTS, false, &generate->logit_bias, 0, 0,
          "add BIAS, a number or -inf, to the logit of token ID; may be repeated", false },
        { NULL, "--bad-words", "TEXT", OPTION_TEXTS, false, &generate->bad_words, 0, 0,
          "never the tokens of TEXT, nor of TEXT behind a space; may be repeated", false },
        { NULL, "--force-words", "TEXT", OPTION_TEXTS, false, &generate->force_words, 0, 0,
          "the answer contains the tokens of TEXT (as \" cat\"); may be repeated", false },
        { NULL, "--num-beams", "B", OPTION_INT, false, &answer->num_beams, 1, 64,
          "beams (default: the checkpoint's, or 1)", false },
        { NULL, "--length-penalty", "X", OPTION_FLOAT, false, &answer->length_penalty, -1e3, 1e3,
          "of beams: rank answers by score / length^X (default: the checkpoint's, or 1)", false },
        { NULL, "--early-stopping", "WHEN", OPTION_TEXT, false, &generate->early_stopping, 0, 0,
          "of beams: true: stop at B answers; never: when none can be better (default: the checkpoint's, or false)",
          false },
        { NULL, "--num-return-sequences", "N", OPTION_INT, false, &answer->num_return_sequences, 1, 1024,
          "answers: the N best beams, or N samples (default: the checkpoint's, or 1)", false },
        { NULL, "--best-of", "M", OPTION_INT, false, &answer->best_of, 1, 1024,
          "sample M answers and give the likeliest", false },
        { NULL, "--logprobs", NULL, OPTION_SWITCH, false, &generate->logprobs, 0, 0,
          "with --json: the log-probability of each token", false },
        { NULL, "--top-logprobs", "N", OPTION_INT, false, &answer->top_logprobs, 0, 64,
          "with --json: the N likeliest tokens at each place, too", false },
        { NULL, "--constrain", "FORM", OPTION_TEXT, false, &generate->constrain.kind, 0, 0,
          "the answer has this form: detect, segment (needs --max-new-tokens 21 or more), or choices", false },
        { NULL, "--choices", "TEXT", OPTION_TEXTS, false, &generate->constrain.choices, 0, 0,
          "with --constrain choices: a text that the answer may be; once for each", false },
        { NULL, "--labels", "TEXT", OPTION_TEXTS, false, &generate->constrain.labels, 0, 0,
          "with --constrain detect or segment: a label that objects may have; once for each (default: any)", false },
        { NULL, "--allow-empty", NULL, OPTION_SWITCH, false, &generate->constrain.allow_empty, 0, 0,
          "with --constrain detect or segment: the answer may have no object", false },
        { NULL, "--prompt-lookup-num-tokens", "N", OPTION_INT, false, &answer->prompt_lookup_num_tokens, 0, 64,
          "guess up to N tokens from what was said before, and check them in one pass", false },
        { NULL, "--adapter", "DIR[=SCALE]", OPTION_TEXT, false, &generate->adapter, 0, 0,
          "answer with the PEFT LoRA adapter in DIR", false },
        ANSWER_OBJECTS_OPTIONS(generate->objects, NULL, "--detections"),
        CACHE_KIND_OPTIONS(generate->cache),
        CACHE_FILE_OPTIONS(generate->cache),
    };
    pali_generate_options_init(answer);
    answer->temperature = NAN; /* not given */
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], NULL, argc, argv);
    if (isnan(answer->temperature))
        answer->temperature = 0.0;
    else if (answer->temperature <= 0.0) /* who says 0 means 0, whatever the checkpoint says */
        answer->temperature = -1.0;
    if (status == OPTIONS_GO_ON)
        status = cache_choice_check(&generate->cache, &usage);
    if (status == OPTIONS_GO_ON && generate->images.count == 0 &&
        (!generate->cache.load || generate->objects.draw || generate->objects.json))
        return usage_error(&usage, "-i IMG is missing");
    return status == OPTIONS_GO_ON ? read_values(generate) : status;
}

/* ---- words as tokens */

static pali_status encode_word(pali_token_list *lists, size_t *n_lists, const pali_processor *processor,
                               const char *text, pali_error **error)
{
    int64_t *ids = NULL;
    size_t n_ids = 0;
    pali_status status = pali_processor_encode(processor, text, strlen(text), &ids, &n_ids, error);
    lists[(*n_lists)++] = (pali_token_list){ ids, n_ids };
    return status;
}

pali_status generate_encode(struct generate *generate, const pali_processor *processor, pali_error **error)
{
    pali_status status = PALI_OK;
    for (size_t i = 0; status == PALI_OK && i < generate->bad_words.count; i++) {
        status = encode_word(generate->bad_lists, &generate->n_bad_lists, processor, generate->bad_words.items[i], error);
        if (status == PALI_OK)
            status = encode_word(generate->bad_lists, &generate->n_bad_lists, processor, generate->spaced[i], error);
    }
    for (size_t i = 0; status == PALI_OK && i < generate->force_words.count; i++)
        status = encode_word(generate->force_lists, &generate->n_force_lists, processor,
                             generate->force_words.items[i], error);
    generate->options.bad_words = generate->bad_lists;
    generate->options.n_bad_words = generate->n_bad_lists;
    generate->options.force_words = generate->force_lists;
    generate->options.n_force_words = generate->n_force_lists;
    return status;
}

static void free_lists(pali_token_list *lists, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pali_free((void *)lists[i].ids);
    free(lists);
}

void generate_clear(struct generate *generate)
{
    free_lists(generate->bad_lists, generate->n_bad_lists);
    free_lists(generate->force_lists, generate->n_force_lists);
    for (size_t i = 0; generate->spaced && i < generate->bad_words.count; i++)
        free(generate->spaced[i]);
    free(generate->spaced);
    free(generate->biases);
    free(generate->eos_ids);
    free(generate->images.items);
    free(generate->constrain.choices.items);
    free(generate->constrain.labels.items);
    free(generate->logit_bias.items);
    free(generate->bad_words.items);
    free(generate->force_words.items);
    free(generate->stop.items);
    free(generate->eos.items);
}
