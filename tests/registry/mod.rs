//! Components from files, the web and registries: a real registry, and servers that do everything wrong.

mod faulty;
mod misbehaviour;
mod real;
pub(crate) mod server;
mod signatures;

use std::path::PathBuf;
use std::time::Duration;

use pi_host::registry::fetch::{self, FetchOptions, Fetched, Patience};
use pi_host::registry::signature::{Subject, Trust, verify};
use pi_host::registry::source::Source;

/// What other tools made: see the folder's README.
fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/registry/vectors")
}

fn vector(name: &str) -> Vec<u8> {
    std::fs::read(vectors().join(name)).unwrap()
}

/// As patient as a test can be: pauses that nobody notices, and no waiting for what is silent.
fn options() -> FetchOptions {
    let patience = Patience {
        stall: Duration::from_millis(300),
        total: Duration::from_secs(60),
        pause: Duration::from_millis(1),
        pause_max: Duration::from_secs(5),
        ..Patience::default()
    };
    FetchOptions { patience, ..FetchOptions::default() }
}

/// The same, for what is only slow.
fn calm() -> FetchOptions {
    let mut options = options();
    options.patience.stall = Duration::from_secs(30);
    options
}

async fn fetched(source: &str) -> Result<Fetched, String> {
    fetched_with(source, &calm()).await
}

async fn fetched_with(source: &str, options: &FetchOptions) -> Result<Fetched, String> {
    let source = Source::parse(source).map_err(|error| error.to_string())?;
    fetch::fetch(&source, options, &mut |_| {}).await.map_err(|error| error.to_string())
}

#[test]
fn work_can_be_handed_to_another_thread() {
    fn is_send(_: impl Send) {}
    let (source, options) = (Source::parse("https://example.org/x").unwrap(), options());
    is_send(fetch::fetch(&source, &options, &mut |_| {}));
    let subject = Subject { source: &source, bytes: &[], manifest_digest: None };
    is_send(verify(&subject, &Trust::default(), &options));
}
