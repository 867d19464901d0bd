//! What an artifact must look like to be a component: one layer, and that is WebAssembly itself.
//!
//! This is the CNCF's Wasm OCI artifact, and what `wkg`, `wash` and ORAS push. The layer decides; the
//! config is not read, as it says nothing that the component does not say itself. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Layer;
use crate::registry::digest::{Digest, DigestError};
use crate::registry::quoted;

pub(crate) const WASM_CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
pub(crate) const WASM_LAYER_TYPE: &str = "application/wasm";
/// What a layer may be called that is a component as it is.
const LAYER_TYPES: [&str; 4] = [
    WASM_LAYER_TYPE,
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.module.wasm.content.layer.v1+wasm",
    "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm",
];
/// Names in an error. Danger: an error as long as an index of a thousand platforms.
const NAMED_MAX: usize = 8;

/// A component in a registry, not yet downloaded.
#[derive(Clone, Debug)]
pub(crate) struct Component {
    /// What the tag names: the manifest, or the index. Signatures are about this.
    pub(crate) manifest: Vec<u8>,
    pub(crate) top: Digest,
    pub(crate) layer: Layer,
}

/// A manifest or an index, as far as it concerns us.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<Descriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) layers: Option<Vec<Descriptor>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) manifests: Option<Vec<Descriptor>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Platform {
    #[serde(default)]
    pub(crate) architecture: String,
    #[serde(default)]
    pub(crate) os: String,
}

/// Why an artifact is not a component.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    #[error("its manifest is larger than the 4 MiB allowed")]
    ManifestTooLarge,
    #[error("its manifest cannot be read: {0}")]
    NotManifest(String),
    #[error(
        "its manifest is of schema version {0}, and this host reads: 2\nhint: push it again with a client of today"
    )]
    Schema(u32),
    #[error("its manifest is both a manifest and an index, which clients would read differently")]
    Ambiguous,
    #[error("its manifest has no layer: there is nothing to install")]
    NoLayer,
    #[error(
        "its manifest has {count} layers ({kinds}), and a component is one\nhint: push the component alone: `pi-host plugin push`, `wkg oci push`, or `oras push NAME:TAG tool.wasm:application/wasm`"
    )]
    Layers { count: usize, kinds: String },
    #[error(
        "its layer is compressed or an archive (`{0}`), which is not unpacked: it may be a bomb\nhint: this may be a container image; a component is pushed as it is, as `application/wasm`"
    )]
    Packed(String),
    #[error(
        "its layer is `{0}`, and a component is `application/wasm`\nhint: push it as that: `pi-host plugin push`, `wkg oci push`, or `oras push NAME:TAG tool.wasm:application/wasm`"
    )]
    LayerType(String),
    #[error("its layer is pinned by what is not supported: {0}")]
    Digest(DigestError),
    #[error(
        "it is an index without a WebAssembly platform; there are: {0}\nhint: this is a container image; a component is of the architecture `wasm`"
    )]
    NoWasm(String),
    #[error(
        "it is an index with several WebAssembly platforms: {0}\nhint: name the one you mean by its digest, `oci://registry/name@sha256:...`"
    )]
    ManyWasm(String),
    #[error("it is an index that names another index")]
    NestedIndex,
    #[error("its list of tags cannot be read")]
    NotTags,
}

/// What a manifest leads to.
pub(crate) enum Found {
    Layer(Layer),
    /// It is an index, and this manifest in it is meant.
    Elsewhere(Digest),
}

impl Manifest {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| ArtifactError::NotManifest(quoted(&error.to_string())))?;
        if manifest.schema_version != 2 {
            return Err(ArtifactError::Schema(manifest.schema_version));
        }
        if manifest.layers.is_some() && manifest.manifests.is_some() {
            return Err(ArtifactError::Ambiguous);
        }
        Ok(manifest)
    }
}

impl Descriptor {
    /// What it describes, as something to ask for.
    pub(crate) fn layer(&self) -> Result<Layer, ArtifactError> {
        Ok(Layer { digest: Digest::parse(&self.digest).map_err(ArtifactError::Digest)?, size: self.size })
    }
}

/// The one layer of a component, or where the index leads.
pub(crate) fn component_or_index(bytes: &[u8]) -> Result<Found, ArtifactError> {
    let manifest = Manifest::parse(bytes)?;
    if let Some(manifests) = &manifest.manifests {
        return Ok(Found::Elsewhere(wasm_platform(manifests)?));
    }
    match manifest.layers.as_deref().unwrap_or_default() {
        [] => Err(ArtifactError::NoLayer),
        [layer] => wasm_layer(layer).map(Found::Layer),
        layers => {
            let kinds = named(layers.iter().map(|layer| layer.media_type.clone()));
            Err(ArtifactError::Layers { count: layers.len(), kinds })
        }
    }
}

fn wasm_layer(layer: &Descriptor) -> Result<Layer, ArtifactError> {
    let kind = layer.media_type.as_str();
    if LAYER_TYPES.contains(&kind) {
        return layer.layer();
    }
    let is_packed = ["gzip", "zstd", ".tar", "+tar", "+zip"].iter().any(|part| kind.contains(part));
    Err(if is_packed { ArtifactError::Packed(quoted(kind)) } else { ArtifactError::LayerType(quoted(kind)) })
}

fn wasm_platform(manifests: &[Descriptor]) -> Result<Digest, ArtifactError> {
    let name = |descriptor: &Descriptor| match &descriptor.platform {
        Some(platform) => format!("{}/{}", platform.os, platform.architecture),
        None => "none".to_owned(),
    };
    let is_wasm = |descriptor: &&Descriptor| {
        descriptor.platform.as_ref().is_some_and(|platform| matches!(platform.architecture.as_str(), "wasm" | "wasm32"))
    };
    let found: Vec<&Descriptor> = manifests.iter().filter(is_wasm).collect();
    match found.as_slice() {
        [] => Err(ArtifactError::NoWasm(named(manifests.iter().map(name)))),
        [one] => Digest::parse(&one.digest).map_err(ArtifactError::Digest),
        many => Err(ArtifactError::ManyWasm(named(many.iter().map(|one| format!("{} {}", name(one), one.digest))))),
    }
}

fn named(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.take(NAMED_MAX + 1).map(|name| quoted(&name)).collect();
    if names.len() > NAMED_MAX {
        names.truncate(NAMED_MAX);
        names.push("…".into());
    }
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(manifest: &Value) -> Result<Found, ArtifactError> {
        component_or_index(manifest.to_string().as_bytes())
    }

    fn error(manifest: &Value) -> String {
        read(manifest).err().unwrap().to_string()
    }

    fn layer(kind: &str) -> Value {
        json!({ "mediaType": kind, "digest": Digest::of(b"x").to_string(), "size": 1 })
    }

    #[test]
    fn each_name_of_a_wasm_layer_is_a_component() {
        for kind in LAYER_TYPES {
            let manifest = json!({ "schemaVersion": 2, "layers": [layer(kind)] });
            assert!(matches!(read(&manifest), Ok(Found::Layer(found)) if found == Layer::of(b"x")), "{kind}");
        }
    }

    #[test]
    fn what_is_not_one_layer_of_wasm_is_refused_by_name() {
        let with = |layers: Value| error(&json!({ "schemaVersion": 2, "layers": layers }));
        assert!(with(json!([])).contains("no layer"));
        assert!(
            with(json!([layer("application/wasm"), layer("text/plain")]))
                .contains("2 layers (application/wasm, text/plain)")
        );
        let packed = with(json!([layer("application/vnd.oci.image.layer.v1.tar+gzip")]));
        assert!(packed.contains("compressed or an archive") && packed.contains("bomb"), "{packed}");
        assert!(with(json!([layer("application/vnd.oci.image.layer.v1.tar")])).contains("archive"));
        assert!(with(json!([layer("text/plain")])).contains("a component is `application/wasm`"));
        assert!(error(&json!({ "schemaVersion": 2 })).contains("no layer"));
        assert!(error(&json!({ "schemaVersion": 1, "layers": [] })).contains("schema version 1"));
        assert!(error(&json!({ "schemaVersion": 2, "layers": [], "manifests": [] })).contains("both"));
        assert!(error(&json!([])).contains("cannot be read"));
    }

    #[test]
    fn of_an_index_the_one_wasm_platform_is_meant() {
        let of = |architecture: &str| {
            json!({ "mediaType": "m", "digest": Digest::of(architecture.as_bytes()).to_string(), "size": 1,
                "platform": { "os": "x", "architecture": architecture } })
        };
        let index = |manifests: Value| json!({ "schemaVersion": 2, "manifests": manifests });
        assert!(
            matches!(read(&index(json!([of("amd64"), of("wasm")]))), Ok(Found::Elsewhere(d)) if d == Digest::of(b"wasm"))
        );
        assert!(error(&index(json!([of("amd64")]))).contains("without a WebAssembly platform; there are: x/amd64"));
        assert!(error(&index(json!([]))).contains("there are: none"));
        assert!(error(&index(json!([of("wasm"), of("wasm32")]))).contains("several"));
    }

    #[test]
    fn an_error_about_many_platforms_is_short() {
        let many: Vec<Value> = (0..1000)
            .map(|n| json!({ "digest": "d", "size": 1, "platform": { "os": "o".repeat(999), "architecture": n.to_string() } }))
            .collect();
        assert!(error(&json!({ "schemaVersion": 2, "manifests": many })).chars().count() < 4096);
    }
}
