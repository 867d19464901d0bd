//! What an MCP server of others may send, with defaults that fit those that are in use.

use serde::{Deserialize, Serialize};

/// The limits of one server.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeerLimits {
    /// One message. It is read as a whole, and takes a multiple of its size in memory.
    pub message_bytes_max: usize,
    /// One result, decoded.
    pub result_bytes_max: usize,
    pub tools_max: usize,
    /// The schema of one tool, and its description: both are sent to a model with each request.
    pub schema_bytes_max: usize,
    pub description_bytes_max: usize,
    /// To begin and to list its tools.
    pub begin_ms_max: u64,
    /// One call.
    pub call_ms_max: u64,
}

impl Default for PeerLimits {
    fn default() -> Self {
        Self {
            message_bytes_max: 4 << 20,
            result_bytes_max: 4 << 20,
            tools_max: 128,
            schema_bytes_max: 64 << 10,
            description_bytes_max: 8 << 10,
            begin_ms_max: 20_000,
            call_ms_max: 60_000,
        }
    }
}

impl PeerLimits {
    /// # Errors
    /// A hint that names the range.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let bytes = [self.message_bytes_max, self.result_bytes_max];
        if bytes.iter().any(|bytes| !(1 << 10..=64 << 20).contains(bytes)) {
            return Err("`message_bytes_max` and `result_bytes_max` are between 1 KiB and 64 MiB");
        }
        if !(1..=1_024).contains(&self.tools_max) {
            return Err("`tools_max` is between 1 and 1024");
        }
        if [self.schema_bytes_max, self.description_bytes_max].iter().any(|bytes| !(64..=1 << 20).contains(bytes)) {
            return Err("`schema_bytes_max` and `description_bytes_max` are between 64 bytes and 1 MiB");
        }
        if [self.begin_ms_max, self.call_ms_max].iter().any(|ms| !(1..=86_400_000).contains(ms)) {
            return Err("`begin_ms_max` and `call_ms_max` are between 1 ms and a day");
        }
        Ok(())
    }
}
