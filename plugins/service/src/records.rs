//! The records of `pi:services` as JSON. The names are a promise: `docs/tools.md` lists them.

use pi_sdk::services::{
    Autonomy, Change, CloudKind, CloudTarget, Condition, Description, Disk, Exit, LogLine, Owner, ProbeResult, State,
};
use pi_sdk::{Value, json};

pub(crate) fn description(it: &Description) -> Value {
    json!({
        "name": it.name,
        "supervised": it.supervised,
        "depends_on": it.depends_on,
        "log_files": it.log_files,
        "config_files": it.config_files,
        "ports": it.ports,
        "probe": it.probe,
        "memory_bytes_max": it.memory_bytes_max,
        "autonomy": autonomy(it.autonomy),
        "cloud": it.cloud.as_ref().map(cloud),
    })
}

fn autonomy(it: Autonomy) -> &'static str {
    match it {
        Autonomy::Observe => "observe",
        Autonomy::Propose => "propose",
        Autonomy::Approve => "approve",
        Autonomy::Auto => "auto",
    }
}

fn cloud(it: &CloudTarget) -> Value {
    let kind = match it.kind {
        CloudKind::Instance => "instance",
        CloudKind::Database => "database",
        CloudKind::Cluster => "cluster",
    };
    json!({ "account": it.account, "region": it.region, "kind": kind, "id": it.id })
}

pub(crate) fn condition(it: &Condition) -> Value {
    let state = match it.state {
        State::Running => "running",
        State::Stopped => "stopped",
        State::BackingOff => "backing_off",
        State::External => "external",
    };
    json!({
        "name": it.name,
        "state": state,
        "pid": it.pid,
        "uptime_ms": it.uptime_ms,
        "starts": it.starts,
        "exits": it.exits.iter().map(exit).collect::<Vec<_>>(),
        "memory_bytes": it.memory_bytes,
        "memory_bytes_max": it.memory_bytes_max,
        "process_states": it.process_states,
        "cpu_load": it.cpu_load,
        "disks": it.disks.iter().map(disk).collect::<Vec<_>>(),
    })
}

fn exit(it: &Exit) -> Value {
    json!({
        "time_ms": it.time_ms,
        "code": it.code,
        "signal": it.signal,
        "out_of_memory": it.out_of_memory,
        "uptime_ms": it.uptime_ms,
        "last_words": it.last_words,
    })
}

fn disk(it: &Disk) -> Value {
    let files: Vec<Value> = it.files.iter().map(|(path, bytes)| json!({ "path": path, "bytes": bytes })).collect();
    json!({
        "path": it.path,
        "available_bytes": it.available_bytes,
        "total_bytes": it.total_bytes,
        "files": files,
    })
}

pub(crate) fn probe_result(it: &ProbeResult) -> Value {
    json!({
        "healthy": it.healthy,
        "unknown": it.unknown,
        "latency_ms": it.latency_ms,
        "detail": it.detail,
        "status_code": it.status_code,
        "exit_code": it.exit_code,
    })
}

pub(crate) fn log_line(it: &LogLine) -> Value {
    json!({ "time_ms": it.time_ms, "source": it.source, "message": it.message })
}

pub(crate) fn change(it: &Change) -> Value {
    json!({ "path": it.path, "modified_ms": it.modified_ms, "before": it.before, "after": it.after })
}

pub(crate) fn owner(it: &Owner) -> Value {
    json!({
        "pid": it.pid,
        "start_time": it.start_time,
        "command": it.command,
        "uid": it.uid,
        "uptime_ms": it.uptime_ms,
        "service": it.service,
    })
}
