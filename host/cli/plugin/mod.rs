//! `pi-host plugin`: what plugins there are, what they may do, and making them.

mod bench;
mod dev;
mod grant;
mod install;
mod new;
mod pack;
mod publish;

use std::path::Path;

use serde_json::json;

use crate::app::plugins::sweep;
use crate::app::{Catalog, Source, look};
use crate::cli::output::table;
use crate::cli::{Failure, Output};
use crate::config::Project;
use crate::gate::explain::escaped;
use crate::plugin::{Import, Reflected, name_of_file};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the plugins that this project can use
    List,
    /// Show what a plugin imports, declares and is granted, without running it
    Inspect {
        /// A plugin's name, or the path of a component
        plugin: String,
    },
    /// Install a plugin from a file, the web or a registry, after showing what it may do
    Install(install::InstallArguments),
    /// Take a newer version, after showing what changes
    Update(install::UpdateArguments),
    /// Remove a plugin, its grants and its component
    Remove(install::RemoveArguments),
    /// Compare the installed components with plugins.lock, byte for byte
    Verify(install::VerifyArguments),
    /// Grant a plugin or an agent more: changes pi.toml
    #[command(after_help = GRANT_HELP)]
    Grant(grant::Arguments),
    /// Take a grant back: changes pi.toml
    #[command(after_help = REVOKE_HELP)]
    Revoke(grant::Arguments),
    /// Make a project for a plugin of your own
    New(new::NewArguments),
    /// Run the cases of a plugin's tests.json
    Test(new::TestArguments),
    /// Put the manifest into a component, so that it can be installed
    Pack(pack::Arguments),
    /// Reload a component whenever it is built, and call or serve it
    Dev(dev::Arguments),
    /// Publish a packed component in a registry
    Push(publish::PushArguments),
    /// Sign a component, beside its file or in its registry
    Sign(publish::SignArguments),
    /// Make a pair of keys to sign with
    Keygen(publish::KeygenArguments),
    /// Measure what a call of a plugin's tool costs here
    Bench(bench::Arguments),
}

const GRANT_HELP: &str = "\
Examples:
  pi-host plugin grant weather files.read=station,archive
  pi-host plugin grant weather process.programs=ps process.timeout_ms_max=2000
  pi-host plugin grant weather log --dry-run";

const REVOKE_HELP: &str = "\
Examples:
  pi-host plugin revoke weather files.read=archive
  pi-host plugin revoke weather process";

pub(crate) fn run(output: &Output, folder: &Path, command: Command) -> Result<(), Failure> {
    let project = || Project::load(folder);
    if writes(&command) {
        // What cannot be swept now is swept by the next command, and keeps nobody from this one.
        let _ = sweep(&project()?).map_err(|error| output.note(&error.to_string()));
    }
    match command {
        Command::List => list(output, &Catalog::of(&project()?)?),
        Command::Inspect { plugin } => {
            let project = project()?;
            inspect(output, &project, &Catalog::of(&project)?, &plugin)
        }
        Command::Install(arguments) => install::install(output, &project()?, &arguments),
        Command::Update(arguments) => install::update(output, &project()?, &arguments),
        Command::Remove(arguments) => install::uninstall(output, &project()?, &arguments),
        Command::Verify(arguments) => install::check(output, &project()?, &arguments),
        Command::Dev(arguments) => dev::run(output, project()?, &arguments),
        Command::Push(arguments) => publish::push(output, &project()?, &arguments),
        Command::Sign(arguments) => publish::run_sign(output, &arguments),
        Command::Keygen(arguments) => publish::keygen(output, &arguments),
        Command::Grant(arguments) => grant::grant(output, &project()?, &arguments),
        Command::Revoke(arguments) => grant::revoke(output, &project()?, &arguments),
        Command::New(arguments) => new::new(output, folder, &arguments),
        Command::Test(arguments) => new::run_tests(output, &arguments),
        Command::Pack(arguments) => pack::run(output, &arguments),
        Command::Bench(arguments) => bench::run(output, project()?, &arguments),
    }
}

/// Whether it may change what the project consists of.
fn writes(command: &Command) -> bool {
    matches!(
        command,
        Command::Install(_) | Command::Update(_) | Command::Remove(_) | Command::Grant(_) | Command::Revoke(_)
    )
}

fn list(output: &Output, catalog: &Catalog) -> Result<(), Failure> {
    let mut values = Vec::new();
    let mut rows = vec![["plugin", "kind", "version", "from", "what"].map(String::from).to_vec()];
    for name in catalog.names() {
        let binary = catalog.binary(name)?;
        let manifest = binary.manifest;
        let from = match catalog.source(name) {
            Some(Source::File(path)) => path.display().to_string(),
            Some(Source::Installed { locked, .. }) => locked.source.to_string(),
            _ => "built in".into(),
        };
        let kind = format!("{:?}", manifest.kind).to_lowercase();
        rows.push(vec![
            escaped(name),
            kind.clone(),
            escaped(&manifest.version),
            escaped(&from),
            escaped(&manifest.description),
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
        let bytes = crate::registry::fetch::read_bounded(Path::new(plugin), crate::registry::COMPONENT_BYTES_MAX)?;
        let stem = Path::new(plugin).file_stem().unwrap_or_default().to_string_lossy();
        look(&bytes, &name_of_file(&stem)).map_err(|error| anyhow::anyhow!("{plugin}: {error}"))?
    } else {
        catalog.binary(plugin)?
    };
    let grant = project.config.grants.get(plugin);
    let value = json!({
        "manifest": binary.manifest, "imports": binary.imports, "exports": binary.exports, "grant": grant,
        "reflected": binary.reflected,
    });
    output.data(&value, || {
        // Nobody trusts it yet, so no text of it becomes lines of its own either: one of them could
        // read like another import.
        let manifest = &binary.manifest;
        let mut text = format!(
            "{} {} ({:?}, contract {})\n{}\n",
            escaped(&manifest.name),
            escaped(&manifest.version),
            manifest.kind,
            escaped(&manifest.contract),
            escaped(&manifest.description)
        );
        text.push_str("\nimports:\n");
        for import in &binary.imports {
            match import {
                Import::Inert(name) => text.push_str(&format!("  {}  (inert: nothing behind it)\n", escaped(name))),
                Import::Capability(capability, name) => {
                    let why = manifest
                        .needs
                        .iter()
                        .find(|need| need.capability == capability.name())
                        .map_or("", |need| need.why.as_str());
                    text.push_str(&format!("  {}  needs `{}`: {}\n", escaped(name), capability.name(), escaped(why)));
                }
            }
        }
        text.push_str("\ntools:\n");
        for tool in &manifest.tools {
            let (name, description) = (escaped(&tool.name), escaped(&tool.description));
            text.push_str(&format!("  {name} ({:?}): {description}\n", tool.effect));
        }
        if let Some(reflected) = &binary.reflected {
            text.push_str(&made_of(reflected));
        }
        let granted = grant.and_then(|grant| toml::to_string(grant).ok()).unwrap_or_else(|| "nothing\n".into());
        text.push_str(&format!("\ngranted by pi.toml:\n{granted}"));
        text.trim_end().to_owned()
    });
    Ok(())
}

/// What of a component without a manifest the tools are, and what is none.
fn made_of(reflected: &Reflected) -> String {
    let mut text = String::from(match &reflected.act {
        Some(_) => "\nit is of ACT: its tools are those that it lists\n",
        None => "\nit has no manifest: its tools were made from what it exports\n",
    });
    for function in &reflected.functions {
        text.push_str(&format!("  {} is {}\n", function.tool, escaped(&function.export())));
    }
    if !reflected.left_out.is_empty() {
        text.push_str("\nleft out:\n");
    }
    for left in &reflected.left_out {
        text.push_str(&format!("  {}: {}\n", escaped(&left.export), left.why));
    }
    text
}
