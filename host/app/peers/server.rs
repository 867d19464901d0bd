//! One server: its start, its tools as they were first listed, its calls, and its starts after an end.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio::sync::RwLock;

use super::STARTS_MAX;
use super::pump::Process;
use crate::capability::bindings::pi::process::process::{Command, Error as ProcessError};
use crate::capability::bindings::pi::tool::types::{Blob, Content, Error};
use crate::capability::door::Door;
use crate::capability::process::{ProcessState, Surroundings};
use crate::capability::secret::scan::Scan;
use crate::clock;
use crate::config::{McpConfig, ProcessGrant, search_path, variable};
use crate::confine::{Confine, environment};
use crate::gate::{Act, Severity};
use crate::mcp::{CallFailure, Given, McpPeer, McpPeerError, PeerTool};
use crate::plugin::Tool;
use crate::session::Peer;
use crate::session::message::CallResult;

/// The time in which [`STARTS_MAX`] starts are let through.
pub(super) const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// Before the second start; it doubles with each further one.
const BACKOFF: Duration = Duration::from_millis(250);
/// A server lives as long as the host: ten years are for ever.
const LIFE_MS_MAX: u64 = 10 * 365 * 86_400_000;

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum PeerError {
    #[error("{0}\nhint: `pi-host policy check` shows how its command is judged; a rule of the policy can allow it")]
    Refused(String),
    #[error(
        "it was started {STARTS_MAX} times within a minute, and ended each time{0}\nhint: try again in a minute, or run its command by hand"
    )]
    Often(String),
    #[error(
        "the environment variable `{0}` is not set\nhint: set it where pi-host is started, or correct its name in [mcp.{1}]"
    )]
    Variable(String, String),
    #[error("it cannot be started: {0}")]
    Start(String),
    #[error("{error}{said}")]
    Connect { error: McpPeerError, said: String },
    #[error("[mcp.{server}] {key}: it has no tool `{tool}`\nhint: it has {known}")]
    NoTool { server: String, key: &'static str, tool: String, known: String },
}

/// What a server offers.
pub(super) struct Listed {
    pub(super) tools: Vec<Tool>,
    pub(super) left_out: Vec<(String, String)>,
}

/// A server of `pi.toml`.
pub(super) struct Server {
    name: String,
    plugin: String,
    config: McpConfig,
    project: PathBuf,
    confine: Confine,
    around: Surroundings,
    /// Finds what it may not say.
    scan: Arc<Scan>,
    live: RwLock<Option<Live>>,
    /// The last starts, the latest at the end.
    starts: Mutex<VecDeque<Instant>>,
}

/// A server that runs.
struct Live {
    peer: McpPeer,
    /// None: it is at a URL.
    process: Option<Process>,
}

/// What policies and the journal call a server.
pub(super) fn plugin(name: &str) -> String {
    format!("mcp:{name}")
}

/// The command line with the program's absolute path; none, where it is a URL.
pub(super) fn argv(config: &McpConfig, project: &Path) -> Option<Vec<String>> {
    let (program, arguments) = config.command.split_first()?;
    let path = match program.as_str() {
        path if path.starts_with('/') => path.to_owned(),
        path if path.contains('/') => project.join(path).display().to_string(),
        name => {
            let path = format!("{}:{}", environment::PATH, search_path());
            environment::find(name, path.as_ref()).map_or_else(|| name.to_owned(), |file| file.display().to_string())
        }
    };
    Some(std::iter::once(path).chain(arguments.iter().cloned()).collect())
}

impl Server {
    pub(super) fn new(
        name: &str,
        config: &McpConfig,
        project: &Path,
        confine: Confine,
        around: Surroundings,
        scan: Arc<Scan>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            plugin: plugin(name),
            config: config.clone(),
            project: project.to_path_buf(),
            confine,
            around,
            scan,
            live: RwLock::default(),
            starts: Mutex::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Its tools, as far as they are wanted. It is started, where it does not run.
    pub(super) async fn listed(&self, door: &Door) -> Result<Listed, PeerError> {
        self.alive(door).await?;
        let live = self.live.read().await;
        let Some(live) = live.as_ref() else { return Err(PeerError::Start("it has ended".into())) };
        let is_wanted = |tool: &&PeerTool| self.config.tools.as_ref().is_none_or(|names| names.contains(&tool.remote));
        let named =
            [("tools", self.config.tools.as_deref().unwrap_or_default()), ("read_only", &self.config.read_only)];
        for (key, wanted) in named.into_iter().flat_map(|(key, names)| names.iter().map(move |name| (key, name))) {
            let is_left_out = live.peer.left_out().iter().any(|(name, _)| name == wanted);
            if !is_left_out && !live.peer.tools().iter().any(|tool| tool.remote == *wanted) {
                let names: Vec<String> =
                    live.peer.tools().iter().map(|tool| crate::gate::explain::escaped(&tool.remote)).collect();
                let (server, tool, known) = (self.name.clone(), wanted.clone(), names.join(", "));
                return Err(PeerError::NoTool { server, key, tool, known });
            }
        }
        let tools = live.peer.tools().iter().filter(is_wanted).map(|tool| self.tool(tool)).collect();
        Ok(Listed { tools, left_out: live.peer.left_out().to_vec() })
    }

    /// See that it runs, and has listed its tools since it last said that they are other ones.
    async fn alive(&self, door: &Door) -> Result<(), PeerError> {
        let has_other_tools = match self.live.read().await.as_ref() {
            Some(live) if live.peer.is_alive() => live.peer.has_other_tools(),
            _ => false,
        };
        let mut live = if has_other_tools {
            // While calls are under way the listing waits for a later one: it needs the server for itself.
            match self.live.try_write() {
                Ok(live) => live,
                Err(_) => return Ok(()),
            }
        } else if self.live.read().await.as_ref().is_some_and(|live| live.peer.is_alive()) {
            return Ok(());
        } else {
            self.live.write().await
        };
        // Another call may have come first.
        if let Some(running) = live.as_mut().filter(|live| live.peer.is_alive())
            && (!running.peer.has_other_tools() || running.peer.list_again().await.is_ok())
        {
            return Ok(());
        }
        let said = live.take().map(|ended| ended.reason()).unwrap_or_default();
        self.wait_for_turn(&said).await?;
        *live = Some(self.start(door).await?);
        Ok(())
    }

    async fn wait_for_turn(&self, said: &str) -> Result<(), PeerError> {
        let now = clock::monotonic();
        let wait = {
            let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
            starts.retain(|start| now.duration_since(*start) < STARTS_WITHIN);
            if starts.len() >= STARTS_MAX {
                return Err(PeerError::Often(said.to_owned()));
            }
            starts.push_back(now);
            match u32::try_from(starts.len()).unwrap_or(u32::MAX) {
                0 | 1 => Duration::ZERO,
                more => BACKOFF * (1 << (more - 2)),
            }
        };
        tokio::time::sleep(wait).await;
        Ok(())
    }

    async fn start(&self, door: &Door) -> Result<Live, PeerError> {
        match &self.config.url {
            Some(url) => self.reach(url, door).await,
            None => self.run(door).await,
        }
    }

    async fn reach(&self, url: &str, door: &Door) -> Result<Live, PeerError> {
        let headers = self.values(&self.config.headers)?;
        let act = Act::HttpRequest {
            method: "POST".into(),
            url: url.to_owned(),
            headers: self.config.headers.keys().cloned().collect(),
            secrets: self.config.headers.values().cloned().collect(),
            body_bytes: None,
            is_granted: false,
        };
        let pass =
            door.enter(act).await.map_err(|refusal| PeerError::Refused(words(&refusal.rule, &refusal.reason)))?;
        if pass.edited().is_some() {
            let why = "what the approver made of it is not the url in pi.toml";
            pass.failed(&why);
            return Err(PeerError::Start(why.into()));
        }
        match McpPeer::connect_http(&self.name, url, &headers, self.config.limits.clone()).await {
            Ok(peer) => {
                pass.done(json!({ "tools": peer.tools().len() }));
                Ok(Live { peer, process: None })
            }
            Err(error) => {
                pass.failed(&error);
                Err(PeerError::Connect { error, said: String::new() })
            }
        }
    }

    async fn run(&self, door: &Door) -> Result<Live, PeerError> {
        let secrets = self.values(&self.config.secrets)?;
        let state = self.state()?;
        let Some((program, arguments)) = argv(&self.config, &self.project).and_then(|mut argv| {
            let program = (!argv.is_empty()).then(|| argv.remove(0))?;
            Some((program, argv))
        }) else {
            return Err(PeerError::Start("there is no command".into()));
        };
        let command = Command {
            program,
            arguments,
            environment: self.config.environment.clone().into_iter().collect(),
            directory: self.config.directory.clone().unwrap_or_default(),
            timeout_ms: None,
        };
        let (running, pass) = state.start_lasting(door, command, &secrets).await.map_err(|error| match error {
            ProcessError::Refused(refusal) => PeerError::Refused(words(&refusal.rule, &refusal.reason)),
            ProcessError::NotGranted(text)
            | ProcessError::NotFound(text)
            | ProcessError::Invalid(text)
            | ProcessError::Limit(text)
            | ProcessError::Other(text) => PeerError::Start(text),
        })?;
        let (process, output, input) = Process::new(running, Arc::clone(&self.scan));
        match McpPeer::connect(&self.name, output, input, self.config.limits.clone()).await {
            Ok(peer) => {
                pass.done(json!({ "tools": peer.tools().len() }));
                Ok(Live { peer, process: Some(process) })
            }
            Err(error) => {
                pass.failed(&error);
                Err(PeerError::Connect { error, said: process.last_words() })
            }
        }
    }

    /// Its tool, as all tools are described here. What a call of it does is `pi.toml`'s word and never the
    /// server's own: one that calls its tools harmless would pass where only reading is let through, and would
    /// be called twice.
    fn tool(&self, tool: &PeerTool) -> Tool {
        let is_read = self.config.read_only.contains(&tool.remote);
        let effect = if is_read { Severity::Read } else { Severity::Destructive };
        Tool {
            name: tool.name.clone(),
            description: tool.description.clone(),
            effect,
            idempotent: is_read,
            input_schema: tool.input_schema.clone(),
        }
    }

    /// Its confinement, from the folders as they are now.
    fn state(&self) -> Result<ProcessState, PeerError> {
        let config = &self.config;
        let grant = ProcessGrant {
            programs: argv(config, &self.project).into_iter().flatten().take(1).collect(),
            // It may read the folder that it is started in, if that is one of its own.
            read: config.read.iter().chain(&config.directory).cloned().collect(),
            write: config.write.clone(),
            network: config.network,
            timeout_ms_max: LIFE_MS_MAX,
            // Bounded by what is on its way: see `pump`.
            output_bytes_max: u64::MAX,
            memory_bytes_max: config.memory_bytes_max,
            processes_max: config.processes_max,
        };
        ProcessState::new(&grant, &self.project, self.confine.clone(), &self.around).map_err(|error| {
            PeerError::Start(format!("[mcp.{}] {}: {}: {}", self.name, error.key, error.value, error.reason))
        })
    }

    /// Names with the values of the host's variables.
    fn values<'a>(
        &self,
        named: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Result<Vec<(String, String)>, PeerError> {
        let value = |(name, from): (&String, &String)| match variable(from) {
            Some(value) => Ok((name.clone(), value)),
            None => Err(PeerError::Variable(from.clone(), self.name.clone())),
        };
        named.into_iter().map(value).collect()
    }
}

impl Live {
    /// Why it ended, as far as that is known.
    fn reason(&self) -> String {
        let blamed = self.peer.blamed().map_or_else(String::new, |rule| format!(": {rule}"));
        let words = self.process.as_ref().map(Process::last_words).unwrap_or_default();
        format!("{blamed}{words}")
    }
}

#[async_trait]
impl Peer for Server {
    fn plugin(&self) -> &str {
        &self.plugin
    }

    async fn ready(&self, door: &Door, wanted: &Tool) -> Result<(), Error> {
        self.alive(door).await.map_err(|error| Error::Failed(format!("`{}`: {error}", self.plugin)))?;
        let live = self.live.read().await;
        let tools = live.as_ref().map(|live| live.peer.tools()).unwrap_or_default();
        match tools.iter().find(|known| known.name == wanted.name) {
            Some(known) if self.tool(known) == *wanted => Ok(()),
            Some(_) => Err(Error::Failed(format!(
                "`{}` describes `{}` otherwise than when it was listed, so that it is not called\nhint: look at it by `pi-host tool list`, and start this host again",
                self.plugin, wanted.name
            ))),
            None => Err(Error::NotFound(format!("`{}` has no tool `{}` any more", self.plugin, wanted.name))),
        }
    }

    async fn call(&self, tool: &Tool, arguments: Map<String, Value>) -> CallResult {
        let live = self.live.read().await;
        let Some(live) = live.as_ref() else {
            return Err(Error::Failed(format!("`{}` has ended", self.plugin)));
        };
        let deadline = Duration::from_millis(self.config.limits.call_ms_max);
        match live.peer.call(&tool.name, arguments, deadline).await {
            Ok(parts) => Ok(parts.into_iter().map(content).collect()),
            Err(CallFailure::Unknown(text)) => {
                // What is known of its end comes a moment later than the end itself.
                tokio::time::sleep(Duration::from_millis(50)).await;
                let words = live.process.as_ref().map(Process::last_words).unwrap_or_default();
                // What may be done twice has failed, and is simply done again.
                Err(if tool.idempotent { Error::Failed(text + &words) } else { Error::Unknown(text + &words) })
            }
            Err(failure) => Err(error(failure)),
        }
    }
}

fn words(rule: &str, reason: &str) -> String {
    format!("its start is refused by rule `{rule}`: {reason}")
}

fn content(part: Given) -> Content {
    match part {
        Given::Text(text) => Content::Text(text),
        Given::Json(text) => Content::Json(text),
        Given::Blob { mime, bytes } => Content::Blob(Blob { mime, bytes }),
    }
}

fn error(failure: CallFailure) -> Error {
    match failure {
        CallFailure::InvalidArguments(text) => Error::InvalidArguments(text),
        CallFailure::NotFound(text) => Error::NotFound(text),
        CallFailure::Unknown(text) => Error::Unknown(text),
        CallFailure::Limit(text) => Error::Limit(text),
        CallFailure::Failed(text) => Error::Failed(text),
        // A server refuses nothing in this host's name.
        CallFailure::Refused(refused) => Error::Failed(refused.reason),
    }
}
