//! `[grants.X]`: what a plugin or an agent may do. What is not here is not linked. A new capability adds its
//! table here; tests/reference.rs writes it into docs/reference.md.

use serde::{Deserialize, Serialize};

use super::{CloudGrant, HttpGrant, SecretsGrant, SqlGrant};

/// What one plugin or agent may do. A capability that is not here is not linked.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grant {
    pub files: Option<FilesGrant>,
    pub process: Option<ProcessGrant>,
    pub services: Option<ServicesGrant>,
    pub cloud: Option<CloudGrant>,
    pub sql: Option<SqlGrant>,
    pub tools: Option<ToolsGrant>,
    pub model: Option<ModelGrant>,
    pub log: Option<LogGrant>,
    /// Standard `wasi:filesystem` preopens: scoped, not judged act by act.
    pub preopens: Option<FilesGrant>,
    pub http: Option<HttpGrant>,
    pub secrets: Option<SecretsGrant>,
    pub keyvalue: Option<KeyValueGrant>,
    pub config: Option<ConfigGrant>,
}

/// Folders or files, relative to `pi.toml`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesGrant {
    /// What may be read.
    pub read: Vec<String>,
    /// What may be read and written.
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
    /// Of one program, with its descendants.
    pub timeout_ms_max: u64,
    /// Standard output and error together.
    pub output_bytes_max: u64,
    /// Of one program, with its descendants.
    pub memory_bytes_max: u64,
    /// At once, descendants included.
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

/// Which models an agent may ask.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelGrant {
    /// Names of `[models.*]`; the first is the one that it prefers.
    pub names: Vec<String>,
}

/// Whether a granted name, which may end with `*`, is this one.
#[must_use]
pub fn covers(granted: &str, name: &str) -> bool {
    granted.strip_suffix('*').map_or(granted == name, |stem| name.starts_with(stem))
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogGrant {}

/// A store of its own for each plugin.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyValueGrant {
    /// Keys and values together.
    pub bytes_max: u64,
    pub keys_max: u64,
    /// Of one value.
    pub value_bytes_max: u64,
}

impl Default for KeyValueGrant {
    fn default() -> Self {
        Self { bytes_max: 8 << 20, keys_max: 1_000, value_bytes_max: 1 << 20 }
    }
}

/// Lets a plugin read `[plugins.X.config]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigGrant {}
