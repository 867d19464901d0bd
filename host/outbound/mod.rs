//! What goes out of the host to people and their programs: requests that are bounded and tried again, signatures, and
//! Slack's Web API. Approvals and deliveries both speak by it.

pub(crate) mod http;
mod patience;
mod secret;
pub(crate) mod sign;
pub(crate) mod slack;
pub(crate) mod webhook;

use std::sync::Arc;

pub use patience::Patience;
pub use secret::Secret;

/// Milliseconds since 1970: `crate::clock::now_ms`, or a clock that a test sets.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Why a channel could not do it. No text holds a secret, nor a URL that may hold one.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    #[error("{place}: {what}\nhint: {hint}")]
    Config { place: String, what: String, hint: String },
    #[error("{target} refused: `{code}`\nhint: {hint}")]
    Refused { target: String, code: String, hint: String },
    #[error("{target} cannot be reached, after {attempts} attempts: {cause}")]
    Unreachable { target: String, attempts: u32, cause: String },
    #[error("{target} asks to be left alone for {seconds} s")]
    Limited { target: String, seconds: u64 },
    #[error("{target} answered what cannot be used: {what}")]
    Answer { target: String, what: String },
    #[error("this is no handle of {channel}: {what}")]
    Handle { channel: String, what: String },
}

impl ChannelError {
    /// Whether the same may go well later, without anybody changing the configuration.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Limited { .. } | Self::Answer { .. })
    }
}

/// The first characters, and a mark if there were more.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    let mut kept: String = text.chars().take(chars_max).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}
