//! From bytes to code: read, check, pre-initialise where the plugin asks for it, compile, keep.

use wasmtime::Engine;
use wasmtime::component::Component;

use super::act;
use super::cache::{Cache, digest};
use super::engine::{Runtime, RuntimeError};
use super::prepare::prepare;
use crate::plugin::{Binary, BinaryError, Listing, ReflectError};

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
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error(
        "the component does not say which tools it has: {0}\nhint: it is asked before anything is granted, and may reach nothing then"
    )]
    Listing(String),
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
        let component = self.cache.as_ref()?.load(self.engine_for(binary).ok()?, digest)?;
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
        let engine = self.engine_for(&binary)?;
        let component = match self.cache.as_ref().and_then(|cache| cache.load(engine, &digest)) {
            Some(component) => component,
            None => self.compiled(engine, &binary, bytes, &digest).await?,
        };
        let binary = if binary.is_unlisted() { self.listed(binary, &component, &digest).await? } else { binary };
        Ok(Compiled { binary, digest, component })
    }

    async fn compiled(
        &self,
        engine: &Engine,
        binary: &Binary,
        bytes: &[u8],
        digest: &str,
    ) -> Result<Component, LoadError> {
        let prepared = if binary.manifest.prepare {
            Some(prepare(engine, bytes).await.map_err(|e| LoadError::Prepare(format!("{e:#}")))?)
        } else {
            None
        };
        let component = Component::from_binary(engine, prepared.as_deref().unwrap_or(bytes))
            .map_err(|e| LoadError::Compile(format!("{e:#}")))?;
        if let Some(cache) = &self.cache
            && let Ok(compiled) = component.serialize()
        {
            // A cache that cannot be written costs the next start some seconds and nothing else.
            let _ = cache.store(engine, digest, &compiled);
        }
        Ok(component)
    }

    /// A component that lists its tools itself, with them.
    async fn listed(&self, binary: Binary, component: &Component, digest: &str) -> Result<Binary, LoadError> {
        let known = self.cache.as_ref().and_then(|cache| cache.load_listing(digest));
        let listing: Listing = match known {
            Some(listing) => listing,
            None => {
                let listing = act::listing(component).await.map_err(LoadError::Listing)?;
                if let Some(cache) = &self.cache {
                    let _ = cache.store_listing(digest, &listing);
                }
                listing
            }
        };
        binary.with_listing(&listing).map_err(|error: ReflectError| LoadError::Binary(error.into()))
    }
}

impl Cache {
    /// A component as it was looked at before: one of ACT with the tools that it listed then.
    #[must_use]
    pub fn listed(&self, binary: &Binary, bytes: &[u8]) -> Option<Binary> {
        binary.clone().with_listing(&self.load_listing(&digest(bytes))?).ok()
    }
}
