//! Models over the wire: real requests to a scripted server on loopback, its faults included.

mod anthropic;
mod bedrock;
mod chain;
mod faults;
mod keys;
mod openai;
pub(crate) mod server;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pi_host::config::ModelConfig;
use pi_host::model::{
    Clients, Completion, Delta, Message, Model, ModelError, Part, Request, Role, Surroundings, ToolSchema, build,
};
use server::ModelServer;

const KEY: &str = "sk-test-0123456789";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Protocol {
    Anthropic,
    Openai,
    Bedrock,
}

const ALL: [Protocol; 3] = [Protocol::Anthropic, Protocol::Openai, Protocol::Bedrock];

impl Protocol {
    /// The lines of `[models.NAME]` for a server.
    fn lines(self, server: &ModelServer) -> String {
        let (name, url) = match self {
            Self::Anthropic => ("anthropic", server.url()),
            Self::Openai => ("openai", server.openai_url()),
            Self::Bedrock => ("bedrock", server.url()),
        };
        format!("protocol = \"{name}\"\nmodel = \"claude-scripted\"\nbase_url = \"{url}\"\nkey_env = \"TEST_KEY\"\n")
    }
}

fn variable(name: &str) -> Option<String> {
    (name == "TEST_KEY").then(|| KEY.to_owned())
}

/// The model `main` of these lines of configuration.
fn built(text: &str) -> Result<Arc<dyn Model>, ModelError> {
    built_with(text, Duration::from_secs(1), &variable)
}

/// A second of the configuration lasts as long as this one.
fn built_with(
    text: &str,
    second: Duration,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Arc<dyn Model>, ModelError> {
    let models: BTreeMap<String, ModelConfig> = toml::from_str(text).unwrap();
    pi_host::config::check_models(&models).unwrap();
    let clients = Clients::default();
    let around = Surroundings {
        // Pauses of no length, but for what the server asks.
        chance: Arc::new(|| 0.0),
        second,
        ..Surroundings::new(Path::new("/nonexistent"), variable, &clients)
    };
    build("main", &models, &around)
}

fn model(protocol: Protocol, server: &ModelServer, lines: &str) -> Arc<dyn Model> {
    built(&format!("[main]\n{}{lines}", protocol.lines(server))).unwrap()
}

fn request(text: &str) -> Request {
    Request { messages: vec![Message::user(text)], ..Request::default() }
}

fn read_tool() -> ToolSchema {
    let schema = serde_json::json!({ "type": "object", "properties": { "path": { "type": "string" } } });
    ToolSchema { name: "read".into(), description: "Reads a file".into(), schema }
}

/// What was completed, and what was heard meanwhile.
async fn complete(model: &Arc<dyn Model>, request: &Request) -> (Result<Completion, ModelError>, Vec<Delta>) {
    let heard = Mutex::new(Vec::new());
    let result = model.complete(request, &|delta| heard.lock().unwrap().push(delta)).await;
    (result, heard.into_inner().unwrap())
}

fn heard_text(deltas: &[Delta]) -> String {
    let texts = deltas.iter().filter_map(|delta| match delta {
        Delta::Text { text } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// A conversation with everything in it: thoughts, two calls side by side, their results, images.
fn rich() -> Request {
    let text = |text: &str| Part::Text { text: text.into() };
    let image = || Part::Image { mime: "image/png".into(), data: "iVBORw0KGgo=".into() };
    let call =
        |id: &str, arguments: &str| Part::ToolCall { id: id.into(), name: "read".into(), arguments: arguments.into() };
    let thought = Part::Reasoning { text: "hm".into(), signature: Some("c2ln".into()), redacted: None };
    let hidden = Part::Reasoning { text: String::new(), signature: None, redacted: Some("ZW5j".into()) };
    Request {
        system: "Be brief.".into(),
        messages: vec![
            Message { role: Role::User, parts: vec![text("Look \"here\":\n"), image()] },
            Message {
                role: Role::Assistant,
                parts: vec![thought, hidden, text("Reading."), call("a", r#"{"path":"x"}"#), call("b", "{broken")],
            },
            Message {
                role: Role::User,
                parts: vec![
                    Part::ToolResult { id: "a".into(), content: vec![text("grün"), image()], is_error: false },
                    Part::ToolResult { id: "b".into(), content: vec![text("no such file")], is_error: true },
                    text("Go on."),
                ],
            },
        ],
        tools: [read_tool(), ToolSchema { name: "stop".into(), ..read_tool() }].into(),
        max_output_tokens: None,
        effort: Some(pi_host::model::Effort::Medium),
    }
}
