// SPDX-License-Identifier: BSD-2-Clause
// An answer as it is made: a range of tokens. Progress goes to standard error, and Ctrl-C ends the answer, not the program.
//     stream CHECKPOINT PICTURE PROMPT
#include <paligemma/paligemma.hpp>

#include <csignal>
#include <exception>
#include <iostream>

namespace {

volatile std::sig_atomic_t interrupted;

} // namespace

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::cerr << "usage: stream CHECKPOINT PICTURE PROMPT\n";
        return 2;
    }
    try {
        pali::model_options loading;
        loading.set_progress([](std::string_view stage, double fraction) {
            std::cerr << '\r' << stage << ' ' << static_cast<int>(100 * fraction) << " %";
        });
        const pali::model model(argv[1], loading);
        std::cerr << '\n';
        const pali::processor processor(argv[1]);
        const pali::inputs inputs = processor.apply(pali::image(argv[2]), argv[3]);
        pali::generate_options options;
        options.max_new_tokens = 60;
        std::signal(SIGINT, [](int) { interrupted = 1; });

        pali::token_stream stream(model, inputs, options);
        for (const pali::token &token : stream) {
            std::cout << token.text << std::flush;
            if (interrupted)
                stream.stop();
        }
        std::cout << '\n';
        const pali::generation answer = stream.finish();
        if (answer)
            std::cerr << answer.ids().size() << " tokens, " << answer.timing().decode_s << " s after the first\n";
    } catch (const std::exception &failure) {
        std::cerr << failure.what() << '\n';
        return 1;
    }
    return 0;
}
