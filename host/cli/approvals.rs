//! `pi-host approvals list|show|approve|deny|revoke`

use std::path::Path;

use owo_colors::Style;
use serde_json::json;

use super::output::escaped_lines;
use super::{Failure, Output, block_on};
use crate::app::{answer_approval, open_existing_store, revoke_approval};
use crate::approval::channel::Scope;
use crate::approval::{Pending, Said, State};
use crate::clock;
use crate::config::{Project, user};
use crate::gate::Act;
use crate::gate::explain::escaped;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List what waits for a person
    List {
        /// Also what is decided already
        #[arg(long)]
        all: bool,
        /// Only those that let acts through from now on
        #[arg(long, conflicts_with = "all")]
        standing: bool,
    },
    /// Show one approval: the exact act, why it is asked, who has answered
    Show {
        /// The approval's id
        id: String,
    },
    /// Let an act be done
    #[command(
        after_help = "Examples:\n  pi-host approvals approve a-1f2e3d4c5b\n  pi-host approvals approve a-1f2e3d4c5b --session --comment 'as discussed'\n  pi-host approvals approve a-1f2e3d4c5b --rule-minutes 30\n  pi-host approvals approve a-1f2e3d4c5b --edit '[\"/usr/bin/rm\", \"old.log\"]'"
    )]
    Approve {
        /// The approval's id
        id: String,
        /// Let this very act be done as often as its session asks for it
        #[arg(long, conflicts_with = "rule_minutes")]
        session: bool,
        /// Let this agent do what the same rules ask about, at no higher risk, for so long
        #[arg(long, value_name = "MINUTES")]
        rule_minutes: Option<u32>,
        /// Let this be done instead: the final arguments of the program, as a JSON list
        #[arg(long, value_name = "ARGV")]
        edit: Option<String>,
        /// For who reads the journal
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Let an act not be done; the agent reads why
    Deny {
        /// The approval's id
        id: String,
        /// What the agent should know
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Take back an approval that lets acts through from now on
    #[command(after_help = "Examples:\n  pi-host approvals list --standing\n  pi-host approvals revoke a-1f2e3d4c5b")]
    Revoke {
        /// The approval's id
        id: String,
    },
}

pub(crate) fn run(output: &Output, directory: &Path, command: Command) -> Result<(), Failure> {
    let project = Project::load(directory)?;
    match command {
        Command::List { all, standing } => block_on(async {
            let store = open_existing_store(&project).await?;
            let mut found = crate::approval::all_now(store.as_ref()).await?;
            let now_ms = clock::now_ms();
            let is_wanted = |pending: &Pending| if standing { pending.is_standing(now_ms) } else { pending.is_open() };
            found.retain(|pending| all || is_wanted(pending));
            let nothing = if standing { "nothing is approved from now on" } else { "nothing waits for a person" };
            output.data(&found, || list_text(output, &found, nothing));
            Ok(())
        })?,
        Command::Show { id } => block_on(async {
            let store = open_existing_store(&project).await?;
            let pending = crate::approval::load(store.as_ref(), &id).await?;
            output.data(&pending, || show_text(output, &pending));
            Ok(())
        })?,
        Command::Approve { id, session, rule_minutes, edit, comment } => {
            let scope = match (session, rule_minutes) {
                (true, _) => Scope::Session,
                (_, Some(minutes)) => Scope::Rule { minutes },
                _ => Scope::Once,
            };
            decide(output, project, &id, true, scope, comment, edit.as_deref())
        }
        Command::Revoke { id } => block_on(async {
            let revoked = revoke_approval(project, &id, format!("cli:{}", user())).await?;
            output.data(&json!({ "id": id, "state": revoked.state }), || revoked.outcome());
            Ok(())
        })?,
        Command::Deny { id, comment } => decide(output, project, &id, false, Scope::Once, comment, None),
    }
}

fn decide(
    output: &Output,
    project: Project,
    id: &str,
    is_granted: bool,
    scope: Scope,
    comment: String,
    edit: Option<&str>,
) -> Result<(), Failure> {
    block_on(async {
        let store = open_existing_store(&project).await?;
        let seen = crate::approval::load(store.as_ref(), id).await?;
        drop(store);
        let edited = edit.map(|text| edited(&seen.act, text)).transpose()?;
        let by = format!("cli:{}", user());
        let said = Said { by, is_granted, scope, comment, action_hash: Some(seen.action_hash), edited };
        let outcome = answer_approval(project, id, said).await?;
        let (votes, needed) = (outcome.votes.iter().filter(|vote| vote.is_granted).count(), outcome.votes_needed);
        output.data(&json!({ "id": id, "state": outcome.state, "votes": votes, "needed": needed }), || {
            if outcome.is_open() { format!("counted: {votes} of {needed}") } else { outcome.outcome() }
        });
        Ok(())
    })?
}

/// The act with other arguments.
fn edited(act: &Act, text: &str) -> Result<Act, anyhow::Error> {
    let argv: Vec<String> = serde_json::from_str(text).map_err(|error| {
        anyhow::anyhow!("--edit is no JSON list of texts: {error}\nhint: --edit '[\"/usr/bin/rm\", \"old.log\"]'")
    })?;
    match act {
        Act::ProcessRun { directory, environment, .. } if !argv.is_empty() => {
            Ok(Act::ProcessRun { argv, directory: directory.clone(), environment: environment.clone() })
        }
        Act::ProcessRun { .. } => Err(anyhow::anyhow!("--edit leaves no program")),
        other => Err(anyhow::anyhow!(
            "only the arguments of a program can be edited, not {}\nhint: deny it, and say in --comment what to do",
            other.name()
        )),
    }
}

fn list_text(output: &Output, found: &[Pending], nothing: &str) -> String {
    if found.is_empty() {
        return nothing.into();
    }
    let lines = found.iter().map(|pending| {
        let style = match pending.state {
            State::Waiting => Style::new().yellow().bold(),
            State::Granted | State::Used | State::Edited => Style::new().green(),
            State::Denied | State::Withdrawn => Style::new().dimmed(),
        };
        let state = match pending.state {
            State::Waiting => format!("until {}", clock::rfc3339(pending.expires_ms())),
            _ if pending.is_standing(clock::now_ms()) => standing_text(pending),
            _ => escaped(&pending.outcome()),
        };
        format!(
            "{}  risk {:>3}  {}  {}  {state}",
            output.out(&pending.id, style),
            pending.decision.risk,
            escaped(&pending.origin.agent),
            escaped(&short(&pending.notice("", clock::now_ms()).summary)),
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn show_text(output: &Output, pending: &Pending) -> String {
    let notice = pending.notice("", clock::now_ms());
    let mut lines = vec![
        format!("{}  {}", output.out(&pending.id, Style::new().bold()), escaped(&pending.outcome())),
        format!("  agent     {} (session {})", escaped(&notice.agent), escaped(&notice.session)),
        format!("  wants to  {}", escaped_lines(&notice.command)),
        format!("  risk      {} of 100: {}", notice.risk, escaped(&notice.reason)),
    ];
    lines.extend(
        notice
            .evidence
            .iter()
            .map(|(name, points, detail)| format!("            +{points} {}: {}", escaped(name), escaped(detail))),
    );
    lines.extend(notice.decoded.iter().map(|text| format!("  decoded   {}", escaped_lines(text))));
    lines.extend(notice.effects.iter().map(|text| format!("  effect    {}", escaped(text))));
    lines.push(format!(
        "  asked     {}, until {}",
        clock::rfc3339(pending.created_ms),
        clock::rfc3339(pending.expires_ms())
    ));
    let approvers: Vec<String> = pending
        .stages
        .iter()
        .map(|stage| stage.approvers.iter().map(|name| escaped(name)).collect::<Vec<_>>().join(", "))
        .collect();
    lines.push(format!("  approvers {}; {} needed", approvers.join(", then "), pending.votes_needed));
    lines.extend(pending.votes.iter().map(|vote| {
        let said = if vote.is_granted { "yes" } else { "no" };
        format!("  answered  {said} by {} {}", escaped(&vote.by), escaped(&vote.comment))
    }));
    lines.push(format!("  bound to  {} under policy {}", pending.action_hash, short(&pending.policy)));
    if pending.is_standing(clock::now_ms()) {
        lines.push(format!("hint: pi-host approvals revoke {}", pending.id));
    }
    if pending.is_open() {
        lines.push(format!("hint: pi-host approvals approve {0}, or pi-host approvals deny {0}", pending.id));
    }
    lines.join("\n")
}

/// For what it holds, and how long.
fn standing_text(pending: &Pending) -> String {
    let until = match pending.ends_ms() {
        Some(end) => format!("for {}, until {}", escaped(&pending.decision.rules.join(", ")), clock::rfc3339(end)),
        None => format!("for the session {}", escaped(&pending.origin.session)),
    };
    format!("{until}, {}", escaped(&pending.deciders().join(", ")))
}

fn short(text: &str) -> String {
    const CHARS_MAX: usize = 100;
    let mut short: String = text.chars().take(CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
