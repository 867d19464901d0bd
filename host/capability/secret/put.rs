//! Puts secrets into a request, in place of whatever the guest has put there.
//!
//! What signs comes last, over the headers and the query as they are sent, with the other secrets in them: a header
//! that is put in or changed behind it would not be covered, and the server would refuse the request.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::http::target::{Target, decoded};
use super::{Secret, SecretText, Way};

/// A secret that does not fit into a request. It names the secret and holds nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret `{name}` could not be put into the request: {reason}")]
pub(in crate::capability) struct PutError {
    name: String,
    reason: &'static str,
}

/// Put all of these in. `body`: what was asked for by [`Secret::wants_body`]. `now_ms`: what a signature is dated.
pub(in crate::capability) fn put_all(
    secrets: &[Arc<Secret>],
    method: &str,
    target: &mut Target,
    headers: &mut HeaderMap,
    body: Option<&[u8]>,
    now_ms: u64,
) -> Result<(), PutError> {
    if secrets.is_empty() {
        return Ok(());
    }
    // What is compressed cannot be searched for the secret that a server may send back. It is not signed: the front
    // ends of some services change it on the way.
    headers.remove(ACCEPT_ENCODING);
    let (signing, plain): (Vec<_>, Vec<_>) = secrets.iter().partition(|secret| secret.signs());
    for secret in plain.into_iter().chain(signing) {
        secret.put(method, target, headers, body, now_ms)?;
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(())
}

impl Secret {
    fn signs(&self) -> bool {
        matches!(self.way, Way::SigV4 { .. })
    }

    /// Whether the whole body has to be known: its hash is signed. Of S3 it need not be, over https.
    pub(in crate::capability) fn wants_body(&self, target: &Target) -> bool {
        match &self.way {
            Way::SigV4 { service, .. } => service != "s3" || target.scheme != super::Scheme::Https,
            _ => false,
        }
    }

    fn put(
        &self,
        method: &str,
        target: &mut Target,
        headers: &mut HeaderMap,
        body: Option<&[u8]>,
        now_ms: u64,
    ) -> Result<(), PutError> {
        let failed = |reason| PutError { name: self.name.clone(), reason };
        match &self.way {
            Way::Header { name, before, after } => {
                let text = format!("{before}{}{after}", self.value.exposed());
                headers.insert(name.clone(), sensitive(&text).ok_or_else(|| failed("it is no header's value"))?);
            }
            Way::Basic { user } => {
                let text = format!("Basic {}", STANDARD.encode(format!("{user}:{}", self.value.exposed())));
                headers.insert(AUTHORIZATION, sensitive(&text).ok_or_else(|| failed("it is no header's value"))?);
            }
            Way::Query(name) => {
                let is_other = |pair: &&str| {
                    let key = pair.split('=').next().unwrap_or_default().replace('+', " ");
                    decoded(key.as_bytes()) != name.as_bytes()
                };
                let query = target.query.take().unwrap_or_default();
                let mut pairs: Vec<String> =
                    query.split('&').filter(|pair| !pair.is_empty()).filter(is_other).map(str::to_owned).collect();
                let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                pairs.push(format!("{}={}", encode(name), encode(self.value.exposed())));
                target.query = Some(pairs.join("&"));
            }
            Way::SigV4 { service, region, access_key_id, session_token } => {
                let token = session_token.as_ref().map(|token: &SecretText| token.exposed().to_owned());
                let credentials = Credentials::new(access_key_id, self.value.exposed(), token, None, "pi-host");
                sign_v4(credentials, (service, region), now_ms, method, target, headers, body)
                    .map_err(|()| failed("it could not be signed"))?;
            }
        }
        Ok(())
    }
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The headers that a signature writes.
pub(super) const SIGNED: &[&str] = &["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];

/// Errors have no text: the signer's own may quote the request.
fn sign_v4(
    credentials: Credentials,
    (service, region): (&str, &str),
    now_ms: u64,
    method: &str,
    target: &Target,
    headers: &mut HeaderMap,
    body: Option<&[u8]>,
) -> Result<(), ()> {
    for name in SIGNED {
        headers.remove(*name);
    }
    let mut settings = SigningSettings::default();
    if service == "s3" {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    let identity = credentials.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(UNIX_EPOCH + Duration::from_millis(now_ms))
        .settings(settings)
        .build()
        .map_err(drop)?
        .into();
    let host = target.authority();
    // All of them, but for the few that the signer knows to change on the way.
    let mut signed = vec![(HOST.as_str(), host.as_str())];
    for (name, value) in headers.iter() {
        signed.push((name.as_str(), value.to_str().map_err(drop)?));
    }
    let payload = body.map_or(SignableBody::UnsignedPayload, SignableBody::Bytes);
    let request = SignableRequest::new(method, target.url(), signed.into_iter(), payload).map_err(drop)?;
    let (instructions, _) = sign(request, &params).map_err(drop)?.into_parts();
    let (added, _) = instructions.into_parts();
    for header in added {
        headers.insert(HeaderName::from_static(header.name()), sensitive(header.value()).ok_or(())?);
    }
    Ok(())
}
