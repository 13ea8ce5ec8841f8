/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma embed: pages or queries to vectors in a file, or the scores of two such files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "commands.h"
#include "json_write.h"

static const struct usage usage = {
    "embed",
    "Writes the embeddings of pictures or of queries to a safetensors file; --score compares two such files (MaxSim).",
    NULL
};

struct embed {
    struct common common;
    struct texts images, queries, score;
    const char *output, *pooling, *adapter;
    bool normalize, skip_projection;
    pali_embed_options options;
};

static pali_status make_inputs(pali_inputs **inputs, const pali_processor *processor, const struct embed *embed,
                               pali_image **images, pali_error **error)
{
    if (embed->queries.count)
        return pali_processor_apply_queries(inputs, processor, embed->queries.items, embed->queries.count, NULL, error);
    return pali_processor_apply_pages(inputs, processor, images, embed->images.count, NULL, error);
}

static int run(const struct embed *embed, const char *path, pali_image **images)
{
    pali_model_options model_options = PALI_MODEL_OPTIONS_INIT;
    pali_model *model = NULL;
    pali_processor *processor = NULL;
    pali_inputs *inputs = NULL;
    pali_outputs *outputs = NULL;
    pali_adapter *adapter = NULL;
    pali_error *error = NULL;
    pali_embed_options options = embed->options;
    int status = EXIT_DONE;
    set_model_options(&model_options, &embed->common);

    bool opened = pali_processor_load(&processor, path, NULL, &error) == PALI_OK &&
                  make_inputs(&inputs, processor, embed, images, &error) == PALI_OK &&
                  pali_model_load(&model, path, &model_options, &error) == PALI_OK &&
                  open_adapter(&adapter, &options.adapter_scale, model, embed->adapter) == EXIT_DONE;
    options.adapter = adapter;
    if (!opened || pali_embed(&outputs, model, inputs, &options, &error) != PALI_OK ||
        pali_outputs_save(outputs, embed->output, &error) != PALI_OK)
        status = error ? report(error) : EXIT_FAILED; /* without one, it has been said */
    else if (embed->common.json) {
        putchar('{');
        json_write_tensor("embeddings", pali_outputs_get(outputs, "embeddings"));
        puts("}");
    }
    pali_error_free(error);
    pali_outputs_free(outputs);
    pali_inputs_free(inputs);
    pali_processor_free(processor);
    pali_adapter_free(adapter);
    pali_model_free(model);
    return status;
}

static int embed_files(const struct embed *embed)
{
    char *path = checkpoint_path(embed->common.model);
    if (!path)
        return EXIT_FAILED;
    pali_image **images = open_images(embed->images.items, embed->images.count);
    int status = images ? run(embed, path, images) : EXIT_FAILED;
    free_images(images, embed->images.count);
    free(path);
    return status;
}

/* ---- --score ---- */

/* The embeddings in the file `path`; pooled ones, [count, dim], as [count, 1, dim]. */
static const pali_tensor *open_embeddings(pali_inputs **file, pali_tensor *view, const char *path)
{
    pali_error *error = NULL;
    const pali_tensor *tensor = NULL;
    if (pali_inputs_load(file, path, &error) != PALI_OK)
        report(error);
    else if (!(tensor = pali_inputs_get(*file, "embeddings")))
        report_text("'%s' has no tensor embeddings", path);
    pali_error_free(error);
    if (!tensor)
        return NULL;
    *view = *tensor;
    if (tensor->rank == 2)
        *view = pali_tensor_view(tensor->data, tensor->dtype, 3, (const int64_t[]){ tensor->shape[0], 1, tensor->shape[1] });
    return view;
}

static void print_scores(const float *scores, int64_t n_queries, int64_t n_pages, bool json)
{
    fputs(json ? "{\"scores\": [" : "", stdout);
    for (int64_t i = 0; i < n_queries; i++) {
        fputs(json ? i ? ", [" : "[" : "", stdout);
        for (int64_t j = 0; j < n_pages; j++) {
            fputs(j ? json ? ", " : "\t" : "", stdout);
            json_write_number((double)scores[i * n_pages + j]);
        }
        fputs(json ? "]" : "\n", stdout);
    }
    fputs(json ? "]}\n" : "", stdout);
}

static int score_files(const char *queries_path, const char *pages_path, bool json)
{
    pali_inputs *files[2] = { NULL, NULL };
    pali_tensor views[2];
    pali_error *error = NULL;
    float *scores = NULL;
    int status = EXIT_FAILED;
    if (open_embeddings(&files[0], &views[0], queries_path) && open_embeddings(&files[1], &views[1], pages_path)) {
        size_t n_queries = views[0].rank == 3 ? (size_t)views[0].shape[0] : 1;
        size_t n_pages = views[1].rank == 3 ? (size_t)views[1].shape[0] : 1;
        scores = calloc(n_queries ? n_queries : 1, (n_pages ? n_pages : 1) * sizeof *scores);
        if (!scores)
            report_text("out of memory");
        else if (pali_max_sim(scores, &views[0], &views[1], &error) != PALI_OK)
            report(error);
        else {
            print_scores(scores, (int64_t)n_queries, (int64_t)n_pages, json);
            status = EXIT_DONE;
        }
    }
    pali_error_free(error);
    free(scores);
    pali_inputs_free(files[0]);
    pali_inputs_free(files[1]);
    return status;
}

/* ---- usage ---- */

static int check(struct embed *embed)
{
    if (embed->score.count)
        return embed->score.count == 2 ? OPTIONS_GO_ON
                                       : usage_error(&usage, "--score is given twice: for the queries and for the pages");
    if (!embed->common.model || !embed->output)
        return usage_error(&usage, "%s is missing", embed->common.model ? "-o OUT" : "-m DIR");
    if (!embed->images.count == !embed->queries.count)
        return usage_error(&usage, embed->images.count ? "-i and --query exclude each other: one file holds one kind"
                                                       : "-i IMG or --query TEXT is missing");
    if (embed->pooling && strcmp(embed->pooling, "mean") != 0 && strcmp(embed->pooling, "none") != 0)
        return usage_error(&usage, "--pooling takes none or mean, not \"%s\"", embed->pooling);
    if (embed->pooling && embed->pooling[0] == 'm')
        embed->options.pooling = PALI_POOLING_MEAN;
    if (embed->normalize)
        embed->options.normalize = 1;
    embed->options.skip_projection = embed->skip_projection;
    return OPTIONS_GO_ON;
}

int cmd_embed(int argc, char **argv)
{
    struct embed embed = { .options = PALI_EMBED_OPTIONS_INIT };
    struct option options[] = {
        COMMON_OPTIONS(embed.common, false),
        { "-i", "--image", "IMG", OPTION_TEXTS, false, &embed.images, 0, 0,
          "PNG, JPEG or PNM file of a page; once for each", false },
        { NULL, "--query", "TEXT", OPTION_TEXTS, false, &embed.queries, 0, 0, "a query; once for each", false },
        { "-o", "--output", "OUT", OPTION_TEXT, false, &embed.output, 0, 0, "safetensors file to write", false },
        { NULL, "--pooling", "HOW", OPTION_TEXT, false, &embed.pooling, 0, 0,
          "none: a vector for each token (default); mean: one for each row", false },
        { NULL, "--normalize", NULL, OPTION_SWITCH, false, &embed.normalize, 0, 0,
          "vectors of length 1 (always so with a ColPali projection)", false },
        { NULL, "--adapter", "DIR[=SCALE]", OPTION_TEXT, false, &embed.adapter, 0, 0,
          "with the PEFT LoRA adapter in DIR", false },
        { NULL, "--skip-projection", NULL, OPTION_SWITCH, false, &embed.skip_projection, 0, 0,
          "the hidden states themselves, also of a ColPali checkpoint", false },
        { NULL, "--score", "FILE", OPTION_TEXTS, false, &embed.score, 0, 0,
          "given twice, queries and pages: print the score of each query with each page", false },
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], NULL, argc, argv);
    if (status == OPTIONS_GO_ON)
        status = check(&embed);
    if (status == OPTIONS_GO_ON)
        status = embed.score.count ? score_files(embed.score.items[0], embed.score.items[1], embed.common.json)
                                   : embed_files(&embed);
    free(embed.images.items);
    free(embed.queries.items);
    free(embed.score.items);
    return status;
}
