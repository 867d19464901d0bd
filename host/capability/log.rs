//! `wasi:logging`: what a component says goes into its session's journal.

use super::bindings::wasi::logging::logging::{Host, Level};
use super::state::CallState;
use crate::journal::Body;

/// Most messages of one instance: a guest that logs in a loop must not fill the journal.
const MESSAGES_MAX: u32 = 10_000;
/// Longest message and context; the rest is cut.
const MESSAGE_BYTES_MAX: usize = 8 << 10;
const CONTEXT_BYTES_MAX: usize = 128;

/// What one instance has said.
#[derive(Debug, Default)]
pub struct LogState {
    messages: u32,
    /// So many are in the journal already: an agent that is started again says them again.
    known: u32,
}

impl LogState {
    /// Of an instance that repeats the first `known` messages.
    #[must_use]
    pub fn after(known: u32) -> Self {
        Self { messages: 0, known }
    }
}

impl Host for CallState {
    async fn log(&mut self, level: Level, context: String, message: String) -> wasmtime::Result<()> {
        let Some(log) = &mut self.log else { return Ok(()) };
        log.messages = log.messages.saturating_add(1);
        if log.messages <= log.known {
            return Ok(());
        }
        let message = match log.messages {
            said if said > MESSAGES_MAX => return Ok(()),
            MESSAGES_MAX => format!("no more messages of this call are kept: it reached the limit of {MESSAGES_MAX}"),
            _ => cut(message, MESSAGE_BYTES_MAX),
        };
        // A guest that says more than the disk takes waits here.
        self.door.journal().ready().await;
        let origin = self.door.origin();
        let plugin = if origin.plugin.is_empty() { &origin.agent } else { &origin.plugin };
        self.door.journal().append(Body::Logged {
            plugin: plugin.clone(),
            level: name(level).to_owned(),
            context: cut(context, CONTEXT_BYTES_MAX),
            message,
        });
        Ok(())
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
        Level::Critical => "critical",
    }
}

fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
