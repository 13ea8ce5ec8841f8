// SPDX-License-Identifier: BSD-2-Clause

//go:build go1.23

package paligemma_test

import (
	"context"
	"fmt"
	"testing"

	"libpaligemma/paligemma"
)

func TestTokens(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	text := ""
	for token, err := range model.Tokens(background, inputs, nil) {
		if err != nil {
			t.Fatal(err)
		}
		text += token.Text
	}
	if text != "a blue square, a yellow circle and a red triangle" {
		t.Errorf("%q", text)
	}

	n := 0
	for _, err := range model.Tokens(background, inputs, endless()) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 4 {
			break
		}
	}

	ctx, cancel := context.WithCancel(background)
	defer cancel()
	var last error
	for _, err := range model.Tokens(ctx, inputs, endless()) {
		cancel()
		last = err
	}
	wantsCancelled(t, last, context.Canceled)
}

func ExampleModel_Tokens() {
	model, _ := paligemma.LoadModel(context.Background(), "../tiny/model", nil)
	defer model.Close()
	processor, _ := paligemma.LoadProcessor("../tiny/model", nil)
	defer processor.Close()
	picture, _ := paligemma.OpenImage("../pictures/shapes.png", nil)
	defer picture.Close()
	inputs, _ := processor.Apply([]*paligemma.Image{picture}, "caption en", nil)
	defer inputs.Close()
	for token, err := range model.Tokens(context.Background(), inputs, nil) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Printf("%s|", token.Text)
	}
	// Output: a| blue| square|,| a| yellow| circle| and| a| red| triangle||
}
