// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

// A MemoryForecast is what memory a checkpoint will need for one sequence with one picture, in bytes.
type MemoryForecast struct {
	WeightsMapped int64 // used in the mapped files, which all processes share that have them open
	WeightsCopied int64 // in memory of the model's own
	Vision        int64 // the tower's working memory
	Activations   int64 // of the decoder's pass over the prompt
	CachePerToken int64 // keys and values in Float32; a half of it in BFloat16, about a quarter in Int8
	Cache         int64 // of all tokens
	Total         int64 // weights, cache, and the larger of tower and decoder
	Available     int64 // what the machine has; -1: not known
}

// ForecastMemory reads the headers of the checkpoint directory path, no weights, and says what a model loaded with
// options needs for a picture and nTokens tokens of prompt and answer. [LoadModel] goes by the same figures, with 128 tokens.
// options may be nil.
func ForecastMemory(path string, nTokens int, options *ModelOptions) (MemoryForecast, error) {
	f := new(frame)
	defer f.end()
	cpath, o := f.text(path), options.c(f)
	forecast := new(C.pali_memory_forecast)
	C.pali_memory_forecast_init(forecast)
	if f.err != nil {
		return MemoryForecast{}, f.err
	}
	var cerr *C.pali_error
	err := check(C.pali_model_forecast_memory(forecast, cpath, o, C.int64_t(nTokens), &cerr), &cerr)
	if err != nil {
		return MemoryForecast{}, err
	}
	return MemoryForecast{
		WeightsMapped: int64(forecast.weights_mapped),
		WeightsCopied: int64(forecast.weights_copied),
		Vision:        int64(forecast.vision),
		Activations:   int64(forecast.activations),
		CachePerToken: int64(forecast.cache_per_token),
		Cache:         int64(forecast.cache),
		Total:         int64(forecast.total),
		Available:     int64(forecast.available),
	}, nil
}
