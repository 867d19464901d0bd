//! Signatures in a registry: found beside the manifest that they are of, and put there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;

use super::bundle::BUNDLE_TYPE;
use super::cosign::{PAYLOAD_TYPE, SIGNATURE_ANNOTATION};
use super::{Doubt, Good, KeyError, Proof, Scheme, SecretKey, Subject, Trust, Try, bundle, cosign};
use crate::registry::digest::Digest;
use crate::registry::fetch::{Failure, FetchError, FetchOptions};
use crate::registry::oci::{ArtifactError, Descriptor, Layer, MANIFEST_TYPE, Manifest, Repository, Right};
use crate::registry::source::{Reference, Source};

/// Signatures of one component that are looked at, of each form. Danger: a registry that has a million.
const SIGNATURES_MAX: usize = 32;
/// Longest JSON that is signed.
const PAYLOAD_BYTES_MAX: u64 = 64 << 10;
/// Longest bundle.
const BUNDLE_BYTES_MAX: u64 = 1 << 20;

const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";

#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error(
        "what is signed is a manifest, and `{0}` does not say which one\nhint: name it by its digest, `oci://registry/name@sha256:...`"
    )]
    NotPinned(Reference),
    #[error("there are {SIGNATURES_MAX} signatures of it already")]
    TooMany,
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the signature cannot be written: {0}")]
    Json(serde_json::Error),
    #[error("the signature cannot be put beside {0}")]
    Fetch(FetchError),
}

pub(super) async fn of(
    reference: &Reference,
    subject: &Subject<'_>,
    trust: &Trust,
    options: &FetchOptions,
) -> Result<Vec<Try>, Failure> {
    let mut repository = Repository::open(reference, Right::Pull, options)?;
    let version = subject.manifest_digest.map_or_else(|| reference.version(), ToString::to_string);
    let component = repository.component(&version).await?;
    // A signature of the manifest is worth nothing for bytes that the manifest does not name.
    let found = Digest::of(subject.bytes);
    if component.layer.digest != found {
        return Err(Failure::Digest { what: "the component", expected: component.layer.digest, found });
    }
    let name = trust.signed_as.clone().unwrap_or_else(|| name(reference));
    let mut tries = tagged(&mut repository, &component.top, &component.manifest, &name, trust).await?;
    if !tries.iter().any(Result::is_ok) {
        tries.extend(bundles(&mut repository, &component.top, &component.manifest, trust).await?);
    }
    Ok(tries)
}

/// cosign's first form: a manifest under a tag that names the digest, a layer for each signature.
async fn tagged(
    repository: &mut Repository,
    manifest: &Digest,
    content: &[u8],
    name: &str,
    trust: &Trust,
) -> Result<Vec<Try>, Failure> {
    let Some((bytes, _)) = repository.find_manifest(&tag(manifest)).await? else { return Ok(Vec::new()) };
    let layers = Manifest::parse(&bytes)?.layers.unwrap_or_default();
    let mut tries = Vec::new();
    for layer in layers.iter().filter(|layer| layer.media_type == PAYLOAD_TYPE).take(SIGNATURES_MAX) {
        let Some(signature) = signature(layer) else {
            tries.push(Err(Doubt::Unreadable(format!("it has no `{SIGNATURE_ANNOTATION}`"))));
            continue;
        };
        let payload = repository.blob(&layer.layer()?, PAYLOAD_BYTES_MAX, &mut |_| {}).await?;
        let checked = cosign::check(&payload, signature, &trust.keys, name, manifest);
        let is_keyless =
            layer.annotations.as_ref().is_some_and(|all| all.contains_key("dev.sigstore.cosign/certificate"));
        tries.push(match checked {
            Ok(key) => Ok(Good { key, scheme: Scheme::Cosign, proof: Proof::cosign(&payload, signature, content) }),
            Err(Doubt::OtherKey) if is_keyless => Err(Doubt::Keyless),
            Err(doubt) => Err(doubt),
        });
    }
    Ok(tries)
}

/// The newer form: manifests that say of themselves that they refer to this one.
async fn bundles(
    repository: &mut Repository,
    manifest: &Digest,
    content: &[u8],
    trust: &Trust,
) -> Result<Vec<Try>, Failure> {
    let referrers = repository.referrers(manifest).await?;
    let mut tries = Vec::new();
    for referrer in referrers.iter().filter(|referrer| may_be_bundle(referrer)).take(SIGNATURES_MAX) {
        let digest = Digest::parse(&referrer.digest).map_err(ArtifactError::Digest)?;
        let Some((bytes, _)) = repository.find_manifest(&digest.to_string()).await? else { continue };
        let layers = Manifest::parse(&bytes)?.layers.unwrap_or_default();
        let Some(layer) = layers.first().filter(|layer| layer.media_type.starts_with(BUNDLE_TYPE)) else { continue };
        let json = repository.blob(&layer.layer()?, BUNDLE_BYTES_MAX, &mut |_| {}).await?;
        let proof = || Proof::bundle(&json, Some(content));
        let checked = bundle::check(&json, content, &trust.keys);
        tries.push(checked.map(|key| Good { key, scheme: Scheme::Bundle, proof: proof() }));
    }
    Ok(tries)
}

/// Registries that do not know the field put the config's type in its place.
fn may_be_bundle(referrer: &Descriptor) -> bool {
    match referrer.artifact_type.as_deref() {
        None | Some("" | "application/vnd.oci.empty.v1+json" | CONFIG_TYPE) => true,
        Some(kind) => kind.starts_with(BUNDLE_TYPE),
    }
}

/// Sign what is in a registry under this digest: as `cosign sign --key` does, so that cosign verifies it.
/// A signature of the same key is replaced, others stay. Answers with the digest of the signatures.
///
/// # Errors
/// The name has no digest, what it names is no component, or the registry does not take the signature.
pub async fn sign(reference: &Reference, key: &SecretKey, options: &FetchOptions) -> Result<Digest, SignError> {
    let Some(manifest) = reference.digest() else { return Err(SignError::NotPinned(reference.clone())) };
    let at = |failure: Failure| SignError::Fetch(failure.at(&Source::Oci(reference.clone())));
    let name = name(reference);
    let payload = cosign::payload(&name, manifest).map_err(SignError::Json)?;
    let public = key.public()?;
    let signature = STANDARD.encode(key.sign(&payload)?);
    let mut repository = Repository::open(reference, Right::Push, options).map_err(at)?;
    // What is not there, or is no component, is not signed.
    repository.component(&manifest.to_string()).await.map_err(at)?;
    let old = repository.find_manifest(&tag(manifest)).await.map_err(at)?;
    let mut layers = match old {
        Some((bytes, _)) => Manifest::parse(&bytes).map_err(|error| at(error.into()))?.layers.unwrap_or_default(),
        None => Vec::new(),
    };
    let own = Layer::of(&payload).digest.to_string();
    layers.retain(|layer| {
        let is_own =
            layer.digest == own && signature_of(layer).is_some_and(|signature| public.verifies(&payload, &signature));
        !is_own
    });
    if layers.len() >= SIGNATURES_MAX {
        return Err(SignError::TooMany);
    }
    let layer = repository.upload(Bytes::from(payload), &mut |_| {}).await.map_err(at)?;
    layers.push(Descriptor {
        media_type: PAYLOAD_TYPE.to_owned(),
        digest: layer.digest.to_string(),
        size: layer.size,
        annotations: Some([(SIGNATURE_ANNOTATION.to_owned(), signature)].into()),
        ..Descriptor::default()
    });
    let ids: Vec<&str> = layers.iter().map(|layer| layer.digest.as_str()).collect();
    let config = json!({ "architecture": "", "config": {}, "os": "", "rootfs": { "type": "layers", "diff_ids": ids } });
    let config = serde_json::to_vec(&config).map_err(SignError::Json)?;
    let config = repository.upload(Bytes::from(config), &mut |_| {}).await.map_err(at)?;
    let signatures = Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST_TYPE.to_owned()),
        config: Some(Descriptor {
            media_type: CONFIG_TYPE.to_owned(),
            digest: config.digest.to_string(),
            size: config.size,
            ..Descriptor::default()
        }),
        layers: Some(layers),
        manifests: None,
        annotations: None,
    };
    let bytes = serde_json::to_vec(&signatures).map_err(SignError::Json)?;
    repository.put_manifest(&tag(manifest), bytes, MANIFEST_TYPE).await.map_err(at)
}

fn signature(layer: &Descriptor) -> Option<&str> {
    layer.annotations.as_ref()?.get(SIGNATURE_ANNOTATION).map(String::as_str)
}

fn signature_of(layer: &Descriptor) -> Option<Vec<u8>> {
    STANDARD.decode(signature(layer)?).ok()
}

pub(super) fn name(reference: &Reference) -> String {
    format!("{}/{}", reference.registry(), reference.repository())
}

fn tag(manifest: &Digest) -> String {
    format!("sha256-{}.sig", manifest.hex())
}
