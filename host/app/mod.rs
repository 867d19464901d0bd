//! The only place that wires concrete parts together: a project becomes a host.
//!
//! `corpus` measures the gate; `catalog` knows the plugins, `setup` links them, `state` opens the store, `single` serves one
//! tool call, `host` supervises, watches and runs agents until it is told to stop.

mod catalog;
mod corpus;
mod host;
mod incident;
mod requests;
mod setup;
mod single;
mod state;

pub use catalog::{Catalog, CatalogError, Source};
pub use corpus::{CorpusError, Counts, Evaluation, Expect, Miss, evaluate};
pub use host::{Event, Host, HostError, Options};
pub use incident::Closed;
pub use requests::{STOP, TOOL_CALL};
pub use setup::{Setup, SetupError, gate, policy};
pub use single::{SingleError, call_tool};
pub use state::open_existing_store;
pub use state::{StateError, open_store};
