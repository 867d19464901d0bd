//! `pi-host mcp`: the installed tools for any MCP client.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Failure, Output, block_on};
use crate::app::McpTools;
use crate::config::{Project, variable};
use crate::mcp::{HttpOptions, McpServer, ServerOptions, serve_http, serve_stdio};

/// What every client is told, for its model.
const INSTRUCTIONS: &str = "Each tool runs as a sandboxed WebAssembly component. Every act is judged by a policy: a refusal \
names its rule, its reason and a safer way, so read it and find that way. A call may wait for a person's approval.";

#[derive(clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Serve streamable HTTP at this address instead of stdio; clients use http://ADDRESS/mcp
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// The environment variable that holds the token which HTTP clients have to send
    #[arg(long, value_name = "VARIABLE", requires = "http")]
    token_env: Option<String>,
    /// Another name under which HTTP clients reach this machine
    #[arg(long, value_name = "HOST", requires = "http")]
    host: Vec<String>,
    /// A web page that may use it: https://name:port
    #[arg(long, value_name = "ORIGIN", requires = "http")]
    origin: Vec<String>,
}

const HELP: &str = "\
In a client's configuration:
  { \"mcpServers\": { \"pi-host\": { \"command\": \"pi-host\", \"args\": [\"mcp\", \"--project\", \"/srv/shop\"] } } }

Over HTTP:
  pi-host mcp --http 127.0.0.1:8090

Which tools a client is shown stands in [grants.mcp.tools] names; without that table it is shown all.";

pub(crate) fn run(output: &Output, project: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let project = Project::load(project)?;
    let token = match &arguments.token_env {
        None => None,
        Some(name) => {
            let unset =
                || format!("the environment variable `{name}` is not set\nhint: set it, or correct --token-env");
            Some(variable(name).with_context(unset)?)
        }
    };
    block_on(serve(output, project, arguments, token))?
}

async fn serve(output: &Output, project: Project, arguments: &Arguments, token: Option<String>) -> Result<(), Failure> {
    let listener = match arguments.http {
        None => None,
        Some(address) => Some(TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?),
    };
    let progress = |text: &str| output.note(text);
    let tools = McpTools::open(project, &progress).await?;
    if tools.station().is_by_host() {
        output.note("a host runs here: it makes the calls, with the tools that it has linked");
    }
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    tokio::spawn(async move {
        super::run::signalled().await;
        stopper.cancel();
    });
    let server = McpServer::new(
        tools.clone(),
        ServerOptions { instructions: Some(INSTRUCTIONS.to_owned()), ..ServerOptions::default() },
    );
    let served = match listener {
        None => serve_stdio(&server, stop).await.map_err(anyhow::Error::from),
        Some(listener) => {
            let address = listener.local_addr().context("the socket has no address")?;
            output.note(&format!("serving MCP at http://{address}/mcp; end with Ctrl-C"));
            let options = HttpOptions { token, hosts: arguments.host.clone(), origins: arguments.origin.clone() };
            serve_http(&server, listener, options, stop).await.map_err(anyhow::Error::from)
        }
    };
    drop(server);
    tools.close().await?;
    Ok(served?)
}
