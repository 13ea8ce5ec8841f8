/* SPDX-License-Identifier: BSD-2-Clause */
/* A tree as huggingface_hub lays it out, found through each variable that can name it; and Git LFS pointers. */
#include <sys/stat.h>

#include <paligemma/checkpoint.h>
#include <paligemma/config.h>

#include "test.h"

static const char commit[] = "0123456789abcdef0123456789abcdef01234567";
static char root[512], cache[600], snapshot[900];

static void folder(const char *path) { (void)mkdir(path, 0777); } /* it may be there from the last run */

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    CHECK_MSG(file && fputs(text, file) >= 0, "%s", path);
    if (file)
        fclose(file);
}

static void make_tree(void)
{
    char model[700], path[900];
    snprintf(root, sizeof root, "%.400s", test_scratch());
    snprintf(cache, sizeof cache, "%s/.cache", root);
    folder(cache);
    snprintf(cache, sizeof cache, "%s/.cache/huggingface", root);
    folder(cache);
    snprintf(cache, sizeof cache, "%s/.cache/huggingface/hub", root);
    folder(cache);
    snprintf(model, sizeof model, "%s/models--google--paligemma-x", cache);
    folder(model);
    snprintf(path, sizeof path, "%s/refs", model);
    folder(path);
    snprintf(path, sizeof path, "%s/refs/main", model);
    put(path, commit);
    snprintf(path, sizeof path, "%s/refs/pr", model);
    folder(path);
    snprintf(path, sizeof path, "%s/refs/pr/1", model);
    put(path, "fedc");
    snprintf(path, sizeof path, "%s/refs/evil", model);
    put(path, "../../../../etc");
    snprintf(path, sizeof path, "%s/snapshots", model);
    folder(path);
    snprintf(snapshot, sizeof snapshot, "%s/snapshots/%s", model, commit);
    folder(snapshot);
}

static void only(const char *name, const char *value)
{
    static const char *const names[] = { "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    setenv(name, value, 1);
}

static void found(const char *revision)
{
    char *path = NULL;
    pali_error *error = NULL;
    CHECK_OK(pali_hub_path(&path, "google/paligemma-x", revision, &error), error);
    CHECK_MSG(path && strcmp(path, snapshot) == 0, "%s, not %s", path ? path : "nothing", snapshot);
    pali_free(path);
}

static void fails(const char *id, const char *revision, pali_status expected, const char *fragment)
{
    char *path = NULL;
    pali_error *error = NULL;
    CHECK_FAILS(pali_hub_path(&path, id, revision, &error), error, expected, fragment);
    CHECK(path == NULL);
}

static void test_variables(void)
{
    char value[700];
    only("HF_HUB_CACHE", cache);
    found(NULL);
    only("HUGGINGFACE_HUB_CACHE", cache);
    found("main");
    snprintf(value, sizeof value, "%s/.cache/huggingface", root);
    only("HF_HOME", value);
    found(commit);
    snprintf(value, sizeof value, "%s/.cache", root);
    only("XDG_CACHE_HOME", value);
    found(NULL);
    only("HOME", root);
    found(NULL);
    setenv("HF_HOME", "~/.cache/huggingface", 1);
    found(NULL);
    setenv("HF_HOME", "$HOME/.cache/${NOTHING_HERE}", 1);
    fails("google/paligemma-x", NULL, PALI_ERROR_IO, "/.cache/${NOTHING_HERE}/hub/models--google--paligemma-x'");
    setenv("HF_HOME", "${HOME}/.cache/huggingface", 1);
    found(NULL);
    setenv("HF_HUB_CACHE", "/nowhere", 1); /* goes before HF_HOME */
    fails("google/paligemma-x", NULL, PALI_ERROR_IO, "'/nowhere/models--google--paligemma-x'");
    setenv("HF_HUB_CACHE", "", 1); /* as if it were not set */
    found(NULL);
}

static void test_absent(void)
{
    only("HF_HUB_CACHE", cache);
    fails("google/other", NULL, PALI_ERROR_IO, "fetch it with: hf download google/other");
    fails("google/paligemma-x", "refs", PALI_ERROR_IO, "at revision refs");
    fails("google/paligemma-x", "v2", PALI_ERROR_IO, "fetch it with: hf download google/paligemma-x --revision v2");
    fails("google/paligemma-x", "pr/1", PALI_ERROR_IO, "snapshots/fedc");
    fails("google/paligemma-x", "evil", PALI_ERROR_FORMAT, "names no commit");
    fails("google/paligemma-x", "../x", PALI_ERROR_ARGUMENT, "is no revision");
    fails("google/paligemma-x", "", PALI_ERROR_ARGUMENT, "is no revision");
    fails("a/b/c", NULL, PALI_ERROR_ARGUMENT, "is no hub id");
    fails("../x", NULL, PALI_ERROR_ARGUMENT, "is no hub id");
    fails("google/", NULL, PALI_ERROR_ARGUMENT, "is no hub id");
    fails("", NULL, PALI_ERROR_ARGUMENT, "is no hub id");
    fails("paligemma", NULL, PALI_ERROR_IO, "/models--paligemma'");
    fails(NULL, NULL, PALI_ERROR_ARGUMENT, "id is NULL");
}

static void test_pointer(void)
{
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    pali_checkpoint *checkpoint = NULL;
    pali_config *config = NULL;
    pali_error *error = NULL;
    put(test_path(test_scratch(), "model.safetensors"), pointer);
    CHECK_FAILS(pali_checkpoint_open(&checkpoint, test_scratch(), &error), error, PALI_ERROR_FORMAT,
                "model.safetensors' is a Git LFS pointer, not the file: run git lfs pull");
    put(test_path(test_scratch(), "config.json"), pointer);
    CHECK_FAILS(pali_config_load(&config, test_scratch(), &error), error, PALI_ERROR_FORMAT,
                "config.json' is a Git LFS pointer");
}

int main(void)
{
    make_tree();
    test_variables();
    test_absent();
    test_pointer();
    return test_report("hub_path");
}
