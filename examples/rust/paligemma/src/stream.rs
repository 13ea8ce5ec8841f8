// SPDX-License-Identifier: BSD-2-Clause
//! Tokens as an iterator. The library streams through a callback, so the generation runs in a thread of a scope and
//! hands its tokens over through a channel. The channel has no bound: the model never waits for the reader, and at most
//! `max_new_tokens` a row are in it.
use crate::{CancelToken, Error, Generate, Generation, Result, Token};
use std::panic::resume_unwind;
use std::sync::mpsc::{channel, Receiver};
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

/// The tokens of a generation that runs in another thread, made by [`Generate::stream`].
///
/// Each item is a token, or the error that ended the generation, after which nothing follows. Dropping the iterator
/// stops the generation and waits for its thread. A panic of one of the request's closures goes on in the thread that
/// reads.
#[derive(Debug)]
pub struct Tokens<'scope> {
    receiver: Receiver<Token>,
    worker: Option<ScopedJoinHandle<'scope, Result<Generation>>>,
    outcome: Option<Result<Generation>>,
    stop: CancelToken,
    error_is_told: bool,
}

impl<'scope> Tokens<'scope> {
    pub(crate) fn start<'a: 'scope, 'env>(request: Generate<'a>, scope: &'scope Scope<'scope, 'env>) -> Self {
        let (sender, receiver) = channel();
        let stop = CancelToken::new();
        let request = request.cancel(&stop).on_token(move |token| {
            // It only fails if nobody reads any more, and then `stop` has been cancelled or soon is.
            let _ = sender.send(token);
        });
        let worker = Builder::new().name("paligemma".to_owned()).spawn_scoped(scope, move || request.run());
        let (worker, outcome) = match worker {
            Ok(worker) => (Some(worker), None),
            Err(error) => (None, Some(Err(Error::Memory(format!("no thread for the generation: {error}"))))),
        };
        Self { receiver, worker, outcome, stop, error_is_told: false }
    }

    /// Lets the generation end after the token that it is at. The tokens that are there still come.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for the end of the generation, whose remaining tokens are passed over, and returns it.
    pub fn finish(mut self) -> Result<Generation> {
        self.wait();
        self.outcome
            .take()
            .unwrap_or_else(|| Err(Error::Internal("the generation has no outcome".to_owned())))
    }

    fn wait(&mut self) {
        if let Some(worker) = self.worker.take() {
            match worker.join() {
                Ok(outcome) => self.outcome = Some(outcome),
                Err(panic) => resume_unwind(panic),
            }
        }
    }
}

impl Iterator for Tokens<'_> {
    type Item = Result<Token>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Ok(token) = self.receiver.recv() {
            return Some(Ok(token));
        }
        self.wait();
        match &self.outcome {
            Some(Err(error)) if !self.error_is_told => {
                self.error_is_told = true;
                Some(Err(error.clone()))
            }
            _ => None,
        }
    }
}

impl std::iter::FusedIterator for Tokens<'_> {}

impl Drop for Tokens<'_> {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(worker) = self.worker.take() {
            if let (Err(panic), false) = (worker.join(), thread::panicking()) {
                resume_unwind(panic);
            }
        }
    }
}
