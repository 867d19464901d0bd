//! A model on loopback that says what it is told to say, in each wire protocol, as well or as badly as it is told to.
//!
//! It speaks HTTP/1.1 by hand, since a proper server would not cut a stream in the middle of a character. It knows
//! nothing of the host, so that programs can be tested against it from outside.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct RecordedRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// How many requests came before.
    pub(crate) index: usize,
    /// Which connection it came by.
    pub(crate) connection: usize,
}

impl RecordedRequest {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a request is JSON")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The images in the messages, in base64, in whichever protocol.
    pub(crate) fn images(&self) -> Vec<String> {
        fn look(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Array(all) => all.iter().for_each(|value| look(value, found)),
                Value::Object(object) => {
                    let source = object.get("source");
                    let data = source.and_then(|source| source.get("data").or_else(|| source.get("bytes")));
                    let url = object.get("image_url").and_then(|image| image.get("url"));
                    let data = data.or(url).and_then(Value::as_str);
                    found.extend(data.map(|data| data.rsplit(',').next().unwrap_or_default().to_owned()));
                    object.values().for_each(|value| look(value, found));
                }
                _ => {}
            }
        }
        let mut found = Vec::new();
        look(&self.json()["messages"], &mut found);
        found
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    content_type: Option<String>,
    content: Content,
    delivery: Delivery,
}

#[derive(Clone, Debug)]
enum Content {
    Answer(Answer),
    Raw(Vec<u8>),
}

/// What the model says.
#[derive(Clone, Debug, Default)]
struct Answer {
    reasoning: Option<(String, String)>,
    text: String,
    calls: Vec<(String, String, String)>,
    stop: Option<&'static str>,
    /// Input, output, read from the cache, written to it.
    usage: Option<[u64; 4]>,
}

/// How it is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Delivery {
    Whole,
    /// Each piece so long, in a chunk and a packet of its own.
    Pieces(usize),
    /// So many bytes, and then the connection is closed.
    CutAfter(usize),
    /// The connection is reset before anything is said.
    Reset,
    /// The connection is reset after so many bytes.
    ResetAfter(usize),
    /// So many bytes, and then nothing, and the connection stays.
    SilentAfter(usize),
    /// Nothing at all is said, and the connection stays.
    Silent,
    /// A byte at a time, with pauses.
    Drip(Duration),
    /// The body again and again.
    Endless,
    /// Nothing said about the length; it ends with the connection.
    Close,
}

impl Reply {
    pub(crate) fn text(text: &str) -> Self {
        Self::answer(Answer { text: text.into(), ..Answer::default() })
    }

    pub(crate) fn call(id: &str, name: &str, arguments: &Value) -> Self {
        Self::text("").and_call(id, name, &arguments.to_string())
    }

    /// One call more; the arguments are sent as they stand, JSON or not.
    pub(crate) fn and_call(self, id: &str, name: &str, arguments: &str) -> Self {
        self.with(|answer| answer.calls.push((id.into(), name.into(), arguments.into())))
    }

    pub(crate) fn thinking(self, text: &str, signature: &str) -> Self {
        self.with(|answer| answer.reasoning = Some((text.into(), signature.into())))
    }

    /// Input, output, read from the cache, written to it; without this none is told.
    pub(crate) fn usage(self, usage: [u64; 4]) -> Self {
        self.with(|answer| answer.usage = Some(usage))
    }

    /// `end`, `calls`, `length` or `refusal`, whatever was said.
    pub(crate) fn stop(self, stop: &'static str) -> Self {
        self.with(|answer| answer.stop = Some(stop))
    }

    pub(crate) fn status(status: u16, body: &str) -> Self {
        Self { status, content_type: Some("application/json".into()), ..Self::raw(body.as_bytes()) }
    }

    /// A body that is sent as it is, as if it were a stream.
    pub(crate) fn raw(body: &[u8]) -> Self {
        Self { content: Content::Raw(body.to_vec()), ..Self::answer(Answer::default()) }
    }

    /// Events of chat completions or of Messages, each a line of data.
    pub(crate) fn events(events: &[Value]) -> Self {
        let lines = events.iter().map(|event| match event {
            Value::String(text) => format!("data: {text}\n\n"),
            event => format!("data: {event}\n\n"),
        });
        Self::raw(lines.collect::<String>().as_bytes())
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn content_type(self, content_type: &str) -> Self {
        Self { content_type: Some(content_type.into()), ..self }
    }

    pub(crate) fn delivered(self, delivery: Delivery) -> Self {
        Self { delivery, ..self }
    }

    fn answer(answer: Answer) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            content_type: None,
            content: Content::Answer(answer),
            delivery: Delivery::Whole,
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Answer)) -> Self {
        if let Content::Answer(answer) = &mut self.content {
            change(answer);
        }
        self
    }
}

type Script = Arc<dyn Fn(&RecordedRequest) -> Reply + Send + Sync>;

pub(crate) struct ModelServer {
    host: String,
    requests: Arc<Mutex<Vec<RecordedRequest>>>,
    server: JoinHandle<()>,
}

impl ModelServer {
    /// Answers one after the other; requests beyond them are refused with status 400.
    pub(crate) async fn start(script: Vec<Reply>) -> Self {
        Self::start_with(move |request| {
            let none = || Reply::status(400, r#"{"error":{"message":"the script is at its end"}}"#);
            script.get(request.index).cloned().unwrap_or_else(none)
        })
        .await
    }

    /// Answers what the closure says.
    pub(crate) async fn start_with(script: impl Fn(&RecordedRequest) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (script, recorded): (Script, _) = (Arc::new(script), Arc::clone(&requests));
        let server = tokio::spawn(async move {
            let connections = AtomicUsize::new(0);
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let number = connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, number, Arc::clone(&script), Arc::clone(&recorded)));
            }
        });
        Self { host, requests, server }
    }

    /// For Anthropic and Bedrock.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.host)
    }

    /// For chat completions.
    pub(crate) fn openai_url(&self) -> String {
        format!("http://{}/v1", self.host)
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(stream: TcpStream, connection: usize, script: Script, requests: Arc<Mutex<Vec<RecordedRequest>>>) {
    let mut stream = BufReader::new(stream);
    while let Some(mut request) = receive(&mut stream).await {
        request.connection = connection;
        {
            let mut requests = requests.lock().unwrap();
            request.index = requests.len();
            requests.push(request.clone());
        }
        let reply = script(&request);
        if send(stream.get_mut(), &request.path, &reply).await.is_none() {
            return;
        }
    }
}

async fn receive(stream: &mut BufReader<TcpStream>) -> Option<RecordedRequest> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|bytes| *bytes > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(RecordedRequest { method, path, headers, body, index: 0, connection: 0 })
}

/// None where the connection is of no further use.
async fn send(stream: &mut TcpStream, path: &str, reply: &Reply) -> Option<()> {
    let stream_type =
        if path.ends_with("/converse-stream") { "application/vnd.amazon.eventstream" } else { "text/event-stream" };
    let body = match &reply.content {
        Content::Raw(body) => body.clone(),
        Content::Answer(answer) if path.ends_with("/messages") => anthropic(answer),
        Content::Answer(answer) if path.ends_with("/converse-stream") => bedrock(answer),
        Content::Answer(answer) => openai(answer),
    };
    let content_type = reply.content_type.as_deref().unwrap_or(stream_type);
    let mut head = format!("HTTP/1.1 {} Scripted\r\ncontent-type: {content_type}\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += match reply.delivery {
        Delivery::Close => "connection: close\r\n\r\n",
        _ => "transfer-encoding: chunked\r\n\r\n",
    };
    match reply.delivery {
        Delivery::Reset => return reset(stream),
        Delivery::Silent => return silence(stream).await,
        _ => stream.write_all(head.as_bytes()).await.ok()?,
    }
    // An empty chunk would be the end.
    let chunk = |piece: &[u8]| match piece {
        [] => Vec::new(),
        piece => [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat(),
    };
    match reply.delivery {
        Delivery::Whole => {
            stream.write_all(&[chunk(&body), b"0\r\n\r\n".to_vec()].concat()).await.ok()?;
            return Some(());
        }
        Delivery::Pieces(bytes) => {
            for piece in body.chunks(bytes) {
                stream.write_all(&chunk(piece)).await.ok()?;
                stream.flush().await.ok()?;
                tokio::task::yield_now().await;
            }
            stream.write_all(b"0\r\n\r\n").await.ok()?;
            return Some(());
        }
        Delivery::CutAfter(bytes) => stream.write_all(&chunk(&body[..bytes.min(body.len())])).await.ok()?,
        Delivery::ResetAfter(bytes) => {
            stream.write_all(&chunk(&body[..bytes.min(body.len())])).await.ok()?;
            return reset(stream);
        }
        Delivery::SilentAfter(bytes) => {
            stream.write_all(&chunk(&body[..bytes.min(body.len())])).await.ok()?;
            return silence(stream).await;
        }
        Delivery::Drip(pause) => {
            for byte in body {
                stream.write_all(&chunk(&[byte])).await.ok()?;
                tokio::time::sleep(pause).await;
            }
        }
        Delivery::Endless => loop {
            stream.write_all(&chunk(&body)).await.ok()?;
        },
        Delivery::Close => stream.write_all(&body).await.ok()?,
        Delivery::Reset | Delivery::Silent => {}
    }
    let _ = stream.shutdown().await;
    None
}

/// Until the other side has gone.
async fn silence(stream: &mut TcpStream) -> Option<()> {
    let mut byte = [0];
    while stream.read(&mut byte).await.is_ok_and(|bytes| bytes > 0) {}
    None
}

fn reset(stream: &TcpStream) -> Option<()> {
    // With no time to linger, closing resets.
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
    None
}

/// A text as a model streams it: in small pieces.
fn pieces(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(5).map(|piece| piece.iter().collect()).collect()
}

fn anthropic(answer: &Answer) -> Vec<u8> {
    let [input, output, read, write] = answer.usage.unwrap_or_default();
    let usage = match answer.usage {
        None => json!({}),
        Some(_) => json!({
            "input_tokens": input, "cache_read_input_tokens": read, "cache_creation_input_tokens": write, "output_tokens": 1,
        }),
    };
    let mut events = vec![
        json!({ "type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "scripted", "content": [], "usage": usage,
        } }),
        json!({ "type": "ping" }),
    ];
    let mut index = 0;
    let mut block = |start: Value, deltas: Vec<Value>| {
        events.push(json!({ "type": "content_block_start", "index": index, "content_block": start }));
        events.extend(
            deltas.iter().map(|delta| json!({ "type": "content_block_delta", "index": index, "delta": delta })),
        );
        events.push(json!({ "type": "content_block_stop", "index": index }));
        index += 1;
    };
    if let Some((text, signature)) = &answer.reasoning {
        let mut deltas: Vec<Value> =
            pieces(text).iter().map(|piece| json!({ "type": "thinking_delta", "thinking": piece })).collect();
        deltas.push(json!({ "type": "signature_delta", "signature": signature }));
        block(json!({ "type": "thinking", "thinking": "", "signature": "" }), deltas);
    }
    if !answer.text.is_empty() {
        let deltas = pieces(&answer.text).iter().map(|piece| json!({ "type": "text_delta", "text": piece })).collect();
        block(json!({ "type": "text", "text": "" }), deltas);
    }
    for (id, name, arguments) in &answer.calls {
        let deltas = pieces(arguments)
            .iter()
            .map(|piece| json!({ "type": "input_json_delta", "partial_json": piece }))
            .collect();
        block(json!({ "type": "tool_use", "id": id, "name": name, "input": {} }), deltas);
    }
    let stop = match (answer.stop, answer.calls.is_empty()) {
        (Some("length"), _) => "max_tokens",
        (Some("refusal"), _) => "refusal",
        (Some("calls"), _) | (None, false) => "tool_use",
        _ => "end_turn",
    };
    let usage = answer.usage.map_or(json!({}), |_| json!({ "output_tokens": output }));
    events.push(json!({ "type": "message_delta", "delta": { "stop_reason": stop }, "usage": usage }));
    events.push(json!({ "type": "message_stop" }));
    let event = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    events.iter().map(event).collect::<String>().into_bytes()
}

fn openai(answer: &Answer) -> Vec<u8> {
    let chunk = |delta: Value, reason: Value| {
        json!({ "id": "c1", "object": "chat.completion.chunk", "model": "scripted",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }] })
    };
    let mut events = vec![chunk(json!({ "role": "assistant", "content": "" }), Value::Null)];
    if let Some((text, _)) = &answer.reasoning {
        events.extend(pieces(text).iter().map(|piece| chunk(json!({ "reasoning_content": piece }), Value::Null)));
    }
    events.extend(pieces(&answer.text).iter().map(|piece| chunk(json!({ "content": piece }), Value::Null)));
    for (index, (id, name, _)) in answer.calls.iter().enumerate() {
        let function = json!({ "name": name, "arguments": "" });
        let call = json!([{ "index": index, "id": id, "type": "function", "function": function }]);
        events.push(chunk(json!({ "tool_calls": call }), Value::Null));
    }
    // The arguments of parallel calls arrive in turns.
    let arguments: Vec<Vec<String>> = answer.calls.iter().map(|(_, _, arguments)| pieces(arguments)).collect();
    for round in 0..arguments.iter().map(Vec::len).max().unwrap_or(0) {
        for (index, pieces) in arguments.iter().enumerate() {
            if let Some(piece) = pieces.get(round) {
                let call = json!([{ "index": index, "function": { "arguments": piece } }]);
                events.push(chunk(json!({ "tool_calls": call }), Value::Null));
            }
        }
    }
    let stop = match (answer.stop, answer.calls.is_empty()) {
        (Some("length"), _) => "length",
        (Some("refusal"), _) => "content_filter",
        (Some("calls"), _) | (None, false) => "tool_calls",
        _ => "stop",
    };
    events.push(chunk(json!({}), json!(stop)));
    if let Some([input, output, read, write]) = answer.usage {
        events.push(json!({ "id": "c1", "model": "scripted", "choices": [], "usage": {
            "prompt_tokens": input + read + write, "completion_tokens": output,
            "prompt_tokens_details": { "cached_tokens": read, "cache_write_tokens": write },
        } }));
    }
    let mut text: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    text += "data: [DONE]\n\n";
    text.into_bytes()
}

fn bedrock(answer: &Answer) -> Vec<u8> {
    let mut out = frame("event", "messageStart", &json!({ "role": "assistant" }));
    let mut index = 0;
    let mut block = |start: Option<Value>, deltas: Vec<Value>| {
        if let Some(start) = start {
            out.extend(frame("event", "contentBlockStart", &json!({ "contentBlockIndex": index, "start": start })));
        }
        for delta in deltas {
            out.extend(frame("event", "contentBlockDelta", &json!({ "contentBlockIndex": index, "delta": delta })));
        }
        out.extend(frame("event", "contentBlockStop", &json!({ "contentBlockIndex": index })));
        index += 1;
    };
    if let Some((text, signature)) = &answer.reasoning {
        let mut deltas: Vec<Value> =
            pieces(text).iter().map(|piece| json!({ "reasoningContent": { "text": piece } })).collect();
        deltas.push(json!({ "reasoningContent": { "signature": signature } }));
        block(None, deltas);
    }
    if !answer.text.is_empty() {
        block(None, pieces(&answer.text).iter().map(|piece| json!({ "text": piece })).collect());
    }
    for (id, name, arguments) in &answer.calls {
        let deltas = pieces(arguments).iter().map(|piece| json!({ "toolUse": { "input": piece } })).collect();
        block(Some(json!({ "toolUse": { "toolUseId": id, "name": name } })), deltas);
    }
    let stop = match (answer.stop, answer.calls.is_empty()) {
        (Some("length"), _) => "max_tokens",
        (Some("refusal"), _) => "guardrail_intervened",
        (Some("calls"), _) | (None, false) => "tool_use",
        _ => "end_turn",
    };
    out.extend(frame("event", "messageStop", &json!({ "stopReason": stop })));
    let usage = answer.usage.map_or(json!({}), |[input, output, read, write]| {
        json!({ "inputTokens": input, "outputTokens": output, "cacheReadInputTokens": read, "cacheWriteInputTokens": write })
    });
    out.extend(frame("event", "metadata", &json!({ "usage": usage, "metrics": { "latencyMs": 1 } })));
    out
}

/// A binary frame of AWS; `kind` is `event` or `exception`.
pub(crate) fn frame(kind: &str, name: &str, payload: &Value) -> Vec<u8> {
    let mut headers = Vec::new();
    let named = format!(":{kind}-type");
    for (header, value) in [(":message-type", kind), (named.as_str(), name), (":content-type", "application/json")] {
        headers.push(u8::try_from(header.len()).unwrap());
        headers.extend(header.as_bytes());
        headers.push(7);
        headers.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend(value.as_bytes());
    }
    let payload = payload.to_string();
    let total = u32::try_from(16 + headers.len() + payload.len()).unwrap();
    let mut frame = total.to_be_bytes().to_vec();
    frame.extend(u32::try_from(headers.len()).unwrap().to_be_bytes());
    frame.extend(crc32(&frame).to_be_bytes());
    frame.extend(headers);
    frame.extend(payload.as_bytes());
    frame.extend(crc32(&frame).to_be_bytes());
    frame
}

fn crc32(bytes: &[u8]) -> u32 {
    let bit = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), bit))
}
