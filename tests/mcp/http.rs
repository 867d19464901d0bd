//! The protocol over HTTP: who may come in, what is too much, and the host's own client there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pi_host::mcp::{
    Given, HttpOptions, MESSAGE_BYTES_MAX, McpHttpError, McpPeer, McpServer, PeerLimits, ServerOptions, serve_http,
};
use serde_json::{Map, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::sample::{Sample, Seen};

const DEADLINE: Duration = Duration::from_secs(20);
const TOKEN: &str = "a-token-of-some-length";

struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), McpHttpError>>,
}

async fn server(options: HttpOptions) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let (token, sample) = (stop.clone(), Sample::default());
    let seen = sample.0.clone();
    let serving = tokio::spawn(async move {
        serve_http(&McpServer::new(sample, ServerOptions::default()), listener, options, token).await
    });
    Server { address, seen, stop, serving }
}

fn with_token() -> HttpOptions {
    HttpOptions { token: Some(TOKEN.into()), ..HttpOptions::default() }
}

fn initialize() -> String {
    let client = json!({ "name": "test", "version": "1" });
    let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }).to_string()
}

impl Server {
    fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// The status of a POST with these headers.
    async fn post(&self, headers: &[(&str, &str)], body: String) -> u16 {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client
            .post(self.url())
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        tokio::time::timeout(DEADLINE, request.body(body).send()).await.unwrap().unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn only_who_has_the_token_comes_in() {
    let server = server(with_token()).await;
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(server.post(&[("authorization", &bearer)], initialize()).await, 200);
    assert_eq!(server.post(&[], initialize()).await, 401);
    for wrong in ["Bearer", "Bearer ", "Bearer x", TOKEN, &format!("Basic {TOKEN}"), &bearer[..bearer.len() - 1]] {
        assert_eq!(server.post(&[("authorization", wrong)], initialize()).await, 401, "{wrong}");
    }
    assert_eq!(server.post(&[("authorization", "Bearer x"), ("authorization", &bearer)], initialize()).await, 401);
}

#[tokio::test]
async fn a_page_in_a_browser_may_not_use_it() {
    let server = server(HttpOptions::default()).await;
    assert_eq!(server.post(&[], initialize()).await, 200);
    let port = server.address.port();
    for origin in ["https://evil.example", "null", "http://localhost", &format!("http://127.0.0.1:{port}")] {
        assert_eq!(server.post(&[("origin", origin)], initialize()).await, 403, "{origin}");
    }
    // The page's own name, pointed at this machine.
    for host in ["evil.example".to_owned(), format!("evil.example:{port}"), format!("127.0.0.1.evil.example:{port}")] {
        assert_eq!(server.post(&[("host", &host)], initialize()).await, 403, "{host}");
    }
}

#[tokio::test]
async fn a_page_that_is_listed_may_use_it() {
    let origins = vec!["https://page.example:443".to_owned()];
    let server = server(HttpOptions { origins, ..HttpOptions::default() }).await;
    assert_eq!(server.post(&[("origin", "https://page.example")], initialize()).await, 200);
    assert_eq!(server.post(&[("origin", "https://other.example")], initialize()).await, 403);
}

#[tokio::test]
async fn what_other_machines_reach_needs_a_token() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let server = McpServer::new(Sample::default(), ServerOptions::default());
    let error = serve_http(&server, listener, HttpOptions::default(), CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().contains("hint: listen on 127.0.0.1"), "{error}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = HttpOptions { token: Some("short".into()), ..HttpOptions::default() };
    let error = serve_http(&server, listener, options, CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, McpHttpError::WeakToken));
}

#[tokio::test]
async fn a_body_ends_at_its_limit() {
    let server = server(HttpOptions::default()).await;
    let ping = |bytes: usize| {
        let head = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":""#;
        format!("{head}{}\"}}}}", "x".repeat(bytes - head.len() - 3))
    };
    // There is no session, but it was read.
    assert_ne!(server.post(&[], ping(MESSAGE_BYTES_MAX)).await, 413);
    assert_eq!(server.post(&[], ping(MESSAGE_BYTES_MAX + 1)).await, 413);
    assert_eq!(server.post(&[], initialize()).await, 200);
}

/// The status of a request that is sent as it stands.
async fn raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    tokio::time::timeout(DEADLINE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_request_that_names_two_hosts_is_refused() {
    let server = server(HttpOptions::default()).await;
    let end = "accept: application/json, text/event-stream\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let request = |target: &str, hosts: &[&str]| {
        let hosts: String = hosts.iter().map(|host| format!("host: {host}\r\n")).collect();
        let body = initialize();
        format!("POST {target} HTTP/1.1\r\n{hosts}{end}content-length: {}\r\n\r\n{body}", body.len())
    };
    let whole = "http://localhost/mcp";
    for good in [request("/mcp", &["localhost"]), request(whole, &["LocalHost"])] {
        assert_eq!(raw(&server, &good).await, "HTTP/1.1 200", "{good}");
    }
    let two = ["localhost", "evil.example"];
    for bad in [request("/mcp", &two), request("/mcp", &["localhost", "localhost"]), request(whole, &["127.0.0.1"])] {
        assert_eq!(raw(&server, &bad).await, "HTTP/1.1 400", "{bad}");
    }
}

#[tokio::test]
async fn half_requests_on_all_connections_keep_nobody_out() {
    let server = server(HttpOptions::default()).await;
    let head = "POST /mcp HTTP/1.1\r\nhost: localhost\r\naccept: application/json, text/event-stream\r\n";
    let body = format!("{head}content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{");
    let mut held = Vec::new();
    // More than there are places; the later ones wait to be accepted.
    for index in 0..300 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let half = if index % 2 == 0 { head } else { &body };
        stream.write_all(half.as_bytes()).await.unwrap();
        held.push(stream);
    }
    let answered = tokio::time::timeout(Duration::from_secs(5), server.post(&[], initialize())).await;
    assert_eq!(answered.expect("it waits behind half requests"), 200);
}

#[tokio::test]
async fn what_is_no_protocol_is_a_fault_of_the_request() {
    let server = server(HttpOptions::default()).await;
    for body in ["", "hello", "[]", "{}", "{\"jsonrpc\":\"2.0\"}"] {
        let status = server.post(&[], body.to_owned()).await;
        assert!((400..500).contains(&status), "{body}: {status}");
    }
    let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{}}}"#, "[".repeat(100_000));
    assert!((400..500).contains(&server.post(&[], deep).await));
    assert_eq!(server.post(&[], initialize()).await, 200);
}

#[tokio::test]
async fn sessions_are_bounded() {
    let server = server(HttpOptions::default()).await;
    let mut statuses = Vec::new();
    for _ in 0..65 {
        statuses.push(server.post(&[], initialize()).await);
    }
    assert!(statuses[..64].iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(statuses[64], 503);
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused() {
    let server = server(HttpOptions::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!("POST /mcp HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(128 << 10));
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn the_hosts_own_client_calls_over_http_and_a_stop_ends_it() {
    let server = server(with_token()).await;
    let headers = [("Authorization".to_owned(), format!("Bearer {TOKEN}"))];
    let peer = McpPeer::connect_http("web", &server.url(), &headers, PeerLimits::default()).await.unwrap();
    let arguments = json!({ "text": "a" }).as_object().cloned().unwrap();
    let result = peer.call("web_echo", arguments, DEADLINE).await;
    assert_eq!(result, Ok(vec![Given::Json("{\"text\":\"a\"}".into())]));
    let (waiting, ()) = tokio::join!(peer.call("web_wait", Map::new(), Duration::from_secs(1)), async {
        while server.seen.running.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        server.stop.cancel();
    });
    waiting.unwrap_err();
    tokio::time::timeout(DEADLINE, server.serving).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_wrong_token_is_an_error_without_the_token() {
    let server = server(with_token()).await;
    let headers = [("Authorization".to_owned(), "Bearer my-secret".to_owned())];
    let error =
        McpPeer::connect_http("web", &server.url(), &headers, PeerLimits::default()).await.map(|_| ()).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("`web`") && !text.contains("my-secret"), "{text}");
}

/// A server that answers every request with these bytes, and gives each request that it saw.
async fn canned(answer: String) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = vec![0; 64 << 10];
            let length = stream.read(&mut seen).await.unwrap_or(0);
            let _ = sender.send(String::from_utf8_lossy(&seen[..length]).into_owned());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, receiver)
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let (elsewhere, mut seen) = canned("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()).await;
    let head = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n");
    let (url, _seen) = canned(head).await;
    let headers = [("X-Key".to_owned(), "my-secret".to_owned())];
    assert!(McpPeer::connect_http("web", &url, &headers, PeerLimits::default()).await.is_err());
    assert!(seen.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_over_the_limit_is_an_error_and_takes_no_memory() {
    let limits = PeerLimits { message_bytes_max: 10_000, begin_ms_max: 1_000, ..PeerLimits::default() };
    let server = json!({ "name": "test", "version": "1" });
    let body = |bytes: usize| {
        let result = json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": server, "instructions": "x".repeat(bytes),
        });
        json!({ "jsonrpc": "2.0", "id": 0, "result": result }).to_string()
    };
    let kinds = ["application/json", "text/event-stream"];
    for (kind, bytes, is_over) in kinds.into_iter().flat_map(|kind| [(kind, 10, false), (kind, 20_000, true)]) {
        let body = body(bytes);
        let body = if kind.starts_with("text") { format!("data: {body}\n\n") } else { body };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let (url, _seen) = canned(head).await;
        let error = McpPeer::connect_http("web", &url, &[], limits.clone()).await.map(|_| ()).unwrap_err().to_string();
        let is_named =
            error.contains("exceeded the maximum size of 10000 bytes") || error.contains("connection closed: init");
        assert_eq!(is_named, is_over, "{kind} of {bytes}: {error}");
    }
}

#[tokio::test]
async fn nobody_there_is_an_error_that_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    drop(listener);
    let error = McpPeer::connect_http("web", &url, &[], PeerLimits::default()).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().starts_with("`web` "), "{error}");
}
