// SPDX-License-Identifier: BSD-2-Clause

// Package paligemma runs Hugging Face's PaliGemma 1 and 2 checkpoints on the CPU, through the C library libpaligemma,
// which pkg-config must find.
//
//	model, err := paligemma.LoadModel(ctx, dir, nil)
//	processor, err := paligemma.LoadProcessor(dir, nil)
//	picture, err := paligemma.OpenImage("cat.jpg", nil)
//	inputs, err := processor.Apply([]*paligemma.Image{picture}, "caption en", nil)
//	generation, err := model.Generate(ctx, inputs, nil)
//	fmt.Println(generation.Answers[0].Text)
//
// # Options
//
// Options are structs whose zero value means all defaults, as does a nil pointer to one. A field whose zero is a value
// of its own is a pointer, nil being the default; [Ptr] makes one.
//
// # Objects and Close
//
// [Model], [Processor], [Image], [Inputs], [Cache] and the other types with a Close method hold memory of the C library.
// Close gives it back. A finalizer does so too for what was not closed, but late: the garbage collector sees only the
// few bytes of the Go object. So close what is large.
//
// Close may be called any number of times, from any goroutine, at any time, also from a callback. It does not wait: a
// call that is using the object goes on, and the memory is given back when the last such call has returned. Every later
// call fails with an error that is [ErrClosed]. What was made of an object (a cache of a model, an answer of inputs)
// does not need it any more.
//
// # Goroutines
//
// All methods may be called from any goroutine. A [Model], a [Processor] and whatever else does not change is used by any
// number of goroutines at once, each call being a generation of its own. What changes, a [Cache] that a call extends,
// [Inputs] being set, an [Image] being drawn on, is held by that call alone: another that would need it meanwhile fails
// with [ErrInUse] at once, rather than waiting, which could be for ever inside a callback.
//
// Long calls take a context. When it ends they stop at the next token or layer, and return an error that is both
// [ErrCancelled] and the context's.
//
// The work is done on threads that this package keeps, so that OpenMP, which keeps a team of workers for each thread
// that calls it, has as many teams as there were calls at the same time, and not one for each thread of the Go runtime.
// Callbacks are called on the goroutine that made the call, with no C frames beneath them: they may panic, call
// [runtime.Goexit] (testing's FailNow does), and use this package.
//
// # Errors
//
// Every error of the library is an [*Error] with its [Code] and the library's sentence. Codes are errors too:
//
//	if errors.Is(err, paligemma.ErrFormat) { … }
package paligemma
