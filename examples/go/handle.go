// SPDX-License-Identifier: BSD-2-Clause

package paligemma

import (
	"runtime"
	"sync"
	"unsafe"
)

// A handle owns one object of the C library, and knows which calls are using it. The object is freed when the handle is
// closed and no call uses it, whichever comes last; so Close never pulls it from under a call, and never waits.
//
// The finalizer is the handle's. Every call keeps the handles that it uses in its frame until it has returned from C
// (frame.end names them to runtime.KeepAlive), so a finalizer cannot run under a call either.
type handle struct {
	mutex     sync.Mutex
	object    unsafe.Pointer // C memory; nil once it is freed
	free      func(unsafe.Pointer)
	users     int  // calls that are using it
	exclusive bool // the one user may change it
	closed    bool
}

func newHandle(object unsafe.Pointer, free func(unsafe.Pointer)) *handle {
	h := &handle{object: object, free: free}
	runtime.SetFinalizer(h, (*handle).close)
	return h
}

func (h *handle) close() {
	h.mutex.Lock()
	h.closed = true
	object := h.takeUnused()
	h.mutex.Unlock()
	if object != nil {
		h.free(object)
	}
}

// closeObject is the Close of all types that hold a handle. A nil pointer or zero value is an error, as it is to
// os.File's.
func closeObject(o object) error {
	h := o.base()
	if h == nil {
		return errNothingToClose
	}
	h.close()
	return nil
}

// takeUnused returns the object, which is the caller's to free then, if the time has come. The mutex is held.
func (h *handle) takeUnused() unsafe.Pointer {
	if !h.closed || h.users > 0 || h.object == nil {
		return nil
	}
	object := h.object
	h.object = nil
	runtime.SetFinalizer(h, nil)
	return object
}

// acquire returns the object for one call, for itself alone if exclusive.
func (h *handle) acquire(exclusive bool) (unsafe.Pointer, error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.closed {
		return nil, &Error{Code: ErrArgument, Message: ErrClosed.Error(), cause: ErrClosed}
	}
	if h.exclusive || exclusive && h.users > 0 {
		return nil, &Error{Code: ErrArgument, Message: ErrInUse.Error(), cause: ErrInUse}
	}
	h.users++
	h.exclusive = exclusive
	return h.object, nil
}

// release ends what acquire began.
func (h *handle) release() {
	h.mutex.Lock()
	h.users--
	h.exclusive = false
	object := h.takeUnused()
	h.mutex.Unlock()
	if object != nil {
		h.free(object)
	}
}
