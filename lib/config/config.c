/* SPDX-License-Identifier: BSD-2-Clause */
/* A checkpoint's configuration, from its four or five JSON files. */
#include <paligemma/config.h>

#include <string.h>

#include "config/config_sections.h"
#include "config/model_config.h"
#include "config/quantization_config.h"
#include "core/file.h"
#include "core/json_file.h"
#include "core/memory.h"

enum { FILE_LIMIT = 64 << 20, DEFAULT_IMAGE_TOKEN = 256000 };

struct pali_config {
    struct pali__settings settings;
    struct pali__fields fields;
};

/* The files, by the names that Transformers gives them. */
enum { CONFIG, GENERATION, PREPROCESSOR, PROCESSOR, TOKENIZER, N_FILES };
static const char *const file_names[N_FILES] = { "config.json", "generation_config.json", "preprocessor_config.json",
                                                 "processor_config.json", "tokenizer_config.json" };

struct files {
    char *paths[N_FILES];
    struct json_object *roots[N_FILES]; /* NULL: there is no such file */
};

static void files_clear(struct files *files)
{
    for (int i = 0; i < N_FILES; i++) {
        pali__json_free(files->roots[i]);
        pali__free(files->paths[i]);
    }
}

static pali_status files_open(struct files *files, const char *directory, pali_error **error)
{
    for (int i = 0; i < N_FILES; i++) {
        files->paths[i] = pali__path_join(directory, file_names[i]);
        if (!files->paths[i])
            return pali__no_memory(error, strlen(directory) + strlen(file_names[i]) + 2);
        if (i == CONFIG || pali__file_exists(files->paths[i]))
            TRY(pali__json_load(&files->roots[i], files->paths[i], FILE_LIMIT, error));
    }
    return PALI_OK;
}

/* A nested object of config.json, or NULL if there is none. */
static pali_status get_part(struct json_object **out, const struct pali__section *top, const char *name)
{
    *out = pali__section_get(top, name);
    if (*out && pali__json_kind(*out) != PALI__JSON_OBJECT)
        return pali__fail(top->error, PALI_ERROR_FORMAT, "'%s': %s is %s, an object was expected", top->path, name,
                          pali__json_kind_name(pali__json_kind(*out)));
    return PALI_OK;
}

static pali_status check_model_type(const struct pali__section *top)
{
    const char *model_type = NULL;
    TRY(pali__read_string(top, "model_type", NULL, &model_type));
    if (!model_type)
        return pali__fail(top->error, PALI_ERROR_FORMAT, "'%s': model_type is missing, \"paligemma\" was expected",
                          top->path);
    if (strcmp(model_type, "paligemma") != 0)
        return pali__fail(top->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': model_type is \"%.100s\", \"paligemma\" was expected", top->path, model_type);
    return PALI_OK;
}

/* A ColPali configuration holds PaliGemma's as vlm_config, and how wide its embeddings are; `top` becomes that part. */
static pali_status enter_colpali(struct pali__settings *settings, struct pali__section *top)
{
    const char *model_type = pali__json_string(pali__section_get(top, "model_type"));
    struct json_object *part = NULL;
    if (!model_type || strcmp(model_type, "colpali") != 0)
        return PALI_OK;
    settings->embedding_dim = 128;
    TRY(pali__read_int(top, "embedding_dim", NULL, 1, PALI__MAX_HIDDEN, &settings->embedding_dim));
    TRY(get_part(&part, top, "vlm_config"));
    if (!part)
        return pali__fail(top->error, PALI_ERROR_FORMAT, "'%s': vlm_config is missing, an object was expected", top->path);
    top->object = part;
    return PALI_OK;
}

static pali_status read_top(struct pali__settings *settings, const struct pali__section *top)
{
    settings->image_token_id = DEFAULT_IMAGE_TOKEN;
    settings->ignore_index = -100;
    TRY(pali__read_int(top, "image_token_index", "image_token_id", 0, PALI__MAX_VOCABULARY - 1,
                       &settings->image_token_id));
    TRY(pali__read_int(top, "ignore_index", NULL, INT32_MIN, INT32_MAX, &settings->ignore_index));

    /* These are read for whoever asks; nothing else uses them. hidden_size is wrong in PaliGemma 2 files. */
    int64_t vocab_size = 257152, hidden_size = 2048;
    const char *dtype = NULL, *version = NULL;
    TRY(pali__read_int(top, "vocab_size", "_vocab_size", 1, PALI__MAX_VOCABULARY, &vocab_size));
    TRY(pali__read_int(top, "hidden_size", NULL, 1, PALI__MAX_HIDDEN, &hidden_size));
    TRY(pali__read_string(top, "dtype", "torch_dtype", &dtype));
    TRY(pali__read_string(top, "transformers_version", NULL, &version));

    return PALI_OK;
}

/* The top level's special ids serve where generation_config.json does not say otherwise; behind them stand Gemma's, or
 * for another decoder those of its text_config. */
static pali_status read_special_ids(struct pali__generation_config *generation, const struct pali__section *top,
                                    const struct pali__text_config *text)
{
    int64_t eos[PALI__MAX_EOS] = { 0 }, bos = PALI__UNSET, pad = PALI__UNSET;
    int n_eos = 0;
    TRY(pali__read_ids(top, "eos_token_id", eos, PALI__MAX_EOS, &n_eos));
    TRY(pali__read_int(top, "bos_token_id", NULL, 0, PALI__MAX_VOCABULARY - 1, &bos));
    TRY(pali__read_int(top, "pad_token_id", NULL, 0, PALI__MAX_VOCABULARY - 1, &pad));
    *generation = *pali__generation_config_defaults();
    if (text->family == PALI__LLAMA || text->family == PALI__MISTRAL) {
        memcpy(generation->eos_token_id, text->eos_token_id, sizeof text->eos_token_id);
        generation->n_eos = text->n_eos;
        generation->bos_token_id = text->bos_token_id;
    }
    if (n_eos) {
        memcpy(generation->eos_token_id, eos, sizeof eos);
        generation->n_eos = n_eos;
    }
    if (bos != PALI__UNSET)
        generation->bos_token_id = bos;
    if (pad != PALI__UNSET)
        generation->pad_token_id = pad;
    return PALI_OK;
}

/* The projector's width is the decoder's, however often the file says it; the top level rules over vision_config. */
static pali_status read_projection(struct pali__settings *settings, const struct pali__section *top,
                                   const struct pali__section *vision)
{
    int64_t width = settings->text.hidden_size;
    TRY(pali__read_int(vision, "projection_dim", NULL, 1, PALI__MAX_HIDDEN, &width));
    TRY(pali__read_int(top, "projection_dim", NULL, 1, PALI__MAX_HIDDEN, &width));
    if (width != settings->text.hidden_size)
        return pali__fail(top->error, PALI_ERROR_FORMAT,
                          "'%s': projection_dim is %lld, text_config.hidden_size (%lld) was expected", top->path,
                          (long long)width, (long long)settings->text.hidden_size);
    settings->projection_dim = width;
    return PALI_OK;
}

/* The top level rules, then text_config; tied unless one says otherwise. Llama's and Mistral's text_config say that they
 * are not tied, by default, and mean the decoder alone: Transformers 5 ties PaliGemma's head all the same. */
static pali_status read_tie(struct pali__settings *settings, const struct pali__section *top,
                            const struct pali__section *text)
{
    bool tied = true;
    TRY(pali__read_bool(text, "tie_word_embeddings", &tied));
    tied = tied || settings->text.family == PALI__LLAMA || settings->text.family == PALI__MISTRAL;
    TRY(pali__read_bool(top, "tie_word_embeddings", &tied));
    settings->tie_word_embeddings = tied;
    return PALI_OK;
}

/* Beside the model's own configuration, at the root of the file. compressed-tensors wrote it under another name once. */
static pali_status read_quantization(struct pali__settings *settings, const struct pali__section *root)
{
    struct pali__section section = *root;
    if (pali__section_get(root, "compression_config"))
        return pali__fail(root->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': compression_config is of an old release of compressed-tensors: only "
                          "quantization_config is served",
                          root->path);
    TRY(get_part(&section.object, root, "quantization_config"));
    section.prefix = "quantization_config.";
    return pali__quantization_config_read(&settings->quantization, &section);
}

static pali_status read_model(pali_config *config, const struct files *files, pali_error **error)
{
    struct pali__settings *settings = &config->settings;
    struct pali__section top = { files->paths[CONFIG], "", files->roots[CONFIG], &config->fields, error };
    const struct pali__section root = top;
    TRY(enter_colpali(settings, &top));
    struct pali__section text = top, vision = top;
    text.prefix = "text_config.";
    vision.prefix = "vision_config.";
    TRY(check_model_type(&top));
    TRY(get_part(&text.object, &top, "text_config"));
    TRY(get_part(&vision.object, &top, "vision_config"));
    TRY(read_top(settings, &top));
    TRY(pali__text_config_read(&settings->text, &text));
    TRY(read_special_ids(&settings->generation, &top, &settings->text));
    TRY(pali__vision_config_read(&settings->vision, &vision));
    TRY(read_projection(settings, &top, &vision));
    TRY(read_tie(settings, &top, &text));
    TRY(read_quantization(settings, &root));
    return pali__note_int(&text, "num_image_tokens", settings->vision.num_patches);
}

/* Transformers 5.x saves processor_config.json with an image_processor inside, which then comes first. */
static struct pali__section preprocessor_section(pali_config *config, const struct files *files, pali_error **error)
{
    struct pali__section section = { files->paths[PREPROCESSOR], "preprocessor_config.", files->roots[PREPROCESSOR],
                                     &config->fields, error };
    struct json_object *nested = pali__json_get(files->roots[PROCESSOR], "image_processor");
    if (pali__json_kind(nested) == PALI__JSON_OBJECT) {
        section.path = files->paths[PROCESSOR];
        section.object = nested;
    }
    return section;
}

static pali_status read_all(pali_config *config, const char *directory, pali_error **error)
{
    struct files files = { { NULL }, { NULL } };
    pali_status status = files_open(&files, directory, error);
    if (status == PALI_OK)
        status = read_model(config, &files, error);
    if (status == PALI_OK) {
        struct pali__section generation = { files.paths[files.roots[GENERATION] ? GENERATION : CONFIG],
                                            "generation_config.", files.roots[GENERATION], &config->fields, error };
        status = pali__generation_config_read(&config->settings.generation, &generation);
    }
    if (status == PALI_OK) {
        struct pali__section preprocessor = preprocessor_section(config, &files, error);
        status = pali__preprocessor_config_read(&config->settings.preprocessor, &preprocessor,
                                                &config->settings.vision);
    }
    if (status == PALI_OK && files.roots[TOKENIZER]) {
        struct pali__section tokenizer = { files.paths[TOKENIZER], "tokenizer_config.", files.roots[TOKENIZER],
                                           &config->fields, error };
        status = pali__tokenizer_config_read(&tokenizer);
    }
    files_clear(&files);
    return status;
}

pali_status pali_config_load(pali_config **out, const char *path, pali_error **error)
{
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_config_load: out is NULL");
    *out = NULL;
    if (!path)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_config_load: path is NULL");
    pali_config *config = pali__calloc(1, sizeof *config);
    if (!config)
        return pali__no_memory(error, sizeof *config);
    pali_status status = read_all(config, path, error);
    if (status == PALI_OK)
        *out = config;
    else
        pali_config_free(config);
    return status;
}

void pali_config_free(pali_config *config)
{
    if (!config)
        return;
    pali__fields_clear(&config->fields);
    pali__quantization_config_clear(&config->settings.quantization);
    pali__free(config);
}

const struct pali__settings *pali__config_settings(const pali_config *config) { return &config->settings; }

/* ---- getters ---- */

size_t pali_config_count(const pali_config *config) { return config ? config->fields.count : 0; }

const char *pali_config_name(const pali_config *config, size_t index)
{
    return config && index < config->fields.count ? config->fields.items[index].name : NULL;
}

/* The field, if it is set and of that kind; booleans serve as integers. */
static pali_status find(const struct pali__field **out, const pali_config *config, const char *name, const void *value,
                        enum pali__field_kind kind, pali_error **error)
{
    static const char *const kinds[] = { "an integer", "a boolean", "a number", "a string" };
    if (!config || !name || !value)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_config_get: config, name or value is NULL");
    const struct pali__field *field = pali__fields_find(&config->fields, name);
    if (!field)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "the configuration has no field \"%.200s\"", name);
    if (field->kind != kind && !(field->kind == PALI__FIELD_BOOL && kind == PALI__FIELD_INT))
        return pali__fail(error, PALI_ERROR_ARGUMENT, "the configuration's field \"%s\" is %s, not %s", name,
                          kinds[field->kind], kinds[kind]);
    if (!field->is_set)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "the configuration's field \"%s\" is not set", name);
    *out = field;
    return PALI_OK;
}

pali_status pali_config_get_int(const pali_config *config, const char *name, int64_t *value, pali_error **error)
{
    const struct pali__field *field = NULL;
    TRY(find(&field, config, name, value, PALI__FIELD_INT, error));
    *value = field->integer;
    return PALI_OK;
}

pali_status pali_config_get_float(const pali_config *config, const char *name, double *value, pali_error **error)
{
    const struct pali__field *field = NULL;
    TRY(find(&field, config, name, value, PALI__FIELD_FLOAT, error));
    *value = field->number;
    return PALI_OK;
}

pali_status pali_config_get_string(const pali_config *config, const char *name, const char **value, pali_error **error)
{
    const struct pali__field *field = NULL;
    TRY(find(&field, config, name, value, PALI__FIELD_STRING, error));
    *value = field->text;
    return PALI_OK;
}
