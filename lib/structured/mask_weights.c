/* SPDX-License-Identifier: BSD-2-Clause */
/* The mask VQ-VAE's weights: the list of all of them, and where they come from. */
#include "structured/mask_network.h"

#include <stdio.h>
#include <string.h>

#include "checkpoint/npz.h"
#include "core/memory.h"
#include "kernels/ops.h"

#define SAME PALI__LAYER_SAME
#define DOWN PALI__LAYER_DOWN
#define UP PALI__LAYER_UP

const struct pali__layer_shape pali__layer_shapes[PALI__N_LAYERS] = {
    { "decoder.0", SAME, 512, 128, 1 },
    { "decoder.2.net.0", SAME, 128, 128, 3 }, { "decoder.2.net.2", SAME, 128, 128, 3 },
    { "decoder.2.net.4", SAME, 128, 128, 1 },
    { "decoder.3.net.0", SAME, 128, 128, 3 }, { "decoder.3.net.2", SAME, 128, 128, 3 },
    { "decoder.3.net.4", SAME, 128, 128, 1 },
    { "decoder.4", UP, 128, 128, 4 }, { "decoder.6", UP, 128, 64, 4 },
    { "decoder.8", UP, 64, 32, 4 },   { "decoder.10", UP, 32, 16, 4 },
    { "decoder.12", SAME, 16, 1, 1 },
    { "encoder.0", DOWN, 1, 16, 4 },  { "encoder.2", DOWN, 16, 32, 4 },
    { "encoder.4", DOWN, 32, 64, 4 }, { "encoder.6", DOWN, 64, 128, 4 },
    { "encoder.8.net.0", SAME, 128, 128, 3 }, { "encoder.8.net.2", SAME, 128, 128, 3 },
    { "encoder.8.net.4", SAME, 128, 128, 1 },
    { "encoder.9.net.0", SAME, 128, 128, 3 }, { "encoder.9.net.2", SAME, 128, 128, 3 },
    { "encoder.9.net.4", SAME, 128, 128, 1 },
    { "encoder.10", SAME, 128, 512, 1 },
};

/* An open file of named tensors, for the functions below. */
struct source {
    struct pali__safetensors file;
    const char *path;
    pali_error **error;
};

static const pali_tensor *find(const struct source *source, const char *name)
{
    for (size_t i = 0; i < source->file.count; i++)
        if (strcmp(source->file.tensors[i].name, name) == 0)
            return &source->file.tensors[i].tensor;
    return NULL;
}

/* "[128, 512]" */
static const char *shape_text(char *text, size_t room, int32_t rank, const int64_t *shape)
{
    size_t size = (size_t)snprintf(text, room, "[");
    for (int32_t i = 0; i < rank && size < room; i++)
        size += (size_t)snprintf(text + size, room - size, "%s%lld", i ? ", " : "", (long long)shape[i]);
    if (size < room)
        snprintf(text + size, room - size, "]");
    return text;
}

static bool is_float(pali_dtype dtype)
{
    return dtype == PALI_FLOAT32 || dtype == PALI_BFLOAT16 || dtype == PALI_FLOAT16 || dtype == PALI_FLOAT64;
}

/* A float32 copy of tensor `name`, which must have this shape. */
static pali_status take(float **out, const struct source *source, const char *name, int32_t rank, const int64_t *shape)
{
    const pali_tensor *tensor = find(source, name);
    if (!tensor)
        return pali__fail(source->error, PALI_ERROR_FORMAT, "'%s': tensor \"%s\" is missing", source->path, name);
    if (tensor->rank != rank || memcmp(tensor->shape, shape, (size_t)rank * sizeof *shape) != 0) {
        char found[128], wanted[128];
        return pali__fail(source->error, PALI_ERROR_SHAPE, "'%s': tensor \"%s\" has shape %s, %s was expected",
                          source->path, name, shape_text(found, sizeof found, tensor->rank, tensor->shape),
                          shape_text(wanted, sizeof wanted, rank, shape));
    }
    if (!is_float(tensor->dtype))
        return pali__fail(source->error, PALI_ERROR_UNSUPPORTED,
                          "'%s': tensor \"%s\" has type %s, a floating-point type was expected", source->path, name,
                          pali_dtype_name(tensor->dtype));
    /* In the file it may lie anywhere, the conversion wants it aligned. */
    const size_t count = (size_t)pali_tensor_count(tensor), size = pali__tensor_size(tensor);
    void *aligned = pali__aligned_malloc(size);
    *out = pali__aligned_malloc(count * sizeof(float));
    if (aligned && *out) {
        memcpy(aligned, tensor->data, size);
        pali__to_float(*out, aligned, tensor->dtype, (int64_t)count);
    }
    pali_status status = aligned && *out ? PALI_OK : pali__no_memory(source->error, size);
    pali__aligned_free(aligned);
    return status;
}

/* [n_in, n_out · side²] to [n_out · side², n_in], so that its product with the pixels is one matrix product. */
static pali_status turn_weight(pali_mask_decoder *decoder, int index, pali_error **error)
{
    const struct pali__layer_shape *layer = &pali__layer_shapes[index];
    const int64_t n_rows = layer->n_in, n_columns = (int64_t)layer->n_out * layer->side * layer->side;
    float *turned = pali__aligned_malloc((size_t)(n_rows * n_columns) * sizeof(float));
    if (!turned)
        return pali__no_memory(error, (size_t)(n_rows * n_columns) * sizeof(float));
    decoder->kernels->transpose(turned, n_rows, decoder->weight[index], n_columns, n_rows, n_columns);
    pali__aligned_free(decoder->weight[index]);
    decoder->weight[index] = turned;
    return PALI_OK;
}

static pali_status take_layer(pali_mask_decoder *decoder, const struct source *source, int index)
{
    const struct pali__layer_shape *layer = &pali__layer_shapes[index];
    const bool up = layer->kind == UP;
    const int64_t shape[4] = { up ? layer->n_in : layer->n_out, up ? layer->n_out : layer->n_in, layer->side,
                               layer->side };
    const int64_t bias_shape[1] = { layer->n_out };
    char name[64];
    snprintf(name, sizeof name, "%s.weight", layer->name);
    TRY(take(&decoder->weight[index], source, name, 4, shape));
    snprintf(name, sizeof name, "%s.bias", layer->name);
    TRY(take(&decoder->bias[index], source, name, 1, bias_shape));
    return up ? turn_weight(decoder, index, source->error) : PALI_OK;
}

static pali_status take_all(pali_mask_decoder *decoder, const struct source *source)
{
    const int64_t codebook_shape[2] = { PALI_SEG_COUNT, PALI__CODE_WIDTH };
    for (size_t i = 0; i < source->file.count; i++)
        if (strncmp(source->file.tensors[i].name, "encoder.", 8) == 0)
            decoder->has_encoder = true;
    TRY(take(&decoder->codebook, source, "_vq_vae._embedding", 2, codebook_shape));
    for (int i = 0; i < (decoder->has_encoder ? PALI__N_LAYERS : PALI__ENCODER_DOWN); i++)
        TRY(take_layer(decoder, source, i));
    return PALI_OK;
}

pali_status pali_mask_decoder_load(pali_mask_decoder **out, const char *path, pali_error **error)
{
    if (!out)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_mask_decoder_load: out is NULL");
    *out = NULL;
    if (!path)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_mask_decoder_load: path is NULL");
    struct source source = { .path = path, .error = error };
    TRY(pali__named_tensors_open(&source.file, path, error));
    pali_mask_decoder *decoder = pali__calloc(1, sizeof *decoder);
    pali_status status = decoder ? PALI_OK : pali__no_memory(error, sizeof *decoder);
    if (status == PALI_OK) {
        decoder->kernels = pali__kernels_get(pali__cpu_level());
        status = take_all(decoder, &source);
    }
    pali__safetensors_close(&source.file);
    if (status == PALI_OK)
        *out = decoder;
    else
        pali_mask_decoder_free(decoder);
    return status;
}

void pali_mask_decoder_free(pali_mask_decoder *decoder)
{
    if (!decoder)
        return;
    for (int i = 0; i < PALI__N_LAYERS; i++) {
        pali__aligned_free(decoder->weight[i]);
        pali__aligned_free(decoder->bias[i]);
    }
    pali__aligned_free(decoder->codebook);
    pali__free(decoder);
}

int pali_mask_decoder_has_encoder(const pali_mask_decoder *decoder) { return decoder && decoder->has_encoder; }
