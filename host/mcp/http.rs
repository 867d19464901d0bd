//! The server over streamable HTTP, at `/mcp`.
//!
//! It listens on this machine unless it is given a token. A page in a browser may not use it: the
//! `Host` has to be one of this machine's names (a page whose own name was pointed at 127.0.0.1
//! sends that name), and an `Origin` is refused unless it is listed. Connections, sessions, heads
//! and bodies are bounded, and so is the time to send them; where all places are taken, a connection
//! that has not sent a whole request gives its own up (`lines`).

mod lines;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::lines::{Line, Lines};
use super::handler::Handler;
use super::{MESSAGE_BYTES_MAX, McpServer, Tools};

/// Where the protocol is served.
const PATH: &str = "/mcp";

/// Connections at once. Each may be a stream that stays open.
const CONNECTIONS_MAX: usize = 128;

/// Sessions at once. One that says nothing for five minutes ends.
const SESSIONS_MAX: usize = 64;

/// To send a request's head, and to send its body: a client that sends a byte a minute would hold
/// its connection for ever.
const HEAD_MS_MAX: u64 = 10_000;
const BODY_MS_MAX: u64 = 10_000;

const HEAD_BYTES_MAX: usize = 64 << 10;

/// An answer is kept so long for a client whose stream broke, and then forgotten.
const RESUME_MS: u64 = 10_000;

/// A wait after an error of `accept`, such as that no more files can be opened.
const ACCEPT_PAUSE_MS: u64 = 100;

/// How the server is reached.
#[derive(Clone, Default)]
pub struct HttpOptions {
    /// Every request has to carry it: `Authorization: Bearer ...`.
    pub token: Option<String>,
    /// Names of this machine, beside `localhost`, `127.0.0.1` and `::1`: `name` or `name:port`.
    pub hosts: Vec<String>,
    /// Pages that may use it: `https://name:port`, `http://localhost:*`. None at all without.
    pub origins: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum McpHttpError {
    #[error(
        "{0} can be reached from other machines, and anybody there could call the tools\nhint: listen on 127.0.0.1, or set a token that clients have to send"
    )]
    Open(SocketAddr),
    #[error("the token is shorter than 16 characters\nhint: `openssl rand -hex 32` makes one")]
    WeakToken,
    #[error("the socket has no address: {0}")]
    Address(#[source] std::io::Error),
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// Serve clients until `stop` is cancelled. Their calls have ended then.
///
/// # Errors
/// The socket is open to other machines and there is no token, or it is too short.
pub async fn serve_http<T: Tools>(
    server: &McpServer<T>,
    listener: TcpListener,
    options: HttpOptions,
    stop: CancellationToken,
) -> Result<(), McpHttpError> {
    let address = listener.local_addr().map_err(McpHttpError::Address)?;
    match &options.token {
        None if !address.ip().is_loopback() => return Err(McpHttpError::Open(address)),
        Some(token) if token.len() < 16 => return Err(McpHttpError::WeakToken),
        _ => {}
    }
    let door = Arc::new(Door::new(server, options, stop.child_token()));
    let lines = Lines::new(CONNECTIONS_MAX);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            continue;
        };
        let line = tokio::select! {
            () = stop.cancelled() => break,
            line = lines.enter() => line,
        };
        // An answer of a few hundred bytes would otherwise wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let door = door.clone();
        connections.spawn(async move {
            let service = service_fn(|request| {
                let (door, line) = (door.clone(), line.clone());
                async move { Ok::<_, Infallible>(door.answer(request, &line).await) }
            });
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_millis(HEAD_MS_MAX))
                .max_buf_size(HEAD_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                _ = serving => {}
                () = line.shed() => {}
            }
        });
    }
    // The token of the service has ended every session; what is left is sockets.
    connections.shutdown().await;
    Ok(())
}

/// What every request passes.
struct Door<T: Tools> {
    service: StreamableHttpService<Handler<T>, LocalSessionManager>,
    token: Option<[u8; 32]>,
    sessions: Arc<Semaphore>,
}

impl<T: Tools> Door<T> {
    fn new(server: &McpServer<T>, options: HttpOptions, stop: CancellationToken) -> Self {
        let hosts = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into_iter().chain(options.hosts);
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(hosts)
            .with_allowed_origins(options.origins)
            .enforce_origin_validation()
            .with_max_request_body_bytes(MESSAGE_BYTES_MAX)
            .with_cancellation_token(stop);
        let mut manager = LocalSessionManager::default();
        manager.session_config.completed_cache_ttl = Duration::from_millis(RESUME_MS);
        let sessions = Arc::new(Semaphore::new(SESSIONS_MAX));
        let (shared, places) = (server.0.clone(), sessions.clone());
        let handler = move || match places.clone().try_acquire_owned() {
            Ok(place) => Ok(Handler::new(shared.clone(), Some(place))),
            Err(_) => Err(std::io::Error::other("too many sessions")),
        };
        let service = StreamableHttpService::new(handler, Arc::new(manager), config);
        Self { service, token: options.token.map(|token| digest(token.as_bytes())), sessions }
    }

    async fn answer(&self, request: Request<Incoming>, line: &Line) -> Answer {
        if !names_one_host(&request) {
            return plain(StatusCode::BAD_REQUEST, "the request names two hosts, and which one is meant is not said");
        }
        if request.uri().path() != PATH {
            return plain(StatusCode::NOT_FOUND, "MCP is served at /mcp");
        }
        if !self.is_known(&request) {
            let mut answer = plain(StatusCode::UNAUTHORIZED, "the token is missing, or another one");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
            return answer;
        }
        let begins = request.method() == Method::POST && !request.headers().contains_key("mcp-session-id");
        if begins && self.sessions.available_permits() == 0 {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "too many sessions: end one, or wait until one has ended");
        }
        let (parts, body) = request.into_parts();
        let reading = Limited::new(body, MESSAGE_BYTES_MAX).collect();
        let body = match tokio::time::timeout(Duration::from_millis(BODY_MS_MAX), reading).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                return plain(StatusCode::PAYLOAD_TOO_LARGE, "the message has more than 4194304 bytes");
            }
            Ok(Err(_)) => return plain(StatusCode::BAD_REQUEST, "the body was broken off"),
            Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the body took longer than 10 s"),
        };
        // It has sent a whole request: from here until its answer is sent it keeps its place.
        let busy = line.busy();
        let ends = parts.method == Method::DELETE;
        let mut answer = self.service.handle(Request::from_parts(parts, Full::new(body))).await;
        if ends && answer.status() == StatusCode::ACCEPTED {
            // The session has ended: the official Python client takes 202 for a failure.
            *answer.status_mut() = StatusCode::OK;
        }
        answer.map(|body| busy.until_sent(body))
    }

    /// The digests are compared, and in constant time: how long it takes tells nothing about the token.
    fn is_known(&self, request: &Request<Incoming>) -> bool {
        let Some(expected) = &self.token else {
            return true;
        };
        let mut sent = request.headers().get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (sent.next(), sent.next()) else {
            return false;
        };
        let Some((scheme, token)) = value.as_bytes().split_at_checked(b"Bearer ".len()) else {
            return false;
        };
        let is_equal = verify_slices_are_equal(expected, &digest(token)).is_ok();
        scheme.eq_ignore_ascii_case(b"Bearer ") && is_equal
    }
}

/// Whether it is clear which host is asked for. Danger: of two names, one is looked at here, and the other by
/// a proxy in between or by the protocol behind this door.
fn names_one_host(request: &Request<Incoming>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    let is_same = match (request.uri().authority(), host) {
        (Some(authority), Some(host)) => host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()),
        _ => true,
    };
    second.is_none() && is_same
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())).boxed());
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain"));
    answer
}
