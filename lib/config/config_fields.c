/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config_fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"

void pali__fields_clear(struct pali__fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        pali__free(fields->items[i].name);
        pali__free(fields->items[i].alias);
        pali__free(fields->items[i].text);
    }
    pali__free(fields->items);
    *fields = (struct pali__fields){ NULL, 0, 0 };
}

const struct pali__field *pali__fields_find(const struct pali__fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct pali__field *field = &fields->items[i];
        if (strcmp(field->name, name) == 0 || (field->alias && strcmp(field->alias, name) == 0))
            return field;
    }
    return NULL;
}

/* ---- noting ---- */

static char *dotted(const char *prefix, const char *name)
{
    struct pali__text text = { NULL, 0, 0 };
    if (pali__text_printf(&text, "%s%s", prefix, name))
        return text.data;
    pali__text_clear(&text);
    return NULL;
}

static bool reserve(struct pali__fields *fields)
{
    if (fields->count < fields->capacity)
        return true;
    size_t capacity = fields->capacity ? fields->capacity * 2 : 64;
    void *items = pali__regrow(fields->items, fields->count * sizeof *fields->items, capacity * sizeof *fields->items);
    if (!items)
        return false;
    fields->items = items;
    fields->capacity = capacity;
    return true;
}

/* Adds the field whose value `made` has; names and text are copied. */
static pali_status note(const struct pali__section *section, const char *name, const char *alias,
                        struct pali__field made, const char *text)
{
    made.name = dotted(section->prefix, name);
    made.alias = alias ? dotted(section->prefix, alias) : NULL;
    made.text = text ? pali__strdup(text) : NULL;
    if (!made.name || (alias && !made.alias) || (text && !made.text) || !reserve(section->fields)) {
        pali__free(made.name);
        pali__free(made.alias);
        pali__free(made.text);
        return pali__no_memory(section->error, strlen(section->prefix) + strlen(name) + 1);
    }
    section->fields->items[section->fields->count++] = made;
    return PALI_OK;
}

static pali_status note_int(const struct pali__section *section, const char *name, const char *alias, int64_t value,
                            enum pali__field_kind kind)
{
    struct pali__field field = { .kind = kind, .integer = value, .is_set = value != PALI__UNSET };
    return note(section, name, alias, field, NULL);
}

pali_status pali__note_int(const struct pali__section *section, const char *name, int64_t value)
{
    return note_int(section, name, NULL, value, PALI__FIELD_INT);
}

pali_status pali__note_float(const struct pali__section *section, const char *name, double value)
{
    struct pali__field field = { .kind = PALI__FIELD_FLOAT, .number = value, .is_set = !isnan(value) };
    return note(section, name, NULL, field, NULL);
}

static pali_status note_string(const struct pali__section *section, const char *name, const char *alias,
                               const char *value)
{
    struct pali__field field = { .kind = PALI__FIELD_STRING, .is_set = value != NULL };
    return note(section, name, alias, field, value);
}

pali_status pali__note_string(const struct pali__section *section, const char *name, const char *value)
{
    return note_string(section, name, NULL, value);
}

/* ---- reading ---- */

struct json_object *pali__section_get(const struct pali__section *section, const char *name)
{
    return pali__json_get(section->object, name);
}

/* The member under either name; *found is the one it has. */
static struct json_object *get(const struct pali__section *section, const char *name, const char *alias,
                               const char **found)
{
    struct json_object *value = pali__section_get(section, name);
    *found = name;
    if (!value && alias && (value = pali__section_get(section, alias)))
        *found = alias;
    return value;
}

static pali_status fail_kind(const struct pali__section *section, const char *name, struct json_object *value,
                             const char *expected)
{
    return pali__fail(section->error, PALI_ERROR_FORMAT, "'%s': %s%s is %s, %s was expected", section->path,
                      section->prefix, name, pali__json_kind_name(pali__json_kind(value)), expected);
}

static pali_status parse_int(const struct pali__section *section, const char *name, struct json_object *value,
                             int64_t minimum, int64_t maximum, int64_t *out)
{
    int64_t number;
    double huge;
    bool is_huge = pali__json_kind(value) == PALI__JSON_FLOAT && pali__json_float(value, &huge) && fabs(huge) >= 0x1p63;
    if (pali__json_kind(value) != PALI__JSON_INT && !is_huge)
        return fail_kind(section, name, value, "an integer");
    if (is_huge || !pali__json_int(value, &number))
        return pali__fail(section->error, PALI_ERROR_FORMAT,
                          "'%s': %s%s does not fit 64 bits, %lld to %lld was expected", section->path, section->prefix,
                          name, (long long)minimum, (long long)maximum);
    if (number < minimum || number > maximum)
        return pali__fail(section->error, PALI_ERROR_FORMAT, "'%s': %s%s is %lld, %lld to %lld was expected",
                          section->path, section->prefix, name, (long long)number, (long long)minimum,
                          (long long)maximum);
    *out = number;
    return PALI_OK;
}

pali_status pali__read_int(const struct pali__section *section, const char *name, const char *alias, int64_t minimum,
                           int64_t maximum, int64_t *value)
{
    const char *found;
    struct json_object *member = get(section, name, alias, &found);
    if (member)
        TRY(parse_int(section, found, member, minimum, maximum, value));
    return note_int(section, name, alias, *value, PALI__FIELD_INT);
}

pali_status pali__read_int_or_none(const struct pali__section *section, const char *name, int64_t minimum,
                                   int64_t maximum, int64_t *value)
{
    struct json_object *member = pali__section_get(section, name);
    if (member)
        TRY(parse_int(section, name, member, minimum, maximum, value));
    else if (pali__json_has(section->object, name))
        *value = 0;
    return note_int(section, name, NULL, *value ? *value : PALI__UNSET, PALI__FIELD_INT);
}

static pali_status note_ids(const struct pali__section *section, const char *name, const int64_t *ids, int count)
{
    if (count <= 1)
        return pali__note_int(section, name, count ? ids[0] : PALI__UNSET);
    for (int i = 0; i < count; i++) {
        char indexed[64];
        snprintf(indexed, sizeof indexed, "%s.%d", name, i);
        TRY(pali__note_int(section, indexed, ids[i]));
    }
    return PALI_OK;
}

pali_status pali__read_ids(const struct pali__section *section, const char *name, int64_t *ids, int capacity,
                           int *count)
{
    enum { LARGEST_ID = (4 << 20) - 1 };
    struct json_object *member = pali__section_get(section, name);
    if (!member)
        return note_ids(section, name, ids, *count);
    bool is_list = pali__json_kind(member) == PALI__JSON_ARRAY;
    size_t n = is_list ? pali__json_count(member) : 1;
    if (n < 1 || n > (size_t)capacity)
        return pali__fail(section->error, PALI_ERROR_FORMAT, "'%s': %s%s has %zu ids, 1 to %d were expected",
                          section->path, section->prefix, name, n, capacity);
    for (size_t i = 0; i < n; i++)
        TRY(parse_int(section, name, is_list ? pali__json_at(member, i) : member, 0, LARGEST_ID, &ids[i]));
    *count = (int)n;
    return note_ids(section, name, ids, *count);
}

pali_status pali__read_bool(const struct pali__section *section, const char *name, bool *value)
{
    struct json_object *member = pali__section_get(section, name);
    if (member && !pali__json_bool(member, value))
        return fail_kind(section, name, member, "a boolean");
    return note_int(section, name, NULL, *value, PALI__FIELD_BOOL);
}

static pali_status parse_float(const struct pali__section *section, const char *name, struct json_object *value,
                               double minimum, double maximum, double *out)
{
    enum pali__json_kind kind = pali__json_kind(value);
    if (kind != PALI__JSON_INT && kind != PALI__JSON_FLOAT)
        return fail_kind(section, name, value, "a number");
    double number;
    if (!pali__json_float(value, &number))
        return pali__fail(section->error, PALI_ERROR_FORMAT, "'%s': %s%s is not a finite number", section->path,
                          section->prefix, name);
    if (!(number >= minimum && number <= maximum))
        return pali__fail(section->error, PALI_ERROR_FORMAT, "'%s': %s%s is %g, %g to %g was expected", section->path,
                          section->prefix, name, number, minimum, maximum);
    *out = number;
    return PALI_OK;
}

pali_status pali__read_float(const struct pali__section *section, const char *name, double minimum, double maximum,
                             double *value)
{
    struct json_object *member = pali__section_get(section, name);
    if (member)
        TRY(parse_float(section, name, member, minimum, maximum, value));
    return pali__note_float(section, name, *value);
}

pali_status pali__read_float_or_none(const struct pali__section *section, const char *name, double minimum,
                                     double maximum, double *value)
{
    struct json_object *member = pali__section_get(section, name);
    if (member)
        TRY(parse_float(section, name, member, minimum, maximum, value));
    else if (pali__json_has(section->object, name))
        *value = 0;
    return pali__note_float(section, name, *value > 0 ? *value : (double)NAN);
}

pali_status pali__read_string(const struct pali__section *section, const char *name, const char *alias,
                              const char **value)
{
    const char *found;
    struct json_object *member = get(section, name, alias, &found);
    if (member) {
        const char *text = pali__json_string(member);
        if (!text)
            return fail_kind(section, found, member, "a string");
        *value = text;
    }
    return note_string(section, name, alias, *value);
}
