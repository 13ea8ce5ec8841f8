// SPDX-License-Identifier: BSD-2-Clause
//! Where two runs depart.
use crate::error::make;
use crate::{sys, text, Inputs, Result};
use std::fmt;

handle! {
    /// Two sets of tensors compared by name, in the order in which a pass computes them.
    Comparison, pali_comparison, pali_comparison_free
}
shared_between_threads!(Comparison);

/// What became of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DifferenceKind {
    /// Every value agrees.
    None,
    /// Values depart.
    Values,
    /// The shapes are not the same.
    Shape,
    /// It is only in the second set.
    MissingA,
    /// It is only in the first set.
    MissingB,
}

/// Two values at one place.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Departure {
    /// The place.
    pub index: Vec<i64>,
    /// The first set's value there.
    pub a: f64,
    /// The second set's.
    pub b: f64,
}

/// What became of one tensor. The numbers are 0 where values were not compared.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Difference<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it agrees.
    pub kind: DifferenceKind,
    /// Values.
    pub count: usize,
    /// Values that do not agree.
    pub departing: usize,
    /// NaN in either set.
    pub nan: (usize, usize),
    /// Largest |a - b|.
    pub max_abs: f64,
    /// Largest |a - b| / |b|.
    pub max_rel: f64,
    /// Root of the mean of (a - b)².
    pub rms: f64,
    /// The first value that departs; meaningful if any does.
    pub first: Departure,
    /// Where `max_abs` is.
    pub max: Departure,
}

impl Comparison {
    /// Compares `a` with `b`: values agree if |a - b| <= atol + rtol · |b|, or both are NaN.
    pub fn new(a: &Inputs, b: &Inputs, atol: f64, rtol: f64) -> Result<Self> {
        let options = sys::pali_compare_options { atol, rtol, ..Default::default() };
        // SAFETY: all arguments live for the call; the comparison keeps none of them.
        make(|out, error| unsafe { sys::pali_compare(out, a.as_ptr(), b.as_ptr(), &options, error) })
            .map(Self::from_raw)
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        // SAFETY: the comparison lives for the call.
        unsafe { sys::pali_comparison_count(self.as_ptr()) }
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What became of a tensor; `None` past the end.
    pub fn get(&self, index: usize) -> Option<Difference<'_>> {
        // SAFETY: the comparison lives for the call, what it returns as long as it.
        let raw = unsafe { sys::pali_comparison_get(self.as_ptr(), index).as_ref()? };
        let place = |index: &[i64], a, b| {
            let rank = (raw.rank.max(0) as usize).min(index.len());
            Departure { index: index[..rank].to_vec(), a, b }
        };
        Some(Difference {
            // SAFETY: the name lives as long as the comparison.
            name: unsafe { text::borrowed(raw.name) }.unwrap_or(""),
            kind: match raw.kind {
                sys::PALI_DIFFERENCE_NONE => DifferenceKind::None,
                sys::PALI_DIFFERENCE_SHAPE => DifferenceKind::Shape,
                sys::PALI_DIFFERENCE_MISSING_A => DifferenceKind::MissingA,
                sys::PALI_DIFFERENCE_MISSING_B => DifferenceKind::MissingB,
                _ => DifferenceKind::Values,
            },
            count: text::size(raw.count),
            departing: text::size(raw.n_departing),
            nan: (text::size(raw.n_nan_a), text::size(raw.n_nan_b)),
            max_abs: raw.max_abs,
            max_rel: raw.max_rel,
            rms: raw.rms,
            first: place(&raw.first_index, raw.first_a, raw.first_b),
            max: place(&raw.max_index, raw.max_a, raw.max_b),
        })
    }

    /// The tensors one after another.
    pub fn iter(&self) -> impl Iterator<Item = Difference<'_>> + '_ {
        (0..self.len()).filter_map(move |i| self.get(i))
    }

    /// The first tensor that departs; if none that both have does, the first that only one has; `None` if all is equal.
    pub fn first(&self) -> Option<Difference<'_>> {
        // SAFETY: the comparison lives for the call.
        self.get(unsafe { sys::pali_comparison_first(self.as_ptr()) })
    }
}

impl fmt::Debug for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_list()
            .entries(self.iter().map(|difference| (difference.name, difference.kind)))
            .finish()
    }
}
