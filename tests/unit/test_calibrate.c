/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pali_quantize with a calibration, on small models of random weights: what is observed is what the taps show, every part
 * of each family is calibrated, whatever the inputs; a cancelled or failed run leaves nothing behind.
 */
#include <stdbool.h>
#include <unistd.h>

#include <paligemma/paligemma.h>

#include "model/forward.h"
#include "quantize/second_moments.h"
#include "test.h"

static char target[1024];

static void remove_target(void)
{
    char command[1200];
    snprintf(command, sizeof command, "rm -rf '%s'", target);
    CHECK(system(command) == 0);
}

static pali_inputs *inputs_of(const char *model, const char *name)
{
    char file[256];
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;
    snprintf(file, sizeof file, "models/%s/%s.inputs.safetensors", model, name);
    CHECK_OK(pali_inputs_load(&inputs, test_path(test_data(), file), &error), error);
    return inputs;
}

static pali_model *load(const char *directory)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_error *error = NULL;
    options.dtype = PALI_FLOAT32;
    CHECK_OK(pali_model_load(&model, directory, &options, &error), error);
    return model;
}

/* ---- the observer ---- */

struct seeing {
    const struct pali__matrix *matrix;
    const struct pali__compute *compute;
    struct pali__second_moments moments;
};

static pali_status see(void *user, const struct pali__matrix *w, const float *x, int64_t n_rows, const uint8_t *real,
                       pali_error **error)
{
    struct seeing *seeing = user;
    return w == seeing->matrix ? pali__second_moments_add(seeing->compute, &seeing->moments, x, n_rows, real, error)
                               : PALI_OK;
}

/* H of rows x, which are h normed, in float64: the inputs of q. */
static void add_normed(double *sums, const float *h, const float *norm, int64_t n, double eps, double offset)
{
    double squares = 0;
    for (int64_t i = 0; i < n; i++)
        squares += (double)h[i] * h[i];
    double factor = 1.0 / sqrt(squares / (double)n + eps);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            sums[i * n + j] += h[i] * factor * (offset + norm[i]) * h[j] * factor * (offset + norm[j]);
}

/* Block 0 of a padded batch is observed; hidden_states.0 of a whole pass is what it is compared with. */
static void test_observer(const char *name)
{
    char folder[128];
    snprintf(folder, sizeof folder, "models/%s", name);
    pali_model *model = load(test_path(test_data(), folder));
    pali_inputs *inputs = inputs_of(name, "left_pad_suffix");
    pali_forward_options options = PALI_FORWARD_OPTIONS_INIT;
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;

    options.output_hidden_states = 1;
    CHECK_OK(pali_model_forward(&outputs, model, inputs, &options, &error), error);
    const pali_tensor *states = pali_outputs_get(outputs, "hidden_states.0");
    const int64_t *mask = pali_inputs_get(inputs, "attention_mask")->data;
    const struct pali__decoder_block *block = &model->network.decoder.blocks[0];
    const struct pali__text_config *config = &model->settings->text;
    int64_t n = config->hidden_size, n_rows = states->shape[0] * states->shape[1], n_real = 0;
    double *sums = calloc((size_t)(n * n), sizeof *sums), worst = 0;
    for (int64_t row = 0; row < n_rows; row++) {
        n_real += mask[row] != 0;
        if (mask[row])
            add_normed(sums, (const float *)states->data + row * n, block->input_norm, n, config->rms_norm_eps,
                       (double)config->norm_offset);
    }
    CHECK(n_real > 0 && n_real < n_rows);

    struct seeing seeing = { .matrix = &block->q, .compute = &model->compute };
    struct pali__observer observer = { see, &seeing };
    struct pali__forward forward = { .model = model, .inputs = inputs, .options = PALI_FORWARD_OPTIONS_INIT };
    CHECK_OK(pali__second_moments_init(&seeing.moments, n, PALI__MOMENTS_WIDTH, &error), error);
    CHECK_OK(pali__forward_begin(&forward, &error), error);
    forward.pass.observer = &observer;
    CHECK_OK(pali__decoder_block_run(&forward.pass, 0, &error), error);
    CHECK(seeing.moments.n_rows == n_real);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++)
            worst = fmax(worst, fabs(seeing.moments.blocks[i * seeing.moments.stride + j] - sums[i * n + j]) /
                                    sqrt(sums[i * n + i] * sums[j * n + j] + 1e-12));
    CHECK_MSG(worst < 1e-5, "%s: off by %g", name, worst);
    pali__forward_end(&forward);
    pali__second_moments_clear(&seeing.moments);
    free(sums);
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
    pali_model_free(model);
}

/* ---- every part of every family ---- */

/* The logits of case "basic". */
static float *logits_of(const char *directory, const char *name, int64_t *count)
{
    pali_model *model = load(directory);
    pali_inputs *inputs = inputs_of(name, "basic");
    pali_outputs *outputs = NULL;
    pali_error *error = NULL;
    float *copy = NULL;

    CHECK_OK(pali_model_forward(&outputs, model, inputs, NULL, &error), error);
    const pali_tensor *logits = outputs ? pali_outputs_get(outputs, "logits") : NULL;
    *count = logits ? pali_tensor_count(logits) : 0;
    copy = malloc((size_t)*count * sizeof *copy + 1);
    if (logits)
        memcpy(copy, logits->data, (size_t)*count * sizeof *copy);
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
    pali_model_free(model);
    return copy;
}

/* Σ of squared differences to the model that is not quantized. */
static double distance(const char *folder, const char *name)
{
    int64_t count, same;
    float *right = logits_of(folder, name, &count), *ours = logits_of(target, name, &same);
    double sum = 0;
    CHECK(count > 0 && count == same);
    for (int64_t i = 0; i < count && count == same; i++)
        sum += ((double)right[i] - ours[i]) * ((double)right[i] - ours[i]);
    free(right);
    free(ours);
    return sum;
}

/* Case "basic" comes first of the inputs. Calibrated on it alone, its error has to go down; with others beside it, in a
 * model of random weights, it need not. */
static void test_parts(const char *name, int parts, const pali_inputs *const *inputs, size_t n_inputs)
{
    char folder[1024];
    pali_quantize_options options = PALI_QUANTIZE_OPTIONS_INIT;
    pali_error *error = NULL;
    double errors[3];

    snprintf(folder, sizeof folder, "%.900s/models/%s", test_data(), name);
    options.scheme = PALI_INT4_WEIGHT_ONLY;
    options.group_size = 32;
    options.parts = parts;
    for (int i = 0; i < 3; i++) { /* to nearest, calibrated, and so with another number of threads */
        options.calibration = i == 0 ? NULL : inputs;
        options.n_calibration = i == 0 ? 0 : n_inputs;
        options.threads = i == 2 ? 3 : 1;
        remove_target();
        CHECK_OK(pali_quantize(folder, target, &options, &error), error);
        errors[i] = distance(folder, name);
    }
    CHECK_MSG(n_inputs > 1 ? errors[1] != errors[0] : errors[1] < 0.9 * errors[0], "%s, parts %d: %g, to nearest %g", name, parts, errors[1], errors[0]);
    CHECK_MSG(errors[2] == errors[1], "%s, parts %d: %g with one thread, %g with three", name, parts, errors[1],
              errors[2]);
    remove_target();
}

static void test_families(void)
{
    static const char *const names[] = { "pg1", "pg2" };
    static const char *const cases[] = { "basic", "two_images", "left_pad_suffix", "text_only" };
    const pali_inputs *inputs[4];

    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 4; j++)
            inputs[j] = inputs_of(names[i], cases[j]);
        test_observer(names[i]);
        test_parts(names[i], PALI_QUANTIZE_DECODER, inputs, 1);
        test_parts(names[i], PALI_QUANTIZE_VISION, inputs, 1);
        test_parts(names[i], PALI_QUANTIZE_PROJECTOR, inputs, 1);
        test_parts(names[i], 15, inputs, 4);
        for (int j = 0; j < 4; j++)
            pali_inputs_free((pali_inputs *)(uintptr_t)inputs[j]);
    }
}

/* ---- runs that end early ---- */

struct host {
    int left; /* calls of "calibrate" before it cancels */
    double last;
    bool falls; /* the fraction went back or out of 0…1 */
};

static int on_progress(void *user, const char *stage, double fraction)
{
    struct host *host = user;
    if (strcmp(stage, "calibrate") != 0)
        return 0;
    host->falls = host->falls || fraction < host->last || fraction > 1.0;
    host->last = fraction;
    return host->left-- == 0;
}

static void test_failures_of(const char *name)
{
    char folder[1024];
    pali_inputs *inputs = inputs_of(name, "two_images"), *wrong = NULL;
    const pali_inputs *list[2] = { inputs, NULL };
    struct host host = { -1, 0.0, false };
    pali_quantize_options options = PALI_QUANTIZE_OPTIONS_INIT;
    pali_error *error = NULL;

    snprintf(folder, sizeof folder, "%.900s/models/%s", test_data(), name);
    options.parts = PALI_QUANTIZE_DECODER | PALI_QUANTIZE_VISION;
    options.n_calibration = 1;
    remove_target();
    CHECK_FAILS(pali_quantize(folder, target, &options, &error), error, PALI_ERROR_ARGUMENT, "calibration");
    options.calibration = list;
    options.progress = on_progress;
    options.progress_user = &host;
    CHECK_OK(pali_quantize(folder, target, &options, &error), error);
    CHECK(host.last == 1.0 && !host.falls);
    remove_target();
    int n_calls = -1 - host.left;
    CHECK(n_calls > 20);
    for (int i = 0; i < n_calls; i += 5) {
        host = (struct host){ i, 0.0, false };
        CHECK_FAILS(pali_quantize(folder, target, &options, &error), error, PALI_ERROR_CANCELLED, "calibration");
        CHECK(access(target, F_OK) != 0);
    }
    options.progress = NULL;
    options.n_calibration = 2;
    CHECK_FAILS(pali_quantize(folder, target, &options, &error), error, PALI_ERROR_ARGUMENT, "calibration[1]");

    float pixels[3 * 4 * 4] = { 0 };
    pali_tensor picture = pali_tensor_view(pixels, PALI_FLOAT32, 4, (int64_t[]){ 1, 3, 4, 4 });
    CHECK_OK(pali_inputs_create(&wrong, &error), error);
    list[1] = wrong;
    options.parts = PALI_QUANTIZE_DECODER;
    CHECK_FAILS(pali_quantize(folder, target, &options, &error), error, PALI_ERROR_ARGUMENT, "input_ids");
    CHECK_OK(pali_inputs_set(wrong, "input_ids", pali_inputs_get(inputs, "input_ids"), &error), error);
    CHECK_OK(pali_inputs_set(wrong, "pixel_values", &picture, &error), error);
    CHECK_FAILS(pali_quantize(folder, target, &options, &error), error, PALI_ERROR_SHAPE, "pixel_values");
    options.parts = PALI_QUANTIZE_VISION;
    CHECK_FAILS(pali_quantize(folder, target, &options, &error), error, PALI_ERROR_SHAPE, "pixel_values");
    CHECK(access(target, F_OK) != 0);
    pali_inputs_free(wrong);
    pali_inputs_free(inputs);
}

int main(void)
{
    snprintf(target, sizeof target, "%.900s/calibrated", test_scratch());
    test_families();
    test_failures_of("pg1");
    return test_report("calibrate");
}
