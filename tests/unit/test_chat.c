/* SPDX-License-Identifier: BSD-2-Clause */
/* Chat templates against Transformers 5.23 (tests/oracle/make_chat_fixtures.py), and what must be refused. */
#include <json-c/json.h>

#include <paligemma/chat.h>

#include "core/memory.h"
#include "test.h"

static pali_processor *processor;

static const char *string(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value) : NULL;
}

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    CHECK_MSG(json_object_object_get_ex(object, key, &value), "no %s", key);
    return value;
}

static void one_case(struct json_object *test, struct json_object *templates, struct json_object *lists)
{
    const char *name = string(test, "name"), *expected = string(test, "text"), *raises = string(test, "raises");
    const char *messages = json_object_to_json_string_ext(member(lists, string(test, "messages")), JSON_C_TO_STRING_PLAIN);
    pali_chat_options options = PALI_CHAT_OPTIONS_INIT;
    char *text = NULL;
    pali_error *error = NULL;
    options.chat_template = string(templates, string(test, "template"));
    options.add_generation_prompt = json_object_get_boolean(member(test, "add_generation_prompt"));
    pali_status status = pali_processor_apply_chat_template(&text, processor, messages, &options, &error);
    if (expected) {
        CHECK_MSG(status == PALI_OK, "%s: %s", name, pali_error_message(error));
        CHECK_MSG(text && strcmp(text, expected) == 0, "%s:\n%s\n--- expected ---\n%s", name, text ? text : "", expected);
    } else {
        CHECK_MSG(status != PALI_OK && !text, "%s: no error, but %s", name, text ? text : "");
        CHECK_MSG(status != PALI_ERROR_UNSUPPORTED && status != PALI_ERROR_INTERNAL, "%s: %s", name,
                  pali_error_message(error));
        if (raises)
            CHECK_MSG(status == PALI_ERROR_ARGUMENT && strstr(pali_error_message(error), raises), "%s: %s", name,
                      pali_error_message(error));
    }
    pali_free(text);
    pali_error_free(error);
}

static void test_oracle(void)
{
    struct json_object *all = json_object_from_file(test_path(test_data(), "chat/cases.json"));
    CHECK(all != NULL);
    struct json_object *cases = member(all, "cases");
    CHECK(json_object_array_length(cases) > 300);
    for (size_t i = 0; i < json_object_array_length(cases); i++)
        one_case(json_object_array_get_idx(cases, i), member(all, "templates"), member(all, "messages"));
    json_object_put(all);
}

static void refused(const char *template, pali_status expected, const char *fragment)
{
    pali_chat_options options = PALI_CHAT_OPTIONS_INIT;
    char *text = NULL;
    pali_error *error = NULL;
    options.chat_template = template;
    CHECK_FAILS(pali_processor_apply_chat_template(&text, processor, "[{\"role\":\"user\",\"content\":\"x\"}]", &options,
                                                   &error),
                error, expected, fragment);
    CHECK(text == NULL);
}

/* What the language has and this library has not: by name and line. */
static void test_unsupported(void)
{
    static const char *const cases[][2] = {
        { "\n{% macro f(x) %}{% endmacro %}", "line 2: the statement \"macro\"" },
        { "{% include 'x' %}", "the statement \"include\"" },
        { "{% raw %}{{ x }}{% endraw %}", "the statement \"raw\"" },
        { "{% for x in y recursive %}{% endfor %}", "a recursive loop" },
        { "a\n\n{{ x | groupby('y') }}", "line 3: the filter \"groupby\"" },
        { "{{ 1 is sameas 1 }}", "the test \"sameas\"" },
        { "{{ 'x'.zfill(3) }}", "the method .zfill of a str" },
        { "{{ messages.append(1) }}", "the method .append of a list" },
        { "{{ messages[0].items }}", "the method .items without a call" },
        { "{{ lipsum() }}", "the function lipsum" },
        { "{{ '%s' % 'a' }}", "formatting with %" },
        { "{{ 1e5 }}", "a number that is written with \"e\"" },
        { "{{ loop.cycle(1) if false }}{% for x in [1] %}{{ loop.cycle }}{% endfor %}", "loop.cycle" },
        { "{{ 'stra\xc3\x9f" "e'.upper() }}", "changing the case of text that is not ASCII" },
        { "{{ f(*x) }}", "a call with * or **" },
        { "{{ namespace(x=1) }}", "printing a namespace" },
        { "{% set x | upper %}a{% endset %}", "a set block with a filter" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(cases[i][0], PALI_ERROR_UNSUPPORTED, cases[i][1]);
}

/* `open` 400 times, `inside`, and `close` 400 times. */
static char *nested(const char *open, const char *inside, const char *close)
{
    struct pali__text text = { NULL, 0, 0 };
    for (int i = 0; i < 400; i++)
        pali__text_append(&text, open, strlen(open));
    pali__text_append(&text, inside, strlen(inside));
    for (int i = 0; i < 400; i++)
        pali__text_append(&text, close, strlen(close));
    return text.data;
}

/* Templates that would never end, or never stop growing. */
static void test_limits(void)
{
    static const char *const nests[][3] = { { "{{ ", "1", " }}" },  { "(", "1", ")" },   { "[", "1", "]" },
                                            { "not ", "1", "" },    { "-", "1", "" },    { "", "1", " + 1" },
                                            { "", "1", "|string" }, { "", "x", ".a" },   { "1 if ", "1", " else 1" } };
    refused("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", PALI_ERROR_LIMIT, "");
    refused("{{ range(2000000000) }}", PALI_ERROR_LIMIT, "");
    refused("{% set ns = namespace(x='ab') %}{% for a in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
            PALI_ERROR_LIMIT, "line 1: ");
    refused("{% set ns = namespace(x=[1]) %}{% for a in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
            PALI_ERROR_LIMIT, "");
    refused("{{ 'x' * 99999999999 }}", PALI_ERROR_LIMIT, "too long");
    refused("{% set ns = namespace(x=[]) %}{% for a in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
            PALI_ERROR_LIMIT, "nested");
    refused("{% set ns = namespace(x=[]) %}{% for a in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x == ns.x }}",
            PALI_ERROR_LIMIT, "nested");
    refused("{% set x = 'y' * 9999999 %}{% for a in range(9999) %}{{ x | length }}{% endfor %}", PALI_ERROR_LIMIT, "steps");
    refused("{{ 9223372036854775807 + 1 }}", PALI_ERROR_UNSUPPORTED, "digits");
    refused("{{ 999999999999999999 * 999999999999999999 }}", PALI_ERROR_LIMIT, "64 bits");
    for (size_t i = 0; i < sizeof nests / sizeof nests[0]; i++) {
        char *inside = nested(nests[i][0], nests[i][1], nests[i][2]);
        struct pali__text text = { NULL, 0, 0 };
        pali__text_printf(&text, i ? "{{ %s }}" : "%s", inside);
        refused(text.data, PALI_ERROR_LIMIT, "");
        pali__text_clear(&text);
        pali__free(inside);
    }
    char *blocks = nested("{% if 1 %}", "x", "{% endif %}");
    refused(blocks, PALI_ERROR_LIMIT, "nested more than");
    pali__free(blocks);
}

static void messages_fail(const char *messages, pali_status expected, const char *fragment)
{
    pali_chat_options options = PALI_CHAT_OPTIONS_INIT;
    char *text = NULL;
    pali_error *error = NULL;
    options.chat_template = "x";
    CHECK_FAILS(pali_processor_apply_chat_template(&text, processor, messages, &options, &error), error, expected, fragment);
}

static void test_messages(void)
{
    pali_chat_options options = PALI_CHAT_OPTIONS_INIT;
    char *text = NULL;
    pali_error *error = NULL;
    messages_fail("", PALI_ERROR_ARGUMENT, "");
    messages_fail("[", PALI_ERROR_ARGUMENT, "");
    messages_fail("5", PALI_ERROR_ARGUMENT, "an integer, a JSON array");
    messages_fail("[5]", PALI_ERROR_ARGUMENT, "message 0 is of type int");
    messages_fail("[],\"bos_token\":\"x\"", PALI_ERROR_ARGUMENT, "");
    messages_fail("[]}, {\"a\":[", PALI_ERROR_ARGUMENT, "");
    messages_fail("{\"other\":[]}", PALI_ERROR_ARGUMENT, "null");
    messages_fail("[{\"n\":99999999999999999999999}]", PALI_ERROR_LIMIT, "64 bits");
    options.chat_template = "{{ messages | length }}{{ messages[0].content }}";
    CHECK_OK(pali_processor_apply_chat_template(&text, processor, " {\"messages\": [{\"content\": 0.5}]}", &options, &error),
             error);
    CHECK(text && strcmp(text, "10.5") == 0);
    pali_free(text);
    CHECK_FAILS(pali_processor_apply_chat_template(&text, processor, "[]", NULL, &error), error, PALI_ERROR_FORMAT,
                "the checkpoint has no chat template");
    options.tools = "[]";
    CHECK_FAILS(pali_processor_apply_chat_template(&text, processor, "[]", &options, &error), error,
                PALI_ERROR_UNSUPPORTED, "tools");
    CHECK_FAILS(pali_processor_apply_chat_template(&text, NULL, "[]", NULL, &error), error, PALI_ERROR_ARGUMENT,
                "processor is NULL");
    CHECK_FAILS(pali_processor_apply_chat_template(&text, processor, NULL, NULL, &error), error, PALI_ERROR_ARGUMENT,
                "messages_json is NULL");
    CHECK(pali_processor_chat_template(processor, NULL) == NULL && pali_processor_chat_template(NULL, "x") == NULL);
}

/* ---- where templates are kept ---- */

static const char *folder;

static void put(const char *name, const char *text)
{
    FILE *file = fopen(test_path(folder, name), "wb");
    CHECK(file && fputs(text, file) >= 0);
    if (file)
        fclose(file);
}

static void copy(const char *name)
{
    char bytes[65536];
    char path[64];
    snprintf(path, sizeof path, "models/pg1/%s", name);
    FILE *from = fopen(test_path(test_data(), path), "rb");
    size_t size = from ? fread(bytes, 1, sizeof bytes - 1, from) : 0;
    bytes[size] = '\0';
    put(name, bytes);
    if (from)
        fclose(from);
}

static void renders(const char *name, const char *expected)
{
    pali_processor *own = NULL;
    pali_chat_options options = PALI_CHAT_OPTIONS_INIT;
    char *text = NULL;
    pali_error *error = NULL;
    options.chat_template = name;
    CHECK_OK(pali_processor_load(&own, folder, NULL, &error), error);
    CHECK_OK(pali_processor_apply_chat_template(&text, own, "[]", &options, &error), error);
    CHECK_MSG(text && strcmp(text, expected) == 0, "%s, not %s", text ? text : "nothing", expected);
    CHECK(pali_processor_chat_template(own, name) != NULL);
    pali_free(text);
    pali_processor_free(own);
}

static void loading_fails(const char *name, const char *text, const char *fragment)
{
    pali_processor *own = NULL;
    pali_error *error = NULL;
    put(name, text);
    CHECK_FAILS(pali_processor_load(&own, folder, NULL, &error), error, PALI_ERROR_FORMAT, fragment);
    remove(test_path(folder, name));
}

static void test_sources(void)
{
    pali_processor *own = NULL;
    char *text = NULL;
    pali_error *error = NULL;
    folder = test_scratch();
    remove(test_path(folder, "processor_config.json"));
    remove(test_path(folder, "chat_template.json"));
    remove(test_path(folder, "chat_template.jinja"));
    copy("config.json");
    copy("tokenizer.json");
    put("tokenizer_config.json", "{\"bos_token\":{\"content\":\"<bos>\"},\"extra_special_tokens\":{\"my_token\":\"<m>\"},"
                                 "\"chat_template\":\"tokenizer {{ bos_token }}{{ my_token }}\"}");
    renders(NULL, "tokenizer <bos><m>");
    put("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"default\",\"template\":\"d\"},"
                                 "{\"name\":\"rag\",\"template\":\"r{{ eos_token }}\"}]}");
    renders(NULL, "d");
    renders("rag", "r<eos>");
    put("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"a\",\"template\":\"x\"},{\"name\":\"b\",\"template\":\"y\"}]}");
    CHECK_OK(pali_processor_load(&own, folder, NULL, &error), error);
    CHECK_FAILS(pali_processor_apply_chat_template(&text, own, "[]", NULL, &error), error, PALI_ERROR_FORMAT,
                "2 chat templates, none of them named \"default\"");
    pali_processor_free(own);
    put("chat_template.jinja", "jinja\n");
    renders(NULL, "jinja");
    put("chat_template.json", "{\"chat_template\":\"legacy\"}");
    renders(NULL, "legacy");
    put("processor_config.json", "{\"chat_template\":\"processor\"}");
    renders(NULL, "processor");
    loading_fails("processor_config.json", "{\"chat_template\":5}", "chat_template is an integer");
    loading_fails("chat_template.json", "{\"chat_template\":[{\"name\":\"x\"}]}", "chat_template[0] lacks");
    loading_fails("chat_template.json", "{\"chat_template\":{\"default\":5}}", "chat_template.default is no string");
}

int main(void)
{
    pali_error *error = NULL;
    CHECK_OK(pali_processor_load(&processor, test_path(test_data(), "models/pg1"), NULL, &error), error);
    if (!processor)
        return 1;
    test_oracle();
    test_unsupported();
    test_limits();
    test_messages();
    test_sources();
    pali_processor_free(processor);
    return test_report("chat");
}
