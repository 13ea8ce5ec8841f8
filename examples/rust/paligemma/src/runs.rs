// SPDX-License-Identifier: BSD-2-Clause
//! COCO's run-length encoding of masks.
use crate::error::{check, make};
use crate::masks::{blank, mask_sides};
use crate::{sys, text, Result};
use std::ptr;

/// The lengths of the runs in `mask`, one byte a pixel, column by column, beginning with those that are off.
pub fn rle_encode(mask: &[u8], width: u32, height: u32) -> Result<Vec<u32>> {
    let (width, height) = mask_sides(mask, width, height)?;
    let (mut counts, mut n) = (ptr::null_mut(), 0);
    // SAFETY: `mask` has width · height bytes; the counts are ours.
    unsafe {
        check(|error| sys::pali_rle_encode(&mut counts, &mut n, mask.as_ptr(), width, height, error))?;
        Ok(text::owned_array(counts, n))
    }
}

/// The reverse: a mask of 0 and 1, sides 1…65535.
pub fn rle_decode(counts: &[u32], width: u32, height: u32) -> Result<Vec<u8>> {
    let (mut mask, width, height) = blank(width, height)?;
    // SAFETY: `mask` has width · height bytes.
    check(|error| unsafe {
        sys::pali_rle_decode(mask.as_mut_ptr(), counts.as_ptr(), counts.len(), width, height, error)
    })?;
    Ok(mask)
}

/// Runs as the text that COCO and pycocotools use.
pub fn rle_to_text(counts: &[u32]) -> Result<String> {
    // SAFETY: all arguments live for the call; the text is ours.
    make(|out, error| unsafe { sys::pali_rle_to_text(out, counts.as_ptr(), counts.len(), error) })
        .map(text::owned)
}

/// The reverse.
pub fn rle_from_text(text: &str) -> Result<Vec<u32>> {
    let text = text::c_text(text)?;
    let (mut counts, mut n) = (ptr::null_mut(), 0);
    // SAFETY: all arguments live for the call; the counts are ours.
    unsafe {
        check(|error| sys::pali_rle_from_text(&mut counts, &mut n, text.as_ptr(), error))?;
        Ok(text::owned_array(counts, n))
    }
}
