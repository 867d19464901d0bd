//! Services that run in a cloud: what is asked of it, and by whom.
//!
//! The supervisor asks how a target is and takes the answer for what it is. Who asks the cloud, with which credentials,
//! is given to it ([`CloudSight`]): it knows no cloud. That the cloud gave no answer says nothing of the target.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::config::CloudTarget;

/// What a cloud says of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Healthy(String),
    Sick(String),
    /// It could not be asked: throttled, no credentials, not reached.
    Unknown(String),
}

/// Somebody who can look at targets in a cloud.
#[async_trait]
pub trait CloudSight: Send + Sync {
    /// How a target is: whether it runs and its own checks pass, and none of these alarms fires.
    async fn look(&self, target: &CloudTarget, alarms: &[String]) -> Seen;
}

/// Who looks. None: there is nobody, and every target is unknown.
#[derive(Clone, Default)]
pub struct Sight(pub Option<Arc<dyn CloudSight>>);

impl fmt::Debug for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Sight(..)" } else { "Sight(none)" })
    }
}

impl Sight {
    pub(crate) async fn look(&self, target: &CloudTarget, alarms: &[String]) -> Seen {
        match &self.0 {
            Some(sight) => sight.look(target, alarms).await,
            None => Seen::Unknown(format!("there is no way to the account `{}` here", target.account)),
        }
    }
}
