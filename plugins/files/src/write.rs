//! The tool `write`.

use pi_sdk::files::{self, WriteMode};
use pi_sdk::{Content, Error, Value, json, json_content};

use crate::{absolute, text};

pub(crate) fn write(arguments: &Value) -> Result<Vec<Content>, Error> {
    let path = text(arguments, "path")?;
    let content = text(arguments, "content")?;
    let name = arguments.get("mode").and_then(Value::as_str).unwrap_or("replace");
    let mode = match name {
        "create" => WriteMode::Create,
        "replace" => WriteMode::Replace,
        "append" => WriteMode::Append,
        _ => return Err(Error::InvalidArguments(format!("`mode` must be `create`, `replace` or `append`: `{name}`"))),
    };
    match files::write(path, content.as_bytes(), mode) {
        Err(files::Error::NotFound(_)) => {
            if let Some((folder, _)) = path.rsplit_once('/') {
                files::make_directory(folder, true)?;
            }
            files::write(path, content.as_bytes(), mode)?;
        }
        other => other?,
    }
    Ok(json_content(&json!({ "path": absolute(path), "mode": name, "bytes": content.len() })))
}
