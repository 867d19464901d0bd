//! `pi.toml`: what an operator writes. Plain data, read once; an unknown key is an error that names the line.
//! `environment` is the only place that reads the environment, `grants` is what plugins and agents may do.

mod approvals;
mod budget;
mod cloud;
mod cloud_target;
mod databases;
mod delivery;
mod environment;
mod grants;
mod heartbeat;
mod http;
mod mcp;
mod mcp_limits;
mod models;
mod private;
mod safety;
mod secrets;
mod sessions;
mod store;
mod talk;
mod triggers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::gate::Profile;

pub use budget::{AtLimit, BudgetConfig, Spend};
pub use cloud::{CloudConfig, CloudGrant};
pub use cloud_target::{CloudKind, CloudTarget};
pub use databases::{DatabaseConfig, SqlGrant};
pub use delivery::{DeliverWhen, DeliveryConfig, EmailDelivery, FilesDelivery, SlackDelivery, WebhookDelivery};
pub use environment::{
    cache_folder, cloud_environment, is_colour_refused, registry_credentials, scratch_folder, search_path, user,
    variable,
};
pub use grants::{
    ConfigGrant, FilesGrant, Grant, KeyValueGrant, LogGrant, ModelGrant, ProcessGrant, ServicesGrant, ToolsGrant,
    covers,
};
pub use heartbeat::HeartbeatConfig;
pub use http::{HttpGrant, HttpHost};
pub use mcp::McpConfig;
pub use mcp_limits::PeerLimits;
pub use models::{
    ANTHROPIC_URL, Effort, FALLBACKS_MAX, ModelConfig, ModelProtocol, OPENAI_URL, OutputField, PriceConfig, Thinking,
    chain, check_models, is_loopback, is_region,
};
pub use private::read_private;
pub use safety::{Autonomy, SafetyConfig};
pub use secrets::{SecretAs, SecretConfig, SecretsGrant, SigV4Config};
pub use sessions::SessionsConfig;
pub use store::StoreConfig;
pub use triggers::{AlarmField, MaintenanceConfig, TriggerConfig, TriggerKind, TriggersConfig};

/// The file's name, and the folder for state beside it.
pub const FILE: &str = "pi.toml";
pub const STATE_FOLDER: &str = ".pi";

/// Most bytes of `[plugins.X.config]`. Danger: each call of the plugin may copy all of it.
const PLUGIN_CONFIG_BYTES_MAX: usize = 256 << 10;

/// The commented file that `init` writes.
pub const TEMPLATE: &str = include_str!("pi.toml");

/// What no agent and no plugin can be called: who else acts, in grants, policies and the journal.
pub const RESERVED: &[&str] = &["person", "mcp", "host"];

/// What holds where there is no `pi.toml`, as one would write it.
pub const WITHOUT_FILE: &str = r#"# What held here before there was a pi.toml: reading below this folder, and a shell without native programs.
[grants.files.files]
read = ["."]

[grants.bash.files]
read = ["."]

[grants.bash.process]

[grants.service.services]
"#;

/// A project: its folder, and what its `pi.toml` says.
#[derive(Clone, Debug)]
pub struct Project {
    /// Absolute.
    pub directory: PathBuf,
    pub config: Config,
    /// Whether there is a `pi.toml`; without one the built-in plugins get read-only defaults.
    pub has_file: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{file} cannot be read: {error}")]
    Read { file: String, error: std::io::Error },
    #[error("{file}: {error}\nhint: `pi-host init` in an empty folder writes a commented one, with every section")]
    Form { file: String, error: String },
    #[error("{file}: {place}: {what}\nhint: {hint}")]
    Value { file: String, place: String, what: String, hint: String },
}

impl Project {
    /// The project in `directory`.
    ///
    /// # Errors
    /// `pi.toml` cannot be read, or says something that it cannot say; the text names the line.
    pub fn load(directory: &Path) -> Result<Self, ConfigError> {
        let file = directory.join(FILE);
        let name = file.display().to_string();
        let directory = directory.canonicalize().map_err(|error| ConfigError::Read { file: name.clone(), error })?;
        // A pipe or a device in its place would never end.
        if std::fs::metadata(&file).is_ok_and(|metadata| !metadata.is_file()) {
            let error = std::io::Error::other("it is no regular file");
            return Err(ConfigError::Read { file: name, error });
        }
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok(Self { directory, config: Config::parse(&text, &name)?, has_file: true }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self { directory, config: Config::without_file(), has_file: false })
            }
            Err(error) => Err(ConfigError::Read { file: name, error }),
        }
    }

    /// Where state lives.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.directory.join(STATE_FOLDER)
    }
}

impl Config {
    /// Read a `pi.toml`.
    ///
    /// # Errors
    /// What is wrong, with the line.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| ConfigError::Form {
            file: file.to_owned(),
            error: error.to_string().trim_end().to_owned(),
        })?;
        config.services.values_mut().filter_map(|service| service.probe.as_mut()).for_each(ProbeConfig::settle);
        let settled = databases::settle_reports(&mut config);
        settled.map_err(|(place, what, hint)| ConfigError::Value {
            file: file.to_owned(),
            place,
            what: what.to_owned(),
            hint,
        })?;
        config.check(file)?;
        Ok(config)
    }

    /// What holds where there is no `pi.toml`: reading below the current folder, and a shell
    /// without native programs.
    #[must_use]
    pub fn without_file() -> Self {
        toml::from_str(WITHOUT_FILE).unwrap_or_default()
    }

    fn check(&self, file: &str) -> Result<(), ConfigError> {
        let wrong = |place: String, what: &str, hint: String| {
            Err(ConfigError::Value { file: file.to_owned(), place, what: what.to_owned(), hint })
        };
        for (name, service) in &self.services {
            let place = format!("[services.{name}]");
            if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') || name.is_empty() {
                return wrong(place, "a service's name is made of letters, digits, `-` and `_`", "rename it".into());
            }
            if service.command.is_empty() && service.probe.is_none() {
                let hint = "give it a `command` to supervise it, a `probe` to watch it, or both".into();
                return wrong(place, "there is neither a command nor a probe", hint);
            }
            if let Some(probe) = &service.probe {
                let ways = [probe.http.is_some(), probe.tcp.is_some(), probe.command.is_some(), probe.cloud];
                if ways.iter().filter(|is_set| **is_set).count() != 1 {
                    let hint = "write exactly one of `http`, `tcp`, `command` and `cloud = true`".into();
                    return wrong(format!("{place} probe"), "it is not clear how to probe", hint);
                }
                if probe.cloud && service.cloud.is_none() {
                    let hint = "add cloud = { account = \"NAME\", instance = \"i-0abc\" }".into();
                    return wrong(format!("{place} probe"), "it is not said what is to be looked at", hint);
                }
                if !probe.alarms.is_empty() && !probe.cloud {
                    let hint = "`alarms` go with `cloud = true`".into();
                    return wrong(format!("{place} probe alarms"), "nobody would look at them", hint);
                }
                if let Err((what, hint)) = cloud_target::check_alarms(&probe.alarms) {
                    return wrong(format!("{place} probe alarms"), what, hint);
                }
                if probe.failures == 0 || probe.interval_ms < 10 || probe.timeout_ms == 0 {
                    let hint = "`failures` is 1 or more, `interval_ms` 10 or more, `timeout_ms` 1 or more".into();
                    return wrong(format!("{place} probe"), "a number is too small", hint);
                }
            }
            if let Some(cloud) = &service.cloud {
                if !service.command.is_empty() {
                    let hint = "remove `command`, or `cloud`: what runs in a cloud is not started here".into();
                    return wrong(format!("{place} cloud"), "there is a command as well", hint);
                }
                if !self.cloud.contains_key(&cloud.account) {
                    let hint = format!("add [cloud.{}], or correct the name", cloud.account);
                    return wrong(format!("{place} cloud account"), "there is no account of that name", hint);
                }
                if let Err((what, hint)) = cloud.check() {
                    return wrong(format!("{place} cloud"), what, hint);
                }
            }
            for needed in &service.depends_on {
                if !self.services.contains_key(needed) {
                    let hint = format!("add [services.{needed}], or correct the name");
                    return wrong(format!("{place} depends_on"), &format!("there is no service `{needed}`"), hint);
                }
            }
        }
        for (name, plugin) in &self.plugins {
            let place = || format!("[plugins.{name}.config]");
            if let Some((key, _)) = plugin.config.iter().find(|(_, value)| !value.is_str()) {
                let hint = "write it in quotes: a plugin reads texts alone".into();
                return wrong(format!("{} {key}", place()), "it is no text", hint);
            }
            let bytes: usize =
                plugin.config.iter().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
            if bytes > PLUGIN_CONFIG_BYTES_MAX {
                let hint = "put it into a file, and grant `files`".into();
                return wrong(place(), "it is longer than 256 KiB", hint);
            }
        }
        for (name, grant) in &self.grants {
            let is_writable = grant.preopens.as_ref().is_some_and(|preopens| !preopens.write.is_empty());
            if is_writable && self.policy.profile != Profile::Auto {
                let hint = "grant `files` instead, of which each write is judged; or set [policy] profile = \"auto\"";
                let what = "what is written there is not judged, and the profile wants it to be";
                return wrong(format!("[grants.{name}.preopens] write"), what, hint.into());
            }
        }
        for (name, account) in &self.cloud {
            account.check(name).or_else(|(place, what, hint)| wrong(place, what, hint))?;
        }
        for (name, database) in &self.databases {
            database.check(name).or_else(|(place, what, hint)| wrong(place, what, hint))?;
        }
        for (name, server) in &self.mcp {
            server.check(name).or_else(|(place, what, hint)| wrong(place, what, hint))?;
        }
        if let Some(grant) = self.grants.get("mcp")
            && *grant != (Grant { tools: grant.tools.clone(), ..Grant::default() })
        {
            let hint = "an MCP client calls tools and has nothing else: keep [grants.mcp.tools]".to_owned();
            return wrong("[grants.mcp]".into(), "a key would do nothing", hint);
        }
        if let Some(store) = &self.store {
            store.check().or_else(|(place, what, hint)| wrong(place, what, hint))?;
        }
        if let Some(approvals) = &self.approvals {
            approvals.check().or_else(|(place, what, hint)| wrong(place, what, hint))?;
        }
        self.safety.check().or_else(|(place, what, hint)| wrong(place, what, hint))?;
        self.sessions.check().or_else(|(place, what, hint)| wrong(place, what, hint))?;
        if !(1.0..=100.0).contains(&self.production.factor) {
            return wrong("[production] factor".into(), "it is not between 1 and 100", "write 2.0, say".into());
        }
        if let Err((place, what, hint)) = check_models(&self.models) {
            return wrong(place, &what, hint);
        }
        for (name, grant) in &self.grants {
            for model in grant.model.iter().flat_map(|grant| &grant.names) {
                if !self.models.contains_key(model) {
                    let hint = format!("add [models.{model}], or correct the name");
                    return wrong(
                        format!("[grants.{name}.model] names"),
                        &format!("there is no model `{model}`"),
                        hint,
                    );
                }
            }
        }
        for (name, agent) in &self.agents {
            for spend in [&agent.budget.session, &agent.budget.day] {
                if let Some(what) = spend.wrong() {
                    let hint = "write dollars, such as 5.0, or leave it out".to_owned();
                    return wrong(format!("[agents.{name}.budget]"), what, hint);
                }
            }
            let is_money = agent.budget.session.usd.is_some() || agent.budget.day.usd.is_some();
            let granted = self.grants.get(name).and_then(|grant| grant.model.as_ref());
            let granted = granted.filter(|_| is_money).into_iter().flat_map(|grant| &grant.names);
            let asked = granted.flat_map(|model| chain(model, &self.models).unwrap_or_default());
            // Fail closed: what it costs would not be counted.
            if let Some((model, _)) = asked.into_iter().find(|(_, model)| model.price.is_none()) {
                let what = format!("nothing is known of what the model `{model}` costs, so dollars cannot be counted");
                let hint = format!("write [models.{model}] price, or a limit of `tokens` instead");
                return wrong(format!("[agents.{name}.budget] usd"), &what, hint);
            }
            if RESERVED.contains(&name.as_str()) {
                let hint = "give it another name: the journal calls people, MCP clients and the host so".to_owned();
                return wrong(format!("[agents.{name}]"), "the name is taken", hint);
            }
            for watched in agent.watch.iter().filter(|watched| *watched != "*") {
                if !self.services.contains_key(watched) {
                    let hint = format!("add [services.{watched}], or correct the name");
                    return wrong(format!("[agents.{name}] watch"), &format!("there is no service `{watched}`"), hint);
                }
            }
        }
        for (name, delivery) in &self.delivery {
            delivery.check(name).or_else(|(place, what, hint)| wrong(place, &what, hint))?;
        }
        for (name, job) in &self.heartbeat {
            job.check(name, self).or_else(|(place, what, hint)| wrong(place, &what, hint))?;
        }
        triggers::check(self).or_else(|(place, what, hint)| wrong(place.trim_end().to_owned(), &what, hint))?;
        Ok(())
    }
}

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub policy: PolicyConfig,
    /// None: who is at the terminal is asked, else nobody.
    pub approvals: Option<ApprovalsConfig>,
    /// None: state is in a file beside `pi.toml`.
    pub store: Option<StoreConfig>,
    pub production: ProductionConfig,
    pub packages: PackagesConfig,
    pub services: BTreeMap<String, ServiceConfig>,
    /// Accounts of clouds, with who the host is there.
    pub cloud: BTreeMap<String, CloudConfig>,
    /// Databases that can be granted, to be read.
    pub databases: BTreeMap<String, DatabaseConfig>,
    pub signatures: SignaturesConfig,
    /// Servers of the Model Context Protocol whose tools agents may be granted.
    pub mcp: BTreeMap<String, McpConfig>,
    pub plugins: BTreeMap<String, PluginConfig>,
    /// What is put into requests on their way out, and is never seen by a component.
    pub secrets: BTreeMap<String, SecretConfig>,
    /// The language models that agents may ask.
    pub models: BTreeMap<String, ModelConfig>,
    pub agents: BTreeMap<String, AgentConfig>,
    /// What agents change, how often, and when they stop.
    pub safety: SafetyConfig,
    pub sessions: SessionsConfig,
    pub runbooks: RunbooksConfig,
    /// Where reports go, for `deliver` of [heartbeat.NAME].
    pub delivery: BTreeMap<String, DeliveryConfig>,
    /// When agents wake by themselves.
    pub heartbeat: BTreeMap<String, HeartbeatConfig>,
    /// Alarms from outside that wake agents. None: nothing listens.
    pub triggers: Option<TriggersConfig>,
    /// When alarms of some targets wake nobody.
    pub maintenance: Vec<MaintenanceConfig>,
    /// What a target needs, for alarms that share a root: `web = ["db"]`. Services have their `depends_on` besides.
    pub dependencies: BTreeMap<String, Vec<String>>,
    /// By plugin or agent.
    pub grants: BTreeMap<String, Grant>,
    /// The model of the command line, `PROTOCOL/NAME` or `PROTOCOL/NAME@URL`: not of the file.
    #[serde(skip)]
    pub command_model: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Relative to `pi.toml`. None: the built-in policy.
    pub file: Option<String>,
    /// Files and folders of Rego policies, relative to `pi.toml`; they come after the rules.
    pub rego: Vec<String>,
    /// A policy that is judged along and never obeyed: what it decides otherwise is in the journal.
    pub shadow: Option<String>,
    /// How far agents may go by themselves.
    pub profile: Profile,
}

/// Where the runbooks are.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunbooksConfig {
    /// The folder of the files `NAME.md`, relative to `pi.toml`.
    pub folder: String,
}

impl Default for RunbooksConfig {
    fn default() -> Self {
        Self { folder: "runbooks".into() }
    }
}

/// Who decides when the gate asks, and how long they are waited for.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApprovalsConfig {
    /// `slack:U0123`, `cli:alice`, `terminal:*`, `webhook:*`; a `*` at the end stands for anything.
    pub approvers: Vec<String>,
    pub wait_minutes: u64,
    /// Who may decide as well when the first have not.
    pub next: Vec<NextApprovers>,
    /// How many have to agree.
    pub quorum: Vec<QuorumConfig>,
    /// The names of one person: whoever answers under two of them counts once.
    pub people: BTreeMap<String, Vec<String>>,
    /// A call waits so long for people before its session is laid aside until they have decided.
    pub hold_seconds: u64,
    /// Longest approval of a rule.
    pub rule_minutes_max: u32,
    pub slack: Option<SlackConfig>,
    pub webhook: Option<WebhookConfig>,
}

impl Default for ApprovalsConfig {
    fn default() -> Self {
        Self {
            approvers: vec!["cli:*".into(), "terminal:*".into()],
            wait_minutes: 30,
            next: Vec::new(),
            quorum: Vec::new(),
            people: BTreeMap::new(),
            hold_seconds: 20,
            rule_minutes_max: 1_440,
            slack: None,
            webhook: None,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NextApprovers {
    pub approvers: Vec<String>,
    pub wait_minutes: u64,
}

/// From this risk on, so many people have to agree.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct QuorumConfig {
    pub risk: u8,
    pub votes: u32,
}

/// Approvals in Slack. Tokens are never here: these are the names of environment variables.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlackConfig {
    /// The channel's id, `C0123ABCD`.
    pub channel: String,
    pub bot_token_env: String,
    /// For Socket Mode, which needs no address that Slack can reach. None: no Socket Mode.
    pub app_token_env: Option<String>,
    /// For interactions over HTTP. None: no HTTP.
    pub signing_secret_env: Option<String>,
    /// Where interactions over HTTP arrive, `127.0.0.1:8086`, at `/slack/interactions`.
    pub listen: Option<String>,
    pub api_url: String,
}

impl Default for SlackConfig {
    fn default() -> Self {
        Self {
            channel: String::new(),
            bot_token_env: "SLACK_BOT_TOKEN".into(),
            app_token_env: None,
            signing_secret_env: None,
            listen: None,
            api_url: "https://slack.com/api".into(),
        }
    }
}

/// Approvals by a webhook of one's own, signed in both directions.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookConfig {
    pub url: String,
    /// The environment variable that holds the shared secret.
    pub secret_env: String,
    /// Where answers arrive, `127.0.0.1:8087`, at `/approvals/ID`. None: answers come elsewhere.
    pub listen: Option<String>,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self { url: String::new(), secret_env: "PI_WEBHOOK_SECRET".into(), listen: None }
    }
}

/// What is production: changes there weigh more.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProductionConfig {
    /// Names of hosts, contexts, databases, accounts, folders; `*` stands for anything.
    pub targets: Vec<String>,
    /// The points of what would change there are multiplied by this.
    pub factor: f32,
}

impl Default for ProductionConfig {
    fn default() -> Self {
        Self { targets: Vec::new(), factor: 2.0 }
    }
}

/// Where is looked up what is known about packages.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PackagesConfig {
    /// Ask the API for what the offline store does not have.
    pub online: bool,
    pub api_url: String,
    /// Where `packages sync` fetches from.
    pub sync_url: String,
    /// Relative to `pi.toml`. None: the user's cache folder.
    pub store: Option<String>,
}

impl Default for PackagesConfig {
    fn default() -> Self {
        Self {
            online: true,
            api_url: "https://api.osv.dev".into(),
            sync_url: "https://osv-vulnerabilities.storage.googleapis.com".into(),
            store: None,
        }
    }
}

/// A service of this machine (or one that is only probed, when it has no `command`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceConfig {
    /// Program and arguments. Empty: external, not supervised.
    pub command: Vec<String>,
    /// Relative to `pi.toml`.
    pub directory: Option<String>,
    pub environment: BTreeMap<String, String>,
    /// The TCP ports it listens on.
    pub ports: Vec<u16>,
    /// Log files, relative to `directory`. What it writes to its standard output and error is kept besides.
    pub logs: Vec<String>,
    /// Configuration files, relative to `directory`: remembered as they were when it was last healthy.
    pub config: Vec<String>,
    pub depends_on: Vec<String>,
    /// The service is ended when it is resident beyond this.
    pub memory_bytes_max: Option<u64>,
    /// No file that it writes may grow beyond this (RLIMIT_FSIZE).
    pub file_bytes_max: Option<u64>,
    pub probe: Option<ProbeConfig>,
    pub restart: RestartConfig,
    /// What it is in a cloud, of one that has no `command`.
    pub cloud: Option<CloudTarget>,
    /// How far agents may go on it by themselves. None: `auto`, and `propose` in a cloud.
    pub autonomy: Option<Autonomy>,
    /// It goes on when the host is stopped (a host that is killed never ends a service).
    pub outlives_host: bool,
}

impl ServiceConfig {
    /// How far agents may go on it, whether or not it is written down.
    #[must_use]
    pub fn autonomy(&self) -> Autonomy {
        self.autonomy.unwrap_or(if self.cloud.is_some() { Autonomy::Propose } else { Autonomy::Auto })
    }
}

/// How a service is probed. Exactly one of `http`, `tcp`, `command` and `cloud`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeConfig {
    /// A URL; 2xx is healthy.
    pub http: Option<String>,
    /// `host:port`; an accepted connection is healthy.
    pub tcp: Option<String>,
    /// Program and arguments; exit code 0 is healthy.
    pub command: Option<Vec<String>>,
    /// Ask the cloud: it runs, its own checks pass, and none of `alarms` fires.
    pub cloud: bool,
    /// Of `cloud`: CloudWatch's alarms that make it sick, by name.
    pub alarms: Vec<String>,
    /// 1,000; of `cloud` 30,000.
    #[serde(default = "unset")]
    pub interval_ms: u64,
    /// 1,000; of `cloud` 10,000.
    #[serde(default = "unset")]
    pub timeout_ms: u64,
    /// So many failures in a row raise an alarm.
    pub failures: u32,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        let (http, tcp, command) = (None, None, None);
        Self {
            http,
            tcp,
            command,
            cloud: false,
            alarms: Vec::new(),
            interval_ms: 1_000,
            timeout_ms: 1_000,
            failures: 3,
        }
    }
}

/// A time that `pi.toml` does not say: what it is depends on what is asked.
fn unset() -> u64 {
    u64::MAX
}

impl ProbeConfig {
    /// Put the times in that are not said. A cloud is asked less often, and takes longer to answer.
    fn settle(&mut self) {
        let (interval_ms, timeout_ms) = if self.cloud { (30_000, 10_000) } else { (1_000, 1_000) };
        if self.interval_ms == unset() {
            self.interval_ms = interval_ms;
        }
        if self.timeout_ms == unset() {
            self.timeout_ms = timeout_ms;
        }
    }
}

/// When a supervised service that ended is started again.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RestartConfig {
    /// Start it again by itself at all.
    pub is_automatic: bool,
    /// Before the first start; doubled for each further one.
    pub backoff_ms: u64,
    pub backoff_ms_max: u64,
    /// Time to end politely before it is killed.
    pub stop_ms_max: u64,
}

impl Default for RestartConfig {
    fn default() -> Self {
        Self { is_automatic: true, backoff_ms: 500, backoff_ms_max: 30_000, stop_ms_max: 3_000 }
    }
}

/// Whose plugins are installed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignaturesConfig {
    /// None: `required` where there are keys, else `warn`.
    pub policy: Option<SignaturesPolicy>,
    /// Files with public keys (PEM), relative to `pi.toml`: `cosign.pub`.
    pub keys: Vec<String>,
    /// The name that signatures in registries must be for, where that is not the one a component is
    /// fetched by: for mirrors.
    pub signed_as: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignaturesPolicy {
    Required,
    Warn,
    Off,
}

/// A plugin that is not built in, or limits for one that is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PluginConfig {
    /// A component's file, relative to `pi.toml`, read as it is now: for a plugin that is being written.
    pub path: Option<String>,
    /// Where it was installed from; `plugins.lock` pins the digest. Neither of the two: the built-in
    /// plugin of this name.
    pub source: Option<String>,
    pub limits: LimitsConfig,
    /// Read by the plugin as `wasi:config`: texts.
    pub config: BTreeMap<String, toml::Value>,
}

/// The limits of one call. Each has a default.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// All linear memories together.
    pub memory_bytes_max: u64,
    pub call_ms_max: u64,
    pub output_bytes_max: u64,
    pub host_calls_max: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { memory_bytes_max: 256 << 20, call_ms_max: 60_000, output_bytes_max: 16 << 20, host_calls_max: 100_000 }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentConfig {
    /// The plugin that it runs. None: the plugin of the agent's name.
    pub plugin: Option<String>,
    /// The services whose alarms wake it; `*` for all.
    pub watch: Vec<String>,
    /// Handed to the agent as it stands.
    pub config: BTreeMap<String, toml::Value>,
    /// Longest run of one session.
    pub session_ms_max: Option<u64>,
    /// What it may spend.
    pub budget: BudgetConfig,
    /// Files with the project's instructions for it, relative to `pi.toml`; those that are not there are left out.
    pub instructions: Vec<String>,
    /// The runbooks that it may follow: names, with `*` at the end for anything. It is told their texts when a session
    /// begins; they grant no tool.
    pub runbooks: Vec<String>,
    /// Folders with skills, each a folder with a `SKILL.md`, relative to `pi.toml`.
    pub skills: Vec<String>,
}
