//! Runs the tests of policies in Rego, with coverage.
//!
//! A test is a rule whose name begins with `test_`, in a file that ends in `_test.rego`; it passes if it is
//! true. `with input as ..` stands for an act. Tests run in an interpreter of their own, which counts the
//! lines that they reach; what decides acts is not slowed down by it. The functions and the bounds are those
//! of a decision, but for a time limit that is made for machines that are busy.

use std::num::NonZeroU32;
use std::time::Duration;

use regorus::unstable::BUILTINS;
use regorus::utils::limits::{ExecutionTimerConfig, monotonic_now};
use regorus::{Engine, Value};
use serde::Serialize;

use super::compile::{self, Parsed};
use super::{RegoError, RegoSource, builtin, finding};

/// How long one test may take. The danger: a test that loops never ends.
pub const TEST_MS_MAX: u64 = 1000;

const TEST_PREFIX: &str = "test_";

/// What the tests showed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestReport {
    pub tests: Vec<TestResult>,
    pub coverage: Vec<Coverage>,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestResult {
    /// `pi.process_run.test_asks_at_weekends`
    pub name: String,
    pub file: String,
    pub line: usize,
    pub passed: bool,
    /// Why it did not pass.
    pub error: Option<String>,
    pub duration: Duration,
}

/// The lines of one policy that the tests reached.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coverage {
    pub file: String,
    pub covered_lines: Vec<usize>,
    pub not_covered_lines: Vec<usize>,
    /// Of the lines that hold something to evaluate; 100 if there are none.
    pub percent: f64,
}

impl TestReport {
    /// Whether there were tests, and all passed.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        !self.tests.is_empty() && self.tests.iter().all(|test| test.passed)
    }
}

/// Run all tests in these sources over the policies in them.
///
/// # Errors
/// What keeps the policies or the tests from being compiled.
pub fn test(sources: &[RegoSource<'_>]) -> Result<TestReport, RegoError> {
    // What is not fit to decide is not tested either.
    compile::compile(sources)?;
    let mut sorted = sources.to_vec();
    sorted.sort_by_key(|source| source.file);
    compile::without_panic(|| {
        let (mut engine, parsed) = compile::parse(&sorted)?;
        prepare(&mut engine, &parsed)?;
        let mut tests = Vec::new();
        for file in parsed.iter().filter(|file| compile::is_test(&file.file)) {
            let mut names: Vec<&str> = Vec::new();
            for rule in file.rules.iter().filter(|rule| rule.name.starts_with(TEST_PREFIX)) {
                // Several rules of one name are one test.
                if !names.contains(&rule.name.as_str()) {
                    names.push(&rule.name);
                    tests.push(run(&mut engine, file, &rule.name, rule.line));
                }
            }
        }
        let coverage = coverage(&engine, &parsed);
        Ok(TestReport { tests, coverage })
    })
}

/// Set limits, and put the guarded functions in the place of the library's.
fn prepare(engine: &mut Engine, parsed: &[Parsed]) -> Result<(), RegoError> {
    engine.set_enable_coverage(true);
    engine.set_execution_timer_config(ExecutionTimerConfig {
        limit: Duration::from_millis(TEST_MS_MAX),
        check_interval: NonZeroU32::MIN,
    });
    for (name, (_, arity)) in BUILTINS.iter() {
        let call = move |arguments: Vec<Value>| builtin::call(name, &arguments);
        engine.add_extension((*name).to_owned(), *arity, Box::new(call)).map_err(|error| RegoError {
            file: parsed.first().map_or("*.rego", |file| &file.file).to_owned(),
            path: format!("`{name}`"),
            line: None,
            message: finding::plain(&error.to_string()),
            hint: "report this as a fault".to_owned(),
        })?;
    }
    Ok(())
}

fn run(engine: &mut Engine, file: &Parsed, name: &str, line: usize) -> TestResult {
    builtin::refill();
    let started = monotonic_now().unwrap_or_default();
    let path = format!("{}.{name}", file.package);
    let error = match engine.eval_rule(format!("data.{path}")) {
        Ok(Value::Bool(true)) => None,
        Ok(Value::Undefined) => Some("it is undefined: one of its lines is not true".to_owned()),
        Ok(other) => Some(format!("it is not true: {}", finding::cut(&other.to_string()))),
        Err(error) => Some(finding::cut(&error_text(&error.to_string()))),
    };
    let duration = monotonic_now().unwrap_or_default().saturating_sub(started);
    TestResult { name: path, file: file.file.clone(), line, passed: error.is_none(), error, duration }
}

/// What went wrong, with its place.
fn error_text(text: &str) -> String {
    let place = text.lines().find_map(|line| line.trim().strip_prefix("--> "));
    let message = finding::plain(text);
    place.map_or(message.clone(), |place| format!("{place}: {message}"))
}

fn coverage(engine: &Engine, parsed: &[Parsed]) -> Vec<Coverage> {
    let report = engine.get_coverage_report().unwrap_or_default();
    let policies = parsed.iter().filter(|file| !compile::is_test(&file.file));
    policies
        .map(|file| {
            let of_file = report.files.iter().find(|reported| reported.path == file.file);
            // A file that no test touched is not in the engine's report: all of its rules were missed.
            let untouched = || file.rules.iter().map(|rule| rule.line).collect();
            let lines = |lines: &std::collections::BTreeSet<u32>| lines.iter().map(|line| *line as usize).collect();
            let covered_lines: Vec<usize> = of_file.map_or_else(Vec::new, |reported| lines(&reported.covered));
            let not_covered_lines: Vec<usize> = of_file.map_or_else(untouched, |reported| lines(&reported.not_covered));
            let all = covered_lines.len() + not_covered_lines.len();
            let percent = if all == 0 { 100.0 } else { 100.0 * covered_lines.len() as f64 / all as f64 };
            Coverage { file: file.file.clone(), covered_lines, not_covered_lines, percent }
        })
        .collect()
}
