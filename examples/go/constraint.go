// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import "unsafe"

// A Constraint is what answers may be. It is made once and serves any number of generations at a time, by
// [GenerateOptions].Constraint.
type Constraint struct{ h *handle }

// ConstraintOptions say what answers with objects may be.
type ConstraintOptions struct {
	MaxObjects     int  // in one answer; 0: as many as MaxNewTokens has room for
	MaxLabelTokens int  // of a label that is not among given ones, 1…1024; 0: 16
	AllowEmpty     bool // the answer may also be empty
}

func (o *ConstraintOptions) c() *C.pali_constraint_options {
	c := new(C.pali_constraint_options)
	C.pali_constraint_options_init(c)
	if o != nil {
		c.max_objects = C.int64_t(o.MaxObjects)
		if o.MaxLabelTokens != 0 {
			c.max_label_tokens = C.int64_t(o.MaxLabelTokens)
		}
		c.allow_empty = flag(o.AllowEmpty)
	}
	return c
}

// ConstrainChoices makes the answer one of some texts.
func (p *Processor) ConstrainChoices(choices []string) (*Constraint, error) {
	f := new(frame)
	defer f.end()
	processor, texts := (*C.pali_processor)(f.shared(p)), f.texts(choices)
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_constraint
	var cerr *C.pali_error
	status := C.pali_constraint_choices(&out, processor, texts, C.size_t(len(choices)), &cerr)
	return takeConstraint(&out, check(status, &cerr))
}

// ConstrainDetect makes the answer objects as "detect" prompts ask for them, with labels among the given ones, or any if
// labels is nil. options may be nil.
func (p *Processor) ConstrainDetect(labels []string, options *ConstraintOptions) (*Constraint, error) {
	f := new(frame)
	defer f.end()
	processor, texts := (*C.pali_processor)(f.shared(p)), f.texts(labels)
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_constraint
	var cerr *C.pali_error
	status := C.pali_constraint_detect(&out, processor, texts, C.size_t(len(labels)), options.c(), &cerr)
	return takeConstraint(&out, check(status, &cerr))
}

// ConstrainSegment is the same for "segment" prompts, with 16 <seg> tokens between box and label.
func (p *Processor) ConstrainSegment(labels []string, options *ConstraintOptions) (*Constraint, error) {
	f := new(frame)
	defer f.end()
	processor, texts := (*C.pali_processor)(f.shared(p)), f.texts(labels)
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_constraint
	var cerr *C.pali_error
	status := C.pali_constraint_segment(&out, processor, texts, C.size_t(len(labels)), options.c(), &cerr)
	return takeConstraint(&out, check(status, &cerr))
}

func takeConstraint(made **C.pali_constraint, err error) (*Constraint, error) {
	if err != nil {
		return nil, err
	}
	out := *made
	free := func(p unsafe.Pointer) { C.pali_constraint_free((*C.pali_constraint)(p)) }
	return &Constraint{newHandle(unsafe.Pointer(out), free)}, nil
}

func (c *Constraint) base() *handle {
	if c == nil {
		return nil
	}
	return c.h
}

// Close ends the constraint, when no running generation uses it any more.
func (c *Constraint) Close() error { return closeObject(c) }
