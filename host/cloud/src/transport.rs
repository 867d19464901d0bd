//! The way to the network: one HTTP client for all services, which bounds what it reads.
//!
//! rustls with aws-lc-rs, as everything else of the host. Answers come from whatever stands at the endpoint, so their
//! size is bounded here, while they are read, and not after they are in memory. And they are whole, or they are an error.

use std::path::Path;

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use xmlparser::{ElementEnd, Token, Tokenizer};

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
            let mut answer = answer.await?;
            let body = std::mem::replace(answer.body_mut(), SdkBody::empty());
            let body = Limited::new(body, BYTES_MAX).collect().await;
            let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
                Some(_) => ConnectorError::other(error, None),
                None => ConnectorError::io(error),
            })?;
            let body = body.to_bytes();
            if answer.status().is_success() {
                whole(&body).map_err(|broken| ConnectorError::other(broken.into(), None))?;
            }
            *answer.body_mut() = SdkBody::from(body);
            Ok(answer)
        })
    }
}

/// An answer that ends before it is whole. The SDKs take what there is of one for all of it: no instances, no alarms,
/// which would read as health.
#[derive(Debug, thiserror::Error)]
#[error("the answer is broken: {0}")]
pub(crate) struct Broken(String);

fn whole(body: &[u8]) -> Result<(), Broken> {
    let broken = |why: &str| Broken(why.to_owned());
    let body = body.trim_ascii();
    if body.is_empty() {
        return Err(broken("it is empty"));
    }
    if !body.starts_with(b"<") {
        return Ok(());
    }
    let text = std::str::from_utf8(body).map_err(|_| broken("it is not UTF-8"))?;
    let mut depth = 0_usize;
    for token in Tokenizer::from(text) {
        match token.map_err(|error| Broken(error.to_string()))? {
            Token::ElementStart { .. } => depth += 1,
            Token::ElementEnd { end: ElementEnd::Close(..) | ElementEnd::Empty, .. } => {
                depth = depth.checked_sub(1).ok_or_else(|| broken("an element ends that did not begin"))?;
            }
            _ => {}
        }
    }
    match depth {
        0 => Ok(()),
        _ => Err(broken("it ends inside of an element")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_answers_are_whole() {
        for text in ["{}", "{\"a\"", "<a/>", "<?xml version=\"1.0\"?>\n<a><b>x</b><c/></a>\n", "token"] {
            assert!(whole(text.as_bytes()).is_ok(), "{text}");
        }
        for text in ["", "  \n", "<a>", "<a><b></b>", "<a></a></a>", "<a", "<a>&"] {
            assert!(whole(text.as_bytes()).is_err(), "{text}");
        }
    }
}
