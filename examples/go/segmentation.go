// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"fmt"
	"image"
	"unsafe"
)

// SegmentSide is the side of the mask that 16 <seg> tokens stand for.
const SegmentSide = C.PALI_SEGMENT_SIDE

// A MaskDecoder is the VQ-VAE that makes masks of <seg> tokens, and tokens of masks.
type MaskDecoder struct{ h *handle }

// LoadMaskDecoder reads vae-oid.npz as published for PaliGemma, or a safetensors file with the same names.
func LoadMaskDecoder(path string) (*MaskDecoder, error) {
	f := new(frame)
	defer f.end()
	cpath := f.text(path)
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_mask_decoder
	var cerr *C.pali_error
	if err := check(C.pali_mask_decoder_load(&out, cpath, &cerr), &cerr); err != nil {
		return nil, err
	}
	free := func(p unsafe.Pointer) { C.pali_mask_decoder_free((*C.pali_mask_decoder)(p)) }
	return &MaskDecoder{newHandle(unsafe.Pointer(out), free)}, nil
}

func (d *MaskDecoder) base() *handle {
	if d == nil {
		return nil
	}
	return d.h
}

// Close gives the weights' memory back.
func (d *MaskDecoder) Close() error { return closeObject(d) }

// HasEncoder says whether the file had the encoder too, so that Encode works.
func (d *MaskDecoder) HasEncoder() (bool, error) {
	f := new(frame)
	defer f.end()
	decoder := (*C.pali_mask_decoder)(f.shared(d))
	if f.err != nil {
		return false, f.err
	}
	return C.pali_mask_decoder_has_encoder(decoder) != 0, nil
}

// Decode returns the mask of 16 indices, [64, 64], nominally -1 (off) … 1 (on).
func (d *MaskDecoder) Decode(seg []int32) ([]float32, error) {
	f := new(frame)
	defer f.end()
	decoder, cseg := (*C.pali_mask_decoder)(f.shared(d)), f.seg(seg)
	if f.err != nil {
		return nil, f.err
	}
	mask := make([]float32, SegmentSide*SegmentSide)
	var cerr *C.pali_error
	if err := check(C.pali_mask_decoder_decode(decoder, cseg, (*C.float)(&mask[0]), &cerr), &cerr); err != nil {
		return nil, err
	}
	return mask, nil
}

// Encode returns the 16 indices of a mask, [64, 64], 0 (off) … 1 (on); [ErrUnsupported] without an encoder.
func (d *MaskDecoder) Encode(mask []float32) ([]int32, error) {
	f := new(frame)
	defer f.end()
	decoder := (*C.pali_mask_decoder)(f.shared(d))
	f.checkMask(mask)
	if f.err != nil {
		return nil, f.err
	}
	seg := make([]int32, C.PALI_SEG_TOKENS)
	var cerr *C.pali_error
	status := C.pali_mask_decoder_encode(decoder, (*C.float)(&mask[0]), (*C.int32_t)(&seg[0]), &cerr)
	if err := check(status, &cerr); err != nil {
		return nil, err
	}
	return seg, nil
}

// checkMask wants [64, 64].
func (f *frame) checkMask(mask []float32) {
	if len(mask) != SegmentSide*SegmentSide {
		f.fail(&Error{Code: ErrShape, Message: fmt.Sprintf("a mask of %d values, not 64 × 64", len(mask))})
	}
}

// checkSize wants the size of a picture, before memory of that size is asked for.
func (f *frame) checkSize(width, height int) {
	if width < 1 || height < 1 || width > 65535 || height > 65535 {
		f.fail(argumentError(fmt.Sprintf("a picture of %d × %d; sides are 1…65535", width, height)))
	}
}

// PasteMask lays a mask, [64, 64] as [MaskDecoder.Decode] gives it, into the box of d, in a picture of width × height.
func PasteMask(mask []float32, d *Detection, width, height int, form SegmentForm) (*image.Gray, error) {
	f := new(frame)
	defer f.end()
	f.checkMask(mask)
	f.checkSize(width, height)
	if f.err != nil {
		return nil, f.err
	}
	detection := C.pali_detection{
		x_min: C.double(d.XMin), y_min: C.double(d.YMin), x_max: C.double(d.XMax), y_max: C.double(d.YMax),
	}
	out := image.NewGray(image.Rect(0, 0, width, height))
	var cerr *C.pali_error
	status := C.pali_segment_paste((*C.uint8_t)(&out.Pix[0]), (*C.float)(&mask[0]), &detection, C.int32_t(width),
		C.int32_t(height), C.pali_segment_form(form), &cerr)
	if err := check(status, &cerr); err != nil {
		return nil, err
	}
	return out, nil
}

// CropMask is the reverse: the box of d, cut out of a picture's mask and resized to [64, 64], 0…1.
func CropMask(picture *image.Gray, d *Detection) ([]float32, error) {
	f := new(frame)
	defer f.end()
	width, height := picture.Rect.Dx(), picture.Rect.Dy()
	f.checkSize(width, height)
	if f.err != nil {
		return nil, f.err
	}
	detection := C.pali_detection{
		x_min: C.double(d.XMin), y_min: C.double(d.YMin), x_max: C.double(d.XMax), y_max: C.double(d.YMax),
	}
	mask := make([]float32, SegmentSide*SegmentSide)
	var cerr *C.pali_error
	status := C.pali_segment_crop((*C.float)(&mask[0]), (*C.uint8_t)(first(packed(picture))), C.int32_t(width),
		C.int32_t(height), &detection, &cerr)
	if err := check(status, &cerr); err != nil {
		return nil, err
	}
	return mask, nil
}

// EncodeRLE returns the lengths of a mask's runs, column by column, beginning with those that are off: COCO's counts.
func EncodeRLE(mask *image.Gray) ([]uint32, error) {
	f := new(frame)
	defer f.end()
	width, height := mask.Rect.Dx(), mask.Rect.Dy()
	f.checkSize(width, height)
	if f.err != nil {
		return nil, f.err
	}
	var counts *C.uint32_t
	var n C.size_t
	var cerr *C.pali_error
	status := C.pali_rle_encode(&counts, &n, (*C.uint8_t)(first(packed(mask))), C.int32_t(width), C.int32_t(height), &cerr)
	return takeCounts(&counts, &n, check(status, &cerr))
}

// DecodeRLE makes a mask of runs, 0 and 1.
func DecodeRLE(counts []uint32, width, height int) (*image.Gray, error) {
	f := new(frame)
	defer f.end()
	f.checkSize(width, height)
	if f.err != nil {
		return nil, f.err
	}
	ccounts := f.uint32s(counts)
	mask := image.NewGray(image.Rect(0, 0, width, height))
	var cerr *C.pali_error
	status := C.pali_rle_decode((*C.uint8_t)(&mask.Pix[0]), ccounts, C.size_t(len(counts)), C.int32_t(width),
		C.int32_t(height), &cerr)
	if err := check(status, &cerr); err != nil {
		return nil, err
	}
	return mask, nil
}

// FormatRLE writes runs as the text that COCO and pycocotools use.
func FormatRLE(counts []uint32) (string, error) {
	f := new(frame)
	defer f.end()
	var text *C.char
	var cerr *C.pali_error
	if err := check(C.pali_rle_to_text(&text, f.uint32s(counts), C.size_t(len(counts)), &cerr), &cerr); err != nil {
		return "", err
	}
	return takeText(text), nil
}

// ParseRLE is the reverse.
func ParseRLE(text string) ([]uint32, error) {
	f := new(frame)
	defer f.end()
	ctext := f.text(text)
	if f.err != nil {
		return nil, f.err
	}
	var counts *C.uint32_t
	var n C.size_t
	var cerr *C.pali_error
	return takeCounts(&counts, &n, check(C.pali_rle_from_text(&counts, &n, ctext, &cerr), &cerr))
}

func (f *frame) uint32s(list []uint32) *C.uint32_t {
	block := (*C.uint32_t)(f.alloc(len(list), 4))
	copy(unsafe.Slice((*uint32)(block), len(list)), list)
	return block
}

func takeCounts(made **C.uint32_t, n *C.size_t, err error) ([]uint32, error) {
	if err != nil {
		return nil, err
	}
	defer C.pali_free(unsafe.Pointer(*made))
	counts := make([]uint32, int(*n))
	copy(counts, unsafe.Slice((*uint32)(*made), len(counts)))
	return counts, nil
}
