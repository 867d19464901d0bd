//! A guest that was granted some tools and calls others, itself and too many.

use pi_sdk::tools::{self, Request};
use pi_sdk::{Content, Error, ToolPlugin, Value};

struct Tools;

impl ToolPlugin for Tools {
    const MANIFEST: &'static str = include_str!("../manifests/tools.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        match name {
            "call_tool" => {
                let tool = arguments.get("tool").and_then(Value::as_str).unwrap_or_default();
                let count = arguments.get("count").and_then(Value::as_u64).unwrap_or(1);
                let request = Request {
                    name: tool.to_owned(),
                    arguments: arguments.get("arguments").map_or_else(|| "{}".to_owned(), Value::to_string),
                };
                let requests: Vec<Request> = (0..count).map(|_| request.clone()).collect();
                let mut contents = Vec::new();
                for result in tools::call(&requests) {
                    contents.extend(result?);
                }
                Ok(contents)
            }
            "call_itself" => {
                let request = Request { name: "call_itself".into(), arguments: "{}".into() };
                tools::call(&[request]).into_iter().next().unwrap_or(Ok(Vec::new()))
            }
            "bad_arguments" => {
                let request = Request { name: "noop".into(), arguments: "{\"open\": ".into() };
                tools::call(&[request]).into_iter().next().unwrap_or(Ok(Vec::new()))
            }
            _ => Err(Error::NotFound(name.to_owned())),
        }
    }
}

pi_sdk::tool!(Tools);
