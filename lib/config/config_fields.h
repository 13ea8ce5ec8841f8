/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the members of a JSON object as checked fields, each of which is also noted under its dotted name. */
#ifndef PALI_CONFIG_CONFIG_FIELDS_H
#define PALI_CONFIG_CONFIG_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/json_file.h"

enum pali__field_kind { PALI__FIELD_INT, PALI__FIELD_BOOL, PALI__FIELD_FLOAT, PALI__FIELD_STRING };

struct pali__field {
    char *name;  /* "text_config.hidden_size" */
    char *alias; /* another name for the same, or NULL */
    char *text;
    int64_t integer;
    double number;
    enum pali__field_kind kind;
    bool is_set;
};

struct pali__fields {
    struct pali__field *items;
    size_t count, capacity;
};

void pali__fields_clear(struct pali__fields *fields);
const struct pali__field *pali__fields_find(const struct pali__fields *fields, const char *name);

/* One JSON object of one file. */
struct pali__section {
    const char *path;           /* of the file */
    const char *prefix;         /* of the noted names: "", "text_config.", … */
    struct json_object *object; /* NULL: no such object, so every field has its default */
    struct pali__fields *fields;
    pali_error **error;
};

/*
 * Each reads the member `name`, or else `alias` (may be NULL). On entry *value is the default, kept when the member is
 * absent or null. A value of another kind, or outside minimum…maximum, is PALI_ERROR_FORMAT with a message that names
 * file and field. A NULL string, a float of NaN, and an integer of PALI__UNSET mean that the field is unset.
 */
#define PALI__UNSET INT64_MIN
pali_status pali__read_int(const struct pali__section *section, const char *name, const char *alias, int64_t minimum,
                           int64_t maximum, int64_t *value);
pali_status pali__read_bool(const struct pali__section *section, const char *name, bool *value);
pali_status pali__read_float(const struct pali__section *section, const char *name, double minimum, double maximum,
                             double *value);
/* *value is borrowed from the JSON object, or the default. */
pali_status pali__read_string(const struct pali__section *section, const char *name, const char *alias,
                              const char **value);

/* One token id or a list of at most `capacity` of them. *count is 0 for a field that is absent, and stays so. A list of
 * several is noted as name.0, name.1, … */
pali_status pali__read_ids(const struct pali__section *section, const char *name, int64_t *ids, int capacity,
                           int *count);

/* For fields whose null means "none" and not "the default": *value becomes 0 then, and the field unset. */
pali_status pali__read_int_or_none(const struct pali__section *section, const char *name, int64_t minimum,
                                   int64_t maximum, int64_t *value);
pali_status pali__read_float_or_none(const struct pali__section *section, const char *name, double minimum,
                                     double maximum, double *value);

/* Notes a value that no member gives directly. */
pali_status pali__note_int(const struct pali__section *section, const char *name, int64_t value);
pali_status pali__note_float(const struct pali__section *section, const char *name, double value);
pali_status pali__note_string(const struct pali__section *section, const char *name, const char *value);

/* The member as it stands: NULL if absent or null. */
struct json_object *pali__section_get(const struct pali__section *section, const char *name);

#endif
