// SPDX-License-Identifier: BSD-2-Clause
//! The network, and how it is loaded.
use crate::error::{check, make};
use crate::hooks::Hooks;
use crate::text::TextList;
use crate::{sys, text, CancelToken, Config, Dtype, Error, Flow, MemoryForecast, Result};
use std::ffi::CString;
use std::fmt;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::ptr::NonNull;

/// A checkpoint that is ready to run. One model serves any number of threads.
pub struct Model {
    raw: NonNull<sys::pali_model>,
    /// The model's own, which ends with it.
    config: ManuallyDrop<Config>,
}

shared_between_threads!(Model);

impl Model {
    /// Opens the checkpoint directory `path` with the default [`ModelOptions`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        ModelOptions::new().load(path)
    }

    fn from_raw(raw: NonNull<sys::pali_model>) -> Result<Self> {
        // SAFETY: the model lives for the call.
        let config = NonNull::new(unsafe { sys::pali_model_config(raw.as_ptr()) } as *mut sys::pali_config);
        match config {
            Some(config) => Ok(Self { raw, config: ManuallyDrop::new(Config::from_raw(config)) }),
            None => {
                // SAFETY: the model is ours.
                unsafe { sys::pali_model_free(raw.as_ptr()) };
                Err(Error::Internal("a model without configuration".to_owned()))
            }
        }
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::pali_model {
        self.raw.as_ptr()
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The type that it computes with: [`Dtype::Float32`] or [`Dtype::BFloat16`].
    pub fn dtype(&self) -> Option<Dtype> {
        // SAFETY: the model lives for the call.
        Dtype::from_c(unsafe { sys::pali_model_dtype(self.as_ptr()) })
    }

    /// Width of the embedding projection (ColPali: 128), if the checkpoint has one.
    pub fn embedding_dim(&self) -> Option<usize> {
        // SAFETY: the model lives for the call.
        Some(text::size(unsafe { sys::pali_model_embedding_dim(self.as_ptr()) })).filter(|&dim| dim > 0)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: the model is ours, and nothing borrows from it any more; its configuration goes with it.
        unsafe { sys::pali_model_free(self.raw.as_ptr()) }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Model").field("dtype", &self.dtype()).field("config", &self.config).finish()
    }
}

/// How a model is loaded.
///
/// ```no_run
/// # fn main() -> paligemma::Result<()> {
/// let model = paligemma::ModelOptions::new()
///     .threads(4)
///     .progress(|_, fraction| eprint!("\r{:3.0} %", 100.0 * fraction))
///     .load("checkpoint")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use = "`load` opens the model"]
pub struct ModelOptions<'a> {
    raw: Numbers,
    adapters: Vec<Result<CString>>,
    scales: Vec<f64>,
    hooks: Hooks<'a>,
}

/// The options without their pointers.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    dtype: sys::pali_dtype,
    threads: i32,
    copy_weights: bool,
    int8_head: Option<bool>,
    ignore_memory: bool,
}

impl Numbers {
    /// What the library is given, without hooks; it borrows the lists.
    fn to_c(self, adapters: &TextList, scales: &[f64]) -> sys::pali_model_options {
        sys::pali_model_options {
            dtype: self.dtype,
            threads: self.threads,
            adapters: adapters.as_ptr(),
            adapter_scales: scales.as_ptr(),
            n_adapters: adapters.len(),
            copy_weights: self.copy_weights.into(),
            int8_head: self.int8_head.map_or(0, |int8| if int8 { 1 } else { -1 }),
            ignore_memory: self.ignore_memory.into(),
            ..Default::default()
        }
    }
}

impl<'a> ModelOptions<'a> {
    /// bfloat16 for bfloat16 files, else float32; as many threads as OpenMP takes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The type to compute with: [`Dtype::Float32`] or [`Dtype::BFloat16`].
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.raw.dtype = dtype.to_c();
        self
    }

    /// The number of threads of each call; 0: as many as OpenMP takes. A call may have its own.
    pub fn threads(mut self, threads: usize) -> Self {
        self.raw.threads = text::int32(threads);
        self
    }

    /// Reads the weights into memory instead of using them in the mapped files: as much memory as the checkpoint again, and
    /// decoding is some per cent faster.
    pub fn copy_weights(mut self, copy: bool) -> Self {
        self.raw.copy_weights = copy;
        self
    }

    /// Quantizes the head to int8 while loading, or leaves it as it is. If not set, it is quantized where the checkpoint
    /// is and its head is not.
    pub fn int8_head(mut self, int8: bool) -> Self {
        self.raw.int8_head = Some(int8);
        self
    }

    /// Loads even if the machine has less memory than the model needs.
    pub fn ignore_memory(mut self, ignore: bool) -> Self {
        self.raw.ignore_memory = ignore;
        self
    }

    /// Adds the LoRA adapter in the directory `path` to the weights, times `scale`. For one that can be switched from
    /// call to call see [`Adapter`](crate::Adapter).
    pub fn adapter(mut self, path: impl AsRef<Path>, scale: f64) -> Self {
        self.adapters.push(text::c_path(path));
        self.scales.push(scale);
        self
    }

    /// Called with "load" and the fraction that is done, after each tensor.
    pub fn progress<R: Flow>(mut self, call: impl FnMut(&str, f64) -> R + Send + 'a) -> Self {
        self.hooks.on_progress(call);
        self
    }

    /// Lets `token` stop the loading.
    pub fn cancel(mut self, token: &CancelToken) -> Self {
        self.hooks.cancel(token);
        self
    }

    /// Opens the checkpoint directory `path`. Weights stay in the memory-mapped files.
    pub fn load(mut self, path: impl AsRef<Path>) -> Result<Model> {
        let path = text::c_path(path)?;
        let adapters = TextList::from_texts(self.adapters.into_iter().collect::<Result<_>>()?);
        let options = sys::pali_model_options {
            progress: self.hooks.progress_fn(),
            progress_user: self.hooks.user(),
            ..self.raw.to_c(&adapters, &self.scales)
        };
        // SAFETY: all arguments live for the call; the hooks are used by nobody else meanwhile.
        let model = make(|out, error| unsafe { sys::pali_model_load(out, path.as_ptr(), &options, error) })
            .and_then(Model::from_raw);
        self.hooks.resume_panic();
        model
    }

    /// Reads the headers of the checkpoint directory `path`, no weights, and says what a model loaded with these
    /// options needs for a picture and `tokens` tokens of prompt and answer. [`load`](Self::load) goes by the same figures.
    pub fn forecast_memory(self, path: impl AsRef<Path>, tokens: usize) -> Result<MemoryForecast> {
        let path = text::c_path(path)?;
        let adapters = TextList::from_texts(self.adapters.into_iter().collect::<Result<_>>()?);
        let options = self.raw.to_c(&adapters, &self.scales);
        let mut raw = sys::pali_memory_forecast::default();
        let tokens = text::int(tokens);
        // SAFETY: all arguments live for the call; `raw` says how large it is.
        check(|error| unsafe {
            sys::pali_model_forecast_memory(&mut raw, path.as_ptr(), &options, tokens, error)
        })?;
        Ok(MemoryForecast::from_c(&raw))
    }
}
