//! `pi-host heartbeat`

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use owo_colors::Style;
use pi_schedule::{Planned, Reading};
use serde_json::json;
use tokio::task::JoinSet;

use super::output::table;
use super::progress::{self, Progress};
use super::run::{start, stop_on_signal};
use super::{Failure, Output, block_on};
use crate::app::heartbeat::{Beat, JobStanding, beat_of, beats, list, timestamp};
use crate::app::people::{JobRequest, ask_job};
use crate::app::{Options, open_existing_store};
use crate::clock;
use crate::config::Project;
use crate::gate::explain::escaped;
use crate::store::Slot;

const CELL_CHARS_MAX: usize = 70;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the jobs: when each wakes next, and how its last run did
    #[command(after_help = "Examples:\n  pi-host heartbeat list\n  pi-host heartbeat list --json")]
    List,
    /// Show when a job will wake, changes of the clock included
    #[command(
        after_help = "Examples:\n  pi-host heartbeat next daily                  the next 5 times\n  pi-host heartbeat next daily --count 20\n  pi-host heartbeat next daily --after 2026-03-28T00:00:00Z"
    )]
    Next {
        /// The job, as in [heartbeat.NAME]; all of them if left out
        job: Option<String>,
        /// How many times
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
        /// Look from this time on (RFC 3339) and not from now
        #[arg(long, value_name = "TIME")]
        after: Option<Timestamp>,
    },
    /// Run a job now, whatever its schedule says
    #[command(
        after_help = "Where a host runs, it does it. Where none does, the job is run here and the command ends with it.\n\nExamples:\n  pi-host heartbeat run daily\n  pi-host heartbeat run daily --from 2026-11-01T00:00:00Z --to 2026-11-08T00:00:00Z\n                                  run the times of a week that has passed, by the host that runs"
    )]
    Run {
        job: String,
        /// Run the times of the schedule from here on instead
        #[arg(long, value_name = "TIME", requires = "to")]
        from: Option<Timestamp>,
        /// Up to here, this one excluded
        #[arg(long, value_name = "TIME", requires = "from")]
        to: Option<Timestamp>,
        /// At most so many of them
        #[arg(long, value_name = "N", default_value_t = 100, requires = "from")]
        most: usize,
    },
    /// Let a job sleep; its times are written down as missed
    Pause { job: String },
    /// Let a job wake again
    Resume { job: String },
    /// List what a job did, the newest first
    #[command(
        after_help = "`done` did something, `nothing` looked and found nothing to do, `missed` says why it never ran.\n\nExamples:\n  pi-host heartbeat history daily\n  pi-host heartbeat history daily --count 200 --json"
    )]
    History {
        job: String,
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        count: u32,
    },
}

pub(crate) fn run(output: &Output, directory: &Path, command: Command) -> Result<(), Failure> {
    let project = Project::load(directory)?;
    match command {
        Command::List => jobs(output, &project),
        Command::Next { job, count, after } => next(output, &project, job.as_deref(), count.into(), after),
        Command::Run { job, from: Some(from), to: Some(to), most } => back(output, &project, &job, from, to, most),
        Command::Run { job, .. } => now(output, project, &job),
        Command::Pause { job } => set(output, &project, &job, JobRequest::Pause),
        Command::Resume { job } => set(output, &project, &job, JobRequest::Resume),
        Command::History { job, count } => history(output, &project, &job, count),
    }
}

fn jobs(output: &Output, project: &Project) -> Result<(), Failure> {
    let listed = block_on(async {
        // Before the first run there is no store, and nothing in it.
        let store = open_existing_store(project).await.ok();
        list(store, project).await
    })??;
    output.data(&json!({ "jobs": listed }), || {
        if listed.is_empty() {
            return "no job wakes an agent; docs/heartbeat.md shows one".to_owned();
        }
        let head = ["JOB", "AGENT", "WHEN", "NEXT", "LAST"].map(str::to_owned).to_vec();
        let rows = listed.iter().map(|job| {
            let when = match &job.zone {
                Some(zone) => format!("{} ({zone})", job.schedule),
                None => job.schedule.clone(),
            };
            vec![job.name.clone(), job.agent.clone(), escaped(&when), next_of(job), last_of(job)]
        });
        table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
    });
    Ok(())
}

fn next_of(job: &JobStanding) -> String {
    match (&job.next, job.is_paused) {
        (_, true) => "paused".to_owned(),
        (Some(next), _) if job.running > 0 => format!("{next} (runs now)"),
        (Some(next), _) => next.clone(),
        (None, _) => "never".to_owned(),
    }
}

fn last_of(job: &JobStanding) -> String {
    job.last
        .as_ref()
        .map_or_else(|| "-".to_owned(), |slot| format!("{} {}", clock::rfc3339(slot.key.due_ms), word(slot)))
}

/// How a slot ended: one that found nothing to do is no success.
fn word(slot: &Slot) -> &str {
    let did_nothing = slot.detail.get("did_nothing").and_then(serde_json::Value::as_bool) == Some(true);
    if slot.state == "done" && did_nothing { "nothing" } else { &slot.state }
}

fn next(
    output: &Output,
    project: &Project,
    job: Option<&str>,
    count: usize,
    after: Option<Timestamp>,
) -> Result<(), Failure> {
    let chosen: Vec<Beat> = match job {
        Some(name) => vec![beat_of(project, name)?],
        None => beats(project).into_values().collect(),
    };
    let after = after.unwrap_or_else(|| timestamp(clock::now_ms()));
    let mut told = Vec::new();
    let mut lines = Vec::new();
    for beat in &chosen {
        let zone = beat.job.schedule().zone().clone();
        lines.push(output.out(beat.job.name(), Style::new().bold()));
        let planned = beat.job.preview(after, count);
        if planned.is_empty() {
            lines.push("  never again".to_owned());
        }
        for planned in planned {
            let note = note(&zone, &planned);
            lines.push(format!("  {}  {}{note}", planned.due, planned.local.strftime("%a %Y-%m-%d %H:%M:%S")));
            told.push(json!({
                "job": beat.job.name(), "slot": planned.slot.to_string(), "due": planned.due.to_string(),
                "local": planned.local.to_string(), "note": note.trim(),
            }));
        }
    }
    output.data(&json!({ "next": told }), || lines.join("\n"));
    Ok(())
}

/// What the clock of the zone does at that time.
fn note(zone: &TimeZone, planned: &Planned) -> String {
    let said = match planned.reading {
        Reading::Plain => return String::new(),
        Reading::Shifted(reading) => format!("stands for {}, which the clock leaves out", reading.strftime("%H:%M")),
        Reading::FoldFirst => "the first of two".to_owned(),
        Reading::FoldSecond => "the second of two".to_owned(),
    };
    format!("  (UTC{}: {said})", zone.to_offset(planned.slot))
}

fn now(output: &Output, project: Project, job: &str) -> Result<(), Failure> {
    let agent = beat_of(&project, job)?.config.agent;
    let is_held = block_on(async {
        match open_existing_store(&project).await {
            Ok(store) => store.holder().await.map(|held| held.is_some()),
            Err(_) => Ok(false),
        }
    })??;
    if is_held {
        block_on(ask_job(&project, job, JobRequest::Run))??;
        output.data(&json!({ "asked": job }), || format!("the host runs `{job}` as soon as it may"));
        return Ok(());
    }
    let options = Options {
        agents: Some(vec![agent]),
        is_watching: false,
        is_talking: false,
        screen: None,
        may_ask: true,
        name: "heartbeat run",
    };
    block_on(async {
        let host = start(output, project, options).await?;
        let shown = progress::show(Progress::of(output), &host);
        stop_on_signal(&host);
        let (working, name) = (host.clone(), job.to_owned());
        let mut work = JoinSet::new();
        work.spawn(async move { working.run_job(&name).await });
        let closed = host.serve_while(work.join_next()).await;
        shown.end().await;
        match closed? {
            Some(Ok(closed)) => match closed? {
                Some(closed) => super::run::ended(output, &closed),
                None => Err(Failure::Said),
            },
            Some(Err(panicked)) => std::panic::resume_unwind(panicked.into_panic()),
            None => Err(anyhow::anyhow!("the job was never begun").into()),
        }
    })?
}

fn back(
    output: &Output,
    project: &Project,
    job: &str,
    from: Timestamp,
    to: Timestamp,
    most: usize,
) -> Result<(), Failure> {
    let new = block_on(ask_job(project, job, JobRequest::Backfill { from, to, most }))??;
    output.data(&json!({ "job": job, "new": new }), || {
        format!("{new} times of `{job}` are to be run; `pi-host run` does it, `pi-host heartbeat history {job}` shows how far it is")
    });
    Ok(())
}

fn set(output: &Output, project: &Project, job: &str, request: JobRequest) -> Result<(), Failure> {
    let is_paused = matches!(request, JobRequest::Pause);
    beat_of(project, job)?;
    block_on(ask_job(project, job, request))??;
    output.data(&json!({ "job": job, "paused": is_paused }), || match is_paused {
        true => format!("`{job}` sleeps until `pi-host heartbeat resume {job}`"),
        false => format!("`{job}` wakes again"),
    });
    Ok(())
}

fn history(output: &Output, project: &Project, job: &str, count: u32) -> Result<(), Failure> {
    beat_of(project, job)?;
    let slots =
        block_on(async { open_existing_store(project).await?.slots(job, count).await.map_err(anyhow::Error::from) })??;
    output.data(&json!({ "slots": slots }), || {
        if slots.is_empty() {
            return format!("`{job}` has not been due yet; `pi-host heartbeat next {job}` says when it is");
        }
        let head = ["DUE", "WHAT", "BY", "SESSION", "NOTE"].map(str::to_owned).to_vec();
        let rows = slots.iter().map(|slot| {
            let note: String = slot.note.chars().take(CELL_CHARS_MAX).collect();
            let session = slot.session.clone().unwrap_or_else(|| "-".to_owned());
            vec![
                clock::rfc3339(slot.key.due_ms),
                word(slot).to_owned(),
                slot.key.origin.clone(),
                session,
                escaped(&note),
            ]
        });
        table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
    });
    Ok(())
}
