// SPDX-License-Identifier: BSD-2-Clause
// Objects in a picture: boxes in pixels on standard output, the picture with the boxes drawn as a PNG.
//     detect CHECKPOINT PICTURE WHAT OUT.png
#include <paligemma/paligemma.hpp>

#include <exception>
#include <iostream>
#include <string>

int main(int argc, char **argv)
{
    if (argc != 5) {
        std::cerr << "usage: detect CHECKPOINT PICTURE WHAT OUT.png\n";
        return 2;
    }
    try {
        const pali::model model(argv[1]);
        const pali::processor processor(argv[1]);
        pali::image image(argv[2]);

        pali::generate_options options;
        options.max_new_tokens = 100;
        options.logprobs = 1;
        const pali::generation answer =
            pali::generate(model, processor.apply(image, std::string("detect ") + argv[3]), options);
        const pali::detections found(answer.text());

        const auto confidence = found.confidence(processor, answer[0]);
        for (std::size_t i = 0; i < found.size(); i++) {
            const pali_detection &box = found[i];
            const auto across = [&](double x) { return static_cast<int>(x * image.width()); };
            const auto down = [&](double y) { return static_cast<int>(y * image.height()); };
            std::cout << box.label << ": " << across(box.x_min) << ' ' << down(box.y_min) << ' ' << across(box.x_max)
                      << ' ' << down(box.y_max) << '\n';
        }
        pali::draw_options drawing;
        drawing.confidences = confidence.data();
        found.draw(image, drawing);
        image.save_png(argv[4]);
    } catch (const std::exception &failure) {
        std::cerr << failure.what() << '\n';
        return 1;
    }
    return 0;
}
