/* SPDX-License-Identifier: BSD-2-Clause */
/* The test harness: a program per file, a function per case, counted checks. Exit status 77 means skipped. */
#ifndef PALI_TESTS_TEST_H
#define PALI_TESTS_TEST_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <paligemma/base.h>

static int test_checks, test_failures;

/* Folders, from the environment as ctest sets it: the repository's tests/data, and a folder to write into. */
static inline const char *test_data(void)
{
    const char *path = getenv("PALI_TEST_DATA");
    return path ? path : "tests/data";
}

static inline const char *test_scratch(void)
{
    const char *path = getenv("PALI_TEST_SCRATCH");
    return path ? path : "/tmp";
}

/* "folder/name" in one of eight static buffers that take turns. */
static inline const char *test_path(const char *folder, const char *name)
{
    static char buffers[8][1024];
    static int turn;
    char *buffer = buffers[turn++ % 8];
    snprintf(buffer, sizeof buffers[0], "%s/%s", folder, name);
    return buffer;
}

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        test_checks++;                                                                                                 \
        if (!(condition)) {                                                                                            \
            test_failures++;                                                                                           \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                                    \
        }                                                                                                              \
    } while (0)

/* A check that explains itself: printf arguments follow. */
#define CHECK_MSG(condition, ...)                                                                                      \
    do {                                                                                                               \
        test_checks++;                                                                                                 \
        if (!(condition)) {                                                                                            \
            test_failures++;                                                                                           \
            fprintf(stderr, "%s:%d: failed: %s: ", __FILE__, __LINE__, #condition);                                    \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fputc('\n', stderr);                                                                                       \
        }                                                                                                              \
    } while (0)

/* A call that must succeed; prints the error's message otherwise. `error` is a pali_error * variable, NULL before. */
#define CHECK_OK(call, error)                                                                                          \
    do {                                                                                                               \
        pali_status status_ = (call);                                                                                  \
        CHECK_MSG(status_ == PALI_OK, "%s: %s", pali_status_name(status_), pali_error_message(error));                 \
        pali_error_free(error);                                                                                        \
        (error) = NULL;                                                                                                \
    } while (0)

/* A call that must fail with `expected` and a message that contains `fragment`. */
#define CHECK_FAILS(call, error, expected, fragment)                                                                   \
    do {                                                                                                               \
        pali_status status_ = (call);                                                                                  \
        CHECK_MSG(status_ == (expected), "got %s: %s", pali_status_name(status_), pali_error_message(error));          \
        CHECK_MSG(strstr(pali_error_message(error), (fragment)) != NULL, "message: %s", pali_error_message(error));    \
        pali_error_free(error);                                                                                        \
        (error) = NULL;                                                                                                \
    } while (0)

#define TEST_SKIP(reason)                                                                                              \
    do {                                                                                                               \
        printf("SKIPPED: %s\n", reason);                                                                               \
        exit(77);                                                                                                      \
    } while (0)

/* At the end of main. */
static inline int test_report(const char *name)
{
    printf("%s: %d checks, %d failed\n", name, test_checks, test_failures);
    return test_failures ? 1 : 0;
}

#endif
