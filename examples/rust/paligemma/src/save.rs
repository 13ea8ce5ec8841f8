// SPDX-License-Identifier: BSD-2-Clause
//! Writing a checkpoint directory that Transformers opens.
use crate::error::check;
use crate::hooks::Hooks;
use crate::text::TextList;
use crate::{sys, text, CancelToken, Dtype, Error, Flow, Result};
use std::ffi::CString;
use std::path::Path;

/// How tensors are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameStyle {
    /// As the files on the hub, and as Transformers 4.x saves: every release opens it.
    Transformers4,
    /// As 5.x saves; 4.x does not open it.
    Transformers5,
    /// The modules' own names in 4.52 to 4.57.
    Modules4,
    /// The modules' own names in 5.x.
    Modules5,
}

/// A checkpoint written anew: another type, other names, shards, adapters merged in.
///
/// ```no_run
/// # fn main() -> paligemma::Result<()> {
/// use paligemma::{Dtype, Save};
/// Save::new().dtype(Dtype::BFloat16).adapter("my-lora", 1.0).run("checkpoint", "merged")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use = "nothing is written before `run`"]
pub struct Save<'a> {
    dtype: Option<Dtype>,
    style: Option<NameStyle>,
    max_shard_size: Option<usize>,
    write_tied_head: bool,
    adapters: Vec<Result<CString>>,
    scales: Vec<f64>,
    hooks: Hooks<'a>,
}

impl<'a> Save<'a> {
    /// Types as they are, names as on the hub, files of up to 5 GB.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of all weights: [`Dtype::Float32`], [`Dtype::BFloat16`] or [`Dtype::Float16`].
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// How tensors are named.
    pub fn name_style(mut self, style: NameStyle) -> Self {
        self.style = Some(style);
        self
    }

    /// Bytes of weights in a file, unless one tensor has more.
    pub fn max_shard_size(mut self, bytes: usize) -> Self {
        self.max_shard_size = Some(bytes);
        self
    }

    /// Writes the head although it is tied to the embedding.
    pub fn write_tied_head(mut self, write: bool) -> Self {
        self.write_tied_head = write;
        self
    }

    /// Adds the LoRA adapter in the directory `path` to the weights, times `scale`.
    pub fn adapter(mut self, path: impl AsRef<Path>, scale: f64) -> Self {
        self.adapters.push(text::c_path(path));
        self.scales.push(scale);
        self
    }

    /// Called with "save" and the fraction that is done.
    pub fn progress<R: Flow>(mut self, call: impl FnMut(&str, f64) -> R + Send + 'a) -> Self {
        self.hooks.on_progress(call);
        self
    }

    /// Lets `token` stop the writing.
    pub fn cancel(mut self, token: &CancelToken) -> Self {
        self.hooks.cancel(token);
        self
    }

    /// Writes the checkpoint directory `from` anew as `to`.
    pub fn run(mut self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
        if self.max_shard_size == Some(0) {
            return Err(Error::Argument("max_shard_size is 0".to_owned()));
        }
        let (from, to) = (text::c_path(from)?, text::c_path(to)?);
        let adapters = TextList::from_texts(self.adapters.into_iter().collect::<Result<_>>()?);
        let options = sys::pali_save_options {
            dtype: self.dtype.map_or(0, Dtype::to_c),
            name_style: match self.style {
                None => 0,
                Some(NameStyle::Transformers4) => sys::PALI_NAMES_TRANSFORMERS_4,
                Some(NameStyle::Transformers5) => sys::PALI_NAMES_TRANSFORMERS_5,
                Some(NameStyle::Modules4) => sys::PALI_NAMES_MODULES_4,
                Some(NameStyle::Modules5) => sys::PALI_NAMES_MODULES_5,
            },
            max_shard_size: self.max_shard_size.map_or(0, text::int),
            write_tied_head: self.write_tied_head.into(),
            adapters: adapters.as_ptr(),
            adapter_scales: self.scales.as_ptr(),
            n_adapters: adapters.len(),
            progress: self.hooks.progress_fn(),
            progress_user: self.hooks.user(),
            ..Default::default()
        };
        // SAFETY: all arguments live for the call; the hooks are used by nobody else meanwhile.
        let outcome =
            check(|error| unsafe { sys::pali_checkpoint_save(from.as_ptr(), to.as_ptr(), &options, error) });
        self.hooks.resume_panic();
        outcome
    }
}
