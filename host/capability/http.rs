//! `wasi:http` outgoing: requests to the hosts of a grant, each judged and journalled before anything is sent.
//!
//! The way of every request: read what it is aimed at ([`target`]), hold that against the grant ([`grant`]), enter the
//! door, resolve the host once and look at each address ([`guard`]), put the secrets in that are bound to it, and send
//! ([`send`]), with a limit on everything that the guest or the server decides ([`body`]). The host follows no
//! redirect: a guest that does makes another request, which takes the same way.
//!
//! `wasi:http/types` is always linked: requests and bodies are data, and nothing leaves without `handle`.

mod body;
mod grant;
mod guard;
mod send;
pub(in crate::capability) mod target;
mod trust;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, Method};
use wasmtime::component::Resource;
use wasmtime_wasi_http::p2::bindings::http::types;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView,
    WasiHttpHooks, WasiHttpView,
};

use super::bindings::standard::wasi::http::outgoing_handler;
use super::door::{Door, Refusal};
use super::secret::scan::Scan;
use super::state::CallState;
use crate::gate::Act;
use crate::gate::explain::escaped;
use target::{Scheme, Target};

pub use grant::HttpState;

/// Names and values of the headers of one request or answer, as they are held. Danger: each is held, sent and searched.
const HEADER_BYTES_MAX: usize = 64 << 10;
/// Longest method. Danger: it is any word, and stands in each refusal and in the journal.
const METHOD_BYTES_MAX: usize = 32;
/// Of an address that could not be read, in the sentence that says why. Danger: it is as long as the guest makes it.
const ADDRESS_CHARS_SHOWN_MAX: usize = 500;
/// Of why a request failed, beside what its tool says: it quotes the URL, which is as long as the guest makes it.
const REASON_CHARS_MAX: usize = 1_000;
/// Largest piece of a body that a guest hands over at once.
const CHUNK_BYTES_MAX: usize = 1 << 20;

/// The requests of one call.
pub struct HttpCall {
    ctx: WasiHttpCtx,
    hooks: Controlled,
    state: Option<Arc<HttpState>>,
    requests: u32,
    reason: Reason,
}

/// Why the latest request failed, if it did. Libraries above `wasi:http` tell their callers that something failed,
/// and seldom what: whoever wrote none of the component would be left without a way on. It goes to whoever called the
/// tool, so it holds no more than the guest itself could know: no secret, and no address that a name has.
#[derive(Clone, Default)]
struct Reason(Arc<Mutex<Option<String>>>);

impl Reason {
    /// The text is one that may be told: without secrets.
    fn is(&self, text: &str) {
        let text = text.chars().take(REASON_CHARS_MAX).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    /// The latest request was answered: what failed after it failed for something else.
    fn is_none(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl HttpCall {
    /// Of a call of a plugin that was granted this, or nothing.
    #[must_use]
    pub fn new(state: Option<Arc<HttpState>>) -> Self {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(HEADER_BYTES_MAX);
        Self { ctx, hooks: Controlled, state, requests: 0, reason: Reason::default() }
    }

    /// What a tool says of its failure, with why its latest request failed where it keeps that to itself.
    #[must_use]
    pub fn explained(&self, failure: String) -> String {
        let reason = self.reason.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_told = |reason: &str| reason.lines().next().is_some_and(|what| failure.contains(what));
        match reason {
            Some(reason) if !is_told(&reason) => format!("{}\nits request failed: {reason}", failure.trim_end()),
            _ => failure,
        }
    }

    /// As a code that has room for words.
    fn denied(&self, text: String) -> types::ErrorCode {
        self.reason.is(&text);
        denied(text)
    }
}

impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.http.hooks, table: &mut self.table, ctx: &mut self.http.ctx }
    }
}

/// Whether a header is the host's to write: what is about the connection and not about the request.
pub(in crate::capability) fn is_controlled(name: &HeaderName) -> bool {
    let text = name.as_str();
    DEFAULT_FORBIDDEN_HEADERS.contains(name)
        || text.starts_with("proxy-")
        || matches!(text, "te" | "trailer" | "expect" | "via" | "forwarded")
}

struct Controlled;

impl WasiHttpHooks for Controlled {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_controlled(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_controlled)
    }

    /// Never asked: `handle` below does not come through here.
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = SentBody> + Send> {
        Box::new(std::future::ready(Err(Error::HttpRequestDenied)))
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES_MAX
    }
}

type SentBody = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

/// A request that was read, and is not judged yet.
pub(super) struct Outgoing {
    pub method: Method,
    pub target: Target,
    pub headers: HeaderMap,
    pub body: Option<WasiBody>,
    /// What it says of its body; none where that comes as a stream.
    pub body_bytes: Option<u64>,
    pub options: RequestOptions,
}

impl outgoing_handler::Host for CallState {
    async fn handle(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        options: Option<Resource<RequestOptions>>,
    ) -> wasmtime::Result<Result<Resource<HostFutureIncomingResponse>, types::ErrorCode>> {
        let options = match options {
            Some(options) => self.table.delete(options)?,
            None => RequestOptions::default(),
        };
        let request = self.table.delete(request)?;
        let Some(state) = self.http.state.clone() else {
            return Ok(Err(self.http.denied("no request is granted".into())));
        };
        self.http.requests = self.http.requests.saturating_add(1);
        if self.http.requests > state.requests_max {
            let text = format!("the call made more than the {} requests that it may", state.requests_max);
            return Ok(Err(self.http.denied(text)));
        }
        let outgoing = match read(request, options, &state.scan) {
            Ok(outgoing) => outgoing,
            Err(Unread::Invalid(error)) => return Ok(Err(error)),
            Err(Unread::Unclear { method, url, text }) => {
                self.door.refuse(&refused(&state, &method, &url), "unclear_address", &text).await;
                return Ok(Err(self.http.denied(text)));
            }
        };
        match begin(state, &self.door, outgoing, self.http.reason.clone()).await {
            Ok(pending) => Ok(Ok(self.table.push(pending)?)),
            Err(text) => Ok(Err(self.http.denied(text))),
        }
    }
}

/// A request that was refused before it was read to its end, as the journal keeps it. What a guest wrote may be long,
/// and may hold anything.
fn refused(state: &HttpState, method: &Method, url: &str) -> Act {
    Act::HttpRequest {
        method: shown(&state.scan, method.as_str(), METHOD_BYTES_MAX),
        url: shown(&state.scan, url, target::URL_BYTES_MAX),
        headers: Vec::new(),
        secrets: Vec::new(),
        body_bytes: None,
        is_granted: false,
    }
}

/// What a guest wrote, as it can be shown. Cut after it was searched: half a secret at the cut would not be found.
fn shown(scan: &Scan, text: &str, chars_max: usize) -> String {
    escaped(&scan.hidden(text)).chars().take(chars_max).collect()
}

/// What a guest can read: the other codes have no text.
fn denied(text: String) -> types::ErrorCode {
    types::ErrorCode::InternalError(Some(text))
}

/// Judge a request and send it.
async fn begin(
    state: Arc<HttpState>,
    door: &Door,
    outgoing: Outgoing,
    reason: Reason,
) -> Result<HostFutureIncomingResponse, String> {
    let Outgoing { method, target, headers, body_bytes, .. } = &outgoing;
    if let Err(text) = state.covers(method.as_str(), target, &door.origin().plugin) {
        let text = state.scan.hidden(&text).into_owned();
        door.refuse(&refused(&state, method, &target.url()), "not_granted", &text).await;
        return Err(text);
    }
    // A guest may have found a secret in a file. Where it belongs the host puts it in; anywhere else it does not go.
    let values = headers.values().map(http::HeaderValue::as_bytes);
    let url = target.url();
    let decoded = target::decoded(url.as_bytes());
    if [url.as_bytes(), &decoded].into_iter().chain(values).any(|text| state.scan.finds(text))
        || headers.keys().any(|name| state.scan.finds_in_name(name.as_str()))
    {
        const TEXT: &str = "the request holds the value of a secret of pi.toml\nhint: leave it out: the host puts a secret in that is granted and bound to the host";
        door.refuse(&refused(&state, method, &url), "secret_in_request", TEXT).await;
        return Err(TEXT.into());
    }
    let is_exception = state.is_exception(target);
    let secrets: Vec<_> = state.secrets.iter().filter(|secret| secret.is_for(target, is_exception)).cloned().collect();
    let permit = Arc::clone(&state.running).try_acquire_owned().map_err(|_| {
        format!("{} requests are under way already: read one to its end, or drop it", grant::RUNNING_MAX)
    })?;
    let names: BTreeSet<&str> = headers.keys().map(HeaderName::as_str).collect();
    let act = Act::HttpRequest {
        method: method.as_str().to_owned(),
        url,
        headers: names.into_iter().map(str::to_owned).collect(),
        secrets: secrets.iter().map(|secret| secret.name().to_owned()).collect(),
        body_bytes: *body_bytes,
        is_granted: state.names(method.as_str(), target),
    };
    let pass = door.enter(act).await.map_err(|refusal| in_words(&refusal))?;
    if pass.edited().is_some() {
        let text = "what an approver made of the request cannot be sent: only the request as it was asked for can";
        pass.failed(&text);
        return Err(text.into());
    }
    let sending = send::Sending { state, outgoing, secrets, is_exception, pass, permit, reason };
    Ok(HostFutureIncomingResponse::Pending(wasmtime_wasi::runtime::spawn(send::send(sending))))
}

fn in_words(refusal: &Refusal) -> String {
    let mut text = format!("refused by rule `{}`: {}", refusal.rule, refusal.reason);
    if !refusal.advice.is_empty() {
        text.push_str("; ");
        text.push_str(&refusal.advice);
    }
    text
}

/// Why a request could not be read.
enum Unread {
    /// It is no request: the guest's own mistake.
    Invalid(types::ErrorCode),
    /// It could be aimed at more than one thing, or at what there is no way to.
    Unclear { method: Method, url: String, text: String },
}

/// The parts of a request, as exactly one thing each.
fn read(request: HostOutgoingRequest, options: RequestOptions, scan: &Scan) -> Result<Outgoing, Unread> {
    let method: Result<Method, _> = request.method.try_into();
    let method = method.ok().filter(|method| method.as_str().len() <= METHOD_BYTES_MAX);
    let method = method.ok_or(Unread::Invalid(types::ErrorCode::HttpRequestMethodInvalid))?;
    let authority = request.authority.unwrap_or_default();
    let path = request.path_with_query.unwrap_or_default();
    let unclear = |method: &Method, scheme: &str, text: String| {
        let url = format!("{scheme}://{authority}{path}");
        Unread::Unclear { method: method.clone(), url, text }
    };
    let scheme = match request.scheme {
        None | Some(types::Scheme::Https) => Scheme::Https,
        Some(types::Scheme::Http) => Scheme::Http,
        Some(types::Scheme::Other(other)) => {
            let shown = shown(scan, &other, ADDRESS_CHARS_SHOWN_MAX);
            let text = format!("there is no way to send over `{shown}`: https and http are known");
            return Err(unclear(&method, &other, text));
        }
    };
    let target = Target::read(scheme, &authority, &path).map_err(|reason| {
        let shown = shown(scan, &format!("{authority}{path}"), ADDRESS_CHARS_SHOWN_MAX);
        let text = format!("`{shown}` is refused: {reason}");
        unclear(&method, scheme.name(), text)
    })?;
    let mut headers = HeaderMap::from(request.headers);
    let odd_length = |most| Unread::Invalid(types::ErrorCode::HttpRequestBodySize(most));
    let body_bytes = match (headers.remove(CONTENT_LENGTH), &request.body) {
        (Some(length), body) => {
            let text = length.to_str().unwrap_or_default();
            let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let bytes: u64 = text.parse().ok().filter(|_| is_number).ok_or(odd_length(None))?;
            if body.is_none() && bytes != 0 {
                return Err(odd_length(Some(0)));
            }
            Some(bytes)
        }
        (None, None) => Some(0),
        (None, Some(_)) => None,
    };
    Ok(Outgoing { method, target, headers, body: request.body, body_bytes, options })
}

/// A body of bytes that are there.
fn whole(bytes: Bytes) -> WasiBody {
    use http_body_util::BodyExt as _;
    http_body_util::Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(reason: &str) -> HttpCall {
        let call = HttpCall::new(None);
        call.reason.is(reason);
        call
    }

    #[test]
    fn a_failure_gets_the_reason_that_it_does_not_tell() {
        let call = after("`GET https://a.example/` is not granted\nhint: add it");
        let told = call.explained("it went wrong\n".into());
        assert_eq!(told, "it went wrong\nits request failed: `GET https://a.example/` is not granted\nhint: add it");
        // In the words of another library, which shows a text as code has it.
        let quoted = r#"Error("`GET https://a.example/` is not granted\nhint: add it")"#;
        assert_eq!(call.explained(quoted.into()), quoted);
        assert_eq!(HttpCall::new(None).explained("it went wrong".into()), "it went wrong");
    }

    #[test]
    fn a_request_that_was_answered_since_is_the_reason_for_nothing() {
        let call = after("`GET https://a.example/` is not granted");
        call.reason.is_none();
        assert_eq!(call.explained("it went wrong".into()), "it went wrong");
    }

    #[test]
    fn a_reason_is_cut_where_a_url_without_end_makes_it_one() {
        let longest = "x".repeat(REASON_CHARS_MAX);
        let told = after(&format!("{longest}y")).explained(String::new());
        assert_eq!(told, format!("\nits request failed: {longest}"));
    }
}
