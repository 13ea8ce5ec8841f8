/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quantized checkpoints as they are opened: every matrix has the numbers that its parts mean, in each name style and
 * after saving; what contradicts itself or lacks something is refused with the tensor's name.
 */
#include <paligemma/paligemma.h>

#include "core/memory.h"
#include "model/network.h"
#include "quantized_checkpoint.h"

#define CONFIG(groups, ignore)                                                                                         \
    "\"quantization_config\": {\"quant_method\": \"compressed-tensors\", \"format\": \"mixed-precision\", "            \
    "\"quantization_status\": \"compressed\", \"config_groups\": {" groups "}, \"ignore\": [" ignore "]},"
#define GROUP(name, targets, weights, more)                                                                            \
    "\"" name "\": {\"targets\": [" targets "], \"weights\": {" weights "}" more "}"

/* Each strategy, packed and not, with zero points and without; rows that do not fill their words. */
static const struct rule rules[] = {
    { "language_model.model.layers.0.self_attn.q_proj", 4, 32, true, false, PALI_BFLOAT16 },
    { "language_model.model.layers.0.self_attn.k_proj", 4, 16, true, true, PALI_BFLOAT16 },
    { "language_model.model.layers.0.self_attn.v_proj", 8, 8, true, true, PALI_FLOAT16 },
    { "language_model.model.layers.0.self_attn.o_proj", 8, 0, false, true, PALI_FLOAT32 },
    { "language_model.model.layers.0.mlp", 8, -1, true, true, PALI_FLOAT32 },
    { "vision_tower", 4, 0, true, true, PALI_FLOAT32 },
    { "language_model.model.layers.1.self_attn", 8, 0, true, false, PALI_BFLOAT16 },
    { "language_model.model.layers.1.mlp", 8, 0, false, false, PALI_BFLOAT16 },
    { "projector", 8, -1, false, true, PALI_FLOAT32 },
    { "embed_tokens", 4, 32, true, true, PALI_FLOAT32 },
};
enum { N_RULES = sizeof rules / sizeof *rules };

#define INT8_INPUTS                                                                                                    \
    ", \"format\": \"int-quantized\", \"input_activations\": {\"dynamic\": true, \"strategy\": \"token\"}"
static const char config[] = CONFIG(
    GROUP("a", "\"re:.*language_model.*layers.0.self_attn.q_proj\"", "\"num_bits\": 4, \"group_size\": 32", "") ","
    GROUP("b", "\"re:.*language_model.*layers.0.self_attn.k_proj\"",
          "\"num_bits\": 4, \"group_size\": 16, \"symmetric\": false", "") ","
    GROUP("c", "\"re:.*language_model.*layers.0.self_attn.v_proj\"",
          "\"num_bits\": 8, \"group_size\": 8, \"symmetric\": false", "") ","
    GROUP("d", "\"re:.*language_model.*layers.0.self_attn.o_proj\"", "\"strategy\": \"channel\", \"symmetric\": false",
          ", \"format\": \"naive-quantized\"") ","
    GROUP("e", "\"re:.*language_model.*layers.0.mlp\"", "\"strategy\": \"tensor\", \"symmetric\": false", "") ","
    GROUP("f", "\"re:.*vision_tower.*\"", "\"num_bits\": 4, \"strategy\": \"channel\", \"symmetric\": false", "") ","
    GROUP("g", "\"re:.*language_model.*layers.1.self_attn\"", "\"strategy\": \"channel\"", "") ","
    GROUP("h", "\"re:.*language_model.*layers.1.mlp\"", "\"strategy\": \"channel\"", INT8_INPUTS) ","
    GROUP("i", "\"Linear\"", "\"strategy\": \"tensor\", \"symmetric\": false", ", \"format\": \"int-quantized\"") ","
    GROUP("j", "\"re:.*embed_tokens\"", "\"num_bits\": 4, \"group_size\": 32, \"symmetric\": false", ""),
    "\"re:.*patch_embedding\"");

static char source[512], quantized[512], twin[512], target[512];

static void choose(const char *fixture)
{
    snprintf(source, sizeof source, "%.300s/models/%s", test_data(), fixture);
    snprintf(quantized, sizeof quantized, "%.300s/quantized", test_scratch());
    snprintf(twin, sizeof twin, "%.300s/twin", test_scratch());
    snprintf(target, sizeof target, "%.300s/saved", test_scratch());
}

static pali_model *load(const char *path, int copy_weights, int int8_head)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_error *error = NULL;

    options.dtype = PALI_FLOAT32;
    options.copy_weights = copy_weights;
    options.int8_head = int8_head;
    CHECK_OK(pali_model_load(&model, path, &options, &error), error);
    return model;
}

/* ---- the numbers ---- */

static int code_at(const struct pali__matrix *w, int64_t j, int64_t k)
{
    const unsigned char *row = (const unsigned char *)w->data + j * w->quantized.row_size;
    return w->quantized.code == PALI__CODE_INT8      ? ((const int8_t *)row)[k]
           : w->quantized.code == PALI__CODE_PACKED8 ? row[k] - 128
                                                     : (row[k / 2] >> (k % 2 * 4) & 15) - 8;
}

/* Row j as numbers, to `out`: [n_in]. */
static void row_of(float *out, const struct pali__matrix *w, int64_t j)
{
    const struct pali__quantized *q = &w->quantized;
    size_t width = pali_dtype_size(q->code ? q->scale_dtype : w->dtype);

    if (!q->code) {
        pali__to_float(out, (const char *)w->data + (size_t)(j * w->n_in) * width, w->dtype, w->n_in);
        return;
    }
    for (int64_t g = 0; g < q->n_groups; g++) {
        int64_t at = j * q->n_groups + g, end = (g + 1) * q->group_size;
        float scale;
        pali__to_float(&scale, (const char *)q->scales + (size_t)at * width, q->scale_dtype, 1);
        for (int64_t k = g * q->group_size; k < end && k < w->n_in; k++)
            out[k] = scale * (float)(code_at(w, j, k) - (q->zero_points ? q->zero_points[at] : 0));
    }
}

enum { MOST_INPUTS = 512 };

static void same_matrix(const struct pali__matrix *a, const struct pali__matrix *b, bool is_quantized)
{
    bool same = a->n_out == b->n_out && a->n_in == b->n_in && a->n_in <= MOST_INPUTS;
    float x[MOST_INPUTS], y[MOST_INPUTS];

    CHECK((a->quantized.code != PALI__CODE_NONE) == is_quantized && b->quantized.code == PALI__CODE_NONE);
    CHECK((a->dtype == PALI_INT8) == is_quantized);
    for (int64_t j = 0; same && j < a->n_out; j++) {
        row_of(x, a, j);
        row_of(y, b, j);
        for (int64_t k = 0; same && k < a->n_in; k++)
            same = x[k] == y[k];
    }
    CHECK(same);
}

static void same_network(const pali_model *a, const pali_model *b)
{
    if (!a || !b)
        return;
    for (int64_t i = 0; i < a->settings->text.num_hidden_layers; i++) {
        const struct pali__decoder_block *x = &a->network.decoder.blocks[i], *y = &b->network.decoder.blocks[i];
        const struct pali__matrix *xs[] = { &x->q, &x->k, &x->v, &x->o, &x->gate, &x->up, &x->down };
        const struct pali__matrix *ys[] = { &y->q, &y->k, &y->v, &y->o, &y->gate, &y->up, &y->down };
        for (size_t j = 0; j < sizeof xs / sizeof *xs; j++)
            same_matrix(xs[j], ys[j], true);
        CHECK(x->gate.quantized.int8_inputs == (i == 1) && !x->q.quantized.int8_inputs);
    }
    for (int64_t i = 0; i < a->settings->vision.num_hidden_layers; i++) {
        const struct pali__vision_block *x = &a->network.vision.blocks[i], *y = &b->network.vision.blocks[i];
        same_matrix(&x->q.weight, &y->q.weight, true);
        same_matrix(&x->out.weight, &y->out.weight, true);
        same_matrix(&x->fc1.weight, &y->fc1.weight, true);
        same_matrix(&x->fc2.weight, &y->fc2.weight, true);
    }
    same_matrix(&a->network.projector.weight, &b->network.projector.weight, true);
    same_matrix(&a->network.decoder.embedding, &b->network.decoder.embedding, true);
    same_matrix(&a->network.decoder.head, &b->network.decoder.head, true);
    size_t n = (size_t)(a->settings->vision.num_patches * a->settings->vision.hidden_size);
    CHECK(!memcmp(a->network.vision.position_embedding, b->network.vision.position_embedding, n * sizeof(float)));
    CHECK(a->network.decoder.head.data == a->network.decoder.embedding.data);
}

/* Codes and scales in place, or in memory of the model's own. */
static void test_numbers(void)
{
    choose("pg1");
    write_quantized(source, quantized, rules, N_RULES, config, false, NULL);
    write_quantized(source, twin, rules, N_RULES, "", true, NULL);
    pali_model *plain = load(twin, 0, -1);
    for (int copy = 0; copy < 2; copy++) {
        pali_model *model = load(quantized, copy, 0);
        same_network(model, plain);
        pali_model_free(model);
    }
    pali_model_free(plain);
}

static void test_styles(void)
{
    pali_model *plain = load(twin, 0, -1);

    for (int style = PALI_NAMES_TRANSFORMERS_4; style <= PALI_NAMES_MODULES_5; style++) {
        pali_save_options options = PALI_SAVE_OPTIONS_INIT;
        pali_checkpoint *checkpoint = NULL;
        pali_config *saved_config = NULL;
        pali_error *error = NULL;
        char *missing = NULL, *unexpected = NULL, command[1200];
        options.name_style = (pali_name_style)style;
        options.max_shard_size = style % 2 ? 0 : 20000;
        snprintf(command, sizeof command, "rm -rf '%s'", target);
        CHECK(system(command) == 0);
        CHECK_OK(pali_checkpoint_save(quantized, target, &options, &error), error);
        pali_model *model = load(target, 0, 0);
        same_network(model, plain);
        CHECK_OK(pali_checkpoint_open(&checkpoint, target, &error), error);
        CHECK_OK(pali_config_load(&saved_config, target, &error), error);
        CHECK_OK(pali_checkpoint_compare(checkpoint, saved_config, &missing, &unexpected, &error), error);
        CHECK_MSG(missing && !*missing && unexpected && !*unexpected, "missing %s, unexpected %s", missing, unexpected);
        pali_free(missing);
        pali_free(unexpected);
        pali_config_free(saved_config);
        pali_checkpoint_free(checkpoint);
        pali_model_free(model);
    }
    pali_model_free(plain);
}

static void test_not_saved(void)
{
    pali_save_options options = PALI_SAVE_OPTIONS_INIT;
    pali_error *error = NULL;
    char adapter[600];
    const char *adapters[] = { adapter };
    pali_model_options model_options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;

    options.dtype = PALI_FLOAT32;
    snprintf(target, sizeof target, "%.300s/not-saved", test_scratch());
    CHECK_FAILS(pali_checkpoint_save(quantized, target, &options, &error), error, PALI_ERROR_UNSUPPORTED,
                "is quantized: the checkpoint can be saved as it is, but not in float32");
    options.dtype = (pali_dtype)0;
    options.write_tied_head = 1;
    CHECK_FAILS(pali_checkpoint_save(quantized, target, &options, &error), error, PALI_ERROR_UNSUPPORTED,
                "write_tied_head");
    options.write_tied_head = 0;
    snprintf(adapter, sizeof adapter, "%.300s/adapters/pg1-second", test_data());
    options.adapters = model_options.adapters = adapters;
    options.n_adapters = model_options.n_adapters = 1;
    CHECK_FAILS(pali_checkpoint_save(quantized, target, &options, &error), error, PALI_ERROR_UNSUPPORTED,
                "which is quantized: the adapter can be used at run time, but not merged");
    CHECK_FAILS(pali_model_load(&model, quantized, &model_options, &error), error, PALI_ERROR_UNSUPPORTED,
                "can be used at run time");
}

/* ---- checkpoints that are wrong ---- */

/* What is done to the tensor whose name ends so. */
static const struct wrong {
    const char *name;
    enum { DROP, OTHER_DTYPE, LONGER_ROWS, MORE_ROWS, OTHER_SIZES, RENAME, EXTRA } way;
    const char *message;
} *wrong;

static struct pali__tensor_entry *find_wrong(struct pali__tensor_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        size_t length = strlen(set->entries[i].name), end = strlen(wrong->name);
        if (length >= end && !strcmp(set->entries[i].name + length - end, wrong->name))
            return &set->entries[i];
    }
    CHECK_MSG(false, "no %s", wrong->name);
    return &set->entries[0];
}

/* Puts zeros of another form in the tensor's place, or nothing. */
static void spoil(struct pali__tensor_set *set)
{
    static const pali_dtype others[] = { [PALI_INT32] = PALI_FLOAT32, [PALI_INT8] = PALI_UINT8, [PALI_INT64] = PALI_INT32,
                                         [PALI_FLOAT32] = PALI_INT32, [PALI_BFLOAT16] = PALI_INT16 };
    struct pali__tensor_entry *entry = find_wrong(set);
    pali_tensor was = entry->tensor;
    char name[256];

    snprintf(name, sizeof name, "%s%s", entry->name, wrong->way == RENAME ? "_x" : wrong->way == EXTRA ? "_g_idx" : "");
    if (wrong->way == OTHER_SIZES) {
        ((int64_t *)was.data)[1]++;
        return;
    }
    void *zeros = calloc((size_t)pali_tensor_count(&was) + 65536, 8);
    if (wrong->way != EXTRA) {
        pali__free(entry->name);
        pali__aligned_free(was.data);
        *entry = set->entries[--set->count];
    }
    if (wrong->way == LONGER_ROWS)
        was.shape[was.rank - 1]++;
    if (wrong->way == MORE_ROWS)
        was.shape[0]++;
    if (wrong->way != DROP)
        put_tensor(set, name, "", wrong->way == OTHER_DTYPE ? others[was.dtype] : was.dtype, was.rank, was.shape, zeros);
    free(zeros);
}

#define LAYER "language_model.model.layers.0."
#define CANONICAL "language_model.layers.0."

static void test_wrong(void)
{
    static const struct wrong cases[] = {
        { LAYER "self_attn.q_proj.weight_packed", DROP, "tensor " CANONICAL "self_attn.q_proj.weight_packed of shape [512, 4] is missing" },
        { LAYER "self_attn.q_proj.weight_scale", DROP, "weight_scale of shape [512, 1] is missing, which" },
        { LAYER "self_attn.q_proj.weight_shape", DROP, "weight_shape of shape [2] is missing" },
        { LAYER "self_attn.k_proj.weight_zero_point", DROP, "weight_zero_point of shape [32, 2] is missing" },
        { LAYER "self_attn.o_proj.weight", DROP, "o_proj.weight of shape [32, 512] is missing" },
        { LAYER "self_attn.q_proj.weight_packed", OTHER_DTYPE, "should be int32 by quantization_config and is float32" },
        { LAYER "self_attn.q_proj.weight_scale", OTHER_DTYPE, "should be float32, bfloat16 or float16 by" },
        { LAYER "self_attn.q_proj.weight_shape", OTHER_DTYPE, "should be int64" },
        { LAYER "self_attn.k_proj.weight_zero_point", OTHER_DTYPE, "should be int32" },
        { LAYER "self_attn.o_proj.weight_zero_point", OTHER_DTYPE, "should be int8" },
        { LAYER "self_attn.o_proj.weight", OTHER_DTYPE, "should be int8" },
        { LAYER "self_attn.q_proj.weight_packed", LONGER_ROWS, "should have the shape [512, 4] by quantization_config and has [512, 5]" },
        { LAYER "self_attn.q_proj.weight_packed", MORE_ROWS, "and has [513, 4]" },
        { LAYER "self_attn.q_proj.weight_scale", LONGER_ROWS, "and has [512, 2]" },
        { LAYER "self_attn.q_proj.weight_scale", MORE_ROWS, "and has [513, 1]" },
        { LAYER "self_attn.q_proj.weight_shape", LONGER_ROWS, "and has [3]" },
        { LAYER "self_attn.k_proj.weight_zero_point", MORE_ROWS, "and has [33, 2]" },
        { LAYER "mlp.up_proj.weight_scale", MORE_ROWS, "should have the shape [1] by quantization_config and has [2]" },
        { LAYER "mlp.up_proj.weight_zero_point", MORE_ROWS, "should have the shape [1]" },
        { LAYER "self_attn.o_proj.weight", MORE_ROWS, "and has [33, 512]" },
        { LAYER "self_attn.q_proj.weight_shape", OTHER_SIZES, "says [512, 33], but config.json makes it [512, 32]" },
        { LAYER "self_attn.q_proj.weight_packed", RENAME, "weight_packed of shape [512, 4] is missing" },
        { LAYER "self_attn.q_proj.weight_scale", EXTRA, "weight_scale_g_idx is unexpected" },
        { LAYER "self_attn.q_proj.weight_shape", EXTRA, "weight_shape_g_idx is unexpected" },
        { "embed_tokens.weight_scale", DROP, "embed_tokens.weight_scale of shape [448, 1] is missing" },
    };
    char command[1200];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pali_model *model = NULL;
        pali_checkpoint *checkpoint = NULL;
        pali_config *read = NULL;
        pali_error *error = NULL;
        char *missing = NULL, *unexpected = NULL;
        wrong = &cases[i];
        snprintf(target, sizeof target, "%.300s/wrong", test_scratch());
        snprintf(command, sizeof command, "rm -rf '%s' '%s-saved'", target, target);
        CHECK(system(command) == 0);
        write_quantized(source, target, rules, N_RULES, config, false, spoil);
        CHECK_FAILS(pali_model_load(&model, target, NULL, &error), error, PALI_ERROR_FORMAT, wrong->message);
        CHECK(model == NULL);
        char *saved = strcat(strcpy(command, target), "-saved");
        CHECK_FAILS(pali_checkpoint_save(target, saved, NULL, &error), error, PALI_ERROR_FORMAT, wrong->message);
        CHECK_OK(pali_checkpoint_open(&checkpoint, target, &error), error);
        CHECK_OK(pali_config_load(&read, target, &error), error);
        CHECK_OK(pali_checkpoint_compare(checkpoint, read, &missing, &unexpected, &error), error);
        bool by_values = wrong->way == OTHER_DTYPE || wrong->way == OTHER_SIZES;
        CHECK_MSG(by_values || (missing && *missing) || (unexpected && *unexpected), "%s: nothing listed", wrong->name);
        pali_free(missing);
        pali_free(unexpected);
        pali_config_free(read);
        pali_checkpoint_free(checkpoint);
    }
}

/* The configuration and the file say different things of a whole matrix. */
static void test_contradictions(void)
{
    static const struct {
        const char *config;
        size_t n_rules;
        const char *message;
    } cases[] = {
        { "", 1, "the file has " CANONICAL "self_attn.q_proj.weight quantized, but config.json has no quantization_config" },
        { CONFIG(GROUP("a", "\"re:.*k_proj\"", "\"strategy\": \"channel\"", ""), "\"re:.*vision.*\", \"re:.*layers.1\""), 1,
          "q_proj.weight quantized, but no group of quantization_config is for it" },
        { CONFIG(GROUP("a", "\"re:.*language_model.*q_proj\"", "\"num_bits\": 4, \"group_size\": 32", ""), ""), 1,
          "language_model.layers.1.self_attn.q_proj.weight_packed of shape [512, 4] is missing: quantization_config "
          "quantizes this matrix, but the file has it plainly, as language_model.layers.1.self_attn.q_proj.weight" },
        { CONFIG(GROUP("a", "\"re:.*language_model.*layers.0.self_attn.q_proj\"", "\"num_bits\": 4, \"group_size\": 20", ""),
                 "\"re:.*vision.*\""), 1,
          "has 32 inputs, which the group_size 20 of quantization_config does not divide" },
        { CONFIG(GROUP("a", "\"re:.*language_model.*layers.0.self_attn.q_proj\"", "\"num_bits\": 8, \"group_size\": 32", ""),
                 "\"re:.*vision.*\""), 1,
          "should have the shape [512, 8] by quantization_config and has [512, 4]" },
        { CONFIG(GROUP("a", "\"re:.*language_model.*layers.0.self_attn.q_proj\"", "\"strategy\": \"channel\"",
                       ", \"format\": \"int-quantized\""), "\"re:.*vision.*\""), 1,
          "q_proj.weight of shape [512, 32] is missing, which quantization_config asks for" },
        { CONFIG(GROUP("a", "\"Embedding\"", "\"strategy\": \"channel\"", INT8_INPUTS), "\"re:.*position.*\""), 0,
          "which is the embedding: it has none" },
    };
    static const struct rule embedding = { "embed_tokens", 8, 0, false, false, PALI_FLOAT32 };
    char command[1200];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pali_model *model = NULL;
        pali_error *error = NULL;
        snprintf(target, sizeof target, "%.300s/contradiction", test_scratch());
        snprintf(command, sizeof command, "rm -rf '%s'", target);
        CHECK(system(command) == 0);
        write_quantized(source, target, cases[i].n_rules ? rules : &embedding, 1, cases[i].config, false, NULL);
        pali_status expected = cases[i].n_rules ? PALI_ERROR_FORMAT : PALI_ERROR_UNSUPPORTED;
        CHECK_FAILS(pali_model_load(&model, target, NULL, &error), error, expected, cases[i].message);
    }
}

/* ---- the head ---- */

struct watched {
    int calls;
    double last;
    int stop_at;
};

static int watch(void *user, const char *stage, double fraction)
{
    struct watched *watched = user;
    CHECK(!strcmp(stage, "load") && fraction >= watched->last && fraction <= 1.0);
    watched->last = fraction;
    return ++watched->calls == watched->stop_at;
}

static void check_int8_head(const pali_model *model)
{
    const struct pali__decoder *decoder = &model->network.decoder;
    const struct pali__matrix *head = &decoder->head;
    double worst = 0.0;

    CHECK(head->quantized.code == PALI__CODE_INT8 && head->quantized.n_groups == 1 && !head->quantized.int8_inputs);
    CHECK(decoder->embedding.quantized.code == PALI__CODE_NONE);
    for (int64_t j = 0; j < head->n_out; j++) {
        float largest = 0.0f, x[MOST_INPUTS], y[MOST_INPUTS];
        row_of(x, head, j);
        row_of(y, &decoder->embedding, j);
        for (int64_t k = 0; k < head->n_in; k++)
            largest = fmaxf(largest, fabsf(y[k]));
        for (int64_t k = 0; k < head->n_in && largest > 0.0f; k++)
            worst = fmax(worst, (double)(fabsf(x[k] - y[k]) / largest));
    }
    CHECK_MSG(worst <= 0.5 / 127.0 + 1e-3, "off by %g of the row's largest", worst);
}

/* By default for a quantized checkpoint alone; as it is wanted for any. */
static void test_int8_head(void)
{
    static const char attention[] = CONFIG(
        GROUP("a", "\"re:.*language_model.*layers.0.self_attn.q_proj\"", "\"num_bits\": 4, \"group_size\": 32", ""), "\"re:.*vision.*\"");
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_error *error = NULL;
    pali_model *model = NULL;

    snprintf(target, sizeof target, "%.300s/attention", test_scratch());
    write_quantized(source, target, rules, 1, attention, false, NULL);
    for (int32_t choice = -1; choice <= 1; choice++)
        for (int i = 0; i < 2; i++) {
            model = load(i ? target : source, 0, choice);
            if (choice == 1 || (choice == 0 && i == 1))
                check_int8_head(model);
            else
                CHECK(model->network.decoder.head.quantized.code == PALI__CODE_NONE);
            pali_model_free(model);
        }

    struct watched watched = { 0 };
    options.progress = watch;
    options.progress_user = &watched;
    CHECK_OK(pali_model_load(&model, target, &options, &error), error);
    CHECK(watched.last == 1.0);
    pali_model_free(model);
    int calls = watched.calls;
    for (int stop = 1; stop <= calls; stop += stop < 20 || stop + 20 > calls ? 1 : 9) {
        watched = (struct watched){ .stop_at = stop };
        CHECK_FAILS(pali_model_load(&model, target, &options, &error), error, PALI_ERROR_CANCELLED, "cancelled");
    }
    options.int8_head = 2;
    CHECK_FAILS(pali_model_load(&model, target, &options, &error), error, PALI_ERROR_ARGUMENT, "int8_head");
}

/* One of its own, in copied memory, of a checkpoint in bfloat16. */
static void test_own_head(void)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_error *error = NULL;

    for (int copy = 0; copy < 2; copy++) {
        pali_model *model = NULL;
        choose("llama-untied");
        options.int8_head = 1;
        options.copy_weights = copy;
        CHECK_OK(pali_model_load(&model, source, &options, &error), error);
        CHECK(model->network.decoder.head.quantized.code == PALI__CODE_INT8);
        CHECK(model->network.decoder.embedding.quantized.code == PALI__CODE_NONE);
        CHECK(pali_model_dtype(model) == PALI_BFLOAT16);
        pali_model_free(model);
    }
}

/* A head in the file counts, even if config.json says that it is the embedding: quantized, it can only be its own. */
static void test_head_in_file(void)
{
    static const struct rule rule = { "lm_head", 8, 0, true, false, PALI_BFLOAT16 };
    static const char head[] = CONFIG(GROUP("a", "\"lm_head\"", "\"strategy\": \"channel\"", ""), "");
    pali_save_options options = PALI_SAVE_OPTIONS_INIT;
    pali_error *error = NULL;
    char with_head[512], command[1200];

    choose("pg1");
    snprintf(with_head, sizeof with_head, "%.300s/with-head", test_scratch());
    snprintf(command, sizeof command, "rm -rf '%s'", with_head);
    CHECK(system(command) == 0);
    options.write_tied_head = 1;
    CHECK_OK(pali_checkpoint_save(source, with_head, &options, &error), error);
    snprintf(target, sizeof target, "%.300s/head", test_scratch());
    write_quantized(with_head, target, &rule, 1, head, false, NULL);
    pali_model *model = load(target, 0, 0);
    if (model) {
        CHECK(model->network.decoder.head.quantized.code == PALI__CODE_PACKED8);
        CHECK(model->network.decoder.embedding.quantized.code == PALI__CODE_NONE);
    }
    pali_model_free(model);
}

int main(void)
{
    test_numbers();
    test_styles();
    test_not_saved();
    test_wrong();
    test_contradictions();
    test_int8_head();
    test_own_head();
    test_head_in_file();
    return test_report("quantized_checkpoint");
}
