//! `policy test`: the tests of a policy, in JSON and in Rego, with what they cover.
//!
//! A JSON test file ends in `_test.json`: `{"tests": [{"name", "command" or "act", "cwd"?, "expect":
//! "allow" | "ask" | "deny", "rules"?: [...]}]}`. A Rego test file ends in `_test.rego`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::gate::{Act, Gate, Origin, RegoError, RegoSource, RegoTestReport, Verdict, test_rego};

/// Test files of one run. Danger: a folder that is the root of the file system.
const FILES_MAX: usize = 10_000;

/// What a run of tests came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tests {
    pub tests: Vec<Tested>,
    /// The rules of `security.json` that no test has seen match.
    pub rules_untested: Vec<String>,
    pub rules_tested: usize,
    /// The Rego tests, with the lines that they cover.
    pub rego: Option<RegoTestReport>,
}

/// One test.
#[derive(Clone, Debug, Serialize)]
pub struct Tested {
    pub file: String,
    pub name: String,
    pub is_passed: bool,
    /// What was found instead.
    pub error: String,
}

#[derive(Debug, thiserror::Error)]
pub enum TestError {
    #[error("{path} cannot be read: {error}", path = .path.display())]
    Read { path: PathBuf, error: std::io::Error },
    #[error("{path}: {error}\nhint: a test file is {{\"tests\": [{{\"name\", \"command\", \"expect\": \"deny\"}}]}}", path = .path.display())]
    Form { path: PathBuf, error: serde_json::Error },
    #[error("{error}")]
    Rego { error: RegoError },
    #[error("there is no test in {0}\nhint: name files or folders with *_test.json or *_test.rego in them")]
    None(String),
    #[error("there are more than {FILES_MAX} files below {path}\nhint: name the folder of the policies", path = .0.display())]
    TooMany(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    command: Option<String>,
    act: Option<Act>,
    cwd: Option<String>,
    #[serde(default)]
    origin: Origin,
    /// Milliseconds since 1970.
    #[serde(default)]
    time_ms: u64,
    expect: Verdict,
    /// Rules that have to be among those that match.
    #[serde(default)]
    rules: Vec<String>,
}

impl Tests {
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.tests.iter().all(|test| test.is_passed) && self.rego.as_ref().is_none_or(RegoTestReport::is_passed)
    }
}

/// Run the tests in these files and folders.
///
/// # Errors
/// A file cannot be read, or there is no test.
pub fn test(gate: &Gate, paths: &[PathBuf], directory: &str) -> Result<Tests, TestError> {
    let mut files = Vec::new();
    for path in paths {
        find(path, &mut files)?;
    }
    let mut tests = Tests::default();
    let mut matched: Vec<String> = Vec::new();
    let mut rego = Vec::new();
    for path in files {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| TestError::Read { path: path.clone(), error })?;
        if name.ends_with(".rego") {
            rego.push((name, text));
        } else {
            let file: File = serde_json::from_str(&text).map_err(|error| TestError::Form { path, error })?;
            tests.tests.extend(file.tests.iter().map(|case| run(gate, case, &name, directory, &mut matched)));
        }
    }
    let has_rego_test = rego.iter().any(|(name, _)| name.ends_with("_test.rego"));
    if tests.tests.is_empty() && !has_rego_test {
        let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(TestError::None(paths.join(", ")));
    }
    if !tests.tests.is_empty() {
        let rules = gate.policy().rule_ids();
        tests.rules_untested = rules.filter(|id| !matched.iter().any(|seen| seen == id)).map(str::to_owned).collect();
        tests.rules_tested = gate.policy().rule_ids().count() - tests.rules_untested.len();
    }
    if has_rego_test {
        let sources: Vec<RegoSource<'_>> = rego.iter().map(|(file, text)| RegoSource { file, text }).collect();
        tests.rego = Some(test_rego(&sources).map_err(|error| TestError::Rego { error })?);
    }
    Ok(tests)
}

fn run(gate: &Gate, case: &Case, file: &str, directory: &str, matched: &mut Vec<String>) -> Tested {
    let tested =
        |error: String| Tested { file: file.to_owned(), name: case.name.clone(), is_passed: error.is_empty(), error };
    let decision = match (&case.command, &case.act) {
        (Some(command), None) => gate.judge_at(command, case.cwd.as_deref().unwrap_or(directory), &[], case.time_ms),
        (None, Some(act)) => gate.decide_at(act, &case.origin, case.time_ms),
        _ => return tested("write either `command` or `act`".to_owned()),
    };
    matched.extend(decision.rules.iter().cloned());
    if decision.verdict != case.expect {
        let word = |verdict: Verdict| format!("{verdict:?}").to_lowercase();
        let reason = if decision.reason.is_empty() { String::new() } else { format!(": {}", decision.reason) };
        return tested(format!("expected {}, got {}{reason}", word(case.expect), word(decision.verdict)));
    }
    match case.rules.iter().find(|rule| !decision.rules.contains(rule)) {
        Some(missing) => tested(format!("`{missing}` did not match; these did: {}", decision.rules.join(", "))),
        None => tested(String::new()),
    }
}

/// The test files and the Rego modules that they test.
fn find(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), TestError> {
    let failed = |error| TestError::Read { path: path.to_owned(), error };
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path).map_err(failed)?.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    entries.sort();
    for entry in entries {
        if files.len() >= FILES_MAX {
            return Err(TestError::TooMany(path.to_owned()));
        }
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if entry.is_dir() && !entry.is_symlink() && !name.starts_with('.') {
            find(&entry, files)?;
        } else if name.ends_with("_test.json") || name.ends_with(".rego") {
            files.push(entry);
        }
    }
    Ok(())
}
