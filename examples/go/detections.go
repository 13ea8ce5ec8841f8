// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"fmt"
	"image"
	"unsafe"
)

// A Detection is one object of an answer. Coordinates are fractions of the picture, 0…1.
type Detection struct {
	XMin, YMin, XMax, YMax float64
	Label                  string
	Seg                    []int32 // the 16 <seg> indices of its mask, 0…127; nil without
	TextBegin, TextEnd     int     // where in the answer it stands, in bytes; both 0 if it did not come from a text
}

// A SegmentForm says how a mask of 64 × 64 gets into the picture.
type SegmentForm int

const (
	SegmentHard SegmentForm = C.PALI_SEGMENT_HARD // as big_vision's evaluator: 0 or 255
	SegmentSoft SegmentForm = C.PALI_SEGMENT_SOFT // as the Hugging Face demo: 0…255
)

// Pixels is the rectangle that the box covers in a picture of width × height, fractions of a pixel cut off (SegmentHard)
// or rounded; ok is false if it has no pixels or is not within the picture.
func (d *Detection) Pixels(width, height int, form SegmentForm) (box image.Rectangle, ok bool) {
	c := C.pali_detection{x_min: C.double(d.XMin), y_min: C.double(d.YMin), x_max: C.double(d.XMax), y_max: C.double(d.YMax)}
	var pixels [4]C.int32_t
	ok = C.pali_detection_pixels(&c, clampInt32(width), clampInt32(height), C.pali_segment_form(form), &pixels[0]) != 0
	return image.Rect(int(pixels[0]), int(pixels[1]), int(pixels[2]), int(pixels[3])), ok
}

// detections copies objects to C memory.
func (f *frame) detections(items []Detection) *C.pali_detection {
	block := (*C.pali_detection)(f.alloc(len(items), C.sizeof_pali_detection))
	for i := range items {
		d, c := &items[i], &unsafe.Slice(block, len(items))[i]
		c.y_min, c.x_min, c.y_max, c.x_max = C.double(d.YMin), C.double(d.XMin), C.double(d.YMax), C.double(d.XMax)
		c.label = f.text(d.Label)
		if d.Seg != nil {
			c.seg = f.seg(d.Seg)
		}
	}
	return block
}

// seg copies the 16 indices of a mask.
func (f *frame) seg(indices []int32) *C.int32_t {
	if len(indices) != C.PALI_SEG_TOKENS {
		f.fail(argumentError(fmt.Sprintf("%d <seg> indices; a mask has %d", len(indices), C.PALI_SEG_TOKENS)))
		return nil
	}
	block := (*C.int32_t)(f.alloc(len(indices), 4))
	copy(unsafe.Slice((*int32)(block), len(indices)), indices)
	return block
}

// Detections are the objects of one text or file.
type Detections struct {
	h     *handle
	items []Detection
}

// DetectionsOptions say how coordinates are written.
type DetectionsOptions struct {
	Scale int // what <loc> numbers are divided by; 0: 1024, as the Hugging Face demo; 1023: as big_vision
}

func (o *DetectionsOptions) c() *C.pali_detections_options {
	c := new(C.pali_detections_options)
	C.pali_detections_options_init(c)
	if o != nil && o.Scale != 0 {
		c.scale = clampInt32(o.Scale)
	}
	return c
}

// ParseDetections finds all objects in an answer; none is no error. options may be nil.
func ParseDetections(text string, options *DetectionsOptions) (*Detections, error) {
	f := new(frame)
	defer f.end()
	ctext := f.text(text)
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_detections
	var cerr *C.pali_error
	return takeDetections(&out, check(C.pali_detections_parse(&out, ctext, options.c(), &cerr), &cerr))
}

func takeDetections(made **C.pali_detections, err error) (*Detections, error) {
	if err != nil {
		return nil, err
	}
	out := *made
	free := func(p unsafe.Pointer) { C.pali_detections_free((*C.pali_detections)(p)) }
	d := &Detections{newHandle(unsafe.Pointer(out), free), make([]Detection, int(C.pali_detections_count(out)))}
	for i := range d.items {
		c := C.pali_detections_get(out, C.size_t(i))
		d.items[i] = Detection{
			XMin: float64(c.x_min), YMin: float64(c.y_min), XMax: float64(c.x_max), YMax: float64(c.y_max),
			Label:     C.GoString(c.label),
			TextBegin: int(c.text_begin), TextEnd: int(c.text_end),
		}
		if c.seg != nil {
			d.items[i].Seg = copyValues[int32](unsafe.Pointer(c.seg), C.PALI_SEG_TOKENS)
		}
	}
	return d, nil
}

func (d *Detections) base() *handle {
	if d == nil {
		return nil
	}
	return d.h
}

// Close gives the C memory back; Items stays.
func (d *Detections) Close() error { return closeObject(d) }

// Len is the number of objects.
func (d *Detections) Len() int { return len(d.items) }

// Items are the objects, copied.
func (d *Detections) Items() []Detection {
	items := append([]Detection(nil), d.items...)
	for i := range items {
		items[i].Seg = append([]int32(nil), items[i].Seg...)
	}
	return items
}

// EncodeDetections writes objects as text, as an answer has them. options may be nil.
func EncodeDetections(items []Detection, options *DetectionsOptions) (string, error) {
	f := new(frame)
	defer f.end()
	citems := f.detections(items)
	if f.err != nil {
		return "", f.err
	}
	var text *C.char
	var cerr *C.pali_error
	err := check(C.pali_detections_encode(&text, citems, C.size_t(len(items)), options.c(), &cerr), &cerr)
	if err != nil {
		return "", err
	}
	return takeText(text), nil
}

// A Confidence is how sure the model was of an object: probabilities of its <loc> and <seg> tokens.
type Confidence struct{ Mean, Min float64 }

// Confidences returns one for each object; they must have been parsed from the answer's text. The answer must have
// Logprobs.
func (d *Detections) Confidences(p *Processor, answer *Answer) ([]Confidence, error) {
	if len(answer.Logprobs) != len(answer.TokenIDs) {
		return nil, argumentError("the answer has no log-probabilities: GenerateOptions.Logprobs asks for them")
	}
	f := new(frame)
	defer f.end()
	detections, processor := (*C.pali_detections)(f.shared(d)), (*C.pali_processor)(f.needed(p, "the processor"))
	ids, logprobs := f.int64s(answer.TokenIDs), f.float64s(answer.Logprobs)
	if f.err != nil {
		return nil, f.err
	}
	out := make([]C.pali_confidence, len(d.items)+1) // one more, so that there is a first
	var cerr *C.pali_error
	status := C.pali_detections_confidence(&out[0], detections, processor, ids, logprobs,
		C.size_t(len(answer.TokenIDs)), &cerr)
	if err := check(status, &cerr); err != nil {
		return nil, err
	}
	confidences := make([]Confidence, len(d.items))
	for i := range confidences {
		confidences[i] = Confidence{float64(out[i].mean), float64(out[i].min)}
	}
	return confidences, nil
}
