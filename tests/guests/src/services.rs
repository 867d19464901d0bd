//! A guest that was granted some services and acts on others.

use pi_sdk::services;
use pi_sdk::{Content, Error, ToolPlugin, Value};

struct Services;

impl ToolPlugin for Services {
    const MANIFEST: &'static str = include_str!("../manifests/services.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| arguments.get(name).and_then(Value::as_u64).unwrap_or_default();
        match name {
            "restart" => services::restart(text("name")).map_err(error)?,
            "end_process" => {
                let pid = u32::try_from(number("pid")).unwrap_or(u32::MAX);
                services::end_process(pid, number("start_time")).map_err(error)?;
            }
            "rotate" => {
                services::rotate_log(text("name"), text("path")).map_err(error)?;
            }
            "logs" => {
                services::logs(text("name"), u32::MAX).map_err(error)?;
            }
            _ => return Err(Error::NotFound(name.to_owned())),
        }
        Ok(vec![Content::Text("done".into())])
    }
}

pi_sdk::tool!(Services);

fn error(error: services::Error) -> Error {
    match error {
        services::Error::Refused(refusal) => Error::Refused(refusal),
        other => Error::Failed(format!("{other:?}")),
    }
}
