// SPDX-License-Identifier: BSD-2-Clause
//! A checkpoint's configuration.
use crate::error::{check, make};
use crate::{sys, text, Error, Result};
use std::path::Path;
use std::ptr;

handle! {
    /// The configuration of a checkpoint: every field of config.json and its companions by its dotted name, such as
    /// "text_config.hidden_size", with Transformers' defaults where the files leave it out.
    Config, pali_config, pali_config_free
}
shared_between_threads!(Config);

impl Config {
    /// Reads the configuration of the checkpoint directory `path`. Only config.json must be there.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = text::c_path(path)?;
        // SAFETY: `path` lives for the call.
        make(|out, error| unsafe { sys::pali_config_load(out, path.as_ptr(), error) }).map(Self::from_raw)
    }

    /// The names of all fields.
    pub fn names(&self) -> impl Iterator<Item = &str> + '_ {
        // SAFETY: the configuration lives for the call, the names as long as it.
        let count = unsafe { sys::pali_config_count(self.as_ptr()) };
        (0..count).filter_map(move |i| unsafe { text::borrowed(sys::pali_config_name(self.as_ptr(), i)) })
    }

    /// A whole number; booleans are 0 and 1. Fails for a field that is unset or of another kind.
    pub fn int(&self, name: &str) -> Result<i64> {
        let name = text::c_text(name)?;
        let mut value = 0;
        // SAFETY: all arguments live for the call.
        check(|error| unsafe { sys::pali_config_get_int(self.as_ptr(), name.as_ptr(), &mut value, error) })?;
        Ok(value)
    }

    /// A number. Fails for a field that is unset or of another kind.
    pub fn float(&self, name: &str) -> Result<f64> {
        let name = text::c_text(name)?;
        let mut value = 0.0;
        // SAFETY: all arguments live for the call.
        check(|error| unsafe {
            sys::pali_config_get_float(self.as_ptr(), name.as_ptr(), &mut value, error)
        })?;
        Ok(value)
    }

    /// A text. Fails for a field that is unset or of another kind.
    pub fn string(&self, name: &str) -> Result<&str> {
        let name = text::c_text(name)?;
        let mut value = ptr::null();
        // SAFETY: all arguments live for the call, the value as long as the configuration.
        unsafe {
            check(|error| sys::pali_config_get_string(self.as_ptr(), name.as_ptr(), &mut value, error))?;
            text::borrowed(value).ok_or_else(|| Error::Argument("the field is unset".to_owned()))
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Config").field("model_type", &self.string("model_type").ok()).finish()
    }
}
