/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mask VQ-VAE of Ning et al. (https://arxiv.org/abs/2301.02229), as PaliGemma uses it (big_vision,
 * evaluators/proj/paligemma/transfers/segmentation.py and pp/proj/paligemma/segmentation.py):
 *
 *     16 indices -> codebook [4, 4, 512] -> conv 512→128, ReLU -> 2 blocks -> 4 × (transposed conv, ReLU), side
 *     4 to 64, channels 128, 64, 32, 16 -> conv 16→1 -> mask [64, 64]
 *     mask -> 2(x - 1/2) -> 4 × (conv stride 2, ReLU), side 64 to 4, channels 16, 32, 64, 128 -> 2 blocks
 *     -> conv 128→512 -> the nearest row of the codebook at each of the 16 places
 *     block: x + conv1×1(relu(conv3×3(relu(conv3×3(x)))))
 *
 * Pixels are [channels, side, side]. A convolution is one matrix product: weights [n_out, n_in·side²] with the columns
 * [n_in·side², pixels], which hold for each pixel what the kernel sees around it.
 */
#include "structured/mask_network.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"

enum {
    CODES = PALI__CODE_SIDE * PALI__CODE_SIDE,
    ACTIVATION_LIMIT = 16 * PALI_SEGMENT_SIDE * PALI_SEGMENT_SIDE, /* of any layer */
    COLUMN_LIMIT = 16 * 16 * 32 * 32                         /* the last UP layer's; all others have fewer */
};

/* What a pass works in. x holds the pixels of the layer before. */
struct pass {
    const pali_mask_decoder *decoder;
    int32_t side; /* of x */
    float *x, *y; /* [ACTIVATION_LIMIT] */
    float *before_block;
    float *columns; /* [COLUMN_LIMIT] */
    float *memory;
};

static pali_status pass_begin(struct pass *pass, const pali_mask_decoder *decoder, int32_t side, pali_error **error)
{
    const size_t size = ((size_t)ACTIVATION_LIMIT * 3 + COLUMN_LIMIT) * sizeof(float);
    *pass = (struct pass){ .decoder = decoder, .side = side };
    pass->memory = pali__aligned_malloc(size);
    if (!pass->memory)
        return pali__no_memory(error, size);
    pass->x = pass->memory;
    pass->y = pass->x + ACTIVATION_LIMIT;
    pass->before_block = pass->y + ACTIVATION_LIMIT;
    pass->columns = pass->before_block + ACTIVATION_LIMIT;
    return PALI_OK;
}

static void pass_end(struct pass *pass) { pali__aligned_free(pass->memory); }

/* columns[(c, ky, kx), (y, x)] = the pixel of channel c at (y·stride + ky - padding, x·stride + kx - padding), or 0. */
static void gather_columns(const struct pass *pass, const struct pali__layer_shape *layer, int32_t stride,
                           int32_t padding, int32_t new_side)
{
    const int32_t side = pass->side;
    float *to = pass->columns;
    for (int32_t c = 0; c < layer->n_in; c++)
        for (int32_t ky = 0; ky < layer->side; ky++)
            for (int32_t kx = 0; kx < layer->side; kx++)
                for (int32_t y = 0; y < new_side; y++)
                    for (int32_t x = 0; x < new_side; x++) {
                        const int32_t from_y = y * stride + ky - padding, from_x = x * stride + kx - padding;
                        const bool inside = from_y >= 0 && from_y < side && from_x >= 0 && from_x < side;
                        *to++ = inside ? pass->x[((size_t)c * (size_t)side + (size_t)from_y) * (size_t)side +
                                                 (size_t)from_x]
                                       : 0.0f;
                    }
}

/* y[o, 2y + ky - 1, 2x + kx - 1] += columns[(o, ky, kx), (y, x)], where that is inside. */
static void scatter_columns(const struct pass *pass, const struct pali__layer_shape *layer, int32_t new_side)
{
    const float *from = pass->columns;
    for (int32_t o = 0; o < layer->n_out; o++)
        for (int32_t ky = 0; ky < layer->side; ky++)
            for (int32_t kx = 0; kx < layer->side; kx++)
                for (int32_t y = 0; y < pass->side; y++)
                    for (int32_t x = 0; x < pass->side; x++, from++) {
                        const int32_t to_y = 2 * y + ky - 1, to_x = 2 * x + kx - 1;
                        if (to_y >= 0 && to_y < new_side && to_x >= 0 && to_x < new_side)
                            pass->y[((size_t)o * (size_t)new_side + (size_t)to_y) * (size_t)new_side + (size_t)to_x] +=
                                *from;
                    }
}

static void relu(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

/* x becomes layer `index` of x. */
static void run_layer(struct pass *pass, int index, bool with_relu)
{
    const struct pali__layer_shape *layer = &pali__layer_shapes[index];
    const float *weight = pass->decoder->weight[index];
    const int64_t n_kernel = (int64_t)layer->side * layer->side, n_pixels = (int64_t)pass->side * pass->side;
    const int32_t new_side = layer->kind == PALI__LAYER_UP     ? pass->side * 2
                             : layer->kind == PALI__LAYER_DOWN ? pass->side / 2
                                                               : pass->side;
    const int64_t n_new = (int64_t)new_side * new_side;
    for (int64_t o = 0; o < layer->n_out; o++)
        for (int64_t i = 0; i < n_new; i++)
            pass->y[o * n_new + i] = pass->decoder->bias[index][o];

    if (layer->kind == PALI__LAYER_UP) {
        pass->decoder->kernels->product(pass->columns, n_pixels, weight, layer->n_in, pass->x, n_pixels,
                                        layer->n_out * n_kernel, n_pixels, layer->n_in, false);
        scatter_columns(pass, layer, new_side);
    } else {
        const bool down = layer->kind == PALI__LAYER_DOWN;
        const float *columns = pass->x;
        if (layer->side > 1) {
            gather_columns(pass, layer, down ? 2 : 1, down ? 1 : layer->side / 2, new_side);
            columns = pass->columns;
        }
        const int64_t n_seen = layer->n_in * n_kernel;
        pass->decoder->kernels->product(pass->y, n_new, weight, n_seen, columns, n_new, layer->n_out, n_new, n_seen,
                                        true);
    }
    if (with_relu)
        relu(pass->y, (size_t)(layer->n_out * n_new));
    float *old = pass->x;
    pass->x = pass->y;
    pass->y = old;
    pass->side = new_side;
}

/* Two residual blocks, whose six layers begin at `index`. */
static void run_blocks(struct pass *pass, int index)
{
    const size_t count = (size_t)pali__layer_shapes[index].n_in * (size_t)pass->side * (size_t)pass->side;
    for (int block = 0; block < 2; block++, index += 3) {
        memcpy(pass->before_block, pass->x, count * sizeof(float));
        run_layer(pass, index, true);
        run_layer(pass, index + 1, true);
        run_layer(pass, index + 2, false);
        pass->decoder->kernels->add(pass->x, pass->before_block, (int64_t)count);
    }
}

/* The row of the codebook that is nearest to the 512 values of pixel `place`; the first of equal ones. */
static int32_t nearest_code(const struct pass *pass, int place)
{
    int32_t best = 0;
    double best_distance = 0.0;
    for (int32_t code = 0; code < PALI_SEG_COUNT; code++) {
        const float *row = pass->decoder->codebook + (size_t)code * PALI__CODE_WIDTH;
        double distance = 0.0;
        for (int c = 0; c < PALI__CODE_WIDTH; c++) {
            const double difference = (double)pass->x[c * CODES + place] - (double)row[c];
            distance += difference * difference;
        }
        if (code == 0 || distance < best_distance) {
            best = code;
            best_distance = distance;
        }
    }
    return best;
}

pali_status pali_mask_decoder_decode(const pali_mask_decoder *decoder, const int32_t *seg, float *mask,
                                     pali_error **error)
{
    if (!decoder || !seg || !mask)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_mask_decoder_decode: %s is NULL",
                          !decoder ? "decoder" : !seg ? "seg" : "mask");
    for (int i = 0; i < CODES; i++)
        if (seg[i] < 0 || seg[i] >= PALI_SEG_COUNT)
            return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_mask_decoder_decode: seg[%d] is %ld, expected 0 to %d",
                              i, (long)seg[i], PALI_SEG_COUNT - 1);
    struct pass pass;
    TRY(pass_begin(&pass, decoder, PALI__CODE_SIDE, error));
    for (int c = 0; c < PALI__CODE_WIDTH; c++)
        for (int place = 0; place < CODES; place++)
            pass.x[c * CODES + place] = decoder->codebook[seg[place] * PALI__CODE_WIDTH + c];

    run_layer(&pass, PALI__DECODER_IN, true);
    run_blocks(&pass, PALI__DECODER_BLOCKS);
    for (int i = PALI__DECODER_UP; i < PALI__DECODER_OUT; i++)
        run_layer(&pass, i, true);
    run_layer(&pass, PALI__DECODER_OUT, false);
    memcpy(mask, pass.x, (size_t)PALI_SEGMENT_SIDE * PALI_SEGMENT_SIDE * sizeof(float));
    pass_end(&pass);
    return PALI_OK;
}

pali_status pali_mask_decoder_encode(const pali_mask_decoder *decoder, const float *mask, int32_t *seg,
                                     pali_error **error)
{
    if (!decoder || !mask || !seg)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_mask_decoder_encode: %s is NULL",
                          !decoder ? "decoder" : !mask ? "mask" : "seg");
    if (!decoder->has_encoder)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "pali_mask_decoder_encode: the file of the mask decoder has no encoder.… tensors");
    struct pass pass;
    TRY(pass_begin(&pass, decoder, PALI_SEGMENT_SIDE, error));
    for (int i = 0; i < PALI_SEGMENT_SIDE * PALI_SEGMENT_SIDE; i++)
        pass.x[i] = 2.0f * (mask[i] - 0.5f);

    for (int i = PALI__ENCODER_DOWN; i < PALI__ENCODER_BLOCKS; i++)
        run_layer(&pass, i, true);
    run_blocks(&pass, PALI__ENCODER_BLOCKS);
    run_layer(&pass, PALI__ENCODER_OUT, false);
    for (int place = 0; place < CODES; place++)
        seg[place] = nearest_code(&pass, place);
    pass_end(&pass);
    return PALI_OK;
}
