// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"encoding/json"
	"unsafe"
)

// A Message is one turn of a conversation.
type Message struct {
	Role    string    `json:"role"` // "user", "assistant", …
	Content []Content `json:"content"`
}

// Content is a block of a message: a text, or the place of the next picture.
type Content struct {
	Type string `json:"type"` // "text" or "image"
	Text string `json:"text,omitempty"`
}

// TextContent is a block of text.
func TextContent(text string) Content { return Content{Type: "text", Text: text} }

// ImageContent is the place of the next picture.
func ImageContent() Content { return Content{Type: "image"} }

// ChatOptions say how messages become a prompt.
type ChatOptions struct {
	Template            string // a template itself, or the name of one of the checkpoint's; "": its default
	AddGenerationPrompt bool   // end with what begins the model's answer
}

// ApplyChatTemplate renders messages to the text of a prompt by the checkpoint's chat template; [Processor.Apply] takes
// it with the pictures in the order of the messages' image blocks. options may be nil.
func (p *Processor) ApplyChatTemplate(messages []Message, options *ChatOptions) (string, error) {
	if messages == nil {
		messages = []Message{}
	}
	data, err := json.Marshal(messages)
	if err != nil {
		return "", argumentError(err.Error())
	}
	return p.ApplyChatTemplateJSON(data, options)
}

// ApplyChatTemplateJSON is [Processor.ApplyChatTemplate] for messages of any form, as a JSON array of them, or an object
// with a member "messages".
func (p *Processor) ApplyChatTemplateJSON(messages []byte, options *ChatOptions) (string, error) {
	f := new(frame)
	defer f.end()
	processor, ctext := (*C.pali_processor)(f.shared(p)), f.text(string(messages))
	var o C.pali_chat_options
	C.pali_chat_options_init(&o)
	if options != nil {
		o.chat_template = f.optionalText(options.Template)
		o.add_generation_prompt = flag(options.AddGenerationPrompt)
	}
	if f.err != nil {
		return "", f.err
	}
	var text *C.char
	var cerr *C.pali_error
	err := check(C.pali_processor_apply_chat_template(&text, processor, ctext, &o, &cerr), &cerr)
	if err != nil {
		return "", err
	}
	return takeText(text), nil
}

// ChatTemplate returns the source of the checkpoint's template of that name ("": the default); ok is false if it has none.
func (p *Processor) ChatTemplate(name string) (source string, ok bool, err error) {
	f := new(frame)
	defer f.end()
	processor, cname := (*C.pali_processor)(f.shared(p)), f.optionalText(name)
	if f.err != nil {
		return "", false, f.err
	}
	text := C.pali_processor_chat_template(processor, cname)
	return C.GoString(text), unsafe.Pointer(text) != nil, nil
}
