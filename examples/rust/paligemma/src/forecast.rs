// SPDX-License-Identifier: BSD-2-Clause
//! What memory a checkpoint will need, told without loading it.
use crate::{sys, text};

/// What one sequence with one picture needs, in bytes; made by
/// [`ModelOptions::forecast_memory`](crate::ModelOptions::forecast_memory).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryForecast {
    /// Weights used in the mapped files, which all processes share that have them open.
    pub weights_mapped: usize,
    /// Weights in memory of the model's own.
    pub weights_copied: usize,
    /// The tower's working memory.
    pub vision: usize,
    /// Of the decoder's pass over the prompt.
    pub activations: usize,
    /// Keys and values in float32; a half of it in bfloat16, about a quarter in int8.
    pub cache_per_token: usize,
    /// Of all tokens.
    pub cache: usize,
    /// Weights, cache, and the larger of tower and decoder.
    pub total: usize,
    /// What the machine has, where that is known.
    pub available: Option<usize>,
}

impl MemoryForecast {
    pub(crate) fn from_c(raw: &sys::pali_memory_forecast) -> Self {
        Self {
            weights_mapped: text::size(raw.weights_mapped),
            weights_copied: text::size(raw.weights_copied),
            vision: text::size(raw.vision),
            activations: text::size(raw.activations),
            cache_per_token: text::size(raw.cache_per_token),
            cache: text::size(raw.cache),
            total: text::size(raw.total),
            available: usize::try_from(raw.available).ok(),
        }
    }
}
