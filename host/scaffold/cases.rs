//! The `tests.json` of a plugin's project: what `pi-host plugin test` runs, and what must come out.
//!
//! Pure: reads the cases, checks them, and compares what came out with what was expected. Whoever runs
//! them makes a folder with the case's files, grants what the case or the manifest suggests, calls, and
//! hands the outcome to [`ToolCase::compare`] or [`AgentCase::compare`].

use std::collections::BTreeMap;
use std::path::{Component, Path};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::gate::explain::escaped;

// The file is the project's own, but a project may come from anywhere: reading it must stay cheap.
const FILE_BYTES_MAX: usize = 4 << 20;
const CASES_MAX: usize = 1000;
const FILES_MAX: usize = 100;
/// Of a text in the explanation why a case failed: an output may be as large as its limit.
const SHOWN_CHARS_MAX: usize = 2000;

/// One call of a tool.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCase {
    pub name: String,
    pub tool: String,
    #[serde(default)]
    pub arguments: Map<String, Value>,
    pub expect: ToolExpectation,
    /// Text files of the project's folder, by their path in it.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Grants, as under `[grants.NAME]` of pi.toml. Those that the manifest suggests, if it is not said.
    #[serde(default)]
    pub grants: Option<Map<String, Value>>,
    /// Limits of the call, as under `[plugins.NAME.limits]` of pi.toml.
    #[serde(default)]
    pub limits: Map<String, Value>,
}

/// One run of an agent, with tools that answer by the script.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentCase {
    pub name: String,
    #[serde(default)]
    pub prompt: String,
    /// What woke it.
    #[serde(default)]
    pub input: Map<String, Value>,
    /// Its section of the configuration.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// What each tool answers, call by call; the last answer again for every further call. A tool that is
    /// not here does not exist for the agent.
    #[serde(default)]
    pub tools: BTreeMap<String, Answers>,
    pub expect: AgentExpectation,
}

/// What must come out of a call. All that is said must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolExpectation {
    /// The whole text of the result.
    pub text: Option<String>,
    /// The JSON document of the result. Objects may have further members.
    pub json: Option<Value>,
    /// The kind of the error.
    pub error: Option<ErrorKind>,
    /// What must stand somewhere in the result, or in the error's text.
    pub contains: Option<String>,
}

/// What must come out of an agent's run. All that is said must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentExpectation {
    pub status: Option<String>,
    pub summary_contains: Option<String>,
    /// Objects may have further members.
    pub details: Option<Value>,
    /// The names of the tools that it called, in their order.
    pub calls: Option<Vec<String>>,
}

/// One answer, or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Answers {
    Several(Vec<Answer>),
    One(Answer),
}

/// What a scripted tool answers: a text, a JSON document, or an error with its text.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub text: Option<String>,
    pub json: Option<Value>,
    pub error: Option<ErrorKind>,
}

/// The kinds of errors of a call, as the contract has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    InvalidArguments,
    Refused,
    NotFound,
    Unknown,
    Limit,
    Failed,
}

/// One part of what came out.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(String),
    Json(String),
    Blob { mime: String, bytes: usize },
}

/// An error that came out, as a person would read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: ErrorKind,
    pub text: String,
}

/// What an agent's run ended with.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    pub status: String,
    pub summary: String,
    pub details: String,
    pub calls: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum CasesError {
    #[error("tests.json has more than {} bytes", FILE_BYTES_MAX)]
    TooLarge,
    #[error("tests.json cannot be read: {0}\nhint: it is a list of cases, as docs/languages/ shows them")]
    Form(String),
    #[error("tests.json has no cases\nhint: a plugin without a test of its own is not tested; write at least one")]
    Empty,
    #[error("tests.json has more than {CASES_MAX} cases: {0}")]
    Many(usize),
    #[error("two cases of tests.json have one name: `{0}`")]
    Twice(String),
    #[error("the case `{0}` of tests.json expects nothing\nhint: say at least one thing under `expect`, such as \"error\" or \"contains\"")]
    ExpectsNothing(String),
    #[error("the case `{case}` of tests.json has a file outside of its folder: `{path}`\nhint: a path is relative, without `..`")]
    Path { case: String, path: String },
    #[error("the case `{0}` of tests.json has more than {FILES_MAX} files")]
    Files(String),
    #[error("the tool `{tool}` of the case `{case}` of tests.json has no answer, or one that is both a result and an error")]
    Answer { case: String, tool: String },
}

/// The cases of a tool plugin.
///
/// # Errors
/// What is wrong with the file, and where.
pub fn tool_cases(bytes: &[u8]) -> Result<Vec<ToolCase>, CasesError> {
    let cases: Vec<ToolCase> = parsed(bytes)?;
    named_once(cases.iter().map(|case| case.name.as_str()))?;
    for case in &cases {
        let expect = &case.expect;
        if expect.text.is_none() && expect.json.is_none() && expect.error.is_none() && expect.contains.is_none() {
            return Err(CasesError::ExpectsNothing(escaped(&case.name)));
        }
        if case.files.len() > FILES_MAX {
            return Err(CasesError::Files(escaped(&case.name)));
        }
        if let Some(path) = case.files.keys().find(|path| !is_inside(path)) {
            return Err(CasesError::Path { case: escaped(&case.name), path: escaped(path) });
        }
    }
    Ok(cases)
}

/// The cases of an agent plugin.
///
/// # Errors
/// What is wrong with the file, and where.
pub fn agent_cases(bytes: &[u8]) -> Result<Vec<AgentCase>, CasesError> {
    let cases: Vec<AgentCase> = parsed(bytes)?;
    named_once(cases.iter().map(|case| case.name.as_str()))?;
    for case in &cases {
        let expect = &case.expect;
        if expect.status.is_none()
            && expect.summary_contains.is_none()
            && expect.details.is_none()
            && expect.calls.is_none()
        {
            return Err(CasesError::ExpectsNothing(escaped(&case.name)));
        }
        if let Some((tool, _)) = case.tools.iter().find(|(_, answers)| !answers.are_sound()) {
            return Err(CasesError::Answer { case: escaped(&case.name), tool: escaped(tool) });
        }
    }
    Ok(cases)
}

impl Answers {
    /// The answer to the call with this index, counted from 0.
    #[must_use]
    pub fn of(&self, index: usize) -> Option<&Answer> {
        match self {
            Answers::One(answer) => Some(answer),
            Answers::Several(answers) => answers.get(index).or(answers.last()),
        }
    }

    fn are_sound(&self) -> bool {
        let is_sound = |answer: &Answer| match answer.error {
            Some(_) => answer.json.is_none(),
            None => answer.text.is_some() != answer.json.is_some(),
        };
        match self {
            Answers::One(answer) => is_sound(answer),
            Answers::Several(answers) => !answers.is_empty() && answers.iter().all(is_sound),
        }
    }
}

impl ToolCase {
    /// Whether what came out is what was expected.
    ///
    /// # Errors
    /// What is not, in words.
    pub fn compare(&self, outcome: &Result<Vec<Part>, Failure>) -> Result<(), String> {
        let expect = &self.expect;
        let all = match outcome {
            Ok(parts) => parts.iter().map(Part::shown).collect::<Vec<_>>().join("\n"),
            Err(failure) => failure.text.clone(),
        };
        match (expect.error, outcome) {
            (Some(kind), Err(failure)) if kind != failure.kind => {
                return Err(format!("expected the error {kind:?}, got {:?}: {}", failure.kind, shown(&failure.text)));
            }
            (Some(kind), Ok(_)) => return Err(format!("expected the error {kind:?}, got a result: {}", shown(&all))),
            (None, Err(failure)) => {
                return Err(format!("expected a result, got the error {:?}: {}", failure.kind, shown(&failure.text)));
            }
            (Some(_), Err(_)) | (None, Ok(_)) => {}
        }
        if let Some(text) = &expect.text
            && *text != all
        {
            return Err(format!("expected the text {}, got: {}", shown(text), shown(&all)));
        }
        if let Some(json) = &expect.json {
            let found = match outcome {
                Ok(parts) => parts.iter().find_map(|part| match part {
                    Part::Json(text) => serde_json::from_str::<Value>(text).ok(),
                    Part::Text(_) | Part::Blob { .. } => None,
                }),
                Err(_) => None,
            };
            let Some(found) = found else { return Err(format!("expected JSON, got: {}", shown(&all))) };
            contains(json, &found, "")?;
        }
        match &expect.contains {
            Some(text) if !all.contains(text.as_str()) => {
                Err(format!("expected it to contain {}, got: {}", shown(text), shown(&all)))
            }
            _ => Ok(()),
        }
    }
}

impl AgentCase {
    /// Whether the run ended as expected.
    ///
    /// # Errors
    /// What did not, in words.
    pub fn compare(&self, outcome: &Result<Ended, String>) -> Result<(), String> {
        let ended = outcome.as_ref().map_err(|error| format!("the agent did not begin: {}", shown(error)))?;
        let expect = &self.expect;
        // `nothing-to-do` and `nothing_to_do` are one status: the contract writes the first, JSON the second.
        let plain = |status: &str| status.replace('_', "-");
        if let Some(status) = &expect.status
            && plain(status) != plain(&ended.status)
        {
            let summary = shown(&ended.summary);
            return Err(format!("expected the status `{status}`, got `{}`: {summary}", escaped(&ended.status)));
        }
        if let Some(text) = &expect.summary_contains
            && !ended.summary.contains(text.as_str())
        {
            return Err(format!("expected the summary to contain {}, got: {}", shown(text), shown(&ended.summary)));
        }
        if let Some(calls) = &expect.calls
            && *calls != ended.calls
        {
            return Err(format!("expected calls of {calls:?}, got {}", shown(&format!("{:?}", ended.calls))));
        }
        let Some(details) = &expect.details else { return Ok(()) };
        match serde_json::from_str::<Value>(&ended.details) {
            Ok(found) => contains(details, &found, ""),
            Err(_) => Err(format!("expected `details` to be JSON, got: {}", shown(&ended.details))),
        }
    }
}

impl Part {
    fn shown(&self) -> String {
        match self {
            Part::Text(text) | Part::Json(text) => text.clone(),
            Part::Blob { mime, bytes } => format!("{bytes} bytes of {mime}"),
        }
    }
}

/// Every member that is expected must be there; a list must be the same. The depth is that of the
/// project's own file, which the parser has limited.
fn contains(expected: &Value, found: &Value, at: &str) -> Result<(), String> {
    let place = if at.is_empty() { "the document" } else { at };
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected.iter().try_for_each(|(key, value)| {
            let at = format!("{at}/{key}");
            match found.get(key) {
                Some(found) => contains(value, found, &at),
                None => Err(format!("expected `{}`, and it is not there", escaped(&at))),
            }
        }),
        (expected, found) if expected == found => Ok(()),
        (expected, found) => Err(format!(
            "expected {} to be {}, got: {}",
            escaped(place),
            shown(&expected.to_string()),
            shown(&found.to_string())
        )),
    }
}

fn parsed<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>, CasesError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(CasesError::TooLarge);
    }
    let cases: Vec<T> =
        serde_json::from_slice(bytes).map_err(|error| CasesError::Form(escaped(&error.to_string())))?;
    match cases.len() {
        0 => Err(CasesError::Empty),
        count if count > CASES_MAX => Err(CasesError::Many(count)),
        _ => Ok(cases),
    }
}

fn named_once<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), CasesError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(CasesError::Twice(escaped(name)));
        }
    }
    Ok(())
}

fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("`{}{}`", escaped(&cut), if cut.len() < text.len() { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(expect: &str) -> ToolCase {
        let text = format!(r#"[{{"name": "a", "tool": "count", "expect": {expect}}}]"#);
        tool_cases(text.as_bytes()).unwrap().remove(0)
    }

    fn json(text: &str) -> Result<Vec<Part>, Failure> {
        Ok(vec![Part::Json(text.to_owned())])
    }

    fn failed(text: &str) -> Result<Vec<Part>, Failure> {
        Err(Failure { kind: ErrorKind::Failed, text: text.to_owned() })
    }

    #[test]
    fn json_may_have_more_members_but_no_others() {
        let case = tool(r#"{"json": {"a": {"b": 1}}}"#);
        case.compare(&json(r#"{"a": {"b": 1, "c": 2}}"#)).unwrap();
        let text = case.compare(&json(r#"{"a": {"b": 2}}"#)).unwrap_err();
        assert_eq!(text, "expected /a/b to be `1`, got: `2`");
        assert!(case.compare(&json(r#"{"a": {}}"#)).unwrap_err().contains("`/a/b`"));
        assert!(case.compare(&Ok(vec![Part::Text("x".into())])).is_err());
    }

    #[test]
    fn a_text_is_compared_whole_and_contains_in_part() {
        let text = Ok(vec![Part::Text("one two".into())]);
        tool(r#"{"text": "one two"}"#).compare(&text).unwrap();
        tool(r#"{"contains": "two"}"#).compare(&text).unwrap();
        assert!(tool(r#"{"text": "one"}"#).compare(&text).is_err());
        assert!(tool(r#"{"contains": "three"}"#).compare(&text).is_err());
    }

    #[test]
    fn an_error_must_be_of_its_kind() {
        tool(r#"{"error": "failed", "contains": "grant"}"#).compare(&failed("no grant")).unwrap();
        assert!(tool(r#"{"error": "failed", "contains": "grant"}"#).compare(&failed("other")).is_err());
        assert!(tool(r#"{"error": "limit"}"#).compare(&failed("x")).is_err());
        assert!(tool(r#"{"error": "failed"}"#).compare(&json("{}")).is_err());
        assert!(tool(r#"{"contains": "x"}"#).compare(&failed("x")).is_err());
    }

    #[test]
    fn what_a_plugin_says_forges_no_line() {
        let text = tool(r#"{"contains": "y"}"#).compare(&failed("x\nok\u{1b}[2J")).unwrap_err();
        assert!(!text.contains('\n') && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn names_what_is_wrong_with_the_file() {
        let error = |text: &str| tool_cases(text.as_bytes()).unwrap_err();
        assert!(matches!(error("[]"), CasesError::Empty));
        assert!(matches!(error("{}"), CasesError::Form(_)));
        assert!(matches!(error(r#"[{"name": "a", "tool": "t", "expect": {}}]"#), CasesError::ExpectsNothing(_)));
        assert!(matches!(error(r#"[{"name": "a", "tool": "t", "expct": {}}]"#), CasesError::Form(_)));
        let one = r#"{"name": "a", "tool": "t", "expect": {"text": ""}}"#;
        assert!(matches!(error(&format!("[{one},{one}]")), CasesError::Twice(_)));
        for path in ["/etc/x", "../x", "a/../../x", ""] {
            let text = format!(r#"[{{"name": "a", "tool": "t", "expect": {{"text": ""}}, "files": {{"{path}": ""}}}}]"#);
            assert!(matches!(error(&text), CasesError::Path { .. }), "{path}");
        }
    }

    #[test]
    fn reads_no_more_than_it_may_have() {
        assert!(matches!(tool_cases(&vec![b' '; FILE_BYTES_MAX + 1]), Err(CasesError::TooLarge)));
        let many: Vec<_> = (0..=CASES_MAX)
            .map(|index| format!(r#"{{"name": "{index}", "tool": "t", "expect": {{"text": ""}}}}"#))
            .collect();
        assert!(matches!(tool_cases(format!("[{}]", many.join(",")).as_bytes()), Err(CasesError::Many(1001))));
    }

    #[test]
    fn an_agent_is_held_to_status_summary_and_calls() {
        let text = r#"[{"name": "a", "prompt": "count x", "tools": {"count": [{"json": {"lines": 1}}, {"error": "failed", "text": "gone"}]},
            "expect": {"status": "nothing_to_do", "summary_contains": "1 line", "calls": ["count"]}}]"#;
        let case = agent_cases(text.as_bytes()).unwrap().remove(0);
        let ended = |status: &str, calls: &[&str]| {
            Ok(Ended {
                status: status.to_owned(),
                summary: "1 line".to_owned(),
                details: "{}".to_owned(),
                calls: calls.iter().map(|&name| name.to_owned()).collect(),
            })
        };
        case.compare(&ended("nothing-to-do", &["count"])).unwrap();
        assert!(case.compare(&ended("done", &["count"])).is_err());
        assert!(case.compare(&ended("nothing-to-do", &[])).is_err());
        assert!(case.compare(&Err("no".into())).is_err());
        let answers = &case.tools["count"];
        assert_eq!(answers.of(0).unwrap().error, None);
        assert_eq!(answers.of(7).unwrap().error, Some(ErrorKind::Failed));
    }

    #[test]
    fn a_tool_without_an_answer_is_named() {
        for answer in ["{}", "[]", r#"{"text": "a", "json": 1}"#] {
            let text = format!(r#"[{{"name": "a", "tools": {{"count": {answer}}}, "expect": {{"status": "done"}}}}]"#);
            assert!(matches!(agent_cases(text.as_bytes()), Err(CasesError::Answer { .. })), "{answer}");
        }
    }
}
