//! A bounded memory of what was seen: the oldest is forgotten for the newest.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;

/// At most `capacity` keys, in the order in which they came.
pub(crate) struct Recent {
    capacity: usize,
    seen: Mutex<(HashSet<String>, VecDeque<String>)>,
}

impl Recent {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, seen: Mutex::default() }
    }

    /// Remember it; whether it is new.
    pub(crate) fn insert(&self, key: &str) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (keys, order) = &mut *seen;
        if !keys.insert(key.to_owned()) {
            return false;
        }
        order.push_back(key.to_owned());
        if order.len() > self.capacity
            && let Some(oldest) = order.pop_front()
        {
            keys.remove(&oldest);
        }
        true
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_at_the_limit() {
        let recent = Recent::new(2);
        assert!(recent.insert("a") && recent.insert("b"));
        assert!(!recent.insert("a"));
        assert!(recent.insert("c"));
        assert_eq!(["a", "b", "c"].map(|key| recent.contains(key)), [false, true, true]);
    }
}
