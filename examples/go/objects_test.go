// SPDX-License-Identifier: BSD-2-Clause

package paligemma_test

import (
	"image"
	"image/color"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"libpaligemma/paligemma"
)

// maskWeights writes weights for the mask decoder, which have the right shapes and mean nothing.
func maskWeights(t *testing.T) *paligemma.MaskDecoder {
	t.Helper()
	weights := closing(t, must(paligemma.NewInputs())(t))
	set := func(name string, shape ...int) {
		count := 1
		for _, size := range shape {
			count *= size
		}
		values := make([]float32, count)
		for i := range values {
			values[i] = float32((i*7919+len(name)*31)%257)/257*0.1 - 0.05
		}
		if err := weights.Set(name, paligemma.NewTensor(values, shape...)); err != nil {
			t.Fatal(err)
		}
	}
	layer := func(name string, in, out, side int, up bool) {
		if up {
			set(name+".weight", in, out, side, side)
		} else {
			set(name+".weight", out, in, side, side)
		}
		set(name+".bias", out)
	}
	set("_vq_vae._embedding", 128, 512)
	layer("decoder.0", 512, 128, 1, false)
	layer("encoder.10", 128, 512, 1, false)
	for _, block := range []string{"decoder.2", "decoder.3", "encoder.8", "encoder.9"} {
		layer(block+".net.0", 128, 128, 3, false)
		layer(block+".net.2", 128, 128, 3, false)
		layer(block+".net.4", 128, 128, 1, false)
	}
	for i, n := range []int{128, 64, 32, 16} {
		in := []int{128, 128, 64, 32}[i]
		layer([]string{"decoder.4", "decoder.6", "decoder.8", "decoder.10"}[i], in, n, 4, true)
	}
	layer("decoder.12", 16, 1, 1, false)
	for i, n := range []int{16, 32, 64, 128} {
		in := []int{1, 16, 32, 64}[i]
		layer([]string{"encoder.0", "encoder.2", "encoder.4", "encoder.6"}[i], in, n, 4, false)
	}
	path := filepath.Join(t.TempDir(), "vae.safetensors")
	if err := weights.Save(path); err != nil {
		t.Fatal(err)
	}
	return closing(t, must(paligemma.LoadMaskDecoder(path))(t))
}

func TestMasks(t *testing.T) {
	decoder := maskWeights(t)
	if !must(decoder.HasEncoder())(t) {
		t.Error("no encoder")
	}
	seg := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 127}
	mask := must(decoder.Decode(seg))(t)
	if len(mask) != 64*64 {
		t.Fatalf("%d values", len(mask))
	}
	_, err := decoder.Decode([]int32{1, 2, 3})
	wants(t, err, paligemma.ErrArgument, "16")
	_, err = decoder.Decode(make([]int32, 15))
	wants(t, err, paligemma.ErrArgument, "")
	indices := must(decoder.Encode(make([]float32, 64*64)))(t)
	if len(indices) != 16 {
		t.Errorf("%v", indices)
	}
	_, err = decoder.Encode(nil)
	wants(t, err, paligemma.ErrShape, "64")

	// A mask that is on in its left half, in the lower right quarter of a picture.
	for i := range mask {
		mask[i] = -1
		if i%64 < 32 {
			mask[i] = 1
		}
	}
	object := &paligemma.Detection{XMin: 0.5, YMin: 0.5, XMax: 1, YMax: 1, Label: "cat", Seg: seg}
	pasted := must(paligemma.PasteMask(mask, object, 80, 40, paligemma.SegmentHard))(t)
	for _, p := range []struct {
		x, y int
		want uint8
	}{{45, 30, 255}, {75, 30, 0}, {10, 30, 0}, {45, 10, 0}} {
		if got := pasted.GrayAt(p.x, p.y).Y; got != p.want {
			t.Errorf("(%d, %d): %d", p.x, p.y, got)
		}
	}
	cropped := must(paligemma.CropMask(pasted, object))(t)
	if cropped[10*64+5] != 1 || cropped[10*64+60] != 0 {
		t.Errorf("cropped: %v, %v", cropped[10*64+5], cropped[10*64+60])
	}
	_, err = paligemma.PasteMask(mask, object, 1<<30, 1<<30, paligemma.SegmentHard)
	wants(t, err, paligemma.ErrArgument, "65535")

	counts := must(paligemma.EncodeRLE(pasted))(t)
	text := must(paligemma.FormatRLE(counts))(t)
	if back := must(paligemma.ParseRLE(text))(t); !reflect.DeepEqual(back, counts) {
		t.Errorf("%v came back as %v", counts, back)
	}
	decoded := must(paligemma.DecodeRLE(counts, 80, 40))(t)
	for i := range decoded.Pix {
		if (decoded.Pix[i] != 0) != (pasted.Pix[i] != 0) {
			t.Fatalf("pixel %d: %d was %d", i, decoded.Pix[i], pasted.Pix[i])
		}
	}
	_, err = paligemma.DecodeRLE([]uint32{7}, 80, 40)
	wants(t, err, paligemma.ErrFormat, "")
	// A part of a larger picture, whose rows lie further apart.
	part := pasted.SubImage(image.Rect(40, 20, 80, 40)).(*image.Gray)
	if got := must(paligemma.EncodeRLE(part))(t); !reflect.DeepEqual(got, []uint32{0, 20 * 20, 20 * 20}) {
		t.Errorf("the part's runs are %v", got)
	}
}

func TestDetections(t *testing.T) {
	model, processor, inputs := ready(t, "detect blue square ; red triangle")
	options := &paligemma.GenerateOptions{MaxNewTokens: 40, Logprobs: true}
	answer := must(model.Generate(background, inputs, options))(t).Answers[0]
	found := closing(t, must(paligemma.ParseDetections(answer.Text, nil))(t))
	items := found.Items()
	if len(items) != 2 || items[0].Label != "blue square" || items[1].Label != "red triangle" {
		t.Fatalf("%q: %+v", answer.Text, items)
	}
	if text := must(paligemma.EncodeDetections(items, nil))(t); text != answer.Text {
		t.Errorf("%q was written as %q", answer.Text, text)
	}
	if answer.Text[items[1].TextBegin:items[1].TextEnd] != must(paligemma.EncodeDetections(items[1:], nil))(t) {
		t.Errorf("%d…%d of %q", items[1].TextBegin, items[1].TextEnd, answer.Text)
	}
	confidences := must(found.Confidences(processor, &answer))(t)
	for _, c := range confidences {
		if !(c.Min > 0 && c.Min <= c.Mean && c.Mean <= 1) {
			t.Errorf("%+v", c)
		}
	}
	_, err := found.Confidences(processor, &paligemma.Answer{TokenIDs: answer.TokenIDs})
	wants(t, err, paligemma.ErrArgument, "Logprobs")
	_, err = paligemma.EncodeDetections([]paligemma.Detection{{XMin: math.NaN()}}, nil)
	wants(t, err, paligemma.ErrArgument, "")

	json := must(found.COCO(448, 448, &paligemma.COCOOptions{
		FileName: "shapes.png", Categories: []string{"red triangle"}, Confidences: confidences, ImageID: 3,
	}))(t)
	for _, part := range []string{`"shapes.png"`, `"score"`, `"image_id":`} {
		if !strings.Contains(string(json), part) {
			t.Errorf("%s lacks %s", json, part)
		}
	}
	back := closing(t, must(paligemma.DetectionsFromCOCO(json, 0, 0, &paligemma.COCOOptions{ImageID: 3}))(t))
	for i, item := range back.Items() {
		if item.Label != items[i].Label || math.Abs(item.XMin-items[i].XMin) > 1e-9 {
			t.Errorf("%+v came back as %+v", items[i], item)
		}
	}
	_, err = paligemma.DetectionsFromCOCO([]byte("{"), 0, 0, nil)
	wants(t, err, paligemma.ErrFormat, "")

	picture := openImage(t, shapes)
	before := must(picture.RGBA())(t)
	if err := found.Draw(picture, &paligemma.DrawOptions{Confidences: confidences, Thickness: 2}); err != nil {
		t.Fatal(err)
	}
	if reflect.DeepEqual(before, must(picture.RGBA())(t)) {
		t.Error("nothing was drawn")
	}
	// With a mask: the same <seg> tokens everywhere.
	items[0].Seg = make([]int32, 16)
	masked := closing(t, must(paligemma.ParseDetections(must(paligemma.EncodeDetections(items, nil))(t), nil))(t))
	if seg := masked.Items()[0].Seg; !reflect.DeepEqual(seg, items[0].Seg) || masked.Items()[1].Seg != nil {
		t.Errorf("%v", seg)
	}
	if err := masked.Draw(picture, &paligemma.DrawOptions{MaskDecoder: maskWeights(t)}); err != nil {
		t.Error(err)
	}
	if err := masked.Draw(nil, nil); err == nil {
		t.Error("drawn into nothing")
	}
}

func TestDrawing(t *testing.T) {
	picture := closing(t, must(paligemma.NewImage(image.NewGray(image.Rect(0, 0, 60, 30))))(t))
	red, blue := color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 255, 255}
	mask := image.NewGray(image.Rect(0, 0, 60, 30))
	mask.SetGray(50, 20, color.Gray{Y: 255})
	size := must(paligemma.TextSize("Hi", 1))(t)
	for _, err := range []error{
		picture.DrawBox(0, 0, 10, 10, 1, red),
		picture.DrawText(20, 5, "Hi", 1, blue),
		picture.Blend(mask, 1, red),
		picture.DrawMap(paligemma.NewTensor([]float32{0, 0, 0, 0}, 2, 2), 0.5),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	drawn := must(picture.RGBA())(t)
	if drawn.RGBAAt(0, 5) != red || drawn.RGBAAt(50, 20) != red || drawn.RGBAAt(5, 5).R != 0 || size != image.Pt(12, 9) {
		t.Errorf("%v %v, text of %v", drawn.RGBAAt(0, 5), drawn.RGBAAt(50, 20), size)
	}
	wants(t, picture.Blend(image.NewGray(image.Rect(0, 0, 5, 5)), 1, red), paligemma.ErrShape, "size")
	wants(t, picture.DrawMap(paligemma.NewTensor([]float32{1}, 1), 1), paligemma.ErrShape, "rows")

	path := filepath.Join(t.TempDir(), "drawn.png")
	if err := picture.SavePNG(path); err != nil {
		t.Fatal(err)
	}
	saved := openImage(t, path)
	if !reflect.DeepEqual(must(saved.RGBA())(t), drawn) {
		t.Error("it was saved otherwise")
	}
	source := must(saved.Source())(t)
	if source.Format != "PNG" || source.Mode != "RGB" || source.Width != 60 || source.Orientation != 1 {
		t.Errorf("%+v", source)
	}
	small := closing(t, must(picture.Resize(30, 15, paligemma.ResamplePillow))(t))
	if small.Width() != 30 || small.Height() != 15 {
		t.Errorf("%d × %d", small.Width(), small.Height())
	}
	_, err := picture.Resize(0, 1<<40, paligemma.ResamplePillow)
	wants(t, err, paligemma.ErrArgument, "")
}
