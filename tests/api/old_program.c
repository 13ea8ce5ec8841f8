/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program as it stands on somebody's disk: compiled against the headers of an earlier release (old_headers/), run
 * with the library of today. It passes and reads every kind of struct that both sides must agree about, and prints the
 * answer's text and tokens.
 *     old_program CHECKPOINT PICTURE PROMPT
 */
#include <paligemma/paligemma.h>
#include <stdio.h>
#include <string.h>

struct seen {
    size_t tokens;
    size_t progress;
    size_t bytes;
};

static int on_token(void *user, const pali_token *token)
{
    struct seen *seen = user;
    seen->tokens++;
    seen->bytes += strlen(token->text);
    return token->row != 0;
}

static int on_progress(void *user, const char *stage, double fraction)
{
    struct seen *seen = user;
    seen->progress += stage[0] != 0 && fraction >= 0.0;
    return 0;
}

static int check(int holds, const char *what)
{
    if (!holds)
        fprintf(stderr, "old_program: %s\n", what);
    return !holds;
}

/* What the answer's structs say, as old headers lay them out. */
static int check_answer(const pali_generation *answer, const struct seen *seen, pali_error **error)
{
    pali_timing timing = PALI_TIMING_INIT;
    size_t n = 0, n_logprobs = 0, n_top = 0;
    int wrong = 0;

    const int64_t *ids = pali_generation_token_ids(answer, 0, &n);
    const double *logprobs = pali_generation_logprobs(answer, 0, &n_logprobs);
    const pali_token_logprob *top = pali_generation_top_logprobs(answer, 0, 0, &n_top);
    if (check(n > 0 && n_logprobs == n && n_top == 3, "numbers of tokens and log-probabilities"))
        return 1;
    wrong |= check(top[0].id == ids[0] && top[0].logprob == logprobs[0], "the likeliest token is the greedy one");
    wrong |= check(seen->tokens == n && seen->bytes >= strlen(pali_generation_text(answer, 0)), "streamed tokens");
    wrong |= check(seen->progress > 0, "progress was reported");
    wrong |= check(pali_generation_finish_reason(answer, 0) == PALI_FINISH_EOS, "the answer ends by itself");
    wrong |= check(!pali_generation_timing(answer, &timing, error) && timing.prefill_s > 0.0 &&
                       timing.prompt_tokens > 60 && timing.decode_tokens == (int64_t)n - 1,
                   "timing");
    for (size_t i = 0; i < n; i++)
        printf("%s%lld", i ? " " : "", (long long)ids[i]);
    printf("\n%s\n", pali_generation_text(answer, 0));
    return wrong;
}

/* A tensor and a pass with options. */
static int check_forward(pali_model *model, const pali_inputs *inputs, pali_error **error)
{
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_cache_options cache_options = PALI_CACHE_OPTIONS_INIT;
    pali_outputs *outputs = NULL;
    pali_cache *cache = NULL;
    int64_t last = -1;
    int wrong = 1;

    cache_options.capacity = 128;
    cache_options.fixed = 1;
    if (!pali_cache_create(&cache, model, &cache_options, error)) {
        options.cache = cache;
        options.logits_index = &last;
        options.n_logits_index = 1;
        if (!pali_model_forward(&outputs, model, inputs, &options, error)) {
            const pali_tensor *ids = pali_inputs_get(inputs, "input_ids");
            const pali_tensor *logits = pali_outputs_get(outputs, "logits");
            wrong = check(ids->dtype == PALI_INT64 && ids->rank == 2 && logits->dtype == PALI_FLOAT32 &&
                              logits->rank == 3 && logits->shape[1] == 1 && logits->strides[2] == 1 &&
                              pali_tensor_count(logits) == logits->shape[2],
                          "tensors") |
                    check(pali_cache_length(cache, 0) == ids->shape[1], "the cache holds the prompt");
        }
    }
    pali_outputs_free(outputs);
    pali_cache_free(cache);
    return wrong;
}

static int check_objects(pali_error **error)
{
    pali_detections_options options = PALI_DETECTIONS_OPTIONS_INIT;
    pali_detections *found = NULL;
    int wrong = 1;

    options.scale = 1023;
    if (!pali_detections_parse(&found, "<loc0000><loc1023><loc0341><loc0682> a cat", &options, error)) {
        const pali_detection *object = pali_detections_get(found, 0);
        wrong = check(pali_detections_count(found) == 1 && object->x_min == 1.0 && object->y_max == 341.0 / 1023.0 &&
                          strcmp(object->label, "a cat") == 0 && !object->seg && object->text_end == 42,
                      "an object");
    }
    pali_detections_free(found);
    return wrong;
}

int main(int argc, char **argv)
{
    struct seen seen = { 0, 0, 0 };
    pali_model_options model_options = PALI_MODEL_OPTIONS_INIT;
    pali_image_options image_options = PALI_IMAGE_OPTIONS_INIT;
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_processor *processor = NULL;
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_generation *answer = NULL;
    pali_error *error = NULL;
    int wrong = 1;

    if (argc != 4)
        return 2;
    model_options.dtype = PALI_FLOAT32;
    image_options.max_pixels = 1 << 24;
    options.max_new_tokens = 60;
    options.on_token = on_token;
    options.on_token_user = &seen;
    options.progress = on_progress;
    options.progress_user = &seen;
    options.top_logprobs = 3;
    if (!pali_model_load(&model, argv[1], &model_options, &error) &&
        !pali_processor_load(&processor, argv[1], NULL, &error) &&
        !pali_image_open(&image, argv[2], &image_options, &error) &&
        !pali_processor_apply(&inputs, processor, &image, 1, argv[3], NULL, &error) &&
        !pali_generate(&answer, model, inputs, &options, &error))
        wrong = check_answer(answer, &seen, &error) | check_forward(model, inputs, &error) | check_objects(&error);
    if (error)
        fprintf(stderr, "old_program: %s\n", pali_error_message(error));
    pali_generation_free(answer);
    pali_inputs_free(inputs);
    pali_image_free(image);
    pali_processor_free(processor);
    pali_model_free(model);
    pali_error_free(error);
    return wrong;
}
