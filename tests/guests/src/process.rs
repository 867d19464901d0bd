//! A guest that was granted some programs and asks for others, and leaves behind what it can.

use pi_sdk::process::{self, Command};
use pi_sdk::{Content, Error, ToolPlugin, Value};

/// Bytes of one read of a program's output.
const READ_BYTES: u32 = 64 << 10;

struct Process;

impl ToolPlugin for Process {
    const MANIFEST: &'static str = include_str!("../manifests/process.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        match name {
            "run" => run(&arguments),
            "start_many" => {
                let mut children = Vec::new();
                loop {
                    children.push(process::start(&command(&arguments)).map_err(error)?);
                }
            }
            "leave" => {
                // Never dropped: the host has to end it with the call.
                std::mem::forget(process::start(&command(&arguments)).map_err(error)?);
                Ok(vec![Content::Text("left".into())])
            }
            _ => Err(Error::NotFound(name.to_owned())),
        }
    }
}

pi_sdk::tool!(Process);

fn run(arguments: &Value) -> Result<Vec<Content>, Error> {
    let child = process::start(&command(arguments)).map_err(error)?;
    child.close_input();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        child.subscribe().block();
        let output = child.read(READ_BYTES);
        stdout.extend(output.stdout);
        stderr.extend(output.stderr);
        if let Some(exit) = output.ended {
            let said = pi_sdk::json!({
                "exit": format!("{exit:?}"),
                "stdout": String::from_utf8_lossy(&stdout),
                "stderr": String::from_utf8_lossy(&stderr),
            });
            return Ok(pi_sdk::json_content(&said));
        }
    }
}

fn command(arguments: &Value) -> Command {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |name: &str| arguments.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let pair = |pair: &Value| {
        let part = |index: usize| pair.get(index).map(text).unwrap_or_default();
        (part(0), part(1))
    };
    Command {
        program: arguments.get("program").map(text).unwrap_or_default(),
        arguments: list("arguments").iter().map(text).collect(),
        environment: list("environment").iter().map(pair).collect(),
        directory: arguments.get("directory").map(text).unwrap_or_default(),
        timeout_ms: arguments.get("timeout_ms").and_then(Value::as_u64).and_then(|ms| u32::try_from(ms).ok()),
    }
}

fn error(error: process::Error) -> Error {
    match error {
        process::Error::Refused(refusal) => Error::Refused(refusal),
        other => Error::Failed(format!("{other:?}")),
    }
}
