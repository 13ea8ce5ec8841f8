/* SPDX-License-Identifier: BSD-2-Clause */
/* Constrained answers, prompt lookup and given suffixes against the oracle (tests/oracle/make_answer_fixtures.py). */
#include <json-c/json.h>

#include "generate/steps.h"
#include "generate/generation.h"
#include "parity/fixtures.h"

static pali_model *model;
static pali_processor *processor;

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    CHECK_MSG(json_object_object_get_ex(object, key, &value), "no %s", key);
    return value;
}

static struct json_object *read_json(const char *path)
{
    struct json_object *value = json_object_from_file(path);
    CHECK_MSG(value != NULL, "%s: %s", path, json_util_get_last_err());
    return value;
}

/* The strings of an array, borrowed from it; *n of them. NULL for a null. */
static size_t strings(struct json_object *array, const char **out, size_t capacity)
{
    size_t n = array ? json_object_array_length(array) : 0;
    CHECK(n <= capacity);
    for (size_t i = 0; i < n && i < capacity; i++)
        out[i] = json_object_get_string(json_object_array_get_idx(array, i));
    return n;
}

static void check_row(const char *what, const pali_generation *generation, int64_t row, struct json_object *want)
{
    size_t count = 0;
    const int64_t *ids = pali_generation_token_ids(generation, row, &count);
    bool same = count == json_object_array_length(want);
    for (size_t i = 0; same && i < count; i++)
        same = ids[i] == json_object_get_int64(json_object_array_get_idx(want, i));
    CHECK_MSG(same, "%s, row %d: %zu tokens, first %d, not the oracle's %s", what, (int)row, count,
              count ? (int)ids[0] : -1, json_object_to_json_string(want));
}

static void check_finish(const pali_generation *generation, int64_t row, const char *want)
{
    pali_finish_reason reason = pali_generation_finish_reason(generation, row);
    pali_finish_reason right = !strcmp(want, "eos")          ? PALI_FINISH_EOS
                               : !strcmp(want, "constraint") ? PALI_FINISH_CONSTRAINT
                                                             : PALI_FINISH_LENGTH;
    CHECK_MSG(reason == right, "reason %d, expected %s", (int)reason, want);
}

/* ---- choices and masks ---- */

static void choices(const char *fixture)
{
    struct json_object *runs = read_json(fixture_path(fixture, "generate_pad.choices.json"));
    pali_inputs *inputs = fixture_tensors(fixture, "generate_pad", "inputs");
    pali_error *error = NULL;

    for (size_t i = 0; runs && i < json_object_array_length(runs); i++) {
        struct json_object *run = json_object_array_get_idx(runs, i);
        const char *texts[16];
        size_t n = strings(member(run, "choices"), texts, 16);
        for (int64_t guesses = 0; guesses <= 3; guesses += 3) {
            pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
            pali_constraint *constraint = NULL;
            pali_generation *generation = NULL;
            options.max_new_tokens = json_object_get_int64(member(run, "max_new_tokens"));
            options.prompt_lookup_num_tokens = guesses;
            CHECK_OK(pali_constraint_choices(&constraint, processor, texts, n, &error), error);
            options.constraint = constraint;
            CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
            for (int64_t row = 0; row < pali_generation_rows(generation); row++) {
                check_row("choices", generation, row,
                          json_object_array_get_idx(member(run, "token_ids"), (size_t)row));
                check_finish(generation, row,
                             json_object_get_string(json_object_array_get_idx(member(run, "finish"), (size_t)row)));
            }
            pali_generation_free(generation);
            pali_constraint_free(constraint);
        }
    }
    pali_inputs_free(inputs);
    json_object_put(runs);
}

/* Every third id, another third at every step, and <eos> at every fifth. */
static int every_third(void *user, int64_t row, const int64_t *ids, size_t n_ids, uint8_t *allowed, int64_t vocab_size)
{
    size_t *calls = user;
    (void)row;
    (void)ids;
    for (int64_t id = 2; id < vocab_size; id++)
        allowed[id] = id % 3 == (int64_t)(n_ids % 3);
    allowed[1] = n_ids % 5 == 4;
    ++*calls;
    return 0;
}

static void mask(const char *fixture)
{
    struct json_object *run = read_json(fixture_path(fixture, "generate_pad.mask.json"));
    pali_inputs *inputs = fixture_tensors(fixture, "generate_pad", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_error *error = NULL;

    options.max_new_tokens = json_object_get_int64(member(run, "max_new_tokens"));
    options.token_mask = every_third;
    for (int64_t guesses = 0; guesses <= 3; guesses += 3) {
        pali_generation *generation = NULL;
        size_t calls = 0, n_tokens = 0;
        options.token_mask_user = &calls;
        options.prompt_lookup_num_tokens = guesses;
        CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
        for (int64_t row = 0; row < pali_generation_rows(generation); row++) {
            size_t count = 0;
            check_row("mask", generation, row, json_object_array_get_idx(member(run, "token_ids"), (size_t)row));
            pali_generation_token_ids(generation, row, &count);
            n_tokens += count;
        }
        CHECK_MSG(calls == n_tokens, "%zu calls for %zu tokens", calls, n_tokens);
        pali_generation_free(generation);
    }
    pali_inputs_free(inputs);
    json_object_put(run);
}

static int allow_none(void *user, int64_t row, const int64_t *ids, size_t n_ids, uint8_t *allowed, int64_t vocab_size)
{
    (void)row, (void)ids, (void)vocab_size;
    allowed[5] = n_ids < 2;
    return user && n_ids == 1;
}

static void wrong_options(const char *fixture)
{
    const char *texts[] = { "the cat is red" };
    pali_inputs *inputs = fixture_tensors(fixture, "generate", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_constraint *constraint = NULL;
    pali_generation *generation = NULL;
    pali_error *error = NULL;
    size_t count = 0;

    options.token_mask = allow_none;
    CHECK_FAILS(pali_generate(&generation, model, inputs, &options, &error), error, PALI_ERROR_ARGUMENT, "no token");
    options.token_mask_user = &count; /* stops before the second token */
    CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
    pali_generation_token_ids(generation, 0, &count);
    CHECK(count == 1 && pali_generation_finish_reason(generation, 0) == PALI_FINISH_CANCELLED);
    pali_generation_free(generation);

    CHECK_OK(pali_constraint_choices(&constraint, processor, texts, 1, &error), error);
    options.constraint = constraint; /* and the mask allows nothing of it */
    CHECK_FAILS(pali_generate(&generation, model, inputs, &options, &error), error, PALI_ERROR_ARGUMENT,
                "that the constraint allows");
    options.token_mask = NULL;
    options.max_new_tokens = 3;
    CHECK_FAILS(pali_generate(&generation, model, inputs, &options, &error), error, PALI_ERROR_ARGUMENT, "can need 4");
    options.max_new_tokens = 8;
    options.num_beams = 2;
    CHECK_FAILS(pali_generate(&generation, model, inputs, &options, &error), error, PALI_ERROR_UNSUPPORTED, "beam");
    options.constraint = NULL;
    options.prompt_lookup_num_tokens = 2;
    CHECK_FAILS(pali_generate(&generation, model, inputs, &options, &error), error, PALI_ERROR_UNSUPPORTED, "guess");
    options.num_beams = 1;
    options.prompt_lookup_num_tokens = 65;
    CHECK_FAILS(pali_generate(&generation, model, inputs, &options, &error), error, PALI_ERROR_ARGUMENT, "0…64");
    CHECK(generation == NULL);
    pali_constraint_free(constraint);
    pali_inputs_free(inputs);
}

/* ---- prompt lookup ---- */

static void lookup(const char *fixture)
{
    struct json_object *run = read_json(fixture_path(fixture, "lookup.lookup.json"));
    pali_inputs *inputs = fixture_tensors(fixture, "lookup", "inputs");
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_error *error = NULL;
    int64_t sampled[64];

    options.max_new_tokens = json_object_get_int64(member(run, "max_new_tokens"));
    for (int64_t guesses = 0; guesses <= 12; guesses = guesses * 2 + 1) {
        pali_generation *generation = NULL;
        options.prompt_lookup_num_tokens = guesses;
        CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
        check_row("lookup", generation, 0, member(run, "token_ids"));
        int64_t passes = pali_generation_passes(generation);
        printf("%s: %d guesses, %d tokens in %d passes\n", fixture, (int)guesses, (int)options.max_new_tokens,
               (int)passes);
        CHECK(guesses == 0 ? passes == options.max_new_tokens - 1 : passes < options.max_new_tokens - 2);
        pali_generation_free(generation);
    }
    /* Draws depend on the seed, the row and the token's number: guesses do not change them either. */
    options.temperature = 0.6;
    options.seed = 11;
    for (int64_t guesses = 0; guesses <= 3; guesses += 3) {
        pali_generation *generation = NULL;
        size_t count = 0;
        options.prompt_lookup_num_tokens = guesses;
        CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
        const int64_t *ids = pali_generation_token_ids(generation, 0, &count);
        if (guesses == 0)
            memcpy(sampled, ids, count * sizeof *ids);
        else
            CHECK(!memcmp(sampled, ids, count * sizeof *ids));
        pali_generation_free(generation);
    }
    pali_inputs_free(inputs);
    json_object_put(run);
}

/* Rows of a batch with guesses get what they get without. */
/* What is not wanted is not computed: a choice reads a few rows of the head, and a row that has ended decodes no more. */
static void costs(const char *fixture)
{
    static const char *const texts[] = { "red", "the cat" };
    pali_inputs *inputs = fixture_tensors(fixture, "generate_eos", "inputs"), *one = NULL;
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_constraint *constraint = NULL;
    pali_generation *answer = NULL;
    pali_error *error = NULL;
    size_t n[2] = { 0, 0 };

    options.max_new_tokens = 20;
    CHECK_OK(pali_generate(&answer, model, inputs, &options, &error), error);
    for (int64_t row = 0; answer && row < 2; row++)
        pali_generation_token_ids(answer, row, &n[row]);
    CHECK(n[0] != n[1]); /* one of the two ends earlier */
    CHECK_MSG(answer && answer->decoded == (int64_t)(n[0] - 1 + n[1] - 1), "%s: %d tokens decoded for %zu and %zu", fixture,
              answer ? (int)answer->decoded : -1, n[0], n[1]);
    pali_generation_free(answer);
    answer = NULL;

    one = fixture_tensors(fixture, "generate", "inputs");
    CHECK_OK(pali_constraint_choices(&constraint, processor, texts, 2, &error), error);
    options.constraint = constraint;
    CHECK_OK(pali_generate(&answer, model, one, &options, &error), error);
    CHECK_MSG(answer && answer->head_rows >= 2 && answer->head_rows <= 8, "%s: %d rows of the head", fixture,
              answer ? (int)answer->head_rows : -1);
    pali_generation_free(answer);
    pali_constraint_free(constraint);
    pali_inputs_free(one);
    pali_inputs_free(inputs);
}

static void lookup_batch(const char *fixture)
{
    static const char *const cases[] = { "generate_pad", "generate_eos" };
    pali_error *error = NULL;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char file[64];
        snprintf(file, sizeof file, "%s.generate.json", cases[i]);
        struct json_object *run = read_json(fixture_path(fixture, file));
        pali_inputs *inputs = fixture_tensors(fixture, cases[i], "inputs");
        pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
        pali_generation *generation = NULL;
        options.max_new_tokens = json_object_get_int64(member(run, "max_new_tokens"));
        options.prompt_lookup_num_tokens = 5;
        CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
        for (int64_t row = 0; row < pali_generation_rows(generation); row++)
            check_row(cases[i], generation, row, json_object_array_get_idx(member(run, "token_ids"), (size_t)row));
        pali_generation_free(generation);
        pali_inputs_free(inputs);
        json_object_put(run);
    }
}

/* Four tokens in one pass give the logits, bit for bit, of four passes; also behind more keys than one split of
 * them. */
static void same_bits(const char *fixture)
{
    enum { PROMPT = 530, WIDTH = 4 };
    int64_t ids[PROMPT], vocab_size = model->settings->text.vocab_size, row = 0, count = WIDTH;
    size_t size = (size_t)vocab_size * sizeof(float);
    uint8_t types[PROMPT] = { 0 };
    struct pali__feature_rows no_features = { 0 };
    struct pali__steps steps;
    float *together = malloc(WIDTH * size);
    pali_error *error = NULL;

    for (int64_t i = 0; i < PROMPT; i++)
        ids[i] = 9 + (i * 37 + 11) % 300;
    CHECK_OK(pali__steps_init(&steps, model, 0, NULL, 1, PROMPT, PROMPT + WIDTH, WIDTH, &error), error);
    CHECK_OK(pali__steps_prefill(&steps, 0, ids, types, PROMPT, &no_features, NULL, &error), error);
    CHECK_OK(pali__steps_decode(&steps, 1, &row, &count, ids, &error), error);
    CHECK_OK(pali__steps_head(&steps, 0, WIDTH, &error), error);
    memcpy(together, steps.logits, WIDTH * size);
    pali__steps_roll_back(&steps, 0, PROMPT);
    for (int64_t i = 0; i < WIDTH; i++) {
        CHECK_OK(pali__steps_decode(&steps, 1, &row, NULL, ids + i, &error), error);
        CHECK_OK(pali__steps_head(&steps, 0, 1, &error), error);
        CHECK_MSG(!memcmp(together + i * vocab_size, steps.logits, size), "%s: token %d", fixture, (int)i);
    }
    pali__steps_clear(&steps);
    free(together);
}

/* ---- suffixes ---- */

static pali_inputs *with_suffix(const pali_inputs *prefix, const int64_t *ids, size_t n)
{
    const pali_tensor *prompt = pali_inputs_get(prefix, "input_ids");
    int64_t length = prompt->shape[1], whole = length + (int64_t)n, row[3][128];
    static const char *const names[] = { "input_ids", "token_type_ids", "labels" };
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;

    for (int64_t i = 0; i < whole; i++) {
        row[0][i] = i < length ? ((const int64_t *)prompt->data)[i] : ids[i - length];
        row[1][i] = i >= length;
        row[2][i] = i < length ? -100 : ids[i - length];
    }
    CHECK_OK(pali_inputs_create(&inputs, &error), error);
    for (int i = 0; i < 3; i++) {
        pali_tensor view = pali_tensor_view(row[i], PALI_INT64, 2, (int64_t[]){ 1, whole });
        CHECK_OK(pali_inputs_set(inputs, names[i], &view, &error), error);
    }
    CHECK_OK(pali_inputs_set(inputs, "pixel_values", pali_inputs_get(prefix, "pixel_values"), &error), error);
    return inputs;
}

/* The mean log-probability is minus the loss of a forward pass with the suffix as labels. */
static void check_loss(const pali_inputs *prefix, const pali_scores *scores, size_t index)
{
    size_t n = 0;
    const int64_t *ids = pali_scores_token_ids(scores, index, &n);
    pali_inputs *inputs = with_suffix(prefix, ids, n);
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_model_forward(&outputs, model, inputs, NULL, &error), error);
    const pali_tensor *loss = pali_outputs_get(outputs, "loss");
    CHECK_MSG(loss && fabs((double)*(const float *)loss->data + pali_scores_mean(scores, index)) <= 1e-4,
              "suffix %zu: loss %g, mean log-probability %g", index, loss ? (double)*(const float *)loss->data : 0.0,
              pali_scores_mean(scores, index));
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
}

static void check_scores(const pali_scores *scores, struct json_object *want)
{
    for (size_t i = 0; i < pali_scores_count(scores); i++) {
        struct json_object *entry = json_object_array_get_idx(want, i), *logprobs = member(entry, "logprobs");
        size_t n = 0, n_ids = 0;
        const float *got = pali_scores_token_logprobs(scores, i, &n);
        const int64_t *ids = pali_scores_token_ids(scores, i, &n_ids);
        double total = 0.0, worst = 0.0;
        CHECK(n == json_object_array_length(logprobs) && n_ids == n);
        for (size_t j = 0; j < n && j < json_object_array_length(logprobs); j++) {
            double right = json_object_get_double(json_object_array_get_idx(logprobs, j));
            worst = fmax(worst, fabs((double)got[j] - right));
            total += right;
            CHECK(ids[j] == json_object_get_int64(json_object_array_get_idx(member(entry, "token_ids"), j)));
        }
        CHECK_MSG(worst <= 1e-4, "suffix %zu: a log-probability differs by %g", i, worst);
        CHECK(fabs(pali_scores_total(scores, i) - total) <= 1e-3);
    }
}

static void scores(const char *fixture)
{
    struct json_object *want = read_json(fixture_path(fixture, "generate.scores.json"));
    pali_inputs *inputs = fixture_tensors(fixture, "generate", "inputs");
    pali_token_list lists[64];
    int64_t ids[64][16];
    size_t n = want ? json_object_array_length(want) : 0;
    pali_scores *result = NULL;
    pali_error *error = NULL;

    for (size_t i = 0; i < n; i++) {
        struct json_object *list = member(json_object_array_get_idx(want, i), "token_ids");
        lists[i] = (pali_token_list){ ids[i], json_object_array_length(list) };
        for (size_t j = 0; j < lists[i].n_ids; j++)
            ids[i][j] = json_object_get_int64(json_object_array_get_idx(list, j));
    }
    CHECK_OK(pali_score_tokens(&result, model, inputs, lists, n, NULL, &error), error);
    check_scores(result, want);
    for (size_t i = 0; i < n; i++)
        check_loss(inputs, result, i);
    for (int order = 0; order < 2; order++) {
        const size_t *ranking = pali_scores_ranking(result, (pali_score_order)order);
        for (size_t i = 0; i + 1 < n; i++) {
            double a = order ? pali_scores_mean(result, ranking[i]) : pali_scores_total(result, ranking[i]);
            double b = order ? pali_scores_mean(result, ranking[i + 1]) : pali_scores_total(result, ranking[i + 1]);
            CHECK(a > b || (a == b && ranking[i] < ranking[i + 1]));
        }
    }
    pali_scores_free(result);

    /* More of them than one pass takes: each is scored as alone. */
    for (size_t i = n; i < 64; i++)
        lists[i] = lists[4];
    CHECK_OK(pali_score_tokens(&result, model, inputs, lists, 64, NULL, &error), error);
    for (size_t i = n; i < 64; i++)
        CHECK(fabs(pali_scores_total(result, i) - pali_scores_total(result, 4)) <= 1e-4);
    pali_scores_free(result);
    pali_inputs_free(inputs);
    json_object_put(want);
}

static void wrong_suffixes(const char *fixture)
{
    pali_inputs *inputs = fixture_tensors(fixture, "generate", "inputs");
    pali_inputs *two = fixture_tensors(fixture, "generate_pad", "inputs");
    const int64_t far[] = { 5, 448 };
    pali_token_list lists[2] = { { far, 1 }, { far, 2 } }, empty = { far, 0 };
    const char *texts[] = { "red" };
    pali_scores *result = NULL;
    pali_error *error = NULL;

    CHECK_FAILS(pali_score_tokens(&result, model, inputs, lists, 2, NULL, &error), error, PALI_ERROR_ARGUMENT,
                "suffix 1: token 1 is 448");
    CHECK_FAILS(pali_score_tokens(&result, model, inputs, &empty, 1, NULL, &error), error, PALI_ERROR_ARGUMENT,
                "no tokens");
    CHECK_FAILS(pali_score_tokens(&result, model, inputs, lists, 0, NULL, &error), error, PALI_ERROR_ARGUMENT,
                "no suffixes");
    CHECK_FAILS(pali_score_tokens(&result, model, two, lists, 1, NULL, &error), error, PALI_ERROR_SHAPE, "one row");
    CHECK_FAILS(pali_score(&result, model, inputs, texts, 1, NULL, &error), error, PALI_ERROR_ARGUMENT, "no processor");
    CHECK(result == NULL && pali_scores_count(NULL) == 0 && pali_scores_ranking(NULL, PALI_SCORE_BY_MEAN) == NULL);
    CHECK(isnan(pali_scores_total(NULL, 0)) && pali_scores_token_ids(NULL, 0, NULL) == NULL);
    pali_inputs_free(inputs);
    pali_inputs_free(two);
}

/* ---- objects, on the demonstration model ---- */

static void check_objects(const pali_generation *generation, struct json_object *entry)
{
    bool masks = !strcmp(json_object_get_string(member(entry, "kind")), "segment");
    pali_detections *found = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_detections_parse(&found, pali_generation_text(generation, 0), NULL, &error), error);
    CHECK(pali_detections_count(found) > 0 || json_object_get_boolean(member(entry, "allow_empty")));
    for (size_t i = 0; i < pali_detections_count(found); i++) {
        const pali_detection *box = pali_detections_get(found, i);
        CHECK(box->y_max > box->y_min && box->x_max > box->x_min && *box->label && (box->seg != NULL) == masks);
    }
    pali_detections_free(found);
}

static void objects(struct json_object *entry)
{
    char file[256];
    const char *labels[16], *kind = json_object_get_string(member(entry, "kind"));
    size_t n_labels = strings(member(entry, "labels"), labels, 16);
    pali_constraint_options constraint_options = PALI_CONSTRAINT_OPTIONS_INIT;
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_constraint *constraint = NULL;
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_generation *generation = NULL;
    pali_error *error = NULL;

    snprintf(file, sizeof file, "tiny/%.200s", json_object_get_string(member(entry, "image")));
    CHECK_OK(pali_image_open(&image, test_path(test_data(), file), NULL, &error), error);
    CHECK_OK(pali_processor_apply(&inputs, processor, &image, 1, json_object_get_string(member(entry, "prompt")), NULL,
                                  &error), error);
    constraint_options.allow_empty = json_object_get_boolean(member(entry, "allow_empty"));
    CHECK_OK((!strcmp(kind, "detect") ? pali_constraint_detect : pali_constraint_segment)(
                 &constraint, processor, n_labels ? labels : NULL, n_labels, &constraint_options, &error), error);
    options.constraint = constraint;
    options.max_new_tokens = json_object_get_int64(member(entry, "max_new_tokens"));
    CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
    check_row(kind, generation, 0, member(entry, "token_ids"));
    check_finish(generation, 0, json_object_get_string(member(entry, "finish")));
    CHECK(!strcmp(pali_generation_text(generation, 0), json_object_get_string(member(entry, "text"))));
    check_objects(generation, entry);
    pali_generation_free(generation);
    pali_constraint_free(constraint);
    pali_inputs_free(inputs);
    pali_image_free(image);
}

/* The command's way: suffixes as texts, <eos> behind them or not. */
static void score_texts(void)
{
    const char *texts[] = { "yes", "no", "" };
    pali_score_options options = PALI_SCORE_OPTIONS_INIT;
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_scores *result = NULL, *beginnings = NULL;
    pali_error *error = NULL;
    size_t n = 0;

    CHECK_OK(pali_image_open(&image, test_path(test_data(), "tiny/00.png"), NULL, &error), error);
    CHECK_OK(pali_processor_apply(&inputs, processor, &image, 1,
                                  "answer en is the green circle left of the yellow square?", NULL, &error), error);
    CHECK_OK(pali_score(&result, model, inputs, texts, 3, NULL, &error), error);
    CHECK(pali_scores_ranking(result, PALI_SCORE_BY_TOTAL)[0] == 0); /* the right answer, "yes" */
    CHECK(pali_scores_total(result, 0) > -0.1 && pali_scores_token_ids(result, 2, &n)[0] == 1 && n == 1);
    options.without_eos = 1;
    CHECK_FAILS(pali_score(&beginnings, model, inputs, texts, 3, &options, &error), error, PALI_ERROR_ARGUMENT,
                "suffix 2 has no tokens");
    CHECK_OK(pali_score(&beginnings, model, inputs, texts, 2, &options, &error), error);
    pali_scores_token_ids(beginnings, 0, &n);
    CHECK(n == 1);
    CHECK(pali_scores_token_logprobs(beginnings, 0, NULL)[0] == pali_scores_token_logprobs(result, 0, NULL)[0]);
    pali_scores_free(beginnings);
    texts[0] = "a <image>";
    CHECK_FAILS(pali_score(&beginnings, model, inputs, texts, 1, NULL, &error), error, PALI_ERROR_ARGUMENT, "<image>");
    pali_scores_free(result);
    pali_inputs_free(inputs);
    pali_image_free(image);
}

static bool load(const char *directory)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_error *error = NULL;

    options.dtype = PALI_FLOAT32;
    CHECK_OK(pali_model_load(&model, directory, &options, &error), error);
    CHECK_OK(pali_processor_load(&processor, directory, NULL, &error), error);
    return model && processor;
}

static void unload(void)
{
    pali_processor_free(processor);
    pali_model_free(model);
    processor = NULL;
    model = NULL;
}

int main(void)
{
    const char *examples = getenv("PALI_TEST_EXAMPLES");

    for (size_t i = 0; i < 2; i++) {
        if (load(fixture_path(fixture_models[i], NULL))) {
            choices(fixture_models[i]);
            mask(fixture_models[i]);
            wrong_options(fixture_models[i]);
            lookup(fixture_models[i]);
            lookup_batch(fixture_models[i]);
    costs(fixture_models[i]);
            same_bits(fixture_models[i]);
            scores(fixture_models[i]);
            wrong_suffixes(fixture_models[i]);
        }
        unload();
    }
    struct json_object *entries = read_json(test_path(test_data(), "tiny/constrained.json"));
    if (load(test_path(examples ? examples : "examples", "tiny/model"))) {
        for (size_t i = 0; entries && i < json_object_array_length(entries); i++)
            objects(json_object_array_get_idx(entries, i));
        score_texts();
    }
    unload();
    json_object_put(entries);
    return test_report("answers");
}
