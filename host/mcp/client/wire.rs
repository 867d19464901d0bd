//! The client's end of a line-by-line connection to a server that is not trusted.
//!
//! Only answers reach the protocol crate's loop. What the server asks is refused here, and the next
//! line is read only when the refusal is written: a server that asks for ever and never reads stops
//! itself. A server that breaks the rules loses the connection, and everything that waits for it
//! learns so at once.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use rmcp::model::{ClientJsonRpcMessage, RequestId, ServerJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::{ErrorData, RoleClient};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::lines::{Line, Lines, Outbox, Reply};
use super::silent::refused;

/// Messages since the last request that are no answer: progress, logs, questions. A server that
/// sends nothing else keeps a core busy.
const UNASKED_MAX: u32 = 100_000;

/// Lines that are not JSON. Some servers greet on their standard output; one that goes on is none.
const STRAY_LINES_MAX: u32 = 100;

/// What is known about the connection from outside of it.
#[derive(Default)]
pub(super) struct State {
    pub(super) has_other_tools: AtomicBool,
    /// Which rule the server broke.
    pub(super) blamed: OnceLock<&'static str>,
    unasked: AtomicU32,
}

pub(super) struct Wire<R, W> {
    lines: Lines<R>,
    out: Arc<tokio::sync::Mutex<Outbox<W>>>,
    state: Arc<State>,
    reply: Reply,
    stray: u32,
}

/// What one line of a server leads to.
enum Step {
    Answer(Box<ServerJsonRpcMessage>),
    Refuse(Vec<u8>),
    OtherTools,
    Nothing,
    Stray,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Wire<R, W> {
    pub(super) fn new(read: R, write: W, message_bytes_max: usize, state: Arc<State>) -> Self {
        Self {
            lines: Lines::strict(read, message_bytes_max),
            out: Arc::new(tokio::sync::Mutex::new(Outbox::new(write))),
            state,
            reply: Reply::default(),
            stray: 0,
        }
    }

    fn blame(&self, rule: &'static str) -> Option<ServerJsonRpcMessage> {
        let _ = self.state.blamed.set(rule);
        None
    }
}

impl<R, W> Transport<RoleClient> for Wire<R, W>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    type Error = io::Error;

    fn send(&mut self, item: ClientJsonRpcMessage) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        self.state.unasked.store(0, Ordering::Relaxed);
        let message = serde_json::to_vec(&item).map_err(io::Error::other);
        let out = self.out.clone();
        async move {
            let message = message?;
            let mut out = out.lock().await;
            out.put(&message);
            out.flush().await
        }
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            if !self.reply.is_sent(&self.out).await {
                return None;
            }
            let step = match self.lines.next().await {
                Ok(Line::Whole(line)) => step(line),
                Ok(Line::TooLong) => return self.blame("it sent a message over `message_bytes_max`"),
                Ok(Line::End) | Err(_) => return None,
            };
            match step {
                Step::Answer(answer) => return Some(*answer),
                Step::Refuse(reply) => self.reply.put(reply),
                Step::OtherTools => self.state.has_other_tools.store(true, Ordering::Relaxed),
                Step::Nothing => {}
                Step::Stray => self.stray += 1,
            }
            if self.stray > STRAY_LINES_MAX {
                return self.blame("what it writes on its standard output is not MCP");
            }
            if self.state.unasked.fetch_add(1, Ordering::Relaxed) >= UNASKED_MAX {
                return self.blame("it sent messages without end that nobody asked for");
            }
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        let out = self.out.clone();
        let closing = async move { out.lock().await.close().await };
        tokio::time::timeout(std::time::Duration::from_millis(500), closing).await.unwrap_or(Ok(()))
    }
}

fn step(line: &[u8]) -> Step {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Step::Nothing;
    }
    let Ok(Value::Object(message)) = serde_json::from_slice::<Value>(line) else {
        return Step::Stray;
    };
    let id = message.get("id").and_then(|id| serde_json::from_value::<RequestId>(id.clone()).ok());
    match (message.get("method").and_then(Value::as_str), id) {
        (Some("ping"), Some(id)) => {
            Step::Refuse(json!({ "jsonrpc": "2.0", "id": id, "result": {} }).to_string().into())
        }
        (Some(_), Some(id)) => {
            Step::Refuse(json!({ "jsonrpc": "2.0", "id": id, "error": refused() }).to_string().into())
        }
        (Some("notifications/tools/list_changed"), None) => Step::OtherTools,
        (Some(_), None) => Step::Nothing,
        (None, None) => Step::Stray,
        (None, Some(id)) => match serde_json::from_value(Value::Object(message)) {
            Ok(answer) => Step::Answer(Box::new(answer)),
            // Whoever waits for it is told now, and not at its deadline.
            Err(error) => {
                let text = format!("the answer does not have the protocol's form: {error}");
                Step::Answer(Box::new(ServerJsonRpcMessage::error(ErrorData::internal_error(text, None), Some(id))))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    fn wire() -> (Wire<DuplexStream, DuplexStream>, DuplexStream, DuplexStream, Arc<State>) {
        let (far_write, read) = tokio::io::duplex(1 << 16);
        let (write, far_read) = tokio::io::duplex(1 << 16);
        let state = Arc::new(State::default());
        (Wire::new(read, write, 1000, state.clone()), far_write, far_read, state)
    }

    #[tokio::test]
    async fn what_a_server_asks_is_refused_and_pings_are_answered() {
        let (mut wire, mut far, mut answers, _) = wire();
        let questions = ["ping", "sampling/createMessage", "elicitation/create", "roots/list"];
        for (id, method) in questions.iter().enumerate() {
            let question = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": {} });
            far.write_all(format!("{question}\n").as_bytes()).await.unwrap();
        }
        drop(far);
        assert!(wire.receive().await.is_none());
        drop(wire);
        let mut text = String::new();
        answers.read_to_string(&mut text).await.unwrap();
        let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers[0], json!({ "jsonrpc": "2.0", "id": 0, "result": {} }));
        assert_eq!(answers.len(), 4);
        assert!(answers[1..].iter().all(|answer| answer["error"]["code"] == -32601));
    }

    #[tokio::test]
    async fn an_answer_without_the_protocols_form_is_an_error_to_whoever_waits() {
        let (mut wire, mut far, _answers, _) = wire();
        far.write_all(b"{\"jsonrpc\":\"1.0\",\"id\":4,\"result\":{}}\n").await.unwrap();
        let Some(ServerJsonRpcMessage::Error(error)) = wire.receive().await else { panic!() };
        assert_eq!(error.id, Some(RequestId::Number(4)));
    }

    #[tokio::test]
    async fn a_message_over_the_limit_ends_the_connection_and_names_the_limit() {
        let (mut wire, mut far, _answers, state) = wire();
        far.write_all(&[b'x'; 1001]).await.unwrap();
        far.write_all(b"\n").await.unwrap();
        assert!(wire.receive().await.is_none());
        assert!(state.blamed.get().unwrap().contains("message_bytes_max"));
    }

    #[tokio::test]
    async fn a_greeting_is_passed_over_and_chatter_without_end_is_not() {
        let (mut wire, mut far, _answers, state) = wire();
        far.write_all("hello\n".repeat(STRAY_LINES_MAX as usize).as_bytes()).await.unwrap();
        far.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n").await.unwrap();
        assert!(wire.receive().await.is_some());
        far.write_all(b"hello\n").await.unwrap();
        assert!(wire.receive().await.is_none());
        assert!(state.blamed.get().unwrap().contains("not MCP"));
    }

    #[tokio::test]
    async fn messages_that_nobody_asked_for_end_the_connection_at_their_limit() {
        let (mut wire, mut far, _answers, state) = wire();
        let line = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n";
        let flood = tokio::spawn(async move {
            for _ in 0..=UNASKED_MAX / 100 {
                if far.write_all(line.repeat(100).as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        assert!(wire.receive().await.is_none());
        assert!(state.blamed.get().unwrap().contains("nobody asked"));
        drop(wire);
        flood.await.unwrap();
    }
}
