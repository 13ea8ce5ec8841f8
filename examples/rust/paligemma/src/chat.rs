// SPDX-License-Identifier: BSD-2-Clause
//! Lists of messages to a prompt, by the checkpoint's chat template.
use crate::error::make;
use crate::{sys, text, Processor, Result};

/// How messages become a prompt.
#[derive(Clone, Debug, Default)]
pub struct ChatOptions {
    template: Option<String>,
    add_generation_prompt: bool,
}

impl ChatOptions {
    /// The checkpoint's default template.
    pub fn new() -> Self {
        Self::default()
    }

    /// A template itself, in Jinja, or the name of one of the checkpoint's.
    pub fn template(mut self, template: impl Into<String>) -> Self {
        self.template = Some(template.into());
        self
    }

    /// Whether the prompt ends with what begins the model's answer.
    pub fn add_generation_prompt(mut self, add: bool) -> Self {
        self.add_generation_prompt = add;
        self
    }
}

impl Processor {
    /// Renders messages to the text of a prompt, which [`apply`](Self::apply) then takes with the pictures in the order
    /// of the messages' image blocks.
    ///
    /// `messages` is JSON as Transformers has it:
    /// `[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "caption en"}]}]`.
    pub fn apply_chat_template(&self, messages: &str, options: &ChatOptions) -> Result<String> {
        let messages = text::c_text(messages)?;
        let template = options.template.as_ref().map(text::c_text).transpose()?;
        let options = sys::pali_chat_options {
            chat_template: text::optional(&template),
            add_generation_prompt: options.add_generation_prompt.into(),
            ..Default::default()
        };
        // SAFETY: all arguments live for the call; the text is ours.
        make(|out, error| unsafe {
            sys::pali_processor_apply_chat_template(out, self.as_ptr(), messages.as_ptr(), &options, error)
        })
        .map(text::owned)
    }

    /// The source of the checkpoint's template of that name (`None`: the default), if it has one.
    pub fn chat_template(&self, name: Option<&str>) -> Option<&str> {
        let name = name.map(text::c_text).transpose().ok()?;
        // SAFETY: all arguments live for the call; the source lives as long as the processor.
        unsafe { text::borrowed(sys::pali_processor_chat_template(self.as_ptr(), text::optional(&name))) }
    }
}
