//! `pi-host policy replay|shadow|learn|log`: the policy against what has happened.

use std::path::Path;

use owo_colors::Style;

use crate::app::policy::{self, Change};
use crate::app::{gate, gate_of_file, open_existing_store};
use crate::cli::output::table;
use crate::cli::{Failure, Output, block_on};
use crate::config::Project;
use crate::gate::Verdict;
use crate::gate::explain::escaped;

pub(super) fn replay(
    output: &Output,
    project: &Project,
    session: Option<&str>,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let gate = match file {
        Some(file) => gate_of_file(project, file)?,
        None => gate(project)?,
    };
    block_on(async {
        let store = open_existing_store(project).await?;
        let replayed = policy::replay(store.as_ref(), &gate, session).await?;
        output.data(&replayed, || {
            let head = format!("{} decisions, {} would be others", replayed.decisions, replayed.changed.len());
            with_changes(output, &head, &replayed.changed)
        });
        Ok(())
    })?
}

pub(super) fn shadow(output: &Output, project: &Project) -> Result<(), Failure> {
    block_on(async {
        let store = open_existing_store(project).await?;
        let shadowed = policy::shadowed(store.as_ref()).await?;
        output.data(&shadowed, || {
            let head = match (&project.config.policy.shadow, shadowed.changed.len()) {
                (None, 0) => {
                    "there is no shadow policy\nhint: [policy] shadow = \"policies/next.json\" in pi.toml".to_owned()
                }
                (_, count) => format!("{count} decisions of the shadow policy were others"),
            };
            with_changes(output, &head, &shadowed.changed)
        });
        Ok(())
    })?
}

pub(super) fn learn(output: &Output, project: &Project) -> Result<(), Failure> {
    block_on(async {
        let store = open_existing_store(project).await?;
        let proposals = policy::learn(store.as_ref()).await?;
        output.data(&proposals, || {
            if proposals.is_empty() {
                return "nothing to propose: nothing was asked about often enough and always approved".to_owned();
            }
            let lines = proposals.iter().map(|proposal| {
                format!(
                    "{}: approved {} times by {}\n  asked by   {}\n  {:<10} {}",
                    output.out(&escaped(&proposal.what), Style::new().bold()),
                    proposal.approved,
                    escaped(&proposal.by.join(", ")),
                    escaped(&proposal.rules.join(", ")),
                    escaped(&proposal.place),
                    escaped(&proposal.change.to_string()),
                )
            });
            lines.collect::<Vec<_>>().join("\n")
        });
        Ok(())
    })?
}

pub(super) fn log(output: &Output, project: &Project, session: Option<&str>) -> Result<(), Failure> {
    block_on(async {
        let store = open_existing_store(project).await?;
        for logged in policy::log(store.as_ref(), session).await? {
            let line = serde_json::to_string(&logged).unwrap_or_default();
            output.data(&logged, || line);
        }
        Ok(())
    })?
}

fn with_changes(output: &Output, head: &str, changes: &[Change]) -> String {
    let rows: Vec<Vec<String>> = changes
        .iter()
        .map(|change| {
            vec![
                change.time.clone(),
                escaped(&change.agent),
                format!("{} -> {}", word(output, change.was), word(output, change.is)),
                escaped(&change.action.chars().take(100).collect::<String>()),
                escaped(&change.is_rules.join(", ")),
            ]
        })
        .collect();
    if rows.is_empty() { head.to_owned() } else { format!("{head}\n{}", table(&rows)) }
}

pub(super) fn word(output: &Output, verdict: Verdict) -> String {
    let (word, style) = match verdict {
        Verdict::Allow => ("allow", Style::new().green()),
        Verdict::Ask => ("ask", Style::new().yellow()),
        Verdict::Deny => ("deny", Style::new().red()),
    };
    output.out(word, style)
}
