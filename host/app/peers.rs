//! The servers of `[mcp]`: started when their tools are needed, held under the limits of native programs,
//! and offered behind the gate.
//!
//! A server's tools are those that it listed when it was first asked. One that has changed since, or is
//! gone, is not called: what a person or a model has read of it would no longer be true. A server that has
//! ended is started again by the next call, later each time, and not more often than [`STARTS_MAX`]
//! within a minute. Everything that it says is bounded by `mcp` and by its limits in `pi.toml`.

mod pump;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use self::server::Server;
use super::setup::Progress;
use super::single::session_id;
use crate::approval::{Answer, Approver, Question};
use crate::capability::door::Door;
use crate::capability::process::Surroundings;
use crate::capability::secret::scan::Scan;
use crate::config::{McpConfig, Project, variable};
use crate::confine::Confine;
use crate::gate::Origin;
use crate::gate::explain::escaped;
use crate::journal::{Body, Journal, JournalError};
use crate::plugin::Tool;
use crate::session::{Caller, Kernel, Peer, Provider, Toolbox};

/// Starts of one server within [`server::STARTS_WITHIN`]. Danger: one that ends at once is a process each time.
const STARTS_MAX: usize = 5;
/// Who calls, where the host itself looks which tools there are.
const HOST_AGENT: &str = "host";

/// The servers of a project.
#[derive(Default)]
pub(crate) struct Peers {
    servers: BTreeMap<String, Arc<Server>>,
    /// Names of the plugins' tools: no server takes one over.
    reserved: BTreeSet<String>,
}

/// The tools of servers, and the servers without any.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PeerTools {
    pub tools: Vec<PeerTool>,
    /// What is not offered (a server, or one tool of it), with the reason.
    pub left_out: Vec<(String, String)>,
}

/// A tool of a server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerTool {
    /// `mcp:NAME`.
    pub plugin: String,
    pub tool: Tool,
}

impl Peers {
    /// The servers that `pi.toml` names. None is started.
    pub(super) fn new(
        project: &Project,
        confine: &Confine,
        around: &Surroundings,
        reserved: BTreeSet<String>,
        scan: &Arc<Scan>,
    ) -> Self {
        let server = |(name, config): (&String, _)| {
            let around = around.clone();
            let server = Server::new(name, config, &project.directory, confine.clone(), around, Arc::clone(scan));
            (name.clone(), Arc::new(server))
        };
        Self { servers: project.config.mcp.iter().map(server).collect(), reserved }
    }

    /// All servers.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.servers.keys().cloned().collect()
    }

    /// The servers that may have a tool of these names, of which a `*` at the end stands for anything.
    pub(super) fn of_tools<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        let names: Vec<&str> = names.into_iter().collect();
        let is_of = |server: &&String| names.iter().any(|name| is_of(server, name));
        self.servers.keys().filter(is_of).cloned().collect()
    }

    /// Start these servers and put their tools into the box; what cannot be had is left out, and said why.
    /// `door` is asked once for each server: its start is an act.
    pub(super) async fn offer(
        &self,
        names: &BTreeSet<String>,
        toolbox: &mut Toolbox,
        door: impl Fn(&str) -> Door,
        progress: Progress<'_>,
    ) -> Vec<(String, String)> {
        let mut left_out = Vec::new();
        let servers: Vec<&Arc<Server>> = names.iter().filter_map(|name| self.servers.get(name)).collect();
        if !servers.is_empty() {
            let names: Vec<&str> = servers.iter().map(|server| server.name()).collect();
            progress(&format!("starting the MCP servers {}", names.join(", ")));
        }
        let listed = servers.iter().map(|server| {
            let door = door(server.plugin());
            async move { (*server, server.listed(&door).await) }
        });
        for (server, listed) in futures::future::join_all(listed).await {
            let listed = match listed {
                Ok(listed) => listed,
                Err(error) => {
                    left_out.push((server.plugin().to_owned(), error.to_string()));
                    continue;
                }
            };
            left_out
                .extend(listed.left_out.into_iter().map(|(tool, why)| (format!("{}: {tool}", server.plugin()), why)));
            let peer: Arc<dyn Peer> = server.clone();
            for tool in listed.tools {
                let added = if self.reserved.contains(&tool.name) {
                    Err("a plugin has a tool of that name".to_owned())
                } else {
                    toolbox.add_peer(&peer, &tool).map_err(|error| error.to_string())
                };
                if let Err(why) = added {
                    left_out.push((format!("{}: {}", server.plugin(), tool.name), why));
                }
            }
        }
        for (what, why) in &left_out {
            progress(&format!("left out: {what}: {}", why.lines().map(escaped).collect::<Vec<_>>().join("\n")));
        }
        left_out
    }

    /// As [`Peers::offer`], in a session of its own, for whom nobody waits: a start that people would have to
    /// agree to is not begun.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub(super) async fn offer_unasked(
        &self,
        names: &BTreeSet<String>,
        journal: &Journal,
        kernel: &Kernel,
        progress: Progress<'_>,
    ) -> Result<(Toolbox, Vec<(String, String)>), JournalError> {
        let mut toolbox = kernel.toolbox.clone();
        if names.is_empty() {
            return Ok((toolbox, Vec::new()));
        }
        let id = session_id("mcp");
        let session = journal.session(&id).await?;
        session.append(Body::SessionStarted {
            agent: HOST_AGENT.into(),
            component: String::new(),
            task: json!({ "servers": names }),
            policy: kernel.gate.now().revision().to_owned(),
        });
        let origin = Origin { session: id, agent: HOST_AGENT.into(), plugin: String::new() };
        let doors = Doors::of(Caller { journal: session.clone(), origin, key: "0.0".into(), aside: None });
        let left_out = self.offer(names, &mut toolbox, |plugin| doors.unasked(kernel, plugin), progress).await;
        let summary = format!("started {} of {} servers", names.len().saturating_sub(refused(&left_out)), names.len());
        session.append(Body::SessionEnded { status: "done".into(), summary, details: json!({ "left_out": left_out }) });
        Ok((toolbox, left_out))
    }
}

/// Why a tool is not in the box, once its server was asked.
pub(super) fn why(left_out: &[(String, String)], toolbox: &Toolbox) -> String {
    if left_out.is_empty() {
        let known: Vec<String> = in_box(toolbox).into_iter().map(|peer| peer.tool.name).collect();
        return format!("its server has none of that name\nhint: there are {}", known.join(", "));
    }
    left_out.iter().map(|(what, why)| format!("{what}: {why}")).collect::<Vec<_>>().join("\n")
}

/// Servers among what was left out; the others are single tools.
fn refused(left_out: &[(String, String)]) -> usize {
    left_out.iter().filter(|(what, _)| !what.contains(": ")).count()
}

/// The tools of servers in a box.
pub(super) fn in_box(toolbox: &Toolbox) -> Vec<PeerTool> {
    let of_peer = |provider: &Provider| matches!(provider, Provider::Peer(_));
    let peers = toolbox.iter().filter(|entry| of_peer(&entry.provider));
    peers.map(|entry| PeerTool { plugin: entry.provider.plugin().to_owned(), tool: entry.tool.clone() }).collect()
}

/// One door for each server that is started: their acts need keys of their own.
pub(super) struct Doors {
    caller: Caller,
    next: std::sync::atomic::AtomicU32,
}

impl Doors {
    /// The last number of the caller's key counts from here.
    pub(super) fn of(caller: Caller) -> Self {
        Self { caller, next: std::sync::atomic::AtomicU32::new(0) }
    }

    fn caller(&self) -> Caller {
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Caller { key: format!("{}.{number}", self.caller.key), ..self.caller.clone() }
    }

    /// A door at which people are asked as at any other.
    pub(super) fn asking(&self, kernel: &Kernel, plugin: &str) -> Door {
        kernel.door(&self.caller(), plugin)
    }

    /// A door at which nobody is asked.
    pub(super) fn unasked(&self, kernel: &Kernel, plugin: &str) -> Door {
        kernel.door_by(&self.caller(), plugin, Arc::new(NotNow))
    }
}

/// The answer where a question would hold up the whole host.
struct NotNow;

#[async_trait::async_trait]
impl Approver for NotNow {
    async fn ask(&self, _question: Question<'_>) -> Answer {
        Answer {
            by: "nobody".into(),
            reason: "nobody is asked about a start that nobody waits for: name a tool of it in `pi-host tool call`, or let the policy allow its command".into(),
            ..Answer::default()
        }
    }
}

/// Whether a server may have a tool of this name, of which a `*` at the end stands for anything.
fn is_of(server: &str, tool: &str) -> bool {
    let prefix = format!("{server}_");
    match tool.strip_suffix('*') {
        Some(stem) => stem.starts_with(&prefix) || prefix.starts_with(stem),
        None => tool.starts_with(&prefix),
    }
}

/// What `[mcp]` takes from the host's environment, to be found again in what servers say.
pub(super) fn secret_values(project: &Project) -> Vec<(String, String)> {
    let servers = project.config.mcp.values();
    let variables: BTreeSet<&String> =
        servers.flat_map(|server| server.secrets.values().chain(server.headers.values())).collect();
    let values = variables.into_iter().filter_map(|name| Some((name.clone(), variable(name)?)));
    // `Bearer x` is a header's value, and `x` the secret.
    let parts = |(name, value): (String, String)| {
        let token = value.split_once(' ').map(|(_, token)| (name.clone(), token.to_owned()));
        std::iter::once((name, value)).chain(token)
    };
    values.flat_map(parts).collect()
}

/// The commands and URLs of `[mcp]`, each with the plugin in whose name.
pub(super) fn commands(project: &Project) -> Vec<(String, Vec<String>)> {
    let command = |config: &McpConfig| match &config.url {
        Some(url) => Some(vec![url.clone()]),
        None => server::argv(config, &project.directory),
    };
    let servers = project.config.mcp.iter();
    servers.filter_map(|(name, config)| Some((server::plugin(name), command(config)?))).collect()
}

/// The files that the commands of `[mcp]` name: who could write them would decide what the host starts.
pub(super) fn files(project: &Project) -> Vec<std::path::PathBuf> {
    let servers = project.config.mcp.values();
    let named = servers.flat_map(|config| {
        let directory = project.directory.join(config.directory.as_deref().unwrap_or("."));
        config.command.iter().skip(1).map(move |word| directory.join(word))
    });
    let programs = project.config.mcp.values().filter_map(|config| server::argv(config, &project.directory));
    let programs = programs.filter_map(|argv| argv.first().map(std::path::PathBuf::from));
    named.chain(programs).filter(|path| path.is_file()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_needed_where_a_name_may_be_one_of_its_tools() {
        for name in ["github_issue", "github_*", "git*", "*", "github_iss*"] {
            assert!(is_of("github", name), "{name}");
        }
        for name in ["github", "gitlab_*", "githubissue", "git", "hub_*"] {
            assert!(!is_of("github", name), "{name}");
        }
    }
}
