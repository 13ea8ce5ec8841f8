// SPDX-License-Identifier: BSD-2-Clause

package paligemma_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"libpaligemma/paligemma"
)

var negativeInfinity = math.Inf(-1)

// endless are options of a generation that goes on for much longer than any test.
func endless() *paligemma.GenerateOptions {
	return &paligemma.GenerateOptions{MaxNewTokens: 200000, EOSTokenIDs: []int64{}}
}

func wantsCancelled(t *testing.T, err, cause error) {
	t.Helper()
	if !errors.Is(err, paligemma.ErrCancelled) || !errors.Is(err, cause) {
		t.Errorf("%v, not cancelled by %v", err, cause)
	}
}

func TestContextThatHasEnded(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	ctx, cancel := context.WithCancel(background)
	cancel()
	_, err := paligemma.LoadModel(ctx, tiny, nil)
	wantsCancelled(t, err, context.Canceled)
	_, err = model.Generate(ctx, inputs, nil)
	wantsCancelled(t, err, context.Canceled)
	_, err = model.Forward(ctx, inputs, nil)
	wantsCancelled(t, err, context.Canceled)
	_, err = model.Embed(ctx, inputs, nil)
	wantsCancelled(t, err, context.Canceled)
	_, err = model.Score(ctx, inputs, []string{"a"}, nil)
	wantsCancelled(t, err, context.Canceled)
	err = paligemma.SaveCheckpoint(ctx, tiny, t.TempDir(), nil)
	wantsCancelled(t, err, context.Canceled)
}

func TestCancelWhileLoading(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	calls := 0
	_, err := paligemma.LoadModel(ctx, tiny, &paligemma.ModelOptions{
		DType: paligemma.Float32,
		OnProgress: func(stage string, fraction float64) {
			if stage != "load" || fraction < 0 || fraction > 1 {
				t.Errorf("progress %q %v", stage, fraction)
			}
			calls++
			cancel()
		},
	})
	wantsCancelled(t, err, context.Canceled)
	if calls != 1 {
		t.Errorf("%d calls of OnProgress", calls)
	}
}

// A cancelled generation ends at the next token, and what was made of the answer is there.
func TestCancelWhileGenerating(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	options, tokens := endless(), 0
	options.OnToken = func(paligemma.Token) bool {
		if tokens++; tokens == 5 {
			cancel()
		}
		return true
	}
	generation, err := model.Generate(ctx, inputs, options)
	wantsCancelled(t, err, context.Canceled)
	if tokens != 5 {
		t.Errorf("%d tokens", tokens)
	}
	if generation == nil || len(generation.Answers[0].TokenIDs) != 5 ||
		generation.Answers[0].FinishReason != paligemma.FinishCancelled {
		t.Errorf("%+v is not what was generated", generation)
	}
}

func TestCancelFromAnotherGoroutine(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	ctx, cancel := context.WithCancel(background)
	var cancelled time.Time
	timer := time.AfterFunc(100*time.Millisecond, func() {
		cancelled = time.Now()
		cancel()
	})
	defer timer.Stop()
	_, err := model.Generate(ctx, inputs, endless())
	wantsCancelled(t, err, context.Canceled)
	if late := time.Since(cancelled); late > 3*time.Second {
		t.Errorf("it ended %v after the context", late)
	} else {
		t.Logf("it ended %v after the context", late)
	}
}

func TestDeadline(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	_, err := model.Generate(ctx, inputs, endless())
	wantsCancelled(t, err, context.DeadlineExceeded)
}

// What a callback says is no error.
func TestStopByCallback(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	options, tokens := endless(), 0
	options.OnToken = func(paligemma.Token) bool {
		tokens++
		return tokens < 3
	}
	answer := must(model.Generate(background, inputs, options))(t).Answers[0]
	if len(answer.TokenIDs) != 3 || answer.FinishReason != paligemma.FinishCancelled {
		t.Errorf("%+v", answer)
	}
}

// Forward, features, embeddings and scores stop between layers.
func TestCancelOtherCalls(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	pixels := must(inputs.Tensor("pixel_values"))(t)
	for name, f := range map[string]func(context.Context, func(string, float64)) error{
		"forward": func(ctx context.Context, on func(string, float64)) error {
			_, err := model.Forward(ctx, inputs, &paligemma.ForwardOptions{OnProgress: on})
			return err
		},
		"features": func(ctx context.Context, on func(string, float64)) error {
			_, err := model.ImageFeatures(ctx, pixels, &paligemma.ImageFeaturesOptions{OnProgress: on})
			return err
		},
		"embed": func(ctx context.Context, on func(string, float64)) error {
			_, err := model.Embed(ctx, inputs, &paligemma.EmbedOptions{OnProgress: on})
			return err
		},
		"score": func(ctx context.Context, on func(string, float64)) error {
			_, err := model.Score(ctx, inputs, []string{"a red circle"}, &paligemma.ScoreOptions{OnProgress: on})
			return err
		},
		"generate": func(ctx context.Context, on func(string, float64)) error {
			_, err := model.Generate(ctx, inputs, &paligemma.GenerateOptions{OnProgress: on})
			return err
		},
	} {
		ctx, cancel := context.WithCancel(background)
		calls := 0
		err := f(ctx, func(string, float64) {
			calls++
			cancel()
		})
		cancel()
		if !errors.Is(err, paligemma.ErrCancelled) || !errors.Is(err, context.Canceled) || calls != 1 {
			t.Errorf("%s: %v after %d calls of OnProgress", name, err, calls)
		}
	}
}
