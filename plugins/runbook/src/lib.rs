//! Runbooks: Markdown for people whose fenced blocks are steps that a machine can run, without a model.
//!
//! Pure: no I/O, no clock, no randomness. `Runbook::parse` reads a file, `check` compares it with the tools that there
//! are, `plan` says what would be done, [`Runner`] yields one tool call after another and takes the answers, and
//! `test` plays the file's own tests. Whoever drives the runner (the agent in `agent/`, the agent `sre`, a test) makes
//! the calls. Everything that a file controls is bounded by a named limit.
//!
//! It must not know any one tool, service or cloud. A new key of a step is read in `read.rs`, checked in `check.rs`
//! and obeyed in `run.rs`; docs/runbooks.md has the format.

mod check;
mod duration;
mod expression;
mod markdown;
mod near;
mod parameter;
mod plan;
mod problem;
mod read;
mod run;
mod runbook;
mod scope;
mod template;
mod tool;
mod trial;
mod yaml;

pub use parameter::{Kind, Parameter, Parameters, Source, Target, Type};
pub use plan::{Plan, PlannedCall, PlannedStep};
pub use problem::{Problem, Problems};
pub use run::{Answer, Call, Next, Outcome, Record, Role, Runner, State, Status};
pub use runbook::{Autonomy, FILE_BYTES_MAX, OnFailure, Runbook};
pub use tool::{Effect, Tool, Toolbox};
pub use trial::{Trial, Verdict};

/// A runbook that works as it stands, for a new file of this name.
#[must_use]
pub fn template(name: &str) -> String {
    include_str!("template.md").replace("NAME", name)
}
