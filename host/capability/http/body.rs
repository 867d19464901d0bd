//! Bodies on their way: counted, held against the clock, and searched for secrets, in both directions.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::capability::door::Pass;
use crate::capability::secret::scan::{Scan, Stream};
use crate::clock;

/// What a guest sends: no more than it may, and nothing that is a secret.
pub(super) struct Sent {
    body: WasiBody,
    stream: Stream,
    bytes: Arc<AtomicU64>,
    bytes_max: u64,
    /// What the guest says that it is, which hyper writes into the head.
    length: Option<u64>,
    is_over: bool,
}

impl Sent {
    pub(super) fn new(body: WasiBody, length: Option<u64>, bytes_max: u64, scan: Arc<Scan>) -> (Self, Arc<AtomicU64>) {
        let bytes = Arc::<AtomicU64>::default();
        let sent =
            Self { body, stream: Stream::new(scan), bytes: Arc::clone(&bytes), bytes_max, length, is_over: false };
        (sent, bytes)
    }

    /// The next piece that may go out.
    fn pass_on(&mut self, piece: Vec<u8>) -> Result<Option<Frame<Bytes>>, Error> {
        if self.stream.found() > 0 {
            return Err(Error::InternalError(Some("the body holds the value of a secret of pi.toml".into())));
        }
        Ok((!piece.is_empty()).then(|| Frame::data(Bytes::from(piece))))
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        loop {
            if this.is_over {
                return Poll::Ready(None);
            }
            let piece = match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Err(error))) => {
                    this.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                        let sum = this.bytes.fetch_add(length, Ordering::Relaxed).saturating_add(length);
                        if sum > this.bytes_max {
                            this.is_over = true;
                            return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(this.bytes_max)))));
                        }
                        this.stream.push(&data)
                    }
                    // Trailers are headers that nobody has looked at: they are not sent.
                    Err(_) => continue,
                },
                Poll::Ready(None) => {
                    this.is_over = true;
                    this.stream.finish()
                }
            };
            match this.pass_on(piece) {
                Ok(None) => {}
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Err(error) => {
                    this.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.length == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// What the journal is told of a request, once, whatever its end.
pub(super) struct Record {
    pub pass: Option<Pass>,
    pub status: u16,
    pub address: String,
    pub sent: Arc<AtomicU64>,
    pub received: u64,
    pub hidden: u64,
}

impl Record {
    fn close(&mut self, is_whole: bool) {
        if let Some(pass) = self.pass.take() {
            pass.done(json!({
                "status": self.status,
                "address": self.address,
                "request_bytes": self.sent.load(Ordering::Relaxed),
                "response_bytes": self.received,
                "is_whole": is_whole,
                "secrets_hidden": self.hidden,
            }));
        }
    }

    fn fail(&mut self, error: &Error) {
        if let Some(pass) = self.pass.take() {
            pass.failed(&format!("after the status {} and {} bytes: {error}", self.status, self.received));
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // The guest has read as much as it wanted.
        self.close(false);
    }
}

/// What a server answers: no more than it may, no slower, and without secrets.
pub(super) struct Received {
    incoming: Incoming,
    stream: Stream,
    scan: Arc<Scan>,
    record: Record,
    bytes_max: u64,
    between: Duration,
    /// The end of the whole request, and of the wait for the next bytes.
    deadline: Pin<Box<Sleep>>,
    idle: Pin<Box<Sleep>>,
    trailers: Option<HeaderMap>,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Received {
    pub(super) fn new(
        incoming: Incoming,
        scan: Arc<Scan>,
        record: Record,
        bytes_max: u64,
        between: Duration,
        deadline: Instant,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            incoming,
            stream: Stream::new(Arc::clone(&scan)),
            scan,
            record,
            bytes_max,
            between,
            deadline: Box::pin(tokio::time::sleep_until(deadline)),
            idle: Box::pin(tokio::time::sleep(between)),
            trailers: None,
            is_over: false,
            _permit: permit,
        }
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.is_over = true;
        self.record.fail(&error);
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        loop {
            if this.is_over {
                return Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            // Before the bytes: a server that always has one more byte does not get around it.
            if this.deadline.as_mut().poll(cx).is_ready() {
                return this.fail(Error::HttpResponseTimeout);
            }
            let piece = match Pin::new(&mut this.incoming).poll_frame(cx) {
                Poll::Pending => match this.idle.as_mut().poll(cx) {
                    Poll::Ready(()) => return this.fail(Error::ConnectionReadTimeout),
                    Poll::Pending => return Poll::Pending,
                },
                Poll::Ready(Some(Err(error))) => {
                    let error =
                        if error.is_incomplete_message() { Error::HttpResponseIncomplete } else { error.into() };
                    return this.fail(error);
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        this.idle.as_mut().reset(Instant::from_std(clock::monotonic()) + this.between);
                        this.record.received =
                            this.record.received.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
                        if this.record.received > this.bytes_max {
                            return this.fail(Error::HttpResponseBodySize(Some(this.bytes_max)));
                        }
                        this.stream.push(&data)
                    }
                    Err(frame) => {
                        let mut trailers = frame.into_trailers().unwrap_or_default();
                        this.record.hidden += hide(&mut trailers, &this.scan);
                        this.trailers = Some(trailers);
                        this.is_over = true;
                        this.stream.finish()
                    }
                },
                Poll::Ready(None) => {
                    this.is_over = true;
                    this.stream.finish()
                }
            };
            if this.is_over {
                this.record.hidden += this.stream.found();
                this.record.close(true);
            }
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from(piece)))));
            }
        }
    }
}

/// Take the secrets out of headers; how many held one. A header whose name holds one goes as a whole.
pub(super) fn hide(headers: &mut HeaderMap, scan: &Scan) -> u64 {
    let mut hidden = 0;
    let odd: Vec<HeaderName> = headers.keys().filter(|name| scan.finds_in_name(name.as_str())).cloned().collect();
    for name in odd {
        headers.remove(name);
        hidden += 1;
    }
    for value in headers.values_mut() {
        if scan.finds(value.as_bytes()) {
            hidden += 1;
            let bytes = scan.hidden_bytes(value.as_bytes());
            *value = HeaderValue::from_bytes(&bytes).unwrap_or_else(|_| HeaderValue::from_static("[secret]"));
        }
    }
    hidden
}
