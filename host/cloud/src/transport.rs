//! The way to the network: one HTTP client for all services, which bounds what it reads.
//!
//! rustls with aws-lc-rs, as everything else of the host. Answers come from whatever stands at the endpoint, so their
//! size is bounded here, while they are read, and not after they are in memory.

use std::path::Path;

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::error::Error;

/// What one answer may have: more than any page that AWS sends.
pub(crate) const BYTES_MAX: usize = 32 << 20;

/// A client that trusts the system's authorities, or those of a file alone.
pub(crate) async fn client(ca_file: Option<&Path>) -> Result<SharedHttpClient, Error> {
    let mut context = TlsContext::builder();
    if let Some(file) = ca_file {
        context = context.with_trust_store(TrustStore::empty().with_pem_certificate(authorities(file).await?));
    }
    let context = context.build().map_err(|error| Error::Settings {
        problem: format!("TLS cannot be set up: {error}"),
        hint: "check `ca_file` of the account".into(),
    })?;
    let inner = Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(context).build_https();
    Ok(SharedHttpClient::new(Bounded { inner }))
}

/// The certificates of a file, each of which can be used: the HTTP client would panic over one that cannot.
async fn authorities(file: &Path) -> Result<Vec<u8>, Error> {
    let wrong = |problem: String| Error::Settings {
        problem: format!("`ca_file` {}: {problem}", file.display()),
        hint: "it holds certificates in PEM, `-----BEGIN CERTIFICATE-----`".into(),
    };
    let bytes = tokio::fs::read(file).await.map_err(|error| wrong(error.to_string()))?;
    let mut store = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|error| wrong(format!("not a certificate: {error:?}")))?;
        store.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    match store.is_empty() {
        true => Err(wrong("has no certificate".into())),
        false => Ok(bytes),
    }
}

#[derive(Debug)]
struct Bounded {
    inner: SharedHttpClient,
}

impl HttpClient for Bounded {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(BoundedConnector { inner: self.inner.http_connector(settings, components) })
    }
}

#[derive(Debug)]
struct BoundedConnector {
    inner: SharedHttpConnector,
}

impl HttpConnector for BoundedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            Ok(answer.await?.map(|body: SdkBody| SdkBody::from_body_1_x(Limited::new(body, BYTES_MAX))))
        })
    }
}
