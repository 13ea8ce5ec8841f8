/* SPDX-License-Identifier: BSD-2-Clause */
/* paligemma generate: pictures and a prompt in, the answer out, token by token. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate_command.h"
#include "resources.h"

/* What stands open while a command runs. */
struct session {
    pali_model *model;
    pali_adapter *adapter;
    pali_processor *processor;
    pali_image **images;
    char *rendered; /* prompt of --messages */
    pali_inputs *inputs;
    pali_cache *cache;
    pali_constraint *constraint;
    pali_generation *answer;
    pali_error *error;
    double load_s;
};

static int on_progress(void *user, const char *stage, double fraction)
{
    (void)user, (void)stage, (void)fraction;
    return interrupted();
}

/* Several answers are shown when all are there. */
static int on_token(void *user, const pali_token *token)
{
    const struct generate *generate = user;
    if (!generate->common.json && generate->options.num_return_sequences == 1 && token->text && *token->text) {
        fputs(token->text, stdout);
        fflush(stdout);
    }
    return interrupted() || ferror(stdout);
}

static pali_status load(struct session *session, const struct generate *generate, const char *path)
{
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    set_model_options(&options, &generate->common);
    options.progress = on_progress;

    double start = seconds();
    pali_status status = pali_processor_load(&session->processor, path, NULL, &session->error);
    if (status == PALI_OK)
        status = pali_model_load(&session->model, path, &options, &session->error);
    session->load_s = seconds() - start;
    return status;
}

static pali_status show(struct session *session, const struct generate *generate)
{
    struct shown shown = { session->answer, session->processor, session->load_s,
                            generate->logprobs || generate->options.top_logprobs > 0 };
    if (generate->common.json)
        return print_answer_json(&shown, &session->error);
    if (generate->options.num_return_sequences == 1)
        putchar('\n');
    else
        for (int64_t row = 0; row < pali_generation_rows(session->answer); row++)
            puts(pali_generation_text(session->answer, row));
    return PALI_OK;
}

/* The first answer's objects, each as likely as its tokens were. */
static pali_status write_objects(struct session *session, const struct generate *generate)
{
    size_t n_logprobs = 0;
    struct answer_tokens tokens = { .processor = session->processor };
    tokens.ids = pali_generation_token_ids(session->answer, 0, &tokens.n_ids);
    tokens.logprobs = pali_generation_logprobs(session->answer, 0, &n_logprobs);
    return answer_objects_write(&generate->objects, session->images[0], generate->images.items[0],
                                pali_generation_text(session->answer, 0), tokens.logprobs ? &tokens : NULL,
                                &session->error);
}

/* How many answers there will be is asked of the checkpoint where the command does not say. */
static void settle_answers(const struct session *session, struct generate *generate)
{
    int64_t *n = &generate->options.num_return_sequences;
    if (*n == 0 && pali_config_get_int(pali_model_config(session->model), "generation_config.num_return_sequences", n,
                                       NULL) != PALI_OK)
        *n = 1;
}

/* What the processor makes of pictures and prompt; after --load-cache, without pictures, the prompt as it stands. */
static pali_status make_inputs(struct session *session, const struct generate *generate)
{
    const char *prompt = session->rendered ? session->rendered : generate->prompt;
    if (generate->cache.load && generate->images.count == 0)
        return pali_processor_apply_continuation(&session->inputs, session->processor, prompt, &session->error);
    return pali_processor_apply(&session->inputs, session->processor, session->images, generate->images.count, prompt,
                                NULL, &session->error);
}

static pali_status answer(struct session *session, struct generate *generate)
{
    pali_status status = make_inputs(session, generate);
    if (status == PALI_OK)
        status = cache_choice_open(&generate->cache, &session->cache, session->model, session->inputs,
                                   generate->options.max_new_tokens, &session->error);
    generate->options.cache = session->cache;
    if (status == PALI_OK)
        status = generate_encode(generate, session->processor, &session->error);
    if (status == PALI_OK)
        status = make_constraint(&session->constraint, session->processor, &generate->constrain, &session->error);
    generate->options.constraint = session->constraint;
    settle_answers(session, generate);
    if (status == PALI_OK)
        status = pali_generate(&session->answer, session->model, session->inputs, &generate->options, &session->error);
    if (status == PALI_OK && session->cache)
        status = cache_choice_save(&generate->cache, session->cache, session->model, session->answer, &session->error);
    if (status == PALI_OK)
        status = show(session, generate);
    return status == PALI_OK && generate->images.count > 0 ? write_objects(session, generate) : status;
}

static int run(struct session *session, struct generate *generate, const char *path)
{
    session->images = open_images(generate->images.items, generate->images.count);
    if (!session->images)
        return EXIT_FAILED;
    pali_status status = load(session, generate, path);
    if (status == PALI_OK && open_adapter(&session->adapter, &generate->options.adapter_scale, session->model,
                                          generate->adapter) != EXIT_DONE)
        return EXIT_FAILED;
    generate->options.adapter = session->adapter;
    if (status == PALI_OK && generate->messages &&
        !(session->rendered = render_prompt(session->processor, generate->messages)))
        return EXIT_FAILED;
    if (status == PALI_OK)
        status = answer(session, generate);
    if (interrupted())
        return report_text("interrupted");
    return status == PALI_OK ? EXIT_DONE : session->error ? report(session->error) : EXIT_FAILED;
}

static int generate_answer(struct generate *generate)
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
    pali_cache_free(session.cache);
    pali_inputs_free(session.inputs);
    pali_free(session.rendered);
    free_images(session.images, generate->images.count);
    pali_processor_free(session.processor);
    pali_adapter_free(session.adapter);
    pali_model_free(session.model);
    free(path);
    return status;
}

int cmd_generate(int argc, char **argv)
{
    struct generate generate = { 0 };
    int status = generate_parse(&generate, argc, argv);
    if (status == OPTIONS_GO_ON) {
        generate.options.on_token = on_token;
        generate.options.on_token_user = &generate;
        generate.options.progress = on_progress;
        status = answer_objects_begin(&generate.objects) ? generate_answer(&generate) : EXIT_FAILED;
    }
    answer_objects_end(&generate.objects);
    generate_clear(&generate);
    return status;
}
