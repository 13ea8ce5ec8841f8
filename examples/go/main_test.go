// SPDX-License-Identifier: BSD-2-Clause

package paligemma_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"libpaligemma/paligemma"
	"libpaligemma/paligemma/internal/counting"
)

const (
	tiny     = "../tiny/model"
	shapes   = "../pictures/shapes.png"
	testData = "../../tests/data"
)

var background = context.Background()

func TestMain(m *testing.M) {
	counting.Install()
	os.Exit(m.Run())
}

// must is for calls that have to succeed.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// closing closes at the end of the test.
func closing[T interface{ Close() error }](t testing.TB, object T) T {
	t.Cleanup(func() { object.Close() })
	return object
}

func loadModel(t testing.TB) *paligemma.Model {
	t.Helper()
	return closing(t, must(paligemma.LoadModel(background, tiny, nil))(t))
}

func loadProcessor(t testing.TB) *paligemma.Processor {
	t.Helper()
	return closing(t, must(paligemma.LoadProcessor(tiny, nil))(t))
}

func openImage(t testing.TB, path string) *paligemma.Image {
	t.Helper()
	return closing(t, must(paligemma.OpenImage(path, nil))(t))
}

// ready is a model, a processor, and inputs of the picture of shapes.
func ready(t testing.TB, prompt string) (*paligemma.Model, *paligemma.Processor, *paligemma.Inputs) {
	t.Helper()
	processor := loadProcessor(t)
	return loadModel(t), processor, apply(t, processor, prompt)
}

func apply(t testing.TB, processor *paligemma.Processor, prompt string) *paligemma.Inputs {
	t.Helper()
	pictures := []*paligemma.Image{openImage(t, shapes)}
	return closing(t, must(processor.Apply(pictures, prompt, nil))(t))
}

// collected runs the garbage collector until what it frees is down to the wanted number of blocks.
func collected(t testing.TB, want int64) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); counting.Live() > want; {
		if time.Now().After(end) {
			t.Fatalf("%d blocks are alive, not %d", counting.Live(), want)
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
}

func dataPath(name string) string { return filepath.Join(testData, name) }
