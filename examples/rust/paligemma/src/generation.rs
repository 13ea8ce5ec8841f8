// SPDX-License-Identifier: BSD-2-Clause
//! The answers to a batch.
use crate::error::check;
use crate::{sys, text, Result};
use std::fmt;
use std::mem::{align_of, size_of};

handle! {
    /// The answers to a batch. `row` is the number of one: with n answers to each prompt, those to prompt r are numbers
    /// r · n … r · n + n - 1.
    Generation, pali_generation, pali_generation_free
}
shared_between_threads!(Generation);

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishReason {
    /// The model said so.
    Eos,
    /// `max_new_tokens` were reached.
    Length,
    /// A closure or a [`CancelToken`](crate::CancelToken) stopped it.
    Cancelled,
    /// A stop string is complete.
    StopString,
    /// Nothing but the end could follow.
    Constraint,
    /// A reason that is newer than this crate.
    Other(u32),
}

/// A token and its log-probability.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct TokenLogprob {
    /// Its number in the vocabulary.
    pub id: i64,
    /// Natural logarithm of its probability.
    pub logprob: f64,
}

// The library's arrays of these are borrowed as they are; tests/layout.rs of paligemma-sys knows the C side.
const _: () = assert!(
    size_of::<TokenLogprob>() == size_of::<sys::pali_token_logprob>()
        && align_of::<TokenLogprob>() == align_of::<sys::pali_token_logprob>()
);

/// Seconds by the monotonic clock, for the whole batch.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Timing {
    /// Tower and projector.
    pub image_s: f64,
    /// Decoder over the prompts, and the first tokens.
    pub prefill_s: f64,
    /// All tokens after the first.
    pub decode_s: f64,
    /// Tokens of the prompts, without padding.
    pub prompt_tokens: usize,
    /// Tokens made in `decode_s`.
    pub decode_tokens: usize,
}

impl Generation {
    /// How many answers.
    pub fn rows(&self) -> usize {
        // SAFETY: the generation lives for the call.
        text::size(unsafe { sys::pali_generation_rows(self.as_ptr()) })
    }

    /// The answer, special tokens left out; `None` without a processor or out of range.
    pub fn text(&self, row: usize) -> Option<&str> {
        // SAFETY: the generation lives for the call, the text as long as it.
        unsafe { text::borrowed(sys::pali_generation_text(self.as_ptr(), text::int(row))) }
    }

    /// The answers one after another.
    pub fn texts(&self) -> impl Iterator<Item = &str> + '_ {
        (0..self.rows()).map(move |row| self.text(row).unwrap_or(""))
    }

    /// The new tokens, `<eos>` included; empty out of range.
    pub fn token_ids(&self, row: usize) -> &[i64] {
        let mut count = 0;
        // SAFETY: all arguments live for the call, the ids as long as the generation.
        unsafe {
            let ids = sys::pali_generation_token_ids(self.as_ptr(), text::int(row), &mut count);
            text::array(ids, count)
        }
    }

    /// Log-probabilities of the new tokens; `None` unless they were asked for.
    pub fn logprobs(&self, row: usize) -> Option<&[f64]> {
        let mut count = 0;
        // SAFETY: all arguments live for the call, the values as long as the generation.
        unsafe {
            let values = sys::pali_generation_logprobs(self.as_ptr(), text::int(row), &mut count);
            (!values.is_null()).then(|| text::array(values, count))
        }
    }

    /// The likeliest tokens at the place of new token number `token`, likeliest first; empty unless asked for.
    pub fn top_logprobs(&self, row: usize, token: usize) -> &[TokenLogprob] {
        let mut count = 0;
        // SAFETY: all arguments live for the call, the values as long as the generation; both types have one layout.
        unsafe {
            let values = sys::pali_generation_top_logprobs(self.as_ptr(), text::int(row), token, &mut count);
            text::array(values.cast(), count)
        }
    }

    /// How good the answer is: with beams, what they are ranked by, else the mean log-probability of its tokens if
    /// log-probabilities were asked for.
    pub fn score(&self, row: usize) -> Option<f64> {
        // SAFETY: the generation lives for the call.
        Some(unsafe { sys::pali_generation_score(self.as_ptr(), text::int(row)) })
            .filter(|score| !score.is_nan())
    }

    /// Why the answer ended; `None` out of range.
    pub fn finish_reason(&self, row: usize) -> Option<FinishReason> {
        if row >= self.rows() {
            return None;
        }
        // SAFETY: the generation lives for the call.
        Some(match unsafe { sys::pali_generation_finish_reason(self.as_ptr(), text::int(row)) } {
            sys::PALI_FINISH_EOS => FinishReason::Eos,
            sys::PALI_FINISH_LENGTH => FinishReason::Length,
            sys::PALI_FINISH_CANCELLED => FinishReason::Cancelled,
            sys::PALI_FINISH_STOP_STRING => FinishReason::StopString,
            sys::PALI_FINISH_CONSTRAINT => FinishReason::Constraint,
            other => FinishReason::Other(other),
        })
    }

    /// How often the decoder ran after the prompts.
    pub fn passes(&self) -> usize {
        // SAFETY: the generation lives for the call.
        text::size(unsafe { sys::pali_generation_passes(self.as_ptr()) })
    }

    /// How long it took.
    pub fn timing(&self) -> Result<Timing> {
        let mut raw = sys::pali_timing::default();
        // SAFETY: all arguments live for the call; `raw` says how large it is.
        check(|error| unsafe { sys::pali_generation_timing(self.as_ptr(), &mut raw, error) })?;
        Ok(Timing {
            image_s: raw.image_s,
            prefill_s: raw.prefill_s,
            decode_s: raw.decode_s,
            prompt_tokens: text::size(raw.prompt_tokens),
            decode_tokens: text::size(raw.decode_tokens),
        })
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.texts()).finish()
    }
}
