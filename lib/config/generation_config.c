/* SPDX-License-Identifier: BSD-2-Clause */
/* generation_config.json (PARITY §13). Defaults are those of GenerationConfig and of the released checkpoints. */
#include "config/config_sections.h"

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
    .do_sample = false,
};

const struct pali__generation_config *pali__generation_config_defaults(void) { return &defaults; }

pali_status pali__generation_config_read(struct pali__generation_config *out, const struct pali__section *section)
{
    TRY(pali__read_ids(section, "eos_token_id", out->eos_token_id, PALI__MAX_EOS, &out->n_eos));
    TRY(pali__read_int(section, "bos_token_id", NULL, 0, PALI__MAX_VOCABULARY - 1, &out->bos_token_id));
    TRY(pali__read_int(section, "pad_token_id", NULL, 0, PALI__MAX_VOCABULARY - 1, &out->pad_token_id));
    TRY(pali__read_int(section, "max_new_tokens", NULL, 1, PALI__MAX_LENGTH, &out->max_new_tokens));
    TRY(pali__read_bool(section, "do_sample", &out->do_sample));
    TRY(pali__read_int(section, "num_beams", NULL, 1, 1024, &out->num_beams));
    TRY(pali__read_float(section, "temperature", 0.0, 1e6, &out->temperature));
    TRY(pali__read_int(section, "top_k", NULL, 0, PALI__MAX_VOCABULARY, &out->top_k));
    return pali__read_float(section, "top_p", 0.0, 1.0, &out->top_p);
}
