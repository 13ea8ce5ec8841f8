/* SPDX-License-Identifier: BSD-2-Clause */
/* generation_config.json (PARITY §13). Defaults are those of GenerationConfig and of the released checkpoints. */
#include <string.h>

#include "config/config_sections.h"
#include "core/json_file.h"

static const struct pali__generation_config defaults = {
    .eos_token_id = { 1 },
    .n_eos = 1,
    .bos_token_id = 2,
    .pad_token_id = 0,
    .max_new_tokens = 20,
    .top_k = 50,
    .num_beams = 1,
    .temperature = 1.0,
    .top_p = 1.0,
    .typical_p = 1.0,
    .repetition_penalty = 1.0,
    .length_penalty = 1.0,
    .num_return_sequences = 1,
};

const struct pali__generation_config *pali__generation_config_defaults(void) { return &defaults; }

/* ---- what is not served ---- */

/* Fields that would change answers, with the value that changes nothing; null, false and [] never do. */
static const struct {
    const char *name;
    double neutral;
} unserved[] = {
    { "guidance_scale", 1.0 },
    { "encoder_repetition_penalty", 1.0 },
    { "encoder_no_repeat_ngram_size", 0.0 },
    { "top_h", 1.0 },
    { "epsilon_cutoff", 0.0 },
    { "eta_cutoff", 0.0 },
    { "penalty_alpha", 0.0 },
    { "num_beam_groups", 1.0 },
    { "diversity_penalty", 0.0 },
    { "max_time", -1.0 },
    { "stop_strings", 0.0 },
    { "sequence_bias", 0.0 },
    { "exponential_decay_length_penalty", 0.0 },
    { "forced_bos_token_id", -1.0 },
    { "watermarking_config", 0.0 },
    { "renormalize_logits", 0.0 },
    { "token_healing", 0.0 },
    { "dola_layers", 0.0 },
    { "constraints", 0.0 },
    { "force_words_ids", 0.0 },
};

static const char *find_unserved(const struct pali__section *section)
{
    for (size_t i = 0; i < sizeof unserved / sizeof unserved[0]; i++) {
        struct json_object *member = pali__section_get(section, unserved[i].name);
        double number;
        bool truth;
        if (!member || (pali__json_bool(member, &truth) && !truth))
            continue;
        if (pali__json_kind(member) == PALI__JSON_ARRAY && pali__json_count(member) == 0)
            continue;
        if (pali__json_float(member, &number) && number == unserved[i].neutral)
            continue;
        return unserved[i].name;
    }
    return NULL;
}

/* ---- the fields ---- */

/* As pali__read_ids, but an empty list means none. */
static pali_status read_ids(const struct pali__section *section, const char *name, int64_t *ids, int capacity,
                            int *count)
{
    struct json_object *member = pali__section_get(section, name);

    if (member && pali__json_kind(member) == PALI__JSON_ARRAY && pali__json_count(member) == 0)
        return PALI_OK;
    return pali__read_ids(section, name, ids, capacity, count);
}

static pali_status fail_lists(const struct pali__section *section, const char *name)
{
    return pali__fail(section->error, PALI_ERROR_FORMAT,
                      "'%s': %s%s is no list of lists of token ids, %d ids at the most", section->path,
                      section->prefix, name, PALI__MAX_IDS);
}

static pali_status read_id_lists(const struct pali__section *section, const char *name, struct pali__id_lists *out)
{
    struct json_object *member = pali__section_get(section, name);

    if (!member)
        return PALI_OK;
    if (pali__json_kind(member) != PALI__JSON_ARRAY || pali__json_count(member) > PALI__MAX_IDS)
        return fail_lists(section, name);
    for (size_t i = 0; i < pali__json_count(member); i++) {
        struct json_object *list = pali__json_at(member, i);
        if (pali__json_kind(list) != PALI__JSON_ARRAY || pali__json_count(list) == 0 ||
            pali__json_count(list) > (size_t)(PALI__MAX_IDS - out->n_ids))
            return fail_lists(section, name);
        for (size_t j = 0; j < pali__json_count(list); j++) {
            int64_t id;
            if (!pali__json_int(pali__json_at(list, j), &id) || id < 0 || id >= PALI__MAX_VOCABULARY)
                return fail_lists(section, name);
            out->ids[out->n_ids++] = id;
        }
        out->starts[++out->n_lists] = out->n_ids;
    }
    return pali__note_int(section, name, out->n_lists);
}

/* false, true or "never". */
static pali_status read_early_stopping(const struct pali__section *section, enum pali__early_stopping *out)
{
    struct json_object *member = pali__section_get(section, "early_stopping");
    const char *text = member ? pali__json_string(member) : NULL;
    bool when_complete = false;

    if (text && strcmp(text, "never") == 0) {
        *out = PALI__STOP_NEVER;
        return pali__note_string(section, "early_stopping", text);
    }
    TRY(pali__read_bool(section, "early_stopping", &when_complete));
    *out = when_complete ? PALI__STOP_WHEN_COMPLETE : PALI__STOP_BY_HEURISTIC;
    return PALI_OK;
}

static pali_status read_lengths(struct pali__generation_config *out, const struct pali__section *section)
{
    int64_t max_length = PALI__UNSET, min_length = PALI__UNSET;

    out->has_max_new_tokens = pali__section_get(section, "max_new_tokens") != NULL;
    TRY(pali__read_int(section, "max_new_tokens", NULL, 1, PALI__MAX_LENGTH, &out->max_new_tokens));
    TRY(pali__read_int(section, "min_new_tokens", NULL, 0, PALI__MAX_LENGTH, &out->min_new_tokens));
    TRY(pali__read_int(section, "max_length", NULL, 0, PALI__MAX_LENGTH, &max_length));
    TRY(pali__read_int(section, "min_length", NULL, 0, PALI__MAX_LENGTH, &min_length));
    out->has_max_length = max_length > 0;
    out->has_min_length = min_length > 0;
    return PALI_OK;
}

static pali_status read_sampling(struct pali__generation_config *out, const struct pali__section *section)
{
    TRY(pali__read_bool(section, "do_sample", &out->do_sample));
    TRY(pali__read_float(section, "temperature", 0.0, 1e6, &out->temperature));
    TRY(pali__read_int(section, "top_k", NULL, 0, PALI__MAX_VOCABULARY, &out->top_k));
    TRY(pali__read_float(section, "top_p", 0.0, 1.0, &out->top_p));
    TRY(pali__read_float(section, "min_p", 0.0, 1.0, &out->min_p));
    TRY(pali__read_float(section, "typical_p", 0.0, 1.0, &out->typical_p));
    return pali__read_int(section, "num_return_sequences", NULL, 1, 1024, &out->num_return_sequences);
}

static pali_status read_processors(struct pali__generation_config *out, const struct pali__section *section)
{
    TRY(pali__read_float(section, "repetition_penalty", 1e-6, 1e6, &out->repetition_penalty));
    TRY(pali__read_int(section, "no_repeat_ngram_size", NULL, 0, PALI__MAX_LENGTH, &out->no_repeat_ngram_size));
    TRY(read_id_lists(section, "bad_words_ids", &out->bad_words));
    TRY(read_ids(section, "suppress_tokens", out->suppress_tokens, PALI__MAX_IDS, &out->n_suppress));
    TRY(read_ids(section, "begin_suppress_tokens", out->begin_suppress_tokens, PALI__MAX_IDS,
                 &out->n_begin_suppress));
    return read_ids(section, "forced_eos_token_id", out->forced_eos_token_id, PALI__MAX_EOS, &out->n_forced_eos);
}

static pali_status read_beams(struct pali__generation_config *out, const struct pali__section *section)
{
    TRY(pali__read_int(section, "num_beams", NULL, 1, 1024, &out->num_beams));
    TRY(pali__read_float(section, "length_penalty", -1e3, 1e3, &out->length_penalty));
    return read_early_stopping(section, &out->early_stopping);
}

pali_status pali__generation_config_read(struct pali__generation_config *out, const struct pali__section *section)
{
    TRY(pali__read_ids(section, "eos_token_id", out->eos_token_id, PALI__MAX_EOS, &out->n_eos));
    TRY(pali__read_int(section, "bos_token_id", NULL, 0, PALI__MAX_VOCABULARY - 1, &out->bos_token_id));
    TRY(pali__read_int(section, "pad_token_id", NULL, 0, PALI__MAX_VOCABULARY - 1, &out->pad_token_id));
    TRY(read_lengths(out, section));
    TRY(read_sampling(out, section));
    TRY(read_processors(out, section));
    TRY(read_beams(out, section));
    out->unserved = find_unserved(section);
    return PALI_OK;
}
