// SPDX-License-Identifier: BSD-2-Clause
// Times gemma.cpp on the work that `paligemma bench` does: one picture of equal pixels, a prompt of the picture's
// tokens and four more, and an answer of a fixed number of tokens, greedily. Built against gemma.cpp, outside this
// project's build (docs/peers.md); its model file is written by make_sbs.py.
//
//     gemma_cpp_bench --weights MODEL.sbs [gemma.cpp's own options] NEW_TOKENS RUNS
//
// prints one JSON object per run. gemma.cpp tries several ways to cut each product during its first calls and keeps the
// quickest, so one run, not printed, goes before.
#include <stdio.h>
#include <stdlib.h>

#include <vector>

#include "gemma/gemma.h"
#include "gemma/gemma_args.h"
#include "gemma/kv_cache.h"
#include "hwy/timer.h"
#include "ops/matmul.h"
#include "paligemma/image.h"

namespace {

constexpr size_t kTextTokens = 4;

struct Run {
    double image_s, prefill_s, decode_tokens_per_s;
};

Run RunOnce(const gcpp::Gemma &gemma, const gcpp::Image &picture, size_t new_tokens, gcpp::KVCache &cache,
            gcpp::MatMulEnv &env)
{
    const gcpp::ModelConfig &config = gemma.Config();
    gcpp::ImageTokens rows("image_tokens", gcpp::Extents2D(config.vit_config.seq_len, config.model_dim),
                           env.ctx.allocator, gcpp::MatPadding::kOdd);
    rows.AllocateAndAttachRowPtrs(env.row_ptrs);

    // The first tokens stand for the picture's rows, whatever they are.
    std::vector<int> prompt(config.vit_config.seq_len, 0);
    for (size_t i = 0; i < kTextTokens; ++i)
        prompt.push_back(static_cast<int>(2 + i));

    gcpp::RuntimeConfig options = {};
    options.max_generated_tokens = new_tokens;
    options.prefill_tbatch_size = prompt.size();
    options.decode_qbatch_size = 1;
    options.top_k = 1;
    options.image_tokens = &rows;
    options.batch_stream_token = [](size_t, size_t, int, float) { return true; };

    Run run;
    const double start = hwy::platform::Now();
    gemma.GenerateImageTokens(options, cache.SeqLen(), picture, rows, env);
    run.image_s = hwy::platform::Now() - start;

    gcpp::TimingInfo timing = {};
    gemma.Generate(options, gcpp::PromptTokens(prompt.data(), prompt.size()), 0, prompt.size(), cache, env, timing);
    run.prefill_s = timing.prefill_duration;
    run.decode_tokens_per_s = static_cast<double>(timing.tokens_generated) / timing.generate_duration;
    return run;
}

}  // namespace

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: %s --weights MODEL.sbs [OPTION VALUE …] NEW_TOKENS RUNS\n", argv[0]);
        return 2;
    }
    const size_t new_tokens = strtoul(argv[argc - 2], nullptr, 10);
    const size_t runs = strtoul(argv[argc - 1], nullptr, 10);
    gcpp::InternalInit();
    gcpp::LoaderArgs loader(argc, argv);
    gcpp::ThreadingArgs threading(argc, argv);
    gcpp::InferenceArgs inference(argc, argv);
    inference.seq_len = 2048;

    gcpp::ThreadingContext context(threading);
    gcpp::MatMulEnv env(context);
    const gcpp::Gemma gemma(loader, inference, context);
    gcpp::KVCache cache(gemma.Config(), inference, context.allocator);

    const size_t size = gemma.Config().vit_config.image_size;
    const std::vector<float> pixels(3 * size * size, 0.5f);
    gcpp::Image picture;
    picture.Set(static_cast<int>(size), static_cast<int>(size), pixels.data());

    for (size_t i = 0; i <= runs; ++i) {
        const Run run = RunOnce(gemma, picture, new_tokens, cache, env);
        if (i > 0)
            printf("{\"image_s\": %.4f, \"prefill_s\": %.4f, \"decode_tokens_per_s\": %.4f}\n", run.image_s,
                   run.prefill_s, run.decode_tokens_per_s);
    }
    return 0;
}
