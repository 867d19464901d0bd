//! Components on wasmtime: compile once, link only what is granted, a fresh instance for each call.
//!
//! Knows nothing of sessions, agents' decisions or configuration files: it takes bytes and resolved
//! grants. `engine` has the settings, `compile` and `cache` turn bytes into code, `link` decides
//! what a plugin can reach, `call` runs one call under its limits, `plain` calls what was not written
//! for this host, `act` what was written for ACT. `inert` is a store for what runs before anything is granted.

mod act;
mod cache;
mod call;
mod compile;
mod engine;
mod hide;
mod inert;
mod link;
mod plain;
mod prepare;

pub use cache::Cache;
pub use call::{CallError, CallLimits, Context, Determinism, definition};
pub use compile::{Compiled, LoadError};
pub use engine::{Room, Runtime, RuntimeError};
pub use link::{Grants, LinkError, LinkedAgent, LinkedTool};
