//! From `pi.toml` to the gate: the policy and its Rego, what is granted to be run, what nobody may change.

use std::path::{Path, PathBuf};

use super::peers;
use super::setup::SetupError;
use crate::config::{FILE, Project};
use crate::gate::{Gate, Policy, Rego, RegoSource};

/// The gate of a project: its policy, what it grants to be run, and what no agent may change.
///
/// # Errors
/// The policy cannot be read, or is none; the text names the place.
pub fn gate(project: &Project) -> Result<Gate, SetupError> {
    gate_under(project, policy(project)?)
}

/// The gate of a project under another policy.
///
/// # Errors
/// As of [`gate`].
pub fn gate_of_file(project: &Project, file: &Path) -> Result<Gate, SetupError> {
    gate_under(project, read_policy(file)?)
}

/// The gate of a project under the policy that comes with the program.
///
/// # Errors
/// As of [`gate`].
pub fn gate_of_builtin(project: &Project) -> Result<Gate, SetupError> {
    gate_under(project, Policy::builtin())
}

/// The gate whose decisions are noted and never obeyed, where `pi.toml` names one.
///
/// # Errors
/// As of [`gate`].
pub(super) fn shadow_gate(project: &Project) -> Result<Option<Gate>, SetupError> {
    let file = project.config.policy.shadow.as_ref();
    file.map(|file| gate_of_file(project, &project.directory.join(file))).transpose()
}

fn gate_under(project: &Project, policy: Policy) -> Result<Gate, SetupError> {
    let granted = project.config.grants.values().filter_map(|grant| grant.process.as_ref());
    let granted = granted.flat_map(|process| process.programs.clone());
    let mut protected = Vec::new();
    // Where there is no project, there is nothing of it to protect.
    if project.has_file || project.state().exists() {
        protected.extend([project.state(), project.directory.join(FILE)]);
        protected.extend(governing(project));
        protected.extend(crate::config::cache_folder());
    }
    // What is a link is protected under both its names.
    let real: Vec<PathBuf> = protected.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let protected = protected.into_iter().chain(real).map(|path| path.display().to_string());
    let production = &project.config.production;
    let gate = Gate::new(policy)
        .with_granted_programs(granted)
        .with_granted_commands(peers::commands(project))
        .with_protected_paths(protected)
        .with_profile(project.config.policy.profile)
        .with_production(&production.targets, production.factor)
        .map_err(SetupError::Production)?;
    let sources = rego_sources(project)?;
    if sources.is_empty() {
        return Ok(gate);
    }
    let sources: Vec<RegoSource<'_>> = sources.iter().map(|(file, text)| RegoSource { file, text }).collect();
    Ok(gate.with_rego(Rego::compile(&sources)?)?)
}

/// The files that the policy of a project is read from.
pub(super) fn policy_files(project: &Project) -> Vec<PathBuf> {
    let config = &project.config.policy;
    let files = config.file.iter().chain(&config.shadow).map(|file| project.directory.join(file));
    // A folder that cannot be read now is an error when it is read.
    files.chain(rego_files(project).unwrap_or_default()).collect()
}

/// The modules that `[policy] rego` names, by their paths.
fn rego_sources(project: &Project) -> Result<Vec<(String, String)>, SetupError> {
    let read = |path: PathBuf| {
        let name = path.display().to_string();
        let text = read_limited(&path).map_err(|error| SetupError::PolicyFile { file: name.clone(), error })?;
        Ok((name, text))
    };
    rego_files(project)?.into_iter().map(read).collect()
}

/// The files that `[policy] rego` names. Of a folder: all `*.rego` in it.
fn rego_files(project: &Project) -> Result<Vec<PathBuf>, SetupError> {
    let mut files = Vec::new();
    for named in &project.config.policy.rego {
        let path = project.directory.join(named);
        if path.is_dir() {
            let failed = |error| SetupError::PolicyFile { file: path.display().to_string(), error };
            let entries =
                std::fs::read_dir(&path).map_err(failed)?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
            files.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "rego")));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// The text of a policy file. One that is larger than any policy is an error. Danger: a device or a
/// disk image in its place.
fn read_limited(path: &Path) -> std::io::Result<String> {
    const BYTES_MAX: u64 = 16 << 20;
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > BYTES_MAX {
        return Err(std::io::Error::other(format!("it is no file of at most {BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path)
}

/// The files that decide what the host does, beside `pi.toml`: the policy, the plugins, the runbooks that agents follow.
pub(super) fn governing(project: &Project) -> Vec<PathBuf> {
    let plugins = project.config.plugins.values().filter_map(|plugin| plugin.path.as_ref());
    let config = &project.config.policy;
    let policies = config.file.iter().chain(&config.shadow).chain(&config.rego);
    let lock = super::catalog::lock_file(project);
    let files = policies.chain(plugins).map(|path| project.directory.join(path));
    // What is known about packages decides as well.
    let store = project.config.packages.store.iter().map(|store| project.directory.join(store));
    let servers = peers::files(project);
    let keys = project.config.signatures.keys.iter().map(|key| project.directory.join(key));
    // Who could write such a file could speak for the host that it is of.
    let requests = project.config.grants.values().filter_map(|grant| grant.http.as_ref());
    let authorities = requests.flat_map(|http| http.hosts.iter().filter_map(|host| host.ca_file.as_ref()));
    let authorities = authorities.map(|file| project.directory.join(file));
    let files = files.chain(store).chain(servers).chain(keys).chain(authorities);
    // What an agent follows is chosen by people: who could write it could act in that agent's name.
    let is_followed = project.config.agents.values().any(|agent| !agent.runbooks.is_empty());
    let runbooks = is_followed.then(|| project.directory.join(&project.config.runbooks.folder));
    files.chain(runbooks).chain([lock, project.directory.join("policies")]).collect()
}

/// The policy of a project: its file, or the built-in one.
fn policy(project: &Project) -> Result<Policy, SetupError> {
    match &project.config.policy.file {
        Some(file) => read_policy(&project.directory.join(file)),
        None => Ok(Policy::builtin()),
    }
}

fn read_policy(path: &Path) -> Result<Policy, SetupError> {
    let name = path.display().to_string();
    let text = read_limited(path).map_err(|error| SetupError::PolicyFile { file: name.clone(), error })?;
    Ok(Policy::parse(&text, &name)?)
}
