// SPDX-License-Identifier: BSD-2-Clause
//! What went wrong, and the two ways in which functions of the library are called.
use crate::{sys, text};
use std::fmt;
use std::ptr::{self, NonNull};

/// The outcome of a call.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong: the kind as the variant, and one sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The call makes no sense: an option out of range, an id outside the vocabulary.
    Argument(String),
    /// An allocation failed.
    Memory(String),
    /// A file cannot be opened, read or written.
    Io(String),
    /// A file is not what it should be: malformed, truncated, out of range.
    Format(String),
    /// Well-formed, but of a kind that is not handled.
    Unsupported(String),
    /// Tensors that do not fit together.
    Shape(String),
    /// A limit was reached: pixels, cache capacity, sequence length.
    Limit(String),
    /// A closure or a [`CancelToken`](crate::CancelToken) asked to stop.
    Cancelled(String),
    /// A dependency failed in a way that should not happen.
    Internal(String),
}

impl Error {
    fn new(status: sys::pali_status, message: String) -> Self {
        match status {
            sys::PALI_ERROR_ARGUMENT => Self::Argument(message),
            sys::PALI_ERROR_MEMORY => Self::Memory(message),
            sys::PALI_ERROR_IO => Self::Io(message),
            sys::PALI_ERROR_FORMAT => Self::Format(message),
            sys::PALI_ERROR_UNSUPPORTED => Self::Unsupported(message),
            sys::PALI_ERROR_SHAPE => Self::Shape(message),
            sys::PALI_ERROR_LIMIT => Self::Limit(message),
            sys::PALI_ERROR_CANCELLED => Self::Cancelled(message),
            _ => Self::Internal(message),
        }
    }

    /// The sentence, which names the file, tensor or option.
    pub fn message(&self) -> &str {
        match self {
            Self::Argument(message)
            | Self::Memory(message)
            | Self::Io(message)
            | Self::Format(message)
            | Self::Unsupported(message)
            | Self::Shape(message)
            | Self::Limit(message)
            | Self::Cancelled(message)
            | Self::Internal(message) => message,
        }
    }

    /// The number that the C interface has for this kind, -1…-9.
    pub fn code(&self) -> i32 {
        match self {
            Self::Argument(_) => sys::PALI_ERROR_ARGUMENT,
            Self::Memory(_) => sys::PALI_ERROR_MEMORY,
            Self::Io(_) => sys::PALI_ERROR_IO,
            Self::Format(_) => sys::PALI_ERROR_FORMAT,
            Self::Unsupported(_) => sys::PALI_ERROR_UNSUPPORTED,
            Self::Shape(_) => sys::PALI_ERROR_SHAPE,
            Self::Limit(_) => sys::PALI_ERROR_LIMIT,
            Self::Cancelled(_) => sys::PALI_ERROR_CANCELLED,
            Self::Internal(_) => sys::PALI_ERROR_INTERNAL,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())
    }
}

impl std::error::Error for Error {}

/// Runs a function of the library, which gets the place for its error.
pub(crate) fn check(call: impl FnOnce(*mut *mut sys::pali_error) -> sys::pali_status) -> Result<()> {
    let mut error = ptr::null_mut();
    let status = call(&mut error);
    if status == sys::PALI_OK {
        return Ok(());
    }
    // SAFETY: `error` is null or an error that is ours; its message and the status' name live long enough to be copied.
    unsafe {
        let message =
            if error.is_null() { sys::pali_status_name(status) } else { sys::pali_error_message(error) };
        let message = text::borrowed(message).unwrap_or("").to_owned();
        sys::pali_error_free(error);
        Err(Error::new(status, message))
    }
}

/// The same for a function that makes an object, whose first parameter is the place for it.
pub(crate) fn make<T>(
    call: impl FnOnce(*mut *mut T, *mut *mut sys::pali_error) -> sys::pali_status,
) -> Result<NonNull<T>> {
    let mut out = ptr::null_mut();
    check(|error| call(&mut out, error))?;
    NonNull::new(out).ok_or_else(|| Error::Internal("the library returned nothing".to_owned()))
}
