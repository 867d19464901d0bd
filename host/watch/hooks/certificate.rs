//! The certificates that SNS signs with: fetched from its own host over a connection that proves to be it, looked at,
//! and kept for a day.
//!
//! SNS gives its certificate without those above it. So what is checked of it is its name, its time and its use, and
//! that it came from SNS's host: that host's own chain is verified by the system's authorities. Where the operator names
//! an authority (an emulator), the certificate itself has to be signed by that one too.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Certificate, Client, Url};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::Refused;
use super::rate::Bucket;
use crate::gate::explain::escaped;

/// What is read of an answer. Danger: one without end.
const ANSWER_BYTES_MAX: usize = 64 << 10;
const ANSWER_MS_MAX: u64 = 10_000;
/// Certificates that are kept. Danger: a stranger who knows a topic names one after the other.
const KEPT_MAX: usize = 16;
const KEPT_MS: u64 = 24 * 3_600_000;
/// What could not be fetched is not fetched again for so long.
const FAILED_MS: u64 = 30_000;
/// Fetches in a second, and ten times as many at once. Danger: a stranger who lets us knock at SNS for them.
const FETCHES_PER_SECOND: u64 = 1;
/// Certificates in one file.
const CHAIN_MAX: usize = 8;

/// Fetches and keeps certificates.
pub(super) struct Certificates {
    client: Client,
    /// In place of the system's authorities.
    roots: Option<RootCertStore>,
    kept: Mutex<Kept>,
    /// One fetch at a time: what waits finds the answer of the one before it.
    fetching: tokio::sync::Mutex<()>,
}

struct Kept {
    /// The public key of a certificate, or why there is none; and until when that holds.
    keys: BTreeMap<String, (Result<Vec<u8>, String>, u64)>,
    fetches: Bucket,
}

impl Certificates {
    /// With the authorities of a file, where one is named.
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate; in words.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        let builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .https_only(true)
            .timeout(Duration::from_millis(ANSWER_MS_MAX))
            .user_agent(concat!("pi-host/", env!("CARGO_PKG_VERSION")));
        let (builder, roots) = match ca_file {
            None => (builder, None),
            Some(path) => {
                let (roots, certificates) = authorities(path)?;
                (builder.tls_certs_only(certificates), Some(roots))
            }
        };
        let client = builder.build().map_err(|error| format!("there is no HTTP client: {error}"))?;
        let kept = Kept { keys: BTreeMap::new(), fetches: Bucket::new(FETCHES_PER_SECOND, 0) };
        Ok(Self { client, roots, kept: Mutex::new(kept), fetching: tokio::sync::Mutex::default() })
    }

    /// The public key of the certificate at an address that was looked at, if it is for one of these names.
    pub(super) async fn key_of(&self, url: &Url, names: &[String], now_ms: u64) -> Result<Vec<u8>, Refused> {
        if let Some(found) = self.kept(url, now_ms) {
            return found;
        }
        let _one = self.fetching.lock().await;
        if let Some(found) = self.kept(url, now_ms) {
            return found;
        }
        if !self.state().fetches.take(now_ms) {
            return Err(Refused::new(429, "certificate", "too many certificates are asked for; send it again"));
        }
        let fetched = match self.get(url).await {
            Ok(pem) => self.key_in(&pem, names, now_ms),
            Err(why) => Err(why),
        };
        let until_ms = now_ms.saturating_add(if fetched.is_ok() { KEPT_MS } else { FAILED_MS });
        {
            let mut state = self.state();
            state.keys.retain(|_, (_, until)| *until > now_ms);
            if state.keys.len() >= KEPT_MAX {
                // The one that holds shortest makes room: failures first.
                let first = state.keys.iter().min_by_key(|(_, (_, until))| *until).map(|(url, _)| url.clone());
                first.map(|url| state.keys.remove(&url));
            }
            state.keys.insert(url.to_string(), (fetched.clone(), until_ms));
        }
        fetched.map_err(|why| refused(&why))
    }

    /// Ask for an address that was looked at, and want an answer that says yes.
    pub(super) async fn visit(&self, url: &Url) -> Result<(), String> {
        self.get(url).await.map(|_| ())
    }

    fn kept(&self, url: &Url, now_ms: u64) -> Option<Result<Vec<u8>, Refused>> {
        let state = self.state();
        let (found, _) = state.keys.get(url.as_str()).filter(|(_, until)| *until > now_ms)?;
        Some(found.clone().map_err(|why| refused(&why)))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn get(&self, url: &Url) -> Result<Vec<u8>, String> {
        let host = url.host_str().unwrap_or_default();
        let failed = |error: reqwest::Error| format!("`{host}` could not be asked: {}", in_words(&error));
        let mut response = self.client.get(url.clone()).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(format!("`{host}` answered with status {}", response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(format!("`{host}` answered with more than {ANSWER_BYTES_MAX} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn key_in(&self, pem: &[u8], names: &[String], now_ms: u64) -> Result<Vec<u8>, String> {
        let chain = CertificateDer::pem_slice_iter(pem).take(CHAIN_MAX).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|_| "what SNS signs with is no certificate in PEM")?;
        let Some((leaf, above)) = chain.split_first() else {
            return Err("what SNS signs with is no certificate in PEM".into());
        };
        let leaf = ParsedCertificate::try_from(leaf).map_err(|_| "the certificate cannot be read")?;
        let is_for = |name: &String| {
            let name = ServerName::try_from(name.as_str()).ok();
            name.is_some_and(|name| verify_server_name(&leaf, &name).is_ok())
        };
        if !names.iter().any(is_for) {
            return Err(format!("the certificate is not for `{}`", names.join("` or `")));
        }
        let empty = RootCertStore::empty();
        let roots = self.roots.as_ref().unwrap_or(&empty);
        let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all;
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now_ms));
        match verify_server_cert_signed_by_trust_anchor(&leaf, roots, above, now, algorithms) {
            Ok(()) => {}
            // Time and use were looked at before its issuer is: without authorities of the operator's that is all.
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) if self.roots.is_none() => {}
            Err(error) => return Err(format!("the certificate is not believed: {}", escaped(&error.to_string()))),
        }
        Ok(leaf.subject_public_key_info().as_ref().to_vec())
    }
}

fn refused(why: &str) -> Refused {
    Refused::new(403, "certificate", format!("the certificate of the signature is not taken: {why}"))
}

fn authorities(path: &Path) -> Result<(RootCertStore, Vec<Certificate>), String> {
    let shown = escaped(&path.display().to_string());
    let failed = |why: String| format!("`{shown}`: {why}");
    let text =
        std::fs::metadata(path)
            .and_then(|metadata| {
                if metadata.is_file() { std::fs::read(path) } else { Err(std::io::Error::other("it is no file")) }
            })
            .map_err(|error| failed(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|_| failed("it is no PEM".into()))?;
        let found = Certificate::from_der(&certificate).map_err(|_| failed("a certificate cannot be read".into()))?;
        certificates.push(found);
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("there is no certificate in it".into()));
    }
    Ok((roots, certificates))
}

/// The cause at the bottom; the layers above it repeat the URL.
fn in_words(error: &reqwest::Error) -> String {
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| "the request failed".into(), |cause| escaped(&cause.to_string()).chars().take(200).collect())
}
