//! One tool call: checked, judged, written down, run in a fresh instance, written down again.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::broadcast;

use super::budget::Days;
use super::message::{self, CallResult};
use super::model::{Models, Streamed};
use super::peer::Peer;
use super::toolbox::{Entry, Provider, Toolbox};
use crate::approval::{Approver, Aside};
use crate::capability::bindings::pi::tool::types::{Definition, Error};
use crate::capability::door::{Door, Judge};
use crate::capability::hold::Holds;
use crate::capability::patience::Patience;
use crate::capability::safety::Safety;
use crate::gate::{Act, Decision, InForce, Origin, Profile};
use crate::journal::{Body, Key, SessionJournal, Status};
use crate::packages::audit::Audit;
use crate::runtime::{CallError, CallLimits, Context, LinkedTool, Runtime};

/// What every session of a host shares.
pub struct Kernel {
    pub runtime: Arc<Runtime>,
    pub gate: Arc<InForce>,
    pub approver: Arc<dyn Approver>,
    /// Looks up packages that are to be installed.
    pub audit: Option<Arc<Audit>>,
    pub holds: Arc<Holds>,
    pub safety: Arc<Safety>,
    pub toolbox: Toolbox,
    pub models: Models,
    /// What models say, as it arrives.
    pub streamed: broadcast::Sender<Arc<Streamed>>,
    pub days: Days,
    /// The project's folder, absolute: where scripts run.
    pub directory: String,
}

/// Who calls, and where it is written down.
#[derive(Clone)]
pub struct Caller {
    pub journal: SessionJournal,
    pub origin: Origin,
    pub key: Key,
    /// The way to lay the call aside while people decide; none, where it has to wait.
    pub aside: Option<Aside>,
}

/// What a call gave, and the time of the journal's entry about it.
pub struct Called {
    pub result: CallResult,
    pub time_ms: u64,
    /// Whether the tool was run; else it was refused, or made no sense.
    pub is_begun: bool,
}

impl Kernel {
    /// The same, with other tools.
    #[must_use]
    pub fn with(&self, toolbox: Toolbox) -> Self {
        Self {
            runtime: self.runtime.clone(),
            gate: self.gate.clone(),
            approver: self.approver.clone(),
            audit: self.audit.clone(),
            holds: self.holds.clone(),
            safety: self.safety.clone(),
            toolbox,
            models: self.models.clone(),
            streamed: self.streamed.clone(),
            days: self.days.clone(),
            directory: self.directory.clone(),
        }
    }

    /// The same, for sessions that may go no further than this.
    #[must_use]
    pub fn bounded(&self, profile: Profile) -> Self {
        Self { gate: Arc::new(self.gate.bounded(profile)), ..self.with(self.toolbox.clone()) }
    }

    /// Call a tool by name. Whatever happens is a message that the caller can read, and is in the
    /// journal.
    pub async fn call(&self, caller: Caller, name: &str, arguments: &str) -> Called {
        // A guest that calls faster than the disk takes the entries waits here.
        caller.journal.ready().await;
        let Some(entry) = self.toolbox.get(name) else {
            return self.unfound(&caller, name);
        };
        let parsed = match serde_json::from_str::<Value>(arguments) {
            Ok(value) => value,
            Err(error) => {
                return end(&caller, Err(Error::InvalidArguments(format!("the arguments are not JSON: {error}"))));
            }
        };
        if let Some(complaints) = entry.complaints(&parsed) {
            let text = format!("the arguments of `{name}` do not match its schema: {complaints}");
            return end(&caller, Err(Error::InvalidArguments(text)));
        }
        let decision = match self.judge(&caller, entry, &parsed).await {
            Ok(decision) => decision,
            Err(error) => return end(&caller, Err(error)),
        };
        // What was judged is what the tool gets: of a key that stands twice there, only the last.
        let arguments = parsed.to_string();
        caller.journal.append(Body::CallStarted {
            key: caller.key.clone(),
            tool: name.to_owned(),
            arguments: parsed.clone(),
            effect: entry.tool.effect,
            idempotent: entry.tool.idempotent,
            decision: decision.clone(),
        });
        let door = self.door(&caller, entry.provider.plugin());
        let result = match &entry.provider {
            Provider::Component(linked, limits) => {
                let limits = limits.clone();
                let context = Context { door, limits, tools: None, session: None, said: 0, determinism: None };
                self.runtime.call_tool(linked, context, name, &arguments).await
            }
            Provider::Peer(peer) => self.call_peer(peer.as_ref(), entry, door, decision, parsed).await,
        };
        Called { is_begun: true, ..end(&caller, result) }
    }

    /// The door of a call, for what is done in a plugin's name.
    #[must_use]
    pub fn door(&self, caller: &Caller, plugin: &str) -> Door {
        self.door_by(caller, plugin, self.approver.clone())
    }

    /// The same, where somebody else is asked.
    #[must_use]
    pub fn door_by(&self, caller: &Caller, plugin: &str, approver: Arc<dyn Approver>) -> Door {
        let origin = Origin { plugin: plugin.to_owned(), ..caller.origin.clone() };
        Door::new(Judge { origin, approver, ..self.judge_for(caller) }, caller.key.clone())
    }

    /// What a server does in a call is not seen act by act: the call is the act, and has been judged.
    async fn call_peer(
        &self,
        peer: &dyn Peer,
        entry: &Entry,
        door: Door,
        decision: Decision,
        arguments: Value,
    ) -> CallResult {
        let tool = &entry.tool;
        let Value::Object(given) = arguments.clone() else {
            return Err(Error::InvalidArguments("the arguments are no JSON object".into()));
        };
        if let Err(error) = peer.ready(&door, tool).await {
            return self.runtime.without_secrets(Err(error));
        }
        let (effect, idempotent) = (tool.effect, tool.idempotent);
        let act = Act::ToolCall { tool: tool.name.clone(), effect, idempotent, arguments };
        let pass = door.enter_judged(act, decision).await.map_err(|refusal| Error::Refused(refusal.into()))?;
        let result = self.runtime.without_secrets(peer.call(tool, given).await);
        match &result {
            Ok(_) => pass.done(Value::Null),
            // Left open, it says `abandoned`: nobody knows.
            Err(Error::Unknown(_)) => drop(pass),
            Err(error) => pass.failed(&message::words(error)),
        }
        result
    }

    /// Ask a component itself which tools it has: for who packs it, never for who installs it.
    ///
    /// # Errors
    /// Which limit or trap ended it.
    pub async fn definitions(
        &self,
        caller: Caller,
        linked: &LinkedTool,
        limits: CallLimits,
    ) -> Result<Vec<Definition>, CallError> {
        let door = self.door(&caller, "");
        let context = Context { door, limits, tools: None, session: None, said: 0, determinism: None };
        self.runtime.definitions(linked, context).await
    }

    fn judge_for(&self, caller: &Caller) -> Judge {
        Judge {
            gate: self.gate.clone(),
            approver: self.approver.clone(),
            audit: self.audit.clone(),
            holds: self.holds.clone(),
            safety: self.safety.clone(),
            journal: caller.journal.clone(),
            origin: caller.origin.clone(),
            aside: caller.aside.clone(),
            patience: Patience::default(),
        }
    }

    fn unfound(&self, caller: &Caller, name: &str) -> Called {
        let shown: String = name.chars().take(64).collect();
        let known: Vec<&str> = self.toolbox.iter().map(|entry| entry.tool.name.as_str()).collect();
        let text = format!("there is no tool `{shown}`; there are: {}", known.join(", "));
        end(caller, Err(Error::NotFound(text)))
    }

    /// The gate over the call itself, and in advance over each script in its arguments.
    async fn judge(&self, caller: &Caller, entry: &Entry, arguments: &Value) -> Result<Decision, Error> {
        let call = Act::ToolCall {
            tool: entry.tool.name.clone(),
            effect: entry.tool.effect,
            idempotent: entry.tool.idempotent,
            arguments: arguments.clone(),
        };
        let judge = self.judge_for(caller);
        let judged = match &entry.provider {
            Provider::Component(..) => judge.pass(&caller.key, call).await,
            Provider::Peer(_) => judge.pass_whole(&caller.key, call).await,
        };
        let (_, decision) = judged.map_err(|r| Error::Refused(r.into()))?;
        for script in entry.scripts(arguments) {
            let directory = arguments.get("directory").and_then(Value::as_str).unwrap_or(&self.directory);
            let act = Act::Script { text: script.to_owned(), directory: directory.to_owned() };
            judge.pass(&caller.key, act).await.map_err(|r| Error::Refused(r.into()))?;
        }
        Ok(decision)
    }
}

/// Write down that a call was broken off from outside: what was said of it then is its end.
pub fn cut_off(caller: &Caller, error: Error) {
    end(caller, Err(error));
}

/// Write the end of a call down.
pub(super) fn end(caller: &Caller, result: CallResult) -> Called {
    // The caller gets what a replay would give: JSON as the journal writes it.
    let result = result.map(|contents| contents.into_iter().map(message::as_written).collect());
    let status = match &result {
        Ok(_) => Status::Done,
        Err(Error::Refused(_)) => Status::Refused,
        Err(Error::Unknown(_)) => Status::Unknown,
        Err(_) => Status::Failed,
    };
    let body = Body::CallEnded { key: caller.key.clone(), status, result: message::to_value(&result) };
    let time_ms = caller.journal.append(body);
    Called { result, time_ms, is_begun: false }
}
