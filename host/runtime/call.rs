//! One call: a fresh store and instance, its limits, and how its end is told.
//!
//! Two clocks bound a call: epochs make a running guest yield, and the deadline around the whole
//! future also covers time inside host calls. After either, the store is dropped with all it holds.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use tokio::io::AsyncWrite;
use wasmtime::component::ResourceTable;
use wasmtime::{CallHook, Engine, Store};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder};

use super::engine::Runtime;
use super::hide;
use super::link::{Callable, Grants, LinkedAgent, LinkedTool};
use crate::capability::bindings::agent_world::exports::pi::agent::agent::{Outcome, Task};
use crate::capability::bindings::pi::tool::types::{Content, Definition, Effect, Error};
use crate::capability::door::Door;
use crate::capability::http::HttpCall;
use crate::capability::limits::{Limits, TooManyHostCalls};
use crate::capability::log::LogState;
use crate::capability::model::ModelState;
use crate::capability::patience::Patience;
use crate::capability::secret::scan::{Scan, Stream};
use crate::capability::session::{LaidAside, Listening, SessionState, Stopped};
use crate::capability::state::CallState;
use crate::capability::tools::ToolsState;
use crate::clock;
use crate::plugin::{Tool, ToolEffect};

/// Bytes that a guest may hand to the host in one call of it: a 16 MiB write with room around.
const HOSTCALL_BYTES_MAX: usize = 64 << 20;
/// In the engine's words for a guest that handed over more.
const HOSTCALL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";
/// Handles (children, pollables, streams) alive at once.
const HANDLES_MAX: usize = 4_096;
/// What is kept of a guest's standard error, for the message when it traps.
const STDERR_BYTES_MAX: usize = 4_096;

/// The limits of one call.
#[derive(Clone, Debug)]
pub struct CallLimits {
    pub memory_bytes_max: u64,
    pub call_ms_max: u64,
    pub output_bytes_max: u64,
    pub host_calls_max: u64,
}

/// What the caller lends to one call.
pub struct Context {
    pub door: Door,
    pub limits: CallLimits,
    pub tools: Option<Arc<dyn ToolsState>>,
    pub session: Option<Arc<dyn SessionState>>,
    /// Messages that an agent which is started again has said already.
    pub said: u32,
    pub determinism: Option<Determinism>,
}

/// What an agent gets instead of a clock and a random source.
#[derive(Clone)]
pub struct Determinism {
    /// Milliseconds since 1970 at the last journal entry; moved on by the session.
    pub now_ms: Arc<AtomicU64>,
    pub seed: [u8; 16],
}

impl Determinism {
    /// In the place of the machine's clock and random source.
    pub(super) fn put_into(&self, builder: &mut WasiCtxBuilder) {
        let clock = SessionClock(self.now_ms.clone());
        builder
            .wall_clock(clock.clone())
            .monotonic_clock(clock)
            .secure_random(Deterministic::new(self.seed.to_vec()))
            .insecure_random(Deterministic::new(self.seed.to_vec()))
            .insecure_random_seed(u128::from_le_bytes(self.seed));
    }
}

/// Why a call gave no result of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("{0}")]
    Limit(String),
    #[error("the component trapped: {0}")]
    Trap(String),
    #[error("the component does not start: {0}")]
    Start(String),
    /// The session was asked to stop; it can be taken up again.
    #[error("stopped")]
    Stopped,
    /// The session waits for this approval; it is taken up again.
    #[error("waits for the approval {0}")]
    LaidAside(String),
    /// The session waits for what is said next; it is taken up again.
    #[error("waits for what is said next")]
    Listening,
}

impl Runtime {
    /// Call a tool in a fresh instance.
    ///
    /// # Errors
    /// What the tool answered, or which limit or trap ended it.
    pub async fn call_tool(
        &self,
        tool: &LinkedTool,
        context: Context,
        name: &str,
        arguments: &str,
    ) -> Result<Vec<Content>, Error> {
        let result = self.call_unsearched(tool, context, name, arguments).await;
        hide::result(&self.scan, result)
    }

    /// What somebody else's tool answered, without the values of secrets.
    ///
    /// # Errors
    /// The error that it was, without them as well.
    pub fn without_secrets(&self, result: Result<Vec<Content>, Error>) -> Result<Vec<Content>, Error> {
        hide::result(&self.scan, result)
    }

    /// Whether there are secrets that could be found in a text.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        !self.scan.is_empty()
    }

    /// A text without the values of secrets.
    #[must_use]
    pub fn hidden(&self, text: &str) -> String {
        self.scan.hidden(text).into_owned()
    }

    /// What a tool answers, with whatever secrets are in it.
    async fn call_unsearched(
        &self,
        tool: &LinkedTool,
        context: Context,
        name: &str,
        arguments: &str,
    ) -> Result<Vec<Content>, Error> {
        let limits = context.limits.clone();
        let stderr = Tail::new(&self.scan);
        let door = context.door.clone();
        // It is never closed.
        let _room = self.calls.acquire().await;
        let engine = match &tool.callable {
            Callable::Act(act) => act.engine(),
            Callable::Contract(_) | Callable::Plain(_) => &self.engine,
        };
        let mut store = match self.store(engine, &tool.grants, context, &stderr) {
            Ok(store) => store,
            Err(error) => return Err(Error::Failed(format!("the call cannot begin: {error:#}"))),
        };
        let called = async {
            match &tool.callable {
                Callable::Contract(pre) => {
                    let instance = pre.instantiate_async(&mut store).await.map_err(|e| (true, e))?;
                    instance.pi_tool_tool().call_call(&mut store, name, arguments).await.map_err(|e| (false, e))
                }
                Callable::Plain(plain) => plain.call(&mut store, name, arguments, limits.output_bytes_max).await,
                Callable::Act(act) => act.call(&mut store, name, arguments, limits.output_bytes_max).await,
            }
        };
        let ended = within(limits.call_ms_max, door.patience(), called).await;
        store.data_mut().say_dropped();
        let result = match ended {
            None => {
                Err(CallError::Limit(format!("the call took longer than the {} ms that it may", limits.call_ms_max)))
            }
            Some(Err((is_start, error))) => Err(told(&store, is_start, &error, &stderr)),
            Some(Ok(result)) => Ok(result),
        };
        match result {
            Err(CallError::Limit(text)) => Err(Error::Limit(text)),
            Err(other) => Err(Error::Failed(other.to_string())),
            Ok(result) => {
                let result = match (&tool.callable, result) {
                    (Callable::Plain(_) | Callable::Act(_), Err(Error::Failed(text))) => {
                        Err(Error::Failed(store.data().http.explained(text)))
                    }
                    (_, result) => result,
                };
                let size = size_of(&result);
                if size > limits.output_bytes_max {
                    return Err(Error::Limit(format!(
                        "the result has {size} bytes, more than the {} that it may have",
                        limits.output_bytes_max
                    )));
                }
                match result {
                    Err(Error::Refused(refusal)) if !door.has_refused_by(&refusal.rule) => Err(Error::Failed(format!(
                        "the tool says that it was refused (`{}`: {}), and no act of it was",
                        refusal.rule, refusal.reason
                    ))),
                    other => other,
                }
            }
        }
    }

    /// The definitions that a tool component itself gives; of one that was not written for this host
    /// those of the manifest that was made for it.
    ///
    /// # Errors
    /// Which limit or trap ended it.
    pub async fn definitions(&self, tool: &LinkedTool, context: Context) -> Result<Vec<Definition>, CallError> {
        let Callable::Contract(pre) = &tool.callable else {
            return Ok(tool.manifest.tools.iter().map(definition).collect());
        };
        let _room = self.calls.acquire().await;
        let limits = context.limits.clone();
        let stderr = Tail::new(&self.scan);
        let mut store =
            self.store(&self.engine, &tool.grants, context, &stderr).map_err(|e| CallError::Start(format!("{e:#}")))?;
        let called = async {
            let instance = pre.instantiate_async(&mut store).await.map_err(|e| (true, e))?;
            instance.pi_tool_tool().call_definitions(&mut store).await.map_err(|e| (false, e))
        };
        match tokio::time::timeout(Duration::from_millis(limits.call_ms_max), called).await {
            Err(_) => Err(CallError::Limit("the definitions took too long".into())),
            Ok(Err((is_start, error))) => Err(told(&store, is_start, &error, &stderr)),
            Ok(Ok(definitions)) => Ok(definitions),
        }
    }

    /// Run an agent until it is done.
    ///
    /// # Errors
    /// Which limit or trap ended it, or the agent's own sentence.
    pub async fn run_agent(&self, agent: &LinkedAgent, context: Context, task: &Task) -> Result<Outcome, CallError> {
        // Its time begins when it does.
        let _room = self.agents.acquire().await;
        let limits = context.limits.clone();
        let stderr = Tail::new(&self.scan);
        let mut store = self
            .store(&self.engine, &agent.grants, context, &stderr)
            .map_err(|e| CallError::Start(format!("{e:#}")))?;
        let called = async {
            let instance = agent.pre.instantiate_async(&mut store).await.map_err(|e| (true, e))?;
            instance.pi_agent_agent().call_run(&mut store, task).await.map_err(|e| (false, e))
        };
        match tokio::time::timeout(Duration::from_millis(limits.call_ms_max), called).await {
            Err(_) => {
                Err(CallError::Limit(format!("the session took longer than the {} ms that it may", limits.call_ms_max)))
            }
            Ok(Err((is_start, error))) => Err(told(&store, is_start, &error, &stderr)),
            Ok(Ok(Err(sentence))) => Err(CallError::Start(self.scan.hidden(&sentence).into_owned())),
            Ok(Ok(Ok(outcome))) => Ok(hide::outcome(&self.scan, outcome)),
        }
    }

    fn store(
        &self,
        engine: &Engine,
        grants: &Grants,
        context: Context,
        stderr: &Tail,
    ) -> wasmtime::Result<Store<CallState>> {
        let limits = Limits::new(context.limits.memory_bytes_max, context.limits.host_calls_max);
        let state = CallState {
            table: ResourceTable::new(),
            wasi: wasi(stderr, context.determinism.as_ref(), grants)?,
            limits,
            door: context.door,
            files: grants.files.clone(),
            process: grants.process.clone(),
            services: grants.services.clone(),
            cloud: grants.cloud.clone(),
            sql: grants.sql.clone(),
            tools: context.tools.filter(|_| grants.has_tools),
            model: context.session.clone().filter(|_| grants.has_model).map(|session| session as Arc<dyn ModelState>),
            session: context.session,
            log: grants.has_log.then(|| LogState::after(context.said)),
            keyvalue: grants.keyvalue.clone(),
            config: grants.config.clone(),
            http: HttpCall::new(grants.http.clone()),
            scan: Arc::clone(&self.scan),
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
        store.set_max_component_handles(HANDLES_MAX);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let host_calls_max = context.limits.host_calls_max;
        store.call_hook(move |mut context, hook| match hook {
            CallHook::CallingHost if !context.data_mut().limits.host_call() => {
                Err(wasmtime::Error::new(TooManyHostCalls(host_calls_max)))
            }
            _ => Ok(()),
        });
        Ok(store)
    }
}

fn wasi(stderr: &Tail, determinism: Option<&Determinism>, grants: &Grants) -> wasmtime::Result<WasiCtx> {
    let mut builder = WasiCtxBuilder::new();
    builder.stderr(stderr.clone()).allow_tcp(false).allow_udp(false);
    if let Some(determinism) = determinism {
        determinism.put_into(&mut builder);
    }
    if let Some(preopens) = &grants.preopens {
        preopens.open(&mut builder)?;
    }
    Ok(builder.build())
}

/// An agent's clock: the time of its session's last journal entry.
#[derive(Clone)]
struct SessionClock(Arc<AtomicU64>);

impl HostWallClock for SessionClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl HostMonotonicClock for SessionClock {
    fn resolution(&self) -> u64 {
        1_000_000
    }
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed).saturating_mul(1_000_000)
    }
}

/// The last of what a guest wrote to its standard error, without the values of secrets.
#[derive(Clone)]
struct Tail(Arc<Mutex<Said>>);

struct Said {
    /// Before anything is cut: half a secret at the cut would not be found.
    stream: Stream,
    kept: Vec<u8>,
}

impl Said {
    fn keep(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        let excess = self.kept.len().saturating_sub(STDERR_BYTES_MAX);
        self.kept.drain(..excess);
    }
}

impl Tail {
    fn new(scan: &Arc<Scan>) -> Self {
        Self(Arc::new(Mutex::new(Said { stream: Stream::new(Arc::clone(scan)), kept: Vec::new() })))
    }

    fn text(&self) -> String {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = said.stream.finish();
        said.keep(&held);
        String::from_utf8_lossy(&said.kept).trim().to_owned()
    }
}

impl IsTerminal for Tail {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Tail {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Tail {
    fn poll_write(self: Pin<&mut Self>, _: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = said.stream.push(bytes);
        said.keep(&shown);
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A tool as its manifest describes it, in the words of the contract.
#[must_use]
pub fn definition(tool: &Tool) -> Definition {
    Definition {
        name: tool.name.clone(),
        description: tool.description.clone(),
        input_schema: tool.input_schema.to_string(),
        effect: match tool.effect {
            ToolEffect::Read => Effect::Read,
            ToolEffect::Write => Effect::Write,
            ToolEffect::Destructive => Effect::Destructive,
        },
        idempotent: tool.idempotent,
    }
}

/// What comes of `called` within its time, which stands still while people are asked.
async fn within<T>(limit_ms: u64, patience: &Patience, called: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(called);
    let begun = clock::monotonic();
    loop {
        let left = (Duration::from_millis(limit_ms) + patience.waited()).saturating_sub(begun.elapsed());
        if left.is_zero() {
            return None;
        }
        // A time that is up may not be: it waits, or has waited, for people, and there is more left now.
        if let Ok(result) = tokio::time::timeout(left, &mut called).await {
            return Some(result);
        }
    }
}

/// What ended a call, in the caller's words: a limit by its name, a trap by its cause.
fn told(store: &Store<CallState>, is_start: bool, error: &wasmtime::Error, stderr: &Tail) -> CallError {
    if error.is::<Stopped>() {
        return CallError::Stopped;
    }
    if error.is::<Listening>() {
        return CallError::Listening;
    }
    if let Some(LaidAside { approval }) = error.downcast_ref::<LaidAside>() {
        return CallError::LaidAside(approval.clone());
    }
    if let Some(too_many) = error.downcast_ref::<TooManyHostCalls>() {
        return CallError::Limit(too_many.to_string());
    }
    if let Some(limit) = store.data().limits.reached() {
        return CallError::Limit(format!("the call needed more than its {limit}"));
    }
    let cause = error.root_cause().to_string();
    // The engine has no type for it that could be asked for.
    if cause.contains(HOSTCALL_EXHAUSTED) {
        return CallError::Limit(format!(
            "the call handed more to the host than the {} MiB that it may",
            HOSTCALL_BYTES_MAX >> 20
        ));
    }
    let words = stderr.text();
    let text = if words.is_empty() { cause } else { format!("{cause}; it said: {words}") };
    if is_start { CallError::Start(text) } else { CallError::Trap(text) }
}

/// The bytes of a result that the guest chose. Those of an error count as well: all of it goes into
/// the journal and to the caller.
fn size_of(result: &Result<Vec<Content>, Error>) -> u64 {
    let bytes: usize = match result {
        Ok(contents) => contents
            .iter()
            .map(|content| match content {
                Content::Text(text) | Content::Json(text) => text.len(),
                Content::Blob(blob) => blob.bytes.len() + blob.mime.len(),
            })
            .sum(),
        Err(
            Error::InvalidArguments(text)
            | Error::NotFound(text)
            | Error::Unknown(text)
            | Error::Limit(text)
            | Error::Failed(text),
        ) => text.len(),
        Err(Error::Refused(refusal)) => {
            refusal.action.len() + refusal.rule.len() + refusal.reason.len() + refusal.advice.len()
        }
    };
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::bindings::pi::gate::refusal::Refusal;
    use crate::capability::bindings::pi::tool::types::Blob;

    #[test]
    fn counts_every_byte_that_a_guest_chose() {
        let refusal = Refusal {
            action: "x".repeat(10),
            rule: "x".repeat(20),
            reason: "x".repeat(30),
            risk: 255,
            advice: "x".repeat(40),
        };
        let blob = Blob { mime: "a/b".into(), bytes: vec![0; 7] };
        assert_eq!(size_of(&Err(Error::Refused(refusal))), 100);
        assert_eq!(size_of(&Err(Error::Unknown("four".into()))), 4);
        assert_eq!(size_of(&Ok(vec![Content::Text("ab".into()), Content::Json("{}".into()), Content::Blob(blob)])), 14);
    }
    #[tokio::test]
    async fn a_secret_over_the_cut_of_what_a_guest_said_does_not_show_its_half() {
        use tokio::io::AsyncWriteExt as _;
        const VALUE: &str = "hunter22hunter22";
        let scan = Arc::new(Scan::of([("token", VALUE)].into_iter()));
        // Where it begins; the cut goes through every place of it in turn.
        for before in 0..VALUE.len() + 2 {
            for parts in [1, 3, STDERR_BYTES_MAX] {
                let mut tail = Tail::new(&scan);
                let rest = STDERR_BYTES_MAX - before.min(STDERR_BYTES_MAX);
                let said = format!("begin {VALUE}{}", ".".repeat(rest));
                for part in said.as_bytes().chunks(said.len().div_ceil(parts)) {
                    tail.write_all(part).await.unwrap();
                }
                let text = tail.text();
                assert!(text.len() <= STDERR_BYTES_MAX && !text.contains("unter") && !text.contains("r22"), "{text}");
            }
        }
        let mut tail = Tail::new(&scan);
        tail.write_all(b"the end is hunter22").await.unwrap();
        assert_eq!(tail.text(), "the end is hunter22");
    }
}
