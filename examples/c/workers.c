/* SPDX-License-Identifier: BSD-2-Clause */
/* Many threads, one model: each thread takes the next picture and answers the prompt about it.
 *     workers CHECKPOINT_DIR THREADS PROMPT PICTURE…
 * A model and a processor do not change once loaded, so they need no lock; inputs and answers are each thread's own. */
#include <paligemma/paligemma.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_THREADS = 64 };

struct work {
    pali_model *model;
    pali_processor *processor;
    const char *prompt;
    char **pictures;
    pali_generation **answers; /* of each picture, or NULL … */
    pali_error **errors;       /* … and then why */
    size_t n, next;
    pthread_mutex_t lock; /* of `next` */
};

static size_t take(struct work *work)
{
    pthread_mutex_lock(&work->lock);
    size_t mine = work->next < work->n ? work->next++ : work->n;
    pthread_mutex_unlock(&work->lock);
    return mine;
}

static void *answer_pictures(void *user)
{
    struct work *work = user;
    for (size_t i = take(work); i < work->n; i = take(work)) {
        pali_image *image = NULL;
        pali_inputs *inputs = NULL;
        pali_error **error = &work->errors[i];
        pali_status status = pali_image_open(&image, work->pictures[i], NULL, error);
        if (status == PALI_OK)
            status = pali_processor_apply(&inputs, work->processor, &image, 1, work->prompt, NULL, error);
        if (status == PALI_OK)
            status = pali_generate(&work->answers[i], work->model, inputs, NULL, error); /* NULL again if it fails */
        pali_inputs_free(inputs);
        pali_image_free(image);
    }
    return NULL;
}

/* Starts the threads and waits for them; as many as could be started do all the work. False if none could. */
static int run(struct work *work, int n_threads)
{
    pthread_t threads[MOST_THREADS];
    int started = 0;
    while (started < n_threads && pthread_create(&threads[started], NULL, answer_pictures, work) == 0)
        started++;
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return started > 0;
}

int main(int argc, char **argv)
{
    struct work work = { .lock = PTHREAD_MUTEX_INITIALIZER };
    pali_model_options options = PALI_MODEL_OPTIONS_INIT;
    pali_error *error = NULL;
    int n_threads = argc > 4 ? atoi(argv[2]) : 0, failed = 0;

    if (n_threads < 1 || n_threads > MOST_THREADS) {
        fprintf(stderr, "usage: %s CHECKPOINT_DIR THREADS(1 to %d) PROMPT PICTURE...\n", argv[0], MOST_THREADS);
        return 2;
    }
    work.prompt = argv[3];
    work.pictures = argv + 4;
    work.n = (size_t)argc - 4;
    work.answers = calloc(work.n, sizeof *work.answers);
    work.errors = calloc(work.n, sizeof *work.errors);
    options.threads = 1; /* for each call: the processors are shared out by picture */
    if (!work.answers || !work.errors ||
        pali_model_load(&work.model, argv[1], &options, &error) ||
        pali_processor_load(&work.processor, argv[1], NULL, &error) || !run(&work, n_threads)) {
        fprintf(stderr, "%s: %s\n", argv[0], error ? pali_error_message(error) : "no memory, or no thread");
        failed = 1;
    }
    for (size_t i = 0; !failed && i < work.n; i++)
        printf("%s\t%s\n", work.pictures[i],
               work.answers[i] ? pali_generation_text(work.answers[i], 0) : pali_error_message(work.errors[i]));

    for (size_t i = 0; work.answers && work.errors && i < work.n; i++) {
        failed |= work.answers[i] == NULL;
        pali_generation_free(work.answers[i]);
        pali_error_free(work.errors[i]);
    }
    free(work.answers);
    free(work.errors);
    pali_error_free(error);
    pali_processor_free(work.processor);
    pali_model_free(work.model);
    return failed || fflush(stdout) != 0;
}
