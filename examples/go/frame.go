// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"runtime"
	"strings"
	"unsafe"
)

// A frame is what one call of the library borrows: objects, and Go's strings and arrays copied to C memory, since
// structs and arrays that are passed to C may hold no pointers to Go memory. The first failure is kept; what comes after
// it is nil.
type frame struct {
	held   []*handle
	blocks []unsafe.Pointer
	err    error
}

// An object is any of this package's types that holds a handle; base of a nil pointer is nil.
type object interface{ base() *handle }

// end gives everything back. It is deferred, so that all that the call used is alive until after it.
func (f *frame) end() {
	for _, h := range f.held {
		h.release()
		runtime.KeepAlive(h)
	}
	for _, block := range f.blocks {
		C.free(block)
	}
	f.held, f.blocks = nil, nil
}

func (f *frame) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

func (f *frame) acquire(o object, exclusive bool) unsafe.Pointer {
	h := o.base()
	if h == nil || f.err != nil {
		return nil
	}
	pointer, err := h.acquire(exclusive)
	if err != nil {
		f.fail(err)
		return nil
	}
	f.held = append(f.held, h)
	return pointer
}

// shared borrows an object that the call does not change; nil for a nil one.
func (f *frame) shared(o object) unsafe.Pointer { return f.acquire(o, false) }

// alone borrows an object that the call may change; nil for a nil one.
func (f *frame) alone(o object) unsafe.Pointer { return f.acquire(o, true) }

// needed is shared for an object that must be there.
func (f *frame) needed(o object, what string) unsafe.Pointer {
	if o.base() == nil {
		f.fail(argumentError(what + " is nil"))
	}
	return f.shared(o)
}

// alloc returns zeroed C memory for count elements, at least one, so that it is not nil.
func (f *frame) alloc(count int, size uintptr) unsafe.Pointer {
	if count < 1 {
		count = 1
	}
	bytes := uintptr(count) * size
	block := C.malloc(C.size_t(bytes)) // cgo ends the program where there is no memory, as Go does for its own
	C.memset(block, 0, C.size_t(bytes))
	f.blocks = append(f.blocks, block)
	return block
}

// text copies a string, which must have no NUL in it.
func (f *frame) text(s string) *C.char {
	if strings.IndexByte(s, 0) >= 0 {
		f.fail(argumentError("a text with a NUL character in it"))
		return nil
	}
	block := f.alloc(len(s)+1, 1)
	copy(unsafe.Slice((*byte)(block), len(s)), s)
	return (*C.char)(block)
}

// optionalText is text, or nil for "".
func (f *frame) optionalText(s string) *C.char {
	if s == "" {
		return nil
	}
	return f.text(s)
}

// texts copies strings; nil for nil.
func (f *frame) texts(list []string) **C.char {
	if list == nil {
		return nil
	}
	block := (**C.char)(f.alloc(len(list), unsafe.Sizeof((*C.char)(nil))))
	for i, s := range list {
		unsafe.Slice(block, len(list))[i] = f.text(s)
	}
	return block
}

// int64s copies numbers; nil for nil, but not for an empty slice.
func (f *frame) int64s(list []int64) *C.int64_t {
	if list == nil {
		return nil
	}
	block := (*C.int64_t)(f.alloc(len(list), 8))
	for i, n := range list {
		unsafe.Slice(block, len(list))[i] = C.int64_t(n)
	}
	return block
}

// ints is int64s for Go's own integers.
func (f *frame) ints(list []int) *C.int64_t {
	if list == nil {
		return nil
	}
	block := (*C.int64_t)(f.alloc(len(list), 8))
	for i, n := range list {
		unsafe.Slice(block, len(list))[i] = C.int64_t(n)
	}
	return block
}

// float64s copies numbers; nil for nil.
func (f *frame) float64s(list []float64) *C.double {
	if list == nil {
		return nil
	}
	block := (*C.double)(f.alloc(len(list), 8))
	for i, n := range list {
		unsafe.Slice(block, len(list))[i] = C.double(n)
	}
	return block
}

// tokenLists copies lists of token ids.
func (f *frame) tokenLists(lists [][]int64) *C.pali_token_list {
	if len(lists) == 0 {
		return nil
	}
	block := (*C.pali_token_list)(f.alloc(len(lists), C.sizeof_pali_token_list))
	for i, ids := range lists {
		if ids == nil {
			ids = []int64{}
		}
		unsafe.Slice(block, len(lists))[i] = C.pali_token_list{ids: f.int64s(ids), n_ids: C.size_t(len(ids))}
	}
	return block
}

// images borrows pictures and makes the array of them; nil for none.
func (f *frame) images(list []*Image) **C.pali_image {
	if len(list) == 0 {
		return nil
	}
	block := (**C.pali_image)(f.alloc(len(list), unsafe.Sizeof((*C.pali_image)(nil))))
	for i, picture := range list {
		unsafe.Slice(block, len(list))[i] = (*C.pali_image)(f.needed(picture, "a picture"))
	}
	return block
}

// takeText copies a string that the library made, and frees it.
func takeText(text *C.char) string {
	s := C.GoString(text)
	C.pali_free(unsafe.Pointer(text))
	return s
}

// goInt64s copies n numbers out of C memory; nil for nil.
func goInt64s(data *C.int64_t, n C.size_t) []int64 {
	if data == nil {
		return nil
	}
	list := make([]int64, int(n))
	for i, value := range unsafe.Slice(data, int(n)) {
		list[i] = int64(value)
	}
	return list
}

// flag is a Go bool as an int32_t.
func flag(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}

// setDouble and setInt64 set a field from an option that is a pointer.
func setDouble(field *C.double, value *float64) {
	if value != nil {
		*field = C.double(*value)
	}
}

func setInt64(field *C.int64_t, value *int) {
	if value != nil {
		*field = C.int64_t(*value)
	}
}

// split returns the lines that the library joined to one text.
func split(lines string) []string {
	lines = strings.TrimSuffix(lines, "\n")
	if lines == "" {
		return nil
	}
	return strings.Split(lines, "\n")
}
