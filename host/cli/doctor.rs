//! `pi-host doctor`

use std::path::Path;

use owo_colors::Style;
use serde_json::json;

use super::{Failure, Output, block_on};
use crate::app::{self, Catalog};
use crate::capability::safety::switch::Stopped;
use crate::config::{FILE, Project, cache_folder};
use crate::confine::{Confine, abilities};
use crate::gate::explain::escaped;
use crate::runtime::{Cache, Runtime};
use crate::supervisor::Supervisor;

/// One thing that was looked at.
struct Finding {
    what: String,
    is_good: bool,
    /// What follows from it where it is not good, or what there is.
    detail: String,
}

pub(crate) fn run(output: &Output, directory: &Path) -> Result<(), Failure> {
    let mut findings = Vec::new();
    let mut note =
        |what: &str, is_good: bool, detail: String| findings.push(Finding { what: what.into(), is_good, detail });
    let project = Project::load(directory);
    match &project {
        Ok(project) if project.has_file => note(FILE, true, project.directory.join(FILE).display().to_string()),
        Ok(_) => note(FILE, true, "none here; `pi-host init` writes one".into()),
        Err(error) => note(FILE, false, error.to_string()),
    }
    if let Ok(project) = &project {
        match app::gate(project) {
            Ok(policy) => note("policy", true, format!("revision {}", policy.revision())),
            Err(error) => note("policy", false, error.to_string()),
        }
        match Supervisor::check(&project.config.services) {
            Ok(()) => note("services", true, format!("{} in {FILE}", project.config.services.len())),
            Err(error) => note("services", false, error.to_string()),
        }
        match Catalog::of(project) {
            Ok(catalog) => {
                for name in catalog.names() {
                    match catalog.binary(name) {
                        Ok(binary) => note(&format!("plugin {name}"), true, binary.manifest.version),
                        Err(error) => note(&format!("plugin {name}"), false, error.to_string()),
                    }
                }
            }
            Err(error) => note("plugins", false, error.to_string()),
        }
        if !project.config.mcp.is_empty() {
            match block_on(app::peer_tools(project.clone(), &|_| ()))? {
                Ok(peers) => {
                    for name in project.config.mcp.keys() {
                        let plugin = format!("mcp:{name}");
                        match peers.left_out.iter().find(|(what, _)| *what == plugin) {
                            Some((_, why)) => {
                                note(&plugin, false, why.lines().map(escaped).collect::<Vec<_>>().join("\n"))
                            }
                            None => {
                                let count = peers.tools.iter().filter(|tool| tool.plugin == plugin).count();
                                note(&plugin, true, format!("{count} tools"));
                            }
                        }
                    }
                    let tools = peers
                        .left_out
                        .iter()
                        .filter(|(what, _)| !project.config.mcp.keys().any(|name| *what == format!("mcp:{name}")));
                    for (what, why) in tools {
                        note(&escaped(what), false, format!("left out: {}", escaped(why)));
                    }
                }
                Err(error) => note("MCP servers", false, error.to_string()),
            }
        }
        match block_on(store(project))? {
            Ok(text) => note("store", true, text),
            Err(error) => note("store", false, format!("{error:#}")),
        }
    }
    if let Ok(project) = &project
        && let Ok(Some(stopped)) = block_on(stopped(project))?
    {
        note("agents", false, format!("{}; `pi-host resume-all` lets them go on", stopped.words()));
    }
    match Runtime::new(None) {
        Ok(runtime) if runtime.is_pooled() => note("wasm engine", true, "pooling".into()),
        Ok(_) => {
            note("wasm engine", true, "on demand: the address space does not hold the pool, calls are slower".into())
        }
        Err(error) => note("wasm engine", false, error.to_string()),
    }
    match cache_folder().map(|folder| Cache::open(&folder).map(|_| folder)) {
        Some(Ok(folder)) => note("compile cache", true, folder.display().to_string()),
        Some(Err(error)) => note("compile cache", false, error.to_string()),
        None => note("compile cache", false, "there is no home folder; set PI_CACHE_DIR".into()),
    }
    match block_on(abilities(&Confine::new()))? {
        Ok(abilities) => {
            for line in abilities.lines() {
                note(line.name, line.is_there, line.text);
            }
        }
        Err(error) => note("confinement", false, format!("{error}; granted programs cannot be run")),
    }
    let is_good = findings.iter().all(|finding| finding.is_good);
    let value: Vec<_> =
        findings.iter().map(|f| json!({ "what": f.what, "good": f.is_good, "detail": f.detail })).collect();
    output.data(&value, || {
        let lines = findings.iter().map(|finding| {
            let (word, style) = if finding.is_good {
                ("ok     ", Style::new().green())
            } else {
                ("LACKING", Style::new().red().bold())
            };
            format!(
                "{}  {:<22}  {}",
                output.out(word, style),
                finding.what,
                finding.detail.replace('\n', "\n                                 ")
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    });
    if is_good { Ok(()) } else { Err(Failure::Said) }
}

async fn store(project: &Project) -> anyhow::Result<String> {
    let store = match app::open_existing_store(project).await {
        Ok(store) => store,
        Err(app::StateError::Nothing(_)) => return Ok("none yet".into()),
        Err(error) => return Err(error.into()),
    };
    let sessions = store.sessions().await?.len();
    Ok(match store.holder().await? {
        Some(held) => format!("{sessions} sessions; a host runs: `{}`, pid {}", held.name, held.pid),
        None => format!("{sessions} sessions; no host runs"),
    })
}

/// Whether everything is stopped. What is wrong with the store has been told.
async fn stopped(project: &Project) -> anyhow::Result<Option<Stopped>> {
    let store = app::open_existing_store(project).await?;
    Ok(app::stored_safety(store.as_ref(), &project.config.safety).await?.stopped)
}
