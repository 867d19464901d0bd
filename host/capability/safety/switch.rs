//! The kill switch: one value of the store, for every host on it.
//!
//! Who throws it needs no lease and no host that answers; who wants to change something reads it first, each time. What
//! cannot be read is taken for a switch that is on: a store that is in trouble is no reason to go on.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::{Store, StoreError};

/// Its key in the store. There while everything is stopped.
pub const SWITCH: &str = "safety/stopped_all";
/// The rule of a refusal because everything is stopped.
pub const STOPPED_ALL: &str = "stopped_all";
/// Characters of a reason that are kept. Danger: it stands in each refusal.
pub const REASON_CHARS_MAX: usize = 500;

/// Everything is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Who has thrown the switch.
    pub by: String,
    /// Why, in their words; may be empty.
    pub reason: String,
    pub since_ms: u64,
}

impl Stopped {
    /// Who and why, in a sentence's part.
    #[must_use]
    pub fn words(&self) -> String {
        let why = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
        format!("everything was stopped by {} at {}{why}", self.by, crate::clock::rfc3339(self.since_ms))
    }
}

/// Whether everything is stopped now.
///
/// # Errors
/// The store cannot be read.
pub async fn stopped(store: &dyn Store) -> Result<Option<Stopped>, StoreError> {
    Ok(store.value(SWITCH).await?.map(of_value))
}

/// A value that cannot be read is there, and that is what counts.
fn of_value(value: Value) -> Stopped {
    serde_json::from_value(value).unwrap_or_else(|_| Stopped {
        by: "somebody".into(),
        reason: "what the store says of it cannot be read".into(),
        since_ms: 0,
    })
}

/// Stop everything, or with None let it go on.
///
/// # Errors
/// The store cannot be written: all is as it was.
pub async fn throw(store: &dyn Store, to: Option<&Stopped>) -> Result<(), StoreError> {
    let value = to.map(|stopped| serde_json::to_value(stopped).unwrap_or(Value::Bool(true)));
    store.set_for_all(SWITCH, value.as_ref()).await
}
