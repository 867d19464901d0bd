//! A signed request, read and checked before anybody looks at what it says.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};

use crate::clock::Duration;
use crate::outbound::sign::Signer;

/// Until a body is there. Danger: a caller who never ends it.
const BODY_MS_MAX: u64 = 10_000;

/// Why a request is not taken: the status, and words.
pub(crate) type Rejected = (StatusCode, String);

/// What a kind of request looks like.
pub(crate) struct Form {
    pub(crate) content_type: &'static str,
    /// It is read before anybody knows whose it is.
    pub(crate) bytes_max: usize,
    pub(crate) timestamp: &'static str,
    pub(crate) signature: &'static str,
}

impl Form {
    /// The body of a request that was signed rightly, in time and for the first time.
    pub(crate) async fn read(&self, signer: &Signer, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Rejected> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let kind = text(header::CONTENT_TYPE.as_str()).and_then(|value| value.split(';').next()).unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case(self.content_type) {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the body must be `{}`", self.content_type)));
        }
        let reading = axum::body::to_bytes(body, self.bytes_max);
        let body = match tokio::time::timeout(Duration::from_millis(BODY_MS_MAX), reading).await {
            Ok(Ok(body)) => body,
            Ok(Err(_)) => {
                let what = format!("the body is cut off, or longer than {} bytes", self.bytes_max);
                return Err((StatusCode::PAYLOAD_TOO_LARGE, what));
            }
            Err(_) => return Err((StatusCode::REQUEST_TIMEOUT, "the body did not come in time".into())),
        };
        signer
            .verify(text(self.timestamp), text(self.signature), &body)
            .map_err(|error| (StatusCode::UNAUTHORIZED, error.to_string()))?;
        Ok(body.to_vec())
    }
}
