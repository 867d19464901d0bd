//! One run of one agent: serves the agent's imports, from the journal as long as it reaches and
//! live from there on.
//!
//! The agent is deterministic, so the same component with the same answers asks the same questions:
//! that is how a session is resumed after a crash. What was begun and has no outcome in the journal
//! is run again if that is harmless, and otherwise told to the agent as *unknown*.

mod agent;
mod budget;
mod call;
mod conversation;
mod inbox;
pub mod message;
mod model;
mod peer;
mod question;
mod rehearsal;
mod replay;
mod run;
mod toolbox;

pub use agent::Diverged;
pub use budget::{DAY_MS, Days, Spent};
pub use call::{Called, Caller, Kernel, cut_off};
pub use inbox::{Inbox, MESSAGE_BYTES_MAX, SayError};
pub use model::{Models, Offer, Streamed};
pub use peer::Peer;
pub use rehearsal::{Rehearsal, Script, rehearse};
pub use replay::{Replayed, Requests, Verdict, replay};
pub use run::{AgentSetup, Ended, SessionError, resume, start};
pub use toolbox::{Entry as ToolEntry, Provider, Toolbox, ToolboxError};
