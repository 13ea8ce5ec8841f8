// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"context"
	"unsafe"
)

// ImageFeatures are what tower and projector make of pictures: computed once, used in any number of calls.
type ImageFeatures struct{ h *handle }

// ImageFeaturesOptions say how features are computed.
type ImageFeaturesOptions struct {
	Adapter      *Adapter                             // for tower and projector
	AdapterScale *float64                             // times the adapter's own scale; nil: 1
	Threads      int                                  // for this call; 0: the model's number
	OnProgress   func(stage string, fraction float64) // stage is "image"
}

// ImageFeatures runs tower and projector on pixelValues, [images, 3, size, size] float32: the tensor "pixel_values" of
// inputs. options may be nil.
func (m *Model) ImageFeatures(ctx context.Context, pixelValues *Tensor, options *ImageFeaturesOptions) (
	*ImageFeatures, error) {
	f := new(frame)
	defer f.end()
	c, model := newCall(ctx, f), (*C.pali_model)(f.shared(m))
	o := new(C.pali_image_features_options)
	C.pali_image_features_options_init(o)
	if options != nil {
		c.progress = options.OnProgress
		o.adapter = (*C.pali_adapter)(f.shared(options.Adapter))
		setDouble(&o.adapter_scale, options.AdapterScale)
		o.threads = clampInt32(options.Threads)
	}
	if pixelValues == nil {
		f.fail(argumentError("the pixel values are nil"))
	}
	var out *C.pali_image_features
	var made *ImageFeatures
	err := c.run(func(user unsafe.Pointer) (err error) {
		o.progress, o.progress_user = C.pali_progress_fn(C.pali_go_progress), user
		data, dtype, rank, shape := pixelValues.c()
		var cerr *C.pali_error
		err = check(C.pali_go_model_image_features(&out, model, data, dtype, rank, shape, o, &cerr), &cerr)
		made, err = takeImageFeatures(&out, err)
		return err
	})
	return made, err
}

// NewImageFeatures takes features computed earlier, [images, tokens per image, hidden] float32, which are copied.
// divided: they were divided by sqrt(hidden) (Transformers before 5.4), which is undone.
func (m *Model) NewImageFeatures(features *Tensor, divided bool) (*ImageFeatures, error) {
	f := new(frame)
	defer f.end()
	model := (*C.pali_model)(f.shared(m))
	if features == nil {
		f.fail(argumentError("the features are nil"))
	}
	if f.err != nil {
		return nil, f.err
	}
	data, dtype, rank, shape := features.c()
	var out *C.pali_image_features
	var cerr *C.pali_error
	status := C.pali_go_image_features_create(&out, model, data, dtype, rank, shape, flag(divided), &cerr)
	return takeImageFeatures(&out, check(status, &cerr))
}

func takeImageFeatures(made **C.pali_image_features, err error) (*ImageFeatures, error) {
	if err != nil {
		return nil, err
	}
	out := *made
	free := func(p unsafe.Pointer) { C.pali_image_features_free((*C.pali_image_features)(p)) }
	return &ImageFeatures{newHandle(unsafe.Pointer(out), free)}, nil
}

func (i *ImageFeatures) base() *handle {
	if i == nil {
		return nil
	}
	return i.h
}

// Close gives the features' memory back.
func (i *ImageFeatures) Close() error { return closeObject(i) }

// Tensor returns a copy of the features, [images, tokens per image, hidden] float32, not divided by sqrt(hidden).
func (i *ImageFeatures) Tensor() (*Tensor, error) {
	f := new(frame)
	defer f.end()
	features := (*C.pali_image_features)(f.shared(i))
	if f.err != nil {
		return nil, f.err
	}
	return copyTensor(C.pali_image_features_tensor(features)), nil
}
