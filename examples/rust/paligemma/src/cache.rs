// SPDX-License-Identifier: BSD-2-Clause
//! Keys and values of the tokens seen so far.
use crate::error::{check, make};
use crate::{sys, text, Dtype, Model, Result};
use std::fmt;
use std::path::Path;
use std::ptr;

handle! {
    /// Keys and values of the tokens seen so far, for each row of a batch. [`Forward::cache`](crate::Forward::cache) and
    /// [`Generate::cache`](crate::Generate::cache) continue it.
    ///
    /// It belongs to one thread at a time, so it may be sent to another but not shared:
    ///
    /// ```
    /// fn send<T: Send>() {}
    /// send::<paligemma::Cache>();
    /// ```
    ///
    /// ```compile_fail
    /// fn share<T: Sync>() {}
    /// share::<paligemma::Cache>();
    /// ```
    Cache, pali_cache, pali_cache_free
}

// SAFETY: the header says that a cache belongs to one thread at a time. It is not Sync.
unsafe impl Send for Cache {}

/// How a cache is made.
#[derive(Clone, Debug, Default)]
pub struct CacheOptions<'a> {
    rows: Option<usize>,
    capacity: usize,
    fixed: bool,
    sliding: bool,
    dtype: Option<Dtype>,
    prefix: Option<&'a Prefix>,
}

impl<'a> CacheOptions<'a> {
    /// One row of float32 that grows as needed.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of sequences.
    pub fn rows(mut self, rows: usize) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Tokens for each row to make room for at once.
    pub fn capacity(mut self, tokens: usize) -> Self {
        self.capacity = tokens;
        self
    }

    /// Never grows past the capacity: [`Error::Limit`](crate::Error::Limit) instead.
    pub fn fixed(mut self, fixed: bool) -> Self {
        self.fixed = fixed;
        self
    }

    /// Layers with a window keep only the tokens that it can still reach.
    pub fn sliding(mut self, sliding: bool) -> Self {
        self.sliding = sliding;
        self
    }

    /// The type of keys and values: [`Dtype::Float32`], [`Dtype::BFloat16`] or [`Dtype::Int8`].
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// Every row continues this prefix without copying it.
    pub fn prefix(mut self, prefix: &'a Prefix) -> Self {
        self.prefix = Some(prefix);
        self
    }

    /// An empty cache, or one that holds the prefix, for `model`, which it keeps alive.
    pub fn create(&self, model: &Model) -> Result<Cache> {
        create(model, self, self.prefix.map(|prefix| &prefix.cache))
    }
}

fn create(model: &Model, options: &CacheOptions<'_>, prefix: Option<&Cache>) -> Result<Cache> {
    let options = sys::pali_cache_options {
        rows: options.rows.map_or(1, text::int),
        capacity: text::int(options.capacity),
        fixed: options.fixed.into(),
        sliding: options.sliding.into(),
        dtype: options.dtype.map_or(0, Dtype::to_c),
        prefix: prefix.map_or(ptr::null(), |cache| cache.as_ptr()),
        ..Default::default()
    };
    // SAFETY: all arguments live for the call; the cache holds references to model and prefix.
    make(|out, error| unsafe { sys::pali_cache_create(out, model.as_ptr(), &options, error) })
        .map(Cache::from_raw)
}

impl Cache {
    /// An empty cache with the default [`CacheOptions`].
    pub fn new(model: &Model) -> Result<Self> {
        CacheOptions::new().create(model)
    }

    /// A copy with rows of its own.
    pub fn fork(&self) -> Result<Self> {
        // SAFETY: the cache lives for the call and is not changed.
        make(|out, error| unsafe { sys::pali_cache_fork(out, self.as_ptr(), error) }).map(Self::from_raw)
    }

    /// Freezes the cache, whose only row any number of others then continue.
    pub fn into_prefix(self, model: &Model) -> Result<Prefix> {
        // A cache is frozen while another continues it: this one does as long as the prefix is there.
        let holder = create(model, &CacheOptions::new(), Some(&self))?;
        Ok(Prefix { cache: self, _holder: holder })
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        // SAFETY: the cache lives for the call.
        text::size(unsafe { sys::pali_cache_rows(self.as_ptr()) })
    }

    /// Tokens in row `row`, padding and a prefix included; 0 out of range.
    pub fn length(&self, row: usize) -> usize {
        // SAFETY: the cache lives for the call.
        text::size(unsafe { sys::pali_cache_length(self.as_ptr(), text::int(row)) })
    }

    /// Bytes that it has allocated for its tokens, a prefix's not counted.
    pub fn size_bytes(&self) -> usize {
        // SAFETY: the cache lives for the call.
        unsafe { sys::pali_cache_size_bytes(self.as_ptr()) }
    }

    /// Forgets all tokens from `length` on, in every row.
    pub fn truncate(&mut self, length: usize) -> Result<()> {
        // SAFETY: the cache lives for the call, and nobody else has it.
        check(|error| unsafe { sys::pali_cache_truncate(self.as_ptr(), text::int(length), error) })
    }

    /// Forgets everything but a prefix; the memory stays.
    pub fn reset(&mut self) {
        // SAFETY: the cache lives for the call, and nobody else has it.
        unsafe { sys::pali_cache_reset(self.as_ptr()) }
    }

    /// Row i becomes a continuation of what was row `parents[i]`; there are as many rows as parents afterwards.
    pub fn reorder(&mut self, parents: &[usize]) -> Result<()> {
        let parents: Vec<i64> = parents.iter().map(|&row| text::int(row)).collect();
        // SAFETY: all arguments live for the call, and nobody else has the cache.
        check(|error| unsafe {
            sys::pali_cache_reorder(self.as_ptr(), parents.as_ptr(), parents.len(), error)
        })
    }

    /// Writes what the cache holds, a prefix included, to a safetensors file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = text::c_path(path)?;
        // SAFETY: all arguments live for the call, and the cache is not changed.
        check(|error| unsafe { sys::pali_cache_save(self.as_ptr(), path.as_ptr(), error) })
    }

    /// A cache as it was saved, for the model that it was made with.
    pub fn load(model: &Model, path: impl AsRef<Path>) -> Result<Self> {
        let path = text::c_path(path)?;
        // SAFETY: all arguments live for the call; the cache holds a reference to the model.
        make(|out, error| unsafe { sys::pali_cache_load(out, model.as_ptr(), path.as_ptr(), error) })
            .map(Self::from_raw)
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths: Vec<usize> = (0..self.rows()).map(|row| self.length(row)).collect();
        formatter.debug_struct("Cache").field("lengths", &lengths).finish()
    }
}

/// A cache that no longer changes: what many prompts begin with, computed once. Any number of caches, in any number of
/// threads, continue it ([`CacheOptions::prefix`]), and keep it alive.
#[derive(Debug)]
pub struct Prefix {
    cache: Cache,
    _holder: Cache,
}

// SAFETY: the header says that a cache may be read from any number of threads while another continues it, which
// `_holder` does; and a prefix is only read.
unsafe impl Sync for Prefix {}

impl Prefix {
    /// Its tokens.
    pub fn length(&self) -> usize {
        self.cache.length(0)
    }
}
