// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// confidences copies one for each of n objects; nil for nil.
func (f *frame) confidences(list []Confidence, n int) *C.pali_confidence {
	if list == nil {
		return nil
	}
	if len(list) != n {
		f.fail(argumentError(fmt.Sprintf("%d confidences for %d objects", len(list), n)))
		return nil
	}
	block := (*C.pali_confidence)(f.alloc(n, C.sizeof_pali_confidence))
	for i, c := range list {
		unsafe.Slice(block, n)[i] = C.pali_confidence{mean: C.double(c.Mean), min: C.double(c.Min)}
	}
	return block
}

// DrawOptions say how objects are drawn.
type DrawOptions struct {
	MaskDecoder *MaskDecoder // lays the masks of <seg> tokens over the picture; nil: boxes only
	Confidences []Confidence // written after the labels
	MaskOpacity *float64     // 0…1; nil: 0.5
	Thickness   int          // of the boxes, in pixels; 0: by the picture's size; -1: none
	TextScale   int          // of the labels; 0: by the picture's size; -1: none
}

// Draw draws all objects into the picture. options may be nil.
func (d *Detections) Draw(picture *Image, options *DrawOptions) error {
	f := new(frame)
	defer f.end()
	detections := (*C.pali_detections)(f.shared(d))
	if picture == nil {
		f.fail(argumentError("the picture is nil"))
	}
	cpicture := (*C.pali_image)(f.alone(picture))
	var o C.pali_draw_options
	C.pali_draw_options_init(&o)
	if options != nil {
		o.mask_decoder = (*C.pali_mask_decoder)(f.shared(options.MaskDecoder))
		o.confidences = f.confidences(options.Confidences, len(d.items))
		setDouble(&o.mask_opacity, options.MaskOpacity)
		o.thickness, o.text_scale = clampInt32(options.Thickness), clampInt32(options.TextScale)
	}
	if f.err != nil {
		return f.err
	}
	var cerr *C.pali_error
	return check(C.pali_detections_draw(detections, cpicture, &o, &cerr), &cerr)
}

// COCOOptions say what is written and read.
type COCOOptions struct {
	MaskDecoder     *MaskDecoder // writing: makes segmentation of <seg> tokens; reading: the reverse
	Confidences     []Confidence // writing: as score and score_min
	ImageID         int64        // writing: 0 is 1; reading: which picture of the file, 0: the only one
	FileName        string       // writing: the picture's
	Categories      []string     // writing: names that get the ids 1, 2, …
	UncompressedRLE bool         // writing: counts as a list of numbers
}

func (o *COCOOptions) c(f *frame, n int) *C.pali_coco_options {
	c := new(C.pali_coco_options)
	C.pali_coco_options_init(c)
	if o != nil {
		c.mask_decoder = (*C.pali_mask_decoder)(f.shared(o.MaskDecoder))
		c.confidences = f.confidences(o.Confidences, n)
		c.image_id = C.int64_t(o.ImageID)
		c.file_name = f.optionalText(o.FileName)
		c.categories, c.n_categories = f.texts(o.Categories), C.size_t(len(o.Categories))
		c.uncompressed_rle = flag(o.UncompressedRLE)
	}
	return c
}

// COCO returns the objects as JSON in the form of COCO's instances, for a picture of width × height. options may be nil.
func (d *Detections) COCO(width, height int, options *COCOOptions) ([]byte, error) {
	f := new(frame)
	defer f.end()
	detections, o := (*C.pali_detections)(f.shared(d)), options.c(f, len(d.items))
	if f.err != nil {
		return nil, f.err
	}
	var json *C.char
	var cerr *C.pali_error
	status := C.pali_detections_to_coco(&json, detections, clampInt32(width), clampInt32(height), o, &cerr)
	if err := check(status, &cerr); err != nil {
		return nil, err
	}
	return []byte(takeText(json)), nil
}

// DetectionsFromCOCO reads the annotations of one picture. Its size is width × height, or what the file says if these are
// 0. options may be nil.
func DetectionsFromCOCO(json []byte, width, height int, options *COCOOptions) (*Detections, error) {
	f := new(frame)
	defer f.end()
	cjson := f.text(string(json))
	if options != nil && options.Confidences != nil {
		f.fail(argumentError("confidences are for writing"))
	}
	o := options.c(f, 0)
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_detections
	var cerr *C.pali_error
	status := C.pali_detections_from_coco(&out, cjson, clampInt32(width), clampInt32(height), o, &cerr)
	return takeDetections(&out, check(status, &cerr))
}
