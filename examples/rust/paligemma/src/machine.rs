// SPDX-License-Identifier: BSD-2-Clause
//! What this machine can do at the most.
use crate::error::check;
use crate::{sys, text, Dtype, Model, Result};

/// The limits that a model's speed is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Machine {
    /// Threads that the model uses.
    pub threads: usize,
    /// Type of the factors of large products with weights that are not quantized.
    pub gemm_dtype: Option<Dtype>,
    /// Of the kernels: "c", "avx2", "avx512", "avx512_bf16", "neon".
    pub instruction_set: &'static str,
    /// Plain read of 256 MiB.
    pub read_bytes_per_s: f64,
    /// On the products of one block of the vision tower.
    pub vision_flops_per_s: f64,
    /// On the products of one block of the decoder.
    pub decoder_flops_per_s: f64,
    /// Bytes of the weights that one picture needs, as they lie in memory.
    pub vision_bytes: usize,
    /// Bytes of those that one token needs, the head's among them.
    pub decoder_bytes: usize,
    /// As `gemm_dtype`, of the tower's blocks: [`Dtype::Int8`] where inputs are rounded to it.
    pub vision_gemm_dtype: Option<Dtype>,
    /// Of the decoder's blocks.
    pub decoder_gemm_dtype: Option<Dtype>,
}

impl Machine {
    /// Measures for about a second, for prompts of `tokens` tokens.
    pub fn measure(model: &Model, tokens: usize) -> Result<Self> {
        let mut raw = sys::pali_machine::default();
        // SAFETY: all arguments live for the call; `raw` says how large it is; the text is static.
        unsafe {
            check(|error| sys::pali_machine_measure(&mut raw, model.as_ptr(), text::int(tokens), error))?;
            Ok(Self {
                threads: text::size(raw.threads.into()),
                gemm_dtype: Dtype::from_c(raw.gemm_dtype),
                instruction_set: text::borrowed(raw.instruction_set).unwrap_or(""),
                read_bytes_per_s: raw.read_bytes_per_s,
                vision_flops_per_s: raw.vision_flops_per_s,
                decoder_flops_per_s: raw.decoder_flops_per_s,
                vision_bytes: text::size(raw.vision_bytes),
                decoder_bytes: text::size(raw.decoder_bytes),
                vision_gemm_dtype: Dtype::from_c(raw.vision_gemm_dtype),
                decoder_gemm_dtype: Dtype::from_c(raw.decoder_gemm_dtype),
            })
        }
    }
}
