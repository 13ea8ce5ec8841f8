// SPDX-License-Identifier: BSD-2-Clause
//! PaliGemma in your own program: pictures and prompts in, captions, answers, boxes and masks out.
//!
//! This is the safe interface of libpaligemma, a C library that opens Hugging Face's PaliGemma 1 and 2 checkpoints as
//! they are and runs them on the CPU.
//!
//! ```no_run
//! use paligemma::{Image, Model, Processor};
//!
//! fn main() -> paligemma::Result<()> {
//!     let model = Model::load("checkpoint")?;
//!     let processor = Processor::load("checkpoint")?;
//!     let image = Image::open("cat.jpg")?;
//!     let inputs = processor.apply(&[&image], "caption en")?;
//!     let answer = model.generate(&inputs).max_new_tokens(30).run()?;
//!     println!("{}", answer.text(0).unwrap_or(""));
//!     Ok(())
//! }
//! ```
//!
//! # How it is made
//!
//! - A handle owns an object of the library and ends it when dropped. What a handle needs it keeps alive itself: a
//!   [`Cache`] or [`Adapter`] may outlive its [`Model`]. Views such as [`Tensor`] borrow from their handle.
//! - Long calls are requests: [`Model::generate`], [`Model::forward`], [`Model::score`], [`Model::embed`] return a
//!   builder, and its `run` does the work. Plain options are structs such as [`ApplyOptions`].
//! - Tokens come through a closure ([`Generate::on_token`]) or an iterator ([`Generate::stream`]). A closure may return
//!   nothing or a [`ControlFlow`](std::ops::ControlFlow); `Break` stops the call. A panic in a closure ends the call and
//!   goes on in its caller.
//! - A [`CancelToken`] stops a call from another thread.
//!
//! # Threads
//!
//! What the library calls immutable is `Send` and `Sync`: one [`Model`] serves any number of threads. What belongs to
//! one thread while it changes ([`Image`], [`Inputs`]) is so too, and changes through `&mut` alone. A [`Cache`] belongs
//! to one thread at a time: `Send` but not `Sync`; a [`Prefix`], which no longer changes, is both.

#![deny(missing_docs, unsafe_op_in_unsafe_fn)]
#![warn(missing_debug_implementations, rust_2018_idioms)]

#[macro_use]
mod handle;
mod adapter;
mod annotations;
mod attention;
mod cache;
mod chat;
mod checkpoint;
mod compare;
mod config;
mod constraint;
mod detections;
mod embedding;
mod error;
mod features;
mod forecast;
mod forward;
mod generate;
mod generation;
mod hooks;
mod image;
mod inputs;
mod machine;
mod masks;
mod model;
mod processor;
mod quantize;
mod runs;
mod save;
mod score;
mod stream;
mod tensor;
mod text;

pub use adapter::Adapter;
pub use annotations::{CocoOptions, DrawOptions};
pub use attention::{AttentionMask, HeatMap, HeatMapOptions, MaskTextOptions};
pub use cache::{Cache, CacheOptions, Prefix};
pub use chat::ChatOptions;
pub use checkpoint::{hub_path, Checkpoint, Mismatch};
pub use compare::{Comparison, Departure, Difference, DifferenceKind};
pub use config::Config;
pub use constraint::{Constraint, ConstraintOptions};
pub use detections::{encode_detections, Confidence, Detection, Detections};
pub use embedding::{max_sim, Embed, Pooling};
pub use error::{Error, Result};
pub use features::{Features, ImageFeatures};
pub use forecast::MemoryForecast;
pub use forward::{Forward, Outputs};
pub use generate::{EarlyStopping, Generate};
pub use generation::{FinishReason, Generation, Timing, TokenLogprob};
pub use hooks::{CancelToken, Flow, Next, Token};
pub use image::{Alpha, Image, ImageOptions, ImageSource, Resample};
pub use inputs::Inputs;
pub use machine::Machine;
pub use masks::{MaskDecoder, SegmentForm, SegmentMask, SEGMENT_SIDE, SEG_TOKENS};
pub use model::{Model, ModelOptions};
pub use processor::{ApplyOptions, PaddingSide, Processor};
pub use quantize::{QuantizationPart, QuantizationScheme, Quantize};
pub use runs::{rle_decode, rle_encode, rle_from_text, rle_to_text};
pub use save::{NameStyle, Save};
pub use score::{Score, ScoreOrder, Scores};
pub use stream::Tokens;
pub use tensor::{Dtype, Element, Tensor};

use paligemma_sys as sys;

/// The version of the library that is loaded, such as "0.1.0".
pub fn version() -> &'static str {
    // SAFETY: the text is static.
    unsafe { text::borrowed(sys::pali_version()) }.unwrap_or("")
}
