//! HTTP with limits: on size, on silence, on time, on redirects, on how often a thing is tried.
//!
//! It knows nothing of registries. An answer of any status is handed back; what fails here is the
//! conversation itself. Credentials go to the origin that they were meant for, and to no other.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue,
    LOCATION, RETRY_AFTER,
};
use reqwest::{Client, Method, Response, StatusCode, Url};

use super::fetch::{Failure, FetchOptions, Patience, Progress, Watch};
use super::quoted;
use super::source::{Transport, check_url, is_loopback, shown};
use crate::clock::{self, Instant};

/// Redirects of one request. Danger: a loop of them.
const REDIRECTS_MAX: usize = 5;
/// Of an answer that says that something is wrong. Danger: an error page of gigabytes.
const ERROR_BYTES_MAX: u64 = 64 << 10;
/// What is reserved before the first byte is here. Danger: a header that promises 256 MiB, for nothing.
const RESERVED_BYTES_MAX: u64 = 1 << 20;

/// A client for one piece of work, whose time is counted from its start.
pub(crate) struct Web {
    client: Client,
    patience: Patience,
    transport: Transport,
    deadline: Instant,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) accept: &'static str,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) content: Option<(&'static str, Bytes)>,
    /// Of the answer, where it is one of success.
    pub(crate) bytes_max: u64,
}

impl Ask {
    pub(crate) fn get(url: Url, accept: &'static str, bytes_max: u64) -> Self {
        Self { method: Method::GET, url, accept, authorization: None, content: None, bytes_max }
    }
}

/// What came.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Where it came from in the end.
    pub(crate) url: Url,
}

impl Web {
    pub(crate) fn new(first: &Url, options: &FetchOptions) -> Result<Self, Failure> {
        let patience = options.patience;
        let mut builder = Client::builder()
            // Each step of a redirect is judged here.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(patience.connect)
            // What is decompressed on the way has another size and another digest than what was sent.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .referer(false)
            .user_agent(concat!("pi-host/", env!("CARGO_PKG_VERSION")));
        if is_loopback(first) {
            builder = builder.no_proxy();
        }
        if let Some(pem) = &options.roots_pem {
            let roots =
                reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| Failure::Roots(cause(&error)))?;
            if roots.is_empty() {
                return Err(Failure::Roots("there is no certificate in it".into()));
            }
            builder = builder.tls_certs_merge(roots);
        }
        let client = builder.build().map_err(|error| Failure::Client(cause(&error)))?;
        let deadline = clock::monotonic() + patience.total;
        Ok(Self { client, patience, transport: options.transport, deadline })
    }

    /// The answer to a request, which is made again where the other side is busy or the connection breaks.
    pub(crate) async fn ask(&self, ask: &Ask, watch: &mut Watch<'_>) -> Result<Answer, Failure> {
        let mut pause = self.patience.pause;
        for attempt in 1..=self.patience.attempts_max.max(1) {
            let is_last = attempt >= self.patience.attempts_max;
            match self.follow(ask, watch).await {
                Ok(answer) if is_busy(answer.status) => {
                    let asked = retry_after(&answer.headers);
                    let wait = asked.unwrap_or(pause);
                    let is_too_long = wait > self.patience.pause_max || wait >= self.left()?;
                    if is_too_long && asked.is_some() {
                        return Err(Failure::Busy { status: answer.status.as_u16(), wait });
                    }
                    if is_last || is_too_long {
                        return Ok(answer);
                    }
                    tokio::time::sleep(wait).await;
                }
                Ok(answer) => return Ok(answer),
                Err(Failure::Connection { what, is_broken: true }) if is_last => {
                    return Err(Failure::Connection { what: format!("{what} ({attempt} times)"), is_broken: true });
                }
                Err(Failure::Connection { is_broken: true, .. }) if pause < self.left()? => {
                    tokio::time::sleep(pause).await;
                }
                Err(failure) => return Err(failure),
            }
            pause = pause.saturating_mul(2).min(self.patience.pause_max);
        }
        Err(Failure::OutOfTime(self.patience.total))
    }

    /// One try, with the redirects in it.
    async fn follow(&self, ask: &Ask, watch: &mut Watch<'_>) -> Result<Answer, Failure> {
        let mut url = ask.url.clone();
        for _ in 0..=REDIRECTS_MAX {
            check_url(&url, self.transport)?;
            let response = self.send(ask, &url).await?;
            let Some(next) = redirect(&url, &response)? else { return self.receive(ask, url, response, watch).await };
            if ask.method != Method::GET && ask.method != Method::HEAD {
                return Err(Failure::RedirectedWrite(shown(&next)));
            }
            self.check_step(&url, &next)?;
            url = next;
        }
        Err(Failure::TooManyRedirects(REDIRECTS_MAX))
    }

    /// Whether one address may name the other: never from what is secure to what is not.
    pub(crate) fn check_step(&self, from: &Url, to: &Url) -> Result<(), Failure> {
        let is_worse = from.scheme() == "https" && to.scheme() != "https";
        if is_worse || check_url(to, self.transport).is_err() {
            return Err(Failure::RedirectToPlain(shown(to)));
        }
        // Who is out there does not choose what on this machine is asked.
        if is_loopback(to) && !is_loopback(from) {
            return Err(Failure::RedirectHere(shown(to)));
        }
        Ok(())
    }

    async fn send(&self, ask: &Ask, url: &Url) -> Result<Response, Failure> {
        let mut request = self.client.request(ask.method.clone(), url.clone()).header(ACCEPT_ENCODING, "identity");
        if !ask.accept.is_empty() {
            request = request.header(ACCEPT, ask.accept);
        }
        // A registry sends one on to where its blobs are, and that place has no business with the password.
        if let Some(value) = &ask.authorization
            && is_same_origin(url, &ask.url)
        {
            request = request.header(AUTHORIZATION, value.clone());
        }
        // How long the other side may be silent; what is sent to it has time as well.
        let mut time = self.patience.stall;
        if let Some((kind, body)) = &ask.content {
            let sending = u64::try_from(body.len()).unwrap_or(u64::MAX) / UPLOAD_BYTES_PER_S_MIN;
            time = time.saturating_add(Duration::from_secs(sending));
            request = request.header(CONTENT_TYPE, *kind).header(CONTENT_LENGTH, body.len()).body(body.clone());
        }
        self.within(time, request.send()).await?.map_err(|error| broken(&error))
    }

    async fn receive(
        &self,
        ask: &Ask,
        url: Url,
        mut response: Response,
        watch: &mut Watch<'_>,
    ) -> Result<Answer, Failure> {
        let (status, headers) = (response.status(), response.headers().clone());
        let is_good = status.is_success();
        let bytes_max = if is_good { ask.bytes_max } else { ERROR_BYTES_MAX };
        let total = response.content_length();
        if is_good {
            check_encoding(&headers)?;
            if total.is_some_and(|total| total > bytes_max) && ask.method != Method::HEAD {
                return Err(Failure::TooLarge(bytes_max));
            }
        }
        let reserved = total.unwrap_or(0).min(RESERVED_BYTES_MAX);
        let mut body = Vec::with_capacity(usize::try_from(reserved).unwrap_or(0));
        while let Some(piece) =
            self.within(self.patience.stall, response.chunk()).await?.map_err(|error| broken(&error))?
        {
            body.extend_from_slice(&piece);
            let bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
            if bytes > bytes_max {
                if is_good {
                    return Err(Failure::TooLarge(bytes_max));
                }
                break;
            }
            if is_good {
                watch(Progress { bytes, total });
            }
        }
        Ok(Answer { status, headers, body, url })
    }

    async fn within<T>(&self, time: Duration, work: impl Future<Output = T>) -> Result<T, Failure> {
        let left = self.left()?;
        match tokio::time::timeout(time.min(left), work).await {
            Ok(done) => Ok(done),
            Err(_) if left <= time => Err(Failure::OutOfTime(self.patience.total)),
            Err(_) => Err(Failure::Stalled(time)),
        }
    }

    fn left(&self) -> Result<Duration, Failure> {
        let left = self.deadline.saturating_duration_since(clock::monotonic());
        if left.is_zero() { Err(Failure::OutOfTime(self.patience.total)) } else { Ok(left) }
    }
}

/// The slowest that an upload may be. Danger: a registry that reads one byte a minute.
const UPLOAD_BYTES_PER_S_MIN: u64 = 64 << 10;

pub(crate) fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}

fn is_busy(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

fn redirect(from: &Url, response: &Response) -> Result<Option<Url>, Failure> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let text = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut next = from.join(text).map_err(|_| Failure::RedirectNowhere(quoted(text)))?;
    if text.is_empty() || !matches!(next.scheme(), "https" | "http") {
        return Err(Failure::RedirectNowhere(shown(&next)));
    }
    // A name and a password in it would be sent as if they were ours.
    let _ = (next.set_username(""), next.set_password(None));
    next.set_fragment(None);
    Ok(Some(next))
}

fn check_encoding(headers: &HeaderMap) -> Result<(), Failure> {
    match headers.get(CONTENT_ENCODING) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(Failure::Encoded(quoted(&String::from_utf8_lossy(value.as_bytes()))))
        }
        _ => Ok(()),
    }
}

/// Seconds or a date, as HTTP has it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
    let now = i64::try_from(clock::now_ms()).ok()?;
    Some(Duration::from_millis(u64::try_from(time.saturating_sub(now)).unwrap_or(0)))
}

fn broken(error: &reqwest::Error) -> Failure {
    // A host that is not there is not there a second later; one that hung up may have been busy.
    Failure::Connection { what: cause(error), is_broken: !error.is_connect() && !error.is_builder() }
}

/// The cause at the bottom: the layers above it repeat the URL and say nothing to an operator.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    quoted(&cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
        retry_after(&headers)
    }

    #[test]
    fn a_pause_is_read_as_seconds_or_as_a_date() {
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(after("Wed, 21 Oct 2099 07:28:00 GMT").unwrap() > Duration::from_secs(86_400));
        assert_eq!(after("soon"), None);
        assert_eq!(after("-1"), None);
    }

    #[test]
    fn no_step_leads_from_secure_to_plain_nor_from_outside_to_this_machine() {
        let url = |text: &str| Url::parse(text).unwrap();
        let web = |transport| {
            let options = FetchOptions { transport, ..FetchOptions::default() };
            Web::new(&url("https://a.example"), &options).unwrap()
        };
        let secure = web(Transport::Secure);
        assert!(secure.check_step(&url("https://a.example"), &url("https://b.example")).is_ok());
        assert!(secure.check_step(&url("http://127.0.0.1:1"), &url("http://127.0.0.1:2")).is_ok());
        for (from, to) in [
            ("https://a.example", "http://a.example"),
            ("https://a.example", "http://127.0.0.1"),
            ("https://a.example", "https://127.0.0.1"),
            ("http://127.0.0.1", "http://a.example"),
            ("https://a.example", "ftp://a.example"),
        ] {
            assert!(secure.check_step(&url(from), &url(to)).is_err(), "{from} {to}");
        }
        // Even where plain hosts are allowed, what began secure stays so.
        assert!(web(Transport::Insecure).check_step(&url("https://a.example"), &url("http://a.example")).is_err());
    }

    #[test]
    fn what_is_compressed_on_the_way_is_refused() {
        let mut headers = HeaderMap::new();
        assert!(check_encoding(&headers).is_ok());
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(check_encoding(&headers).is_err());
    }
}
