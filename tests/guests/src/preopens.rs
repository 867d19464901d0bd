//! A component of another kind: it uses the standard file functions, and so `wasi:filesystem`.

use pi_sdk::{Content, Error, ToolPlugin, Value};

struct Preopens;

impl ToolPlugin for Preopens {
    const MANIFEST: &'static str = include_str!("../manifests/preopens.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        let path = arguments.get("path").and_then(Value::as_str).unwrap_or_default();
        let done = match name {
            "std_read" => std::fs::read_to_string(path),
            "std_write" => std::fs::write(path, "written through a preopen").map(|()| "written".to_owned()),
            "std_link" => {
                let link = arguments.get("link").and_then(Value::as_str).unwrap_or_default();
                std::fs::hard_link(path, link).map(|()| "linked".to_owned())
            }
            _ => return Err(Error::NotFound(name.to_owned())),
        };
        done.map(|text| vec![Content::Text(text)]).map_err(|e| Error::Failed(e.to_string()))
    }
}

pi_sdk::tool!(Preopens);
