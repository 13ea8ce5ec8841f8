/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/segmentation.h
 * Masks: 16 <seg> tokens to a mask of 64 × 64 and back through the published VQ-VAE, the mask in the picture, and
 * COCO's run-length encoding (PARITY §15).
 *
 * A mask in a picture is [height, width] uint8, rows top to bottom, contiguous. Where it is read, 0 is off and anything
 * else is on.
 */
#ifndef PALIGEMMA_SEGMENTATION_H
#define PALIGEMMA_SEGMENTATION_H

#include <paligemma/base.h>
#include <paligemma/structured.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PALI_SEG_TOKENS 16 /**< tokens of one mask */
#define PALI_SEG_COUNT 128 /**< <seg000>…<seg127> */
#define PALI_SEGMENT_SIDE 64  /**< side of the mask that they stand for */

/** The VQ-VAE of https://arxiv.org/abs/2301.02229. Immutable; any number of threads may use it. */
typedef struct pali_mask_decoder pali_mask_decoder;

/**
 * Reads the weights from the file `path`: `vae-oid.npz` as published for PaliGemma
 * (storage.googleapis.com/big_vision/paligemma/vae-oid.npz), or a safetensors file with the same names. Needed are
 * `_vq_vae._embedding` [128, 512] and `decoder.…`; `encoder.…` may be absent. float32, float16, bfloat16 (safetensors)
 * or float64; the file is not needed any more afterwards.
 * @return PALI_ERROR_IO; PALI_ERROR_FORMAT (malformed file, or a tensor is missing); PALI_ERROR_SHAPE (a tensor of
 * another shape); PALI_ERROR_UNSUPPORTED (compressed .npz). The message names file and tensor. Since 0.1.
 */
PALI_API pali_status pali_mask_decoder_load(pali_mask_decoder **out, const char *path, pali_error **error);

/** Ends it. NULL is fine. Since 0.1. */
PALI_API void pali_mask_decoder_free(pali_mask_decoder *decoder);

/** 1 if the file had the encoder too, so that pali_mask_decoder_encode works; else 0. Since 0.1. */
PALI_API int pali_mask_decoder_has_encoder(const pali_mask_decoder *decoder);

/**
 * The mask of 16 indices. seg: [16], each 0…127; mask: [64, 64] float32, nominally -1 (off) … 1 (on).
 * @return PALI_ERROR_ARGUMENT for an index out of range. Since 0.1.
 */
PALI_API pali_status pali_mask_decoder_decode(const pali_mask_decoder *decoder, const int32_t *seg, float *mask,
                                      pali_error **error);

/**
 * The reverse: the 16 indices of a mask. mask: [64, 64] float32, 0 (off) … 1 (on); seg: [16].
 * @return PALI_ERROR_UNSUPPORTED if the file had no encoder. Since 0.1.
 */
PALI_API pali_status pali_mask_decoder_encode(const pali_mask_decoder *decoder, const float *mask, int32_t *seg,
                                      pali_error **error);

/** How a mask of 64 × 64 gets into the picture. Values are never renumbered. */
typedef enum pali_segment_form {
    PALI_SEGMENT_HARD = 0, /**< as big_vision's evaluator: box cut to whole pixels, bilinear, 255 where > 0 */
    PALI_SEGMENT_SOFT = 1  /**< as the Hugging Face demo: box rounded to whole pixels, clip(m/2 + 1/2) · 255 as uint8,
                             bicubic: 0…255 */
} pali_segment_form;

/**
 * The pixels that a box covers in a picture of width × height: box: [4], x_min, y_min, x_max, y_max, the last two just
 * outside. PALI_SEGMENT_HARD cuts fractions off, PALI_SEGMENT_SOFT rounds (half to even, as Python). Returns 1, or 0 if
 * the box has no pixels or is not within 0…1. `box` is set in either case. Since 0.1.
 */
PALI_API int pali_detection_pixels(const pali_detection *detection, int32_t width, int32_t height,
                                   pali_segment_form form, int32_t *box);

/**
 * Sets `out`, [height, width] uint8, to 0 and lays `mask`, [64, 64] as pali_mask_decoder_decode gives it, into the box
 * of `detection` (whose seg is not looked at). Nothing is laid where pali_detection_pixels gives 0. Sides 1…65535;
 * equal to the bit to what numpy and Pillow 13 make. Parse with scale 1023 for big_vision's own pixels. Since 0.1.
 */
PALI_API pali_status pali_segment_paste(uint8_t *out, const float *mask, const pali_detection *detection, int32_t width,
                                     int32_t height, pali_segment_form form, pali_error **error);

/**
 * The reverse of pali_segment_paste, as big_vision prepares its training data: the box of `detection`, rounded to
 * pixels, is cut out of `picture_mask`, [height, width] uint8, and resized (bilinear, antialiased) to mask: [64, 64]
 * float32, 0…1.
 * @return PALI_ERROR_ARGUMENT if the box has no pixels. Since 0.1.
 */
PALI_API pali_status pali_segment_crop(float *mask, const uint8_t *picture_mask, int32_t width, int32_t height,
                                    const pali_detection *detection, pali_error **error);

/**
 * The lengths of the runs in `mask`, [height, width] uint8, column by column, beginning with those that are off
 * (0 if the first pixel is on): COCO's uncompressed `counts`. `*counts` is the caller's, freed with pali_free.
 * Since 0.1.
 */
PALI_API pali_status pali_rle_encode(uint32_t **counts, size_t *n_counts, const uint8_t *mask, int32_t width,
                                     int32_t height, pali_error **error);

/** Sets `mask`, [height, width] uint8, to 0 and 1. PALI_ERROR_FORMAT if the runs are not width · height. Since 0.1. */
PALI_API pali_status pali_rle_decode(uint8_t *mask, const uint32_t *counts, size_t n_counts, int32_t width,
                                     int32_t height, pali_error **error);

/** Runs as the text that COCO and pycocotools use. `*text` is the caller's, freed with pali_free. Since 0.1. */
PALI_API pali_status pali_rle_to_text(char **text, const uint32_t *counts, size_t n_counts, pali_error **error);

/** The reverse. PALI_ERROR_FORMAT for what is no such text. `*counts` is freed with pali_free. Since 0.1. */
PALI_API pali_status pali_rle_from_text(uint32_t **counts, size_t *n_counts, const char *text, pali_error **error);

#ifdef __cplusplus
}
#endif
#endif
