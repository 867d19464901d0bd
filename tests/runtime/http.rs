//! Guests that were granted requests: what they reach, what they do not, and what servers cannot do to them.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use pi_host::capability::bindings::pi::tool::types::{Content, Error};
use pi_host::capability::door::Door;
use pi_host::capability::http::HttpState;
use pi_host::capability::secret::Secrets;
use pi_host::config::{HttpGrant, SecretsGrant};
use pi_host::gate::{Gate, InForce, Rego, RegoSource};
use pi_host::runtime::{CallLimits, Context, Grants, LinkedTool, Runtime};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::component::of_wasi;
use super::guest::{compiled, limits, linked, packed, runtime};
use crate::capability::bench::{Bench, files};

const TOKEN: &str = "s3cr3t-t0ken/+x";

/// A server that answers each request with these parts, and keeps what it was sent.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

/// What a server does behind its answer.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Close,
    /// Nothing: the connection stays open.
    Stall,
    /// One part again and again.
    Repeat,
}

impl Server {
    async fn answering(parts: &[&[u8]], then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (parts, kept) = (parts.clone(), Arc::clone(&kept));
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    let mut buffer = [0; 65_536];
                    while !is_whole(&head) {
                        match stream.read(&mut buffer).await {
                            Ok(0) | Err(_) => break,
                            Ok(read) => head.extend_from_slice(&buffer[..read]),
                        }
                    }
                    kept.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
                    let _ = stream.set_nodelay(true);
                    for part in &parts {
                        let _ = stream.write_all(part).await;
                        let _ = stream.flush().await;
                        tokio::task::yield_now().await;
                    }
                    match then {
                        Then::Close => {}
                        Then::Stall => std::future::pending().await,
                        Then::Repeat => while stream.write_all(parts.last().unwrap()).await.is_ok() {},
                    }
                });
            }
        });
        Self { port, seen }
    }

    async fn of(answer: &str) -> Self {
        Self::answering(&[answer.as_bytes()], Then::Close).await
    }

    fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// A grant of this server, with `more` keys.
    fn grant(&self, more: &str) -> HttpGrant {
        toml::from_str(&format!(
            "hosts = [{{ host = \"127.0.0.1\", port = {0}, scheme = \"http\", methods = [\"GET\", \"POST\"], paths = [\"/v1\"] }}]\nprivate = [\"127.0.0.1:{0}\"]\n{more}",
            self.port
        ))
        .unwrap()
    }

    fn ask(&self, path: &str) -> Value {
        json!({ "scheme": "http", "authority": self.authority(), "path": path })
    }
}

/// Whether a request is all there: its head, and as much of a body as that says.
fn is_whole(bytes: &[u8]) -> bool {
    // A handshake of TLS: its first record is enough.
    if bytes.first() == Some(&0x16) {
        return bytes.len() > 100;
    }
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}

/// Where the certificates of the tests are; `make.sh` there makes them.
fn certificates() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/runtime/certificates"))
}

/// A server of TLS with this certificate, which says hello in it; and its address by the name `localhost`.
async fn secure(certificate: &str) -> (String, Arc<Mutex<Vec<String>>>) {
    let certificate = CertificateDer::from_pem_file(certificates().join(certificate)).unwrap();
    let key = PrivateKeyDer::from_pem_file(certificates().join("server.key")).unwrap();
    let mut config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = format!("localhost:{}", listener.local_addr().unwrap().port());
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
            while !is_whole(&head) {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => head.extend_from_slice(&buffer[..read]),
                }
            }
            kept.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
            let _ = stream.write_all(HELLO.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (authority, seen)
}

/// A grant of this server over https, with `more` keys of its entry.
fn secure_grant(authority: &str, more: &str) -> HttpGrant {
    toml::from_str(&format!("hosts = [{{ host = \"{authority}\"{more} }}]\nprivate = [\"{authority}\"]\n")).unwrap()
}

async fn with(grant: &HttpGrant) -> LinkedTool {
    let state = HttpState::new(grant, &certificates(), Vec::new(), Arc::default()).unwrap();
    linked("http", Grants { http: Some(Arc::new(state)), ..Grants::default() }).await
}

/// The secret `token`, bound to this server.
fn secrets(bench: &Bench, hosts: &[String], form: &str) -> Secrets {
    let file = bench.file("secrets/token", format!("{TOKEN}\n"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = format!("[token]\nfile = \"secrets/token\"\nhosts = {hosts:?}\nas = {form}\n");
    Secrets::load(&toml::from_str(&config).unwrap(), &bench.project()).unwrap()
}

async fn with_secret(grant: &HttpGrant, secrets: &Secrets) -> LinkedTool {
    let granted = secrets.granted(&SecretsGrant { names: vec!["token".into()] }).unwrap();
    let state = HttpState::new(grant, &certificates(), granted, secrets.scan()).unwrap();
    linked("http", Grants { http: Some(Arc::new(state)), has_secrets: true, ..Grants::default() }).await
}

async fn call_behind(door: Door, guest: &LinkedTool, name: &str, arguments: &Value) -> Result<Value, String> {
    let limits = CallLimits { call_ms_max: 20_000, host_calls_max: 100_000, ..limits() };
    let context = Context { door, limits, tools: None, session: None, said: 0, determinism: None };
    match runtime().call_tool(guest, context, name, &arguments.to_string()).await {
        Ok(parts) => match parts.as_slice() {
            [Content::Json(text)] => Ok(serde_json::from_str(text).unwrap()),
            [Content::Text(text)] => Ok(text.clone().into()),
            other => panic!("{other:?}"),
        },
        Err(Error::Failed(text)) => Err(text),
        Err(other) => panic!("{other:?}"),
    }
}

async fn request(bench: &Bench, guest: &LinkedTool, arguments: &Value) -> Result<Value, String> {
    call_behind(bench.door(), guest, "request", arguments).await
}

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello";

#[tokio::test]
async fn a_granted_request_is_sent_and_journalled() {
    let bench = Bench::new().await;
    let server = Server::of(HELLO).await;
    let guest = with(&server.grant("")).await;
    let mut ask = server.ask("/v1/x?a=b");
    ask["headers"] = json!([["X-Mine", "private value"]]);
    let answer = request(&bench, &guest, &ask).await.unwrap();
    assert_eq!((&answer["status"], &answer["body"]), (&json!(200), &json!("hello")));
    let seen = server.seen().remove(0);
    assert!(seen.starts_with("GET /v1/x?a=b HTTP/1.1\r\n"), "{seen}");
    assert!(
        seen.contains(&format!("host: {}\r\n", server.authority())) && seen.contains("x-mine: private value"),
        "{seen}"
    );
    let url = format!("http://{}/v1/x?a=b", server.authority());
    assert_eq!(bench.acts().await, [format!("started: request `GET {url}`"), "ended: Done".into()]);
    let details = bench.details().await;
    assert_eq!(
        (&details[0]["status"], &details[0]["response_bytes"], &details[0]["is_whole"]),
        (&json!(200), &json!(5), &json!(true))
    );
}

#[tokio::test]
async fn a_body_is_sent_as_a_stream_and_counted() {
    let bench = Bench::new().await;
    let server = Server::of(HELLO).await;
    let guest = with(&server.grant("request_bytes_max = 8192\n")).await;
    let mut ask = server.ask("/v1");
    ask["method"] = "POST".into();
    ask["body_bytes"] = 8192.into();
    request(&bench, &guest, &ask).await.unwrap();
    assert_eq!(bench.details().await[0]["request_bytes"], 8192);
    ask["body_bytes"] = (8192 + 4096).into();
    let error = request(&bench, &guest, &ask).await.unwrap_err();
    assert!(error.contains("HttpRequestBodySize"), "{error}");
}

#[tokio::test]
async fn what_is_not_granted_is_not_sent_and_the_line_is_named() {
    let bench = Bench::new().await;
    let server = Server::of(HELLO).await;
    let guest = with(&server.grant("")).await;
    let mut asks = vec![
        (
            json!({ "authority": "api.example.com", "path": "/" }),
            "add { host = \"api.example.com\", methods = [\"GET\"] }",
        ),
        (json!({ "authority": server.authority(), "path": "/v1" }), "the host is not"),
        (server.ask("/v2"), "the path is not"),
        (server.ask("/v1x"), "the path is not"),
        (server.ask("/v1/../admin"), "segment `.` or `..`"),
        (server.ask("/v1/%2e%2e/admin"), "segment `.` or `..`"),
        (json!({ "scheme": "http", "authority": format!("x@{}", server.authority()), "path": "/v1" }), "a user's name"),
        (
            json!({ "scheme": "http", "authority": format!("{}@evil.example", server.authority()), "path": "/v1" }),
            "refused",
        ),
        (
            json!({ "scheme": "http", "authority": format!("0x7f.1:{}", server.port), "path": "/v1" }),
            "more than one way",
        ),
        (json!({ "scheme": "http", "authority": "169.254.169.254", "path": "/v1" }), "the host is not"),
    ];
    for method in ["DELETE", "CONNECT", "TRACE", "get"] {
        let mut ask = server.ask("/v1");
        ask["method"] = method.into();
        asks.push((ask, "the method is not"));
    }
    let mut refused = 0;
    for (ask, expected) in asks {
        let error = request(&bench, &guest, &ask).await.unwrap_err();
        let is_no_request = error.contains("refused by the request itself");
        assert!(error.contains(expected) || is_no_request, "{ask}: {error}");
        refused += usize::from(!is_no_request);
    }
    assert!(server.seen().is_empty());
    // Each attempt is in the journal, as what was refused.
    let acts = bench.acts().await;
    assert!(refused >= 10 && acts.len() == refused, "{refused} {acts:?}");
    assert!(acts.iter().all(|act| act.starts_with("refused: request `")), "{acts:?}");
    assert!(acts.iter().any(|act| act.contains("/v1/../admin`")), "{acts:?}");
    let journal = bench.journal_text().await;
    assert!(journal.contains("\"rules\":[\"not_granted\"]") && journal.contains("\"unclear_address\""), "{journal}");
    assert!(journal.contains("add { host = \\\"api.example.com\\\", methods"), "{journal}");
}

#[tokio::test]
async fn a_refused_address_without_end_fills_no_journal() {
    let bench = Bench::new().await;
    let server = Server::of(HELLO).await;
    let guest = with(&server.grant("requests_max = 3\n")).await;
    let mut ask = server.ask(&format!("/v1/../{}", "x".repeat(30_000)));
    ask["method"] = "X".repeat(32).into();
    for _ in 0..2 {
        let error = request(&bench, &guest, &ask).await.unwrap_err();
        assert!(error.contains("longer than 8192 bytes") && error.len() < 600, "{error}");
    }
    let journal = bench.journal_text().await;
    assert!(journal.contains("/v1/../xxx") && journal.len() < 20_000, "{}", journal.len());
    ask["method"] = "X".repeat(33).into();
    let error = request(&bench, &guest, &ask).await.unwrap_err();
    assert!(error.contains("HttpRequestMethodInvalid"), "{error}");
    assert_eq!(bench.journal_text().await, journal);
}

#[tokio::test]
async fn a_private_address_is_reached_only_where_it_is_named() {
    let bench = Bench::new().await;
    let server = Server::of(HELLO).await;
    for private in
        [String::new(), format!("127.0.0.1:{}", server.port.wrapping_add(1)), format!("localhost:{}", server.port)]
    {
        let grant = HttpGrant { private: Vec::from_iter((!private.is_empty()).then_some(private)), ..server.grant("") };
        let error = request(&bench, &with(&grant).await, &server.ask("/v1")).await.unwrap_err();
        assert!(error.contains("not of the public internet (loopback)") && error.contains("`private`"), "{error}");
        assert_eq!(bench.acts().await.last().unwrap(), "ended: Refused");
    }
    // Also by a name that the system resolves to it.
    let hosts = toml::from_str::<HttpGrant>(&format!(
        "hosts = [{{ host = \"localhost\", port = {}, scheme = \"http\" }}]",
        server.port
    ));
    let guest = with(&hosts.unwrap()).await;
    let ask = json!({ "scheme": "http", "authority": format!("localhost:{}", server.port), "path": "/" });
    let error = request(&bench, &guest, &ask).await.unwrap_err();
    assert!(error.contains("(loopback)"), "{error}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn the_metadata_service_is_not_reached_by_a_redirect_either() {
    let bench = Bench::new().await;
    let server =
        Server::of("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n").await;
    let guest = with(&server.grant("")).await;
    let answer = request(&bench, &guest, &server.ask("/v1")).await.unwrap();
    assert_eq!(answer["status"], 302);
    let error = call_behind(bench.door(), &guest, "follow", &server.ask("/v1")).await.unwrap_err();
    assert!(error.contains("`GET http://169.254.169.254/latest/` is not granted"), "{error}");
    // And were it granted by its address, it would be no address of the public internet.
    let mut grant = server.grant("");
    grant.hosts.extend(
        toml::from_str::<HttpGrant>("hosts = [{ host = \"169.254.169.254\", scheme = \"http\" }]").unwrap().hosts,
    );
    let error = call_behind(bench.door(), &with(&grant).await, "follow", &server.ask("/v1")).await.unwrap_err();
    assert!(error.contains("link-local, where clouds hand out credentials"), "{error}");
}

#[tokio::test]
async fn a_refusal_by_rule_reaches_the_guest_as_text_and_nothing_is_sent() {
    let bench = Bench::new().await;
    let server = Server::of(HELLO).await;
    let guest = with(&server.grant("")).await;
    let rego = Rego::compile(&[RegoSource {
        file: "mine.rego",
        text: "package pi.http_request\ndeny contains {\"id\": \"no_post\", \"reason\": \"nothing goes out\"} if input.action.method == \"POST\"\n",
    }]);
    let gate = Arc::new(InForce::new(Gate::builtin().with_rego(rego.unwrap()).unwrap(), None));
    let door = || bench.door_of(Arc::clone(&gate));
    let mut ask = server.ask("/v1");
    assert!(call_behind(door(), &guest, "request", &ask).await.is_ok());
    ask["method"] = "POST".into();
    ask["body"] = "a=b".into();
    let error = call_behind(door(), &guest, "request", &ask).await.unwrap_err();
    assert!(error.starts_with("refused by rule `no_post`: nothing goes out"), "{error}");
    assert_eq!(server.seen().len(), 1);
    assert!(bench.acts().await.last().unwrap().starts_with("refused: request `POST http://127.0.0.1"));
}

#[tokio::test]
async fn a_method_that_was_granted_at_a_host_is_not_asked_about_and_its_risk_is_shown() {
    let bench = Bench::new().await;
    let server = Server::of(HELLO).await;
    let builtin = || bench.door_of(Arc::new(InForce::new(Gate::builtin(), None)));
    let guest = with(&server.grant("")).await;
    let mut ask = server.ask("/v1");
    ask["method"] = "POST".into();
    ask["body"] = "a=b".into();
    assert!(call_behind(builtin(), &guest, "request", &ask).await.is_ok());
    let journal = bench.journal_text().await;
    assert!(journal.contains("\"is_granted\":true") && journal.contains("\"risk\":45"), "{journal}");
    // What stands below a name is not named: nobody has said that this host may be written to.
    let grant: HttpGrant = toml::from_str("hosts = [{ host = \"*.example.com\", methods = [\"POST\"] }]").unwrap();
    let ask = json!({ "authority": "a.example.com", "path": "/v1", "method": "POST", "body": "a=b" });
    let error = call_behind(builtin(), &with(&grant).await, "request", &ask).await.unwrap_err();
    assert!(error.starts_with("refused by rule `network_upload`: it sends something out"), "{error}");
}

#[tokio::test]
async fn makes_no_more_requests_than_it_may() {
    let bench = Bench::new().await;
    let server = Server::of(HELLO).await;
    let guest = with(&server.grant("requests_max = 3\n")).await;
    let mut ask = server.ask("/v1");
    ask["count"] = 3.into();
    assert!(call_behind(bench.door(), &guest, "repeat", &ask).await.is_ok());
    ask["count"] = 4.into();
    let error = call_behind(bench.door(), &guest, "repeat", &ask).await.unwrap_err();
    assert!(error.contains("after 3") && error.contains("the 3 requests that it may"), "{error}");
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn reads_no_more_than_it_may_whether_it_was_announced_or_not() {
    let bench = Bench::new().await;
    let body = "x".repeat(1_000);
    let server = Server::of(&format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{body}")).await;
    let read = async |most: u32| {
        request(&bench, &with(&server.grant(&format!("response_bytes_max = {most}\n"))).await, &server.ask("/v1")).await
    };
    assert_eq!(read(1_000).await.unwrap()["bytes"], 1_000);
    let error = read(999).await.unwrap_err();
    assert!(error.contains("HttpResponseBodySize"), "{error}");
    let endless = Server::answering(&[b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 1_000]], Then::Repeat).await;
    let guest = with(&endless.grant("response_bytes_max = 100000\n")).await;
    let error = request(&bench, &guest, &endless.ask("/v1")).await.unwrap_err();
    assert!(error.contains("body size exceeds limit"), "{error}");
}

#[tokio::test]
async fn a_server_that_stalls_or_drips_is_left() {
    let bench = Bench::new().await;
    for parts in [&[][..], &[&b"HTTP/1.1 200 OK\r\nX-"[..]], &[b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"x"]]
    {
        let server = Server::answering(parts, Then::Stall).await;
        let guest = with(&server.grant("timeout_ms_max = 300\n")).await;
        let error = request(&bench, &guest, &server.ask("/v1")).await.unwrap_err();
        assert!(error.to_lowercase().contains("timeout") || error.contains("timed out"), "{error}");
    }
    // Informational answers without end are no answer.
    let server = Server::answering(&[b"HTTP/1.1 103 Early Hints\r\n\r\n"], Then::Repeat).await;
    let guest = with(&server.grant("timeout_ms_max = 300\n")).await;
    assert!(request(&bench, &guest, &server.ask("/v1")).await.is_err());
}

#[tokio::test]
async fn an_answer_that_breaks_the_rules_of_http_is_an_error() {
    let bench = Bench::new().await;
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-A: b\r\n".repeat(200));
    let long = format!("HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n", "x".repeat(100_000));
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX A: b\r\n\r\n",
        "",
        &many,
        &long,
    ] {
        let server = Server::of(answer).await;
        let answered = request(&bench, &with(&server.grant("")).await, &server.ask("/v1")).await;
        assert!(answered.is_err(), "{}: {answered:?}", answer.chars().take(80).collect::<String>());
    }
}

#[tokio::test]
async fn headers_that_are_the_hosts_to_write_cannot_be_written() {
    let bench = Bench::new().await;
    let server = Server::of(HELLO).await;
    let guest = with(&server.grant("")).await;
    for (name, value) in [
        ("Host", "evil.example"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Proxy-Authorization", "x"),
        ("Proxy-Anything", "x"),
        ("TE", "trailers"),
        ("Expect", "100-continue"),
        ("X-A", "a\r\nHost: evil.example"),
        ("X-A", "a\nb"),
        ("X-A\r\nHost", "a"),
        ("Content-Length", "+5"),
        ("Content-Length", "5"),
    ] {
        let mut ask = server.ask("/v1");
        ask["headers"] = json!([[name, value]]);
        let error = request(&bench, &guest, &ask).await;
        assert!(error.is_err(), "{name}: {error:?}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn over_https_the_host_is_named_and_nothing_is_sent_to_who_does_not_prove_to_be_it() {
    let bench = Bench::new().await;
    let server = Server::of(HELLO).await;
    let authority = format!("localhost:{}", server.port);
    let grant = format!("hosts = [\"{authority}\"]\nprivate = [\"{authority}\"]\n");
    let secrets = secrets(&bench, std::slice::from_ref(&authority), "{ header = \"Authorization\" }");
    let guest = with_secret(&toml::from_str(&grant).unwrap(), &secrets).await;
    let ask = json!({ "authority": authority, "path": "/path" });
    let error = request(&bench, &guest, &ask).await.unwrap_err();
    assert!(error.contains("TlsProtocolError"), "{error}");
    let seen = server.seen().remove(0);
    assert!(seen.contains("localhost") && seen.contains("http/1.1"), "{seen}");
    assert!(!seen.contains("/path") && !seen.contains(TOKEN), "{seen}");
}

#[tokio::test]
async fn over_https_a_request_arrives_where_the_operator_believes_the_authority() {
    let bench = Bench::new().await;
    let (authority, seen) = secure("server.pem").await;
    let ask = json!({ "authority": authority, "path": "/v1?a=b" });
    let secrets = secrets(&bench, std::slice::from_ref(&authority), "{ header = \"X-Key\" }");
    let grant = secure_grant(&authority, ", ca_file = \"authority.pem\"");
    let answer = request(&bench, &with_secret(&grant, &secrets).await, &ask).await.unwrap();
    assert_eq!((&answer["status"], &answer["body"]), (&json!(200), &json!("hello")));
    let head = seen.lock().unwrap().remove(0);
    assert!(head.starts_with("GET /v1?a=b HTTP/1.1\r\n") && head.contains(&format!("x-key: {TOKEN}\r\n")), "{head}");
    assert!(head.contains(&format!("host: {authority}\r\n")), "{head}");
    assert_eq!(bench.acts().await[1], "ended: Done");
}

#[tokio::test]
async fn over_https_who_does_not_prove_to_be_the_host_gets_nothing_and_the_cause_is_told() {
    let bench = Bench::new().await;
    for (certificate, more, cause, hint) in [
        ("server.pem", "", "UnknownIssuer", "hint: if an authority of your own"),
        ("server.pem", ", ca_file = \"other_authority.pem\"", "UnknownIssuer", "`ca_file = \"path.pem\"` in `hosts`"),
        (
            "of_other_name.pem",
            ", ca_file = \"authority.pem\"",
            "other.example",
            "hint: request a name that the certificate is for",
        ),
        ("expired.pem", ", ca_file = \"authority.pem\"", "expired", "hint: the server needs a new certificate"),
    ] {
        let (authority, seen) = secure(certificate).await;
        let guest = with(&secure_grant(&authority, more)).await;
        let error = request(&bench, &guest, &json!({ "authority": authority, "path": "/" })).await.unwrap_err();
        let refused = format!("`{authority}` did not prove to be it");
        assert!(error.contains(&refused) && error.contains(cause) && error.contains(hint), "{certificate}: {error}");
        assert!(seen.lock().unwrap().is_empty());
        let journalled = bench.details().await.pop().unwrap()["error"].to_string();
        assert!(journalled.contains(cause), "{journalled}");
    }
}

#[tokio::test]
async fn an_authority_is_believed_about_its_host_alone() {
    let bench = Bench::new().await;
    let ((known, _), (other, _)) = (secure("server.pem").await, secure("server.pem").await);
    let grant: HttpGrant = toml::from_str(&format!(
        "hosts = [{{ host = \"{known}\", ca_file = \"authority.pem\" }}, \"{other}\"]\nprivate = [\"{known}\", \"{other}\"]\n"
    ))
    .unwrap();
    let guest = with(&grant).await;
    assert!(request(&bench, &guest, &json!({ "authority": known, "path": "/" })).await.is_ok());
    let error = request(&bench, &guest, &json!({ "authority": other, "path": "/" })).await.unwrap_err();
    assert!(error.contains("UnknownIssuer"), "{error}");
}

#[tokio::test]
async fn nothing_is_decoded() {
    let bench = Bench::new().await;
    let server = Server::of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello").await;
    let answer = request(&bench, &with(&server.grant("")).await, &server.ask("/v1")).await.unwrap();
    assert_eq!(answer["body"], "hello");
}

#[tokio::test]
async fn a_secret_goes_to_its_host_in_place_of_what_the_guest_wrote() {
    let bench = Bench::new().await;
    let server = Server::of(HELLO).await;
    for (form, expected) in [
        ("{ header = \"Authorization\", value = \"Bearer {}\" }", format!("authorization: Bearer {TOKEN}\r\n")),
        ("{ header = \"X-Key\" }", format!("x-key: {TOKEN}\r\n")),
        ("{ query = \"key\" }", "GET /v1?a=b&key=s3cr3t-t0ken%2F%2Bx HTTP/1.1".into()),
        ("{ basic = \"me\" }", "authorization: Basic bWU6czNjcjN0LXQwa2VuLyt4\r\n".into()),
    ] {
        let secrets = secrets(&bench, &[server.authority()], form);
        let guest = with_secret(&server.grant(""), &secrets).await;
        let mut ask = server.ask("/v1?key=mine&a=b");
        ask["headers"] = json!([["Authorization", "mine"], ["X-Key", "mine"]]);
        request(&bench, &guest, &ask).await.unwrap();
        let seen = server.seen().pop().unwrap();
        assert!(seen.contains(&expected), "{seen}");
        let own = if form.contains("query") {
            "key=mine"
        } else if form.contains("X-Key") {
            "x-key: mine"
        } else {
            "authorization: mine"
        };
        assert!(!seen.contains(own), "{seen}");
    }
    let journal = bench.journal_text().await;
    assert!(
        journal.contains("\"secrets\":[\"token\"]") && !journal.contains(TOKEN) && !journal.contains("czNjcjN0"),
        "{journal}"
    );
}

#[tokio::test]
async fn a_secret_goes_nowhere_else() {
    let bench = Bench::new().await;
    let (server, other) = (Server::of(HELLO).await, Server::of(HELLO).await);
    let form = "{ header = \"Authorization\", value = \"Bearer {}\" }";
    for hosts in [vec![other.authority()], vec!["127.0.0.1".into()], vec![format!("localhost:{}", server.port)]] {
        let secrets = secrets(&bench, &hosts, form);
        let guest = with_secret(&server.grant(""), &secrets).await;
        request(&bench, &guest, &server.ask("/v1")).await.unwrap();
        let seen = server.seen().pop().unwrap();
        assert!(!seen.to_lowercase().contains("authorization"), "{hosts:?}: {seen}");
    }
}

#[tokio::test]
async fn a_secret_that_a_server_sends_back_does_not_reach_the_guest() {
    let bench = Bench::new().await;
    let parts: [&[u8]; 5] = [
        b"HTTP/1.1 200 OK\r\nX-Echo: Bearer s3cr3t-t0ken/+x\r\nContent-Length: 69\r\n\r\n",
        b"one s3cr3t-",
        b"t0ken/",
        b"+x two \"s3cr3t-t0ken\\/+x\" three ",
        b"czNjcjN0LXQwa2VuLyt4",
    ];
    let server = Server::answering(&parts, Then::Close).await;
    let secrets = secrets(&bench, &[server.authority()], "{ header = \"Authorization\", value = \"Bearer {}\" }");
    let guest = with_secret(&server.grant(""), &secrets).await;
    let answer = request(&bench, &guest, &server.ask("/v1")).await.unwrap();
    assert!(
        answer["body"].as_str().unwrap().starts_with("one [secret token] two \"[secret token]\" three [secret token]"),
        "{answer}"
    );
    assert!(answer["headers"].to_string().contains("Bearer [secret token]"), "{answer}");
    assert_eq!(bench.details().await[0]["secrets_hidden"], 4);
    let packed = Server::of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx").await;
    let secrets = self::secrets(&bench, &[packed.authority()], "{ header = \"Authorization\" }");
    let error = request(&bench, &with_secret(&packed.grant(""), &secrets).await, &packed.ask("/v1")).await.unwrap_err();
    assert!(error.contains("HttpResponseContentCoding"), "{error}");
    assert!(packed.seen()[0].contains("accept-encoding: identity"));
}

#[tokio::test]
async fn a_secret_that_a_guest_has_found_is_not_sent() {
    let bench = Bench::new().await;
    let server = Server::of(HELLO).await;
    let secrets = secrets(&bench, &["api.example.com".into()], "{ header = \"Authorization\" }");
    let guest = with_secret(&server.grant(""), &secrets).await;
    let (mut header, mut body) = (server.ask("/v1"), server.ask("/v1"));
    header["headers"] = json!([["X-A", TOKEN]]);
    body["method"] = "POST".into();
    body["body"] = format!("a{TOKEN}b").into();
    let asks = [server.ask(&format!("/v1?a={TOKEN}")), server.ask("/v1?a=czNjcjN0LXQwa2VuLyt4"), header, body];
    for ask in asks {
        let error = request(&bench, &guest, &ask).await.unwrap_err();
        assert!(error.contains("holds the value of a secret"), "{ask}: {error}");
    }
    assert!(server.seen().iter().all(|seen| !seen.contains(TOKEN)));
    let acts = bench.acts().await;
    assert_eq!(acts.iter().filter(|act| act.starts_with("refused: ")).count(), 3, "{acts:?}");
    let journal = bench.journal_text().await;
    assert!(journal.contains("\"secret_in_request\"") && !journal.contains(TOKEN), "{journal}");
}

#[tokio::test]
async fn a_header_whose_name_holds_a_secret_reaches_neither_the_server_nor_the_guest() {
    let bench = Bench::new().await;
    let hex: String = TOKEN.bytes().map(|byte| format!("{byte:02x}")).collect();
    let server = Server::of(&format!("HTTP/1.1 200 OK\r\nX-{hex}: b\r\nX-Other: c\r\nContent-Length: 0\r\n\r\n")).await;
    let secrets = secrets(&bench, &["api.example.com".into()], "{ header = \"Authorization\" }");
    let guest = with_secret(&server.grant(""), &secrets).await;
    let answer = request(&bench, &guest, &server.ask("/v1")).await.unwrap();
    let headers = answer["headers"].to_string();
    assert!(headers.contains("x-other") && !headers.contains(&hex), "{headers}");
    assert_eq!(bench.details().await[0]["secrets_hidden"], 1);
    let mut ask = server.ask("/v1");
    ask["headers"] = json!([[format!("X-{hex}"), "b"]]);
    let error = request(&bench, &guest, &ask).await.unwrap_err();
    assert!(error.contains("holds the value of a secret"), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_secret_that_a_tool_has_found_is_in_nothing_that_it_says() {
    let bench = Bench::new().await;
    bench.file("f", format!("a {TOKEN} b czNjcjN0LXQwa2VuLyt4 c"));
    let secrets = secrets(&bench, &["api.example.com".into()], "{ header = \"Authorization\" }");
    let runtime = Runtime::with_instances(None, 4).unwrap().with_scan(secrets.scan());
    let files = Arc::new(files(&["."], &[], &bench.project()));
    let compiled = runtime.load(&packed("files")).await.unwrap();
    let guest = runtime.link_tool(&compiled, Grants { files: Some(files), ..Grants::default() }).unwrap();
    let context =
        Context { door: bench.door(), limits: limits(), tools: None, session: None, said: 0, determinism: None };
    let said = runtime.call_tool(&guest, context, "open", &json!({ "path": "f" }).to_string()).await;
    assert_eq!(said, Ok(vec![Content::Text("a [secret token] b [secret token] c".into())]));
    let context =
        Context { door: bench.door(), limits: limits(), tools: None, session: None, said: 0, determinism: None };
    let path = json!({ "path": format!("/{TOKEN}") }).to_string();
    let Err(Error::Failed(text)) = runtime.call_tool(&guest, context, "open", &path).await else { panic!() };
    assert!(text.contains("[secret token]") && !text.contains(TOKEN), "{text}");
}

#[tokio::test]
async fn what_was_granted_and_not_declared_is_an_error() {
    let grants = Grants { has_secrets: true, ..Grants::default() };
    let error = runtime().link_tool(&compiled("files").await, grants).err().unwrap().to_string();
    assert!(error.contains("granted `secrets`, and its manifest does not ask for it"), "{error}");
}

#[tokio::test]
async fn a_guest_of_any_version_0_2_of_wasi_is_linked_and_sends_its_request() {
    let bench = Bench::new().await;
    let server = Server::of(HELLO).await;
    let state = Arc::new(HttpState::new(&server.grant(""), &certificates(), Vec::new(), Arc::default()).unwrap());
    let guest = packed("http");
    for patch in 0..=12 {
        let version = format!("0.2.{patch}");
        let bytes = of_wasi(&guest, &version);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(text.contains(&format!("wasi:http/outgoing-handler@{version}")), "{version}");
        let compiled = runtime().load(&bytes).await.unwrap_or_else(|error| panic!("{version}: {error}"));
        let grants = Grants { http: Some(Arc::clone(&state)), ..Grants::default() };
        let linked = runtime().link_tool(&compiled, grants).unwrap_or_else(|error| panic!("{version}: {error}"));
        let answer = request(&bench, &linked, &server.ask("/v1")).await.unwrap();
        assert_eq!(answer["body"], "hello", "{version}");
        // Without the grant it is refused as every other.
        let error = runtime().link_tool(&compiled, Grants::default()).err().unwrap().to_string();
        assert!(error.contains("which is not granted"), "{version}: {error}");
    }
}
