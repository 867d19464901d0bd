//! What the gatekeeper judges: one act with its final arguments, and where it comes from.
//!
//! An act is data: nothing in it is expanded later. A new capability adds its acts here, says what
//! each can do ([`Act::severity`]) and how it reads ([`Act::summary`]), and asks the gate before it acts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::effect::Severity;

/// Keys that a summary names, and resources.
const KEYS_SHOWN_MAX: usize = 8;
/// Longest arguments of a call of a cloud in a summary.
const ARGUMENTS_SHOWN_MAX: usize = 400;

/// Who asks for an act.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The session's id.
    pub session: String,
    /// The agent, or `person` for a call from the command line.
    pub agent: String,
    /// The plugin whose host call this is; empty for the agent's own call of a tool.
    pub plugin: String,
}

/// How bytes get into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    Create,
    Replace,
    Append,
}

/// What a call of a cloud names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudResource {
    /// `instance`, `database`, `cluster`, `alarm`, ...
    pub kind: String,
    /// As the cloud names it: `i-0abc`.
    pub id: String,
    /// As they were when the call was made. None: the grant does not ask for them, so nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
}

/// One act with its final arguments. Paths are absolute and folded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Call a tool. The acts inside the call are judged one by one as well.
    ToolCall {
        tool: String,
        effect: Severity,
        idempotent: bool,
        arguments: Value,
    },
    /// Start a shell script. Judged as a whole in advance, then act by act.
    Script {
        text: String,
        directory: String,
    },
    /// Run a native program.
    ProcessRun {
        argv: Vec<String>,
        directory: String,
        environment: Vec<(String, String)>,
    },
    FileRead {
        path: String,
    },
    FileList {
        path: String,
    },
    FileWrite {
        path: String,
        bytes: u64,
        mode: WriteMode,
        /// Of what is written, lower-case hex: what is agreed to is this content. Empty in old journals.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        sha256: String,
    },
    FileRemove {
        path: String,
        recursive: bool,
    },
    FileRename {
        from: String,
        to: String,
    },
    FileMode {
        path: String,
        mode: u32,
    },
    FileTime {
        path: String,
    },
    FileSymlink {
        target: String,
        link: String,
    },
    DirectoryMake {
        path: String,
        parents: bool,
    },
    /// `what` is one of `status`, `logs`, `changes`, `port_owner`.
    ServiceRead {
        service: String,
        what: String,
    },
    /// Asks the service over its own protocol, or runs its probe command.
    ServiceProbe {
        service: String,
    },
    ServiceRestart {
        service: String,
    },
    ProcessEnd {
        pid: u32,
        start_time: u64,
        command: String,
    },
    LogRotate {
        service: String,
        path: String,
    },
    /// Send an HTTP request. Values of headers and the body are not here: they may be private.
    HttpRequest {
        method: String,
        /// As it is sent, but for what a secret adds to it.
        url: String,
        /// The names of the headers that the plugin gives.
        headers: Vec<String>,
        /// The names of the secrets that the host adds.
        secrets: Vec<String>,
        /// None: it comes as a stream, and is not known in advance.
        body_bytes: Option<u64>,
        /// The operator has granted this method at exactly this host.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_granted: bool,
    },
    /// Call an operation of a cloud.
    CloudCall {
        /// The name of the account in `pi.toml`.
        account: String,
        region: String,
        /// As IAM names it: `ec2:RebootInstances`.
        operation: String,
        resources: Vec<CloudResource>,
        /// As they are sent.
        arguments: Value,
        severity: Severity,
        /// Another operation undoes it, or it passes by itself.
        reversible: bool,
        /// The shell script in the arguments, where the call runs one on a machine there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        script: Option<String>,
        /// The files that `pi.toml` calls the configuration of what runs on the one machine that the script is for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        declared: Vec<String>,
        /// The folders that it calls the logs of what runs there.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        declared_logs: Vec<String>,
        /// The operator has granted this very operation by its whole name.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_granted: bool,
    },
    /// Run a statement that only reads.
    SqlQuery {
        /// The database's name in `pi.toml`.
        database: String,
        dialect: SqlDialect,
        /// As it is run.
        statement: String,
        /// What it names: `schema.table`, or `table` where it says no schema.
        tables: Vec<String>,
        /// How many parameters it has. Their values may be private.
        parameters: usize,
    },
    /// Change what a plugin keeps for itself.
    KeyValueWrite {
        plugin: String,
        operation: KeyValueOperation,
        keys: Vec<String>,
        /// Of the values together.
        bytes: u64,
    },
    /// Go on although the budget is spent, with as much again.
    Overspend {
        agent: String,
        /// What is spent, and whose it is.
        what: String,
        spent: u64,
        limit: u64,
    },
}

/// Whose SQL a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SqlDialect {
    Postgres,
    Sqlite,
}

/// What is done to the values of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyValueOperation {
    Set,
    Delete,
    Increment,
}

impl KeyValueOperation {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Delete => "delete",
            Self::Increment => "increment",
        }
    }
}

/// `call `ec2:RebootInstances` on instance `i-1` in `prod` (eu-west-1) with {...}`.
fn cloud_call(
    account: &str,
    region: &str,
    operation: &str,
    resources: &[CloudResource],
    arguments: &Value,
    script: Option<&str>,
) -> String {
    let shown: Vec<String> =
        resources.iter().take(KEYS_SHOWN_MAX).map(|resource| format!("{} `{}`", resource.kind, resource.id)).collect();
    let more = if resources.len() > shown.len() {
        format!(" and {} more", resources.len() - shown.len())
    } else {
        String::new()
    };
    let on = if shown.is_empty() { String::new() } else { format!(" on {}{more}", shown.join(", ")) };
    let with = match script {
        Some(script) => format!(" with the script `{script}`"),
        None => {
            let text = arguments.to_string();
            let cut: String = text.chars().take(ARGUMENTS_SHOWN_MAX).collect();
            let end = if cut.len() < text.len() { "..." } else { "" };
            format!(" with {cut}{end}")
        }
    };
    format!("call `{operation}`{on} in `{account}` ({region}){with}")
}

/// What can be done to a resource by a request's method, as HTTP defines the methods.
fn severity_of(method: &str) -> Severity {
    match method {
        "GET" | "HEAD" | "OPTIONS" => Severity::Read,
        "DELETE" => Severity::Destructive,
        _ => Severity::Write,
    }
}

impl Act {
    /// The act's name in policies, in the journal and in messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Act::ToolCall { .. } => "tool_call",
            Act::Script { .. } => "script",
            Act::ProcessRun { .. } => "process_run",
            Act::FileRead { .. } => "file_read",
            Act::FileList { .. } => "file_list",
            Act::FileWrite { .. } => "file_write",
            Act::FileRemove { .. } => "file_remove",
            Act::FileRename { .. } => "file_rename",
            Act::FileMode { .. } => "file_mode",
            Act::FileTime { .. } => "file_time",
            Act::FileSymlink { .. } => "file_symlink",
            Act::DirectoryMake { .. } => "directory_make",
            Act::ServiceRead { .. } => "service_read",
            Act::ServiceProbe { .. } => "service_probe",
            Act::ServiceRestart { .. } => "service_restart",
            Act::ProcessEnd { .. } => "process_end",
            Act::LogRotate { .. } => "log_rotate",
            Act::HttpRequest { .. } => "http_request",
            Act::CloudCall { .. } => "cloud_call",
            Act::SqlQuery { .. } => "sql_query",
            Act::KeyValueWrite { .. } => "key_value_write",
            Act::Overspend { .. } => "overspend",
        }
    }

    /// The worst that it can do.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Act::ToolCall { effect, .. } => *effect,
            Act::FileRead { .. }
            | Act::FileList { .. }
            | Act::ServiceRead { .. }
            | Act::ServiceProbe { .. }
            | Act::SqlQuery { .. } => Severity::Read,
            // A script does nothing by itself: what it does arrives as acts of its own.
            Act::Script { .. } => Severity::Read,
            Act::ProcessRun { .. } | Act::FileRemove { .. } | Act::ProcessEnd { .. } => Severity::Destructive,
            Act::FileWrite { .. }
            | Act::FileRename { .. }
            | Act::FileMode { .. }
            | Act::FileTime { .. }
            | Act::FileSymlink { .. }
            | Act::DirectoryMake { .. }
            | Act::ServiceRestart { .. }
            | Act::LogRotate { .. }
            | Act::KeyValueWrite { .. }
            | Act::Overspend { .. } => Severity::Write,
            Act::HttpRequest { method, .. } => severity_of(method),
            Act::CloudCall { severity, .. } => *severity,
        }
    }

    /// The act in words, with its final arguments, for people and for agents. Control characters
    /// are the caller's to escape.
    #[must_use]
    pub fn summary(&self) -> String {
        match self {
            Act::ToolCall { tool, arguments, .. } => format!("call tool `{tool}` with {arguments}"),
            Act::Script { text, .. } => format!("run the script `{text}`"),
            Act::ProcessRun { argv, .. } => format!("run `{}`", argv.join(" ")),
            Act::FileRead { path } => format!("read `{path}`"),
            Act::FileList { path } => format!("list `{path}`"),
            Act::FileWrite { path, bytes, mode, .. } => {
                let verb = match mode {
                    WriteMode::Create => "create",
                    WriteMode::Replace => "replace",
                    WriteMode::Append => "append to",
                };
                format!("{verb} `{path}` ({bytes} bytes)")
            }
            Act::FileRemove { path, recursive: true } => format!("remove `{path}` and all below it"),
            Act::FileRemove { path, .. } => format!("remove `{path}`"),
            Act::FileRename { from, to } => format!("rename `{from}` to `{to}`"),
            Act::FileMode { path, mode } => format!("set the mode of `{path}` to {mode:o}"),
            Act::FileTime { path } => format!("set the time of `{path}`"),
            Act::FileSymlink { target, link } => format!("link `{link}` to `{target}`"),
            Act::DirectoryMake { path, .. } => format!("make the folder `{path}`"),
            Act::ServiceRead { service, what } => format!("read {what} of `{service}`"),
            Act::ServiceProbe { service } => format!("probe `{service}`"),
            Act::ServiceRestart { service } => format!("restart `{service}`"),
            Act::ProcessEnd { pid, command, .. } => format!("end process {pid} (`{command}`)"),
            Act::LogRotate { service, path } => format!("rotate `{path}` of `{service}`"),
            Act::HttpRequest { method, url, secrets, body_bytes, .. } => {
                let body = match body_bytes {
                    Some(0) => String::new(),
                    Some(bytes) => format!(" ({bytes} bytes)"),
                    None => " (a body of unknown length)".to_owned(),
                };
                let with = if secrets.is_empty() {
                    String::new()
                } else {
                    format!(" with the secret `{}`", secrets.join("`, `"))
                };
                format!("request `{method} {url}`{body}{with}")
            }
            Act::CloudCall { account, region, operation, resources, arguments, script, .. } => {
                cloud_call(account, region, operation, resources, arguments, script.as_deref())
            }
            Act::SqlQuery { database, statement, .. } => format!("ask `{database}`: {statement}"),
            Act::Overspend { agent, what, spent, limit } => {
                format!("let `{agent}` spend as much again: {spent} of {limit} {what}")
            }
            Act::KeyValueWrite { plugin, operation, keys, bytes } => {
                let shown: Vec<&str> = keys.iter().take(KEYS_SHOWN_MAX).map(String::as_str).collect();
                let more = if keys.len() > shown.len() { ", ..." } else { "" };
                format!(
                    "{} `{}`{more} ({bytes} bytes) in the values of `{plugin}`",
                    operation.name(),
                    shown.join("`, `")
                )
            }
        }
    }
}
