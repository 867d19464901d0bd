//! One alarm from outside, in the one form that all sources are brought to.
//!
//! Everything in it was written by others. It is cut to named limits when it is taken ([`Alarm::bounded`]), and escaped
//! where it is shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Longest fingerprint that is kept as it is; of a longer one, or one with control characters, its hash. Danger: memory, for each alarm.
const FINGERPRINT_BYTES_MAX: usize = 128;
/// Longest name of a target, title and detail; longer ones are cut. Danger: as above, and in what a model reads.
pub const TARGET_BYTES_MAX: usize = 200;
pub const TITLE_BYTES_MAX: usize = 200;
pub const DETAIL_BYTES_MAX: usize = 500;
/// Labels that are kept, and how long they may be. Danger: as above.
pub const LABELS_MAX: usize = 16;
const LABEL_KEY_BYTES_MAX: usize = 64;
const LABEL_VALUE_BYTES_MAX: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Firing,
    Resolved,
}

/// How bad it is, as its source says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    #[default]
    Error,
    Critical,
}

/// An alarm as its source tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// The same for the same alarm each time, and for no other one of its source.
    pub fingerprint: String,
    /// What kind of source: `cloudwatch`, `alertmanager`.
    pub source: String,
    /// What is sick.
    pub target: String,
    pub title: String,
    pub detail: String,
    pub state: State,
    pub severity: Severity,
    pub labels: BTreeMap<String, String>,
    /// Since when, as its source says; milliseconds since 1970.
    pub started_ms: Option<u64>,
}

impl Severity {
    /// By the words that sources use; a word that is not known is an error, so that nothing is taken for mild.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "info" | "information" | "informational" | "none" | "low" | "notice" | "p5" | "sev5" => Self::Info,
            "warning" | "warn" | "minor" | "medium" | "p4" | "p3" | "sev4" | "sev3" => Self::Warning,
            "critical" | "crit" | "fatal" | "emergency" | "page" | "disaster" | "p1" | "sev1" => Self::Critical,
            _ => Self::Error,
        }
    }
}

impl Alarm {
    /// Cut to the limits.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        // It is part of a key of the store, and not every database has room for every character.
        if self.fingerprint.len() > FINGERPRINT_BYTES_MAX || self.fingerprint.chars().any(char::is_control) {
            self.fingerprint = hex(&Sha256::digest(self.fingerprint.as_bytes()));
        }
        cut(&mut self.source, LABEL_KEY_BYTES_MAX);
        cut(&mut self.target, TARGET_BYTES_MAX);
        cut(&mut self.title, TITLE_BYTES_MAX);
        cut(&mut self.detail, DETAIL_BYTES_MAX);
        self.labels = std::mem::take(&mut self.labels)
            .into_iter()
            .filter(|(key, _)| key.len() <= LABEL_KEY_BYTES_MAX)
            .take(LABELS_MAX)
            .map(|(key, mut value)| {
                cut(&mut value, LABEL_VALUE_BYTES_MAX);
                (key, value)
            })
            .collect();
        self
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Cut at the end of a character.
pub(crate) fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_than_its_limit_is_cut_and_a_fingerprint_stays_one_of_its_own() {
        let long = |end: &str| Alarm {
            fingerprint: format!("{}{end}", "f".repeat(10_000)),
            source: "s".repeat(1_000),
            target: "é".repeat(1_000),
            title: "t".repeat(100_000),
            detail: "d".repeat(100_000),
            state: State::Firing,
            severity: Severity::Error,
            labels: (0..1_000).map(|n| (format!("k{n}"), "v".repeat(10_000))).collect(),
            started_ms: None,
        };
        let (a, b) = (long("a").bounded(), long("b").bounded());
        assert_ne!(a.fingerprint, b.fingerprint);
        assert_eq!(a.fingerprint.len(), 64);
        assert!(a.target.len() <= TARGET_BYTES_MAX + 3 && a.target.ends_with('…'));
        assert_eq!((a.labels.len(), a.labels["k0"].len()), (LABELS_MAX, LABEL_VALUE_BYTES_MAX + 3));
        assert!(serde_json::to_string(&a).unwrap().len() < 6_000);
        let odd = Alarm { fingerprint: "a\0b".into(), ..long("a") }.bounded();
        assert!(odd.fingerprint.len() == 64 && !odd.fingerprint.contains('\0'));
    }

    #[test]
    fn a_severity_that_is_not_known_is_not_mild() {
        assert_eq!(Severity::of("WARN"), Severity::Warning);
        assert_eq!(Severity::of("meltdown"), Severity::Error);
    }
}
