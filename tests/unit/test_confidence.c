/* SPDX-License-Identifier: BSD-2-Clause */
/* Confidences by hand: of which tokens they are made, and tokens that do not belong to the text. */
#include <paligemma/structured.h>

#include "test.h"

enum { N_MAX = 128 };

static pali_processor *processor;

/* The ids of `text`, with log-probabilities that say which token they are of: the i-th is ln(1 - i/256). */
static size_t encode(const char *text, int64_t *ids, double *logprobs)
{
    int64_t *all = NULL;
    size_t n_ids = 0;
    pali_error *error = NULL;
    CHECK_OK(pali_processor_encode(processor, text, strlen(text), &all, &n_ids, &error), error);
    CHECK(n_ids + 1 < N_MAX);
    memcpy(ids, all, n_ids * sizeof *ids);
    pali_free(all);
    ids[n_ids++] = 1; /* eos, which has no text */
    for (size_t i = 0; i < n_ids; i++)
        logprobs[i] = log(1.0 - (double)i / 256.0);
    return n_ids;
}

/* The n tokens from `first` on are what object `index` of `text` is measured by. */
static void check_tokens(const char *text, size_t index, size_t first, size_t n)
{
    int64_t ids[N_MAX];
    double logprobs[N_MAX], mean = 0.0;
    const size_t n_ids = encode(text, ids, logprobs);
    pali_confidence confidences[8];
    pali_detections *detections = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_detections_parse(&detections, text, NULL, &error), error);
    CHECK(pali_detections_count(detections) > index && pali_detections_count(detections) <= 8);
    CHECK_OK(pali_detections_confidence(confidences, detections, processor, ids, logprobs, n_ids, &error), error);
    for (size_t i = first; i < first + n; i++)
        mean += (1.0 - (double)i / 256.0) / (double)n;
    CHECK_MSG(fabs(confidences[index].mean - mean) < 1e-12, "%s: mean %g, not %g", text, confidences[index].mean, mean);
    CHECK_MSG(fabs(confidences[index].min - (1.0 - (double)(first + n - 1) / 256.0)) < 1e-12, "%s: min %g", text,
              confidences[index].min);
    pali_detections_free(detections);
}

/* How many tokens `text` is. */
static size_t count(const char *text)
{
    int64_t ids[N_MAX];
    double logprobs[N_MAX];
    return encode(text, ids, logprobs) - 1;
}

#define LOC "<loc0001><loc0002><loc0003><loc0004>"
#define SEG_4 "<seg000><seg001><seg002><seg003>"

static void test_tokens(void)
{
    CHECK(count(LOC) == 4 && count(LOC SEG_4 SEG_4 SEG_4 SEG_4) == 20);
    check_tokens(LOC " cat", 0, 0, 4);
    check_tokens("a cat" LOC, 0, count("a cat"), 4);
    check_tokens(LOC " cat ; " LOC " dog", 1, count(LOC " cat ; "), 4);
    check_tokens(LOC SEG_4 SEG_4 SEG_4 SEG_4 " cat", 0, 0, 20);
    check_tokens(LOC SEG_4 " cat", 0, 0, 4);       /* no mask: the box alone */
    check_tokens("<loc0009> " LOC, 0, count("<loc0009> "), 4); /* the same tokens in front do not count */
    check_tokens("<loc0001>" "<loc0002>\n" LOC LOC, 1, count("<loc0001><loc0002>\n") + 4, 4);
}

static void test_errors(void)
{
    int64_t ids[N_MAX];
    double logprobs[N_MAX];
    const size_t n_ids = encode(LOC, ids, logprobs);
    pali_confidence confidence;
    pali_detections *detections = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_detections_parse(&detections, LOC, NULL, &error), error);
    CHECK_FAILS(pali_detections_confidence(&confidence, detections, processor, ids, logprobs, n_ids - 2, &error), error,
                PALI_ERROR_ARGUMENT, "do not give the text");
    ids[1] = ids[0];
    CHECK_FAILS(pali_detections_confidence(&confidence, detections, processor, ids, logprobs, n_ids, &error), error,
                PALI_ERROR_ARGUMENT, "do not give the text");
    ids[0] = -5;
    CHECK_FAILS(pali_detections_confidence(&confidence, detections, processor, ids, logprobs, n_ids, &error), error,
                PALI_ERROR_ARGUMENT, "");
    logprobs[2] = NAN;
    CHECK_FAILS(pali_detections_confidence(&confidence, detections, processor, ids, logprobs, n_ids, &error), error,
                PALI_ERROR_ARGUMENT, "logprobs[2]");
    CHECK_FAILS(pali_detections_confidence(&confidence, detections, processor, NULL, logprobs, n_ids, &error), error,
                PALI_ERROR_ARGUMENT, "ids is NULL");
    CHECK_FAILS(pali_detections_confidence(&confidence, detections, NULL, ids, logprobs, n_ids, &error), error,
                PALI_ERROR_ARGUMENT, "processor is NULL");
    pali_detections_free(detections);
    CHECK_OK(pali_detections_parse(&detections, "", NULL, &error), error);
    CHECK_OK(pali_detections_confidence(&confidence, detections, processor, NULL, NULL, 0, &error), error);
    pali_detections_free(detections);
}

int main(void)
{
    const char *examples = getenv("PALI_TEST_EXAMPLES");
    const char *path = test_path(examples ? examples : "examples", "tiny/model");
    pali_error *error = NULL;
    if (pali_processor_load(&processor, path, NULL, &error) != PALI_OK) {
        pali_error_free(error);
        TEST_SKIP("examples/tiny/model, whose tokenizer has <loc> and <seg>, is not there");
    }
    test_tokens();
    test_errors();
    pali_processor_free(processor);
    return test_report("test_confidence");
}
