//! The manifest that travels inside a component: who it is, what it needs and why, which tools it
//! offers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::CONTRACT;
use crate::gate::Effect;

/// Most tools in one plugin, longest name, longest schema: a manifest is read before anyone trusts it.
const TOOLS_MAX: usize = 256;
const NAME_CHARS_MAX: usize = 64;
const TEXT_BYTES_MAX: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Tool,
    Agent,
}

/// One capability that the plugin asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// `files`, `process`, `services`, `tools`, `session`, `log` or `preopens`.
    pub capability: String,
    pub why: String,
    /// What of it: tools by name, or actions on services. Empty where it is not said. A host that
    /// grants less says so when it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// The worst that a call of a tool can do, as the manifest writes it.
pub type ToolEffect = Effect;

/// One tool, as the manifest describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    pub name: String,
    pub description: String,
    pub effect: ToolEffect,
    #[serde(default)]
    pub idempotent: bool,
    pub input_schema: Value,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of the manifest: 1.
    pub manifest: u32,
    pub name: String,
    pub version: String,
    pub kind: Kind,
    /// The contract it was built for, `0.1`.
    pub contract: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub needs: Vec<Need>,
    #[serde(default)]
    pub tools: Vec<Tool>,
    /// Whether the component exports `pi:tool/prepare` and shall be pre-initialised by it.
    #[serde(default)]
    pub prepare: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("the manifest cannot be read: {0}\nhint: `pi-plugin` must hold JSON as docs/plugins.md describes it")]
    Form(String),
    #[error(
        "the manifest is of form {0}, this host reads form 1\nhint: pack the plugin again, or take a newer pi-host"
    )]
    Version(u32),
    #[error(
        "the plugin was built for contract {0}, this host speaks {CONTRACT}\nhint: build it against wit/ of this host's version"
    )]
    Contract(String),
    #[error("the plugin's name is not 1 to 64 characters of `a-z`, `0-9`, `_` and `-`: `{0}`")]
    Name(String),
    #[error("a tool's name is not 1 to 64 characters of `a-z`, `0-9` and `_`: `{0}`")]
    ToolName(String),
    #[error("two tools have one name: `{0}`")]
    ToolTwice(String),
    #[error("the manifest is too large: {0}")]
    TooLarge(&'static str),
}

impl Manifest {
    /// Read a manifest and check it.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        // A future form may have other keys: its number is looked at first.
        let value: Value = serde_json::from_slice(bytes).map_err(|e| ManifestError::Form(e.to_string()))?;
        match value.get("manifest").and_then(Value::as_u64) {
            Some(1) => {}
            Some(other) => return Err(ManifestError::Version(u32::try_from(other).unwrap_or(u32::MAX))),
            None => return Err(ManifestError::Form("the key `manifest` is missing".into())),
        }
        let manifest: Self = serde_json::from_value(value).map_err(|e| ManifestError::Form(e.to_string()))?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        if self.contract != CONTRACT {
            return Err(ManifestError::Contract(self.contract.clone()));
        }
        if !is_name(&self.name, true) {
            return Err(ManifestError::Name(cut(&self.name)));
        }
        if self.tools.len() > TOOLS_MAX {
            return Err(ManifestError::TooLarge("more than 256 tools"));
        }
        if self.description.len() > TEXT_BYTES_MAX {
            return Err(ManifestError::TooLarge("a description of more than 64 KiB"));
        }
        for (index, tool) in self.tools.iter().enumerate() {
            if !is_name(&tool.name, false) {
                return Err(ManifestError::ToolName(cut(&tool.name)));
            }
            if self.tools.iter().take(index).any(|earlier| earlier.name == tool.name) {
                return Err(ManifestError::ToolTwice(tool.name.clone()));
            }
            if tool.description.len() > TEXT_BYTES_MAX {
                return Err(ManifestError::TooLarge("a tool's description of more than 64 KiB"));
            }
        }
        Ok(())
    }
}

fn is_name(name: &str, may_have_hyphen: bool) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || (may_have_hyphen && b == b'-'))
}

fn cut(text: &str) -> String {
    text.chars().take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Value)) -> Result<Manifest, ManifestError> {
        let mut value = serde_json::json!({
            "manifest": 1, "name": "demo", "version": "1.0.0", "kind": "tool", "contract": "0.1",
            "tools": [{"name": "a", "description": "d", "effect": "read", "input_schema": {}}],
        });
        change(&mut value);
        Manifest::parse(value.to_string().as_bytes())
    }

    #[test]
    fn reads_what_it_needs() {
        assert_eq!(with(|_| ()).unwrap().tools[0].effect, Effect::Read);
    }

    #[test]
    fn names_an_unknown_key() {
        let error = with(|v| v["neds"] = Value::Null).unwrap_err().to_string();
        assert!(error.contains("`neds`"), "{error}");
    }

    #[test]
    fn refuses_another_contract() {
        let error = with(|v| v["contract"] = "0.2".into()).unwrap_err().to_string();
        insta::assert_snapshot!(error, @r"
        the plugin was built for contract 0.2, this host speaks 0.1
        hint: build it against wit/ of this host's version
        ");
    }

    #[test]
    fn refuses_a_tool_name_that_models_cannot_call() {
        assert!(matches!(with(|v| v["tools"][0]["name"] = "a.b".into()), Err(ManifestError::ToolName(_))));
    }

    #[test]
    fn refuses_one_name_twice() {
        let twice = with(|v| {
            let tool = v["tools"][0].clone();
            v["tools"].as_array_mut().unwrap().push(tool);
        });
        assert!(matches!(twice, Err(ManifestError::ToolTwice(_))));
    }
}
