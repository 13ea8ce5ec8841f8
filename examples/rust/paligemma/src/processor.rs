// SPDX-License-Identifier: BSD-2-Clause
//! Pictures and prompts to the model's inputs, and token ids back to text.
use crate::error::{check, make};
use crate::text::TextList;
use crate::{sys, text, Error, Image, Inputs, Resample, Result};
use std::fmt;
use std::path::Path;
use std::ptr;

handle! {
    /// Tokenizer and picture preparation of a checkpoint.
    Processor, pali_processor, pali_processor_free
}
shared_between_threads!(Processor);

/// On which side the rows of a batch are padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaddingSide {
    /// In front of the tokens.
    Left,
    /// Behind the tokens.
    Right,
}

/// How texts and pictures become rows.
#[derive(Clone, Debug, Default)]
pub struct ApplyOptions {
    suffixes: Option<Vec<String>>,
    images_per_text: Option<Vec<usize>>,
    right: bool,
    pad_to: usize,
    max_length: usize,
}

impl ApplyOptions {
    /// No suffixes, padded left to the longest row.
    pub fn new() -> Self {
        Self::default()
    }

    /// One suffix for each text: the answers to learn from.
    pub fn suffixes<S: Into<String>>(mut self, suffixes: impl IntoIterator<Item = S>) -> Self {
        self.suffixes = Some(suffixes.into_iter().map(Into::into).collect());
        self
    }

    /// How many of the pictures each text has.
    pub fn images_per_text(mut self, counts: impl IntoIterator<Item = usize>) -> Self {
        self.images_per_text = Some(counts.into_iter().collect());
        self
    }

    /// Where padding goes.
    pub fn padding_side(mut self, side: PaddingSide) -> Self {
        self.right = side == PaddingSide::Right;
        self
    }

    /// Pads every row to this length; 0: to the longest of the batch.
    pub fn pad_to(mut self, length: usize) -> Self {
        self.pad_to = length;
        self
    }

    /// A longer row is [`Error::Limit`]; 0: no limit.
    pub fn max_length(mut self, length: usize) -> Self {
        self.max_length = length;
        self
    }

    /// Calls `call` with the C struct for `n_texts` texts, whose lists have been seen to be as long.
    fn with_c<T>(
        &self,
        n_texts: usize,
        call: impl FnOnce(&sys::pali_apply_options) -> Result<T>,
    ) -> Result<T> {
        let suffixes = self.suffixes.as_ref().map(TextList::new).transpose()?;
        for count in [suffixes.as_ref().map(TextList::len), self.images_per_text.as_ref().map(Vec::len)] {
            if count.map_or(false, |count| count != n_texts) {
                return Err(Error::Argument(format!(
                    "a list of the options is not as long as the {n_texts} texts"
                )));
            }
        }
        call(&sys::pali_apply_options {
            suffixes: suffixes.as_ref().map_or(ptr::null(), TextList::as_ptr),
            images_per_text: self.images_per_text.as_ref().map_or(ptr::null(), |counts| counts.as_ptr()),
            padding_side: if self.right { sys::PALI_PADDING_RIGHT } else { sys::PALI_PADDING_LEFT },
            pad_to: text::int(self.pad_to),
            max_length: text::int(self.max_length),
            ..Default::default()
        })
    }
}

impl Processor {
    /// Reads tokenizer and configuration of the checkpoint directory `path`; pictures are resized as by Pillow.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, Resample::Pillow)
    }

    /// The same with another way to resize.
    pub fn load_with(path: impl AsRef<Path>, resample: Resample) -> Result<Self> {
        let path = text::c_path(path)?;
        let options = sys::pali_processor_options { resample: resample.to_c(), ..Default::default() };
        // SAFETY: all arguments live for the call.
        make(|out, error| unsafe { sys::pali_processor_load(out, path.as_ptr(), &options, error) })
            .map(Self::from_raw)
    }

    /// One text with its pictures. A text that says `<image>` itself has each expanded in place.
    pub fn apply(&self, images: &[&Image], text: &str) -> Result<Inputs> {
        self.apply_with(images, text, &ApplyOptions::new())
    }

    /// The same with options.
    pub fn apply_with(&self, images: &[&Image], text: &str, options: &ApplyOptions) -> Result<Inputs> {
        let (text, pointers) = (text::c_text(text)?, image_pointers(images));
        options.with_c(1, |options| {
            // SAFETY: all arguments live for the call, which only reads the pictures.
            make(|out, error| unsafe {
                let (images, n_images) = (pointers.as_ptr(), pointers.len());
                sys::pali_processor_apply(out, self.as_ptr(), images, n_images, text.as_ptr(), options, error)
            })
            .map(Inputs::from_raw)
        })
    }

    /// A row for each text, padded to one length. `images` has the pictures of all rows one after another: one for each
    /// text, unless the texts say `<image>` or the options how many.
    pub fn apply_batch<S: AsRef<str>>(
        &self,
        images: &[&Image],
        texts: &[S],
        options: &ApplyOptions,
    ) -> Result<Inputs> {
        let (texts, pointers) = (TextList::new(texts)?, image_pointers(images));
        options.with_c(texts.len(), |options| {
            // SAFETY: all arguments live for the call, which only reads the pictures.
            make(|out, error| unsafe {
                let (images, n_images) = (pointers.as_ptr(), pointers.len());
                let (texts, n_texts) = (texts.as_ptr(), texts.len());
                sys::pali_processor_apply_batch(
                    out,
                    self.as_ptr(),
                    images,
                    n_images,
                    texts,
                    n_texts,
                    options,
                    error,
                )
            })
            .map(Inputs::from_raw)
        })
    }

    /// `text` as it stands, to follow what a row of a [`Cache`](crate::Cache) holds.
    pub fn apply_continuation(&self, text: &str) -> Result<Inputs> {
        let text = text::c_text(text)?;
        // SAFETY: all arguments live for the call.
        make(|out, error| unsafe {
            sys::pali_processor_apply_continuation(out, self.as_ptr(), text.as_ptr(), error)
        })
        .map(Inputs::from_raw)
    }

    /// An empty set for tensors of one's own ([`Inputs::set`]) that knows the processor: answers to it have text, and may
    /// end at stop strings.
    pub fn inputs(&self) -> Result<Inputs> {
        // SAFETY: the processor lives for the call; the set keeps it alive.
        make(|out, error| unsafe { sys::pali_processor_inputs(out, self.as_ptr(), error) })
            .map(Inputs::from_raw)
    }

    /// Pages for [`Model::embed`](crate::Model::embed), a row for each picture.
    pub fn apply_pages(&self, images: &[&Image], options: &ApplyOptions) -> Result<Inputs> {
        let pointers = image_pointers(images);
        options.with_c(images.len(), |options| {
            // SAFETY: all arguments live for the call, which only reads the pictures.
            make(|out, error| unsafe {
                let (images, n_images) = (pointers.as_ptr(), pointers.len());
                sys::pali_processor_apply_pages(out, self.as_ptr(), images, n_images, options, error)
            })
            .map(Inputs::from_raw)
        })
    }

    /// Queries for [`Model::embed`](crate::Model::embed), a row for each text.
    pub fn apply_queries<S: AsRef<str>>(&self, texts: &[S], options: &ApplyOptions) -> Result<Inputs> {
        let texts = TextList::new(texts)?;
        options.with_c(texts.len(), |options| {
            // SAFETY: all arguments live for the call.
            make(|out, error| unsafe {
                sys::pali_processor_apply_queries(
                    out,
                    self.as_ptr(),
                    texts.as_ptr(),
                    texts.len(),
                    options,
                    error,
                )
            })
            .map(Inputs::from_raw)
        })
    }

    /// Token ids of `text`, nothing added.
    pub fn encode(&self, text: &str) -> Result<Vec<i64>> {
        let (mut ids, mut count) = (ptr::null_mut(), 0);
        // SAFETY: all arguments live for the call; the ids are ours.
        unsafe {
            check(|error| {
                let (start, size) = (text.as_ptr().cast(), text.len());
                sys::pali_processor_encode(self.as_ptr(), start, size, &mut ids, &mut count, error)
            })?;
            Ok(text::owned_array(ids, count))
        }
    }

    /// Text of token ids; without special tokens such as `<eos>`, if asked for (`<loc…>` and `<seg…>` stay).
    pub fn decode(&self, ids: &[i64], skip_special_tokens: bool) -> Result<String> {
        let skip = skip_special_tokens.into();
        // SAFETY: all arguments live for the call; the text is ours.
        make(|out, error| unsafe {
            sys::pali_processor_decode(self.as_ptr(), ids.as_ptr(), ids.len(), skip, out, error)
        })
        .map(text::owned)
    }

    /// The texts of rows of `length` ids each.
    pub fn batch_decode(&self, ids: &[i64], length: usize, skip_special_tokens: bool) -> Result<Vec<String>> {
        if length == 0 || ids.len() % length != 0 {
            return Err(Error::Shape(format!("{} ids are no rows of {length}", ids.len())));
        }
        let (rows, skip) = (ids.len() / length, skip_special_tokens.into());
        // SAFETY: all arguments live for the call. The array and its texts are one block, which is ours.
        unsafe {
            let texts = make(|out, error| {
                sys::pali_processor_batch_decode(self.as_ptr(), ids.as_ptr(), rows, length, skip, out, error)
            })?;
            let copies = text::array(texts.as_ptr(), rows)
                .iter()
                .map(|&text| text::borrowed(text).unwrap_or("").to_owned())
                .collect();
            sys::pali_free(texts.as_ptr().cast());
            Ok(copies)
        }
    }
}

/// The array of handles that the library takes; it reads the pictures, although its type does not say so.
fn image_pointers(images: &[&Image]) -> Vec<*mut sys::pali_image> {
    images.iter().map(|image| image.as_ptr()).collect()
}

impl fmt::Debug for Processor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Processor").finish_non_exhaustive()
    }
}
