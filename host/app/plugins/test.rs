//! `tests.json` of a plugin's project: each case in a folder of its own, with the grants that the case
//! or the manifest names, under the built-in policy.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::consent::suggested;
use super::edit::EditError;
use super::scratch::Scratch;
use crate::app::setup::Progress;
use crate::app::single::SingleError;
use crate::app::station::{Beside, Station, StationOptions, Wanted};
use crate::capability::bindings::pi::tool::types::{Content, Error};
use crate::capability::hold::PERSON;
use crate::config::{Grant, LimitsConfig, Project};
use crate::plugin::{Binary, Kind};
use crate::scaffold::cases::{
    AgentCase, Answers, CasesError, Ended, ErrorKind, Failure, Part, ToolCase, agent_cases, tool_cases,
};
use crate::session::message::{self, CallResult};
use crate::session::{Rehearsal, Script, rehearse};

#[derive(Debug, thiserror::Error)]
pub enum TestError {
    #[error(transparent)]
    Cases(#[from] CasesError),
    #[error("a folder to run the cases in cannot be made: {0}")]
    Scratch(std::io::Error),
    #[error("the manifest suggests what cannot be granted: {0}")]
    Suggested(#[from] EditError),
}

/// How one case went.
#[derive(Clone, Debug, Serialize)]
pub struct Tested {
    pub name: String,
    /// What was not as expected; none where all was.
    pub fault: Option<String>,
}

/// Run all cases of a plugin. `told` hears of each as it ends.
///
/// # Errors
/// The cases cannot be read. A case that fails is in the answer.
pub async fn test(
    component: &[u8],
    binary: &Binary,
    cases: &[u8],
    told: &(dyn Fn(&Tested) + Send + Sync),
) -> Result<Vec<Tested>, TestError> {
    let mut all = Vec::new();
    let mut keep = |name: &str, outcome: Result<(), String>| {
        let tested = Tested { name: name.to_owned(), fault: outcome.err() };
        told(&tested);
        all.push(tested);
    };
    match binary.manifest.kind {
        Kind::Tool => {
            for case in tool_cases(cases)? {
                let outcome = tool_case(component, binary, &case).await?;
                keep(&case.name, outcome);
            }
        }
        Kind::Agent => {
            for case in agent_cases(cases)? {
                let outcome = agent_case(component, binary, case.clone()).await?;
                keep(&case.name, outcome);
            }
        }
    }
    Ok(all)
}

async fn tool_case(component: &[u8], binary: &Binary, case: &ToolCase) -> Result<Result<(), String>, TestError> {
    let grant = match &case.grants {
        Some(grants) => toml::Table::try_from(grants).map_err(|error| error.to_string()),
        None => Ok(suggested(&binary.manifest)?),
    };
    let grant = grant.and_then(|table| table.try_into::<Grant>().map_err(|error| error.message().to_owned()));
    let limits = toml::Table::try_from(&case.limits)
        .map_err(|error| error.to_string())
        .and_then(|table| table.try_into::<LimitsConfig>().map_err(|error| error.message().to_owned()));
    // A project may come from anywhere, and its cases reach nothing outside of their folder.
    let outside = case.grants.as_ref().and_then(|grants| outside(&Value::Object(grants.clone())));
    if let Some(path) = outside {
        return Ok(Err(format!(
            "its grants reach outside of the case's folder: `{}`",
            crate::gate::explain::escaped(&path)
        )));
    }
    let (grant, limits) = match (grant, limits) {
        (Ok(grant), Ok(limits)) => (grant, limits),
        (Err(error), _) => return Ok(Err(format!("its grants cannot be read: {error}"))),
        (_, Err(error)) => return Ok(Err(format!("its limits cannot be read: {error}"))),
    };
    let scratch = Scratch::new().map_err(TestError::Scratch)?;
    let name = &binary.manifest.name;
    let mut project = scratch.project(name, component, grant).map_err(TestError::Scratch)?;
    for (path, text) in &case.files {
        write(&scratch.path().join(path), text).map_err(TestError::Scratch)?;
    }
    if let Some(plugin) = project.config.plugins.get_mut(name) {
        plugin.limits = limits;
    }
    let arguments = Value::Object(case.arguments.clone()).to_string();
    let called = called(project, name, &case.tool, &arguments).await;
    Ok(match called {
        Ok(result) => case.compare(&outcome(result)),
        Err(error) => Err(error.to_string()),
    })
}

/// A path in a grant that is not below the folder.
fn outside(grant: &Value) -> Option<String> {
    match grant {
        Value::String(text) => {
            let is_outside = text.starts_with(['/', '~']) || text.split('/').any(|part| part == "..");
            is_outside.then(|| text.clone())
        }
        Value::Array(items) => items.iter().find_map(outside),
        Value::Object(keys) => keys.values().find_map(outside),
        _ => None,
    }
}

async fn called(project: Project, plugin: &str, tool: &str, arguments: &str) -> Result<CallResult, SingleError> {
    let station = Station::open(project, options(plugin), &|_| ()).await?;
    let result = station.call(tool, arguments).await?;
    station.close("done", "a case of tests.json").await?;
    Ok(result)
}

async fn agent_case(component: &[u8], binary: &Binary, case: AgentCase) -> Result<Result<(), String>, TestError> {
    let grant = suggested(&binary.manifest)?.try_into::<Grant>().unwrap_or_default();
    let scratch = Scratch::new().map_err(TestError::Scratch)?;
    let name = &binary.manifest.name;
    let mut project = scratch.project(name, component, grant).map_err(TestError::Scratch)?;
    project.config.agents.insert(name.clone(), crate::config::AgentConfig::default());
    Ok(match rehearsed(project, name, &case, &|_| ()).await {
        Ok(outcome) => case.compare(&outcome),
        Err(error) => Err(error.to_string()),
    })
}

async fn rehearsed(
    project: Project,
    plugin: &str,
    case: &AgentCase,
    progress: Progress<'_>,
) -> Result<Result<Ended, String>, SingleError> {
    let options = StationOptions { plugins: Wanted::Named(std::collections::BTreeSet::new()), ..options(plugin) };
    let station = Station::open(project, options, progress).await?;
    let outcome = match (station.setup(), station.kernel(), station.caller()) {
        (Some(setup), Some(kernel), Some(caller)) => {
            let (linked, limits) = setup.bare_agent(plugin, progress).await?;
            let (input, config) = (Value::Object(case.input.clone()), Value::Object(case.config.clone()));
            let rehearsal = Rehearsal { linked: &linked, limits, prompt: &case.prompt, input: &input, config: &config };
            let (ended, calls) = rehearse(&kernel, caller, rehearsal, Arc::new(Scripted(case.tools.clone()))).await;
            ended.map(|ended| Ended {
                status: ended.status.to_owned(),
                summary: ended.summary,
                details: ended.details.to_string(),
                calls,
            })
        }
        // A folder that was made a moment ago has no host.
        _ => Err("a host works in the folder".to_owned()),
    };
    station.close("done", "a case of tests.json").await?;
    Ok(outcome)
}

fn options(plugin: &str) -> StationOptions {
    StationOptions {
        name: "plugin test",
        agent: PERSON.into(),
        kind: "test",
        task: json!({ "plugin": plugin }),
        plugins: Wanted::Named([plugin.to_owned()].into()),
        may_ask: false,
        instances: 1,
        beside: Beside::Refuse,
    }
}

struct Scripted(std::collections::BTreeMap<String, Answers>);

impl Script for Scripted {
    fn tools(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn answer(&self, tool: &str, index: usize) -> Option<CallResult> {
        let answer = self.0.get(tool)?.of(index)?;
        let text = answer.text.clone().unwrap_or_default();
        Some(match (answer.error, &answer.json) {
            (Some(kind), _) => Err(error(kind, text)),
            (None, Some(json)) => Ok(vec![Content::Json(json.to_string())]),
            (None, None) => Ok(vec![Content::Text(text)]),
        })
    }
}

fn error(kind: ErrorKind, text: String) -> Error {
    use crate::capability::bindings::pi::gate::refusal::Refusal;
    match kind {
        ErrorKind::InvalidArguments => Error::InvalidArguments(text),
        ErrorKind::Refused => Error::Refused(Refusal {
            action: "a call of the script".into(),
            rule: "script".into(),
            reason: text,
            risk: 50,
            advice: String::new(),
        }),
        ErrorKind::NotFound => Error::NotFound(text),
        ErrorKind::Unknown => Error::Unknown(text),
        ErrorKind::Limit => Error::Limit(text),
        ErrorKind::Failed => Error::Failed(text),
    }
}

fn outcome(result: CallResult) -> Result<Vec<Part>, Failure> {
    let part = |content: Content| match content {
        Content::Text(text) => Part::Text(text),
        Content::Json(text) => Part::Json(text),
        Content::Blob(blob) => Part::Blob { bytes: blob.bytes.len(), mime: blob.mime },
    };
    match result {
        Ok(contents) => Ok(contents.into_iter().map(part).collect()),
        Err(error) => {
            let kind = match &error {
                Error::InvalidArguments(_) => ErrorKind::InvalidArguments,
                Error::Refused(_) => ErrorKind::Refused,
                Error::NotFound(_) => ErrorKind::NotFound,
                Error::Unknown(_) => ErrorKind::Unknown,
                Error::Limit(_) => ErrorKind::Limit,
                Error::Failed(_) => ErrorKind::Failed,
            };
            Err(Failure { kind, text: message::words(&error) })
        }
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}
