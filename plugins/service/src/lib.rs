//! The plugin `service`: the capability `services` as tools.
//!
//! Each tool is one call of the host; nothing is decided here. `docs/tools.md` lists the fields of
//! the results, and [`records`] writes them.

mod records;

use pi_sdk::{Content, Error, ToolPlugin, Value, json, json_content, services};

/// Lines of a log that a call gets when it does not say how many.
const LINES_DEFAULT: u64 = 200;

struct Service;

impl ToolPlugin for Service {
    const MANIFEST: &'static str = include_str!("../plugin.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        let result = match name {
            "service_list" => Value::Array(services::list().iter().map(records::description).collect()),
            "service_status" => records::condition(&services::status(text(&arguments, "name")?).map_err(error)?),
            "service_probe" => records::probe_result(&services::probe(text(&arguments, "name")?).map_err(error)?),
            "service_logs" => {
                let lines = arguments.get("lines").and_then(Value::as_u64).unwrap_or(LINES_DEFAULT);
                let lines = u32::try_from(lines).unwrap_or(u32::MAX);
                let lines = services::logs(text(&arguments, "name")?, lines).map_err(error)?;
                Value::Array(lines.iter().map(records::log_line).collect())
            }
            "service_changes" => {
                let changes = services::changes(text(&arguments, "name")?).map_err(error)?;
                Value::Array(changes.iter().map(records::change).collect())
            }
            "service_restart" => {
                let service = text(&arguments, "name")?;
                services::restart(service).map_err(error)?;
                json!({ "name": service, "is_restarted": true })
            }
            "port_owner" => {
                let port = number(&arguments, "port")?;
                let owner = services::port_owner(port).map_err(error)?;
                owner.as_ref().map_or(Value::Null, records::owner)
            }
            "process_end" => {
                let pid = number(&arguments, "pid")?;
                let start_time = number(&arguments, "start_time")?;
                services::end_process(pid, start_time).map_err(error)?;
                json!({ "pid": pid, "start_time": start_time, "is_ended": true })
            }
            "log_rotate" => {
                let (service, path) = (text(&arguments, "name")?, text(&arguments, "path")?);
                let archive = services::rotate_log(service, path).map_err(error)?;
                json!({ "name": service, "path": path, "archive": archive })
            }
            _ => return Err(Error::NotFound(format!("the plugin `service` has no tool `{name}`"))),
        };
        Ok(json_content(&result))
    }
}

pi_sdk::tool!(Service);

fn error(error: services::Error) -> Error {
    match error {
        services::Error::Refused(refusal) => Error::Refused(refusal),
        services::Error::NotFound(text) => Error::InvalidArguments(text),
        services::Error::NotGranted(text) => Error::Failed(format!("not granted: {text}")),
        services::Error::Unsupported(text) => Error::Failed(format!("unsupported: {text}")),
        services::Error::Failed(text) => Error::Failed(text),
    }
}

fn text<'a>(arguments: &'a Value, name: &str) -> Result<&'a str, Error> {
    arguments
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| Error::InvalidArguments(format!("`{name}` must be a text")))
}

fn number<N: TryFrom<u64>>(arguments: &Value, name: &str) -> Result<N, Error> {
    arguments
        .get(name)
        .and_then(Value::as_u64)
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| Error::InvalidArguments(format!("`{name}` must be a whole number within its range")))
}
