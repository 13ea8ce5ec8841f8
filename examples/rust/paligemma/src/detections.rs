// SPDX-License-Identifier: BSD-2-Clause
//! Objects in an answer's text, and objects as text.
use crate::error::{check, make};
use crate::image::side;
use crate::{sys, text, Error, Generation, Processor, Result, SegmentForm, SEG_TOKENS};
use std::ffi::CString;
use std::fmt;
use std::ops::Range;
use std::ptr;

handle! {
    /// The objects of one text or file.
    Detections, pali_detections, pali_detections_free
}
shared_between_threads!(Detections);

/// One object. Coordinates are fractions of the picture, 0…1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detection<'a> {
    /// Upper edge.
    pub y_min: f64,
    /// Left edge.
    pub x_min: f64,
    /// Lower edge.
    pub y_max: f64,
    /// Right edge.
    pub x_max: f64,
    /// What it is; empty if the text does not say.
    pub label: &'a str,
    /// The `<seg>` tokens of its mask, each 0…127, if it has one.
    pub seg: Option<[i32; SEG_TOKENS]>,
    /// Where in the text it stands, in bytes; empty if it did not come from a text.
    pub text: Range<usize>,
}

/// How sure the model was of one object: probabilities of its tokens, 0…1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Confidence {
    /// Of all its tokens.
    pub mean: f64,
    /// Of the least likely one.
    pub min: f64,
}

impl Detections {
    /// Finds all objects in `text`, such as an answer to `detect cat`. No object is no error.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_with_scale(text, 1024)
    }

    /// The same with another number that `<loc>` numbers are divided by: 1023 as big_vision's evaluation.
    pub fn parse_with_scale(text: &str, scale: u32) -> Result<Self> {
        let (text, options) = (text::c_text(text)?, with_scale(scale));
        // SAFETY: all arguments live for the call.
        make(|out, error| unsafe { sys::pali_detections_parse(out, text.as_ptr(), &options, error) })
            .map(Self::from_raw)
    }

    /// The number of objects.
    pub fn len(&self) -> usize {
        // SAFETY: the detections live for the call.
        unsafe { sys::pali_detections_count(self.as_ptr()) }
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An object; `None` past the end.
    pub fn get(&self, index: usize) -> Option<Detection<'_>> {
        // SAFETY: the detections live for the call; label and tokens, of which there are 16, live as long as they.
        unsafe {
            let raw = sys::pali_detections_get(self.as_ptr(), index).as_ref()?;
            Some(Detection {
                y_min: raw.y_min,
                x_min: raw.x_min,
                y_max: raw.y_max,
                x_max: raw.x_max,
                label: text::borrowed(raw.label).unwrap_or(""),
                seg: raw.seg.cast::<[i32; SEG_TOKENS]>().as_ref().copied(),
                text: raw.text_begin..raw.text_end,
            })
        }
    }

    /// The objects one after another.
    pub fn iter(&self) -> impl Iterator<Item = Detection<'_>> + '_ {
        (0..self.len()).filter_map(move |i| self.get(i))
    }

    /// The confidence of each object, if they were parsed from the text of answer `row` of `generation`, which has
    /// log-probabilities ([`Generate::logprobs`](crate::Generate::logprobs)).
    pub fn confidences(
        &self,
        processor: &Processor,
        generation: &Generation,
        row: usize,
    ) -> Result<Vec<Confidence>> {
        let ids = generation.token_ids(row);
        let logprobs =
            generation.logprobs(row).filter(|logprobs| logprobs.len() == ids.len()).ok_or_else(|| {
                Error::Argument("the generation has no log-probabilities for this row".to_owned())
            })?;
        let mut raw = vec![sys::pali_confidence { mean: 0.0, min: 0.0 }; self.len()];
        // SAFETY: there is a confidence for each object, and a log-probability for each id; all live for the call.
        check(|error| unsafe {
            let (ids, logprobs, count) = (ids.as_ptr(), logprobs.as_ptr(), ids.len());
            let processor = processor.as_ptr();
            sys::pali_detections_confidence(
                raw.as_mut_ptr(),
                self.as_ptr(),
                processor,
                ids,
                logprobs,
                count,
                error,
            )
        })?;
        Ok(raw.iter().map(|raw| Confidence { mean: raw.mean, min: raw.min }).collect())
    }
}

impl fmt::Debug for Detections {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

impl Detection<'_> {
    /// The pixels that the box covers in a picture: [x_min, y_min, x_max, y_max], the last two just outside. `None` if
    /// there are none, or the box is not within 0…1.
    pub fn pixels(&self, width: u32, height: u32, form: SegmentForm) -> Option<[i32; 4]> {
        let (width, height) = (side(width).ok()?, side(height).ok()?);
        let mut corners = [0; 4];
        // SAFETY: all arguments live for the call.
        let any = self.with_c(Default::default(), |raw| unsafe {
            sys::pali_detection_pixels(raw, width, height, form.to_c(), corners.as_mut_ptr())
        });
        (any != 0).then_some(corners)
    }

    /// Calls `call` with the C struct, whose label is `label`.
    pub(crate) fn with_c<T>(
        &self,
        label: &std::ffi::CStr,
        call: impl FnOnce(&sys::pali_detection) -> T,
    ) -> T {
        call(&sys::pali_detection {
            y_min: self.y_min,
            x_min: self.x_min,
            y_max: self.y_max,
            x_max: self.x_max,
            label: label.as_ptr(),
            seg: self.seg.as_ref().map_or(ptr::null(), |seg| seg.as_ptr()),
            text_begin: self.text.start,
            text_end: self.text.end,
        })
    }
}

fn with_scale(scale: u32) -> sys::pali_detections_options {
    let scale = i32::try_from(scale).unwrap_or(i32::MAX);
    sys::pali_detections_options { scale, ..Default::default() }
}

/// Objects as text, the reverse of [`Detections::parse_with_scale`]: what a model learns to answer.
pub fn encode_detections(objects: &[Detection<'_>], scale: u32) -> Result<String> {
    let labels: Vec<CString> =
        objects.iter().map(|object| text::c_text(object.label)).collect::<Result<_>>()?;
    let raw: Vec<_> =
        objects.iter().zip(&labels).map(|(object, label)| object.with_c(label, |raw| *raw)).collect();
    let options = with_scale(scale);
    // SAFETY: all arguments live for the call, labels and tokens as well; the text is ours.
    make(|out, error| unsafe { sys::pali_detections_encode(out, raw.as_ptr(), raw.len(), &options, error) })
        .map(text::owned)
}
