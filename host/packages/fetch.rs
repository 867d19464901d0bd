//! HTTP to where the records come from: with limits, few retries, and no redirects.
//!
//! An answer decides whether a command may run, so it comes over TLS, except from this machine itself,
//! and only from the host that was configured. What goes wrong is said without the URL's query and
//! without what the other side wrote. It does not know what the answers mean.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};

use crate::clock::{self, Instant};

/// The first pause before a request is made again, where the answer names none; it doubles.
const PAUSE: Duration = Duration::from_millis(250);

/// What a conversation may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For one request, until its headers are here; for each piece of a long download too.
    pub(crate) each: Duration,
    /// Requests for one answer. Danger: hammering a service that says it has too much to do.
    pub(crate) attempts_max: u32,
    /// The longest pause that the other side may ask for. Danger: `Retry-After: 86400`.
    pub(crate) pause_max: Duration,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    #[error("this is not a URL to ask ({reason}): {url}")]
    Url { url: String, reason: &'static str },
    #[error("no HTTP client: {0}")]
    Client(String),
    #[error("it did not answer in {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("the time for all requests together is over")]
    OutOfTime,
    #[error("it is busy (HTTP status {status}) and asks to wait for {} s", wait.as_secs())]
    Busy { status: u16, wait: Duration },
    #[error("it answered with HTTP status {0}")]
    Status(u16),
    #[error("its answer is larger than {0} bytes")]
    TooLarge(u64),
    #[error("the connection failed: {0}")]
    Connection(String),
    #[error("its answer is not one of OSV: {0}")]
    NotOsv(String),
}

/// The base URL, without a slash at its end.
///
/// # Errors
/// It is no URL, or one whose answers could not be trusted.
pub(crate) fn base_url(text: &str) -> Result<String, FetchError> {
    let refuse = |reason| {
        // Without what may be a password.
        let url: String = text.rsplit('@').next().unwrap_or_default().chars().take(200).collect();
        FetchError::Url { url, reason }
    };
    let url = Url::parse(text).map_err(|_| refuse("it cannot be parsed"))?;
    let host = url.host_str().ok_or_else(|| refuse("it has no host"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(host) => {}
        "http" => return Err(refuse("`http:` can be changed on its way, use `https:`")),
        _ => return Err(refuse("only `https:` is asked")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("a URL is shown in reports, so it must not hold a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("a base URL has no `?` and no `#`"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// A client for this base URL.
pub(crate) fn client(base: &str, connect: Duration) -> Result<Client, FetchError> {
    // A redirect could lead to a host that nobody configured, or into the own network.
    let builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(connect)
        .user_agent(concat!("pi-host/", env!("CARGO_PKG_VERSION")));
    let is_here = Url::parse(base).is_ok_and(|url| url.host_str().is_some_and(is_loopback));
    let builder = if is_here { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| FetchError::Client(cause(&error)))
}

/// A client that is made when it is needed first: reading the system's certificates takes longer than all else that a
/// command does which looks nothing up.
#[derive(Clone, Debug)]
pub(crate) struct LazyClient {
    base: String,
    connect: Duration,
    made: Arc<OnceLock<Result<Client, FetchError>>>,
}

impl LazyClient {
    pub(crate) fn new(base: &str, connect: Duration) -> Self {
        Self { base: base.to_owned(), connect, made: Arc::default() }
    }

    pub(crate) fn get(&self) -> Result<&Client, FetchError> {
        self.made.get_or_init(|| client(&self.base, self.connect)).as_ref().map_err(FetchError::clone)
    }
}

/// The response to a request, made again while the other side says that it is busy.
pub(crate) async fn respond(
    request: impl Fn() -> RequestBuilder,
    patience: Patience,
    deadline: Instant,
) -> Result<Response, FetchError> {
    let mut pause = PAUSE;
    for attempt in 1.. {
        let time = patience.each.min(left_until(deadline)?);
        let response = match tokio::time::timeout(time, request().send()).await {
            Ok(response) => response.map_err(|error| connection(&error))?,
            Err(_) => return Err(FetchError::TimedOut(time)),
        };
        let status = response.status();
        if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
            return Ok(response);
        }
        let asked = retry_after(response.headers());
        let wait = asked.unwrap_or(pause);
        let is_too_long = wait > patience.pause_max || wait >= left_until(deadline)?;
        if is_too_long && asked.is_some() {
            return Err(FetchError::Busy { status: status.as_u16(), wait });
        }
        if is_too_long || attempt >= patience.attempts_max {
            return Err(FetchError::Status(status.as_u16()));
        }
        tokio::time::sleep(wait).await;
        pause *= 2;
    }
    Err(FetchError::OutOfTime)
}

/// The whole answer, which must be one of success, at most `bytes_max` long.
pub(crate) async fn body(
    mut response: Response,
    bytes_max: u64,
    patience: Patience,
    deadline: Instant,
) -> Result<Vec<u8>, FetchError> {
    if !response.status().is_success() {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    if response.content_length().is_some_and(|bytes| bytes > bytes_max) {
        return Err(FetchError::TooLarge(bytes_max));
    }
    let mut body = vec![];
    while let Some(piece) = piece(&mut response, patience.each.min(left_until(deadline)?)).await? {
        if u64::try_from(body.len() + piece.len()).unwrap_or(u64::MAX) > bytes_max {
            return Err(FetchError::TooLarge(bytes_max));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// The next piece of an answer, or nothing at its end.
pub(crate) async fn piece(response: &mut Response, time: Duration) -> Result<Option<Vec<u8>>, FetchError> {
    match tokio::time::timeout(time, response.chunk()).await {
        Ok(piece) => Ok(piece.map_err(|error| connection(&error))?.map(|piece| piece.to_vec())),
        Err(_) => Err(FetchError::TimedOut(time)),
    }
}

fn left_until(deadline: Instant) -> Result<Duration, FetchError> {
    let left = deadline.saturating_duration_since(clock::monotonic());
    if left.is_zero() { Err(FetchError::OutOfTime) } else { Ok(left) }
}

/// Seconds. A date is not read: who sends one gets the pause that is made anyway.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn connection(error: &reqwest::Error) -> FetchError {
    FetchError::Connection(cause(error))
}

/// The cause at the bottom: the layers above it repeat the URL and say nothing to an operator.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_whose_answers_can_be_trusted_are_asked() {
        assert_eq!(base_url("https://api.osv.dev/").unwrap(), "https://api.osv.dev");
        assert_eq!(base_url("http://127.0.0.1:8080/osv").unwrap(), "http://127.0.0.1:8080/osv");
        assert!(base_url("http://[::1]:80").is_ok());
        for url in ["http://api.osv.dev", "ftp://x", "nonsense", "https://x?y=1", "file:///etc/passwd"] {
            assert!(base_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let error = base_url("https://me:secret@osv.example").unwrap_err().to_string();
        assert!(!error.contains("secret") && error.contains("osv.example"), "{error}");
    }
}
