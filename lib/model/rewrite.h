/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A checkpoint directory written anew from another: what saving (model/save.c) and quantizing (quantize/quantize.c) have
 * in common. The source is opened; the caller plans tensors; then it is asked for the bytes of one after another, while
 * everything stands under a temporary name.
 */
#ifndef PALI_MODEL_REWRITE_H
#define PALI_MODEL_REWRITE_H

#include <paligemma/save.h>

#include "checkpoint/checkpoint_writer.h"
#include "core/watch.h"
#include "model/network.h"
#include "model/save_files.h"

/* Values that are converted at a time, or one row where a row has more. */
#define PALI__REWRITE_CHUNK (1 << 20)

struct pali__rewrite {
    const char *in_dir;
    const char *stage; /* "save" */
    struct pali__watch watch;

    pali_config *config;
    const struct pali__settings *settings;
    pali_checkpoint *checkpoint;
    struct pali__network network; /* its arrays of blocks only */

    struct pali__tensor_entry *plan; /* what the files will have; no data */
    struct pali__rewrite_source {
        char *name;                /* canonical */
        const pali_tensor *tensor; /* what the planned one comes from */
        size_t tag;                /* the caller's */
    } *sources;                    /* as many */
    size_t count, capacity;

    struct pali__checkpoint_writer *writer;
    int64_t done, total; /* bytes */
};

/* Opens in_dir, which with stage and watch is set already. Ended by _close, also after a failure. ColPali checkpoints
 * are PALI_ERROR_UNSUPPORTED. */
pali_status pali__rewrite_open(struct pali__rewrite *rewrite, pali_error **error);
void pali__rewrite_close(struct pali__rewrite *rewrite);

/* Plans a tensor of that shape, whose name in the files is the one that `style` gives the canonical `name`. */
pali_status pali__rewrite_plan(struct pali__rewrite *rewrite, const char *name, enum pali_name_style style,
                               pali_dtype dtype, int32_t rank, const int64_t *shape, const pali_tensor *source,
                               size_t tag, pali_error **error);

/* Writes all to out_dir: the planned tensors, each by a call of `write_tensor`, which hands its bytes to _put in one
 * or more pieces; then the other files, with config.json as `edit` leaves it (NULL: as it is). */
struct pali__rewrite_work {
    pali_status (*write_tensor)(void *user, const struct pali__tensor_entry *entry,
                                const struct pali__rewrite_source *source, pali_error **error);
    pali__config_edit *edit;
    void *user;
};
pali_status pali__rewrite_run(struct pali__rewrite *rewrite, const char *out_dir, int64_t max_shard_size,
                              const struct pali__rewrite_work *work, pali_error **error);

/* The next bytes of the tensor that is being written. Reports progress; PALI_ERROR_CANCELLED if the host wants so. */
pali_status pali__rewrite_put(struct pali__rewrite *rewrite, const void *data, size_t size, pali_error **error);

/* The whole of the tensor, as the source has it. */
pali_status pali__rewrite_copy(struct pali__rewrite *rewrite, const pali_tensor *source, pali_error **error);

#endif
