//! A guest that was granted the log and fills it.

use pi_sdk::logging::{self, Level};
use pi_sdk::{Content, Error, ToolPlugin, Value};

struct Log;

impl ToolPlugin for Log {
    const MANIFEST: &'static str = include_str!("../manifests/log.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        let number = |name: &str, default: u64| arguments.get(name).and_then(Value::as_u64).unwrap_or(default);
        match name {
            "log_flood" => {
                let message = "x".repeat(usize::try_from(number("bytes", 1_000)).unwrap_or(usize::MAX));
                for _ in 0..number("count", u64::MAX) {
                    logging::log(Level::Info, "flood", &message);
                }
                Ok(vec![Content::Text("done".into())])
            }
            "log_forge" => {
                logging::log(Level::Critical, "\u{1b}[2J", "first\nsecond\u{1b}]0;forged\u{7}\0");
                Ok(vec![Content::Text("done".into())])
            }
            _ => Err(Error::NotFound(name.to_owned())),
        }
    }
}

pi_sdk::tool!(Log);
