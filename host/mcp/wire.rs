//! The server's end of a line-by-line connection: stdio, or any two streams.
//!
//! It stands between the client and the protocol crate's loop, and lets only through what that loop
//! can take: whole messages of a bounded size, in the right order, no id twice, and so many at once
//! that a client that never reads its answers fills nothing but its own pipe. Each fault is answered
//! here, and the connection goes on.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorCode, ProtocolVersion, RequestId, RequestMetaObject, ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use rmcp::{ErrorData, RoleServer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::MESSAGE_BYTES_MAX;
use super::lines::{Line, Lines, Outbox, Reply};
use super::message::{Incoming, fault, incoming};

/// Requests without an answer yet, and the bytes of their messages together. Each holds its
/// arguments in memory while it waits for a place.
const OPEN_REQUESTS_MAX: usize = 512;
const OPEN_BYTES_MAX: usize = 16 << 20;

/// Faulty lines in a row. Two programs that answer each other's errors with errors end here.
const FAULTS_MAX: u32 = 100;

/// What runs when the client closes its end may still answer so long; `printf ... | pi-host mcp`
/// gets its answers.
const END_GRACE_MS: u64 = 500;

/// JSON-RPC leaves -32000 and below to servers: so many requests are open.
const BUSY: ErrorCode = ErrorCode(-32000);

/// The requests that are not answered yet, each with the size of its message.
#[derive(Default)]
struct Open {
    requests: Mutex<(HashMap<RequestId, usize>, usize)>,
    emptied: Notify,
}

impl Open {
    fn enter(&self, id: &RequestId, bytes: usize) -> Result<(), ErrorData> {
        let mut open = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if open.0.contains_key(id) {
            let text = "the id is that of a request that is not answered yet";
            return Err(ErrorData::invalid_request(text, None));
        }
        if open.0.len() >= OPEN_REQUESTS_MAX || open.1 + bytes > OPEN_BYTES_MAX {
            let text = "too many requests are not answered yet: wait for some of them";
            return Err(ErrorData::new(BUSY, text, None));
        }
        open.0.insert(id.clone(), bytes);
        open.1 += bytes;
        Ok(())
    }

    fn leave(&self, id: &RequestId) {
        let mut open = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = open.0.remove(id) {
            open.1 -= bytes;
        }
        if open.0.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.requests.lock().unwrap_or_else(PoisonError::into_inner).0.is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

/// Messages in the order in which they were given, until whoever writes next takes them. What waits here is bounded
/// by the calls that are open: each has one answer, and a note of its progress now and then.
#[derive(Default)]
struct Queue(Mutex<Vec<Vec<u8>>>);

impl Queue {
    fn push(&self, message: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }

    fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) struct Wire<R, W> {
    lines: Lines<R>,
    out: Arc<tokio::sync::Mutex<Outbox<W>>>,
    queue: Arc<Queue>,
    open: Arc<Open>,
    /// An answer to a fault that is not in the outbox yet.
    reply: Reply,
    has_begun: bool,
    faults: u32,
    /// The client has closed its end; what still runs may answer until then.
    end: Option<Instant>,
    /// Ends all calls.
    stop: CancellationToken,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Wire<R, W> {
    pub(super) fn new(read: R, write: W, stop: CancellationToken) -> Self {
        Self {
            lines: Lines::new(read, MESSAGE_BYTES_MAX),
            out: Arc::new(tokio::sync::Mutex::new(Outbox::new(write))),
            queue: Arc::default(),
            open: Arc::default(),
            reply: Reply::default(),
            has_begun: false,
            faults: 0,
            end: None,
            stop,
        }
    }

    /// What the loop is to see of a line; none, if nothing. A fault is kept as the reply.
    fn admit(&mut self, incoming: Incoming, bytes: usize) -> Option<ClientJsonRpcMessage> {
        let (id, error) = match incoming {
            Incoming::Nothing => return None,
            Incoming::Initialized(message) => return self.has_begun.then_some(message),
            Incoming::Cancelled(id, message) => {
                // The loop drops the answer of a cancelled request.
                self.open.leave(&id);
                return self.has_begun.then_some(message);
            }
            Incoming::Request(id, request) => {
                match self.in_order(&request).and_then(|()| self.open.enter(&id, bytes)) {
                    Ok(()) => {
                        self.faults = 0;
                        return Some(ClientJsonRpcMessage::request(*request, id));
                    }
                    Err(error) => (Some(id), error),
                }
            }
            Incoming::Fault(id, error) => (id, error),
        };
        // A client that is in a hurry is at no fault.
        self.faults += u32::from(error.code != BUSY);
        self.reply.put(fault(id.as_ref(), &error));
        None
    }

    /// The loop ends the connection of a client that speaks out of order, or says nothing of use.
    fn in_order(&mut self, request: &ClientRequest) -> Result<(), ErrorData> {
        let is_initialize = matches!(request, ClientRequest::InitializeRequest(_));
        if self.has_begun {
            return match is_initialize {
                true => Err(ErrorData::invalid_request("the connection is initialized already", None)),
                false => Ok(()),
            };
        }
        match request {
            ClientRequest::InitializeRequest(_) => self.has_begun = true,
            ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => {}
            ClientRequest::CallToolRequest(call) => self.begin_inline(call.extensions.get())?,
            ClientRequest::ListToolsRequest(list) => self.begin_inline(list.extensions.get())?,
            ClientRequest::SubscriptionsListenRequest(listen) => self.begin_inline(listen.extensions.get())?,
            _ => self.begin_inline(None)?,
        }
        Ok(())
    }

    /// From 2026-07-28 on there is no `initialize`: each request says what it speaks.
    fn begin_inline(&mut self, meta: Option<&RequestMetaObject>) -> Result<(), ErrorData> {
        let is_complete = meta.is_some_and(|meta| {
            let version = meta.protocol_version();
            let is_known = version.is_some_and(|version| ProtocolVersion::KNOWN_VERSIONS.contains(&version));
            is_known && meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty()
        });
        if !is_complete {
            let text = "the connection is not initialized: send `initialize` first";
            return Err(ErrorData::invalid_request(text, None));
        }
        self.has_begun = true;
        Ok(())
    }

    /// The client sends nothing more: what runs may answer, then all ends.
    async fn ended(&mut self) -> Option<ClientJsonRpcMessage> {
        let end = *self
            .end
            .get_or_insert_with(|| Instant::from_std(crate::clock::monotonic()) + Duration::from_millis(END_GRACE_MS));
        let open = self.open.clone();
        let _ = timeout_at(end, open.empty()).await;
        self.stop.cancel();
        None
    }
}

impl<R, W> Transport<RoleServer> for Wire<R, W>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    type Error = io::Error;

    fn send(&mut self, item: ServerJsonRpcMessage) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        let answered = match &item {
            ServerJsonRpcMessage::Response(response) => Some(response.id.clone()),
            ServerJsonRpcMessage::Error(error) => error.id.clone(),
            _ => None,
        };
        // In its place now: what is returned runs beside others, and progress must not come after its result.
        let queued = serde_json::to_vec(&item).map_err(io::Error::other).map(|message| self.queue.push(message));
        let (out, open, stop, queue) = (self.out.clone(), self.open.clone(), self.stop.clone(), self.queue.clone());
        async move {
            let sent = match queued {
                Ok(()) => {
                    let mut out = out.lock().await;
                    queue.take().iter().for_each(|message| out.put(message));
                    out.flush().await
                }
                Err(error) => Err(error),
            };
            if let Some(id) = answered {
                open.leave(&id);
            }
            if sent.is_err() {
                // Nobody reads what a call would give.
                stop.cancel();
            }
            sent
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            if self.end.is_some() || !self.reply.is_sent(&self.out).await || self.faults >= FAULTS_MAX {
                return self.ended().await;
            }
            let (incoming, bytes) = match self.lines.next().await {
                Ok(Line::Whole(line)) => (incoming(line), line.len()),
                Ok(Line::TooLong) => {
                    let text = format!("the message has more than {MESSAGE_BYTES_MAX} bytes");
                    (Incoming::Fault(None, ErrorData::invalid_request(text, None)), 0)
                }
                Ok(Line::End) | Err(_) => return self.ended().await,
            };
            if let Some(message) = self.admit(incoming, bytes) {
                return Some(message);
            }
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        // A client that does not read is not waited for.
        let grace = Instant::from_std(crate::clock::monotonic()) + Duration::from_millis(END_GRACE_MS);
        let out = self.out.clone();
        timeout_at(grace, async move { out.lock().await.close().await }).await.unwrap_or(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_open_up_to_a_number_and_up_to_their_bytes() {
        let open = Open::default();
        for id in 0..OPEN_REQUESTS_MAX as i64 {
            open.enter(&RequestId::Number(id), 1).unwrap();
        }
        assert_eq!(open.enter(&RequestId::Number(-1), 1).unwrap_err().code, BUSY);
        open.leave(&RequestId::Number(0));
        open.enter(&RequestId::Number(-1), 1).unwrap();

        let open = Open::default();
        open.enter(&RequestId::Number(1), OPEN_BYTES_MAX).unwrap();
        assert_eq!(open.enter(&RequestId::Number(2), 1).unwrap_err().code, BUSY);
        open.leave(&RequestId::Number(1));
        open.leave(&RequestId::Number(1));
        open.enter(&RequestId::Number(2), OPEN_BYTES_MAX).unwrap();
    }

    #[test]
    fn an_id_is_taken_until_its_answer() {
        let open = Open::default();
        open.enter(&RequestId::Number(1), 0).unwrap();
        assert_eq!(open.enter(&RequestId::Number(1), 0).unwrap_err().code, ErrorCode::INVALID_REQUEST);
        open.leave(&RequestId::Number(1));
        open.enter(&RequestId::Number(1), 0).unwrap();
    }
}
