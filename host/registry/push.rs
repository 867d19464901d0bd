//! Publishing a component: as the CNCF's Wasm OCI artifact, which other hosts and clients read.
//!
//! What is pushed is the same bytes for the same input: the time comes in as an argument.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use super::COMPONENT_BYTES_MAX;
use super::digest::Digest;
use super::fetch::{Failure, FetchError, FetchOptions, Watch};
use super::oci::{Descriptor, Layer, MANIFEST_TYPE, Manifest, Repository, Right, WASM_CONFIG_TYPE, WASM_LAYER_TYPE};
use super::source::{Reference, Source};

/// What people read about a component in a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    pub title: Option<String>,
    pub version: Option<String>,
    pub description: Option<String>,
    /// Where its source code is.
    pub source: Option<String>,
}

/// What the component exports and imports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Surface {
    pub exports: Vec<String>,
    pub imports: Vec<String>,
}

/// A component that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Of the component.
    pub digest: Digest,
    pub manifest_digest: Digest,
    /// Its name, pinned.
    pub reference: Reference,
}

#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error("this is not a place to push to: `{0}`\nhint: name a repository and a tag: `oci://registry/name:1.0.0`")]
    NotRegistry(String),
    #[error(
        "a digest cannot be pushed to, as it follows from what is pushed: `{0}`\nhint: name a tag: `oci://registry/name:1.0.0`"
    )]
    Digest(String),
    #[error("there is nothing to push: the component is empty")]
    Empty,
    #[error("the component is larger than the {} MiB allowed", COMPONENT_BYTES_MAX >> 20)]
    TooLarge,
    #[error("the config cannot be written: {0}")]
    Config(String),
    #[error("it cannot be pushed to {0}")]
    Fetch(FetchError),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    created: &'a str,
    architecture: &'static str,
    os: &'static str,
    layer_digests: [String; 1],
    component: &'a Surface,
}

/// Publish a component under a tag. The time is RFC 3339.
///
/// # Errors
/// The target is no tag, or the registry does not take it.
pub async fn push(
    target: &Source,
    component: Vec<u8>,
    surface: &Surface,
    annotations: &Annotations,
    created: &str,
    options: &FetchOptions,
    watch: &mut Watch<'_>,
) -> Result<Pushed, PushError> {
    let Source::Oci(reference) = target else { return Err(PushError::NotRegistry(super::quoted(&target.to_string()))) };
    let (Some(tag), None) = (reference.tag(), reference.digest()) else {
        return Err(PushError::Digest(super::quoted(&target.to_string())));
    };
    if component.is_empty() {
        return Err(PushError::Empty);
    }
    let layer = Layer::of(&component);
    if layer.size > COMPONENT_BYTES_MAX {
        return Err(PushError::TooLarge);
    }
    let config = Config {
        created,
        architecture: "wasm",
        os: "wasip2",
        layer_digests: [layer.digest.to_string()],
        component: surface,
    };
    let written = |error: serde_json::Error| PushError::Config(error.to_string());
    let config = serde_json::to_vec(&config).map_err(written)?;
    let manifest = serde_json::to_vec(&manifest(&config, &layer, annotations, created)).map_err(written)?;
    let upload = async {
        let mut repository = Repository::open(reference, Right::Push, options)?;
        repository.upload(Bytes::from(component), watch).await?;
        repository.upload(Bytes::from(config), &mut |_| {}).await?;
        // Last: who asks for the tag meanwhile finds the old one, or nothing.
        repository.put_manifest(tag, manifest, MANIFEST_TYPE).await
    };
    let manifest_digest = upload.await.map_err(|failure: Failure| PushError::Fetch(failure.at(target)))?;
    Ok(Pushed { digest: layer.digest, reference: reference.pinned(manifest_digest.clone()), manifest_digest })
}

fn manifest(config: &[u8], layer: &Layer, annotations: &Annotations, created: &str) -> Manifest {
    let described = |media_type: &str, layer: &Layer| Descriptor {
        media_type: media_type.to_owned(),
        digest: layer.digest.to_string(),
        size: layer.size,
        ..Descriptor::default()
    };
    let Annotations { title, version, description, source } = annotations.clone();
    let named = [
        ("created", Some(created.to_owned())),
        ("title", title),
        ("version", version),
        ("description", description),
        ("source", source),
    ];
    let annotations: BTreeMap<String, String> = named
        .into_iter()
        .filter_map(|(name, value)| Some((format!("org.opencontainers.image.{name}"), value?)))
        .collect();
    Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST_TYPE.to_owned()),
        config: Some(described(WASM_CONFIG_TYPE, &Layer::of(config))),
        layers: Some(vec![described(WASM_LAYER_TYPE, layer)]),
        manifests: None,
        annotations: Some(annotations),
    }
}
