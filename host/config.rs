//! `pi.toml`: what an operator writes. Plain data, read once; the only place that reads the
//! environment. An unknown key is an error that names the line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub policy: PolicyConfig,
    pub services: BTreeMap<String, ServiceConfig>,
    pub plugins: BTreeMap<String, PluginConfig>,
    pub agents: BTreeMap<String, AgentConfig>,
    /// By plugin or agent.
    pub grants: BTreeMap<String, Grant>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Relative to `pi.toml`. None: the built-in policy.
    pub file: Option<String>,
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
    /// It goes on when the host is stopped (a host that is killed never ends a service).
    pub outlives_host: bool,
}

/// How a service is probed. Exactly one of `http`, `tcp` and `command`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeConfig {
    /// A URL; 2xx is healthy.
    pub http: Option<String>,
    /// `host:port`; an accepted connection is healthy.
    pub tcp: Option<String>,
    /// Program and arguments; exit code 0 is healthy.
    pub command: Option<Vec<String>>,
    pub interval_ms: u64,
    pub timeout_ms: u64,
    /// So many failures in a row raise an alarm.
    pub failures: u32,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self { http: None, tcp: None, command: None, interval_ms: 1_000, timeout_ms: 1_000, failures: 3 }
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

/// A plugin that is not built in, or limits for one that is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PluginConfig {
    /// A component's file, relative to `pi.toml`. None: the built-in plugin of this name.
    pub path: Option<String>,
    pub limits: LimitsConfig,
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
        Self {
            memory_bytes_max: 256 << 20,
            call_ms_max: 60_000,
            output_bytes_max: 16 << 20,
            host_calls_max: 100_000,
        }
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
}

/// What one plugin or agent may do. A capability that is not here is not linked.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grant {
    pub files: Option<FilesGrant>,
    pub process: Option<ProcessGrant>,
    pub services: Option<ServicesGrant>,
    pub tools: Option<ToolsGrant>,
    pub log: Option<LogGrant>,
    /// Standard `wasi:filesystem` preopens: scoped, not judged act by act.
    pub preopens: Option<FilesGrant>,
}

/// Folders or files, relative to `pi.toml`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesGrant {
    pub read: Vec<String>,
    /// Also readable.
    pub write: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessGrant {
    /// Names that are looked up in the host's PATH, or absolute paths.
    pub programs: Vec<String>,
    /// Folders that the programs may read, and those they may write, beside the system's own
    /// libraries. Relative to `pi.toml`.
    pub read: Vec<String>,
    pub write: Vec<String>,
    /// Whether they may open TCP connections and listen.
    pub network: bool,
    pub timeout_ms_max: u64,
    pub output_bytes_max: u64,
    pub memory_bytes_max: u64,
    pub processes_max: u32,
}

impl Default for ProcessGrant {
    fn default() -> Self {
        Self {
            programs: Vec::new(),
            read: Vec::new(),
            write: Vec::new(),
            network: false,
            timeout_ms_max: 30_000,
            output_bytes_max: 16 << 20,
            memory_bytes_max: 1 << 30,
            processes_max: 64,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServicesGrant {
    /// Services by name; `*` for all.
    pub names: Vec<String>,
    /// `read` (status, probe, logs, changes, port owner), `restart`, `end_process`, `rotate_log`.
    pub actions: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ToolsGrant {
    /// Tools by name; a `*` at the end stands for anything.
    pub names: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogGrant {}
