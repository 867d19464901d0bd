//! `pi-host runbook list|show|check|test|plan|run|new`

use std::path::Path;

use anyhow::anyhow;
use owo_colors::Style;
use pi_runbook::{Effect, Parameters, Plan, PlannedCall, PlannedStep};
use serde_json::{Value, json};

use super::output::{escaped_lines, table};
use super::progress::{self, Progress};
use super::run::{ended, start, stop_on_signal};
use super::{Failure, Output, block_on};
use crate::app::{Found, HostError, Options, RunbookTask, Runbooks, RunbooksError, judged, run_by_host};
use crate::config::Project;
use crate::gate::explain::escaped;
use crate::gate::{Decision, Verdict};
use crate::store::LeaseError;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the runbooks of this project
    List,
    /// Show what a runbook is for, what it is given, and its steps
    Show { name: String },
    /// Compare runbooks with the tools that there are; without a name, all of them
    Check { names: Vec<String> },
    /// Play the tests that runbooks carry; without a name, those of all
    Test { names: Vec<String> },
    /// Say what would be done, with final arguments, and how the gatekeeper judges each call
    Plan(With),
    /// Run it, step by step, as a session: gated, journalled, resumable
    Run(With),
    /// Write a runbook that works, to begin with
    New { name: String },
}

#[derive(clap::Args)]
#[command(after_help = "Example: pi-host runbook run disk-full --parameter service=orders")]
pub(crate) struct With {
    /// The runbook's name, or the path of its file
    name: String,
    /// A value that it is given
    #[arg(long = "parameter", short = 'p', value_name = "NAME=VALUE")]
    parameters: Vec<String>,
}

pub(crate) fn run(output: &Output, project: &Path, command: Command) -> Result<(), Failure> {
    let project = Project::load(project)?;
    let runbooks = Runbooks::of(&project)?;
    match command {
        Command::List => list(output, &runbooks),
        Command::Show { name } => show(output, &runbooks, &name),
        Command::Check { names } => check(output, &runbooks, &names),
        Command::Test { names } => test(output, &runbooks, &names),
        Command::Plan(with) => plan(output, &project, &runbooks, &with),
        Command::Run(with) => {
            let task = runbooks.find(&with.name)?.task(&parameters(&with.parameters)?, runbooks.tools())?;
            block_on(execute(output, project, task))?
        }
        Command::New { name } => {
            let path = runbooks.create(&name)?;
            output.data(&json!({ "path": path }), || {
                format!("{} written\nnext: pi-host runbook test {name}", path.display())
            });
            Ok(())
        }
    }
}

fn parameters(given: &[String]) -> anyhow::Result<Parameters> {
    let mut parameters = Parameters::new();
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            return Err(anyhow!("`{}` is no parameter\nhint: --parameter NAME=VALUE", escaped(text)));
        };
        if parameters.insert(name.to_owned(), Value::String(value.to_owned())).is_some() {
            return Err(anyhow!("the parameter `{}` is given twice", escaped(name)));
        }
    }
    Ok(parameters)
}

/// Those that are named, or all.
fn chosen(runbooks: &Runbooks, names: &[String]) -> Result<Vec<Found>, RunbooksError> {
    if names.is_empty() { runbooks.all() } else { names.iter().map(|name| runbooks.find(name)).collect() }
}

fn list(output: &Output, runbooks: &Runbooks) -> Result<(), Failure> {
    let mut rows = vec![["runbook", "causes", "autonomy", "steps", "what"].map(String::from).to_vec()];
    let mut values = Vec::new();
    for found in runbooks.all()? {
        match found.checked(runbooks.tools()) {
            Ok(runbook) => {
                let steps = runbook.steps().count().to_string();
                let causes = if runbook.causes.is_empty() { "-".into() } else { runbook.causes.join(",") };
                let title = escaped(&runbook.title);
                rows.push(vec![escaped(&found.name), causes, runbook.autonomy.name().into(), steps, title]);
                values.push(runbook.json());
            }
            Err(error) => {
                let name = escaped(&found.name);
                let what = format!("wrong: `pi-host runbook check {name}`");
                rows.push(vec![name, "-".into(), "-".into(), "-".into(), what]);
                values.push(json!({ "name": found.name, "error": error.to_string() }));
            }
        }
    }
    output.data(&values, || if values.is_empty() { none() } else { table(&rows) });
    Ok(())
}

fn none() -> String {
    "there are no runbooks\nhint: `pi-host runbook new NAME` writes one".into()
}

fn show(output: &Output, runbooks: &Runbooks, name: &str) -> Result<(), Failure> {
    let found = runbooks.find(name)?;
    let runbook = found.runbook()?;
    output.data(&runbook.json(), || {
        let mut lines = vec![escaped(&runbook.title), escaped_lines(&runbook.description), String::new()];
        let any = |list: Vec<String>| if list.is_empty() { "any".to_owned() } else { list.join(", ") };
        let causes = if runbook.causes.is_empty() { "none by itself".into() } else { runbook.causes.join(", ") };
        let kinds = any(runbook.kinds.iter().map(|kind| kind.name().to_owned()).collect());
        let services = any(runbook.services.iter().map(|glob| escaped(glob)).collect());
        lines.push(format!("causes    {causes}"));
        lines.push(format!("services  {services}"));
        lines.push(format!("kinds     {kinds}"));
        lines.push(format!("autonomy  {} at most", runbook.autonomy.name()));
        lines.push(format!("tools     {}", runbook.tools().join(", ")));
        for parameter in &runbook.parameters {
            let default = parameter.default.as_ref().map(|value| format!(", else {value}")).unwrap_or_default();
            let (name, kind) = (&parameter.name, parameter.kind.name());
            lines.push(format!("--parameter {name}=  {kind}{default}: {}", escaped(&parameter.description)));
        }
        lines.push(String::new());
        lines.extend(runbook.steps().map(|id| format!("  {id}")));
        lines.join("\n")
    });
    Ok(())
}

fn check(output: &Output, runbooks: &Runbooks, names: &[String]) -> Result<(), Failure> {
    let all = chosen(runbooks, names)?;
    let mut values = Vec::new();
    let mut lines = Vec::new();
    let mut is_right = true;
    for found in &all {
        let checked = found.checked(runbooks.tools());
        is_right &= checked.is_ok();
        match checked {
            Ok(runbook) => {
                let (steps, tests) = (runbook.steps().count(), runbook.trials().len());
                lines.push(format!("{}: right, {steps} steps, {tests} tests", escaped(&found.file)));
                values.push(json!({ "name": found.name, "file": found.file, "problems": [] }));
            }
            Err(RunbooksError::Wrong { problems, file }) => {
                let error = RunbooksError::Wrong { problems: problems.clone(), file };
                lines.push(escaped_lines(&error.to_string()));
                values.push(json!({ "name": found.name, "file": found.file, "problems": problems }));
            }
            Err(error) => return Err(error.into()),
        }
    }
    output.data(&values, || if all.is_empty() { none() } else { lines.join("\n") });
    if is_right { Ok(()) } else { Err(Failure::Said) }
}

fn test(output: &Output, runbooks: &Runbooks, names: &[String]) -> Result<(), Failure> {
    let mut values = Vec::new();
    let mut lines = Vec::new();
    let (mut count, mut right) = (0, 0);
    for found in chosen(runbooks, names)? {
        let verdicts = found.test(runbooks.tools())?;
        if verdicts.is_empty() {
            lines.push(format!("{}: it carries no test", escaped(&found.file)));
        }
        for verdict in verdicts {
            count += 1;
            right += usize::from(verdict.is_right());
            let label = if verdict.is_right() {
                output.out("ok", Style::new().green())
            } else {
                output.out("FAILED", Style::new().red().bold())
            };
            lines.push(format!("{label}  {}: {}", escaped(&found.name), escaped(&verdict.name)));
            let told = |problem: &pi_runbook::Problem| format!("    {}:{problem}", found.file);
            lines.extend(verdict.problems.iter().map(|problem| escaped_lines(&told(problem))));
            values.push(json!({ "runbook": found.name, "test": verdict }));
        }
    }
    lines.push(format!("{right} of {count} tests come out as they say"));
    output.data(&values, || lines.join("\n"));
    if right == count { Ok(()) } else { Err(Failure::Said) }
}

fn plan(output: &Output, project: &Project, runbooks: &Runbooks, with: &With) -> Result<(), Failure> {
    let plan = runbooks.find(&with.name)?.plan(&parameters(&with.parameters)?, runbooks.tools())?;
    let decisions = judged(project, &plan)?;
    output.data(&json!({ "plan": plan, "decisions": decisions }), || planned(output, &plan, &decisions));
    Ok(())
}

/// A plan for people. What the file and the parameters say is escaped.
fn planned(output: &Output, plan: &Plan, decisions: &[Option<Decision>]) -> String {
    let mut lines = vec![format!("{}: autonomy {} at most", escaped(&plan.runbook), plan.autonomy.name())];
    for (number, (step, decision)) in plan.steps.iter().zip(decisions).enumerate() {
        lines.push(String::new());
        lines.push(format!("{}  {}", number + 1, output.out(&escaped(&step.id), Style::new().bold())));
        lines.extend(of_step(step).into_iter().map(|(what, text)| format!("   {what:<8}{}", escaped(&text))));
        if let Some(decision) = decision {
            let verdict = match decision.verdict {
                Verdict::Allow => "allowed",
                Verdict::Ask => "a person is asked",
                Verdict::Deny => "denied",
            };
            let rules =
                if decision.rules.is_empty() { String::new() } else { format!(" ({})", decision.rules.join(", ")) };
            lines.push(format!("   gate    {verdict}, risk {}{}", decision.risk, escaped(&rules)));
        }
    }
    lines.push(String::new());
    lines.push("nothing was done; what each call does is judged again when it does it".into());
    lines.join("\n")
}

fn of_step(step: &PlannedStep) -> Vec<(&'static str, String)> {
    let call = |call: &PlannedCall| {
        let effect = match call.effect {
            Effect::Read => "looks",
            Effect::Write => "changes",
            Effect::Destructive => "destroys",
        };
        format!("{} {} ({effect})", call.tool, call.arguments)
    };
    let mut lines = Vec::new();
    if let Some(when) = &step.when {
        let known = if step.is_skipped { ": no, it is left out" } else { "" };
        lines.push(("when", format!("{when}{known}")));
    }
    lines.push(("call", call(&step.call)));
    lines.extend(step.expect.iter().map(|expect| ("expect", expect.clone())));
    if let Some(verify) = &step.verify {
        let looks =
            format!("{} in a row of at most {}, every {} ms", verify.in_a_row, verify.attempts, verify.every_ms);
        lines.push(("verify", format!("{}: {} ({looks})", call(&verify.call), verify.expect.join(" and "))));
    }
    match &step.undo {
        Some(undo) => lines.push(("undo", call(undo))),
        None if step.is_irreversible => lines.push(("undo", "none: it is irreversible".into())),
        None => {}
    }
    lines
}

async fn execute(output: &Output, project: Project, task: RunbookTask) -> Result<(), Failure> {
    let options = Options {
        agents: Some(Vec::new()),
        is_watching: false,
        is_talking: false,
        screen: None,
        may_ask: true,
        name: "runbook run",
    };
    let host = match start(output, project.clone(), options).await {
        Ok(host) => host,
        Err(HostError::Lease { error: LeaseError::HeldBy(_) }) => return by_host(output, &project, &task).await,
        Err(error) => return Err(error.into()),
    };
    let shown = progress::show(Progress::of(output), &host);
    stop_on_signal(&host);
    let closed = host.serve_while(host.run_runbook(&task)).await;
    shown.end().await;
    ended(output, &closed??)
}

/// Where a host runs, it runs the runbook.
async fn by_host(output: &Output, project: &Project, task: &RunbookTask) -> Result<(), Failure> {
    let tell = |session: &str| {
        output.note(&format!("the running host runs it: session {session}; `pi-host approvals list` has what waits"));
    };
    let end = run_by_host(project, task, &tell).await?;
    let text = |key: &str| end[key].as_str().unwrap_or_default();
    output.data(&end, || format!("{}: {}", text("status"), escaped(text("summary"))));
    if matches!(text("status"), "done" | "nothing_to_do" | "escalated") { Ok(()) } else { Err(Failure::Said) }
}
