//! `pi-host plugin list|inspect`

use std::path::Path;

use serde_json::json;

use super::output::table;
use super::{Failure, Output};
use crate::app::{Catalog, Source};
use crate::config::Project;
use crate::plugin::{Binary, Import};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the plugins that this project can use
    List,
    /// Show what a plugin imports, declares and is granted, without running it
    Inspect {
        /// A plugin's name, or the path of a component
        plugin: String,
    },
}

pub(crate) fn run(output: &Output, project: &Path, command: Command) -> Result<(), Failure> {
    let project = Project::load(project)?;
    let catalog = Catalog::of(&project)?;
    match command {
        Command::List => list(output, &catalog),
        Command::Inspect { plugin } => inspect(output, &project, &catalog, &plugin),
    }
}

fn list(output: &Output, catalog: &Catalog) -> Result<(), Failure> {
    let mut values = Vec::new();
    let mut rows = vec![["plugin", "kind", "version", "from", "what"].map(String::from).to_vec()];
    for name in catalog.names() {
        let binary = catalog.binary(name)?;
        let manifest = binary.manifest;
        let from = match catalog.source(name) {
            Some(Source::File(path)) => path.display().to_string(),
            _ => "built in".into(),
        };
        let kind = format!("{:?}", manifest.kind).to_lowercase();
        rows.push(vec![
            name.into(),
            kind.clone(),
            manifest.version.clone(),
            from.clone(),
            manifest.description.clone(),
        ]);
        values.push(json!({
            "name": name, "kind": kind, "version": manifest.version, "from": from, "description": manifest.description,
            "tools": manifest.tools.iter().map(|tool| &tool.name).collect::<Vec<_>>(),
        }));
    }
    output.data(&values, || table(&rows));
    Ok(())
}

fn inspect(output: &Output, project: &Project, catalog: &Catalog, plugin: &str) -> Result<(), Failure> {
    let binary = if catalog.source(plugin).is_none() && Path::new(plugin).is_file() {
        let bytes = std::fs::read(plugin)?;
        Binary::read(&bytes).map_err(|error| anyhow::anyhow!("{plugin}: {error}"))?
    } else {
        catalog.binary(plugin)?
    };
    let grant = project.config.grants.get(plugin);
    let value = json!({
        "manifest": binary.manifest, "imports": binary.imports, "exports": binary.exports, "grant": grant,
    });
    output.data(&value, || {
        let manifest = &binary.manifest;
        let mut text = format!(
            "{} {} ({:?}, contract {})\n{}\n",
            manifest.name, manifest.version, manifest.kind, manifest.contract, manifest.description
        );
        text.push_str("\nimports:\n");
        for import in &binary.imports {
            match import {
                Import::Inert(name) => text.push_str(&format!("  {name}  (inert: nothing behind it)\n")),
                Import::Capability(capability, name) => {
                    let why = manifest
                        .needs
                        .iter()
                        .find(|need| need.capability == capability.name())
                        .map_or("", |need| need.why.as_str());
                    text.push_str(&format!("  {name}  needs `{}`: {why}\n", capability.name()));
                }
            }
        }
        text.push_str("\ntools:\n");
        for tool in &manifest.tools {
            text.push_str(&format!("  {} ({:?}): {}\n", tool.name, tool.effect, tool.description));
        }
        let granted = grant.and_then(|grant| toml::to_string(grant).ok()).unwrap_or_else(|| "nothing\n".into());
        text.push_str(&format!("\ngranted by pi.toml:\n{granted}"));
        text.trim_end().to_owned()
    });
    Ok(())
}
