//! stub
use pi_sdk::{Content, Error, ToolPlugin, Value};
struct Plugin;
impl ToolPlugin for Plugin {
    const MANIFEST: &'static str = include_str!("../plugin.json");
    fn call(name: &str, _arguments: Value) -> Result<Vec<Content>, Error> {
        Ok(vec![Content::Text(format!("{name}"))])
    }
}
pi_sdk::tool!(Plugin);
