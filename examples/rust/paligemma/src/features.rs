// SPDX-License-Identifier: BSD-2-Clause
//! What the vision tower makes of pictures, computed once for any number of passes.
use crate::adapter::Applied;
use crate::error::make;
use crate::hooks::Hooks;
use crate::{sys, text, Adapter, CancelToken, Flow, Model, Result, Tensor};
use std::{fmt, ptr};

handle! {
    /// Image features: what tower and projector make of pictures. Given to [`Generate::features`](crate::Generate::features)
    /// and the like, they take the place of `pixel_values`.
    ImageFeatures, pali_image_features, pali_image_features_free
}
shared_between_threads!(ImageFeatures);

impl ImageFeatures {
    /// Features computed earlier, [images, tokens per image, hidden] f32, copied. `divided`: they were divided by
    /// sqrt(hidden), as by Transformers before 5.4.
    pub fn from_tensor(model: &Model, features: Tensor<'_>, divided: bool) -> Result<Self> {
        // SAFETY: all arguments live for the call; the features hold a reference to the model.
        make(|out, error| unsafe {
            sys::pali_image_features_create(out, model.as_ptr(), features.as_ptr(), divided.into(), error)
        })
        .map(Self::from_raw)
    }

    /// [images, tokens per image, hidden] f32.
    pub fn tensor(&self) -> Tensor<'_> {
        // SAFETY: the tensor lives as long as the features, which have one.
        unsafe { Tensor::from_raw(*sys::pali_image_features_tensor(self.as_ptr())) }
    }
}

impl fmt::Debug for ImageFeatures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ImageFeatures").field(&self.tensor()).finish()
    }
}

pub(crate) fn features_ptr(features: Option<&ImageFeatures>) -> *const sys::pali_image_features {
    features.map_or(ptr::null(), |features| features.as_ptr())
}

impl Model {
    /// Tower and projector on `pixel_values` [images, 3, size, size] f32, such as `inputs.get("pixel_values")`.
    pub fn image_features<'a>(&'a self, pixel_values: Tensor<'a>) -> Features<'a> {
        Features {
            model: self,
            pixel_values,
            threads: 0,
            adapter: Applied::default(),
            hooks: Hooks::default(),
        }
    }
}

/// A request for [`ImageFeatures`], made by [`Model::image_features`].
#[derive(Debug)]
#[must_use = "nothing is computed before `run`"]
pub struct Features<'a> {
    model: &'a Model,
    pixel_values: Tensor<'a>,
    threads: i32,
    adapter: Applied<'a>,
    hooks: Hooks<'a>,
}

impl<'a> Features<'a> {
    /// The number of threads of this call; 0: the model's.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = text::int32(threads);
        self
    }

    /// With a LoRA adapter, times `scale`. The pass that gets the features should have the same.
    pub fn adapter(mut self, adapter: &'a Adapter, scale: f64) -> Self {
        self.adapter = Applied::new(adapter, scale);
        self
    }

    /// Called with "image" and the fraction that is done, between layers.
    pub fn progress<R: Flow>(mut self, call: impl FnMut(&str, f64) -> R + Send + 'a) -> Self {
        self.hooks.on_progress(call);
        self
    }

    /// Lets `token` stop the pass.
    pub fn cancel(mut self, token: &CancelToken) -> Self {
        self.hooks.cancel(token);
        self
    }

    /// Computes them.
    pub fn run(mut self) -> Result<ImageFeatures> {
        let options = sys::pali_image_features_options {
            adapter: self.adapter.as_ptr(),
            adapter_scale: self.adapter.scale(),
            threads: self.threads,
            progress: self.hooks.progress_fn(),
            progress_user: self.hooks.user(),
            ..Default::default()
        };
        let (model, pixels) = (self.model.as_ptr(), self.pixel_values.as_ptr());
        // SAFETY: all arguments live for the call; the hooks are used by nobody else meanwhile.
        let features =
            make(|out, error| unsafe { sys::pali_model_image_features(out, model, pixels, &options, error) })
                .map(ImageFeatures::from_raw);
        self.hooks.resume_panic();
        features
    }
}
