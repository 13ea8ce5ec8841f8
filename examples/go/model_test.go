// SPDX-License-Identifier: BSD-2-Clause

package paligemma_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"libpaligemma/paligemma"
)

func TestProcessorOutputs(t *testing.T) {
	processor := loadProcessor(t)
	picture := openImage(t, shapes)
	inputs := closing(t, must(processor.ApplyBatch([]*paligemma.Image{picture, picture}, []string{"caption en", "detect cat"},
		&paligemma.ApplyOptions{Suffixes: []string{"a", "b c"}, PaddingSide: paligemma.PaddingRight, PadTo: 80}))(t))
	for name, shape := range map[string][]int{
		"input_ids": {2, 80}, "attention_mask": {2, 80}, "token_type_ids": {2, 80}, "labels": {2, 80},
		"pixel_values": {2, 3, 112, 112},
	} {
		tensor := must(inputs.Tensor(name))(t)
		if !reflect.DeepEqual(tensor.Shape(), shape) {
			t.Errorf("%s: %v", name, tensor)
		}
	}
	ids := must(paligemma.Values[int64](must(inputs.Tensor("input_ids"))(t)))(t)
	if text := must(processor.Decode(ids[:80], true))(t); text != "caption en\na" {
		t.Errorf("%q", text)
	}
	texts := must(processor.BatchDecode([][]int64{ids[:80], ids[80:]}, true))(t)
	if !reflect.DeepEqual(texts, []string{"caption en\na", "detect cat\nb c"}) {
		t.Errorf("%q", texts)
	}
	encoded := must(processor.Encode("a red circle<loc0007>"))(t)
	if text := must(processor.Decode(encoded, false))(t); text != "a red circle<loc0007>" {
		t.Errorf("%v is %q", encoded, text)
	}
	if empty := must(processor.Encode(""))(t); len(empty) != 0 {
		t.Errorf("%v", empty)
	}
	two := closing(t, must(processor.ApplyBatch([]*paligemma.Image{picture, picture, picture}, []string{"x", "y"},
		&paligemma.ApplyOptions{ImagesPerText: []int{1, 2}}))(t))
	if shape := must(two.Tensor("pixel_values"))(t).Shape(); shape[0] != 3 {
		t.Errorf("%v", shape)
	}
	_, err := processor.Apply([]*paligemma.Image{picture}, "x", &paligemma.ApplyOptions{MaxLength: 10})
	wants(t, err, paligemma.ErrLimit, "")
	_, err = processor.ApplyBatch(nil, []string{"x"}, &paligemma.ApplyOptions{ImagesPerText: []int{-1}})
	wants(t, err, paligemma.ErrArgument, "negative")
	_, err = processor.Apply(nil, "x", &paligemma.ApplyOptions{Suffixes: []string{}})
	wants(t, err, paligemma.ErrArgument, "0 suffixes for 1")
}

func TestInputsOfEveryType(t *testing.T) {
	inputs := closing(t, must(paligemma.NewInputs())(t))
	all := map[string]*paligemma.Tensor{
		"float32":  paligemma.NewTensor([]float32{1, 2, 3, 4, 5, 6}, 2, 3),
		"float64":  paligemma.NewTensor([]float64{1.5}, 1),
		"int64":    paligemma.NewTensor([]int64{-1 << 60}, 1, 1, 1),
		"int32":    paligemma.NewTensor([]int32{-7}),
		"int16":    paligemma.NewTensor([]int16{1, 2}, 2),
		"int8":     paligemma.NewTensor([]int8{-1, 2, 3}, 3),
		"uint8":    paligemma.NewTensor([]uint8{255}, 1),
		"bool":     paligemma.NewTensor([]bool{true, false, true}, 3),
		"bfloat16": paligemma.NewTensor16(paligemma.BFloat16, []uint16{0x3f80}, 1),
		"float16":  paligemma.NewTensor16(paligemma.Float16, []uint16{0x3c00}, 1),
		"empty":    paligemma.NewTensor([]float32{}, 0, 3),
	}
	for name, tensor := range all {
		if err := inputs.Set(name, tensor); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	path := filepath.Join(t.TempDir(), "all.safetensors")
	if err := inputs.Save(path); err != nil {
		t.Fatal(err)
	}
	for _, set := range []*paligemma.Inputs{inputs, closing(t, must(paligemma.LoadInputs(path))(t))} {
		if names := must(set.Names())(t); len(names) != len(all) {
			t.Errorf("%v", names)
		}
		for name, want := range all {
			if got := must(set.Tensor(name))(t); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v %+v", name, got, got)
			}
			if name != "empty" && want.DType().String() != name {
				t.Errorf("%v is called %v", name, want.DType())
			}
		}
	}
	if paligemma.BFloat16.Size() != 2 {
		t.Error(paligemma.BFloat16.Size())
	}
	differences, first, err := paligemma.Compare(inputs, inputs, nil)
	if err != nil || first != len(all) || len(differences) != len(all) {
		t.Errorf("%d of %d, %v", first, len(differences), err)
	}
	other := closing(t, must(paligemma.LoadInputs(path))(t))
	other.Set("float32", paligemma.NewTensor([]float32{1, 2, 3, 4, 7, 6}, 2, 3))
	differences, first, err = paligemma.Compare(inputs, other, &paligemma.CompareOptions{ATol: paligemma.Ptr(0.0)})
	if err != nil || differences[first].Name != "float32" || differences[first].Kind != paligemma.DifferenceValues ||
		!reflect.DeepEqual(differences[first].FirstIndex, []int{1, 1}) || differences[first].MaxAbs != 2 {
		t.Errorf("%+v, %v", differences, err)
	}
}

func TestForwardFeaturesAndHeatMap(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	plain := closing(t, must(model.Forward(background, inputs, nil))(t))
	pixels := must(inputs.Tensor("pixel_values"))(t)
	features := closing(t, must(model.ImageFeatures(background, pixels, nil))(t))
	copied := closing(t, must(model.NewImageFeatures(must(features.Tensor())(t), false))(t))
	outputs := closing(t, must(model.Forward(background, inputs, &paligemma.ForwardOptions{
		Features: copied, OutputAttentions: true, AttentionLayers: []int{-1}, OutputHiddenStates: true, LogitsToKeep: 1,
	}))(t))
	names := strings.Join(must(outputs.Names())(t), " ")
	if !strings.Contains(names, "attentions.3") || strings.Contains(names, "attentions.0") ||
		!strings.Contains(names, "hidden_states.0") {
		t.Error(names)
	}
	logits := must(plain.Tensor("logits"))(t)
	all := must(paligemma.Values[float32](logits))(t)
	last := all[len(all)-1804:]
	err := outputs.View("logits", func(values []float32, shape []int) error {
		if !reflect.DeepEqual(shape, []int{1, 1, 1804}) || distance(values, last) > 1e-3 {
			t.Errorf("%v: logits %v from those without features", shape, distance(values, last))
		}
		return errors.New("mine")
	})
	if err == nil || err.Error() != "mine" {
		t.Error(err)
	}
	wants(t, outputs.View("none", nil), paligemma.ErrArgument, "none")

	heat := must(paligemma.HeatMap(model.Config(), inputs, outputs, nil))(t)
	sum := 0.0
	for _, value := range must(paligemma.Values[float32](heat))(t) {
		sum += float64(value)
	}
	if !reflect.DeepEqual(heat.Shape(), []int{8, 8}) || sum <= 0 || sum > 1.0001 {
		t.Errorf("%v, sum %v", heat, sum)
	}
	picture := openImage(t, shapes)
	if err := picture.DrawMap(heat, 0.7); err != nil {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "out.safetensors")
	if err := outputs.Save(path); err != nil {
		t.Error(err)
	}
	closing(t, must(paligemma.LoadInputs(path))(t))
	_, err = model.NewImageFeatures(paligemma.NewTensor([]float32{1}, 1), false)
	wants(t, err, paligemma.ErrShape, "")
}

// distance is the largest difference.
func distance(a, b []float32) (d float64) {
	for i := range a {
		d = math.Max(d, math.Abs(float64(a[i]-b[i])))
	}
	return d
}

func TestMask(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	mask := closing(t, must(paligemma.NewMask(model.Config(), inputs, &paligemma.MaskOptions{PrefixLength: paligemma.Ptr(-1)}))(t))
	if layer := must(mask.Layer(0))(t); layer.DType() != paligemma.Uint8 || layer.Shape()[1] != 68 {
		t.Error(layer)
	}
	if text := must(mask.Text(&paligemma.MaskTextOptions{TokensPerImage: paligemma.Ptr(2)}))(t); !strings.Contains(text, "■") {
		t.Error(text)
	}
	if window := must(mask.Window(0))(t); window != 0 {
		t.Error(window)
	}
	picture := closing(t, must(mask.Image(0, 0, 1))(t))
	if picture.Width() < 68 {
		t.Error(picture.Width())
	}
	_, err := mask.Layer(99)
	wants(t, err, paligemma.ErrArgument, "99")
}

func TestCaches(t *testing.T) {
	model, processor, inputs := ready(t, "answer en how many shapes are there?")
	cache := closing(t, must(model.NewCache(nil))(t))
	must(model.Generate(background, inputs, &paligemma.GenerateOptions{Cache: cache}))(t)
	length := must(cache.Len(0))(t)
	fork := closing(t, must(cache.Fork())(t))
	path := filepath.Join(t.TempDir(), "cache.safetensors")
	if err := cache.Save(path); err != nil {
		t.Fatal(err)
	}
	loaded := closing(t, must(model.LoadCache(path))(t))
	more := closing(t, must(processor.ApplyContinuation(" and what color is the square?"))(t))
	var texts []string
	for _, c := range []*paligemma.Cache{cache, fork, loaded} {
		answer := must(model.Generate(background, more, &paligemma.GenerateOptions{Cache: c, MaxNewTokens: 4}))(t).Answers[0]
		texts = append(texts, answer.Text)
	}
	if texts[0] != texts[1] || texts[0] != texts[2] {
		t.Errorf("%q", texts)
	}
	if err := cache.Truncate(length - 1); err != nil || must(cache.Len(0))(t) != length-1 {
		t.Error(err)
	}
	if err := cache.Reorder([]int{0, 0, 0}); err != nil || must(cache.Rows())(t) != 3 {
		t.Error(err)
	}
	wants(t, cache.Reorder([]int{5}), paligemma.ErrArgument, "")
	if bytes := must(cache.SizeBytes())(t); bytes <= 0 {
		t.Error(bytes)
	}
	if err := cache.Reset(); err != nil || must(cache.Len(0))(t) != 0 {
		t.Error(err)
	}
	shared := closing(t, must(model.NewCache(&paligemma.CacheOptions{Rows: 2, Prefix: fork}))(t))
	if must(shared.Rows())(t) != 2 || must(shared.Len(1))(t) != must(fork.Len(0))(t) {
		t.Error("the prefix is not shared")
	}
	wants(t, fork.Truncate(1), paligemma.ErrArgument, "")
}

func TestJSON(t *testing.T) {
	model, processor, inputs := ready(t, "detect blue square")
	form := closing(t, must(processor.ConstrainDetect([]string{"blue square"}, nil))(t))
	for _, options := range []*paligemma.GenerateOptions{nil, {TopLogprobs: 5, Constraint: form, MaxNewTokens: 40}} {
		want := must(model.Generate(background, inputs, options))(t)
		text := must(json.Marshal(want))(t)
		if none := strings.Contains(string(text), `"Score":null`); none != math.IsNaN(want.Answers[0].Score) {
			t.Errorf("%s", text)
		}
		var got paligemma.Generation
		if err := json.Unmarshal(text, &got); err != nil || got.Answers[0].Text != want.Answers[0].Text {
			t.Errorf("%v: %s", err, text)
		}
	}
}

func TestManyAnswers(t *testing.T) {
	model, _, inputs := ready(t, "caption en")
	generation := must(model.Generate(background, inputs, &paligemma.GenerateOptions{
		Temperature: 2, NumReturnSequences: 3, BestOf: 4, TopLogprobs: 3, MaxNewTokens: 8,
	}))(t)
	if len(generation.Answers) != 3 {
		t.Fatalf("%d answers", len(generation.Answers))
	}
	for i, answer := range generation.Answers {
		if len(answer.Logprobs) != len(answer.TokenIDs) || len(answer.TopLogprobs) != len(answer.TokenIDs) ||
			len(answer.TopLogprobs[0]) != 3 || math.IsNaN(answer.Score) {
			t.Errorf("%+v", answer)
		}
		if i > 0 && answer.Score > generation.Answers[i-1].Score {
			t.Error("the best is not first")
		}
	}
	if generation.Timing.PromptTokens != 68 || generation.Timing.Prefill <= 0 || generation.Passes < 1 {
		t.Errorf("%+v", generation)
	}
	force := must(model.Generate(background, inputs, &paligemma.GenerateOptions{ForceWords: [][]int64{{402}}}))(t).Answers[0]
	found := false
	for _, id := range force.TokenIDs {
		found = found || id == 402
	}
	if !found {
		t.Errorf("%v", force.TokenIDs)
	}
	unending := &paligemma.GenerateOptions{EOSTokenIDs: []int64{}, MaxNewTokens: 20}
	answer := must(model.Generate(background, inputs, unending))(t).Answers[0]
	if len(answer.TokenIDs) != 20 || answer.FinishReason != paligemma.FinishLength {
		t.Errorf("%+v", answer)
	}
}

func TestConstraints(t *testing.T) {
	model, processor, inputs := ready(t, "detect thing")
	detect := closing(t, must(processor.ConstrainDetect([]string{"red", "blue"}, &paligemma.ConstraintOptions{MaxObjects: 1}))(t))
	segment := closing(t, must(processor.ConstrainSegment(nil, nil))(t))
	options := &paligemma.GenerateOptions{Constraint: detect, MaxNewTokens: 40}
	answer := must(model.Generate(background, inputs, options))(t).Answers[0]
	found := closing(t, must(paligemma.ParseDetections(answer.Text, nil))(t)).Items()
	if len(found) != 1 || found[0].Label != "red" && found[0].Label != "blue" {
		t.Errorf("%q", answer.Text)
	}
	options.Constraint = segment
	answer = must(model.Generate(background, inputs, options))(t).Answers[0]
	found = closing(t, must(paligemma.ParseDetections(answer.Text, nil))(t)).Items()
	if len(found) == 0 || len(found[0].Seg) != 16 {
		t.Errorf("%q", answer.Text)
	}
	_, err := processor.ConstrainDetect([]string{"a;b"}, nil)
	wants(t, err, paligemma.ErrArgument, "")
	_, err = processor.ConstrainChoices(nil)
	wants(t, err, paligemma.ErrArgument, "")
}

// Tensors of one's own, in inputs that belong to a processor, have an answer with text.
func TestInputsOfAProcessor(t *testing.T) {
	model, processor, inputs := ready(t, "caption en")
	own := closing(t, must(processor.NewInputs())(t))
	bare := closing(t, must(paligemma.NewInputs())(t))
	for _, name := range []string{"input_ids", "pixel_values"} {
		for _, set := range []*paligemma.Inputs{own, bare} {
			if err := set.Set(name, must(inputs.Tensor(name))(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	answer := must(model.Generate(background, own, nil))(t).Answers[0]
	if answer.Text != "a blue square, a yellow circle and a red triangle" {
		t.Errorf("%q", answer.Text)
	}
	textless := must(model.Generate(background, bare, nil))(t).Answers[0]
	if textless.Text != "" || !reflect.DeepEqual(textless.TokenIDs, answer.TokenIDs) {
		t.Errorf("%+v", textless)
	}
}

func TestScores(t *testing.T) {
	model, processor, inputs := ready(t, "answer en how many shapes are there?")
	scores := must(model.Score(background, inputs, []string{"1", "3", "2"}, nil))(t)
	if scores.ByTotal[0] != 1 || scores.ByMean[0] != 1 || len(scores.Items) != 3 {
		t.Errorf("%+v", scores)
	}
	item := scores.Items[1]
	if len(item.TokenIDs) != 2 || len(item.TokenLogprobs) != 2 || math.Abs(item.Mean*2-item.Total) > 1e-9 {
		t.Errorf("%+v", item)
	}
	ids := must(processor.Encode("3"))(t)
	bare := must(model.ScoreTokens(background, inputs, [][]int64{ids}, &paligemma.ScoreOptions{WithoutEOS: true}))(t)
	if got := bare.Items[0].TokenLogprobs[0]; math.Abs(float64(got-item.TokenLogprobs[0])) > 1e-5 {
		t.Errorf("%v, %v", got, item.TokenLogprobs[0])
	}
	_, err := model.Score(background, inputs, nil, nil)
	wants(t, err, paligemma.ErrArgument, "")
}

func TestEmbeddings(t *testing.T) {
	path := dataPath("colpali/hf")
	model := closing(t, must(paligemma.LoadModel(background, path, nil))(t))
	processor := closing(t, must(paligemma.LoadProcessor(path, nil))(t))
	picture := openImage(t, shapes)
	queries := closing(t, must(processor.ApplyQueries([]string{"the cat", "what is red?"}, nil))(t))
	pages := closing(t, must(processor.ApplyPages([]*paligemma.Image{picture}, nil))(t))
	q, p := must(model.Embed(background, queries, nil))(t), must(model.Embed(background, pages, nil))(t)
	dim := must(model.EmbeddingDim())(t)
	if dim <= 0 || q.Shape()[2] != dim || q.Shape()[0] != 2 {
		t.Errorf("%v, %d", q, dim)
	}
	scores := must(paligemma.MaxSim(q, p))(t)
	if len(scores) != 2 || len(scores[0]) != 1 || scores[0][0] == 0 {
		t.Errorf("%v", scores)
	}
	pooled := must(model.Embed(background, pages, &paligemma.EmbedOptions{
		Pooling: paligemma.PoolingMean, Normalize: paligemma.Ptr(true), SkipProjection: true,
	}))(t)
	length := 0.0
	for _, value := range must(paligemma.Values[float32](pooled))(t) {
		length += float64(value) * float64(value)
	}
	if len(pooled.Shape()) != 2 || math.Abs(length-1) > 1e-4 {
		t.Errorf("%v of length %v", pooled, length)
	}
	_, err := paligemma.MaxSim(q, paligemma.NewTensor([]float32{1}, 1, 1))
	wants(t, err, paligemma.ErrShape, "")
}

func TestAdapters(t *testing.T) {
	path := dataPath("models/pg1")
	model := closing(t, must(paligemma.LoadModel(background, path, nil))(t))
	adapter := closing(t, must(model.LoadAdapter(dataPath("adapters/pg1-all")))(t))
	if must(adapter.Count())(t) <= 0 || must(adapter.Rank())(t) <= 0 {
		t.Error("an empty adapter")
	}
	inputs := closing(t, must(paligemma.LoadInputs(dataPath("models/pg1/basic.inputs.safetensors")))(t))
	logits := func(m *paligemma.Model, options *paligemma.ForwardOptions) []float32 {
		outputs := closing(t, must(m.Forward(background, inputs, options))(t))
		return must(paligemma.Values[float32](must(outputs.Tensor("logits"))(t)))(t)
	}
	plain, with := logits(model, nil), logits(model, &paligemma.ForwardOptions{Adapter: adapter})
	none := logits(model, &paligemma.ForwardOptions{Adapter: adapter, AdapterScale: paligemma.Ptr(0.0)})
	merged := closing(t, must(paligemma.LoadModel(background, path, &paligemma.ModelOptions{
		DType:    paligemma.Float32,
		Adapters: []paligemma.AdapterMerge{{Path: dataPath("adapters/pg1-all")}},
	}))(t))
	if distance(plain, with) < 1e-3 || distance(plain, none) > 1e-6 || distance(with, logits(merged, nil)) > 1e-3 {
		t.Errorf("%v, %v, %v", distance(plain, with), distance(plain, none), distance(with, logits(merged, nil)))
	}
}

func TestConfigAndCheckpoint(t *testing.T) {
	config := closing(t, must(paligemma.LoadConfig(tiny))(t))
	if hidden := must(config.Int("text_config.hidden_size"))(t); hidden != 128 {
		t.Error(hidden)
	}
	if names := must(config.Names())(t); len(names) < 20 {
		t.Error(names)
	}
	if kind := must(config.Text("model_type"))(t); kind != "paligemma" {
		t.Error(kind)
	}
	if eps := must(config.Float("text_config.rms_norm_eps"))(t); eps <= 0 || eps > 1e-3 {
		t.Error(eps)
	}
	checkpoint := closing(t, must(paligemma.OpenCheckpoint(tiny))(t))
	tensors := must(checkpoint.Tensors())(t)
	if len(tensors) == 0 || tensors[0].DType != paligemma.BFloat16 || must(checkpoint.SizeBytes())(t) < 1<<20 {
		t.Fatalf("%+v", tensors)
	}
	if tensor := must(checkpoint.Tensor(0))(t); !reflect.DeepEqual(tensor.Shape(), tensors[0].Shape) {
		t.Error(tensor)
	}
	missing, unexpected, err := checkpoint.Compare(config)
	if err != nil || missing != nil || unexpected != nil {
		t.Error(missing, unexpected, err)
	}
	_, err = checkpoint.Tensor(len(tensors))
	wants(t, err, paligemma.ErrArgument, "")

	out, stages := filepath.Join(t.TempDir(), "saved"), 0
	err = paligemma.SaveCheckpoint(background, tiny, out, &paligemma.SaveOptions{
		DType: paligemma.Float32, OnProgress: func(stage string, _ float64) { stages++ },
	})
	if err != nil || stages == 0 {
		t.Fatal(err, stages)
	}
	saved := closing(t, must(paligemma.LoadModel(background, out, &paligemma.ModelOptions{CopyWeights: true}))(t))
	if dtype := must(saved.DType())(t); dtype != paligemma.Float32 {
		t.Error(dtype)
	}
	hub := t.TempDir()
	t.Setenv("HF_HUB_CACHE", hub)
	_, err = paligemma.HubPath("some/model", "")
	wants(t, err, paligemma.ErrIO, "some/model")
	if !strings.HasPrefix(paligemma.Version(), "0.") {
		t.Error(paligemma.Version())
	}
}

func TestMachine(t *testing.T) {
	machine := must(loadModel(t).MeasureMachine(68))(t)
	if machine.ReadBytesPerSecond <= 0 || machine.InstructionSet == "" || machine.Threads < 1 {
		t.Errorf("%+v", machine)
	}
	if machine.VisionBytes <= 0 || machine.DecoderBytes <= 0 || machine.VisionGEMMDType != machine.GEMMDType ||
		machine.DecoderGEMMDType != machine.GEMMDType { // nothing is quantized
		t.Errorf("%+v", machine)
	}
}

func TestChatTemplate(t *testing.T) {
	processor := loadProcessor(t)
	messages := []paligemma.Message{{Role: "user", Content: []paligemma.Content{
		paligemma.ImageContent(), paligemma.TextContent("caption en"),
	}}}
	template := "{% for m in messages %}{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}" +
		"{% else %}<image>{% endif %}{% endfor %}{% endfor %}{% if add_generation_prompt %}>{% endif %}"
	text := must(processor.ApplyChatTemplate(messages, &paligemma.ChatOptions{Template: template, AddGenerationPrompt: true}))(t)
	if text != "<image>caption en>" {
		t.Errorf("%q", text)
	}
	_, err := processor.ApplyChatTemplate(messages, nil) // this checkpoint has no template
	wants(t, err, paligemma.ErrFormat, "")
	if _, ok, err := processor.ChatTemplate(""); ok || err != nil {
		t.Error(ok, err)
	}
	_, err = processor.ApplyChatTemplateJSON([]byte("not JSON"), &paligemma.ChatOptions{Template: template})
	wants(t, err, paligemma.ErrArgument, "")
}

// Every function of the public headers is used here, but for those that are named below with a reason, and every field of
// their structs.
func TestCoversTheInterface(t *testing.T) {
	without := map[string]string{
		"pali_set_allocator": "memory functions in C (internal/counting has some for the tests)",
		"pali_error_status":  "the status that the call returned is the same",
		"chat_options.tools": "not served by the library",
		"token.text":         "bridge.c",
		"tensor.strides":     "tensors are contiguous",
		"allocator.allocate": "",
		"allocator.release":  "",
		"allocator.user":     "",
	}
	comment := regexp.MustCompile(`(?s)/\*.*?\*/`)
	structs := regexp.MustCompile(`(?s)typedef struct pali_(\w+) \{(.*?)\n\} `)
	field := regexp.MustCompile(`(\w+)(\[\w+\])?[;,]`)
	prefix := os.Getenv("PALI_PREFIX")
	if prefix == "" {
		t.Skip("PALI_PREFIX does not say where the headers are installed")
	}
	headers := must(filepath.Glob(filepath.Join(prefix, "include/paligemma/*.h")))(t)
	var sources strings.Builder
	for _, path := range append(must(filepath.Glob("*.go"))(t), "bridge.h") {
		if !strings.HasSuffix(path, "_test.go") {
			sources.Write(must(os.ReadFile(path))(t))
		}
	}
	functions, fields := 0, 0
	for _, header := range headers {
		for _, part := range strings.Split(string(must(os.ReadFile(header))(t)), "\nPALI_API ")[1:] {
			begin := strings.LastIndexAny(part[:strings.Index(part, "(")], " *") + 1
			name := part[begin:strings.Index(part, "(")]
			functions++
			if _, ok := without[name]; !ok && !strings.Contains(sources.String(), name+"(") {
				t.Errorf("%s of %s is not used: the package lacks it, or leaves it out for a reason to be named here", name,
					filepath.Base(header))
			}
		}
		for _, constant := range regexp.MustCompile(`#define (PALI_END_\w+)`).FindAllStringSubmatch(
			string(must(os.ReadFile(header))(t)), -1) {
			if !strings.Contains(sources.String(), "C."+constant[1]) {
				t.Errorf("%s of %s is not used", constant[1], filepath.Base(header))
			}
		}
		bare := comment.ReplaceAllString(string(must(os.ReadFile(header))(t)), "")
		for _, s := range structs.FindAllStringSubmatch(bare, -1) {
			for _, f := range field.FindAllStringSubmatch(s[2], -1) {
				name := f[1]
				if name == "struct_size" || strings.HasPrefix(name, "reserved") {
					continue
				}
				fields++
				used := regexp.MustCompile(`\b` + name + `\b`)
				if _, ok := without[s[1]+"."+name]; !ok && !used.MatchString(sources.String()) {
					t.Errorf("%s of pali_%s is not used", name, s[1])
				}
			}
		}
	}
	if functions < 100 || fields < 100 {
		t.Errorf("only %d functions and %d fields were found", functions, fields)
	}
}
