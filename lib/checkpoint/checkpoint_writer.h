/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes the tensors of a checkpoint directory, in memory that does not grow with them: first the list of names, dtypes
 * and shapes, which decides files and headers; then the writer asks for the bytes of one tensor after another.
 * Files are model.safetensors, or model-00001-of-000NN.safetensors with model.safetensors.index.json, cut as
 * Transformers' save_pretrained cuts them.
 */
#ifndef PALI_CHECKPOINT_CHECKPOINT_WRITER_H
#define PALI_CHECKPOINT_CHECKPOINT_WRITER_H

#include "core/error.h"
#include "core/tensor_set.h"

struct pali__checkpoint_writer;

/* The `count` entries, whose data is not looked at, are borrowed until the writer ends. A shard has at most
 * `max_shard_size` bytes of data, unless one tensor alone has more. */
pali_status pali__checkpoint_writer_open(struct pali__checkpoint_writer **out, const char *directory,
                                         const struct pali__tensor_entry *tensors, size_t count,
                                         int64_t max_shard_size, pali_error **error);

/* The tensor whose bytes come next, one of those in the list; NULL when all are written. */
const struct pali__tensor_entry *pali__checkpoint_writer_next(const struct pali__checkpoint_writer *writer);

/* The next `size` bytes of that tensor, which may come in any number of pieces. */
pali_status pali__checkpoint_writer_write(struct pali__checkpoint_writer *writer, const void *data, size_t size,
                                          pali_error **error);

/* Bytes of all tensors together. */
int64_t pali__checkpoint_writer_total(const struct pali__checkpoint_writer *writer);

/* Finish, when all are written, puts the index in place; either ends the writer. Files that are complete stay. */
pali_status pali__checkpoint_writer_finish(struct pali__checkpoint_writer *writer, pali_error **error);
void pali__checkpoint_writer_abort(struct pali__checkpoint_writer *writer);

#endif
