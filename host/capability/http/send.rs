//! One request over one connection of its own: to an address that was looked at, under one deadline.
//!
//! HTTP/1.1 alone. No proxy of the environment is used, no redirect is followed, nothing is decoded: the guest gets
//! what was sent, without the values of secrets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};
use wasmtime_wasi_http::{Error, WasiBody};

use super::body::{Received, Record, Sent, hide};
use super::grant::HttpState;
use super::guard::{self, GuardError};
use super::target::{Host, Scheme, Target};
use super::{Outgoing, Reason, trust, whole};
use crate::capability::door::Pass;
use crate::capability::secret::{Secret, put};
use crate::clock;
use crate::gate::explain::escaped;

/// Time to find the address, to connect, and for the first byte and each next one, where the guest does not say less.
const RESOLVE_TIME: Duration = Duration::from_secs(5);
const CONNECT_TIME: Duration = Duration::from_secs(10);
const FIRST_BYTE_TIME: Duration = Duration::from_secs(60);
const BETWEEN_BYTES_TIME: Duration = Duration::from_secs(30);
/// The head of an answer. Danger: headers without end.
const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 100;
/// A body that is signed is held whole.
const SIGNED_BODY_BYTES_MAX: u64 = 8 << 20;

pub(super) struct Sending {
    pub state: Arc<HttpState>,
    pub outgoing: Outgoing,
    pub secrets: Vec<Arc<Secret>>,
    pub is_exception: bool,
    pub pass: Pass,
    pub permit: OwnedSemaphorePermit,
    pub reason: Reason,
}

type Answer = Result<(Response<WasiBody>, AbortOnDropJoinHandle<()>), Error>;

/// Send a request that was let through; its outcome is written whatever it is.
pub(super) async fn send(sending: Sending) -> Answer {
    let Sending { state, outgoing, secrets, is_exception, pass, permit, reason } = sending;
    let deadline = Instant::from_std(clock::monotonic()) + state.timeout;
    let exchanged = match timeout_at(deadline, exchange(&state, outgoing, &secrets, is_exception)).await {
        Ok(exchanged) => exchanged,
        Err(_) => Err(Failure::plain(Error::HttpResponseTimeout)),
    };
    let Exchanged { response, connection, address, sent, between } = match exchanged {
        Ok(exchanged) => exchanged,
        Err(failure) => {
            let text = state.scan.hidden(&escaped(&failure.text)).into_owned();
            if failure.is_refusal {
                pass.refused(&text);
            } else {
                pass.failed(&text);
            }
            // What the guest can read has the lines that the host gave it.
            reason.is(&failure.told.map_or(text, |told| state.scan.hidden(&told).into_owned()));
            return Err(failure.error);
        }
    };
    reason.is_none();
    let (mut parts, incoming) = response.into_parts();
    let hidden = hide(&mut parts.headers, &state.scan);
    if !state.scan.is_empty() {
        // It is that of the body before secrets were taken out of it.
        parts.headers.remove(CONTENT_LENGTH);
    }
    let status = parts.status.as_u16();
    let record = Record { pass: Some(pass), status, address: address.to_string(), sent, received: 0, hidden };
    let scan = Arc::clone(&state.scan);
    let body = Received::new(incoming, scan, record, state.response_bytes_max, between, deadline, permit);
    Ok((Response::from_parts(parts, body.boxed_unsync()), connection))
}

/// Why a request failed: for the guest, and for the journal.
struct Failure {
    error: Error,
    /// For the journal.
    text: String,
    /// What is told beyond it, where that is another: the addresses of a name are for who runs the host.
    told: Option<String>,
    /// The host would not send it, and has sent nothing of it.
    is_refusal: bool,
}

impl Failure {
    fn plain(error: Error) -> Self {
        Self { text: error.to_string(), error, told: None, is_refusal: false }
    }

    fn with(error: Error, cause: &dyn std::fmt::Display) -> Self {
        Self { text: format!("{error}: {cause}"), error, told: None, is_refusal: false }
    }

    /// As text, where a code alone would leave the author of a plugin without a way on.
    fn told(text: String) -> Self {
        Self { error: Error::InternalError(Some(text.clone())), told: Some(text.clone()), text, is_refusal: false }
    }

    /// The same, with this told of it beyond the journal.
    fn saying(self, told: String) -> Self {
        Self { told: Some(told), ..self }
    }
}

struct Exchanged {
    response: Response<Incoming>,
    connection: AbortOnDropJoinHandle<()>,
    address: SocketAddr,
    sent: Arc<std::sync::atomic::AtomicU64>,
    between: Duration,
}

async fn exchange(
    state: &HttpState,
    outgoing: Outgoing,
    secrets: &[Arc<Secret>],
    is_exception: bool,
) -> Result<Exchanged, Failure> {
    let Outgoing { method, mut target, mut headers, body, body_bytes, options } = outgoing;
    let connect_time = options.connect_timeout.unwrap_or(CONNECT_TIME).min(CONNECT_TIME);
    let first_byte_time = options.first_byte_timeout.unwrap_or(FIRST_BYTE_TIME).min(FIRST_BYTE_TIME);
    let between = options.between_bytes_timeout.unwrap_or(BETWEEN_BYTES_TIME).min(BETWEEN_BYTES_TIME);
    let addresses = guard::addresses(&*state.resolver, &target, is_exception, RESOLVE_TIME.min(connect_time))
        .await
        .map_err(|error| guarded(error, &target))?;
    if body_bytes.is_some_and(|bytes| bytes > state.request_bytes_max) {
        return Err(Failure::plain(Error::HttpRequestBodySize(Some(state.request_bytes_max))));
    }
    let body = body.unwrap_or_else(|| whole(Bytes::new()));
    let (mut body, sent) = Sent::new(body, body_bytes, state.request_bytes_max, Arc::clone(&state.scan));
    let wants_body = secrets.iter().any(|secret| secret.wants_body(&target));
    let held = if wants_body { Some(collected(&mut body, state).await?) } else { None };
    put::put_all(secrets, method.as_str(), &mut target, &mut headers, held.as_deref(), clock::now_ms())
        .map_err(|error| Failure::told(error.to_string()))?;
    let body = match held {
        Some(held) => whole(held),
        None => body.boxed_unsync(),
    };
    let (stream, address) = connect(&addresses, connect_time).await?;
    let request = request(method, &target, headers, body)?;
    let (response, connection) = match target.scheme {
        Scheme::Http => talk(stream, request, first_byte_time).await?,
        Scheme::Https => {
            let config = state.trust(&target).map_err(|text| Failure::told(format!("there is no TLS: {text}")))?;
            let stream = tokio::time::timeout(connect_time, secured(stream, &target, config))
                .await
                .map_err(|_| Failure::plain(Error::ConnectionTimeout))??;
            talk(stream, request, first_byte_time).await?
        }
    };
    check(&response, state, !secrets.is_empty())?;
    Ok(Exchanged { response, connection, address, sent, between })
}

fn guarded(error: GuardError, target: &Target) -> Failure {
    let text = error.to_string();
    match error {
        GuardError::TimedOut(_) => Failure { error: Error::DnsTimeout, text, told: None, is_refusal: false },
        GuardError::Unknown(_) | GuardError::TooMany(_) => {
            let error = Error::DnsError { rcode: Some(text.clone()), info_code: None };
            Failure { error, text, told: None, is_refusal: false }
        }
        GuardError::Prohibited { what, .. } => {
            let hint = format!(
                "if it is a service of your own, add \"{}:{}\" to `private` in the grant of http in pi.toml",
                target.host, target.port
            );
            // A name of an own network has its address from a resolver that answers nobody outside: a guest that could
            // read it would learn how that network is laid out.
            let told = match &target.host {
                Host::Name(name) => format!("`{name}` has an address that is not of the public internet ({what})"),
                Host::Address(_) => text.clone(),
            };
            let [text, told] = [text, told].map(|text| format!("{text}\nhint: {hint}"));
            Failure { is_refusal: true, text, ..Failure::told(told) }
        }
    }
}

/// The whole body, for who signs it.
async fn collected(body: &mut Sent, state: &HttpState) -> Result<Bytes, Failure> {
    let most = SIGNED_BODY_BYTES_MAX.min(state.request_bytes_max);
    let mut held = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(Failure::plain)?;
        held.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        if u64::try_from(held.len()).unwrap_or(u64::MAX) > most {
            return Err(Failure::plain(Error::HttpRequestBodySize(Some(most))));
        }
    }
    Ok(held.freeze())
}

/// To the first address that answers.
async fn connect(addresses: &[SocketAddr], within: Duration) -> Result<(TcpStream, SocketAddr), Failure> {
    let deadline = Instant::from_std(clock::monotonic()) + within;
    let mut last = Failure::plain(Error::ConnectionTimeout);
    for address in addresses {
        last =
            match timeout_at(deadline, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Requests are small: waiting for more of one costs a round trip.
                    let _ = stream.set_nodelay(true);
                    return Ok((stream, *address));
                }
                Ok(Err(error)) => Failure::with(Error::ConnectionRefused, &format!("{address}: {error}"))
                    .saying(format!("{}: {}", Error::ConnectionRefused, error.kind())),
                Err(_) => return Err(Failure::plain(Error::ConnectionTimeout)),
            };
    }
    Err(last)
}

/// Named by the host that was asked for, not by its address.
async fn secured(
    stream: TcpStream,
    target: &Target,
    config: Arc<rustls::ClientConfig>,
) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>, Failure> {
    let name = match &target.host {
        Host::Name(name) => {
            ServerName::try_from(name.clone()).map_err(|error| Failure::with(Error::TlsProtocolError, &error))?
        }
        Host::Address(address) => ServerName::from(*address),
    };
    tokio_rustls::TlsConnector::from(config).connect(name, stream).await.map_err(|error| {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(cause)) => Failure::told(trust::distrusted(target, cause)),
            _ => Failure::with(Error::TlsProtocolError, &error),
        }
    })
}

fn request(method: Method, target: &Target, headers: HeaderMap, body: WasiBody) -> Result<Request<WasiBody>, Failure> {
    let odd = |error: &dyn std::fmt::Display| Failure::with(Error::HttpRequestUriInvalid, error);
    let uri: Uri = target.path_and_query().parse().map_err(|error| odd(&error))?;
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    let host = HeaderValue::from_str(&target.authority()).map_err(|error| odd(&error))?;
    request.headers_mut().insert(HOST, host);
    Ok(request)
}

/// Send over a connection, and wait for the head of the answer.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<WasiBody>,
    first_byte_time: Duration,
) -> Result<(Response<Incoming>, AbortOnDropJoinHandle<()>), Failure> {
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    let failed = |error: hyper::Error| failure_of(error);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // It ends when the answer was read, or with the handle that the guest's body holds.
    let connection = spawn(async move { drop(connection.await) });
    let response = tokio::time::timeout(first_byte_time, sender.send_request(request))
        .await
        .map_err(|_| Failure::plain(Error::ConnectionReadTimeout))?
        .map_err(failed)?;
    Ok((response, connection))
}

/// What went wrong while talking: where the guest's own body ended it, that says why.
fn failure_of(error: hyper::Error) -> Failure {
    use std::error::Error as _;
    if let Some(Error::HttpRequestBodySize(most)) = error.source().and_then(|cause| cause.downcast_ref()) {
        return Failure::plain(Error::HttpRequestBodySize(*most));
    }
    if let Some(Error::InternalError(Some(text))) = error.source().and_then(|cause| cause.downcast_ref()) {
        return Failure::told(text.clone());
    }
    if error.is_parse_too_large() {
        return Failure::plain(Error::HttpResponseHeaderSectionSize(u32::try_from(HEAD_BYTES_MAX).ok()));
    }
    let code = if error.is_incomplete_message() { Error::HttpResponseIncomplete } else { Error::HttpProtocolError };
    Failure::with(code, &error)
}

/// What an answer may not be, by its head alone.
fn check(response: &Response<Incoming>, state: &HttpState, has_secrets: bool) -> Result<(), Failure> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::plain(Error::HttpUpgradeFailed));
    }
    // The connection's own buffer is a floor: what comes in one read may be more.
    let bytes: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if bytes > HEAD_BYTES_MAX {
        return Err(Failure::plain(Error::HttpResponseHeaderSectionSize(u32::try_from(HEAD_BYTES_MAX).ok())));
    }
    let codings: Vec<&[u8]> = response.headers().get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes).collect();
    if has_secrets && codings.iter().any(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        let shown = escaped(&String::from_utf8_lossy(codings.first().copied().unwrap_or_default()));
        return Err(Failure::plain(Error::HttpResponseContentCoding(Some(shown.chars().take(64).collect()))));
    }
    let size = hyper::body::Body::size_hint(response.body()).lower();
    if size > state.response_bytes_max {
        return Err(Failure::plain(Error::HttpResponseBodySize(Some(state.response_bytes_max))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_a_name_has_is_told_to_the_journal_alone() {
        let target = Target::read(Scheme::Https, "db.corp.example", "/").unwrap();
        let address = "10.1.2.3".parse().unwrap();
        let error = GuardError::Prohibited { host: "db.corp.example".into(), address, what: "a private network" };
        let failure = guarded(error, &target);
        assert!(failure.is_refusal && failure.text.contains("10.1.2.3"), "{}", failure.text);
        let told = failure.told.unwrap();
        insta::assert_snapshot!(told, @r#"
        `db.corp.example` has an address that is not of the public internet (a private network)
        hint: if it is a service of your own, add "db.corp.example:443" to `private` in the grant of http in pi.toml
        "#);
        assert!(matches!(failure.error, Error::InternalError(Some(text)) if text == told));
    }

    #[tokio::test]
    async fn so_is_the_address_that_does_not_answer() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let Err(failure) = connect(&[address], Duration::from_secs(5)).await else { panic!("it answers") };
        assert!(failure.text.contains("127.0.0.1"), "{}", failure.text);
        assert!(!failure.told.unwrap().contains("127.0.0.1"));
    }
}
