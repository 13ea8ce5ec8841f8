// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import "unsafe"

// A Config is a checkpoint's configuration: the fields of config.json, generation_config.json, preprocessor_config.json
// and tokenizer_config.json, with Transformers' defaults for what they leave out.
type Config struct {
	h     *handle // owns a pali_config; nil if the configuration is a model's
	model *Model  // whose configuration it is
}

// LoadConfig reads the configuration of the checkpoint directory path.
func LoadConfig(path string) (*Config, error) {
	f := new(frame)
	defer f.end()
	cpath := f.text(path)
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_config
	var cerr *C.pali_error
	if err := check(C.pali_config_load(&out, cpath, &cerr), &cerr); err != nil {
		return nil, err
	}
	free := func(p unsafe.Pointer) { C.pali_config_free((*C.pali_config)(p)) }
	return &Config{h: newHandle(unsafe.Pointer(out), free)}, nil
}

func (c *Config) base() *handle {
	switch {
	case c == nil:
		return nil
	case c.model != nil:
		return c.model.h
	}
	return c.h
}

// borrow returns the configuration, as long as the frame lasts.
func (c *Config) borrow(f *frame) *C.pali_config {
	p := f.needed(c, "the configuration")
	if p == nil || c.model == nil {
		return (*C.pali_config)(p)
	}
	return C.pali_model_config((*C.pali_model)(p))
}

// Close ends a configuration; one of a model lasts as long as the model, and is left alone.
func (c *Config) Close() error {
	if c != nil && c.model != nil {
		return nil
	}
	return closeObject(c)
}

// Names returns the names of all fields, in the dotted form of Transformers' attributes.
func (c *Config) Names() ([]string, error) {
	f := new(frame)
	defer f.end()
	config := c.borrow(f)
	if f.err != nil {
		return nil, f.err
	}
	names := make([]string, int(C.pali_config_count(config)))
	for i := range names {
		names[i] = C.GoString(C.pali_config_name(config, C.size_t(i)))
	}
	return names, nil
}

// Int returns an integer field such as "text_config.hidden_size"; a boolean is 0 or 1. A field that is unset, or of
// another kind, is [ErrArgument].
func (c *Config) Int(name string) (int64, error) {
	f := new(frame)
	defer f.end()
	config, cname := c.borrow(f), f.text(name)
	if f.err != nil {
		return 0, f.err
	}
	var value C.int64_t
	var cerr *C.pali_error
	err := check(C.pali_config_get_int(config, cname, &value, &cerr), &cerr)
	return int64(value), err
}

// Float returns a field that is a number.
func (c *Config) Float(name string) (float64, error) {
	f := new(frame)
	defer f.end()
	config, cname := c.borrow(f), f.text(name)
	if f.err != nil {
		return 0, f.err
	}
	var value C.double
	var cerr *C.pali_error
	err := check(C.pali_config_get_float(config, cname, &value, &cerr), &cerr)
	return float64(value), err
}

// Text returns a field that is a string.
func (c *Config) Text(name string) (string, error) {
	f := new(frame)
	defer f.end()
	config, cname := c.borrow(f), f.text(name)
	if f.err != nil {
		return "", f.err
	}
	var value *C.char
	var cerr *C.pali_error
	if err := check(C.pali_config_get_string(config, cname, &value, &cerr), &cerr); err != nil {
		return "", err
	}
	return C.GoString(value), nil
}
