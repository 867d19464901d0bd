//! From what was observed of an incident to its root cause: competing hypotheses, each with what speaks for it and
//! against it, by knowledge that is data (`causes/*.toml`).
//!
//! Pure: no I/O, no clock, no randomness, the same answer to the same incident. It builds for Wasm (the agent `sre`)
//! and natively (`pi-host incident`). It must not know any one service; what it knows of failures stands in files.
//! A new root cause is a row in `cause.rs` and a file; a new kind of evidence is a function of `evidence/` and a kind
//! of rule in `knowledge.rs`.

mod cause;
mod diagnosis;
mod eval;
mod evidence;
mod example;
mod incident;
mod instant;
mod knowledge;
mod orient;

pub use cause::{Category, Cause};
pub use diagnosis::{Action, Diagnosis, Hypothesis};
pub use eval::{Answer, AnswerError, Bucket, Graded, Score, reliability};
pub use example::{Outcome, run_examples};
pub use incident::{
    Alert, Event, Incident, IncidentError, LogLine, Metric, Point, Query, Resource, TEXT_BYTES_MAX, Version,
};
pub use instant::Instant;
pub use knowledge::{Act, EMBEDDED, FILE_BYTES_MAX, FILES_MAX, Knowledge, KnowledgeError, VOCABULARY};
pub use orient::Diagnostician;

/// The root cause of one incident. Who has many keeps a [`Diagnostician`], which prepares the search for words once.
#[must_use]
pub fn diagnose(incident: &Incident, knowledge: &Knowledge) -> Diagnosis {
    Diagnostician::new(knowledge).diagnose(incident)
}
