//! The gate that is in force now: swapped as a whole when the policy is read anew.
//!
//! Whoever judges takes the gate of the moment and keeps it for that one act, so that no act is
//! judged by half of one policy and half of another.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Gate, Profile};

/// A gate that can be replaced while it is in use.
pub struct InForce {
    gate: Arc<RwLock<Arc<Gate>>>,
    /// Judged along, and never obeyed.
    shadow: Arc<RwLock<Option<Arc<Gate>>>>,
    /// How far the sessions that are judged through it may go, beside what the gate's own profile says.
    profile: Profile,
}

impl InForce {
    #[must_use]
    pub fn new(gate: Gate, shadow: Option<Gate>) -> Self {
        let (gate, shadow) = (RwLock::new(Arc::new(gate)), RwLock::new(shadow.map(Arc::new)));
        Self { gate: Arc::new(gate), shadow: Arc::new(shadow), profile: Profile::Auto }
    }

    /// The same gate, also after it is replaced, for sessions that may go no further than this.
    #[must_use]
    pub fn bounded(&self, profile: Profile) -> Self {
        Self { gate: self.gate.clone(), shadow: self.shadow.clone(), profile: self.profile.min(profile) }
    }

    /// How far the sessions that are judged through it may go.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The gate of this moment.
    #[must_use]
    pub fn now(&self) -> Arc<Gate> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The gate that is tried out, if there is one.
    #[must_use]
    pub fn shadow(&self) -> Option<Arc<Gate>> {
        self.shadow.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on these judge.
    pub fn replace(&self, gate: Gate, shadow: Option<Gate>) {
        *self.gate.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(gate);
        *self.shadow.write().unwrap_or_else(PoisonError::into_inner) = shadow.map(Arc::new);
    }
}
