/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file paligemma/base.h
 * What every part of the interface shares: status and error, allocation, progress, tensors.
 *
 * Rules that hold everywhere:
 *  - An object that comes out through a first parameter `type **out` belongs to the caller, who ends it with the
 *    matching `_free`. On failure `*out` is NULL. `_free(NULL)` does nothing.
 *  - A pointer that a function returns directly is borrowed: it lives as long as its parent and is not freed.
 *  - A function that can fail returns a `pali_status`; the last parameter `pali_error **error` (NULL: not wanted)
 *    receives one sentence about what happened. If `*error` is already set it is left as it is: the first cause wins.
 *  - An options struct begins with `struct_size`, is set by its `_INIT` macro or its `_init` function, and NULL means
 *    all defaults. A struct of an older header, being shorter, keeps working.
 *  - No function prints, exits, or keeps thread-local state.
 */
#ifndef PALIGEMMA_BASE_H
#define PALIGEMMA_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(PALIGEMMA_STATIC)
#define PALI_API
#elif defined(__GNUC__)
#define PALI_API __attribute__((visibility("default")))
#else
#define PALI_API
#endif

/** Version of these headers. The library's own version is `pali_version()`. */
#define PALI_VERSION_MAJOR 0
#define PALI_VERSION_MINOR 1
#define PALI_VERSION_PATCH 0

/** The library's version as "major.minor.patch". Borrowed, static. Any thread. Since 0.1. */
PALI_API const char *pali_version(void);

/** Outcome of a call. Zero is success, everything else is negative. Values are never renumbered. */
typedef enum pali_status {
    PALI_OK = 0,
    PALI_ERROR_ARGUMENT = -1,    /**< the caller passed something this function does not take */
    PALI_ERROR_MEMORY = -2,      /**< an allocation failed */
    PALI_ERROR_IO = -3,          /**< a file cannot be opened, read or written */
    PALI_ERROR_FORMAT = -4,      /**< a file is not what it should be: malformed, truncated, out of range */
    PALI_ERROR_UNSUPPORTED = -5, /**< well-formed, but of a kind this version does not handle */
    PALI_ERROR_SHAPE = -6,       /**< tensors that do not fit together */
    PALI_ERROR_LIMIT = -7,       /**< a limit was reached: pixels, cache capacity, sequence length */
    PALI_ERROR_CANCELLED = -8,   /**< a callback asked to stop */
    PALI_ERROR_INTERNAL = -9     /**< a dependency failed in a way that should not happen */
} pali_status;

/** A short name for a status, e.g. "format error". Borrowed, static; never NULL. Any thread. Since 0.1. */
PALI_API const char *pali_status_name(pali_status status);

/** What went wrong, in one sentence. Owned by whoever passed the `pali_error **`. */
typedef struct pali_error pali_error;

/** The sentence, UTF-8, without newline. Borrowed from the error. `error` may be NULL ("no error"). Since 0.1. */
PALI_API const char *pali_error_message(const pali_error *error);

/** The status the failing call returned; PALI_OK for NULL. Since 0.1. */
PALI_API pali_status pali_error_status(const pali_error *error);

/** Ends an error. NULL is fine. Since 0.1. */
PALI_API void pali_error_free(pali_error *error);

/**
 * Memory functions of the host. `allocate` returns memory aligned to at least 16 bytes or NULL; `release` accepts NULL.
 * Both may be called from any thread.
 */
typedef struct pali_allocator {
    void *(*allocate)(void *user, size_t size);
    void (*release)(void *user, void *memory);
    void *user;
} pali_allocator;

/**
 * Makes the library allocate through `allocator` (copied; NULL: back to malloc and free). Call it before anything
 * else of the library and never while an object of the library exists; it is the only process-wide setting.
 * Memory that oneDNN, json-c, libpng and libjpeg allocate for themselves does not pass here. Since 0.1.
 */
PALI_API void pali_set_allocator(const pali_allocator *allocator);

/** Frees a block that the library handed to the caller (ids, texts). NULL is fine. Any thread. Since 0.1. */
PALI_API void pali_free(void *memory);

/**
 * Progress of a long call. `stage` names what is being done ("load", "image", "prefill", "beams", "save"), `fraction`
 * runs 0…1 within it.
 * Called on the caller's thread with no lock held. Returns 0 to go on, anything else to cancel: the call then ends
 * with PALI_ERROR_CANCELLED.
 */
typedef int (*pali_progress_fn)(void *user, const char *stage, double fraction);

/** Element types. Values are never renumbered. */
typedef enum pali_dtype {
    PALI_FLOAT32 = 1,
    PALI_BFLOAT16 = 2,
    PALI_FLOAT16 = 3,
    PALI_FLOAT64 = 4,
    PALI_INT64 = 5,
    PALI_INT32 = 6,
    PALI_INT16 = 7,
    PALI_INT8 = 8,
    PALI_UINT8 = 9,
    PALI_BOOL = 10
} pali_dtype;

/** "float32", "bfloat16", … as PyTorch names it; "unknown" otherwise. Borrowed, static. Since 0.1. */
PALI_API const char *pali_dtype_name(pali_dtype dtype);

/** Bytes of one element; 0 for an unknown dtype. Since 0.1. */
PALI_API size_t pali_dtype_size(pali_dtype dtype);

#define PALI_MAX_RANK 8

/**
 * A view of an array. It owns nothing: whoever gave it says how long `data` lives. Strides are counted in elements,
 * as in DLPack. Tensors that the library returns are contiguous, row-major; those it takes must be too.
 */
typedef struct pali_tensor {
    void *data;
    pali_dtype dtype;
    int32_t rank;                   /**< 0…PALI_MAX_RANK */
    int64_t shape[PALI_MAX_RANK];   /**< entries from `rank` on are 0 */
    int64_t strides[PALI_MAX_RANK]; /**< in elements */
} pali_tensor;

/** A contiguous row-major view of `data` with `rank` sizes from `shape`. Since 0.1. */
PALI_API pali_tensor pali_tensor_view(void *data, pali_dtype dtype, int32_t rank, const int64_t *shape);

/** Number of elements (1 for rank 0). Since 0.1. */
PALI_API int64_t pali_tensor_count(const pali_tensor *tensor);

#ifdef __cplusplus
}
#endif
#endif
