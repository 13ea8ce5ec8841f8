/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host that uses libpng and OpenMP itself, is linked with the shared library, and loads a plugin that has the static
 * one inside: every answer has the same tokens, whoever gives it, one after the other, at the same time, out of the
 * host's parallel region, and with the host's own reading and writing of pictures in between.
 *     side_host PLUGIN CHECKPOINT PICTURE
 */
#include <dlfcn.h>
#include <omp.h>
#include <png.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>

#include "side_answer.h"

typedef int answer_fn(struct side_answer *to, const char *directory, const char *picture, const char *prompt);

static const char *directory, *picture;
static const char prompt[] = "caption en";
static struct side_answer expected;
static int failures;

static void expect(const char *who, int failed, const struct side_answer *got)
{
    if (!failed && expected.n_ids > 4 && got->n_ids == expected.n_ids &&
        memcmp(got->ids, expected.ids, got->n_ids * sizeof *got->ids) == 0)
        printf("same tokens: %s\n", who);
    else {
        fprintf(stderr, "other tokens, or none: %s\n", who);
        failures++;
    }
}

/* ---- the host's own libpng, which tells its errors by longjmp ---- */

static void complain(png_structp png, png_const_charp message)
{
    (void)message;
    longjmp(*(jmp_buf *)png_get_error_ptr(png), 1);
}

/* Reads the header of `path` into *width; returns 1 where libpng refused the file. */
static int host_png_width(const char *path, png_uint_32 *width)
{
    jmp_buf out;
    FILE *volatile file = fopen(path, "rb");
    png_structp volatile png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &out, complain, NULL);
    png_infop volatile info = png_create_info_struct(png);
    volatile int refused = 1;
    if (file && !setjmp(out)) {
        png_init_io(png, file);
        png_read_info(png, info);
        *width = png_get_image_width(png, info);
        refused = 0;
    }
    png_structp of_png = png;
    png_infop of_info = info;
    png_destroy_read_struct(&of_png, &of_info, NULL);
    if (file)
        fclose(file);
    return refused;
}

static void use_libpng(const char *scratch, const char *when)
{
    char path[1024];
    png_uint_32 width = 0;
    static const png_byte broken[] = "\x89PNG\r\n\x1a\n and then nothing of the kind";
    int fine = !host_png_width(picture, &width) && width > 0;
    snprintf(path, sizeof path, "%s/broken.png", scratch);
    FILE *file = fopen(path, "wb");
    fine &= file && fwrite(broken, sizeof broken, 1, file) == 1;
    fine &= file && fclose(file) == 0;
    fine &= host_png_width(path, &width);
    if (!fine) {
        fprintf(stderr, "the host's libpng %s fails %s\n", png_get_libpng_ver(NULL), when);
        failures++;
    }
}

/* ---- two copies at the same time ---- */

struct worker {
    answer_fn *answer;
    struct side_answer got;
    int failed;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    for (int i = 0; i < 3 && !worker->failed; i++)
        worker->failed = worker->answer(&worker->got, directory, picture, prompt);
    return NULL;
}

static void both_at_once(answer_fn *plugin_answer)
{
    struct worker workers[2] = { { side_answer, { { 0 }, 0 }, 0 }, { plugin_answer, { { 0 }, 0 }, 0 } };
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, work, &workers[i]))
            exit(1);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    expect("the shared library, while the plugin answers", workers[0].failed, &workers[0].got);
    expect("the plugin, while the shared library answers", workers[1].failed, &workers[1].got);
}

/* ---- the host's own OpenMP ---- */

static void in_parallel_region(answer_fn *plugin_answer)
{
    enum { N = 4 };
    struct worker workers[N];
    int threads = 0;
    memset(workers, 0, sizeof workers);
#pragma omp parallel num_threads(N)
    {
        struct worker *mine = &workers[omp_get_thread_num()];
        mine->answer = omp_get_thread_num() % 2 ? plugin_answer : side_answer;
        mine->failed = mine->answer(&mine->got, directory, picture, prompt);
#pragma omp atomic
        threads++;
    }
    if (threads != N) {
        fprintf(stderr, "the host's parallel region had %d threads\n", threads);
        failures++;
    }
    for (int i = 0; i < N; i++)
        expect("out of the host's parallel region", workers[i].failed, &workers[i].got);
}

int main(int argc, char **argv)
{
    struct side_answer got;
    const char *scratch = getenv("PALI_TEST_SCRATCH");
    if (argc != 4 || !scratch)
        return 2;
    directory = argv[2];
    picture = argv[3];
    use_libpng(scratch, "before anything else");
    if (side_answer(&expected, directory, picture, prompt))
        return 1;
    void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!plugin) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    answer_fn *plugin_answer;
    const char *(*plugin_version)(void);
    *(void **)&plugin_answer = dlsym(plugin, "plugin_answer");
    *(void **)&plugin_version = dlsym(plugin, "plugin_version");
    if (!plugin_answer || !plugin_version || plugin_version() == pali_version()) {
        fprintf(stderr, "the plugin has no copy of its own\n");
        return 1;
    }
    expect("the plugin", plugin_answer(&got, directory, picture, prompt), &got);
    use_libpng(scratch, "after two copies have opened pictures");
    both_at_once(plugin_answer);
    in_parallel_region(plugin_answer);
    use_libpng(scratch, "after all of it");
    dlclose(plugin);
    expect("the shared library, after the plugin has gone", side_answer(&got, directory, picture, prompt), &got);
    return failures != 0;
}
