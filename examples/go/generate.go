// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"context"
	"encoding/json"
	"math"
	"time"
	"unsafe"
)

// A Token is one new token, as it comes.
type Token struct {
	Row  int // which answer: the row of the batch, where each has one
	ID   int64
	Text string // what it adds to the answer: whole characters, "" while one is incomplete
}

// A FinishReason says why an answer ended.
type FinishReason int

const (
	FinishEOS        FinishReason = C.PALI_FINISH_EOS
	FinishLength     FinishReason = C.PALI_FINISH_LENGTH
	FinishCancelled  FinishReason = C.PALI_FINISH_CANCELLED
	FinishStopString FinishReason = C.PALI_FINISH_STOP_STRING
	FinishConstraint FinishReason = C.PALI_FINISH_CONSTRAINT // complete, and nothing but its end may follow
)

// String returns the reason as the command's JSON has it.
func (r FinishReason) String() string {
	switch r {
	case FinishEOS:
		return "eos"
	case FinishLength:
		return "length"
	case FinishCancelled:
		return "cancelled"
	case FinishStopString:
		return "stop_string"
	case FinishConstraint:
		return "constraint"
	}
	return "unknown"
}

// A TokenLogprob is a token and its log-probability.
type TokenLogprob struct {
	ID      int64
	Logprob float64
}

// An Answer is one of a generation's.
type Answer struct {
	Text         string // special tokens left out; "" where the inputs did not come from a processor
	TokenIDs     []int64
	FinishReason FinishReason
	Score        float64          // what beams are ranked by, else the mean of Logprobs; NaN without either (null in JSON)
	Logprobs     []float64        // of TokenIDs, if Logprobs, TopLogprobs or BestOf asked for it
	TopLogprobs  [][]TokenLogprob // for each of TokenIDs the likeliest alternatives, if TopLogprobs asked for them
}

// MarshalJSON writes a Score that is not a number, which JSON cannot hold, as null.
func (a Answer) MarshalJSON() ([]byte, error) {
	type plain Answer // without this method
	return json.Marshal(struct {
		plain
		Score *float64
	}{plain(a), finite(a.Score)})
}

// MarshalJSON writes a Logprob of minus infinity, that of a forbidden token, as null.
func (t TokenLogprob) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID      int64
		Logprob *float64
	}{t.ID, finite(t.Logprob)})
}

// finite is nil for what JSON has no number for.
func finite(value float64) *float64 {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return nil
	}
	return &value
}

// Timing is by the monotonic clock, for the whole batch.
type Timing struct {
	Image        time.Duration // tower and projector
	Prefill      time.Duration // decoder over the prompts, and the first tokens
	Decode       time.Duration // all tokens after the first
	PromptTokens int           // without padding
	DecodeTokens int           // tokens made in Decode
}

// A Generation is the answers to a batch, in Go's memory.
type Generation struct {
	Answers []Answer // with NumReturnSequences n, those to row r are r·n … r·n + n - 1
	Passes  int      // how often the decoder ran after the prompts
	Timing  Timing
}

// Generate answers every row of inputs. options may be nil.
//
// When ctx ends, it returns an error that is [ErrCancelled] and the context's, and beside it what was generated so far,
// or nil if that is nothing.
func (m *Model) Generate(ctx context.Context, inputs *Inputs, options *GenerateOptions) (*Generation, error) {
	f := new(frame)
	defer f.end()
	c, model := newCall(ctx, f), (*C.pali_model)(f.shared(m))
	in, o := (*C.pali_inputs)(f.needed(inputs, "the inputs")), options.c(f)
	if options != nil {
		c.progress, c.token = options.OnProgress, options.OnToken
		c.endRow, c.mask = options.EndRow, options.TokenMask
	}
	var out *C.pali_generation
	defer func() { C.pali_generation_free(out) }() // also where a callback panics: the library keeps what there is
	err := c.run(func(user unsafe.Pointer) error {
		o.progress, o.progress_user = C.pali_progress_fn(C.pali_go_progress), user
		o.on_token, o.on_token_user = C.pali_token_fn(C.pali_go_token), user
		if c.mask != nil {
			o.token_mask, o.token_mask_user = C.pali_token_mask_fn(C.pali_go_token_mask), user
		}
		var cerr *C.pali_error
		return check(C.pali_generate(&out, model, in, o, &cerr), &cerr)
	})
	if err != nil {
		return nil, err
	}
	generation, err := copyGeneration(out)
	if err != nil {
		return nil, err
	}
	if c.stopped() && generation.cut() {
		return generation, c.because(&Error{Code: ErrCancelled, Message: "the generation was cancelled"})
	}
	return generation, nil
}

// cut says whether an answer was ended by a callback.
func (g *Generation) cut() bool {
	for i := range g.Answers {
		if g.Answers[i].FinishReason == FinishCancelled {
			return true
		}
	}
	return false
}

func copyGeneration(g *C.pali_generation) (*Generation, error) {
	var timing C.pali_timing
	C.pali_timing_init(&timing)
	var cerr *C.pali_error
	if err := check(C.pali_generation_timing(g, &timing, &cerr), &cerr); err != nil {
		return nil, err
	}
	generation := &Generation{
		Answers: make([]Answer, int(C.pali_generation_rows(g))),
		Passes:  int(C.pali_generation_passes(g)),
		Timing: Timing{
			Image:        seconds(timing.image_s),
			Prefill:      seconds(timing.prefill_s),
			Decode:       seconds(timing.decode_s),
			PromptTokens: int(timing.prompt_tokens),
			DecodeTokens: int(timing.decode_tokens),
		},
	}
	for i := range generation.Answers {
		row := C.int64_t(i)
		var n C.size_t
		answer := &generation.Answers[i]
		answer.Text = C.GoString(C.pali_generation_text(g, row))
		ids := C.pali_generation_token_ids(g, row, &n)
		answer.TokenIDs = goInt64s(ids, n)
		answer.FinishReason = FinishReason(C.pali_generation_finish_reason(g, row))
		answer.Score = float64(C.pali_generation_score(g, row))
		if logprobs := C.pali_generation_logprobs(g, row, &n); logprobs != nil {
			answer.Logprobs = make([]float64, int(n))
			for j, value := range unsafe.Slice(logprobs, int(n)) {
				answer.Logprobs[j] = float64(value)
			}
		}
		answer.TopLogprobs = copyTopLogprobs(g, row, len(answer.TokenIDs))
	}
	return generation, nil
}

// copyTopLogprobs returns nil where none were asked for.
func copyTopLogprobs(g *C.pali_generation, row C.int64_t, tokens int) [][]TokenLogprob {
	var all [][]TokenLogprob
	for token := 0; token < tokens; token++ {
		var n C.size_t
		top := C.pali_generation_top_logprobs(g, row, C.size_t(token), &n)
		if top == nil {
			return all
		}
		list := make([]TokenLogprob, int(n))
		for i, entry := range unsafe.Slice(top, int(n)) {
			list[i] = TokenLogprob{int64(entry.id), float64(entry.logprob)}
		}
		all = append(all, list)
	}
	return all
}

func seconds(s C.double) time.Duration { return time.Duration(float64(s) * float64(time.Second)) }
