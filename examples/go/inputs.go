// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// Inputs are named tensors: what a processor returns and a model takes.
//
//	input_ids       [batch, length]             int64
//	attention_mask  [batch, length]             int64, 1 real, 0 padding
//	token_type_ids  [batch, length]             int64, 0 prefix, 1 suffix
//	position_ids    [batch, length]             int64, the first token has 1
//	labels          [batch, length]             int64, -100 where there is no loss
//	pixel_values    [images, 3, size, size]     float32, -1…1
//	inputs_embeds   [batch, length, hidden]     float32
type Inputs struct{ h *handle }

// NewInputs makes an empty set.
func NewInputs() (*Inputs, error) {
	var out *C.pali_inputs
	var cerr *C.pali_error
	return takeInputs(&out, check(C.pali_inputs_create(&out, &cerr), &cerr))
}

// LoadInputs reads all tensors of a safetensors file.
func LoadInputs(path string) (*Inputs, error) {
	f := new(frame)
	defer f.end()
	cpath := f.text(path)
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_inputs
	var cerr *C.pali_error
	err := check(C.pali_inputs_load(&out, cpath, &cerr), &cerr)
	return takeInputs(&out, err)
}

func takeInputs(made **C.pali_inputs, err error) (*Inputs, error) {
	if err != nil {
		return nil, err
	}
	out := *made
	return &Inputs{newHandle(unsafe.Pointer(out), func(p unsafe.Pointer) { C.pali_inputs_free((*C.pali_inputs)(p)) })}, nil
}

func (i *Inputs) base() *handle {
	if i == nil {
		return nil
	}
	return i.h
}

// Close gives the tensors' memory back.
func (i *Inputs) Close() error { return closeObject(i) }

// Save writes all tensors to a safetensors file, replacing it only when complete.
func (i *Inputs) Save(path string) error {
	f := new(frame)
	defer f.end()
	inputs, cpath := (*C.pali_inputs)(f.shared(i)), f.text(path)
	if f.err != nil {
		return f.err
	}
	var cerr *C.pali_error
	return check(C.pali_inputs_save(inputs, cpath, &cerr), &cerr)
}

// Names returns the tensors' names, in the order they were set.
func (i *Inputs) Names() ([]string, error) {
	f := new(frame)
	defer f.end()
	inputs := (*C.pali_inputs)(f.shared(i))
	if f.err != nil {
		return nil, f.err
	}
	names := make([]string, int(C.pali_inputs_count(inputs)))
	for n := range names {
		names[n] = C.GoString(C.pali_inputs_name(inputs, C.size_t(n)))
	}
	return names, nil
}

// Tensor returns a copy of the tensor of that name; [ErrArgument] if there is none.
func (i *Inputs) Tensor(name string) (*Tensor, error) {
	f := new(frame)
	defer f.end()
	inputs, cname := (*C.pali_inputs)(f.shared(i)), f.text(name)
	if f.err != nil {
		return nil, f.err
	}
	tensor := C.pali_inputs_get(inputs, cname)
	if tensor == nil {
		return nil, argumentError(fmt.Sprintf("the inputs have no tensor %q", name))
	}
	return copyTensor(tensor), nil
}

// Set copies a tensor in, replacing what was there under that name.
func (i *Inputs) Set(name string, tensor *Tensor) error {
	f := new(frame)
	defer f.end()
	inputs, cname := (*C.pali_inputs)(f.alone(i)), f.text(name)
	if tensor == nil {
		f.fail(argumentError("the tensor is nil"))
	}
	if f.err != nil {
		return f.err
	}
	data, dtype, rank, shape := tensor.c()
	var cerr *C.pali_error
	return check(C.pali_go_inputs_set(inputs, cname, data, dtype, rank, shape, &cerr), &cerr)
}
