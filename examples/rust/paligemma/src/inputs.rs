// SPDX-License-Identifier: BSD-2-Clause
//! Named tensors: what the processor returns and the model takes.
use crate::error::{check, make};
use crate::{sys, text, Result, Tensor};
use std::fmt;
use std::path::Path;

handle! {
    /// Named tensors: `input_ids`, `attention_mask`, `token_type_ids`, `position_ids`, `labels` [batch, length] i64,
    /// `pixel_values` [images, 3, size, size] f32, `inputs_embeds` [batch, length, hidden] f32.
    Inputs, pali_inputs, pali_inputs_free
}
shared_between_threads!(Inputs);

impl Inputs {
    /// An empty set.
    pub fn new() -> Result<Self> {
        // SAFETY: there are no arguments but the places for object and error.
        make(|out, error| unsafe { sys::pali_inputs_create(out, error) }).map(Self::from_raw)
    }

    /// Reads all tensors of the safetensors file `path`.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = text::c_path(path)?;
        // SAFETY: `path` lives for the call.
        make(|out, error| unsafe { sys::pali_inputs_load(out, path.as_ptr(), error) }).map(Self::from_raw)
    }

    /// Writes all tensors to the safetensors file `path`, replacing it only when complete.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = text::c_path(path)?;
        // SAFETY: all arguments live for the call.
        check(|error| unsafe { sys::pali_inputs_save(self.as_ptr(), path.as_ptr(), error) })
    }

    /// The names, in the order in which the tensors were set.
    pub fn names(&self) -> impl Iterator<Item = &str> + '_ {
        // SAFETY: the set lives for the call; a name lives until the set changes.
        let count = unsafe { sys::pali_inputs_count(self.as_ptr()) };
        (0..count).filter_map(move |i| unsafe { text::borrowed(sys::pali_inputs_name(self.as_ptr(), i)) })
    }

    /// The tensor `name`, if it is there.
    pub fn get(&self, name: &str) -> Option<Tensor<'_>> {
        let name = text::c_text(name).ok()?;
        // SAFETY: all arguments live for the call; the tensor lives until the set changes.
        unsafe { Tensor::from_ptr(sys::pali_inputs_get(self.as_ptr(), name.as_ptr())) }
    }

    /// Copies a tensor in under `name`, replacing what was there.
    pub fn set(&mut self, name: &str, tensor: Tensor<'_>) -> Result<()> {
        let name = text::c_text(name)?;
        // SAFETY: all arguments live for the call, and nobody else has the set.
        check(|error| unsafe { sys::pali_inputs_set(self.as_ptr(), name.as_ptr(), tensor.as_ptr(), error) })
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tensors = self.names().map(|name| (name, self.get(name)));
        formatter.debug_map().entries(tensors).finish()
    }
}
