/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer_objects.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"

/* A picture is written beside its final name and renamed, so its folder must be writable; a device itself. */
static bool check_writable(const char *path)
{
    struct stat status;
    bool exists = stat(path, &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) {
        report_text("cannot write '%s': it is a directory", path);
        return false;
    }
    char *folder = strdup(path);
    if (!folder) {
        report_text("out of memory");
        return false;
    }
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    const char *checked = exists && !S_ISREG(status.st_mode) ? path : slash ? folder : ".";
    bool ok = access(checked, checked == path ? W_OK : W_OK | X_OK) == 0 && (!exists || access(path, W_OK) == 0);
    if (!ok)
        report_text("cannot write '%s': %s", path, strerror(errno));
    free(folder);
    return ok;
}

bool answer_objects_begin(struct answer_objects *objects)
{
    pali_error *error = NULL;
    if ((objects->draw && !check_writable(objects->draw)) || (objects->json && !check_writable(objects->json)))
        return false;
    if (objects->vae && pali_mask_decoder_load(&objects->mask_decoder, objects->vae, &error) != PALI_OK) {
        report(error);
        pali_error_free(error);
        return false;
    }
    return true;
}

void answer_objects_end(struct answer_objects *objects)
{
    pali_mask_decoder_free(objects->mask_decoder);
    objects->mask_decoder = NULL;
}

bool write_json_file(const char *path, const char *json)
{
    FILE *file = fopen(path, "w");
    bool ok = file && fputs(json, file) >= 0 && fputc('\n', file) != EOF;
    if (file && fclose(file) != 0)
        ok = false;
    if (!ok)
        report_text("cannot write '%s': %s", path, strerror(errno));
    return ok;
}

/* The objects' confidences in a new array, or NULL where the tokens are not known. */
static pali_status find_confidences(pali_confidence **confidences, const pali_detections *detections,
                                    const struct answer_tokens *tokens, pali_error **error)
{
    *confidences = NULL;
    if (!tokens || !tokens->ids || !tokens->logprobs)
        return PALI_OK;
    *confidences = calloc(pali_detections_count(detections) + 1, sizeof **confidences);
    if (!*confidences)
        return PALI_ERROR_MEMORY;
    return pali_detections_confidence(*confidences, detections, tokens->processor, tokens->ids, tokens->logprobs,
                                      tokens->n_ids, error);
}

/* The JSON first: drawing changes the picture, not its size. */
static pali_status write_both(const struct answer_objects *objects, pali_image *image, const char *file_name,
                              const pali_detections *detections, const pali_confidence *confidences, pali_error **error)
{
    pali_status status = PALI_OK;
    if (objects->json) {
        pali_coco_options options = PALI_COCO_OPTIONS_INIT;
        char *json = NULL;
        options.mask_decoder = objects->mask_decoder;
        options.confidences = confidences;
        options.file_name = file_name;
        status = pali_detections_to_coco(&json, detections, pali_image_width(image), pali_image_height(image), &options,
                                         error);
        if (status == PALI_OK && !write_json_file(objects->json, json))
            status = PALI_ERROR_IO;
        pali_free(json);
    }
    if (status == PALI_OK && objects->draw) {
        pali_draw_options options = PALI_DRAW_OPTIONS_INIT;
        options.mask_decoder = objects->mask_decoder;
        options.confidences = confidences;
        status = pali_detections_draw(detections, image, &options, error);
        if (status == PALI_OK)
            status = pali_image_save_png(image, objects->draw, error);
    }
    return status;
}

pali_status answer_objects_write(const struct answer_objects *objects, pali_image *image, const char *file_name,
                                 const char *text, const struct answer_tokens *tokens, pali_error **error)
{
    if (!objects->draw && !objects->json)
        return PALI_OK;
    pali_detections_options options = PALI_DETECTIONS_OPTIONS_INIT;
    pali_detections *detections = NULL;
    pali_confidence *confidences = NULL;
    if (objects->scale)
        options.scale = (int32_t)objects->scale;
    pali_status status = pali_detections_parse(&detections, text ? text : "", &options, error);
    if (status == PALI_OK)
        status = find_confidences(&confidences, detections, tokens, error);
    if (status == PALI_OK)
        status = write_both(objects, image, file_name, detections, confidences, error);
    free(confidences);
    pali_detections_free(detections);
    return status;
}
