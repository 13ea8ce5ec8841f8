// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import "unsafe"

// EarlyStopping says when a beam search stops.
type EarlyStopping int

const (
	EarlyStoppingDefault EarlyStopping = 0  // generation_config.json's, or EarlyStoppingFalse
	EarlyStoppingTrue    EarlyStopping = 1  // as soon as NumBeams answers are complete
	EarlyStoppingFalse   EarlyStopping = -1 // when a better one is unlikely
	EarlyStoppingNever   EarlyStopping = 2  // when there can be no better one
)

// GenerateOptions have names and meaning as in Transformers' GenerationConfig. Where a field is zero,
// generation_config.json's value holds, and where the file has none, Transformers' default. An option that would be
// without effect (TopK when greedy) is [ErrArgument].
type GenerateOptions struct {
	MaxNewTokens int // 0: generation_config's, or 20
	MinNewTokens int // no eos before; -1: none

	// How a token is chosen.
	Temperature float64 // 0: generation_config's if that has do_sample, else greedy; -1: greedy
	TopK        int     // keep the k likeliest; -1: all
	TopP        float64 // keep the likeliest that make up p
	MinP        float64 // keep what is at least MinP times as likely as the likeliest; -1: all
	TypicalP    float64 // locally typical sampling
	Seed        uint64  // same seed, same draws

	// What is done to the logits first.
	RepetitionPenalty float64
	PresencePenalty   float64
	FrequencyPenalty  float64
	NoRepeatNgramSize int               // -1: none
	LogitBias         map[int64]float32 // added to the logit of a token; -infinity forbids it
	BadWords          [][]int64         // token sequences that never appear
	ForceWords        [][]int64         // token sequences that every answer contains

	// When to stop.
	EOSTokenIDs []int64  // instead of generation_config's; nil: those; empty: none
	StopStrings []string // an answer ends with the token that completes one

	// How many answers, and what is known of them.
	NumBeams           int // 1: no beam search
	NumReturnSequences int
	BestOf             int      // sample this many, return the likeliest
	LengthPenalty      *float64 // of beams: score / length^penalty; nil: generation_config's, or 1
	EarlyStopping      EarlyStopping
	Logprobs           bool // Answer.Logprobs
	TopLogprobs        int  // so many alternatives for each token: Answer.TopLogprobs

	// How the tokens are found.
	PromptLookupNumTokens int // guess up to so many tokens from the prompt and check them in one pass
	Constraint            *Constraint
	Features              *ImageFeatures // instead of pixel_values
	Cache                 *Cache         // row i of the batch continues row i of this cache, which it extends
	Adapter               *Adapter
	AdapterScale          *float64 // times the adapter's own scale; nil: 1
	Threads               int      // for this call; 0: the model's number; answers do not depend on it

	// Callbacks, on the goroutine that called Generate.

	// OnToken gets each token as it comes; with beams and BestOf when the answers are known. False stops: what was
	// generated so far is kept, the reason is FinishCancelled, and it is no error.
	OnToken func(Token) bool
	// EndRow is asked after OnToken; true: this answer ends with this token, by FinishCancelled, and the others go on.
	EndRow func(Token) bool
	// OnProgress is told how far a stage ("image", "prefill", "beams", "samples") is, 0…1.
	OnProgress func(stage string, fraction float64)
	// TokenMask says which tokens may follow in a row after its new tokens ids: it sets allowed[id]. False stops. Both
	// slices are the call's, and change after it.
	TokenMask func(row int, ids []int64, allowed []bool) bool
}

func (o *GenerateOptions) c(f *frame) *C.pali_generate_options {
	c := new(C.pali_generate_options)
	C.pali_generate_options_init(c)
	if o == nil {
		return c
	}
	c.max_new_tokens = C.int64_t(o.MaxNewTokens)
	c.min_new_tokens = C.int64_t(o.MinNewTokens)

	c.temperature = C.double(o.Temperature)
	c.top_k = C.int64_t(o.TopK)
	c.top_p = C.double(o.TopP)
	c.min_p = C.double(o.MinP)
	c.typical_p = C.double(o.TypicalP)
	c.seed = C.uint64_t(o.Seed)

	c.repetition_penalty = C.double(o.RepetitionPenalty)
	c.presence_penalty = C.double(o.PresencePenalty)
	c.frequency_penalty = C.double(o.FrequencyPenalty)
	c.no_repeat_ngram_size = C.int64_t(o.NoRepeatNgramSize)
	c.logit_bias, c.n_logit_bias = f.logitBias(o.LogitBias), C.size_t(len(o.LogitBias))
	c.bad_words, c.n_bad_words = f.tokenLists(o.BadWords), C.size_t(len(o.BadWords))
	c.force_words, c.n_force_words = f.tokenLists(o.ForceWords), C.size_t(len(o.ForceWords))

	c.eos_token_ids, c.n_eos_token_ids = f.int64s(o.EOSTokenIDs), C.size_t(len(o.EOSTokenIDs))
	c.stop_strings, c.n_stop_strings = f.texts(o.StopStrings), C.size_t(len(o.StopStrings))

	c.num_beams = C.int64_t(o.NumBeams)
	c.num_return_sequences = C.int64_t(o.NumReturnSequences)
	c.best_of = C.int64_t(o.BestOf)
	setDouble(&c.length_penalty, o.LengthPenalty)
	c.early_stopping = C.int32_t(o.EarlyStopping)
	c.logprobs = flag(o.Logprobs)
	c.top_logprobs = C.int64_t(o.TopLogprobs)

	c.prompt_lookup_num_tokens = C.int64_t(o.PromptLookupNumTokens)
	c.constraint = (*C.pali_constraint)(f.shared(o.Constraint))
	c.features = (*C.pali_image_features)(f.shared(o.Features))
	c.cache = (*C.pali_cache)(f.alone(o.Cache))
	c.adapter = (*C.pali_adapter)(f.shared(o.Adapter))
	setDouble(&c.adapter_scale, o.AdapterScale)
	c.threads = clampInt32(o.Threads)
	return c
}

func (f *frame) logitBias(biases map[int64]float32) *C.pali_logit_bias {
	if len(biases) == 0 {
		return nil
	}
	block := (*C.pali_logit_bias)(f.alloc(len(biases), C.sizeof_pali_logit_bias))
	entries := unsafe.Slice(block, len(biases))
	n := 0
	for id, bias := range biases {
		entries[n] = C.pali_logit_bias{id: C.int64_t(id), bias: C.float(bias)}
		n++
	}
	return block
}
