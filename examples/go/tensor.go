// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// A DType is the type of a tensor's elements.
type DType int

const (
	Float32  DType = C.PALI_FLOAT32
	BFloat16 DType = C.PALI_BFLOAT16
	Float16  DType = C.PALI_FLOAT16
	Float64  DType = C.PALI_FLOAT64
	Int64    DType = C.PALI_INT64
	Int32    DType = C.PALI_INT32
	Int16    DType = C.PALI_INT16
	Int8     DType = C.PALI_INT8
	Uint8    DType = C.PALI_UINT8
	Bool     DType = C.PALI_BOOL
)

// String returns the name that PyTorch has for it, such as "bfloat16".
func (d DType) String() string { return C.GoString(C.pali_dtype_name(C.pali_dtype(d))) }

// Size is the number of bytes of an element; 0 for an unknown type.
func (d DType) Size() int { return int(C.pali_dtype_size(C.pali_dtype(d))) }

// An Element is a Go type that tensors hold. uint16 stands for the bits of bfloat16 and float16.
type Element interface {
	float32 | float64 | int64 | int32 | int16 | int8 | uint8 | bool | uint16
}

// A Tensor is an array in Go's memory, row-major.
type Tensor struct {
	dtype DType
	shape []int
	data  any // a slice of the Element that dtype names
}

// NewTensor makes a tensor of data, which it keeps, and shape. It panics where their sizes differ.
func NewTensor[T Element](data []T, shape ...int) *Tensor {
	return newTensor(dtypeOf(data), data, shape)
}

// NewTensor16 is NewTensor for dtype BFloat16 or Float16, whose elements are given as their bits.
func NewTensor16(dtype DType, bits []uint16, shape ...int) *Tensor {
	if dtype != BFloat16 && dtype != Float16 {
		panic(fmt.Sprintf("paligemma: %v has no elements of 16 bits without a Go type", dtype))
	}
	return newTensor(dtype, bits, shape)
}

func newTensor[T Element](dtype DType, data []T, shape []int) *Tensor {
	count := 1
	for _, size := range shape {
		if size < 0 {
			panic(fmt.Sprintf("paligemma: shape %v has a negative size", shape))
		}
		count *= size
	}
	if count != len(data) || len(shape) > C.PALI_MAX_RANK {
		panic(fmt.Sprintf("paligemma: %d values do not make a tensor of shape %v", len(data), shape))
	}
	return &Tensor{dtype, append([]int{}, shape...), data}
}

func dtypeOf(data any) DType {
	switch data.(type) {
	case []float32:
		return Float32
	case []float64:
		return Float64
	case []int64:
		return Int64
	case []int32:
		return Int32
	case []int16:
		return Int16
	case []int8:
		return Int8
	case []uint8:
		return Uint8
	case []bool:
		return Bool
	}
	panic("paligemma: uint16 is bfloat16 or float16: say which with NewTensor16")
}

// DType is the type of the elements.
func (t *Tensor) DType() DType { return t.dtype }

// Shape is a copy of the sizes.
func (t *Tensor) Shape() []int { return append([]int{}, t.shape...) }

// Len is the number of elements.
func (t *Tensor) Len() int {
	count := 1
	for _, size := range t.shape {
		count *= size
	}
	return count
}

// String describes the tensor, as "float32[1 3 224 224]".
func (t *Tensor) String() string { return fmt.Sprintf("%v%v", t.dtype, t.shape) }

// Values returns the elements, which share the tensor's memory. Asking for another type than the tensor's is
// [ErrArgument]; nothing is converted.
func Values[T Element](t *Tensor) ([]T, error) {
	if values, ok := t.data.([]T); ok {
		return values, nil
	}
	return nil, argumentError(fmt.Sprintf("a tensor of %v has no values of type %T", t.dtype, *new(T)))
}

// data returns what C needs to know: where the elements are, their type, and the shape. The pointers are into Go memory,
// to be passed to C as they are and to be stored nowhere.
func (t *Tensor) c() (data unsafe.Pointer, dtype C.pali_dtype, rank C.int32_t, shape *C.int64_t) {
	sizes := make([]C.int64_t, C.PALI_MAX_RANK)
	for i, size := range t.shape {
		sizes[i] = C.int64_t(size)
	}
	switch values := t.data.(type) {
	case []float32:
		data = first(values)
	case []float64:
		data = first(values)
	case []int64:
		data = first(values)
	case []int32:
		data = first(values)
	case []int16:
		data = first(values)
	case []int8:
		data = first(values)
	case []uint8:
		data = first(values)
	case []uint16:
		data = first(values)
	case []bool:
		data = first(values)
	}
	return data, C.pali_dtype(t.dtype), C.int32_t(len(t.shape)), &sizes[0]
}

// first is where values begin; that of an empty slice is some address that is not read.
func first[T Element](values []T) unsafe.Pointer {
	if len(values) == 0 {
		values = make([]T, 1)
	}
	return unsafe.Pointer(&values[0])
}

// copyTensor copies a tensor that the library lent.
func copyTensor(c *C.pali_tensor) *Tensor {
	t := &Tensor{dtype: DType(c.dtype), shape: make([]int, int(c.rank))}
	for i := range t.shape {
		t.shape[i] = int(c.shape[i])
	}
	n := t.Len()
	switch t.dtype {
	case Float32:
		t.data = copyValues[float32](c.data, n)
	case Float64:
		t.data = copyValues[float64](c.data, n)
	case Int64:
		t.data = copyValues[int64](c.data, n)
	case Int32:
		t.data = copyValues[int32](c.data, n)
	case Int16:
		t.data = copyValues[int16](c.data, n)
	case Int8:
		t.data = copyValues[int8](c.data, n)
	case Uint8:
		t.data = copyValues[uint8](c.data, n)
	case BFloat16, Float16:
		t.data = copyValues[uint16](c.data, n)
	case Bool:
		bools := make([]bool, n)
		for i, b := range copyValues[uint8](c.data, n) {
			bools[i] = b != 0
		}
		t.data = bools
	}
	return t
}

// copyValues copies bytes, so that it does not matter how the data are aligned (in a mapped file they may not be).
func copyValues[T Element](data unsafe.Pointer, n int) []T {
	values := make([]T, n)
	if n > 0 {
		size := n * int(unsafe.Sizeof(values[0]))
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), size), unsafe.Slice((*byte)(data), size))
	}
	return values
}
