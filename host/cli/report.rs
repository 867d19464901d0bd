//! `pi-host report`

use std::path::Path;

use owo_colors::Style;
use serde_json::json;

use super::output::table;
use super::{Failure, Output, block_on};
use crate::app::open_existing_store;
use crate::app::people::{acknowledge_report, deliver_report, mute_finding, unmute_finding};
use crate::app::reports::{ReportRecord, opinions, report, reports};
use crate::clock;
use crate::config::Project;
use crate::delivery::outbox::{Letter, LetterState, letters};
use crate::gate::explain::escaped;

const TITLE_CHARS_MAX: usize = 70;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the reports, the newest first
    List {
        /// Only those that nobody has acknowledged
        #[arg(long)]
        new: bool,
        #[arg(long, value_name = "N", default_value_t = 20)]
        count: usize,
    },
    /// Print a report as Markdown, and say where its page and pictures are
    #[command(
        after_help = "ID may be the beginning of one, or `latest`.\n\nExamples:\n  pi-host report show latest\n  pi-host report show latest --json    its findings with their numbers, for `mute`"
    )]
    Show { id: String },
    /// Say where the page of a report is, to be opened in a browser
    #[command(after_help = "Example:\n  xdg-open $(pi-host report open latest)")]
    Open { id: String },
    /// Note that you have read a report
    Ack { id: String },
    /// Hear no more of a finding, by its number in the report
    #[command(
        after_help = "Examples:\n  pi-host report mute latest 2             never again\n  pi-host report mute latest 2 --days 30"
    )]
    Mute {
        id: String,
        /// The number of the finding, as `report show` has it
        finding: usize,
        #[arg(long, value_name = "N")]
        days: Option<u32>,
    },
    /// List what was sent to people, what waits to be sent, and what was given up
    Deliveries {
        /// Only what waits or was given up
        #[arg(long)]
        open: bool,
        #[arg(long, value_name = "N", default_value_t = 20)]
        count: usize,
    },
    /// Send a report by a delivery of pi.toml now, again too
    #[command(
        after_help = "Where a host runs, it sends it. ID may also be that of a letter, as `report deliveries` has it.\n\nExamples:\n  pi-host report deliver latest --to team"
    )]
    Deliver {
        id: String,
        /// The delivery: NAME of [delivery.NAME]
        #[arg(long, value_name = "NAME")]
        to: String,
    },
    /// List what is muted for a job, or take it back
    Muted {
        /// The job, or the topic where a person asked for the report
        topic: String,
        /// Hear of this one again
        #[arg(long, value_name = "KEY")]
        remove: Option<String>,
    },
}

pub(crate) fn run(output: &Output, directory: &Path, command: Command) -> Result<(), Failure> {
    let project = Project::load(directory)?;
    match command {
        Command::List { new, count } => list(output, &project, new, count),
        Command::Show { id } => show(output, &project, &id),
        Command::Open { id } => {
            let record = found(&project, &id)?;
            let page = record.path.with_extension("html");
            output.data(&json!({ "page": page }), || page.display().to_string());
            Ok(())
        }
        Command::Ack { id } => {
            let record = block_on(acknowledge_report(&project, &id))??;
            output.data(&record, || format!("acknowledged: {}", escaped(&record.title)));
            Ok(())
        }
        Command::Mute { id, finding, days } => {
            let opinion = block_on(mute_finding(&project, &id, finding, days))??;
            output.data(&opinion, || {
                let until = opinion.until_ms.map_or_else(String::new, |ms| format!(" until {}", clock::rfc3339(ms)));
                format!("muted{until}: {}", escaped(&opinion.key))
            });
            Ok(())
        }
        Command::Muted { topic, remove: Some(key) } => {
            if !block_on(unmute_finding(&project, &topic, &key))?? {
                return Err(anyhow::anyhow!(
                    "`{}` is not muted\nhint: `pi-host report muted {}` lists what is",
                    escaped(&key),
                    escaped(&topic)
                )
                .into());
            }
            output.data(&json!({ "unmuted": key }), || format!("told again: {}", escaped(&key)));
            Ok(())
        }
        Command::Muted { topic, remove: None } => muted(output, &project, &topic),
        Command::Deliveries { open, count } => deliveries(output, &project, open, count),
        Command::Deliver { id, to } => {
            let letter = block_on(deliver_report(&project, &id, &to))??;
            let note = escaped(&letter.note);
            output.data(&letter, || match letter.state {
                LetterState::Delivered => format!("delivered: {note}"),
                LetterState::Waiting if letter.attempts == 0 => "the host sends it".to_owned(),
                LetterState::Waiting => format!("not delivered: {note}\nit is tried again by the next host"),
                LetterState::Dead => format!("not delivered: {}", letter.note),
            });
            let is_sent = letter.state == LetterState::Delivered || letter.attempts == 0;
            if is_sent { Ok(()) } else { Err(Failure::Said) }
        }
    }
}

fn deliveries(output: &Output, project: &Project, is_open: bool, count: usize) -> Result<(), Failure> {
    let all = block_on(async {
        let store = open_existing_store(project).await?;
        letters(store.as_ref()).await.map_err(anyhow::Error::from)
    })??;
    let mut all: Vec<Letter> = all.into_values().collect();
    all.retain(|letter| !is_open || letter.state != LetterState::Delivered);
    all.sort_by(|a, b| b.created_ms.cmp(&a.created_ms).then_with(|| a.id.cmp(&b.id)));
    all.truncate(count);
    output.data(&json!({ "deliveries": all }), || {
        if all.is_empty() {
            return "nothing was sent; `deliver` of [heartbeat.NAME] says where a job's reports go".to_owned();
        }
        let head = ["ID", "SINCE", "STATE", "TRIES", ""].map(str::to_owned).to_vec();
        let rows = all.iter().map(|letter| {
            let style = match letter.state {
                LetterState::Delivered => Style::new().green(),
                LetterState::Waiting => Style::new().yellow(),
                LetterState::Dead => Style::new().red().bold(),
            };
            let note: String = letter.note.lines().next().unwrap_or_default().chars().take(TITLE_CHARS_MAX).collect();
            let state = output.out(letter.state.word(), style);
            let since = clock::rfc3339(letter.created_ms);
            vec![escaped(&letter.id), since, state, letter.attempts.to_string(), escaped(&note)]
        });
        table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
    });
    Ok(())
}

fn found(project: &Project, id: &str) -> Result<ReportRecord, Failure> {
    Ok(block_on(async {
        let store = open_existing_store(project).await?;
        report(&store, id).await.map_err(anyhow::Error::from)
    })??)
}

fn list(output: &Output, project: &Project, is_new: bool, count: usize) -> Result<(), Failure> {
    let mut all =
        block_on(async { reports(&open_existing_store(project).await?).await.map_err(anyhow::Error::from) })??;
    all.retain(|report| !is_new || report.acknowledged.is_none());
    all.truncate(count);
    output.data(&json!({ "reports": all }), || {
        if all.is_empty() {
            return "no report yet; `pi-host heartbeat list` says when one is due".to_owned();
        }
        let head = ["ID", "WHEN", "TOPIC", "TITLE", ""].map(str::to_owned).to_vec();
        let rows = all.iter().map(|report| {
            let title: String = report.title.chars().take(TITLE_CHARS_MAX).collect();
            let mark = match (&report.acknowledged, report.is_noteworthy) {
                (Some(read), _) => format!("read by {}", escaped(&read.by)),
                (None, true) => output.out("new", Style::new().yellow().bold()),
                (None, false) => String::new(),
            };
            vec![report.id.clone(), clock::rfc3339(report.created_ms), report.topic.clone(), escaped(&title), mark]
        });
        table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
    });
    Ok(())
}

fn show(output: &Output, project: &Project, id: &str) -> Result<(), Failure> {
    let record = found(project, id)?;
    let text = std::fs::read_to_string(&record.path).map_err(|error| {
        anyhow::anyhow!(
            "{}: {error}\nhint: `pi-host session show {}` has what the agent handed in",
            record.path.display(),
            record.id
        )
    })?;
    output.data(&json!({ "report": record, "markdown": text }), || {
        // What came out of a database stands in it: nothing of it may act on the terminal.
        let lines: Vec<String> = text.lines().map(escaped).collect();
        let mut shown = lines.join("\n");
        if !record.findings.is_empty() {
            shown.push_str("\n\nFor `pi-host report mute`:\n");
            for (number, finding) in record.findings.iter().enumerate() {
                shown.push_str(&format!("  {} {}\n", number + 1, escaped(&finding.claim)));
            }
        }
        shown.push_str(&format!("\npage: {}", record.path.with_extension("html").display()));
        shown
    });
    Ok(())
}

fn muted(output: &Output, project: &Project, topic: &str) -> Result<(), Failure> {
    let all =
        block_on(async { opinions(&open_existing_store(project).await?, topic).await.map_err(anyhow::Error::from) })??;
    output.data(&json!({ "muted": all }), || {
        if all.is_empty() {
            return format!("nothing is muted for `{}`", escaped(topic));
        }
        let head = ["KEY", "BY", "UNTIL"].map(str::to_owned).to_vec();
        let rows = all.iter().map(|opinion| {
            let until = opinion.until_ms.map_or_else(|| "for good".to_owned(), clock::rfc3339);
            vec![escaped(&opinion.key), escaped(&opinion.by), until]
        });
        table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
    });
    Ok(())
}
