//! One model over the wire: sends a request, reads the stream, tries again.
//!
//! Everything that a server controls has a limit: how much it sends, how long it is silent, how long it takes in all.
//! It knows no protocol ([`super::protocol`]) and no words of servers ([`super::refusal`]).

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode, Version};
use reqwest::{Response, Url};

use super::LazyClient;
use super::assembly::{Fault, Listener};
use super::bedrock::AwsKeys;
use super::conversation::Conversation;
use super::estimate::estimate;
use super::frame::{FrameError, Framer};
use super::price::Price;
use super::protocol::{Answer, Protocol, Reader};
use super::refusal::{self, Refusal, Words};
use super::retry::{self, Chance};
use super::types::{Completion, Delta, Model, ModelError, Request, Usage};
use crate::clock;

/// Longest answer, as it is on the wire. Danger: a server that never stops fills the memory.
pub const ANSWER_BYTES_MAX: u64 = 32 << 20;
/// What is read of a refusal. Danger: an error page of gigabytes.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// How long the end of an answer is waited for that is already whole: only then can its connection be used again.
const END_WAIT: Duration = Duration::from_millis(5);

pub(super) struct Remote {
    pub(super) protocol: Box<dyn Protocol>,
    pub(super) client: LazyClient,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    /// Where each request is signed anew.
    pub(super) aws: Option<AwsKeys>,
    pub(super) words: Words,
    pub(super) price: Option<Price>,
    pub(super) patience: Patience,
    pub(super) chance: Chance,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For all attempts together.
    pub(super) total_seconds: u64,
    /// Between two pieces, and before the first.
    pub(super) idle_seconds: u64,
    pub(super) attempts_max: u32,
    /// How long a second lasts: shorter where tests wait.
    pub(super) second: Duration,
}

/// An attempt that failed, and how long the server wants to be left alone.
struct Failure {
    error: ModelError,
    after: Option<Duration>,
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self { error, after: None }
    }
}

impl Model for Remote {
    fn complete<'a>(
        &'a self,
        request: &'a Request,
        on: &'a (dyn Fn(Delta) + Send + Sync),
    ) -> BoxFuture<'a, Result<Completion, ModelError>> {
        Box::pin(self.run(request, on))
    }
}

impl Remote {
    async fn run(&self, request: &Request, on: Listener<'_>) -> Result<Completion, ModelError> {
        let conversation = Conversation::of(&self.words.model, &request.messages)?;
        let body = self.protocol.body(request, &conversation).map_err(|error| ModelError::Setup {
            model: self.words.model.clone(),
            reason: format!("the request cannot be written: {}", self.words.said(&error.to_string())),
            hint: "this is a bug".into(),
        })?;
        let body = Bytes::from(body);
        let total = scaled(self.patience.total_seconds, self.patience.second);
        let deadline = clock::monotonic() + total;
        let left = || deadline.saturating_duration_since(clock::monotonic());
        let mut attempts = 0;
        loop {
            attempts += 1;
            let tried = tokio::time::timeout(left(), self.attempt(&body, &conversation, attempts, on)).await;
            let failure = match tried {
                Ok(Ok(answer)) => return Ok(self.completion(request, answer, attempts)),
                Ok(Err(failure)) => failure,
                Err(_) => {
                    let (model, seconds) = (self.words.model.clone(), self.patience.total_seconds);
                    return Err(ModelError::Deadline { model, seconds });
                }
            };
            let pause = retry::pause(attempts, failure.after, (self.chance)()).filter(|pause| *pause < left());
            let Some(pause) = pause.filter(|_| failure.error.is_transient() && attempts < self.patience.attempts_max)
            else {
                return Err(failure.error);
            };
            let why = first_line(&failure.error);
            on(Delta::Retry { why, after_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX) });
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    }

    fn completion(&self, request: &Request, answer: Answer, attempts: u32) -> Completion {
        let Answer { message, stop, usage, model } = answer;
        // A server that counts nothing must not be one that costs nothing: the budget would never end.
        let is_estimated = usage == Usage::default();
        let usage = if is_estimated { estimate(request, &message) } else { usage };
        let cost_nano_usd = self.price.and_then(|price| price.cost(&usage));
        Completion { message, stop, usage, is_estimated, model: self.words.named(&model), cost_nano_usd, attempts }
    }

    async fn attempt(
        &self,
        body: &Bytes,
        conversation: &Conversation<'_>,
        attempts: u32,
        on: Listener<'_>,
    ) -> Result<Answer, Failure> {
        let mut headers = self.headers.clone();
        if let Some(aws) = &self.aws {
            let host = self.url.host_str().unwrap_or_default();
            let host = self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            aws.sign(self.url.as_str(), &host, body, &mut headers).map_err(|reason| self.unreachable(reason))?;
        }
        let client = self.client.get();
        let client = client.map_err(|error| {
            self.unreachable(&format!("there is no HTTP client: {error}; the system's certificates must be readable"))
        })?;
        let request = client.post(self.url.clone()).headers(headers).body(body.clone());
        let response = self.within_idle(request.send()).await?.map_err(|error| self.unreachable(&cause(&error)))?;
        if response.status() != StatusCode::OK {
            return Err(self.refused(response, attempts).await);
        }
        let found = content_type(&response);
        let expected = self.protocol.stream_type();
        if found != expected {
            return Err(self.unexpected(response, &found, expected, attempts).await);
        }
        let mut stream = Stream { framer: self.protocol.framer(), reader: self.protocol.reader(), bytes: 0, at: 0 };
        self.read(response, &mut stream, attempts, on).await?;
        stream.reader.finish(conversation).map_err(|fault| self.fault(fault, stream.bytes, stream.at, attempts).into())
    }

    /// Read up to the last event, or to the end.
    async fn read(
        &self,
        mut response: Response,
        stream: &mut Stream,
        attempts: u32,
        on: Listener<'_>,
    ) -> Result<(), ModelError> {
        if response.content_length().is_some_and(|bytes| bytes > ANSWER_BYTES_MAX) {
            return Err(self.too_large(format!("it is longer than {ANSWER_BYTES_MAX} bytes")));
        }
        loop {
            let piece = match self.within_idle(response.chunk()).await? {
                Ok(piece) => piece,
                Err(error) => {
                    let (model, reason) = (self.words.model.clone(), self.words.said(&cause(&error)));
                    return Err(ModelError::CutStream { model, bytes: stream.bytes, reason });
                }
            };
            let is_end = piece.is_none();
            if let Some(piece) = piece {
                stream.bytes += piece.len() as u64;
                if stream.bytes > ANSWER_BYTES_MAX {
                    return Err(self.too_large(format!("it is longer than {ANSWER_BYTES_MAX} bytes")));
                }
                stream.framer.push(&piece);
            }
            match stream.events(is_end, on) {
                Ok(true) => {
                    free(response).await;
                    return Ok(());
                }
                Ok(false) if is_end => return Ok(()),
                Ok(false) => {}
                Err(fault) => return Err(self.fault(fault, stream.bytes, stream.at, attempts)),
            }
        }
    }

    async fn within_idle<T>(&self, work: impl Future<Output = T>) -> Result<T, ModelError> {
        let idle = scaled(self.patience.idle_seconds, self.patience.second);
        tokio::time::timeout(idle, work)
            .await
            .map_err(|_| ModelError::Idle { model: self.words.model.clone(), seconds: self.patience.idle_seconds })
    }

    /// What a status that is not 200 means.
    async fn refused(&self, mut response: Response, attempts: u32) -> Failure {
        let status = response.status().as_u16();
        let after = retry::asked(response.headers(), clock::now_ms());
        let named = response.headers().get("x-amzn-errortype").and_then(|value| value.to_str().ok());
        let named = named.map(|name| name.split(':').next().unwrap_or_default().to_owned());
        let body = self.start_of(&mut response).await;
        let (kind, said) = refusal::parsed(&body);
        let kind = named.unwrap_or(kind);
        let error = self.words.error(&Refusal { status, kind: &kind, said: &said, attempts, after });
        Failure { error, after }
    }

    /// Some servers tell of an error with status 200, as JSON.
    async fn unexpected(&self, mut response: Response, found: &str, expected: &'static str, attempts: u32) -> Failure {
        if found == "application/json" {
            let body = self.start_of(&mut response).await;
            let value = serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default();
            if value.get("error").is_some_and(|error| !error.is_null()) {
                let (kind, said) = refusal::parsed(&body);
                return self.fault(Fault::Reported { status: None, kind, said }, 0, 0, attempts).into();
            }
        }
        let found = if found.is_empty() { "none".to_owned() } else { self.words.said(found) };
        ModelError::ContentType { model: self.words.model.clone(), found, expected }.into()
    }

    /// As much of a body as is looked at; what fails while it is read says less than its beginning.
    async fn start_of(&self, response: &mut Response) -> Vec<u8> {
        let mut body = Vec::new();
        while let Ok(Ok(Some(piece))) = self.within_idle(response.chunk()).await {
            body.extend_from_slice(&piece);
            if body.len() > REFUSAL_BYTES_MAX {
                body.truncate(REFUSAL_BYTES_MAX);
                break;
            }
        }
        body
    }

    fn fault(&self, fault: Fault, bytes: u64, at: u64, attempts: u32) -> ModelError {
        let model = self.words.model.clone();
        match fault {
            Fault::Broken(reason) => ModelError::BrokenAnswer { model, at, reason: self.words.said(&reason) },
            Fault::Calls(reason) => ModelError::BrokenCalls { model, reason },
            Fault::TooLarge(what) => self.too_large(what),
            Fault::Cut(reason) => ModelError::CutStream { model, bytes, reason },
            Fault::Reported { status, kind, said } => {
                let status = status.unwrap_or_else(|| refusal::status_of(&kind));
                self.words.error(&Refusal { status, kind: &kind, said: &said, attempts, after: None })
            }
        }
    }

    fn too_large(&self, what: String) -> ModelError {
        ModelError::AnswerTooLarge { model: self.words.model.clone(), what }
    }

    fn unreachable(&self, reason: &str) -> ModelError {
        let (model, url) = (self.words.model.clone(), self.words.said(self.url.as_str()));
        ModelError::Unreachable { model, url, reason: self.words.said(reason) }
    }
}

struct Stream {
    framer: Box<dyn Framer>,
    reader: Box<dyn Reader>,
    bytes: u64,
    /// Where the event began that is being read.
    at: u64,
}

impl Stream {
    /// Read all whole events; whether the last was among them.
    fn events(&mut self, is_end: bool, on: Listener<'_>) -> Result<bool, Fault> {
        let mut is_rest = false;
        loop {
            let next = if is_rest { self.framer.end() } else { self.framer.next() };
            match next {
                Ok(Some(frame)) => {
                    self.at = frame.at;
                    if self.reader.read(&frame, on)? {
                        return Ok(true);
                    }
                }
                Ok(None) if is_end && !is_rest => is_rest = true,
                Ok(None) => return Ok(false),
                Err(FrameError::TooLarge(what)) => return Err(Fault::TooLarge(what)),
                Err(FrameError::Broken { at, reason }) => {
                    self.at = at;
                    return Err(Fault::Broken(reason));
                }
            }
        }
    }
}

/// Give the connection back, where the end of the answer is near. Of HTTP/2 only a stream of it is dropped.
async fn free(mut response: Response) {
    if response.version() != Version::HTTP_2 {
        let _ = tokio::time::timeout(END_WAIT, async { while let Ok(Some(_)) = response.chunk().await {} }).await;
    }
}

fn scaled(seconds: u64, second: Duration) -> Duration {
    second.saturating_mul(u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// Without parameters and in lower case.
fn content_type(response: &Response) -> String {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The cause at the bottom: the layers above it repeat the URL and say nothing to an operator.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().to_lowercase()
}

/// An error without its advice.
pub(super) fn first_line(error: &ModelError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
