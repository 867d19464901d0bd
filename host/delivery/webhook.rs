//! A signed POST to a program of the operator's.
//!
//! The body is `{"event": "report", "key", "sender", "title", "reports": [{"report", "topic", "title", "summary",
//! "created", "findings": [{"severity", "claim"}], "markdown", "files": [{"name", "mime", "base64"}]}]}`, the page among
//! the files. `X-Pi-Timestamp` and `X-Pi-Signature: v1=HEX` are as in approvals; `Idempotency-Key` is the same for every
//! copy of a parcel.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::{Parcel, Route, Sheet};
use crate::clock;
use crate::outbound::webhook::SignedPost;
use crate::outbound::{ChannelError, Clock, Patience, Secret};

/// Posts parcels.
pub struct Webhook {
    post: SignedPost,
}

impl Webhook {
    /// # Errors
    /// The URL is not encrypted and not of this host, or the secret is too short.
    pub fn new(url: &str, secret: Secret, patience: Patience, clock: Clock) -> Result<Self, ChannelError> {
        Ok(Self { post: SignedPost::new(url, secret, patience, clock)? })
    }
}

#[async_trait]
impl Route for Webhook {
    fn target(&self) -> String {
        self.post.target()
    }

    fn wants_bitmaps(&self) -> bool {
        false
    }

    async fn send(&self, parcel: &Parcel) -> Result<String, ChannelError> {
        let status = self.post.post(&body(parcel), Some(&parcel.key)).await?;
        Ok(format!("taken with status {}", status.as_u16()))
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
