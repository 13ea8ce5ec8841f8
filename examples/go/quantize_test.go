// SPDX-License-Identifier: BSD-2-Clause

package paligemma_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"libpaligemma/paligemma"
)

func text(t *testing.T, model *paligemma.Model, inputs *paligemma.Inputs) string {
	t.Helper()
	return must(model.Generate(background, inputs, nil))(t).Answers[0].Text
}

func TestQuantize(t *testing.T) {
	model, processor, inputs := ready(t, "answer en how many shapes are there?")
	out := filepath.Join(t.TempDir(), "int8")
	last := 0.0
	err := paligemma.Quantize(background, tiny, out, &paligemma.QuantizeOptions{
		OnProgress: func(stage string, fraction float64) {
			if stage != "quantize" || fraction < last || fraction > 1 {
				t.Errorf("progress %q %v after %v", stage, fraction, last)
			}
			last = fraction
		},
	})
	if err != nil || last != 1 {
		t.Fatal(err, last)
	}
	quantized := closing(t, must(paligemma.LoadModel(background, out, nil))(t))
	if got, want := text(t, quantized, inputs), text(t, model, inputs); got != want {
		t.Errorf("%q in int8, %q before", got, want)
	}
	wants(t, paligemma.Quantize(background, tiny, out, nil), paligemma.ErrArgument, "")
	wants(t, paligemma.Quantize(background, out, out+"-twice", nil), paligemma.ErrUnsupported, "")

	// All options; calibrated.
	stages, out := "", filepath.Join(t.TempDir(), "int4")
	err = paligemma.Quantize(background, tiny, out, &paligemma.QuantizeOptions{
		Scheme:      paligemma.Int4WeightOnly,
		GroupSize:   32,
		ZeroPoints:  true,
		Parts:       paligemma.QuantizeDecoder | paligemma.QuantizeVision,
		Calibration: []*paligemma.Inputs{inputs, apply(t, processor, "caption en")},
		Threads:     1,
		OnProgress: func(stage string, _ float64) {
			if !strings.HasSuffix(stages, stage) {
				stages += stage
			}
		},
	})
	if err != nil || stages != "calibratequantize" {
		t.Fatal(err, stages)
	}
	zeroPoints, scalesOfTower := 0, 0
	for _, tensor := range must(closing(t, must(paligemma.OpenCheckpoint(out))(t)).Tensors())(t) {
		if strings.HasSuffix(tensor.Name, ".weight_zero_point") {
			zeroPoints++
		}
		if strings.Contains(tensor.Name, "vision") && strings.HasSuffix(tensor.Name, ".weight_scale") {
			scalesOfTower++
		}
	}
	if zeroPoints == 0 || scalesOfTower == 0 {
		t.Errorf("%d zero points, %d scales in the tower", zeroPoints, scalesOfTower)
	}
	if answer := text(t, closing(t, must(paligemma.LoadModel(background, out, nil))(t)), inputs); answer == "" {
		t.Error("no answer in int4")
	}
	wants(t, paligemma.Quantize(background, tiny, out+"-x", &paligemma.QuantizeOptions{
		Scheme: paligemma.Int4WeightOnly, GroupSize: 7,
	}), paligemma.ErrArgument, "")
	wants(t, paligemma.Quantize(background, tiny, out+"-x", &paligemma.QuantizeOptions{
		Calibration: []*paligemma.Inputs{nil},
	}), paligemma.ErrArgument, "nil")
	if name := paligemma.Int8Dynamic.String(); name != "int8_dynamic_activation_int8_weight" {
		t.Error(name)
	}
}

// A cancelled run leaves nothing behind.
func TestCancelWhileQuantizing(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	folder := t.TempDir()
	err := paligemma.Quantize(ctx, tiny, filepath.Join(folder, "out"), &paligemma.QuantizeOptions{
		OnProgress: func(string, float64) { cancel() },
	})
	wantsCancelled(t, err, context.Canceled)
	if left := must(os.ReadDir(folder))(t); len(left) != 0 {
		t.Error(left)
	}
}

// The head in int8 computes something else, but little else; without it nothing changes.
func TestInt8Head(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	logits := func(m *paligemma.Model) []float32 {
		outputs := closing(t, must(m.Forward(background, inputs, nil))(t))
		return must(paligemma.Values[float32](must(outputs.Tensor("logits"))(t)))(t)
	}
	load := func(head bool) *paligemma.Model {
		options := &paligemma.ModelOptions{Int8Head: paligemma.Ptr(head), IgnoreMemory: true}
		return closing(t, must(paligemma.LoadModel(background, tiny, options))(t))
	}
	want := logits(model)
	if off := distance(want, logits(load(true))); off == 0 || off > 1 {
		t.Errorf("the head in int8 departs by %v", off)
	}
	if off := distance(want, logits(load(false))); off != 0 {
		t.Errorf("the head as it is departs by %v", off)
	}
}

func TestInt8Cache(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	whole := must(model.Generate(background, inputs, nil))(t).Answers[0]
	sizes := map[paligemma.DType]int64{}
	for _, dtype := range []paligemma.DType{paligemma.Float32, paligemma.Int8} {
		cache := closing(t, must(model.NewCache(&paligemma.CacheOptions{DType: dtype}))(t))
		got := must(model.Generate(background, inputs, &paligemma.GenerateOptions{Cache: cache}))(t).Answers[0]
		if got.Text != whole.Text {
			t.Errorf("%q with a cache of %v, %q without", got.Text, dtype, whole.Text)
		}
		sizes[dtype] = int64(must(cache.SizeBytes())(t))
	}
	if 5*sizes[paligemma.Int8] > 2*sizes[paligemma.Float32] {
		t.Error(sizes)
	}
}

func TestForecastMemory(t *testing.T) {
	short := must(paligemma.ForecastMemory(tiny, 10, nil))(t)
	long := must(paligemma.ForecastMemory(tiny, 1010, nil))(t)
	if long.Cache-short.Cache != 1000*short.CachePerToken || short.CachePerToken <= 0 {
		t.Errorf("%+v, %+v", short, long)
	}
	working := short.Vision
	if short.Activations > working {
		working = short.Activations
	}
	if short.Total != short.WeightsMapped+short.WeightsCopied+short.Cache+working {
		t.Errorf("%+v", short)
	}
	copied := must(paligemma.ForecastMemory(tiny, 10, &paligemma.ModelOptions{CopyWeights: true}))(t)
	head := must(paligemma.ForecastMemory(tiny, 10, &paligemma.ModelOptions{Int8Head: paligemma.Ptr(true)}))(t)
	if copied.WeightsCopied <= short.WeightsCopied || head.WeightsCopied <= short.WeightsCopied {
		t.Errorf("%+v, %+v", copied, head)
	}
	if short.Available < -1 || short.Available == 0 {
		t.Error(short.Available)
	}
	_, err := paligemma.ForecastMemory("/nowhere", 1, nil)
	wants(t, err, paligemma.ErrIO, "/nowhere")
	_, err = paligemma.ForecastMemory(tiny, -1, nil)
	wants(t, err, paligemma.ErrArgument, "")
}
