// SPDX-License-Identifier: BSD-2-Clause
//! Looking into a checkpoint's files without loading the model.
use crate::error::{check, make};
use crate::{sys, text, Config, Result, Tensor};
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};

/// The directory in the Hugging Face cache that holds the hub id `id` ("google/paligemma2-3b-mix-224") at `revision`, a
/// branch, tag or commit (`None`: "main"). Nothing is downloaded; the error says which command would.
pub fn hub_path(id: &str, revision: Option<&str>) -> Result<PathBuf> {
    let id = text::c_text(id)?;
    let revision = revision.map(text::c_text).transpose()?;
    // SAFETY: the texts live for the call. The path is ours: it is copied, then freed.
    unsafe {
        let path = make(|out, error| sys::pali_hub_path(out, id.as_ptr(), text::optional(&revision), error))?;
        let bytes = std::ffi::CStr::from_ptr(path.as_ptr()).to_bytes().to_vec();
        sys::pali_free(path.as_ptr().cast());
        Ok(OsString::from_vec(bytes).into())
    }
}

handle! {
    /// The memory-mapped tensors of a checkpoint directory.
    Checkpoint, pali_checkpoint, pali_checkpoint_free
}
shared_between_threads!(Checkpoint);

/// How a checkpoint's tensors differ from what a configuration needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// Names of tensors that are not there; for one of wrong shape, with both shapes.
    pub missing: Vec<String>,
    /// Names of tensors that nothing needs.
    pub unexpected: Vec<String>,
}

impl Checkpoint {
    /// Maps model.safetensors, or the shards that its index names, in the directory `path`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = text::c_path(path)?;
        // SAFETY: `path` lives for the call.
        make(|out, error| unsafe { sys::pali_checkpoint_open(out, path.as_ptr(), error) }).map(Self::from_raw)
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        // SAFETY: the checkpoint lives for the call.
        unsafe { sys::pali_checkpoint_count(self.as_ptr()) }
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of a tensor, as the file has it; they are sorted.
    pub fn name(&self, index: usize) -> Option<&str> {
        // SAFETY: the checkpoint lives for the call, the name as long as it.
        unsafe { text::borrowed(sys::pali_checkpoint_name(self.as_ptr(), index)) }
    }

    /// A tensor, where it lies in the file.
    pub fn tensor(&self, index: usize) -> Result<Tensor<'_>> {
        // SAFETY: a tensor of zeros is one without data, which the library fills in; its data lie in the map, which
        // lives as long as the checkpoint.
        unsafe {
            let mut tensor = std::mem::zeroed();
            check(|error| sys::pali_checkpoint_tensor(self.as_ptr(), index, &mut tensor, error))?;
            Ok(Tensor::from_raw(tensor))
        }
    }

    /// Names and tensors.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Tensor<'_>)> + '_ {
        (0..self.len()).filter_map(move |i| Some((self.name(i)?, self.tensor(i).ok()?)))
    }

    /// Bytes of all the files together.
    pub fn size_bytes(&self) -> u64 {
        // SAFETY: the checkpoint lives for the call.
        unsafe { sys::pali_checkpoint_size(self.as_ptr()) as u64 }
    }

    /// Compares the tensors with what `config` needs.
    pub fn compare(&self, config: &Config) -> Result<Mismatch> {
        let (mut missing, mut unexpected) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: all arguments live for the call.
        check(|error| unsafe {
            sys::pali_checkpoint_compare(self.as_ptr(), config.as_ptr(), &mut missing, &mut unexpected, error)
        })?;
        let lines = |names| -> Vec<String> {
            let names = NonNull::new(names).map_or_else(String::new, text::owned);
            names.lines().map(str::to_owned).collect()
        };
        Ok(Mismatch { missing: lines(missing), unexpected: lines(unexpected) })
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Checkpoint").field("tensors", &self.len()).finish()
    }
}
