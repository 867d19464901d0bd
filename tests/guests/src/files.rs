//! A guest that was granted files and tries to reach others.

use pi_sdk::files::{self, Error as FilesError, WriteMode};
use pi_sdk::{Content, Error, ToolPlugin, Value};

struct Files;

impl ToolPlugin for Files {
    const MANIFEST: &'static str = include_str!("../manifests/files.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        let path = arguments.get("path").and_then(Value::as_str).unwrap_or_default();
        match name {
            "open" => files::read(path, 0, 4_096).map(|bytes| text(String::from_utf8_lossy(&bytes))).map_err(error),
            "read_symlink" => {
                let link = arguments.get("link").and_then(Value::as_str).unwrap_or_default();
                files::make_symlink(path, link).map_err(error)?;
                files::read(link, 0, 4_096).map(|bytes| text(String::from_utf8_lossy(&bytes))).map_err(error)
            }
            "write_outside" => {
                files::write(path, b"written by a hostile guest", WriteMode::Replace).map_err(error)?;
                Ok(text("written"))
            }
            "remove_all" => {
                files::remove(path, true).map_err(error)?;
                Ok(text("removed"))
            }
            "look_forever" => loop {
                std::hint::black_box(files::roots());
            },
            "read_huge" => files::read(path, 0, u32::MAX).map(|bytes| text(bytes.len().to_string())).map_err(error),
            _ => Err(Error::NotFound(name.to_owned())),
        }
    }
}

pi_sdk::tool!(Files);

fn text(text: impl Into<String>) -> Vec<Content> {
    vec![Content::Text(text.into())]
}

fn error(error: FilesError) -> Error {
    match error {
        FilesError::Refused(refusal) => Error::Refused(refusal),
        other => Error::Failed(format!("{other:?}")),
    }
}
