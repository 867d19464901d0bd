//! The tools of this host: by name, with their schemas compiled, and what each call of them is handed to:
//! a linked plugin, or a server of others.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use super::peer::Peer;
use crate::capability::bindings::pi::tool::types::Definition;
use crate::plugin::Tool;
use crate::runtime::{CallLimits, LinkedTool, definition};

/// A property of a tool's schema with this format is a shell script: judged as a whole before the
/// call, beside what it then does.
const SCRIPT_FORMAT: &str = "shell-script";

/// One tool, ready to be called.
pub struct Entry {
    pub tool: Tool,
    pub definition: Definition,
    pub provider: Provider,
    validator: Validator,
    scripts: Vec<String>,
}

/// What a call is handed to, once it is judged.
#[derive(Clone)]
pub enum Provider {
    /// A fresh instance of it.
    Component(Box<LinkedTool>, CallLimits),
    Peer(Arc<dyn Peer>),
}

impl Provider {
    /// The plugin, as policies and the journal call it.
    #[must_use]
    pub fn plugin(&self) -> &str {
        match self {
            Self::Component(linked, _) => &linked.manifest.name,
            Self::Peer(peer) => peer.plugin(),
        }
    }
}

/// All tools, by name.
#[derive(Clone, Default)]
pub struct Toolbox {
    entries: BTreeMap<String, Arc<Entry>>,
}

#[derive(Debug, thiserror::Error)]
pub enum ToolboxError {
    #[error("the schema of tool `{tool}` is no JSON Schema: {error}")]
    Schema { tool: String, error: String },
    #[error(
        "two plugins offer a tool of one name, `{tool}`: `{one}` and `{other}`\nhint: leave one of them out of pi.toml"
    )]
    Twice { tool: String, one: String, other: String },
}

impl Toolbox {
    /// Add the tools of a plugin.
    ///
    /// # Errors
    /// A schema that is none, or a name that is taken.
    pub fn add(&mut self, linked: &LinkedTool, limits: &CallLimits) -> Result<(), ToolboxError> {
        for tool in &linked.manifest.tools {
            let validator = jsonschema::validator_for(&tool.input_schema);
            self.insert(tool, Provider::Component(Box::new(linked.clone()), limits.clone()), validator)?;
        }
        Ok(())
    }

    /// Add a tool of a server of others.
    ///
    /// # Errors
    /// A schema that is none, or a name that is taken.
    pub fn add_peer(&mut self, peer: &Arc<dyn Peer>, tool: &Tool) -> Result<(), ToolboxError> {
        // A pattern that goes back and forth would let a server stop the host with one argument.
        let validator = jsonschema::options().with_pattern_options(PatternOptions::regex()).build(&tool.input_schema);
        self.insert(tool, Provider::Peer(peer.clone()), validator)
    }

    fn insert<E: std::fmt::Display>(
        &mut self,
        tool: &Tool,
        provider: Provider,
        validator: Result<Validator, E>,
    ) -> Result<(), ToolboxError> {
        if let Some(earlier) = self.entries.get(&tool.name) {
            return Err(ToolboxError::Twice {
                tool: tool.name.clone(),
                one: earlier.provider.plugin().to_owned(),
                other: provider.plugin().to_owned(),
            });
        }
        let entry = Entry {
            definition: definition(tool),
            scripts: scripts(&tool.input_schema),
            tool: tool.clone(),
            provider,
            validator: validator.map_err(|e| ToolboxError::Schema { tool: tool.name.clone(), error: e.to_string() })?,
        };
        self.entries.insert(tool.name.clone(), Arc::new(entry));
        Ok(())
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Entry>> {
        self.entries.get(name)
    }

    /// All tools, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }
}

impl Entry {
    /// What is wrong with the arguments, at most five complaints, each with its place.
    #[must_use]
    pub fn complaints(&self, arguments: &Value) -> Option<String> {
        if self.validator.is_valid(arguments) {
            return None;
        }
        let complaints: Vec<String> = self
            .validator
            .iter_errors(arguments)
            .take(5)
            .map(|error| {
                let place = error.instance_path().to_string();
                let text: String = error.to_string().chars().take(400).collect();
                if place.is_empty() { text } else { format!("at `{place}`: {text}") }
            })
            .collect();
        Some(complaints.join("; "))
    }

    /// The arguments that are shell scripts.
    pub fn scripts<'a>(&'a self, arguments: &'a Value) -> impl Iterator<Item = &'a str> {
        self.scripts.iter().filter_map(|name| arguments.get(name)?.as_str())
    }
}

fn scripts(schema: &Value) -> Vec<String> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    let is_script = |property: &Value| property.get("format").and_then(Value::as_str) == Some(SCRIPT_FORMAT);
    properties.iter().filter(|(_, property)| is_script(property)).map(|(name, _)| name.clone()).collect()
}
