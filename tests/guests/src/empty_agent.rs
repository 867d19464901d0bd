//! An agent that does nothing: what heals with it in place of another healed by itself.

use pi_sdk::{AgentPlugin, Outcome, Status, Task};

struct Empty;

impl AgentPlugin for Empty {
    fn run(_task: Task) -> Result<Outcome, String> {
        Ok(Outcome {
            status: Status::NothingToDo,
            summary: "the empty agent does nothing".into(),
            details: "{}".into(),
        })
    }
}

pi_sdk::agent!(Empty);
