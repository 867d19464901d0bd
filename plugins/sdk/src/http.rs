//! A small HTTP client over `wasi:http`: one request, its whole answer.
//!
//! Which hosts it reaches, and which secrets are added on the way, is the operator's grant. Bodies are
//! read whole up to a limit; for streams use [`outgoing_handler`](crate::outgoing_handler) itself.

use crate::http_types::{
    ErrorCode, Fields, IncomingBody, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use crate::streams::StreamError;
use crate::{Error, outgoing_handler};

/// What an answer's body may have where the request does not say otherwise: a server that never stops
/// sending would else fill the plugin's memory.
pub const BODY_BYTES_MAX: usize = 4 << 20;
/// The host takes so many bytes in one write.
const WRITE_BYTES_MAX: usize = 4096;
const READ_BYTES_MAX: u64 = 64 << 10;

/// One request, not sent yet.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    /// For the connection, and for the first byte. The grant's own limit holds if it is shorter.
    pub timeout_ms: Option<u32>,
    /// A longer answer is an error.
    pub body_bytes_max: usize,
}

/// The whole answer, whatever its status is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// The URL, a header or the method cannot be used.
    Invalid(String),
    /// The host or the gatekeeper refused it.
    Denied(String),
    /// The answer has more bytes than `body_bytes_max`.
    TooLarge(usize),
    /// It was sent, and there was no answer.
    Failed(String),
}

/// `GET` a URL.
///
/// # Errors
/// As [`Request::send`].
pub fn get(url: &str) -> Result<Response, HttpError> {
    Request::new("GET", url).send()
}

/// `POST` a body to a URL.
///
/// # Errors
/// As [`Request::send`].
pub fn post(url: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Result<Response, HttpError> {
    Request::new("POST", url).header("content-type", content_type).body(body).send()
}

/// A request with any method.
#[must_use]
pub fn request(method: &str, url: &str) -> Request {
    Request::new(method, url)
}

impl Request {
    #[must_use]
    pub fn new(method: &str, url: &str) -> Self {
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout_ms: None,
            body_bytes_max: BODY_BYTES_MAX,
        }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Self {
        self.timeout_ms = Some(timeout_ms);
        self
    }

    #[must_use]
    pub fn body_bytes_max(mut self, bytes: usize) -> Self {
        self.body_bytes_max = bytes;
        self
    }

    /// Send it and read the answer.
    ///
    /// # Errors
    /// There was no whole answer. An answer with a status of 400 and more is an answer.
    pub fn send(self) -> Result<Response, HttpError> {
        let url = Url::parse(&self.url)?;
        let headers = Fields::from_list(&self.headers)
            .map_err(|error| HttpError::Invalid(format!("a header cannot be sent: {error:?}")))?;
        let request = OutgoingRequest::new(headers);
        let invalid = |what: &str| HttpError::Invalid(format!("the {what} cannot be sent: `{}`", self.url));
        request
            .set_method(&method(&self.method))
            .map_err(|()| HttpError::Invalid(format!("no method: `{}`", self.method)))?;
        request.set_scheme(Some(&url.scheme)).map_err(|()| invalid("scheme"))?;
        request.set_authority(Some(url.authority)).map_err(|()| invalid("authority"))?;
        request.set_path_with_query(Some(&url.path_with_query)).map_err(|()| invalid("path"))?;

        let options = RequestOptions::new();
        if let Some(ms) = self.timeout_ms {
            let duration = Some(u64::from(ms) * 1_000_000);
            // A host that cannot keep one of them keeps its own.
            let _ = options.set_connect_timeout(duration);
            let _ = options.set_first_byte_timeout(duration);
            let _ = options.set_between_bytes_timeout(duration);
        }

        let body = request.body().map_err(|()| HttpError::Failed("the request has no body to write to".into()))?;
        let answer = outgoing_handler::handle(request, Some(options))?;
        write(&body, &self.body)?;
        OutgoingBody::finish(body, None)?;
        answer.subscribe().block();
        let response = match answer.get() {
            Some(Ok(response)) => response?,
            Some(Err(())) | None => return Err(HttpError::Failed("the answer was taken twice".into())),
        };
        let status = response.status();
        let headers = response.headers().entries();
        let body = response.consume().map_err(|()| HttpError::Failed("the answer has no body to read".into()))?;
        let body = read(&body, self.body_bytes_max)?;
        Ok(Response { status, headers, body })
    }
}

impl Response {
    /// The body as text; what is no UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first header of that name, in any case, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, HttpError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| HttpError::Failed(format!("the answer is not the JSON expected: {error}")))
    }

    /// An error unless the status is 200 to 299.
    ///
    /// # Errors
    /// The status.
    pub fn success(self) -> Result<Self, HttpError> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        Err(HttpError::Failed(format!("the answer has the status {}", self.status)))
    }
}

impl std::fmt::Display for HttpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(text) | Self::Denied(text) | Self::Failed(text) => f.write_str(text),
            Self::TooLarge(most) => write!(f, "the answer has more than {most} bytes"),
        }
    }
}

impl std::error::Error for HttpError {}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Invalid(text) => Self::InvalidArguments(text),
            HttpError::TooLarge(_) => Self::Limit(error.to_string()),
            HttpError::Denied(text) | HttpError::Failed(text) => Self::Failed(text),
        }
    }
}

impl From<ErrorCode> for HttpError {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::HttpRequestDenied => Self::Denied("the request was denied: no grant or policy allows it".into()),
            ErrorCode::DestinationIpProhibited => Self::Denied("the destination's address is not allowed".into()),
            ErrorCode::HttpRequestUriInvalid => Self::Invalid("the URL cannot be used".into()),
            ErrorCode::InternalError(Some(text)) => Self::Failed(text),
            other => Self::Failed(format!("no answer: {other:?}")),
        }
    }
}

struct Url<'a> {
    scheme: Scheme,
    authority: &'a str,
    path_with_query: String,
}

impl<'a> Url<'a> {
    fn parse(url: &'a str) -> Result<Self, HttpError> {
        let invalid = |why: &str| HttpError::Invalid(format!("{why}: `{url}`"));
        if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(invalid("a URL has no blanks or control characters"));
        }
        let (scheme, rest) = if let Some(rest) = strip_prefix_ignoring_case(url, "https://") {
            (Scheme::Https, rest)
        } else if let Some(rest) = strip_prefix_ignoring_case(url, "http://") {
            (Scheme::Http, rest)
        } else {
            return Err(invalid("a URL begins with `https://` or `http://`"));
        };
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        if authority.is_empty() {
            return Err(invalid("the URL names no host"));
        }
        // Credentials in a URL end up in logs: secrets are the host's to add.
        if authority.contains('@') {
            return Err(invalid("a URL with a user or a password is not sent"));
        }
        let path_with_query = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { scheme, authority, path_with_query })
    }
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn method(name: &str) -> Method {
    match name.to_ascii_uppercase().as_str() {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        _ => Method::Other(name.to_owned()),
    }
}

fn write(body: &OutgoingBody, bytes: &[u8]) -> Result<(), HttpError> {
    let stream = body.write().map_err(|()| HttpError::Failed("the request's body was taken twice".into()))?;
    for chunk in bytes.chunks(WRITE_BYTES_MAX) {
        stream
            .blocking_write_and_flush(chunk)
            .map_err(|error| HttpError::Failed(format!("the request's body could not be sent: {error}")))?;
    }
    Ok(())
}

fn read(body: &IncomingBody, bytes_max: usize) -> Result<Vec<u8>, HttpError> {
    let stream = body.stream().map_err(|()| HttpError::Failed("the answer's body was taken twice".into()))?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES_MAX) {
            Ok(chunk) => {
                if bytes.len() + chunk.len() > bytes_max {
                    return Err(HttpError::TooLarge(bytes_max));
                }
                bytes.extend_from_slice(&chunk);
            }
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(HttpError::Failed(format!("the answer broke off: {}", error.to_debug_string())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> Option<(String, String)> {
        Url::parse(url).ok().map(|url| (url.authority.to_owned(), url.path_with_query))
    }

    #[test]
    fn a_url_is_taken_apart() {
        let of = |a: &str, p: &str| Some((a.to_owned(), p.to_owned()));
        assert_eq!(parts("https://example.org"), of("example.org", "/"));
        assert_eq!(parts("HTTP://[::1]:80/a/b?c=d#e"), of("[::1]:80", "/a/b?c=d"));
        assert_eq!(parts("http://example.org?q"), of("example.org", "/?q"));
    }

    #[test]
    fn a_url_that_hides_something_is_not_sent() {
        for url in ["ftp://a", "http:///a", "http://u:p@a/", "http://a/b c", "http://a/\r\nx: y", "a", ""] {
            assert!(matches!(Url::parse(url), Err(HttpError::Invalid(_))), "{url}");
        }
    }

    #[test]
    fn a_header_is_found_in_any_case() {
        let response = Response { status: 404, headers: vec![("X-Test".into(), b"1".to_vec())], body: b"{}".to_vec() };
        assert_eq!(response.header("x-test"), Some("1"));
        assert_eq!(response.header("other"), None);
        assert!(response.success().is_err());
    }
}
