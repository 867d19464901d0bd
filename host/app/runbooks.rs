//! The runbooks of a project: files `NAME.md` in the folder of `[runbooks]`, compared with the tools of its plugins.
//! What a runbook is, is `plugins/runbook`; how one is run is `host/runbook.rs`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pi_runbook::{Effect, FILE_BYTES_MAX, Parameters, Plan, Problems, Runbook, Tool, Toolbox, Verdict, template};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::catalog::{Catalog, CatalogError};
use super::gating::gate;
use super::requests::RUNBOOK_RUN;
use super::setup::{Setup, SetupError};
use super::state::{StateError, open_store};
use crate::clock;
use crate::config::{Project, covers};
use crate::gate::{Act, Decision, Origin, Severity};
use crate::journal::{Body, entries};
use crate::plugin::Kind;
use crate::registry::fetch::read_bounded;
use crate::store::{Answer, NewRequest, OPEN, Store, StoreError};

/// The agent that runs runbooks, and the plugin that it is.
pub(super) const RUNBOOK: &str = "runbook";
/// Files of one folder: a wrong path may be a whole disk.
const FILES_MAX: usize = 10_000;
/// Runbooks that one agent is told of, and their bytes. Danger: they stand in the first entry of each of its sessions.
const HANDED_MAX: usize = 100;
const HANDED_BYTES_MAX: usize = 1 << 20;
/// How long a running host has to begin.
const BEGIN_MAX: Duration = Duration::from_secs(60);
/// How often who waits for a session looks for its end.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, thiserror::Error)]
pub enum RunbooksError {
    #[error("the folder of runbooks `{path}` cannot be read: {error}\nhint: [runbooks] folder in pi.toml names it; `pi-host runbook new NAME` makes it", path = path.display())]
    Folder { path: PathBuf, error: std::io::Error },
    #[error("`{path}` cannot be read: {error}", path = path.display())]
    Read { path: PathBuf, error: String },
    #[error("there is no runbook `{name}` in `{folder}`\nhint: there are {known}", folder = folder.display())]
    None { name: String, folder: PathBuf, known: String },
    #[error("{}", located(.file, .problems))]
    Wrong { file: String, problems: Problems },
    #[error("`{path}` is there already; it was left as it is\nhint: take another name", path = path.display())]
    There { path: PathBuf },
    #[error("`{path}` cannot be written: {error}", path = path.display())]
    Write { path: PathBuf, error: std::io::Error },
    #[error(
        "the runbook calls `{tool}`, and [grants.runbook.tools] does not name it\nhint: add it to names there, or remove [grants.runbook]: without it a runbook gets what its steps name"
    )]
    NotGranted { tool: String },
    #[error("the task of the session holds no runbook: {0}")]
    Task(String),
    #[error("the running host did not begin it; nothing was done\nhint: see whether it still works: `pi-host doctor`")]
    NotTaken,
    #[error(
        "the running host did not say whether it began\nhint: `pi-host session list` has its session, if there is one"
    )]
    Unknown,
    #[error(
        "the host ended before the session `{0}` did\nhint: `pi-host session resume {0}` goes on where it was cut off"
    )]
    Gone(String),
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Setup(#[from] Box<SetupError>),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Each problem with its file, as compilers write them.
fn located(file: &str, problems: &Problems) -> String {
    let lines = problems.0.iter().map(|problem| match problem.place.line {
        0 => format!("{file}: {}", problem.to_string().trim_start_matches("0:0: ")),
        _ => format!("{file}:{problem}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A runbook of a project, read or not.
pub struct Found {
    pub name: String,
    /// For people: relative to the project, where it is within.
    pub file: String,
    pub text: String,
    pub runbook: Result<Runbook, Problems>,
}

/// The runbooks of a project.
pub struct Runbooks {
    folder: PathBuf,
    directory: PathBuf,
    tools: Toolbox,
}

impl Runbooks {
    /// # Errors
    /// A plugin cannot be read.
    pub fn of(project: &Project) -> Result<Self, RunbooksError> {
        let folder = project.directory.join(&project.config.runbooks.folder);
        let tools = tools_of(&Catalog::of(project)?)?;
        Ok(Self { folder, directory: project.directory.clone(), tools })
    }

    /// The files alone, compared with nothing.
    fn files_of(project: &Project) -> Self {
        let folder = project.directory.join(&project.config.runbooks.folder);
        Self { folder, directory: project.directory.clone(), tools: Toolbox::new() }
    }

    /// The tools that steps may call.
    #[must_use]
    pub fn tools(&self) -> &Toolbox {
        &self.tools
    }

    /// All of them, sorted; one that cannot be read among them.
    ///
    /// # Errors
    /// The folder or a file cannot be read.
    pub fn all(&self) -> Result<Vec<Found>, RunbooksError> {
        let names = match self.names() {
            Err(RunbooksError::Folder { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            names => names?,
        };
        names.into_iter().map(|name| self.load(&name, &self.folder.join(format!("{name}.md")))).collect()
    }

    fn names(&self) -> Result<Vec<String>, RunbooksError> {
        let failed = |error| RunbooksError::Folder { path: self.folder.clone(), error };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)?.take(FILES_MAX) {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|ending| ending == "md") {
                names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
            }
        }
        names.sort();
        Ok(names)
    }

    /// One by its name, or by the path of its file.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub fn find(&self, name: &str) -> Result<Found, RunbooksError> {
        let path = Path::new(name);
        if path.extension().is_some_and(|ending| ending == "md") {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            return self.load(&stem, path);
        }
        let known = self.names()?;
        if !known.iter().any(|own| own == name) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let name = crate::gate::explain::escaped(name);
            return Err(RunbooksError::None { name, folder: self.folder.clone(), known });
        }
        self.load(name, &self.folder.join(format!("{name}.md")))
    }

    fn load(&self, name: &str, path: &Path) -> Result<Found, RunbooksError> {
        let failed = |error: String| RunbooksError::Read { path: path.to_owned(), error };
        let bytes = read_bounded(path, FILE_BYTES_MAX as u64 + 1).map_err(|error| failed(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8 text".into()))?;
        let runbook = Runbook::parse(name, &text);
        let file = path.strip_prefix(&self.directory).unwrap_or(path).display().to_string();
        Ok(Found { name: name.to_owned(), file, text, runbook })
    }

    /// Those of `[agents.NAME] runbooks` that name a cause, which is what agents choose them by.
    fn granted(&self, wanted: &[String]) -> Handed {
        let mut handed = Handed::default();
        let names = match self.names() {
            Ok(names) => names,
            Err(error) => {
                handed.gaps.push(error.to_string());
                return handed;
            }
        };
        let missing = wanted.iter().filter(|wanted| !names.iter().any(|name| covers(wanted, name)));
        let folder = self.folder.display();
        handed.gaps.extend(missing.map(|wanted| format!("there is no runbook `{wanted}` in `{folder}`")));
        let mut bytes = 0;
        for name in names.iter().filter(|name| wanted.iter().any(|wanted| covers(wanted, name))) {
            let found = match self.load(name, &self.folder.join(format!("{name}.md"))) {
                Ok(found) => found,
                Err(error) => {
                    handed.gaps.push(error.to_string());
                    continue;
                }
            };
            match found.runbook() {
                Ok(runbook) if runbook.causes.is_empty() => continue,
                Ok(runbook) => handed.tools.push((name.clone(), runbook.tools())),
                Err(error) => {
                    handed.gaps.push(error.to_string());
                    continue;
                }
            }
            bytes += found.text.len();
            if handed.runbooks.len() >= HANDED_MAX || bytes > HANDED_BYTES_MAX {
                handed.gaps.push(format!(
                    "`{name}` and those after it were left out: an agent is told of at most {HANDED_MAX} runbooks and {HANDED_BYTES_MAX} bytes; name fewer in [agents.*] runbooks"
                ));
                break;
            }
            handed.runbooks.push(RunbookSource { name: name.clone(), text: found.text });
        }
        handed
    }

    /// Write a runbook that works under a new name.
    ///
    /// # Errors
    /// There is one of this name, or it cannot be written.
    pub fn create(&self, name: &str) -> Result<PathBuf, RunbooksError> {
        let text = template(name);
        let file = format!("{name}.md");
        Runbook::parse(name, &text).map_err(|problems| RunbooksError::Wrong { file: file.clone(), problems })?;
        let path = self.folder.join(file);
        let failed = |error| RunbooksError::Write { path: path.clone(), error };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
        let mut made = made.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => RunbooksError::There { path: path.clone() },
            _ => failed(error),
        })?;
        std::io::Write::write_all(&mut made, text.as_bytes()).map_err(failed)?;
        Ok(path)
    }
}

impl Found {
    /// The runbook.
    ///
    /// # Errors
    /// All that is wrong with it, with the file's name.
    pub fn runbook(&self) -> Result<&Runbook, RunbooksError> {
        self.runbook.as_ref().map_err(|problems| self.wrong(problems.clone()))
    }

    /// As [`Found::runbook`], compared with the tools.
    ///
    /// # Errors
    /// As of [`Found::runbook`].
    pub fn checked(&self, tools: &Toolbox) -> Result<&Runbook, RunbooksError> {
        let runbook = self.runbook()?;
        runbook.check(tools).map_err(|problems| self.wrong(problems))?;
        Ok(runbook)
    }

    /// What would be done.
    ///
    /// # Errors
    /// It is wrong, or a parameter is.
    pub fn plan(&self, parameters: &Parameters, tools: &Toolbox) -> Result<Plan, RunbooksError> {
        self.runbook()?.plan(parameters, tools).map_err(|problems| self.wrong(problems))
    }

    /// Its tests, played.
    ///
    /// # Errors
    /// It is wrong.
    pub fn test(&self, tools: &Toolbox) -> Result<Vec<Verdict>, RunbooksError> {
        let runbook = self.checked(tools)?;
        Ok(runbook.trials().iter().map(|trial| trial.run(runbook, tools)).collect())
    }

    /// The task of a session that runs it.
    ///
    /// # Errors
    /// It is wrong, or a parameter is.
    pub fn task(&self, parameters: &Parameters, tools: &Toolbox) -> Result<RunbookTask, RunbooksError> {
        self.plan(parameters, tools)?;
        let runbook = RunbookSource { name: self.name.clone(), text: self.text.clone() };
        Ok(RunbookTask { runbook, parameters: parameters.clone() })
    }

    fn wrong(&self, problems: Problems) -> RunbooksError {
        RunbooksError::Wrong { file: self.file.clone(), problems }
    }
}

/// The runbooks that an agent is handed, and why others are not.
#[derive(Debug, Default)]
pub(super) struct Handed {
    runbooks: Vec<RunbookSource>,
    /// The tools that each of them calls.
    tools: Vec<(String, Vec<String>)>,
    gaps: Vec<String>,
}

impl Handed {
    /// Those of an agent of `pi.toml`; none, where it names none.
    pub(super) fn of(project: &Project, agent: &str) -> Self {
        let wanted = project.config.agents.get(agent).map(|agent| agent.runbooks.as_slice()).unwrap_or_default();
        if wanted.is_empty() { Self::default() } else { Runbooks::files_of(project).granted(wanted) }
    }

    /// What keeps the agent from following some of them, with the tools that it is granted: a sentence for each.
    pub(super) fn withheld(&self, agent: &str, granted: &[String]) -> Vec<String> {
        let untooled = self.tools.iter().flat_map(|(name, tools)| {
            let missing = tools.iter().filter(|tool| !granted.iter().any(|granted| covers(granted, tool)));
            missing.map(move |tool| {
                format!("the runbook `{name}` calls `{tool}`, which [grants.{agent}.tools] does not name: `{agent}` does not follow it")
            })
        });
        let wrong = self.gaps.iter().map(|gap| format!("[agents.{agent}] runbooks: {gap}"));
        wrong.chain(untooled).collect()
    }

    /// The input of a session with them.
    pub(super) fn within(self, input: &Value) -> Value {
        let mut input = input.clone();
        if self.runbooks.is_empty() && self.gaps.is_empty() {
            return input;
        }
        if !input.is_object() {
            input = json!({});
        }
        input["runbooks"] = serde_json::to_value(&self.runbooks).unwrap_or_default();
        if !self.gaps.is_empty() {
            input["runbook_gaps"] = json!(self.gaps);
        }
        input
    }
}

/// What a session is told that runs a runbook: all of it, so that it is run again as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunbookTask {
    runbook: RunbookSource,
    parameters: Parameters,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RunbookSource {
    name: String,
    text: String,
}

impl RunbookTask {
    pub(super) fn of_input(input: &Value) -> Result<Self, RunbooksError> {
        serde_json::from_value(input.clone()).map_err(|error| RunbooksError::Task(error.to_string()))
    }

    pub(super) fn read(&self) -> Result<Runbook, RunbooksError> {
        let RunbookSource { name, text } = &self.runbook;
        let file = format!("{name}.md");
        Runbook::parse(name, text).map_err(|problems| RunbooksError::Wrong { file, problems })
    }

    pub(super) fn check(&self, setup: &Setup) -> Result<(), RunbooksError> {
        let file = format!("{}.md", self.runbook.name);
        let plan = self.read()?.plan(&self.parameters, &tools_of(&setup.catalog)?);
        plan.map(|_| ()).map_err(|problems| RunbooksError::Wrong { file, problems })
    }
}

/// The tools of all plugins, as their manifests have them: no guest code runs for it.
fn tools_of(catalog: &Catalog) -> Result<Toolbox, CatalogError> {
    let mut tools = Toolbox::new();
    for plugin in catalog.names() {
        let manifest = catalog.binary(plugin)?.manifest;
        if manifest.kind != Kind::Tool {
            continue;
        }
        tools.extend(manifest.tools.into_iter().map(|tool| {
            let effect = match tool.effect {
                Severity::Read => Effect::Read,
                Severity::Write => Effect::Write,
                Severity::Destructive => Effect::Destructive,
            };
            (tool.name, Tool { effect, schema: tool.input_schema })
        }));
    }
    Ok(tools)
}

/// How the gate judges a call by itself; what it then does is judged besides.
///
/// # Errors
/// The policy cannot be read.
pub fn judged(project: &Project, plan: &Plan) -> Result<Vec<Option<Decision>>, RunbooksError> {
    let gate = gate(project).map_err(Box::new)?;
    let origin = Origin { agent: RUNBOOK.into(), ..Origin::default() };
    let decisions = plan.steps.iter().map(|step| {
        let effect = match step.call.effect {
            Effect::Read => Severity::Read,
            Effect::Write => Severity::Write,
            Effect::Destructive => Severity::Destructive,
        };
        let (tool, arguments) = (step.call.tool.clone(), step.call.arguments.clone());
        let act = Act::ToolCall { tool, effect, idempotent: false, arguments };
        step.call.is_final.then(|| gate.decide_at(&act, &origin, clock::now_ms()))
    });
    Ok(decisions.collect())
}

/// Ask the host that runs to run it, and wait for its end. `tell` hears the id of the session.
///
/// # Errors
/// It did not begin, or the store cannot be read.
pub async fn run_by_host(
    project: &Project,
    task: &RunbookTask,
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<Value, RunbooksError> {
    let store = open_store(project).await?;
    let payload = serde_json::to_value(task).unwrap_or_default();
    let valid_ms = u64::try_from(BEGIN_MAX.as_millis()).unwrap_or(u64::MAX);
    let request = NewRequest { kind: RUNBOOK_RUN.into(), payload, is_idempotent: false, valid_ms };
    let id = store.push_request(request).await?;
    let session = match store.wait_answer(&id, BEGIN_MAX).await? {
        Answer::Response(value) => match (value["session"].as_str(), value["error"].as_str()) {
            (Some(session), _) => session.to_owned(),
            (None, error) => return Err(RunbooksError::Refused(error.unwrap_or("it gave no reason").to_owned())),
        },
        Answer::Unknown => return Err(RunbooksError::Unknown),
        Answer::Withdrawn => return Err(RunbooksError::NotTaken),
    };
    tell(&session);
    end_of(store.as_ref(), &session).await
}

/// The last entry of a session, once it is there.
async fn end_of(store: &dyn Store, session: &str) -> Result<Value, RunbooksError> {
    loop {
        let record = store.sessions().await?.into_iter().find(|record| record.id == session);
        if record.is_some_and(|record| record.status != OPEN) {
            let entries = entries(store, session).await.map_err(|error| RunbooksError::Refused(error.to_string()))?;
            let end = entries.iter().rev().find_map(|entry| match &entry.body {
                Body::SessionEnded { status, summary, details } => {
                    Some(json!({ "session": session, "status": status, "summary": summary, "details": details }))
                }
                _ => None,
            });
            return end.ok_or(RunbooksError::Unknown);
        }
        if store.holder().await?.is_none() {
            return Err(RunbooksError::Gone(session.to_owned()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
