/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's limits on a model's own shapes. */
#include <paligemma/machine.h>

#include "core/options.h"
#include "kernels/kernels.h"
#include "kernels/machine_peak.h"
#include "model/network.h"

void pali_machine_init(pali_machine *machine)
{
    *machine = (pali_machine)PALI_MACHINE_INIT;
}

/* Time and work of the products measured so far. */
struct sum {
    const struct pali__compute *compute;
    int64_t n_rows;
    double seconds, flops;
};

/* Bytes of a matrix in memory, with all that its products read. */
static int64_t matrix_bytes(const struct pali__matrix *w)
{
    const struct pali__quantized *q = &w->quantized;
    if (q->code == PALI__CODE_NONE)
        return w->n_out * w->n_in * (int64_t)pali_dtype_size(w->dtype);
    int64_t group = (int64_t)pali_dtype_size(q->scale_dtype) + (q->zero_points != NULL ? 1 : 0);
    return w->n_out * (q->row_size + q->n_groups * group);
}

static int64_t vision_bytes(const pali_model *model)
{
    const struct pali__vision *vision = &model->network.vision;
    int64_t bytes = matrix_bytes(&vision->patch_embedding.weight) + matrix_bytes(&model->network.projector.weight);
    for (int64_t i = 0; i < model->settings->vision.num_hidden_layers; i++) {
        const struct pali__vision_block *block = &vision->blocks[i];
        bytes += matrix_bytes(&block->q.weight) + matrix_bytes(&block->k.weight) + matrix_bytes(&block->v.weight) +
                 matrix_bytes(&block->out.weight) + matrix_bytes(&block->fc1.weight) + matrix_bytes(&block->fc2.weight);
    }
    return bytes;
}

static int64_t decoder_bytes(const pali_model *model)
{
    const struct pali__decoder *decoder = &model->network.decoder;
    int64_t bytes = matrix_bytes(&decoder->head);
    for (int64_t i = 0; i < model->settings->text.num_hidden_layers; i++) {
        const struct pali__decoder_block *block = &decoder->blocks[i];
        bytes += matrix_bytes(&block->q) + matrix_bytes(&block->k) + matrix_bytes(&block->v) + matrix_bytes(&block->o) +
                 matrix_bytes(&block->gate) + matrix_bytes(&block->up) + matrix_bytes(&block->down);
    }
    return bytes;
}

static pali_status add_product(struct sum *sum, const struct pali__matrix *w, pali_error **error)
{
    double seconds;

    pali_dtype dtype = pali__machine_gemm_dtype(sum->compute, w);
    TRY(pali__machine_gemm(&seconds, sum->compute, dtype, sum->n_rows, w->n_out, w->n_in, error));
    sum->seconds += seconds;
    sum->flops += 2.0 * (double)sum->n_rows * (double)w->n_out * (double)w->n_in;
    return PALI_OK;
}

static pali_status vision_rate(double *rate, const pali_model *model, pali_error **error)
{
    const struct pali__vision_block *block = &model->network.vision.blocks[0];
    struct sum sum = { .compute = &model->compute, .n_rows = model->settings->vision.num_patches };

    TRY(add_product(&sum, &block->q.weight, error)); /* k, v and out have the same shape */
    sum.seconds *= 4.0;
    sum.flops *= 4.0;
    TRY(add_product(&sum, &block->fc1.weight, error));
    TRY(add_product(&sum, &block->fc2.weight, error));
    *rate = sum.flops / sum.seconds;
    return PALI_OK;
}

static pali_status decoder_rate(double *rate, const pali_model *model, int64_t n_tokens, pali_error **error)
{
    const struct pali__decoder_block *block = &model->network.decoder.blocks[0];
    const struct pali__matrix *matrices[] = { &block->q,    &block->k,  &block->v,   &block->o,
                                              &block->gate, &block->up, &block->down };
    struct sum sum = { .compute = &model->compute, .n_rows = n_tokens };

    for (size_t i = 0; i < sizeof matrices / sizeof matrices[0]; i++)
        TRY(add_product(&sum, matrices[i], error));
    *rate = sum.flops / sum.seconds;
    return PALI_OK;
}

pali_status pali_machine_measure(pali_machine *machine, const pali_model *model, int64_t n_tokens, pali_error **error)
{
    pali_machine measured = PALI_MACHINE_INIT;

    if (!machine || !model)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_machine_measure: %s is NULL", machine ? "model" : "machine");
    if (n_tokens < 1 || n_tokens > 1 << 20)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "n_tokens should be 1…%d and is %lld", 1 << 20,
                          (long long)n_tokens);
    measured.threads = model->compute.n_threads;
    measured.gemm_dtype = pali__machine_gemm_dtype(&model->compute, NULL);
    measured.vision_gemm_dtype =
        pali__machine_gemm_dtype(&model->compute, &model->network.vision.blocks[0].fc1.weight);
    measured.decoder_gemm_dtype = pali__machine_gemm_dtype(&model->compute, &model->network.decoder.blocks[0].gate);
    measured.vision_bytes = vision_bytes(model);
    measured.decoder_bytes = decoder_bytes(model);
    measured.instruction_set = pali__cpu_name(model->compute.kernels->level);
    TRY(pali__machine_read(&measured.read_bytes_per_s, model->compute.n_threads, error));
    TRY(vision_rate(&measured.vision_flops_per_s, model, error));
    TRY(decoder_rate(&measured.decoder_flops_per_s, model, n_tokens, error));
    return pali__options_give(machine, &measured, sizeof measured, "pali_machine", error);
}
