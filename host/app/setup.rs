//! From `pi.toml` to linked plugins: grants resolved, components loaded, tools in their box.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::catalog::{Catalog, CatalogError};
use super::deliveries::secret_values as secret_values_of_deliveries;
use super::gating::governing;
use super::kept::{Kept, KeptError};
use super::looking::cache;
use super::models::{key_values, models};
use super::packages::audit;
use super::peers::{self, Peers};
use super::runbooks::{Handed, RUNBOOK, RunbooksError};
use crate::approval::Approver;
use crate::capability::cloud::CloudState;
use crate::capability::cloud::accounts::{AccountError, Accounts};
use crate::capability::config::ConfigState;
use crate::capability::files::FilesState;
use crate::capability::grant::GrantError;
use crate::capability::hold::Holds;
use crate::capability::http::HttpState;
use crate::capability::keyvalue::KeyValueState;
use crate::capability::preopens::Preopens;
use crate::capability::process::{ProcessState, Surroundings};
use crate::capability::safety::Safety;
use crate::capability::secret::{SecretError, Secrets};
use crate::capability::services::ServicesState;
use crate::capability::sql::SqlState;
use crate::capability::sql::databases::{DatabaseError, Databases, passwords};
use crate::config::{AgentConfig, BudgetConfig, Grant, LimitsConfig, Project, cloud_environment, covers, variable};
use crate::confine::Confine;
use crate::gate::{Gate, InForce, PolicyError, RegoError};
use crate::journal::Journal;
use crate::plugin::{Kind, Manifest};
use crate::runtime::{
    CallLimits, Compiled, Grants, LinkError, LinkedAgent, LinkedTool, LoadError, Room, Runtime, RuntimeError,
};
use crate::session::{AgentSetup, Days, Kernel, Toolbox, ToolboxError};
use crate::supervisor::{Places, Sight, Supervisor, SupervisorError};

/// Longest run of a session where `pi.toml` says nothing: a day.
const SESSION_MS_MAX: u64 = 86_400_000;

/// Pieces of models' answers that wait for a slow reader; it misses the oldest.
const STREAMED_MAX: usize = 4_096;

#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error("plugin `{plugin}`: {error}")]
    Load { plugin: String, error: LoadError },
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
    #[error(transparent)]
    Grant(#[from] GrantError),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(
        "[secrets.{secret}] file: `{file}` lies within what [grants.{plugin}] opens: `{folder}`\nhint: keep it outside of every granted folder, or grant a narrower one"
    )]
    SecretInReach { secret: String, file: String, plugin: String, folder: String },
    #[error(transparent)]
    Toolbox(#[from] ToolboxError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Rego(#[from] RegoError),
    #[error("[production] targets: {0}\nhint: write names, with `*` for anything")]
    Production(String),
    #[error("{file} cannot be read: {error}\nhint: see [policy] file in pi.toml", file = file)]
    PolicyFile { file: String, error: std::io::Error },
    #[error("plugin `{plugin}` is {found}, and {wanted_by} wants {wanted}")]
    Kind { plugin: String, found: &'static str, wanted_by: String, wanted: &'static str },
    #[error("[grants.{agent}.tools] names `{name}`, and no tool has that name\nhint: there are {known}")]
    NoTool { agent: String, name: String, known: String },
    #[error("there is no tool `{name}`\nhint: there are {known}")]
    NoSuchTool { name: String, known: String },
    #[error(transparent)]
    Runbook(Box<RunbooksError>),
    #[error("there is no agent `{0}`\nhint: add [agents.{0}] to pi.toml")]
    NoAgent(String),
    #[error("[grants.{0}] is there, and no agent or plugin uses it\nhint: remove it, or correct the name")]
    UnusedGrant(String),
}

/// Told while it works on what may take seconds.
pub(super) type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// What links plugins: the engine, the project, and the parts of the host that capabilities reach.
pub struct Setup {
    pub project: Project,
    pub catalog: Catalog,
    pub runtime: Arc<Runtime>,
    pub confine: Confine,
    pub supervisor: Arc<Supervisor>,
    pub secrets: Secrets,
    /// The clouds of `pi.toml`, for whoever calls them.
    pub accounts: Accounts,
    /// The databases of `pi.toml`.
    pub databases: Databases,
    pub(super) peers: Peers,
}

/// What any grant of the project opens for writing.
fn writable(project: &Project) -> Vec<String> {
    let grants = project.config.grants.values();
    let paths = grants.flat_map(|grant| {
        let files = grant.files.iter().chain(&grant.preopens).flat_map(|files| files.write.clone());
        files.chain(grant.process.iter().flat_map(|process| process.write.clone())).collect::<Vec<_>>()
    });
    let servers = project.config.mcp.values().flat_map(|server| server.write.clone());
    paths.chain(servers).collect()
}

/// The secrets of a project, with the values that are handed to programs of others.
///
/// # Errors
/// What is wrong with which.
pub(super) fn secrets_of(project: &Project) -> Result<Secrets, SecretError> {
    let mut secrets = Secrets::load(&project.config.secrets, &project.directory)?;
    secrets.also_find(peers::secret_values(project));
    secrets.also_find(key_values(project));
    secrets.also_find(passwords(&project.config.databases, &project.directory));
    secrets.also_find(secret_values_of_deliveries(project));
    if !project.config.cloud.is_empty() {
        secrets.also_find(cloud_values());
    }
    Ok(secrets)
}

/// The values of the environment with which calls of AWS are signed: the variable, and what it holds.
fn cloud_values() -> Vec<(String, String)> {
    let names = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    names.into_iter().filter_map(|name| Some((name.to_owned(), variable(name)?))).collect()
}

/// The clouds of a project, in the environment of this process.
///
/// # Errors
/// An account that cannot be used as it is written.
pub(super) fn accounts_of(project: &Project) -> Result<Accounts, AccountError> {
    // Without one the environment is not even read.
    if project.config.cloud.is_empty() {
        return Ok(Accounts::default());
    }
    Accounts::new(&project.config.cloud, &project.directory, &cloud_environment())
}

/// Keep the values of secrets out of a journal.
pub(super) fn hide(secrets: &Secrets, journal: &Journal) {
    let scan = secrets.scan();
    // Without one every entry would be looked through for nothing.
    if !scan.is_empty() {
        journal.hide(scan);
    }
}

/// A secret is put into requests and never handed out: no component may read the file that it comes from.
fn check_reach(project: &Project, secrets: &Secrets) -> Result<(), SetupError> {
    let of_databases = project.config.databases.iter().filter_map(|(name, database)| {
        Some((format!("databases.{name}"), project.directory.join(database.password_file.as_ref()?)))
    });
    let of_deliveries = project.config.delivery.iter().filter_map(|(name, delivery)| {
        let file = delivery.email.as_ref()?.password_file.as_ref()?;
        Some((format!("delivery.{name}"), project.directory.join(file)))
    });
    for (secret, file) in secrets.files().iter().cloned().chain(of_databases).chain(of_deliveries) {
        let Ok(file) = file.canonicalize() else { continue };
        for (plugin, grant) in &project.config.grants {
            let folders =
                grant.files.iter().chain(&grant.preopens).flat_map(|files| files.read.iter().chain(&files.write));
            let folders =
                folders.chain(grant.process.iter().flat_map(|process| process.read.iter().chain(&process.write)));
            for folder in folders {
                let is_within = project.directory.join(folder).canonicalize().is_ok_and(|real| file.starts_with(real));
                if is_within {
                    return Err(SetupError::SecretInReach {
                        secret: secret.clone(),
                        file: file.display().to_string(),
                        plugin: plugin.clone(),
                        folder: folder.clone(),
                    });
                }
            }
        }
    }
    Ok(())
}

impl Setup {
    /// Start the engine for a project. The services are looked at, not kept: a host that keeps
    /// them puts its supervisor here.
    ///
    /// # Errors
    /// The project names what there is not, or the engine does not start.
    pub fn new(project: Project, confine: Confine, room: impl Into<Room>) -> Result<Self, SetupError> {
        let catalog = Catalog::of(&project)?;
        Self::with_catalog(project, catalog, confine, room)
    }

    /// The same, with these plugins.
    pub(super) fn with_catalog(
        project: Project,
        catalog: Catalog,
        confine: Confine,
        room: impl Into<Room>,
    ) -> Result<Self, SetupError> {
        let databases = Databases::new(&project.config.databases, &project.directory)?;
        let secrets = secrets_of(&project)?;
        check_reach(&project, &secrets)?;
        let accounts = accounts_of(&project)?;
        let runtime = Arc::new(Runtime::with_room(cache(), room.into())?.with_scan(secrets.scan()));
        let sight = Sight(Some(Arc::new(accounts.clone())));
        let places = Places { confine: confine.clone(), sight, ..Places::of(&project.directory) };
        let supervisor = Supervisor::observe(&project.config.services, places)?;
        let around = Surroundings { writable: writable(&project), kept: governing(&project) };
        let reserved = if project.config.mcp.is_empty() { BTreeSet::new() } else { tools_of(&catalog)? };
        let peers = Peers::new(&project, &confine, &around, reserved, &secrets.scan());
        Ok(Self { project, catalog, runtime, confine, supervisor, secrets, accounts, databases, peers })
    }

    /// The tools of these plugins, linked.
    ///
    /// # Errors
    /// A component that is none, an import that is not granted, a grant that cannot be kept.
    pub async fn toolbox(&self, plugins: &BTreeSet<String>, progress: Progress<'_>) -> Result<Toolbox, SetupError> {
        let mut toolbox = Toolbox::default();
        for plugin in plugins {
            let (linked, limits) = self.tool(plugin, progress).await?;
            toolbox.add(&linked, &limits)?;
        }
        Ok(toolbox)
    }

    /// The tools of those of these plugins that are granted what they import; the others are left out, and said.
    ///
    /// # Errors
    /// As of [`Setup::toolbox`], but for what is not granted.
    pub(super) async fn granted_toolbox(
        &self,
        plugins: &BTreeSet<String>,
        progress: Progress<'_>,
    ) -> Result<Toolbox, SetupError> {
        let mut toolbox = Toolbox::default();
        for plugin in plugins {
            match self.tool(plugin, progress).await {
                Ok((linked, limits)) => toolbox.add(&linked, &limits)?,
                Err(SetupError::Link(error @ LinkError::NotGranted { .. })) => progress(&format!("left out: {error}")),
                Err(error) => return Err(error),
            }
        }
        Ok(toolbox)
    }

    /// A tool plugin, linked under its grant, with the limits of its calls.
    ///
    /// # Errors
    /// A component that is none, an import that is not granted, a grant that cannot be kept.
    pub async fn tool(&self, plugin: &str, progress: Progress<'_>) -> Result<(LinkedTool, CallLimits), SetupError> {
        let compiled = self.load(plugin, Kind::Tool, "a tool", progress).await?;
        let grant = self.project.config.grants.get(plugin).cloned().unwrap_or_default();
        declared(plugin, &grant, &compiled.binary.manifest)?;
        let linked = self.runtime.link_tool(&compiled, self.grants(plugin, &grant)?)?;
        Ok((linked, limits(&self.limits_of(plugin), None)))
    }

    /// An agent plugin, linked under the grant of its own name, whatever tools there are.
    ///
    /// # Errors
    /// A component that is none, an import that is not granted.
    pub(super) async fn bare_agent(
        &self,
        name: &str,
        progress: Progress<'_>,
    ) -> Result<(LinkedAgent, CallLimits), SetupError> {
        let compiled = self.load(name, Kind::Agent, "the rehearsal", progress).await?;
        let grant = self.project.config.grants.get(name).cloned().unwrap_or_default();
        declared(name, &grant, &compiled.binary.manifest)?;
        let linked = self.runtime.link_agent(&compiled, self.grants(name, &grant)?)?;
        Ok((linked, limits(&self.limits_of(name), None)))
    }

    /// See whether what is granted to a plugin can be kept, and whether it asks for it.
    ///
    /// # Errors
    /// What cannot be kept, with its line.
    pub fn check_grant(&self, name: &str, manifest: &Manifest) -> Result<(), SetupError> {
        let grant = self.project.config.grants.get(name).cloned().unwrap_or_default();
        declared(name, &grant, manifest)?;
        self.grants(name, &grant).map(|_| ())
    }

    /// See whether a plugin can be linked as it is granted, and leave it compiled in the cache.
    ///
    /// # Errors
    /// What is in the way. An import that is not granted is not: it may be granted later.
    pub(super) async fn try_link(&self, name: &str, kind: Kind, progress: Progress<'_>) -> Result<(), SetupError> {
        let compiled = self.load(name, kind, "the installation", progress).await?;
        let grants = self.grants(name, &self.project.config.grants.get(name).cloned().unwrap_or_default())?;
        let linked = match kind {
            Kind::Tool => match self.runtime.link_tool(&compiled, grants) {
                // A schema that is none would stop every start of the host later.
                Ok(linked) => {
                    Toolbox::default().add(&linked, &limits(&self.limits_of(name), None))?;
                    Ok(())
                }
                Err(error) => Err(error),
            },
            Kind::Agent => self.runtime.link_agent(&compiled, grants).map(|_| ()),
        };
        match linked {
            Err(LinkError::NotGranted { .. }) => Ok(()),
            other => Ok(other?),
        }
    }

    /// What every session shares.
    #[must_use]
    pub fn kernel(&self, gate: Gate, shadow: Option<Gate>, approver: Arc<dyn Approver>, toolbox: Toolbox) -> Kernel {
        // Without a source every package is unknown, which asks.
        let audit = Some(Arc::new(audit(&self.project).unwrap_or_default()));
        Kernel {
            runtime: self.runtime.clone(),
            gate: Arc::new(InForce::new(gate, shadow)),
            approver,
            audit,
            holds: Arc::new(Holds::new(self.supervisor.clone())),
            safety: Arc::new(Safety::new(self.project.config.safety.clone(), self.supervisor.clone())),
            toolbox,
            models: models(&self.project, &self.secrets),
            streamed: tokio::sync::broadcast::channel(STREAMED_MAX).0,
            days: Days::default(),
            directory: self.project.directory.display().to_string(),
        }
    }

    /// An agent of `pi.toml`, linked.
    ///
    /// # Errors
    /// As for tools; or its grant names a tool that there is not.
    pub async fn agent(&self, name: &str, toolbox: &Toolbox, progress: Progress<'_>) -> Result<AgentSetup, SetupError> {
        let config = self.agent_config(name)?;
        let plugin = config.plugin.as_deref().unwrap_or(name);
        let compiled = self.load(plugin, Kind::Agent, &format!("[agents.{name}]"), progress).await?;
        let grant = self.project.config.grants.get(name).cloned().unwrap_or_default();
        declared(name, &grant, &compiled.binary.manifest)?;
        let tools = grant.tools.clone().unwrap_or_default().names;
        for wanted in &tools {
            let is_there = toolbox.iter().any(|entry| covers(wanted, &entry.tool.name));
            // A server that does not start leaves its tools out, and all else as it is.
            let is_of_server = !self.peers.of_tools([wanted.as_str()]).is_empty();
            if !is_there && !is_of_server {
                let known = toolbox.iter().map(|entry| entry.tool.name.as_str()).collect::<Vec<_>>().join(", ");
                return Err(SetupError::NoTool { agent: name.to_owned(), name: wanted.clone(), known });
            }
        }
        let linked = self.runtime.link_agent(&compiled, self.grants(name, &grant)?).map_err(|error| match error {
            // A grant of an agent stands under the agent's name.
            LinkError::NotGranted { import, capability, .. } => {
                LinkError::NotGranted { plugin: name.to_owned(), import, capability }
            }
            other => other,
        })?;
        Ok(AgentSetup {
            name: name.to_owned(),
            linked,
            tools,
            models: grant.model.clone().unwrap_or_default().names,
            budget: config.budget.clone(),
            limits: limits(&self.limits_of(plugin), Some(config.session_ms_max.unwrap_or(SESSION_MS_MAX))),
            config: serde_json::to_value(&config.config).unwrap_or_default(),
        })
    }

    /// The agent that runs a runbook, which holds these tools and no others.
    ///
    /// # Errors
    /// One of them is not within `[grants.runbook.tools]`.
    pub(super) async fn runbook_agent(
        &self,
        tools: &[String],
        progress: Progress<'_>,
    ) -> Result<AgentSetup, SetupError> {
        if let Some(granted) = self.project.config.grants.get(RUNBOOK).and_then(|grant| grant.tools.as_ref()) {
            let beyond = tools.iter().find(|tool| !granted.names.iter().any(|name| covers(name, tool)));
            if let Some(tool) = beyond {
                return Err(SetupError::Runbook(Box::new(RunbooksError::NotGranted { tool: tool.clone() })));
            }
        }
        let compiled = self.load(RUNBOOK, Kind::Agent, "a runbook", progress).await?;
        let linked = self.runtime.link_agent(&compiled, runbook_grants())?;
        Ok(AgentSetup {
            name: RUNBOOK.to_owned(),
            linked,
            tools: tools.to_vec(),
            models: Vec::new(),
            budget: BudgetConfig::default(),
            limits: limits(&self.limits_of(RUNBOOK), Some(SESSION_MS_MAX)),
            config: serde_json::json!({}),
        })
    }

    /// Keep an agent's component for its sessions.
    ///
    /// # Errors
    /// It cannot be kept, or has changed since it was linked.
    pub(super) fn keep(&self, kept: &Kept, agent: &AgentSetup) -> Result<(), KeptError> {
        let config = self.project.config.agents.get(&agent.name);
        let plugin = config.and_then(|config| config.plugin.as_deref()).unwrap_or(&agent.name);
        kept.keep(&agent.name, &agent.linked.digest, || self.catalog.bytes(plugin))
    }

    /// The same agent with another component: the one that a session of it began with. It gets the grants of today.
    ///
    /// # Errors
    /// It is no agent, or imports what is not granted.
    pub(super) async fn agent_of(&self, now: &AgentSetup, bytes: &[u8]) -> Result<AgentSetup, SetupError> {
        let name = &now.name;
        let grant = self.project.config.grants.get(name).cloned().unwrap_or_default();
        let compiled = self.compile(name, bytes, Kind::Agent, &format!("a session of `{name}`")).await?;
        let is_runbook = name == RUNBOOK && !self.project.config.agents.contains_key(RUNBOOK);
        let grants = if is_runbook { runbook_grants() } else { self.grants(name, &grant)? };
        let linked = self.runtime.link_agent(&compiled, grants)?;
        Ok(AgentSetup { linked, ..now.clone() })
    }

    /// An agent for a replay: it gets what it imports, since nothing is behind any of it.
    ///
    /// # Errors
    /// It is no agent, or imports what no agent may.
    pub(super) async fn replayed(
        &self,
        name: &str,
        bytes: &[u8],
        config: &LimitsConfig,
    ) -> Result<AgentSetup, SetupError> {
        let compiled = self.compile(name, bytes, Kind::Agent, "the replay").await?;
        let grants = Grants { has_tools: true, has_model: true, has_log: true, ..Grants::default() };
        let linked = self.runtime.link_agent(&compiled, grants)?;
        Ok(AgentSetup {
            name: name.to_owned(),
            linked,
            tools: Vec::new(),
            models: Vec::new(),
            budget: BudgetConfig::default(),
            limits: limits(config, Some(SESSION_MS_MAX)),
            config: serde_json::Value::Null,
        })
    }

    /// The MCP servers that these agents' tools may come from.
    pub(super) fn servers_for(&self, agents: &[String]) -> BTreeSet<String> {
        let grants = agents.iter().filter_map(|agent| self.project.config.grants.get(agent)?.tools.as_ref());
        self.peers.of_tools(grants.flat_map(|tools| tools.names.iter().map(String::as_str)))
    }

    /// The plugins that these agents' tools come from.
    ///
    /// # Errors
    /// A plugin that cannot be read.
    pub fn plugins_for(&self, agents: &[String]) -> Result<BTreeSet<String>, SetupError> {
        let names: Vec<String> = agents
            .iter()
            .filter_map(|agent| self.project.config.grants.get(agent)?.tools.clone())
            .flat_map(|tools| tools.names)
            .collect();
        let wanted = |tool: &str| names.iter().any(|name| covers(name, tool));
        let mut plugins = BTreeSet::new();
        for plugin in self.catalog.names() {
            let manifest = self.catalog.binary(plugin)?.manifest;
            if manifest.kind == Kind::Tool && manifest.tools.iter().any(|tool| wanted(&tool.name)) {
                plugins.insert(plugin.to_owned());
            }
        }
        Ok(plugins)
    }

    /// The tools that work in accounts, where the project has none: nobody misses them.
    fn tools_of_no_account(&self) -> Result<BTreeSet<String>, SetupError> {
        let mut tools = BTreeSet::new();
        if !self.project.config.cloud.is_empty() {
            return Ok(tools);
        }
        for plugin in self.catalog.names() {
            let manifest = self.catalog.binary(plugin)?.manifest;
            if manifest.needs.iter().any(|need| need.capability == "cloud") {
                tools.extend(manifest.tools.into_iter().map(|tool| tool.name));
            }
        }
        Ok(tools)
    }

    /// What these plugins and agents work with by their manifests, and is not granted: a sentence for
    /// each. It may be meant so, or forgotten.
    ///
    /// # Errors
    /// A plugin that cannot be read.
    pub fn withheld(&self, plugins: &BTreeSet<String>, agents: &[String]) -> Result<Vec<String>, SetupError> {
        let mut withheld = Vec::new();
        let elsewhere = self.tools_of_no_account()?;
        for name in plugins.iter().chain(agents) {
            let agent = self.project.config.agents.get(name);
            let plugin = agent.and_then(|agent| agent.plugin.as_deref()).unwrap_or(name);
            let grant = self.project.config.grants.get(name).cloned().unwrap_or_default();
            for need in self.catalog.binary(plugin)?.manifest.needs {
                let (what, place, granted) = match need.capability.as_str() {
                    "tools" => ("tool", "tools", grant.tools.clone().unwrap_or_default().names),
                    "services" => ("action", "services", grant.services.clone().unwrap_or_default().actions),
                    _ => continue,
                };
                let missing = need.names.iter().filter(|wanted| {
                    !granted.iter().any(|granted| covers(granted, wanted)) && !elsewhere.contains(*wanted)
                });
                withheld.extend(missing.map(|wanted| {
                    format!("`{name}` works with the {what} `{wanted}`, which [grants.{name}.{place}] does not name: what needs it is left undone")
                }));
            }
        }
        for name in agents {
            let watched = self.project.config.agents.get(name).map(|agent| agent.watch.clone()).unwrap_or_default();
            let grants = plugins.iter().filter_map(|plugin| self.project.config.grants.get(plugin)?.services.as_ref());
            let seen: Vec<&String> = grants.flat_map(|services| &services.names).collect();
            let all = self.supervisor.names();
            let granted =
                self.project.config.grants.get(name).and_then(|grant| grant.tools.clone()).unwrap_or_default();
            withheld.extend(Handed::of(&self.project, name).withheld(name, &granted.names));
            let blind = all.iter().filter(|service| {
                let is_watched = watched.iter().any(|wanted| wanted == "*" || wanted == *service);
                is_watched && !seen.iter().any(|granted| *granted == "*" || granted == service)
            });
            withheld.extend(blind.map(|service| {
                format!("`{name}` watches `{service}`, which no [grants.*.services] names: it cannot look at it")
            }));
        }
        Ok(withheld)
    }

    /// All plugins that offer tools.
    ///
    /// # Errors
    /// A plugin that cannot be read.
    pub fn tool_plugins(&self) -> Result<BTreeSet<String>, SetupError> {
        let mut plugins = BTreeSet::new();
        for plugin in self.catalog.names() {
            if self.catalog.binary(plugin)?.manifest.kind == Kind::Tool {
                plugins.insert(plugin.to_owned());
            }
        }
        Ok(plugins)
    }

    /// The plugin that offers a tool.
    ///
    /// # Errors
    /// A plugin that cannot be read.
    pub fn plugin_of_tool(&self, tool: &str) -> Result<Option<String>, SetupError> {
        for plugin in self.catalog.names() {
            if self.catalog.binary(plugin)?.manifest.tools.iter().any(|offered| offered.name == tool) {
                return Ok(Some(plugin.to_owned()));
            }
        }
        Ok(None)
    }

    fn agent_config(&self, name: &str) -> Result<AgentConfig, SetupError> {
        self.project.config.agents.get(name).cloned().ok_or_else(|| SetupError::NoAgent(name.to_owned()))
    }

    fn limits_of(&self, plugin: &str) -> LimitsConfig {
        self.project.config.plugins.get(plugin).map(|plugin| plugin.limits.clone()).unwrap_or_default()
    }

    async fn load(
        &self,
        plugin: &str,
        kind: Kind,
        wanted_by: &str,
        progress: Progress<'_>,
    ) -> Result<Compiled, SetupError> {
        let compiled = match self.runtime.cached(&self.catalog.binary(plugin)?, &self.catalog.digest(plugin)?) {
            Some(compiled) => compiled,
            None => {
                let bytes = self.catalog.bytes(plugin)?;
                progress(&format!("compiling plugin `{plugin}` (once; {} KiB)", bytes.len() >> 10));
                let loaded = self.runtime.load_named(&bytes, plugin).await;
                loaded.map_err(|error| SetupError::Load { plugin: plugin.to_owned(), error })?
            }
        };
        of_kind(compiled, plugin, kind, wanted_by)
    }

    async fn compile(&self, plugin: &str, bytes: &[u8], kind: Kind, wanted_by: &str) -> Result<Compiled, SetupError> {
        let loaded = self.runtime.load_named(bytes, plugin).await;
        let compiled = loaded.map_err(|error| SetupError::Load { plugin: plugin.to_owned(), error })?;
        of_kind(compiled, plugin, kind, wanted_by)
    }

    fn grants(&self, name: &str, grant: &Grant) -> Result<Grants, SetupError> {
        let directory: &Path = &self.project.directory;
        let of = |error: GrantError| SetupError::Grant(error.of(name));
        let mut grants = Grants {
            has_tools: grant.tools.is_some(),
            has_model: grant.model.is_some(),
            has_log: grant.log.is_some(),
            ..Grants::default()
        };
        if let Some(files) = &grant.files {
            grants.files = Some(Arc::new(FilesState::new(files, directory).map_err(of)?));
        }
        if let Some(preopens) = &grant.preopens {
            grants.preopens = Some(Arc::new(Preopens::new(preopens, directory).map_err(of)?));
        }
        if let Some(process) = &grant.process {
            let around = Surroundings { writable: writable(&self.project), kept: governing(&self.project) };
            let state = ProcessState::new(process, directory, self.confine.clone(), &around).map_err(of)?;
            grants.process = Some(Arc::new(state));
        }
        if let Some(services) = &grant.services {
            let state = ServicesState::new(services, self.supervisor.clone()).map_err(of)?;
            grants.services = Some(Arc::new(state));
        }
        if let Some(cloud) = &grant.cloud {
            grants.cloud = Some(Arc::new(
                CloudState::new(cloud, &self.accounts).map_err(of)?.declaring(&self.project.config.services),
            ));
        }
        if let Some(sql) = &grant.sql {
            grants.sql = Some(Arc::new(SqlState::new(sql, &self.databases).map_err(of)?));
        }
        if let Some(keyvalue) = &grant.keyvalue {
            grants.keyvalue = Some(Arc::new(KeyValueState::new(keyvalue).map_err(of)?));
        }
        if grant.config.is_some() {
            let values = self.project.config.plugins.get(name).map(|plugin| plugin.config.clone()).unwrap_or_default();
            grants.config = Some(Arc::new(ConfigState::new(&values)));
        }
        let named = grant.secrets.as_ref().map(|named| self.secrets.granted(named)).transpose().map_err(of)?;
        grants.has_secrets = named.is_some();
        match (&grant.http, named) {
            (Some(http), named) => {
                let state =
                    HttpState::new(http, directory, named.unwrap_or_default(), self.secrets.scan()).map_err(of)?;
                grants.http = Some(Arc::new(state));
            }
            (None, Some(_)) => {
                let reason = "secrets go along with requests, and none is granted: add [grants.X.http]";
                return Err(of(GrantError::new("secrets", "names", "names", reason)));
            }
            (None, None) => {}
        }
        Ok(grants)
    }
}

/// What the agent of runbooks imports; which tools it may call is another matter.
fn runbook_grants() -> Grants {
    Grants { has_tools: true, has_log: true, ..Grants::default() }
}

/// A plugin under the name that the project gives it, which has to be of this kind.
fn of_kind(mut compiled: Compiled, plugin: &str, kind: Kind, wanted_by: &str) -> Result<Compiled, SetupError> {
    plugin.clone_into(&mut compiled.binary.manifest.name);
    let word = |kind: Kind| match kind {
        Kind::Tool => "a tool plugin",
        Kind::Agent => "an agent",
    };
    let found = compiled.binary.manifest.kind;
    if found != kind {
        let (plugin, wanted_by) = (plugin.to_owned(), wanted_by.to_owned());
        return Err(SetupError::Kind { plugin, found: word(found), wanted_by, wanted: word(kind) });
    }
    Ok(compiled)
}

/// The names of all tools of plugins.
fn tools_of(catalog: &Catalog) -> Result<BTreeSet<String>, CatalogError> {
    let mut names = BTreeSet::new();
    for plugin in catalog.names() {
        names.extend(catalog.binary(plugin)?.manifest.tools.into_iter().map(|tool| tool.name));
    }
    Ok(names)
}

/// A grant that its plugin never asks for would do nothing, silently.
///
/// # Errors
/// There is one.
fn declared(plugin: &str, grant: &Grant, manifest: &Manifest) -> Result<(), LinkError> {
    let granted = toml::Table::try_from(grant).unwrap_or_default();
    let is_declared = |capability: &str| manifest.needs.iter().any(|need| need.capability == capability);
    match granted.keys().find(|capability| !is_declared(capability)) {
        None => Ok(()),
        Some(capability) => Err(LinkError::Undeclared { plugin: plugin.to_owned(), capability: capability.clone() }),
    }
}

fn limits(config: &LimitsConfig, session_ms_max: Option<u64>) -> CallLimits {
    CallLimits {
        memory_bytes_max: config.memory_bytes_max,
        call_ms_max: session_ms_max.unwrap_or(config.call_ms_max),
        output_bytes_max: config.output_bytes_max,
        host_calls_max: config.host_calls_max,
    }
}
