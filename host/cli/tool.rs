//! `pi-host tool list|call`

use std::io::Read;
use std::path::Path;

use anyhow::Context;
use owo_colors::Style;
use serde_json::{Value, json};

use super::output::table;
use super::{Failure, Output, block_on};
use crate::app::{Catalog, PeerTool, call_tool, peer_tools};
use crate::capability::bindings::pi::tool::types::{Content, Error};
use crate::config::Project;
use crate::gate::explain::escaped;
use crate::plugin::{Kind, Tool};
use crate::session::message;

/// Largest arguments that are read.
const ARGUMENTS_BYTES_MAX: u64 = 48 << 20;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the tools of all plugins, and of all MCP servers, which are started for it
    List,
    /// Call one tool, under its grants, the policy and the journal
    #[command(
        after_help = "Examples:\n  pi-host tool call read '{\"path\":\"README.md\"}'\n  echo '{\"command\":\"ls | wc -l\"}' | pi-host tool call bash -\n  pi-host tool call bash @script.json"
    )]
    Call {
        /// The tool's name, as `tool list` has it
        name: String,
        /// Its arguments: a JSON object, @FILE, or - for standard input
        arguments: String,
    },
}

pub(crate) fn run(output: &Output, project: &Path, command: Command) -> Result<(), Failure> {
    let project = Project::load(project)?;
    match command {
        Command::List => list(output, project),
        Command::Call { name, arguments } => call(output, project, &name, &arguments),
    }
}

fn list(output: &Output, project: Project) -> Result<(), Failure> {
    let catalog = Catalog::of(&project)?;
    let mut values = Vec::new();
    let mut rows = vec![["tool", "plugin", "effect", "what"].map(String::from).to_vec()];
    for plugin in catalog.names() {
        let manifest = catalog.binary(plugin)?.manifest;
        if manifest.kind != Kind::Tool {
            continue;
        }
        for tool in manifest.tools {
            rows.push(row(plugin, &tool));
            values.push(json!({ "plugin": plugin, "tool": tool }));
        }
    }
    if !project.config.mcp.is_empty() {
        let progress = |text: &str| output.note(text);
        for PeerTool { plugin, tool } in block_on(peer_tools(project, &progress))??.tools {
            rows.push(row(&plugin, &tool));
            values.push(json!({ "plugin": plugin, "tool": tool }));
        }
    }
    output.data(&values, || table(&rows));
    Ok(())
}

fn row(plugin: &str, tool: &Tool) -> Vec<String> {
    let effect = format!("{:?}", tool.effect).to_lowercase();
    let first = tool.description.lines().next().unwrap_or_default();
    let first = escaped(first.split(". ").next().unwrap_or_default());
    vec![escaped(&tool.name), escaped(plugin), effect, first]
}

fn call(output: &Output, project: Project, name: &str, arguments: &str) -> Result<(), Failure> {
    let arguments = read_arguments(arguments)?;
    let progress = |text: &str| output.note(text);
    let result = block_on(call_tool(project, name, arguments, &progress))??;
    match result {
        Ok(contents) => {
            let value = json!({ "content": contents.iter().map(message::content).collect::<Vec<_>>() });
            output.data(&value, || output.foreign(contents.iter().map(text).collect::<Vec<_>>().join("\n")));
            Ok(())
        }
        Err(error) => {
            if output.is_json {
                output.data(&json!({ "error": message::error_value(&error) }), String::new);
            }
            refused_or_failed(output, &error)
        }
    }
}

fn read_arguments(arguments: &str) -> Result<String, anyhow::Error> {
    let mut text = String::new();
    match arguments.strip_prefix('@') {
        Some(path) => {
            let file =
                std::fs::File::open(path).with_context(|| format!("the arguments cannot be read from {path}"))?;
            file.take(ARGUMENTS_BYTES_MAX + 1)
                .read_to_string(&mut text)
                .with_context(|| format!("the arguments in {path} are not UTF-8 text"))?;
        }
        None if arguments == "-" => {
            let stdin = std::io::stdin().lock();
            stdin
                .take(ARGUMENTS_BYTES_MAX + 1)
                .read_to_string(&mut text)
                .context("the arguments cannot be read from standard input")?;
        }
        None => text.push_str(arguments),
    }
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > ARGUMENTS_BYTES_MAX {
        anyhow::bail!("the arguments are larger than the {} MiB that a call may have", ARGUMENTS_BYTES_MAX >> 20);
    }
    if let Err(error) = serde_json::from_str::<Value>(&text) {
        anyhow::bail!(
            "the arguments are not JSON: {error}\nhint: a JSON object in quotes, @FILE, or - for standard input"
        );
    }
    Ok(text)
}

pub(in crate::cli) fn text(content: &Content) -> String {
    match content {
        Content::Text(text) => text.clone(),
        Content::Json(text) => serde_json::from_str::<Value>(text)
            .and_then(|value| serde_json::to_string_pretty(&value))
            .unwrap_or_else(|_| text.clone()),
        Content::Blob(blob) => format!("({} bytes of {})", blob.bytes.len(), escaped(&blob.mime)),
    }
}

fn refused_or_failed(output: &Output, error: &Error) -> Result<(), Failure> {
    let (label, lines) = match error {
        Error::Refused(refusal) => {
            let label = output.err("refused:", Style::new().red().bold());
            let mut lines = vec![escaped(&refusal.action)];
            lines.push(format!("  rule    {}", escaped(&refusal.rule)));
            lines.push(format!("  risk    {} of 100", refusal.risk));
            lines.push(format!("  reason  {}", escaped(&refusal.reason)));
            if !refusal.advice.is_empty() {
                lines.push(format!("  advice  {}", escaped(&refusal.advice)));
            }
            (label, lines.join("\n"))
        }
        Error::InvalidArguments(text)
        | Error::NotFound(text)
        | Error::Unknown(text)
        | Error::Limit(text)
        | Error::Failed(text) => {
            let kind = match error {
                Error::InvalidArguments(_) => "invalid arguments:",
                Error::NotFound(_) => "not found:",
                Error::Unknown(_) => "unknown outcome:",
                Error::Limit(_) => "limit reached:",
                _ => "failed:",
            };
            (output.err(kind, Style::new().red().bold()), text.lines().map(escaped).collect::<Vec<_>>().join("\n"))
        }
    };
    if !output.is_json {
        output.note(&format!("{label} {lines}"));
    }
    Err(if matches!(error, Error::Refused(_)) { Failure::Refused } else { Failure::Said })
}
