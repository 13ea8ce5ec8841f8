/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a calibration is for: the demonstration model is quantized with and without one, on some pictures, and asked about
 * others. What it then thinks of the answers' tokens is compared with the float32 model: the Kullback-Leibler divergence
 * and how often the likeliest token is the same.
 */
#include <json-c/json.h>
#include <stdbool.h>

#include <paligemma/paligemma.h>

#include "test.h"

enum {
    PICTURES = 16, /* of 48: the first ones are for the calibration, the others for the comparison */
    MOST = 200
};

static char model_directory[1024], target[1024];
static struct { pali_inputs *inputs; int picture; } samples[MOST];
static int n_samples, n_calibration;

static const char *text_of(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    CHECK_MSG(json_object_object_get_ex(object, key, &value), "expected.json: no %s", key);
    return json_object_get_string(value);
}

static pali_inputs *inputs_of(pali_processor *processor, struct json_object *entry)
{
    char file[256];
    const char *answer = text_of(entry, "text");
    pali_apply_options options = PALI_APPLY_OPTIONS_INIT;
    pali_image *image = NULL;
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;

    options.suffixes = &answer;
    snprintf(file, sizeof file, "tiny/%.200s", text_of(entry, "image"));
    CHECK_OK(pali_image_open(&image, test_path(test_data(), file), NULL, &error), error);
    CHECK_OK(pali_processor_apply(&inputs, processor, &image, 1, text_of(entry, "prompt"), &options, &error), error);
    pali_image_free(image);
    return inputs;
}

static void load_samples(void)
{
    struct json_object *entries = json_object_from_file(test_path(test_data(), "tiny/expected.json"));
    pali_processor *processor = NULL;
    pali_error *error = NULL;

    CHECK_MSG(entries != NULL, "%s", json_util_get_last_err());
    CHECK_OK(pali_processor_load(&processor, model_directory, NULL, &error), error);
    for (size_t i = 0; entries && processor && i < json_object_array_length(entries) && n_samples < MOST; i++) {
        struct json_object *entry = json_object_array_get_idx(entries, i);
        samples[n_samples].picture = atoi(text_of(entry, "image"));
        samples[n_samples].inputs = inputs_of(processor, entry);
        n_calibration += samples[n_samples++].picture < PICTURES;
    }
    pali_processor_free(processor);
    json_object_put(entries);
}

static void remove_target(void)
{
    char command[1200];
    snprintf(command, sizeof command, "rm -rf '%s'", target);
    CHECK(system(command) == 0);
}

/* ---- the comparison ---- */

struct quality {
    double divergence, same; /* means over the tokens */
    int n_tokens;
};

/* logits to the logarithms of probabilities; returns the likeliest. */
static int64_t log_softmax(double *out, const float *logits, int64_t n)
{
    int64_t best = 0;
    double sum = 0;

    for (int64_t i = 1; i < n; i++)
        best = logits[i] > logits[best] ? i : best;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)logits[i] - (double)logits[best]);
    for (int64_t i = 0; i < n; i++)
        out[i] = (double)logits[i] - (double)logits[best] - log(sum);
    return best;
}

static void compare_token(struct quality *quality, const float *right, const float *ours, int64_t n)
{
    double *p = malloc((size_t)n * sizeof *p), *q = malloc((size_t)n * sizeof *q);
    int64_t best = log_softmax(p, right, n);

    quality->same += log_softmax(q, ours, n) == best;
    for (int64_t i = 0; i < n; i++)
        quality->divergence += exp(p[i]) * (p[i] - q[i]);
    quality->n_tokens++;
    free(p);
    free(q);
}

static void compare_sample(struct quality *quality, pali_model *right, pali_model *ours, const pali_inputs *inputs)
{
    pali_outputs *outputs[2] = { NULL, NULL };
    pali_error *error = NULL;
    const pali_tensor *labels = pali_inputs_get(inputs, "labels"), *logits[2];

    CHECK_OK(pali_model_forward(&outputs[0], right, inputs, NULL, &error), error);
    CHECK_OK(pali_model_forward(&outputs[1], ours, inputs, NULL, &error), error);
    for (int i = 0; i < 2; i++)
        logits[i] = outputs[i] ? pali_outputs_get(outputs[i], "logits") : NULL;
    for (int64_t i = 0; labels && logits[0] && logits[1] && i + 1 < logits[0]->shape[1]; i++)
        if (((const int64_t *)labels->data)[i + 1] >= 0)
            compare_token(quality, (const float *)logits[0]->data + i * logits[0]->shape[2],
                          (const float *)logits[1]->data + i * logits[0]->shape[2], logits[0]->shape[2]);
    pali_outputs_free(outputs[0]);
    pali_outputs_free(outputs[1]);
}

static pali_model *load(const char *directory)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_error *error = NULL;

    options.dtype = PALI_FLOAT32;
    options.int8_head = -1; /* as it is, so that only what was written shows */
    CHECK_OK(pali_model_load(&model, directory, &options, &error), error);
    return model;
}

/* Of the demonstration model, quantized so; with the calibration's pictures or without. */
static struct quality quality_of(pali_model *right, const pali_quantize_options *how, bool calibrated)
{
    pali_quantize_options options = *how;
    const pali_inputs *calibration[MOST];
    struct quality quality = { 0 };
    pali_error *error = NULL;

    for (int i = 0; i < n_samples; i++)
        if (samples[i].picture < PICTURES)
            calibration[options.n_calibration++] = samples[i].inputs;
    options.calibration = calibrated ? calibration : NULL;
    options.n_calibration = calibrated ? options.n_calibration : 0;
    remove_target();
    CHECK_OK(pali_quantize(model_directory, target, &options, &error), error);
    pali_model *model = load(target);
    for (int i = 0; model && i < n_samples; i++)
        if (samples[i].picture >= PICTURES)
            compare_sample(&quality, right, model, samples[i].inputs);
    pali_model_free(model);
    remove_target();
    quality.divergence /= quality.n_tokens;
    quality.same /= quality.n_tokens;
    return quality;
}

/* The calibrated checkpoint's divergence is below `part` of the other's, and its top-1 agreement at least `same` more. */
static void check_scheme(pali_model *right, const char *name, const pali_quantize_options *how, double part, double same)
{
    struct quality nearest = quality_of(right, how, false), calibrated = quality_of(right, how, true);

    printf("%-34s to nearest: KL %.5f, top-1 %.2f %%; calibrated: KL %.5f, top-1 %.2f %%; %d tokens\n", name,
           nearest.divergence, 100.0 * nearest.same, calibrated.divergence, 100.0 * calibrated.same, nearest.n_tokens);
    fflush(stdout);
    CHECK_MSG(nearest.n_tokens >= 500, "%d tokens", nearest.n_tokens);
    CHECK_MSG(calibrated.divergence < part * nearest.divergence, "%s: KL %g and %g", name, calibrated.divergence,
              nearest.divergence);
    CHECK_MSG(calibrated.same >= nearest.same + same, "%s: top-1 %g and %g", name, calibrated.same, nearest.same);
}

static void test_quality(bool all)
{
    enum { ALL_BLOCKS = PALI_QUANTIZE_DECODER | PALI_QUANTIZE_VISION };
    static const struct {
        const char *name;
        pali_quantization_scheme scheme;
        int group_size, zero_points, parts;
        double part, same; /* bounds */
        bool quick;
    } cases[] = {
        { "int4 decoder 128", PALI_INT4_WEIGHT_ONLY, 128, 0, 0, 0.85, 0.0, true },
        { "int4 decoder 32", PALI_INT4_WEIGHT_ONLY, 32, 0, 0, 0.65, 0.0, true },
        { "int4 decoder 32 zero points", PALI_INT4_WEIGHT_ONLY, 32, 1, 0, 0.75, 0.0, false },
        { "int4 decoder and tower 32", PALI_INT4_WEIGHT_ONLY, 32, 0, ALL_BLOCKS, 0.6, 0.0, false },
        { "int8 decoder", PALI_INT8_WEIGHT_ONLY, 0, 0, 0, 0.9, 0.0, false },
        { "int8 decoder and tower", PALI_INT8_WEIGHT_ONLY, 0, 0, ALL_BLOCKS, 0.8, 0.0, false },
    };
    pali_model *right = load(model_directory);

    for (size_t i = 0; right && i < sizeof cases / sizeof *cases; i++) {
        pali_quantize_options how = PALI_QUANTIZE_OPTIONS_INIT;
        how.scheme = cases[i].scheme;
        how.group_size = cases[i].group_size;
        how.zero_points = cases[i].zero_points;
        how.parts = cases[i].parts;
        if (all || cases[i].quick)
            check_scheme(right, cases[i].name, &how, cases[i].part, cases[i].same);
    }
    pali_model_free(right);
}

/* `--all` adds the schemes that only docs/quantization.md shows. */
int main(int argc, char **argv)
{
    const char *examples = getenv("PALI_TEST_EXAMPLES");

    snprintf(model_directory, sizeof model_directory, "%.900s/tiny/model", examples ? examples : "examples");
    snprintf(target, sizeof target, "%.900s/quantized", test_scratch());
    load_samples();
    test_quality(argc > 1 && strcmp(argv[1], "--all") == 0);
    for (int i = 0; i < n_samples; i++)
        pali_inputs_free(samples[i].inputs);
    return test_report("calibration");
}
