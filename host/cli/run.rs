//! `pi-host run`: everything in pi.toml, one agent, or the demo.

use std::path::Path;
use std::sync::Arc;

use owo_colors::Style;
use serde_json::json;
use tokio::task::JoinSet;

use super::output::escaped_lines;
use super::progress::{self, Progress};
use super::{Failure, Output, block_on};
use crate::app::{Closed, Event, Host, HostError, Options, begun_with};
use crate::config::{FILE, Project, variable};
use crate::gate::explain::escaped;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pi-host run                       supervise, watch and heal until Ctrl-C\n  pi-host run --demo                break real services in ./pi-demo and watch them heal\n  pi-host run \"make the failing test pass\"   let an agent do it, and end\n  pi-host run sre --once \"look at shop\"   run one agent once"
)]
pub(crate) struct Arguments {
    /// Run only this agent; or what to tell the agent that has a model
    #[arg(value_name = "AGENT | PROMPT")]
    agent: Option<String>,
    /// What to tell the agent; with it the agent runs once
    prompt: Option<String>,
    /// The model to ask, instead of what pi.toml says: anthropic/NAME, openai/NAME, openai/NAME@URL, bedrock/NAME
    #[arg(long, value_name = "PROTOCOL/NAME")]
    model: Option<String>,
    /// Begin anew, also where the same task was cut off before and could be taken up
    #[arg(long)]
    new: bool,
    /// Run the agent once and end
    #[arg(long, requires = "agent")]
    once: bool,
    /// Make a fault lab in ./pi-demo, break its services in seven ways, and watch them heal
    #[arg(long, conflicts_with_all = ["agent", "prompt", "once"])]
    demo: bool,
    /// What goes wrong in the demo follows from this number
    #[arg(long, value_name = "N", requires = "demo")]
    seed: Option<u64>,
}

pub(crate) fn run(output: &Output, directory: &Path, mut arguments: Arguments) -> Result<(), Failure> {
    if arguments.demo {
        return super::demo::run(output, directory, arguments.seed);
    }
    let mut project = Project::load(directory)?;
    let is_agent = |name: &String| project.config.agents.contains_key(name);
    // A single word is taken for an agent's name: a mistyped one must not become a task.
    let is_prompt = |word: &String| !is_agent(word) && word.contains(char::is_whitespace);
    if arguments.prompt.is_none() && arguments.agent.as_ref().is_some_and(is_prompt) {
        arguments.prompt = arguments.agent.take();
    }
    if arguments.model.is_some() || arguments.prompt.is_some() && arguments.agent.is_none() {
        let agent = project.talk_to(arguments.agent.as_deref(), arguments.model.as_deref(), &variable)?;
        if arguments.prompt.is_some() {
            arguments.agent = Some(agent);
        }
    } else if !project.has_file {
        return Err(anyhow::anyhow!(
            "there is no {FILE} in {}\nhint: `pi-host init` writes one, `pi-host run --demo` needs none",
            project.directory.display()
        )
        .into());
    }
    if project.config.agents.is_empty() && project.config.services.is_empty() {
        return Err(anyhow::anyhow!("{FILE} names no service and no agent: there is nothing to run\nhint: `pi-host init` in an empty folder shows how").into());
    }
    let is_once = arguments.once || arguments.prompt.is_some();
    let options = Options {
        agents: arguments.agent.clone().map(|agent| vec![agent]),
        is_watching: !is_once,
        is_talking: false,
        screen: None,
        may_ask: true,
        name: "run",
    };
    match (arguments.agent, is_once) {
        (Some(agent), true) => {
            let prompt = arguments.prompt.unwrap_or_default();
            block_on(once(output, project, options, &agent, &prompt, arguments.new))?
        }
        _ => block_on(serve(output, project, options))?,
    }
}

/// Supervise and watch until a signal comes.
async fn serve(output: &Output, project: Project, options: Options) -> Result<(), Failure> {
    let services = project.config.services.len();
    let host = start(output, project, options).await?;
    let shown = progress::show(Progress::of(output), &host);
    output.note(&format!(
        "{} {services} services; Ctrl-C stops, `pi-host session list` shows what was done",
        output.err("watching", Style::new().green().bold())
    ));
    stop_on_signal(&host);
    let served = host.serve().await;
    shown.end().await;
    served?;
    output.note("stopped");
    Ok(())
}

async fn once(
    output: &Output,
    project: Project,
    options: Options,
    agent: &str,
    prompt: &str,
    is_new: bool,
) -> Result<(), Failure> {
    let host = start(output, project, options).await?;
    let shown = progress::show(Progress::of(output), &host);
    stop_on_signal(&host);
    let (working, agent, prompt) = (host.clone(), agent.to_owned(), prompt.to_owned());
    // Beside the tasks that it talks to: from the thread that waits, each word to them would wake another thread.
    let mut work = JoinSet::new();
    work.spawn(async move {
        if !is_new && let Some(closed) = working.run_on(&agent, &prompt).await? {
            return Ok(closed);
        }
        working.run_once(&agent, &prompt, &json!({})).await
    });
    let closed = host.serve_while(work.join_next()).await;
    shown.end().await;
    match closed? {
        Some(Ok(closed)) => ended(output, &closed?),
        Some(Err(panicked)) => std::panic::resume_unwind(panicked.into_panic()),
        None => Err(anyhow::anyhow!("the session was never begun").into()),
    }
}

/// Take up what was cut off, and end when it has ended.
pub(super) fn resume(output: &Output, mut project: Project, id: Option<String>) -> Result<(), Failure> {
    block_on(async {
        if let Some((agent, model)) = begun_with(&project, id.as_deref()).await? {
            project.talk_to(Some(&agent), Some(&model), &variable)?;
        }
        let options = Options {
            agents: None,
            is_watching: false,
            is_talking: false,
            screen: None,
            may_ask: true,
            name: "session resume",
        };
        let host = start(output, project, options).await?;
        let shown = progress::show(Progress::of(output), &host);
        stop_on_signal(&host);
        let mut events = host.events();
        let count = host.serve_while(host.resume(id.as_deref())).await;
        shown.end().await;
        let count = count??;
        let mut closed = Vec::new();
        let mut is_broken = false;
        while let Ok(event) = events.try_recv() {
            match event {
                Event::Closed(incident) => closed.push(incident),
                Event::Broken { session, error } if id.as_ref().is_none_or(|id| *id == session) => {
                    is_broken = true;
                    output.note(&format!("{session}: {}", escaped_lines(&error)));
                }
                _ => {}
            }
        }
        if let Some(id) = id
            && count == 0
            && !is_broken
        {
            return Err(anyhow::anyhow!(
                "no session of this id was cut off: {id}\nhint: `pi-host session list` has them"
            )
            .into());
        }
        output.data(&closed, || format!("{count} sessions taken up, {} ended", closed.len()));
        if closed.len() == count && !is_broken { Ok(()) } else { Err(Failure::Said) }
    })?
}

pub(super) async fn start(output: &Output, project: Project, options: Options) -> Result<Arc<Host>, HostError> {
    let progress = |text: &str| output.note(&output.err(text, Style::new().dimmed()));
    Host::start(project, options, &progress).await
}

pub(super) fn ended(output: &Output, closed: &Closed) -> Result<(), Failure> {
    output.data(closed, || {
        let report = closed.report.as_ref().map(|report| format!("\nreport: {}", report.display())).unwrap_or_default();
        format!("{}: {}{report}", closed.status, escaped(&closed.summary))
    });
    if closed.may_resume {
        output.note(&format!(
            "hint: when that is mended, `pi-host session resume {}` goes on from there",
            closed.session
        ));
    }
    if matches!(closed.status.as_str(), "done" | "nothing_to_do" | "escalated") { Ok(()) } else { Err(Failure::Said) }
}

pub(super) fn stop_on_signal(host: &Arc<Host>) {
    let host = host.clone();
    tokio::spawn(async move {
        signalled().await;
        host.stop();
    });
}

/// Waits for Ctrl-C or SIGTERM.
pub(super) async fn signalled() {
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    // Without the signal there is nothing to wait for.
    let Ok(mut terminate) = terminate else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
