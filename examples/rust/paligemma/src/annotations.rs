// SPDX-License-Identifier: BSD-2-Clause
//! Objects drawn on a picture, and as JSON in COCO's form.
use crate::error::{check, make};
use crate::image::side;
use crate::text::TextList;
use crate::{sys, text, Confidence, Detections, Error, Image, MaskDecoder, Result};
use std::ptr;

/// How objects are drawn.
#[derive(Clone, Debug, Default)]
pub struct DrawOptions<'a> {
    mask_decoder: Option<&'a MaskDecoder>,
    confidences: Option<&'a [Confidence]>,
    opacity: Option<f64>,
    thickness: Option<i32>,
    text_scale: Option<i32>,
}

impl<'a> DrawOptions<'a> {
    /// Boxes and labels, as thick and large as suits the picture.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lays the masks over the picture.
    pub fn mask_decoder(mut self, decoder: &'a MaskDecoder) -> Self {
        self.mask_decoder = Some(decoder);
        self
    }

    /// Written after the labels, one for each object.
    pub fn confidences(mut self, confidences: &'a [Confidence]) -> Self {
        self.confidences = Some(confidences);
        self
    }

    /// Of the masks, 0…1.
    pub fn mask_opacity(mut self, opacity: f64) -> Self {
        self.opacity = Some(opacity);
        self
    }

    /// Of the boxes, in pixels; `None`: no boxes.
    pub fn thickness(mut self, pixels: impl Into<Option<u32>>) -> Self {
        self.thickness = Some(pixels.into().map_or(-1, |pixels| i32::try_from(pixels).unwrap_or(i32::MAX)));
        self
    }

    /// Of the labels; `None`: no labels.
    pub fn text_scale(mut self, scale: impl Into<Option<u32>>) -> Self {
        self.text_scale = Some(scale.into().map_or(-1, |scale| i32::try_from(scale).unwrap_or(i32::MAX)));
        self
    }
}

/// What COCO's JSON says besides the objects.
#[derive(Clone, Debug, Default)]
pub struct CocoOptions<'a> {
    mask_decoder: Option<&'a MaskDecoder>,
    confidences: Option<&'a [Confidence]>,
    image_id: i64,
    file_name: Option<String>,
    categories: Option<Vec<String>>,
    uncompressed_rle: bool,
}

impl<'a> CocoOptions<'a> {
    /// Boxes only, of picture 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes masks, or reads them, for which it needs the encoder.
    pub fn mask_decoder(mut self, decoder: &'a MaskDecoder) -> Self {
        self.mask_decoder = Some(decoder);
        self
    }

    /// Written as `score` and `score_min`, one for each object.
    pub fn confidences(mut self, confidences: &'a [Confidence]) -> Self {
        self.confidences = Some(confidences);
        self
    }

    /// The picture's number, when writing; which picture of the file, when reading.
    pub fn image_id(mut self, id: i64) -> Self {
        self.image_id = id;
        self
    }

    /// The picture's name.
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// Labels that get the numbers 1, 2, …; others get the next ones as they appear.
    pub fn categories<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> Self {
        self.categories = Some(labels.into_iter().map(Into::into).collect());
        self
    }

    /// Writes run lengths as numbers instead of COCO's text.
    pub fn uncompressed_rle(mut self, uncompressed: bool) -> Self {
        self.uncompressed_rle = uncompressed;
        self
    }

    fn with_c<T>(
        &self,
        count: Option<usize>,
        call: impl FnOnce(&sys::pali_coco_options) -> Result<T>,
    ) -> Result<T> {
        let file_name = self.file_name.as_ref().map(text::c_text).transpose()?;
        let categories = self.categories.as_ref().map(TextList::new).transpose()?;
        let confidences = confidences(self.confidences, count)?;
        call(&sys::pali_coco_options {
            mask_decoder: self.mask_decoder.map_or(ptr::null(), |decoder| decoder.as_ptr()),
            confidences: confidences.as_ref().map_or(ptr::null(), |raw| raw.as_ptr()),
            image_id: self.image_id,
            file_name: text::optional(&file_name),
            categories: categories.as_ref().map_or(ptr::null(), TextList::as_ptr),
            n_categories: categories.as_ref().map_or(0, TextList::len),
            uncompressed_rle: self.uncompressed_rle.into(),
            ..Default::default()
        })
    }
}

/// The C structs of `confidences`, which there must be for each of `count` objects; when reading, there are none.
fn confidences(
    confidences: Option<&[Confidence]>,
    count: Option<usize>,
) -> Result<Option<Vec<sys::pali_confidence>>> {
    match (confidences, count) {
        (Some(given), Some(count)) if given.len() != count => {
            Err(Error::Argument(format!("{} confidences for {count} objects", given.len())))
        }
        (Some(given), Some(_)) => {
            let raw = given.iter().map(|x| sys::pali_confidence { mean: x.mean, min: x.min });
            Ok(Some(raw.collect()))
        }
        _ => Ok(None),
    }
}

impl Detections {
    /// Draws all objects into `image`: masks, then boxes, then labels. A label has one colour, in every picture.
    pub fn draw(&self, image: &mut Image, options: &DrawOptions<'_>) -> Result<()> {
        for (name, number) in [("thickness", options.thickness), ("text_scale", options.text_scale)] {
            if number == Some(0) {
                return Err(Error::Argument(format!("{name} is 0")));
            }
        }
        let confidences = confidences(options.confidences, Some(self.len()))?;
        let defaults = sys::pali_draw_options::default();
        let options = sys::pali_draw_options {
            mask_decoder: options.mask_decoder.map_or(ptr::null(), |decoder| decoder.as_ptr()),
            confidences: confidences.as_ref().map_or(ptr::null(), |raw| raw.as_ptr()),
            mask_opacity: options.opacity.unwrap_or(defaults.mask_opacity),
            thickness: options.thickness.unwrap_or(0),
            text_scale: options.text_scale.unwrap_or(0),
            ..defaults
        };
        // SAFETY: all arguments live for the call, and nobody else has the image.
        check(|error| unsafe { sys::pali_detections_draw(self.as_ptr(), image.as_ptr(), &options, error) })
    }

    /// The objects as JSON in the form of COCO's instances, for a picture of width × height.
    pub fn to_coco(&self, width: u32, height: u32, options: &CocoOptions<'_>) -> Result<String> {
        let (width, height) = (side(width)?, side(height)?);
        options.with_c(Some(self.len()), |options| {
            // SAFETY: all arguments live for the call; the text is ours.
            make(|out, error| unsafe {
                sys::pali_detections_to_coco(out, self.as_ptr(), width, height, options, error)
            })
            .map(text::owned)
        })
    }

    /// The annotations of one picture in COCO's JSON. Without a size (0 × 0) the file says it.
    pub fn from_coco(json: &str, width: u32, height: u32, options: &CocoOptions<'_>) -> Result<Self> {
        let (json, width, height) = (text::c_text(json)?, side(width)?, side(height)?);
        options.with_c(None, |options| {
            // SAFETY: all arguments live for the call.
            make(|out, error| unsafe {
                sys::pali_detections_from_coco(out, json.as_ptr(), width, height, options, error)
            })
            .map(Self::from_raw)
        })
    }
}
