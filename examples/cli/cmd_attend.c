/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * paligemma attend: where in the picture a token looks. The answer is made greedily, a token a pass, each pass with the
 * attentions of its one query; the prompt's last token, which decides the first token of the answer, is run again on
 * the cache of the whole prompt, which is exact. Only another token of the prompt needs the attentions of a whole pass.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "commands.h"
#include "json_write.h"

static const struct usage usage = {
    "attend",
    "Draws where in the picture the model looks when it decides a token of its answer.",
    NULL
};

struct attend {
    struct common common;
    struct texts images;
    struct integers layers, heads;
    const char *prompt, *token, *output;
    int64_t image, max_new_tokens;
    double opacity;
    bool each;

    bool by_number; /* --token is a number, or not given: */
    int64_t number;
};

/* What stands open while the command runs. */
struct session {
    pali_model *model;
    pali_processor *processor;
    pali_image **images;
    pali_inputs *inputs;
    pali_cache *cache;
    pali_error *error;
    int64_t length; /* of the prompt */
    int64_t n_maps;
};

/* ---- passes ---- */

static pali_forward_options looking(const struct attend *attend)
{
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    options.logits_to_keep = 1;
    options.output_attentions = 1;
    options.attention_layers = attend->layers.items;
    options.n_attention_layers = attend->layers.count;
    options.attention_heads = attend->heads.items;
    options.n_attention_heads = attend->heads.count;
    return options;
}

/* The whole prompt into the cache, and its last token out again. */
static pali_status read_prompt(struct session *session)
{
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_outputs *outputs = NULL;
    pali_status status = pali_cache_create(&session->cache, session->model, NULL, &session->error);
    options.cache = session->cache;
    options.logits_to_keep = 1;
    if (status == PALI_OK)
        status = pali_model_forward(&outputs, session->model, session->inputs, &options, &session->error);
    pali_outputs_free(outputs);
    if (status == PALI_OK)
        status = pali_cache_truncate(session->cache, session->length - 1, &session->error);
    return status;
}

/* One token behind what the cache holds. */
static pali_status read_token(pali_outputs **outputs, struct session *session, const struct attend *attend, int64_t id,
                              int64_t type)
{
    const int64_t shape[2] = { 1, 1 };
    const pali_tensor ids = pali_tensor_view(&id, PALI_INT64, 2, shape);
    const pali_tensor types = pali_tensor_view(&type, PALI_INT64, 2, shape);
    pali_forward_options options = looking(attend);
    pali_inputs *inputs = NULL;
    options.cache = session->cache;
    pali_status status = pali_inputs_create(&inputs, &session->error);
    if (status == PALI_OK)
        status = pali_inputs_set(inputs, "input_ids", &ids, &session->error);
    if (status == PALI_OK)
        status = pali_inputs_set(inputs, "token_type_ids", &types, &session->error);
    if (status == PALI_OK)
        status = pali_model_forward(outputs, session->model, inputs, &options, &session->error);
    pali_inputs_free(inputs);
    return status;
}

static int64_t likeliest(const pali_outputs *outputs)
{
    const pali_tensor *logits = pali_outputs_get(outputs, "logits");
    const float *values = logits->data;
    int64_t best = 0;
    for (int64_t i = 1; i < logits->shape[2]; i++)
        best = values[i] > values[best] ? i : best;
    return best;
}

static bool is_eos(const pali_model *model, int64_t id)
{
    const pali_config *config = pali_model_config(model);
    int64_t eos;
    if (pali_config_get_int(config, "generation_config.eos_token_id", &eos, NULL) == PALI_OK && eos == id)
        return true;
    for (int i = 0; i < 8; i++) {
        char name[64];
        snprintf(name, sizeof name, "generation_config.eos_token_id.%d", i);
        if (pali_config_get_int(config, name, &eos, NULL) == PALI_OK && eos == id)
            return true;
    }
    return false;
}

/* ---- maps ---- */

/* "answer.png" and 3 to "answer-3.png". */
static char *numbered(const char *path, int64_t number)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    size_t stem = dot ? (size_t)(dot - path) : strlen(path), size = strlen(path) + 24;
    char *name = malloc(size);
    if (name)
        snprintf(name, size, "%.*s-%" PRId64 "%s", (int)stem, path, number, dot ? dot : "");
    return name;
}

static pali_status draw(struct session *session, const struct attend *attend, const float *map, int64_t grid,
                        const char *path)
{
    const pali_image *source = session->images[attend->image];
    pali_image *image = NULL;
    pali_status status = pali_image_create(&image, pali_image_pixels(source), pali_image_width(source),
                                           pali_image_height(source), 0, &session->error);
    if (status == PALI_OK)
        status = pali_image_draw_map(image, map, grid, grid, attend->opacity, &session->error);
    if (status == PALI_OK)
        status = pali_image_save_png(image, path, &session->error);
    pali_image_free(image);
    return status;
}

static void print_map(const struct session *session, const struct attend *attend, int64_t number, int64_t id,
                      const char *text, const float *map, int64_t grid, const char *path)
{
    double share = 0.0;
    int64_t best = 0;
    for (int64_t i = 0; i < grid * grid; i++) {
        share += (double)map[i];
        best = map[i] > map[best] ? i : best;
    }
    if (!attend->common.json) {
        printf("%s %" PRId64 " ", number < 0 ? "prompt token" : "answer token", number < 0 ? -number - 1 : number);
        json_write_text(text);
        printf(": %.1f %% of its attention on the picture, most at row %" PRId64 ", column %" PRId64 " of %" PRId64
               "; %s\n", 100.0 * share, best / grid, best % grid, grid, path);
        return;
    }
    fputs(session->n_maps ? ", " : "{\"maps\": [", stdout);
    printf("{\"%s\": %" PRId64 ", \"id\": %" PRId64 ", \"text\": ", number < 0 ? "prompt_token" : "answer_token",
           number < 0 ? -number - 1 : number, id);
    json_write_text(text);
    fputs(", \"file\": ", stdout);
    json_write_text(path);
    fputs(", \"share\": ", stdout);
    json_write_number(share);
    fputs(", \"map\": [", stdout);
    for (int64_t i = 0; i < grid * grid; i++) {
        fputs(i == 0 ? "[" : i % grid ? ", " : "], [", stdout);
        json_write_number((double)map[i]);
    }
    fputs("]]}", stdout);
}

/* The map of one query; `number` is that of the answer token which it decides, or -1 - the position of a token of the
 * prompt, the query itself. `id` is that token's. */
static pali_status show_map(struct session *session, const struct attend *attend, const pali_outputs *outputs,
                            int64_t query, int64_t number, int64_t id)
{
    pali_heat_map_options options = PALI_HEAT_MAP_OPTIONS_INIT;
    float *map = NULL;
    int64_t grid = 0;
    char *text = NULL, *path = attend->each ? numbered(attend->output, number) : strdup(attend->output);
    options.image = attend->image;
    options.query = query;
    if (!path) {
        report_text("out of memory");
        return PALI_ERROR_MEMORY;
    }
    pali_status status = pali_heat_map(&map, &grid, pali_model_config(session->model), session->inputs, outputs,
                                       &options, &session->error);
    if (status == PALI_OK)
        status = pali_processor_decode(session->processor, &id, 1, 0, &text, &session->error);
    if (status == PALI_OK)
        status = draw(session, attend, map, grid, path);
    if (status == PALI_OK)
        print_map(session, attend, number, id, text, map, grid, path);
    session->n_maps += status == PALI_OK;
    pali_free(text);
    pali_free(map);
    free(path);
    return status;
}

/* ---- which token ---- */

/* Whether the token is the one that --token spells: its text, spaces around it aside. */
static bool is_spelled(struct session *session, const struct attend *attend, int64_t id)
{
    char *text = NULL;
    if (pali_processor_decode(session->processor, &id, 1, 0, &text, NULL) != PALI_OK)
        return false;
    const char *begin = text + strspn(text, " ");
    size_t size = strlen(begin);
    while (size > 0 && begin[size - 1] == ' ')
        size--;
    bool same = size == strlen(attend->token) && memcmp(begin, attend->token, size) == 0;
    pali_free(text);
    return same;
}

/* A token of the prompt other than the last: the attentions of a whole pass. */
static pali_status look_from_prompt(struct session *session, const struct attend *attend, int64_t position)
{
    pali_forward_options options = looking(attend);
    pali_outputs *outputs = NULL;
    const int64_t *ids = pali_inputs_get(session->inputs, "input_ids")->data;
    pali_status status = pali_model_forward(&outputs, session->model, session->inputs, &options, &session->error);
    if (status == PALI_OK)
        status = show_map(session, attend, outputs, position, -1 - position, ids[position]);
    pali_outputs_free(outputs);
    return status;
}

/* Answers token by token, and shows those that are wanted. */
static pali_status look_from_answer(struct session *session, const struct attend *attend)
{
    int64_t id = ((const int64_t *)pali_inputs_get(session->inputs, "input_ids")->data)[session->length - 1];
    pali_status status = read_prompt(session);
    for (int64_t n = 0; status == PALI_OK && n < attend->max_new_tokens; n++) {
        pali_outputs *outputs = NULL;
        status = read_token(&outputs, session, attend, id, n > 0);
        if (status != PALI_OK)
            return status;
        id = likeliest(outputs);
        bool wanted = attend->each || (attend->by_number ? n == attend->number : is_spelled(session, attend, id));
        if (wanted)
            status = show_map(session, attend, outputs, -1, n, id);
        pali_outputs_free(outputs);
        if (is_eos(session->model, id) || (wanted && !attend->each))
            break;
    }
    if (status == PALI_OK && session->n_maps == 0) {
        report_text("neither the prompt nor the answer has the token that --token names");
        return PALI_ERROR_ARGUMENT;
    }
    return status;
}

static pali_status look(struct session *session, const struct attend *attend)
{
    const pali_tensor *ids = pali_inputs_get(session->inputs, "input_ids");
    session->length = ids->shape[1];
    for (int64_t i = 0; !attend->by_number && !attend->each && i + 1 < session->length; i++)
        if (is_spelled(session, attend, ((const int64_t *)ids->data)[i]))
            return look_from_prompt(session, attend, i);
    return look_from_answer(session, attend);
}

/* ---- the whole ---- */

static pali_status run(struct session *session, const struct attend *attend, const char *path)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    set_model_options(&options, &attend->common);
    session->images = open_images(attend->images.items, attend->images.count);
    if (!session->images)
        return PALI_ERROR_IO;
    pali_status status = pali_processor_load(&session->processor, path, NULL, &session->error);
    if (status == PALI_OK)
        status = pali_processor_apply(&session->inputs, session->processor, session->images, attend->images.count,
                                      attend->prompt, NULL, &session->error);
    if (status == PALI_OK)
        status = pali_model_load(&session->model, path, &options, &session->error);
    if (status != PALI_OK)
        return status;
    status = look(session, attend);
    if (attend->common.json && status == PALI_OK)
        puts("]}");
    return status;
}

static int draw_attention(const struct attend *attend)
{
    struct session session = { 0 };
    char *path = checkpoint_path(attend->common.model);
    if (!path)
        return EXIT_FAILED;
    pali_status result = run(&session, attend, path);
    int status = result == PALI_OK ? EXIT_DONE : session.error ? report(session.error) : EXIT_FAILED;

    pali_error_free(session.error);
    pali_cache_free(session.cache);
    pali_inputs_free(session.inputs);
    free_images(session.images, attend->images.count);
    pali_processor_free(session.processor);
    pali_model_free(session.model);
    free(path);
    return status;
}

static void read_token_option(struct attend *attend)
{
    char *end = NULL;
    attend->by_number = !attend->token;
    if (!attend->token)
        return;
    long long number = strtoll(attend->token, &end, 10);
    attend->by_number = end != attend->token && !*end && number >= 0;
    attend->number = attend->by_number ? number : 0;
}

int cmd_attend(int argc, char **argv)
{
    struct attend attend = { .max_new_tokens = 20, .opacity = 0.8 };
    struct option options[] = {
        COMMON_OPTIONS(attend.common, true),
        { "-i", "--image", "IMG", OPTION_TEXTS, true, &attend.images, 0, 0,
          "PNG, JPEG or PNM file; once for each picture", false },
        { "-p", "--prompt", "PROMPT", OPTION_TEXT, true, &attend.prompt, 0, 0, "what to ask", false },
        { "-o", "--output", "OUT.png", OPTION_TEXT, true, &attend.output, 0, 0, "the picture to write", false },
        { NULL, "--token", "N|TEXT", OPTION_TEXT, false, &attend.token, 0, 0,
          "where the model looks to decide token N of the answer (default 0, the first); or where the first token of the "
          "prompt, else of the answer, that reads TEXT looks", false },
        { NULL, "--each", NULL, OPTION_SWITCH, false, &attend.each, 0, 0,
          "for each token of the answer, into OUT-0.png, OUT-1.png, …", false },
        { NULL, "--max-new-tokens", "N", OPTION_INT, false, &attend.max_new_tokens, 1, 1e6,
          "end the answer after N tokens (default 20)", false },
        { NULL, "--layers", "LIST", OPTION_LIST, false, &attend.layers, -1e6, 1e6,
          "mean over these layers, such as 3,4,-1 (default: all)", false },
        { NULL, "--heads", "LIST", OPTION_LIST, false, &attend.heads, -1e6, 1e6, "mean over these heads (default: all)",
          false },
        { NULL, "--image-index", "K", OPTION_INT, false, &attend.image, 0, 4095,
          "over the picture number K (default 0, the first)", false },
        { NULL, "--opacity", "X", OPTION_FLOAT, false, &attend.opacity, 0, 1, "of the map at its largest (default 0.8)",
          false },
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], NULL, argc, argv);
    if (status == OPTIONS_GO_ON && (size_t)attend.image >= attend.images.count)
        status = usage_error(&usage, "--image-index is %" PRId64 ", but there are %zu pictures", attend.image,
                             attend.images.count);
    if (status == OPTIONS_GO_ON && attend.each && attend.token)
        status = usage_error(&usage, "--each and --token exclude each other");
    if (status == OPTIONS_GO_ON) {
        read_token_option(&attend);
        if (attend.number >= attend.max_new_tokens)
            attend.max_new_tokens = attend.number + 1;
        status = draw_attention(&attend);
    }
    free(attend.images.items);
    free(attend.layers.items);
    free(attend.heads.items);
    return status;
}
