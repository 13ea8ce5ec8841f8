// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"context"
	"unsafe"
)

// ScoreOptions say how answers are scored.
type ScoreOptions struct {
	WithoutEOS   bool           // score texts as they are, not with <eos> behind them
	Features     *ImageFeatures // instead of pixel_values
	Adapter      *Adapter
	Threads      int                                  // for this call; 0: the model's number
	AdapterScale *float64                             // times the adapter's own scale; nil: 1
	OnProgress   func(stage string, fraction float64) // "image", "prefill" and "score"
}

// A Score is how likely an answer is; natural logarithms of probabilities.
type Score struct {
	Total         float64 // of the answer as a whole
	Mean          float64 // Total divided by the number of tokens, which does not favour short answers
	TokenIDs      []int64 // <eos> included where it was scored
	TokenLogprobs []float32
}

// Scores are those of some answers, in the order they were given.
type Scores struct {
	Items   []Score
	ByTotal []int // the answers' indices, likeliest first
	ByMean  []int // the same by the mean
}

// Score tells how likely texts are as answers to inputs of one row from a processor. options may be nil.
func (m *Model) Score(ctx context.Context, inputs *Inputs, answers []string, options *ScoreOptions) (*Scores, error) {
	f := new(frame)
	defer f.end()
	texts, n := f.texts(answers), C.size_t(len(answers))
	return m.score(ctx, f, inputs, options, func(out **C.pali_scores, model *C.pali_model, in *C.pali_inputs,
		o *C.pali_score_options) error {
		var cerr *C.pali_error
		return check(C.pali_score(out, model, in, texts, n, o, &cerr), &cerr)
	})
}

// ScoreTokens does the same for token ids, which are scored as they are.
func (m *Model) ScoreTokens(ctx context.Context, inputs *Inputs, answers [][]int64, options *ScoreOptions) (*Scores, error) {
	f := new(frame)
	defer f.end()
	lists, n := f.tokenLists(answers), C.size_t(len(answers))
	return m.score(ctx, f, inputs, options, func(out **C.pali_scores, model *C.pali_model, in *C.pali_inputs,
		o *C.pali_score_options) error {
		var cerr *C.pali_error
		return check(C.pali_score_tokens(out, model, in, lists, n, o, &cerr), &cerr)
	})
}

func (m *Model) score(ctx context.Context, f *frame, inputs *Inputs, options *ScoreOptions,
	body func(**C.pali_scores, *C.pali_model, *C.pali_inputs, *C.pali_score_options) error) (*Scores, error) {
	c, model := newCall(ctx, f), (*C.pali_model)(f.shared(m))
	in := (*C.pali_inputs)(f.needed(inputs, "the inputs"))
	o := new(C.pali_score_options)
	C.pali_score_options_init(o)
	if options != nil {
		c.progress = options.OnProgress
		o.without_eos = flag(options.WithoutEOS)
		o.features = (*C.pali_image_features)(f.shared(options.Features))
		o.adapter = (*C.pali_adapter)(f.shared(options.Adapter))
		setDouble(&o.adapter_scale, options.AdapterScale)
		o.threads = clampInt32(options.Threads)
	}
	var out *C.pali_scores
	defer func() { C.pali_scores_free(out) }() // also where a callback panics
	err := c.run(func(user unsafe.Pointer) error {
		o.progress, o.progress_user = C.pali_progress_fn(C.pali_go_progress), user
		return body(&out, model, in, o)
	})
	if err != nil {
		return nil, err
	}
	return copyScores(out), nil
}

func copyScores(s *C.pali_scores) *Scores {
	count := int(C.pali_scores_count(s))
	scores := &Scores{
		Items:   make([]Score, count),
		ByTotal: copyRanking(C.pali_scores_ranking(s, C.PALI_SCORE_BY_TOTAL), count),
		ByMean:  copyRanking(C.pali_scores_ranking(s, C.PALI_SCORE_BY_MEAN), count),
	}
	for i := range scores.Items {
		index, item := C.size_t(i), &scores.Items[i]
		item.Total = float64(C.pali_scores_total(s, index))
		item.Mean = float64(C.pali_scores_mean(s, index))
		var n C.size_t
		ids := C.pali_scores_token_ids(s, index, &n)
		item.TokenIDs = goInt64s(ids, n)
		logprobs := C.pali_scores_token_logprobs(s, index, &n)
		item.TokenLogprobs = copyValues[float32](unsafe.Pointer(logprobs), int(n))
	}
	return scores
}

func copyRanking(ranking *C.size_t, count int) []int {
	indices := make([]int, count)
	for i, index := range unsafe.Slice(ranking, count) {
		indices[i] = int(index)
	}
	return indices
}
