//! The gate that is in force now: swapped as a whole when the policy is read anew.
//!
//! Whoever judges takes the gate of the moment and keeps it for that one act, so that no act is
//! judged by half of one policy and half of another.

use std::sync::{Arc, PoisonError, RwLock};

use super::Gate;

/// A gate that can be replaced while it is in use.
pub struct InForce {
    gate: RwLock<Arc<Gate>>,
    /// Judged along, and never obeyed.
    shadow: RwLock<Option<Arc<Gate>>>,
}

impl InForce {
    #[must_use]
    pub fn new(gate: Gate, shadow: Option<Gate>) -> Self {
        Self { gate: RwLock::new(Arc::new(gate)), shadow: RwLock::new(shadow.map(Arc::new)) }
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
