// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// A Mask says which keys each query sees, in each layer.
type Mask struct{ h *handle }

// MaskOptions say of which pass the mask is.
type MaskOptions struct {
	PrefixLength *int // as in ForwardOptions
	PastLength   int  // so many leading tokens are in a cache already: the mask has rows only for the others
}

// NewMask makes the mask of a pass over inputs; no weights are needed. options may be nil.
func NewMask(config *Config, inputs *Inputs, options *MaskOptions) (*Mask, error) {
	f := new(frame)
	defer f.end()
	cconfig, in := config.borrow(f), (*C.pali_inputs)(f.needed(inputs, "the inputs"))
	var o C.pali_mask_options
	C.pali_mask_options_init(&o)
	if options != nil {
		setInt64(&o.prefix_length, options.PrefixLength)
		o.past_length = C.int64_t(options.PastLength)
	}
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_mask
	var cerr *C.pali_error
	if err := check(C.pali_mask_create(&out, cconfig, in, &o, &cerr), &cerr); err != nil {
		return nil, err
	}
	return &Mask{newHandle(unsafe.Pointer(out), func(p unsafe.Pointer) { C.pali_mask_free((*C.pali_mask)(p)) })}, nil
}

func (m *Mask) base() *handle {
	if m == nil {
		return nil
	}
	return m.h
}

// Close gives the mask's memory back.
func (m *Mask) Close() error { return closeObject(m) }

// Layer returns a copy of the mask of a decoder layer, [batch, queries, keys] uint8, 1 where the query sees the key.
func (m *Mask) Layer(layer int) (*Tensor, error) {
	f := new(frame)
	defer f.end()
	mask := (*C.pali_mask)(f.shared(m))
	if f.err != nil {
		return nil, f.err
	}
	tensor := C.pali_mask_layer(mask, C.int64_t(layer))
	if tensor == nil {
		return nil, argumentError(fmt.Sprintf("there is no decoder layer %d", layer))
	}
	return copyTensor(tensor), nil
}

// Window is that of a decoder layer, in tokens; 0: none, or no such layer.
func (m *Mask) Window(layer int) (int, error) {
	f := new(frame)
	defer f.end()
	mask := (*C.pali_mask)(f.shared(m))
	if f.err != nil {
		return 0, f.err
	}
	return int(C.pali_mask_window(mask, C.int64_t(layer))), nil
}

// MaskTextOptions say what is shown.
type MaskTextOptions struct {
	Row            int  // of the batch
	Layer          *int // nil: full and sliding layers side by side
	TokensPerImage *int // show this many of a picture's tokens; 0: all; nil: 5
	Color          bool // ANSI escapes
}

// Text is the mask in the form of Transformers' AttentionMaskVisualizer. options may be nil.
func (m *Mask) Text(options *MaskTextOptions) (string, error) {
	f := new(frame)
	defer f.end()
	mask := (*C.pali_mask)(f.shared(m))
	var o C.pali_mask_text_options
	C.pali_mask_text_options_init(&o)
	if options != nil {
		o.row = C.int64_t(options.Row)
		setInt64(&o.layer, options.Layer)
		setInt64(&o.tokens_per_image, options.TokensPerImage)
		o.color = flag(options.Color)
	}
	if f.err != nil {
		return "", f.err
	}
	var text *C.char
	var cerr *C.pali_error
	if err := check(C.pali_mask_text(&text, mask, &o, &cerr), &cerr); err != nil {
		return "", err
	}
	return takeText(text), nil
}

// Image is the mask of one row and layer as a picture, scale pixels for each query and key; 0: as large as is handy.
func (m *Mask) Image(row, layer, scale int) (*Image, error) {
	f := new(frame)
	defer f.end()
	mask := (*C.pali_mask)(f.shared(m))
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_image
	var cerr *C.pali_error
	status := C.pali_mask_image(&out, mask, C.int64_t(row), C.int64_t(layer), clampInt32(scale), &cerr)
	return takeImage(&out, check(status, &cerr))
}

// HeatMapOptions say whose attention it is.
type HeatMapOptions struct {
	Row    int   // of the batch
	Image  int   // which of the row's pictures
	Query  *int  // the token that looks, by its position in the pass; negative ones count from the end; nil: -1
	Layers []int // mean over these; nil: over all that outputs have
	Heads  []int // mean over these; nil: over all that outputs have
}

// HeatMap tells how much of one token's attention falls on each patch of a picture: [grid, grid] float32, from the
// attentions in outputs of a pass over inputs. options may be nil.
func HeatMap(config *Config, inputs *Inputs, outputs *Outputs, options *HeatMapOptions) (*Tensor, error) {
	f := new(frame)
	defer f.end()
	cconfig, in := config.borrow(f), (*C.pali_inputs)(f.needed(inputs, "the inputs"))
	couts := (*C.pali_outputs)(f.needed(outputs, "the outputs"))
	var o C.pali_heat_map_options
	C.pali_heat_map_options_init(&o)
	if options != nil {
		o.row, o.image = C.int64_t(options.Row), C.int64_t(options.Image)
		setInt64(&o.query, options.Query)
		o.layers, o.n_layers = f.ints(options.Layers), C.size_t(len(options.Layers))
		o.heads, o.n_heads = f.ints(options.Heads), C.size_t(len(options.Heads))
	}
	if f.err != nil {
		return nil, f.err
	}
	var values *C.float
	var grid C.int64_t
	var cerr *C.pali_error
	if err := check(C.pali_heat_map(&values, &grid, cconfig, in, couts, &o, &cerr), &cerr); err != nil {
		return nil, err
	}
	defer C.pali_free(unsafe.Pointer(values))
	side := int(grid)
	return NewTensor(copyValues[float32](unsafe.Pointer(values), side*side), side, side), nil
}

// DrawMap lays a map, [rows, columns] float32, over the picture: from clear where it is 0 to glowing where it is largest,
// opacity 0…1 there.
func (i *Image) DrawMap(heat *Tensor, opacity float64) error {
	values, err := Values[float32](heat)
	if err != nil {
		return err
	}
	if len(heat.shape) != 2 || len(values) == 0 {
		return &Error{Code: ErrShape, Message: fmt.Sprintf("a map is [rows, columns], not %v", heat)}
	}
	f := new(frame)
	defer f.end()
	picture := (*C.pali_image)(f.alone(i))
	if f.err != nil {
		return f.err
	}
	var cerr *C.pali_error
	status := C.pali_image_draw_map(picture, (*C.float)(&values[0]), C.int64_t(heat.shape[0]), C.int64_t(heat.shape[1]),
		C.double(opacity), &cerr)
	return check(status, &cerr)
}
