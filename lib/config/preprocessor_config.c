/* SPDX-License-Identifier: BSD-2-Clause */
/* preprocessor_config.json: how a picture becomes pixel_values (PARITY §5), and tokenizer_config.json's few fields. */
#include <math.h>
#include <stdio.h>

#include "config/config_sections.h"

enum { BICUBIC = 3, MAX_SIDE = 8192 };

/* {"height": h, "width": w}, or one number for both. */
static pali_status read_size(struct pali__preprocessor_config *out, const struct pali__section *section)
{
    struct json_object *size = pali__section_get(section, "size");
    struct pali__section inner = *section;
    enum pali__json_kind kind = pali__json_kind(size);
    if (kind == PALI__JSON_INT) {
        TRY(pali__read_int(section, "size", NULL, 1, MAX_SIDE, &out->height));
        out->width = out->height;
        TRY(pali__note_int(section, "size.height", out->height));
        return pali__note_int(section, "size.width", out->width);
    }
    if (size && (kind != PALI__JSON_OBJECT || !pali__json_get(size, "height") || !pali__json_get(size, "width")))
        return pali__fail(section->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': %ssize is %s, height and width were expected", section->path, section->prefix,
                          kind == PALI__JSON_OBJECT ? "an object without them" : pali__json_kind_name(kind));
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%ssize.", section->prefix);
    inner.prefix = prefix;
    inner.object = size;
    TRY(pali__read_int(&inner, "height", NULL, 1, MAX_SIDE, &out->height));
    return pali__read_int(&inner, "width", NULL, 1, MAX_SIDE, &out->width);
}

/* Three numbers, one per channel, each at least `minimum`; all 0.5 by default. */
static pali_status read_channels(double out[3], const struct pali__section *section, const char *name, double minimum)
{
    struct json_object *array = pali__section_get(section, name);
    if (array && (pali__json_kind(array) != PALI__JSON_ARRAY || pali__json_count(array) != 3))
        return pali__fail(section->error, PALI_ERROR_FORMAT, "'%s': %s%s is not a list of three numbers", section->path,
                          section->prefix, name);
    for (int i = 0; i < 3; i++) {
        out[i] = 0.5;
        struct json_object *value = array ? pali__json_at(array, (size_t)i) : NULL;
        if (array && (!pali__json_float(value, &out[i]) || !(out[i] >= minimum) || !(fabs(out[i]) <= 1e6)))
            return pali__fail(section->error, PALI_ERROR_FORMAT,
                              "'%s': %s%s[%d] is not a number from %g to 1e6", section->path, section->prefix, name, i,
                              minimum);
        char indexed[32];
        snprintf(indexed, sizeof indexed, "%s.%d", name, i);
        TRY(pali__note_float(section, indexed, out[i]));
    }
    return PALI_OK;
}

static pali_status read_resample(struct pali__preprocessor_config *out, const struct pali__section *section)
{
    int64_t resample = BICUBIC;
    TRY(pali__read_int(section, "resample", NULL, 0, 5, &resample));
    if (resample != BICUBIC && out->do_resize)
        return pali__fail(section->error, PALI_ERROR_UNSUPPORTED, "'%s': %sresample is %lld, %d (bicubic) was expected",
                          section->path, section->prefix, (long long)resample, BICUBIC);
    out->resample = (int)resample;
    return PALI_OK;
}

/* A picture of another size than the tower's, or another number of tokens, can only fail later and less clearly. */
static pali_status check_against_tower(const struct pali__preprocessor_config *config,
                                       const struct pali__section *section, const struct pali__vision_config *vision)
{
    if (config->do_resize && (config->height != vision->image_size || config->width != vision->image_size))
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': %ssize is %lldx%lld, vision_config.image_size (%lld) was expected", section->path,
                          section->prefix, (long long)config->height, (long long)config->width,
                          (long long)vision->image_size);
    if (config->image_seq_length != vision->num_patches)
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': %simage_seq_length is %lld, the %lld patches of vision_config (image_size %lld, "
                          "patch_size %lld) were expected",
                          section->path, section->prefix, (long long)config->image_seq_length,
                          (long long)vision->num_patches, (long long)vision->image_size,
                          (long long)vision->patch_size);
    return PALI_OK;
}

pali_status pali__preprocessor_config_read(struct pali__preprocessor_config *out, const struct pali__section *section,
                                           const struct pali__vision_config *vision)
{
    *out = (struct pali__preprocessor_config){
        .height = vision->image_size,
        .width = vision->image_size,
        .image_seq_length = vision->num_patches,
        .do_resize = true,
        .do_rescale = true,
        .do_normalize = true,
        .rescale_factor = 1.0 / 255.0,
    };
    const char *type = NULL, *class = NULL;
    TRY(pali__read_string(section, "image_processor_type", NULL, &type));
    TRY(pali__read_string(section, "processor_class", NULL, &class));
    TRY(pali__read_bool(section, "do_resize", &out->do_resize));
    TRY(read_size(out, section));
    TRY(read_resample(out, section));
    TRY(pali__read_bool(section, "do_rescale", &out->do_rescale));
    TRY(pali__read_float(section, "rescale_factor", 1e-12, 1e6, &out->rescale_factor));
    TRY(pali__read_bool(section, "do_normalize", &out->do_normalize));
    TRY(read_channels(out->image_mean, section, "image_mean", -1e6));
    TRY(read_channels(out->image_std, section, "image_std", 1e-12));
    TRY(pali__read_int(section, "image_seq_length", NULL, 1, PALI__MAX_LENGTH, &out->image_seq_length));
    return check_against_tower(out, section, vision);
}

/* "<bos>", or (older files) {"content": "<bos>", …}. */
static pali_status read_token(const struct pali__section *section, const char *name)
{
    struct json_object *value = pali__section_get(section, name);
    if (pali__json_kind(value) == PALI__JSON_OBJECT)
        value = pali__json_get(value, "content");
    if (value && !pali__json_string(value))
        return pali__fail(section->error, PALI_ERROR_FORMAT, "'%s': %s%s is %s, a string was expected", section->path,
                          section->prefix, name, pali__json_kind_name(pali__json_kind(value)));
    return pali__note_string(section, name, value ? pali__json_string(value) : NULL);
}

pali_status pali__tokenizer_config_read(const struct pali__section *section)
{
    static const char *const strings[] = { "tokenizer_class", "padding_side" };
    static const char *const tokens[] = { "bos_token", "eos_token", "pad_token", "unk_token" };
    for (int i = 0; i < 2; i++) {
        const char *text = NULL;
        TRY(pali__read_string(section, strings[i], NULL, &text));
    }
    for (int i = 0; i < 4; i++)
        TRY(read_token(section, tokens[i]));
    bool bos = false, eos = false; /* PaliGemma's processor adds <bos> itself, whatever these say. */
    TRY(pali__read_bool(section, "add_bos_token", &bos));
    return pali__read_bool(section, "add_eos_token", &eos);
}
