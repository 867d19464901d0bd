//! `wasi:config`: the texts that the operator wrote for a plugin, under `[plugins.X.config]`.
//!
//! Read once when the plugin is set up; nothing else of `pi.toml` or of the environment is within reach.

use std::collections::BTreeMap;

use super::bindings::standard::wasi::config::store::{Error, Host};
use super::state::CallState;

/// What one plugin may read.
#[derive(Clone, Debug, Default)]
pub struct ConfigState {
    values: BTreeMap<String, String>,
}

impl ConfigState {
    /// Of what stands in `pi.toml`, which takes nothing but texts.
    #[must_use]
    pub fn new(values: &BTreeMap<String, toml::Value>) -> Self {
        let text = |(key, value): (&String, &toml::Value)| Some((key.clone(), value.as_str()?.to_owned()));
        Self { values: values.iter().filter_map(text).collect() }
    }

    /// What stands there, by the keys.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl Host for CallState {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, Error>> {
        Ok(Ok(self.config.as_ref().and_then(|config| config.values.get(&key).cloned())))
    }

    async fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, Error>> {
        let values = self.config.as_ref().map(|config| config.values.clone()).unwrap_or_default();
        Ok(Ok(values.into_iter().collect()))
    }
}
