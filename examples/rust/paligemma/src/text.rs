// SPDX-License-Identifier: BSD-2-Clause
//! Texts, paths, lists and numbers on their way into the library and out of it.
use crate::{sys, Error, Result};
use std::ffi::{CStr, CString};
use std::os::raw::c_char;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::slice;

/// A text that the library borrows for a call.
pub(crate) fn c_text(text: impl AsRef<str>) -> Result<CString> {
    CString::new(text.as_ref()).map_err(|_| Error::Argument("a text contains a NUL character".to_owned()))
}

pub(crate) fn c_path(path: impl AsRef<Path>) -> Result<CString> {
    CString::new(path.as_ref().as_os_str().as_bytes())
        .map_err(|_| Error::Argument("a path contains a NUL character".to_owned()))
}

pub(crate) fn optional(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(ptr::null(), |text| text.as_ptr())
}

/// Texts that stay where they are, and the array of pointers to them.
#[derive(Debug, Default)]
pub(crate) struct TextList {
    pointers: Vec<*const c_char>,
    texts: Vec<CString>,
}

impl TextList {
    pub(crate) fn new<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Result<Self> {
        Ok(Self::from_texts(texts.into_iter().map(c_text).collect::<Result<_>>()?))
    }

    pub(crate) fn from_texts(texts: Vec<CString>) -> Self {
        let pointers = texts.iter().map(|text| text.as_ptr()).collect();
        Self { pointers, texts }
    }

    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }
}

/// A text of the library's. Its texts are UTF-8; should one not be, what comes behind the first wrong byte is left out.
///
/// # Safety
/// `text` is null or ends with NUL, and lives and stays as it is for `'a`.
pub(crate) unsafe fn borrowed<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller says so.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    Some(
        std::str::from_utf8(bytes)
            .unwrap_or_else(|error| std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or("")),
    )
}

/// Copies a text that the library has handed over, and frees it.
pub(crate) fn owned(text: NonNull<c_char>) -> String {
    // SAFETY: the text is ours, ends with NUL, and is not used after it has been freed.
    unsafe {
        let copy = borrowed(text.as_ptr()).unwrap_or("").to_owned();
        sys::pali_free(text.as_ptr().cast());
        copy
    }
}

/// Copies an array that the library has handed over, and frees it.
///
/// # Safety
/// `data` is null or has `count` values, and is the caller's.
pub(crate) unsafe fn owned_array<T: Copy>(data: *mut T, count: usize) -> Vec<T> {
    // SAFETY: the caller says so; nothing uses the array after it has been freed.
    unsafe {
        let copy = array(data, count).to_vec();
        sys::pali_free(data.cast());
        copy
    }
}

/// An array of the library's.
///
/// # Safety
/// `data` is null or has `count` values, and lives and stays as it is for `'a`.
pub(crate) unsafe fn array<'a, T>(data: *const T, count: usize) -> &'a [T] {
    if data.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: the caller says so.
    unsafe { slice::from_raw_parts(data, count) }
}

/// A count or index as the library takes it. What does not fit is out of every range of its.
pub(crate) fn int(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The same where the library takes 32 bits.
pub(crate) fn int32(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// `None` as the library's -1: switched off, whatever generation_config.json says.
pub(crate) fn int_or_off(count: Option<usize>) -> i64 {
    count.map_or(-1, int)
}

/// A count that the library returned, which is not negative.
pub(crate) fn size(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}
