//! Signatures that other tools made are verified, and others verify ours.

use std::process::Command;

use oci_client::secrets::RegistryAuth;
use pi_host::registry::digest::Digest;
use pi_host::registry::fetch::fetch;
use pi_host::registry::signature::{
    Doubt, PublicKey, Scheme, SecretKey, Subject, Trust, Verification, sign, sign_bytes, verify,
};
use pi_host::registry::source::Source;
use serde_json::{Value, json};

use super::faulty::{Faulty, Reply};
use super::real::{client, named, pushed};
use super::server::Registry;
use super::{calm, vector, vectors};

/// The name that the vectors are signed for.
const NAME: &str = "ghcr.io/example/tool";

fn public(name: &str) -> PublicKey {
    PublicKey::read(&vectors().join(format!("{name}.pub"))).unwrap()
}

fn secret(name: &str) -> SecretKey {
    SecretKey::parse(std::str::from_utf8(&vector(&format!("{name}.key"))).unwrap()).unwrap()
}

fn trust(key: &str) -> Trust {
    Trust { keys: vec![public(key)], signed_as: Some(NAME.into()) }
}

async fn verified(source: &Source, bytes: &[u8], trust: &Trust) -> Result<Verification, String> {
    let subject = Subject { source, bytes, manifest_digest: None };
    verify(&subject, trust, &calm()).await.map_err(|error| error.to_string())
}

fn is_signed(verification: &Verification, key: &str, by: Scheme) -> bool {
    matches!(verification, Verification::Signed { key: found, scheme, .. } if found == public(key).fingerprint() && *scheme == by)
}

fn doubts(verification: Verification) -> Vec<Doubt> {
    match verification {
        Verification::Wrong { doubts } => doubts,
        other => panic!("{other:?}"),
    }
}

/// A registry with the component of the vectors, put there byte by byte.
async fn with_component() -> (Registry, Source) {
    let registry = Registry::start();
    put(&registry, "tool:1.0.0", &vector("manifest.json"), &[vector("config.json"), vector("component.wasm")]).await;
    let source = registry.source("tool:1.0.0");
    (registry, source)
}

async fn put(registry: &Registry, name: &str, manifest: &[u8], blobs: &[Vec<u8>]) {
    let (client, reference) = (client(), named(registry, name));
    client.store_auth_if_needed(&registry.host, &RegistryAuth::Anonymous).await;
    for blob in blobs {
        client.push_blob(&reference, blob.clone(), &Digest::of(blob).to_string()).await.unwrap();
    }
    let manifest_value: Value = serde_json::from_slice(manifest).unwrap();
    let kind = manifest_value["mediaType"].as_str().unwrap().parse().unwrap();
    client.push_manifest_raw(&reference, manifest.to_vec(), kind).await.unwrap();
}

fn described(kind: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": kind, "digest": Digest::of(bytes).to_string(), "size": bytes.len() })
}

/// What cosign puts under the tag of a signature.
async fn put_cosign(registry: &Registry, payload: &[u8], signature: &str) {
    let mut layer = described("application/vnd.dev.cosign.simplesigning.v1+json", payload);
    layer["annotations"] = json!({ "dev.cosignproject.cosign/signature": signature });
    let manifest = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described("application/vnd.oci.image.config.v1+json", b"{}"), "layers": [layer] });
    let tag = format!("tool:sha256-{}.sig", Digest::of(&vector("manifest.json")).hex());
    put(registry, &tag, manifest.to_string().as_bytes(), &[b"{}".to_vec(), payload.to_vec()]).await;
}

fn bundle_manifest(bundle: &[u8]) -> Vec<u8> {
    let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
    json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": kind,
        "config": described("application/vnd.oci.empty.v1+json", b"{}"), "layers": [described(kind, bundle)],
        "subject": described("application/vnd.oci.image.manifest.v1+json", &vector("manifest.json")) })
    .to_string()
    .into_bytes()
}

/// What cosign puts where a registry has no list of referrers: an index under the digest's tag.
async fn put_bundles(registry: &Registry, names: &[&str]) {
    let mut entries = Vec::new();
    for name in names {
        let bundle = vector(name);
        let manifest = bundle_manifest(&bundle);
        let digest = Digest::of(&manifest);
        put(registry, &format!("tool@{digest}"), &manifest, &[b"{}".to_vec(), bundle]).await;
        let mut entry = described("application/vnd.oci.image.manifest.v1+json", &manifest);
        entry["artifactType"] = "application/vnd.dev.sigstore.bundle.v0.3+json".into();
        entries.push(entry);
    }
    let index =
        json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries });
    let tag = format!("tool:sha256-{}", Digest::of(&vector("manifest.json")).hex());
    put(registry, &tag, index.to_string().as_bytes(), &[]).await;
}

#[test]
fn fingerprints_are_the_ones_of_openssl() {
    for name in ["p256", "ed25519"] {
        assert_eq!(public(name).fingerprint().to_string().into_bytes(), vector(&format!("{name}.fingerprint")));
        assert_eq!(public(name).pem().into_bytes(), vector(&format!("{name}.pub")));
        assert_eq!(secret(name).public().unwrap(), public(name));
    }
    let p384 = PublicKey::read(&vectors().join("p384.pub")).unwrap_err().to_string();
    assert!(p384.contains("not supported"), "{p384}");
}

#[test]
fn openssl_verifies_what_is_signed_here() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("message"), "message").unwrap();
    for name in ["p256", "ed25519"] {
        std::fs::write(at("signature"), secret(name).sign(b"message").unwrap()).unwrap();
        let key = vectors().join(format!("{name}.pub")).display().to_string();
        let output = Command::new("openssl")
            .args(["pkeyutl", "-verify", "-pubin", "-inkey", &key, "-rawin", "-in", &at("message")])
            .args(["-sigfile", &at("signature")])
            .args(if name == "p256" { &["-digest", "sha256"][..] } else { &[] })
            .output()
            .expect("this test needs `openssl`: install Debian's package `openssl`");
        assert!(output.status.success(), "{name}: {output:?}");
    }
}

#[tokio::test]
async fn a_signature_beside_a_file_is_the_one_that_cosign_and_openssl_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tool.wasm");
    let (source, bytes) = (Source::File(path.clone()), vector("component.wasm"));
    let beside = |ending: &str| folder.path().join(format!("tool.wasm{ending}"));
    assert_eq!(verified(&source, &bytes, &trust("p256")).await, Ok(Verification::Unsigned));
    std::fs::write(beside(".sig"), vector("p256.sig")).unwrap();
    assert!(is_signed(&verified(&source, &bytes, &trust("p256")).await.unwrap(), "p256", Scheme::Detached));
    assert_eq!(doubts(verified(&source, &bytes, &trust("other")).await.unwrap()), [Doubt::OtherKey]);
    assert_eq!(doubts(verified(&source, b"changed", &trust("p256")).await.unwrap()), [Doubt::OtherKey]);
    std::fs::write(beside(".sig"), vector("ed25519.sig.raw")).unwrap();
    assert!(is_signed(&verified(&source, &bytes, &trust("ed25519")).await.unwrap(), "ed25519", Scheme::Detached));
    std::fs::remove_file(beside(".sig")).unwrap();
    std::fs::write(beside(".sigstore.json"), vector("bundle-blob.json")).unwrap();
    assert!(is_signed(&verified(&source, &bytes, &trust("p256")).await.unwrap(), "p256", Scheme::Bundle));
    let none = Trust::default();
    assert_eq!(verified(&source, &bytes, &none).await, Ok(Verification::NoKey));
}

#[tokio::test]
async fn a_signature_beside_a_url_is_found_missing_or_an_error() {
    let bytes = vector("component.wasm");
    let text = sign_bytes(&bytes, &secret("ed25519")).unwrap();
    let server = Faulty::start(move |head, _| match head {
        head if head.contains("/signed.wasm.sig ") => Reply::ok(text.clone()),
        head if head.contains("/broken") => Reply::new(500, ""),
        head if head.contains("/s3") => Reply::new(403, ""),
        _ => Reply::new(404, ""),
    })
    .await;
    let source = |name: &str| Source::parse(&format!("http://{}/{name}.wasm", server.host)).unwrap();
    let signed = verified(&source("signed"), &bytes, &trust("ed25519")).await.unwrap();
    assert!(is_signed(&signed, "ed25519", Scheme::Detached));
    assert_eq!(verified(&source("none"), &bytes, &trust("ed25519")).await, Ok(Verification::Unsigned));
    assert_eq!(verified(&source("s3"), &bytes, &trust("ed25519")).await, Ok(Verification::Unsigned));
    // Who cannot say whether there is a signature is not believed to have none.
    assert!(verified(&source("broken"), &bytes, &trust("ed25519")).await.unwrap_err().contains("HTTP status 500"));
}

#[tokio::test]
async fn a_signature_of_cosign_in_a_registry_is_verified() {
    let (registry, source) = with_component().await;
    let bytes = vector("component.wasm");
    assert_eq!(verified(&source, &bytes, &trust("p256")).await, Ok(Verification::Unsigned));
    let signature = String::from_utf8(vector("payload.sig")).unwrap();
    put_cosign(&registry, &vector("payload.json"), &signature).await;
    assert!(is_signed(&verified(&source, &bytes, &trust("p256")).await.unwrap(), "p256", Scheme::Cosign));
    assert_eq!(doubts(verified(&source, &bytes, &trust("other")).await.unwrap()), [Doubt::OtherKey]);
    // It was signed for another name than the one that this registry has it under.
    let strict = Trust { signed_as: None, ..trust("p256") };
    assert_eq!(doubts(verified(&source, &bytes, &strict).await.unwrap()), [Doubt::OtherName(NAME.into())]);
    let said = verified(&source, b"other bytes", &trust("p256")).await.unwrap_err();
    assert!(said.contains("the component is not what its digest says"), "{said}");
}

#[tokio::test]
async fn a_bundle_of_cosign_in_a_registry_is_verified_and_an_attestation_is_none() {
    let (registry, source) = with_component().await;
    let bytes = vector("component.wasm");
    put_bundles(&registry, &["bundle-attestation.json"]).await;
    let verification = verified(&source, &bytes, &trust("p256")).await.unwrap();
    assert_eq!(doubts(verification), [Doubt::Attestation("https://slsa.dev/provenance/v1".into())]);
    for name in ["bundle-signed.json", "bundle-message.json"] {
        put_bundles(&registry, &["bundle-attestation.json", name]).await;
        assert!(is_signed(&verified(&source, &bytes, &trust("p256")).await.unwrap(), "p256", Scheme::Bundle), "{name}");
        assert_eq!(
            doubts(verified(&source, &bytes, &trust("other")).await.unwrap()),
            [Doubt::OtherKey, Doubt::OtherKey]
        );
    }
}

#[tokio::test]
async fn a_bundle_is_found_by_the_registry_s_list_of_referrers() {
    let bundle = vector("bundle-signed.json");
    let referring = bundle_manifest(&bundle);
    let index = json!({ "schemaVersion": 2, "manifests": [described("application/vnd.oci.image.manifest.v1+json", &referring)] });
    let (index, blob) = (index.to_string(), Digest::of(&bundle).to_string());
    let wanted = Digest::of(&referring).to_string();
    let server = Faulty::start(move |head, _| match head {
        head if head.contains("/referrers/sha256:") => Reply::ok(index.clone()),
        head if head.contains(&wanted) => Reply::ok(referring.clone()),
        head if head.contains(&blob) => Reply::ok(bundle.clone()),
        head if head.contains("/manifests/sha256-") => Reply::new(404, ""),
        _ => Reply::ok(vector("manifest.json")),
    })
    .await;
    let source = Source::parse(&format!("oci://{}/tool:1.0.0", server.host)).unwrap();
    let verification = verified(&source, &vector("component.wasm"), &trust("p256")).await.unwrap();
    assert!(is_signed(&verification, "p256", Scheme::Bundle), "{verification:?}");
}

#[tokio::test]
async fn what_is_signed_here_is_verified_here_and_laid_out_as_cosign_lays_it_out() {
    let registry = Registry::start();
    let target = registry.source("me/tool:1.0.0");
    let there = pushed(&target, b"component", &calm()).await.unwrap();
    let fetched = fetch(&target, &calm(), &mut |_| {}).await.unwrap();
    let own = |key: &str| Trust { keys: vec![public(key)], signed_as: None };
    for key in ["ed25519", "p256", "ed25519"] {
        sign(&there.reference, &secret(key), &calm()).await.unwrap();
        let verification = verify(&Subject::from(&fetched), &own(key), &calm()).await.unwrap();
        assert!(is_signed(&verification, key, Scheme::Cosign), "{verification:?}");
    }
    let tag = format!("me/tool:sha256-{}.sig", there.manifest_digest.hex());
    let (manifest, _) = client().pull_image_manifest(&named(&registry, &tag), &RegistryAuth::Anonymous).await.unwrap();
    assert_eq!(manifest.layers.len(), 2, "a key signs once");
    let layer = &manifest.layers[0];
    assert_eq!(layer.media_type, "application/vnd.dev.cosign.simplesigning.v1+json");
    assert!(layer.annotations.as_ref().unwrap().contains_key("dev.cosignproject.cosign/signature"));
    let mut payload = Vec::new();
    client().pull_blob(&named(&registry, &tag), layer, &mut payload).await.unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["critical"]["image"]["docker-manifest-digest"], there.manifest_digest.to_string());
    assert_eq!(payload["critical"]["identity"]["docker-reference"], format!("{}/me/tool", registry.host));
    let Source::Oci(unpinned) = target else { panic!() };
    assert!(sign(&unpinned, &secret("p256"), &calm()).await.unwrap_err().to_string().contains("by its digest"));
}

/// A registry whose component has these signatures.
async fn signed_by(layers: Vec<Value>) -> Faulty {
    let signatures = json!({ "schemaVersion": 2, "layers": layers }).to_string();
    Faulty::start(move |head, _| match head {
        head if head.contains(".sig ") => Reply::ok(signatures.clone()),
        head if head.contains("/manifests/1.0.0") => Reply::ok(vector("manifest.json")),
        head if head.contains("/blobs/") => Reply::ok(vector("payload.json")),
        _ => Reply::new(404, ""),
    })
    .await
}

#[tokio::test]
async fn of_many_signatures_the_first_are_looked_at_and_a_huge_one_is_refused() {
    let layer = |size: usize| {
        json!({ "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "size": size,
            "digest": Digest::of(&vector("payload.json")).to_string(),
            "annotations": { "dev.cosignproject.cosign/signature": "AAAA" } })
    };
    let server = signed_by(vec![layer(vector("payload.json").len()); 1000]).await;
    let source = |server: &Faulty| Source::parse(&format!("oci://{}/tool:1.0.0", server.host)).unwrap();
    let bytes = vector("component.wasm");
    let verification = verified(&source(&server), &bytes, &trust("p256")).await.unwrap();
    assert_eq!(doubts(verification), vec![Doubt::OtherKey; 8]);
    assert_eq!(server.asked().iter().filter(|head| head.contains("/blobs/")).count(), 32);
    let server = signed_by(vec![layer((64 << 10) + 1)]).await;
    let said = verified(&source(&server), &bytes, &trust("p256")).await.unwrap_err();
    assert!(said.contains("larger than the 64 KiB"), "{said}");
    assert!(server.asked().iter().all(|head| !head.contains("/blobs/")));
}

#[tokio::test]
async fn a_registry_too_busy_to_list_its_signatures_is_not_taken_to_have_none() {
    let server = Faulty::start(|head, _| match head {
        head if head.contains("/referrers/") => Reply::new(429, ""),
        head if head.contains("/manifests/1.0.0") => Reply::ok(vector("manifest.json")),
        _ => Reply::new(404, ""),
    })
    .await;
    let source = Source::parse(&format!("oci://{}/tool:1.0.0", server.host)).unwrap();
    let said = verified(&source, &vector("component.wasm"), &trust("p256")).await.unwrap_err();
    assert!(said.contains("HTTP status 429"), "{said}");
}
