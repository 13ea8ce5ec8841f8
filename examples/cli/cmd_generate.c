/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma generate: pictures and a prompt in, the answer out, token by token. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "answer_objects.h"
#include "arguments.h"
#include "commands.h"
#include "json_write.h"

static const struct usage usage = {
    "generate",
    "Answers a prompt (\"caption en\", \"answer en what is this?\", \"detect cat\") about one or more pictures.",
    NULL
};

struct generate {
    struct common common;
    struct texts images;
    const char *prompt;
    struct constrain constrain;
    struct answer_objects objects;
    pali_generate_options options;
};

/* What stands open while a command runs. */
struct session {
    pali_model *model;
    pali_processor *processor;
    pali_image **images;
    pali_inputs *inputs;
    pali_constraint *constraint;
    pali_generation *answer;
    pali_error *error;
    double load_s;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* The first Ctrl-C stops at the next token or layer; a second one ends the program at once. */
static void catch_interrupt(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    action.sa_flags = (int)SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

static int on_progress(void *user, const char *stage, double fraction)
{
    (void)user, (void)stage, (void)fraction;
    return interrupted;
}

static int on_token(void *user, const pali_token *token)
{
    const struct generate *generate = user;
    if (!generate->common.json && token->text && *token->text) {
        fputs(token->text, stdout);
        fflush(stdout);
    }
    return interrupted || ferror(stdout);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Linux starts a program's ru_maxrss with its parent's, so that the peak of a small one would be that of the script
 * that ran it; VmHWM is this program's own. */
static int64_t peak_rss_bytes(void)
{
    char line[256];
    int64_t kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && !kilobytes && fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kilobytes = strtoll(line + 6, NULL, 10);
    if (file)
        fclose(file);
    struct rusage self;
    if (!kilobytes && getrusage(RUSAGE_SELF, &self) == 0)
        kilobytes = self.ru_maxrss;
    return kilobytes * 1024;
}

static const char *finish_reason(pali_finish_reason reason)
{
    static const char *const names[] = { "", "eos", "length", "cancelled", "stop_string", "constraint" };
    size_t index = (size_t)reason;
    return index < sizeof names / sizeof names[0] ? names[index] : "";
}

static void print_json(const struct session *session, const pali_timing *timing)
{
    size_t n_ids = 0;
    const int64_t *ids = pali_generation_token_ids(session->answer, 0, &n_ids);
    const struct {
        const char *name;
        double value;
    } stages[] = {
        { "load_s", session->load_s },
        { "image_s", timing->image_s },
        { "prefill_s", timing->prefill_s },
        { "decode_s", timing->decode_s },
    };

    printf("{\"prompt_tokens\": %" PRId64 ", \"token_ids\": ", timing->prompt_tokens);
    json_write_ids(ids, n_ids);
    fputs(", \"text\": ", stdout);
    json_write_text(pali_generation_text(session->answer, 0));
    printf(", \"finish_reason\": \"%s\", \"decode_passes\": %" PRId64,
           finish_reason(pali_generation_finish_reason(session->answer, 0)), pali_generation_passes(session->answer));
    fputs(", \"timing\": {", stdout);
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        printf("\"%s\": %.6f, ", stages[i].name, stages[i].value);
    printf("\"decode_tokens\": %" PRId64 ", \"tokens_per_s\": %.3f, \"peak_rss_bytes\": %" PRId64 "}}\n",
           timing->decode_tokens, timing->decode_s > 0.0 ? (double)timing->decode_tokens / timing->decode_s : 0.0,
           peak_rss_bytes());
}

static pali_status load(struct session *session, const struct generate *generate, const char *path)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    options.dtype = generate->common.dtype;
    options.threads = (int32_t)generate->common.threads;
    options.progress = on_progress;

    double start = seconds();
    pali_status status = pali_processor_load(&session->processor, path, NULL, &session->error);
    if (status == PALI_OK)
        status = pali_model_load(&session->model, path, &options, &session->error);
    session->load_s = seconds() - start;
    return status;
}

static pali_status answer(struct session *session, const struct generate *generate)
{
    pali_timing timing = PALI_TIMING_INIT;
    pali_status status = pali_processor_apply(&session->inputs, session->processor, session->images,
                                              generate->images.count, generate->prompt, NULL, &session->error);
    if (status == PALI_OK)
        status = make_constraint(&session->constraint, session->processor, &generate->constrain, &session->error);
    if (status == PALI_OK) {
        pali_generate_options options = generate->options;
        options.constraint = session->constraint;
        status = pali_generate(&session->answer, session->model, session->inputs, &options, &session->error);
    }
    if (status == PALI_OK)
        status = pali_generation_timing(session->answer, &timing, &session->error);
    if (status != PALI_OK)
        return status;

    if (generate->common.json)
        print_json(session, &timing);
    else
        putchar('\n');
    return answer_objects_write(&generate->objects, session->images[0], generate->images.items[0],
                                pali_generation_text(session->answer, 0), NULL, &session->error);
}

static int run(struct session *session, const struct generate *generate, const char *path)
{
    session->images = open_images(generate->images.items, generate->images.count);
    if (!session->images)
        return EXIT_FAILED;
    pali_status status = load(session, generate, path);
    if (status == PALI_OK)
        status = answer(session, generate);
    if (interrupted)
        return report_text("interrupted");
    return status == PALI_OK ? EXIT_DONE : session->error ? report(session->error) : EXIT_FAILED;
}

static int generate_answer(const struct generate *generate)
{
    struct session session = { 0 };
    char *path = checkpoint_path(generate->common.model);
    if (!path)
        return EXIT_FAILED;
    catch_interrupt();
    int status = run(&session, generate, path);

    pali_error_free(session.error);
    pali_generation_free(session.answer);
    pali_constraint_free(session.constraint);
    pali_inputs_free(session.inputs);
    free_images(session.images, generate->images.count);
    pali_processor_free(session.processor);
    pali_model_free(session.model);
    free(path);
    return status;
}

int cmd_generate(int argc, char **argv)
{
    struct generate generate = { .options = PALI_GENERATE_OPTIONS_INIT };
    pali_generate_options *answer_options = &generate.options;
    struct option options[] = {
        COMMON_OPTIONS(generate.common, true),
        { "-i", "--image", "IMG", OPTION_TEXTS, true, &generate.images, 0, 0,
          "PNG, JPEG or PNM file; once for each picture", false },
        { "-p", "--prompt", "PROMPT", OPTION_TEXT, true, &generate.prompt, 0, 0, "what to ask", false },
        { NULL, "--max-new-tokens", "N", OPTION_INT, false, &answer_options->max_new_tokens, 1, 1e9,
          "end the answer after N tokens (default: the checkpoint's, or 20)", false },
        { NULL, "--temperature", "T", OPTION_FLOAT, false, &answer_options->temperature, 0, 1e6,
          "sample from logits / T (default 0: the likeliest token)", false },
        { NULL, "--top-k", "K", OPTION_INT, false, &answer_options->top_k, 0, 1e9,
          "when sampling: of the K likeliest (default: the checkpoint's, or 50)", false },
        { NULL, "--top-p", "P", OPTION_FLOAT, false, &answer_options->top_p, 0, 1,
          "when sampling: of the likeliest that make up P (default: the checkpoint's, or 1)", false },
        { NULL, "--seed", "S", OPTION_SEED, false, &answer_options->seed, 0, 0,
          "when sampling: same seed, same answer (default 0)", false },
        { NULL, "--num-beams", "B", OPTION_INT, false, &answer_options->num_beams, 1, 64, "beams (default 1)", false },
        { NULL, "--constrain", "FORM", OPTION_TEXT, false, &generate.constrain.kind, 0, 0,
          "the answer has this form: detect, segment, or choices", false },
        { NULL, "--choices", "TEXT", OPTION_TEXTS, false, &generate.constrain.choices, 0, 0,
          "with --constrain choices: a text that the answer may be; once for each", false },
        { NULL, "--labels", "TEXT", OPTION_TEXTS, false, &generate.constrain.labels, 0, 0,
          "with --constrain detect or segment: a label that objects may have; once for each (default: any)", false },
        { NULL, "--allow-empty", NULL, OPTION_SWITCH, false, &generate.constrain.allow_empty, 0, 0,
          "with --constrain detect or segment: the answer may have no object", false },
        { NULL, "--prompt-lookup-num-tokens", "N", OPTION_INT, false, &answer_options->prompt_lookup_num_tokens, 0, 64,
          "guess up to N tokens from what was said before, and check them in one pass", false },
        ANSWER_OBJECTS_OPTIONS(generate.objects, NULL, "--detections"),
    };
    int status = options_parse(&usage, options, sizeof options / sizeof options[0], NULL, argc, argv);
    if (status == OPTIONS_GO_ON && answer_options->num_beams > 1 && answer_options->temperature > 0.0)
        status = usage_error(&usage, "--num-beams and --temperature exclude each other: beam search does not sample");
    if (status == OPTIONS_GO_ON)
        status = check_constrain(&usage, &generate.constrain);
    if (status == OPTIONS_GO_ON && answer_options->num_beams > 1 &&
        (generate.constrain.kind || answer_options->prompt_lookup_num_tokens > 0))
        status = usage_error(&usage, "--num-beams excludes --constrain and --prompt-lookup-num-tokens");
    if (status == OPTIONS_GO_ON) {
        answer_options->on_token = on_token;
        answer_options->on_token_user = &generate;
        answer_options->progress = on_progress;
        status = answer_objects_begin(&generate.objects) ? generate_answer(&generate) : EXIT_FAILED;
    }
    answer_objects_end(&generate.objects);
    free(generate.images.items);
    free(generate.constrain.choices.items);
    free(generate.constrain.labels.items);
    return status;
}
