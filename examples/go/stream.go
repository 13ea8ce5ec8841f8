// SPDX-License-Identifier: BSD-2-Clause

package paligemma

import (
	"context"
	"runtime"
	"sync"
)

// A Stream is a generation under way, from which tokens are pulled:
//
//	stream := model.Stream(ctx, inputs, nil)
//	defer stream.Close()
//	for stream.Next() {
//		fmt.Print(stream.Token().Text)
//	}
//	generation, err := stream.Result()
//
// The model is one token ahead of the caller and then waits. A stream belongs to one goroutine at a time; Close may be
// called from any.
type Stream struct {
	run     *streamRun
	current Token
}

// streamRun is what the generating goroutine shares with the stream. It does not know the stream, whose finalizer can so
// end a generation that nobody pulls from any more.
type streamRun struct {
	tokens     chan Token
	left       chan struct{} // closed when nobody wants more
	leave      sync.Once
	cancel     context.CancelFunc
	ended      chan struct{} // closed when the two below are set
	generation *Generation
	err        error
	panicked   any // of a callback of the user
	passedOn   sync.Once
}

// Stream begins to answer inputs. Of options, the callbacks are called on a goroutine of the stream; a
// panic there is passed on once, by Next, Result or Close. options may be nil.
func (m *Model) Stream(ctx context.Context, inputs *Inputs, options *GenerateOptions) *Stream {
	ctx, cancel := context.WithCancel(ctx)
	run := &streamRun{
		tokens: make(chan Token),
		left:   make(chan struct{}),
		cancel: cancel,
		ended:  make(chan struct{}),
	}
	var o GenerateOptions
	if options != nil {
		o = *options
	}
	users := o.OnToken
	o.OnToken = func(token Token) bool {
		select {
		case run.tokens <- token:
		case <-run.left:
			return false
		case <-ctx.Done():
			return false
		}
		return users == nil || users(token)
	}
	go func() {
		defer close(run.ended)
		defer cancel()
		defer func() { run.panicked = recover() }()
		run.err = &Error{Code: ErrCancelled, Message: "a callback ended the goroutine of the stream"}
		run.generation, run.err = m.Generate(ctx, inputs, &o)
	}()
	s := &Stream{run: run}
	runtime.SetFinalizer(s, func(s *Stream) { s.run.stop() })
	return s
}

func (r *streamRun) stop() {
	r.leave.Do(func() { close(r.left) })
	r.cancel()
}

// wait waits for the end, and passes a panic of a callback on, once.
func (r *streamRun) wait() {
	<-r.ended
	if r.panicked != nil {
		r.passedOn.Do(func() { panic(r.panicked) })
	}
}

// Next waits for the next token; false when there is none any more.
func (s *Stream) Next() bool {
	select {
	case s.current = <-s.run.tokens:
		runtime.KeepAlive(s)
		return true
	case <-s.run.ended:
		s.run.wait()
		runtime.KeepAlive(s)
		return false
	}
}

// Token is the token that Next found.
func (s *Stream) Token() Token { return s.current }

// Result waits for the end, passing over tokens that were not pulled, and returns what [Model.Generate] would.
func (s *Stream) Result() (*Generation, error) {
	for s.Next() {
	}
	return s.run.generation, s.run.err
}

// Close stops the generation if it still runs, and waits until it has. It may be called any number of times.
func (s *Stream) Close() error {
	if s == nil || s.run == nil {
		return errNothingToClose
	}
	s.run.stop()
	s.run.wait()
	runtime.KeepAlive(s)
	return nil
}
