// SPDX-License-Identifier: BSD-2-Clause
//! Writing a checkpoint with weights of 8 or 4 bits.
use crate::error::check;
use crate::hooks::Hooks;
use crate::{sys, text, CancelToken, Error, Flow, Inputs, Result};
use std::fmt;
use std::path::Path;

/// How weights are rounded. Prints as torchao's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantizationScheme {
    /// 8 bits, a scale for each output.
    Int8WeightOnly,
    /// 4 bits, a scale for each group of inputs.
    Int4WeightOnly,
    /// 8 bits, a scale for each output, and the inputs of every product are rounded to 8 bits, too.
    Int8Dynamic,
}

impl QuantizationScheme {
    fn to_c(self) -> sys::pali_quantization_scheme {
        match self {
            Self::Int8WeightOnly => sys::PALI_INT8_WEIGHT_ONLY,
            Self::Int4WeightOnly => sys::PALI_INT4_WEIGHT_ONLY,
            Self::Int8Dynamic => sys::PALI_INT8_DYNAMIC,
        }
    }
}

impl fmt::Display for QuantizationScheme {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the name is static.
        let name = unsafe { text::borrowed(sys::pali_quantization_scheme_name(self.to_c())) };
        formatter.write_str(name.unwrap_or(""))
    }
}

/// A part of the network that is quantized. Norms, biases and the embedding never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantizationPart {
    /// Attention and MLP of the language model.
    Decoder,
    /// Attention and MLP of the vision tower.
    Vision,
    /// The projector.
    Projector,
    /// A head of its own. One that is tied to the embedding is quantized while loading:
    /// [`ModelOptions::int8_head`](crate::ModelOptions::int8_head).
    Head,
}

impl QuantizationPart {
    fn to_c(self) -> sys::pali_quantization_part {
        match self {
            Self::Decoder => sys::PALI_QUANTIZE_DECODER,
            Self::Vision => sys::PALI_QUANTIZE_VISION,
            Self::Projector => sys::PALI_QUANTIZE_PROJECTOR,
            Self::Head => sys::PALI_QUANTIZE_HEAD,
        }
    }
}

/// A checkpoint written anew with weights of 8 or 4 bits, which Transformers and vLLM open, too.
///
/// ```no_run
/// # fn main() -> paligemma::Result<()> {
/// use paligemma::{QuantizationScheme, Quantize};
/// Quantize::new().scheme(QuantizationScheme::Int4WeightOnly).group_size(64).run("checkpoint", "checkpoint-int4")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
#[must_use = "nothing is written before `run`"]
pub struct Quantize<'a> {
    scheme: Option<QuantizationScheme>,
    group_size: Option<usize>,
    zero_points: bool,
    parts: Option<sys::pali_quantization_part>,
    largest_value_scales: bool,
    calibration: Vec<&'a Inputs>,
    max_shard_size: Option<usize>,
    threads: usize,
    hooks: Hooks<'a>,
}

impl<'a> Quantize<'a> {
    /// The decoder in [`QuantizationScheme::Int8WeightOnly`].
    pub fn new() -> Self {
        Self::default()
    }

    /// How weights are rounded.
    pub fn scheme(mut self, scheme: QuantizationScheme) -> Self {
        self.scheme = Some(scheme);
        self
    }

    /// How many inputs share a scale in [`QuantizationScheme::Int4WeightOnly`]: 32, 64 or 128 (the default).
    pub fn group_size(mut self, inputs: usize) -> Self {
        self.group_size = Some(inputs);
        self
    }

    /// Groups of [`QuantizationScheme::Int4WeightOnly`] have a zero point.
    pub fn zero_points(mut self, zero_points: bool) -> Self {
        self.zero_points = zero_points;
        self
    }

    /// What is quantized, instead of the decoder alone.
    pub fn parts(mut self, parts: impl IntoIterator<Item = QuantizationPart>) -> Self {
        self.parts = Some(parts.into_iter().fold(0, |all, part| all | part.to_c()));
        self
    }

    /// A scale fits the largest weight of its group, as in torchao, instead of being the one of several with the least
    /// squared error.
    pub fn largest_value_scales(mut self, largest: bool) -> Self {
        self.largest_value_scales = largest;
        self
    }

    /// What a processor made of some pictures and prompts, like those that the model will see: the model is run on them
    /// to round weights where it matters least (GPTQ).
    pub fn calibration(mut self, inputs: impl IntoIterator<Item = &'a Inputs>) -> Self {
        self.calibration = inputs.into_iter().collect();
        self
    }

    /// Bytes of weights in a file, unless one tensor has more.
    pub fn max_shard_size(mut self, bytes: usize) -> Self {
        self.max_shard_size = Some(bytes);
        self
    }

    /// The number of threads; 0: as many as OpenMP takes.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Called with "calibrate", where there is a calibration, and "quantize", and the fraction that is done.
    pub fn progress<R: Flow>(mut self, call: impl FnMut(&str, f64) -> R + Send + 'a) -> Self {
        self.hooks.on_progress(call);
        self
    }

    /// Lets `token` stop the writing; nothing is left behind.
    pub fn cancel(mut self, token: &CancelToken) -> Self {
        self.hooks.cancel(token);
        self
    }

    /// Writes the checkpoint directory `from` as `to`, which must not exist or be empty.
    pub fn run(mut self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
        let empty = [
            (self.group_size == Some(0), "group_size is 0"),
            (self.max_shard_size == Some(0), "max_shard_size is 0"),
            (self.parts == Some(0), "parts is empty"),
        ];
        if let Some((_, message)) = empty.iter().find(|(wrong, _)| *wrong) {
            return Err(Error::Argument((*message).to_owned()));
        }
        let (from, to) = (text::c_path(from)?, text::c_path(to)?);
        let calibration: Vec<_> = self.calibration.iter().map(|inputs| inputs.as_ptr() as *const _).collect();
        let options = sys::pali_quantize_options {
            scheme: self.scheme.map_or(0, QuantizationScheme::to_c),
            group_size: self.group_size.map_or(0, text::int32),
            zero_points: self.zero_points.into(),
            parts: self.parts.map_or(0, |parts| parts as i32),
            largest_value_scales: self.largest_value_scales.into(),
            calibration: calibration.as_ptr(),
            n_calibration: calibration.len(),
            max_shard_size: self.max_shard_size.map_or(0, text::int),
            threads: text::int32(self.threads),
            progress: self.hooks.progress_fn(),
            progress_user: self.hooks.user(),
            ..Default::default()
        };
        // SAFETY: all arguments live for the call; the hooks are used by nobody else meanwhile.
        let outcome =
            check(|error| unsafe { sys::pali_quantize(from.as_ptr(), to.as_ptr(), &options, error) });
        self.hooks.resume_panic();
        outcome
    }
}
