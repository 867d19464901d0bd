//! Which messages were taken already: what is sent twice, or recorded on the way and sent again, counts once.
//!
//! Each is remembered for as long as it could be taken again, over restarts too. Only what was found to be signed
//! gets in here, so that a stranger cannot fill it. Pure: the time comes in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Messages that are remembered. Danger: memory; when it is full, further ones are refused until some are too old.
pub(super) const SEEN_MAX: usize = 50_000;
/// Keys of the store.
pub(super) const ROW: &str = "alarms/seen/";

/// Messages, each until it could not be taken again.
#[derive(Default)]
pub(super) struct Seen {
    until: BTreeMap<String, u64>,
    by_time: BTreeSet<(u64, String)>,
    changed: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    New,
    Seen,
    Full,
}

impl Seen {
    pub(super) fn load(rows: &[(String, Value)]) -> Self {
        let mut seen = Self::default();
        for (row, value) in rows {
            if let (Some(key), Some(until_ms)) = (row.strip_prefix(ROW), value.as_u64()) {
                seen.insert(key.to_owned(), until_ms);
            }
        }
        seen
    }

    /// Whether a message is new; if so, it is not from now on.
    pub(super) fn look(&mut self, key: &str, until_ms: u64) -> Look {
        if self.until.contains_key(key) {
            return Look::Seen;
        }
        if self.until.len() >= SEEN_MAX {
            return Look::Full;
        }
        self.insert(key.to_owned(), until_ms);
        self.changed.insert(key.to_owned());
        Look::New
    }

    /// It was not taken after all.
    pub(super) fn forget(&mut self, key: &str) {
        if let Some(until_ms) = self.until.remove(key) {
            self.by_time.remove(&(until_ms, key.to_owned()));
            self.changed.insert(key.to_owned());
        }
    }

    pub(super) fn tick(&mut self, now_ms: u64) {
        while let Some((until_ms, key)) = self.by_time.first().cloned() {
            if until_ms >= now_ms {
                return;
            }
            self.forget(&key);
        }
    }

    pub(super) fn take_changes(&mut self) -> Vec<(String, Option<Value>)> {
        let changed = std::mem::take(&mut self.changed);
        let row = |key: String| (format!("{ROW}{key}"), self.until.get(&key).map(|until| Value::from(*until)));
        changed.into_iter().map(row).collect()
    }

    fn insert(&mut self, key: String, until_ms: u64) {
        self.by_time.insert((until_ms, key.clone()));
        self.until.insert(key, until_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_new_once_until_it_is_too_old_and_over_restarts() {
        let mut seen = Seen::default();
        assert_eq!([seen.look("a", 10), seen.look("a", 99)], [Look::New, Look::Seen]);
        let rows: Vec<_> = seen.take_changes().into_iter().map(|(row, value)| (row, value.unwrap())).collect();
        let mut seen = Seen::load(&rows);
        assert_eq!(seen.look("a", 10), Look::Seen);
        seen.tick(10);
        assert_eq!(seen.look("a", 10), Look::Seen);
        seen.tick(11);
        assert_eq!(seen.take_changes(), [("alarms/seen/a".to_owned(), None)]);
        assert_eq!(seen.look("a", 20), Look::New);
    }

    #[test]
    fn it_refuses_at_the_limit_and_frees_itself() {
        let mut seen = Seen::default();
        (0..SEEN_MAX).for_each(|n| assert_eq!(seen.look(&n.to_string(), 5), Look::New));
        assert_eq!(seen.look("one more", 5), Look::Full);
        seen.tick(6);
        assert_eq!(seen.look("one more", 9), Look::New);
    }
}
