// SPDX-License-Identifier: BSD-2-Clause
//! One pass of the network.
use crate::adapter::Applied;
use crate::error::{check, make};
use crate::features::features_ptr;
use crate::hooks::Hooks;
use crate::{sys, text, Adapter, Cache, CancelToken, Flow, ImageFeatures, Inputs, Model, Result, Tensor};
use std::fmt;
use std::path::Path;
use std::ptr;

handle! {
    /// The tensors that a pass returns, all f32: `logits`, `loss`, `hidden_states.N` and more.
    Outputs, pali_outputs, pali_outputs_free
}
shared_between_threads!(Outputs);

impl Outputs {
    /// The names of the tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> + '_ {
        // SAFETY: the outputs live for the call, the names as long as they.
        let count = unsafe { sys::pali_outputs_count(self.as_ptr()) };
        (0..count).filter_map(move |i| unsafe { text::borrowed(sys::pali_outputs_name(self.as_ptr(), i)) })
    }

    /// The tensor `name`, if it is there.
    pub fn get(&self, name: &str) -> Option<Tensor<'_>> {
        let name = text::c_text(name).ok()?;
        // SAFETY: all arguments live for the call, the tensor as long as the outputs.
        unsafe { Tensor::from_ptr(sys::pali_outputs_get(self.as_ptr(), name.as_ptr())) }
    }

    /// Writes all tensors to a safetensors file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = text::c_path(path)?;
        // SAFETY: all arguments live for the call.
        check(|error| unsafe { sys::pali_outputs_save(self.as_ptr(), path.as_ptr(), error) })
    }
}

impl fmt::Debug for Outputs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tensors = self.names().map(|name| (name, self.get(name)));
        formatter.debug_map().entries(tensors).finish()
    }
}

impl Model {
    /// One pass over `inputs`.
    pub fn forward<'a>(&'a self, inputs: &'a Inputs) -> Forward<'a> {
        Forward {
            model: self,
            inputs,
            switches: Switches::default(),
            logits_index: None,
            attention_layers: None,
            attention_heads: None,
            cache: None,
            features: None,
            adapter: Applied::default(),
            hooks: Hooks::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Switches {
    logits_to_keep: usize,
    prefix_length: Option<usize>,
    cache_position: Option<usize>,
    hidden_states: bool,
    attentions: bool,
    divided: bool,
    vision_hidden_states: bool,
    threads: i32,
}

/// A request for one pass, made by [`Model::forward`].
#[derive(Debug)]
#[must_use = "nothing is computed before `run`"]
pub struct Forward<'a> {
    model: &'a Model,
    inputs: &'a Inputs,
    switches: Switches,
    logits_index: Option<Vec<i64>>,
    attention_layers: Option<Vec<i64>>,
    attention_heads: Option<Vec<i64>>,
    cache: Option<&'a mut Cache>,
    features: Option<&'a ImageFeatures>,
    adapter: Applied<'a>,
    hooks: Hooks<'a>,
}

impl<'a> Forward<'a> {
    /// Reads and extends `cache`.
    pub fn cache(mut self, cache: &'a mut Cache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// The slot of the cache where the pass begins; what stands there and behind is forgotten first. Without it: behind
    /// all that the cache holds.
    pub fn cache_position(mut self, position: usize) -> Self {
        self.switches.cache_position = Some(position);
        self
    }

    /// Takes these instead of `pixel_values`.
    pub fn features(mut self, features: &'a ImageFeatures) -> Self {
        self.features = Some(features);
        self
    }

    /// Logits of the last `count` positions only; 0: of all.
    pub fn logits_to_keep(mut self, count: usize) -> Self {
        self.switches.logits_to_keep = count;
        self
    }

    /// Logits of these positions only; negative ones count from the end.
    pub fn logits_index(mut self, positions: &[i64]) -> Self {
        self.logits_index = Some(positions.to_vec());
        self
    }

    /// Without `token_type_ids`, this many leading tokens are prefix.
    pub fn prefix_length(mut self, tokens: usize) -> Self {
        self.switches.prefix_length = Some(tokens);
        self
    }

    /// Returns `hidden_states.N`.
    pub fn output_hidden_states(mut self, wanted: bool) -> Self {
        self.switches.hidden_states = wanted;
        self
    }

    /// Returns the tower's `vision_hidden_states.N`.
    pub fn output_vision_hidden_states(mut self, wanted: bool) -> Self {
        self.switches.vision_hidden_states = wanted;
        self
    }

    /// Returns `attentions.N`, of all layers and heads unless some are named.
    pub fn output_attentions(mut self, wanted: bool) -> Self {
        self.switches.attentions = wanted;
        self
    }

    /// Attentions of these layers only; negative ones count from the end.
    pub fn attention_layers(mut self, layers: &[i64]) -> Self {
        self.attention_layers = Some(layers.to_vec());
        self
    }

    /// Attentions of these heads only; negative ones count from the end.
    pub fn attention_heads(mut self, heads: &[i64]) -> Self {
        self.attention_heads = Some(heads.to_vec());
        self
    }

    /// Divides `image_hidden_states` by sqrt(hidden), as Transformers before 5.4.
    pub fn image_states_divided(mut self, divided: bool) -> Self {
        self.switches.divided = divided;
        self
    }

    /// The number of threads of this call; 0: the model's.
    pub fn threads(mut self, threads: usize) -> Self {
        self.switches.threads = text::int32(threads);
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
        let list =
            |list: &Option<Vec<i64>>| list.as_ref().map_or((ptr::null(), 0), |x| (x.as_ptr(), x.len()));
        let (logits_index, n_logits_index) = list(&self.logits_index);
        let (attention_layers, n_attention_layers) = list(&self.attention_layers);
        let (attention_heads, n_attention_heads) = list(&self.attention_heads);
        let options = sys::pali_forward_options {
            cache: self.cache.as_ref().map_or(ptr::null_mut(), |cache| cache.as_ptr()),
            features: features_ptr(self.features),
            logits_to_keep: text::int(self.switches.logits_to_keep),
            logits_index,
            n_logits_index,
            prefix_length: text::int_or_off(self.switches.prefix_length),
            output_hidden_states: self.switches.hidden_states.into(),
            output_attentions: self.switches.attentions.into(),
            progress: self.hooks.progress_fn(),
            progress_user: self.hooks.user(),
            cache_position: text::int_or_off(self.switches.cache_position),
            attention_layers,
            n_attention_layers,
            attention_heads,
            n_attention_heads,
            image_states_divided: self.switches.divided.into(),
            output_vision_hidden_states: self.switches.vision_hidden_states.into(),
            threads: self.switches.threads,
            adapter: self.adapter.as_ptr(),
            adapter_scale: self.adapter.scale(),
            ..Default::default()
        };
        let (model, inputs) = (self.model.as_ptr(), self.inputs.as_ptr());
        // SAFETY: all arguments live for the call; nobody else has the cache or uses the hooks meanwhile.
        let outputs =
            make(|out, error| unsafe { sys::pali_model_forward(out, model, inputs, &options, error) })
                .map(Outputs::from_raw);
        self.hooks.resume_panic();
        outputs
    }
}
