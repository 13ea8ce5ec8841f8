// SPDX-License-Identifier: BSD-2-Clause

package paligemma_test

import (
	"errors"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"libpaligemma/paligemma"
)

// wants checks that err has the code, and a message with the text in it.
func wants(t *testing.T, err error, code paligemma.Code, text string) {
	t.Helper()
	var e *paligemma.Error
	if !errors.As(err, &e) || !errors.Is(err, code) || e.Code != code {
		t.Errorf("%v, not a %v", err, code)
		return
	}
	if !strings.Contains(e.Message, text) || e.Message == "" {
		t.Errorf("%q does not say %q", e.Message, text)
	}
	for _, other := range []paligemma.Code{paligemma.ErrArgument, paligemma.ErrIO, paligemma.ErrFormat} {
		if other != code && errors.Is(err, other) {
			t.Errorf("%v is a %v too", err, other)
		}
	}
}

func TestErrors(t *testing.T) {
	folder := t.TempDir()
	_, err := paligemma.LoadModel(background, filepath.Join(folder, "nowhere"), nil)
	wants(t, err, paligemma.ErrIO, "nowhere")
	_, err = paligemma.LoadProcessor(folder, nil)
	wants(t, err, paligemma.ErrIO, folder)
	_, err = paligemma.LoadConfig(folder)
	wants(t, err, paligemma.ErrIO, "config.json")
	_, err = paligemma.OpenImage("nowhere.png", nil)
	wants(t, err, paligemma.ErrIO, "nowhere.png")
	_, err = paligemma.OpenImage("a\x00b", nil)
	wants(t, err, paligemma.ErrArgument, "NUL")
	_, err = paligemma.DecodeImage([]byte("GIF89a and so on"), nil)
	wants(t, err, paligemma.ErrUnsupported, "")
	_, err = paligemma.DecodeImage(nil, nil)
	if err == nil {
		t.Error("no bytes are a picture")
	}
	data := must(os.ReadFile(shapes))(t)
	_, err = paligemma.DecodeImage(data[:len(data)/2], nil)
	wants(t, err, paligemma.ErrFormat, "")
	_, err = paligemma.DecodeImage(data, &paligemma.ImageOptions{MaxPixels: 10})
	wants(t, err, paligemma.ErrLimit, "")
	_, err = paligemma.NewImageRGB(make([]byte, 10), 2, 2)
	wants(t, err, paligemma.ErrArgument, "")
	_, err = paligemma.NewImage((*image.RGBA)(nil))
	wants(t, err, paligemma.ErrArgument, "nil")
	_, err = paligemma.NewImage(nil)
	wants(t, err, paligemma.ErrArgument, "nil")

	model, processor, inputs := ready(t, "caption en")
	_, err = processor.Apply(nil, "caption en", nil)
	if err == nil {
		t.Error("a prompt without a picture")
	}
	_, err = processor.Apply([]*paligemma.Image{nil}, "caption en", nil)
	wants(t, err, paligemma.ErrArgument, "picture")
	_, err = processor.Decode([]int64{1 << 40}, false)
	wants(t, err, paligemma.ErrArgument, "")
	_, err = processor.Encode("\xff\xfe")
	wants(t, err, paligemma.ErrArgument, "")
	_, err = model.Generate(background, inputs, &paligemma.GenerateOptions{TopK: 5})
	wants(t, err, paligemma.ErrArgument, "top_k")
	_, err = model.Generate(background, nil, nil)
	wants(t, err, paligemma.ErrArgument, "inputs")
	_, err = model.Config().Int("no.such.field")
	wants(t, err, paligemma.ErrArgument, "no.such.field")
	_, err = inputs.Tensor("nothing")
	wants(t, err, paligemma.ErrArgument, "nothing")
	_, err = paligemma.Values[int32](must(inputs.Tensor("input_ids"))(t))
	wants(t, err, paligemma.ErrArgument, "int64")
	_, err = paligemma.HubPath("no such id", "")
	wants(t, err, paligemma.ErrArgument, "")

	cache := closing(t, must(model.NewCache(&paligemma.CacheOptions{Capacity: 10, Fixed: true}))(t))
	_, err = model.Generate(background, inputs, &paligemma.GenerateOptions{Cache: cache})
	wants(t, err, paligemma.ErrLimit, "")

	if paligemma.ErrFormat.Error() == "" || paligemma.ErrIO.Error() == paligemma.ErrFormat.Error() {
		t.Error("codes have no names")
	}
}

func TestTensorsOfWrongSizesPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"count":    func() { paligemma.NewTensor([]int64{1, 2, 3}, 2, 2) },
		"negative": func() { paligemma.NewTensor([]int64{1}, -1, -1) },
		"uint16":   func() { paligemma.NewTensor([]uint16{1}, 1) },
		"int64":    func() { paligemma.NewTensor16(paligemma.Int64, []uint16{1}, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
