// SPDX-License-Identifier: BSD-2-Clause

// Command caption answers a prompt about a picture:
//
//	caption CHECKPOINT_DIR PICTURE [PROMPT]
package main

import (
	"context"
	"fmt"
	"os"

	"libpaligemma/paligemma"
)

func main() {
	if len(os.Args) < 3 || len(os.Args) > 4 {
		fmt.Fprintln(os.Stderr, "usage: caption CHECKPOINT_DIR PICTURE [PROMPT]")
		os.Exit(2)
	}
	prompt := "caption en"
	if len(os.Args) == 4 {
		prompt = os.Args[3]
	}
	answer, err := caption(context.Background(), os.Args[1], os.Args[2], prompt)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(answer)
}

func caption(ctx context.Context, checkpoint, path, prompt string) (string, error) {
	model, err := paligemma.LoadModel(ctx, checkpoint, nil)
	if err != nil {
		return "", err
	}
	defer model.Close()
	processor, err := paligemma.LoadProcessor(checkpoint, nil)
	if err != nil {
		return "", err
	}
	defer processor.Close()
	picture, err := paligemma.OpenImage(path, nil)
	if err != nil {
		return "", err
	}
	defer picture.Close()
	inputs, err := processor.Apply([]*paligemma.Image{picture}, prompt, nil)
	if err != nil {
		return "", err
	}
	defer inputs.Close()
	generation, err := model.Generate(ctx, inputs, nil)
	if err != nil {
		return "", err
	}
	return generation.Answers[0].Text, nil
}
