/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Constraints without a model: whatever follows, as long as it may, the answer is of the promised form and ends within
 * its room. With the demonstration's tokenizer, with one that spells " ; " in three pieces, and with Gemma's where
 * PALI_SHARED_GEMMA says that it is at hand.
 */
#include <json-c/json.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include <paligemma/paligemma.h>

#include "generate/automaton.h"
#include "processor/inputs_internal.h"
#include "test.h"

static uint64_t random_state = 88172645463325252u;

static int64_t random_below(int64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (int64_t)(random_state % (uint64_t)n);
}

/* ---- tokenizers ---- */

static void copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    char buffer[65536];
    size_t n;

    CHECK_MSG(in && out, "%s to %s", from, to);
    while (in && out && (n = fread(buffer, 1, sizeof buffer, in)) > 0)
        fwrite(buffer, 1, n, out);
    if (in)
        fclose(in);
    if (out)
        fclose(out);
}

/* "scratch/NAME" with the fixture's config. */
static const char *make_folder(const char *name)
{
    static char folder[512];
    char fixture[1024];

    snprintf(folder, sizeof folder, "%s", test_path(test_scratch(), name));
    snprintf(fixture, sizeof fixture, "%s/models/pg1/config.json", test_data());
    mkdir(folder, 0777);
    copy_file(fixture, test_path(folder, "config.json"));
    return folder;
}

static void add_tokens(struct json_object *added, const char *form, int count, bool special, int64_t *id)
{
    static const char *const switches[] = { "single_word", "lstrip", "rstrip", "normalized" };
    for (int i = 0; i < count; i++) {
        struct json_object *entry = json_object_new_object();
        char name[16];
        snprintf(name, sizeof name, form, i);
        json_object_object_add(entry, "id", json_object_new_int64((*id)++));
        json_object_object_add(entry, "content", json_object_new_string(name));
        for (int k = 0; k < 4; k++)
            json_object_object_add(entry, switches[k], json_object_new_boolean(0));
        json_object_object_add(entry, "special", json_object_new_boolean(special));
        json_object_array_add(added, entry);
    }
}

/* The fixtures' small tokenizer, which spells " ; " in three pieces, with all <loc> and <seg>. */
static const char *spelled_folder(void)
{
    char fixture[1024];
    snprintf(fixture, sizeof fixture, "%s/models/pg1/tokenizer.json", test_data());
    struct json_object *root = json_object_from_file(fixture), *old = NULL, *added = json_object_new_array();
    const char *folder = make_folder("spelled");
    int64_t next = 0;

    CHECK(root && json_object_object_get_ex(root, "added_tokens", &old));
    for (size_t i = 0; i < json_object_array_length(old); i++) {
        struct json_object *entry = json_object_array_get_idx(old, i), *content = NULL, *id = NULL;
        json_object_object_get_ex(entry, "content", &content);
        json_object_object_get_ex(entry, "id", &id);
        const char *text = json_object_get_string(content);
        if (!strncmp(text, "<loc", 4) || !strncmp(text, "<seg", 4) || !strcmp(text, "<image>")) {
            next = next ? next : json_object_get_int64(id);
            continue;
        }
        json_object_array_add(added, json_object_get(entry));
    }
    add_tokens(added, "<loc%04d>", 1024, false, &next);
    add_tokens(added, "<seg%03d>", 128, false, &next);
    add_tokens(added, "<image>", 1, true, &next);
    json_object_object_add(root, "added_tokens", added);
    CHECK(json_object_to_file_ext(test_path(folder, "tokenizer.json"), root, JSON_C_TO_STRING_PLAIN) == 0);
    json_object_put(root);
    return folder;
}

/* ---- walks ---- */

struct walk {
    int64_t ids[256];
    size_t n_ids;
    bool ended; /* by eos */
};

/* One of those that may follow; more often than they come up by chance, those that end a label. */
static int64_t pick(const pali_constraint *constraint, const struct pali__allowed *allowed)
{
    if (constraint->is_objects && random_below(3) == 0)
        for (int64_t i = 0; i < allowed->n_spans; i++)
            for (int64_t id = allowed->spans[i].first; id < allowed->spans[i].first + allowed->spans[i].count; id++)
                if (id == constraint->separator[0] || (constraint->n_separator > 1 && id == constraint->separator[1]) ||
                    (id == constraint->eos && random_below(2) == 0))
                    return id;
    int64_t at = random_below(allowed->count);
    for (int64_t i = 0; i < allowed->n_spans; at -= allowed->spans[i++].count)
        if (at < allowed->spans[i].count)
            return allowed->spans[i].first + at;
    return -1;
}

static void check_spans(const pali_constraint *constraint, const struct pali__allowed *allowed)
{
    int64_t end = -1, count = 0;
    bool in_order = allowed->n_spans <= pali__constraint_max_spans(constraint);

    for (int64_t i = 0; i < allowed->n_spans; i++) {
        in_order = in_order && allowed->spans[i].first > end && allowed->spans[i].count > 0;
        end = allowed->spans[i].first + allowed->spans[i].count;
        count += allowed->spans[i].count;
    }
    CHECK(in_order && end <= constraint->vocab_size && count == allowed->count);
}

static void take_walk(const pali_constraint *constraint, int64_t room, struct walk *walk)
{
    size_t size = (size_t)pali__constraint_max_spans(constraint) * sizeof(struct pali__span);
    struct pali__allowed allowed = { malloc(size), 0, 0 };
    struct pali__constraint_state state;

    walk->n_ids = 0;
    walk->ended = false;
    pali__constraint_start(constraint, &state);
    for (int64_t left = room; left > 0 && !walk->ended; left--) {
        pali__constraint_allowed(constraint, &state, left, &allowed);
        check_spans(constraint, &allowed);
        CHECK_MSG(allowed.count > 0, "nothing may follow %zu tokens of %d", walk->n_ids, (int)room);
        if (allowed.count == 0)
            break;
        int64_t id = pick(constraint, &allowed);
        pali__constraint_advance(constraint, &state, id);
        walk->ended = id == constraint->eos;
        if (!walk->ended)
            walk->ids[walk->n_ids++] = id;
    }
    free(allowed.spans);
}

static bool is_one_of(const char *text, const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(text, texts[i]))
            return true;
    return false;
}

/* The answer as it would be written from the objects found in it. */
static void write_again(char *out, size_t size, const pali_detections *found)
{
    size_t at = 0;

    for (size_t i = 0; i < pali_detections_count(found); i++) {
        const pali_detection *box = pali_detections_get(found, i);
        const double corners[] = { box->y_min, box->x_min, box->y_max, box->x_max };
        at += (size_t)snprintf(out + at, size - at, "%s", i ? " ; " : "");
        for (int k = 0; k < 4; k++)
            at += (size_t)snprintf(out + at, size - at, "<loc%04d>", (int)(corners[k] * 1024.0));
        for (int k = 0; box->seg && k < 16; k++)
            at += (size_t)snprintf(out + at, size - at, "<seg%03d>", (int)box->seg[k]);
        at += (size_t)snprintf(out + at, size - at, " %s", box->label);
    }
    out[at < size ? at : size - 1] = '\0';
}

/* Returns the number of objects. */
static size_t check_answer(const pali_processor *processor, const struct walk *walk, bool masks,
                           const char *const *labels, size_t n_labels)
{
    static char again[65536];
    pali_detections *found = NULL;
    pali_error *error = NULL;
    char *text = NULL;

    CHECK_OK(pali_processor_decode(processor, walk->ids, walk->n_ids, 1, &text, &error), error);
    CHECK_OK(pali_detections_parse(&found, text, NULL, &error), error);
    size_t n = pali_detections_count(found);
    again[0] = '\0';
    write_again(again, sizeof again, found);
    CHECK_MSG(!strcmp(again, text), "\"%s\" reads as \"%s\"", text, again);
    for (size_t i = 0; i < n; i++) {
        const pali_detection *box = pali_detections_get(found, i);
        CHECK(box->y_max > box->y_min && box->x_max > box->x_min && (box->seg != NULL) == masks);
        CHECK_MSG(n_labels ? is_one_of(box->label, labels, n_labels) : *box->label != '\0', "label \"%s\"", box->label);
    }
    if (n_labels) { /* the tokens are those that the tokenizer makes of the text */
        int64_t *ids = NULL;
        size_t n_ids = 0;
        CHECK_OK(pali_processor_encode(processor, text, strlen(text), &ids, &n_ids, &error), error);
        CHECK_MSG(n_ids == walk->n_ids && !memcmp(ids, walk->ids, n_ids * sizeof *ids), "\"%s\"", text);
        pali_free(ids);
    }
    pali_detections_free(found);
    pali_free(text);
    return n;
}

static void walk_objects(const pali_processor *processor, bool masks, bool with_labels, int64_t max_objects,
                         int n_walks)
{
    static const char *const labels[] = { "cat", "red cat", "red", "traffic light", "c" };
    size_t n_labels = with_labels ? sizeof labels / sizeof *labels : 0, n_answers = 0, most = 0, n_ended = 0;
    pali_constraint_options options = PALI_CONSTRAINT_OPTIONS_INIT;
    pali_constraint *constraint = NULL;
    struct walk walk;
    pali_error *error = NULL;

    options.max_label_tokens = 1 + random_below(6);
    options.max_objects = max_objects;
    CHECK_OK((masks ? pali_constraint_segment : pali_constraint_detect)(
                 &constraint, processor, with_labels ? labels : NULL, n_labels, &options, &error), error);
    for (int i = 0; constraint && i < n_walks; i++) {
        int64_t least = pali__constraint_least_tokens(constraint);
        take_walk(constraint, i % 8 == 0 ? least : least + random_below(120), &walk);
        size_t n = check_answer(processor, &walk, masks, labels, n_labels);
        n_answers += n > 0;
        n_ended += walk.ended;
        most = n > most ? n : most;
    }
    CHECK(n_answers == (size_t)n_walks && n_ended > 0);
    CHECK(max_objects ? most <= (size_t)max_objects : most > 2);
    pali_constraint_free(constraint);
}

static void allow_empty(const pali_processor *processor)
{
    pali_constraint_options options = PALI_CONSTRAINT_OPTIONS_INIT;
    struct pali__span spans[4096];
    struct pali__allowed allowed = { spans, 0, 0 };
    struct pali__constraint_state state;
    pali_constraint *constraint = NULL;
    const char *labels[] = { "cat" };
    pali_error *error = NULL;

    for (int empty = 0; empty < 2; empty++) {
        options.allow_empty = empty;
        CHECK_OK(pali_constraint_detect(&constraint, processor, labels, 1, &options, &error), error);
        pali__constraint_start(constraint, &state);
        pali__constraint_allowed(constraint, &state, 50, &allowed);
        CHECK(allowed.count == 1023 + empty && allowed.n_spans == 1 + empty);
        pali_constraint_free(constraint);
    }
}

static void walk_choices(const pali_processor *processor)
{
    static const char *const texts[] = { "red", "red cat", "the cat ; <loc0001>", "", "no", "no", "not at all" };
    enum { N = sizeof texts / sizeof *texts };
    pali_constraint *constraint = NULL;
    bool seen[N] = { false };
    struct walk walk;
    pali_error *error = NULL;

    CHECK_OK(pali_constraint_choices(&constraint, processor, texts, N, &error), error);
    for (int i = 0; i < 300; i++) {
        char *text = NULL;
        take_walk(constraint, pali__constraint_least_tokens(constraint), &walk);
        CHECK_OK(pali_processor_decode(processor, walk.ids, walk.n_ids, 1, &text, &error), error);
        CHECK_MSG(is_one_of(text, texts, N), "\"%s\"", text);
        for (int k = 0; k < N; k++)
            seen[k] = seen[k] || !strcmp(texts[k], text);
        pali_free(text);
    }
    for (int k = 0; k < N; k++)
        CHECK_MSG(seen[k], "\"%s\" never came", texts[k]);
    pali_constraint_free(constraint);
}

/* ---- what is refused ---- */

static void wrong_arguments(const pali_processor *processor)
{
    static const char *const wrong_labels[] = { "", " cat", "cat ", "a;b", "a<b", "a>b", "a\nb", "red  cat", "\x7f" };
    const char *special[] = { "a<eos>" }, *missing[] = { "a", NULL }, *invalid[] = { "\xff" };
    pali_constraint_options options = PALI_CONSTRAINT_OPTIONS_INIT;
    pali_constraint *constraint = NULL;
    pali_error *error = NULL;

    for (size_t i = 0; i < sizeof wrong_labels / sizeof *wrong_labels; i++)
        CHECK_FAILS(pali_constraint_detect(&constraint, processor, &wrong_labels[i], 1, NULL, &error), error,
                    PALI_ERROR_ARGUMENT, "labels[0]");
    CHECK_FAILS(pali_constraint_segment(&constraint, processor, missing, 2, NULL, &error), error, PALI_ERROR_ARGUMENT,
                "labels[1]");
    CHECK_FAILS(pali_constraint_detect(&constraint, processor, missing, 0, NULL, &error), error, PALI_ERROR_ARGUMENT,
                "labels");
    CHECK_FAILS(pali_constraint_choices(&constraint, processor, special, 1, &error), error, PALI_ERROR_ARGUMENT,
                "special token");
    CHECK_FAILS(pali_constraint_choices(&constraint, processor, missing, 2, &error), error, PALI_ERROR_ARGUMENT,
                "choices[1] is NULL");
    CHECK_FAILS(pali_constraint_choices(&constraint, processor, invalid, 1, &error), error, PALI_ERROR_ARGUMENT,
                "UTF-8");
    CHECK_FAILS(pali_constraint_choices(&constraint, processor, NULL, 3, &error), error, PALI_ERROR_ARGUMENT,
                "choices");
    CHECK_FAILS(pali_constraint_choices(&constraint, NULL, special, 1, &error), error, PALI_ERROR_ARGUMENT,
                "processor");
    CHECK_FAILS(pali_constraint_choices(NULL, processor, special, 1, &error), error, PALI_ERROR_ARGUMENT, "out");
    options.max_objects = -1;
    CHECK_FAILS(pali_constraint_detect(&constraint, processor, NULL, 0, &options, &error), error, PALI_ERROR_ARGUMENT,
                "max_objects");
    options.max_objects = 0;
    options.max_label_tokens = 0;
    CHECK_FAILS(pali_constraint_detect(&constraint, processor, NULL, 0, &options, &error), error, PALI_ERROR_ARGUMENT,
                "max_label_tokens");
    CHECK(constraint == NULL);
    pali_constraint_free(NULL);
}

static pali_processor *load(const char *folder)
{
    pali_processor *processor = NULL;
    pali_error *error = NULL;

    CHECK_OK(pali_processor_load(&processor, folder, NULL, &error), error);
    return processor;
}

static void walk_all(const char *name, pali_processor *processor, int n_walks)
{
    printf("%s\n", name);
    for (int form = 0; processor && form < 4; form++) {
        walk_objects(processor, form & 1, form & 2, 0, n_walks);
        walk_objects(processor, form & 1, form & 2, 2, n_walks / 2);
    }
    if (processor)
        walk_choices(processor);
}

int main(void)
{
    const char *examples = getenv("PALI_TEST_EXAMPLES"), *gemma = getenv("PALI_SHARED_GEMMA");
    pali_constraint *constraint = NULL;
    pali_error *error = NULL;
    char folder[1024];

    pali_processor *processor = load(test_path(examples ? examples : "examples", "tiny/model"));
    walk_all("the demonstration's tokenizer", processor, 200);
    allow_empty(processor);
    wrong_arguments(processor);
    pali_processor_free(processor);

    processor = load(spelled_folder());
    walk_all("a tokenizer that spells the separator", processor, 200);
    pali_processor_free(processor);

    snprintf(folder, sizeof folder, "%s/models/pg1", test_data());
    processor = load(folder);
    CHECK_FAILS(pali_constraint_detect(&constraint, processor, NULL, 0, NULL, &error), error, PALI_ERROR_UNSUPPORTED,
                "<loc0008>");
    pali_processor_free(processor);

    if (gemma) {
        const char *real = make_folder("gemma");
        snprintf(folder, sizeof folder, "%s", test_path(real, "tokenizer.json"));
        unlink(folder);
        if (symlink(test_path(gemma, "tokenizer.json"), folder) == 0) {
            processor = load(real);
            walk_all("Gemma's tokenizer", processor, 16);
            pali_processor_free(processor);
        }
    } else {
        printf("Gemma's tokenizer is not at hand\n");
    }
    return test_report("constraint");
}
