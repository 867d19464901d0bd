//! A Slack on this host, for tests: Web API, Socket Mode and signed HTTP, as far as approvals use them.
//!
//! It holds messages and their versions, checks tokens and the limits of Block Kit as Slack does, sends
//! clicks on the buttons that a message really has, and fails on demand. It knows nothing of the
//! project: what it checks it checks against Slack's documentation, signatures included. Every wait
//! ends with a panic that says what was waited for.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "it is used by tests"
)]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::{SinkExt, StreamExt};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response as Handshake};

pub(crate) const BOT_TOKEN: &str = "xoxb-loopback-bot-token";
pub(crate) const APP_TOKEN: &str = "xapp-loopback-app-token";
pub(crate) const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
/// The channel that the bot is in, and one that it is not in.
pub(crate) const CHANNEL: &str = "C0OPS";
pub(crate) const FOREIGN_CHANNEL: &str = "C0FOREIGN";
/// What the web socket's URL carries, and nobody may tell.
const TICKET: &str = "secret-ticket-of-the-socket";
/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a method fails, once.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// `{"ok": false, "error": CODE}`.
    Error(&'static str),
    Status(u16),
    /// 429 with `Retry-After`.
    Limited(u64),
    Redirect(String),
    /// A body that is no JSON.
    Garbage,
    /// No answer, until the client gives up.
    Silence,
}

/// A request to the Web API.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) body: Value,
}

/// A message with all its versions, the last one being what people see.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) channel: String,
    pub(crate) ts: String,
    pub(crate) versions: Vec<Value>,
}

/// What one person alone was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) user: String,
    pub(crate) text: String,
}

/// A file that was brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uploaded {
    pub(crate) name: String,
    pub(crate) alternative: String,
    pub(crate) bytes: Vec<u8>,
    /// The message in whose thread it is shown. Empty: nowhere yet.
    pub(crate) thread: String,
}

#[derive(Default)]
struct Inner {
    /// With the length that was announced.
    files: BTreeMap<String, (usize, Uploaded)>,
    url: String,
    socket_url: String,
    calls: Vec<Call>,
    messages: BTreeMap<String, Posted>,
    told: Vec<Told>,
    faults: HashMap<String, VecDeque<Fault>>,
    is_down: bool,
    is_mute: bool,
    is_deaf: bool,
    pings: usize,
    scopes: String,
    connections: usize,
    socket: Option<mpsc::UnboundedSender<Message>>,
    acknowledged: Vec<String>,
    pongs: usize,
    number: usize,
    respondents: HashMap<String, String>,
}

/// A running Slack. It ends with the runtime of its test.
#[derive(Clone)]
pub(crate) struct LoopbackSlack {
    inner: Arc<Mutex<Inner>>,
    changed: Arc<watch::Sender<()>>,
}

impl LoopbackSlack {
    pub(crate) async fn start() -> Self {
        let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Inner {
            url: format!("http://{}", web.local_addr().unwrap()),
            socket_url: format!("ws://{}", socket.local_addr().unwrap()),
            scopes: "chat:write,users:read".into(),
            ..Inner::default()
        };
        let slack = Self { inner: Arc::new(Mutex::new(inner)), changed: Arc::new(watch::channel(()).0) };
        let router = Router::new()
            .route("/api/{method}", post(called))
            .route("/respond/{number}", post(responded))
            .route("/upload/{id}", post(uploaded))
            .with_state(slack.clone());
        tokio::spawn(async move { axum::serve(web, router).await.unwrap() });
        let sockets = slack.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = socket.accept().await.unwrap();
                tokio::spawn(connected(sockets.clone(), stream));
            }
        });
        slack
    }

    /// The base of the Web API.
    pub(crate) fn api_url(&self) -> String {
        format!("{}/api", self.lock().url)
    }

    /// Let the next call of the method fail, and those after it as they were scripted.
    pub(crate) fn fail(&self, method: &str, fault: Fault) {
        self.lock().faults.entry(method.into()).or_default().push_back(fault);
    }

    /// Every call is answered with 503 and every web socket breaks, until [`Self::up`].
    pub(crate) fn down(&self) {
        let mut inner = self.lock();
        inner.is_down = true;
        inner.socket = None;
        drop(inner);
        self.tell();
    }

    pub(crate) fn up(&self) {
        self.lock().is_down = false;
        self.tell();
    }

    /// Web sockets are accepted and then nothing is sent, not even an answer to a ping.
    pub(crate) fn mute(&self) {
        self.lock().is_mute = true;
    }

    /// Web sockets are greeted, and then nothing that comes over them is read.
    pub(crate) fn deafen(&self) {
        self.lock().is_deaf = true;
    }

    /// What the bot's token may do.
    pub(crate) fn grant(&self, scopes: &str) {
        self.lock().scopes = scopes.into();
    }

    pub(crate) fn calls(&self, method: &str) -> Vec<Call> {
        self.lock().calls.iter().filter(|call| call.method == method).cloned().collect()
    }

    pub(crate) fn messages(&self) -> Vec<Posted> {
        self.lock().messages.values().cloned().collect()
    }

    /// The files that are shown somewhere.
    pub(crate) fn files(&self) -> Vec<Uploaded> {
        self.lock().files.values().map(|(_, file)| file.clone()).filter(|file| !file.thread.is_empty()).collect()
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.lock().told.clone()
    }

    pub(crate) fn acknowledged(&self) -> Vec<String> {
        self.lock().acknowledged.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.lock().connections
    }

    /// Wait until so many web sockets were greeted since the start.
    pub(crate) async fn wait_connections(&self, count: usize) {
        self.wait(&format!("web socket {count}"), |inner| {
            (inner.connections >= count && inner.socket.is_some()).then_some(())
        })
        .await;
    }

    pub(crate) async fn wait_calls(&self, method: &str, count: usize) -> Vec<Call> {
        self.wait(&format!("call {count} of {method}"), |inner| {
            let calls: Vec<Call> = inner.calls.iter().filter(|call| call.method == method).cloned().collect();
            (calls.len() >= count).then_some(calls)
        })
        .await
    }

    /// Wait until the message's last version holds the text.
    pub(crate) async fn wait_message(&self, ts: &str, text: &str) -> Value {
        self.wait(&format!("a message with `{text}`"), |inner| {
            let version = inner.messages.get(ts)?.versions.last()?.clone();
            version.to_string().contains(text).then_some(version)
        })
        .await
    }

    pub(crate) async fn wait_told(&self, count: usize) -> Vec<Told> {
        self.wait(&format!("ephemeral message {count}"), |inner| {
            (inner.told.len() >= count).then(|| inner.told.clone())
        })
        .await
    }

    pub(crate) async fn wait_pongs(&self, count: usize) {
        self.wait(&format!("pong {count}"), |inner| (inner.pongs >= count).then_some(())).await;
    }

    pub(crate) async fn wait_pings(&self, count: usize) {
        self.wait(&format!("ping {count}"), |inner| (inner.pings >= count).then_some(())).await;
    }

    pub(crate) async fn wait_acknowledged(&self, envelope_id: &str) {
        self.wait(&format!("the acknowledgement of {envelope_id}"), |inner| {
            inner.acknowledged.iter().any(|id| id == envelope_id).then_some(())
        })
        .await;
    }

    /// Send a frame over the web socket that was opened last.
    pub(crate) fn send(&self, frame: &Value) {
        self.send_raw(Message::text(frame.to_string()));
    }

    pub(crate) fn send_raw(&self, message: Message) {
        self.lock().socket.as_ref().expect("no web socket is open").send(message).unwrap();
    }

    /// Click by Socket Mode on a button that the message has or had; returns the envelope's id.
    pub(crate) fn click(&self, user: &str, ts: &str, action: &str) -> String {
        self.click_with(self.payload(user, ts, action))
    }

    pub(crate) fn click_with(&self, payload: Value) -> String {
        let envelope_id = format!("envelope-{}", self.next());
        self.send(&json!({
            "type": "interactive", "envelope_id": envelope_id, "accepts_response_payload": false, "payload": payload,
        }));
        envelope_id
    }

    /// What Slack sends for a click on the button, in its newest version. Panics if there never was one.
    pub(crate) fn payload(&self, user: &str, ts: &str, action: &str) -> Value {
        let number = self.next();
        let mut inner = self.lock();
        let posted = inner.messages.get(ts).expect("no such message").clone();
        let button = posted.versions.iter().rev().find_map(|version| {
            let mut buttons =
                version["blocks"].as_array()?.iter().flat_map(|block| block["elements"].as_array()).flatten();
            buttons.find(|button| button["action_id"] == action).cloned()
        });
        let button = button.unwrap_or_else(|| panic!("the message never had a button `{action}`"));
        let response_url = format!("{}/respond/{number}", inner.url);
        inner.respondents.insert(number.to_string(), user.to_owned());
        json!({
            "type": "block_actions",
            "user": { "id": user, "username": user.to_lowercase(), "name": user.to_lowercase(), "team_id": "T1" },
            "api_app_id": "A1",
            "token": "a-verification-token-of-old",
            "container": {
                "type": "message", "message_ts": ts, "channel_id": posted.channel, "is_ephemeral": false,
            },
            "trigger_id": format!("{number}.1.abcdef"),
            "team": { "id": "T1", "domain": "loopback" },
            "channel": { "id": posted.channel, "name": "ops" },
            "message": { "type": "message", "ts": ts, "blocks": posted.versions.last().unwrap()["blocks"] },
            "state": { "values": { "b1": { "pi_comment": { "type": "plain_text_input", "value": null } } } },
            "response_url": response_url,
            "actions": [{
                "action_id": action, "block_id": "b2", "text": button["text"], "value": button["value"],
                "type": "button", "action_ts": format!("{number}.0"),
            }],
        })
    }

    fn next(&self) -> usize {
        let mut inner = self.lock();
        inner.number += 1;
        inner.number
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn tell(&self) {
        self.changed.send_replace(());
    }

    async fn wait<T>(&self, what: &str, found: impl Fn(&Inner) -> Option<T>) -> T {
        let mut changes = self.changed.subscribe();
        let waiting = async {
            loop {
                if let Some(found) = found(&self.lock()) {
                    return found;
                }
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }
}

/// The headers and the body with which Slack posts a click.
pub(crate) fn signed(secret: &str, timestamp_s: u64, payload: &Value) -> (Vec<(&'static str, String)>, String) {
    let body = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("v0:{timestamp_s}:{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let headers = vec![
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("x-slack-request-timestamp", timestamp_s.to_string()),
        ("x-slack-signature", format!("v0={hex}")),
    ];
    (headers, body)
}

async fn called(
    State(slack): State<LoopbackSlack>,
    Path(method): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = {
        let mut inner = slack.lock();
        if inner.is_down {
            Some(Fault::Status(503))
        } else {
            inner.faults.get_mut(&method).and_then(VecDeque::pop_front)
        }
    };
    // This method alone takes no JSON.
    let content: Value = if method == "files.getUploadURLExternal" {
        form_urlencoded::parse(&body).map(|(key, value)| (key.into_owned(), Value::from(value.into_owned()))).collect()
    } else {
        serde_json::from_slice(&body).unwrap_or(Value::Null)
    };
    slack.lock().calls.push(Call { method: method.clone(), body: content.clone() });
    slack.tell();
    match fault {
        None => {}
        Some(Fault::Error(code)) => return answer(&refused(code)),
        Some(Fault::Status(status)) => return StatusCode::from_u16(status).unwrap().into_response(),
        Some(Fault::Limited(seconds)) => {
            let body = refused("ratelimited").to_string();
            return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())], body).into_response();
        }
        Some(Fault::Redirect(to)) => return (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Some(Fault::Garbage) => return (StatusCode::OK, "<html>it works</html>").into_response(),
        Some(Fault::Silence) => return std::future::pending().await,
    }
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = token.strip_prefix("Bearer ").unwrap_or_default();
    let expected = if method == "apps.connections.open" { APP_TOKEN } else { BOT_TOKEN };
    if token != expected {
        let code = if [BOT_TOKEN, APP_TOKEN].contains(&token) { "not_allowed_token_type" } else { "invalid_auth" };
        return answer(&refused(code));
    }
    if content.is_null() {
        return answer(&refused("invalid_json"));
    }
    let (result, scopes) = {
        let mut inner = slack.lock();
        (inner.perform(&method, &content), inner.scopes.parse().unwrap())
    };
    slack.tell();
    let mut response = answer(&result);
    response.headers_mut().insert("x-oauth-scopes", scopes);
    response
}

async fn responded(State(slack): State<LoopbackSlack>, Path(number): Path<String>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let mut inner = slack.lock();
    inner.calls.push(Call { method: "response_url".into(), body: body.clone() });
    if inner.faults.get_mut("response_url").and_then(VecDeque::pop_front).is_some() {
        return StatusCode::NOT_FOUND.into_response();
    }
    assert_eq!(body["response_type"], "ephemeral");
    assert_eq!(body["replace_original"], false);
    let user = inner.respondents.get(&number).expect("no such response_url").clone();
    inner.told.push(Told { user, text: body["text"].as_str().unwrap().to_owned() });
    drop(inner);
    slack.tell();
    Body::from("ok").into_response()
}

impl Inner {
    fn perform(&mut self, method: &str, body: &Value) -> Value {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        match method {
            "auth.test" => json!({ "ok": true, "team": "Loopback", "team_id": "T1", "user": "pi", "user_id": "U0BOT" }),
            "apps.connections.open" => {
                json!({ "ok": true, "url": format!("{}/link?ticket={TICKET}", self.socket_url) })
            }
            "chat.postMessage" | "chat.update" | "chat.postEphemeral" if text("channel") == FOREIGN_CHANNEL => {
                refused("not_in_channel")
            }
            "chat.postMessage" | "chat.update" | "chat.postEphemeral" if text("channel") != CHANNEL => {
                refused("channel_not_found")
            }
            "chat.postEphemeral" => {
                self.told.push(Told { user: text("user"), text: text("text") });
                json!({ "ok": true, "message_ts": "1.1" })
            }
            "chat.postMessage" | "chat.update" => {
                if let Err(code) = checked(body) {
                    return refused(code);
                }
                let ts = if method == "chat.update" {
                    text("ts")
                } else {
                    self.number += 1;
                    let ts = format!("1700000000.{:06}", self.number);
                    let posted = Posted { channel: text("channel"), ts: ts.clone(), versions: Vec::new() };
                    self.messages.insert(ts.clone(), posted);
                    ts
                };
                let Some(posted) = self.messages.get_mut(&ts) else { return refused("message_not_found") };
                posted.versions.push(body.clone());
                json!({ "ok": true, "channel": text("channel"), "ts": ts, "message": body })
            }
            "files.getUploadURLExternal" if text("filename").is_empty() || text("length").is_empty() => {
                refused("invalid_arguments")
            }
            "files.getUploadURLExternal" => {
                self.number += 1;
                let id = format!("F{}", self.number);
                let file = Uploaded { name: text("filename"), alternative: text("alt_txt"), ..Uploaded::default() };
                self.files.insert(id.clone(), (text("length").parse().unwrap(), file));
                json!({ "ok": true, "upload_url": format!("{}/upload/{id}", self.url), "file_id": id })
            }
            "files.completeUploadExternal" => {
                let thread = text("thread_ts");
                if text("channel_id") != CHANNEL || !self.messages.contains_key(&thread) {
                    return refused("invalid_channel");
                }
                for file in body["files"].as_array().into_iter().flatten() {
                    let known = file["id"].as_str().and_then(|id| self.files.get_mut(id));
                    let Some((length, file)) = known else { return refused("file_not_found") };
                    if file.bytes.len() != *length {
                        return refused("file_not_found");
                    }
                    file.thread.clone_from(&thread);
                }
                json!({ "ok": true })
            }
            _ => refused("unknown_method"),
        }
    }
}

async fn uploaded(State(slack): State<LoopbackSlack>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    match slack.lock().files.get_mut(&id) {
        Some((_, file)) => {
            file.bytes = body.to_vec();
            StatusCode::OK
        }
        None => StatusCode::NOT_FOUND,
    }
}

/// The limits of Block Kit.
fn checked(body: &Value) -> Result<(), &'static str> {
    let Some(blocks) = body["blocks"].as_array() else { return Err("no_text") };
    if blocks.len() > 50 || body["text"].as_str().is_none_or(str::is_empty) {
        return Err("invalid_blocks");
    }
    let mut sum = 0;
    for block in blocks {
        let texts: Vec<&Value> = match block["type"].as_str() {
            Some("header" | "section") => vec![&block["text"]],
            Some("context") => block["elements"].as_array().ok_or("invalid_blocks")?.iter().collect(),
            Some("input") => vec![&block["label"]],
            Some("rich_text") => {
                let parts = block["elements"].as_array().ok_or("invalid_blocks")?.iter();
                let lines = parts.flat_map(|part| match part["type"].as_str() {
                    Some("rich_text_list") => part["elements"].as_array().cloned().unwrap_or_default(),
                    _ => vec![part.clone()],
                });
                for text in lines.flat_map(|line| line["elements"].as_array().cloned().unwrap_or_default()) {
                    let length = text["text"].as_str().ok_or("invalid_blocks")?.chars().count();
                    if length == 0 {
                        return Err("invalid_blocks");
                    }
                    sum += length;
                }
                Vec::new()
            }
            Some("actions") => {
                block["elements"].as_array().ok_or("invalid_blocks")?.iter().map(|e| &e["text"]).collect()
            }
            _ => return Err("invalid_blocks"),
        };
        for text in texts {
            let limit = match block["type"].as_str() {
                Some("header") => 150,
                Some("actions") => 75,
                _ => 3_000,
            };
            let length = text["text"].as_str().ok_or("invalid_blocks")?.chars().count();
            if length == 0 || length > limit {
                return Err("invalid_blocks");
            }
            sum += length;
        }
        for element in block["elements"].as_array().into_iter().flatten() {
            if element["value"].as_str().unwrap_or_default().chars().count() > 2_000 {
                return Err("invalid_blocks");
            }
        }
    }
    if sum > 13_200 { Err("msg_blocks_too_long") } else { Ok(()) }
}

fn refused(code: &str) -> Value {
    json!({ "ok": false, "error": code })
}

fn answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], value.to_string()).into_response()
}

/// One web socket: greets, sends what it is given, and records acknowledgements.
async fn connected(slack: LoopbackSlack, stream: TcpStream) {
    if slack.lock().is_down {
        return;
    }
    #[allow(clippy::result_large_err, reason = "the library's own type")]
    let check = |request: &Request, response: Handshake| -> Result<Handshake, ErrorResponse> {
        if request.uri().query() == Some(&format!("ticket={TICKET}")) {
            return Ok(response);
        }
        Err(axum::http::Response::builder().status(403).body(None).unwrap())
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, check).await else { return };
    let (mut sink, mut source) = socket.split();
    if slack.lock().is_mute {
        slack.lock().connections += 1;
        slack.tell();
        return std::future::pending().await;
    }
    let hello = json!({ "type": "hello", "num_connections": 1, "connection_info": { "app_id": "A1" } });
    sink.send(Message::text(hello.to_string())).await.unwrap();
    let (sender, mut frames) = mpsc::unbounded_channel();
    {
        let mut inner = slack.lock();
        inner.socket = Some(sender);
        inner.connections += 1;
    }
    slack.tell();
    if slack.lock().is_deaf {
        return std::future::pending().await;
    }
    loop {
        tokio::select! {
            frame = frames.recv() => match frame {
                Some(frame) => if sink.send(frame).await.is_err() { return },
                // Another web socket took over, or Slack is down.
                None => return,
            },
            message = source.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let acknowledgement: Value = serde_json::from_str(&text).unwrap();
                    let id = acknowledgement["envelope_id"].as_str().unwrap().to_owned();
                    slack.lock().acknowledged.push(id);
                    slack.tell();
                }
                Some(Ok(Message::Pong(_))) => {
                    slack.lock().pongs += 1;
                    slack.tell();
                }
                Some(Ok(Message::Ping(_))) => {
                    slack.lock().pings += 1;
                    slack.tell();
                }
                Some(Ok(_)) => {}
                _ => return,
            },
        }
    }
}
