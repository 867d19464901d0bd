//! `pi-host session list|show|resume|replay|fork|export|prune|verify`

use std::path::{Path, PathBuf};

use owo_colors::Style;
use serde_json::json;

use super::{Failure, Output, block_on, run};
use crate::app::{
    fork_session, open_existing_store, prune_sessions, replay_session, session_mask, would_prune, write_export,
};
use crate::clock;
use crate::config::{Project, SessionsConfig};
use crate::gate::explain::escaped;
use crate::journal::{Pruning, export, list, list_text, read, show, show_text, verify, verify_text};
use crate::report::transcript;
use crate::session::{Replayed, Requests, Verdict};

/// Sessions in the list where not all are asked for.
const LISTED_MAX: usize = 50;
/// Of what pruning did, at most so many lines.
const PRUNED_LINES_MAX: usize = 20;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the sessions
    List {
        /// All of them, those that were pruned included; without it, the latest 50
        #[arg(long)]
        all: bool,
    },
    /// Show what a session did, step by step
    Show {
        /// The session's id
        id: String,
    },
    /// Take up sessions that were cut off, and end when they have ended
    Resume {
        /// The session's id; without it, all that were cut off
        id: Option<String>,
    },
    /// Run a session's agent against its journal: nothing is done, no model is asked
    #[command(
        after_help = "Examples:\n  pi-host session replay pi-20261123101112-1a2b3c4d\n  pi-host session replay ID --component next.wasm   does the new version ask for the same?\n\nExit code: 0 where all that was asked is the same, 1 at the first difference"
    )]
    Replay {
        /// The session's id
        id: String,
        /// Another component in the agent's place
        #[arg(long, value_name = "FILE")]
        component: Option<PathBuf>,
    },
    /// Begin a session with the entries of another one, and go on from there
    #[command(
        after_help = "Examples:\n  pi-host session show ID             # its entries are numbered\n  pi-host session fork ID --at 12\n  pi-host session resume FORK\n\nWhat the copied entries say is not done again."
    )]
    Fork {
        /// The session's id
        id: String,
        /// The last entry that is copied; without it, as late as can be
        #[arg(long, value_name = "ENTRY")]
        at: Option<u64>,
    },
    /// Write a session down: as JSON lines that others can verify, or as a page for people
    #[command(
        after_help = "Examples:\n  pi-host session export ID > session.jsonl\n  pi-host session export ID --output session.html"
    )]
    Export {
        /// The session's id
        id: String,
        /// Without it, by the ending of the file; jsonl where there is none
        #[arg(long)]
        format: Option<Format>,
        /// A file, instead of standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Remove the entries of sessions that ended long ago; that it was done stays in the journal
    #[command(
        after_help = "Examples:\n  pi-host session prune --dry-run\n  pi-host session prune --older-than 30d\n\nWithout --older-than, [sessions] keep_days in pi.toml says how long sessions are kept."
    )]
    Prune {
        /// So long after their end: 30d, 12h, 2w
        #[arg(long, value_name = "TIME", value_parser = age_ms)]
        older_than: Option<u64>,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
    /// Check the hash chain of the journal
    Verify {
        /// The session's id; without it, all of them
        id: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Jsonl,
    Html,
}

pub(crate) fn run(output: &Output, directory: &Path, command: Command) -> Result<(), Failure> {
    let project = Project::load(directory)?;
    match command {
        Command::List { all } => block_on(listed(output, &project, all))?,
        Command::Show { id } => block_on(async {
            let store = open_existing_store(&project).await?;
            let mask = session_mask(&project)?;
            let view = show(store.as_ref(), &id, mask.as_deref()).await?;
            output.data(&view, || show_text(&view).trim_end().to_owned());
            Ok(())
        })?,
        Command::Resume { id } => run::resume(output, project, id),
        Command::Replay { id, component } => block_on(replayed(output, &project, &id, component.as_deref()))?,
        Command::Fork { id, at } => block_on(async {
            let forked = fork_session(&project, &id, at).await?;
            output.data(&forked, || {
                let next = format!("`pi-host session resume {}` goes on with it", forked.session);
                format!("{}\nforked from {} at entry {}; {next}", forked.session, escaped(&forked.parent), forked.at)
            });
            Ok(())
        })?,
        Command::Export { id, format, output: file } => block_on(exported(output, &project, &id, format, file))?,
        Command::Prune { older_than, dry_run } => block_on(pruned(output, &project, older_than, dry_run))?,
        Command::Verify { id } => block_on(async {
            let store = open_existing_store(&project).await?;
            let reports = verify(store.as_ref(), id.as_deref()).await?;
            output.data(&reports, || verify_text(&reports).trim_end().to_owned());
            if reports.iter().all(|report| report.problems.is_empty()) {
                return Ok(());
            }
            output.note(&output.err("the journal does not hold", Style::new().red().bold()));
            Err(Failure::Said)
        })?,
    }
}

async fn listed(output: &Output, project: &Project, all: bool) -> Result<(), Failure> {
    let store = open_existing_store(project).await?;
    let limit = (!all && !output.is_json).then_some(LISTED_MAX);
    let mut found = list(store.as_ref(), all, limit).await?;
    if let Some(mask) = session_mask(project)? {
        found.sessions.iter_mut().for_each(|session| session.hide(mask.as_ref()));
    }
    output.data(&found.sessions, || list_text(&found.sessions).trim_end().to_owned());
    if found.earlier > 0 {
        output.note(&format!("{} earlier ones: `pi-host session list --all`", found.earlier));
    }
    Ok(())
}

async fn replayed(output: &Output, project: &Project, id: &str, component: Option<&Path>) -> Result<(), Failure> {
    let replayed = replay_session(project, id, component).await?;
    output.data(&replayed, || replayed_text(&replayed));
    if matches!(replayed.verdict, Verdict::Differs { .. }) { Err(Failure::Said) } else { Ok(()) }
}

fn replayed_text(replayed: &Replayed) -> String {
    let Requests { calls, questions, waits, listens } = replayed.requests;
    let kinds: Vec<String> = [
        (calls, "call", "calls"),
        (questions, "question to a model", "questions to models"),
        (waits, "wait", "waits"),
        (listens, "look for what people say", "looks for what people say"),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
    .collect();
    let kinds = if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") };
    let all = replayed.requests.all();
    match &replayed.verdict {
        Verdict::Identical => format!("identical: {all} requests ({kinds}), and the same end"),
        Verdict::CutOff { key, next } => format!(
            "identical as far as the journal goes: {all} requests ({kinds})\n  the journal ends before step {key}\n  next: {next}"
        ),
        Verdict::Differs { key, sequence, recorded, asked } => {
            let entry = sequence.map_or_else(String::new, |sequence| format!(", entry {sequence}"));
            format!(
                "different at step {key}{entry}, after {all} requests that are the same ({kinds})\n  journal: {recorded}\n  now:     {asked}"
            )
        }
    }
}

async fn exported(
    output: &Output,
    project: &Project,
    id: &str,
    format: Option<Format>,
    file: Option<PathBuf>,
) -> Result<(), Failure> {
    let is_html = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "html" || ending == "htm");
    let by_ending = if file.as_ref().is_some_and(is_html) { Format::Html } else { Format::Jsonl };
    let store = open_existing_store(project).await?;
    let mask = session_mask(project)?;
    let (text, problems) = match format.unwrap_or(by_ending) {
        Format::Jsonl => {
            let exported = export(store.as_ref(), id, mask.as_deref()).await?;
            (exported.text, exported.problems)
        }
        Format::Html => {
            let (session, entries) = read(store.as_ref(), id, mask.as_deref()).await?;
            let reports = verify(store.as_ref(), Some(id)).await?;
            let problems = reports.iter().flat_map(|report| &report.problems).map(|problem| problem.detail.clone());
            let problems: Vec<String> = problems.collect();
            let head = reports.iter().find_map(|report| report.head.as_deref());
            (transcript(&session, &entries, head, &problems), problems)
        }
    };
    match &file {
        Some(file) => {
            write_export(file, &text)?;
            let told = json!({ "file": file, "bytes": text.len(), "problems": problems });
            output.data(&told, || format!("{}", file.display()));
        }
        None => output.text(&text),
    }
    let Some(problem) = problems.first() else { return Ok(()) };
    let more = if problems.len() > 1 { format!(", and {} more", problems.len() - 1) } else { String::new() };
    let said = output.err("the journal does not hold", Style::new().red().bold());
    output.note(&format!("{said}: {}{more}", escaped(problem)));
    Err(Failure::Said)
}

async fn pruned(output: &Output, project: &Project, older_than: Option<u64>, dry_run: bool) -> Result<(), Failure> {
    let kept_ms = |config: &SessionsConfig| config.keep_days.map(|days| u64::from(days).saturating_mul(DAY_MS));
    let Some(age_ms) = older_than.or_else(|| kept_ms(&project.config.sessions)) else {
        return Err(anyhow::anyhow!(
            "nothing says how long sessions are kept\nhint: give --older-than 90d, or set [sessions] keep_days in pi.toml"
        )
        .into());
    };
    let before_ms = clock::now_ms().saturating_sub(age_ms);
    let pruning =
        if dry_run { would_prune(project, before_ms).await? } else { prune_sessions(project, before_ms).await? };
    output.data(&pruning, || pruned_text(&pruning, dry_run));
    Ok(())
}

fn pruned_text(pruning: &Pruning, dry_run: bool) -> String {
    let mut lines: Vec<String> = pruning
        .pruned
        .iter()
        .take(PRUNED_LINES_MAX)
        .map(|session| {
            let ended = clock::rfc3339(session.ended_ms);
            format!(
                "{}  {}  {}  ended {ended}",
                escaped(&session.session),
                escaped(&session.agent),
                escaped(&session.status)
            )
        })
        .collect();
    if pruning.pruned.len() > PRUNED_LINES_MAX {
        lines.push(format!("and {} more", pruning.pruned.len() - PRUNED_LINES_MAX));
    }
    for (session, why) in &pruning.left {
        lines.push(format!("left: {}: {}", escaped(session), escaped(why)));
    }
    let count = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let sessions = count(pruning.pruned.len() as u64, "session");
    lines.push(match dry_run {
        true => format!("{sessions} would be pruned"),
        false => format!(
            "{sessions} pruned, with {} and {} that nobody needs any more",
            count(pruning.payloads, "large payload"),
            count(pruning.components as u64, "component")
        ),
    });
    lines.join("\n")
}

/// Milliseconds of a day.
const DAY_MS: u64 = crate::session::DAY_MS;

/// `30d`, `12h`, `2w` in milliseconds.
fn age_ms(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{}` is no time: write 30d, 12h or 2w", escaped(text));
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit_ms = match unit {
        "h" => DAY_MS / 24,
        "d" => DAY_MS,
        "w" => 7 * DAY_MS,
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    Ok(u64::from(number).saturating_mul(unit_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        assert_eq!(age_ms("30d"), Ok(30 * DAY_MS));
        assert_eq!(age_ms("12h"), Ok(DAY_MS / 2));
        assert_eq!(age_ms("2w"), Ok(14 * DAY_MS));
        assert_eq!(age_ms("0d"), Ok(0));
        for wrong in ["", "d", "30", "-1d", "30m", "1.5d", "3\u{20ac}"] {
            assert!(age_ms(wrong).unwrap_err().contains("30d, 12h or 2w"), "{wrong}");
        }
    }

    #[test]
    fn the_first_difference_reads_in_three_lines() {
        let verdict = Verdict::Differs {
            key: "3.0".into(),
            sequence: Some(14),
            recorded: "`read {\"path\":\"a\"}`".into(),
            asked: "`read {\"path\":\"b\"}`".into(),
        };
        let requests = Requests { calls: 2, questions: 2, ..Requests::default() };
        insta::assert_snapshot!(replayed_text(&Replayed { verdict, requests }), @r#"
        different at step 3.0, entry 14, after 4 requests that are the same (2 calls, 2 questions to models)
          journal: `read {"path":"a"}`
          now:     `read {"path":"b"}`
        "#);
        let cut = Verdict::CutOff { key: "1".into(), next: "a question to `m`".into() };
        insta::assert_snapshot!(replayed_text(&Replayed { verdict: cut, requests: Requests::default() }), @r"
        identical as far as the journal goes: 0 requests (none)
          the journal ends before step 1
          next: a question to `m`
        ");
    }
}
