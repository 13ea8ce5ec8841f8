// SPDX-License-Identifier: BSD-2-Clause
// One model, many users: threads that share it answer as one alone does, and after a thousand generations the process
// is as large as after the first.
//     many [GENERATIONS]
#include "cpp_test.hpp"

#include <atomic>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace {

/** Resident memory of this process in bytes; 0 where there is no /proc. */
long resident()
{
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.rfind("VmRSS:", 0) == 0)
            return std::stol(line.substr(6)) * 1024;
    return 0;
}

void test_threads(const pali::model &model, const pali::processor &processor)
{
    const std::vector<std::string> prompts{ "caption en", "detect circle", "answer en how many shapes are there?" };
    std::vector<std::string> expected;
    const pali::image image(picture());
    for (const std::string &prompt : prompts)
        expected.emplace_back(pali::generate(model, processor.apply(image, prompt)).text());
    std::atomic<int> wrong{ 0 }, right{ 0 };
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 6; i++)
        threads.emplace_back([&, i] {
            try {
                for (std::size_t turn = 0; turn < 4; turn++) {
                    const std::size_t which = (i + turn) % prompts.size();
                    const pali::inputs inputs = processor.apply(image, prompts[which]);
                    std::string text;
                    if (turn % 2)
                        for (const pali::token &token : pali::token_stream(model, inputs))
                            text += token.text;
                    else
                        text = pali::generate(model, inputs).text();
                    (text == expected[which] ? right : wrong)++;
                }
            } catch (const std::exception &failure) {
                std::fprintf(stderr, "%s\n", failure.what());
                wrong++;
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    CHECK(right == 24 && wrong == 0);
}

/** Answers, stops, and fails in turn: each way out of a call must end what it began. */
void one_turn(const pali::model &model, const pali::processor &processor, const pali::image &image, int turn)
{
    const pali::inputs inputs = processor.apply(image, "caption en");
    pali::generate_options options;
    options.max_new_tokens = 4;
    options.set_stop_strings({ "never said" });
    if (turn % 4 == 1)
        options.set_on_token([](const pali::token &) { throw 1; });
    if (turn % 4 == 2)
        options.set_progress([](std::string_view, double) { return false; });
    try {
        if (turn % 4 == 3) {
            for (const pali::token &token : pali::token_stream(model, inputs, options))
                if (token.id >= 0)
                    break;
        } else
            CHECK(pali::generate(model, inputs, options).ids().size() == 4);
    } catch (int) {
        CHECK(turn % 4 == 1);
    } catch (const pali::error &failure) {
        CHECK(turn % 4 == 2 && failure.status() == PALI_ERROR_CANCELLED);
    }
}

void test_memory(const pali::model &model, const pali::processor &processor, int generations)
{
    const pali::image image(picture());
    for (int turn = 0; turn < 100; turn++)
        one_turn(model, processor, image, turn);
    const long before = resident();
    for (int turn = 0; turn < generations; turn++)
        one_turn(model, processor, image, turn);
    const long after = resident();
    std::printf("resident after 100 generations: %ld KiB, after %d more: %ld KiB\n", before / 1024, generations,
                after / 1024);
    // The allocator's own movement; 1,000 lost inputs of this model would be 150 MiB. A sanitizer keeps freed memory
    // back, and counts what is lost itself.
    const char *sanitize = std::getenv("PALI_SANITIZE");
    if (!before)
        std::puts("no /proc here: memory was not measured");
    else if (!sanitize || !*sanitize)
        CHECK(after - before < 4 * 1024 * 1024);
}

} // namespace

int main(int argc, char **argv)
{
    try {
        const pali::model model(checkpoint());
        const pali::processor processor(checkpoint());
        test_threads(model, processor);
        test_memory(model, processor, argc > 1 ? std::stoi(argv[1]) : 1000);
    } catch (const std::exception &unexpected) {
        std::fprintf(stderr, "not expected: %s\n", unexpected.what());
        return 1;
    }
    return report("many");
}
