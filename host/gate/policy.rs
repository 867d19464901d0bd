//! `security.json`: read strictly, compiled once, indexed for quick decisions.
//!
//! An unknown key, a doubled id, a pattern that does not compile or an example that does not behave
//! is an error that names the file, the place and what to do. The JSON Schema beside the built-in
//! policy is the truth about the form; what it cannot say (ids, examples) is checked here.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::effect::Kind;
use super::program::{ProgramEntry, Programs};
use super::risk::{FINDINGS, Thresholds};
use super::rule::{Rule, RuleEntry};
use super::{Gate, Origin, schema};

/// The policy that the binary carries.
const BUILTIN: &str = include_str!("../../policies/security.json");
const BUILTIN_NAME: &str = "policies/security.json";

/// The names of all acts, as rules use them.
pub(crate) const ACTS: [&str; 23] = [
    "tool_call",
    "script",
    "process_run",
    "file_read",
    "file_list",
    "file_write",
    "file_remove",
    "file_rename",
    "file_mode",
    "file_time",
    "file_symlink",
    "directory_make",
    "service_read",
    "service_probe",
    "service_restart",
    "process_end",
    "log_rotate",
    "http_request",
    "cloud_call",
    "sql_query",
    "key_value_write",
    "overspend",
    // No act of its own: what a command would do.
    "effect",
];

/// What is wrong with a policy file, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}, at `{path}`: {message}\nhint: {hint}", line_text(*line))]
pub struct PolicyError {
    pub file: String,
    /// The place in the document: `rules[3].when.flags`.
    pub path: String,
    pub line: Option<usize>,
    pub message: String,
    pub hint: String,
}

fn line_text(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(" line {line}"))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    #[serde(rename = "$schema")]
    _schema: Option<String>,
    #[serde(rename = "version")]
    _version: u32,
    thresholds: Thresholds,
    #[serde(default)]
    programs: Vec<ProgramEntry>,
    rules: Vec<RuleEntry>,
}

/// A policy, ready to decide.
#[derive(Clone, Debug)]
pub struct Policy {
    revision: String,
    pub(crate) thresholds: Thresholds,
    pub(crate) programs: Programs,
    rules: Vec<Rule>,
    by_act: HashMap<&'static str, Vec<usize>>,
    by_program: HashMap<String, Vec<usize>>,
    /// Rules for commands that name no program, or one by a pattern.
    for_any_program: Vec<usize>,
    by_finding: HashMap<String, Vec<usize>>,
    by_effect: HashMap<Kind, Vec<usize>>,
}

impl Policy {
    /// Read a policy; `file_name` is for messages.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, PolicyError> {
        schema::check(text, file_name)?;
        let policy = Self::compile(text, file_name)?;
        policy.check_patterns(text, file_name)?;
        policy.check_examples(text, file_name)?;
        Ok(policy)
    }

    /// The policy that comes with the program. A test holds it to what [`Policy::parse`] asks of any
    /// other, so that a start need not.
    ///
    /// # Panics
    /// Never: the embedded text is fixed, and a test compiles it.
    #[must_use]
    #[allow(clippy::expect_used)]
    pub fn builtin() -> Self {
        Self::compile(BUILTIN, BUILTIN_NAME).expect("the embedded policy compiles, a test proves it")
    }

    /// The text of the built-in policy, to start one's own from.
    #[must_use]
    pub fn builtin_text() -> &'static str {
        BUILTIN
    }

    /// Lower-case hex SHA-256 of the policy's text.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The ids of all rules, in their order.
    pub fn rule_ids(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.id.as_str())
    }

    pub(crate) fn rules_for_act(&self, act: &str) -> impl Iterator<Item = &Rule> {
        self.pick(self.by_act.get(act))
    }

    pub(crate) fn rules_for_program(&self, program: &str) -> impl Iterator<Item = &Rule> {
        self.pick(self.by_program.get(program)).chain(self.pick(Some(&self.for_any_program)))
    }

    pub(crate) fn rules_for_effect(&self, kind: Kind) -> impl Iterator<Item = &Rule> {
        self.pick(self.by_effect.get(&kind))
    }

    pub(crate) fn rules_for_finding(&self, finding: &str) -> impl Iterator<Item = &Rule> {
        self.pick(self.by_finding.get(finding))
    }

    fn pick<'a>(&'a self, indexes: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a Rule> {
        indexes.into_iter().flatten().filter_map(|at| self.rules.get(*at))
    }

    fn compile(text: &str, file_name: &str) -> Result<Self, PolicyError> {
        let file: PolicyFile = serde_json::from_str(text).map_err(|error| PolicyError {
            file: file_name.to_owned(),
            path: "$".to_owned(),
            line: Some(error.line()),
            message: error.to_string(),
            hint: "mend the file; `policies/security.schema.json` describes its form".to_owned(),
        })?;
        let error = |path: String, needle: &str, message: String, hint: String| PolicyError {
            file: file_name.to_owned(),
            path,
            line: schema::line_of(text, needle),
            message,
            hint,
        };
        let programs = Programs::compile(&file.programs).map_err(|(path, message)| {
            error(path, "\"programs\"", message, "list each program once, with patterns that are valid".to_owned())
        })?;
        let mut policy = Self {
            revision: hash(text),
            thresholds: file.thresholds,
            programs,
            rules: vec![],
            by_act: HashMap::new(),
            by_program: HashMap::new(),
            for_any_program: vec![],
            by_finding: HashMap::new(),
            by_effect: HashMap::new(),
        };
        for (at, entry) in file.rules.into_iter().enumerate() {
            let id = entry.id.clone();
            if policy.rules.iter().any(|rule| rule.id == id) {
                let hint = "give each rule an id of its own".to_owned();
                return Err(error(
                    format!("rules[{at}].id"),
                    &format!("\"{id}\""),
                    format!("the id `{id}` is used twice"),
                    hint,
                ));
            }
            let needle = format!("\"{id}\"");
            let rule = Rule::compile(entry).map_err(|(key, message)| {
                let hint = format!("mend `{key}` of the rule `{id}`");
                error(format!("rules[{at}].when.{key}"), &needle, message, hint)
            })?;
            policy
                .add(rule)
                .map_err(|(key, message, hint)| error(format!("rules[{at}].{key}"), &needle, message, hint))?;
        }
        Ok(policy)
    }

    /// Put a rule where it is found again. Errors: the key, what is wrong, what to do.
    fn add(&mut self, rule: Rule) -> Result<(), (String, String, String)> {
        let at = self.rules.len();
        for name in &rule.when.finding {
            if !FINDINGS.iter().any(|finding| finding.name == name) {
                let hint = nearest_hint(name, FINDINGS.iter().map(|finding| finding.name));
                return Err(("when.finding".to_owned(), format!("the gate has no finding `{name}`"), hint));
            }
            self.by_finding.entry(name.clone()).or_default().push(at);
        }
        for name in &rule.acts {
            let Some(act) = ACTS.iter().find(|act| *act == name) else {
                let hint = nearest_hint(name, ACTS.iter().copied());
                return Err(("acts".to_owned(), format!("there is no act `{name}`"), hint));
            };
            if !rule.when.finding.is_empty() {
                continue;
            }
            match *act {
                "script" => {
                    let hint =
                        "name a `finding`, or write the rule for `process_run`: it sees each command of a script";
                    return Err((
                        "acts".to_owned(),
                        "a rule for `script` needs a `finding`".to_owned(),
                        hint.to_owned(),
                    ));
                }
                "process_run" => match &rule.when.program_names {
                    Some(names) if !names.is_empty() => {
                        for name in names {
                            self.by_program.entry(name.clone()).or_default().push(at);
                        }
                    }
                    _ => self.for_any_program.push(at),
                },
                "effect" => {
                    for kind in &rule.when.effect_kinds {
                        self.by_effect.entry(*kind).or_default().push(at);
                    }
                }
                act => self.by_act.entry(act).or_default().push(at),
            }
        }
        self.rules.push(rule);
        Ok(())
    }

    fn check_patterns(&self, text: &str, file_name: &str) -> Result<(), PolicyError> {
        for (at, rule) in self.rules.iter().enumerate() {
            rule.when.force().map_err(|(key, message)| PolicyError {
                file: file_name.to_owned(),
                path: format!("rules[{at}].when.{key}"),
                line: schema::line_of(text, &format!("\"{}\"", rule.id)),
                message,
                hint: format!("mend `{key}` of the rule `{}`", rule.id),
            })?;
        }
        Ok(())
    }

    /// Hold each rule to its examples.
    pub(crate) fn check_examples(&self, text: &str, file_name: &str) -> Result<(), PolicyError> {
        // So that a rule about production can show what it means, without a project that names any.
        let production = ["*production*".to_owned()];
        let gate = Gate::new(self.clone());
        let gate = gate.with_production(&production, 1.0).unwrap_or_else(|_| Gate::new(self.clone()));
        for (at, rule) in self.rules.iter().enumerate() {
            let examples = &rule.examples;
            let all = [("match", true, &examples.matching), ("no_match", false, &examples.no_match)];
            for (list, must_match, examples) in all {
                for (number, example) in examples.iter().enumerate() {
                    let error = |message: String, hint: String| PolicyError {
                        file: file_name.to_owned(),
                        path: format!("rules[{at}].examples.{list}[{number}]"),
                        line: schema::line_of(text, &format!("\"{}\"", rule.id)),
                        message,
                        hint,
                    };
                    let does_match = example_matches(&gate, rule, example).map_err(|message| {
                        error(message, "write a shell command as text, or an act as an object".to_owned())
                    })?;
                    if does_match != must_match {
                        let verb = if must_match { "does not match" } else { "matches" };
                        let message = format!("the rule `{}` {verb} its example: {example}", rule.id);
                        return Err(error(
                            message,
                            format!("mend the conditions of `{}`, or move the example", rule.id),
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

fn example_matches(gate: &Gate, rule: &Rule, example: &Value) -> Result<bool, String> {
    let decision = match example {
        Value::String(command) => gate.judge(command, "/srv/example"),
        act => {
            let act = serde_json::from_value(act.clone()).map_err(|error| format!("the example is no act: {error}"))?;
            gate.decide(&act, &Origin::default())
        }
    };
    Ok(decision.rules.contains(&rule.id))
}

/// The known name that is closest to what was written.
pub(crate) fn nearest_hint<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known.iter().map(|name| (distance(wrong, name), *name)).min();
    match nearest {
        Some((distance, name)) if distance <= 3 => format!("did you mean `{name}`?"),
        _ => format!("known are: {}", known.join(", ")),
    }
}

/// Levenshtein's distance, over short names.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Lower-case hex SHA-256.
pub(crate) fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
