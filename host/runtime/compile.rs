//! From bytes to code: read, check, pre-initialise where the plugin asks for it, compile, keep.

use wasmtime::component::Component;

use super::cache::digest;
use super::engine::Runtime;
use super::prepare::prepare;
use crate::plugin::{Binary, BinaryError};

/// A component, compiled for this engine.
#[derive(Clone)]
pub struct Compiled {
    pub binary: Binary,
    /// Lower-case hex SHA-256 of the component as it was given.
    pub digest: String,
    pub(super) component: Component,
}

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Binary(#[from] BinaryError),
    #[error("the component does not compile: {0}")]
    Compile(String),
    #[error(
        "the component's `pi:tool/prepare` does not run: {0}\nhint: it may not call any import; leave `prepare` out of plugin.json to do without it"
    )]
    Prepare(String),
}

impl Runtime {
    /// The code of a component that was compiled before, which may take seconds otherwise. The component
    /// itself is not needed for it.
    #[must_use]
    pub fn cached(&self, binary: &Binary, digest: &str) -> Option<Compiled> {
        let component = self.cache.as_ref()?.load(&self.engine, digest)?;
        Some(Compiled { binary: binary.clone(), digest: digest.to_owned(), component })
    }

    /// Read, check and compile a component that was written for this host, or take its code from the cache.
    ///
    /// # Errors
    /// What is wrong with the component, and what to do.
    pub async fn load(&self, bytes: &[u8]) -> Result<Compiled, LoadError> {
        self.compile(Binary::read(bytes)?, bytes).await
    }

    /// The same for any component: one without a manifest is a plugin of this name.
    ///
    /// # Errors
    /// As of [`Runtime::load`]; or nothing that it exports can be called.
    pub async fn load_named(&self, bytes: &[u8], name: &str) -> Result<Compiled, LoadError> {
        self.compile(Binary::read_named(bytes, name)?, bytes).await
    }

    async fn compile(&self, binary: Binary, bytes: &[u8]) -> Result<Compiled, LoadError> {
        let digest = digest(bytes);
        if let Some(component) = self.cache.as_ref().and_then(|cache| cache.load(&self.engine, &digest)) {
            return Ok(Compiled { binary, digest, component });
        }
        let prepared = if binary.manifest.prepare {
            Some(prepare(&self.engine, bytes).await.map_err(|e| LoadError::Prepare(format!("{e:#}")))?)
        } else {
            None
        };
        let component = Component::from_binary(&self.engine, prepared.as_deref().unwrap_or(bytes))
            .map_err(|e| LoadError::Compile(format!("{e:#}")))?;
        if let Some(cache) = &self.cache
            && let Ok(compiled) = component.serialize()
        {
            // A cache that cannot be written costs the next start some seconds and nothing else.
            let _ = cache.store(&self.engine, &digest, &compiled);
        }
        Ok(Compiled { binary, digest, component })
    }
}
