//! Tools, ready to be called by this process one after another: for commands that call tools and are
//! no host that watches. Where a host runs already, it is asked to call them.
//!
//! All calls of a station are one session of the journal. Whoever uses it ends it by [`Station::close`],
//! which leaves no call without an end. While it is there, it is who other commands ask, as a host would be.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::approvals::{Desk, desk, on_approval_request};
use super::asking;
use super::gating::{gate, shadow_gate};
use super::peers::{self, Doors, PeerTools};
use super::requests::{PEER_TOOLS, TOOL_CALL};
use super::serving::{OpenCall, Serving};
use super::sessions::on_session_request;
use super::setup::{Progress, Setup, hide};
use super::single::{SingleError, known, session_id};
use super::state::open_store;
use crate::approval::{Approvals, Note};
use crate::capability::bindings::pi::tool::types::Error;
use crate::capability::hold::PERSON;
use crate::config::Project;
use crate::confine::Confine;
use crate::gate::Origin;
use crate::journal::{Body, Followed, Journal, SessionJournal};
use crate::session::message::CallResult;
use crate::session::{Caller, Kernel, Toolbox};
use crate::store::{Holder, LeaseError, Request, Store};

/// How often requests of other commands are looked for.
const REQUESTS_EVERY: Duration = Duration::from_millis(200);
/// How long a station that is closed waits for its calls. Danger: one that hangs keeps the store from others.
const END_MAX: Duration = Duration::from_secs(5);
/// And then, for what it cuts off to be gone.
const CUT_MAX: Duration = Duration::from_secs(1);

/// Who is told why a call waits.
pub(super) type Tell<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// How a station is opened.
pub struct StationOptions {
    /// What it is, for people: `tool call`, `mcp`.
    pub name: &'static str,
    /// Who calls, as policies and the journal see it.
    pub agent: String,
    /// Of the session's id: `call`.
    pub kind: &'static str,
    /// What the session is about, for the journal.
    pub task: serde_json::Value,
    /// The plugins whose tools are linked.
    pub plugins: Wanted,
    /// Whether a person may be asked at the terminal.
    pub may_ask: bool,
    /// Instances at once.
    pub instances: u32,
    /// What to do where another process has the store.
    pub beside: Beside,
}

/// Where another process has the store: a host, or a command such as this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// It makes the calls.
    Ask,
    /// It is an error: what is to be called is not what that process has linked.
    Refuse,
}

/// Which plugins a station links.
pub enum Wanted {
    /// All that offer tools and are granted what they import, and all servers of `[mcp]`.
    All,
    /// The one that offers this tool, or the servers of `[mcp]` that may.
    OfTool(String),
    /// No plugin, and all servers of `[mcp]`.
    Servers,
    Named(BTreeSet<String>),
}

/// Tools that can be called.
pub struct Station {
    place: Place,
    /// Who calls.
    agent: String,
    /// Answers other commands while the station is there.
    _answering: JoinSet<()>,
}

enum Place {
    Here(Arc<Here>),
    /// A host runs, and holds the store.
    Host(Arc<dyn Store>),
}

struct Here {
    journal: Arc<Journal>,
    session: SessionJournal,
    origin: Origin,
    kernel: RwLock<Arc<Kernel>>,
    setup: Setup,
    approvals: Option<Arc<Approvals>>,
    next: AtomicU64,
    /// The servers whose tools are wanted, and the one tool, where it is one.
    servers: BTreeSet<String>,
    wanted_tool: Option<String>,
    left_out: RwLock<Vec<(String, String)>>,
    _listening: JoinSet<()>,
    /// Read by each call while it is under way; written by who waits until none is.
    busy: tokio::sync::RwLock<()>,
    /// No request of another command is taken any more.
    is_closing: AtomicBool,
    /// Breaks off what is under way.
    cut: CancellationToken,
    /// Other commands are answered with what it has linked: it is what the project says.
    is_as_project: bool,
    /// What this process is, for people.
    shown: String,
}

impl Station {
    /// Link the tools and begin a session; or find the host that runs.
    ///
    /// # Errors
    /// The project cannot be set up, or the store cannot be opened.
    pub async fn open(project: Project, options: StationOptions, progress: Progress<'_>) -> Result<Self, SingleError> {
        let agent = options.agent.clone();
        let store = open_store(&project).await?;
        let holder = Holder::this_process(options.name);
        let shown = format!("`pi-host {}` (process {})", holder.name, holder.pid);
        match Journal::begin(store.clone(), &holder).await {
            Ok(journal) => {
                let journal = Arc::new(journal);
                match Here::open(project, &journal, options, shown, progress).await {
                    Ok(here) => {
                        let here = Arc::new(here);
                        let mut answering = JoinSet::new();
                        answering.spawn(answer_requests(Arc::downgrade(&here)));
                        let station = Self { place: Place::Here(here), agent, _answering: answering };
                        match station.start_servers(progress).await {
                            Ok(()) => Ok(station),
                            Err(error) => {
                                station.close("failed", "no server has the tool").await?;
                                Err(error)
                            }
                        }
                    }
                    Err(error) => {
                        let _ = journal.close().await;
                        Err(error)
                    }
                }
            }
            Err(LeaseError::HeldBy(held)) if options.beside == Beside::Refuse => Err(SingleError::Held(Box::new(held))),
            Err(LeaseError::HeldBy(_)) => Ok(Self { place: Place::Host(store), agent, _answering: JoinSet::new() }),
            Err(LeaseError::Store(error)) => Err(error.into()),
        }
    }

    /// Call a tool. What the tool itself says is in the result.
    ///
    /// # Errors
    /// The running host did not answer.
    pub async fn call(&self, tool: &str, arguments: &str) -> Result<CallResult, SingleError> {
        self.call_telling(tool, arguments, &|_| ()).await
    }

    /// As [`Station::call`]; `tell` hears why this call, and no other, waits for people.
    ///
    /// # Errors
    /// As of [`Station::call`].
    pub async fn call_telling(&self, tool: &str, arguments: &str, tell: Tell<'_>) -> Result<CallResult, SingleError> {
        match &self.place {
            Place::Here(here) => Ok(here.call(tool, arguments, tell).await),
            Place::Host(store) => {
                let agent = (self.agent != PERSON).then_some(self.agent.as_str());
                asking::tool_call(store.as_ref(), agent, tool, arguments, tell).await
            }
        }
    }

    /// Put the tools of servers into the box, as far as they are wanted.
    async fn start_servers(&self, progress: Progress<'_>) -> Result<(), SingleError> {
        let Place::Here(here) = &self.place else { return Ok(()) };
        if here.servers.is_empty() {
            return Ok(());
        }
        let kernel = here.kernel();
        let mut toolbox = kernel.toolbox.clone();
        let doors = Doors::of(here.caller());
        let peers = &here.setup.peers;
        let left_out = match &here.wanted_tool {
            // Who calls one tool waits for it, and for the people who are asked.
            Some(_) => peers.offer(&here.servers, &mut toolbox, |plugin| doors.asking(&kernel, plugin), progress).await,
            None => peers.offer(&here.servers, &mut toolbox, |plugin| doors.unasked(&kernel, plugin), progress).await,
        };
        if let Some(tool) = here.wanted_tool.as_ref().filter(|tool| toolbox.get(tool).is_none()) {
            return Err(SingleError::LeftOut { name: tool.clone(), why: peers::why(&left_out, &toolbox) });
        }
        *here.left_out.write().unwrap_or_else(PoisonError::into_inner) = left_out;
        self.replace(toolbox);
        Ok(())
    }

    /// The tools of the servers of `[mcp]`.
    ///
    /// # Errors
    /// The running host did not answer.
    pub async fn peer_tools(&self) -> Result<PeerTools, SingleError> {
        match &self.place {
            Place::Here(here) => {
                let left_out = here.left_out.read().unwrap_or_else(PoisonError::into_inner).clone();
                Ok(PeerTools { tools: peers::in_box(&here.kernel().toolbox), left_out })
            }
            Place::Host(store) => {
                let value = asking::peer_tools(store.as_ref()).await?;
                if let Some(error) = value.get("error") {
                    let why =
                        error.get("message").and_then(serde_json::Value::as_str).unwrap_or("it does not know them");
                    let left_out = vec![("the MCP servers of the running host".to_owned(), why.to_owned())];
                    return Ok(PeerTools { tools: Vec::new(), left_out });
                }
                serde_json::from_value(value).map_err(|_| SingleError::Answer)
            }
        }
    }

    /// Whether another process holds the store and makes the calls.
    #[must_use]
    pub fn is_by_host(&self) -> bool {
        matches!(self.place, Place::Host(_))
    }

    /// What this process links plugins with; none, where a host runs.
    #[must_use]
    pub fn setup(&self) -> Option<&Setup> {
        match &self.place {
            Place::Here(here) => Some(&here.setup),
            Place::Host(_) => None,
        }
    }

    /// What tools are called with; none, where a host runs.
    #[must_use]
    pub fn kernel(&self) -> Option<Arc<Kernel>> {
        match &self.place {
            Place::Here(here) => Some(here.kernel()),
            Place::Host(_) => None,
        }
    }

    /// Who calls, for a call that is made past [`Station::call`]; none, where a host runs.
    #[must_use]
    pub fn caller(&self) -> Option<Caller> {
        match &self.place {
            Place::Here(here) => Some(here.caller()),
            Place::Host(_) => None,
        }
    }

    /// Take other tools from now on. Calls that are under way end with those that they began with.
    pub fn replace(&self, toolbox: Toolbox) {
        if let Place::Here(here) = &self.place {
            let kernel = Arc::new(here.kernel().with(toolbox));
            *here.kernel.write().unwrap_or_else(PoisonError::into_inner) = kernel;
        }
    }

    /// Hear of each journal entry; none, where a host runs.
    #[must_use]
    pub fn follow(&self) -> Option<broadcast::Receiver<Arc<Followed>>> {
        match &self.place {
            Place::Here(here) => Some(here.journal.follow()),
            Place::Host(_) => None,
        }
    }

    /// End the session and give the store back. Calls that are still under way, of who uses the station and
    /// of other commands, have a moment to end, and are then cut off, which the journal says of each.
    ///
    /// # Errors
    /// The journal cannot be written to its end.
    pub async fn close(&self, status: &str, summary: &str) -> Result<(), SingleError> {
        let Place::Here(here) = &self.place else { return Ok(()) };
        here.is_closing.store(true, Ordering::Relaxed);
        // No call begins from here on: one that comes now waits for the lock, and is cut off.
        let mut idle = tokio::time::timeout(END_MAX, here.busy.write()).await;
        here.cut.cancel();
        if idle.is_err() {
            idle = tokio::time::timeout(CUT_MAX, here.busy.write()).await;
        }
        if let Some(approvals) = &here.approvals {
            // What cannot be written now is withdrawn by the next host.
            let _ = approvals.forget(here.session.id()).await;
        }
        here.session
            .append_durable(Body::SessionEnded { status: status.into(), summary: summary.into(), details: json!({}) })
            .await?;
        let closed = here.journal.close().await;
        drop(idle);
        Ok(closed?)
    }
}

impl Here {
    async fn open(
        project: Project,
        journal: &Arc<Journal>,
        options: StationOptions,
        shown: String,
        progress: Progress<'_>,
    ) -> Result<Self, SingleError> {
        let is_as_project = !matches!(options.plugins, Wanted::Named(_));
        let (gate, shadow) = (gate(&project)?, shadow_gate(&project)?);
        let revision = gate.revision().to_owned();
        let setup = Setup::new(project, Confine::new(), options.instances)?;
        hide(&setup.secrets, journal);
        let none = BTreeSet::new;
        let wanted_is_all = matches!(options.plugins, Wanted::All);
        let (plugins, servers, wanted_tool) = match options.plugins {
            Wanted::All => (setup.tool_plugins()?, setup.peers.names(), None),
            Wanted::Servers => (none(), setup.peers.names(), None),
            Wanted::Named(names) => (names, none(), None),
            Wanted::OfTool(tool) => match setup.plugin_of_tool(&tool)? {
                Some(plugin) => (BTreeSet::from([plugin]), none(), None),
                None => match setup.peers.of_tools([tool.as_str()]) {
                    servers if servers.is_empty() => {
                        return Err(SingleError::NoTool { name: tool, known: known(&setup) });
                    }
                    servers => (none(), servers, Some(tool)),
                },
            },
        };
        let toolbox = if wanted_is_all {
            setup.granted_toolbox(&plugins, progress).await?
        } else {
            setup.toolbox(&plugins, progress).await?
        };
        let Desk { approver, approvals, tasks, notes } = desk(&setup.project, journal, options.may_ask, None).await?;
        notes.iter().for_each(|note| progress(note));
        let kernel = Arc::new(setup.kernel(gate, shadow, approver, toolbox));
        let id = session_id(options.kind);
        let session = journal.session(&id).await?;
        session.append(Body::SessionStarted {
            agent: options.agent.clone(),
            component: String::new(),
            task: options.task,
            policy: revision,
        });
        Ok(Self {
            journal: journal.clone(),
            session,
            origin: Origin { session: id, agent: options.agent, plugin: String::new() },
            kernel: RwLock::new(kernel),
            setup,
            approvals,
            next: AtomicU64::new(0),
            servers,
            wanted_tool,
            left_out: RwLock::default(),
            _listening: tasks,
            busy: tokio::sync::RwLock::new(()),
            is_closing: AtomicBool::new(false),
            cut: CancellationToken::new(),
            is_as_project,
            shown,
        })
    }

    fn kernel(&self) -> Arc<Kernel> {
        self.kernel.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn caller(&self) -> Caller {
        let key = format!("{}.0", self.next.fetch_add(1, Ordering::Relaxed));
        Caller { journal: self.session.clone(), origin: self.origin.clone(), key, aside: None }
    }

    async fn call(&self, tool: &str, arguments: &str, tell: Tell<'_>) -> CallResult {
        let closed = || Err(Error::Failed(format!("{} ends, so that the call was not begun", self.shown)));
        let _busy = tokio::select! {
            biased;
            () = self.cut.cancelled() => return closed(),
            busy = self.busy.read() => busy,
        };
        if self.cut.is_cancelled() {
            return closed();
        }
        let caller = self.caller();
        let open = OpenCall::new(caller.clone());
        let (key, notes) = (caller.key.clone(), self.approvals.as_ref().map(|approvals| approvals.notes()));
        let kernel = self.kernel();
        let called = async { kernel.call(caller, tool, arguments).await.result };
        let telling = told(notes, &self.origin.session, &key, tell);
        let called = async {
            tokio::select! {
                result = called => result,
                never = telling => match never {},
            }
        };
        open.unless_cut(&self.cut, called).await
    }

    fn serving(&self) -> Serving<'_> {
        Serving {
            journal: &self.journal,
            setup: &self.setup,
            kernel: self.kernel(),
            approvals: self.approvals.as_ref(),
            cut: self.cut.clone(),
        }
    }

    /// Do what another command asks.
    async fn on_request(&self, request: &Request) -> Value {
        if let Some(answer) = on_approval_request(self.approvals.as_ref(), &request.kind, &request.payload).await {
            return answer;
        }
        let (project, none) = (&self.setup.project, BTreeSet::new());
        if let Some(answer) = on_session_request(project, &self.journal, &none, &request.kind, &request.payload).await {
            return answer;
        }
        let (shown, is_as_project) = (&self.shown, self.is_as_project);
        let why = match request.kind.as_str() {
            TOOL_CALL | PEER_TOOLS if !is_as_project => format!(
                "{shown} has the store, and what it has linked is not what the project says\nhint: end it, then try again"
            ),
            TOOL_CALL => return self.serving().tool_call(request).await,
            PEER_TOOLS => match self.serving().peer_tools().await {
                Ok(tools) => return serde_json::to_value(tools).unwrap_or_default(),
                Err(error) => error.to_string(),
            },
            _ => format!("{shown} has the store, and is no host that could do this\nhint: end it, then try again"),
        };
        // Each kind of request has its own form of an error.
        match request.kind.as_str() {
            TOOL_CALL => json!({ "error": { "kind": "failed", "message": why } }),
            PEER_TOOLS => json!({ "error": { "message": why } }),
            _ => json!({ "error": why }),
        }
    }
}

/// Tell what people are asked about one call, and what they decide. Never ends.
async fn told(
    notes: Option<broadcast::Receiver<Note>>,
    session: &str,
    key: &str,
    tell: Tell<'_>,
) -> std::convert::Infallible {
    let Some(mut notes) = notes else { return std::future::pending().await };
    let mut asked = BTreeSet::new();
    loop {
        match notes.recv().await {
            Ok(
                Note::Asked { id, session: of, key: at, summary } | Note::Joined { id, session: of, key: at, summary },
            ) if of == session && is_within(&at, key) => {
                tell(&asking::waiting(&id, &summary));
                asked.insert(id);
            }
            Ok(Note::Settled { id, outcome, .. }) if asked.contains(&id) => tell(&format!("approval {id}: {outcome}")),
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}

/// Whether an act at `key` is of the call at `call`.
fn is_within(key: &str, call: &str) -> bool {
    key.strip_prefix(call).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Other commands see this process as the host: it makes their calls, and takes the answers of people.
async fn answer_requests(here: Weak<Here>) {
    let mut every = tokio::time::interval(REQUESTS_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut answering = JoinSet::new();
    loop {
        every.tick().await;
        while answering.try_join_next().is_some() {}
        let Some(here) = here.upgrade() else { return };
        if here.is_closing.load(Ordering::Relaxed) {
            continue;
        }
        let (store, lease) = (here.journal.store(), here.journal.lease());
        // Who has asked is told that nobody took it, where the store cannot be read.
        for request in store.take_requests(lease).await.unwrap_or_default() {
            let here = here.clone();
            answering.spawn(async move {
                let _busy = here.busy.read().await;
                if here.cut.is_cancelled() {
                    return;
                }
                let answer = here.on_request(&request).await;
                // Who asked sees `unknown` if this cannot be written.
                let _ = here.journal.store().answer(here.journal.lease(), &request.id, answer).await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_is_of_the_call_that_its_key_begins_with() {
        assert!(["3.0", "3.0.2", "3.0.2.1"].iter().all(|key| is_within(key, "3.0")));
        assert!(["3", "3.1", "13.0", "3.01", "3.00.1"].iter().all(|key| !is_within(key, "3.0")));
    }
}
