/* SPDX-License-Identifier: BSD-2-Clause */
/* The input is a chat template, rendered with a list of messages; and, where it is JSON, the messages themselves. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "core/json_file.h"
#include "core/memory.h"
#include "processor/template.h"

static void render(const char *source, struct json_object *messages)
{
    static struct pali__special_token tokens[] = { { (char *)(uintptr_t) "bos_token", (char *)(uintptr_t) "<bos>" } };
    const struct pali__template_job job = { .name = "fuzz", .source = source, .messages = messages, .tokens = tokens,
                                            .n_tokens = 1, .add_generation_prompt = true };
    char *text = NULL;
    pali_error *error = NULL;
    pali_status status = pali__template_render(&text, &job, &error);
    if ((status == PALI_OK) != (text != NULL) || (status == PALI_OK) != (error == NULL) ||
        status == PALI_ERROR_INTERNAL)
        abort();
    pali__free(text);
    pali_error_free(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char plain[] = "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image\"},{\"type\":\"text\","
                                "\"text\":\" a \\u00e9'\\\"\\\\ \"}]},{\"role\":\"assistant\",\"content\":\"b\",\"n\":[1,0.5,"
                                "true,null,{\"k\":-1}]}]}";
    static const char printing[] = "{% for m in messages %}{{ m }}{{ m | tojson }}{{ m == messages[0] }}{% endfor %}";
    char *source = pali__strndup((const char *)data, size);
    struct json_object *root = NULL;
    if (source && pali__json_parse(&root, plain, sizeof plain - 1, 16, "fuzz", NULL) == PALI_OK)
        render(source, pali__json_get(root, "messages"));
    pali__json_free(root);
    root = NULL;
    if (source && pali__json_parse(&root, source, size, 64, "fuzz", NULL) == PALI_OK &&
        pali__json_kind(pali__json_get(root, "messages")) == PALI__JSON_ARRAY)
        render(printing, pali__json_get(root, "messages"));
    pali__json_free(root);
    pali__free(source);
    return 0;
}
