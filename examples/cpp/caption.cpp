// SPDX-License-Identifier: BSD-2-Clause
// The shortest useful program: one picture, one prompt, the answer.
//     caption CHECKPOINT PICTURE PROMPT
#include <paligemma/paligemma.hpp>

#include <exception>
#include <iostream>

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::cerr << "usage: caption CHECKPOINT PICTURE PROMPT\n";
        return 2;
    }
    try {
        const pali::model model(argv[1]);
        const pali::processor processor(argv[1]);
        const pali::inputs inputs = processor.apply(pali::image(argv[2]), argv[3]);
        pali::generate_options options;
        options.max_new_tokens = 60;
        std::cout << pali::generate(model, inputs, options).text() << '\n';
    } catch (const std::exception &failure) {
        std::cerr << failure.what() << '\n';
        return 1;
    }
    return 0;
}
