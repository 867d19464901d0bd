//! stub
use pi_sdk::{Content, Error, ToolPlugin, Value};
struct Plugin;
impl ToolPlugin for Plugin {
    const MANIFEST: &'static str = include_str!("../plugin.json");
    fn call(name: &str, _arguments: Value) -> Result<Vec<Content>, Error> {
        let l = pi_sdk::services::list();
        pi_sdk::logging::log(pi_sdk::logging::Level::Info, "x", "y");
        Ok(vec![Content::Text(format!("{name} {}", l.len()))])
    }
}
pi_sdk::tool!(Plugin);
