// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"context"
	"unsafe"
)

// A QuantizationScheme is how weights are rounded. Its String is torchao's name.
type QuantizationScheme int

const (
	Int8WeightOnly QuantizationScheme = C.PALI_INT8_WEIGHT_ONLY // 8 bits, a scale for each output
	Int4WeightOnly QuantizationScheme = C.PALI_INT4_WEIGHT_ONLY // 4 bits, a scale for each group of inputs
	Int8Dynamic    QuantizationScheme = C.PALI_INT8_DYNAMIC     // 8 bits, and inputs are rounded to 8 bits too
)

func (s QuantizationScheme) String() string {
	return C.GoString(C.pali_quantization_scheme_name(C.pali_quantization_scheme(s)))
}

// A QuantizationPart is a part of the network. Parts are added with |.
type QuantizationPart int

const (
	QuantizeDecoder   QuantizationPart = C.PALI_QUANTIZE_DECODER // attention and MLP of the language model
	QuantizeVision    QuantizationPart = C.PALI_QUANTIZE_VISION  // attention and MLP of the vision tower
	QuantizeProjector QuantizationPart = C.PALI_QUANTIZE_PROJECTOR
	QuantizeHead      QuantizationPart = C.PALI_QUANTIZE_HEAD // a head that is not tied to the embedding
)

// QuantizeOptions say how a checkpoint is quantized.
type QuantizeOptions struct {
	Scheme             QuantizationScheme // 0: Int8WeightOnly
	GroupSize          int                // inputs that share a scale in Int4WeightOnly: 32, 64 or 128; 0: 128
	ZeroPoints         bool               // groups of Int4WeightOnly have a zero point
	Parts              QuantizationPart   // 0: QuantizeDecoder
	LargestValueScales bool               // scales fit the largest weight, as in torchao, not the least squared error
	// What the processor made of some pictures and prompts, like those that the model will see: the model is run on them to
	// round weights where it matters least (GPTQ).
	Calibration  []*Inputs
	MaxShardSize int64                                // bytes of weights in a file; 0: 5·10^9
	Threads      int                                  // 0: OpenMP's own number
	OnProgress   func(stage string, fraction float64) // stages are "calibrate", with Calibration, and "quantize"
}

// Quantize writes the checkpoint directory inDir as the quantized one outDir, which must not exist or be empty.
// Transformers and vLLM open it too. options may be nil.
func Quantize(ctx context.Context, inDir, outDir string, options *QuantizeOptions) error {
	f := new(frame)
	defer f.end()
	c, in, out := newCall(ctx, f), f.text(inDir), f.text(outDir)
	o := new(C.pali_quantize_options)
	C.pali_quantize_options_init(o)
	if options != nil {
		c.progress = options.OnProgress
		o.scheme = C.pali_quantization_scheme(options.Scheme)
		o.group_size = clampInt32(options.GroupSize)
		o.zero_points = flag(options.ZeroPoints)
		o.parts = clampInt32(int(options.Parts))
		o.largest_value_scales = flag(options.LargestValueScales)
		o.calibration, o.n_calibration = f.inputs(options.Calibration), C.size_t(len(options.Calibration))
		o.max_shard_size = C.int64_t(options.MaxShardSize)
		o.threads = clampInt32(options.Threads)
	}
	return c.run(func(user unsafe.Pointer) error {
		o.progress, o.progress_user = C.pali_progress_fn(C.pali_go_progress), user
		var cerr *C.pali_error
		return check(C.pali_quantize(in, out, o, &cerr), &cerr)
	})
}

// inputs borrows each of a list; nil for none.
func (f *frame) inputs(list []*Inputs) **C.pali_inputs {
	if len(list) == 0 {
		return nil
	}
	block := (**C.pali_inputs)(f.alloc(len(list), unsafe.Sizeof((*C.pali_inputs)(nil))))
	for i, one := range list {
		unsafe.Slice(block, len(list))[i] = (*C.pali_inputs)(f.needed(one, "an input of the calibration"))
	}
	return block
}
