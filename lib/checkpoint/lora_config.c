/* SPDX-License-Identifier: BSD-2-Clause */
#include "checkpoint/lora_config.h"

#include <math.h>
#include <string.h>

#include "core/file.h"
#include "core/memory.h"

enum { CONFIG_LIMIT = 16 << 20, CONFIG_DEPTH = 32, MAX_RANK = 1 << 20 };

/* Fields that change what an adapter is. One that is absent, null, false or empty changes nothing. */
static const char *const foreign[] = {
    "alora_invocation_tokens", "arrow_config", "corda_config", "fan_in_fan_out", "kasa_config", "layer_replication",
    "lora_bias", "lora_ga_config", "megatron_config", "modules_to_save", "monteclora_config", "target_parameters",
    "trainable_token_indices", "use_bdlora", "use_dora", "use_qalora", "velora_config",
};

/* Initialisations that leave the base weights alone; the trained tensors are all that matters then. */
static const char *const harmless_starts[] = { "gaussian", "eva", "orthogonal" };

static bool is_set(struct json_object *value)
{
    bool flag = false;
    const char *text = pali__json_string(value);
    switch (pali__json_kind(value)) {
    case PALI__JSON_NULL: return false;
    case PALI__JSON_BOOL: return pali__json_bool(value, &flag) && flag;
    case PALI__JSON_STRING: return text[0] != '\0';
    case PALI__JSON_ARRAY:
    case PALI__JSON_OBJECT: return pali__json_count(value) > 0;
    case PALI__JSON_INT:
    case PALI__JSON_FLOAT: break;
    }
    return true;
}

static pali_status check_kind(const struct pali__lora_config *config, pali_error **error)
{
    const char *type = pali__json_string(pali__json_get(config->root, "peft_type"));
    const char *bias = pali__json_string(pali__json_get(config->root, "bias"));
    struct json_object *start = pali__json_get(config->root, "init_lora_weights");
    const char *start_name = pali__json_string(start);
    bool harmless = !start_name;

    if (!type)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': peft_type is missing, \"LORA\" was expected", config->path);
    if (strcmp(type, "LORA") != 0)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "'%s': peft_type is \"%.100s\", only \"LORA\" is served",
                          config->path, type);
    if (bias && strcmp(bias, "none") != 0)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "'%s': bias is \"%.100s\", only \"none\" is served",
                          config->path, bias);
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (is_set(pali__json_get(config->root, foreign[i])))
            return pali__fail(error, PALI_ERROR_UNSUPPORTED, "'%s': %s is set, which is not served: only plain LoRA is",
                              config->path, foreign[i]);
    for (size_t i = 0; i < sizeof harmless_starts / sizeof harmless_starts[0]; i++)
        harmless = harmless || strcmp(start_name, harmless_starts[i]) == 0;
    if (!harmless)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "'%s': init_lora_weights is \"%.100s\", which changes the base weights; convert the adapter "
                          "to plain LoRA when saving it",
                          config->path, start_name);
    return PALI_OK;
}

static pali_status take_rank(const struct pali__lora_config *config, const char *field, struct json_object *value,
                             int64_t *rank, pali_error **error)
{
    if (!pali__json_int(value, rank) || *rank < 1 || *rank > MAX_RANK)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': %.200s should be a whole number from 1 to %d", config->path,
                          field, MAX_RANK);
    return PALI_OK;
}

static pali_status take_alpha(const struct pali__lora_config *config, const char *field, struct json_object *value,
                              double *alpha, pali_error **error)
{
    if (!pali__json_float(value, alpha))
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': %.200s should be a number", config->path, field);
    return PALI_OK;
}

/* The keys are regular expressions in PEFT; what is written into them are module names. */
static pali_status check_pattern(const struct pali__lora_config *config, const char *field, pali_error **error)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
    struct json_object *pattern = pali__json_get(config->root, field), *value;
    const char *key;

    if (!pattern)
        return PALI_OK;
    if (pali__json_kind(pattern) != PALI__JSON_OBJECT)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': %s is %s, an object was expected", config->path, field,
                          pali__json_kind_name(pali__json_kind(pattern)));
    for (void *cursor = NULL; (cursor = pali__json_next(pattern, cursor, &key, &value));) {
        const char *name = key + (key[0] == '^');
        if (!name[0] || name[strspn(name, plain)])
            return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                              "'%s': %s[\"%.200s\"] is a regular expression, only plain module names are served",
                              config->path, field, key);
    }
    return PALI_OK;
}

static pali_status read_fields(struct pali__lora_config *config, pali_error **error)
{
    struct json_object *rslora = pali__json_get(config->root, "use_rslora");

    TRY(check_kind(config, error));
    TRY(take_rank(config, "r", pali__json_get(config->root, "r"), &config->rank, error));
    TRY(take_alpha(config, "lora_alpha", pali__json_get(config->root, "lora_alpha"), &config->alpha, error));
    if (rslora && !pali__json_bool(rslora, &config->use_rslora))
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': use_rslora should be true or false", config->path);
    TRY(check_pattern(config, "rank_pattern", error));
    return check_pattern(config, "alpha_pattern", error);
}

pali_status pali__lora_config_parse(struct pali__lora_config *out, const char *text, size_t size, pali_error **error)
{
    static const char path[] = "adapter_config.json";
    pali_status status;

    *out = (struct pali__lora_config){ 0 };
    out->path = pali__strdup(path);
    status = out->path ? pali__json_parse(&out->root, text, size, CONFIG_DEPTH, path, error)
                       : pali__no_memory(error, sizeof path);
    if (status == PALI_OK)
        status = read_fields(out, error);
    if (status != PALI_OK)
        pali__lora_config_clear(out);
    return status;
}

pali_status pali__lora_config_load(struct pali__lora_config *out, const char *directory, pali_error **error)
{
    pali_status status;

    *out = (struct pali__lora_config){ 0 };
    out->path = pali__path_join(directory, "adapter_config.json");
    status = out->path ? pali__json_load(&out->root, out->path, CONFIG_LIMIT, error)
                       : pali__no_memory(error, strlen(directory) + 32);
    if (status == PALI_OK)
        status = read_fields(out, error);
    if (status != PALI_OK)
        pali__lora_config_clear(out);
    return status;
}

void pali__lora_config_clear(struct pali__lora_config *config)
{
    pali__json_free(config->root);
    pali__free(config->path);
    *config = (struct pali__lora_config){ 0 };
}

/* As re.match("(.*\.)?(KEY)$", module): the key is the whole name or its last parts, and a dot in it stands for any
 * character. After "^" it is the whole name. */
static bool key_matches(const char *key, const char *module)
{
    bool whole = key[0] == '^';
    size_t size = strlen(key += whole), module_size = strlen(module);

    if (size > module_size || (whole && size != module_size))
        return false;
    const char *tail = module + module_size - size;
    for (size_t i = 0; i < size; i++)
        if (key[i] != tail[i] && key[i] != '.')
            return false;
    return tail == module || tail[-1] == '.';
}

/* The first member that matches, or NULL; `*key` is its key. */
static struct json_object *find_match(const struct pali__lora_config *config, const char *field, const char *module,
                                      const char **key)
{
    struct json_object *pattern = pali__json_get(config->root, field), *value;

    for (void *cursor = NULL; pattern && (cursor = pali__json_next(pattern, cursor, key, &value));)
        if (key_matches(*key, module))
            return value;
    *key = NULL;
    return NULL;
}

pali_status pali__lora_config_module(const struct pali__lora_config *config, const char *module, int64_t *rank,
                                     double *scale, pali_error **error)
{
    const char *key = NULL;
    double alpha = config->alpha;
    struct json_object *value = find_match(config, "rank_pattern", module, &key);

    *rank = config->rank;
    if (key)
        TRY(take_rank(config, key, value, rank, error));
    value = find_match(config, "alpha_pattern", module, &key);
    if (key)
        TRY(take_alpha(config, key, value, &alpha, error));
    *scale = alpha / (config->use_rslora ? sqrt((double)*rank) : (double)*rank);
    return PALI_OK;
}
