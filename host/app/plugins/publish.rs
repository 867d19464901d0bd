//! Publishing a plugin in a registry, signed where there is a key.

use super::install::options;
use crate::clock;
use crate::plugin::Binary;
use crate::plugin::Import;
use crate::registry::credentials::CredentialsError;
use crate::registry::push::{Annotations, PushError, Pushed, Surface, push};
use crate::registry::signature::{SecretKey, SignError, sign};
use crate::registry::source::Source;

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Push(#[from] PushError),
    #[error("it was pushed, and could not be signed: {0}")]
    Sign(#[from] SignError),
}

/// Push a packed component, and sign what was pushed.
///
/// # Errors
/// The registry does not take it.
pub async fn publish(
    target: &Source,
    bytes: Vec<u8>,
    binary: &Binary,
    key: Option<&SecretKey>,
) -> Result<Pushed, PublishError> {
    let options = options(target)?;
    let imports = binary.imports.iter().map(|import| match import {
        Import::Inert(name) | Import::Capability(_, name) => name.clone(),
    });
    let surface = Surface { exports: binary.exports.clone(), imports: imports.collect() };
    let manifest = &binary.manifest;
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let annotations = Annotations {
        title: some(&manifest.name),
        version: some(&manifest.version),
        description: some(&manifest.description),
        ..Annotations::default()
    };
    let created = clock::rfc3339(clock::now_ms());
    let pushed = push(target, bytes, &surface, &annotations, &created, &options, &mut |_| {}).await?;
    if let Some(key) = key {
        sign(&pushed.reference, key, &options).await?;
    }
    Ok(pushed)
}
