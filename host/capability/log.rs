//! `wasi:logging`: what a component says goes into its session's journal.

use super::bindings::wasi::logging::logging::{Host, Level};
use super::state::CallState;

/// What one instance may say.
#[derive(Debug, Default)]
pub struct LogState {}

impl Host for CallState {
    async fn log(&mut self, _level: Level, _context: String, _message: String) -> wasmtime::Result<()> {
        Ok(())
    }
}
