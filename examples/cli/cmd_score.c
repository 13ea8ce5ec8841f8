/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma score: how likely given answers are. */
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"
#include "commands.h"
#include "json_write.h"

static const struct usage usage = {
    "score",
    "Ranks given answers to a prompt about pictures by their log-probability.",
    NULL
};

struct score {
    struct common common;
    struct texts images, suffixes;
    const char *prompt, *adapter;
    bool without_eos, by_mean;
};

/* What stands open while the command runs. */
struct session {
    pali_model *model;
    pali_adapter *adapter;
    pali_processor *processor;
    pali_image **images;
    pali_inputs *inputs;
    pali_scores *scores;
    pali_error *error;
};

static void print_json(const struct score *score, const pali_scores *scores, const size_t *ranking)
{
    printf("{\"by\": \"%s\", \"suffixes\": [", score->by_mean ? "mean" : "total");
    for (size_t i = 0; i < pali_scores_count(scores); i++) {
        size_t n = 0;
        const int64_t *ids = pali_scores_token_ids(scores, ranking[i], &n);
        const float *logprobs = pali_scores_token_logprobs(scores, ranking[i], &n);
        fputs(i ? ", {\"suffix\": " : "{\"suffix\": ", stdout);
        json_write_text(score->suffixes.items[ranking[i]]);
        fputs(", \"logprob\": ", stdout);
        json_write_number(pali_scores_total(scores, ranking[i]));
        fputs(", \"mean_logprob\": ", stdout);
        json_write_number(pali_scores_mean(scores, ranking[i]));
        fputs(", \"token_ids\": ", stdout);
        json_write_ids(ids, n);
        fputs(", \"token_logprobs\": [", stdout);
        for (size_t j = 0; j < n; j++) {
            fputs(j ? ", " : "", stdout);
            json_write_number((double)logprobs[j]);
        }
        fputs("]}", stdout);
    }
    puts("]}");
}

static void print_lines(const struct score *score, const pali_scores *scores, const size_t *ranking)
{
    for (size_t i = 0; i < pali_scores_count(scores); i++)
        printf("%.4f\t%.4f\t%s\n", pali_scores_total(scores, ranking[i]), pali_scores_mean(scores, ranking[i]),
               score->suffixes.items[ranking[i]]);
}

static pali_status compute(struct session *session, const struct score *score, const char *path)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_score_options score_options = PALI_SCORE_OPTIONS_INIT;

    set_model_options(&options, &score->common);
    score_options.without_eos = score->without_eos;
    pali_status status = pali_processor_load(&session->processor, path, NULL, &session->error);
    if (status == PALI_OK)
        status = pali_model_load(&session->model, path, &options, &session->error);
    if (status == PALI_OK && open_adapter(&session->adapter, &score_options.adapter_scale, session->model,
                                          score->adapter) != EXIT_DONE)
        return PALI_ERROR_ARGUMENT; /* said already */
    score_options.adapter = session->adapter;
    if (status == PALI_OK)
        status = pali_processor_apply(&session->inputs, session->processor, session->images, score->images.count,
                                      score->prompt, NULL, &session->error);
    if (status == PALI_OK)
        status = pali_score(&session->scores, session->model, session->inputs,
                            (const char *const *)score->suffixes.items, score->suffixes.count, &score_options,
                            &session->error);
    return status;
}

static int run(struct session *session, const struct score *score, const char *path)
{
    session->images = open_images(score->images.items, score->images.count);
    if (!session->images)
        return EXIT_FAILED;
    if (compute(session, score, path) != PALI_OK)
        return session->error ? report(session->error) : EXIT_FAILED;
    const size_t *ranking =
        pali_scores_ranking(session->scores, score->by_mean ? PALI_SCORE_BY_MEAN : PALI_SCORE_BY_TOTAL);
    (score->common.json ? print_json : print_lines)(score, session->scores, ranking);
    return EXIT_DONE;
}

static int score_answers(const struct score *score)
{
    struct session session = { 0 };
    char *path = checkpoint_path(score->common.model);
    if (!path)
        return EXIT_FAILED;
    int status = run(&session, score, path);
    pali_error_free(session.error);
    pali_scores_free(session.scores);
    pali_inputs_free(session.inputs);
    free_images(session.images, score->images.count);
    pali_processor_free(session.processor);
    pali_adapter_free(session.adapter);
    pali_model_free(session.model);
    free(path);
    return status;
}

int cmd_score(int argc, char **argv)
{
    struct score score = { 0 };
    struct option options[] = {
        COMMON_OPTIONS(score.common, true),
        { "-i", "--image", "IMG", OPTION_TEXTS, true, &score.images, 0, 0,
          "PNG, JPEG or PNM file; once for each picture", false },
        { "-p", "--prompt", "PROMPT", OPTION_TEXT, true, &score.prompt, 0, 0, "what is asked", false },
        { NULL, "--suffix", "TEXT", OPTION_TEXTS, true, &score.suffixes, 0, 0, "an answer; once for each", false },
        { NULL, "--adapter", "DIR[=SCALE]", OPTION_TEXT, false, &score.adapter, 0, 0,
          "score with the PEFT LoRA adapter in DIR", false },
        { NULL, "--by-mean", NULL, OPTION_SWITCH, false, &score.by_mean, 0, 0,
          "rank by the mean over an answer's tokens instead of by their sum", false },
        { NULL, "--without-eos", NULL, OPTION_SWITCH, false, &score.without_eos, 0, 0,
          "score the texts as beginnings, without <eos> behind them", false },
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], NULL, argc, argv);
    if (status == OPTIONS_GO_ON)
        status = score_answers(&score);
    free(score.images.items);
    free(score.suffixes.items);
    return status;
}
