// SPDX-License-Identifier: BSD-2-Clause
//! What an answer may be.
use crate::error::make;
use crate::text::TextList;
use crate::{sys, text, Processor, Result};
use std::{fmt, ptr};

handle! {
    /// What an answer may be: one of some texts, or objects as `detect` and `segment` prompts ask for them. Made once,
    /// and given to any number of generations ([`Generate::constraint`](crate::Generate::constraint)).
    Constraint, pali_constraint, pali_constraint_free
}
shared_between_threads!(Constraint);

/// Which objects an answer may have.
#[derive(Clone, Debug, Default)]
pub struct ConstraintOptions {
    labels: Option<Vec<String>>,
    raw: sys::pali_constraint_options,
}

impl ConstraintOptions {
    /// As many objects as there is room for, at least one, with any label of up to 16 tokens.
    pub fn new() -> Self {
        Self::default()
    }

    /// The labels that objects may have.
    pub fn labels<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.labels = Some(labels.into_iter().map(Into::into).collect());
        self
    }

    /// The largest number of objects; 0: as many as there is room for.
    pub fn max_objects(mut self, objects: usize) -> Self {
        self.raw.max_objects = text::int(objects);
        self
    }

    /// The longest label that is not among given ones, 1…1024 tokens.
    pub fn max_label_tokens(mut self, tokens: usize) -> Self {
        self.raw.max_label_tokens = text::int(tokens);
        self
    }

    /// Whether there may be no object.
    pub fn allow_empty(mut self, allow: bool) -> Self {
        self.raw.allow_empty = allow.into();
        self
    }
}

type MakeObjects = unsafe extern "C" fn(
    *mut *mut sys::pali_constraint,
    *const sys::pali_processor,
    *const *const std::os::raw::c_char,
    usize,
    *const sys::pali_constraint_options,
    *mut *mut sys::pali_error,
) -> sys::pali_status;

impl Constraint {
    /// The answer is one of these texts.
    pub fn choices<S: AsRef<str>>(processor: &Processor, choices: &[S]) -> Result<Self> {
        let choices = TextList::new(choices)?;
        // SAFETY: all arguments live for the call; the constraint keeps none of them.
        make(|out, error| unsafe {
            sys::pali_constraint_choices(out, processor.as_ptr(), choices.as_ptr(), choices.len(), error)
        })
        .map(Self::from_raw)
    }

    /// The answer to `detect …`: boxes with labels.
    pub fn detect(processor: &Processor, options: &ConstraintOptions) -> Result<Self> {
        Self::objects(sys::pali_constraint_detect, processor, options)
    }

    /// The answer to `segment …`: boxes with masks and labels.
    pub fn segment(processor: &Processor, options: &ConstraintOptions) -> Result<Self> {
        Self::objects(sys::pali_constraint_segment, processor, options)
    }

    fn objects(create: MakeObjects, processor: &Processor, options: &ConstraintOptions) -> Result<Self> {
        let labels = options.labels.as_ref().map(TextList::new).transpose()?;
        let (start, count) =
            labels.as_ref().map_or((ptr::null(), 0), |labels| (labels.as_ptr(), labels.len()));
        // SAFETY: `create` is one of the library's two functions of this type; all arguments live for the call.
        make(|out, error| unsafe { create(out, processor.as_ptr(), start, count, &options.raw, error) })
            .map(Self::from_raw)
    }
}

impl fmt::Debug for Constraint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Constraint").finish_non_exhaustive()
    }
}
