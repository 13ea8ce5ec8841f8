/* SPDX-License-Identifier: BSD-2-Clause */
/* One reader for each part of the configuration. All fill in defaults, note fields, and check what they alone can. */
#ifndef PALI_CONFIG_CONFIG_SECTIONS_H
#define PALI_CONFIG_CONFIG_SECTIONS_H

#include "config/config_fields.h"
#include "config/model_config.h"

enum {
    PALI__MAX_HIDDEN = 65536,
    PALI__MAX_INTERMEDIATE = 1 << 20,
    PALI__MAX_HEADS = 1024,
    PALI__MAX_VOCABULARY = 4 << 20,
    PALI__MAX_LENGTH = 1 << 30
};

/* text_config of config.json; `section->object` NULL: the released 3B model's. */
pali_status pali__text_config_read(struct pali__text_config *out, const struct pali__section *section);

/* The rotary embedding of text_config; out->theta and out->original_length are the defaults on entry. */
pali_status pali__rope_config_read(struct pali__rope_config *out, const struct pali__section *section);

/* vision_config; `section->object` NULL: SigLIP So400m/14 at 224. */
pali_status pali__vision_config_read(struct pali__vision_config *out, const struct pali__section *section);

/* generation_config.json. On entry *out is the defaults, with the special ids that the top level of config.json has. */
const struct pali__generation_config *pali__generation_config_defaults(void);
pali_status pali__generation_config_read(struct pali__generation_config *out, const struct pali__section *section);

/* preprocessor_config.json, or the image_processor of processor_config.json; defaults come from the tower. */
pali_status pali__preprocessor_config_read(struct pali__preprocessor_config *out, const struct pali__section *section,
                                           const struct pali__vision_config *vision);

/* tokenizer_config.json: fields are noted only; the tokenizer itself is tokenizer.json. */
pali_status pali__tokenizer_config_read(const struct pali__section *section);

#endif
