/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * constrained_decode CHECKPOINT [THREADS [ROUNDS]]: time of a decode step without a constraint, with those of detect
 * and segment, and with guesses. The prompt is a few tokens of text, so that nearly all of the time goes into
 * decoding. With random weights the answers mean nothing and the times are the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <paligemma/paligemma.h>

enum { N_FORMS = 5 };

/* From the first token to the last. */
struct clocks {
    double wall, cpu, first_wall, first_cpu;
    int n_tokens;
};

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int on_token(void *user, const pali_token *token)
{
    struct clocks *clocks = user;
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    (void)token;
    if (clocks->n_tokens++ == 0) {
        clocks->first_wall = wall;
        clocks->first_cpu = cpu;
    }
    clocks->wall = wall - clocks->first_wall;
    clocks->cpu = cpu - clocks->first_cpu;
    return 0;
}

static int fail(const pali_error *error)
{
    fprintf(stderr, "%s\n", pali_error_message(error));
    return 1;
}

static int measure(pali_model *model, const pali_inputs *inputs, const char *name, const pali_constraint *constraint,
                   int64_t guesses)
{
    pali_generate_options options = PALI_GENERATE_OPTIONS_INIT;
    struct clocks clocks = { 0 };
    pali_generation *answer = NULL;
    pali_error *error = NULL;

    options.max_new_tokens = 24;
    options.constraint = constraint;
    options.prompt_lookup_num_tokens = guesses;
    options.on_token = on_token;
    options.on_token_user = &clocks;
    if (pali_generate(&answer, model, inputs, &options, &error))
        return fail(error);
    int n = clocks.n_tokens - 1;
    printf("%-26s %2d tokens in %2d passes, a token: %.3f s, %.3f s of CPU\n", name, n,
           (int)pali_generation_passes(answer), clocks.wall / n, clocks.cpu / n);
    fflush(stdout);
    pali_generation_free(answer);
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const names[N_FORMS] = { "no constraint", "detect, given labels", "segment, given labels",
                                                "detect, any label", "no constraint, 3 guesses" };
    static const char *const labels[] = { "cat", "dog" };
    int64_t ids[] = { 2, 5000, 6000, 7000, 108 };
    pali_tensor view = pali_tensor_view(ids, PALI_INT64, 2, (int64_t[]){ 1, 5 });
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_constraint *constraints[N_FORMS] = { NULL };
    pali_processor *processor = NULL;
    pali_model *model = NULL;
    pali_inputs *inputs = NULL;
    pali_error *error = NULL;
    int failed = 0, rounds = argc > 3 ? atoi(argv[3]) : 3;

    if (argc < 2)
        return fprintf(stderr, "usage: %s CHECKPOINT [THREADS [ROUNDS]]\n", argv[0]), 2;
    options.threads = argc > 2 ? atoi(argv[2]) : 0;
    if (pali_model_load(&model, argv[1], &options, &error) || pali_processor_load(&processor, argv[1], NULL, &error) ||
        pali_constraint_detect(&constraints[1], processor, labels, 2, NULL, &error) ||
        pali_constraint_segment(&constraints[2], processor, labels, 2, NULL, &error) ||
        pali_constraint_detect(&constraints[3], processor, NULL, 0, NULL, &error) ||
        pali_inputs_create(&inputs, &error) || pali_inputs_set(inputs, "input_ids", &view, &error))
        failed = fail(error);
    for (int round = 0; round < rounds && !failed; round++)
        for (int i = 0; i < N_FORMS && !failed; i++)
            failed = measure(model, inputs, names[i], constraints[i], i == 4 ? 3 : 0);
    for (int i = 0; i < N_FORMS; i++)
        pali_constraint_free(constraints[i]);
    pali_inputs_free(inputs);
    pali_processor_free(processor);
    pali_model_free(model);
    pali_error_free(error);
    return failed;
}
