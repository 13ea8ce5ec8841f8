// SPDX-License-Identifier: BSD-2-Clause
// Quantized checkpoints, the head and caches in int8, and the memory that is forecast, in C++.
#include "cpp_test.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace {

bool has_tensor(const std::string &directory, const std::string &part, const std::string &end)
{
    const pali::checkpoint files(directory);
    return std::any_of(files.begin(), files.end(), [&](const auto &entry) {
        const std::string name(entry.first);
        return name.find(part) != std::string::npos && name.size() > end.size() &&
               name.compare(name.size() - end.size(), end.size(), end) == 0;
    });
}

float furthest(const pali::outputs &a, const pali::outputs &b)
{
    const auto x = a.at("logits").values<float>(), y = b.at("logits").values<float>();
    float far = x.size() == y.size() ? 0.0f : INFINITY;
    for (std::size_t i = 0; i < std::min(x.size(), y.size()); i++)
        far = std::max(far, std::fabs(x[i] - y[i]));
    return far;
}

void test_int8(const pali::model &model, const pali::inputs &inputs)
{
    const std::string out = scratch("saved-int8");
    pali::quantize_options options;
    options.set_progress([](std::string_view, double) { return false; });
    THROWS(PALI_ERROR_CANCELLED, "", pali::quantize(checkpoint(), out, options));
    THROWS(PALI_ERROR_IO, "", pali::checkpoint{ out }); // nothing was left

    double last = 0.0;
    bool in_order = true;
    options.set_progress([&](std::string_view stage, double fraction) {
        in_order = in_order && stage == "quantize" && last <= fraction;
        last = fraction;
    });
    pali::quantize(checkpoint(), out, options);
    CHECK(in_order && last == 1.0);
    const pali::model quantized(out);
    CHECK(pali::generate(quantized, inputs).text() == pali::generate(model, inputs).text());
    THROWS(PALI_ERROR_ARGUMENT, "", pali::quantize(checkpoint(), out));
    THROWS(PALI_ERROR_UNSUPPORTED, "", pali::quantize(out, out + "-twice"));
}

void test_int4(const pali::processor &processor, const pali::image &image)
{
    const std::string out = scratch("saved-int4");
    const std::array<pali::inputs, 2> seen = { processor.apply(image, "caption en"),
                                               processor.apply(image, "detect circle") };
    pali::quantize_options options;
    options.scheme = PALI_INT4_WEIGHT_ONLY;
    options.group_size = 7;
    THROWS(PALI_ERROR_ARGUMENT, "", pali::quantize(checkpoint(), out, options));
    options.group_size = 32;
    options.zero_points = 1;
    options.parts = PALI_QUANTIZE_DECODER | PALI_QUANTIZE_VISION;
    options.set_calibration(seen);
    bool calibrated = false;
    options.set_progress([&](std::string_view stage, double) { calibrated = calibrated || stage == "calibrate"; });
    pali::quantize(checkpoint(), out, options);
    CHECK(calibrated);
    CHECK(has_tensor(out, "", ".weight_zero_point") && has_tensor(out, "vision", ".weight_scale"));
    CHECK(!pali::generate(pali::model(out), seen[0]).text().empty());
}

void test_head_and_cache(const pali::model &model, const pali::inputs &inputs)
{
    pali::model_options options;
    options.ignore_memory = 1;
    options.int8_head = 1;
    const pali::outputs want = model.forward(inputs);
    const float off = furthest(pali::model(checkpoint(), options).forward(inputs), want);
    CHECK(off > 0.0f && off < 1.0f);
    options.int8_head = -1;
    CHECK(furthest(pali::model(checkpoint(), options).forward(inputs), want) == 0.0f);

    pali::cache_options small;
    small.dtype = PALI_INT8;
    const pali::cache int8(model, small), plain(model);
    const std::string answer(pali::generate(model, inputs).text());
    for (const pali::cache *cache : { &int8, &plain }) {
        pali::generate_options generating;
        generating.cache = cache->get();
        CHECK(pali::generate(model, inputs, generating).text() == answer);
    }
    CHECK(5 * int8.size_bytes() < 2 * plain.size_bytes());
}

void test_forecast()
{
    const pali_memory_forecast few = pali::forecast_memory(checkpoint(), 10);
    const pali_memory_forecast many = pali::forecast_memory(checkpoint(), 1010);
    CHECK(few.cache_per_token > 0 && many.cache - few.cache == 1000 * few.cache_per_token);
    CHECK(few.total == few.weights_mapped + few.weights_copied + few.cache + std::max(few.vision, few.activations));
    pali::model_options options;
    options.copy_weights = 1;
    CHECK(pali::forecast_memory(checkpoint(), 10, options).weights_copied > few.weights_copied);
    THROWS(PALI_ERROR_IO, "/nonexistent", pali::forecast_memory("/nonexistent", 10));
    THROWS(PALI_ERROR_ARGUMENT, "", pali::forecast_memory(checkpoint(), -1));
}

} // namespace

int main()
{
    try {
        const pali::model model(checkpoint());
        const pali::processor processor(checkpoint());
        const pali::image image(picture());
        const pali::inputs inputs = processor.apply(image, "answer en how many shapes are there?");
        test_int8(model, inputs);
        test_int4(processor, image);
        test_head_and_cache(model, inputs);
        test_forecast();
        const pali_machine machine = model.measure(8);
        CHECK(machine.vision_bytes > 0 && machine.decoder_bytes > 0);
        CHECK(machine.vision_gemm_dtype == machine.gemm_dtype && machine.decoder_gemm_dtype == machine.gemm_dtype);
    } catch (const std::exception &unexpected) {
        std::fprintf(stderr, "not expected: %s\n", unexpected.what());
        return 1;
    }
    return report("quantized");
}
