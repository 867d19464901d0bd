//! What is kept between looks: small numbers, never rows.
//!
//! The caller stores it as it is and hands it back. It is capped: tables, columns, values and looks each have a limit,
//! and what is oldest goes first, so that it stays below a few megabytes at the largest database.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Looks that are remembered of a table without time of its own.
const LOOKS_MAX: usize = 20;
/// Buckets whose counts are remembered, to see the past being changed.
const BUCKETS_MAX: usize = 60;
/// Claims that are remembered.
const CLAIMS_MAX: usize = 2_000;
/// Tables that are remembered.
const TABLES_MAX: usize = 1_000;
/// A claim is forgotten after so long, and made again if it is still true.
const CLAIM_DAYS: i64 = 30;
const DAY_MS: i64 = 86_400_000;

/// What earlier looks saw and said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// By `schema.table`.
    pub tables: BTreeMap<String, TableMemory>,
    /// What has been said, by the fact.
    pub claims: BTreeMap<String, ClaimMemory>,
}

/// What is remembered of a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableMemory {
    /// The column and width of its buckets; remembered counts mean nothing under others.
    pub buckets_of: String,
    /// Rows of each of the newest buckets.
    pub buckets: BTreeMap<i64, f64>,
    /// The newest bucket that has been judged.
    pub judged_to: Option<i64>,
    /// How many buckets it takes until a bucket stays as it is.
    pub settles_in: i64,
    /// What the newest bucket was like when it was new: it tells what still moves after a bucket is over.
    pub fresh: BTreeMap<String, (i64, f64, f64)>,
    /// Series whose newest buckets still move, and when that was seen.
    pub moving: BTreeMap<String, i64>,
    /// Earlier looks, the oldest first.
    pub looks: Vec<Look>,
}

/// What a look saw in a table as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Look {
    /// When.
    pub at_ms: i64,
    /// Rows.
    pub rows: f64,
    /// Single numbers by name, such as `nulls:email` with how many rows they are out of.
    pub numbers: BTreeMap<String, (f64, f64)>,
    /// Counts of a dimension's values, by column.
    pub values: BTreeMap<String, BTreeMap<String, f64>>,
}

/// What has been said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimMemory {
    /// When it was said first.
    pub first_ms: i64,
    /// When it was seen last.
    pub last_ms: i64,
    /// How large it was when it was said.
    pub effect: f64,
    /// The last bucket in which it was seen.
    pub to: Option<i64>,
}

impl Memory {
    /// Whether a fact is new, has grown by half since it was said, or is the same kind of fact at another time: `from` is
    /// the bucket at which it begins.
    pub(crate) fn is_news(&self, key: &str, effect: f64, from: Option<i64>, now_ms: i64) -> bool {
        const GROWN: f64 = 1.5;
        self.claims.get(key).is_none_or(|claim| {
            let is_later = from.zip(claim.to).is_some_and(|(from, to)| from > to + 1);
            let has_grown = effect > claim.effect * GROWN && effect > claim.effect + 0.1;
            is_later || has_grown || now_ms - claim.last_ms > CLAIM_DAYS * DAY_MS
        })
    }

    /// Remember that a fact holds, up to which bucket.
    pub(crate) fn remember(&mut self, key: &str, effect: f64, to: Option<i64>, now_ms: i64) {
        let claim = self
            .claims
            .entry(key.to_owned())
            .or_insert_with(|| ClaimMemory { first_ms: now_ms, ..ClaimMemory::default() });
        claim.last_ms = now_ms;
        claim.effect = claim.effect.max(effect);
        claim.to = claim.to.max(to);
    }

    /// Forget what is too old or too much.
    pub(crate) fn trim(&mut self, now_ms: i64) {
        self.claims.retain(|_, claim| now_ms - claim.last_ms <= 2 * CLAIM_DAYS * DAY_MS);
        while self.claims.len() > CLAIMS_MAX {
            let Some(oldest) = self.claims.iter().min_by_key(|(_, claim)| claim.last_ms).map(|(key, _)| key.clone())
            else {
                break;
            };
            self.claims.remove(&oldest);
        }
        while self.tables.len() > TABLES_MAX {
            self.tables.pop_last();
        }
        for table in self.tables.values_mut() {
            while table.buckets.len() > BUCKETS_MAX {
                table.buckets.pop_first();
            }
            let extra = table.looks.len().saturating_sub(LOOKS_MAX);
            table.looks.drain(..extra);
            // The values of dimensions are the bulk of it, and only the newest look's are compared.
            let newest = table.looks.len().saturating_sub(1);
            for look in table.looks.iter_mut().take(newest) {
                look.values.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_news_once_and_again_when_it_grew_or_was_long_ago() {
        let mut memory = Memory::default();
        assert!(memory.is_news("x", 0.5, Some(1), 0));
        memory.remember("x", 0.5, Some(2), 0);
        assert!(!memory.is_news("x", 0.6, Some(3), DAY_MS));
        assert!(memory.is_news("x", 0.5, Some(4), DAY_MS));
        assert!(memory.is_news("x", 0.8, Some(3), DAY_MS));
        assert!(memory.is_news("x", 0.5, Some(3), 40 * DAY_MS));
    }

    #[test]
    fn memory_is_trimmed_to_its_limits() {
        let mut memory = Memory::default();
        for at in 0..3_000 {
            memory.remember(&at.to_string(), 1.0, None, at);
        }
        let table = memory.tables.entry("t".into()).or_default();
        table.buckets = (0..500).map(|bucket| (bucket, 1.0)).collect();
        table.looks = vec![Look::default(); 90];
        memory.trim(3_000);
        assert_eq!(memory.claims.len(), CLAIMS_MAX);
        assert!(memory.claims.contains_key("2999"));
        assert_eq!(memory.tables["t"].buckets.len(), BUCKETS_MAX);
        assert_eq!(memory.tables["t"].looks.len(), LOOKS_MAX);
    }
}
