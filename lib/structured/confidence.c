/* SPDX-License-Identifier: BSD-2-Clause */
/* How sure the model was of an object: the only source is the probabilities of the tokens that name its place. */
#include <math.h>
#include <string.h>

#include "generate/stream.h"
#include "processor/processor_internal.h"
#include "structured/detections.h"

/* Where in the text each token's part ends: ends[i] for token i, [n_ids]. The parts are those of streaming, so that
 * together they are the whole text; they must be `text`. */
static pali_status find_ends(size_t *ends, const char *text, const pali_processor *processor, const int64_t *ids,
                             size_t n_ids, pali_error **error)
{
    struct pali__stream stream;
    const size_t text_size = strlen(text);
    size_t at = 0;
    bool same = true;
    TRY(pali__stream_init(&stream, processor->tokenizer, (int64_t)n_ids, error));
    pali_status status = PALI_OK;
    for (size_t i = 0; i < n_ids && same && status == PALI_OK; i++) {
        const char *added = NULL;
        status = pali__stream_add(&stream, ids[i], i + 1 == n_ids, &added, error);
        const size_t size = added ? strlen(added) : 0;
        same = size <= text_size - at && memcmp(text + at, added ? added : "", size) == 0;
        at += size;
        ends[i] = at;
    }
    pali__stream_clear(&stream);
    TRY(status);
    if (!same || at != text_size)
        return pali__fail(error, PALI_ERROR_ARGUMENT,
                          "pali_detections_confidence: the %zu tokens do not give the text that was parsed", n_ids);
    return PALI_OK;
}

static double probability(double logprob)
{
    return logprob < 0.0 ? exp(logprob) : 1.0; /* rounding may leave a little above 0 */
}

static void measure(pali_confidence *confidences, const pali_detections *detections, const size_t *ends,
                    const double *logprobs, size_t n_ids)
{
    size_t token = 0;
    for (size_t i = 0; i < detections->count; i++) {
        const size_t begin = detections->items[i].text_begin, end = detections->location_ends[i];
        double sum = 0.0, min = 1.0;
        size_t n = 0;
        while (token < n_ids && ends[token] <= begin)
            token++;
        for (; token < n_ids && (token ? ends[token - 1] : 0) < end; token++) {
            if (ends[token] == (token ? ends[token - 1] : 0))
                continue; /* a token without text */
            const double p = probability(logprobs[token]);
            sum += p;
            min = p < min ? p : min;
            n++;
        }
        confidences[i] = (pali_confidence){ n ? sum / (double)n : 0.0, n ? min : 0.0 };
    }
}

pali_status pali_detections_confidence(pali_confidence *confidences, const pali_detections *detections,
                                       const pali_processor *processor, const int64_t *ids, const double *logprobs,
                                       size_t n_ids, pali_error **error)
{
    const char *missing = !confidences ? "confidences" : !detections ? "detections" : !processor ? "processor" : NULL;
    if (!missing && n_ids && (!ids || !logprobs))
        missing = ids ? "logprobs" : "ids";
    if (missing)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_detections_confidence: %s is NULL", missing);
    if (!detections->text)
        return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_detections_confidence: the detections come from no text");
    for (size_t i = 0; i < n_ids; i++)
        if (isnan(logprobs[i]))
            return pali__fail(error, PALI_ERROR_ARGUMENT, "pali_detections_confidence: logprobs[%zu] is not a number",
                              i);

    size_t *ends = pali__calloc(n_ids + 1, sizeof *ends);
    if (!ends)
        return pali__no_memory(error, (n_ids + 1) * sizeof *ends);
    pali_status status = find_ends(ends, detections->text, processor, ids, n_ids, error);
    if (status == PALI_OK)
        measure(confidences, detections, ends, logprobs, n_ids);
    pali__free(ends);
    return status;
}
