/* SPDX-License-Identifier: BSD-2-Clause */
/* Embeddings and scores against ColPaliForRetrieval and ColPaliProcessor (tests/oracle/make_colpali_fixtures.py). */
#include <stdbool.h>

#include <paligemma/paligemma.h>

#include "test.h"

#define TOLERANCE 1e-4

static const char *const texts[] = { "the cat", "what is red?", "caption the red cat en" };
static pali_inputs *cases;
static pali_processor *processor;

static const pali_tensor *oracle(const char *kind, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%s", kind, name);
    const pali_tensor *tensor = pali_inputs_get(cases, full);
    CHECK_MSG(tensor != NULL, "no %s", full);
    return tensor;
}

static void same_ids(const pali_inputs *inputs, const char *kind)
{
    static const char *const names[] = { "input_ids", "attention_mask", "token_type_ids" };
    for (int i = 0; i < 3; i++) {
        const pali_tensor *got = pali_inputs_get(inputs, names[i]), *want = oracle(kind, names[i]);
        bool same = got && want && got->shape[0] == want->shape[0] && got->shape[1] == want->shape[1] &&
                    memcmp(got->data, want->data, (size_t)pali_tensor_count(want) * sizeof(int64_t)) == 0;
        CHECK_MSG(same, "%s.%s differs", kind, names[i]);
    }
}

static double difference(const float *a, const pali_tensor *want)
{
    double worst = 0.0;
    for (int64_t i = 0; i < pali_tensor_count(want); i++) {
        double d = fabs((double)a[i] - (double)((const float *)want->data)[i]);
        if (!(d <= worst))
            worst = d;
    }
    return worst;
}

static void near(const pali_outputs *outputs, const char *kind, const char *label)
{
    const pali_tensor *got = pali_outputs_get(outputs, "embeddings"), *want = oracle(kind, "embeddings");
    CHECK(got && got->rank == 3 && pali_tensor_count(got) == pali_tensor_count(want));
    if (!got || pali_tensor_count(got) != pali_tensor_count(want))
        return;
    double worst = difference(got->data, want);
    CHECK_MSG(worst <= TOLERANCE, "%s %s: differs by %g", label, kind, worst);
    printf("%-8s %-6s largest difference %.1e\n", label, kind, worst);
}

static pali_inputs *make_pages(void)
{
    pali_image *images[2] = { NULL, NULL };
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;
    for (int i = 0; i < 2; i++) {
        const pali_tensor *pixels = oracle("picture", i ? "1" : "0");
        CHECK_OK(pali_image_create(&images[i], pixels->data, (int32_t)pixels->shape[1], (int32_t)pixels->shape[0], 0, &error),
                 error);
    }
    CHECK_OK(pali_processor_apply_pages(&inputs, processor, images, 2, NULL, &error), error);
    for (int i = 0; i < 2; i++)
        pali_image_free(images[i]);
    return inputs;
}

static pali_inputs *make_queries(void)
{
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_processor_apply_queries(&inputs, processor, texts, 3, NULL, &error), error);
    return inputs;
}

static void test_embeddings(const char *folder, const char *label)
{
    pali_model_options float32 = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_outputs *page = NULL, *query = NULL;
    pali_inputs *pages = make_pages(), *queries = make_queries();
    pali_error *error = NULL;
    float scores[6] = { 0 };

    float32.dtype = PALI_FLOAT32;
    CHECK_OK(pali_model_load(&model, folder, &float32, &error), error);
    if (!model)
        return;
    CHECK(pali_model_embedding_dim(model) == 12);
    CHECK_OK(pali_embed(&page, model, pages, NULL, &error), error);
    CHECK_OK(pali_embed(&query, model, queries, NULL, &error), error);
    near(page, "page", label);
    near(query, "query", label);
    CHECK_OK(pali_max_sim(scores, pali_outputs_get(query, "embeddings"), pali_outputs_get(page, "embeddings"), &error),
             error);
    double worst = difference(scores, pali_inputs_get(cases, "scores"));
    CHECK_MSG(worst <= TOLERANCE, "%s: scores differ by %g", label, worst);
    printf("%-8s scores largest difference %.1e\n", label, worst);
    pali_outputs_free(page);
    pali_outputs_free(query);
    pali_inputs_free(pages);
    pali_inputs_free(queries);
    pali_model_free(model);
}

/* The options against the definition, from the states of the oracle. */
static void test_options(const char *folder)
{
    pali_model_options float32 = PALI_MODEL_OPTIONS_INIT;
    pali_embed_options options = PALI_EMBED_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_outputs *out = NULL;
    pali_inputs *queries = make_queries();
    pali_error *error = NULL;
    const pali_tensor *states = oracle("query", "states"), *mask = oracle("query", "attention_mask");
    int64_t length = states->shape[1], hidden = states->shape[2];

    float32.dtype = PALI_FLOAT32;
    CHECK_OK(pali_model_load(&model, folder, &float32, &error), error);
    options.skip_projection = 1;
    CHECK_OK(pali_embed(&out, model, queries, &options, &error), error);
    const pali_tensor *e = pali_outputs_get(out, "embeddings");
    CHECK(e && e->rank == 3 && e->shape[2] == hidden);
    for (int64_t i = 0; e && i < 3 * length; i++)
        for (int64_t j = 0; j < hidden; j++) {
            double want = ((const int64_t *)mask->data)[i] ? (double)((const float *)states->data)[i * hidden + j] : 0.0;
            CHECK(fabs((double)((const float *)e->data)[i * hidden + j] - want) <= TOLERANCE);
        }
    pali_outputs_free(out);

    options.pooling = PALI_POOLING_MEAN;
    options.normalize = 1;
    CHECK_OK(pali_embed(&out, model, queries, &options, &error), error);
    e = pali_outputs_get(out, "embeddings");
    CHECK(e && e->rank == 2 && e->shape[0] == 3 && e->shape[1] == hidden);
    for (int64_t row = 0; e && row < 3; row++) {
        double mean[64] = { 0 }, sum = 0.0;
        for (int64_t i = 0; i < length; i++)
            for (int64_t j = 0; j < hidden && ((const int64_t *)mask->data)[row * length + i]; j++)
                mean[j] += (double)((const float *)states->data)[(row * length + i) * hidden + j];
        for (int64_t j = 0; j < hidden; j++)
            sum += mean[j] * mean[j];
        for (int64_t j = 0; j < hidden; j++)
            CHECK(fabs((double)((const float *)e->data)[row * hidden + j] - mean[j] / sqrt(sum)) <= TOLERANCE);
    }
    pali_outputs_free(out);

    options.pooling = (pali_pooling)7;
    CHECK_FAILS(pali_embed(&out, model, queries, &options, &error), error, PALI_ERROR_ARGUMENT, "pooling is 7");
    options.pooling = PALI_POOLING_NONE;
    options.normalize = 2;
    CHECK_FAILS(pali_embed(&out, model, queries, &options, &error), error, PALI_ERROR_ARGUMENT, "normalize is 2");
    CHECK_FAILS(pali_embed(&out, NULL, queries, NULL, &error), error, PALI_ERROR_ARGUMENT, "model is NULL");
    CHECK(out == NULL);
    pali_inputs_free(queries);
    pali_model_free(model);
}

/* colpali-engine's names and config.json: "model." before style A, custom_text_proj. */
static void write_engine(const char *hf)
{
    pali_inputs *weights = NULL, *renamed = NULL;
    pali_error *error = NULL;
    char name[256], bytes[8192];
    snprintf(name, sizeof name, "%.200s/model.safetensors", hf);
    CHECK_OK(pali_inputs_load(&weights, name, &error), error);
    CHECK_OK(pali_inputs_create(&renamed, &error), error);
    for (size_t i = 0; i < pali_inputs_count(weights); i++) {
        const char *old = pali_inputs_name(weights, i), *tail;
        if ((tail = strstr(old, "embedding_proj_layer.")))
            snprintf(name, sizeof name, "custom_text_proj.%s", tail + 21);
        else if ((tail = strstr(old, "vision_tower.")))
            snprintf(name, sizeof name, "model.vision_tower.vision_model.%s", tail + 13);
        else
            snprintf(name, sizeof name, "model.%s", old + 4);
        CHECK_OK(pali_inputs_set(renamed, name, pali_inputs_get(weights, old), &error), error);
    }
    CHECK_OK(pali_inputs_save(renamed, test_path(test_scratch(), "model.safetensors"), &error), error);
    FILE *from = fopen(test_path(test_data(), "colpali/engine.json"), "rb");
    FILE *to = fopen(test_path(test_scratch(), "config.json"), "wb");
    size_t size = from ? fread(bytes, 1, sizeof bytes, from) : 0;
    CHECK(to && size && fwrite(bytes, 1, size, to) == size);
    if (from)
        fclose(from);
    if (to)
        fclose(to);
    pali_inputs_free(weights);
    pali_inputs_free(renamed);
}

static void test_scores(void)
{
    float q[] = { 1, 0, 0, -1, 2, 2 }, p[] = { 0, 1, -1, -1, 3, 0, 0, 0 }, scores[2];
    pali_tensor queries = pali_tensor_view(q, PALI_FLOAT32, 2, (const int64_t[]){ 3, 2 });
    pali_tensor pages = pali_tensor_view(p, PALI_FLOAT32, 3, (const int64_t[]){ 2, 2, 2 });
    pali_error *error = NULL;
    CHECK_OK(pali_max_sim(scores, &queries, &pages, &error), error);
    CHECK(scores[0] == 0 + 1 + 2 && scores[1] == 3 + 0 + 6); /* the page's row of zeros counts */
    pages.shape[2] = 1;
    CHECK_FAILS(pali_max_sim(scores, &queries, &pages, &error), error, PALI_ERROR_SHAPE, "2 dimensions and pages 1");
    pages.rank = 1;
    CHECK_FAILS(pali_max_sim(scores, &queries, &pages, &error), error, PALI_ERROR_SHAPE, "rank 1");
    CHECK_FAILS(pali_max_sim(NULL, &queries, &pages, &error), error, PALI_ERROR_ARGUMENT, "scores is NULL");
}

/* 150 vectors a page: more than a tile, and a ragged rest; one page with nothing but negative products. */
static void test_many_vectors(void)
{
    const pali_tensor *want = oracle("many", "scores");
    float scores[12];
    pali_error *error = NULL;
    CHECK(want && pali_tensor_count(want) == 12);
    CHECK_OK(pali_max_sim(scores, oracle("many", "queries"), oracle("many", "pages"), &error), error);
    CHECK_MSG(difference(scores, want) <= 1e-4, "scores differ by %g", difference(scores, want));
    CHECK(scores[11] < 0.0f);
}

static void test_processor(void)
{
    pali_inputs *pages = make_pages(), *queries = make_queries(), *none = NULL;
    pali_apply_options options = PALI_APPLY_OPTIONS_INIT;
    const char *const bad[] = { "an <image>", NULL };
    pali_error *error = NULL;
    same_ids(pages, "page");
    same_ids(queries, "query");
    CHECK(pali_inputs_get(queries, "pixel_values") == NULL);
    const pali_tensor *pixels = pali_inputs_get(pages, "pixel_values"), *want = oracle("page", "pixel_values");
    CHECK(pixels && pali_tensor_count(pixels) == pali_tensor_count(want) && difference(pixels->data, want) <= 1e-6);
    CHECK_FAILS(pali_processor_apply_queries(&none, processor, bad, 1, NULL, &error), error, PALI_ERROR_SHAPE, "<image>");
    CHECK_FAILS(pali_processor_apply_queries(&none, processor, bad + 1, 1, NULL, &error), error, PALI_ERROR_ARGUMENT,
                "text 0 is NULL");
    CHECK_FAILS(pali_processor_apply_queries(&none, processor, NULL, 0, NULL, &error), error, PALI_ERROR_ARGUMENT, "no text");
    CHECK_FAILS(pali_processor_apply_pages(&none, processor, NULL, 0, NULL, &error), error, PALI_ERROR_ARGUMENT, "no text");
    options.suffixes = texts;
    CHECK_FAILS(pali_processor_apply_queries(&none, processor, texts, 3, &options, &error), error, PALI_ERROR_ARGUMENT,
                "suffixes has no meaning");
    pali_inputs_free(pages);
    pali_inputs_free(queries);
}

int main(void)
{
    char hf[1024];
    pali_error *error = NULL;
    snprintf(hf, sizeof hf, "%.1000s/colpali/hf", test_data());
    CHECK_OK(pali_inputs_load(&cases, test_path(test_data(), "colpali/cases.safetensors"), &error), error);
    CHECK_OK(pali_processor_load(&processor, hf, NULL, &error), error);
    if (!cases || !processor)
        return 1;
    test_processor();
    test_embeddings(hf, "hf");
    test_options(hf);
    write_engine(hf);
    test_embeddings(test_scratch(), "engine");
    test_scores();
    test_many_vectors();
    pali_inputs_free(cases);
    pali_processor_free(processor);
    return test_report("embed");
}
