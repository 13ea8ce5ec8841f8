// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import "errors"

// A Code says of what kind an error is. It is an error itself, for errors.Is.
type Code int

const (
	ErrArgument    Code = C.PALI_ERROR_ARGUMENT    // the caller passed something that the call does not take
	ErrMemory      Code = C.PALI_ERROR_MEMORY      // an allocation failed
	ErrIO          Code = C.PALI_ERROR_IO          // a file cannot be opened, read or written
	ErrFormat      Code = C.PALI_ERROR_FORMAT      // a file is not what it should be
	ErrUnsupported Code = C.PALI_ERROR_UNSUPPORTED // well-formed, but of a kind that is not handled
	ErrShape       Code = C.PALI_ERROR_SHAPE       // tensors that do not fit together
	ErrLimit       Code = C.PALI_ERROR_LIMIT       // a limit was reached: pixels, cache capacity, sequence length
	ErrCancelled   Code = C.PALI_ERROR_CANCELLED   // the context ended
	ErrInternal    Code = C.PALI_ERROR_INTERNAL    // a dependency failed in a way that should not happen
)

var (
	// ErrClosed is what errors are that come of using an object after its Close.
	ErrClosed = errors.New("the object is closed")
	// ErrInUse is what errors are that come of using an object which another call holds for itself.
	ErrInUse = errors.New("the object is in use by another call")
)

// Error returns the code's short name, such as "format error".
func (c Code) Error() string { return C.GoString(C.pali_status_name(C.pali_status(c))) }

// An Error is what a failing call returns.
type Error struct {
	Code    Code
	Message string // one sentence: which file, tensor or field, what was expected, what was found
	cause   error  // ErrClosed, ErrInUse, or that of the context; or nil
}

// Error returns the message.
func (e *Error) Error() string { return "paligemma: " + e.Message }

// Is makes errors.Is(err, ErrFormat) work.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// Unwrap returns ErrClosed, ErrInUse, or the error of the context that cancelled the call; nil otherwise.
func (e *Error) Unwrap() error { return e.cause }

// check turns what a call of the library returned into an error, and ends the C one. It takes the error's address, as do
// the functions that take what a call made: Go says not whether a variable beside a call is read before it or after.
func check(status C.pali_status, cerr **C.pali_error) error {
	if status == C.PALI_OK {
		return nil
	}
	err := &Error{Code: Code(status), Message: C.GoString(C.pali_error_message(*cerr))}
	if *cerr == nil {
		err.Message = err.Code.Error()
	}
	C.pali_error_free(*cerr)
	return err
}

var errNothingToClose = argumentError("Close of a nil pointer or zero value")

func argumentError(message string) error { return &Error{Code: ErrArgument, Message: message} }
