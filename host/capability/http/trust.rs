//! Whose certificates are believed: the system's authorities, or for one host those of a file of the operator's.
//!
//! A file of its own stands in place of the system's authorities, not beside them: who says that a host is certified
//! by an authority of its own wants no other one to speak for it. What a server proves is never taken on trust: there
//! is no setting that leaves a certificate unverified.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;

use super::target::Target;
use crate::gate::explain::escaped;

/// The largest file of authorities: all of the web's are a quarter of it. Danger: a device or a disk image in its place.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 20;

/// By the authorities of the system, read once. The provider is chosen: with two in a process there is no default.
pub(super) fn of_system() -> Result<Arc<ClientConfig>, String> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let make = || {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_platform_verifier())
            .map_err(|error| error.to_string())?;
        Ok(finished(builder.with_no_client_auth()))
    };
    CONFIG.get_or_init(make).clone()
}

/// By the authorities of a file alone; or what is wrong with it.
pub(super) fn of_file(path: &Path) -> Result<Arc<ClientConfig>, String> {
    let text = read(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| format!("it is no PEM: {}", escaped(&error.to_string())))?;
        let added = roots.add(certificate);
        added.map_err(|error| format!("it holds a certificate that cannot be read: {error}"))?;
    }
    if roots.is_empty() {
        let is_key = String::from_utf8_lossy(&text).contains("PRIVATE KEY-----");
        let what = if is_key { ", but a private key, which belongs to the server alone" } else { "" };
        return Err(format!("there is no certificate in it{what}: it begins with `-----BEGIN CERTIFICATE-----`"));
    }
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(finished(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn finished(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("it cannot be read: {error}");
    // A pipe in its place would never end: looked at before it is opened, and again as what was opened.
    let is_fit = |metadata: &std::fs::Metadata| metadata.is_file() && metadata.len() <= FILE_BYTES_MAX;
    let odd = || format!("it is no file of at most {FILE_BYTES_MAX} bytes");
    if !is_fit(&std::fs::metadata(path).map_err(failed)?) {
        return Err(odd());
    }
    let mut file = File::open(path).map_err(failed)?;
    if !is_fit(&file.metadata().map_err(failed)?) {
        return Err(odd());
    }
    let mut text = Vec::new();
    file.by_ref().take(FILE_BYTES_MAX).read_to_end(&mut text).map_err(failed)?;
    Ok(text)
}

/// Why a certificate was not believed, and what to do, in words: the code alone would leave the author without a way on.
pub(super) fn distrusted(target: &Target, error: &CertificateError) -> String {
    let hint = match error {
        CertificateError::UnknownIssuer => {
            "if an authority of your own has made the certificate, name that one's file in the host's entry: `ca_file = \"path.pem\"` in `hosts` of the grant of http in pi.toml"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server needs a new certificate; if it has one, set the clock of this machine"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "set the clock of this machine, or that of the authority"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "request a name that the certificate is for, or have one made for this name (as a subject alternative name)"
        }
        _ => "the server needs another certificate",
    };
    // It may quote names of the certificate, which is the peer's.
    let cause: String = escaped(&error.to_string()).chars().take(300).collect();
    format!("`{}` did not prove to be it, and nothing was sent to it: {cause}\nhint: {hint}", target.authority())
}
