// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"context"
	"unsafe"
)

// HubPath finds the directory of a hub id ("google/paligemma2-3b-mix-224") at a revision ("": main) in the Hugging Face
// cache. Nothing is downloaded: [ErrIO] says which command fetches it.
func HubPath(id, revision string) (string, error) {
	f := new(frame)
	defer f.end()
	cid, crevision := f.text(id), f.optionalText(revision)
	if f.err != nil {
		return "", f.err
	}
	var path *C.char
	var cerr *C.pali_error
	if err := check(C.pali_hub_path(&path, cid, crevision, &cerr), &cerr); err != nil {
		return "", err
	}
	return takeText(path), nil
}

// A Checkpoint is the tensors of a checkpoint directory, mapped.
type Checkpoint struct{ h *handle }

// OpenCheckpoint maps model.safetensors, or the shards that its index names, in the directory path.
func OpenCheckpoint(path string) (*Checkpoint, error) {
	f := new(frame)
	defer f.end()
	cpath := f.text(path)
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_checkpoint
	var cerr *C.pali_error
	if err := check(C.pali_checkpoint_open(&out, cpath, &cerr), &cerr); err != nil {
		return nil, err
	}
	free := func(p unsafe.Pointer) { C.pali_checkpoint_free((*C.pali_checkpoint)(p)) }
	return &Checkpoint{newHandle(unsafe.Pointer(out), free)}, nil
}

func (c *Checkpoint) base() *handle {
	if c == nil {
		return nil
	}
	return c.h
}

// Close unmaps the files.
func (c *Checkpoint) Close() error { return closeObject(c) }

// A TensorInfo is what a file says of a tensor.
type TensorInfo struct {
	Name  string
	DType DType
	Shape []int
}

// Tensors lists the tensors, sorted by name.
func (c *Checkpoint) Tensors() ([]TensorInfo, error) {
	f := new(frame)
	defer f.end()
	checkpoint := (*C.pali_checkpoint)(f.shared(c))
	if f.err != nil {
		return nil, f.err
	}
	list := make([]TensorInfo, int(C.pali_checkpoint_count(checkpoint)))
	for i := range list {
		var tensor C.pali_tensor
		var cerr *C.pali_error
		if err := check(C.pali_checkpoint_tensor(checkpoint, C.size_t(i), &tensor, &cerr), &cerr); err != nil {
			return nil, err
		}
		list[i] = TensorInfo{
			Name:  C.GoString(C.pali_checkpoint_name(checkpoint, C.size_t(i))),
			DType: DType(tensor.dtype),
			Shape: make([]int, int(tensor.rank)),
		}
		for n := range list[i].Shape {
			list[i].Shape[n] = int(tensor.shape[n])
		}
	}
	return list, nil
}

// Tensor returns a copy of tensor number index of [Checkpoint.Tensors].
func (c *Checkpoint) Tensor(index int) (*Tensor, error) {
	f := new(frame)
	defer f.end()
	checkpoint := (*C.pali_checkpoint)(f.shared(c))
	if index < 0 {
		f.fail(argumentError("a negative index"))
	}
	if f.err != nil {
		return nil, f.err
	}
	var tensor C.pali_tensor
	var cerr *C.pali_error
	if err := check(C.pali_checkpoint_tensor(checkpoint, C.size_t(index), &tensor, &cerr), &cerr); err != nil {
		return nil, err
	}
	return copyTensor(&tensor), nil
}

// SizeBytes is that of all the files together.
func (c *Checkpoint) SizeBytes() (int64, error) {
	f := new(frame)
	defer f.end()
	checkpoint := (*C.pali_checkpoint)(f.shared(c))
	if f.err != nil {
		return 0, f.err
	}
	return int64(C.pali_checkpoint_size(checkpoint)), nil
}

// Compare tells which tensors config needs and the files lack (or have in another shape), and which nobody needs.
func (c *Checkpoint) Compare(config *Config) (missing, unexpected []string, err error) {
	f := new(frame)
	defer f.end()
	checkpoint, cconfig := (*C.pali_checkpoint)(f.shared(c)), config.borrow(f)
	if f.err != nil {
		return nil, nil, f.err
	}
	var lack, extra *C.char
	var cerr *C.pali_error
	err = check(C.pali_checkpoint_compare(checkpoint, cconfig, &lack, &extra, &cerr), &cerr)
	if err != nil {
		return nil, nil, err
	}
	return split(takeText(lack)), split(takeText(extra)), nil
}

// A NameStyle is how tensors are named, by the release of Transformers that names them so.
type NameStyle int

const (
	NamesTransformers4 NameStyle = C.PALI_NAMES_TRANSFORMERS_4 // as the files on the hub; every release opens it
	NamesTransformers5 NameStyle = C.PALI_NAMES_TRANSFORMERS_5
	NamesModules4      NameStyle = C.PALI_NAMES_MODULES_4
	NamesModules5      NameStyle = C.PALI_NAMES_MODULES_5
)

// SaveOptions say how a checkpoint is written.
type SaveOptions struct {
	DType         DType                                // Float32, BFloat16 or Float16, of all weights; 0: each as it is
	NameStyle     NameStyle                            // 0: NamesTransformers4
	MaxShardSize  int64                                // bytes of weights in a file; 0: 5·10^9
	WriteTiedHead bool                                 // write the head although it is tied to the embedding
	Adapters      []AdapterMerge                       // LoRA adapters whose updates are added to the weights
	OnProgress    func(stage string, fraction float64) // stage is "save"
}

// SaveCheckpoint writes the checkpoint directory inDir anew as outDir, which must not exist or be empty. options may be
// nil.
func SaveCheckpoint(ctx context.Context, inDir, outDir string, options *SaveOptions) error {
	f := new(frame)
	defer f.end()
	c, in, out := newCall(ctx, f), f.text(inDir), f.text(outDir)
	o := new(C.pali_save_options)
	C.pali_save_options_init(o)
	if options != nil {
		c.progress = options.OnProgress
		o.dtype = C.pali_dtype(options.DType)
		o.name_style = C.pali_name_style(options.NameStyle)
		o.max_shard_size = C.int64_t(options.MaxShardSize)
		o.write_tied_head = flag(options.WriteTiedHead)
		o.adapters, o.adapter_scales, o.n_adapters = f.adapters(options.Adapters)
	}
	return c.run(func(user unsafe.Pointer) error {
		o.progress, o.progress_user = C.pali_progress_fn(C.pali_go_progress), user
		var cerr *C.pali_error
		return check(C.pali_checkpoint_save(in, out, o, &cerr), &cerr)
	})
}
