// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// A Processor makes model inputs of pictures and prompts, and text of token ids: PaliGemmaProcessor.
type Processor struct{ h *handle }

// ProcessorOptions say how a processor works.
type ProcessorOptions struct {
	Resample Resample
}

// LoadProcessor reads tokenizer.json, tokenizer_config.json, preprocessor_config.json and config.json of the checkpoint
// directory path. options may be nil.
func LoadProcessor(path string, options *ProcessorOptions) (*Processor, error) {
	f := new(frame)
	defer f.end()
	cpath := f.text(path)
	if f.err != nil {
		return nil, f.err
	}
	var o C.pali_processor_options
	C.pali_processor_options_init(&o)
	if options != nil {
		o.resample = C.pali_resample(options.Resample)
	}
	var out *C.pali_processor
	var cerr *C.pali_error
	if err := check(C.pali_processor_load(&out, cpath, &o, &cerr), &cerr); err != nil {
		return nil, err
	}
	free := func(p unsafe.Pointer) { C.pali_processor_free((*C.pali_processor)(p)) }
	return &Processor{newHandle(unsafe.Pointer(out), free)}, nil
}

func (p *Processor) base() *handle {
	if p == nil {
		return nil
	}
	return p.h
}

// Close ends the processor; inputs and answers that came of it stay usable.
func (p *Processor) Close() error { return closeObject(p) }

// A PaddingSide is where shorter rows of a batch are filled up.
type PaddingSide int

const (
	PaddingLeft  PaddingSide = C.PALI_PADDING_LEFT
	PaddingRight PaddingSide = C.PALI_PADDING_RIGHT
)

// ApplyOptions say how prompts become inputs.
type ApplyOptions struct {
	Suffixes      []string // one per text: the answers to learn from or to score
	ImagesPerText []int    // how many of the pictures each text has
	PaddingSide   PaddingSide
	PadTo         int // pad every row to this length; 0: to the longest row
	MaxLength     int // ErrLimit for a row longer than this; 0: no limit
}

// c builds the options for n texts.
func (o *ApplyOptions) c(f *frame, n int) *C.pali_apply_options {
	c := new(C.pali_apply_options)
	C.pali_apply_options_init(c)
	if o == nil {
		return c
	}
	if o.Suffixes != nil && len(o.Suffixes) != n {
		f.fail(argumentError(fmt.Sprintf("%d suffixes for %d texts", len(o.Suffixes), n)))
		return c
	}
	if o.ImagesPerText != nil && len(o.ImagesPerText) != n {
		f.fail(argumentError(fmt.Sprintf("%d counts of pictures for %d texts", len(o.ImagesPerText), n)))
		return c
	}
	c.suffixes = f.texts(o.Suffixes)
	if o.ImagesPerText != nil {
		counts := (*C.size_t)(f.alloc(n, C.sizeof_size_t))
		for i, count := range o.ImagesPerText {
			if count < 0 {
				f.fail(argumentError("a negative count of pictures"))
			}
			unsafe.Slice(counts, n)[i] = C.size_t(count)
		}
		c.images_per_text = counts
	}
	c.padding_side = C.pali_padding_side(o.PaddingSide)
	c.pad_to = C.int64_t(o.PadTo)
	c.max_length = C.int64_t(o.MaxLength)
	return c
}

// Apply makes inputs of one text and its pictures: every picture's image tokens, <bos>, the text, a newline. A text that
// says <image> itself has each expanded in place. options may be nil.
func (p *Processor) Apply(images []*Image, text string, options *ApplyOptions) (*Inputs, error) {
	f := new(frame)
	defer f.end()
	processor, pictures := (*C.pali_processor)(f.shared(p)), f.images(images)
	ctext, o := f.text(text), options.c(f, 1)
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_inputs
	var cerr *C.pali_error
	status := C.pali_processor_apply(&out, processor, pictures, C.size_t(len(images)), ctext, o, &cerr)
	return takeInputs(&out, check(status, &cerr))
}

// ApplyBatch does the same for several texts; rows are padded to one length. images holds the pictures of all rows one
// after another: one per text, unless the texts say <image> or options.ImagesPerText tells. options may be nil.
func (p *Processor) ApplyBatch(images []*Image, texts []string, options *ApplyOptions) (*Inputs, error) {
	f := new(frame)
	defer f.end()
	processor, pictures := (*C.pali_processor)(f.shared(p)), f.images(images)
	ctexts, o := f.texts(texts), options.c(f, len(texts))
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_inputs
	var cerr *C.pali_error
	status := C.pali_processor_apply_batch(&out, processor, pictures, C.size_t(len(images)), ctexts,
		C.size_t(len(texts)), o, &cerr)
	return takeInputs(&out, check(status, &cerr))
}

// ApplyContinuation makes inputs of text as it stands, to follow what a row of a cache holds.
func (p *Processor) ApplyContinuation(text string) (*Inputs, error) {
	f := new(frame)
	defer f.end()
	processor, ctext := (*C.pali_processor)(f.shared(p)), f.text(text)
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_inputs
	var cerr *C.pali_error
	err := check(C.pali_processor_apply_continuation(&out, processor, ctext, &cerr), &cerr)
	return takeInputs(&out, err)
}

// NewInputs makes an empty set for tensors of one's own ([Inputs.Set]) that belongs to the processor: answers to it have
// text, may end at stop strings, and their constraints and scores take texts.
func (p *Processor) NewInputs() (*Inputs, error) {
	f := new(frame)
	defer f.end()
	processor := (*C.pali_processor)(f.shared(p))
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_inputs
	var cerr *C.pali_error
	return takeInputs(&out, check(C.pali_processor_inputs(&out, processor, &cerr), &cerr))
}

// Encode returns the token ids of text, without <bos> or <eos>; added tokens such as <loc0000> are recognised.
func (p *Processor) Encode(text string) ([]int64, error) {
	f := new(frame)
	defer f.end()
	processor := (*C.pali_processor)(f.shared(p))
	ctext := f.alloc(len(text), 1) // of a given length, so it may have NUL characters
	copy(unsafe.Slice((*byte)(ctext), len(text)), text)
	if f.err != nil {
		return nil, f.err
	}
	var ids *C.int64_t
	var n C.size_t
	var cerr *C.pali_error
	status := C.pali_processor_encode(processor, (*C.char)(ctext), C.size_t(len(text)), &ids, &n, &cerr)
	if err := check(status, &cerr); err != nil {
		return nil, err
	}
	defer C.pali_free(unsafe.Pointer(ids))
	return goInt64s(ids, n), nil
}

// Decode returns the text of ids. skipSpecialTokens leaves out pad, bos, eos and <image>; <loc> and <seg> stay.
func (p *Processor) Decode(ids []int64, skipSpecialTokens bool) (string, error) {
	f := new(frame)
	defer f.end()
	processor, cids := (*C.pali_processor)(f.shared(p)), f.int64s(ids)
	if f.err != nil {
		return "", f.err
	}
	var text *C.char
	var cerr *C.pali_error
	status := C.pali_processor_decode(processor, cids, C.size_t(len(ids)), flag(skipSpecialTokens), &text, &cerr)
	if err := check(status, &cerr); err != nil {
		return "", err
	}
	return takeText(text), nil
}

// BatchDecode returns the texts of rows of ids, which must be equally long.
func (p *Processor) BatchDecode(rows [][]int64, skipSpecialTokens bool) ([]string, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	all := make([]int64, 0, len(rows)*len(rows[0]))
	for _, row := range rows {
		if len(row) != len(rows[0]) {
			return nil, &Error{Code: ErrShape, Message: "the rows of ids are not equally long"}
		}
		all = append(all, row...)
	}
	f := new(frame)
	defer f.end()
	processor, cids := (*C.pali_processor)(f.shared(p)), f.int64s(all)
	if f.err != nil {
		return nil, f.err
	}
	var ctexts **C.char
	var cerr *C.pali_error
	status := C.pali_processor_batch_decode(processor, cids, C.size_t(len(rows)), C.size_t(len(rows[0])),
		flag(skipSpecialTokens), &ctexts, &cerr)
	if err := check(status, &cerr); err != nil {
		return nil, err
	}
	defer C.pali_free(unsafe.Pointer(ctexts))
	texts := make([]string, len(rows))
	for i, ctext := range unsafe.Slice(ctexts, len(rows)) {
		texts[i] = C.GoString(ctext)
	}
	return texts, nil
}
