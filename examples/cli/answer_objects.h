/* SPDX-License-Identifier: BSD-2-Clause */
/* The objects that an answer names, to a picture and to a JSON file. */
#ifndef PALIGEMMA_CLI_ANSWER_OBJECTS_H
#define PALIGEMMA_CLI_ANSWER_OBJECTS_H

#include <paligemma/paligemma.h>

#include "arguments.h"

struct answer_objects {
    const char *draw, *json, *vae; /* files, or NULL */
    int64_t scale;                 /* 0: 1024 */
    pali_mask_decoder *mask_decoder;
};

#define ANSWER_OBJECTS_OPTIONS(objects, json_flag, json_long_flag)                                                     \
    { NULL, "--draw", "OUT.png", OPTION_TEXT, false, &(objects).draw, 0, 0,                                            \
      "draw boxes, labels and (with --vae) masks into a copy of the first picture", false },                           \
    { json_flag, json_long_flag, "OUT.json", OPTION_TEXT, false, &(objects).json, 0, 0,                                \
      "write the objects as JSON in COCO's form", false },                                                             \
    { NULL, "--vae", "FILE", OPTION_TEXT, false, &(objects).vae, 0, 0,                                                 \
      "vae-oid.npz (or safetensors), which makes masks of <seg> tokens", false },                                      \
    { NULL, "--scale", "N", OPTION_INT, false, &(objects).scale, 1023, 1024,                                           \
      "what <loc> numbers are divided by: 1024 (default) or 1023, as big_vision does", false }

/* What an answer's tokens were, for the confidence; ids NULL: not known. */
struct answer_tokens {
    const pali_processor *processor;
    const int64_t *ids;
    const double *logprobs;
    size_t n_ids;
};

/* Before any work: the files can be written, the weights are read. Says what is wrong; then false. */
bool answer_objects_begin(struct answer_objects *objects);
void answer_objects_end(struct answer_objects *objects);

/*
 * Writes what is asked for of the objects in `text`. `image` is drawn on; `file_name` is what the JSON calls it.
 * `tokens` may be NULL.
 */
pali_status answer_objects_write(const struct answer_objects *objects, pali_image *image, const char *file_name,
                                 const char *text, const struct answer_tokens *tokens, pali_error **error);

/* `json` and a newline to the file `path`; says what is wrong, then false. */
bool write_json_file(const char *path, const char *json);

#endif
