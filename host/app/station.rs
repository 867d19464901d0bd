//! Tools, ready to be called by this process one after another: for commands that call tools and are
//! no host that watches. Where a host runs already, it is asked to call them.
//!
//! All calls of a station are one session of the journal. Whoever uses it ends it by [`Station::close`].

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::json;
use tokio::sync::broadcast;
use tokio::task::JoinSet;

use super::approvals::{Desk, desk, on_approval_request};
use super::gating::{gate, shadow_gate};
use super::peers::{self, Doors, PeerTools};
use super::requests::{PEER_TOOLS, TOOL_CALL, ToolCall};
use super::setup::{Progress, Setup};
use super::single::{SingleError, known, session_id};
use super::state::open_store;
use crate::approval::{Approvals, Note};
use crate::capability::hold::PERSON;
use crate::clock;
use crate::config::Project;
use crate::confine::Confine;
use crate::gate::Origin;
use crate::journal::{Body, Followed, Journal, SessionJournal};
use crate::session::message::{self, CallResult};
use crate::session::{Caller, Kernel, Toolbox};
use crate::store::{Answer, Holder, LeaseError, NewRequest, Store};

/// How long a command waits for the running host to do what it asks.
const HOST_ANSWER_MAX: Duration = Duration::from_secs(120);
/// How often answers of people are looked for.
const REQUESTS_EVERY: Duration = Duration::from_millis(200);

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
}

enum Place {
    Here(Box<Here>),
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
    /// Takes people's answers while the station is there.
    _answering: JoinSet<()>,
    _listening: JoinSet<()>,
}

impl Station {
    /// Link the tools and begin a session; or find the host that runs.
    ///
    /// # Errors
    /// The project cannot be set up, or the store cannot be opened.
    pub async fn open(project: Project, options: StationOptions, progress: Progress<'_>) -> Result<Self, SingleError> {
        let agent = options.agent.clone();
        let store = open_store(&project).await?;
        match Journal::begin(store.clone(), &Holder::this_process(options.name)).await {
            Ok(journal) => {
                let journal = Arc::new(journal);
                match Here::open(project, &journal, options, progress).await {
                    Ok(here) => {
                        let station = Self { place: Place::Here(Box::new(here)), agent };
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
            Err(LeaseError::HeldBy(_)) => Ok(Self { place: Place::Host(store), agent }),
            Err(LeaseError::Store(error)) => Err(error.into()),
        }
    }

    /// Call a tool. What the tool itself says is in the result.
    ///
    /// # Errors
    /// The running host did not answer.
    pub async fn call(&self, tool: &str, arguments: &str) -> Result<CallResult, SingleError> {
        match &self.place {
            Place::Here(here) => Ok(here.call(tool, arguments).await),
            Place::Host(store) => by_host(store.as_ref(), &self.agent, tool, arguments).await,
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
                let value = ask_host(store.as_ref(), PEER_TOOLS, json!({}), true).await?;
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

    /// Hear of what people are asked and decide; none, where nobody is asked by this process.
    #[must_use]
    pub fn notes(&self) -> Option<broadcast::Receiver<Note>> {
        match &self.place {
            Place::Here(here) => here.approvals.as_ref().map(|approvals| approvals.notes()),
            Place::Host(_) => None,
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

    /// End the session and give the store back.
    ///
    /// # Errors
    /// The journal cannot be written to its end.
    pub async fn close(self, status: &str, summary: &str) -> Result<(), SingleError> {
        let Place::Here(here) = self.place else { return Ok(()) };
        here.session
            .append_durable(Body::SessionEnded { status: status.into(), summary: summary.into(), details: json!({}) })
            .await?;
        let journal = here.journal.clone();
        drop(here);
        Ok(journal.close().await?)
    }
}

impl Here {
    async fn open(
        project: Project,
        journal: &Arc<Journal>,
        options: StationOptions,
        progress: Progress<'_>,
    ) -> Result<Self, SingleError> {
        let (gate, shadow) = (gate(&project)?, shadow_gate(&project)?);
        let revision = gate.revision().to_owned();
        let setup = Setup::new(project, Confine::new(), options.instances)?;
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
        let Desk { approver, approvals, tasks, notes } = desk(&setup.project, journal, options.may_ask).await?;
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
        let mut answering = JoinSet::new();
        if let Some(approvals) = approvals.clone() {
            let journal = journal.clone();
            answering.spawn(async move {
                let mut every = tokio::time::interval(REQUESTS_EVERY);
                loop {
                    every.tick().await;
                    answer_requests(&journal, &approvals).await;
                }
            });
        }
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
            _answering: answering,
            _listening: tasks,
        })
    }

    fn kernel(&self) -> Arc<Kernel> {
        self.kernel.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn caller(&self) -> Caller {
        let key = format!("{}.0", self.next.fetch_add(1, Ordering::Relaxed));
        Caller { journal: self.session.clone(), origin: self.origin.clone(), key, aside: None }
    }

    async fn call(&self, tool: &str, arguments: &str) -> CallResult {
        self.kernel().call(self.caller(), tool, arguments).await.result
    }
}

/// Other commands see this process as the host: it takes the answers of people.
async fn answer_requests(journal: &Journal, approvals: &Arc<Approvals>) {
    let store = journal.store();
    for request in store.take_requests(journal.lease()).await.unwrap_or_default() {
        let answer = match on_approval_request(Some(approvals), &request.kind, &request.payload).await {
            Some(answer) => answer,
            None => {
                let text = "another command works here: try again when it has ended";
                // Each kind of request has its own form of an error.
                match request.kind.as_str() {
                    TOOL_CALL => json!({ "error": { "kind": "failed", "message": text } }),
                    _ => json!({ "error": text }),
                }
            }
        };
        // Who asked sees `unknown` if this cannot be written.
        let _ = store.answer(journal.lease(), &request.id, answer).await;
    }
}

async fn by_host(store: &dyn Store, agent: &str, tool: &str, arguments: &str) -> Result<CallResult, SingleError> {
    let agent = (agent != PERSON).then(|| agent.to_owned());
    let call = ToolCall { tool: tool.to_owned(), arguments: arguments.to_owned(), agent };
    let payload = serde_json::to_value(call).unwrap_or_default();
    let value = ask_host(store, TOOL_CALL, payload, false).await?;
    message::from_value(&value).ok_or(SingleError::Answer)
}

async fn ask_host(
    store: &dyn Store,
    kind: &str,
    payload: serde_json::Value,
    is_idempotent: bool,
) -> Result<serde_json::Value, SingleError> {
    let valid_ms = clock::now_ms() + u64::try_from(HOST_ANSWER_MAX.as_millis()).unwrap_or(u64::MAX);
    let id = store.push_request(NewRequest { kind: kind.into(), payload, is_idempotent, valid_ms }).await?;
    match store.wait_answer(&id, HOST_ANSWER_MAX).await? {
        Answer::Response(value) => Ok(value),
        Answer::Unknown => Err(SingleError::Unknown),
        Answer::Withdrawn => Err(SingleError::NotTaken),
    }
}
