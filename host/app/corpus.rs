//! Measuring the gate: a corpus of commands with the answer that each should get, and what the gate
//! says instead.

use std::io::BufRead;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::gate::{Gate, Verdict};

/// The answer that a command should get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Denied, or put to a person.
    Stop,
    /// Let through, and nobody interrupted.
    Go,
}

/// One line of a corpus. What else stands there is of no interest here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Row {
    command: String,
    expect: Expect,
}

/// How often each answer was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub allow: u32,
    pub ask: u32,
    pub deny: u32,
}

/// A command that got another answer than it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Miss {
    /// The line in the file, from 1.
    pub line: u32,
    pub command: String,
    pub expect: Expect,
    pub decision: Verdict,
    pub rules: Vec<String>,
}

/// What the gate said to one corpus.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evaluation {
    pub corpus: String,
    pub stop: Counts,
    pub go: Counts,
    pub misses: Vec<Miss>,
}

#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    #[error("cannot read `{path}`: {error}")]
    Read { path: String, error: std::io::Error },
    #[error(
        "line {line} of `{path}` is no row: {error}\nhint: a row is {{\"command\": \"...\", \"expect\": \"stop\" | \"go\"}}, one a line"
    )]
    Row { path: String, line: u32, error: serde_json::Error },
}

impl Counts {
    fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Allow => self.allow += 1,
            Verdict::Ask => self.ask += 1,
            Verdict::Deny => self.deny += 1,
        }
    }

    #[must_use]
    pub fn total(&self) -> u32 {
        self.allow + self.ask + self.deny
    }
}

impl Evaluation {
    /// Commands that should have been stopped and were let through.
    #[must_use]
    pub fn let_through(&self) -> u32 {
        self.stop.allow
    }

    /// Commands that should have been let through and were not.
    #[must_use]
    pub fn interrupted(&self) -> u32 {
        self.go.ask + self.go.deny
    }
}

/// Judge each row of a corpus, as if it were run in `directory`.
///
/// # Errors
/// The file cannot be read, or a line of it is no row.
pub fn evaluate(gate: &Gate, path: &Path, directory: &str) -> Result<Evaluation, CorpusError> {
    let name = path.display().to_string();
    let failed = |error| CorpusError::Read { path: name.clone(), error };
    let file = std::fs::File::open(path).map_err(failed)?;
    let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut evaluation = Evaluation { corpus: stem, ..Evaluation::default() };
    for (line, text) in (1..).zip(std::io::BufReader::new(file).lines()) {
        let text = text.map_err(failed)?;
        if text.trim().is_empty() {
            continue;
        }
        let row: Row =
            serde_json::from_str(&text).map_err(|error| CorpusError::Row { path: name.clone(), line, error })?;
        let decision = gate.judge(&row.command, directory);
        let counts = if row.expect == Expect::Stop { &mut evaluation.stop } else { &mut evaluation.go };
        counts.add(decision.verdict);
        if (decision.verdict == Verdict::Allow) != (row.expect == Expect::Go) {
            let Row { command, expect } = row;
            let rules = decision.evidence.into_iter().map(|evidence| evidence.name).collect();
            evaluation.misses.push(Miss { line, command, expect, decision: decision.verdict, rules });
        }
    }
    Ok(evaluation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_each_answer_and_keeps_the_wrong_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.jsonl");
        let rows = [
            r#"{"command": "rm -rf /", "expect": "stop", "label": "x"}"#,
            r#"{"command": "ls", "expect": "go"}"#,
            "",
            r#"{"command": "ls", "expect": "stop"}"#,
        ];
        std::fs::write(&path, rows.join("\n")).unwrap();
        let found = evaluate(&Gate::builtin(), &path, "/srv/app").unwrap();
        assert_eq!((found.corpus.as_str(), found.stop.total(), found.go.total()), ("mine", 2, 1));
        assert_eq!((found.let_through(), found.interrupted()), (1, 0));
        assert_eq!(found.misses.iter().map(|miss| miss.line).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn a_line_that_is_no_row_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.jsonl");
        std::fs::write(&path, "{\"command\": \"ls\", \"expect\": \"maybe\"}\n").unwrap();
        let error = evaluate(&Gate::builtin(), &path, "/").unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("maybe"), "{error}");
    }
}
