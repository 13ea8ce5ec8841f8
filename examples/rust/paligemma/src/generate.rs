// SPDX-License-Identifier: BSD-2-Clause
//! Answers: the request with all its options. Names and meaning are those of Transformers' GenerationConfig; what is
//! not set is what the checkpoint's generation_config.json says, else Transformers' default.
use crate::adapter::Applied;
use crate::error::make;
use crate::features::features_ptr;
use crate::hooks::Hooks;
use crate::text::TextList;
use crate::{
    sys, text, Adapter, Cache, CancelToken, Constraint, Error, Flow, Generation, ImageFeatures, Inputs,
    Model, Result, Token, Tokens,
};
use std::ffi::CString;
use std::ptr;
use std::thread::Scope;

/// When beam search ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyStopping {
    /// As soon as there are as many complete answers as beams.
    WhenComplete,
    /// When a better answer is unlikely.
    WhenUnlikely,
    /// When there can be no better answer.
    Never,
}

impl Model {
    /// A request for answers to every row of `inputs`.
    ///
    /// ```no_run
    /// # fn demo(model: &paligemma::Model, inputs: &paligemma::Inputs) -> paligemma::Result<()> {
    /// let answer = model.generate(inputs).max_new_tokens(50).temperature(0.7).seed(1).run()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn generate<'a>(&'a self, inputs: &'a Inputs) -> Generate<'a> {
        Generate {
            model: self,
            inputs,
            numbers: Numbers::default(),
            logit_bias: Vec::new(),
            bad_words: Vec::new(),
            force_words: Vec::new(),
            eos_token_ids: None,
            stop_strings: Vec::new(),
            features: None,
            constraint: None,
            cache: None,
            adapter: Applied::default(),
            hooks: Hooks::default(),
            zero: None,
        }
    }
}

/// The C struct of which only the numbers are set; the pointers, which are null, follow in `run`.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers(sys::pali_generate_options);

// SAFETY: all pointers in it are null.
unsafe impl Send for Numbers {}
// SAFETY: as above.
unsafe impl Sync for Numbers {}

/// A request for answers, made by [`Model::generate`], started by [`run`](Self::run) or [`stream`](Self::stream).
///
/// An option that would be without effect (`top_k` of a greedy generation, `length_penalty` without beams) is
/// [`Error::Argument`](crate::Error::Argument), and so is 0 where it has no meaning. `None` switches off what
/// generation_config.json has switched on.
#[derive(Debug)]
#[must_use = "nothing is generated before `run` or `stream`"]
pub struct Generate<'a> {
    model: &'a Model,
    inputs: &'a Inputs,
    numbers: Numbers,
    logit_bias: Vec<(i64, f32)>,
    bad_words: Vec<Vec<i64>>,
    force_words: Vec<Vec<i64>>,
    eos_token_ids: Option<Vec<i64>>,
    stop_strings: Vec<Result<CString>>,
    features: Option<&'a ImageFeatures>,
    constraint: Option<&'a Constraint>,
    cache: Option<&'a mut Cache>,
    adapter: Applied<'a>,
    hooks: Hooks<'a>,
    /// An option that was 0, which the library would take for "not set".
    zero: Option<&'static str>,
}

impl Generate<'_> {
    /// A number that is not 0; else `run` says so.
    fn not_zero<T: Default + PartialEq>(&mut self, name: &'static str, number: T) -> T {
        if number == T::default() {
            self.zero = Some(name);
        }
        number
    }
}

/// How long answers are.
impl<'a> Generate<'a> {
    /// The longest answer. The memory for it is allocated at once.
    pub fn max_new_tokens(mut self, tokens: usize) -> Self {
        self.numbers.0.max_new_tokens = text::int(self.not_zero("max_new_tokens", tokens));
        self
    }

    /// The shortest answer; `None` or 0: any.
    pub fn min_new_tokens(mut self, tokens: impl Into<Option<usize>>) -> Self {
        self.numbers.0.min_new_tokens = text::int_or_off(tokens.into().filter(|&tokens| tokens > 0));
        self
    }

    /// The tokens that end an answer, at most eight; none: it never ends.
    pub fn eos_token_ids(mut self, ids: &[i64]) -> Self {
        self.eos_token_ids = Some(ids.to_vec());
        self
    }

    /// Adds a text that ends an answer and stays in it.
    pub fn stop_string(mut self, text: impl AsRef<str>) -> Self {
        self.stop_strings.push(text::c_text(text));
        self
    }
}

/// How tokens are chosen.
impl<'a> Generate<'a> {
    /// The likeliest token each time, whatever generation_config.json says.
    pub fn greedy(mut self) -> Self {
        self.numbers.0.temperature = -1.0;
        self
    }

    /// Samples from logits / temperature, 1e-5…1e6.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.numbers.0.temperature = self.not_zero("temperature", temperature);
        self
    }

    /// Samples from the k likeliest; `None`: from all.
    pub fn top_k(mut self, k: impl Into<Option<usize>>) -> Self {
        self.numbers.0.top_k = self.not_zero("top_k", text::int_or_off(k.into()));
        self
    }

    /// Samples from the likeliest that make up the probability p.
    pub fn top_p(mut self, p: f64) -> Self {
        self.numbers.0.top_p = self.not_zero("top_p", p);
        self
    }

    /// Samples from those at least p times as likely as the likeliest; `None` or 0: from all.
    pub fn min_p(mut self, p: impl Into<Option<f64>>) -> Self {
        self.numbers.0.min_p = p.into().filter(|&p| p != 0.0).unwrap_or(-1.0);
        self
    }

    /// Locally typical sampling; 1: none.
    pub fn typical_p(mut self, p: f64) -> Self {
        self.numbers.0.typical_p = self.not_zero("typical_p", p);
        self
    }

    /// Same seed, same draws.
    pub fn seed(mut self, seed: u64) -> Self {
        self.numbers.0.seed = seed;
        self
    }

    /// Beam search with 2…64 beams; 1: none.
    pub fn num_beams(mut self, beams: usize) -> Self {
        self.numbers.0.num_beams = text::int(self.not_zero("num_beams", beams));
        self
    }

    /// Beams are ranked by score / length^penalty.
    pub fn length_penalty(mut self, penalty: f64) -> Self {
        self.numbers.0.length_penalty = penalty;
        self
    }

    /// When beam search ends.
    pub fn early_stopping(mut self, when: EarlyStopping) -> Self {
        self.numbers.0.early_stopping = match when {
            EarlyStopping::WhenComplete => 1,
            EarlyStopping::WhenUnlikely => -1,
            EarlyStopping::Never => 2,
        };
        self
    }

    /// Guesses up to this many tokens, 0…64, from the prompt and the answer so far and checks them in one pass; the
    /// tokens do not change.
    pub fn prompt_lookup_num_tokens(mut self, tokens: usize) -> Self {
        self.numbers.0.prompt_lookup_num_tokens = text::int(tokens);
        self
    }
}

/// What is done to the logits, and what an answer may be.
impl<'a> Generate<'a> {
    /// Over all ids of prompt and answer; 1: none.
    pub fn repetition_penalty(mut self, penalty: f64) -> Self {
        self.numbers.0.repetition_penalty = self.not_zero("repetition_penalty", penalty);
        self
    }

    /// Subtracted once from every id that the answer has.
    pub fn presence_penalty(mut self, penalty: f64) -> Self {
        self.numbers.0.presence_penalty = penalty;
        self
    }

    /// Subtracted for each time the answer has the id.
    pub fn frequency_penalty(mut self, penalty: f64) -> Self {
        self.numbers.0.frequency_penalty = penalty;
        self
    }

    /// No run of this many tokens twice, in prompt and answer; `None` or 0: runs may repeat.
    pub fn no_repeat_ngram_size(mut self, tokens: impl Into<Option<usize>>) -> Self {
        self.numbers.0.no_repeat_ngram_size = text::int_or_off(tokens.into().filter(|&tokens| tokens > 0));
        self
    }

    /// Adds `bias` to the logit of token `id`; negative infinity forbids it.
    pub fn logit_bias(mut self, id: i64, bias: f32) -> Self {
        self.logit_bias.push((id, bias));
        self
    }

    /// Adds a sequence of tokens that never appears.
    pub fn bad_word(mut self, ids: &[i64]) -> Self {
        self.bad_words.push(ids.to_vec());
        self
    }

    /// Adds a sequence of tokens that every answer contains.
    pub fn force_word(mut self, ids: &[i64]) -> Self {
        self.force_words.push(ids.to_vec());
        self
    }

    /// Answers are of this form.
    pub fn constraint(mut self, constraint: &'a Constraint) -> Self {
        self.constraint = Some(constraint);
        self
    }

    /// Says which tokens may follow: called with the row, its new tokens so far, and a byte for each token of the
    /// vocabulary, to be set to 1 where the token may follow. Stopping is as for [`on_token`](Self::on_token).
    pub fn token_mask<R: Flow>(
        mut self,
        call: impl FnMut(usize, &[i64], &mut [u8]) -> R + Send + 'a,
    ) -> Self {
        self.hooks.on_mask(call);
        self
    }
}

/// How many answers, and what is known of them.
impl<'a> Generate<'a> {
    /// Answers to each prompt: the best beams, or as many samples.
    pub fn num_return_sequences(mut self, answers: usize) -> Self {
        self.numbers.0.num_return_sequences = text::int(self.not_zero("num_return_sequences", answers));
        self
    }

    /// Samples this many and returns the likeliest.
    pub fn best_of(mut self, samples: usize) -> Self {
        self.numbers.0.best_of = text::int(self.not_zero("best_of", samples));
        self
    }

    /// Log-probabilities of the tokens ([`Generation::logprobs`]).
    pub fn logprobs(mut self, wanted: bool) -> Self {
        self.numbers.0.logprobs = wanted.into();
        self
    }

    /// This many likeliest alternatives for each token too, 0…64 ([`Generation::top_logprobs`]).
    pub fn top_logprobs(mut self, alternatives: usize) -> Self {
        self.numbers.0.top_logprobs = text::int(alternatives);
        self
    }
}

/// What the model is given besides the inputs, and how the call is watched.
impl<'a> Generate<'a> {
    /// Takes these instead of `pixel_values`.
    pub fn features(mut self, features: &'a ImageFeatures) -> Self {
        self.features = Some(features);
        self
    }

    /// Row i continues row i of `cache`, which holds prompt and answer afterwards, but for the answer's last token.
    pub fn cache(mut self, cache: &'a mut Cache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// The number of threads of this call; 0: the model's.
    pub fn threads(mut self, threads: usize) -> Self {
        self.numbers.0.threads = text::int32(threads);
        self
    }

    /// Answers with a LoRA adapter, times `scale`.
    pub fn adapter(mut self, adapter: &'a Adapter, scale: f64) -> Self {
        self.adapter = Applied::new(adapter, scale);
        self
    }

    /// Called with each token as it comes, on the thread of the call. `ControlFlow::Break` stops the generation, which
    /// keeps what there is; [`Next::EndAnswer`](crate::Next::EndAnswer) ends one answer of a batch. Several closures are called one after another.
    pub fn on_token<R: Flow>(mut self, call: impl FnMut(Token) -> R + Send + 'a) -> Self {
        self.hooks.on_token(call);
        self
    }

    /// Called with the stage ("image", "prefill", "beams", "samples") and the fraction of it that is done.
    /// `ControlFlow::Break` ends the call with [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn progress<R: Flow>(mut self, call: impl FnMut(&str, f64) -> R + Send + 'a) -> Self {
        self.hooks.on_progress(call);
        self
    }

    /// Lets `token` stop the generation: before the first token with [`Error::Cancelled`](crate::Error::Cancelled),
    /// later with the tokens that there are.
    pub fn cancel(mut self, token: &CancelToken) -> Self {
        self.hooks.cancel(token);
        self
    }
}

impl<'a> Generate<'a> {
    /// Generates, and returns when the answers are complete.
    pub fn run(mut self) -> Result<Generation> {
        if let Some(name) = self.zero {
            return Err(Error::Argument(format!("{name} is 0")));
        }
        let bias: Vec<_> =
            self.logit_bias.iter().map(|&(id, bias)| sys::pali_logit_bias { id, bias }).collect();
        let (bad_words, force_words) = (token_lists(&self.bad_words), token_lists(&self.force_words));
        let stop_strings = TextList::from_texts(self.stop_strings.into_iter().collect::<Result<_>>()?);
        let eos = self.eos_token_ids.as_ref().map_or((ptr::null(), 0), |ids| (ids.as_ptr(), ids.len()));
        let (on_token, progress, token_mask) =
            (self.hooks.token_fn(), self.hooks.progress_fn(), self.hooks.mask_fn());
        let user = self.hooks.user();
        let options = sys::pali_generate_options {
            on_token,
            on_token_user: user,
            progress,
            progress_user: user,
            token_mask,
            token_mask_user: user,
            features: features_ptr(self.features),
            logit_bias: bias.as_ptr(),
            n_logit_bias: bias.len(),
            bad_words: bad_words.as_ptr(),
            n_bad_words: bad_words.len(),
            force_words: force_words.as_ptr(),
            n_force_words: force_words.len(),
            eos_token_ids: eos.0,
            n_eos_token_ids: eos.1,
            stop_strings: stop_strings.as_ptr(),
            n_stop_strings: stop_strings.len(),
            constraint: self.constraint.map_or(ptr::null(), |constraint| constraint.as_ptr()),
            cache: self.cache.as_ref().map_or(ptr::null_mut(), |cache| cache.as_ptr()),
            adapter: self.adapter.as_ptr(),
            adapter_scale: self.adapter.scale(),
            ..self.numbers.0
        };
        let (model, inputs) = (self.model.as_ptr(), self.inputs.as_ptr());
        // SAFETY: all arguments live for the call; nobody else has the cache or uses the hooks meanwhile.
        let generation =
            make(|out, error| unsafe { sys::pali_generate(out, model, inputs, &options, error) })
                .map(Generation::from_raw);
        self.hooks.resume_panic();
        generation
    }

    /// Generates in a thread of `scope` and returns at once; the tokens come from the iterator.
    ///
    /// ```no_run
    /// # fn demo(model: &paligemma::Model, inputs: &paligemma::Inputs) -> paligemma::Result<()> {
    /// std::thread::scope(|scope| {
    ///     for token in model.generate(inputs).max_new_tokens(50).stream(scope) {
    ///         print!("{}", token?);
    ///     }
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn stream<'scope, 'env>(self, scope: &'scope Scope<'scope, 'env>) -> Tokens<'scope>
    where
        'a: 'scope,
    {
        Tokens::start(self, scope)
    }
}

/// Sequences of tokens as the library takes them; they borrow from `words`.
pub(crate) fn token_lists<T: AsRef<[i64]>>(words: &[T]) -> Vec<sys::pali_token_list> {
    let list = |word: &T| sys::pali_token_list { ids: word.as_ref().as_ptr(), n_ids: word.as_ref().len() };
    words.iter().map(list).collect()
}
