/* SPDX-License-Identifier: BSD-2-Clause */
/* Experiment. */
#include <json-c/json.h>
#include <stdbool.h>

#include <paligemma/paligemma.h>

#include "core/dtype.h"
#include "core/memory.h"
#include "model/network.h"
#include "quantize/calibration.h"
#include "test.h"

#define N_SAMPLES 400

static pali_inputs *samples[N_SAMPLES];
static float *reference[N_SAMPLES];
static int n_samples;

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    CHECK_MSG(json_object_object_get_ex(object, key, &value), "expected.json: no %s", key);
    return value;
}

struct planning { struct pali__rounding rounding; const char *prefix; };

static bool plan(void *user, const char *name, int64_t n_out, int64_t n_in, struct pali__rounding *rounding)
{
    struct planning *p = user;
    (void)n_out;
    *rounding = p->rounding;
    if (rounding->group_size == 0)
        rounding->group_size = n_in;
    return strncmp(name, p->prefix, strlen(p->prefix)) == 0;
}

struct replace { struct pali__calibration *calibration; struct planning *planning; float *owned[400]; int n; struct pali__compute *compute; };

static pali_status replace_one(void *user, const struct pali__tensor_spec *spec, pali_error **error)
{
    struct replace *r = user;
    struct pali__matrix *m = spec->slot.matrix;
    struct pali__rounding rounding;
    (void)error;
    if (!m || strstr(spec->name, "embed") || strstr(spec->name, "lm_head") || !plan(r->planning, spec->name, m->n_out, m->n_in, &rounding))
        return PALI_OK;
    int64_t groups = (m->n_in + rounding.group_size - 1) / rounding.group_size;
    float *w = malloc((size_t)(m->n_out * m->n_in) * 4);
    unsigned char *codes = malloc((size_t)(m->n_out * pali__code_row_size(rounding.code, m->n_in)));
    unsigned char *scales = malloc((size_t)(m->n_out * groups) * 4);
    int8_t *zeros = calloc((size_t)(m->n_out * groups), 1);
    const unsigned char *c = codes, *s = scales; const int8_t *z = zeros;
    if (r->calibration) {
        const struct pali__rounded *found = pali__calibration_find(r->calibration, spec->name);
        CHECK_MSG(found != NULL, "%s", spec->name);
        c = found->codes; s = found->scales; z = found->zero_points;
    } else {
        pali__to_float(w, m->data, m->dtype, m->n_out * m->n_in);
        pali__round_weights(r->compute, &rounding, w, m->n_out, m->n_in, codes, scales, zeros);
    }
    for (int64_t j = 0; j < m->n_out; j++)
        for (int64_t k = 0; k < m->n_in; k++) {
            const unsigned char *row = c + j * pali__code_row_size(rounding.code, m->n_in);
            int q = rounding.code == PALI__CODE_PACKED4 ? ((row[k / 2] >> (k % 2 * 4)) & 15) - 8 : row[k] - 128;
            float scale;
            int64_t at = j * groups + k / rounding.group_size;
            pali__to_float(&scale, s + (size_t)at * pali_dtype_size(rounding.scale_dtype), rounding.scale_dtype, 1);
            w[j * m->n_in + k] = scale * (float)(q - (rounding.symmetric ? 0 : z[at]));
        }
    *m = (struct pali__matrix){ .data = w, .dtype = PALI_FLOAT32, .n_out = m->n_out, .n_in = m->n_in };
    r->owned[r->n++] = w;
    free(codes); free(scales); free(zeros);
    return PALI_OK;
}

static void evaluate(pali_model *model, int first, int step, const char *what, bool keep)
{
    double kl = 0, agree = 0, n = 0;
    for (int i = first; i < n_samples; i += step) {
        pali_outputs *outputs = NULL;
        pali_error *error = NULL;
        CHECK_OK(pali_model_forward(&outputs, model, samples[i], NULL, &error), error);
        const pali_tensor *logits = pali_outputs_get(outputs, "logits");
        const pali_tensor *labels = pali_inputs_get(samples[i], "labels");
        int64_t v = logits->shape[2], len = logits->shape[1];
        if (keep) {
            reference[i] = malloc((size_t)(len * v) * 4);
            memcpy(reference[i], logits->data, (size_t)(len * v) * 4);
        }
        for (int64_t t = 0; t + 1 < len; t++) {
            if (((const int64_t *)labels->data)[t + 1] < 0)
                continue;
            const float *a = reference[i] + t * v, *b = (const float *)logits->data + t * v;
            double ma = a[0], mb = b[0], sa = 0, sb = 0, d = 0;
            int64_t ia = 0, ib = 0;
            for (int64_t j = 0; j < v; j++) { if (a[j] > ma) { ma = a[j]; ia = j; } if (b[j] > mb) { mb = b[j]; ib = j; } }
            for (int64_t j = 0; j < v; j++) { sa += exp(a[j] - ma); sb += exp(b[j] - mb); }
            for (int64_t j = 0; j < v; j++) { double pa = exp(a[j] - ma) / sa; d += pa * ((a[j] - ma - log(sa)) - (b[j] - mb - log(sb))); }
            kl += d; agree += ia == ib; n++;
        }
        pali_outputs_free(outputs);
    }
    if (!keep)
        printf("%-50s KL %.5f  top-1 %.4f  (%g tokens)\n", what, kl / n, agree / n, n);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *examples = getenv("PALI_TEST_EXAMPLES");
    char directory[1024];
    snprintf(directory, sizeof directory, "%.900s/tiny/model", examples ? examples : "examples");
    struct json_object *entries = json_object_from_file(test_path(test_data(), "tiny/expected.json"));
    pali_processor *processor = NULL;
    pali_model_options mo = PALI_MODEL_OPTIONS_INIT;
    pali_error *error = NULL;
    int calib_pictures = argc > 1 ? atoi(argv[1]) : 16;
    mo.dtype = PALI_FLOAT32;
    CHECK_OK(pali_processor_load(&processor, directory, NULL, &error), error);
    int n_cal = 0;
    for (size_t i = 0; i < json_object_array_length(entries); i++) {
        struct json_object *e = json_object_array_get_idx(entries, i);
        char file[256];
        pali_image *image = NULL;
        snprintf(file, sizeof file, "tiny/%.200s", json_object_get_string(member(e, "image")));
        CHECK_OK(pali_image_open(&image, test_path(test_data(), file), NULL, &error), error);
        pali_apply_options ao = PALI_APPLY_OPTIONS_INIT;
        const char *suffix = json_object_get_string(member(e, "text"));
        ao.suffixes = &suffix;
        CHECK_OK(pali_processor_apply(&samples[i], processor, &image, 1, json_object_get_string(member(e, "prompt")), &ao, &error), error);
        pali_image_free(image);
        if (atoi(json_object_get_string(member(e, "image"))) < calib_pictures)
            n_cal = (int)i + 1;
        n_samples++;
    }
    printf("%d samples, %d for calibration\n", n_samples, n_cal);
    pali_model *model = NULL;
    CHECK_OK(pali_model_load(&model, directory, &mo, &error), error);
    evaluate(model, n_cal, 1, "", true);
    pali_model_free(model);
    struct { const char *name; struct planning p; } cases[] = {
        { "int4 g128 decoder", { { PALI__CODE_PACKED4, 128, true, true, PALI_BFLOAT16, NULL }, "language_model." } },
        { "int4 g32 decoder", { { PALI__CODE_PACKED4, 32, true, true, PALI_BFLOAT16, NULL }, "language_model." } },
        { "int4 g32 zero decoder", { { PALI__CODE_PACKED4, 32, false, true, PALI_BFLOAT16, NULL }, "language_model." } },
        { "int8 decoder", { { PALI__CODE_PACKED8, 0, true, true, PALI_BFLOAT16, NULL }, "language_model." } },
        { "int4 g128 vision", { { PALI__CODE_PACKED4, 128, true, true, PALI_BFLOAT16, NULL }, "vision_tower.encoder" } },
        { "int4 g32 vision", { { PALI__CODE_PACKED4, 32, true, true, PALI_BFLOAT16, NULL }, "vision_tower.encoder" } },
        { "int8 vision", { { PALI__CODE_PACKED8, 0, true, true, PALI_BFLOAT16, NULL }, "vision_tower.encoder" } },
    };
    for (size_t i = argc > 2 ? (size_t)atoi(argv[2]) : 0; i < (argc > 3 ? (size_t)atoi(argv[3]) : sizeof cases / sizeof *cases); i++) {
        for (int with = 0; with < 2; with++) {
            char what[100];
            struct pali__calibration *calibration = NULL;
            CHECK_OK(pali_model_load(&model, directory, &mo, &error), error);
            struct replace r = { .planning = &cases[i].p, .compute = &model->compute };
            if (with) {
                struct pali__calibrate how = { .in_dir = directory, .inputs = (const pali_inputs *const *)samples, .n_inputs = (size_t)n_cal, .plan = plan, .user = &cases[i].p };
                CHECK_OK(pali__calibrate(&calibration, &how, &error), error);
                r.calibration = calibration;
            }
            CHECK_OK(pali__network_visit(&model->network, model->settings, replace_one, &r, &error), error);
            snprintf(what, sizeof what, "%s %s", cases[i].name, with ? "GPTQ" : "nearest");
            evaluate(model, n_cal, 1, what, false);
            for (int j = 0; j < r.n; j++) free(r.owned[j]);
            pali__calibration_free(calibration);
            pali_model_free(model);
        }
    }
    return test_report("calibration");
}
