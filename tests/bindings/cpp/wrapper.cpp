// SPDX-License-Identifier: BSD-2-Clause
// Every class and function of paligemma.hpp, on the demonstration model.
//     wrapper DATA        (tests/data)
#include "cpp_test.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <type_traits>

namespace {

template <class T>
constexpr bool moves_only = !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
                            std::is_nothrow_move_constructible_v<T>;
static_assert(moves_only<pali::model> && moves_only<pali::processor> && moves_only<pali::image>);
static_assert(moves_only<pali::inputs> && moves_only<pali::outputs> && moves_only<pali::cache>);
static_assert(moves_only<pali::generation> && moves_only<pali::scores> && moves_only<pali::detections>);
static_assert(moves_only<pali::adapter> && moves_only<pali::constraint> && moves_only<pali::image_features>);
static_assert(moves_only<pali::checkpoint> && moves_only<pali::config> && moves_only<pali::comparison>);
static_assert(moves_only<pali::mask> && moves_only<pali::mask_decoder>);
static_assert(!std::is_copy_constructible_v<pali::token_stream> && std::is_move_constructible_v<pali::token_stream>);
// The stream refers to model and inputs: temporaries, which would end before it, do not compile.
template <class Model, class Inputs, class... Options>
constexpr bool streams = std::is_constructible_v<pali::token_stream, Model, Inputs, Options...>;
static_assert(streams<pali::model &, pali::inputs &> && streams<const pali::model &, const pali::inputs &>);
static_assert(streams<pali::model &, pali::inputs &, pali::generate_options>);
static_assert(!streams<pali::model &, pali::inputs> && !streams<pali::model, pali::inputs &>);
static_assert(!streams<pali::model, pali::inputs> && !streams<const pali::model &, const pali::inputs>);
static_assert(!streams<pali::model &, pali::inputs, pali::generate_options>);
static_assert(!streams<pali::model, pali::inputs &, const pali::generate_options &>);
static_assert(!std::is_constructible_v<pali::view<std::int64_t>, pali::view<const std::int64_t>>); // no const lost
static_assert(std::is_convertible_v<pali::view<std::int64_t>, pali::view<const std::int64_t>>);
static_assert(sizeof(pali::model) == sizeof(pali_model *)); // nothing but the handle

std::string data;

void test_errors()
{
    THROWS(PALI_ERROR_IO, "/nonexistent", pali::model("/nonexistent"));
    THROWS(PALI_ERROR_IO, "/nonexistent", pali::image("/nonexistent"));
    THROWS(PALI_ERROR_SHAPE, "", pali::image::from_pixels(std::vector<std::uint8_t>(11), 2, 2));
    THROWS(PALI_ERROR_ARGUMENT, "", pali::image::from_pixels(std::vector<std::uint8_t>(12), -2, 2));
    THROWS(PALI_ERROR_IO, "", pali::hub_path("nobody/such-a-model-as-this"));
    THROWS(PALI_ERROR_ARGUMENT, "float32", pali::tensor(pali::view<const float>(), { 0 }).values<std::int64_t>());

    auto none = pali::attempt([] { return pali::model("/nonexistent"); });
    CHECK(!none && none.status() == PALI_ERROR_IO && std::strstr(none.message(), "/nonexistent"));
    THROWS(PALI_ERROR_IO, "/nonexistent", none.value());
    auto some = pali::attempt([] { return pali::image(picture()); });
    CHECK(some && some.status() == PALI_OK && !*some.message() && some->width() == some.value().width());
    const pali::image taken = std::move(some).value();
    CHECK(taken.width() > 0);
    const auto nothing = pali::attempt([&] { taken.save_png("/nonexistent/x.png"); });
    CHECK(!nothing && nothing.status() == PALI_ERROR_IO);
}

void test_moves()
{
    pali::image first(picture());
    const std::int32_t width = first.width();
    pali::image second = std::move(first);
    CHECK(!first && second && second.width() == width);
    first = std::move(second);
    CHECK(first && !second && first.width() == width);
    pali_image *raw = first.release();
    CHECK(!first && pali_image_width(raw) == width);
    pali::image back(raw);
    CHECK(back.get() == raw);
    std::vector<pali::image> many;
    for (int i = 0; i < 9; i++)
        many.push_back(back.resized(8 + i, 4));
    CHECK(many.back().width() == 16 && many.front().height() == 4);
}

void test_images()
{
    std::ifstream file(picture(), std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const auto *unsigned_bytes = reinterpret_cast<const std::uint8_t *>(bytes.data());
    const pali::image opened(picture());
    const pali::image decoded = pali::image::decode({ unsigned_bytes, bytes.size() });
    CHECK(std::equal(opened.pixels().begin(), opened.pixels().end(), decoded.pixels().begin()));
    CHECK(std::string(opened.source().format) == "PNG");

    pali::image drawn = pali::image::from_pixels(opened.pixels(), opened.width(), opened.height());
    drawn.draw_box(1, 1, 20, 20, 2, { 255, 0, 0 });
    drawn.draw_text(3, 3, "text", 1, { 0, 0, 255 });
    CHECK(!std::equal(opened.pixels().begin(), opened.pixels().end(), drawn.pixels().begin()));
    THROWS(PALI_ERROR_SHAPE, "", drawn.blend(std::vector<std::uint8_t>(3), 0.5, { 1, 2, 3 }));
    drawn.blend(std::vector<std::uint8_t>(drawn.pixels().size() / 3, 255), 1.0, { 7, 8, 9 });
    CHECK(drawn.pixels()[0] == 7 && drawn.pixels().back() == 9);
    drawn.draw_map(std::vector<float>{ 0, 1, 0, 0 }, 2, 2, 1.0);
    THROWS(PALI_ERROR_SHAPE, "", drawn.draw_map(std::vector<float>(3), 2, 2, 1.0));
    drawn.save_png(scratch("drawn.png"));
    CHECK(pali::image(scratch("drawn.png")).width() == drawn.width());

    pali::image_options small;
    small.max_pixels = 1;
    THROWS(PALI_ERROR_LIMIT, "", pali::image(picture(), small));
}

void test_config_and_checkpoint(const pali::model &model)
{
    const pali::config config = model.config();
    CHECK(config.get_int("text_config.num_hidden_layers") == 4);
    CHECK(pali::config(checkpoint()).get_string("model_type") == "paligemma");
    CHECK(config.get_float("text_config.rms_norm_eps") < 1e-3);
    THROWS(PALI_ERROR_ARGUMENT, "no_such", config.get_int("no_such"));
    std::size_t n = 0;
    for (const std::string_view name : config)
        n += !name.empty();
    CHECK(n == config.size() && n > 20);

    const pali::checkpoint tensors(checkpoint());
    std::int64_t parameters = 0;
    for (const auto &[name, tensor] : tensors)
        parameters += name.empty() ? 0 : tensor.count();
    CHECK(parameters == 2460928 && tensors.size_bytes() > 2 * parameters);
    const auto [missing, unexpected] = tensors.compare(config);
    CHECK(missing.empty() && unexpected.empty());
}

void test_processor(const pali::processor &processor, const pali::image &image)
{
    const auto ids = processor.encode("caption en");
    CHECK(processor.decode(ids) == "caption en");
    CHECK(processor.encode("").empty());
    const std::vector<std::int64_t> twice{ ids[0], ids[0] };
    CHECK(processor.batch_decode(twice, 2) == std::vector<std::string>(2, processor.decode({ ids.data(), 1 })));
    THROWS(PALI_ERROR_SHAPE, "", processor.batch_decode(twice, 3));
    THROWS(PALI_ERROR_ARGUMENT, "", processor.decode(std::vector<std::int64_t>{ 1 << 30 }));
    CHECK(processor.chat_template().empty());
    THROWS(PALI_ERROR_FORMAT, "", processor.apply_chat_template("[]"));
    pali::chat_options chat;
    chat.chat_template = "{{ messages[0].content }}";
    CHECK(processor.apply_chat_template(R"([{"role": "user", "content": "hello"}])", chat) == "hello");

    pali::apply_options options;
    options.set_suffixes({ "two" });
    const pali::inputs taught = processor.apply(image, "caption en", options);
    CHECK(taught.find("labels") && !taught.find("no such"));
    THROWS(PALI_ERROR_ARGUMENT, "suffixes", processor.apply_batch({}, { "a", "b" }, options));
    THROWS(PALI_ERROR_ARGUMENT, "no such", taught.at("no such"));
    THROWS(PALI_ERROR_ARGUMENT, "int64", taught.at("input_ids").values<float>());
    CHECK(taught.at("input_ids").shape()[1] == taught.at("input_ids").count());
    std::vector<pali::image> two;
    two.push_back(image.resized(50, 60));
    two.push_back(image.resized(60, 50));
    pali::apply_options counts;
    counts.set_images_per_text({ 0, 2 });
    CHECK(processor.apply_batch(two, { "caption en", "caption en" }, counts).at("pixel_values").shape()[0] == 2);
    CHECK(processor.apply(two, "caption en").at("pixel_values").shape()[0] == 2);
    CHECK(processor.apply_continuation(" and").at("token_type_ids").values<std::int64_t>()[0] == 1);

    pali::inputs own = pali::inputs::create();
    const std::vector<std::int64_t> values{ 1, 2, 3, 4 };
    own.set("input_ids", pali::tensor(pali::view<const std::int64_t>(values), { 2, 2 }));
    THROWS(PALI_ERROR_SHAPE, "", pali::tensor(pali::view<const std::int64_t>(values), { 3, 2 }));
    own.save(scratch("own.safetensors"));
    const pali::inputs again = pali::inputs::load(scratch("own.safetensors"));
    const auto [name, tensor] = *again.begin();
    CHECK(again.size() == 1 && name == "input_ids" && tensor.values<const std::int64_t>().back() == 4);
    CHECK(pali::comparison(own, again).first() == 1);
}

void test_forward(const pali::model &model, const pali::inputs &inputs)
{
    pali::forward_options options;
    options.output_attentions = 1;
    int calls = 0;
    options.set_progress([&](std::string_view stage, double fraction) { calls += !stage.empty() && fraction >= 0; });
    const pali::outputs whole = model.forward(inputs, options);
    CHECK(calls > 4 && whole.at("logits").dtype() == PALI_FLOAT32);
    std::size_t named = 0;
    for (const auto &[name, tensor] : whole)
        named += !name.empty() && tensor.count() > 0;
    CHECK(named == whole.size() && named > 5);
    options.set_progress([](std::string_view, double) { return false; });
    THROWS(PALI_ERROR_CANCELLED, "", model.forward(inputs, options));

    const pali::image_features features(model, inputs.at("pixel_values"));
    const pali::image_features copied = pali::image_features::create(model, features.values());
    pali::forward_options with;
    with.features = copied.get();
    const pali::outputs same = model.forward(inputs, with);
    const auto a = whole.at("logits").values<float>(), b = same.at("logits").values<float>();
    CHECK(a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin()));
    whole.save(scratch("outputs.safetensors"));
    const pali::inputs left = pali::inputs::load(scratch("outputs.safetensors"));
    same.save(scratch("same.safetensors"));
    const pali::inputs right = pali::inputs::load(scratch("same.safetensors"));
    const pali::comparison compared(left, right);
    for (const pali_difference &one : compared)
        CHECK(one.kind == PALI_DIFFERENCE_NONE || one.kind == PALI_DIFFERENCE_MISSING_B);

    const pali::heat_map map(model.config(), inputs, whole);
    CHECK(map.grid == 8 && map.values.size() == 64);
    pali::image shown(picture());
    shown.draw_map(map.values, map.grid, map.grid, 0.5);
    const pali::mask mask(model.config(), inputs);
    CHECK(mask.layer(0) && !mask.layer(99) && mask.window(0) == 0);
    CHECK(mask.text().size() > 100 && mask.image().width() > 8);

    pali::embed_options embed;
    embed.pooling = PALI_POOLING_MEAN;
    embed.normalize = 1;
    const pali::outputs vector = model.embed(inputs, embed);
    const auto scores = pali::max_sim(vector.at("embeddings"), vector.at("embeddings"));
    CHECK(scores.size() == 1 && std::abs(scores[0] - 1.0f) < 1e-5f && model.embedding_dim() == 0);
    CHECK(model.measure(8).read_bytes_per_s > 1e6);
}

void test_cache(const pali::model &model, const pali::processor &processor, const pali::inputs &inputs)
{
    pali::cache cache(model);
    pali::forward_options options;
    options.cache = cache.get();
    model.forward(inputs, options);
    const std::int64_t length = cache.length();
    pali::cache fork = cache.fork();
    CHECK(length == inputs.at("input_ids").count() && fork.length() == length && fork.size_bytes() > 0);
    fork.truncate(3);
    CHECK(fork.length() == 3 && cache.length() == length);
    fork.reorder(std::vector<std::int64_t>{ 0, 0 });
    CHECK(fork.rows() == 2);
    fork.reset();
    CHECK(fork.length(1) == 0);
    cache.save(scratch("cache"));
    pali::cache loaded = pali::cache::load(model, scratch("cache"));
    pali::generate_options go;
    go.cache = loaded.get();
    go.max_new_tokens = 3;
    CHECK(pali::generate(model, processor.apply_continuation("a"), go).ids().size() == 3 && loaded.length() == length + 3);
    pali::cache_options fixed;
    fixed.fixed = 1;
    fixed.capacity = 4;
    pali::cache small(model, fixed);
    options.cache = small.get();
    THROWS(PALI_ERROR_LIMIT, "", model.forward(inputs, options));
}

void test_generate(const pali::model &model, const pali::processor &processor, const pali::inputs &inputs)
{
    pali::generate_options options;
    options.max_new_tokens = 40;
    options.top_logprobs = 2;
    std::string streamed;
    std::vector<std::int64_t> ids;
    options.set_on_token([&](const pali::token &token) {
        streamed += token.text;
        ids.push_back(token.id);
    });
    const pali::generation whole = pali::generate(model, inputs, options);
    CHECK(whole.size() == 1 && streamed == whole.text() && ids == std::vector(whole.ids().begin(), whole.ids().end()));
    const pali::answer answer = *whole.begin();
    CHECK(answer.finish_reason() == PALI_FINISH_EOS && answer.logprobs().size() == ids.size());
    CHECK(answer.top_logprobs(0).size() == 2 && answer.top_logprobs(0)[0].id == ids[0] && answer.score() <= 0.0);
    CHECK(whole.timing().prompt_tokens > 60 && whole.passes() == static_cast<std::int64_t>(ids.size()) - 1);

    options.set_on_token([&](const pali::token &) { return false; });
    const pali::generation stopped = pali::generate(model, inputs, options);
    CHECK(stopped.ids().size() == 1 && stopped[0].finish_reason() == PALI_FINISH_CANCELLED);

    struct own_error {
        int value;
    };
    int seen = 0, caught = 0;
    options.set_on_token([&](const pali::token &token) {
        if (++seen == 2)
            throw own_error{ static_cast<int>(token.id % 100) };
    });
    try {
        pali::generate(model, inputs, options);
    } catch (const own_error &thrown) {
        caught = thrown.value == ids[1] % 100;
    }
    CHECK(caught == 1 && seen == 2); // the exception itself, and not one token more

    pali::generate_options lists;
    lists.max_new_tokens = 40;
    lists.set_stop_strings({ "nowhere", "square" });
    CHECK(pali::generate(model, inputs, lists)[0].finish_reason() == PALI_FINISH_STOP_STRING);
    lists.set_stop_strings({});
    lists.set_bad_words({ { ids[0], ids[1] }, { ids[2] } });
    const pali::generation other = pali::generate(model, inputs, lists);
    CHECK(std::find(other.ids().begin(), other.ids().end(), ids[2]) == other.ids().end());
    lists.set_bad_words({});
    lists.set_logit_bias({ { ids[0], -INFINITY } });
    CHECK(pali::generate(model, inputs, lists).ids()[0] != ids[0]);
    lists.set_logit_bias({});
    lists.set_force_words({ processor.encode("purple") });
    CHECK(pali::generate(model, inputs, lists).text().find("purple") != std::string_view::npos);
    lists.set_force_words({});
    lists.set_eos_token_ids({});
    CHECK(pali::generate(model, inputs, lists).ids().size() == 40);
    lists.set_eos_token_ids({ ids[3] });
    CHECK(pali::generate(model, inputs, lists).ids().size() == 4);
    lists = {};
    std::size_t asked = 0;
    lists.set_token_mask([&](std::int64_t, pali::view<const std::int64_t> so_far, pali::view<std::uint8_t> allowed) {
        asked += so_far.size() == asked;
        allowed[static_cast<std::size_t>(ids[0])] = 1;
    });
    lists.max_new_tokens = 3;
    CHECK(pali::generate(model, inputs, lists).ids()[2] == ids[0] && asked == 3);

    const auto yes_or_no = pali::constraint::choices(processor, { "yes", "no" });
    pali::generate_options constrained;
    constrained.constraint = yes_or_no.get();
    const pali::generation chosen = pali::generate(model, inputs, constrained);
    CHECK(chosen.text() == "yes" || chosen.text() == "no");
    pali::generate_options copy = constrained; // options are values
    copy.max_new_tokens = 1;
    CHECK(constrained.max_new_tokens == 0);
}

void test_stream(const pali::model &model, const pali::inputs &inputs)
{
    const pali::generation whole = pali::generate(model, inputs);
    std::string text;
    pali::token_stream stream(model, inputs);
    for (const pali::token &token : stream)
        text += token.text;
    CHECK(text == whole.text());
    const pali::generation finished = stream.finish();
    CHECK(finished.text() == text && finished[0].finish_reason() == PALI_FINISH_EOS);

    pali::generate_options endless;
    endless.max_new_tokens = 100000;
    endless.set_eos_token_ids({});
    {
        std::size_t n = 0;
        for (const pali::token &token : pali::token_stream(model, inputs, endless)) // left early: it stops
            if (++n == 3 && token.id >= 0)
                break;
        CHECK(n == 3);
    }
    pali::token_stream early(model, inputs, endless);
    pali::token_stream moved = std::move(early);
    CHECK(early.begin() == early.end()); // moved from: an empty range
    early.stop();
    CHECK(!early.finish());
    CHECK((*moved.begin()).id == whole.ids()[0]);
    moved.stop();
    const pali::generation part = moved.finish();
    CHECK(!part || part[0].finish_reason() == PALI_FINISH_CANCELLED);
    { pali::token_stream unread(model, inputs, endless); }

    pali::generate_options wrong;
    wrong.max_new_tokens = -1;
    THROWS(PALI_ERROR_ARGUMENT, "max_new_tokens", for (const pali::token &token
                                                       : pali::token_stream(model, inputs, wrong)) CHECK(token.id < 0));
    pali::generate_options throwing;
    throwing.set_on_token([](const pali::token &) { throw std::string("mine"); });
    std::string caught;
    try {
        for (const pali::token &token : pali::token_stream(model, inputs, throwing))
            CHECK(token.id == whole.ids()[0]);
    } catch (const std::string &thrown) {
        caught = thrown;
    }
    CHECK(caught == "mine");
}

void test_scores(const pali::model &model, const pali::processor &processor, const pali::inputs &inputs)
{
    const std::vector<std::string> texts{ "purple", std::string(pali::generate(model, inputs).text()) };
    const pali::scores scores(model, inputs, texts);
    CHECK(scores.size() == 2 && scores.ranking()[0] == 1 && scores.ranking(PALI_SCORE_BY_MEAN)[0] == 1);
    CHECK(scores.total(0) < scores.total(1) && scores.logprobs(0).size() == scores.ids(0).size() && scores.mean(0) < 0);
    pali::score_options bare;
    bare.without_eos = 1;
    const pali::scores as_ids(model, inputs, std::vector<pali::token_ids>{ processor.encode("purple") });
    CHECK(std::abs(as_ids.total(0) - pali::scores(model, inputs, texts, bare).total(0)) < 1e-5);
    bare.set_progress([](std::string_view, double) -> bool { throw 5; });
    int caught = 0;
    try {
        const pali::scores never(model, inputs, texts, bare);
    } catch (int thrown) {
        caught = thrown;
    }
    CHECK(caught == 5);
}

/* A file of weights for the masks' decoder, of the published shapes, whose values mean nothing. */
std::string mask_weights()
{
    pali::inputs file = pali::inputs::create();
    const auto put = [&file](const std::string &name, std::initializer_list<std::int64_t> shape) {
        std::size_t count = 1;
        for (const std::int64_t side : shape)
            count *= static_cast<std::size_t>(side);
        std::vector<float> values(count);
        for (std::size_t i = 0; i < count; i++)
            values[i] = static_cast<float>(i * 7919 % 101) / 500.0f - 0.1f;
        file.set(name, pali::tensor(pali::view<const float>(values), shape));
    };
    const auto layer = [&put](const std::string &name, std::int64_t out, std::int64_t in, std::int64_t side, bool up) {
        const std::int64_t rows = up ? in : out, columns = up ? out : in;
        put(name + ".weight", { rows, columns, side, side });
        put(name + ".bias", { out });
    };
    put("_vq_vae._embedding", { 128, 512 });
    layer("decoder.0", 128, 512, 1, false);
    for (const char *block : { "decoder.2", "decoder.3" })
        for (const char *of : { ".net.0", ".net.2", ".net.4" })
            layer(std::string(block) + of, 128, 128, of[5] == '4' ? 1 : 3, false);
    layer("decoder.4", 128, 128, 4, true);
    layer("decoder.6", 64, 128, 4, true);
    layer("decoder.8", 32, 64, 4, true);
    layer("decoder.10", 16, 32, 4, true);
    layer("decoder.12", 1, 16, 1, false);
    file.save(scratch("masks.safetensors"));
    return scratch("masks.safetensors");
}

void test_objects(const pali::model &model, const pali::processor &processor, const pali::image &image)
{
    pali::generate_options options;
    options.max_new_tokens = 60;
    options.logprobs = 1;
    const pali::generation answer = pali::generate(model, processor.apply(image, "detect circle"), options);
    const pali::detections found(answer.text());
    CHECK(found.size() == 1 && std::string(found[0].label) == "circle");
    for (const pali_detection &object : found)
        CHECK(object.x_min < object.x_max && object.y_max <= 1.0);
    CHECK(found.confidence(processor, answer[0])[0].mean > 0.1);
    CHECK(pali::encode({ &found[0], 1 }) == answer.text());
    const std::string json = found.to_coco(image.width(), image.height());
    CHECK(pali::detections::from_coco(json).size() == 1);
    pali::image drawn = image.resized(image.width(), image.height());
    found.draw(drawn);
    CHECK(!std::equal(image.pixels().begin(), image.pixels().end(), drawn.pixels().begin()));

    pali::constraint_options at_most;
    at_most.max_objects = 1;
    const auto boxes = pali::constraint::detect(processor, { "red square" }, at_most);
    options.constraint = boxes.get();
    const pali::generation forced = pali::generate(model, processor.apply(image, "detect circle"), options);
    CHECK(pali::detections(forced.text())[0].label == std::string("red square"));
    CHECK(pali::constraint::segment(processor));

    const std::vector<std::uint8_t> mask{ 0, 1, 1, 0, 1, 1 };
    const auto runs = pali::rle_encode(mask, 3, 2);
    CHECK(pali::rle_decode(runs, 3, 2) == mask && pali::rle_from_text(pali::rle_to_text(runs)) == runs);
    THROWS(PALI_ERROR_SHAPE, "", pali::rle_encode(mask, 4, 2));
    pali::segment_mask whole;
    whole.fill(1.0f);
    const auto pasted = pali::paste_segment(whole, found[0], 100, 80);
    CHECK(std::count(pasted.begin(), pasted.end(), 255) > 100);
    CHECK(pali::crop_segment(pasted, 100, 80, found[0])[64 * 32 + 32] > 0.9f);
    THROWS(PALI_ERROR_IO, "", pali::mask_decoder("/nonexistent"));
    const pali::mask_decoder decoder(mask_weights());
    CHECK(!decoder.has_encoder());
    CHECK(decoder.decode(std::vector<std::int32_t>(16, 3)) != decoder.decode(std::vector<std::int32_t>(16, 4)));
    THROWS(PALI_ERROR_SHAPE, "16", decoder.decode(std::vector<std::int32_t>(15)));
    THROWS(PALI_ERROR_ARGUMENT, "", decoder.decode(std::vector<std::int32_t>(16, 128)));
    THROWS(PALI_ERROR_UNSUPPORTED, "", decoder.encode(whole));
}

void test_adapters_and_saving()
{
    const std::string base = data + "/models/pg1", directory = data + "/adapters/pg1-second";
    const pali::model model(base);
    const pali::adapter adapter(model, directory);
    CHECK(adapter.size() > 0 && adapter.rank() > 0);
    const std::string out = scratch("saved-" + std::to_string(std::hash<std::thread::id>{}(std::this_thread::get_id())));
    pali::save_options options;
    options.dtype = PALI_FLOAT32;
    options.set_progress([](std::string_view, double) { return false; });
    THROWS(PALI_ERROR_CANCELLED, "", pali::save_checkpoint(base, out, options));
    options.set_progress([](std::string_view, double) {});
    const auto saved = pali::attempt([&] { pali::save_checkpoint(base, out, options); });
    CHECK(saved || saved.status() == PALI_ERROR_ARGUMENT); // the latter: it is there from an earlier run
    CHECK(pali::model(out).dtype() == PALI_FLOAT32);
    pali::model_options loading;
    loading.set_progress([](std::string_view stage, double) { return stage != "load"; });
    THROWS(PALI_ERROR_CANCELLED, "", pali::model(out, loading));
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    data = argv[1];
    try {
        const pali::model model(checkpoint());
        const pali::processor processor(checkpoint());
        const pali::image image(picture());
        const pali::inputs inputs = processor.apply(image, "caption en");
        CHECK(pali::version().substr(0, 2) == "0.");
        test_errors();
        test_moves();
        test_images();
        test_config_and_checkpoint(model);
        test_processor(processor, image);
        test_forward(model, inputs);
        test_cache(model, processor, inputs);
        test_generate(model, processor, inputs);
        test_stream(model, inputs);
        test_scores(model, processor, inputs);
        test_objects(model, processor, image);
        test_adapters_and_saving();
    } catch (const std::exception &unexpected) {
        std::fprintf(stderr, "not expected: %s\n", unexpected.what());
        return 1;
    }
    return report("wrapper");
}
