/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/loss.h"

#include <math.h>

#include "core/memory.h"

/* Rows of logits at a time: 16 · 257,216 floats are 16 MB. */
#define CHUNK 16

double pali__cross_entropy(const float *logits, int64_t n, int64_t label)
{
    double sum = 0.0;
    float largest = logits[0];

    for (int64_t i = 1; i < n; i++)
        largest = logits[i] > largest ? logits[i] : largest;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)(logits[i] - largest));
    return log(sum) + (double)largest - (double)logits[label];
}

struct target {
    int64_t row;    /* of the pass: the position that predicts */
    int64_t label;
    float *out;
};

static pali_status chunk_loss(struct pali__pass *pass, const struct target *targets, int64_t n, float *logits,
                              float *gathered, double *sum, pali_error **error)
{
    int64_t vocab_size = pass->model->settings->text.vocab_size, rows[CHUNK] = { 0 };

    for (int64_t i = 0; i < n; i++)
        rows[i] = targets[i].row;
    TRY(pali__lm_head(pass, logits, rows, n, gathered, error));
    for (int64_t i = 0; i < n; i++) {
        double value = pali__cross_entropy(logits + i * vocab_size, vocab_size, targets[i].label);
        *targets[i].out = (float)value;
        *sum += value;
    }
    return PALI_OK;
}

pali_status pali__loss(struct pali__pass *pass, const int64_t *labels, int64_t batch, int64_t length, float *loss,
                       float *token_loss, pali_error **error)
{
    const struct pali__settings *settings = pass->model->settings;
    int64_t vocab_size = settings->text.vocab_size, hidden = settings->text.hidden_size, n_targets = 0, n = 0;
    size_t size = (size_t)(CHUNK * (vocab_size + hidden)) * sizeof(float);
    struct target targets[CHUNK];
    double sum = 0.0;
    float *logits = pali__aligned_malloc(size);
    pali_status status = logits ? PALI_OK : pali__no_memory(error, size);

    for (int64_t i = 0; status == PALI_OK && i < batch * length; i++) {
        if (i % length == 0)
            continue; /* nothing predicts a row's first label */
        float *out = &token_loss[i / length * (length - 1) + i % length - 1];
        *out = 0.0f;
        if (labels[i] != settings->ignore_index && (labels[i] < 0 || labels[i] >= vocab_size))
            status = pali__fail(error, PALI_ERROR_ARGUMENT, "labels[%lld] is %lld, outside the vocabulary of %lld",
                                (long long)i, (long long)labels[i], (long long)vocab_size);
        else if (labels[i] != settings->ignore_index)
            targets[n++] = (struct target){ .row = i - 1, .label = labels[i], .out = out };
        /* Rows of the batch apart, so that none shows in the last bits of another's losses. */
        if (status == PALI_OK && n > 0 && (n == CHUNK || i % length == length - 1)) {
            status = chunk_loss(pass, targets, n, logits, logits + CHUNK * vocab_size, &sum, error);
            n_targets += n;
            n = 0;
        }
    }
    *loss = n_targets ? (float)(sum / (double)n_targets) : NAN;
    pali__aligned_free(logits);
    return status;
}
