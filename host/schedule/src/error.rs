//! What can be wrong with a job as it was written down. Every error names the key of `pi.toml` that has to be changed,
//! the value that stands there, and what may stand there instead.

use thiserror::Error as ThisError;

/// Why a [`crate::JobSpec`] is no job.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// None or several of `cron`, `every` and `at`.
    #[error("a job needs exactly one of `cron`, `every` and `at`: {found}")]
    When {
        /// What was found instead, as a sentence part.
        found: String,
    },
    /// The cron expression cannot be read.
    #[error("`cron`: {0}")]
    Cron(#[from] CronError),
    /// The time zone is not in the database.
    #[error("`zone`: there is no time zone `{name}`{}", hint_of(.hint))]
    Zone {
        /// As it was written.
        name: String,
        /// What may have been meant; empty where nothing is near.
        hint: String,
    },
    /// A value cannot be read, or is out of its bounds.
    #[error("`{field}`: {reason}: `{value}`")]
    Value {
        /// The key, with a dot inside of a table: `retries.first`.
        field: &'static str,
        /// What is wrong and what is allowed.
        reason: String,
        /// As it was written.
        value: String,
    },
    /// Two keys contradict each other.
    #[error("`{field}`: {reason}")]
    Conflict {
        /// The key that would have to go or change.
        field: &'static str,
        /// Why it cannot stand.
        reason: String,
    },
    /// The schedule has no slot at all.
    #[error("`{field}` never fires: {reason}: `{value}`")]
    Never {
        /// `cron` or `at`.
        field: &'static str,
        /// Why not.
        reason: String,
        /// As it was written.
        value: String,
    },
}

impl Error {
    /// The key of the configuration that is wrong: `cron`, `retries.first`. Where none of `cron`, `every` and `at` is
    /// there, `cron`.
    pub fn field(&self) -> &'static str {
        match self {
            Self::When { .. } | Self::Cron(_) => "cron",
            Self::Zone { .. } => "zone",
            Self::Value { field, .. } | Self::Conflict { field, .. } | Self::Never { field, .. } => field,
        }
    }

    pub(crate) fn value(field: &'static str, value: &str, reason: impl Into<String>) -> Self {
        Self::Value { field, reason: reason.into(), value: shortened(value) }
    }
}

/// Why a cron expression cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum CronError {
    /// Not five or six fields.
    #[error(
        "expected 5 fields (minute, hour, day of month, month, day of week) or 6 (second before them), found {found}: `{expression}`"
    )]
    Fields {
        /// How many there are.
        found: usize,
        /// As it was written.
        expression: String,
    },
    /// A word with `@` that is not known.
    #[error("{reason}: `{word}`")]
    Nickname {
        /// As it was written.
        word: String,
        /// What is known.
        reason: String,
    },
    /// One field is wrong.
    #[error("{name} (field {position} of {count}): {reason}: `{item}`")]
    Field {
        /// `minute`, `hour`, ...
        name: &'static str,
        /// Counted from 1.
        position: usize,
        /// 5 or 6.
        count: usize,
        /// The part of the field that is wrong.
        item: String,
        /// What is wrong with it and what is allowed.
        reason: String,
    },
    /// The parser refuses what the checks of the fields let through.
    #[error("{reason}: `{expression}`")]
    Refused {
        /// As it was written.
        expression: String,
        /// The parser's words.
        reason: String,
    },
}

fn hint_of(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!(" ({hint})") }
}

/// A value as an error shows it: a configuration may hold a megabyte where a word is expected.
pub(crate) fn shortened(value: &str) -> String {
    const SHOWN_MAX: usize = 80;
    if value.chars().count() <= SHOWN_MAX {
        return value.to_owned();
    }
    value.chars().take(SHOWN_MAX).chain("...".chars()).collect()
}
