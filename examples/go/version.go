// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #cgo pkg-config: paligemma
// #include "bridge.h"
import "C"

// Version is the version of the C library that runs, as "major.minor.patch".
func Version() string { return C.GoString(C.pali_version()) }

// Ptr returns a pointer to a copy of value, for the fields of options that are pointers.
func Ptr[T any](value T) *T { return &value }
