//! `[sessions]`: how long what sessions did is kept.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionsConfig {
    /// A host that runs removes the entries of sessions that ended more days ago; that it did stays in the journal. None: everything is kept.
    pub keep_days: Option<u32>,
}

impl SessionsConfig {
    /// # Errors
    /// The place, what is wrong there, and what to do.
    pub(super) fn check(&self) -> Result<(), (String, &'static str, String)> {
        if self.keep_days == Some(0) {
            let hint = "write 1 or more; `pi-host session prune --older-than 0d` removes all that has ended".into();
            return Err(("[sessions] keep_days".into(), "nothing would be kept", hint));
        }
        Ok(())
    }
}
