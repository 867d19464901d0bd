//! The agent `ghost`: it wakes beside a database, looks at what changed in its schema, in its data and in its health, and
//! hands in a report, unasked.
//!
//! Deterministic; a model, where one is granted, words the summary and nothing more ([`narrate`]). [`wake`] is the whole of
//! it: what is found comes from `pi-catalog` (schema, health) and `pi-patterns` (data) through statements that the tool
//! `sql_query` runs, [`evidence`] brings it into a form to be
//! read and run, [`rank`] puts it in order, [`draw`] has it drawn, [`page`] writes it down, [`overview`] says what there is. What it has to know the
//! next time it keeps by the tool `memory_put`. All of it works on a [`world::World`], so that it is tested natively.

mod draw;
mod evidence;
mod lent;
mod narrate;
mod overview;
mod page;
mod rank;
mod settings;
mod text;
mod wake;
mod world;

use pi_sdk::{AgentPlugin, Outcome, Task};

struct Ghost;

impl AgentPlugin for Ghost {
    fn run(task: Task) -> Result<Outcome, String> {
        wake::wake(&mut world::Session, &task)
    }
}

pi_sdk::agent!(Ghost);
