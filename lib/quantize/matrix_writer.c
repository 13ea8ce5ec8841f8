/* SPDX-License-Identifier: BSD-2-Clause */
#include "quantize/matrix_writer.h"

#include <string.h>

#include "core/memory.h"

pali_status pali__matrix_writer_init(struct pali__matrix_writer *writer, struct pali__rewrite *rewrite, int32_t threads,
                                     int64_t widest, pali_error **error)
{
    writer->rewrite = rewrite;
    pali__compute_init(&writer->compute, PALI_FLOAT32, threads);
    writer->chunk_size = widest > PALI__REWRITE_CHUNK ? widest : PALI__REWRITE_CHUNK;
    writer->values = pali__aligned_malloc((size_t)writer->chunk_size * sizeof *writer->values);
    writer->codes = pali__aligned_malloc((size_t)writer->chunk_size * 4); /* a row of one weight has four bytes */
    return writer->values && writer->codes ? PALI_OK : pali__no_memory(error, (size_t)writer->chunk_size * 4);
}

void pali__matrix_writer_clear(struct pali__matrix_writer *writer)
{
    pali__aligned_free(writer->values);
    pali__aligned_free(writer->codes);
}

void pali__written_matrix_clear(struct pali__written_matrix *matrix)
{
    pali__aligned_free(matrix->codes);
    pali__aligned_free(matrix->scales);
    pali__free(matrix->zero_points);
    matrix->codes = NULL;
    matrix->scales = NULL;
    matrix->zero_points = NULL;
}

/* ---- rounding ---- */

/* Of the name that the codes have in the file, what the input calls the matrix. */
static int weight_name_length(const char *codes_name)
{
    const char *suffix = strstr(codes_name, "_packed");

    return (int)(suffix ? (size_t)(suffix - codes_name) : strlen(codes_name));
}

/* The codes of some rows of the matrix, to writer->codes; their scales and zero points into the matrix. */
static pali_status round_rows(struct pali__matrix_writer *writer, struct pali__written_matrix *matrix,
                              const struct pali__rewrite_source *source, int64_t first, int64_t n_rows,
                              pali_error **error)
{
    size_t scale_size = (size_t)matrix->n_groups * pali_dtype_size(matrix->rounding.scale_dtype);
    const pali_tensor *tensor = source->tensor;
    const char *data = (const char *)tensor->data + (size_t)(first * matrix->n_in) * pali_dtype_size(tensor->dtype);

    pali__to_float(writer->values, data, tensor->dtype, n_rows * matrix->n_in);
    if (!pali__all_finite(writer->values, n_rows * matrix->n_in))
        return pali__fail(error, PALI_ERROR_FORMAT,
                          "%s: tensor %.*s has an infinite value or one that is no number, which has no place among integers",
                          writer->rewrite->in_dir, weight_name_length(source->name), source->name);
    pali__round_weights(&writer->compute, &matrix->rounding, writer->values, n_rows, matrix->n_in, writer->codes,
                        (char *)matrix->scales + (size_t)first * scale_size,
                        matrix->zero_points ? matrix->zero_points + first * matrix->n_groups : NULL);
    return PALI_OK;
}

/* Rounds the matrix from its first row to its last, and writes the codes unless the scales alone are wanted. */
static pali_status round_matrix(struct pali__matrix_writer *writer, struct pali__written_matrix *matrix,
                                const struct pali__rewrite_source *source, bool writes, pali_error **error)
{
    int64_t rows_per_chunk = writer->chunk_size / matrix->n_in;
    size_t row_size = (size_t)pali__code_row_size(matrix->rounding.code, matrix->n_in);
    size_t n_scales = (size_t)(matrix->n_out * matrix->n_groups);

    if (!matrix->scales) {
        matrix->scales = pali__aligned_malloc(n_scales * pali_dtype_size(matrix->rounding.scale_dtype));
        matrix->zero_points = matrix->rounding.symmetric ? NULL : pali__malloc(n_scales);
    }
    if (!matrix->scales || (!matrix->rounding.symmetric && !matrix->zero_points))
        return pali__no_memory(error, n_scales);
    for (int64_t first = 0; first < matrix->n_out; first += rows_per_chunk) {
        int64_t left = matrix->n_out - first, n_rows = left < rows_per_chunk ? left : rows_per_chunk;
        TRY(round_rows(writer, matrix, source, first, n_rows, error));
        if (writes)
            TRY(pali__rewrite_put(writer->rewrite, writer->codes, (size_t)n_rows * row_size, error));
    }
    return PALI_OK;
}

/* ---- parts ---- */

/* As many outputs of a group in a word as codes of a row, the first in the lowest bits. */
static pali_status write_zero_points(struct pali__matrix_writer *writer, const struct pali__written_matrix *matrix,
                                     pali_error **error)
{
    int bits = matrix->group->num_bits, per_word = 32 / bits, offset = 1 << (bits - 1);
    size_t n_words = (size_t)((matrix->n_out + per_word - 1) / per_word * matrix->n_groups);
    uint32_t *words = pali__calloc(n_words, sizeof *words);

    if (!words)
        return pali__no_memory(error, n_words * sizeof *words);
    for (int64_t row = 0; row < matrix->n_out; row++)
        for (int64_t g = 0; g < matrix->n_groups; g++) {
            uint32_t code = (uint32_t)(matrix->zero_points[row * matrix->n_groups + g] + offset);
            words[row / per_word * matrix->n_groups + g] |= code << (row % per_word * bits);
        }
    pali_status status = pali__rewrite_put(writer->rewrite, words, n_words * sizeof *words, error);
    pali__free(words);
    return status;
}

static pali_status write_part(struct pali__matrix_writer *writer, struct pali__written_matrix *matrix,
                              enum pali__part part, const struct pali__rewrite_source *source, pali_error **error)
{
    int64_t shape[2] = { matrix->n_out, matrix->n_in };

    if (part == PALI__PART_SHAPE)
        return pali__rewrite_put(writer->rewrite, shape, sizeof shape, error);
    if (part == PALI__PART_CODES && matrix->codes)
        return pali__rewrite_put(writer->rewrite, matrix->codes,
                                 (size_t)(matrix->n_out * pali__code_row_size(matrix->rounding.code, matrix->n_in)),
                                 error);
    if (part == PALI__PART_CODES)
        return round_matrix(writer, matrix, source, true, error);
    if (!matrix->scales) /* a file, or a shard, whose codes come later */
        TRY(round_matrix(writer, matrix, source, false, error));
    if (part == PALI__PART_ZERO_POINTS)
        return write_zero_points(writer, matrix, error);
    return pali__rewrite_put(writer->rewrite, matrix->scales,
                             (size_t)(matrix->n_out * matrix->n_groups) * pali_dtype_size(matrix->rounding.scale_dtype),
                             error);
}

pali_status pali__matrix_write_part(struct pali__matrix_writer *writer, struct pali__written_matrix *matrix,
                                    enum pali__part part, const struct pali__rewrite_source *source,
                                    pali_error **error)
{
    pali_status status = write_part(writer, matrix, part, source, error);

    if (--matrix->parts_left == 0)
        pali__written_matrix_clear(matrix);
    return status;
}
