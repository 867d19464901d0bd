//! What is remembered of a service across hosts: `.pi/services/NAME/state.json`.
//!
//! The record is replaced as a whole, by rename, before and after each step that matters: a host that
//! is killed at any moment leaves a record from which the next one knows what was going on. Which
//! process it is stands in `.pi/services/NAME.pid`, written by the process itself before it becomes the service.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::SupervisorError;
use crate::config::ServiceConfig;

/// Ends that are remembered.
pub(crate) const EXITS_MAX: usize = 16;

/// How a service ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub time_ms: u64,
    /// None as well when it ended while no host ran, or when it is not the host's own child.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub out_of_memory: bool,
    pub uptime_ms: u64,
    pub last_words: String,
}

/// What the supervisor was doing when it last wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Never started.
    #[default]
    New,
    /// About to be started: it may run already.
    Starting,
    Running,
    /// Being ended, to be started again.
    Restarting,
    /// Ended, or being ended, for good.
    Stopped,
    /// Ended, the next start is due.
    BackingOff,
}

/// The latest life of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Record {
    pub(crate) phase: Phase,
    /// What was started: a service whose configuration changed is not taken up again.
    pub(crate) command_hash: String,
    pub(crate) started_ms: u64,
    pub(crate) starts: u32,
    /// Newest first.
    pub(crate) exits: Vec<Exit>,
    pub(crate) memory_group: Option<PathBuf>,
    /// The group's count of kills when this life began.
    pub(crate) out_of_memory_kills: u64,
    /// Where this life's output begins in the captured output.
    pub(crate) output_offset: u64,
}

impl Record {
    pub(crate) fn push_exit(&mut self, exit: Exit) {
        self.exits.insert(0, exit);
        self.exits.truncate(EXITS_MAX);
    }
}

/// The place of one service's record.
#[derive(Clone, Debug)]
pub(crate) struct RecordFile(PathBuf);

impl RecordFile {
    pub(crate) fn new(directory: &Path) -> Self {
        Self(directory.join("state.json"))
    }

    /// The record; a new one if there is none yet.
    pub(crate) fn read(&self) -> Result<Record, SupervisorError> {
        match fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                // To guess here could start a second instance.
                SupervisorError::State(format!(
                    "`{}` cannot be read as a service's record; end what runs of the service and remove the file: {error}",
                    self.0.display()
                ))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Record::default()),
            Err(error) => Err(SupervisorError::file("read", &self.0, &error)),
        }
    }

    pub(crate) fn write(&self, record: &Record) -> Result<(), SupervisorError> {
        let bytes = serde_json::to_vec_pretty(record).map_err(|error| SupervisorError::State(error.to_string()))?;
        replace(&self.0, &bytes).map_err(|error| SupervisorError::file("write", &self.0, &error))
    }

    pub(crate) fn remove(&self) {
        fs::remove_file(&self.0).ok();
    }
}

/// Replace a file as a whole: a reader, or a host killed in between, sees the old or the new.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&new, path)
}

/// Changes when the service has to be started anew to be what the configuration says.
pub(crate) fn command_hash(config: &ServiceConfig, directory: &Path) -> String {
    let parts = serde_json::json!([
        config.command,
        directory,
        config.environment,
        config.memory_bytes_max,
        config.file_bytes_max
    ]);
    hex(&Sha256::digest(parts.to_string().as_bytes()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = RecordFile::new(folder.path());
        assert_eq!(file.read().unwrap(), Record::default());
        let mut record = Record { phase: Phase::Running, starts: 3, ..Record::default() };
        for uptime_ms in 0..20 {
            record.push_exit(Exit { uptime_ms, ..Exit::default() });
        }
        file.write(&record).unwrap();
        let read = file.read().unwrap();
        assert_eq!(read, record);
        assert_eq!((read.exits.len(), read.exits[0].uptime_ms), (EXITS_MAX, 19));
    }

    #[test]
    fn a_broken_record_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("state.json"), "{").unwrap();
        let error = RecordFile::new(folder.path()).read().unwrap_err().to_string();
        assert!(error.contains("state.json"), "{error}");
    }

    #[test]
    fn the_command_hash_follows_what_is_started_and_nothing_else() {
        let config = ServiceConfig { command: vec!["a".into()], ..ServiceConfig::default() };
        let hash = command_hash(&config, Path::new("/x"));
        let logs = ServiceConfig { logs: vec!["l".into()], ..config.clone() };
        assert_eq!(command_hash(&logs, Path::new("/x")), hash);
        let other = ServiceConfig { command: vec!["b".into()], ..config };
        assert_ne!(command_hash(&other, Path::new("/x")), hash);
    }
}
