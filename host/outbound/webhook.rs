//! A POST to a program of the operator's, signed with a secret that both sides know: `X-Pi-Timestamp` (seconds) and
//! `X-Pi-Signature: v1=HEX`, the HMAC-SHA256 of `v1:TIMESTAMP:BODY`.

use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url};
use serde_json::Value;

use super::http::{self, Http};
use super::sign::Signer;
use super::{ChannelError, Clock, Patience, Secret};

pub(crate) const TIMESTAMP: &str = "x-pi-timestamp";
pub(crate) const SIGNATURE: &str = "x-pi-signature";
/// The same for every copy of what is posted.
const KEY: &str = "idempotency-key";
const VERSION: &str = "v1";
/// A shorter secret can be guessed from one signed request.
const SECRET_BYTES_MIN: usize = 16;

/// Where it is posted to.
pub(crate) struct SignedPost {
    http: Http,
    url: Url,
    pub(crate) signer: Arc<Signer>,
}

impl SignedPost {
    /// # Errors
    /// The URL is not encrypted and not of this host, or the secret is too short.
    pub(crate) fn new(url: &str, secret: Secret, patience: Patience, clock: Clock) -> Result<Self, ChannelError> {
        let url = http::checked("the webhook's `url`", url)?;
        if secret.expose().len() < SECRET_BYTES_MIN {
            return Err(ChannelError::Config {
                place: "the webhook's secret".into(),
                what: format!("it is shorter than {SECRET_BYTES_MIN} bytes"),
                hint: "make one with `openssl rand -hex 32`".into(),
            });
        }
        Ok(Self { http: Http::new(patience)?, url, signer: Arc::new(Signer::new(VERSION, secret, clock)) })
    }

    pub(crate) fn target(&self) -> String {
        format!("the webhook at {}", http::origin(&self.url))
    }

    /// Post it; `key` is that of its copies, where there may be some.
    pub(crate) async fn post(&self, event: &Value, key: Option<&str>) -> Result<StatusCode, ChannelError> {
        let target = self.target();
        let body = event.to_string().into_bytes();
        let answer = self
            .http
            .post(&target, &self.url, || {
                let (timestamp, signature) = self.signer.sign(&body);
                let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
                let signed = [(TIMESTAMP, timestamp), (SIGNATURE, signature)];
                for (name, value) in signed.into_iter().chain(key.map(|key| (KEY, key.to_owned()))) {
                    if let Ok(value) = HeaderValue::from_str(&value) {
                        headers.insert(HeaderName::from_static(name), value);
                    }
                }
                (headers, body.clone())
            })
            .await?;
        if answer.status.is_success() {
            return Ok(answer.status);
        }
        let code = format!("status {}", answer.status.as_u16());
        let hint = match answer.status.as_u16() {
            401 | 403 => "the receiver must know the same secret, and its clock must be right",
            404 | 410 => "correct the webhook's `url`",
            405 => "the receiver must take `POST` at this URL",
            413 => "the receiver must take bodies of some megabytes",
            _ => "the receiver's log says why; it must answer with a status from 200 to 299",
        };
        Err(ChannelError::Refused { target, code, hint: hint.into() })
    }
}
