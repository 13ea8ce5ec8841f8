// SPDX-License-Identifier: BSD-2-Clause

// Command stream answers prompts about a picture, one a line of its input, word by word. Ctrl-C stops an answer, and the
// program where there is none.
//
//	stream CHECKPOINT_DIR PICTURE
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"libpaligemma/paligemma"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: stream CHECKPOINT_DIR PICTURE")
		os.Exit(2)
	}
	if err := converse(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func converse(checkpoint, path string) error {
	ctx := context.Background()
	model, err := paligemma.LoadModel(ctx, checkpoint, nil)
	if err != nil {
		return err
	}
	defer model.Close()
	processor, err := paligemma.LoadProcessor(checkpoint, nil)
	if err != nil {
		return err
	}
	defer processor.Close()
	picture, err := paligemma.OpenImage(path, nil)
	if err != nil {
		return err
	}
	defer picture.Close()

	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		inputs, err := processor.Apply([]*paligemma.Image{picture}, lines.Text(), nil)
		if err != nil {
			return err
		}
		err = answer(ctx, model, inputs)
		inputs.Close()
		if errors.Is(err, context.Canceled) {
			fmt.Println(" …")
		} else if err != nil {
			return err
		}
	}
	return lines.Err()
}

// answer prints an answer as it comes, until the user interrupts it.
func answer(ctx context.Context, model *paligemma.Model, inputs *paligemma.Inputs) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	stream := model.Stream(ctx, inputs, &paligemma.GenerateOptions{MaxNewTokens: 200})
	defer stream.Close()
	for stream.Next() {
		fmt.Print(stream.Token().Text)
	}
	if _, err := stream.Result(); err != nil {
		return err
	}
	fmt.Println()
	return nil
}
