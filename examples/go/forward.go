// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"context"
	"fmt"
	"unsafe"
)

// ForwardOptions say what a pass takes and returns.
type ForwardOptions struct {
	Cache         *Cache         // read and extended by this pass
	CachePosition *int           // slot of the cache where this pass begins; nil: behind all it holds
	Features      *ImageFeatures // instead of pixel_values
	PrefixLength  *int           // without token_type_ids: so many leading tokens are prefix; nil: see the C header
	Adapter       *Adapter
	AdapterScale  *float64 // times the adapter's own scale; nil: 1
	Threads       int      // for this pass; 0: the model's number

	LogitsToKeep             int   // the last so many positions; 0: all
	LogitsIndex              []int // positions to keep instead; negative ones count from the end
	OutputHiddenStates       bool
	OutputAttentions         bool  // of all layers and heads, or of these:
	AttentionLayers          []int // nil: all
	AttentionHeads           []int // nil: all
	ImageStatesDivided       bool  // image_hidden_states divided by sqrt(hidden) (Transformers before 5.4)
	OutputVisionHiddenStates bool
	OnProgress               func(stage string, fraction float64)
}

func (o *ForwardOptions) c(f *frame) *C.pali_forward_options {
	c := new(C.pali_forward_options)
	C.pali_forward_options_init(c)
	if o == nil {
		return c
	}
	c.cache = (*C.pali_cache)(f.alone(o.Cache))
	setInt64(&c.cache_position, o.CachePosition)
	c.features = (*C.pali_image_features)(f.shared(o.Features))
	setInt64(&c.prefix_length, o.PrefixLength)
	c.adapter = (*C.pali_adapter)(f.shared(o.Adapter))
	setDouble(&c.adapter_scale, o.AdapterScale)
	c.threads = clampInt32(o.Threads)

	c.logits_to_keep = C.int64_t(o.LogitsToKeep)
	c.logits_index, c.n_logits_index = f.ints(o.LogitsIndex), C.size_t(len(o.LogitsIndex))
	c.output_hidden_states = flag(o.OutputHiddenStates)
	c.output_attentions = flag(o.OutputAttentions)
	c.attention_layers, c.n_attention_layers = f.ints(o.AttentionLayers), C.size_t(len(o.AttentionLayers))
	c.attention_heads, c.n_attention_heads = f.ints(o.AttentionHeads), C.size_t(len(o.AttentionHeads))
	c.image_states_divided = flag(o.ImageStatesDivided)
	c.output_vision_hidden_states = flag(o.OutputVisionHiddenStates)
	return c
}

// Forward makes one pass over the tensors in inputs. Its outputs are logits, loss and token_loss with labels,
// last_hidden_state, image_hidden_states, and when asked for hidden_states.N, attentions.N and vision_hidden_states.N.
// options may be nil.
func (m *Model) Forward(ctx context.Context, inputs *Inputs, options *ForwardOptions) (*Outputs, error) {
	f := new(frame)
	defer f.end()
	c, model := newCall(ctx, f), (*C.pali_model)(f.shared(m))
	in, o := (*C.pali_inputs)(f.needed(inputs, "the inputs")), options.c(f)
	if options != nil {
		c.progress = options.OnProgress
	}
	var out *C.pali_outputs
	var made *Outputs
	err := c.run(func(user unsafe.Pointer) (err error) {
		o.progress, o.progress_user = C.pali_progress_fn(C.pali_go_progress), user
		var cerr *C.pali_error
		err = check(C.pali_model_forward(&out, model, in, o, &cerr), &cerr)
		made, err = takeOutputs(&out, err)
		return err
	})
	return made, err
}

// Outputs are what a pass returned: named tensors, all float32.
type Outputs struct{ h *handle }

func takeOutputs(made **C.pali_outputs, err error) (*Outputs, error) {
	if err != nil {
		return nil, err
	}
	out := *made
	free := func(p unsafe.Pointer) { C.pali_outputs_free((*C.pali_outputs)(p)) }
	return &Outputs{newHandle(unsafe.Pointer(out), free)}, nil
}

func (o *Outputs) base() *handle {
	if o == nil {
		return nil
	}
	return o.h
}

// Close gives the outputs' memory back.
func (o *Outputs) Close() error { return closeObject(o) }

// Names returns the tensors' names.
func (o *Outputs) Names() ([]string, error) {
	f := new(frame)
	defer f.end()
	outputs := (*C.pali_outputs)(f.shared(o))
	if f.err != nil {
		return nil, f.err
	}
	names := make([]string, int(C.pali_outputs_count(outputs)))
	for i := range names {
		names[i] = C.GoString(C.pali_outputs_name(outputs, C.size_t(i)))
	}
	return names, nil
}

// lend finds a tensor, which is borrowed as long as the frame lasts.
func (o *Outputs) lend(f *frame, name string) *C.pali_tensor {
	outputs, cname := (*C.pali_outputs)(f.shared(o)), f.text(name)
	if f.err != nil {
		return nil
	}
	tensor := C.pali_outputs_get(outputs, cname)
	if tensor == nil {
		f.fail(argumentError(fmt.Sprintf("the outputs have no tensor %q", name)))
	}
	return tensor
}

// Tensor returns a copy of the tensor of that name; [ErrArgument] if there is none.
func (o *Outputs) Tensor(name string) (*Tensor, error) {
	f := new(frame)
	defer f.end()
	tensor := o.lend(f, name)
	if f.err != nil {
		return nil, f.err
	}
	return copyTensor(tensor), nil
}

// View calls use with the values of a tensor where they lie, without copying them, and its shape. They are valid until
// use returns, and are not to be changed.
func (o *Outputs) View(name string, use func(values []float32, shape []int) error) error {
	f := new(frame)
	defer f.end()
	tensor := o.lend(f, name)
	if f.err != nil {
		return f.err
	}
	if tensor.dtype != C.PALI_FLOAT32 {
		return argumentError(fmt.Sprintf("the tensor %q is not float32", name))
	}
	shape := make([]int, int(tensor.rank))
	for i := range shape {
		shape[i] = int(tensor.shape[i])
	}
	count := int(C.pali_tensor_count(tensor))
	if count == 0 {
		return use(nil, shape)
	}
	return use(unsafe.Slice((*float32)(tensor.data), count), shape)
}

// Save writes all tensors to a safetensors file.
func (o *Outputs) Save(path string) error {
	f := new(frame)
	defer f.end()
	outputs, cpath := (*C.pali_outputs)(f.shared(o)), f.text(path)
	if f.err != nil {
		return f.err
	}
	var cerr *C.pali_error
	return check(C.pali_outputs_save(outputs, cpath, &cerr), &cerr)
}
