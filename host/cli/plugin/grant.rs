//! `pi-host plugin grant`, `plugin revoke`: changing `[grants.NAME]` without an editor.

use owo_colors::Style;
use serde_json::json;

use crate::app::plugins::{Edit, GrantWord};
use crate::app::{Catalog, Setup};
use crate::cli::{Failure, Output};
use crate::config::Project;
use crate::confine::Confine;
use crate::gate::explain::escaped;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The plugin or agent
    name: String,
    /// CAPABILITY, CAPABILITY.KEY or CAPABILITY.KEY=VALUE[,VALUE]
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,
    /// Show what would change in pi.toml, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn grant(output: &Output, project: &Project, arguments: &Arguments) -> Result<(), Failure> {
    let (catalog, edit) = changed(project, arguments, |edit, word| edit.grant(&arguments.name, word))?;
    // What cannot be kept, or is not asked for, would be an error at the next start.
    let next = Project { directory: project.directory.clone(), config: edit.config()?, has_file: true };
    let name = &arguments.name;
    let plugin = project.config.agents.get(name).and_then(|agent| agent.plugin.as_ref()).unwrap_or(name);
    Setup::new(next, Confine::new(), 1)?.check_grant(name, &catalog.binary(plugin)?.manifest)?;
    finish(output, &edit, arguments.dry_run)
}

pub(crate) fn revoke(output: &Output, project: &Project, arguments: &Arguments) -> Result<(), Failure> {
    let (_, edit) = changed(project, arguments, |edit, word| edit.revoke(&arguments.name, word))?;
    finish(output, &edit, arguments.dry_run)
}

fn changed(
    project: &Project,
    arguments: &Arguments,
    apply: impl Fn(&mut Edit, &GrantWord) -> Result<(), crate::app::plugins::EditError>,
) -> Result<(Catalog, Edit), Failure> {
    let name = &arguments.name;
    let catalog = Catalog::of(project)?;
    if catalog.source(name).is_none() && !project.config.agents.contains_key(name) {
        let known = catalog.names().collect::<Vec<_>>().join(", ");
        return Err(anyhow::anyhow!(
            "there is no plugin or agent `{name}`\nhint: there are {known}; `pi-host plugin install` brings others"
        )
        .into());
    }
    let mut edit = Edit::begin(project)?;
    for word in &arguments.words {
        apply(&mut edit, &GrantWord::parse(word)?)?;
    }
    Ok((catalog, edit))
}

/// Show what changes, and write it unless it is only to be shown.
pub(super) fn finish(output: &Output, edit: &Edit, is_dry: bool) -> Result<(), Failure> {
    let diff = edit.diff();
    if is_dry {
        edit.config()?;
    } else if !edit.is_empty() {
        edit.write()?;
    }
    let value = json!({ "changed": !edit.is_empty() && !is_dry, "diff": diff });
    output.data(&value, || match (diff.is_empty(), is_dry) {
        (true, _) => "pi.toml says so already: nothing changes".to_owned(),
        (false, true) => format!("{}\nnothing was changed (--dry-run)", coloured(output, &diff)),
        (false, false) => coloured(output, &diff),
    });
    Ok(())
}

/// A unified diff as people know it.
pub(super) fn coloured(output: &Output, diff: &str) -> String {
    let line = |line: &str| {
        let (begin, line) = (line.chars().next(), escaped(line));
        match begin {
            Some('+') => output.out(&line, Style::new().green()),
            Some('-') => output.out(&line, Style::new().red()),
            Some('@') => output.out(&line, Style::new().cyan()),
            _ => line,
        }
    };
    diff.lines().map(line).collect::<Vec<_>>().join("\n")
}
