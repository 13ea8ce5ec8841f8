/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/paligemma.hpp
 * The C interface for C++17 and later: handles that end themselves, views, exceptions, callables. Nothing here computes;
 * each function is one call of the C function it is named after, whose comment in the C header holds.
 *
 *  - A class owns one C object, can be moved and not copied, and is empty after a move. get() lends the C pointer, for
 *    whatever stands in the C interface alone; release() gives it away; a constructor takes one over.
 *  - What fails throws pali::error. attempt() turns that into a value.
 *  - A view or a pointer is borrowed from the object it was asked of, and lives as long.
 *  - Options are the C structs, with their defaults set: the fields are there under their names. What they point to, the
 *    caller keeps alive for the call; lists and callables that set_…() took are kept by the options.
 *  - An exception that a callback throws ends the call and comes out of it.
 *  - model, processor, adapter, constraint and whatever is called immutable in C may be used by any number of threads at
 *    once through const references; a cache belongs to one at a time.
 */
#ifndef PALIGEMMA_PALIGEMMA_HPP
#define PALIGEMMA_PALIGEMMA_HPP

#include <paligemma/paligemma.h>

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace pali {

/* ---- errors ---- */

/** What a C call said: its sentence as what(), and its status. */
class error : public std::runtime_error {
public:
    error(pali_status status, const std::string &message) : std::runtime_error(message), status_(status) {}
    pali_status status() const noexcept { return status_; }

private:
    pali_status status_;
};

/** A value or the error there is instead; made by attempt(). */
template <class T> class result {
public:
    explicit result(T value) : held_(std::move(value)) {}
    explicit result(pali::error error) : held_(std::move(error)) {}
    explicit operator bool() const noexcept { return held_.index() == 0; }
    pali_status status() const noexcept { return *this ? PALI_OK : std::get<1>(held_).status(); }
    /** The sentence, "" if all is well. */
    const char *message() const noexcept { return *this ? "" : std::get<1>(held_).what(); }
    /** The value; throws the error if there is none. */
    T &value() &
    {
        if (!*this)
            throw std::get<1>(held_);
        return std::get<0>(held_);
    }
    T value() && { return std::move(this->value()); } // an lvalue by its name: the function above
    T &operator*() noexcept { return *std::get_if<0>(&held_); }
    T *operator->() noexcept { return std::get_if<0>(&held_); }

private:
    std::variant<T, pali::error> held_;
};

/**
 * Runs `work` and gives what it returns, or the pali::error that it threw: attempt([&] { return pali::model(path); }).
 * Where it returns nothing, the value is a std::monostate.
 */
template <class F> auto attempt(F &&work)
{
    using returned = std::invoke_result_t<F>;
    using value = std::conditional_t<std::is_void_v<returned>, std::monostate, std::decay_t<returned>>;
    try {
        if constexpr (std::is_void_v<returned>) {
            std::forward<F>(work)();
            return result<value>(value());
        } else
            return result<value>(std::forward<F>(work)());
    } catch (const error &failure) {
        return result<value>(failure);
    }
}

/* ---- views ---- */

/** A pointer and a length, as C++20's std::span. It owns nothing. */
template <class T> class view {
public:
    using element_type = T;
    using value_type = std::remove_cv_t<T>;
    using iterator = T *;

    constexpr view() noexcept = default;
    constexpr view(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    view(std::initializer_list<value_type>) = delete; // {0, 5} would be a null pointer and a length
    template <std::size_t N> constexpr view(T (&array)[N]) noexcept : data_(array), size_(N) {}
    /** Of anything contiguous that has data() and size(): std::vector, std::array, std::string, std::span. */
    template <class C,
              class = std::enable_if_t<
                  std::is_convertible_v<std::remove_pointer_t<decltype(std::declval<C &>().data())> (*)[], T (*)[]> &&
                  std::is_convertible_v<decltype(std::declval<C &>().size()), std::size_t>>>
    constexpr view(C &&container) noexcept : data_(container.data()), size_(container.size())
    {
    }

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }
    constexpr T &operator[](std::size_t index) const noexcept { return data_[index]; }
    constexpr T &front() const noexcept { return data_[0]; }
    constexpr T &back() const noexcept { return data_[size_ - 1]; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

/** The library's name of a C++ type. 16-bit floats have none in C++17: use tensor::data(). */
template <class T> struct dtype_of;
template <> struct dtype_of<float> : std::integral_constant<pali_dtype, PALI_FLOAT32> {};
template <> struct dtype_of<double> : std::integral_constant<pali_dtype, PALI_FLOAT64> {};
template <> struct dtype_of<std::int64_t> : std::integral_constant<pali_dtype, PALI_INT64> {};
template <> struct dtype_of<std::int32_t> : std::integral_constant<pali_dtype, PALI_INT32> {};
template <> struct dtype_of<std::int16_t> : std::integral_constant<pali_dtype, PALI_INT16> {};
template <> struct dtype_of<std::int8_t> : std::integral_constant<pali_dtype, PALI_INT8> {};
template <> struct dtype_of<std::uint8_t> : std::integral_constant<pali_dtype, PALI_UINT8> {};
template <> struct dtype_of<bool> : std::integral_constant<pali_dtype, PALI_BOOL> {};

/** A view of an array with a shape: pali_tensor. It owns nothing. */
class tensor {
public:
    explicit tensor(const pali_tensor &from) noexcept : c_(from) {}
    tensor(void *data, pali_dtype dtype, view<const std::int64_t> shape)
        : c_(pali_tensor_view(data, dtype, static_cast<std::int32_t>(shape.size()), shape.data()))
    {
    }
    template <class T> tensor(view<T> values, std::initializer_list<std::int64_t> shape)
        : tensor(const_cast<std::remove_const_t<T> *>(values.data()), dtype_of<std::remove_const_t<T>>::value,
                 view<const std::int64_t>(shape.begin(), shape.size()))
    {
        if (static_cast<std::size_t>(count()) != values.size())
            throw error(PALI_ERROR_SHAPE, "a tensor's shape has " + std::to_string(count()) + " values, the view " +
                                              std::to_string(values.size()));
    }

    const pali_tensor *get() const noexcept { return &c_; }
    void *data() const noexcept { return c_.data; }
    pali_dtype dtype() const noexcept { return c_.dtype; }
    view<const std::int64_t> shape() const noexcept { return { c_.shape, static_cast<std::size_t>(c_.rank) }; }
    std::int64_t count() const noexcept { return pali_tensor_count(&c_); }
    /** All values, row-major. Throws PALI_ERROR_ARGUMENT where T is another type than the tensor's. */
    template <class T> view<T> values() const
    {
        if (dtype_of<std::remove_const_t<T>>::value != c_.dtype)
            throw error(PALI_ERROR_ARGUMENT,
                        std::string("the tensor is ") + pali_dtype_name(c_.dtype) + ", and was asked for as " +
                            pali_dtype_name(dtype_of<std::remove_const_t<T>>::value));
        return view<T>(static_cast<T *>(c_.data), static_cast<std::size_t>(count()));
    }

private:
    pali_tensor c_;
};

/* ---- what the classes below are made of ---- */

namespace detail {

template <auto Free> struct ended_by {
    template <class T> void operator()(T *owned) const noexcept { Free(owned); }
};
template <class T> using block = std::unique_ptr<T, ended_by<pali_free>>;

/** Sole owner of one C object. */
template <class T, void (*Free)(T *)> class handle {
public:
    using c_type = T;
    handle() noexcept = default;
    /** Takes over `owned`. */
    explicit handle(T *owned) noexcept : owned_(owned) {}
    T *get() const noexcept { return owned_.get(); }
    T *release() noexcept { return owned_.release(); }
    explicit operator bool() const noexcept { return owned_ != nullptr; }

private:
    std::unique_ptr<T, ended_by<Free>> owned_;
};

/** Stands between the library's C frames and callables: an exception waits here until the call has returned. */
class callbacks {
public:
    callbacks() = default;
    callbacks(const callbacks &) = delete;
    callbacks &operator=(const callbacks &) = delete;
    /** 0 if `work` returns true, 1 to stop. */
    template <class F> int run(F &&work) noexcept
    {
        try {
            return work() ? 0 : 1;
        } catch (...) {
            thrown_ = std::current_exception();
            return 1;
        }
    }
    void rethrow() const
    {
        if (thrown_)
            std::rethrow_exception(thrown_);
    }

private:
    std::exception_ptr thrown_;
};

/** After a call: throws what a callback threw, or what the call itself reports. Ends `failure`. */
inline void finish(pali_status status, pali_error *failure, const callbacks *between = nullptr)
{
    std::unique_ptr<pali_error, ended_by<pali_error_free>> owned(failure);
    if (between)
        between->rethrow();
    if (status != PALI_OK)
        throw error(status, pali_error_message(failure));
}

template <class F, class... A> void call(F function, A... arguments)
{
    pali_error *failure = nullptr;
    const pali_status status = function(arguments..., &failure);
    finish(status, failure);
}

/** What comes out through the first parameter, as a Handle. */
template <class Handle, class F, class... A> Handle make(const callbacks *between, F function, A... arguments)
{
    typename Handle::c_type *out = nullptr;
    pali_error *failure = nullptr;
    const pali_status status = function(&out, arguments..., &failure);
    Handle owned(out);
    finish(status, failure, between);
    return owned;
}

template <class F, class... A> std::string make_text(F function, A... arguments)
{
    char *out = nullptr;
    call(function, &out, arguments...);
    const block<char> owned(out);
    return owned.get();
}

inline std::string text_or_empty(const char *text) { return text ? text : ""; }

inline std::vector<const char *> pointers(const std::vector<std::string> &texts)
{
    std::vector<const char *> to;
    for (const std::string &text : texts)
        to.push_back(text.c_str());
    return to;
}

template <class H> std::vector<typename H::c_type *> pointers(view<const H> handles)
{
    std::vector<typename H::c_type *> to;
    for (const H &one : handles)
        to.push_back(one.get());
    return to;
}

/** `callable` as one that returns whether to go on; one that returns nothing always does. */
template <class... P, class F> std::function<bool(P...)> going_on(F callable)
{
    if constexpr (std::is_void_v<std::invoke_result_t<F &, P...>>)
        return [callable = std::move(callable)](P... p) mutable {
            callable(p...);
            return true;
        };
    else
        return callable;
}

/** Steps through a parent that has size() and operator[]. */
template <class Parent> class index_iterator {
public:
    using iterator_category = std::input_iterator_tag;
    using reference = decltype(std::declval<const Parent &>()[0]);
    using value_type = std::decay_t<reference>;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type *;
    index_iterator() noexcept = default;
    index_iterator(const Parent &parent, std::size_t index) noexcept : parent_(&parent), index_(index) {}
    reference operator*() const { return (*parent_)[index_]; }
    index_iterator &operator++() noexcept
    {
        ++index_;
        return *this;
    }
    index_iterator operator++(int) noexcept { return { *parent_, index_++ }; }
    friend bool operator==(const index_iterator &a, const index_iterator &b) noexcept { return a.index_ == b.index_; }
    friend bool operator!=(const index_iterator &a, const index_iterator &b) noexcept { return a.index_ != b.index_; }

private:
    const Parent *parent_ = nullptr;
    std::size_t index_ = 0;
};

/** A C options struct with its defaults. */
template <class C, void (*Init)(C *)> struct options : C {
    using c_type = C;
    options() noexcept { Init(this); }
};

/** One that has `progress` and `progress_user`. */
template <class C, void (*Init)(C *)> class progress_options : public options<C, Init> {
public:
    /** callable(std::string_view stage, double fraction); false cancels (PALI_ERROR_CANCELLED). */
    template <class F> void set_progress(F callable)
    {
        progress_ = going_on<std::string_view, double>(std::move(callable));
    }
    const std::function<bool(std::string_view, double)> &progress_callable() const noexcept { return progress_; }

private:
    std::function<bool(std::string_view, double)> progress_;
};

/** The C struct of `O` for one call, its callable set. Lives on the caller's stack while the call runs. */
template <class O> class bound_progress : public callbacks {
public:
    explicit bound_progress(const O &from) : c(from), from_(&from)
    {
        if (from.progress_callable()) {
            c.progress = [](void *user, const char *stage, double fraction) {
                auto *self = static_cast<bound_progress *>(user);
                return self->run([&] { return self->from_->progress_callable()(stage, fraction); });
            };
            c.progress_user = this;
        }
    }
    typename O::c_type c;

protected:
    const O *from_;
};

} // namespace detail

/* ---- options: the C structs; those that hold lists or callables besides stand with their functions ---- */

using image_options = detail::options<pali_image_options, pali_image_options_init>;
using processor_options = detail::options<pali_processor_options, pali_processor_options_init>;
using chat_options = detail::options<pali_chat_options, pali_chat_options_init>;
using cache_options = detail::options<pali_cache_options, pali_cache_options_init>;
using constraint_options = detail::options<pali_constraint_options, pali_constraint_options_init>;
using detections_options = detail::options<pali_detections_options, pali_detections_options_init>;
using draw_options = detail::options<pali_draw_options, pali_draw_options_init>;
using coco_options = detail::options<pali_coco_options, pali_coco_options_init>;
using mask_options = detail::options<pali_mask_options, pali_mask_options_init>;
using mask_text_options = detail::options<pali_mask_text_options, pali_mask_text_options_init>;
using heat_map_options = detail::options<pali_heat_map_options, pali_heat_map_options_init>;
using compare_options = detail::options<pali_compare_options, pali_compare_options_init>;
using image_features_options = detail::progress_options<pali_image_features_options, pali_image_features_options_init>;
using forward_options = detail::progress_options<pali_forward_options, pali_forward_options_init>;
using embed_options = detail::progress_options<pali_embed_options, pali_embed_options_init>;
using score_options = detail::progress_options<pali_score_options, pali_score_options_init>;
using save_options = detail::progress_options<pali_save_options, pali_save_options_init>;
using model_options = detail::progress_options<pali_model_options, pali_model_options_init>;

/** The library's version. */
inline std::string_view version() noexcept { return pali_version(); }

/* ---- checkpoints ---- */

/** The directory of a hub id in the Hugging Face cache: pali_hub_path. An empty revision is "main". */
inline std::string hub_path(const std::string &id, const std::string &revision = {})
{
    return detail::make_text(pali_hub_path, id.c_str(), revision.empty() ? nullptr : revision.c_str());
}

/** What memory a checkpoint will need, told without loading it: pali_model_forecast_memory. */
inline pali_memory_forecast forecast_memory(const std::string &path, std::int64_t n_tokens,
                                            const model_options &options = {})
{
    pali_memory_forecast forecast;
    pali_memory_forecast_init(&forecast);
    detail::call(pali_model_forecast_memory, &forecast, path.c_str(), &options, n_tokens);
    return forecast;
}

/** pali_config, owned, or borrowed from a model. */
class config {
public:
    explicit config(const std::string &path)
        : owned_(detail::make<detail::handle<pali_config, pali_config_free>>(nullptr, pali_config_load, path.c_str())),
          c_(owned_.get())
    {
    }
    /** Borrows `lent`, whose parent keeps it. */
    explicit config(const pali_config *lent) noexcept : c_(lent) {}

    const pali_config *get() const noexcept { return c_; }
    std::size_t size() const noexcept { return pali_config_count(c_); }
    std::string_view operator[](std::size_t index) const noexcept { return pali_config_name(c_, index); }
    detail::index_iterator<config> begin() const noexcept { return { *this, 0 }; }
    detail::index_iterator<config> end() const noexcept { return { *this, size() }; }
    std::int64_t get_int(const std::string &name) const
    {
        std::int64_t value = 0;
        detail::call(pali_config_get_int, c_, name.c_str(), &value);
        return value;
    }
    double get_float(const std::string &name) const
    {
        double value = 0.0;
        detail::call(pali_config_get_float, c_, name.c_str(), &value);
        return value;
    }
    std::string_view get_string(const std::string &name) const
    {
        const char *value = nullptr;
        detail::call(pali_config_get_string, c_, name.c_str(), &value);
        return value;
    }

private:
    detail::handle<pali_config, pali_config_free> owned_;
    const pali_config *c_;
};

/** pali_checkpoint: the tensors of a directory, by name. */
class checkpoint : public detail::handle<pali_checkpoint, pali_checkpoint_free> {
public:
    using handle::handle;
    explicit checkpoint(const std::string &path)
        : handle(detail::make<handle>(nullptr, pali_checkpoint_open, path.c_str()))
    {
    }
    std::size_t size() const noexcept { return pali_checkpoint_count(get()); }
    std::int64_t size_bytes() const noexcept { return pali_checkpoint_size(get()); }
    std::pair<std::string_view, tensor> operator[](std::size_t index) const
    {
        pali_tensor found;
        detail::call(pali_checkpoint_tensor, get(), index, &found);
        return { pali_checkpoint_name(get(), index), tensor(found) };
    }
    detail::index_iterator<checkpoint> begin() const noexcept { return { *this, 0 }; }
    detail::index_iterator<checkpoint> end() const noexcept { return { *this, size() }; }

    struct comparison {
        std::string missing, unexpected; /**< a name on each line; empty if all is well */
    };
    comparison compare(const config &with) const
    {
        char *missing = nullptr, *unexpected = nullptr;
        detail::call(pali_checkpoint_compare, get(), with.get(), &missing, &unexpected);
        const detail::block<char> owned_missing(missing), owned_unexpected(unexpected);
        return { missing, unexpected };
    }
};

/** Writes a checkpoint anew: pali_checkpoint_save. */
inline void save_checkpoint(const std::string &in, const std::string &out, const save_options &options = {})
{
    detail::bound_progress<save_options> bound(options);
    pali_error *failure = nullptr;
    const pali_status status = pali_checkpoint_save(in.c_str(), out.c_str(), &bound.c, &failure);
    detail::finish(status, failure, &bound);
}

/* ---- pictures ---- */

using rgb = std::array<std::uint8_t, 3>;

/** pali_image: 8-bit RGB. */
class image : public detail::handle<pali_image, pali_image_free> {
public:
    using handle::handle;
    explicit image(const std::string &path, const image_options &options = {})
        : handle(detail::make<handle>(nullptr, pali_image_open, path.c_str(), &options))
    {
    }
    /** A PNG, JPEG or PNM in memory. */
    static image decode(view<const std::uint8_t> bytes, const image_options &options = {})
    {
        return image(detail::make<handle>(nullptr, pali_image_decode, bytes.data(), bytes.size(), &options).release());
    }
    /** A copy of pixels, row by row from the top; rows lie `stride` bytes apart (0: 3 · width). */
    static image from_pixels(view<const std::uint8_t> pixels, std::int32_t width, std::int32_t height,
                             std::size_t stride = 0)
    {
        const std::size_t row = static_cast<std::size_t>(width > 0 ? width : 0) * 3;
        const std::size_t rows = static_cast<std::size_t>(height > 0 ? height : 0);
        if (rows > 0 && pixels.size() < (rows - 1) * (stride ? stride : row) + row)
            throw error(PALI_ERROR_SHAPE, "fewer pixels than width and height say");
        return image(detail::make<handle>(nullptr, pali_image_create, pixels.data(), width, height, stride).release());
    }

    std::int32_t width() const noexcept { return pali_image_width(get()); }
    std::int32_t height() const noexcept { return pali_image_height(get()); }
    /** [height, width, 3] */
    view<const std::uint8_t> pixels() const noexcept
    {
        return { pali_image_pixels(get()), 3 * static_cast<std::size_t>(width()) * static_cast<std::size_t>(height()) };
    }
    pali_image_source source() const
    {
        pali_image_source found;
        pali_image_source_init(&found);
        detail::call(pali_image_get_source, get(), &found);
        return found;
    }
    image resized(std::int32_t to_width, std::int32_t to_height, pali_resample resample = PALI_RESAMPLE_PILLOW) const
    {
        return image(detail::make<handle>(nullptr, pali_image_resize, get(), to_width, to_height, resample).release());
    }
    void draw_box(double x_min, double y_min, double x_max, double y_max, std::int32_t thickness, const rgb &color)
    {
        pali_image_draw_box(get(), x_min, y_min, x_max, y_max, thickness, color.data());
    }
    void draw_text(std::int32_t x, std::int32_t y, const std::string &text, std::int32_t scale, const rgb &color)
    {
        pali_image_draw_text(get(), x, y, text.c_str(), scale, color.data());
    }
    /** Lays a colour over the picture: mask [height, width]. */
    void blend(view<const std::uint8_t> mask, double opacity, const rgb &color)
    {
        if (mask.size() * 3 != pixels().size())
            throw error(PALI_ERROR_SHAPE, "the mask is not of the picture's size");
        pali_image_blend(get(), mask.data(), opacity, color.data());
    }
    /** Lays a heat map [rows, columns] over the picture: pali_image_draw_map. */
    void draw_map(view<const float> map, std::int64_t rows, std::int64_t columns, double opacity)
    {
        if (rows < 0 || columns < 0 || map.size() != static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns))
            throw error(PALI_ERROR_SHAPE, "the map has another number of values than rows times columns");
        detail::call(pali_image_draw_map, get(), map.data(), rows, columns, opacity);
    }
    void save_png(const std::string &path) const { detail::call(pali_image_save_png, get(), path.c_str()); }
};

/* ---- named tensors ---- */

namespace detail {

/** What inputs and outputs have in common; the functions are those of the C object. */
template <class T, void (*Free)(T *), std::size_t (*Count)(const T *), const char *(*Name)(const T *, std::size_t),
          const pali_tensor *(*Get)(const T *, const char *)>
class tensors : public handle<T, Free> {
public:
    using handle<T, Free>::handle;
    tensors(handle<T, Free> &&from) noexcept : handle<T, Free>(std::move(from)) {}
    std::size_t size() const noexcept { return Count(this->get()); }
    std::pair<std::string_view, tensor> operator[](std::size_t index) const
    {
        const char *name = Name(this->get(), index);
        return { name, tensor(*Get(this->get(), name)) };
    }
    index_iterator<tensors> begin() const noexcept { return { *this, 0 }; }
    index_iterator<tensors> end() const noexcept { return { *this, size() }; }
    std::optional<tensor> find(const std::string &name) const noexcept
    {
        const pali_tensor *found = Get(this->get(), name.c_str());
        return found ? std::optional<tensor>(tensor(*found)) : std::nullopt;
    }
    /** Throws PALI_ERROR_ARGUMENT if there is none of that name. */
    tensor at(const std::string &name) const
    {
        if (const std::optional<tensor> found = find(name))
            return *found;
        throw error(PALI_ERROR_ARGUMENT, "there is no tensor \"" + name + "\"");
    }
};

using inputs_base =
    tensors<pali_inputs, pali_inputs_free, pali_inputs_count, pali_inputs_name, pali_inputs_get>;
using outputs_base =
    tensors<pali_outputs, pali_outputs_free, pali_outputs_count, pali_outputs_name, pali_outputs_get>;

} // namespace detail

/** pali_inputs: what the processor returns and the model takes. */
class inputs : public detail::inputs_base {
public:
    using detail::inputs_base::tensors;
    /** An empty set. */
    static inputs create() { return inputs(detail::make<handle>(nullptr, pali_inputs_create)); }
    static inputs load(const std::string &path)
    {
        return inputs(detail::make<handle>(nullptr, pali_inputs_load, path.c_str()));
    }
    void set(const std::string &name, const tensor &value)
    {
        detail::call(pali_inputs_set, get(), name.c_str(), value.get());
    }
    void save(const std::string &path) const { detail::call(pali_inputs_save, get(), path.c_str()); }
};

/** pali_outputs: what a pass returns. */
class outputs : public detail::outputs_base {
public:
    using detail::outputs_base::tensors;
    void save(const std::string &path) const { detail::call(pali_outputs_save, get(), path.c_str()); }
};

/* ---- quantized checkpoints ---- */

class quantize_options : public detail::progress_options<pali_quantize_options, pali_quantize_options_init> {
public:
    /** Inputs that the model is run on to see which weights matter. They are borrowed, and live through the call. */
    void set_calibration(view<const inputs> on)
    {
        calibration_.clear();
        for (const inputs &one : on)
            calibration_.push_back(one.get());
    }
    const std::vector<const pali_inputs *> &calibration_inputs() const noexcept { return calibration_; }

private:
    std::vector<const pali_inputs *> calibration_;
};

/** Writes a checkpoint with weights of 8 or 4 bits: pali_quantize. */
inline void quantize(const std::string &in, const std::string &out, const quantize_options &options = {})
{
    detail::bound_progress<quantize_options> bound(options);
    if (!options.calibration_inputs().empty()) {
        bound.c.calibration = options.calibration_inputs().data();
        bound.c.n_calibration = options.calibration_inputs().size();
    }
    pali_error *failure = nullptr;
    const pali_status status = pali_quantize(in.c_str(), out.c_str(), &bound.c, &failure);
    detail::finish(status, failure, &bound);
}

/* ---- processor ---- */

class apply_options : public detail::options<pali_apply_options, pali_apply_options_init> {
public:
    void set_suffixes(std::vector<std::string> texts) { suffixes_ = std::move(texts); }
    void set_images_per_text(std::vector<std::size_t> counts) { images_per_text_ = std::move(counts); }

    /** The C struct for one call, whose lists live in `lists`. */
    pali_apply_options bind(std::vector<const char *> &lists) const
    {
        pali_apply_options c = *this;
        lists = detail::pointers(suffixes_);
        if (!lists.empty())
            c.suffixes = lists.data();
        if (!images_per_text_.empty())
            c.images_per_text = images_per_text_.data();
        return c;
    }
    /** As many suffixes and counts as texts, which the C interface takes for granted. */
    void check(std::size_t n_texts) const
    {
        if ((!suffixes_.empty() && suffixes_.size() != n_texts) ||
            (!images_per_text_.empty() && images_per_text_.size() != n_texts))
            throw error(PALI_ERROR_ARGUMENT, "suffixes and images_per_text need one entry for each text");
    }

private:
    std::vector<std::string> suffixes_;
    std::vector<std::size_t> images_per_text_;
};

/** pali_processor: pictures and prompts to inputs, ids to text. */
class processor : public detail::handle<pali_processor, pali_processor_free> {
public:
    using handle::handle;
    explicit processor(const std::string &path, const processor_options &options = {})
        : handle(detail::make<handle>(nullptr, pali_processor_load, path.c_str(), &options))
    {
    }

    /** One picture and a prompt. */
    inputs apply(const image &picture, const std::string &text, const apply_options &options = {}) const
    {
        return apply(view<const image>(&picture, 1), text, options);
    }
    /** Any number of pictures and a prompt. */
    inputs apply(view<const image> pictures, const std::string &text, const apply_options &options = {}) const
    {
        std::vector<const char *> lists;
        options.check(1);
        const pali_apply_options c = options.bind(lists);
        const std::vector<pali_image *> images = detail::pointers(pictures);
        return inputs(detail::make<inputs_handle>(nullptr, pali_processor_apply, get(), images.data(), images.size(),
                                                  text.c_str(), &c));
    }
    inputs apply_batch(view<const image> pictures, const std::vector<std::string> &texts,
                       const apply_options &options = {}) const
    {
        std::vector<const char *> lists;
        options.check(texts.size());
        const pali_apply_options c = options.bind(lists);
        const std::vector<pali_image *> images = detail::pointers(pictures);
        const std::vector<const char *> rows = detail::pointers(texts);
        return inputs(detail::make<inputs_handle>(nullptr, pali_processor_apply_batch, get(), images.data(),
                                                  images.size(), rows.data(), rows.size(), &c));
    }
    inputs apply_continuation(const std::string &text) const
    {
        return inputs(detail::make<inputs_handle>(nullptr, pali_processor_apply_continuation, get(), text.c_str()));
    }
    inputs apply_pages(view<const image> pictures, const apply_options &options = {}) const
    {
        const std::vector<pali_image *> images = detail::pointers(pictures);
        return inputs(detail::make<inputs_handle>(nullptr, pali_processor_apply_pages, get(), images.data(),
                                                  images.size(), &options));
    }
    inputs apply_queries(const std::vector<std::string> &texts, const apply_options &options = {}) const
    {
        const std::vector<const char *> rows = detail::pointers(texts);
        return inputs(detail::make<inputs_handle>(nullptr, pali_processor_apply_queries, get(), rows.data(),
                                                  rows.size(), &options));
    }
    /** Messages as JSON to the text of a prompt: chat.h. */
    std::string apply_chat_template(const std::string &messages_json, const chat_options &options = {}) const
    {
        return detail::make_text(pali_processor_apply_chat_template, get(), messages_json.c_str(), &options);
    }
    std::string chat_template(const std::string &name = {}) const
    {
        return detail::text_or_empty(pali_processor_chat_template(get(), name.empty() ? nullptr : name.c_str()));
    }
    std::vector<std::int64_t> encode(std::string_view text) const
    {
        std::int64_t *ids = nullptr;
        std::size_t n_ids = 0;
        detail::call(pali_processor_encode, get(), text.empty() ? "" : text.data(), text.size(), &ids, &n_ids);
        const detail::block<std::int64_t> owned(ids);
        return { ids, ids + n_ids };
    }
    std::string decode(view<const std::int64_t> ids, bool skip_special_tokens = false) const
    {
        char *text = nullptr;
        detail::call(pali_processor_decode, get(), ids.data(), ids.size(), skip_special_tokens ? 1 : 0, &text);
        const detail::block<char> owned(text);
        return text;
    }
    /** ids: [rows, length], for example a tensor's. */
    std::vector<std::string> batch_decode(view<const std::int64_t> ids, std::size_t rows,
                                          bool skip_special_tokens = false) const
    {
        if (rows == 0 || ids.size() % rows)
            throw error(PALI_ERROR_SHAPE, "the ids do not divide into that many rows");
        char **texts = nullptr;
        detail::call(pali_processor_batch_decode, get(), ids.data(), rows, ids.size() / rows,
                     skip_special_tokens ? 1 : 0, &texts);
        const detail::block<char *> owned(texts);
        return { texts, texts + rows };
    }

private:
    using inputs_handle = detail::handle<pali_inputs, pali_inputs_free>;
};

/* ---- the network ---- */

/** pali_model. */
class model : public detail::handle<pali_model, pali_model_free> {
public:
    using handle::handle;
    explicit model(const std::string &path, const model_options &options = {})
        : model(path, detail::bound_progress<model_options>(options))
    {
    }
    /** Borrowed from this model. */
    pali::config config() const noexcept { return pali::config(pali_model_config(get())); }
    pali_dtype dtype() const noexcept { return pali_model_dtype(get()); }
    std::int64_t embedding_dim() const noexcept { return pali_model_embedding_dim(get()); }
    outputs forward(const inputs &in, const forward_options &options = {}) const
    {
        detail::bound_progress<forward_options> bound(options);
        return outputs(detail::make<outputs_handle>(&bound, pali_model_forward, get(), in.get(), &bound.c));
    }
    outputs embed(const inputs &in, const embed_options &options = {}) const
    {
        detail::bound_progress<embed_options> bound(options);
        return outputs(detail::make<outputs_handle>(&bound, pali_embed, get(), in.get(), &bound.c));
    }
    /** What this machine can do at the most: machine.h. */
    pali_machine measure(std::int64_t n_tokens) const
    {
        pali_machine machine;
        pali_machine_init(&machine);
        detail::call(pali_machine_measure, &machine, get(), n_tokens);
        return machine;
    }

private:
    using outputs_handle = detail::handle<pali_outputs, pali_outputs_free>;
    model(const std::string &path, const detail::bound_progress<model_options> &bound)
        : handle(detail::make<handle>(&bound, pali_model_load, path.c_str(), &bound.c))
    {
    }
};

/** pali_image_features: computed once, used in any number of passes. */
class image_features : public detail::handle<pali_image_features, pali_image_features_free> {
public:
    using handle::handle;
    image_features(const model &of, const tensor &pixel_values, const image_features_options &options = {})
        : image_features(of, pixel_values, detail::bound_progress<image_features_options>(options))
    {
    }
    /** Features that were computed earlier: pali_image_features_create. */
    static image_features create(const model &of, const tensor &features, bool divided = false)
    {
        return image_features(
            detail::make<handle>(nullptr, pali_image_features_create, of.get(), features.get(), divided ? 1 : 0)
                .release());
    }
    tensor values() const { return tensor(*pali_image_features_tensor(get())); }

private:
    image_features(const model &of, const tensor &pixel_values,
                   const detail::bound_progress<image_features_options> &bound)
        : handle(detail::make<handle>(&bound, pali_model_image_features, of.get(), pixel_values.get(), &bound.c))
    {
    }
};

/** pali_cache: keys and values of the tokens seen so far. One thread at a time. */
class cache : public detail::handle<pali_cache, pali_cache_free> {
public:
    using handle::handle;
    explicit cache(const model &of, const cache_options &options = {})
        : handle(detail::make<handle>(nullptr, pali_cache_create, of.get(), &options))
    {
    }
    static cache load(const model &of, const std::string &path)
    {
        return cache(detail::make<handle>(nullptr, pali_cache_load, of.get(), path.c_str()).release());
    }
    cache fork() const { return cache(detail::make<handle>(nullptr, pali_cache_fork, get()).release()); }
    std::int64_t rows() const noexcept { return pali_cache_rows(get()); }
    std::int64_t length(std::int64_t row = 0) const noexcept { return pali_cache_length(get(), row); }
    std::size_t size_bytes() const noexcept { return pali_cache_size_bytes(get()); }
    void truncate(std::int64_t to_length) { detail::call(pali_cache_truncate, get(), to_length); }
    void reset() noexcept { pali_cache_reset(get()); }
    void reorder(view<const std::int64_t> parents)
    {
        detail::call(pali_cache_reorder, get(), parents.data(), parents.size());
    }
    void save(const std::string &path) const { detail::call(pali_cache_save, get(), path.c_str()); }
};

/** pali_adapter: a LoRA adapter for the calls whose options name it. */
class adapter : public detail::handle<pali_adapter, pali_adapter_free> {
public:
    using handle::handle;
    adapter(const model &of, const std::string &path)
        : handle(detail::make<handle>(nullptr, pali_adapter_load, of.get(), path.c_str()))
    {
    }
    std::size_t size() const noexcept { return pali_adapter_count(get()); }
    std::int64_t rank() const noexcept { return pali_adapter_rank(get()); }
};

/** Late interaction of queries and pages, [queries, pages] row by row: pali_max_sim. */
inline std::vector<float> max_sim(const tensor &queries, const tensor &pages)
{
    const auto rows = [](const tensor &of) {
        return of.shape().size() == 3 ? static_cast<std::size_t>(of.shape()[0]) : std::size_t{ 1 };
    };
    std::vector<float> scores(rows(queries) * rows(pages));
    detail::call(pali_max_sim, scores.data(), queries.get(), pages.get());
    return scores;
}

/* ---- answers ---- */

/** pali_constraint: what an answer may be. */
class constraint : public detail::handle<pali_constraint, pali_constraint_free> {
public:
    using handle::handle;
    static constraint choices(const processor &of, const std::vector<std::string> &texts)
    {
        const std::vector<const char *> c = detail::pointers(texts);
        return constraint(detail::make<handle>(nullptr, pali_constraint_choices, of.get(), c.data(), c.size()).release());
    }
    /** Boxes; without labels, any label. */
    static constraint detect(const processor &of, const std::vector<std::string> &labels = {},
                             const constraint_options &options = {})
    {
        return objects(pali_constraint_detect, of, labels, options);
    }
    /** Boxes with masks. */
    static constraint segment(const processor &of, const std::vector<std::string> &labels = {},
                              const constraint_options &options = {})
    {
        return objects(pali_constraint_segment, of, labels, options);
    }

private:
    template <class F>
    static constraint objects(F function, const processor &of, const std::vector<std::string> &labels,
                              const constraint_options &options)
    {
        const std::vector<const char *> c = detail::pointers(labels);
        return constraint(detail::make<handle>(nullptr, function, of.get(), c.empty() ? nullptr : c.data(), c.size(),
                                               &options)
                              .release());
    }
};

/** One new token. */
struct token {
    std::int64_t row;
    std::int64_t id;
    std::string_view text; /**< what it adds to the answer; borrowed for the callback, or until the stream goes on */
};

using token_ids = std::vector<std::int64_t>;

class generate_options : public detail::progress_options<pali_generate_options, pali_generate_options_init> {
public:
    /** callable(const pali::token &); false stops and keeps what there is. */
    template <class F> void set_on_token(F callable) { token_ = detail::going_on<const token &>(std::move(callable)); }
    /** callable(row, view of its new ids, view of the flags to set, one per id); false stops. */
    template <class F> void set_token_mask(F callable)
    {
        mask_ = detail::going_on<std::int64_t, view<const std::int64_t>, view<std::uint8_t>>(std::move(callable));
    }
    void set_stop_strings(std::vector<std::string> texts) { stop_strings_ = std::move(texts); }
    void set_bad_words(std::vector<token_ids> words) { bad_words_ = std::move(words); }
    void set_force_words(std::vector<token_ids> words) { force_words_ = std::move(words); }
    void set_logit_bias(std::vector<pali_logit_bias> biases) { logit_bias_ = std::move(biases); }
    /** Instead of generation_config's; an empty list never ends an answer. */
    void set_eos_token_ids(token_ids ids) { eos_ = std::move(ids); }

private:
    friend class bound_generate;
    friend class token_stream;
    std::function<bool(const token &)> token_;
    std::function<bool(std::int64_t, view<const std::int64_t>, view<std::uint8_t>)> mask_;
    std::vector<std::string> stop_strings_;
    std::vector<token_ids> bad_words_, force_words_;
    std::vector<pali_logit_bias> logit_bias_;
    std::optional<token_ids> eos_;
};

/** generate_options for one call. */
class bound_generate : public detail::bound_progress<generate_options> {
public:
    explicit bound_generate(const generate_options &from) : bound_progress(from)
    {
        if (from.token_) {
            c.on_token = [](void *user, const pali_token *got) {
                auto *self = static_cast<bound_generate *>(user);
                const token seen = { got->row, got->id, got->text ? got->text : "" };
                return self->run([&] { return self->from_->token_(seen); });
            };
            c.on_token_user = this;
        }
        if (from.mask_) {
            c.token_mask = [](void *user, std::int64_t row, const std::int64_t *ids, std::size_t n_ids,
                              std::uint8_t *allowed, std::int64_t vocab_size) {
                auto *self = static_cast<bound_generate *>(user);
                const view<std::uint8_t> flags(allowed, static_cast<std::size_t>(vocab_size));
                return self->run([&] { return self->from_->mask_(row, view<const std::int64_t>(ids, n_ids), flags); });
            };
            c.token_mask_user = this;
        }
        stop_strings_ = detail::pointers(from.stop_strings_);
        bad_words_ = lists(from.bad_words_);
        force_words_ = lists(from.force_words_);
        give(stop_strings_, c.stop_strings, c.n_stop_strings);
        give(bad_words_, c.bad_words, c.n_bad_words);
        give(force_words_, c.force_words, c.n_force_words);
        give(from.logit_bias_, c.logit_bias, c.n_logit_bias);
        if (from.eos_) {
            static const std::int64_t none = 0; // a list of no ids is told from no list by its pointer
            c.eos_token_ids = from.eos_->empty() ? &none : from.eos_->data();
            c.n_eos_token_ids = from.eos_->size();
        }
    }

private:
    static std::vector<pali_token_list> lists(const std::vector<token_ids> &words)
    {
        std::vector<pali_token_list> to;
        for (const token_ids &word : words)
            to.push_back({ word.data(), word.size() });
        return to;
    }
    template <class V, class P> static void give(const V &list, P *&data, std::size_t &size)
    {
        if (!list.empty()) {
            data = list.data();
            size = list.size();
        }
    }
    std::vector<const char *> stop_strings_;
    std::vector<pali_token_list> bad_words_, force_words_;
};

/** One answer of a generation, which keeps what this shows. */
class answer {
public:
    answer(const pali_generation *of, std::int64_t row) noexcept : c_(of), row_(row) {}
    /** Special tokens left out; "" where the inputs did not come from a processor. */
    std::string_view text() const noexcept
    {
        const char *found = pali_generation_text(c_, row_);
        return found ? found : "";
    }
    view<const std::int64_t> ids() const noexcept
    {
        std::size_t n = 0;
        const std::int64_t *found = pali_generation_token_ids(c_, row_, &n);
        return { found, n };
    }
    view<const double> logprobs() const noexcept
    {
        std::size_t n = 0;
        const double *found = pali_generation_logprobs(c_, row_, &n);
        return { found, n };
    }
    view<const pali_token_logprob> top_logprobs(std::size_t at_token) const noexcept
    {
        std::size_t n = 0;
        const pali_token_logprob *found = pali_generation_top_logprobs(c_, row_, at_token, &n);
        return { found, n };
    }
    double score() const noexcept { return pali_generation_score(c_, row_); }
    pali_finish_reason finish_reason() const noexcept { return pali_generation_finish_reason(c_, row_); }

private:
    const pali_generation *c_;
    std::int64_t row_;
};

/** pali_generation: the answers to a batch, as a range of them. */
class generation : public detail::handle<pali_generation, pali_generation_free> {
public:
    using handle::handle;
    generation(handle &&from) noexcept : handle(std::move(from)) {}
    std::size_t size() const noexcept { return static_cast<std::size_t>(pali_generation_rows(get())); }
    answer operator[](std::size_t row) const noexcept { return { get(), static_cast<std::int64_t>(row) }; }
    detail::index_iterator<generation> begin() const noexcept { return { *this, 0 }; }
    detail::index_iterator<generation> end() const noexcept { return { *this, size() }; }
    /** Of the first answer. */
    std::string_view text() const noexcept { return (*this)[0].text(); }
    view<const std::int64_t> ids() const noexcept { return (*this)[0].ids(); }
    std::int64_t passes() const noexcept { return pali_generation_passes(get()); }
    pali_timing timing() const
    {
        pali_timing found;
        pali_timing_init(&found);
        detail::call(pali_generation_timing, get(), &found);
        return found;
    }
};

/** Answers every row of `in`: pali_generate. */
inline generation generate(const model &of, const inputs &in, const generate_options &options = {})
{
    bound_generate bound(options);
    return generation(detail::make<detail::handle<pali_generation, pali_generation_free>>(
        &bound, pali_generate, of.get(), in.get(), &bound.c));
}

/**
 * The tokens of an answer as they come, as a range that is passed once:
 *     for (const pali::token &token : pali::token_stream(model, inputs)) std::cout << token.text << std::flush;
 * The generation runs in a thread of the stream's own, callbacks of the options included; model, inputs and what the
 * options name must outlive the stream. A model or inputs written into the call would end before the first token, so
 * temporaries do not compile. Leaving the loop early and ending the stream stops the generation at its next token, or,
 * while it still reads the prompt, layer. What goes wrong is thrown by begin() or ++. After a move the stream is an
 * empty range, and finish() gives an empty generation.
 */
class token_stream {
    struct queued {
        std::int64_t row, id;
        std::string text;
    };
    struct shared {
        std::mutex lock;
        std::condition_variable changed;
        std::deque<queued> waiting;
        bool stop = false, done = false;
        std::exception_ptr failure;
        generation whole;
        queued current;
    };

public:
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = token;
        using difference_type = std::ptrdiff_t;
        using pointer = const token *;
        using reference = token;
        iterator() noexcept = default;
        explicit iterator(shared *of) : of_(of)
        {
            if (of_)
                ++*this;
        }
        token operator*() const noexcept { return { of_->current.row, of_->current.id, of_->current.text }; }
        iterator &operator++()
        {
            if (!next(*of_))
                of_ = nullptr;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator &a, const iterator &b) noexcept { return a.of_ == b.of_; }
        friend bool operator!=(const iterator &a, const iterator &b) noexcept { return a.of_ != b.of_; }

    private:
        shared *of_ = nullptr;
    };

    token_stream(const model &of, const inputs &in, generate_options options = {}) : shared_(std::make_unique<shared>())
    {
        shared *to = shared_.get();
        worker_ = std::thread([to, &of, &in, options = std::move(options)]() mutable {
            run(*to, of, in, options);
        });
    }
    token_stream(const model &of, const inputs &&in, generate_options options = {}) = delete;
    token_stream(const model &&of, const inputs &in, generate_options options = {}) = delete;
    token_stream(const model &&of, const inputs &&in, generate_options options = {}) = delete;
    token_stream(token_stream &&) noexcept = default;
    token_stream &operator=(token_stream &&) = delete;
    ~token_stream() { stop(); }

    iterator begin() { return iterator(shared_.get()); }
    iterator end() noexcept { return {}; }
    /** Stops the generation and waits for its end. Tokens that have come can still be read. */
    void stop()
    {
        if (!worker_.joinable())
            return;
        {
            const std::lock_guard<std::mutex> held(shared_->lock);
            shared_->stop = true;
        }
        worker_.join();
    }
    /** Waits for the end and gives the whole answer, once; throws what went wrong. Empty if stopped before a token. */
    generation finish()
    {
        if (worker_.joinable())
            worker_.join();
        if (!shared_)
            return {};
        if (shared_->failure)
            std::rethrow_exception(shared_->failure);
        return std::move(shared_->whole);
    }

private:
    static void run(shared &to, const model &of, const inputs &in, generate_options &options) noexcept
    {
        std::exception_ptr failure;
        const auto stopped = [&to] {
            const std::lock_guard<std::mutex> held(to.lock);
            return to.stop;
        };
        try {
            options.set_on_token([&to, &stopped, own = options.token_](const token &got) {
                {
                    const std::lock_guard<std::mutex> held(to.lock);
                    to.waiting.push_back({ got.row, got.id, std::string(got.text) });
                }
                to.changed.notify_one();
                return (!own || own(got)) && !stopped();
            });
            options.set_progress([&stopped, own = options.progress_callable()](std::string_view stage, double fraction) {
                return (!own || own(stage, fraction)) && !stopped();
            });
            to.whole = generate(of, in, options);
        } catch (const error &told) {
            if (told.status() != PALI_ERROR_CANCELLED || !stopped())
                failure = std::current_exception();
        } catch (...) {
            failure = std::current_exception();
        }
        const std::lock_guard<std::mutex> held(to.lock);
        to.failure = failure;
        to.done = true;
        to.changed.notify_one();
    }
    /** Makes the next token the current one; false at the end. */
    static bool next(shared &of)
    {
        std::unique_lock<std::mutex> held(of.lock);
        of.changed.wait(held, [&of] { return of.done || !of.waiting.empty(); });
        if (of.waiting.empty()) {
            if (of.failure)
                std::rethrow_exception(of.failure);
            return false;
        }
        of.current = std::move(of.waiting.front());
        of.waiting.pop_front();
        return true;
    }

    std::unique_ptr<shared> shared_;
    std::thread worker_;
};

/** pali_scores: how likely given answers are. */
class scores : public detail::handle<pali_scores, pali_scores_free> {
public:
    using handle::handle;
    scores(const model &of, const inputs &prefix, const std::vector<std::string> &suffixes,
           const score_options &options = {})
    {
        detail::bound_progress<score_options> bound(options);
        const std::vector<const char *> c = detail::pointers(suffixes);
        handle::operator=(
            detail::make<handle>(&bound, pali_score, of.get(), prefix.get(), c.data(), c.size(), &bound.c));
    }
    /** Of answers given as ids: pali_score_tokens. */
    scores(const model &of, const inputs &prefix, const std::vector<token_ids> &suffixes,
           const score_options &options = {})
    {
        detail::bound_progress<score_options> bound(options);
        std::vector<pali_token_list> c;
        for (const token_ids &ids : suffixes)
            c.push_back({ ids.data(), ids.size() });
        handle::operator=(
            detail::make<handle>(&bound, pali_score_tokens, of.get(), prefix.get(), c.data(), c.size(), &bound.c));
    }
    std::size_t size() const noexcept { return pali_scores_count(get()); }
    double total(std::size_t index) const noexcept { return pali_scores_total(get(), index); }
    double mean(std::size_t index) const noexcept { return pali_scores_mean(get(), index); }
    view<const float> logprobs(std::size_t index) const noexcept
    {
        std::size_t n = 0;
        const float *found = pali_scores_token_logprobs(get(), index, &n);
        return { found, n };
    }
    view<const std::int64_t> ids(std::size_t index) const noexcept
    {
        std::size_t n = 0;
        const std::int64_t *found = pali_scores_token_ids(get(), index, &n);
        return { found, n };
    }
    /** Indices, likeliest first. */
    view<const std::size_t> ranking(pali_score_order order = PALI_SCORE_BY_TOTAL) const noexcept
    {
        const std::size_t *found = pali_scores_ranking(get(), order);
        return { found, found ? size() : 0 };
    }
};

/* ---- objects and masks ---- */

/** pali_detections: the objects of an answer, as a range of pali_detection. */
class detections : public detail::handle<pali_detections, pali_detections_free> {
public:
    using handle::handle;
    explicit detections(const std::string &text, const detections_options &options = {})
        : handle(detail::make<handle>(nullptr, pali_detections_parse, text.c_str(), &options))
    {
    }
    explicit detections(std::string_view text, const detections_options &options = {})
        : detections(std::string(text), options)
    {
    }
    explicit detections(const char *text, const detections_options &options = {})
        : detections(std::string(text), options)
    {
    }
    static detections from_coco(const std::string &json, std::int32_t width = 0, std::int32_t height = 0,
                                const coco_options &options = {})
    {
        return detections(
            detail::make<handle>(nullptr, pali_detections_from_coco, json.c_str(), width, height, &options).release());
    }
    std::size_t size() const noexcept { return pali_detections_count(get()); }
    const pali_detection &operator[](std::size_t index) const noexcept { return *pali_detections_get(get(), index); }
    detail::index_iterator<detections> begin() const noexcept { return { *this, 0 }; }
    detail::index_iterator<detections> end() const noexcept { return { *this, size() }; }

    std::string to_coco(std::int32_t width, std::int32_t height, const coco_options &options = {}) const
    {
        return detail::make_text(pali_detections_to_coco, get(), width, height,
                                 &options);
    }
    void draw(image &on, const draw_options &options = {}) const
    {
        detail::call(pali_detections_draw, get(), on.get(), &options);
    }
    /** Of an answer whose log-probabilities were asked for, and whose text these are the objects of. */
    std::vector<pali_confidence> confidence(const processor &of, const answer &from) const
    {
        if (from.logprobs().size() != from.ids().size())
            throw error(PALI_ERROR_ARGUMENT, "the answer has no log-probabilities: set options.logprobs");
        std::vector<pali_confidence> found(size());
        detail::call(pali_detections_confidence, found.data(), get(), of.get(),
                     from.ids().data(), from.logprobs().data(), from.ids().size());
        return found;
    }
};

/** Objects as the text that a model is taught to answer: pali_detections_encode. */
inline std::string encode(view<const pali_detection> objects, const detections_options &options = {})
{
    return detail::make_text(pali_detections_encode, objects.data(), objects.size(), &options);
}

using segment_mask = std::array<float, PALI_SEGMENT_SIDE * PALI_SEGMENT_SIDE>;
using segment_tokens = std::array<std::int32_t, PALI_SEG_TOKENS>;

/** pali_mask_decoder: <seg> tokens to masks of 64 × 64 and back. */
class mask_decoder : public detail::handle<pali_mask_decoder, pali_mask_decoder_free> {
public:
    using handle::handle;
    explicit mask_decoder(const std::string &path)
        : handle(detail::make<handle>(nullptr, pali_mask_decoder_load, path.c_str()))
    {
    }
    bool has_encoder() const noexcept { return pali_mask_decoder_has_encoder(get()) != 0; }
    /** seg: 16 indices, as pali_detection::seg has them. */
    segment_mask decode(view<const std::int32_t> seg) const
    {
        if (seg.size() != PALI_SEG_TOKENS)
            throw error(PALI_ERROR_SHAPE, "a mask has 16 tokens");
        segment_mask mask;
        detail::call(pali_mask_decoder_decode, get(), seg.data(), mask.data());
        return mask;
    }
    segment_tokens encode(const segment_mask &mask) const
    {
        segment_tokens seg;
        detail::call(pali_mask_decoder_encode, get(), mask.data(), seg.data());
        return seg;
    }
};

namespace detail {

inline std::size_t area(std::int32_t width, std::int32_t height)
{
    if (width < 1 || height < 1 || width > 65535 || height > 65535)
        throw error(PALI_ERROR_ARGUMENT, "a picture has sides of 1 to 65535 pixels");
    return static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
}

} // namespace detail

/** The mask [height, width] of an object in the picture: pali_segment_paste. */
inline std::vector<std::uint8_t> paste_segment(const segment_mask &mask, const pali_detection &object,
                                               std::int32_t width, std::int32_t height,
                                               pali_segment_form form = PALI_SEGMENT_HARD)
{
    std::vector<std::uint8_t> pasted(detail::area(width, height));
    detail::call(pali_segment_paste, pasted.data(), mask.data(), &object, width, height, form);
    return pasted;
}

/** The reverse: pali_segment_crop. */
inline segment_mask crop_segment(view<const std::uint8_t> picture_mask, std::int32_t width, std::int32_t height,
                                 const pali_detection &object)
{
    segment_mask mask;
    if (picture_mask.size() != detail::area(width, height))
        throw error(PALI_ERROR_SHAPE, "the mask is not of width times height");
    detail::call(pali_segment_crop, mask.data(), picture_mask.data(), width, height, &object);
    return mask;
}

/** COCO's run lengths of a mask [height, width]. */
inline std::vector<std::uint32_t> rle_encode(view<const std::uint8_t> mask, std::int32_t width, std::int32_t height)
{
    std::uint32_t *counts = nullptr;
    std::size_t n = 0;
    if (mask.size() != detail::area(width, height))
        throw error(PALI_ERROR_SHAPE, "the mask is not of width times height");
    detail::call(pali_rle_encode, &counts, &n, mask.data(), width, height);
    const detail::block<std::uint32_t> owned(counts);
    return { counts, counts + n };
}

inline std::vector<std::uint8_t> rle_decode(view<const std::uint32_t> counts, std::int32_t width, std::int32_t height)
{
    std::vector<std::uint8_t> mask(detail::area(width, height));
    detail::call(pali_rle_decode, mask.data(), counts.data(), counts.size(), width, height);
    return mask;
}

inline std::string rle_to_text(view<const std::uint32_t> counts)
{
    return detail::make_text(pali_rle_to_text, counts.data(), counts.size());
}

inline std::vector<std::uint32_t> rle_from_text(const std::string &text)
{
    std::uint32_t *counts = nullptr;
    std::size_t n = 0;
    detail::call(pali_rle_from_text, &counts, &n, text.c_str());
    const detail::block<std::uint32_t> owned(counts);
    return { counts, counts + n };
}

/* ---- looking inside ---- */

/** pali_mask: who sees whom. */
class mask : public detail::handle<pali_mask, pali_mask_free> {
public:
    using handle::handle;
    mask(const config &of, const inputs &in, const mask_options &options = {})
        : handle(detail::make<handle>(nullptr, pali_mask_create, of.get(), in.get(), &options))
    {
    }
    /** [batch, queries, keys] uint8, if there is such a layer. */
    std::optional<tensor> layer(std::int64_t index) const noexcept
    {
        const pali_tensor *found = pali_mask_layer(get(), index);
        return found ? std::optional<tensor>(tensor(*found)) : std::nullopt;
    }
    std::int64_t window(std::int64_t layer) const noexcept { return pali_mask_window(get(), layer); }
    std::string text(const mask_text_options &options = {}) const
    {
        return detail::make_text(pali_mask_text, get(), &options);
    }
    pali::image image(std::int64_t row = 0, std::int64_t layer = 0, std::int32_t scale = 0) const
    {
        return pali::image(detail::make<detail::handle<pali_image, pali_image_free>>(
                               nullptr, pali_mask_image, get(), row, layer, scale)
                               .release());
    }
};

/** [grid, grid]: how much of a token's attention falls on each patch of a picture. */
struct heat_map {
    std::vector<float> values;
    std::int64_t grid = 0;

    heat_map(const config &of, const inputs &in, const outputs &out, const heat_map_options &options = {})
    {
        float *map = nullptr;
        detail::call(pali_heat_map, &map, &grid, of.get(), in.get(), out.get(), &options);
        const detail::block<float> owned(map);
        values.assign(map, map + grid * grid);
    }
};

/** pali_comparison: where two sets of tensors depart, as a range of pali_difference. */
class comparison : public detail::handle<pali_comparison, pali_comparison_free> {
public:
    using handle::handle;
    comparison(const inputs &a, const inputs &b, const compare_options &options = {})
        : handle(detail::make<handle>(nullptr, pali_compare, a.get(), b.get(), &options))
    {
    }
    std::size_t size() const noexcept { return pali_comparison_count(get()); }
    const pali_difference &operator[](std::size_t index) const noexcept { return *pali_comparison_get(get(), index); }
    /** Index of the first that departs; size() if all is equal. */
    std::size_t first() const noexcept { return pali_comparison_first(get()); }
    detail::index_iterator<comparison> begin() const noexcept { return { *this, 0 }; }
    detail::index_iterator<comparison> end() const noexcept { return { *this, size() }; }
};

} // namespace pali

#endif
