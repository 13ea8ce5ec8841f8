/* SPDX-License-Identifier: BSD-2-Clause */
/* From logits to a token: processors, warpers and stop strings against Transformers, the draw, the forced words. */
#include "config/config_sections.h"
#include "generate/choose.h"
#include "generate/forced_words.h"
#include "generate/logprobs.h"
#include "generate/option_defaults.h"
#include "generate/portable_math.h"
#include "generate/stop_strings.h"
#include "json_options.h"

#define VOCABULARY 48

static struct json_object *fixture(const char *name)
{
    struct json_object *cases = json_object_from_file(test_path(test_data(), name));
    CHECK_MSG(cases != NULL, "no %s", name);
    return cases;
}

/* ---- exp and log */

static void test_portable_math(void)
{
    double worst_exp = 0.0, worst_log = 0.0;

    for (double x = -700.0; x < 0.0; x += 0.0137) {
        double difference = fabs(pali__exp(x) / exp(x) - 1.0);
        worst_exp = difference > worst_exp ? difference : worst_exp;
    }
    for (double x = 1e-300; x < 1e300; x *= 1.0173) {
        double difference = fabs(pali__log(x) - log(x)) / (fabs(log(x)) + 1e-3);
        worst_log = difference > worst_log ? difference : worst_log;
    }
    CHECK_MSG(worst_exp < 1e-15 && worst_log < 1e-15, "exp %g, log %g", worst_exp, worst_log);
    CHECK(pali__exp(0.0) == 1.0 && pali__exp(3.0) == 1.0 && pali__exp(-INFINITY) == 0.0 && pali__exp((double)NAN) == 0.0);
    CHECK(pali__log(1.0) == 0.0 && pali__log(0.0) == 0.0 && pali__log(-1.0) == 0.0 && pali__log(INFINITY) == 0.0);
    /* The bits themselves: any machine must find these. */
    CHECK(pali__exp(-1.0) == 0x1.78b56362cef38p-2 && pali__log(10.0) == 0x1.26bb1bbb55516p+1);
}

/* ---- against Transformers */

/* The lists that only generation_config.json can give. */
static void read_config(struct pali__generation_config *config, struct json_object *options)
{
    struct json_object *value;

    *config = *pali__generation_config_defaults();
    if (json_object_object_get_ex(options, "suppress_tokens", &value))
        config->n_suppress = (int)json_ids(value, config->suppress_tokens, PALI__MAX_IDS);
    if (json_object_object_get_ex(options, "begin_suppress_tokens", &value))
        config->n_begin_suppress = (int)json_ids(value, config->begin_suppress_tokens, PALI__MAX_IDS);
    if (json_object_object_get_ex(options, "forced_eos_token_id", &value))
        config->n_forced_eos = (int)json_ids(value, config->forced_eos_token_id, PALI__MAX_EOS);
}

static bool is_near(double got, double want, double bound)
{
    return got == want || fabs(got - want) <= bound;
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Which of two equal tokens a filter drops, Transformers leaves to its sort; so rows with ties are compared sorted. */
static void check_probabilities(struct pali__chooser *chooser, const float *scores, double *want, bool ties,
                                const char *name)
{
    double got[VOCABULARY] = { 0.0 }, total = pali__sampler_warp(&chooser->sampler, scores), worst = 0.0;
    int64_t before = -1;

    for (int64_t i = 0; i < chooser->sampler.n_candidates; i++) {
        const struct pali__candidate *candidate = &chooser->sampler.candidates[i];
        CHECK(candidate->id > before && candidate->id < VOCABULARY);
        before = candidate->id;
        got[candidate->id] = candidate->weight / total;
    }
    if (ties) {
        qsort(got, VOCABULARY, sizeof *got, descending);
        qsort(want, VOCABULARY, sizeof *want, descending);
    }
    for (int i = 0; i < VOCABULARY; i++) {
        CHECK_MSG((got[i] == 0.0) == (want[i] == 0.0), "%s: id %d has %g, the oracle %g", name, i, got[i], want[i]);
        worst = fabs(got[i] - want[i]) > worst ? fabs(got[i] - want[i]) : worst;
    }
    CHECK_MSG(worst < 1e-6, "%s: probabilities differ by %g", name, worst); /* float32's own error */
}

static void test_scores(void)
{
    struct json_object *cases = fixture("generation/scores.json");
    int n_samples = 0;

    for (size_t i = 0; cases && i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i), *options = json_member(one, "options");
        static struct pali__generation_config config;
        struct json_options read;
        struct pali__chooser chooser = { 0 };
        int64_t prompt[16], ids[16], n_prompt = (int64_t)json_ids(json_member(one, "prompt"), prompt, 16);
        int64_t n_ids = (int64_t)json_ids(json_member(one, "ids"), ids, 16);
        struct pali__history history = { prompt, ids, n_prompt, n_ids };
        const char *name = json_object_to_json_string(options);
        float scores[VOCABULARY];
        double want[VOCABULARY];
        pali_error *error = NULL;

        json_options_read(&read, options);
        read_config(&config, options);
        for (size_t id = 0; id < VOCABULARY; id++) {
            scores[id] = (float)json_number(json_object_array_get_idx(json_member(one, "scores"), id));
            want[id] = json_number(json_object_array_get_idx(json_member(one, "expected"), id));
        }
        if (read.options.temperature > 0.0 && read.options.top_k == 0)
            read.options.top_k = -1; /* Transformers' 0 */
        CHECK_OK(pali__fill_in_options(&read.options, &config, &error), error);
        CHECK_OK(pali__chooser_init(&chooser, &read.options, &config, VOCABULARY, &error), error);
        if (read.options.temperature > 0.0) {
            check_probabilities(&chooser, scores, want, json_object_get_boolean(json_member(one, "ties")), name);
            n_samples++;
        } else {
            pali__logits_process(&chooser.processors, scores, &history);
            for (int id = 0; id < VOCABULARY; id++)
                CHECK_MSG(scores[id] == (float)want[id], "%s: score %d is %g, the oracle's %g", name, id,
                          (double)scores[id], want[id]);
        }
        pali__chooser_clear(&chooser);
    }
    CHECK(n_samples >= 20);
    json_object_put(cases);
}

static void test_stop_strings(void)
{
    struct json_object *cases = fixture("generation/stop_strings.json");
    struct pali__tokenizer *tokenizer = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali__tokenizer_load(&tokenizer, test_path(test_data(), "models/pg1/tokenizer.json"), &error), error);
    for (size_t i = 0; cases && tokenizer && i < json_object_array_length(cases); i++) {
        struct json_object *one = json_object_array_get_idx(cases, i), *list = json_member(one, "stop_strings");
        struct pali__stop_strings stops;
        const char *strings[4];
        size_t n = json_object_array_length(list);
        int64_t ids[32], n_ids = (int64_t)json_ids(json_member(one, "ids"), ids, 32);

        for (size_t j = 0; j < n; j++)
            strings[j] = json_object_get_string(json_object_array_get_idx(list, j));
        CHECK_OK(pali__stop_strings_init(&stops, strings, n, tokenizer, &error), error);
        for (int64_t end = 1; end <= n_ids; end++)
            for (int64_t prompt = 0; prompt < end; prompt++) { /* wherever the prompt ends */
                struct pali__history history = { ids, ids + prompt, prompt, end - prompt };
                bool want = json_object_get_boolean(json_object_array_get_idx(json_member(one, "stops"), (size_t)end - 1));
                CHECK_MSG(pali__stop_strings_hit(&stops, &history) == want, "%s at token %d",
                          json_object_to_json_string(one), (int)end);
            }
    }
    CHECK_FAILS(pali__stop_strings_init(&(struct pali__stop_strings){ 0 }, (const char *const[]){ "" }, 1, tokenizer,
                                        &error), error, PALI_ERROR_ARGUMENT, "empty");
    CHECK_FAILS(pali__stop_strings_init(&(struct pali__stop_strings){ 0 }, (const char *const[]){ "a" }, 1, NULL,
                                        &error), error, PALI_ERROR_ARGUMENT, "processor");
    pali__tokenizer_free(tokenizer);
    json_object_put(cases);
}

/* ---- presence and frequency: score -= count · frequency + (count > 0) · presence, of the answer alone */

static void test_presence(void)
{
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    struct pali__generation_config config = *pali__generation_config_defaults();
    struct pali__logits_processors processors;
    const int64_t prompt[] = { 1, 2, 3 }, ids[] = { 3, 4, 4, 4 };
    struct pali__history history = { prompt, ids, 3, 4 };
    pali_error *error = NULL;

    options.presence_penalty = 0.5;
    options.frequency_penalty = 0.25;
    CHECK_OK(pali__fill_in_options(&options, &config, &error), error);
    CHECK_OK(pali__logits_processors_init(&processors, &options, &config, 6, &error), error);
    for (int round = 0; round < 2; round++) { /* the counts are back at 0 */
        float scores[6] = { 1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f };
        pali__logits_process(&processors, scores, &history);
        CHECK(scores[0] == 1.0f && scores[1] == 1.0f && scores[2] == 1.0f && scores[5] == 1.0f);
        CHECK(scores[3] == 0.25f && scores[4] == -0.25f);
    }
    pali__logits_processors_clear(&processors);
}

/* ---- the draw */

static int64_t draw(double temperature, uint64_t seed, int64_t sample, int64_t step)
{
    static const float scores[8] = { 0.0f, 1.0f, 0.5f, -1.0f, 2.0f, 0.25f, -INFINITY, 1.5f };
    struct pali__sampling how = { temperature, 0, 1.0, 0.0, 1.0, seed };
    struct pali__sampler sampler;
    pali_error *error = NULL;

    CHECK_OK(pali__sampler_init(&sampler, &how, 8, &error), error);
    int64_t id = pali__sampler_choose(&sampler, scores, sample, step);
    pali__sampler_clear(&sampler);
    return id;
}

static void test_draw(void)
{
    static const int64_t known[16] = { 4, 4, 4, 4, 4, 4, 0, 7, 4, 4, 4, 3, 7, 7, 4, 4 }; /* on every machine */
    double expected[8] = { 1.0, 2.718281828, 1.648721271, 0.367879441, 7.389056099, 1.284025417, 0.0, 4.48168907 };
    int counts[8] = { 0 }, n = 20000;
    double total = 0.0, chi = 0.0;

    CHECK(draw(0.0, 1, 0, 0) == 4);
    for (int step = 0; step < 16; step++)
        CHECK_MSG(draw(1.3, 7, 2, step) == known[step], "draw %d is %d", step, (int)draw(1.3, 7, 2, step));
    for (int step = 0; step < n; step++)
        counts[draw(1.0, 5, step % 3, step)]++;
    for (int i = 0; i < 8; i++)
        total += expected[i];
    for (int i = 0; i < 8; i++) {
        double want = expected[i] / total * n;
        chi += want > 0.0 ? (counts[i] - want) * (counts[i] - want) / want : 0.0;
    }
    CHECK(counts[6] == 0);
    CHECK_MSG(chi < 22.5, "chi-square %g", chi); /* 6 degrees of freedom: 1 in 1000 lies above */
}

/* Nothing can follow where all is forbidden or not a number; infinite logits do not upset the draw. */
static void test_hopeless(void)
{
    static const float none[4] = { -INFINITY, -INFINITY, -INFINITY, -INFINITY };
    static const float nan4[4] = { NAN, NAN, NAN, NAN }, odd[4] = { NAN, -INFINITY, 1.0f, -INFINITY };
    static const float infinite[4] = { INFINITY, 0.0f, NAN, INFINITY };

    for (int greedy = 0; greedy < 2; greedy++) {
        struct pali__sampling how = { greedy ? 0.0 : 1.0, 2, 0.9, 0.1, 0.9, 3 };
        struct pali__sampler sampler;
        pali_error *error = NULL;
        CHECK_OK(pali__sampler_init(&sampler, &how, 4, &error), error);
        CHECK(pali__sampler_choose(&sampler, none, 0, 0) == -1 && pali__sampler_choose(&sampler, nan4, 0, 0) == -1);
        CHECK(pali__sampler_choose(&sampler, odd, 0, 0) == 2);
        CHECK(pali__sampler_choose(&sampler, infinite, 0, 0) < 4);
        pali__sampler_clear(&sampler);
    }
}

/* ---- forced words: whatever the scores, the answer has them in time */

static void test_forced_words(void)
{
    static const int64_t a[] = { 2, 3, 2, 4 }, b[] = { 5 }, c[] = { 3, 2 }, end[] = { 0 };
    const pali_token_list words[] = { { a, 4 }, { b, 1 }, { c, 2 } }, eos = { end, 1 };
    uint64_t state = 88172645463325252u;

    for (int round = 0; round < 3000; round++) {
        int64_t ids[16], n = 0, n_new = 7 + round % 5;
        float scores[6];
        bool found[3] = { false }, ended = false;
        while (n < n_new && !ended) {
            struct pali__history history = { NULL, ids, 0, n };
            int best = -1;
            for (int i = 0; i < 6; i++) {
                state ^= state << 13, state ^= state >> 7, state ^= state << 17;
                scores[i] = (float)(state % 1000) + (i == 0 && round % 2 ? 700.0f : 0.0f);
            }
            bool missing = pali__force_words(words, 3, &eos, n_new, &history, scores, 6);
            for (int i = 0; i < 6; i++)
                if (scores[i] > -INFINITY && (best < 0 || scores[i] > scores[best]))
                    best = i;
            CHECK(best >= 0);
            CHECK(!missing || best != 0);
            ids[n++] = best;
            ended = best == 0;
        }
        for (int w = 0; w < 3; w++)
            for (int64_t i = 0; i + (int64_t)words[w].n_ids <= n; i++)
                found[w] = found[w] || !memcmp(ids + i, words[w].ids, words[w].n_ids * sizeof *ids);
        CHECK_MSG(found[0] && found[1] && found[2], "round %d: a word is missing in %d tokens", round, (int)n);
    }
}

/* ---- log-probabilities */

static void test_logprobs(void)
{
    static const float logits[5] = { 1.0f, 3.0f, -INFINITY, 3.0f, 0.0f };
    double normalizer = pali__log_normalizer(logits, 5);
    pali_token_logprob top[6];

    CHECK(is_near(normalizer, log(exp(1.0) + 2.0 * exp(3.0) + 1.0), 1e-14));
    pali__top_logprobs(top, 6, logits, 5, normalizer);
    CHECK(top[0].id == 1 && top[1].id == 3 && top[2].id == 0 && top[3].id == 4 && top[4].id == -1 && top[5].id == -1);
    CHECK(is_near(top[0].logprob, 3.0 - normalizer, 1e-14) && top[4].logprob == -INFINITY);
}

int main(void)
{
    test_portable_math();
    test_scores();
    test_stop_strings();
    test_presence();
    test_draw();
    test_hopeless();
    test_forced_words();
    test_logprobs();
    return test_report("test_choosing");
}
