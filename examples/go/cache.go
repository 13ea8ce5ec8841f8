// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import "unsafe"

// A Cache holds keys and values of the tokens seen so far, for each row of a batch. A call that extends or changes it has
// it for itself: another call with it then fails with [ErrInUse].
type Cache struct{ h *handle }

// CacheOptions say what kind of cache it is.
type CacheOptions struct {
	Rows     int    // sequences; 0: 1
	Capacity int    // tokens per row to make room for at once; 0: grow as needed
	Fixed    bool   // never grow past Capacity, but fail with ErrLimit
	Sliding  bool   // layers with a window keep only what it can still reach
	DType    DType  // of keys and values, Float32, BFloat16 or Int8; 0: Float32
	Prefix   *Cache // every row continues this cache's only row without copying it; it is frozen as long as that lasts
}

// NewCache makes an empty cache. options may be nil.
func (m *Model) NewCache(options *CacheOptions) (*Cache, error) {
	f := new(frame)
	defer f.end()
	model := (*C.pali_model)(f.shared(m))
	var o C.pali_cache_options
	C.pali_cache_options_init(&o)
	if options != nil {
		if options.Rows != 0 {
			o.rows = C.int64_t(options.Rows)
		}
		o.capacity = C.int64_t(options.Capacity)
		o.fixed = flag(options.Fixed)
		o.sliding = flag(options.Sliding)
		o.dtype = C.pali_dtype(options.DType)
		o.prefix = (*C.pali_cache)(f.shared(options.Prefix))
	}
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_cache
	var cerr *C.pali_error
	return takeCache(&out, check(C.pali_cache_create(&out, model, &o, &cerr), &cerr))
}

// LoadCache reads what [Cache.Save] wrote, with the same model.
func (m *Model) LoadCache(path string) (*Cache, error) {
	f := new(frame)
	defer f.end()
	model, cpath := (*C.pali_model)(f.shared(m)), f.text(path)
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_cache
	var cerr *C.pali_error
	err := check(C.pali_cache_load(&out, model, cpath, &cerr), &cerr)
	return takeCache(&out, err)
}

func takeCache(made **C.pali_cache, err error) (*Cache, error) {
	if err != nil {
		return nil, err
	}
	out := *made
	return &Cache{newHandle(unsafe.Pointer(out), func(p unsafe.Pointer) { C.pali_cache_free((*C.pali_cache)(p)) })}, nil
}

func (c *Cache) base() *handle {
	if c == nil {
		return nil
	}
	return c.h
}

// Close ends the hold on the cache; a prefix goes with the last cache that continues it.
func (c *Cache) Close() error { return closeObject(c) }

// Fork copies the cache; a shared prefix stays shared.
func (c *Cache) Fork() (*Cache, error) {
	f := new(frame)
	defer f.end()
	cache := (*C.pali_cache)(f.shared(c))
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_cache
	var cerr *C.pali_error
	err := check(C.pali_cache_fork(&out, cache, &cerr), &cerr)
	return takeCache(&out, err)
}

// Rows is the number of sequences.
func (c *Cache) Rows() (int, error) {
	f := new(frame)
	defer f.end()
	cache := (*C.pali_cache)(f.shared(c))
	if f.err != nil {
		return 0, f.err
	}
	return int(C.pali_cache_rows(cache)), nil
}

// Len is the number of tokens in row, padding and a shared prefix included; 0 for no row.
func (c *Cache) Len(row int) (int, error) {
	f := new(frame)
	defer f.end()
	cache := (*C.pali_cache)(f.shared(c))
	if f.err != nil {
		return 0, f.err
	}
	return int(C.pali_cache_length(cache, C.int64_t(row))), nil
}

// SizeBytes is the memory that the cache has allocated for its tokens, a shared prefix's not counted.
func (c *Cache) SizeBytes() (int64, error) {
	f := new(frame)
	defer f.end()
	cache := (*C.pali_cache)(f.shared(c))
	if f.err != nil {
		return 0, f.err
	}
	return int64(C.pali_cache_size_bytes(cache)), nil
}

// Truncate forgets all tokens from length on, in every row.
func (c *Cache) Truncate(length int) error {
	f := new(frame)
	defer f.end()
	cache := (*C.pali_cache)(f.alone(c))
	if f.err != nil {
		return f.err
	}
	var cerr *C.pali_error
	return check(C.pali_cache_truncate(cache, C.int64_t(length), &cerr), &cerr)
}

// Reset forgets everything but a shared prefix; the memory stays.
func (c *Cache) Reset() error {
	f := new(frame)
	defer f.end()
	cache := (*C.pali_cache)(f.alone(c))
	if f.err != nil {
		return f.err
	}
	C.pali_cache_reset(cache)
	return nil
}

// Reorder makes row i a continuation of what was row parents[i]; the cache has len(parents) rows afterwards.
func (c *Cache) Reorder(parents []int) error {
	f := new(frame)
	defer f.end()
	cache, cparents := (*C.pali_cache)(f.alone(c)), f.ints(parents)
	if f.err != nil {
		return f.err
	}
	var cerr *C.pali_error
	return check(C.pali_cache_reorder(cache, cparents, C.size_t(len(parents)), &cerr), &cerr)
}

// Save writes what the cache holds to a safetensors file.
func (c *Cache) Save(path string) error {
	f := new(frame)
	defer f.end()
	cache, cpath := (*C.pali_cache)(f.shared(c)), f.text(path)
	if f.err != nil {
		return f.err
	}
	var cerr *C.pali_error
	return check(C.pali_cache_save(cache, cpath, &cerr), &cerr)
}
