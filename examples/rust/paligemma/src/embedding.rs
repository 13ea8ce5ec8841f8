// SPDX-License-Identifier: BSD-2-Clause
//! Vectors of pages, queries and texts, and how pages are found for a query.
use crate::adapter::Applied;
use crate::error::{check, make};
use crate::hooks::Hooks;
use crate::{sys, text, Adapter, CancelToken, Error, Flow, Inputs, Model, Outputs, Result, Tensor};

/// How many vectors a row gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// One for each token.
    None,
    /// One: the mean over the tokens that are not padding.
    Mean,
}

impl Model {
    /// One pass over `inputs`, of which the outputs get `embeddings`, f32: [batch, length, dim], or [batch, dim] with
    /// [`Pooling::Mean`].
    pub fn embed<'a>(&'a self, inputs: &'a Inputs) -> Embed<'a> {
        Embed {
            model: self,
            inputs,
            pooling: Pooling::None,
            normalize: None,
            skip_projection: false,
            threads: 0,
            adapter: Applied::default(),
            hooks: Hooks::default(),
        }
    }
}

/// A request for embeddings, made by [`Model::embed`].
#[derive(Debug)]
#[must_use = "nothing is computed before `run`"]
pub struct Embed<'a> {
    model: &'a Model,
    inputs: &'a Inputs,
    pooling: Pooling,
    normalize: Option<bool>,
    skip_projection: bool,
    threads: i32,
    adapter: Applied<'a>,
    hooks: Hooks<'a>,
}

impl<'a> Embed<'a> {
    /// How many vectors a row gets.
    pub fn pooling(mut self, pooling: Pooling) -> Self {
        self.pooling = pooling;
        self
    }

    /// Whether every vector is made of length 1; without this: if the checkpoint has a projection.
    pub fn normalize(mut self, normalize: bool) -> Self {
        self.normalize = Some(normalize);
        self
    }

    /// The hidden states themselves, also of a checkpoint that has a projection.
    pub fn skip_projection(mut self, skip: bool) -> Self {
        self.skip_projection = skip;
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

    /// Called with the stage and the fraction of it that is done, between layers.
    pub fn progress<R: Flow>(mut self, call: impl FnMut(&str, f64) -> R + Send + 'a) -> Self {
        self.hooks.on_progress(call);
        self
    }

    /// Lets `token` stop the pass.
    pub fn cancel(mut self, token: &CancelToken) -> Self {
        self.hooks.cancel(token);
        self
    }

    /// Does the pass.
    pub fn run(mut self) -> Result<Outputs> {
        let options = sys::pali_embed_options {
            pooling: match self.pooling {
                Pooling::None => sys::PALI_POOLING_NONE,
                Pooling::Mean => sys::PALI_POOLING_MEAN,
            },
            normalize: self.normalize.map_or(-1, i32::from),
            skip_projection: self.skip_projection.into(),
            threads: self.threads,
            progress: self.hooks.progress_fn(),
            progress_user: self.hooks.user(),
            adapter: self.adapter.as_ptr(),
            adapter_scale: self.adapter.scale(),
            ..Default::default()
        };
        let (model, inputs) = (self.model.as_ptr(), self.inputs.as_ptr());
        // SAFETY: all arguments live for the call; the hooks are used by nobody else meanwhile.
        let outputs = make(|out, error| unsafe { sys::pali_embed(out, model, inputs, &options, error) })
            .map(Outputs::from_raw);
        self.hooks.resume_panic();
        outputs
    }
}

/// Late interaction: for each query and each page the sum, over the query's vectors, of the largest product with a
/// vector of the page. Both are f32 [n, length, dim], or [length, dim] for one alone; the scores are [queries, pages].
pub fn max_sim(queries: Tensor<'_>, pages: Tensor<'_>) -> Result<Vec<f32>> {
    let rows = |tensor: &Tensor<'_>| match *tensor.shape() {
        [rows, _, _] => usize::try_from(rows).ok(),
        [_, _] => Some(1),
        _ => None,
    };
    let count = match (rows(&queries), rows(&pages)) {
        (Some(queries), Some(pages)) => queries.checked_mul(pages),
        _ => None,
    };
    let count = count.ok_or_else(|| {
        Error::Shape(format!("embeddings of shapes {:?} and {:?}", queries.shape(), pages.shape()))
    })?;
    let mut scores = vec![0.0; count];
    // SAFETY: `scores` has a value for each query and page.
    check(|error| unsafe {
        sys::pali_max_sim(scores.as_mut_ptr(), queries.as_ptr(), pages.as_ptr(), error)
    })?;
    Ok(scores)
}
