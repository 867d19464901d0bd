//! What the tools say, as data. The fields are those of docs/tools.md.
//!
//! Reading is lenient about what is missing (a later host may leave a field out) and strict about
//! what is there: a number that is a text is a gap in the evidence, not a zero.

use pi_sdk::Value;
use pi_sdk::serde_json;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cloud::Place;
use crate::world::Answer;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Description {
    pub name: String,
    pub supervised: bool,
    pub depends_on: Vec<String>,
    pub log_files: Vec<String>,
    pub config_files: Vec<String>,
    pub ports: Vec<u16>,
    pub probe: String,
    pub memory_bytes_max: Option<u64>,
    /// Where it is, if it is somebody else's machine.
    pub cloud: Option<Place>,
    /// How far agents may go with it.
    pub autonomy: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Condition {
    pub name: String,
    pub state: String,
    pub pid: Option<u32>,
    pub uptime_ms: Option<u64>,
    pub starts: u32,
    /// Newest first.
    pub exits: Vec<Exit>,
    pub memory_bytes: Option<u64>,
    pub memory_bytes_max: Option<u64>,
    pub process_states: String,
    pub cpu_load: Option<f64>,
    pub disks: Vec<Disk>,
}

impl Condition {
    /// It should run, and does not.
    pub fn is_down(&self) -> bool {
        self.state == "backing_off" || self.state == "stopped"
    }

    pub fn is_running(&self) -> bool {
        self.state == "running"
    }

    /// Its own process is stopped by a signal: the first letter is the service's own.
    pub fn is_stopped_by_signal(&self) -> bool {
        let states = self.process_states.trim();
        states.starts_with(['T', 't'])
    }

    /// Share of the memory limit in use.
    pub fn memory_share(&self) -> Option<f64> {
        match (self.memory_bytes, self.memory_bytes_max) {
            (Some(used), Some(limit)) if limit > 0 => Some(used as f64 / limit as f64),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Exit {
    pub time_ms: u64,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub out_of_memory: bool,
    pub uptime_ms: u64,
    pub last_words: String,
}

impl Exit {
    /// How it ended, in words.
    pub fn words(&self) -> String {
        match (self.out_of_memory, self.code, self.signal) {
            (true, _, _) => "was killed at its memory limit".into(),
            (_, _, Some(signal)) => format!("was killed by signal {signal}"),
            (_, Some(code), _) => format!("ended with exit code {code}"),
            _ => "ended".into(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Disk {
    pub path: String,
    pub available_bytes: u64,
    pub total_bytes: u64,
    pub files: Vec<DiskFile>,
}

impl Disk {
    /// Share that is left, 1.0 for a disk of which nothing is known.
    pub fn available_share(&self) -> f64 {
        if self.total_bytes == 0 { 1.0 } else { self.available_bytes as f64 / self.total_bytes as f64 }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DiskFile {
    pub path: String,
    pub bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ProbeResult {
    pub healthy: bool,
    pub latency_ms: u32,
    pub detail: String,
    pub status_code: Option<u16>,
    pub exit_code: Option<i32>,
}

/// How a probe failed, in classes that have different causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeClass {
    Healthy,
    /// No answer in time.
    TimedOut,
    /// Nobody listens.
    Refused,
    /// An answer that says the service is in trouble (5xx).
    ServerError,
    /// An answer of another kind (3xx, 4xx): perhaps not from this service.
    OtherAnswer,
    /// The connection was cut, or the probe's program failed.
    Other,
}

impl ProbeResult {
    pub fn class(&self) -> ProbeClass {
        let detail = self.detail.to_lowercase();
        match self.status_code {
            _ if self.healthy => ProbeClass::Healthy,
            Some(500..) => ProbeClass::ServerError,
            Some(_) => ProbeClass::OtherAnswer,
            None if ["timed out", "timeout", "deadline"].iter().any(|word| detail.contains(word)) => {
                ProbeClass::TimedOut
            }
            None if detail.contains("refused") => ProbeClass::Refused,
            None => ProbeClass::Other,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LogLine {
    pub time_ms: Option<u64>,
    pub source: String,
    pub message: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Change {
    pub path: String,
    pub modified_ms: u64,
    pub before: Option<String>,
    pub after: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Owner {
    pub pid: u32,
    pub start_time: u64,
    pub command: String,
    pub uid: u32,
    pub uptime_ms: u64,
    pub service: Option<String>,
}

/// Read a tool's answer; what cannot be read is a sentence for the list of gaps.
pub fn read<T: DeserializeOwned>(tool: &str, answer: Answer) -> Result<T, String> {
    let value: Value = answer.map_err(|trouble| format!("`{tool}`: {trouble}"))?;
    serde_json::from_value(value).map_err(|error| format!("`{tool}` gave a result of another form: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pi_sdk::json;

    #[test]
    fn reads_a_condition_with_what_it_has() {
        let condition: Condition =
            read("service_status", Ok(json!({"name": "a", "state": "backing_off", "pid": null, "starts": 3}))).unwrap();
        assert!(condition.is_down());
        assert_eq!(condition.pid, None);
    }

    #[test]
    fn a_result_of_another_form_is_a_gap() {
        let error = read::<Condition>("service_status", Ok(json!({"starts": "three"}))).unwrap_err();
        assert!(error.starts_with("`service_status` gave a result of another form"), "{error}");
    }

    #[test]
    fn tells_the_ways_in_which_a_probe_fails() {
        let probe =
            |detail: &str, status_code| ProbeResult { detail: detail.into(), status_code, ..Default::default() };
        assert_eq!(probe("timed out after 500 ms", None).class(), ProbeClass::TimedOut);
        assert_eq!(probe("Connection refused", None).class(), ProbeClass::Refused);
        assert_eq!(probe("503 upstream timed out", Some(503)).class(), ProbeClass::ServerError);
        assert_eq!(probe("404 Not Found", Some(404)).class(), ProbeClass::OtherAnswer);
        assert_eq!(probe("connection reset by peer", None).class(), ProbeClass::Other);
    }
}
