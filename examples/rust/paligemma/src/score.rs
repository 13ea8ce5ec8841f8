// SPDX-License-Identifier: BSD-2-Clause
//! How likely given answers are.
use crate::adapter::Applied;
use crate::error::make;
use crate::features::features_ptr;
use crate::generate::token_lists;
use crate::hooks::Hooks;
use crate::text::TextList;
use crate::{sys, text, Adapter, CancelToken, Flow, ImageFeatures, Inputs, Model, Result};
use std::ffi::CString;
use std::fmt;

handle! {
    /// Log-probabilities of some answers to one prompt.
    Scores, pali_scores, pali_scores_free
}
shared_between_threads!(Scores);

/// What answers are ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreOrder {
    /// The log-probability of the whole answer.
    Total,
    /// The same divided by its number of tokens, which does not favour short answers.
    Mean,
}

impl Scores {
    /// The number of answers.
    pub fn len(&self) -> usize {
        // SAFETY: the scores live for the call.
        unsafe { sys::pali_scores_count(self.as_ptr()) }
    }

    /// Whether there is no answer.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The log-probability of an answer as a whole; `None` out of range.
    pub fn total(&self, index: usize) -> Option<f64> {
        // SAFETY: the scores live for the call.
        (index < self.len()).then(|| unsafe { sys::pali_scores_total(self.as_ptr(), index) })
    }

    /// The same divided by the number of tokens.
    pub fn mean(&self, index: usize) -> Option<f64> {
        // SAFETY: the scores live for the call.
        (index < self.len()).then(|| unsafe { sys::pali_scores_mean(self.as_ptr(), index) })
    }

    /// The log-probability of each token; empty out of range.
    pub fn token_logprobs(&self, index: usize) -> &[f32] {
        let mut count = 0;
        // SAFETY: all arguments live for the call, the values as long as the scores.
        unsafe { text::array(sys::pali_scores_token_logprobs(self.as_ptr(), index, &mut count), count) }
    }

    /// The tokens, `<eos>` included where it was scored; empty out of range.
    pub fn token_ids(&self, index: usize) -> &[i64] {
        let mut count = 0;
        // SAFETY: all arguments live for the call, the ids as long as the scores.
        unsafe { text::array(sys::pali_scores_token_ids(self.as_ptr(), index, &mut count), count) }
    }

    /// The answers' indices, likeliest first.
    pub fn ranking(&self, order: ScoreOrder) -> &[usize] {
        let order = match order {
            ScoreOrder::Total => sys::PALI_SCORE_BY_TOTAL,
            ScoreOrder::Mean => sys::PALI_SCORE_BY_MEAN,
        };
        // SAFETY: the scores live for the call, their ranking as long as they.
        unsafe { text::array(sys::pali_scores_ranking(self.as_ptr(), order), self.len()) }
    }
}

impl fmt::Debug for Scores {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries((0..self.len()).map(|i| self.total(i))).finish()
    }
}

#[derive(Debug)]
enum Answers {
    Texts(Vec<Result<CString>>),
    Tokens(Vec<Vec<i64>>),
}

impl Model {
    /// Scores texts as answers to `prompt`, inputs of one row from a processor.
    pub fn score<'a, S: AsRef<str>>(&'a self, prompt: &'a Inputs, answers: &[S]) -> Score<'a> {
        self.scored(prompt, Answers::Texts(answers.iter().map(text::c_text).collect()))
    }

    /// The same for token ids, which are scored as they are.
    pub fn score_tokens<'a, T: AsRef<[i64]>>(&'a self, prompt: &'a Inputs, answers: &[T]) -> Score<'a> {
        self.scored(prompt, Answers::Tokens(answers.iter().map(|ids| ids.as_ref().to_vec()).collect()))
    }

    fn scored<'a>(&'a self, prompt: &'a Inputs, answers: Answers) -> Score<'a> {
        let (adapter, hooks) = (Applied::default(), Hooks::default());
        Score { model: self, prompt, answers, without_eos: false, threads: 0, features: None, adapter, hooks }
    }
}

/// A request for [`Scores`], made by [`Model::score`].
#[derive(Debug)]
#[must_use = "nothing is computed before `run`"]
pub struct Score<'a> {
    model: &'a Model,
    prompt: &'a Inputs,
    answers: Answers,
    without_eos: bool,
    threads: i32,
    features: Option<&'a ImageFeatures>,
    adapter: Applied<'a>,
    hooks: Hooks<'a>,
}

impl<'a> Score<'a> {
    /// Texts are scored as they are instead of with `<eos>` behind them: "a cat" is also the beginning of an answer.
    pub fn without_eos(mut self, without: bool) -> Self {
        self.without_eos = without;
        self
    }

    /// Takes these instead of `pixel_values`.
    pub fn features(mut self, features: &'a ImageFeatures) -> Self {
        self.features = Some(features);
        self
    }

    /// The number of threads of this call; 0: the model's.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = text::int32(threads);
        self
    }

    /// With a LoRA adapter, times `scale`.
    pub fn adapter(mut self, adapter: &'a Adapter, scale: f64) -> Self {
        self.adapter = Applied::new(adapter, scale);
        self
    }

    /// Called with the stage ("image", "prefill", "score") and the fraction of it that is done.
    pub fn progress<R: Flow>(mut self, call: impl FnMut(&str, f64) -> R + Send + 'a) -> Self {
        self.hooks.on_progress(call);
        self
    }

    /// Lets `token` stop the call.
    pub fn cancel(mut self, token: &CancelToken) -> Self {
        self.hooks.cancel(token);
        self
    }

    /// Computes the scores.
    pub fn run(mut self) -> Result<Scores> {
        let options = sys::pali_score_options {
            features: features_ptr(self.features),
            without_eos: self.without_eos.into(),
            threads: self.threads,
            progress: self.hooks.progress_fn(),
            progress_user: self.hooks.user(),
            adapter: self.adapter.as_ptr(),
            adapter_scale: self.adapter.scale(),
            ..Default::default()
        };
        let (model, prompt) = (self.model.as_ptr(), self.prompt.as_ptr());
        let scores = match self.answers {
            Answers::Texts(texts) => {
                let texts = TextList::from_texts(texts.into_iter().collect::<Result<_>>()?);
                // SAFETY: all arguments live for the call; the hooks are used by nobody else meanwhile.
                make(|out, error| unsafe {
                    sys::pali_score(out, model, prompt, texts.as_ptr(), texts.len(), &options, error)
                })
            }
            Answers::Tokens(ids) => {
                let lists = token_lists(&ids);
                // SAFETY: as above.
                make(|out, error| unsafe {
                    sys::pali_score_tokens(out, model, prompt, lists.as_ptr(), lists.len(), &options, error)
                })
            }
        }
        .map(Scores::from_raw);
        self.hooks.resume_panic();
        scores
    }
}
