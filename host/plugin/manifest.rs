//! The manifest that travels inside a component: who it is, what it needs and why, which tools it
//! offers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::CONTRACT;
use super::unique::Unique;
use crate::gate::Severity;
use crate::gate::explain::escaped;

// A manifest is read, listed and shown before anyone trusts it: what it can fill (memory, a screen,
// an agent's context) has a limit.
/// The whole of it, as JSON: parsed it takes many times that.
const MANIFEST_BYTES_MAX: usize = 4 << 20;
const TOOLS_MAX: usize = 256;
const NAME_CHARS_MAX: usize = 64;
const VERSION_BYTES_MAX: usize = 64;
/// Of the plugin, and of each tool.
const DESCRIPTION_BYTES_MAX: usize = 64 << 10;
/// Of each tool, as compact JSON.
const SCHEMA_BYTES_MAX: usize = 64 << 10;
const NEEDS_MAX: usize = 32;
const WHY_BYTES_MAX: usize = 4 << 10;
/// Of each need.
const NEED_NAMES_MAX: usize = 256;
const NEED_NAME_BYTES_MAX: usize = 256;
/// Of a suggested grant, as compact JSON.
const NEED_GRANT_BYTES_MAX: usize = 8 << 10;

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
    /// `files`, `process`, `services`, `tools`, `session`, `log`, `preopens`, ...
    pub capability: String,
    pub why: String,
    /// What of it: tools by name, or actions on services. Empty where it is not said. A host that
    /// grants less says so when it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// What the author suggests to grant, in the form of `[grants.X.<capability>]`. It is shown before
    /// anyone agrees, and grants nothing by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Value>,
    /// It works without: where nothing is granted, it finds none. Only of `model`, whose list is empty then.
    #[serde(default, rename = "optional", skip_serializing_if = "std::ops::Not::not")]
    pub is_optional: bool,
}

/// The worst that a call of a tool can do, as the manifest writes it.
pub type ToolEffect = Severity;

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
    #[error("two needs are of one capability: `{0}`\nhint: say all of it in one")]
    NeedTwice(String),
    #[error(
        "the need `{0}` cannot be optional: only `model` can\nhint: leave `optional` out; what is not granted is not linked"
    )]
    NotOptional(String),
    #[error("two tools have one name: `{0}`")]
    ToolTwice(String),
    /// `has` is counted in what the limit says.
    #[error("the manifest is too large: {what} may have {limit}, and has: {has}")]
    TooLarge { what: String, limit: String, has: usize },
}

impl Manifest {
    /// Read a manifest and check it.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        within("it", bytes.len(), MANIFEST_BYTES_MAX, "bytes")?;
        // The parser quotes what it stumbles over.
        let form = |error: serde_json::Error| ManifestError::Form(escaped(&error.to_string()));
        // A future form may have other keys: its number is looked at first.
        let Unique(value) = serde_json::from_slice(bytes).map_err(form)?;
        match value.get("manifest").and_then(Value::as_u64) {
            Some(1) => {}
            Some(other) => return Err(ManifestError::Version(u32::try_from(other).unwrap_or(u32::MAX))),
            None => return Err(ManifestError::Form("the key `manifest` is missing".into())),
        }
        let manifest: Self = serde_json::from_value(value).map_err(form)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Whether it is within the limits, and its names are such.
    pub(super) fn check(&self) -> Result<(), ManifestError> {
        if self.contract != CONTRACT {
            return Err(ManifestError::Contract(cut(&self.contract)));
        }
        if !is_name(&self.name, true) {
            return Err(ManifestError::Name(cut(&self.name)));
        }
        within("its `version`", self.version.len(), VERSION_BYTES_MAX, "bytes")?;
        within("its `description`", self.description.len(), DESCRIPTION_BYTES_MAX, "bytes")?;
        within("it", self.needs.len(), NEEDS_MAX, "`needs`")?;
        within("it", self.tools.len(), TOOLS_MAX, "`tools`")?;
        for (index, need) in self.needs.iter().enumerate() {
            if self.needs.iter().take(index).any(|earlier| earlier.capability == need.capability) {
                return Err(ManifestError::NeedTwice(cut(&need.capability)));
            }
            if need.is_optional && need.capability != "model" {
                return Err(ManifestError::NotOptional(cut(&need.capability)));
            }
            let of = |what: &str| format!("the {what} of the need `{}`", cut(&need.capability));
            within(&of("`why`"), need.why.len(), WHY_BYTES_MAX, "bytes")?;
            within(&of("`names`"), need.names.len(), NEED_NAMES_MAX, "entries")?;
            let longest = need.names.iter().map(String::len).max().unwrap_or(0);
            within(&of("longest of the `names`"), longest, NEED_NAME_BYTES_MAX, "bytes")?;
            let grant = need.grant.as_ref().map_or(0, |grant| grant.to_string().len());
            within(&of("`grant`"), grant, NEED_GRANT_BYTES_MAX, "bytes")?;
        }
        for (index, tool) in self.tools.iter().enumerate() {
            if !is_name(&tool.name, false) {
                return Err(ManifestError::ToolName(cut(&tool.name)));
            }
            if self.tools.iter().take(index).any(|earlier| earlier.name == tool.name) {
                return Err(ManifestError::ToolTwice(tool.name.clone()));
            }
            let of = |what: &str| format!("the {what} of the tool `{}`", tool.name);
            within(&of("`description`"), tool.description.len(), DESCRIPTION_BYTES_MAX, "bytes")?;
            within(&of("`input_schema`"), tool.input_schema.to_string().len(), SCHEMA_BYTES_MAX, "bytes")?;
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

fn within(what: &str, has: usize, most: usize, unit: &str) -> Result<(), ManifestError> {
    if has <= most {
        return Ok(());
    }
    Err(ManifestError::TooLarge { what: what.to_owned(), limit: format!("{most} {unit}"), has })
}

/// The begin of a text that is no name, for an error: a line of it could pass for a hint of ours.
fn cut(text: &str) -> String {
    escaped(&text.chars().take(NAME_CHARS_MAX).collect::<String>())
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
        assert_eq!(with(|_| ()).unwrap().tools[0].effect, Severity::Read);
    }

    #[test]
    fn names_an_unknown_key() {
        let error = with(|v| v["neds"] = Value::Null).unwrap_err().to_string();
        assert!(error.contains("`neds`"), "{error}");
    }

    #[test]
    fn names_a_key_that_stands_twice() {
        let text = r#"{"manifest": 1, "name": "demo", "version": "1.0.0", "kind": "tool", "contract": "0.1",
            "tools": [{"name": "a", "description": "d", "effect": "read", "input_schema": {"TYPE"}}]}"#;
        let parse = |schema: &str| Manifest::parse(text.replace("\"TYPE\"", schema).as_bytes());
        parse(r#""type": "object""#).unwrap();
        let error = parse(r#""type": "object", "type": "string""#).unwrap_err().to_string();
        assert!(error.contains("the key `type` stands twice") && error.contains("hint:"), "{error}");
        let error = Manifest::parse(text.replace("\"kind\"", "\"name\": \"other\", \"kind\"").as_bytes()).unwrap_err();
        assert!(error.to_string().contains("the key `name` stands twice"), "{error}");
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

    fn too_large(change: impl FnOnce(&mut Value)) -> String {
        match with(change) {
            Err(error @ ManifestError::TooLarge { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    fn needs(why: &str, names: Vec<String>) -> Value {
        serde_json::json!([{ "capability": "files", "why": why, "names": names }])
    }

    #[test]
    fn takes_what_is_as_large_as_it_may_be() {
        with(|v| {
            v["version"] = "x".repeat(VERSION_BYTES_MAX).into();
            v["description"] = "x".repeat(DESCRIPTION_BYTES_MAX).into();
            v["needs"] = needs(&"x".repeat(WHY_BYTES_MAX), vec!["x".repeat(NEED_NAME_BYTES_MAX); NEED_NAMES_MAX]);
            v["tools"][0]["name"] = "x".repeat(NAME_CHARS_MAX).into();
            v["tools"][0]["description"] = "x".repeat(DESCRIPTION_BYTES_MAX).into();
            // The rest is `{"a":""}`.
            v["tools"][0]["input_schema"] = serde_json::json!({ "a": "x".repeat(SCHEMA_BYTES_MAX - 8) });
        })
        .unwrap();
    }

    #[test]
    fn names_what_is_too_large() {
        let texts = [
            too_large(|v| v["version"] = "x".repeat(65).into()),
            too_large(|v| v["description"] = "x".repeat((64 << 10) + 1).into()),
            too_large(|v| v["needs"] = needs(&"x".repeat((4 << 10) + 1), Vec::new())),
            too_large(|v| v["needs"] = needs("", vec![String::new(); 257])),
            too_large(|v| v["needs"] = needs("", vec!["x".repeat(257)])),
            too_large(|v| v["needs"] = vec![needs("", Vec::new())[0].clone(); 33].into()),
            too_large(|v| v["tools"] = vec![v["tools"][0].clone(); 257].into()),
            too_large(|v| v["tools"][0]["description"] = "x".repeat((64 << 10) + 1).into()),
            too_large(|v| v["tools"][0]["input_schema"] = serde_json::json!({ "a": "x".repeat((64 << 10) - 7) })),
        ];
        insta::assert_snapshot!(texts.join("\n"), @r"
        the manifest is too large: its `version` may have 64 bytes, and has: 65
        the manifest is too large: its `description` may have 65536 bytes, and has: 65537
        the manifest is too large: the `why` of the need `files` may have 4096 bytes, and has: 4097
        the manifest is too large: the `names` of the need `files` may have 256 entries, and has: 257
        the manifest is too large: the longest of the `names` of the need `files` may have 256 bytes, and has: 257
        the manifest is too large: it may have 32 `needs`, and has: 33
        the manifest is too large: it may have 256 `tools`, and has: 257
        the manifest is too large: the `description` of the tool `a` may have 65536 bytes, and has: 65537
        the manifest is too large: the `input_schema` of the tool `a` may have 65536 bytes, and has: 65537
        ");
    }

    #[test]
    fn parses_no_more_than_it_may_have_in_all() {
        let text = too_large(|v| v["description"] = "x".repeat(MANIFEST_BYTES_MAX).into());
        assert!(text.starts_with("the manifest is too large: it may have 4194304 bytes"), "{text}");
    }

    #[test]
    fn refuses_a_tool_name_that_is_too_long() {
        let error = with(|v| v["tools"][0]["name"] = "x".repeat(NAME_CHARS_MAX + 1).into());
        assert!(matches!(error, Err(ManifestError::ToolName(_))), "{error:?}");
    }

    #[test]
    fn what_it_says_forges_no_line_of_an_error() {
        let forged = "x\nhint: run this\u{1b}[2J";
        for error in [
            with(|v| v["name"] = forged.into()),
            with(|v| v["contract"] = forged.into()),
            with(|v| v["tools"][0]["name"] = forged.into()),
            with(|v| v[forged] = Value::Null),
        ] {
            let text = error.unwrap_err().to_string();
            assert!(!text.contains("\nhint: run this") && !text.contains('\u{1b}'), "{text}");
        }
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
