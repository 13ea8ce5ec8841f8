// SPDX-License-Identifier: BSD-2-Clause
//! Closures that the library calls back: tokens, progress, token masks; and how a call is stopped.
use crate::{sys, text};
use std::any::Any;
use std::fmt;
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_int, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// Stops calls from another thread, or from a signal handler's thread. Clones are the same token.
///
/// A call that was given it ends at its next step: a generation that has tokens already returns them, with
/// [`FinishReason::Cancelled`](crate::FinishReason::Cancelled); anything else is
/// [`Error::Cancelled`](crate::Error::Cancelled). A token stays cancelled.
#[derive(Clone, Debug, Default)]
pub struct CancelToken {
    cancelled: Arc<AtomicBool>,
}

impl CancelToken {
    /// A token that nobody has cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops every call that was given this token or a clone of it, now and later.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) has been called.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// How a call goes on after a closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// As if nothing had been said.
    Continue,
    /// The answer that the token belongs to ends with it, the others go on. In a closure that is not called with tokens
    /// it is `Stop`.
    EndAnswer,
    /// The call stops.
    Stop,
}

/// What a closure returns: nothing, to go on; a [`ControlFlow`], which can stop the call; or a [`Next`].
pub trait Flow {
    /// How the call goes on.
    fn next(self) -> Next;
}

impl Flow for () {
    fn next(self) -> Next {
        Next::Continue
    }
}

impl Flow for ControlFlow<()> {
    fn next(self) -> Next {
        match self {
            ControlFlow::Continue(()) => Next::Continue,
            ControlFlow::Break(()) => Next::Stop,
        }
    }
}

impl Flow for Next {
    fn next(self) -> Next {
        self
    }
}

/// One new token, as it comes. Prints as its text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Token {
    /// Which answer it belongs to: the row of the batch, where each row has one answer.
    pub row: usize,
    /// Its number in the vocabulary.
    pub id: i64,
    /// What it adds to the answer: whole characters, empty while one is incomplete. `None` if the inputs did not come
    /// from a processor.
    pub text: Option<String>,
}

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text.as_deref().unwrap_or(""))
    }
}

type OnToken<'a> = Box<dyn FnMut(Token) -> Next + Send + 'a>;
type OnProgress<'a> = Box<dyn FnMut(&str, f64) -> Next + Send + 'a>;
type OnMask<'a> = Box<dyn FnMut(usize, &[i64], &mut [u8]) -> Next + Send + 'a>;

/// The closures of one call. The library calls back on the thread of the call, one closure at a time.
#[derive(Default)]
pub(crate) struct Hooks<'a> {
    token: Option<OnToken<'a>>,
    progress: Option<OnProgress<'a>>,
    mask: Option<OnMask<'a>>,
    cancels: Vec<CancelToken>,
    panic: Option<Box<dyn Any + Send>>,
}

impl<'a> Hooks<'a> {
    /// Adds a closure for tokens behind those that are there.
    pub(crate) fn on_token<R: Flow>(&mut self, mut call: impl FnMut(Token) -> R + Send + 'a) {
        self.token = Some(match self.token.take() {
            None => Box::new(move |token| call(token).next()),
            Some(mut first) => Box::new(move |token| {
                let next = first(token.clone());
                call(token).next().max(next)
            }),
        });
    }

    pub(crate) fn on_progress<R: Flow>(&mut self, mut call: impl FnMut(&str, f64) -> R + Send + 'a) {
        self.progress = Some(Box::new(move |stage, fraction| call(stage, fraction).next()));
    }

    pub(crate) fn on_mask<R: Flow>(
        &mut self,
        mut call: impl FnMut(usize, &[i64], &mut [u8]) -> R + Send + 'a,
    ) {
        self.mask = Some(Box::new(move |row, ids, allowed| call(row, ids, allowed).next()));
    }

    pub(crate) fn cancel(&mut self, token: &CancelToken) {
        self.cancels.push(token.clone());
    }

    /// The functions for the library; null where nothing would come of a call.
    pub(crate) fn token_fn(&self) -> sys::pali_token_fn {
        (self.token.is_some() || !self.cancels.is_empty()).then_some(token_hook as _)
    }

    pub(crate) fn progress_fn(&self) -> sys::pali_progress_fn {
        (self.progress.is_some() || !self.cancels.is_empty()).then_some(progress_hook as _)
    }

    pub(crate) fn mask_fn(&self) -> sys::pali_token_mask_fn {
        self.mask.as_ref().map(|_| mask_hook as _)
    }

    /// What the functions get as `user`: valid while the hooks stay where they are and nobody else uses them.
    pub(crate) fn user(&mut self) -> *mut c_void {
        (self as *mut Self).cast()
    }

    /// Goes on with a panic that a closure has begun. To be called after the library has returned, when everything that
    /// it made is owned.
    pub(crate) fn resume_panic(&mut self) {
        if let Some(panic) = self.panic.take() {
            resume_unwind(panic);
        }
    }

    /// Runs `call` and says to the library how to go on. A panic is kept, for it must not pass through C.
    fn guarded(&mut self, call: impl FnOnce(&mut Self) -> Next) -> c_int {
        if self.panic.is_some() {
            return 1;
        }
        match catch_unwind(AssertUnwindSafe(|| call(self))) {
            Ok(_) if self.cancels.iter().any(CancelToken::is_cancelled) => 1,
            Ok(Next::Continue) => 0,
            Ok(Next::EndAnswer) => sys::PALI_END_ROW as c_int,
            Ok(Next::Stop) => 1,
            Err(panic) => {
                self.panic = Some(panic);
                1
            }
        }
    }
}

impl fmt::Debug for Hooks<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Hooks")
            .field("on_token", &self.token.is_some())
            .field("progress", &self.progress.is_some())
            .field("token_mask", &self.mask.is_some())
            .field("cancels", &self.cancels)
            .finish()
    }
}

/// # Safety
/// `user` comes from [`Hooks::user`] of hooks that nobody else uses meanwhile; `token` is one of the library's.
unsafe extern "C" fn token_hook(user: *mut c_void, token: *const sys::pali_token) -> c_int {
    // SAFETY: the caller says so. The lifetime is that of the closures, which outlive the call.
    let (hooks, token) = unsafe { (&mut *user.cast::<Hooks<'_>>(), &*token) };
    hooks.guarded(|hooks| {
        hooks.token.as_mut().map_or(Next::Continue, |call| {
            // SAFETY: the text lives for this call, in which it is copied.
            let text = unsafe { text::borrowed(token.text) }.map(str::to_owned);
            call(Token { row: text::size(token.row), id: token.id, text })
        })
    })
}

/// # Safety
/// As [`token_hook`]; `stage` is a text.
unsafe extern "C" fn progress_hook(user: *mut c_void, stage: *const c_char, fraction: f64) -> c_int {
    // SAFETY: the caller says so.
    let (hooks, stage) = unsafe { (&mut *user.cast::<Hooks<'_>>(), text::borrowed(stage).unwrap_or("")) };
    hooks.guarded(|hooks| hooks.progress.as_mut().map_or(Next::Continue, |call| call(stage, fraction)))
}

/// # Safety
/// As [`token_hook`]; `ids` has `n_ids` values and `allowed`, which is this call's alone, `vocab_size`.
unsafe extern "C" fn mask_hook(
    user: *mut c_void,
    row: i64,
    ids: *const i64,
    n_ids: usize,
    allowed: *mut u8,
    vocab_size: i64,
) -> c_int {
    // SAFETY: the caller says so; a vocabulary is not empty.
    let (hooks, ids, allowed) = unsafe {
        let allowed = std::slice::from_raw_parts_mut(allowed, text::size(vocab_size));
        (&mut *user.cast::<Hooks<'_>>(), text::array(ids, n_ids), allowed)
    };
    let row = text::size(row);
    hooks.guarded(|hooks| hooks.mask.as_mut().map_or(Next::Continue, |call| call(row, ids, allowed)))
}
