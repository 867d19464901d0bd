//! Against a real registry, and with a client that is not ours: what we push others pull, and the reverse.

use std::collections::BTreeMap;

use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::manifest::OciImageManifest;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use pi_host::registry::credentials::Credentials;
use pi_host::registry::digest::Digest;
use pi_host::registry::fetch::{FetchOptions, fetch};
use pi_host::registry::push::{Annotations, Pushed, Surface, push};
use pi_host::registry::source::Source;
use pi_host::registry::tags::{latest, tags};

use super::server::{PASSWORD, Registry, USER};
use super::{calm, fetched};

pub(super) const CREATED: &str = "2026-01-02T03:04:05Z";

fn annotations() -> Annotations {
    Annotations {
        title: Some("tool".into()),
        version: Some("1.0.0".into()),
        description: Some("a tool".into()),
        source: Some("https://example.org/tool".into()),
    }
}

pub(super) async fn pushed(target: &Source, bytes: &[u8], options: &FetchOptions) -> Result<Pushed, String> {
    let surface = Surface { exports: vec!["pi:tool/tool@0.1.0".into()], imports: vec!["wasi:io/poll@0.2.0".into()] };
    push(target, bytes.to_vec(), &surface, &annotations(), CREATED, options, &mut |_| {})
        .await
        .map_err(|error| error.to_string())
}

pub(super) fn client() -> Client {
    Client::new(ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() })
}

pub(super) fn named(registry: &Registry, name: &str) -> Reference {
    format!("{}/{name}", registry.host).parse().unwrap()
}

#[tokio::test]
async fn what_is_pushed_is_fetched_by_its_tag_and_by_its_digest() {
    let registry = Registry::start();
    let target = registry.source("me/tool:1.0.0");
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let there = pushed(&target, &bytes, &calm()).await.unwrap();
    assert_eq!(there.digest, Digest::of(&bytes));
    let mut seen = Vec::new();
    let fetched = fetch(&target, &calm(), &mut |progress| seen.push(progress)).await.unwrap();
    assert!(fetched.bytes == bytes);
    assert_eq!(fetched.digest, there.digest);
    assert_eq!(fetched.manifest_digest, Some(there.manifest_digest.clone()));
    assert_eq!(fetched.resolved, Source::Oci(there.reference));
    assert!(seen.len() > 1 && seen.last().unwrap().bytes == 12_000_000, "{:?}", seen.last());
    let again = fetch(&fetched.resolved, &calm(), &mut |_| {}).await.unwrap();
    assert_eq!(again.digest, fetched.digest);
    let digest = there.manifest_digest;
    assert!(super::fetched(&format!("oci://{}/me/tool@{digest}", registry.host)).await.is_ok());
    // The same input gives the same manifest.
    assert_eq!(pushed(&target, &bytes, &calm()).await.unwrap().manifest_digest, digest);
}

#[tokio::test]
async fn another_client_reads_what_is_pushed_as_the_artifact_of_the_cncf() {
    let registry = Registry::start();
    let there = pushed(&registry.source("me/tool:1.0.0"), b"component", &calm()).await.unwrap();
    let reference = named(&registry, "me/tool:1.0.0");
    let (manifest, digest, config) =
        client().pull_manifest_and_config(&reference, &RegistryAuth::Anonymous).await.unwrap();
    assert_eq!(digest, there.manifest_digest.to_string());
    assert_eq!(manifest.config.media_type, "application/vnd.wasm.config.v0+json");
    assert_eq!(manifest.layers.len(), 1);
    assert_eq!(manifest.layers[0].media_type, "application/wasm");
    let annotations = manifest.annotations.unwrap();
    for (name, value) in [("title", "tool"), ("version", "1.0.0"), ("description", "a tool"), ("created", CREATED)] {
        assert_eq!(annotations[&format!("org.opencontainers.image.{name}")], value);
    }
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(
        config,
        serde_json::json!({ "created": CREATED, "architecture": "wasm", "os": "wasip2",
            "layerDigests": [there.digest.to_string()],
            "component": { "exports": ["pi:tool/tool@0.1.0"], "imports": ["wasi:io/poll@0.2.0"] } })
    );
    let mut bytes = Vec::new();
    client().pull_blob(&reference, &manifest.layers[0], &mut bytes).await.unwrap();
    assert_eq!(bytes, b"component");
}

#[tokio::test]
async fn what_other_clients_push_is_fetched() {
    let registry = Registry::start();
    // As wkg, older tools, and ORAS push it.
    for (tag, layer, config) in [
        ("wkg", "application/wasm", "application/vnd.wasm.config.v0+json"),
        ("old", "application/vnd.wasm.content.layer.v1+wasm", "application/vnd.wasm.config.v1+json"),
        ("wash", "application/vnd.module.wasm.content.layer.v1+wasm", "application/vnd.wasmcloud.actor.archive.config"),
        ("oras", "application/wasm", "application/vnd.oci.empty.v1+json"),
    ] {
        let reference = named(&registry, &format!("others/tool:{tag}"));
        let layers = [ImageLayer::new(b"component".to_vec(), layer.into(), Some(BTreeMap::new()))];
        let config = Config::new(b"{}".to_vec(), config.into(), None);
        let manifest = OciImageManifest::build(&layers, &config, None);
        client().push(&reference, &layers, config, &RegistryAuth::Anonymous, Some(manifest)).await.unwrap();
        let source = format!("oci://{}/others/tool:{tag}", registry.host);
        assert_eq!(fetched(&source).await.unwrap().bytes, b"component", "{tag}");
    }
}

#[tokio::test]
async fn a_container_image_is_refused_for_what_it_is() {
    let registry = Registry::start();
    let layers = [ImageLayer::oci_v1_gzip(vec![0x1f, 0x8b, 8, 0], None)];
    let config = Config::oci_v1(b"{}".to_vec(), None);
    client().push(&named(&registry, "image:1"), &layers, config, &RegistryAuth::Anonymous, None).await.unwrap();
    let said = fetched(&format!("oci://{}/image:1", registry.host)).await.unwrap_err();
    assert!(said.contains("compressed or an archive") && said.contains("container image"), "{said}");
}

#[tokio::test]
async fn a_registry_with_a_password_takes_ours_and_no_other() {
    let registry = Registry::start_with_login();
    let target = registry.source("me/tool:1.0.0");
    let with = |password: &str| {
        let credentials = Credentials::Basic { user: USER.into(), password: password.into() };
        FetchOptions { credentials: Some(credentials), ..calm() }
    };
    let said = pushed(&target, b"component", &calm()).await.unwrap_err();
    assert!(said.contains("docker login"), "{said}");
    let said = pushed(&target, b"component", &with("wrong")).await.unwrap_err();
    assert!(said.contains("refuses the credentials"), "{said}");
    pushed(&target, b"component", &with(PASSWORD)).await.unwrap();
    assert_eq!(fetch(&target, &with(PASSWORD), &mut |_| {}).await.unwrap().bytes, b"component");
    let said = fetch(&target, &calm(), &mut |_| {}).await.unwrap_err().to_string();
    assert!(said.contains("wants to know who asks"), "{said}");
}

#[tokio::test]
async fn what_is_not_there_is_named_in_the_registry_s_own_words() {
    let registry = Registry::start();
    let said = fetched(&format!("oci://{}/no/such:1", registry.host)).await.unwrap_err();
    assert!(said.contains("it is not there") && said.contains("MANIFEST_UNKNOWN"), "{said}");
    let said = pushed(&Source::parse("tool.wasm").unwrap(), b"x", &calm()).await.unwrap_err();
    assert!(said.contains("not a place to push to"), "{said}");
    let pinned = registry.source(&format!("a@{}", Digest::of(b"x")));
    assert!(pushed(&pinned, b"x", &calm()).await.unwrap_err().contains("cannot be pushed to"));
    assert!(pushed(&registry.source("a:1"), b"", &calm()).await.unwrap_err().contains("is empty"));
}

#[tokio::test]
async fn the_newest_version_is_found_among_the_tags() {
    let registry = Registry::start();
    for tag in ["1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "nightly"] {
        pushed(&registry.source(&format!("me/tool:{tag}")), b"component", &calm()).await.unwrap();
    }
    let Source::Oci(reference) = registry.source("me/tool:1.0.0") else { panic!() };
    let all = tags(&reference, &calm()).await.unwrap();
    assert_eq!(all.len(), 5);
    assert_eq!(latest("1.0.0", &all).as_deref(), Some("1.10.0"));
}
