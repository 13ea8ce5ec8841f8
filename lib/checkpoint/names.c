/* SPDX-License-Identifier: BSD-2-Clause */
/* Tensor names as the releases of Transformers wrote them, brought to one form (PARITY §1.5). */
#include <string.h>

#include "checkpoint/tensors.h"

/* Wrappers around the model, which may be nested: PEFT, pi0, ColPali, and the `model.` of Transformers since 4.52. */
static const char *const wrappers[] = { "base_model.model.", "paligemma_with_expert.paligemma.", "vlm.", "model." };

/* The first rule whose `from` a name begins with replaces it by `to`. Longer ones stand before their beginnings. */
static const struct {
    const char *from, *to;
} rules[] = {
    { "language_model.lm_head.", "lm_head." },
    { "language_model.model.", "language_model." },
    { "language_model.", "language_model." },
    { "vision_tower.vision_model.", "vision_tower." },
    { "vision_tower.", "vision_tower." },
    { "multi_modal_projector.", "multi_modal_projector." },
    { "lm_head.", "lm_head." },
    { "embedding_proj_layer.", "embedding_proj_layer." },
    { "custom_text_proj.", "embedding_proj_layer." }, /* colpali-engine */
};

/* How each style begins the names of a part, in the order of enum pali_name_style: A, C, B and D of PARITY §1.5. */
static const struct {
    const char *canonical, *styles[4];
} parts[] = {
    { "language_model.",
      { "language_model.model.", "language_model.model.", "model.language_model.", "model.language_model." } },
    { "vision_tower.",
      { "vision_tower.vision_model.", "vision_tower.", "model.vision_tower.vision_model.", "model.vision_tower." } },
    { "multi_modal_projector.",
      { "multi_modal_projector.", "multi_modal_projector.", "model.multi_modal_projector.",
        "model.multi_modal_projector." } },
    { "lm_head.", { "language_model.lm_head.", "lm_head.", "lm_head.", "lm_head." } },
};

/* What follows `prefix` in `name`, or NULL. */
static const char *after(const char *name, const char *prefix)
{
    size_t size = strlen(prefix);
    return strncmp(name, prefix, size) == 0 ? name + size : NULL;
}

static const char *unwrap(const char *name)
{
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0];) {
        const char *rest = after(name, wrappers[i]);
        i = rest ? 0 : i + 1;
        name = rest ? rest : name;
    }
    return name;
}

/* `head` and `rest` in `out`; false if `size` bytes are too few. */
static bool join(char *out, size_t size, const char *head, const char *rest)
{
    size_t head_size = strlen(head), rest_size = strlen(rest);
    if (head_size + rest_size >= size)
        return false;
    memcpy(out, head, head_size);
    memcpy(out + head_size, rest, rest_size + 1);
    return true;
}

bool pali__canonical_name(char *out, size_t size, const char *file_name)
{
    const char *head = "", *rest = file_name, *bare = unwrap(file_name);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const char *tail = after(bare, rules[i].from);
        if (tail) {
            head = rules[i].to;
            rest = tail;
            break;
        }
    }
    return join(out, size, head, rest);
}

bool pali__styled_name(char *out, size_t size, const char *canonical_name, enum pali_name_style style)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *rest = after(canonical_name, parts[i].canonical);
        if (rest)
            return join(out, size, parts[i].styles[style - 1], rest);
    }
    return join(out, size, "", canonical_name);
}
