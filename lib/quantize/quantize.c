/* SPDX-License-Identifier: BSD-2-Clause */
/* pali_quantize: which tensors the new checkpoint has, and each of them copied or rounded. */
#include <paligemma/quantize.h>

#include <assert.h>
#include <string.h>

#include "core/memory.h"
#include "core/options.h"
#include "model/inventory.h"
#include "model/rewrite.h"
#include "quantize/calibration.h"
#include "quantize/matrix_writer.h"
#include "quantize/policy.h"

static const int64_t default_shard_size = 5000000000;

struct quantizing {
    pali_quantize_options options; /* defaults filled in */
    struct pali__rewrite rewrite;
    struct pali__policy policy;
    struct pali__matrix_writer writer;
    struct pali__written_matrix *matrices; /* a tensor's tag is 0, or 1 + its matrix · PALI__N_PARTS + its part */
    size_t n_matrices, capacity;
    int64_t widest; /* weights in a row */
    bool is_calibrated;
};

const char *pali_quantization_scheme_name(pali_quantization_scheme scheme)
{
    switch (scheme) {
    case PALI_INT8_WEIGHT_ONLY:
        return "int8_weight_only";
    case PALI_INT4_WEIGHT_ONLY:
        return "int4_weight_only";
    case PALI_INT8_DYNAMIC:
        return "int8_dynamic_activation_int8_weight";
    default:
        return "unknown";
    }
}

void pali_quantize_options_init(pali_quantize_options *options)
{
    *options = (pali_quantize_options)PALI_QUANTIZE_OPTIONS_INIT;
}

static pali_status fill_in_options(struct quantizing *job, pali_error **error)
{
    pali_quantize_options *options = &job->options;

    if (options->scheme == 0)
        options->scheme = PALI_INT8_WEIGHT_ONLY;
    if (options->threads < 0 || options->threads > 4096)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "the number of threads should be 0…4096 and is %d",
                          (int)options->threads);
    if (options->max_shard_size < 0)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "max_shard_size is negative");
    if (options->max_shard_size == 0)
        options->max_shard_size = default_shard_size;
    if (options->n_calibration > 0 && !options->calibration)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "calibration is NULL and n_calibration is %zu",
                          options->n_calibration);
    return pali__policy_init(&job->policy, options, error);
}

/* ---- what is written ---- */

static pali_status make_room(struct quantizing *job, pali_error **error)
{
    size_t capacity = job->capacity ? 2 * job->capacity : 256, size = sizeof *job->matrices;
    struct pali__written_matrix *grown;

    if (job->n_matrices < job->capacity)
        return PALI_OK;
    grown = pali__regrow(job->matrices, job->capacity * size, capacity * size);
    if (!grown)
        return pali__no_memory(error, capacity * size);
    job->matrices = grown;
    job->capacity = capacity;
    return PALI_OK;
}

/* The tensors that a quantized matrix becomes: codes, scales, zero points, shape. */
static pali_status plan_matrix(struct quantizing *job, const struct pali__quantization_group *group,
                               const struct pali__tensor_spec *spec, const pali_tensor *tensor, pali_error **error)
{
    int64_t n_in = spec->shape[1];
    struct pali__part_spec part;

    TRY(make_room(job, error));
    struct pali__written_matrix *matrix = &job->matrices[job->n_matrices++];
    *matrix = (struct pali__written_matrix){ .group = group, .n_out = spec->shape[0], .n_in = n_in };
    matrix->rounding = pali__policy_rounding(&job->policy, group, n_in, tensor->dtype);
    matrix->n_groups = (n_in + matrix->rounding.group_size - 1) / matrix->rounding.group_size;
    job->widest = n_in > job->widest ? n_in : job->widest;
    if (!pali__policy_note(&job->policy, group, spec->name))
        return pali__no_memory(error, 256);
    for (enum pali__part i = 0; i < PALI__N_PARTS; i++) {
        if (!pali__part_spec(&part, i, group, spec))
            continue;
        matrix->parts_left++;
        TRY(pali__rewrite_plan(&job->rewrite, part.name, PALI_NAMES_TRANSFORMERS_4,
                               part.dtype ? part.dtype : tensor->dtype, part.rank, part.shape, tensor,
                               1 + (job->n_matrices - 1) * PALI__N_PARTS + i, error));
    }
    return PALI_OK;
}

static pali_status plan_tensor(void *user, const struct pali__tensor_spec *spec, pali_error **error)
{
    struct quantizing *job = user;
    struct pali__rewrite *rewrite = &job->rewrite;
    const struct pali__quantization_group *group = pali__policy_group(&job->policy, spec);
    const pali_tensor *tensor;

    TRY(pali__inventory_find(rewrite->checkpoint, rewrite->settings, rewrite->in_dir, spec, &tensor, error));
    if (!strcmp(spec->name, PALI__HEAD_NAME) && pali__head_is_tied(rewrite->checkpoint, rewrite->settings))
        return PALI_OK;
    if (group)
        return plan_matrix(job, group, spec, tensor, error);
    return pali__rewrite_plan(rewrite, spec->name, PALI_NAMES_TRANSFORMERS_4, tensor->dtype, tensor->rank,
                              tensor->shape, tensor, 0, error);
}

static pali_status make_plan(struct quantizing *job, pali_error **error)
{
    struct pali__rewrite *rewrite = &job->rewrite;

    if (rewrite->settings->quantization.n_groups)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "'%s' is quantized already", rewrite->in_dir);
    if (pali__head_is_tied(rewrite->checkpoint, rewrite->settings)) /* stored once, as the embedding */
        job->policy.parts &= ~PALI_QUANTIZE_HEAD;
    TRY(pali__network_visit(&rewrite->network, rewrite->settings, plan_tensor, job, error));
    TRY(pali__inventory_refuse_unexpected(rewrite->checkpoint, rewrite->settings, &rewrite->network, rewrite->in_dir,
                                          error));
    if (!job->n_matrices)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "'%s': nothing to quantize: its head is the embedding, which stays as it is",
                          rewrite->in_dir);
    return PALI_OK;
}

/* ---- calibration ---- */

static bool plan_rounding(void *user, const struct pali__tensor_spec *spec, struct pali__rounding *rounding)
{
    const struct quantizing *job = user;
    const struct pali__quantization_group *group = pali__policy_group(&job->policy, spec);

    if (group)
        *rounding = pali__policy_rounding(&job->policy, group, spec->shape[1], spec->slot.matrix->dtype);
    return group != NULL;
}

/* All matrices, which are then only written. */
static pali_status calibrate(struct quantizing *job, pali_error **error)
{
    struct pali__calibration *calibration;
    struct pali__calibrate how = {
        .in_dir = job->rewrite.in_dir, .inputs = job->options.calibration, .n_inputs = job->options.n_calibration,
        .threads = job->options.threads, .plan = plan_rounding, .user = job, .watch = job->rewrite.watch };

    TRY(pali__calibrate(&calibration, &how, error));
    for (size_t i = 0; i < job->n_matrices; i++) { /* planned by the same policy in the same order */
        struct pali__rounded_matrix *rounded = pali__calibration_get(calibration, i);
        struct pali__written_matrix *matrix = &job->matrices[i];
        assert(pali__calibration_count(calibration) == job->n_matrices && rounded->n_out == matrix->n_out &&
               rounded->n_in == matrix->n_in);
        matrix->codes = rounded->codes;
        matrix->scales = rounded->scales;
        matrix->zero_points = rounded->zero_points;
        rounded->codes = rounded->scales = NULL;
        rounded->zero_points = NULL;
    }
    pali__calibration_free(calibration);
    job->is_calibrated = true;
    return PALI_OK;
}

/* ---- writing ---- */

static pali_status write_tensor(void *user, const struct pali__tensor_entry *entry,
                                const struct pali__rewrite_source *source, pali_error **error)
{
    struct quantizing *job = user;

    (void)entry;
    if (job->options.n_calibration > 0 && !job->is_calibrated)
        TRY(calibrate(job, error));
    if (!source->tag)
        return pali__rewrite_copy(&job->rewrite, source->tensor, error);
    size_t index = source->tag - 1;
    return pali__matrix_write_part(&job->writer, &job->matrices[index / PALI__N_PARTS],
                                   (enum pali__part)(index % PALI__N_PARTS), source, error);
}

static pali_status edit_config(void *user, struct json_object *root, pali_error **error)
{
    return pali__policy_write(&((const struct quantizing *)user)->policy, root, error);
}

static pali_status quantize(struct quantizing *job, const char *out_dir, pali_error **error)
{
    struct pali__rewrite_work work = { write_tensor, edit_config, job };

    TRY(fill_in_options(job, error));
    TRY(pali__rewrite_open(&job->rewrite, error));
    TRY(make_plan(job, error));
    TRY(pali__matrix_writer_init(&job->writer, &job->rewrite, job->options.threads, job->widest, error));
    return pali__rewrite_run(&job->rewrite, out_dir, job->options.max_shard_size, &work, error);
}

static void clear(struct quantizing *job)
{
    for (size_t i = 0; i < job->n_matrices; i++)
        pali__written_matrix_clear(&job->matrices[i]);
    pali__free(job->matrices);
    pali__matrix_writer_clear(&job->writer);
    pali__policy_clear(&job->policy);
    pali__rewrite_close(&job->rewrite);
}

pali_status pali_quantize(const char *in_dir, const char *out_dir, const pali_quantize_options *options,
                          pali_error **error)
{
    struct quantizing job = { .options = PALI_QUANTIZE_OPTIONS_INIT,
                              .rewrite = { .in_dir = in_dir, .stage = "quantize" } };

    if (!in_dir || !out_dir || !out_dir[0])
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_quantize: %s", !in_dir   ? "in_dir is NULL"
                                                                         : out_dir ? "out_dir is empty"
                                                                                   : "out_dir is NULL");
    TRY(pali__options_take(&job.options, sizeof job.options, options, "pali_quantize_options", error));
    job.rewrite.watch = (struct pali__watch){ job.options.progress, job.options.progress_user };
    pali_status status = quantize(&job, out_dir, error);
    clear(&job);
    return status;
}
