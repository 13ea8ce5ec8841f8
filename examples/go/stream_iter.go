// SPDX-License-Identifier: BSD-2-Clause

//go:build go1.23

package paligemma

import (
	"context"
	"iter"
)

// Tokens answers inputs, and is ranged over:
//
//	for token, err := range model.Tokens(ctx, inputs, nil) {
//		if err != nil {
//			return err
//		}
//		fmt.Print(token.Text)
//	}
//
// An error is the last pair. Leaving the loop stops the generation. The loop's body runs on the caller's goroutine while
// the model works on the next token. Needs Go 1.23; [Model.Stream] is there before.
func (m *Model) Tokens(ctx context.Context, inputs *Inputs, options *GenerateOptions) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		stream := m.Stream(ctx, inputs, options)
		defer stream.Close()
		for stream.Next() {
			if !yield(stream.Token(), nil) {
				return
			}
		}
		if _, err := stream.Result(); err != nil {
			yield(Token{}, err)
		}
	}
}
