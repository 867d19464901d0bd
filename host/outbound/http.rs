//! Requests to the other side: bounded in time, in tries and in what is read of an answer.
//!
//! A redirect is an error and no proxy of the environment is used: a token goes to the host that was
//! configured, and nowhere else. Errors name the host, never the URL, whose path may be a secret.

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value;

use super::patience::{Jitter, Patience};
use super::{ChannelError, cut};
use crate::clock::Duration;
use crate::gate::explain::escaped;

/// What is read of an answer. Danger: an answer without end fills the memory.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// What a time-out or a cut connection tells of itself.
const CAUSE_CHARS_MAX: usize = 300;

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self, target: &str) -> Result<Value, ChannelError> {
        serde_json::from_slice(&self.body).map_err(|_| ChannelError::Answer {
            target: target.to_owned(),
            what: format!("status {}, and {} bytes that are no JSON", self.status.as_u16(), self.body.len()),
        })
    }
}

/// A client that waits and tries again.
pub(crate) struct Http {
    client: Client,
    pub(crate) patience: Patience,
    pub(crate) jitter: Jitter,
}

impl Http {
    pub(crate) fn new(patience: Patience) -> Result<Self, ChannelError> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("pi-host/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ChannelError::Config {
                place: "what goes out".into(),
                what: format!("there is no HTTP client: {}", in_words(&error)),
                hint: "the system's certificates must be readable, e.g. the package `ca-certificates`".into(),
            })?;
        Ok(Self { client, patience, jitter: Jitter::new() })
    }

    /// Post what `request` gives, which is asked anew for each try: a signature holds for a short time.
    /// Returns every answer but 429, 5xx and redirects.
    ///
    /// A try that timed out may have arrived, so that something may be posted twice. Both copies are
    /// bound to the same act and show the same when they are clicked; not to ask at all would be worse.
    pub(crate) async fn post(
        &self,
        target: &str,
        url: &Url,
        request: impl Fn() -> (HeaderMap, Vec<u8>),
    ) -> Result<Answer, ChannelError> {
        let mut failures = 0;
        loop {
            let (headers, body) = request();
            let tried = tokio::time::timeout(self.patience.request(), self.once(url, headers, body)).await;
            failures += 1;
            let cause = match tried {
                Err(_) => format!("no answer within {} ms", self.patience.request_ms_max),
                Ok(Err(cause)) => cause,
                Ok(Ok(answer)) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                    let asked = retry_after(&answer.headers);
                    let seconds = asked.unwrap_or_default();
                    let wait = asked.map_or_else(|| self.patience.wait(failures, &self.jitter), Duration::from_secs);
                    if failures >= self.patience.attempts
                        || wait > Duration::from_millis(self.patience.retry_after_ms_max)
                    {
                        return Err(ChannelError::Limited { target: target.to_owned(), seconds });
                    }
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Ok(Ok(answer)) if answer.status.is_server_error() => format!("status {}", answer.status.as_u16()),
                Ok(Ok(answer)) if answer.status.is_redirection() => {
                    return Err(ChannelError::Answer {
                        target: target.to_owned(),
                        what: format!("a redirect (status {}), which is not followed", answer.status.as_u16()),
                    });
                }
                Ok(Ok(answer)) => return Ok(answer),
            };
            if failures >= self.patience.attempts {
                return Err(ChannelError::Unreachable { target: target.to_owned(), attempts: failures, cause });
            }
            tokio::time::sleep(self.patience.wait(failures, &self.jitter)).await;
        }
    }

    async fn once(&self, url: &Url, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, String> {
        let request = self.client.post(url.clone()).headers(headers).body(body);
        let mut response: Response = request.send().await.map_err(|error| in_words(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| in_words(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(format!("an answer of more than {ANSWER_BYTES_MAX} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
    }
}

/// A URL to which secrets and acts may go: https, or this host itself.
pub(crate) fn checked(place: &str, url: &str) -> Result<Url, ChannelError> {
    let wrong = |what: &str, hint: &str| {
        Err(ChannelError::Config { place: place.to_owned(), what: what.to_owned(), hint: hint.to_owned() })
    };
    let Ok(url) = Url::parse(url) else {
        return wrong("this is no URL", "write it out, e.g. `https://example.com/approvals`");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("the URL holds a user or a password", "take it out; requests are signed with the secret");
    }
    match url.scheme() {
        "https" if url.host().is_some() => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => wrong(
            "the URL is not encrypted, so that anybody on the way could read and change it",
            "write `https://`; `http://` is taken for this host alone, as `http://127.0.0.1:PORT`",
        ),
        _ => wrong("the URL is neither https nor http", "write `https://`"),
    }
}

/// Whether the URL is of this host itself. A name is not asked of DNS, which may lie.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Scheme, host and port: what may be told of a URL.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// The cause at the bottom; the layers above it repeat the URL and say nothing to an operator.
fn in_words(error: &reqwest::Error) -> String {
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause.and_then(|cause| cause.source()) {
        cause = Some(deeper);
    }
    let Some(cause) = cause else {
        return "the request failed".into();
    };
    cut(&escaped(&cause.to_string()), CAUSE_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encrypted_or_local_urls_are_taken() {
        for url in ["https://example.com/x", "http://127.0.0.1:1/x", "http://[::1]:1", "http://localhost:1"] {
            assert!(checked("x", url).is_ok(), "{url}");
        }
        for url in [
            "http://example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "https://user:password@example.com",
            "example.com",
            "",
        ] {
            let error = checked("x", url).unwrap_err();
            assert!(!error.is_temporary() && error.to_string().contains("\nhint: "), "{url}: {error}");
            assert!(!error.to_string().contains("password@"), "{error}");
        }
    }
}
