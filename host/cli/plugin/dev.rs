//! `pi-host plugin dev`: reload a component whenever it is built.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use owo_colors::Style;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::plugins::{Dev, Loaded};
use crate::app::{Beside, McpTools, Setup, Station, StationOptions, Wanted};
use crate::capability::hold::PERSON;
use crate::cli::output::escaped_lines;
use crate::cli::{Failure, Output, block_on};
use crate::clock;
use crate::config::Project;
use crate::confine::Confine;
use crate::gate::explain::escaped;
use crate::journal::Body;
use crate::mcp::{HttpOptions, McpServer, ServerOptions, serve_http};
use crate::session::message;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Instances at once.
const INSTANCES: u32 = 16;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pi-host plugin dev weather.wasm --call weather --arguments '{\"city\":\"Oslo\"}'
  pi-host plugin dev weather.wasm --http 127.0.0.1:8090      MCP clients hear of each change

Its grants are those of [grants.NAME] in this project's pi.toml, and its calls stand in the project's
journal. End with Ctrl-C.")]
pub(crate) struct Arguments {
    /// The component that your build writes, packed or not
    file: PathBuf,
    /// Its manifest, where it is not packed
    #[arg(long, default_value = "plugin.json", value_name = "FILE")]
    manifest: PathBuf,
    /// Call this tool after each change
    #[arg(long, value_name = "TOOL")]
    call: Option<String>,
    /// With these arguments, a JSON object
    #[arg(long, default_value = "{}", value_name = "JSON", requires = "call")]
    arguments: String,
    /// Serve its tools to MCP clients at this address
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// Load it once and end
    #[arg(long, conflicts_with = "http")]
    once: bool,
}

pub(crate) fn run(output: &Output, project: Project, arguments: &Arguments) -> Result<(), Failure> {
    if let Err(error) = serde_json::from_str::<Value>(&arguments.arguments) {
        return Err(anyhow::anyhow!("--arguments is not JSON: {error}").into());
    }
    block_on(watch(output, project, arguments))?
}

async fn watch(output: &Output, project: Project, arguments: &Arguments) -> Result<(), Failure> {
    let mut dev = Dev::new(project, &arguments.file, &arguments.manifest)?;
    let mut served: Option<(McpServer<Arc<McpTools>>, tokio::task::JoinHandle<()>)> = None;
    let stop = CancellationToken::new();
    let signalled = crate::cli::run::signalled();
    tokio::pin!(signalled);
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut has_failed = false;
    loop {
        tokio::select! {
            () = &mut signalled => break,
            _ = every.tick() => {}
        }
        match dev.look().await {
            Ok(None) => {}
            Ok(Some(loaded)) => {
                said(output, &loaded);
                let done = match (&arguments.http, &served) {
                    (Some(address), None) => match serve(output, &loaded, *address, &stop).await {
                        Ok(new) => {
                            served = Some(new);
                            Ok(())
                        }
                        Err(error) => Err(error),
                    },
                    (Some(_), Some((server, _))) => replace(&loaded, server).await,
                    (None, _) => called(output, loaded, arguments).await,
                };
                if let Err(error) = done {
                    has_failed = true;
                    output.error(&error);
                }
            }
            Err(error) => {
                has_failed = true;
                output.error(&error.into());
            }
        }
        if arguments.once {
            return if has_failed { Err(Failure::Said) } else { Ok(()) };
        }
    }
    stop.cancel();
    if let Some((server, task)) = served {
        let _ = task.await;
        let tools = server.tools().clone();
        drop(server);
        tools.close().await?;
    }
    Ok(())
}

fn said(output: &Output, loaded: &Loaded) {
    let manifest = &loaded.binary.manifest;
    let time = clock::rfc3339(clock::now_ms());
    let time = time.get(11..19).unwrap_or_default();
    let tools: Vec<&str> = manifest.tools.iter().map(|tool| tool.name.as_str()).collect();
    let head = format!("{} {}", escaped(&manifest.name), escaped(&manifest.version));
    output.note(&format!("{time} {} {}", output.err(&head, Style::new().bold()), tools.join(", ")));
    for change in loaded.changes.iter().flatten() {
        output.note(&format!("         {}", escaped(change)));
    }
}

fn options(loaded: &Loaded) -> StationOptions {
    StationOptions {
        name: "plugin dev",
        agent: PERSON.into(),
        kind: "dev",
        task: json!({ "plugin": loaded.binary.manifest.name }),
        plugins: Wanted::Named([loaded.binary.manifest.name.clone()].into()),
        may_ask: false,
        instances: INSTANCES,
        beside: Beside::Refuse,
    }
}

/// Link it, call what is to be called, and show what it logs.
async fn called(output: &Output, loaded: Loaded, arguments: &Arguments) -> Result<(), anyhow::Error> {
    let options = options(&loaded);
    let progress = |text: &str| output.note(text);
    let station = Station::open(loaded.project, options, &progress).await?;
    let mut entries = station.follow();
    let mut status = "done";
    if let Some(tool) = &arguments.call {
        let begun = clock::monotonic();
        let result = station.call(tool, &arguments.arguments).await?;
        status = if result.is_ok() { "done" } else { "failed" };
        let took = begun.elapsed();
        while let Some(Ok(entry)) = entries.as_mut().map(tokio::sync::broadcast::Receiver::try_recv) {
            if let Body::Logged { level, message, .. } = &entry.body {
                output.note(&format!("         {level}: {}", escaped_lines(message)));
            }
        }
        let value = message::to_value(&result);
        output.data(&value, || match &result {
            Ok(contents) => output.foreign(contents.iter().map(crate::cli::tool::text).collect::<Vec<_>>().join("\n")),
            Err(error) => format!("failed: {}", escaped_lines(&message::words(error))),
        });
        output.note(&format!("         {:.1} ms", took.as_secs_f64() * 1e3));
    }
    station.close(status, "tried").await?;
    Ok(())
}

async fn serve(
    output: &Output,
    loaded: &Loaded,
    address: SocketAddr,
    stop: &CancellationToken,
) -> Result<(McpServer<Arc<McpTools>>, tokio::task::JoinHandle<()>), anyhow::Error> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let progress = |text: &str| output.note(text);
    let tools = McpTools::open_with(loaded.project.clone(), options(loaded), &progress).await?;
    let server = McpServer::new(tools, ServerOptions::default());
    output.note(&format!("         serving MCP at http://{}/mcp", listener.local_addr()?));
    let (running, stop, note) = (server.clone(), stop.clone(), output.clone());
    let task = tokio::spawn(async move {
        if let Err(error) = serve_http(&running, listener, HttpOptions::default(), stop).await {
            note.error(&error.into());
        }
    });
    Ok((server, task))
}

async fn replace(loaded: &Loaded, server: &McpServer<Arc<McpTools>>) -> Result<(), anyhow::Error> {
    let setup = Setup::new(loaded.project.clone(), Confine::new(), INSTANCES)?;
    let toolbox = setup.toolbox(&[loaded.binary.manifest.name.clone()].into(), &|_| ()).await?;
    server.tools().replace(toolbox);
    server.tools_changed();
    Ok(())
}
