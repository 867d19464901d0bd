//! The agent `sre`: it is woken by an alarm, looks, finds the cause, takes the least invasive typed
//! act that answers it, and proves the repair, or hands over to a person with all that it knows.
//!
//! Deterministic; a model, where one is granted, gives a second opinion ([`counsel`]): [`heal`] is the loop, [`observe`] looks, [`orient`] judges, [`plan`]
//! chooses, [`act`] does, [`verify`] proves, [`incident`] keeps the record. All of it works on a
//! [`world::World`], so that it is tested natively; only `world.rs` names what the host lends. Services that run in
//! somebody's cloud are [`cloud`]'s: the same loop on other senses and hands, judged by `pi-diagnosis`. Before either
//! chooses an act of its own, it follows a [`runbook`] that people have written for the cause.
//! docs/incidents.md says what comes out, and which settings there are.

mod act;
mod advice;
mod cause;
mod cloud;
mod counsel;
mod facts;
mod heal;
mod incident;
mod instant;
mod observe;
mod orient;
mod patch;
mod plan;
mod runbook;
mod settings;
mod signs;
mod verify;
mod wake;
mod world;

#[cfg(test)]
mod simulation;

use pi_sdk::{AgentPlugin, Outcome, Task};

struct Sre;

impl AgentPlugin for Sre {
    fn run(task: Task) -> Result<Outcome, String> {
        wake::wake(&mut world::Session, &task)
    }
}

pi_sdk::agent!(Sre);
