// SPDX-License-Identifier: BSD-2-Clause

package paligemma_test

import (
	"errors"
	"runtime"
	"sync"
	"testing"

	"libpaligemma/paligemma"
	"libpaligemma/paligemma/internal/counting"
)

func TestCloseTwiceAndUseAfterwards(t *testing.T) {
	before := counting.Live()
	model := must(paligemma.LoadModel(background, tiny, nil))(t)
	processor := must(paligemma.LoadProcessor(tiny, nil))(t)
	picture := must(paligemma.OpenImage(shapes, nil))(t)
	inputs := must(processor.Apply([]*paligemma.Image{picture}, "caption en", nil))(t)
	cache := must(model.NewCache(nil))(t)
	config := model.Config()
	for i := 0; i < 2; i++ {
		for _, object := range []interface{ Close() error }{model, processor, picture, cache, config} {
			if err := object.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	_, err := model.Generate(background, inputs, nil)
	wants(t, err, paligemma.ErrArgument, "closed")
	for name, err := range map[string]error{
		"model":     err,
		"processor": second(processor.Apply([]*paligemma.Image{picture}, "caption en", nil)),
		"picture":   second(picture.RGBA()),
		"cache":     cache.Reset(),
		"config":    second(config.Names()),
		"features":  second(model.ImageFeatures(background, paligemma.NewTensor([]float32{1}, 1), nil)),
	} {
		if !errors.Is(err, paligemma.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := inputs.Names(); err != nil { // what was made of them is there still
		t.Error(err)
	}
	inputs.Close()
	if live := counting.Live(); live != before {
		t.Errorf("%d blocks after Close, %d before", live, before)
	}
}

// Close of what was never made is an error, not a panic, so that it can be deferred before the error is looked at.
func TestCloseOfNothing(t *testing.T) {
	nothing[paligemma.Adapter](t)
	nothing[paligemma.Cache](t)
	nothing[paligemma.Checkpoint](t)
	nothing[paligemma.Config](t)
	nothing[paligemma.Constraint](t)
	nothing[paligemma.Detections](t)
	nothing[paligemma.Image](t)
	nothing[paligemma.ImageFeatures](t)
	nothing[paligemma.Inputs](t)
	nothing[paligemma.Mask](t)
	nothing[paligemma.MaskDecoder](t)
	nothing[paligemma.Model](t)
	nothing[paligemma.Outputs](t)
	nothing[paligemma.Processor](t)
	nothing[paligemma.Stream](t)
}

func nothing[T any, P interface {
	*T
	Close() error
}](t *testing.T) {
	t.Helper()
	wants(t, P(nil).Close(), paligemma.ErrArgument, "nil pointer")
	wants(t, P(new(T)).Close(), paligemma.ErrArgument, "zero value")
}

func second[T any](_ T, err error) error { return err }

// Close in the middle of a generation lets it go on, and the memory goes with its end.
func TestCloseInUse(t *testing.T) {
	before := counting.Live()
	model := must(paligemma.LoadModel(background, tiny, nil))(t)
	processor := must(paligemma.LoadProcessor(tiny, nil))(t)
	picture := must(paligemma.OpenImage(shapes, nil))(t)
	inputs := must(processor.Apply([]*paligemma.Image{picture}, "caption en", nil))(t)
	options := &paligemma.GenerateOptions{OnToken: func(paligemma.Token) bool {
		model.Close()
		inputs.Close()
		processor.Close()
		picture.Close()
		return true
	}}
	answer := must(model.Generate(background, inputs, options))(t).Answers[0]
	if answer.Text != "a blue square, a yellow circle and a red triangle" {
		t.Errorf("%q", answer.Text)
	}
	if live := counting.Live(); live != before {
		t.Errorf("%d blocks after the call, %d before", live, before)
	}
}

// Close races with calls: each call is answered, or says that the object is closed.
func TestCloseConcurrentlyWithUse(t *testing.T) {
	before := counting.Live()
	want := "a blue square, a yellow circle and a red triangle"
	for round := 0; round < 10; round++ {
		model := must(paligemma.LoadModel(background, tiny, nil))(t)
		processor := must(paligemma.LoadProcessor(tiny, nil))(t)
		picture := must(paligemma.OpenImage(shapes, nil))(t)
		inputs := must(processor.Apply([]*paligemma.Image{picture}, "caption en", nil))(t)
		var wait sync.WaitGroup
		start := make(chan struct{})
		for i := 0; i < 6; i++ {
			i := i
			wait.Add(1)
			go func() {
				defer wait.Done()
				<-start
				if i >= 3 {
					runtime.Gosched()
					model.Close()
					inputs.Close()
					return
				}
				generation, err := model.Generate(background, inputs, nil)
				switch {
				case err != nil && !errors.Is(err, paligemma.ErrClosed):
					t.Error(err)
				case err == nil && generation.Answers[0].Text != want:
					t.Errorf("%q", generation.Answers[0].Text)
				}
			}()
		}
		close(start)
		wait.Wait()
		processor.Close()
		picture.Close()
	}
	if live := counting.Live(); live != before {
		t.Errorf("%d blocks after, %d before", live, before)
	}
}

// What is changed by a call belongs to it alone; nobody waits.
func TestObjectsInUse(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	cache := closing(t, must(model.NewCache(nil))(t))
	tried := false
	must(model.Generate(background, inputs, &paligemma.GenerateOptions{Cache: cache, OnToken: func(paligemma.Token) bool {
		for name, err := range map[string]error{
			"Len":      second(cache.Len(0)),
			"Reset":    cache.Reset(),
			"Generate": second(model.Generate(background, inputs, &paligemma.GenerateOptions{Cache: cache})),
			"Set":      inputs.Set("x", paligemma.NewTensor([]int64{1}, 1)),
		} {
			if !errors.Is(err, paligemma.ErrInUse) || !errors.Is(err, paligemma.ErrArgument) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := inputs.Names(); err != nil { // reading is shared
			t.Error(err)
		}
		tried = true
		return true
	}}))(t)
	if length := must(cache.Len(0))(t); !tried || length < 70 {
		t.Errorf("%d tokens in the cache", length)
	}
}

// What is not closed is freed by finalizers, in whatever order.
func TestFinalizers(t *testing.T) {
	before := counting.Live()
	func() {
		for i := 0; i < 5; i++ {
			model := must(paligemma.LoadModel(background, tiny, nil))(t)
			processor := must(paligemma.LoadProcessor(tiny, nil))(t)
			picture := must(paligemma.OpenImage(shapes, nil))(t)
			inputs := must(processor.Apply([]*paligemma.Image{picture}, "detect blue square", nil))(t)
			cache := must(model.NewCache(nil))(t)
			options := &paligemma.GenerateOptions{Cache: cache}
			answer := must(model.Generate(background, inputs, options))(t).Answers[0]
			detections := must(paligemma.ParseDetections(answer.Text, nil))(t)
			if detections.Len() != 1 {
				t.Errorf("%d objects", detections.Len())
			}
		}
	}()
	if counting.Live() <= before {
		t.Fatal("nothing is counted")
	}
	collected(t, before)
}

// A stream that is left without Close ends by its finalizer.
func TestAbandonedStream(t *testing.T) {
	before := counting.Live()
	func() {
		model := must(paligemma.LoadModel(background, tiny, nil))(t)
		processor := must(paligemma.LoadProcessor(tiny, nil))(t)
		picture := must(paligemma.OpenImage(shapes, nil))(t)
		inputs := must(processor.Apply([]*paligemma.Image{picture}, "caption en", nil))(t)
		stream := model.Stream(background, inputs, endless())
		if !stream.Next() {
			t.Error("no token")
		}
	}()
	collected(t, before)
}
