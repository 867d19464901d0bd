//! A host that runs: supervises the services, wakes agents when one is sick, takes up what was cut
//! off, serves the requests of other commands, until it is told to stop.

mod alarms;
mod deliver;
mod heartbeat;
mod reload;
mod requests;
mod resume;
mod retention;
mod runbook;
mod running;
mod safety;

use deliver::Deliveries;
use heartbeat::Heartbeats;
pub use resume::begun_with;
use runbook::Wired;
use running::Reach;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;

use super::approvals::{ApprovalsError, desk};
use super::context::{self, Talk};
use super::deliveries::{DeliveryError, routes};
use super::gating::{gate, shadow_gate};
use super::incident::{self, Closed};
use super::kept::{Kept, KeptAgentError, KeptError};
use super::reports::record_of;
use super::runbooks::{Handed, RunbooksError};
use super::setup::{Progress, Setup, SetupError, hide};
use super::single::session_id;
use super::spent::count_today;
use super::state::{StateError, open_store};
use super::triggers::{Triggers, TriggersError, triggers};
use crate::approval::{Approvals, Asked, Note};
use crate::capability::hold::Leave;
use crate::capability::safety::switch::Stopped;
use crate::clock;
use crate::config::Project;
use crate::confine::Confine;
use crate::gate::Gate;
use crate::journal::{Followed, Journal, JournalError, SessionJournal};
use crate::report::Document;
use crate::runtime::Room;
use crate::session::{self, AgentSetup, Inbox, Kernel, SessionError, Streamed};
use crate::store::{Holder, LeaseError, Store, StoreError};
use crate::supervisor::{Places, Sight, Supervisor, SupervisorError};
use crate::watch::intake::Told;
use crate::watch::{Alarm, AlarmState, Incidents, Watch};

/// How often the host looks for requests of other commands: they wait a second at most.
const REQUESTS_EVERY: Duration = Duration::from_millis(200);
/// Looks at the policy files come once in so many of these.
const RELOAD_TICKS: u32 = 5;
/// What a host has room for, and one that was started for one task of a person: room takes time to make.
const ROOM: Room = Room { agents: 1_000, calls: 256 };
const ROOM_OF_ONE: Room = Room { agents: 32, calls: 64 };
/// Keys of the store: the session that has handed a service over to people, by service.
const HANDED_OVER: &str = "handed_over/";
/// Closed incidents that wait for a slow reader.
const CLOSED_MAX: usize = 1_024;

/// How a host is started.
pub struct Options {
    /// Run only these agents; none runs all of `pi.toml`.
    pub agents: Option<Vec<String>>,
    /// Whether alarms wake agents. Without it, the host only serves what it is asked.
    pub is_watching: bool,
    /// Whether a person may be asked at the terminal.
    pub may_ask: bool,
    /// What has the terminal and puts questions there, instead of the host.
    pub screen: Option<mpsc::UnboundedSender<Asked>>,
    /// Whether people talk to its sessions while they run.
    pub is_talking: bool,
    /// What the host is, for people: `run`, `session resume`.
    pub name: &'static str,
}

#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("{error}\nhint: {}", .error.hint())]
    Lease { error: LeaseError },
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Approvals(#[from] ApprovalsError),
    #[error(transparent)]
    Triggers(#[from] TriggersError),
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(
        "the journal can write no more: {0}\nhint: nothing was done that is not written, and the services go on without a host; make room or repair the disk, then start again: what was cut off is taken up"
    )]
    Unwritable(String),
    #[error(
        "its journal does not hold: {problems}\nhint: `pi-host session verify {session}` has it all; the session stays open, for a copy of the store that holds"
    )]
    Damaged { session: String, problems: String },
    #[error(transparent)]
    Kept(#[from] KeptError),
    #[error(transparent)]
    KeptAgent(#[from] KeptAgentError),
    #[error(
        "session `{0}` is being worked on by this host already\nhint: `pi-host session show {0}` has how far it is"
    )]
    Claimed(String),
    #[error(transparent)]
    Runbook(RunbooksError),
    #[error("agent `{agent}` cannot be started: {error}")]
    Agent { agent: String, error: String },
}

/// What a host tells those who look on.
#[derive(Clone, Debug)]
pub enum Event {
    Alarm(Alarm),
    /// An alarm came from outside, was refused, or something is to be said of them.
    Trigger(Told),
    /// A session begins, or is taken up again.
    Session {
        id: String,
        agent: String,
        is_resumed: bool,
    },
    /// The policy was read anew; with an error: it could not be, and the old one goes on.
    Policy {
        revision: String,
        error: Option<String>,
    },
    /// A person is asked, or has decided.
    Approval(Note),
    /// A session waits for people, and holds no instance meanwhile.
    Waiting {
        session: String,
        approval: String,
    },
    /// A session has done what there was to do, and waits for what people say next. It holds no instance meanwhile.
    Listening {
        session: String,
    },
    Closed(Closed),
    /// Everything was stopped, or goes on.
    StoppedAll(Option<Stopped>),
    /// Sessions in a row have changed this and not healed it: agents only propose now.
    Breaker {
        what: String,
    },
    /// What a job of the heartbeat does, or what its clock did.
    Heartbeat {
        job: String,
        what: String,
    },
    /// A report was delivered, or was not.
    Delivery(String),
    /// A session that could not be run to its end.
    Broken {
        session: String,
        error: String,
    },
}

/// A host that runs.
pub struct Host {
    project: Project,
    store: Arc<dyn Store>,
    /// Links what no agent needs when a person calls it.
    setup: Setup,
    journal: Arc<Journal>,
    approvals: Option<Arc<Approvals>>,
    /// They bring people's answers back.
    _listening: JoinSet<()>,
    kernel: Arc<Kernel>,
    agents: BTreeMap<String, AgentSetup>,
    /// The components that sessions began with.
    kept: Kept,
    supervisor: Arc<Supervisor>,
    /// Taken by [`Host::serve`].
    watch: Mutex<Option<Watch>>,
    /// Alarms from outside. None: nothing listens.
    triggers: Option<Triggers>,
    /// Which alarms are open.
    incidents: Incidents,
    /// Jobs that wake agents by themselves.
    heartbeats: Heartbeats,
    /// Ways to people, for reports.
    deliveries: Deliveries,
    events: broadcast::Sender<Event>,
    stop: watch::Sender<bool>,
    /// Alarms wake agents, and the services are kept until the host is told to stop.
    is_watching: bool,
    /// People may talk to sessions that were cut off while they did.
    is_talking: bool,
    /// The sessions that run now.
    running: Mutex<HashMap<String, Reach>>,
    /// The sessions that somebody here is at, from before they have an entry: two at one journal would write two
    /// histories into it.
    claimed: Arc<Mutex<HashSet<String>>>,
}

impl Host {
    /// Start everything that `pi.toml` names. Nothing that was found wrong is left half started.
    ///
    /// # Errors
    /// Another host has the store, or something in the project is wrong; the text says what to do.
    pub async fn start(project: Project, options: Options, progress: Progress<'_>) -> Result<Arc<Self>, HostError> {
        // Neither needs the other, and each takes as long.
        let of_gates = project.clone();
        let gates = tokio::task::spawn_blocking(move || Ok((gate(&of_gates)?, shadow_gate(&of_gates)?)));
        let store = open_store(&project).await?;
        let holder = Holder::this_process(options.name);
        let journal = Journal::begin(store.clone(), &holder).await.map_err(|error| HostError::Lease { error })?;
        let journal = Arc::new(journal);
        match Self::start_leased(project, options, gates, store, &journal, progress).await {
            Ok(parts) => Ok(parts.into_host(journal)),
            Err(error) => {
                let _ = journal.close().await;
                Err(error)
            }
        }
    }

    async fn start_leased(
        project: Project,
        options: Options,
        gates: tokio::task::JoinHandle<Result<(Gate, Option<Gate>), SetupError>>,
        store: Arc<dyn Store>,
        journal: &Arc<Journal>,
        progress: Progress<'_>,
    ) -> Result<Parts, HostError> {
        let (gate, shadow) = match gates.await {
            Ok(gates) => gates?,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        };
        let confine = Confine::new();
        let room = if options.is_watching { ROOM } else { ROOM_OF_ONE };
        let mut setup = Setup::new(project.clone(), confine.clone(), room)?;
        hide(&setup.secrets, journal);
        let names: Vec<String> = match options.agents {
            Some(names) => names,
            None => project.config.agents.keys().cloned().collect(),
        };
        let plugins = setup.plugins_for(&names)?;
        for sentence in setup.withheld(&plugins, &names)? {
            progress(&sentence);
        }
        // What needs no service is checked first: a mistake in `pi.toml` starts none.
        let sight = Sight(Some(Arc::new(setup.accounts.clone())));
        let places = Places { confine, sight, ..Places::of(&project.directory) };
        let dry = setup.toolbox(&plugins, progress).await?;
        for name in &names {
            setup.agent(name, &dry, progress).await?;
        }
        let desk = desk(&project, journal, options.may_ask, options.screen).await?;
        desk.notes.iter().for_each(|note| progress(note));
        let supervisor = Supervisor::start(&project.config.services, places).await?;
        setup.supervisor = supervisor.clone();
        let toolbox = match project.config.services.is_empty() {
            // Nothing of it has changed.
            true => dry,
            false => setup.toolbox(&plugins, progress).await?,
        };
        let (mut agents, kept) = (BTreeMap::new(), Kept::of(&project));
        for name in names {
            let agent = setup.agent(&name, &toolbox, progress).await?;
            setup.keep(&kept, &agent)?;
            agents.insert(name, agent);
        }
        let kernel = setup.kernel(gate, shadow, desk.approver, toolbox);
        count_today(store.as_ref(), &agents, &kernel.days, progress).await?;
        let servers = setup.servers_for(&agents.keys().cloned().collect::<Vec<_>>());
        let (toolbox, _) = setup.peers.offer_unasked(&servers, journal, &kernel, progress).await?;
        let kernel = Arc::new(kernel.with(toolbox));
        let watched: Vec<String> = agents
            .keys()
            .filter_map(|name| project.config.agents.get(name))
            .flat_map(|agent| agent.watch.clone())
            .filter(|_| options.is_watching)
            .collect();
        let watch = Watch::new(&supervisor, &watched);
        let heartbeats = Heartbeats::new(&project, |agent| agents.contains_key(agent));
        let deliveries = Deliveries::new(routes(&project)?);
        let triggers = if options.is_watching {
            triggers(&project, &store, journal, &setup.accounts, |agent| agents.contains_key(agent), progress).await?
        } else {
            None
        };
        let (is_watching, is_talking) = (options.is_watching, options.is_talking);
        let (approvals, listening) = (desk.approvals, desk.tasks);
        Ok(Parts {
            project,
            store,
            setup,
            approvals,
            listening,
            kernel,
            agents,
            kept,
            supervisor,
            watch,
            heartbeats,
            deliveries,
            triggers,
            is_watching,
            is_talking,
        })
    }

    /// Hear of what happens.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Hear of each journal entry.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Arc<Followed>> {
        self.journal.follow()
    }

    #[must_use]
    pub fn supervisor(&self) -> &Arc<Supervisor> {
        &self.supervisor
    }

    /// Ask the host to stop: sessions stay open in the journal, to be taken up by the next host.
    pub fn stop(&self) {
        self.stop.send_replace(true);
        if let Some(approvals) = &self.approvals {
            approvals.stop();
        }
    }

    /// Work until [`Host::stop`]; then end the services and give the store back.
    ///
    /// # Errors
    /// The journal cannot be written any more: the host stops, because it may do nothing unwritten.
    pub async fn serve(self: &Arc<Self>) -> Result<(), HostError> {
        let mut sessions = JoinSet::new();
        let begun = self.begin(&mut sessions).await;
        let failure = match begun {
            Ok(()) => self.watch_until_stopped(&mut sessions).await,
            Err(error) => Some(error),
        };
        self.stop();
        while sessions.join_next().await.is_some() {}
        match failure {
            None => self.close().await,
            // As after a kill: what runs goes on, and the next host takes it up.
            Some(failure) => {
                let _ = self.journal.close().await;
                Err(failure)
            }
        }
    }

    /// Returns when the host is asked to stop.
    pub async fn stopped(&self) {
        // The sender is `self`: it does not close meanwhile.
        let _ = self.stop.subscribe().wait_for(|is_stopped| *is_stopped).await;
    }

    /// Serve what other commands ask, and what people decide, while `work` goes on; then give the store back.
    ///
    /// # Errors
    /// The journal cannot be written any more: `work` is dropped, because it may do nothing unwritten.
    pub async fn serve_while<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> Result<T, HostError> {
        let mut requests = JoinSet::new();
        let served = async {
            match self.watch_until_stopped(&mut requests).await {
                Some(failure) => failure,
                // It was asked to stop: its sessions are, and `work` ends with them or by [`Host::stopped`].
                None => std::future::pending().await,
            }
        };
        let done = tokio::select! {
            done = work => Ok(done),
            failure = served => Err(failure),
        };
        self.stop();
        while requests.join_next().await.is_some() {}
        match done {
            Ok(done) => self.close().await.map(|()| done),
            Err(failure) => {
                let _ = self.journal.close().await;
                Err(failure)
            }
        }
    }

    /// Returns what made it impossible to go on, or None when the host was asked to stop.
    async fn watch_until_stopped(self: &Arc<Self>, sessions: &mut JoinSet<()>) -> Option<HostError> {
        let mut wakes = self.triggers.as_ref().and_then(Triggers::take_wakes);
        let mut told = self.triggers.as_ref().and_then(Triggers::take_told);
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut stop = self.stop.subscribe();
        let mut notes = self.approvals.as_ref().map(|approvals| approvals.notes());
        let mut policy = reload::look(&self.project);
        let (mut ticks, mut was_broken) = (0_u32, false);
        let mut was_stopped = None;
        let mut every = tokio::time::interval(REQUESTS_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.wait_for(|is_stopped| *is_stopped) => break None,
                alarm = next_alarm(&mut watch) => self.on_alarm(alarm, sessions),
                wake = alarms::next_wake(&mut wakes) => self.on_wake(wake, sessions),
                line = alarms::next_told(&mut told) => {
                    let _ = self.events.send(Event::Trigger(line));
                }
                _ = sessions.join_next(), if !sessions.is_empty() => {}
                note = next_note(&mut notes) => {
                    let _ = self.events.send(Event::Approval(note));
                }
                _ = every.tick() => {
                    ticks = ticks.wrapping_add(1);
                    if ticks.is_multiple_of(RELOAD_TICKS) {
                        self.reload(&mut policy, &mut was_broken).await;
                    }
                    self.look_at_switch(&mut was_stopped).await;
                    if let Some(approvals) = &self.approvals
                        && let Err(error) = approvals.tick().await
                        && !matches!(error, StoreError::Busy { .. })
                    {
                        break Some(error.into());
                    }
                    if let Some(reason) = self.journal.health().failure {
                        break Some(HostError::Unwritable(reason));
                    }
                    if let Some(reason) = self.triggers.as_ref().and_then(|triggers| triggers.intake.failure()) {
                        break Some(HostError::Unwritable(reason));
                    }
                    match self.take_requests(sessions).await {
                        // Another process has the store for a moment: they are taken at the next tick.
                        Ok(()) | Err(HostError::Store(StoreError::Busy { .. })) => {}
                        Err(error) => break Some(error),
                    }
                }
            }
        }
    }

    /// What an earlier host has left: services that people have, sessions that were cut off.
    async fn begin(self: &Arc<Self>, sessions: &mut JoinSet<()>) -> Result<(), HostError> {
        for (key, session) in self.store.values(HANDED_OVER).await? {
            let (Some(service), Some(session)) = (key.strip_prefix(HANDED_OVER), session.as_str()) else { continue };
            if self.incidents.hand_over(service) {
                self.kernel.holds.hand_over(service, session);
            }
        }
        let taken_up = self.resume_open(None, sessions).await?;
        self.settle_alarms(&taken_up.incidents).await?;
        self.settle_slots().await?;
        sessions.spawn(self.clone().retain());
        sessions.spawn(self.clone().deliver());
        if self.is_watching {
            sessions.spawn(self.clone().beat());
        }
        Ok(())
    }

    /// Run one agent once, with a person's words, and tell what it came to.
    ///
    /// # Errors
    /// There is no such agent, or the journal cannot be written.
    pub async fn run_once(self: &Arc<Self>, agent: &str, prompt: &str, input: &Value) -> Result<Closed, HostError> {
        self.session(agent, prompt, input, Talk::Closed).await
    }

    /// Run one agent with a person's words, and go on listening to what they say until they hang up.
    ///
    /// # Errors
    /// As of [`Host::run_once`].
    pub async fn converse(self: &Arc<Self>, agent: &str, prompt: &str) -> Result<Closed, HostError> {
        self.session(agent, prompt, &json!({}), Talk::Open).await
    }

    /// Hear what models say, as it arrives.
    #[must_use]
    pub fn streamed(&self) -> broadcast::Receiver<Arc<Streamed>> {
        self.kernel.streamed.subscribe()
    }

    /// Take up the sessions that were cut off (or the one named), and return when they have ended.
    ///
    /// # Errors
    /// A session cannot be taken up.
    pub async fn resume(self: &Arc<Self>, only: Option<&str>) -> Result<usize, HostError> {
        let mut sessions = JoinSet::new();
        let taken_up = self.resume_open(only, &mut sessions).await?;
        while sessions.join_next().await.is_some() {}
        Ok(taken_up.count)
    }

    /// End the services that this host has started and give the store back. A service that was
    /// there before goes on where the host came for a moment only.
    ///
    /// # Errors
    /// A service did not end, or the journal could not be written to its end.
    pub async fn close(&self) -> Result<(), HostError> {
        let stopped =
            if self.is_watching { self.supervisor.stop_all().await } else { self.supervisor.stop_started().await };
        let closed = self.journal.close().await;
        stopped?;
        Ok(closed?)
    }

    fn on_alarm(self: &Arc<Self>, alarm: Alarm, sessions: &mut JoinSet<()>) {
        let _ = self.events.send(Event::Alarm(alarm.clone()));
        if alarm.state == AlarmState::Recovered {
            if self.kernel.holds.give_back(&alarm.service) {
                let host = self.clone();
                sessions.spawn(async move {
                    let key = format!("{HANDED_OVER}{}", alarm.service);
                    // If this cannot be written, the next health that a later host sees gives it back.
                    let _ = host.store.remove_value(host.journal.lease(), &key).await;
                });
            }
            return;
        }
        let watching = self.agents.keys().filter(|name| self.is_watching(name, &alarm.service)).cloned();
        for agent in watching.collect::<Vec<_>>() {
            let (host, alarm) = (self.clone(), alarm.clone());
            sessions.spawn(async move {
                let input = json!({ "alert": {
                    "title": alarm.title, "source": "services", "state": alarm.state, "service": alarm.service,
                    "since": clock::rfc3339(alarm.since_ms), "time": clock::rfc3339(alarm.time_ms), "detail": alarm.detail,
                }});
                // What goes wrong is told as an event, and the session stays open in the journal.
                let _ = host.session(&agent, "", &input, Talk::Closed).await;
            });
        }
    }

    fn is_watching(&self, agent: &str, service: &str) -> bool {
        let config = self.project.config.agents.get(agent);
        config.is_some_and(|config| config.watch.iter().any(|watched| watched == "*" || watched == service))
    }

    /// What the end of a session says of the service that it was woken for.
    fn leave_of(&self, closed: &Result<Closed, HostError>) -> Leave {
        match closed {
            Ok(closed) if closed.status != "done" && closed.status != "nothing_to_do" => Leave::HandedOver,
            // A person has stopped this one alone. Where the whole host stops, the next one takes it up.
            Err(HostError::Session(SessionError::Stopped)) if !*self.stop.borrow() => Leave::HandedOver,
            // All is well, or the session could not be run, which says nothing.
            _ => Leave::Free,
        }
    }

    /// Free what a session held, and let the next alarm of its service come: after fresh failures
    /// or, where a person has it now, not before it has been healthy again.
    async fn settle(&self, session: &str, service: Option<String>, how: Leave) {
        let is_last = self.kernel.holds.leave(session, service.as_deref(), how);
        let Some(service) = service.filter(|_| is_last) else { return };
        match how {
            Leave::Free => self.incidents.close(&service),
            Leave::HandedOver if self.incidents.hand_over(&service) => {
                let key = format!("{HANDED_OVER}{service}");
                // If this cannot be written, the next host raises the alarm anew.
                let _ = self.store.set_value(self.journal.lease(), &key, &Value::from(session)).await;
            }
            Leave::HandedOver => _ = self.kernel.holds.give_back(&service),
        }
    }

    async fn session(
        self: &Arc<Self>,
        agent: &str,
        prompt: &str,
        input: &Value,
        talk: Talk,
    ) -> Result<Closed, HostError> {
        self.session_as(session_id(agent), agent, prompt, input, talk).await
    }

    /// A session of this id.
    async fn session_as(
        self: &Arc<Self>,
        id: String,
        agent: &str,
        prompt: &str,
        input: &Value,
        talk: Talk,
    ) -> Result<Closed, HostError> {
        let Wired { setup, kernel } = self.wired(agent, input).await?;
        self.until_not_stopped().await?;
        let _claim = self.claim(&id)?;
        let journal = self.journal.session(&id).await?;
        let inbox = Arc::new(Inbox::new(journal.clone(), talk == Talk::Open));
        let service = incident::service_of(input);
        if let Some(service) = &service {
            self.kernel.holds.claim(service, &id);
            self.kernel.safety.begin(&id, service);
        }
        let _ = self.events.send(Event::Session { id: id.clone(), agent: agent.to_owned(), is_resumed: false });
        self.alarm_running(input, &id).await;
        self.slot_running(input, &id).await;
        let (ending, stop) = self.register(&id, &inbox);
        let told = Handed::of(&self.project, agent).within(input);
        let task = context::task(&self.project, agent, &setup.config, prompt, &told, talk);
        let ended = session::start(&kernel, &setup, journal.clone(), &id, task, inbox.clone(), stop.clone()).await;
        let ended = self.when_decided(&id, (&kernel, &setup), &journal, ended, &inbox, stop).await;
        let closed = self.ended(&id, agent, input, journal, ended).await;
        self.settle(&id, service, self.leave_of(&closed)).await;
        self.alarm_closed(input, &closed).await;
        self.slot_closed(input, &id, &closed).await;
        drop(ending);
        closed
    }

    /// A session that was laid aside for people goes on when they have decided or said something, as often as it takes.
    /// It holds no instance meanwhile, and what it holds of services it keeps.
    async fn when_decided(
        &self,
        id: &str,
        (kernel, setup): (&Arc<Kernel>, &AgentSetup),
        journal: &SessionJournal,
        mut ended: Result<session::Ended, SessionError>,
        inbox: &Arc<Inbox>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<session::Ended, SessionError> {
        loop {
            let until: BoxFuture<'_, ()> = match (&ended, &self.approvals) {
                (Err(SessionError::Waiting(approval)), Some(approvals)) => {
                    let _ = self.events.send(Event::Waiting { session: id.to_owned(), approval: approval.clone() });
                    Box::pin(approvals.settled(approval))
                }
                (Err(SessionError::Listening), _) => {
                    let _ = self.events.send(Event::Listening { session: id.to_owned() });
                    Box::pin(inbox.spoken())
                }
                _ => return ended,
            };
            tokio::select! {
                () = until => {}
                _ = stop.wait_for(|is_stopped| *is_stopped) => return Err(SessionError::Stopped),
            }
            let entries = journal.entries().await?;
            let (journal, inbox) = (journal.clone(), inbox.clone());
            ended = session::resume(kernel, setup, journal, id, &entries, inbox, stop.clone()).await;
        }
    }

    async fn ended(
        &self,
        id: &str,
        agent: &str,
        input: &Value,
        journal: SessionJournal,
        ended: Result<session::Ended, SessionError>,
    ) -> Result<Closed, HostError> {
        let reports = self.project.directory.join("reports");
        let ended = match ended {
            Err(SessionError::Stopped) => self.cut_short(id).ok_or(SessionError::Stopped),
            ended => ended,
        };
        let closed = match ended {
            Ok(ended) => match self.settle_changes(id, &journal, ended).await {
                Ok(mut ended) => {
                    let page = self.publish(&reports, id, agent, input, &mut ended).await;
                    incident::close(&reports, id, agent, input, &journal, &self.supervisor, ended, page).await
                }
                Err(error) => Err(error),
            },
            Err(error) => Err(HostError::Session(error)),
        };
        match &closed {
            Ok(closed) => {
                if let Some(approvals) = &self.approvals {
                    // What cannot be written now is withdrawn when its time is over.
                    let _ = approvals.forget(id).await;
                }
                let _ = self.events.send(Event::Closed(closed.clone()));
            }
            Err(HostError::Session(SessionError::Stopped)) => {}
            Err(error) => {
                let _ = self.events.send(Event::Broken { session: id.to_owned(), error: error.to_string() });
            }
        }
        closed
    }

    /// Write the report down that an agent has handed in, where it has; the journal has it too, so that one that cannot
    /// be written stops nobody.
    async fn publish(
        &self,
        reports: &Path,
        id: &str,
        agent: &str,
        input: &Value,
        ended: &mut session::Ended,
    ) -> Option<PathBuf> {
        let written = match Document::of(&ended.details)? {
            Ok(document) => match document.write(reports, id) {
                Ok(paths) => {
                    let record = record_of(&document, id, agent, input, paths.markdown.clone());
                    self.file(&record, ended.status == "failed")
                        .await
                        .map(|()| paths.markdown)
                        .map_err(|error| error.to_string())
                }
                Err(error) => Err(error.to_string()),
            },
            Err(why) => Err(why),
        };
        match written {
            Ok(path) => Some(path),
            Err(why) => {
                ended.summary = format!("{} ({why})", ended.summary);
                None
            }
        }
    }

    fn setup_of(&self, agent: &str) -> Result<AgentSetup, HostError> {
        self.agents.get(agent).cloned().ok_or_else(|| SetupError::NoAgent(agent.to_owned()).into())
    }
}

/// The next note of the approvals; never, where there are none.
async fn next_note(notes: &mut Option<broadcast::Receiver<Note>>) -> Note {
    while let Some(receiver) = notes {
        match receiver.recv().await {
            Ok(note) => return note,
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => *notes = None,
        }
    }
    std::future::pending().await
}

/// The next alarm; never, where nothing is watched any more.
async fn next_alarm(watch: &mut Option<Watch>) -> Alarm {
    if let Some(watch) = watch
        && let Some(alarm) = watch.next().await
    {
        return alarm;
    }
    std::future::pending().await
}

/// What a host is made of, before it has its journal.
struct Parts {
    project: Project,
    store: Arc<dyn Store>,
    setup: Setup,
    approvals: Option<Arc<Approvals>>,
    listening: JoinSet<()>,
    kernel: Arc<Kernel>,
    agents: BTreeMap<String, AgentSetup>,
    kept: Kept,
    supervisor: Arc<Supervisor>,
    watch: Watch,
    heartbeats: Heartbeats,
    deliveries: Deliveries,
    triggers: Option<Triggers>,
    is_watching: bool,
    is_talking: bool,
}

impl Parts {
    fn into_host(self, journal: Arc<Journal>) -> Arc<Host> {
        let (events, _) = broadcast::channel(CLOSED_MAX);
        Arc::new(Host {
            project: self.project,
            store: self.store,
            setup: self.setup,
            journal,
            approvals: self.approvals,
            _listening: self.listening,
            kernel: self.kernel,
            agents: self.agents,
            kept: self.kept,
            supervisor: self.supervisor,
            incidents: self.watch.incidents(),
            heartbeats: self.heartbeats,
            deliveries: self.deliveries,
            watch: Mutex::new(Some(self.watch)),
            triggers: self.triggers,
            events,
            stop: watch::channel(false).0,
            is_watching: self.is_watching,
            is_talking: self.is_talking,
            running: Mutex::new(HashMap::new()),
            claimed: Arc::default(),
        })
    }
}
