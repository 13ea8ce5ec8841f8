/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/rewrite.h"

#include "checkpoint/tensors.h"
#include "core/directory.h"
#include "core/memory.h"
#include "core/tensor_set.h"

enum { COPY_SIZE = 4 << 20 }; /* bytes between two reports of progress */

pali_status pali__rewrite_open(struct pali__rewrite *rewrite, pali_error **error)
{
    TRY(pali_config_load(&rewrite->config, rewrite->in_dir, error));
    rewrite->settings = pali__config_settings(rewrite->config);
    TRY(pali_checkpoint_open(&rewrite->checkpoint, rewrite->in_dir, error));
    TRY(pali__network_init(&rewrite->network, rewrite->settings, rewrite->checkpoint, error));
    if (rewrite->network.embedding_dim > 0)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "'%s': a ColPali checkpoint cannot be written, only loaded",
                          rewrite->in_dir);
    return PALI_OK;
}

void pali__rewrite_close(struct pali__rewrite *rewrite)
{
    for (size_t i = 0; i < rewrite->count; i++) {
        pali__free(rewrite->plan[i].name);
        pali__free(rewrite->sources[i].name);
    }
    pali__free(rewrite->plan);
    pali__free(rewrite->sources);
    pali__network_clear(&rewrite->network);
    pali_checkpoint_free(rewrite->checkpoint);
    pali_config_free(rewrite->config);
}

/* ---- the plan ---- */

static pali_status make_room(struct pali__rewrite *rewrite, pali_error **error)
{
    size_t capacity = rewrite->capacity ? 2 * rewrite->capacity : 256;
    void *plan, *sources;

    if (rewrite->count < rewrite->capacity)
        return PALI_OK;
    plan = pali__regrow(rewrite->plan, rewrite->capacity * sizeof *rewrite->plan, capacity * sizeof *rewrite->plan);
    if (plan)
        rewrite->plan = plan;
    sources = pali__regrow(rewrite->sources, rewrite->capacity * sizeof *rewrite->sources,
                           capacity * sizeof *rewrite->sources);
    if (sources)
        rewrite->sources = sources;
    if (!plan || !sources)
        return pali__no_memory(error, capacity * sizeof *rewrite->plan);
    rewrite->capacity = capacity;
    return PALI_OK;
}

pali_status pali__rewrite_plan(struct pali__rewrite *rewrite, const char *name, enum pali_name_style style,
                               pali_dtype dtype, int32_t rank, const int64_t *shape, const pali_tensor *source,
                               size_t tag, pali_error **error)
{
    char styled[256];

    if (!pali__styled_name(styled, sizeof styled, name, style))
        return pali__fail(error, PALI_ERROR_INTERNAL, "the name of tensor %s is too long", name);
    TRY(make_room(rewrite, error));
    struct pali__tensor_entry *entry = &rewrite->plan[rewrite->count];
    struct pali__rewrite_source *from = &rewrite->sources[rewrite->count++];
    *entry = (struct pali__tensor_entry){ pali__strdup(styled), pali_tensor_view(NULL, dtype, rank, shape) };
    *from = (struct pali__rewrite_source){ pali__strdup(name), source, tag };
    return entry->name && from->name ? PALI_OK : pali__no_memory(error, sizeof styled);
}

/* ---- writing ---- */

pali_status pali__rewrite_put(struct pali__rewrite *rewrite, const void *data, size_t size, pali_error **error)
{
    TRY(pali__checkpoint_writer_write(rewrite->writer, data, size, error));
    rewrite->done += (int64_t)size;
    if (rewrite->watch.progress && rewrite->watch.progress(rewrite->watch.user, rewrite->stage,
                                                           (double)rewrite->done / (double)rewrite->total))
        return pali__fail(error, PALI_ERROR_CANCELLED, "%s: the %s pass was cancelled", rewrite->in_dir,
                          rewrite->stage);
    return PALI_OK;
}

pali_status pali__rewrite_copy(struct pali__rewrite *rewrite, const pali_tensor *source, pali_error **error)
{
    const char *data = source->data;
    size_t size = (size_t)pali_tensor_count(source) * pali_dtype_size(source->dtype);

    for (size_t at = 0; at < size; at += COPY_SIZE)
        TRY(pali__rewrite_put(rewrite, data + at, size - at < COPY_SIZE ? size - at : COPY_SIZE, error));
    return PALI_OK;
}

static pali_status write_weights(struct pali__rewrite *rewrite, const char *directory, int64_t max_shard_size,
                                 const struct pali__rewrite_work *work, pali_error **error)
{
    const struct pali__tensor_entry *entry;

    TRY(pali__checkpoint_writer_open(&rewrite->writer, directory, rewrite->plan, rewrite->count, max_shard_size,
                                     error));
    rewrite->total = pali__checkpoint_writer_total(rewrite->writer);
    while ((entry = pali__checkpoint_writer_next(rewrite->writer)) != NULL)
        TRY(work->write_tensor(work->user, entry, &rewrite->sources[entry - rewrite->plan], error));
    struct pali__checkpoint_writer *writer = rewrite->writer;
    rewrite->writer = NULL;
    return pali__checkpoint_writer_finish(writer, error);
}

pali_status pali__rewrite_run(struct pali__rewrite *rewrite, const char *out_dir, int64_t max_shard_size,
                              const struct pali__rewrite_work *work, pali_error **error)
{
    char *directory;

    TRY(pali__directory_begin(&directory, out_dir, error));
    pali_status status = write_weights(rewrite, directory, max_shard_size, work, error);
    if (status == PALI_OK)
        status = pali__save_files(rewrite->in_dir, directory, work->edit, work->user, error);
    if (status == PALI_OK)
        return pali__directory_commit(directory, out_dir, error);
    pali__checkpoint_writer_abort(rewrite->writer);
    rewrite->writer = NULL;
    pali__directory_abort(directory);
    return status;
}
