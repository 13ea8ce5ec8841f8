/* SPDX-License-Identifier: BSD-2-Clause */
/*
 *   for each block                                     of the tower, the projector; of the decoder, the head
 *     for each input    run it, seeing what goes into its matrices
 *     round them
 *     for each input    run it with the rounded ones: what the next block is given
 */
#include "quantize/calibration.h"

#include <stdio.h>
#include <string.h>

#include <paligemma/model.h>

#include "core/memory.h"
#include "model/inventory.h"
#include "model/vision.h"
#include "quantize/calibration_block.h"
#include "quantize/calibration_samples.h"

struct calibrating {
    const struct pali__calibrate *how;
    pali_model *model; /* of its own, in float32 */
    struct pali__calibration *calibration;
    struct pali__calibration_sample *samples;
    struct pali__pass pass;
    struct pali__tower tower;
    struct pali__calibration_block block; /* at work */
    int64_t last;        /* block of the decoder that anything is rounded in; their number: the head; -1: none */
    int64_t done, total; /* runs of a block on an input */
};

static pali_status step(struct calibrating *c, pali_error **error)
{
    const struct pali__watch *watch = &c->how->watch;

    c->done++;
    if (watch->progress && watch->progress(watch->user, "calibrate", (double)c->done / (double)c->total))
        return pali__fail(error, PALI_ERROR_CANCELLED, "the calibration was cancelled");
    return PALI_OK;
}

/* ---- what is rounded ---- */

static bool takes_part(const struct calibrating *c, const struct pali__matrix *matrix)
{
    const struct pali__network *network = &c->model->network;

    return matrix && matrix != &network->decoder.embedding && matrix != &network->vision.patch_embedding.weight &&
           matrix != &network->embedding_projection.weight &&
           (matrix != &network->decoder.head || !pali__head_is_tied(c->model->checkpoint, c->model->settings));
}

static pali_status count_matrix(void *user, const struct pali__tensor_spec *spec, pali_error **error)
{
    (void)error;
    *(size_t *)user += spec->slot.matrix != NULL;
    return PALI_OK;
}

static pali_status plan_matrix(void *user, const struct pali__tensor_spec *spec, pali_error **error)
{
    struct calibrating *c = user;
    struct pali__calibration_target *target = &c->calibration->targets[c->calibration->count];
    struct pali__matrix *matrix = spec->slot.matrix;
    struct pali__rounding rounding = { 0 };

    (void)error;
    if (!takes_part(c, matrix) || !c->how->plan(c->how->user, spec, &rounding))
        return PALI_OK;
    rounding.importance = NULL;
    *target = (struct pali__calibration_target){ .matrix = matrix };
    target->rounded = (struct pali__rounded_matrix){ .n_out = matrix->n_out, .n_in = matrix->n_in, .rounding = rounding };
    snprintf(target->name, sizeof target->name, "%s", spec->name);
    c->calibration->count++;
    return PALI_OK;
}

static pali_status plan(struct calibrating *c, pali_error **error)
{
    size_t capacity = 0;

    TRY(pali__network_visit(&c->model->network, c->model->settings, count_matrix, &capacity, error));
    c->calibration = pali__calloc(1, sizeof *c->calibration);
    if (!c->calibration)
        return pali__no_memory(error, sizeof *c->calibration);
    c->calibration->targets = pali__calloc(capacity, sizeof *c->calibration->targets);
    if (!c->calibration->targets)
        return pali__no_memory(error, capacity * sizeof *c->calibration->targets);
    return pali__network_visit(&c->model->network, c->model->settings, plan_matrix, c, error);
}

static void add_shares(struct calibrating *c, struct pali__matrix *const matrices[][PALI__SHARERS_MAX], int n)
{
    for (int i = 0; i < n; i++) {
        int sharers = 1;
        while (sharers < PALI__SHARERS_MAX && matrices[i][sharers])
            sharers++;
        pali__calibration_block_add(&c->block, c->calibration, matrices[i], sharers);
    }
}

static void add_vision_block(struct calibrating *c, int64_t layer)
{
    struct pali__vision_block *block = &c->model->network.vision.blocks[layer];

    add_shares(c, (struct pali__matrix *const[][PALI__SHARERS_MAX]){
        { &block->q.weight, &block->k.weight, &block->v.weight },
        { &block->out.weight }, { &block->fc1.weight }, { &block->fc2.weight } }, 4);
}

static void add_decoder_block(struct calibrating *c, int64_t layer)
{
    struct pali__decoder_block *block = &c->model->network.decoder.blocks[layer];

    add_shares(c, (struct pali__matrix *const[][PALI__SHARERS_MAX]){
        { &block->q, &block->k, &block->v }, { &block->o }, { &block->gate, &block->up }, { &block->down } }, 4);
}

static void add_projector(struct calibrating *c)
{
    pali__calibration_block_add(&c->block, c->calibration,
                                (struct pali__matrix *const[]){ &c->model->network.projector.weight }, 1);
}

static void add_head(struct calibrating *c)
{
    pali__calibration_block_add(&c->block, c->calibration,
                                (struct pali__matrix *const[]){ &c->model->network.decoder.head }, 1);
}

/* ---- a block ---- */

/* Runs the block on all inputs. While it is observed, what comes out is not kept. */
typedef pali_status run_fn(struct calibrating *c, int64_t layer, bool observed, pali_error **error);

static pali_status calibrate_block(struct calibrating *c, run_fn *run, int64_t layer, bool run_on, pali_error **error)
{
    pali_status status = PALI_OK;

    if (c->block.n_shares > 0) {
        status = pali__calibration_block_begin(&c->block, &c->model->compute, error);
        if (status == PALI_OK)
            status = run(c, layer, true, error);
        if (status == PALI_OK)
            status = pali__calibration_block_round(&c->block, &c->how->watch, (double)c->done / (double)c->total, error);
    }
    if (status == PALI_OK && run_on)
        status = run(c, layer, false, error);
    pali__calibration_block_end(&c->block);
    return status;
}

/* ---- the tower ---- */

static int64_t picture_size(const struct calibrating *c)
{
    const struct pali__vision_config *config = &c->model->settings->vision;
    return config->num_channels * config->image_size * config->image_size;
}

enum { ENTER = -1, LEAVE = -2 }; /* in place of a layer: what is before the first, and the projector */

static pali_status run_tower(struct calibrating *c, int64_t layer, bool observed, pali_error **error)
{
    struct pali__tower *tower = &c->tower;
    int64_t size = tower->n * tower->config->hidden_size;
    int64_t features = tower->n * c->model->settings->text.hidden_size;

    tower->observer = observed ? &c->block.observer : NULL;
    for (size_t i = 0; i < c->how->n_inputs; i++) {
        struct pali__calibration_sample *sample = &c->samples[i];
        for (int64_t j = 0; j < sample->n_pictures; j++) {
            float *picture = sample->pictures + j * size;
            if (layer == ENTER) {
                TRY(pali__tower_enter(tower, sample->pixels + j * picture_size(c), error));
            } else {
                memcpy(tower->x, picture, (size_t)size * sizeof(float));
                TRY(layer == LEAVE ? pali__tower_leave(tower, sample->features + j * features, error)
                                   : pali__tower_block_run(tower, layer, error));
            }
            if (!observed)
                memcpy(picture, tower->x, (size_t)size * sizeof(float));
            TRY(step(c, error));
        }
    }
    return PALI_OK;
}

static pali_status calibrate_tower(struct calibrating *c, pali_error **error)
{
    for (size_t i = 0; i < c->how->n_inputs; i++)
        TRY(pali__calibration_sample_pictures(&c->samples[i], c->model, error));
    TRY(pali__tower_init(&c->tower, c->model, 0, error));
    TRY(run_tower(c, ENTER, false, error));
    for (int64_t layer = 0; layer < c->model->settings->vision.num_hidden_layers; layer++) {
        add_vision_block(c, layer);
        TRY(calibrate_block(c, run_tower, layer, true, error));
    }
    add_projector(c);
    return calibrate_block(c, run_tower, LEAVE, true, error);
}

/* ---- the decoder ---- */

enum { HEAD = -3 }; /* in place of a layer */

static pali_status run_decoder(struct calibrating *c, int64_t layer, bool observed, pali_error **error)
{
    struct pali__pass *pass = &c->pass;

    pass->observer = observed ? &c->block.observer : NULL;
    for (size_t i = 0; i < c->how->n_inputs; i++) {
        pali__calibration_sample_enter(&c->samples[i], pass);
        if (layer == HEAD) {
            pali__decoder_end(pass);
            TRY(pali__observe(pass->observer, &c->model->network.decoder.head, pass->x, pass->n_rows, pass->real,
                              error));
        } else {
            TRY(pali__decoder_block_run(pass, layer, error));
        }
        if (!observed)
            pali__calibration_sample_leave(&c->samples[i], pass);
        TRY(step(c, error));
    }
    return PALI_OK;
}

static pali_status calibrate_decoder(struct calibrating *c, pali_error **error)
{
    int64_t longest = 0;

    for (size_t i = 0; i < c->how->n_inputs; i++) {
        TRY(pali__calibration_sample_rows(&c->samples[i], c->model, 0, error));
        longest = c->samples[i].n_rows > longest ? c->samples[i].n_rows : longest;
        TRY(step(c, error));
    }
    TRY(pali__pass_init(&c->pass, c->model, 0, NULL, longest, error));
    for (int64_t layer = 0; layer <= c->last && layer < c->model->settings->text.num_hidden_layers; layer++) {
        add_decoder_block(c, layer);
        TRY(calibrate_block(c, run_decoder, layer, layer < c->last, error));
    }
    add_head(c);
    return calibrate_block(c, run_decoder, HEAD, false, error);
}

/* ---- the whole ---- */

/* How often the block that was added is to run on each input: once more if it is observed. */
static int64_t count_runs(struct calibrating *c, int64_t runs)
{
    runs += c->block.n_shares > 0;
    c->block.n_shares = 0;
    return runs;
}

static int64_t last_rounded(struct calibrating *c)
{
    int64_t layer = c->model->settings->text.num_hidden_layers;

    add_head(c);
    while (count_runs(c, 0) == 0 && --layer >= 0)
        add_decoder_block(c, layer);
    return layer;
}

/* Sets c->last and c->total, and says whether the tower has to run block by block: anything in it or its projector is rounded. */
static bool count_all_runs(struct calibrating *c)
{
    const struct pali__settings *settings = c->model->settings;
    int64_t n_layers = settings->vision.num_hidden_layers, of_picture = 1, of_input = 1, n_pictures = 0;

    for (int64_t layer = 0; layer < n_layers; layer++) {
        add_vision_block(c, layer);
        of_picture += count_runs(c, 1);
    }
    add_projector(c);
    of_picture += count_runs(c, 1);
    c->last = last_rounded(c);
    for (int64_t layer = 0; layer <= c->last && layer < settings->text.num_hidden_layers; layer++) {
        add_decoder_block(c, layer);
        of_input += count_runs(c, layer < c->last);
    }
    add_head(c);
    of_input += count_runs(c, 0);
    for (size_t i = 0; i < c->how->n_inputs; i++) {
        const pali_tensor *pixels = pali_inputs_get(c->how->inputs[i], "pixel_values");
        n_pictures += pixels && pixels->rank > 0 ? pixels->shape[0] : 0;
    }
    bool rounds_tower = of_picture > n_layers + 2;
    c->total = (int64_t)c->how->n_inputs * of_input + (rounds_tower ? n_pictures * of_picture : 0);
    return rounds_tower;
}

static pali_status run(struct calibrating *c, pali_error **error)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;

    options.dtype = PALI_FLOAT32;
    options.threads = c->how->threads;
    for (size_t i = 0; i < c->how->n_inputs; i++)
        if (!c->how->inputs[i])
            return pali__fail(error, PALI_ERROR_ARGUMENT, "calibration[%zu] is NULL", i);
    TRY(pali_model_load(&c->model, c->how->in_dir, &options, error));
    TRY(plan(c, error));
    c->samples = pali__calloc(c->how->n_inputs, sizeof *c->samples);
    if (!c->samples)
        return pali__no_memory(error, c->how->n_inputs * sizeof *c->samples);
    for (size_t i = 0; i < c->how->n_inputs; i++)
        c->samples[i].inputs = c->how->inputs[i];
    if (count_all_runs(c))
        TRY(calibrate_tower(c, error));
    return calibrate_decoder(c, error);
}

pali_status pali__calibrate(struct pali__calibration **out, const struct pali__calibrate *how, pali_error **error)
{
    struct calibrating c = { .how = how };
    pali_status status = run(&c, error);

    for (size_t i = 0; c.samples && i < how->n_inputs; i++)
        pali__calibration_sample_clear(&c.samples[i]);
    pali__free(c.samples);
    pali__tower_clear(&c.tower);
    pali__pass_clear(&c.pass);
    pali_model_free(c.model);
    if (status != PALI_OK) {
        pali__calibration_free(c.calibration);
        c.calibration = NULL;
    }
    *out = c.calibration;
    return status;
}

void pali__calibration_free(struct pali__calibration *calibration)
{
    if (!calibration)
        return;
    for (size_t i = 0; i < calibration->count; i++) {
        struct pali__rounded_matrix *rounded = &calibration->targets[i].rounded;
        pali__aligned_free(rounded->codes);
        pali__aligned_free(rounded->scales);
        pali__free(rounded->zero_points);
    }
    pali__free(calibration->targets);
    pali__free(calibration);
}

size_t pali__calibration_count(const struct pali__calibration *calibration)
{
    return calibration->count;
}

struct pali__rounded_matrix *pali__calibration_get(struct pali__calibration *calibration, size_t index)
{
    return &calibration->targets[index].rounded;
}
