//! The gatekeeper: an act goes in, a decision comes out.
//!
//! Pure: no I/O, no clock, no wasmtime, and no import of any other module of this project, so that
//! a decision can be tested, replayed and explained. Whatever it cannot read ends in ask or deny.

mod action;
mod decision;

pub use action::{Act, Effect, Origin, WriteMode};
pub use decision::{Decision, Evidence, Verdict};

/// The policy that is in force.
pub struct Gate {}

impl Gate {
    /// Judge one act.
    #[must_use]
    pub fn decide(&self, _act: &Act, _origin: &Origin) -> Decision {
        Decision::allow()
    }
}
