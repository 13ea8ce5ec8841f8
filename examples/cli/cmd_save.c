/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma save: a checkpoint directory written anew, for Transformers or for this library. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "commands.h"
#include "json_write.h"
#include "written.h"

static const struct usage usage = {
    "save",
    "Writes the checkpoint IN_DIR anew as OUT_DIR: in another dtype, with other tensor names, in shards, with adapters "
    "merged in.",
    "IN_DIR OUT_DIR"
};

struct save {
    const char *directories[2], *dtype, *name_style, *max_shard_size;
    struct texts adapters;
    bool write_tied_head, json;
    pali_save_options options;
};

/* Indices are enum pali_name_style - 1. */
static const char *const style_names[] = { "transformers-4", "transformers-5", "modules-4", "modules-5" };

static bool take_dtype(struct save *save)
{
    static const pali_dtype known[] = { PALI_FLOAT32, PALI_BFLOAT16, PALI_FLOAT16 };
    for (size_t i = 0; save->dtype && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(save->dtype, pali_dtype_name(known[i])) == 0)
            save->options.dtype = known[i];
    return !save->dtype || save->options.dtype != 0;
}

static bool take_style(struct save *save)
{
    for (int i = 0; save->name_style && i < (int)(sizeof style_names / sizeof style_names[0]); i++)
        if (strcmp(save->name_style, style_names[i]) == 0)
            save->options.name_style = (pali_name_style)(i + 1);
    return !save->name_style || save->options.name_style != 0;
}

static int check(struct save *save)
{
    if (!save->directories[1])
        return usage_error(&usage, "%s is missing", save->directories[0] ? "OUT_DIR" : "IN_DIR");
    if (!take_dtype(save))
        return usage_error(&usage, "--dtype takes float32, bfloat16 or float16, not \"%s\"", save->dtype);
    if (!take_style(save))
        return usage_error(&usage,
                           "--name-style takes transformers-4, transformers-5, modules-4 or modules-5, not \"%s\"",
                           save->name_style);
    if (!take_size(save->max_shard_size, &save->options.max_shard_size))
        return usage_error(&usage, "--max-shard-size takes a size such as 5GB or 500MiB, not \"%s\"",
                           save->max_shard_size);
    return OPTIONS_GO_ON;
}

static int print_json(const struct save *save)
{
    pali_checkpoint *checkpoint = NULL;
    pali_error *error = NULL;
    int status = EXIT_DONE;
    if (pali_checkpoint_open(&checkpoint, save->directories[1], &error) != PALI_OK) {
        status = report(error);
    } else {
        fputs("{\"directory\": ", stdout);
        json_write_text(save->directories[1]);
        printf(", \"name_style\": \"%s\", \"tensors\": %zu, \"bytes\": %" PRId64 "}\n",
               style_names[save->options.name_style ? save->options.name_style - 1 : 0],
               pali_checkpoint_count(checkpoint), pali_checkpoint_size(checkpoint));
    }
    pali_error_free(error);
    pali_checkpoint_free(checkpoint);
    return status;
}

static int save_checkpoint(struct save *save, const char *path)
{
    pali_error *error = NULL;
    int status = EXIT_DONE;
    catch_interrupt();
    if (pali_checkpoint_save(path, save->directories[1], &save->options, &error) != PALI_OK)
        status = interrupted() ? report_text("interrupted") : report(error);
    pali_error_free(error);
    return status == EXIT_DONE && save->json ? print_json(save) : status;
}

/* --adapter DIR[=SCALE]… to the two arrays of the options. */
static int save_with_adapters(struct save *save, const char *path)
{
    size_t count = save->adapters.count;
    char **directories = calloc(count + 1, sizeof *directories);
    double *scales = calloc(count + 1, sizeof *scales);
    int status = directories && scales ? EXIT_DONE : report_text("out of memory");
    for (size_t i = 0; status == EXIT_DONE && i < count; i++) {
        scales[i] = 1.0;
        directories[i] = split_adapter(save->adapters.items[i], &scales[i]);
        status = directories[i] ? EXIT_DONE : EXIT_FAILED;
    }
    save->options.adapters = (const char *const *)directories;
    save->options.adapter_scales = scales;
    save->options.n_adapters = count;
    if (status == EXIT_DONE)
        status = save_checkpoint(save, path);
    for (size_t i = 0; directories && i < count; i++)
        free(directories[i]);
    free(directories);
    free(scales);
    return status;
}

int cmd_save(int argc, char **argv)
{
    static char title[] = "saving";
    struct save save = { .options = PALI_SAVE_OPTIONS_INIT };
    struct option options[] = {
        { NULL, "--dtype", "TYPE", OPTION_TEXT, false, &save.dtype, 0, 0,
          "float32, bfloat16 or float16 (default: each tensor as it is)", false },
        { NULL, "--name-style", "STYLE", OPTION_TEXT, false, &save.name_style, 0, 0,
          "transformers-4 (default: every release opens it), transformers-5, modules-4 or modules-5", false },
        { NULL, "--max-shard-size", "SIZE", OPTION_TEXT, false, &save.max_shard_size, 0, 0,
          "bytes of weights in a file: 500MB, 2GiB, … (default 5GB)", false },
        { NULL, "--adapter", "DIR[=SCALE]", OPTION_TEXTS, false, &save.adapters, 0, 0,
          "merge the PEFT LoRA adapter in DIR; may be given several times", false },
        { NULL, "--write-tied-head", NULL, OPTION_SWITCH, false, &save.write_tied_head, 0, 0,
          "write the head although it is tied to the embedding", false },
        { NULL, "--json", NULL, OPTION_SWITCH, false, &save.json, 0, 0, "print one JSON object", false },
    };
    int status = options_parse_several(&usage, options, sizeof options / sizeof options[0], save.directories, 2,
                                       argc, argv);
    if (status == OPTIONS_GO_ON)
        status = check(&save);
    if (status == OPTIONS_GO_ON) {
        char *path = checkpoint_path(save.directories[0]);
        save.options.write_tied_head = save.write_tied_head;
        save.options.progress = on_written;
        save.options.progress_user = title;
        status = path ? save_with_adapters(&save, path) : EXIT_FAILED;
        free(path);
    }
    free(save.adapters.items);
    return status;
}
