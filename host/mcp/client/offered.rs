//! A server's tools, checked and named as tools of this host.
//!
//! A name is `server_tool`, of `a-z`, `0-9` and `_`, at most 64 characters. Where two would be
//! the same, or one too long, a part of the digest of the server's own name for it stands at the
//! end: the name does not depend on the order in which the server lists them.

use std::collections::BTreeMap;

use jsonschema::PatternOptions;
use rmcp::model::{Tool, ToolAnnotations};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::PeerLimits;
use crate::gate::Severity;
use crate::gate::explain::escaped;
use crate::mcp::message::shown;

const NAME_CHARS_MAX: usize = 64;

/// Of the server's own name for a tool. It is sent back with each call.
const REMOTE_BYTES_MAX: usize = 256;

/// Digits of the digest.
const DIGEST_CHARS: usize = 8;

/// A tool of a server, as this host offers it.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerTool {
    /// Unique among the server's tools.
    pub name: String,
    /// The server's own name for it.
    pub remote: String,
    pub title: Option<String>,
    pub description: String,
    /// An object, and a JSON Schema whose patterns are matched in linear time.
    pub input_schema: Value,
    /// By the server's own account, and the worst where it says nothing.
    pub effect: Severity,
    pub idempotent: bool,
    pub open_world: bool,
}

/// The tools that can be offered, and those that cannot, with the reason.
pub(super) fn offered(server: &str, tools: Vec<Tool>, limits: &PeerLimits) -> (Vec<PeerTool>, Vec<(String, String)>) {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for tool in &tools {
        *taken.entry(plain_name(server, &tool.name)).or_default() += 1;
    }
    let mut offered: Vec<PeerTool> = Vec::with_capacity(tools.len());
    let mut left_out = Vec::new();
    for tool in tools {
        let plain = plain_name(server, &tool.name);
        let is_unique = taken.get(&plain) == Some(&1) && plain.len() <= NAME_CHARS_MAX;
        let name = if is_unique { plain } else { digest_name(&plain, &tool.name) };
        if offered.iter().any(|earlier| earlier.name == name) {
            left_out.push((shown(&tool.name), "the server offers it twice".to_owned()));
            continue;
        }
        match checked(name, &tool, limits) {
            Ok(tool) => offered.push(tool),
            Err(reason) => left_out.push((shown(&tool.name), reason)),
        }
    }
    (offered, left_out)
}

fn plain_name(server: &str, tool: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    format!("{server}_{}", tool.chars().map(plain).collect::<String>())
}

fn digest_name(plain: &str, remote: &str) -> String {
    let digest = Sha256::digest(remote.as_bytes());
    let digest: String = digest.iter().take(DIGEST_CHARS / 2).map(|byte| format!("{byte:02x}")).collect();
    let head: String = plain.chars().take(NAME_CHARS_MAX - DIGEST_CHARS - 1).collect();
    format!("{head}_{digest}")
}

fn checked(name: String, tool: &Tool, limits: &PeerLimits) -> Result<PeerTool, String> {
    if tool.name.is_empty() || tool.name.len() > REMOTE_BYTES_MAX {
        return Err(format!("its name does not have 1 to {REMOTE_BYTES_MAX} bytes"));
    }
    let description = cleaned(tool.description.as_deref().unwrap_or_default());
    if description.len() > limits.description_bytes_max {
        return Err("its description is over `description_bytes_max`".into());
    }
    let mut schema = tool.input_schema.as_ref().clone();
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => {}
        None if !schema.contains_key("type") => {
            schema.insert("type".into(), "object".into());
        }
        _ => return Err("its schema is not that of an object".into()),
    }
    let input_schema = Value::Object(schema);
    if input_schema.to_string().len() > limits.schema_bytes_max {
        return Err("its schema is over `schema_bytes_max`".into());
    }
    // A pattern that goes back and forth would let a server stop the host with one argument.
    jsonschema::options().with_pattern_options(PatternOptions::regex()).build(&input_schema).map_err(|error| {
        format!("its schema is no JSON Schema that can be used: {}", super::said(&error.to_string()))
    })?;
    let hints = tool.annotations.clone().unwrap_or_default();
    let effect = effect(&hints);
    let title = tool.title.clone().or(hints.title).map(|title| shown(&title));
    Ok(PeerTool {
        name,
        remote: tool.name.to_string(),
        title,
        description,
        input_schema,
        effect,
        idempotent: hints.idempotent_hint.unwrap_or(effect == Severity::Read),
        open_world: hints.open_world_hint.unwrap_or(true),
    })
}

fn effect(hints: &ToolAnnotations) -> Severity {
    match (hints.read_only_hint, hints.destructive_hint) {
        (Some(true), _) => Severity::Read,
        (_, Some(false)) => Severity::Write,
        _ => Severity::Destructive,
    }
}

/// Text of several lines, without what a reader does not see.
fn cleaned(text: &str) -> String {
    text.lines().map(|line| escaped(&line.replace('\t', " "))).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn tool(name: &str, schema: Value) -> Tool {
        let Value::Object(schema) = schema else { panic!() };
        Tool::new(name.to_owned(), "does it", Arc::new(schema))
    }

    fn names(tools: &[&str]) -> Vec<String> {
        let tools = tools.iter().map(|name| tool(name, json!({}))).collect();
        offered("a", tools, &PeerLimits::default()).0.into_iter().map(|tool| tool.name).collect()
    }

    fn reason(tool: Tool) -> String {
        let (offered, left_out) = offered("a", vec![tool], &PeerLimits::default());
        assert_eq!(offered, []);
        left_out[0].1.clone()
    }

    #[test]
    fn a_name_is_plain_and_carries_the_servers() {
        assert_eq!(names(&["Read-File", "b.c/d", "é"]), ["a_read_file", "a_b_c_d", "a__"]);
    }

    #[test]
    fn names_that_would_be_one_are_told_apart_whatever_their_order() {
        let one = names(&["a-b", "a_b", "c"]);
        let mut other = names(&["c", "a_b", "a-b"]);
        other.reverse();
        assert_eq!(one, other);
        assert_eq!(one[2], "a_c");
        assert!(one[0] != one[1] && one[0].starts_with("a_a_b_"));
    }

    #[test]
    fn a_name_ends_at_its_limit() {
        assert_eq!(names(&[&"x".repeat(NAME_CHARS_MAX - 2)])[0], format!("a_{}", "x".repeat(NAME_CHARS_MAX - 2)));
        let long = names(&[&"x".repeat(NAME_CHARS_MAX - 1), &"x".repeat(REMOTE_BYTES_MAX)]);
        assert!(long.iter().all(|name| name.len() == NAME_CHARS_MAX));
        assert_ne!(long[0], long[1]);
        assert!(reason(tool(&"x".repeat(REMOTE_BYTES_MAX + 1), json!({}))).contains("256"));
    }

    #[test]
    fn one_name_twice_is_one_tool() {
        let tools = vec![tool("x", json!({})), tool("x", json!({}))];
        let (offered, left_out) = offered("a", tools, &PeerLimits::default());
        assert_eq!((offered.len(), left_out.len()), (1, 1));
    }

    #[test]
    fn the_worst_is_assumed_where_the_server_says_nothing() {
        let hinted = |hints: ToolAnnotations| effect(&hints);
        assert_eq!(hinted(ToolAnnotations::new()), Severity::Destructive);
        assert_eq!(hinted(ToolAnnotations::new().read_only(false)), Severity::Destructive);
        assert_eq!(hinted(ToolAnnotations::new().destructive(false)), Severity::Write);
        assert_eq!(hinted(ToolAnnotations::new().read_only(true)), Severity::Read);
    }

    #[test]
    fn a_schema_that_cannot_be_used_leaves_its_tool_out() {
        assert!(reason(tool("x", json!({ "type": "string" }))).contains("not that of an object"));
        assert!(reason(tool("x", json!({ "type": ["object"] }))).contains("not that of an object"));
        assert!(reason(tool("x", json!({ "properties": 3 }))).contains("no JSON Schema"));
        assert!(
            reason(tool("x", json!({ "properties": { "a": { "$ref": "https://a.example/" } } }))).contains("no JSON")
        );
        assert!(reason(tool("x", json!({ "properties": { "a": { "pattern": "(a+)+\\1$" } } }))).contains("no JSON"));
        let wide = |bytes| tool("x", json!({ "description": "x".repeat(bytes) }));
        assert!(reason(wide(PeerLimits::default().schema_bytes_max)).contains("schema_bytes_max"));
    }

    #[test]
    fn a_description_is_escaped_and_bounded() {
        let mut hidden = tool("x", json!({}));
        hidden.description = Some("one\u{202e}\ntwo\u{1b}[2J".into());
        let (offered, _) = offered("a", vec![hidden], &PeerLimits::default());
        assert_eq!(offered[0].description, "one\\u{202e}\ntwo\\u{1b}[2J");
        let mut long = tool("x", json!({}));
        long.description = Some("x".repeat(PeerLimits::default().description_bytes_max + 1).into());
        assert!(reason(long).contains("description_bytes_max"));
    }
}
