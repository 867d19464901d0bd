//! An agent's imports: tools, time and waiting, each answered from the journal first.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::watch;

use super::budget::{Budget, Spent, Wanted};
use super::call::{Called, Caller, Kernel, end};
use super::conversation::Conversation;
use super::inbox::Inbox;
use super::message::{self, CallResult};
use super::replay::{JournalOver, Played};
use crate::approval::Aside;
use crate::capability::bindings::pi::model::model::Info;
use crate::capability::bindings::pi::tool::types::{Content, Definition, Effect, Error};
use crate::capability::bindings::pi::tools::tools::Request;
use crate::capability::session::{LaidAside, Listening, SessionState, Stopped};
use crate::capability::tools::ToolsState;
use crate::clock;
use crate::config::covers;
use crate::gate::explain::escaped;
use crate::gate::{Act, Origin, Severity};
use crate::journal::{Body, CallRecord, EffectRecord, Fate, History, Key, SessionJournal, Status};

/// How long calls that are under way may go on after a stop.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(5);

/// Characters of a request where it is named for people.
const ASKED_CHARS_MAX: usize = 2_000;

/// How long an agent that waits for people keeps its instance. They are slow: waking it costs less than holding it.
const LISTEN_HOLD: Duration = Duration::from_secs(2);

/// What stands behind the imports of one agent's instance.
pub(super) struct AgentImports {
    pub kernel: Arc<Kernel>,
    pub journal: SessionJournal,
    pub origin: Origin,
    pub history: History,
    /// Names of the tools within the grant; a `*` at the end stands for anything.
    pub granted: Vec<String>,
    /// Milliseconds since 1970 at the last journal entry that the agent has seen.
    pub now_ms: Arc<AtomicU64>,
    pub step: AtomicU32,
    /// Turns true when the session shall stop.
    pub stop: watch::Receiver<bool>,
    /// Names of the models within the grant.
    pub models: Vec<String>,
    pub budget: Budget,
    pub conversation: Mutex<Conversation>,
    pub inbox: Arc<Inbox>,
    pub offered: OnceLock<Offered>,
    /// Where the agent asked for something else than the first time.
    pub diverged: Mutex<Option<Diverged>>,
    /// None where the agent works. In a replay, what the journal does not answer ends the instance, and nothing is
    /// done.
    pub played: Option<Arc<Played>>,
}

/// What the agent was offered when it first looked.
pub(super) struct Offered {
    pub tools: Vec<Definition>,
    pub models: Vec<Info>,
}

/// The agent asked for something else than it did the first time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the agent does not repeat itself: at step {key} the journal has {recorded}, and it asked for {asked}")]
pub struct Diverged {
    pub key: Key,
    pub recorded: String,
    pub asked: String,
}

impl AgentImports {
    pub(super) fn next_step(&self) -> u32 {
        self.step.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn saw(&self, time_ms: u64) {
        self.now_ms.fetch_max(time_ms, Ordering::Relaxed);
    }

    /// Note it, so that whoever runs the agent knows it when the instance has ended.
    pub(super) fn diverged(&self, diverged: Diverged) -> wasmtime::Error {
        let mut first = self.diverged.lock().unwrap_or_else(PoisonError::into_inner);
        wasmtime::Error::new(first.get_or_insert(diverged).clone())
    }

    /// What comes next is not in the journal: in a replay this is its end.
    pub(super) fn may_go_on(&self, key: &str, asked: impl FnOnce() -> String) -> wasmtime::Result<()> {
        match &self.played {
            None => Ok(()),
            Some(played) => {
                played.end(JournalOver { key: key.to_owned(), asked: asked() });
                Err(wasmtime::Error::new(JournalOver { key: key.to_owned(), asked: String::new() }))
            }
        }
    }

    fn is_granted(&self, name: &str) -> bool {
        self.granted.iter().any(|granted| covers(granted, name))
    }

    /// The inner error: the call waits for this approval, and is dropped with its instance.
    async fn one(&self, key: Key, request: &Request) -> wasmtime::Result<Result<CallResult, String>> {
        let is_rerun = self.history.call(&key).is_some_and(|known| known.fate() == Fate::NotBegun);
        let aside = if is_rerun { Aside::of_rerun() } else { Aside::default() };
        tokio::select! {
            // What the journal answers stands, whatever people want to end now.
            biased;
            result = self.answered(key.clone(), request, &aside) => result.map(Ok),
            approval = aside.laid() => Ok(Err(approval)),
            // Dropped with its instance: what it had begun is `abandoned`.
            () = self.inbox.interrupted() => Ok(Ok(self.interrupted(key, request))),
        }
    }

    fn interrupted(&self, key: Key, request: &Request) -> CallResult {
        let text = format!("a person interrupted `{}`; look what it has done before you do it again", request.name);
        let (journal, origin) = (self.journal.clone(), self.origin.clone());
        let called = end(&Caller { journal, origin, key, aside: None }, Err(Error::Unknown(text)));
        self.saw(called.time_ms);
        called.result
    }

    async fn answered(&self, key: Key, request: &Request, aside: &Aside) -> wasmtime::Result<CallResult> {
        let caller =
            Caller { journal: self.journal.clone(), origin: self.origin.clone(), key, aside: Some(aside.clone()) };
        let Some(known) = self.history.call(&caller.key) else {
            self.may_go_on(&caller.key, || asked_of(&self.journal, request))?;
            let is_change = self.is_change(&request.name);
            let wanted = if is_change { Wanted::Change } else { Wanted::Call };
            if let Err(text) = self.may_spend(&caller.key, wanted, aside).await {
                let called = end(&caller, Err(Error::Limit(text)));
                self.saw(called.time_ms);
                return Ok(called.result);
            }
            // Counted before it is known whether it will be begun: those beside it may not spend the same.
            self.budget.spend(&Spent::call(is_change));
            self.budget.spend_today(clock::now_ms(), &Spent::call(is_change));
            let called = if self.is_granted(&request.name) {
                self.kernel.call(caller, &request.name, &request.arguments).await
            } else {
                self.ungranted(&caller, &request.name)
            };
            if is_change && !called.is_begun {
                self.budget.give_back_change(clock::now_ms());
            }
            self.saw(called.time_ms);
            return Ok(called.result);
        };
        compare(&self.journal, &self.history, known, request).map_err(|diverged| self.diverged(diverged))?;
        if known.ended.is_none() {
            self.may_go_on(&caller.key, || format!("the rest of {}", asked_of(&self.journal, request)))?;
        }
        if let Some(spent) = spent_on(known) {
            self.budget.spend(&spent);
        }
        let called = match known.fate() {
            Fate::Ended(ended) => {
                self.saw(ended.time_ms);
                self.played.iter().for_each(|played| played.call());
                // A result that cannot be read back was not written by this program.
                return message::from_value(&ended.value).ok_or_else(|| {
                    wasmtime::Error::msg(format!("the journal's result of {} cannot be read", known.key))
                });
            }
            Fate::Unknown { done, open } if !known.idempotent => {
                let told = told(known, &done, &open);
                end(&caller, Err(Error::Unknown(told)))
            }
            Fate::NotBegun | Fate::Unknown { .. } => self.kernel.call(caller, &request.name, &request.arguments).await,
        };
        self.saw(called.time_ms);
        Ok(called.result)
    }

    fn is_change(&self, tool: &str) -> bool {
        self.kernel.toolbox.get(tool).is_some_and(|entry| entry.definition.effect != Effect::Read)
    }

    /// Whether there is budget left for what comes next; people may be asked for more. The text says what is spent.
    pub(super) async fn may_spend(&self, key: &str, wanted: Wanted, aside: &Aside) -> Result<(), String> {
        while self.budget.over(clock::now_ms(), wanted).is_some() {
            let _asking = self.budget.asking.lock().await;
            // More may have been granted to another call meanwhile.
            let Some(over) = self.budget.over(clock::now_ms(), wanted) else { break };
            let agent = &self.origin.agent;
            if !over.may_ask {
                return Err(format!("{over}\nhint: raise it in [agents.{agent}.budget] in pi.toml"));
            }
            let act =
                Act::Overspend { agent: agent.clone(), what: over.what.clone(), spent: over.spent, limit: over.limit };
            let (journal, origin) = (self.journal.clone(), self.origin.clone());
            // A host that is killed once people have agreed asks for the same again, and is not to ask them twice.
            let caller = Caller { journal, origin, key: format!("{key}.budget"), aside: Some(aside.again()) };
            match self.kernel.door(&caller, "").enter(act).await {
                Ok(pass) => pass.done(Value::Null),
                Err(refusal) => return Err(format!("{over}; more was not granted: {}", refusal.reason)),
            }
            self.budget.raise(clock::now_ms(), &over.what);
        }
        Ok(())
    }

    /// Nothing else may be in the journal at this step, and none of a later one: the agent only listened here, and
    /// nobody had said anything.
    pub(super) fn no_other(&self, step: u32, asked: &str) -> wasmtime::Result<()> {
        self.no_other_at(step, asked).map_err(|diverged| self.diverged(diverged))?;
        if self.history.last_step() > step {
            let (key, recorded) = (step.to_string(), "a look for what people say".to_owned());
            return Err(self.diverged(Diverged { key, recorded, asked: asked.into() }));
        }
        Ok(())
    }

    fn no_other_at(&self, step: u32, asked: &str) -> Result<(), Diverged> {
        let key = step.to_string();
        let recorded = if self.history.calls_in(step) > 0 {
            "calls"
        } else if self.history.wait(&key).is_some() {
            "a wait"
        } else if self.history.model(&key).is_some() {
            "a question to a model"
        } else if self.history.heard(&key).is_some() {
            "listening"
        } else {
            return Ok(());
        };
        Err(Diverged { key, recorded: recorded.into(), asked: asked.into() })
    }

    /// What the agent is offered: the same throughout the session, whatever pi.toml says later.
    pub(super) fn offered(&self) -> &Offered {
        self.offered.get_or_init(|| {
            if let Some((tools, models)) = self.history.offered() {
                return Offered { tools: message::definitions_from(tools), models: message::infos_from(models) };
            }
            if let Some(played) = &self.played {
                played.end(JournalOver { key: "0".into(), asked: "what it is offered".into() });
                return Offered { tools: Vec::new(), models: Vec::new() };
            }
            let tools = self.kernel.toolbox.iter();
            let tools = tools.filter(|entry| self.is_granted(&entry.tool.name)).map(|entry| entry.definition.clone());
            // The agent gets the journal's form: what a replay gives it.
            let tools = self.journal.masked(message::definitions(&tools.collect::<Vec<_>>()));
            let models = self.journal.masked(message::infos(&self.kernel.models.offered(&self.models)));
            let offered = Offered { tools: message::definitions_from(&tools), models: message::infos_from(&models) };
            self.journal.append(Body::Offered { tools, models });
            offered
        })
    }

    fn ungranted(&self, caller: &Caller, name: &str) -> Called {
        let agent = &self.origin.agent;
        let shown: String = name.chars().take(64).collect();
        let text = format!(
            "tool `{shown}` is not granted to `{agent}`\nhint: add it to [grants.{agent}.tools] names in pi.toml"
        );
        end(caller, Err(Error::NotFound(text)))
    }
}

/// The same step has to ask the same. The journal has no values of secrets, so what is asked is compared without them;
/// what was written before a secret was named in pi.toml is as well.
fn compare(journal: &SessionJournal, history: &History, known: &CallRecord, request: &Request) -> Result<(), Diverged> {
    let asked = journal.masked(serde_json::from_str(&request.arguments).unwrap_or(Value::Null));
    let (tool, arguments) = match history.refusal(&known.key).map(|refusal| &refusal.act) {
        // One that was refused was never begun: its name stands in the refusal.
        Some(Act::ToolCall { tool, arguments, .. }) if known.tool.is_empty() => (tool, arguments),
        // Of one that made no sense the journal has the answer alone.
        _ if known.tool.is_empty() => return Ok(()),
        _ => (&known.tool, &known.arguments),
    };
    if *tool == request.name && (*arguments == asked || journal.masked(arguments.clone()) == asked) {
        return Ok(());
    }
    let recorded = journal.masked(arguments.clone());
    Err(Diverged {
        key: known.key.clone(),
        recorded: call_text(tool, &recorded),
        asked: call_text(&request.name, &asked),
    })
}

/// What was counted for a call that the journal has. One that was answered without having been begun has no name there.
fn spent_on(known: &CallRecord) -> Option<Spent> {
    match &known.ended {
        Some(ended) if known.tool.is_empty() => Spent::of_unbegun(&ended.value),
        _ => Some(Spent::call(known.effect != Severity::Read)),
    }
}

/// A request as people read it.
fn asked_of(journal: &SessionJournal, request: &Request) -> String {
    let arguments = journal.masked(serde_json::from_str(&request.arguments).unwrap_or(Value::Null));
    call_text(&request.name, &arguments)
}

fn call_text(tool: &str, arguments: &Value) -> String {
    let text: String = format!("{tool} {arguments}").chars().take(ASKED_CHARS_MAX).collect();
    format!("`{}`", escaped(&text))
}

/// What the agent reads of a call that was cut off.
fn told(call: &CallRecord, ended: &[&EffectRecord], open: &[&EffectRecord]) -> String {
    let list =
        |effects: &[&EffectRecord]| effects.iter().map(|effect| effect.act.summary()).collect::<Vec<_>>().join(", ");
    let is_done = |effect: &&EffectRecord| effect.ended.as_ref().is_some_and(|ended| ended.status == Status::Done);
    let (done, tried): (Vec<_>, Vec<_>) = ended.iter().copied().partition(is_done);
    let mut text = format!(
        "the host was killed, or laid the session aside, while it called `{}`; look before you do it again",
        call.tool
    );
    if !done.is_empty() {
        text.push_str(&format!("; done: {}", list(&done)));
    }
    if !tried.is_empty() {
        text.push_str(&format!("; tried, and failed or was cut off: {}", list(&tried)));
    }
    if !open.is_empty() {
        text.push_str(&format!("; begun, and may have been done: {}", list(open)));
    }
    text
}

#[async_trait]
impl ToolsState for AgentImports {
    fn available(&self) -> Vec<Definition> {
        self.offered().tools.clone()
    }

    async fn call(&self, requests: Vec<Request>) -> wasmtime::Result<Vec<Result<Vec<Content>, Error>>> {
        if *self.stop.borrow() {
            return Err(wasmtime::Error::new(Stopped));
        }
        let step = self.next_step();
        let asked = format!("{} calls", requests.len());
        let recorded = self.history.calls_in(step);
        if recorded > requests.len() {
            let (key, recorded) = (step.to_string(), format!("{recorded} calls"));
            return Err(self.diverged(Diverged { key, recorded, asked }));
        }
        // Nothing is written of a step without calls, so that nothing can be missed there.
        if requests.is_empty() {
            self.no_other_at(step, &asked).map_err(|diverged| self.diverged(diverged))?;
        } else if recorded == 0 {
            self.no_other(step, &asked)?;
        }
        let calls = requests.iter().enumerate().map(|(index, request)| self.one(format!("{step}.{index}"), request));
        let mut stop = self.stop.clone();
        let stopped = async {
            // The channel's end is a stop as well: the host is gone.
            let _ = stop.wait_for(|is_stopped| *is_stopped).await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        tokio::select! {
            // The others of the step are waited for, so that what they did is known.
            results = futures::future::try_join_all(calls) => {
                // The model's next question waits until they are stored.
                if !self.models.is_empty() && self.played.is_none() {
                    self.journal.hurry();
                }
                let results: Result<Vec<_>, String> = results?.into_iter().collect();
                results.map_err(|approval| wasmtime::Error::new(LaidAside { approval }))
            }
            // What was under way is dropped with its instance: the journal says `abandoned`.
            () = stopped => Err(wasmtime::Error::new(Stopped)),
        }
    }
}

#[async_trait]
impl SessionState for AgentImports {
    fn now(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    async fn sleep(&self, ms: u32) -> wasmtime::Result<()> {
        let step = self.next_step();
        let key = step.to_string();
        if self.history.wait(&key).is_none() {
            self.no_other(step, "a wait")?;
        }
        let until_ms = match self.history.wait(&key) {
            Some(wait) => match wait.ended_ms {
                Some(time_ms) => {
                    self.saw(time_ms);
                    self.played.iter().for_each(|played| played.wait());
                    return Ok(());
                }
                None => {
                    self.may_go_on(&key, || "the rest of a wait".into())?;
                    wait.until_ms
                }
            },
            None => {
                self.may_go_on(&key, || format!("a wait of {ms} ms"))?;
                let until_ms = clock::now_ms().saturating_add(u64::from(ms));
                self.journal.append(Body::WaitStarted { key: key.clone(), until_ms });
                until_ms
            }
        };
        let left = Duration::from_millis(until_ms.saturating_sub(clock::now_ms()).min(u64::from(ms)));
        let mut stop = self.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(left) => {}
            _ = stop.wait_for(|is_stopped| *is_stopped) => return Err(wasmtime::Error::new(Stopped)),
        }
        let time_ms = self.journal.append(Body::WaitEnded { key });
        self.saw(time_ms);
        Ok(())
    }

    fn heard(&self) -> wasmtime::Result<Vec<String>> {
        let step = self.next_step();
        let key = step.to_string();
        if let Some(known) = self.history.heard(&key) {
            self.saw(known.time_ms);
            self.played.iter().for_each(|played| played.listen());
            return Ok(known.texts.clone());
        }
        self.no_other_at(step, "listening").map_err(|diverged| self.diverged(diverged))?;
        // What came later than a step that is past was not heard in it.
        if self.history.last_step() > step || self.played.is_some() {
            return Ok(Vec::new());
        }
        let texts = self.inbox.all();
        if !texts.is_empty() {
            // Who interrupts and says what to do instead wants that done.
            self.inbox.take_interruption();
            let count = u32::try_from(texts.len()).unwrap_or(u32::MAX);
            let time_ms = self.journal.append(Body::Heard { key, count, is_over: false });
            self.saw(time_ms);
        }
        Ok(texts)
    }

    async fn next(&self) -> wasmtime::Result<Option<String>> {
        let step = self.next_step();
        let key = step.to_string();
        if let Some(known) = self.history.heard(&key) {
            self.saw(known.time_ms);
            self.played.iter().for_each(|played| played.listen());
            return Ok(known.texts.first().cloned());
        }
        self.no_other(step, "listening")?;
        self.may_go_on(&key, || "what people say next".into())?;
        // Those that wait for room have something to do.
        let hold = if self.kernel.runtime.is_crowded() { Duration::ZERO } else { LISTEN_HOLD };
        let held = tokio::time::sleep(hold);
        tokio::pin!(held);
        loop {
            let (text, is_open) = self.inbox.first();
            if text.is_some() || !is_open {
                // What was interrupted has ended: this begins anew.
                self.inbox.take_interruption();
                let count = u32::from(text.is_some());
                let time_ms = self.journal.append(Body::Heard { key, count, is_over: text.is_none() });
                self.saw(time_ms);
                return Ok(text);
            }
            let mut stop = self.stop.clone();
            tokio::select! {
                () = self.inbox.spoken() => {}
                () = &mut held => return Err(wasmtime::Error::new(Listening)),
                _ = stop.wait_for(|is_stopped| *is_stopped) => return Err(wasmtime::Error::new(Stopped)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::capability::secret::scan::Scan;
    use crate::gate::{Decision, Severity};
    use crate::journal::{Entry, Journal};
    use crate::store::Holder;
    use crate::store::sqlite::SqliteStore;

    fn asked(arguments: &Value) -> Request {
        Request { name: "t".into(), arguments: arguments.to_string() }
    }

    async fn recorded(journal: &SessionJournal, arguments: Value) -> CallRecord {
        journal.append(Body::CallStarted {
            key: "0.0".into(),
            tool: "t".into(),
            arguments,
            effect: Severity::Read,
            idempotent: true,
            decision: Decision::allow(),
        });
        let entries: Vec<Entry> = journal.entries().await.unwrap();
        History::load(&entries).call("0.0").unwrap().clone()
    }

    #[tokio::test]
    async fn an_agent_repeats_itself_whatever_was_hidden_of_what_it_asked() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("store.db")).await.unwrap();
        let journal = Journal::begin(Arc::new(store), &Holder::this_process("test")).await.unwrap();
        let session = journal.session("s").await.unwrap();
        let with = |text: &str| json!({ "a": format!("x {text} y"), "n": 1 });
        // Written before it was named a secret.
        let before = recorded(&session, with("hunter22")).await;
        journal.hide(Arc::new(Scan::of([("pin", "hunter22")].into_iter())));
        let after = recorded(&session, with("hunter22")).await;
        assert_eq!(after.arguments, with("[secret pin]"));
        for known in [&before, &after] {
            let none = History::default();
            assert!(compare(&session, &none, known, &asked(&with("hunter22"))).is_ok());
            assert!(compare(&session, &none, known, &asked(&with("[secret pin]"))).is_ok());
            let error = compare(&session, &none, known, &asked(&with("hunter22 more"))).unwrap_err().to_string();
            assert!(error.contains("[secret pin] more") && !error.contains("hunter22"), "{error}");
        }
    }
}
