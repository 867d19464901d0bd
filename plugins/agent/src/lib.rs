//! The loop of an agent that thinks with a model: ask it, make the calls that it wants, give it the results, until
//! it is done; hear what people say meanwhile; keep the conversation within the model's window.
//!
//! Everything works on a [`World`], so that it is tested natively; only `world.rs` names what the host lends. The
//! loop is deterministic: the same answers lead to the same questions, which is how a session is replayed.

mod calls;
mod context;
mod prompt;
mod settings;
mod turn;
mod world;

#[cfg(test)]
mod tests;

pub use pi_sdk::model::{self, Message, Part, Role};
pub use settings::Settings;
pub use turn::{Agent, End};
pub use world::{Session, World};

use pi_sdk::{Outcome, Status, Task, json};

/// Work on a task until it is done and nobody says any more.
///
/// # Errors
/// A sentence for a person: the agent is not set up so that it could begin.
pub fn run(world: &mut impl World, task: &Task) -> Result<Outcome, String> {
    let settings = Settings::read(&task.config)?;
    let mut agent = Agent::new(world, settings)?;
    let mut said = prompt::of(task);
    let mut end = End::default();
    loop {
        if said.is_empty() {
            match agent.world.next() {
                Some(text) => said = text,
                None => break,
            }
        }
        agent.say(&std::mem::take(&mut said));
        end = agent.turn();
        if !end.is_done {
            // Who goes on talking would not see it before the conversation is over.
            agent.world.note(&end.text);
        }
    }
    let status = if end.is_done { Status::Done } else { Status::Failed };
    let details = json!({ "steps": agent.steps(), "tokens": agent.tokens() }).to_string();
    Ok(Outcome { status, summary: end.text, details })
}
