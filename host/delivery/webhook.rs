//! A signed POST to a program of the operator's.
//!
//! The body is `{"event": "report", "key", "sender", "title", "reports": [{"report", "topic", "title", "summary",
//! "created", "findings": [{"severity", "claim"}], "markdown", "files": [{"name", "mime", "base64"}]}]}`, the page among
//! the files. `X-Pi-Timestamp` and `X-Pi-Signature: v1=HEX` are as in approvals; `Idempotency-Key` is the same for every
//! copy of a parcel.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{Parcel, Route, Sheet, setting};
use crate::clock;
use crate::outbound::http::{self, Http};
use crate::outbound::sign::Signer;
use crate::outbound::{ChannelError, Clock, Patience, Secret};

const VERSION: &str = "v1";
const TIMESTAMP: HeaderName = HeaderName::from_static("x-pi-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("x-pi-signature");
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// A shorter secret can be guessed from one signed request.
const SECRET_BYTES_MIN: usize = 16;

/// Posts parcels.
pub struct Webhook {
    http: Http,
    url: Url,
    signer: Signer,
}

impl Webhook {
    /// # Errors
    /// The URL is not encrypted and not of this host, or the secret is too short.
    pub fn new(url: &str, secret: Secret, patience: Patience, clock: Clock) -> Result<Self, ChannelError> {
        let url = http::checked("the webhook's `url`", url)?;
        if secret.expose().len() < SECRET_BYTES_MIN {
            let what = format!("it is shorter than {SECRET_BYTES_MIN} bytes");
            return Err(setting("the webhook's secret", what, "make one with `openssl rand -hex 32`"));
        }
        Ok(Self { http: Http::new(patience)?, url, signer: Signer::new(VERSION, secret, clock) })
    }
}

#[async_trait]
impl Route for Webhook {
    fn target(&self) -> String {
        format!("the webhook at {}", http::origin(&self.url))
    }

    fn wants_bitmaps(&self) -> bool {
        false
    }

    async fn send(&self, parcel: &Parcel) -> Result<String, ChannelError> {
        let body = body(parcel).to_string().into_bytes();
        let target = self.target();
        let answer = self
            .http
            .post(&target, &self.url, || {
                let (timestamp, signature) = self.signer.sign(&body);
                let mut headers = HeaderMap::new();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                for (name, value) in [(TIMESTAMP, timestamp), (SIGNATURE, signature), (KEY, parcel.key.clone())] {
                    if let Ok(value) = HeaderValue::from_str(&value) {
                        headers.insert(name, value);
                    }
                }
                (headers, body.clone())
            })
            .await?;
        let status = answer.status.as_u16();
        if answer.status.is_success() {
            return Ok(format!("taken with status {status}"));
        }
        let hint = match status {
            401 | 403 => "the receiver must know the same secret, and its clock must be right",
            404 | 410 => "correct the webhook's `url`",
            413 => "the receiver must take bodies of some megabytes",
            _ => "the receiver's log says why; it must answer with a status from 200 to 299",
        };
        Err(ChannelError::Refused { target, code: format!("status {status}"), hint: hint.into() })
    }
}

fn body(parcel: &Parcel) -> Value {
    let reports: Vec<Value> = parcel.sheets.iter().map(sheet).collect();
    json!({ "event": "report", "key": parcel.key, "sender": parcel.sender, "title": parcel.title, "reports": reports })
}

fn sheet(sheet: &Sheet) -> Value {
    let mut files: Vec<Value> = Vec::new();
    if !sheet.page.is_empty() {
        files.push(json!({ "name": sheet.page_name(), "mime": "text/html", "base64": BASE64.encode(&sheet.page) }));
    }
    files.extend(sheet.pictures.iter().map(|picture| {
        json!({
            "name": picture.name, "mime": picture.mime, "alternative": picture.alternative,
            "base64": BASE64.encode(&picture.bytes),
        })
    }));
    let findings: Vec<Value> =
        sheet.claims.iter().map(|claim| json!({ "severity": claim.severity, "claim": claim.text })).collect();
    json!({
        "report": sheet.report, "topic": sheet.topic, "title": sheet.title, "summary": sheet.summary,
        "created": clock::rfc3339(sheet.created_ms), "findings": findings, "markdown": sheet.markdown, "files": files,
    })
}
