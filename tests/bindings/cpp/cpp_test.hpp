/* SPDX-License-Identifier: BSD-2-Clause */
/* Counted checks, and what the programs of this folder share. */
#ifndef PALI_TESTS_CPP_TEST_HPP
#define PALI_TESTS_CPP_TEST_HPP

#include <paligemma/paligemma.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

inline int checks, failures;

#define CHECK(...)                                                                                                     \
    do {                                                                                                               \
        checks++;                                                                                                      \
        if (!(__VA_ARGS__)) {                                                                                          \
            failures++;                                                                                                \
            std::fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #__VA_ARGS__);                             \
        }                                                                                                              \
    } while (0)

/** `work` throws a pali::error of that status, whose message contains `fragment`. */
template <class F> void check_throws(int line, pali_status status, const std::string &fragment, F &&work)
{
    checks++;
    try {
        work();
        std::fprintf(stderr, "line %d: nothing was thrown\n", line);
    } catch (const pali::error &error) {
        if (error.status() == status && std::string(error.what()).find(fragment) != std::string::npos)
            return;
        std::fprintf(stderr, "line %d: %s: %s\n", line, pali_status_name(error.status()), error.what());
    }
    failures++;
}
#define THROWS(status, fragment, ...) check_throws(__LINE__, status, fragment, [&] { __VA_ARGS__; })

/** The folder examples/ of the repository. */
inline std::string examples()
{
    const char *path = std::getenv("PALI_TEST_EXAMPLES");
    return path ? path : "examples";
}
inline std::string checkpoint() { return examples() + "/tiny/model"; }
inline std::string picture() { return examples() + "/pictures/shapes.png"; }
inline std::string scratch(const std::string &name)
{
    const char *path = std::getenv("PALI_TEST_SCRATCH");
    return std::string(path ? path : "/tmp") + "/" + name;
}

inline int report(const char *name)
{
    std::printf("%s: %d checks, %d failed\n", name, checks, failures);
    return failures != 0;
}

#endif
