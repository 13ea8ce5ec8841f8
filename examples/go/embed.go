// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"context"
	"unsafe"
)

// Pooling says how many vectors a row gets.
type Pooling int

const (
	PoolingNone Pooling = C.PALI_POOLING_NONE // one for each token
	PoolingMean Pooling = C.PALI_POOLING_MEAN // one: the mean over the tokens that are not padding
)

// EmbedOptions say what vectors are made.
type EmbedOptions struct {
	Pooling        Pooling
	Normalize      *bool // every vector to length 1; nil: with a projection
	SkipProjection bool  // the hidden states themselves, also of a checkpoint that has a projection
	Adapter        *Adapter
	Threads        int      // for this call; 0: the model's number
	AdapterScale   *float64 // times the adapter's own scale; nil: 1
	OnProgress     func(stage string, fraction float64)
}

// Embed makes vectors of inputs: [batch, length, dim] float32, rows of padding zero; with [PoolingMean] [batch, dim].
// options may be nil.
func (m *Model) Embed(ctx context.Context, inputs *Inputs, options *EmbedOptions) (*Tensor, error) {
	f := new(frame)
	defer f.end()
	c, model := newCall(ctx, f), (*C.pali_model)(f.shared(m))
	in := (*C.pali_inputs)(f.needed(inputs, "the inputs"))
	o := new(C.pali_embed_options)
	C.pali_embed_options_init(o)
	if options != nil {
		c.progress = options.OnProgress
		o.pooling = C.pali_pooling(options.Pooling)
		if options.Normalize != nil {
			o.normalize = flag(*options.Normalize)
		}
		o.skip_projection = flag(options.SkipProjection)
		o.adapter = (*C.pali_adapter)(f.shared(options.Adapter))
		setDouble(&o.adapter_scale, options.AdapterScale)
		o.threads = clampInt32(options.Threads)
	}
	var out *C.pali_outputs
	defer func() { C.pali_outputs_free(out) }() // also where a callback panics
	err := c.run(func(user unsafe.Pointer) error {
		o.progress, o.progress_user = C.pali_progress_fn(C.pali_go_progress), user
		var cerr *C.pali_error
		return check(C.pali_embed(&out, model, in, o, &cerr), &cerr)
	})
	if err != nil {
		return nil, err
	}
	return copyTensor(C.pali_outputs_get(out, f.text("embeddings"))), nil
}

// MaxSim is late interaction: scores[q][p] is, over the vectors of query q, the sum of the largest product with a vector
// of page p. queries and pages are as [Model.Embed] makes them.
func MaxSim(queries, pages *Tensor) ([][]float32, error) {
	if queries == nil || pages == nil {
		return nil, argumentError("the queries or the pages are nil")
	}
	count := func(t *Tensor) int {
		if len(t.shape) == 3 {
			return t.shape[0]
		}
		return 1
	}
	rows, columns := count(queries), count(pages)
	flat := make([]float32, rows*columns+1) // one more, so that there is a first
	qData, qType, qRank, qShape := queries.c()
	pData, pType, pRank, pShape := pages.c()
	var cerr *C.pali_error
	status := C.pali_go_max_sim((*C.float)(&flat[0]), qData, qType, qRank, qShape, pData, pType, pRank, pShape, &cerr)
	if err := check(status, &cerr); err != nil {
		return nil, err
	}
	scores := make([][]float32, rows)
	for i := range scores {
		scores[i] = flat[i*columns : (i+1)*columns : (i+1)*columns]
	}
	return scores, nil
}

// ApplyPages makes inputs of pages for [Model.Embed], as ColPaliProcessor does. Of options PaddingSide, PadTo and
// MaxLength count; it may be nil.
func (p *Processor) ApplyPages(images []*Image, options *ApplyOptions) (*Inputs, error) {
	f := new(frame)
	defer f.end()
	processor, pictures := (*C.pali_processor)(f.shared(p)), f.images(images)
	o := options.c(f, len(images))
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_inputs
	var cerr *C.pali_error
	status := C.pali_processor_apply_pages(&out, processor, pictures, C.size_t(len(images)), o, &cerr)
	return takeInputs(&out, check(status, &cerr))
}

// ApplyQueries makes inputs of queries for [Model.Embed].
func (p *Processor) ApplyQueries(texts []string, options *ApplyOptions) (*Inputs, error) {
	f := new(frame)
	defer f.end()
	processor, ctexts := (*C.pali_processor)(f.shared(p)), f.texts(texts)
	o := options.c(f, len(texts))
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_inputs
	var cerr *C.pali_error
	status := C.pali_processor_apply_queries(&out, processor, ctexts, C.size_t(len(texts)), o, &cerr)
	return takeInputs(&out, check(status, &cerr))
}
