// SPDX-License-Identifier: BSD-2-Clause

package paligemma_test

import (
	"errors"
	"reflect"
	"runtime"
	"sync"
	"testing"

	"libpaligemma/paligemma"
	"libpaligemma/paligemma/internal/counting"
)

// panics returns what f panicked with.
func panics(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

// A panic of a callback comes out of the call that was given it, when the library has ended.
func TestPanicsInCallbacks(t *testing.T) {
	before := counting.Live()
	t.Cleanup(func() { collected(t, before) }) // the last one of all, after what ready opened is closed
	model, _, inputs := ready(t, "caption en")
	boom := errors.New("boom")
	for name, f := range map[string]func(){
		"OnToken": func() {
			options := endless()
			options.OnToken = func(paligemma.Token) bool { panic(boom) }
			model.Generate(background, inputs, options)
		},
		"OnProgress": func() {
			model.Generate(background, inputs, &paligemma.GenerateOptions{OnProgress: func(string, float64) { panic(boom) }})
		},
		"TokenMask": func() {
			mask := func(int, []int64, []bool) bool { panic(boom) }
			model.Generate(background, inputs, &paligemma.GenerateOptions{TokenMask: mask})
		},
		"load": func() {
			paligemma.LoadModel(background, tiny, &paligemma.ModelOptions{OnProgress: func(string, float64) { panic(boom) }})
		},
		"stream": func() {
			stream := model.Stream(background, inputs, &paligemma.GenerateOptions{
				OnToken: func(paligemma.Token) bool { panic(boom) },
			})
			stream.Result()
		},
	} {
		if got := panics(f); got != boom {
			t.Errorf("%s: panicked with %v", name, got)
		}
	}
	if text := must(model.Generate(background, inputs, nil))(t).Answers[0].Text; text == "" {
		t.Error("no answer after the panics")
	}
}

// runtime.Goexit, as testing's FailNow calls it, is as good.
func TestGoexitInCallback(t *testing.T) {
	before := counting.Live()
	t.Cleanup(func() { collected(t, before) })
	model, _, inputs := ready(t, "caption en")
	var wait sync.WaitGroup
	wait.Add(1)
	returned := false
	go func() {
		defer wait.Done()
		options := endless()
		options.OnToken = func(paligemma.Token) bool {
			runtime.Goexit()
			return true
		}
		model.Generate(background, inputs, options)
		returned = true
	}()
	wait.Wait()
	if returned {
		t.Error("Goexit did not end the goroutine")
	}
	must(model.Generate(background, inputs, nil))(t)
}

// A callback may use the package, the model too.
func TestCallsWithinCallbacks(t *testing.T) {
	model, processor, inputs := ready(t, "caption en")
	question := apply(t, processor, "answer en how many shapes are there?")
	var inner []string
	options := &paligemma.GenerateOptions{OnToken: func(token paligemma.Token) bool {
		generation, err := model.Generate(background, question, nil)
		if err != nil {
			t.Error(err)
			return false
		}
		inner = append(inner, generation.Answers[0].Text)
		return len(inner) < 3
	}}
	must(model.Generate(background, inputs, options))(t)
	if !reflect.DeepEqual(inner, []string{"3", "3", "3"}) {
		t.Errorf("%q", inner)
	}
}

// One answer of a batch ends, the other goes on.
func TestEndRow(t *testing.T) {
	model, processor := loadModel(t), loadProcessor(t)
	picture := openImage(t, shapes)
	inputs := closing(t, must(processor.ApplyBatch([]*paligemma.Image{picture, picture}, []string{"caption en", "caption en"},
		nil))(t))
	seen := []int{0, 0}
	answers := must(model.Generate(background, inputs, &paligemma.GenerateOptions{EndRow: func(token paligemma.Token) bool {
		seen[token.Row]++
		return token.Row == 0 && seen[0] == 3
	}}))(t).Answers
	if seen[0] != 3 || answers[0].Text != "a blue square" || answers[0].FinishReason != paligemma.FinishCancelled ||
		answers[1].Text != "a blue square, a yellow circle and a red triangle" ||
		answers[1].FinishReason != paligemma.FinishEOS {
		t.Errorf("%v: %+v", seen, answers)
	}
}

// The token mask sees the answer so far, and decides.
func TestTokenMask(t *testing.T) {
	model, processor, inputs := ready(t, "caption en")
	want := must(processor.Encode("a red circle"))(t)
	var kept []bool
	options := &paligemma.GenerateOptions{
		TokenMask: func(row int, ids []int64, allowed []bool) bool {
			if row != 0 || !reflect.DeepEqual(append([]int64{}, ids...), append([]int64{}, want[:len(ids)]...)) {
				t.Errorf("row %d, ids %v", row, ids)
			}
			allowed[want[len(ids)]] = true
			kept = allowed
			return true
		},
		MaxNewTokens: len(want),
	}
	answer := must(model.Generate(background, inputs, options))(t).Answers[0]
	if !reflect.DeepEqual(answer.TokenIDs, want) || answer.Text != "a red circle" {
		t.Errorf("%q %v", answer.Text, answer.TokenIDs)
	}
	kept[0] = true // a slice that is kept is only a slice
	options.TokenMask = func(int, []int64, []bool) bool { return false }
	answer = must(model.Generate(background, inputs, options))(t).Answers[0]
	if len(answer.TokenIDs) != 0 || answer.FinishReason != paligemma.FinishCancelled {
		t.Errorf("%+v", answer)
	}
}
