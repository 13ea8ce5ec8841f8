// SPDX-License-Identifier: BSD-2-Clause

package paligemma_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"libpaligemma/paligemma"
)

// A picture and a prompt in, the answer out.
func Example() {
	ctx := context.Background()
	model, err := paligemma.LoadModel(ctx, "../tiny/model", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	processor, err := paligemma.LoadProcessor("../tiny/model", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer processor.Close()
	picture, err := paligemma.OpenImage("../pictures/shapes.png", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer picture.Close()

	inputs, err := processor.Apply([]*paligemma.Image{picture}, "caption en", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer inputs.Close()
	generation, err := model.Generate(ctx, inputs, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(generation.Answers[0].Text)
	// Output: a blue square, a yellow circle and a red triangle
}

// open is what the examples below begin with.
func open() (*paligemma.Model, *paligemma.Processor, *paligemma.Image) {
	model, err := paligemma.LoadModel(context.Background(), "../tiny/model", nil)
	if err != nil {
		log.Fatal(err)
	}
	processor, err := paligemma.LoadProcessor("../tiny/model", nil)
	if err != nil {
		log.Fatal(err)
	}
	picture, err := paligemma.OpenImage("../pictures/shapes.png", nil)
	if err != nil {
		log.Fatal(err)
	}
	return model, processor, picture
}

func ExampleModel_Stream() {
	model, processor, picture := open()
	inputs, err := processor.Apply([]*paligemma.Image{picture}, "caption en", nil)
	if err != nil {
		log.Fatal(err)
	}
	stream := model.Stream(context.Background(), inputs, nil)
	defer stream.Close()
	for stream.Next() {
		fmt.Printf("%s|", stream.Token().Text)
	}
	generation, err := stream.Result()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(generation.Answers[0].FinishReason)
	// Output: a| blue| square|,| a| yellow| circle| and| a| red| triangle||eos
}

func ExampleParseDetections() {
	model, processor, picture := open()
	inputs, err := processor.Apply([]*paligemma.Image{picture}, "detect blue square ; red triangle", nil)
	if err != nil {
		log.Fatal(err)
	}
	generation, err := model.Generate(context.Background(), inputs, &paligemma.GenerateOptions{MaxNewTokens: 40})
	if err != nil {
		log.Fatal(err)
	}
	found, err := paligemma.ParseDetections(generation.Answers[0].Text, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer found.Close()
	for _, object := range found.Items() {
		box, _ := object.Pixels(picture.Width(), picture.Height(), paligemma.SegmentHard)
		fmt.Println(object.Label, box)
	}
	// Output:
	// blue square (47,5)-(144,102)
	// red triangle (149,96)-(239,191)
}

func ExampleProcessor_ApplyBatch() {
	model, processor, picture := open()
	inputs, err := processor.ApplyBatch([]*paligemma.Image{picture, picture},
		[]string{"answer en how many shapes are there?", "answer en what color is the square?"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	generation, err := model.Generate(context.Background(), inputs, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, answer := range generation.Answers {
		fmt.Println(answer.Text)
	}
	// Output:
	// 3
	// blue
}

func ExampleModel_Score() {
	model, processor, picture := open()
	inputs, err := processor.Apply([]*paligemma.Image{picture}, "answer en what color is the square?", nil)
	if err != nil {
		log.Fatal(err)
	}
	colors := []string{"red", "green", "blue"}
	scores, err := model.Score(context.Background(), inputs, colors, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(colors[scores.ByTotal[0]])
	// Output: blue
}

func ExampleProcessor_ConstrainChoices() {
	model, processor, picture := open()
	inputs, err := processor.Apply([]*paligemma.Image{picture}, "caption en", nil)
	if err != nil {
		log.Fatal(err)
	}
	constraint, err := processor.ConstrainChoices([]string{"a red circle", "a green triangle"})
	if err != nil {
		log.Fatal(err)
	}
	defer constraint.Close()
	generation, err := model.Generate(context.Background(), inputs, &paligemma.GenerateOptions{Constraint: constraint})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(generation.Answers[0].Text, generation.Answers[0].FinishReason)
	// Output: a green triangle constraint
}

func ExampleError() {
	_, err := paligemma.OpenImage("nowhere.png", nil)
	var e *paligemma.Error
	fmt.Println(errors.Is(err, paligemma.ErrIO), errors.As(err, &e))
	fmt.Println(e.Message)
	// Output:
	// true true
	// cannot open 'nowhere.png': No such file or directory
}
