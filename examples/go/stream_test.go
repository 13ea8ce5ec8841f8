// SPDX-License-Identifier: BSD-2-Clause

package paligemma_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"libpaligemma/paligemma"
)

func TestStream(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	want := must(model.Generate(background, inputs, nil))(t).Answers[0]
	stream := model.Stream(background, inputs, nil)
	defer stream.Close()
	text, ids := "", []int64(nil)
	for stream.Next() {
		text += stream.Token().Text
		ids = append(ids, stream.Token().ID)
	}
	generation := must(stream.Result())(t)
	if text != want.Text || !reflect.DeepEqual(ids, want.TokenIDs) || generation.Answers[0].Text != want.Text {
		t.Errorf("%q %v, generated %q %v", text, ids, want.Text, want.TokenIDs)
	}
	if stream.Next() {
		t.Error("a token after the end")
	}
	if stream.Close() != nil || stream.Close() != nil {
		t.Error("Close failed")
	}
}

func TestStreamIsLeft(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	stream := model.Stream(background, inputs, endless())
	for i := 0; i < 3; i++ {
		if !stream.Next() {
			t.Fatal("no token")
		}
	}
	stream.Close()
	if stream.Next() {
		t.Error("a token after Close")
	}
	generation, err := stream.Result()
	if err != nil && !errors.Is(err, paligemma.ErrCancelled) {
		t.Error(err)
	}
	if generation != nil && len(generation.Answers[0].TokenIDs) > 5 {
		t.Errorf("the model ran %d tokens ahead", len(generation.Answers[0].TokenIDs)-3)
	}
}

func TestStreamIsCancelled(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	stream := model.Stream(ctx, inputs, endless())
	defer stream.Close()
	for i := 0; stream.Next(); i++ {
		if i == 3 {
			cancel()
		}
	}
	_, err := stream.Result()
	wantsCancelled(t, err, context.Canceled)
}

func TestStreamFails(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	stream := model.Stream(background, inputs, &paligemma.GenerateOptions{TopK: 3})
	defer stream.Close()
	if stream.Next() {
		t.Error("a token")
	}
	_, err := stream.Result()
	wants(t, err, paligemma.ErrArgument, "top_k")
}

// The result alone: tokens that nobody pulled are passed over.
func TestStreamResult(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	stream := model.Stream(background, inputs, nil)
	if text := must(stream.Result())(t).Answers[0].Text; text != "a blue square, a yellow circle and a red triangle" {
		t.Errorf("%q", text)
	}
}
