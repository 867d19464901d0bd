//! A component of ACT, made by ACT's own kit: what others publish for that host. Its one tool does nothing, so
//! that it is also what benches/mcp/act.py measures.

use act_sdk::prelude::*;

#[act_component]
mod component {
    use super::*;

    #[act_tool(description = "Does nothing", read_only)]
    fn noop() -> ActResult<String> {
        Ok(String::new())
    }
}
