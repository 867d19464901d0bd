//! Large payloads stand beside the chain, by hash: the entry says `{"$blob": SHA-256, "bytes": n}`
//! in their place, and reading puts them back.
//!
//! So the chain stays small and quick to verify, and a payload can be deleted later without breaking
//! it. What a guest itself calls `$blob` is escaped by a further `$`, so that nobody can smuggle a
//! reference to another's payload into an entry.

use std::sync::Arc;

use serde_json::{Value, json};

use super::chain;
use crate::store::{Blob, Store, StoreError};

/// A value whose JSON is longer is stored beside the chain.
pub(super) const BLOB_BYTES_MIN: usize = 64 << 10;
/// The longest body. A longer one is refused; where it cannot be (`append` has no error), what is
/// large in it is left out, and its length and hash are written instead.
pub const BODY_BYTES_MAX: usize = 64 << 20;
/// A value nested deeper is stored beside the chain: serde_json reads 128 levels, and a guest's JSON
/// may have them all before the entry is put around it.
const DEPTH_MAX: usize = 48;

const KEY: &str = "$blob";
/// How a key that matters here looks within JSON text.
const KEY_IN_TEXT: &str = "$blob\"";

/// What becomes of the large parts of a body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Large {
    Beside,
    LeftOut,
}

/// Whether `body` has to go through [`lift`] before it is linked.
pub(super) fn needs_lift(body: &str) -> bool {
    body.len() > BLOB_BYTES_MIN
        || body.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count() > DEPTH_MAX
        || body.contains(KEY_IN_TEXT)
}

/// Move the large parts of `body` out of it.
pub(super) fn lift(mut body: Value, large: Large) -> (String, Vec<Blob>) {
    let mut blobs = Vec::new();
    match &mut body {
        Value::Object(fields) => {
            for (_, field) in fields.iter_mut() {
                measure(field, large, &mut blobs);
            }
        }
        other => {
            measure(other, large, &mut blobs);
        }
    }
    (body.to_string(), blobs)
}

/// About how much JSON a value is, and how deep.
struct Size {
    bytes: usize,
    depth: usize,
}

/// Escape and lift within `value`, then lift `value` itself if it is still large.
fn measure(value: &mut Value, large: Large, blobs: &mut Vec<Blob>) -> Size {
    let mut size = Size { bytes: 2, depth: 1 };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => return Size { bytes: 8, depth: 1 },
        Value::String(text) => size.bytes += text.len(),
        Value::Array(items) => {
            for item in items {
                size.add(&measure(item, large, blobs), 1);
            }
        }
        Value::Object(fields) => {
            if fields.keys().any(|key| is_reserved(key)) {
                *fields = std::mem::take(fields).into_iter().map(|(key, value)| (escape(key), value)).collect();
            }
            for (key, field) in fields.iter_mut() {
                size.add(&measure(field, large, blobs), key.len() + 4);
            }
        }
    }
    if size.bytes <= BLOB_BYTES_MIN && size.depth <= DEPTH_MAX {
        return size;
    }
    let text = value.to_string();
    let (bytes, sha256) = (text.len(), chain::to_hex(&chain::digest(&text)));
    *value = match large {
        Large::Beside => json!({ KEY: sha256, "bytes": bytes }),
        Large::LeftOut => Value::String(format!("[left out of the journal: {bytes} bytes, sha256 {sha256}]")),
    };
    if large == Large::Beside && !blobs.iter().any(|blob| blob.sha256 == sha256) {
        blobs.push(Blob { sha256, json: Arc::from(text) });
    }
    Size { bytes: 128, depth: 2 }
}

impl Size {
    fn add(&mut self, child: &Size, overhead: usize) {
        self.bytes += child.bytes + overhead;
        self.depth = self.depth.max(child.depth + 1);
    }
}

/// `$blob`, `$$blob` and so on.
fn is_reserved(key: &str) -> bool {
    key.ends_with(KEY) && key.trim_start_matches('$') == "blob"
}

fn escape(key: String) -> String {
    if is_reserved(&key) { format!("${key}") } else { key }
}

/// Why a body could not be put together again.
#[derive(Debug, thiserror::Error)]
pub(super) enum RestoreError {
    #[error("it is no JSON: {0}")]
    NoJson(serde_json::Error),
    #[error("the payload is missing: {0}")]
    Missing(String),
    #[error("the payload does not match its hash: {0}")]
    Changed(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The body with its payloads back in their places.
pub(super) async fn restore(store: &dyn Store, body: &str) -> Result<Value, RestoreError> {
    let mut root: Value = serde_json::from_str(body).map_err(RestoreError::NoJson)?;
    if !body.contains(KEY_IN_TEXT) {
        return Ok(root);
    }
    // A payload can itself hold references: go on until there are none.
    loop {
        let mut wanted = Vec::new();
        collect(&root, &mut wanted);
        if wanted.is_empty() {
            break;
        }
        for sha256 in wanted {
            let payload = payload(store, &sha256).await?;
            place(&mut root, &sha256, &payload);
        }
    }
    unescape(&mut root);
    Ok(root)
}

/// One payload, checked against its hash.
async fn payload(store: &dyn Store, sha256: &str) -> Result<Value, RestoreError> {
    let text = store.blob(sha256).await?.ok_or_else(|| RestoreError::Missing(sha256.into()))?;
    if chain::to_hex(&chain::digest(&text)) != sha256 {
        return Err(RestoreError::Changed(sha256.into()));
    }
    serde_json::from_str(&text).map_err(RestoreError::NoJson)
}

fn collect(value: &Value, wanted: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, wanted)),
        Value::Object(fields) => match fields.get(KEY).and_then(Value::as_str) {
            Some(sha256) => {
                if !wanted.iter().any(|one| one == sha256) {
                    wanted.push(sha256.into());
                }
            }
            None => fields.values().for_each(|field| collect(field, wanted)),
        },
        _ => {}
    }
}

fn place(value: &mut Value, sha256: &str, payload: &Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| place(item, sha256, payload)),
        Value::Object(fields) => {
            if fields.get(KEY).and_then(Value::as_str) == Some(sha256) {
                *value = payload.clone();
            } else {
                fields.values_mut().for_each(|field| place(field, sha256, payload));
            }
        }
        _ => {}
    }
}

fn unescape(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(unescape),
        Value::Object(fields) => {
            if fields.keys().any(|key| is_reserved(key)) {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(key, value)| match key.strip_prefix('$') {
                        Some(plain) if is_reserved(&key) => (plain.to_string(), value),
                        _ => (key, value),
                    })
                    .collect();
            }
            fields.values_mut().for_each(unescape);
        }
        _ => {}
    }
}
