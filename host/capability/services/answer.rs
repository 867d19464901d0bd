//! The supervisor's records as those of the contract.

use std::path::{Path, PathBuf};

use crate::capability::bindings::pi::services::services::{
    Autonomy, Change, CloudKind, CloudTarget, Condition, Description, Disk, Error, Exit, LogLine, Owner, ProbeResult,
    State,
};
use crate::config;
use crate::supervisor::{self, SupervisorError};

impl From<SupervisorError> for Error {
    fn from(error: SupervisorError) -> Self {
        match error {
            SupervisorError::NotFound(text) => Error::NotFound(text),
            SupervisorError::Unsupported(text) => Error::Unsupported(text),
            error => Error::Failed(error.to_string()),
        }
    }
}

impl From<supervisor::Description> for Description {
    fn from(it: supervisor::Description) -> Self {
        Self {
            name: it.name,
            supervised: it.is_supervised,
            depends_on: it.depends_on,
            log_files: paths(&it.log_files),
            config_files: paths(&it.config_files),
            ports: it.ports,
            probe: it.probe,
            memory_bytes_max: it.memory_bytes_max,
            autonomy: match it.autonomy {
                config::Autonomy::Observe => Autonomy::Observe,
                config::Autonomy::Propose => Autonomy::Propose,
                config::Autonomy::Approve => Autonomy::Approve,
                config::Autonomy::Auto => Autonomy::Auto,
            },
            cloud: it.cloud.map(CloudTarget::from),
        }
    }
}

impl From<config::CloudTarget> for CloudTarget {
    fn from(it: config::CloudTarget) -> Self {
        let (kind, id) = it.resource();
        let kind = match kind {
            config::CloudKind::Instance => CloudKind::Instance,
            config::CloudKind::Database => CloudKind::Database,
            config::CloudKind::Cluster => CloudKind::Cluster,
        };
        Self { kind, id: id.to_owned(), account: it.account, region: it.region }
    }
}

impl From<supervisor::Condition> for Condition {
    fn from(it: supervisor::Condition) -> Self {
        Self {
            name: it.name,
            state: match it.state {
                supervisor::State::Running => State::Running,
                supervisor::State::Stopped => State::Stopped,
                supervisor::State::BackingOff => State::BackingOff,
                supervisor::State::External => State::External,
            },
            pid: it.pid,
            uptime_ms: it.uptime_ms,
            starts: it.starts,
            exits: it.exits.into_iter().map(Exit::from).collect(),
            memory_bytes: it.memory_bytes,
            memory_bytes_max: it.memory_bytes_max,
            process_states: it.process_states,
            cpu_load: it.cpu_load,
            disks: it.disks.into_iter().map(Disk::from).collect(),
        }
    }
}

impl From<supervisor::Exit> for Exit {
    fn from(it: supervisor::Exit) -> Self {
        Self {
            time_ms: it.time_ms,
            code: it.code,
            signal: it.signal,
            out_of_memory: it.out_of_memory,
            uptime_ms: it.uptime_ms,
            last_words: it.last_words,
        }
    }
}

impl From<supervisor::Disk> for Disk {
    fn from(it: supervisor::Disk) -> Self {
        Self {
            path: text(&it.path),
            available_bytes: it.available_bytes,
            total_bytes: it.total_bytes,
            files: it.files.iter().map(|(path, bytes)| (text(path), *bytes)).collect(),
        }
    }
}

impl From<supervisor::ProbeResult> for ProbeResult {
    fn from(it: supervisor::ProbeResult) -> Self {
        Self {
            healthy: it.healthy,
            unknown: it.unknown,
            latency_ms: it.latency_ms,
            detail: it.detail,
            status_code: it.status_code,
            exit_code: it.exit_code,
        }
    }
}

impl From<supervisor::LogLine> for LogLine {
    fn from(it: supervisor::LogLine) -> Self {
        Self { time_ms: it.time_ms, source: text(&it.source), message: it.message }
    }
}

impl From<supervisor::Change> for Change {
    fn from(it: supervisor::Change) -> Self {
        Self { path: text(&it.path), modified_ms: it.modified_ms, before: it.before, after: it.after }
    }
}

impl From<supervisor::Owner> for Owner {
    fn from(it: supervisor::Owner) -> Self {
        Self {
            pid: it.pid,
            start_time: it.start_time,
            command: it.command,
            uid: it.uid,
            uptime_ms: it.uptime_ms,
            service: it.service,
        }
    }
}

fn paths(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| text(path)).collect()
}

/// A path that is not UTF-8 is shown as well as it can be.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
