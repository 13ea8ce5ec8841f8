/* SPDX-License-Identifier: BSD-2-Clause */
/* Stop strings on the demonstration model, greedy and with beams, against Transformers; what is streamed is the text. */
#include <paligemma/paligemma.h>

#include "json_options.h"
#include "tokenizer/utf8.h"

struct streamed {
    char texts[8][512];
    bool is_whole; /* every piece was whole UTF-8 */
};

static int collect(void *user, const pali_token *token)
{
    struct streamed *streamed = user;
    size_t size = strlen(token->text), used = strlen(streamed->texts[token->row]);

    streamed->is_whole = streamed->is_whole && pali__utf8_valid_prefix(token->text, size) == size;
    snprintf(streamed->texts[token->row] + used, sizeof streamed->texts[0] - used, "%s", token->text);
    return 0;
}

static void check_answers(struct json_object *entry, const pali_generation *generation, const struct streamed *streamed)
{
    struct json_object *answers = json_member(entry, "token_ids"), *texts = json_member(entry, "texts");
    const char *name = json_object_to_json_string(entry);

    CHECK(pali_generation_rows(generation) == (int64_t)json_object_array_length(answers));
    for (int64_t row = 0; row < pali_generation_rows(generation); row++) {
        const char *text = pali_generation_text(generation, row);
        int64_t want[64];
        size_t n = 0, n_want = json_ids(json_object_array_get_idx(answers, (size_t)row), want, 64);
        const int64_t *ids = pali_generation_token_ids(generation, row, &n);
        CHECK_MSG(n == n_want && !memcmp(ids, want, n * sizeof *ids), "%s: answer %d is \"%s\"", name, (int)row, text);
        CHECK(!strcmp(text, json_object_get_string(json_object_array_get_idx(texts, (size_t)row))));
        CHECK_MSG(!strcmp(text, streamed->texts[row]), "%s: streamed \"%s\"", name, streamed->texts[row]);
        CHECK_MSG(pali_generation_finish_reason(generation, row) ==
                      (n > 0 && ids[n - 1] == 1 ? PALI_FINISH_EOS : PALI_FINISH_STOP_STRING), "%s", name);
    }
    CHECK(streamed->is_whole);
}

static void ask(pali_model *model, pali_processor *processor, struct json_object *entry)
{
    char file[256];
    const char *strings[4];
    struct json_object *list = json_member(entry, "stop_strings");
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_generation *generation = NULL;
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    struct streamed streamed = { .is_whole = true };
    pali_error *error = NULL;

    options.n_stop_strings = json_object_array_length(list);
    for (size_t i = 0; i < options.n_stop_strings && i < 4; i++)
        strings[i] = json_object_get_string(json_object_array_get_idx(list, i));
    options.stop_strings = strings;
    options.max_new_tokens = 40;
    options.num_beams = options.num_return_sequences = json_object_get_int64(json_member(entry, "num_beams"));
    options.on_token = collect;
    options.on_token_user = &streamed;
    snprintf(file, sizeof file, "tiny/%.200s", json_object_get_string(json_member(entry, "image")));
    CHECK_OK(pali_image_open(&image, test_path(test_data(), file), NULL, &error), error);
    CHECK_OK(pali_processor_apply(&inputs, processor, &image, 1, json_object_get_string(json_member(entry, "prompt")),
                                  NULL, &error), error);
    CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
    if (generation)
        check_answers(entry, generation, &streamed);
    pali_generation_free(generation);
    pali_inputs_free(inputs);
    pali_image_free(image);
}

/* Bytes that make no character until the next token: with a bias towards them, whatever is streamed is whole UTF-8. */
static void odd_bytes(pali_model *model, pali_processor *processor)
{
    static const uint8_t rgb[3] = { 200, 100, 50 };
    static const char *const bytes[] = { "<0xC3>", "<0xA9>", "<0xE2>", "<0xFF>" };
    static const char *const stops[] = { "\xC3\xA9\xC3\xA9" };
    pali_logit_bias bias[4];
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    struct json_object *tokenizer = NULL;
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;
    int n_stopped = 0;

    tokenizer = json_object_from_file(test_path(getenv("PALI_TEST_EXAMPLES"), "tiny/model/tokenizer.json"));
    struct json_object *vocabulary = json_member(json_member(tokenizer, "model"), "vocab");
    for (int i = 0; i < 4; i++)
        bias[i] = (pali_logit_bias){ json_object_get_int64(json_member(vocabulary, bytes[i])), i < 2 ? 26.0f : 24.0f };
    CHECK_OK(pali_image_create(&image, rgb, 1, 1, 0, &error), error);
    CHECK_OK(pali_processor_apply(&inputs, processor, &image, 1, "caption en", NULL, &error), error);
    options.logit_bias = bias;
    options.n_logit_bias = 4;
    options.temperature = 3.0;
    options.max_new_tokens = 40;
    options.stop_strings = stops;
    options.n_stop_strings = 1;
    options.num_return_sequences = 8;
    for (options.seed = 0; options.seed < 8; options.seed++) {
        struct streamed streamed = { .is_whole = true };
        pali_generation *generation = NULL;
        options.on_token = collect;
        options.on_token_user = &streamed;
        CHECK_OK(pali_generate(&generation, model, inputs, &options, &error), error);
        CHECK(streamed.is_whole);
        for (int64_t row = 0; row < pali_generation_rows(generation); row++) {
            CHECK(!strcmp(pali_generation_text(generation, row), streamed.texts[row]));
            n_stopped += pali_generation_finish_reason(generation, row) == PALI_FINISH_STOP_STRING;
        }
        pali_generation_free(generation);
    }
    CHECK_MSG(n_stopped > 3, "only %d of 64 answers met the stop string", n_stopped);
    pali_inputs_free(inputs);
    pali_image_free(image);
    json_object_put(tokenizer);
}

int main(void)
{
    const char *examples = getenv("PALI_TEST_EXAMPLES");
    const char *directory = test_path(examples ? examples : "examples", "tiny/model");
    struct json_object *entries = json_object_from_file(test_path(test_data(), "generation/stop_answers.json"));
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_processor *processor = NULL;
    pali_error *error = NULL;

    CHECK_MSG(entries != NULL, "%s", json_util_get_last_err());
    options.dtype = PALI_FLOAT32;
    CHECK_OK(pali_model_load(&model, directory, &options, &error), error);
    CHECK_OK(pali_processor_load(&processor, directory, NULL, &error), error);
    for (size_t i = 0; entries && model && processor && i < json_object_array_length(entries); i++)
        ask(model, processor, json_object_array_get_idx(entries, i));
    if (model && processor && examples)
        odd_bytes(model, processor);
    pali_processor_free(processor);
    pali_model_free(model);
    json_object_put(entries);
    return test_report("stop_answers");
}
