//! `pi-host cloud check`

use std::path::Path;

use owo_colors::Style;
use serde_json::json;

use super::output::{escaped_lines, table};
use super::{Failure, Output, block_on};
use crate::app::cloud::{AccountChecked, Permission, check_cloud};
use crate::config::Project;
use crate::gate::explain::escaped;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Say who the host is in an account, and what AWS lets it do of what is granted
    #[command(
        after_help = "What only reads is tried; what changes something is asked for as a dry run where AWS has one, and never done.\n\nThe exit code is 1 where anything is denied or cannot be reached.\n\nExamples:\n  pi-host cloud check\n  pi-host cloud check prod --json"
    )]
    Check {
        /// The account, as in [cloud.NAME]; all of them if left out
        account: Option<String>,
    },
}

pub(crate) fn run(output: &Output, directory: &Path, command: Command) -> Result<(), Failure> {
    let Command::Check { account } = command;
    let project = Project::load(directory)?;
    let checked = block_on(check_cloud(&project, account.as_deref()))??;
    output.data(&json!({ "accounts": checked }), || {
        checked.iter().map(|account| text(output, account)).collect::<Vec<_>>().join("\n\n")
    });
    if checked.iter().all(AccountChecked::is_well) { Ok(()) } else { Err(Failure::Said) }
}

fn text(output: &Output, checked: &AccountChecked) -> String {
    let mut lines = vec![output.out(&checked.account, Style::new().bold())];
    if let Some(identity) = &checked.identity {
        lines.push(format!("  account  {} as {}", escaped(&identity.account), escaped(&identity.arn)));
    }
    lines.push(format!("  region   {}", checked.region.as_deref().unwrap_or("none")));
    if let Some(error) = &checked.error {
        lines.push(format!("  {}", output.out("error", Style::new().red())));
        lines.extend(escaped_lines(error).lines().map(|line| format!("    {line}")));
        return lines.join("\n");
    }
    if checked.operations.is_empty() {
        lines.push("  nothing of it is granted: write [grants.cloud.cloud] in pi.toml".to_owned());
        return lines.join("\n");
    }
    let rows: Vec<Vec<String>> = checked
        .operations
        .iter()
        .map(|operation| {
            let detail = operation.detail.lines().next().unwrap_or_default();
            vec![operation.operation.clone(), operation.result.name().to_owned(), escaped(detail)]
        })
        .collect();
    lines.extend(table(&rows).lines().map(|line| format!("  {line}")));
    let hints = checked.operations.iter().filter(|operation| operation.result == Permission::Denied);
    let hints: std::collections::BTreeSet<String> =
        hints.filter_map(|operation| operation.detail.lines().nth(1)).map(escaped).collect();
    lines.extend(hints.into_iter().map(|hint| format!("  {hint}")));
    lines.join("\n")
}
