//! `pi-host mcp` as MCP's official clients see it, over both transports: the tools of the project, of a plugin, and
//! of a server that stands behind the host.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::sdk;
use super::servers::sample;
use crate::project::Project;
use crate::runtime::guest::packed;

const TOKEN: &str = "a-token-of-some-length";

/// Asks about one tool, beside all that the built-in policy does.
const ASKS: &str = r#""rules": [{
    "id": "guest_is_asked",
    "acts": ["tool_call"],
    "when": { "tool": ["guest_asked"] },
    "verdict": "ask",
    "points": 50,
    "reason": "the tests ask",
    "advice": "call another",
    "examples": { "match": [{ "act": "tool_call", "tool": "guest_asked", "effect": "write", "idempotent": false, "arguments": {} }], "no_match": ["ls"] }
  },"#;

fn project() -> Project {
    let project = Project::new();
    std::fs::write(project.path().join("guest.wasm"), packed("mcp")).unwrap();
    project.write("policy.json", &include_str!("../../policies/security.json").replacen("\"rules\": [", ASKS, 1));
    let config = "[policy]\nfile = \"policy.json\"\n[approvals]\napprovers = [\"cli:*\"]\nwait_minutes = 5\n\
        [plugins.guest_mcp]\npath = \"guest.wasm\"\n[grants.files.files]\nwrite = [\".\"]\n[grants.bash.process]\n[grants.bash.files]\nread = [\".\"]\n";
    project.write("pi.toml", &format!("{config}{}", sample(&project, "")));
    project
}

fn client(language: &str, mode: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp");
    let mut command;
    if language == "python" {
        command = Command::new(sdk::python());
        command.arg(folder.join("client.py")).arg(mode);
    } else {
        command = Command::new("node");
        command.arg(folder.join("client.mjs")).env("NODE_MODULES", sdk::node());
    }
    command.arg(env!("CARGO_BIN_EXE_pi-host")).stdin(Stdio::null());
    command
}

/// The client goes through all its steps; what was done stands in the journal.
fn goes_through(mut client: Command, project: &Project, more: &[&str]) {
    let output = client.arg(project.path()).args(more).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.contains("ok end"), "{said}");
}

fn stands_in_the_journal(project: &Project) {
    let sessions = project.run(&["--json", "session", "list"]).json();
    let sessions = sessions.as_array().unwrap();
    let session = sessions.iter().find(|session| session["id"].as_str().unwrap().starts_with("mcp-")).unwrap();
    let shown = project.run(&["session", "show", session["id"].as_str().unwrap()]).out;
    for part in ["note.txt", "rm -rf /", "guest_asked", "server.py", "sample_add"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
}

fn over_stdio(language: &str, mode: &str) {
    let project = project();
    goes_through(client(language, mode), &project, &[]);
    stands_in_the_journal(&project);
}

/// `pi-host mcp` over HTTP.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

fn over_http(language: &str, mode: &str) {
    let project = project();
    let mut child = project
        .command(&["mcp", "--http", "127.0.0.1:0", "--token-env", "MCP_TOKEN"])
        .env("MCP_TOKEN", TOKEN)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let serving = Serving(child);
    let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once("serving MCP at ")?;
        Some(rest.split(';').next()?.to_owned())
    });
    std::thread::spawn(move || lines.for_each(drop));
    goes_through(client(language, mode), &project, &[&url.unwrap(), TOKEN]);
    drop(serving);
    stands_in_the_journal(&project);
}

#[test]
fn the_python_client_lists_and_calls_over_stdio() {
    over_stdio("python", "legacy");
}

#[test]
fn the_python_client_of_the_newest_protocol_lists_and_calls_over_stdio() {
    over_stdio("python", "auto");
}

#[test]
fn the_python_client_lists_and_calls_over_http() {
    over_http("python", "legacy");
}

#[test]
fn the_python_client_of_the_newest_protocol_lists_and_calls_over_http() {
    over_http("python", "auto");
}

#[test]
fn the_typescript_client_lists_and_calls_over_stdio() {
    over_stdio("node", "");
}

#[test]
fn the_typescript_client_lists_and_calls_over_http() {
    over_http("node", "");
}
