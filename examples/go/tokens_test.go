// SPDX-License-Identifier: BSD-2-Clause

package paligemma_test

import (
	"encoding/json"
	"fmt"
	"image"
	_ "image/png"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"libpaligemma/paligemma"
)

// command runs the command paligemma, which PALI_COMMAND names, for an answer as JSON.
func command(t *testing.T, picture, prompt string, flags ...string) (answer struct {
	TokenIDs []int64 `json:"token_ids"`
	Text     string  `json:"text"`
}) {
	t.Helper()
	path := os.Getenv("PALI_COMMAND")
	if path == "" {
		t.Skip("PALI_COMMAND does not name the command paligemma")
	}
	args := append([]string{"generate", "-m", tiny, "-i", picture, "-p", prompt, "--json"}, flags...)
	out, err := exec.Command(path, args...).Output()
	if err != nil {
		t.Fatalf("%s %s: %v", path, strings.Join(args, " "), err)
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestSameTokensAsTheCommand(t *testing.T) {
	model, processor := loadModel(t), loadProcessor(t)
	for _, test := range []struct {
		picture, prompt string
		flags           []string
		options         *paligemma.GenerateOptions
	}{
		{shapes, "caption en", nil, nil},
		{"../pictures/shapes.jpg", "caption en", nil, nil},
		{shapes, "detect red triangle ; blue square", []string{"--max-new-tokens", "40"},
			&paligemma.GenerateOptions{MaxNewTokens: 40}},
		{shapes, "answer en how many shapes are there?", nil, nil},
		{shapes, "caption en", []string{"--num-beams", "3", "--length-penalty", "0"},
			&paligemma.GenerateOptions{NumBeams: 3, LengthPenalty: paligemma.Ptr(0.0)}},
		{shapes, "caption en", []string{"--temperature", "1.5", "--top-k", "20", "--top-p", "0.95", "--seed", "7"},
			&paligemma.GenerateOptions{Temperature: 1.5, TopK: 20, TopP: 0.95, Seed: 7}},
		{shapes, "caption en", []string{"--repetition-penalty", "1.3", "--no-repeat-ngram-size", "2"},
			&paligemma.GenerateOptions{RepetitionPenalty: 1.3, NoRepeatNgramSize: 2}},
		{shapes, "caption en", []string{"--stop", "quare"}, &paligemma.GenerateOptions{StopStrings: []string{"quare"}}},
		{shapes, "caption en", []string{"--logit-bias", "562:-inf", "--min-new-tokens", "5"},
			&paligemma.GenerateOptions{LogitBias: map[int64]float32{562: float32(negativeInfinity)}, MinNewTokens: 5}},
		{shapes, "caption en", []string{"--prompt-lookup-num-tokens", "4"},
			&paligemma.GenerateOptions{PromptLookupNumTokens: 4, Threads: 2}},
	} {
		want := command(t, test.picture, test.prompt, test.flags...)
		pictures := []*paligemma.Image{openImage(t, test.picture)}
		inputs := closing(t, must(processor.Apply(pictures, test.prompt, nil))(t))
		got := must(model.Generate(background, inputs, test.options))(t).Answers[0]
		if !reflect.DeepEqual(got.TokenIDs, want.TokenIDs) || got.Text != want.Text {
			t.Errorf("%s %v: %q %v, the command says %q %v", test.prompt, test.flags, got.Text, got.TokenIDs, want.Text,
				want.TokenIDs)
		}
	}
}

// The stored answers are Transformers'.
func TestSameTokensAsTransformers(t *testing.T) {
	model, processor := loadModel(t), loadProcessor(t)
	var cases []struct {
		Image    string  `json:"image"`
		Prompt   string  `json:"prompt"`
		TokenIDs []int64 `json:"token_ids"`
		Text     string  `json:"text"`
		Gap      float64 `json:"gap"`
	}
	data := must(os.ReadFile(dataPath("tiny/expected.json")))(t)
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, c := range cases[:24] {
		if c.Gap < 0.1 { // two tokens almost equally likely
			continue
		}
		pictures := []*paligemma.Image{openImage(t, dataPath("tiny/"+c.Image))}
		inputs := closing(t, must(processor.Apply(pictures, c.Prompt, nil))(t))
		got := must(model.Generate(background, inputs, &paligemma.GenerateOptions{MaxNewTokens: 40}))(t).Answers[0]
		if !reflect.DeepEqual(got.TokenIDs, c.TokenIDs) {
			t.Errorf("%s %q: %q, Transformers says %q", c.Image, c.Prompt, got.Text, c.Text)
		}
		checked++
	}
	if checked < 12 {
		t.Errorf("only %d answers were compared", checked)
	}
}

// A picture gives the same pixels, and so the same tokens, as a file, as bytes, and as a picture of Go's.
func TestPicturesOfEveryKind(t *testing.T) {
	processor := loadProcessor(t)
	data := must(os.ReadFile(shapes))(t)
	file := must(os.Open(shapes))(t)
	defer file.Close()
	decoded, _, err := image.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	rgba := image.NewRGBA(decoded.Bounds())
	nrgba := image.NewNRGBA(decoded.Bounds())
	paletted := image.NewNRGBA64(decoded.Bounds())
	for y := decoded.Bounds().Min.Y; y < decoded.Bounds().Max.Y; y++ {
		for x := decoded.Bounds().Min.X; x < decoded.Bounds().Max.X; x++ {
			rgba.Set(x, y, decoded.At(x, y))
			nrgba.Set(x, y, decoded.At(x, y))
			paletted.Set(x, y, decoded.At(x, y))
		}
	}
	opened := openImage(t, shapes)
	again := must(opened.RGBA())(t)
	wider := image.NewNRGBA(image.Rect(0, 0, decoded.Bounds().Dx()+7, decoded.Bounds().Dy()+3))
	for y := 0; y < decoded.Bounds().Dy(); y++ {
		for x := 0; x < decoded.Bounds().Dx(); x++ {
			wider.Set(x+4, y+2, decoded.At(x, y))
		}
	}
	part := wider.SubImage(image.Rect(4, 2, 4+decoded.Bounds().Dx(), 2+decoded.Bounds().Dy()))

	want := pixelValues(t, processor, opened)
	for name, picture := range map[string]*paligemma.Image{
		"bytes":     closing(t, must(paligemma.DecodeImage(data, nil))(t)),
		"decoded":   closing(t, must(paligemma.NewImage(decoded))(t)),
		"RGBA":      closing(t, must(paligemma.NewImage(rgba))(t)),
		"NRGBA":     closing(t, must(paligemma.NewImage(nrgba))(t)),
		"NRGBA64":   closing(t, must(paligemma.NewImage(paletted))(t)),
		"again":     closing(t, must(paligemma.NewImage(again))(t)),
		"sub-image": closing(t, must(paligemma.NewImage(part))(t)),
	} {
		if !reflect.DeepEqual(pixelValues(t, processor, picture), want) {
			t.Errorf("%s: other pixels than the file's", name)
		}
	}
}

func pixelValues(t *testing.T, processor *paligemma.Processor, picture *paligemma.Image) []float32 {
	t.Helper()
	inputs := closing(t, must(processor.Apply([]*paligemma.Image{picture}, "caption en", nil))(t))
	return must(paligemma.Values[float32](must(inputs.Tensor("pixel_values"))(t)))(t)
}

// The example commands answer as the command does.
func TestExampleCommands(t *testing.T) {
	want := command(t, shapes, "caption en")
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("the tool go is not in the path")
	}
	folder := t.TempDir()
	args := append([]string{"build"}, strings.Fields(os.Getenv("PALI_GO_BUILD_FLAGS"))...)
	if out, err := exec.Command(goTool, append(args, "-o", folder, "./cmd/...")...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	out, err := exec.Command(filepath.Join(folder, "caption"), tiny, shapes).Output()
	if err != nil || string(out) != want.Text+"\n" {
		t.Errorf("caption: %q (%v), the command says %q", out, err, want.Text)
	}
	stream := exec.Command(filepath.Join(folder, "stream"), tiny, shapes)
	stream.Stdin = strings.NewReader("caption en\ncaption en\n")
	out, err = stream.Output()
	if err != nil || string(out) != fmt.Sprintf("%s\n%s\n", want.Text, want.Text) {
		t.Errorf("stream: %q (%v), the command says %q", out, err, want.Text)
	}
}
