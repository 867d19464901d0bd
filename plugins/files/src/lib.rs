//! The plugin `files`: the tools `read`, `write` and `edit` over the capability `files`.
//!
//! What needs no file (finding the lines, replacing the passage, telling what is near) is pure and
//! tested here; the rest is a few calls of the host.

mod edit;
mod kind;
mod near;
mod read;
mod write;

use pi_sdk::{Content, Error, ToolPlugin, Value, files};

struct Files;

impl ToolPlugin for Files {
    const MANIFEST: &'static str = include_str!("../plugin.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        match name {
            "read" => read::read(&arguments),
            "write" => write::write(&arguments),
            "edit" => edit::edit(&arguments),
            _ => Err(Error::NotFound(format!("the plugin `files` has no tool `{name}`"))),
        }
    }
}

pi_sdk::tool!(Files);

fn text<'a>(arguments: &'a Value, name: &str) -> Result<&'a str, Error> {
    arguments
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| Error::InvalidArguments(format!("`{name}` must be a text")))
}

fn number(arguments: &Value, name: &str) -> Option<u64> {
    arguments.get(name).and_then(Value::as_u64)
}

/// The path as the result names it: absolute.
fn absolute(path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    format!("{}/{}", files::working_directory().trim_end_matches('/'), path.trim_start_matches("./"))
}
