/* SPDX-License-Identifier: BSD-2-Clause */
/* Generation with every option: tokens, scores and log-probabilities against Transformers; what ours alone promise. */
#include "json_options.h"
#include "parity/answers.h"

static bool same_ids(const pali_generation *generation, int64_t row, struct json_object *want)
{
    size_t count = 0;
    const int64_t *ids = pali_generation_token_ids(generation, row, &count);
    bool same = count == json_object_array_length(want);

    for (size_t i = 0; same && i < count; i++)
        same = ids[i] == json_object_get_int64(json_object_array_get_idx(want, i));
    return same;
}

static double largest_difference(const double *got, size_t count, struct json_object *want)
{
    double worst = count == json_object_array_length(want) && got ? 0.0 : INFINITY;

    for (size_t i = 0; got && i < count && worst < INFINITY; i++) {
        double difference = fabs(got[i] - json_number(json_object_array_get_idx(want, i)));
        worst = difference > worst ? difference : worst;
    }
    return worst;
}

static void check_alternatives(const pali_generation *generation, int64_t row, struct json_object *run, const char *name)
{
    struct json_object *ids = json_member(run, "top_ids"), *logprobs = json_member(run, "top_logprobs");

    for (size_t i = 0; i < json_object_array_length(ids); i++) {
        size_t n = 0;
        const pali_token_logprob *top = pali_generation_top_logprobs(generation, row, i, &n);
        CHECK(top && n == 5);
        for (size_t j = 0; top && j < n; j++) {
            double want = json_number(json_object_array_get_idx(json_object_array_get_idx(logprobs, i), j));
            int64_t id = json_object_get_int64(json_object_array_get_idx(json_object_array_get_idx(ids, i), j));
            CHECK_MSG(fabs(top[j].logprob - want) < 1e-4, "%s: alternative %zu of token %zu", name, j, i);
            /* Near-ties may change places. */
            CHECK_MSG(top[j].id == id || (j + 1 < n && top[j].logprob - top[j + 1].logprob < 1e-4) ||
                          (j > 0 && top[j - 1].logprob - top[j].logprob < 1e-4) || j + 1 == n,
                      "%s: alternative %zu of token %zu is %d, not %d", name, j, i, (int)top[j].id, (int)id);
        }
    }
}

static void check_run(const pali_inputs *inputs, struct json_object *run, int64_t max_new_tokens, const char *fixture)
{
    struct json_object *answers = json_member(run, "token_ids"), *scores = NULL;
    const char *name = json_object_to_json_string(json_member(run, "options"));
    size_t n_answers = json_object_array_length(answers);
    pali_generation *generation = NULL;
    struct json_options read;
    pali_error *error = NULL;

    json_options_read(&read, json_member(run, "options"));
    read.options.max_new_tokens = max_new_tokens;
    read.options.top_logprobs = 5;
    CHECK_OK(pali_generate(&generation, model, inputs, &read.options, &error), error);
    CHECK(pali_generation_rows(generation) == (int64_t)n_answers);
    for (size_t i = 0; i < n_answers && generation; i++) {
        struct json_object *want = json_object_array_get_idx(answers, i);
        size_t count = 0;
        const double *logprobs = pali_generation_logprobs(generation, (int64_t)i, &count);
        double difference = largest_difference(logprobs, count,
                                               json_object_array_get_idx(json_member(run, "logprobs"), i));
        CHECK_MSG(same_ids(generation, (int64_t)i, want), "%s %s: answer %zu is not the oracle's %s", fixture, name, i,
                  json_object_to_json_string(want));
        CHECK_MSG(difference < 1e-4, "%s %s: log-probabilities differ by %g", fixture, name, difference);
        if (json_object_object_get_ex(run, "scores", &scores)) {
            double score = json_number(json_object_array_get_idx(scores, i));
            CHECK_MSG(fabs(pali_generation_score(generation, (int64_t)i) - score) < 2e-4 * (1.0 + fabs(score)),
                      "%s %s: score %g, the oracle's %g", fixture, name, pali_generation_score(generation, (int64_t)i),
                      score);
        } else {
            check_alternatives(generation, (int64_t)i, run, name);
        }
    }
    pali_generation_free(generation);
}

static void oracle_options(const char *fixture, const char *name)
{
    char file[256];
    snprintf(file, sizeof file, "%.200s.options.json", name);
    struct json_object *cases = json_object_from_file(fixture_path(fixture, file));
    pali_inputs *whole = fixture_tensors(fixture, name, "inputs");

    CHECK(cases != NULL);
    if (!cases || !whole)
        return;
    struct json_object *rows = json_member(cases, "rows");
    for (size_t row = 0; row < json_object_array_length(rows); row++) {
        struct json_object *runs = json_object_array_get_idx(rows, row);
        pali_inputs *inputs = one_row(whole, (int64_t)row);
        for (size_t i = 0; i < json_object_array_length(runs); i++)
            check_run(inputs, json_object_array_get_idx(runs, i),
                      json_object_get_int64(json_member(cases, "max_new_tokens")), fixture);
        pali_inputs_free(inputs);
    }
    pali_inputs_free(whole);
    json_object_put(cases);
}

/* ---- what ours alone promise */

/* Samples of a batch are those of its rows alone; the first of several is the only one; seeds differ. */
static void sampled_rows(const char *fixture)
{
    pali_inputs *whole = fixture_tensors(fixture, "generate_pad", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    int n_different = 0;

    options.temperature = 1.5;
    options.top_p = 0.95;
    options.seed = 11;
    options.num_return_sequences = 3;
    pali_generation *together = answers_to(whole, &options);
    CHECK(pali_generation_rows(together) == 6);
    for (int64_t row = 0; row < 2; row++) {
        pali_inputs *inputs = one_row(whole, row);
        pali_generation *alone = answers_to(inputs, &options);
        for (int64_t i = 0; i < 3; i++)
            CHECK(equal_answers(alone, i, together, row * 3 + i));
        n_different += !equal_answers(alone, 0, alone, 1) + !equal_answers(alone, 1, alone, 2);
        options.num_return_sequences = 1;
        pali_generation *single = answers_to(inputs, &options);
        CHECK(equal_answers(single, 0, alone, 0));
        options.num_return_sequences = 3;
        options.seed++;
        pali_generation *other = answers_to(inputs, &options);
        n_different += !equal_answers(other, 0, alone, 0);
        options.seed--;
        pali_generation_free(other);
        pali_generation_free(single);
        pali_generation_free(alone);
        pali_inputs_free(inputs);
    }
    CHECK_MSG(n_different >= 5, "%d of 6 pairs of samples differ", n_different);
    pali_generation_free(together);
    pali_inputs_free(whole);
}

/* best_of returns the likeliest of what num_return_sequences would have returned. */
static void best_of(const char *fixture)
{
    pali_inputs *inputs = fixture_tensors(fixture, "generate_eos", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    double before = INFINITY;

    options.temperature = 1.0;
    options.num_return_sequences = 8;
    options.logprobs = 1;
    pali_generation *all = answers_to(inputs, &options);
    options.num_return_sequences = 3;
    options.best_of = 8;
    pali_generation *best = answers_to(inputs, &options);
    CHECK(pali_generation_rows(best) == 6);
    for (int64_t i = 0; i < 6; i++) {
        double score = pali_generation_score(best, i);
        int n_better = 0, n_same = 0;
        before = i == 3 ? INFINITY : before;
        CHECK(score <= before);
        before = score;
        for (int64_t j = i / 3 * 8; j < i / 3 * 8 + 8; j++) {
            n_better += pali_generation_score(all, j) > score;
            n_same += equal_answers(best, i, all, j);
        }
        CHECK_MSG(n_better <= i % 3 && n_same > 0, "%s: %d better than number %d", fixture, n_better, (int)i);
    }
    pali_generation_free(best);
    pali_generation_free(all);
    pali_inputs_free(inputs);
}

/* Forced words: greedy, sampled, beams. */
static void forced_words(const char *fixture)
{
    static const int64_t first[] = { 40, 41, 42 }, second[] = { 77 };
    const pali_token_list words[] = { { first, 3 }, { second, 1 } };
    pali_inputs *inputs = fixture_tensors(fixture, "generate_eos", "inputs");

    for (int way = 0; way < 3; way++)
        for (int64_t length = 4; length <= 10; length += 3) {
            pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
            options.force_words = words;
            options.n_force_words = 2;
            options.max_new_tokens = length;
            options.temperature = way == 1 ? 1.0 : 0.0;
            options.num_beams = way == 2 ? 3 : 1;
            options.num_return_sequences = way == 2 && length > 4 ? 3 : 1; /* in 4 tokens there is but one answer */
            pali_generation *generation = answers_to(inputs, &options);
            for (int64_t row = 0; row < pali_generation_rows(generation); row++) {
                size_t n = 0, found[2] = { 0 };
                const int64_t *ids = pali_generation_token_ids(generation, row, &n);
                for (int w = 0; w < 2; w++)
                    for (size_t i = 0; i + words[w].n_ids <= n; i++)
                        found[w] += !memcmp(ids + i, words[w].ids, words[w].n_ids * sizeof *ids);
                CHECK_MSG(found[0] > 0 && found[1] > 0, "%s way %d: a word is missing in %zu tokens", fixture, way, n);
            }
            pali_generation_free(generation);
        }
    pali_inputs_free(inputs);
}

static void refused(const pali_inputs *inputs, pali_generate_options options, const char *fragment)
{
    pali_generation *generation = NULL;
    pali_error *error = NULL;
    CHECK_FAILS(pali_generate(&generation, model, inputs, &options, &error), error,
                strstr(fragment, "does not sample") ? PALI_ERROR_UNSUPPORTED : PALI_ERROR_ARGUMENT, fragment);
    CHECK(generation == NULL);
}

#define REFUSED(fragment, ...)                                                                                         \
    do {                                                                                                               \
        pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;                                                    \
        __VA_ARGS__;                                                                                                   \
        refused(inputs, options, fragment);                                                                            \
    } while (0)

static void refusals(const char *fixture)
{
    static const int64_t ids[] = { 5, 100000 }, eos[] = { 1 };
    static const pali_token_list outside = { ids, 2 }, empty = { ids, 0 }, word = { ids, 1 }, end = { eos, 1 };
    static const pali_logit_bias nan_bias = { 3, NAN }, outside_bias = { -1, 0.0f };
    static pali_logit_bias all[448];
    const char *const strings[] = { "x" };
    pali_inputs *inputs = fixture_tensors(fixture, "generate", "inputs");

    for (int i = 0; i < 448; i++)
        all[i] = (pali_logit_bias){ i, -INFINITY };
    REFUSED("top_k is without effect", options.top_k = 5);
    REFUSED("top_p is without effect", options.top_p = 0.5);
    REFUSED("min_p is without effect", options.min_p = 0.5);
    REFUSED("typical_p is without effect", options.typical_p = 0.5);
    REFUSED("best_of is without effect", options.best_of = 2);
    REFUSED("length_penalty is without effect", options.length_penalty = 2.0);
    REFUSED("early_stopping is without effect", options.early_stopping = 1);
    REFUSED("does not sample", options.num_beams = 2, options.temperature = 1.0);
    REFUSED("there is one answer", options.num_return_sequences = 2);
    REFUSED("num_return_sequences should be 1…2", options.num_beams = 2, options.num_return_sequences = 3);
    REFUSED("best_of should be 4", options.temperature = 1.0, options.num_return_sequences = 4, options.best_of = 3);
    REFUSED("num_beams should be 1…64", options.num_beams = 65);
    REFUSED("temperature", options.temperature = NAN);
    REFUSED("temperature", options.temperature = 1e-300);
    REFUSED("top_p", options.temperature = 1.0, options.top_p = NAN);
    REFUSED("typical_p", options.temperature = 1.0, options.typical_p = 1.5);
    REFUSED("min_p", options.temperature = 1.0, options.min_p = 2.0);
    REFUSED("repetition_penalty", options.repetition_penalty = -1.0);
    REFUSED("presence_penalty", options.presence_penalty = NAN);
    REFUSED("frequency_penalty", options.frequency_penalty = INFINITY);
    REFUSED("top_logprobs", options.top_logprobs = 65);
    REFUSED("early_stopping", options.num_beams = 2, options.early_stopping = 3);
    REFUSED("logprobs", options.logprobs = 7);
    REFUSED("bad_words: token ids are 0…447, found 100000", options.bad_words = &outside, options.n_bad_words = 1);
    REFUSED("bad_words: word 0 has no tokens", options.bad_words = &empty, options.n_bad_words = 1);
    REFUSED("bad_words is NULL", options.n_bad_words = 1);
    REFUSED("force_words is NULL", options.n_force_words = 1);
    REFUSED("eos token 1", options.force_words = &end, options.n_force_words = 1);
    REFUSED("logit_bias is NULL", options.n_logit_bias = 1);
    REFUSED("found nan", options.logit_bias = &nan_bias, options.n_logit_bias = 1);
    REFUSED("found -1", options.logit_bias = &outside_bias, options.n_logit_bias = 1);
    REFUSED("eos_token_ids: token ids", options.eos_token_ids = ids, options.n_eos_token_ids = 2);
    REFUSED("9 ids", options.eos_token_ids = ids, options.n_eos_token_ids = 9);
    REFUSED("processor", options.stop_strings = strings, options.n_stop_strings = 1);
    REFUSED("after 0 new tokens none may follow", options.logit_bias = all, options.n_logit_bias = 448);
    REFUSED("none may follow", options.logit_bias = all, options.n_logit_bias = 448, options.num_beams = 3);
    REFUSED("none may follow", options.logit_bias = all, options.n_logit_bias = 448, options.temperature = 1.0);
    REFUSED("leave only 1 answers", options.logit_bias = all, options.n_logit_bias = 447, options.num_beams = 3,
            options.num_return_sequences = 2, options.max_new_tokens = 2);
    REFUSED("more tokens than max_new_tokens", options.max_new_tokens = 1, options.n_force_words = 2,
            options.force_words = ((const pali_token_list[]){ word, word }));
    pali_inputs_free(inputs);
}

/* Neutral values given while greedy are no mistake; NULL and out-of-range getters. */
static void getters(const char *fixture)
{
    pali_inputs *inputs = fixture_tensors(fixture, "generate", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    size_t n = 9;

    options.top_k = -1;
    options.top_p = options.typical_p = options.repetition_penalty = 1.0;
    options.min_p = options.temperature = -1.0;
    options.no_repeat_ngram_size = options.min_new_tokens = -1;
    options.n_eos_token_ids = 0;
    options.eos_token_ids = (const int64_t[]){ 0 };
    options.max_new_tokens = 30;
    pali_generation *generation = answers_to(inputs, &options);
    pali_generation_token_ids(generation, 0, &n);
    CHECK(n == 30); /* nothing ends it */
    CHECK(isnan(pali_generation_score(generation, 0)) && isnan(pali_generation_score(NULL, 0)));
    CHECK(pali_generation_logprobs(generation, 0, &n) == NULL && n == 0);
    CHECK(pali_generation_top_logprobs(generation, 0, 0, &n) == NULL && n == 0);
    CHECK(pali_generation_top_logprobs(NULL, 0, 0, NULL) == NULL && pali_generation_logprobs(NULL, 0, NULL) == NULL);
    pali_generation_free(generation);
    options.top_logprobs = 2;
    generation = answers_to(inputs, &options);
    CHECK(pali_generation_top_logprobs(generation, 0, 29, &n) != NULL && n == 2);
    CHECK(pali_generation_top_logprobs(generation, 0, 30, &n) == NULL && n == 0);
    CHECK(pali_generation_logprobs(generation, 1, &n) == NULL && n == 0);
    CHECK(pali_generation_score(generation, 0) < 0.0);
    pali_generation_free(generation);
    pali_inputs_free(inputs);
}

/* ---- together with masks and guesses */

static int allow_thirds(void *user, int64_t row, const int64_t *ids, size_t n_ids, uint8_t *allowed, int64_t vocab_size)
{
    int *calls = user;
    (void)ids, (void)n_ids;
    calls[row]++;
    for (int64_t id = 0; id < vocab_size; id += 3)
        allowed[id] = 1;
    return 0;
}

/* The mask is asked for each of several samples; penalties and draws are the same with guesses as without. */
static void with_masks_and_guesses(const char *fixture)
{
    pali_inputs *inputs = fixture_tensors(fixture, "generate_pad", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    int calls[6] = { 0 };

    options.temperature = 1.5;
    options.num_return_sequences = 3;
    options.repetition_penalty = 1.2;
    options.token_mask = allow_thirds;
    options.token_mask_user = calls;
    pali_generation *masked = answers_to(inputs, &options);
    for (int64_t row = 0; row < 6; row++) {
        size_t n = 0;
        const int64_t *ids = pali_generation_token_ids(masked, row, &n);
        CHECK_MSG(n > 0 && calls[row] == (int)n, "row %d: %d calls, %zu tokens", (int)row, calls[row], n);
        for (size_t i = 0; i < n; i++)
            CHECK(ids[i] % 3 == 0);
    }
    CHECK(!equal_answers(masked, 0, masked, 1) || !equal_answers(masked, 1, masked, 2));
    options.token_mask = NULL;
    for (int greedy = 0; greedy < 2; greedy++) {
        options.temperature = greedy ? 0.0 : 1.5;
        options.num_return_sequences = greedy ? 1 : 3;
        options.no_repeat_ngram_size = 3;
        options.prompt_lookup_num_tokens = 0;
        pali_generation *plain = answers_to(inputs, &options);
        options.prompt_lookup_num_tokens = 4;
        pali_generation *guessed = answers_to(inputs, &options);
        for (int64_t row = 0; row < pali_generation_rows(plain); row++)
            CHECK(equal_answers(plain, row, guessed, row));
        pali_generation_free(guessed);
        pali_generation_free(plain);
    }
    pali_generation_free(masked);
    pali_inputs_free(inputs);
}

/* ---- handing out late: what on_token sees of beams and best_of, and what a stop leaves */

struct seen {
    int64_t ids[8][32];
    size_t counts[8];
    int n, stop_at, cancel_at;
};

static int see(void *user, const pali_token *token)
{
    struct seen *seen = user;
    seen->ids[token->row][seen->counts[token->row]++] = token->id;
    return ++seen->n == seen->stop_at;
}

static int watch(void *user, const char *stage, double fraction)
{
    struct seen *seen = user;
    (void)fraction;
    return !strcmp(stage, "samples") && --seen->cancel_at == 0;
}

static void late(const char *fixture)
{
    pali_inputs *inputs = fixture_tensors(fixture, "generate_eos", "inputs");

    for (int way = 0; way < 4; way++) {
        pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
        struct seen seen = { .stop_at = way >= 2 ? 2 : 0 };
        if (way % 2) {
            options.num_beams = 3;
        } else {
            options.temperature = 1.0;
            options.best_of = 4;
        }
        options.num_return_sequences = 2;
        options.on_token = see;
        options.on_token_user = &seen;
        pali_generation *generation = answers_to(inputs, &options);
        for (int64_t row = 0; row < 4; row++) {
            size_t n = 0;
            const int64_t *ids = pali_generation_token_ids(generation, row, &n);
            CHECK(ids && n == seen.counts[row] && !memcmp(ids, seen.ids[row], n * sizeof *ids));
            CHECK(way < 2 || row == 0 || pali_generation_finish_reason(generation, row) == PALI_FINISH_CANCELLED);
        }
        CHECK(way < 2 || seen.n == 2);
        pali_generation_free(generation);
    }
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    struct seen seen = { .cancel_at = 3 };
    pali_generation *generation = NULL;
    pali_error *error = NULL;
    options.temperature = 1.0;
    options.best_of = 2;
    options.progress = watch;
    options.progress_user = &seen;
    CHECK_FAILS(pali_generate(&generation, model, inputs, &options, &error), error, PALI_ERROR_CANCELLED, "samples");
    pali_inputs_free(inputs);
}

/* The same tokens for every number of threads. */
static void threads(const char *fixture)
{
    pali_inputs *inputs = fixture_tensors(fixture, "generate_pad", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_generation *first = NULL;

    options.temperature = 1.2;
    options.typical_p = 0.9;
    options.repetition_penalty = 1.1;
    options.num_return_sequences = 2;
    options.seed = 99;
    for (int n = 1; n <= 4; n *= 2) {
        pali_model_options model_options = PALI_MODEL_OPTIONS_INIT;
        pali_model *loaded = NULL;
        pali_generation *generation = NULL;
        pali_error *error = NULL;
        model_options.threads = n;
        CHECK_OK(pali_model_load(&loaded, fixture_path(fixture, NULL), &model_options, &error), error);
        CHECK_OK(pali_generate(&generation, loaded, inputs, &options, &error), error);
        for (int64_t row = 0; first && row < 4; row++)
            CHECK(equal_answers(first, row, generation, row));
        if (!first)
            first = generation;
        else
            pali_generation_free(generation);
        pali_model_free(loaded);
    }
    pali_generation_free(first);
    pali_inputs_free(inputs);
}

int main(void)
{
    for (size_t i = 0; i < 2; i++) { /* the two main fixtures */
        pali_model_options options = PALI_MODEL_OPTIONS_INIT;
        pali_error *error = NULL;

        options.dtype = PALI_FLOAT32;
        CHECK_OK(pali_model_load(&model, fixture_path(fixture_models[i], NULL), &options, &error), error);
        if (!model)
            continue;
        CHECK(fixture_cases(fixture_models[i], ".options.json", oracle_options) == 3);
        sampled_rows(fixture_models[i]);
        best_of(fixture_models[i]);
        forced_words(fixture_models[i]);
        refusals(fixture_models[i]);
        getters(fixture_models[i]);
        with_masks_and_guesses(fixture_models[i]);
        late(fixture_models[i]);
        threads(fixture_models[i]);
        pali_model_free(model);
        model = NULL;
    }
    return test_report("generate_options");
}
