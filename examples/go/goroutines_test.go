// SPDX-License-Identifier: BSD-2-Clause

package paligemma_test

import (
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"libpaligemma/paligemma"
	"libpaligemma/paligemma/internal/counting"
)

// Many goroutines on one model: each has its own generation, and they do not disturb one another.
func TestGoroutines(t *testing.T) {
	model, processor := loadModel(t), loadProcessor(t)
	prompts := []string{"caption en", "detect red triangle", "answer en how many shapes are there?", "detect blue square"}
	want := make([][]int64, len(prompts))
	inputs := make([]*paligemma.Inputs, len(prompts))
	for i, prompt := range prompts {
		inputs[i] = apply(t, processor, prompt)
		want[i] = must(model.Generate(background, inputs[i], nil))(t).Answers[0].TokenIDs
	}
	var wait sync.WaitGroup
	for g := 0; g < 16; g++ {
		g := g
		wait.Add(1)
		go func() {
			defer wait.Done()
			for n := 0; n < 4; n++ {
				i := (g + n) % len(prompts)
				var streamed []int64
				options := &paligemma.GenerateOptions{OnToken: func(token paligemma.Token) bool {
					streamed = append(streamed, token.ID)
					return true
				}}
				generation, err := model.Generate(background, inputs[i], options)
				if err != nil {
					t.Error(err)
				} else if got := generation.Answers[0].TokenIDs; !reflect.DeepEqual(got, want[i]) ||
					!reflect.DeepEqual(streamed, want[i]) {
					t.Errorf("%q: %v, streamed %v, alone %v", prompts[i], got, streamed, want[i])
				}
			}
		}()
	}
	wait.Wait()
}

// number reads a number of /proc/self/status.
func number(t *testing.T, name string) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	for _, line := range strings.Split(string(data), "\n") {
		if strings.HasPrefix(line, name+":") {
			var n int
			fmt.Sscan(strings.TrimPrefix(line, name+":"), &n)
			return n
		}
	}
	t.Fatalf("/proc/self/status has no %s", name)
	return 0
}

// One generation after the other, each from another goroutine, starts no threads: OpenMP's teams do not add up.
func TestThreadsDoNotAddUp(t *testing.T) {
	processor := loadProcessor(t)
	model := closing(t, must(paligemma.LoadModel(background, tiny, &paligemma.ModelOptions{Threads: 2}))(t))
	inputs := apply(t, processor, "caption en")
	options := &paligemma.GenerateOptions{MaxNewTokens: 1}
	generate := func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if _, err := model.Generate(background, inputs, options); err != nil {
				t.Error(err)
			}
		}()
		<-done
	}
	for i := 0; i < 20; i++ {
		generate()
	}
	before := number(t, "Threads")
	for i := 0; i < 100; i++ {
		generate()
	}
	after := number(t, "Threads")
	t.Logf("%d threads after 20 generations, %d after 120", before, after)
	if after > before+3 { // the Go runtime may start some of its own
		t.Errorf("%d threads after 20 generations, %d after 120", before, after)
	}
}

// raceDetector says whether the test was built with -race.
var raceDetector bool

// A thousand generations leave nothing behind: not a block of the library's, and no memory of the process.
func TestMemoryIsConstant(t *testing.T) {
	model, processor, inputs := ready(t, "caption en")
	pixels := must(inputs.Tensor("pixel_values"))(t)
	features := closing(t, must(model.ImageFeatures(background, pixels, nil))(t))
	picture := openImage(t, shapes)
	options := &paligemma.GenerateOptions{
		Features:     features,
		MaxNewTokens: 3,
		TopLogprobs:  2,
		BadWords:     [][]int64{{100, 101}},
		StopStrings:  []string{"zebra"},
	}
	watched := *options
	watched.OnToken = func(paligemma.Token) bool { return true }
	watched.OnProgress = func(string, float64) {}
	generate := func(n int) {
		for i := 0; i < n; i++ {
			if _, err := model.Generate(background, inputs, options); err != nil {
				t.Fatal(err)
			}
			if i%10 != 0 {
				continue
			}
			again := must(processor.Apply([]*paligemma.Image{picture}, "caption en", nil))(t)
			must(model.Generate(background, again, &watched))(t)
			stream := model.Stream(background, again, &paligemma.GenerateOptions{Features: features})
			stream.Next()
			stream.Close()
			again.Close()
			if _, err := processor.Decode([]int64{-1}, false); err == nil {
				t.Fatal("no error")
			}
		}
	}
	resident := func() int {
		debug.FreeOSMemory() // what Go keeps for later is not what is asked about
		return number(t, "VmRSS")
	}
	generate(200)
	blocks, memory := counting.Live(), resident()
	generate(1000)
	moreBlocks, moreMemory := counting.Live()-blocks, resident()-memory
	t.Logf("after 1000 generations: %+d blocks, %+d kB of %d kB", moreBlocks, moreMemory, memory)
	if moreBlocks != 0 {
		t.Errorf("%d blocks are left", moreBlocks)
	}
	// The race detector's own memory grows with every address that was ever used; a sanitizer keeps freed memory back.
	limit := 3 << 10
	if os.Getenv("PALI_SANITIZE") != "" {
		limit = 64 << 10
	}
	if moreMemory > limit && !raceDetector {
		t.Errorf("the process grew by %d kB", moreMemory)
	}
}
