// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime/cgo"
	"sync/atomic"
	"unsafe"
)

// A call is one long call of the library: it runs on a thread of its own (threads.go) while the goroutine that made it
// watches the context and runs the user's callbacks. What the library calls back (callback.go) only looks at a flag, or
// hands a function over and waits for its answer; so no code of the user ever runs above C frames.
type call struct {
	ctx       context.Context
	frame     *frame
	progress  func(stage string, fraction float64)
	token     func(Token) bool
	endRow    func(Token) bool
	mask      func(row int, ids []int64, allowed []bool) bool
	allowed   []bool // for mask
	requests  chan func() bool
	answers   chan bool
	abandoned chan struct{} // closed when the user's goroutine has left, by a panic
	stop      int32         // 1: the library shall stop
}

func newCall(ctx context.Context, f *frame) *call {
	return &call{
		ctx:       ctx,
		frame:     f,
		requests:  make(chan func() bool),
		answers:   make(chan bool),
		abandoned: make(chan struct{}),
	}
}

// run makes the call: body calls the library and stores what it returns. It returns when body has, unless the context
// had ended before it began; a panic of a callback passes through, when body has returned. Since nothing behind run
// happens then, what body makes is put into its handle by body, or freed by a deferred call.
func (c *call) run(body func(user unsafe.Pointer) error) (err error) {
	if c.frame.err != nil {
		return c.frame.err
	}
	if cause := c.ctx.Err(); cause != nil {
		return &Error{Code: ErrCancelled, Message: "cancelled: " + cause.Error(), cause: cause}
	}

	// The library is given a pointer to C memory that holds the number by which the callbacks find this call.
	self := cgo.NewHandle(c)
	user := c.frame.alloc(1, unsafe.Sizeof(self))
	*(*cgo.Handle)(user) = self
	ended := make(chan struct{})
	onThread(func() {
		defer close(ended)
		err = body(user)
	})
	defer self.Delete()
	defer func() {
		close(c.abandoned)
		<-ended
	}()

	cancelled := c.ctx.Done()
	for {
		select {
		case <-ended:
			return c.because(err)
		case <-cancelled:
			atomic.StoreInt32(&c.stop, 1)
			cancelled = nil
		case request := <-c.requests:
			goOn := request()
			if c.ctx.Err() != nil {
				atomic.StoreInt32(&c.stop, 1) // a callback that ends the context ends the call with it
			}
			c.answers <- goOn
		}
	}
}

// because adds the context's error to one that says that the call was cancelled.
func (c *call) because(err error) error {
	if e, ok := err.(*Error); ok && e.Code == ErrCancelled {
		if cause := c.ctx.Err(); cause != nil {
			return &Error{Code: ErrCancelled, Message: e.Message + ": " + cause.Error(), cause: cause}
		}
	}
	return err
}

// stopped says, on the library's thread, whether the call shall stop.
func (c *call) stopped() bool { return atomic.LoadInt32(&c.stop) != 0 }

// ask runs request on the goroutine that made the call, and returns its answer; false if that goroutine has left.
func (c *call) ask(request func() bool) bool {
	select {
	case c.requests <- request:
	case <-c.abandoned:
		return false
	}
	select {
	case answer := <-c.answers:
		return answer
	case <-c.abandoned:
		return false
	}
}
