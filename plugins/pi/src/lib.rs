//! The agent `pi`: the loop of `pi-agent`, and nothing else. docs/pi.md says how it is set up.

use pi_agent::Session;
use pi_sdk::{AgentPlugin, Outcome, Task};

struct Pi;

impl AgentPlugin for Pi {
    fn run(task: Task) -> Result<Outcome, String> {
        pi_agent::run(&mut Session, &task)
    }
}

pi_sdk::agent!(Pi);
