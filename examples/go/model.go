// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"context"
	"unsafe"
)

// A Model is the network: PaliGemmaForConditionalGeneration. It does not change, so any number of goroutines may use it.
type Model struct{ h *handle }

// ModelOptions say how a checkpoint is loaded.
type ModelOptions struct {
	DType DType // Float32 or BFloat16; 0: BFloat16 for such files, else Float32
	// Weights are read into memory of huge pages instead of being used in the mapped file: as much memory as the checkpoint
	// again, a longer load, and decoding some per cent faster.
	CopyWeights bool
	// The head is quantized to int8 while loading, with a scale for each token, or stays as it is; nil: it is quantized
	// where the checkpoint is and its head is not.
	Int8Head     *bool
	IgnoreMemory bool                                 // load even if the machine has less memory than the model needs
	Threads      int                                  // of a call that names none; 0: OpenMP's own number
	Adapters     []AdapterMerge                       // LoRA adapters to add to the weights while loading
	OnProgress   func(stage string, fraction float64) // stage is "load"
}

// An AdapterMerge is a PEFT LoRA directory that is added to the weights.
type AdapterMerge struct {
	Path  string
	Scale *float64 // times the adapter's own scale; nil: 1
}

// adapters are the three fields of options for merged adapters.
func (f *frame) adapters(list []AdapterMerge) (**C.char, *C.double, C.size_t) {
	if len(list) == 0 {
		return nil, nil, 0
	}
	paths, scales := make([]string, len(list)), make([]float64, len(list))
	for i, adapter := range list {
		paths[i], scales[i] = adapter.Path, 1
		if adapter.Scale != nil {
			scales[i] = *adapter.Scale
		}
	}
	return f.texts(paths), f.float64s(scales), C.size_t(len(list))
}

// c is what the library is given, without progress; nil means all defaults.
func (o *ModelOptions) c(f *frame) *C.pali_model_options {
	c := new(C.pali_model_options)
	C.pali_model_options_init(c)
	if o != nil {
		c.dtype = C.pali_dtype(o.DType)
		c.threads = clampInt32(o.Threads)
		c.copy_weights = flag(o.CopyWeights)
		c.ignore_memory = flag(o.IgnoreMemory)
		if o.Int8Head != nil {
			c.int8_head = 2*flag(*o.Int8Head) - 1
		}
		c.adapters, c.adapter_scales, c.n_adapters = f.adapters(o.Adapters)
	}
	return c
}

// LoadModel opens the checkpoint directory path (config.json and safetensors). Weights stay in the mapped files; only
// those that cannot be used as they are get converted. options may be nil.
func LoadModel(ctx context.Context, path string, options *ModelOptions) (*Model, error) {
	f := new(frame)
	defer f.end()
	c, cpath, o := newCall(ctx, f), f.text(path), options.c(f)
	if options != nil {
		c.progress = options.OnProgress
	}
	var out *C.pali_model
	var made *Model
	err := c.run(func(user unsafe.Pointer) error {
		o.progress, o.progress_user = C.pali_progress_fn(C.pali_go_progress), user
		var cerr *C.pali_error
		if err := check(C.pali_model_load(&out, cpath, o, &cerr), &cerr); err != nil {
			return err
		}
		free := func(p unsafe.Pointer) { C.pali_model_free((*C.pali_model)(p)) }
		made = &Model{newHandle(unsafe.Pointer(out), free)}
		return nil
	})
	return made, err
}

func (m *Model) base() *handle {
	if m == nil {
		return nil
	}
	return m.h
}

// Close ends the hold on the model; its memory goes with the last cache, features or adapter made of it.
func (m *Model) Close() error { return closeObject(m) }

// Config is the model's configuration, which lasts as long as the model.
func (m *Model) Config() *Config { return &Config{model: m} }

// DType is Float32 or BFloat16.
func (m *Model) DType() (DType, error) {
	f := new(frame)
	defer f.end()
	model := (*C.pali_model)(f.shared(m))
	if f.err != nil {
		return 0, f.err
	}
	return DType(C.pali_model_dtype(model)), nil
}

// EmbeddingDim is the width of the checkpoint's embedding projection (ColPali: 128), 0 if it has none.
func (m *Model) EmbeddingDim() (int, error) {
	f := new(frame)
	defer f.end()
	model := (*C.pali_model)(f.shared(m))
	if f.err != nil {
		return 0, f.err
	}
	return int(C.pali_model_embedding_dim(model)), nil
}

// An Adapter is a LoRA adapter that calls name in their options, and others do not.
type Adapter struct{ h *handle }

// LoadAdapter reads the PEFT directory path for use with this model.
func (m *Model) LoadAdapter(path string) (*Adapter, error) {
	f := new(frame)
	defer f.end()
	model, cpath := (*C.pali_model)(f.shared(m)), f.text(path)
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_adapter
	var cerr *C.pali_error
	if err := check(C.pali_adapter_load(&out, model, cpath, &cerr), &cerr); err != nil {
		return nil, err
	}
	free := func(p unsafe.Pointer) { C.pali_adapter_free((*C.pali_adapter)(p)) }
	return &Adapter{newHandle(unsafe.Pointer(out), free)}, nil
}

func (a *Adapter) base() *handle {
	if a == nil {
		return nil
	}
	return a.h
}

// Close gives the adapter's memory back.
func (a *Adapter) Close() error { return closeObject(a) }

// Count is how many weights the adapter covers.
func (a *Adapter) Count() (int, error) {
	f := new(frame)
	defer f.end()
	adapter := (*C.pali_adapter)(f.shared(a))
	if f.err != nil {
		return 0, f.err
	}
	return int(C.pali_adapter_count(adapter)), nil
}

// Rank is the largest rank among them.
func (a *Adapter) Rank() (int, error) {
	f := new(frame)
	defer f.end()
	adapter := (*C.pali_adapter)(f.shared(a))
	if f.err != nil {
		return 0, f.err
	}
	return int(C.pali_adapter_rank(adapter)), nil
}

// A Machine is what this machine can do at the most: the limits that a model's speed is compared with.
type Machine struct {
	Threads              int
	GEMMDType            DType  // of the factors of large products with weights that are not quantized
	InstructionSet       string // of the kernels, such as "avx2"
	ReadBytesPerSecond   float64
	VisionFLOPPerSecond  float64 // oneDNN on the products of the tower …
	DecoderFLOPPerSecond float64 // … and of the decoder
	VisionBytes          int64   // of the weights that one picture needs, as they lie in memory
	DecoderBytes         int64   // of those that one token needs, the head's among them
	VisionGEMMDType      DType   // as GEMMDType, of the tower's blocks: Int8 where inputs are rounded to it
	DecoderGEMMDType     DType   // of the decoder's
}

// MeasureMachine measures for about a second, on the model's own shapes with prompts of nTokens.
func (m *Model) MeasureMachine(nTokens int) (Machine, error) {
	f := new(frame)
	defer f.end()
	model := (*C.pali_model)(f.shared(m))
	machine := new(C.pali_machine)
	C.pali_machine_init(machine)
	err := newCall(context.Background(), f).run(func(unsafe.Pointer) error {
		var cerr *C.pali_error
		return check(C.pali_machine_measure(machine, model, C.int64_t(nTokens), &cerr), &cerr)
	})
	if err != nil {
		return Machine{}, err
	}
	return Machine{
		Threads:              int(machine.threads),
		GEMMDType:            DType(machine.gemm_dtype),
		InstructionSet:       C.GoString(machine.instruction_set),
		ReadBytesPerSecond:   float64(machine.read_bytes_per_s),
		VisionFLOPPerSecond:  float64(machine.vision_flops_per_s),
		DecoderFLOPPerSecond: float64(machine.decoder_flops_per_s),
		VisionBytes:          int64(machine.vision_bytes),
		DecoderBytes:         int64(machine.decoder_bytes),
		VisionGEMMDType:      DType(machine.vision_gemm_dtype),
		DecoderGEMMDType:     DType(machine.decoder_gemm_dtype),
	}, nil
}
