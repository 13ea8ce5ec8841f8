// SPDX-License-Identifier: BSD-2-Clause
//! Masks: 16 `<seg>` tokens to a mask of 64 × 64 and back, and the mask in the picture.
use crate::error::{check, make};
use crate::image::side;
use crate::{sys, text, Detection, Error, Result};
use std::fmt;
use std::path::Path;

/// Tokens of one mask.
pub const SEG_TOKENS: usize = sys::PALI_SEG_TOKENS as usize;
/// The side of the mask that they stand for.
pub const SEGMENT_SIDE: usize = sys::PALI_SEGMENT_SIDE as usize;

handle! {
    /// The VQ-VAE that makes masks of `<seg>` tokens.
    MaskDecoder, pali_mask_decoder, pali_mask_decoder_free
}
shared_between_threads!(MaskDecoder);

/// How a mask gets into the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentForm {
    /// As big_vision's evaluator: 0 or 255.
    Hard,
    /// As the Hugging Face demo: 0…255.
    Soft,
}

impl SegmentForm {
    pub(crate) fn to_c(self) -> sys::pali_segment_form {
        match self {
            Self::Hard => sys::PALI_SEGMENT_HARD,
            Self::Soft => sys::PALI_SEGMENT_SOFT,
        }
    }
}

impl MaskDecoder {
    /// Reads the weights from `path`: the published vae-oid.npz, or a safetensors file with the same names.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = text::c_path(path)?;
        // SAFETY: all arguments live for the call.
        make(|out, error| unsafe { sys::pali_mask_decoder_load(out, path.as_ptr(), error) })
            .map(Self::from_raw)
    }

    /// Whether the file had the encoder too.
    pub fn has_encoder(&self) -> bool {
        // SAFETY: the decoder lives for the call.
        unsafe { sys::pali_mask_decoder_has_encoder(self.as_ptr()) != 0 }
    }

    /// The mask of 16 tokens, each 0…127.
    pub fn decode(&self, seg: &[i32; SEG_TOKENS]) -> Result<SegmentMask> {
        let mut mask = SegmentMask { values: vec![0.0; SEGMENT_SIDE * SEGMENT_SIDE] };
        // SAFETY: both arrays are as long as the library takes them.
        check(|error| unsafe {
            sys::pali_mask_decoder_decode(self.as_ptr(), seg.as_ptr(), mask.values.as_mut_ptr(), error)
        })?;
        Ok(mask)
    }

    /// The tokens of a mask with values 0 (off) … 1 (on). Needs the encoder.
    pub fn encode(&self, mask: &SegmentMask) -> Result<[i32; SEG_TOKENS]> {
        let mut seg = [0; SEG_TOKENS];
        // SAFETY: both arrays are as long as the library takes them.
        check(|error| unsafe {
            sys::pali_mask_decoder_encode(self.as_ptr(), mask.values.as_ptr(), seg.as_mut_ptr(), error)
        })?;
        Ok(seg)
    }
}

impl fmt::Debug for MaskDecoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MaskDecoder").field("has_encoder", &self.has_encoder()).finish()
    }
}

/// A mask of 64 × 64 within a box: -1 (off) … 1 (on) as [`MaskDecoder::decode`] gives it, 0…1 as
/// [`crop`](SegmentMask::crop) does.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentMask {
    values: Vec<f32>,
}

impl SegmentMask {
    /// A mask of [`SEGMENT_SIDE`]² values, row by row.
    pub fn from_values(values: Vec<f32>) -> Result<Self> {
        if values.len() != SEGMENT_SIDE * SEGMENT_SIDE {
            return Err(Error::Shape(format!("{} values are no mask of 64 × 64", values.len())));
        }
        Ok(Self { values })
    }

    /// The values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The mask in a picture of width × height, one byte a pixel, laid into the box of `detection`.
    pub fn paste(
        &self,
        detection: &Detection<'_>,
        width: u32,
        height: u32,
        form: SegmentForm,
    ) -> Result<Vec<u8>> {
        let (mut picture, width, height) = blank(width, height)?;
        detection.with_c(Default::default(), |raw| {
            let (out, mask) = (picture.as_mut_ptr(), self.values.as_ptr());
            // SAFETY: `picture` has width · height bytes, `mask` 64 · 64 values.
            check(|error| unsafe {
                sys::pali_segment_paste(out, mask, raw, width, height, form.to_c(), error)
            })
        })?;
        Ok(picture)
    }

    /// The reverse: what `picture`, one byte a pixel, has in the box of `detection`.
    pub fn crop(picture: &[u8], width: u32, height: u32, detection: &Detection<'_>) -> Result<Self> {
        let (width, height) = mask_sides(picture, width, height)?;
        let mut mask = Self { values: vec![0.0; SEGMENT_SIDE * SEGMENT_SIDE] };
        detection.with_c(Default::default(), |raw| {
            let out = mask.values.as_mut_ptr();
            // SAFETY: `picture` has width · height bytes, `out` 64 · 64 values.
            check(|error| unsafe { sys::pali_segment_crop(out, picture.as_ptr(), width, height, raw, error) })
        })?;
        Ok(mask)
    }
}

/// A mask of width × height for the library to fill, both 1…65535.
pub(crate) fn blank(width: u32, height: u32) -> Result<(Vec<u8>, i32, i32)> {
    if !(1..=65535).contains(&width) || !(1..=65535).contains(&height) {
        return Err(Error::Argument(format!("a mask of {width} × {height}; sides are 1…65535")));
    }
    let mut mask = Vec::new();
    let count = width as usize * height as usize;
    mask.try_reserve_exact(count)
        .map_err(|_| Error::Memory(format!("no memory for a mask of {count} bytes")))?;
    mask.resize(count, 0);
    Ok((mask, side(width)?, side(height)?))
}

/// The sides of `mask`, which must have a byte for each pixel.
pub(crate) fn mask_sides(mask: &[u8], width: u32, height: u32) -> Result<(i32, i32)> {
    if (width as usize).checked_mul(height as usize) != Some(mask.len()) {
        return Err(Error::Shape(format!("{} bytes are no mask of {width} × {height}", mask.len())));
    }
    Ok((side(width)?, side(height)?))
}
