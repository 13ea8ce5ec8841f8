// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// These run on the library's thread, with its frames beneath them (bridge.c calls them). They return 0 to go on.

func callOf(user unsafe.Pointer) *call { return (*(*cgo.Handle)(user)).Value().(*call) }

func answer(goOn bool) C.int {
	if goOn {
		return 0
	}
	return 1
}

//export paliGoProgress
func paliGoProgress(user unsafe.Pointer, stage *C.char, fraction C.double) C.int {
	c := callOf(user)
	if c.stopped() || c.progress == nil {
		return answer(!c.stopped())
	}
	name := C.GoString(stage)
	return answer(c.ask(func() bool {
		c.progress(name, float64(fraction))
		return true
	}) && !c.stopped())
}

//export paliGoToken
func paliGoToken(user unsafe.Pointer, row C.int64_t, id C.int64_t, text *C.char) C.int {
	c := callOf(user)
	if c.stopped() || c.token == nil && c.endRow == nil {
		return answer(!c.stopped())
	}
	token, end := Token{Row: int(row), ID: int64(id), Text: C.GoString(text)}, false
	goOn := c.ask(func() bool {
		if c.token != nil && !c.token(token) {
			return false
		}
		end = c.endRow != nil && c.endRow(token)
		return true
	}) && !c.stopped()
	if goOn && end {
		return C.PALI_END_ROW
	}
	return answer(goOn)
}

//export paliGoTokenMask
func paliGoTokenMask(user unsafe.Pointer, row C.int64_t, ids *C.int64_t, nIDs C.size_t, allowed *C.uint8_t,
	vocabSize C.int64_t) C.int {
	c := callOf(user)
	if c.stopped() {
		return answer(false)
	}
	// The user gets Go memory, so that a slice that is kept does no harm.
	made := make([]int64, int(nIDs))
	if nIDs > 0 {
		copy(made, unsafe.Slice((*int64)(ids), int(nIDs)))
	}
	if c.allowed == nil {
		c.allowed = make([]bool, int(vocabSize))
	}
	for i := range c.allowed {
		c.allowed[i] = false
	}
	goOn := c.ask(func() bool { return c.mask(int(row), made, c.allowed) }) && !c.stopped()
	if goOn {
		for i, may := range c.allowed {
			if may {
				unsafe.Slice((*uint8)(allowed), int(vocabSize))[i] = 1
			}
		}
	}
	return answer(goOn)
}
