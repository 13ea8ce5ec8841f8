// SPDX-License-Identifier: BSD-2-Clause
//! LoRA adapters, switched from call to call.
use crate::error::make;
use crate::{sys, text, Model, Result};
use std::fmt;
use std::path::Path;
use std::ptr;

handle! {
    /// A LoRA adapter as PEFT writes it, for the calls that name it; several serve from one model at the same time.
    Adapter, pali_adapter, pali_adapter_free
}
shared_between_threads!(Adapter);

impl Adapter {
    /// Reads the PEFT directory `path` for `model`, which it keeps alive.
    pub fn load(model: &Model, path: impl AsRef<Path>) -> Result<Self> {
        let path = text::c_path(path)?;
        // SAFETY: all arguments live for the call; the adapter holds a reference to the model.
        make(|out, error| unsafe { sys::pali_adapter_load(out, model.as_ptr(), path.as_ptr(), error) })
            .map(Self::from_raw)
    }

    /// How many weights it covers.
    pub fn count(&self) -> usize {
        // SAFETY: the adapter lives for the call.
        unsafe { sys::pali_adapter_count(self.as_ptr()) }
    }

    /// The largest rank among them.
    pub fn rank(&self) -> usize {
        // SAFETY: the adapter lives for the call.
        text::size(unsafe { sys::pali_adapter_rank(self.as_ptr()) })
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Adapter").field("count", &self.count()).field("rank", &self.rank()).finish()
    }
}

/// The adapter of a call and its factor.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Applied<'a>(Option<(&'a Adapter, f64)>);

impl<'a> Applied<'a> {
    pub(crate) fn new(adapter: &'a Adapter, scale: f64) -> Self {
        Self(Some((adapter, scale)))
    }

    pub(crate) fn as_ptr(&self) -> *const sys::pali_adapter {
        self.0.map_or(ptr::null(), |(adapter, _)| adapter.as_ptr())
    }

    pub(crate) fn scale(&self) -> f64 {
        self.0.map_or(1.0, |(_, scale)| scale)
    }
}
