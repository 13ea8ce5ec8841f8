// SPDX-License-Identifier: BSD-2-Clause
//! Views of arrays.
use crate::{sys, text, Error, Result};
use std::fmt;
use std::marker::PhantomData;
use std::mem::align_of;

/// Types of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// IEEE single precision.
    Float32,
    /// The upper half of a [`Dtype::Float32`].
    BFloat16,
    /// IEEE half precision.
    Float16,
    /// IEEE double precision.
    Float64,
    /// 64-bit integer.
    Int64,
    /// 32-bit integer.
    Int32,
    /// 16-bit integer.
    Int16,
    /// 8-bit integer.
    Int8,
    /// 8-bit natural number.
    UInt8,
    /// A byte, 0 for false.
    Bool,
}

impl Dtype {
    pub(crate) fn from_c(dtype: sys::pali_dtype) -> Option<Self> {
        Some(match dtype {
            sys::PALI_FLOAT32 => Self::Float32,
            sys::PALI_BFLOAT16 => Self::BFloat16,
            sys::PALI_FLOAT16 => Self::Float16,
            sys::PALI_FLOAT64 => Self::Float64,
            sys::PALI_INT64 => Self::Int64,
            sys::PALI_INT32 => Self::Int32,
            sys::PALI_INT16 => Self::Int16,
            sys::PALI_INT8 => Self::Int8,
            sys::PALI_UINT8 => Self::UInt8,
            sys::PALI_BOOL => Self::Bool,
            _ => return None,
        })
    }

    pub(crate) fn to_c(self) -> sys::pali_dtype {
        match self {
            Self::Float32 => sys::PALI_FLOAT32,
            Self::BFloat16 => sys::PALI_BFLOAT16,
            Self::Float16 => sys::PALI_FLOAT16,
            Self::Float64 => sys::PALI_FLOAT64,
            Self::Int64 => sys::PALI_INT64,
            Self::Int32 => sys::PALI_INT32,
            Self::Int16 => sys::PALI_INT16,
            Self::Int8 => sys::PALI_INT8,
            Self::UInt8 => sys::PALI_UINT8,
            Self::Bool => sys::PALI_BOOL,
        }
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        // SAFETY: any value may be asked for.
        unsafe { sys::pali_dtype_size(self.to_c()) }
    }
}

/// Its name in PyTorch: "float32", "bfloat16".
impl fmt::Display for Dtype {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the name is static.
        formatter.write_str(unsafe { text::borrowed(sys::pali_dtype_name(self.to_c())) }.unwrap_or(""))
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Rust types that tensors' elements can be read and written as.
pub trait Element: sealed::Sealed + Copy {
    /// The element type that it is.
    const DTYPE: Dtype;
}

macro_rules! elements {
    ($($rust:ty => $dtype:ident),*) => { $(
        impl sealed::Sealed for $rust {}
        impl Element for $rust {
            const DTYPE: Dtype = Dtype::$dtype;
        }
    )* };
}

// Every pattern of bits is a value of these types.
elements! {
    f32 => Float32, f64 => Float64, i64 => Int64, i32 => Int32, i16 => Int16, i8 => Int8, u8 => UInt8
}

/// A contiguous array, row by row, borrowed from the handle or slice that it came from.
#[derive(Clone, Copy)]
pub struct Tensor<'a> {
    raw: sys::pali_tensor,
    data: PhantomData<&'a [u8]>,
}

// SAFETY: a tensor is a reference to bytes that do not change while it lives.
unsafe impl Send for Tensor<'_> {}
// SAFETY: as above.
unsafe impl Sync for Tensor<'_> {}

impl<'a> Tensor<'a> {
    /// A view of `data` with the given sizes, as arguments need it.
    ///
    /// Fails with [`Error::Shape`] if there are more than eight sizes or `data` has not as many values.
    pub fn new<T: Element>(shape: &[usize], data: &'a [T]) -> Result<Self> {
        let count = shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
        if shape.len() > sys::PALI_MAX_RANK as usize || count != Some(data.len()) {
            return Err(Error::Shape(format!("{} values are no tensor of shape {shape:?}", data.len())));
        }
        let sides: Vec<i64> = shape.iter().map(|&side| text::int(side)).collect();
        let pointer = data.as_ptr() as *mut std::os::raw::c_void;
        // SAFETY: `sides` has as many values as `rank` says, at most eight. Nobody writes through the pointer.
        let raw =
            unsafe { sys::pali_tensor_view(pointer, T::DTYPE.to_c(), sides.len() as i32, sides.as_ptr()) };
        Ok(Self { raw, data: PhantomData })
    }

    /// # Safety
    /// `raw` describes data that live and stay as they are for `'a`.
    pub(crate) unsafe fn from_raw(raw: sys::pali_tensor) -> Self {
        Self { raw, data: PhantomData }
    }

    /// The same for a tensor that may be missing.
    ///
    /// # Safety
    /// `raw` is null or a tensor whose data live and stay as they are for `'a`.
    pub(crate) unsafe fn from_ptr(raw: *const sys::pali_tensor) -> Option<Self> {
        // SAFETY: the caller says so.
        unsafe { raw.as_ref().map(|raw| Self::from_raw(*raw)) }
    }

    pub(crate) fn as_ptr(&self) -> *const sys::pali_tensor {
        &self.raw
    }

    /// The type of the elements; `None` for one that is newer than this crate.
    pub fn dtype(&self) -> Option<Dtype> {
        Dtype::from_c(self.raw.dtype)
    }

    /// The sizes, outermost first.
    pub fn shape(&self) -> &[i64] {
        &self.raw.shape[..(self.raw.rank.max(0) as usize).min(self.raw.shape.len())]
    }

    /// The number of elements, 1 if there are no sizes.
    pub fn len(&self) -> usize {
        // SAFETY: `raw` is a tensor.
        text::size(unsafe { sys::pali_tensor_count(&self.raw) })
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements; `None` if they are of another type, or lie in a file where `T` cannot be read in place.
    pub fn as_slice<T: Element>(&self) -> Option<&'a [T]> {
        if self.dtype() != Some(T::DTYPE) || self.raw.data as usize % align_of::<T>() != 0 {
            return None;
        }
        // SAFETY: the data have `len` elements of this type, for which every pattern of bits is a value, are aligned,
        // and live for 'a.
        Some(unsafe { text::array(self.raw.data.cast(), self.len()) })
    }

    /// The elements as bytes, in the machine's order.
    pub fn as_bytes(&self) -> &'a [u8] {
        // SAFETY: the library knows the size of each of its types; the data live for 'a.
        unsafe { text::array(self.raw.data.cast(), self.len() * sys::pali_dtype_size(self.raw.dtype)) }
    }
}

impl fmt::Debug for Tensor<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tensor").field("dtype", &self.dtype()).field("shape", &self.shape()).finish()
    }
}
