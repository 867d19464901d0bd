//! The engine as a user meets it: `pi-host run "PROMPT"` with a scripted model and the real tools in their sandbox.

mod budgets;
mod cloud;
mod guidance;
mod injections;
mod killed;
mod misbehaviour;
mod repair;
mod secrets;
mod talk;

use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::model::server::{ModelServer, RecordedRequest, Reply};
use crate::project::{Project, Said};

/// The wire protocols that the scripted server speaks here.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wire {
    Anthropic,
    Openai,
}

impl Wire {
    fn model(self, server: &ModelServer) -> String {
        let (protocol, url) = match self {
            Self::Anthropic => ("anthropic", server.url()),
            Self::Openai => ("openai", server.openai_url()),
        };
        format!("[models.m]\nprotocol = \"{protocol}\"\nmodel = \"scripted\"\nbase_url = \"{url}\"\n")
    }
}

/// What the agent may do: files below the project, a shell, python.
const GRANTS: &str = r#"
[agents.pi]

[grants.pi.model]
names = ["m"]

[grants.pi.tools]
names = ["read", "write", "edit", "bash"]

[grants.pi.log]

[grants.files.files]
write = ["."]

[grants.bash.files]
write = ["."]

[grants.bash.process]
programs = ["python3"]
write = ["."]
"#;

/// A project whose agent asks this server; `more` stands before the grants.
fn project(server: &ModelServer, more: &str) -> Project {
    Project::with(&format!("{}{more}\n{GRANTS}", Wire::Openai.model(server)))
}

/// Run the program without keeping the server from answering.
async fn run(project: &Project, arguments: &[&str]) -> Said {
    Said::of(output(project, arguments).await)
}

async fn output(project: &Project, arguments: &[&str]) -> Output {
    let mut command = project.command(arguments);
    tokio::task::spawn_blocking(move || command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap())
        .await
        .unwrap()
}

/// The last line of what a run printed with `--json`: how it ended.
fn closed(said: &Said) -> Value {
    let last = said.out.lines().last().unwrap_or_else(|| panic!("it says nothing: {}", said.err));
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {}\n{}", said.out, said.err))
}

/// The results of tools in a question, in their order, as the model reads them, in chat completions.
fn results(request: &RecordedRequest) -> Vec<String> {
    let body = request.json();
    let messages = body["messages"].as_array().unwrap().iter();
    messages.filter(|message| message["role"] == "tool").map(|message| text_of(&message["content"])).collect()
}

/// A content that is a text, or parts with texts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(|part| text_of(&part["text"])).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

/// The system prompt of a question in chat completions.
fn system_of(request: &RecordedRequest) -> String {
    text_of(&request.json()["messages"][0]["content"])
}

fn bash(id: &str, script: &str) -> Reply {
    Reply::call(id, "bash", &json!({ "command": script }))
}
