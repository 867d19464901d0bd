//! A job as it stands in `pi.toml` under `[heartbeat.NAME]`, as written: nothing is checked here but which keys there are
//! and which words they take. [`crate::Job::new`] checks it, and its errors name the key.
//!
//! The table of the configuration holds more than this (who is woken, and to do what): the host takes its own keys out
//! before it reads the rest as a [`JobSpec`], and [`JobSpec::KEYS`] says which are whose.

mod words;

use serde::{Deserialize, Serialize};

/// A job as written. Exactly one of `cron`, `every` and `at` has to be there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobSpec {
    /// Five fields, six with seconds before them, or `@daily` and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// A fixed interval, 1 s to 10 years: `15m`. Follows time as it passes, in no zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// Once: an instant (`2026-12-24T18:00:00+01:00`), or a reading of the zone's clock (`2026-12-24 18:00`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// With `every`: the instant of the first slot. Without it slots are counted from 1970-01-01T00:00Z, so that every
    /// host comes to the same ones: `15m` is at :00, :15, :30, :45.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<String>,
    /// IANA name; UTC where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What happens to readings that the clock leaves out. Unless written: `shift`, and `skip` for jobs of every hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
    /// What happens to readings that the clock shows twice. Unless written: `first`, and `both` for jobs of every hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
    /// Starts are spread over this length after the slot, at most a day and never up to the next slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<String>,
    /// What happens to slots that nobody started in time.
    pub misfire: Misfire,
    /// What happens to a slot while an earlier one has not ended.
    pub overlap: Overlap,
    /// After this length a run is cancelled: 1 s to 7 days, `1h` unless written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// What happens to a run that failed.
    pub retries: Retries,
    /// The schedule stands still; slots that pass are written down as missed.
    pub paused: bool,
    /// A URL (http or https) that is called after each run that succeeded, so that somebody notices when none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping: Option<String>,
    /// How long what was run is remembered.
    pub keep: Keep,
}

impl JobSpec {
    /// The keys that a [`JobSpec`] has; all others in the table of a heartbeat are the host's.
    pub const KEYS: [&'static str; 15] = [
        "cron", "every", "at", "anchor", "zone", "gap", "fold", "jitter", "misfire", "overlap", "timeout", "retries",
        "paused", "ping", "keep",
    ];
}

/// What happens to readings of the clock that a change leaves out (02:30 in spring).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// One slot at the first instant after the gap stands for all of them.
    #[default]
    Shift,
    /// There is no slot.
    Skip,
}

/// What happens to readings of the clock that come twice (01:30 in autumn).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// The first time counts.
    #[default]
    First,
    /// The second time counts.
    Second,
    /// Both are slots.
    Both,
}

/// What happens to slots that nobody started in time: the host was down, the laptop asleep. Written as a word, or as
/// `{ all = 20 }`, `{ deadline = "1h" }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Misfire {
    /// They are missed.
    Skip,
    /// The latest runs now, those before it are missed.
    #[default]
    Latest,
    /// The latest of them, as many as said, run one after another in their order; older ones are missed.
    All(u32),
    /// The latest runs now if it is no later than this length; it is missed otherwise.
    Deadline(String),
}

impl Misfire {
    /// How many are made up for where `all` stands without a number.
    pub const ALL_DEFAULT: u32 = 10;
}

/// What happens to a slot that comes due while an earlier run of its job has not ended. Written as a word, or as
/// `{ queue = 3 }`, `{ allow = 2 }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// It is missed.
    #[default]
    Forbid,
    /// It waits, as long as no more than so many wait.
    Queue(u32),
    /// The run is cancelled, and the slot starts when it has ended.
    Replace,
    /// It starts beside it, as long as no more than so many run.
    Allow(u32),
}

impl Overlap {
    /// How many wait where `queue` stands without a number.
    pub const QUEUE_DEFAULT: u32 = 10;
    /// How many run at once where `allow` stands without a number.
    pub const ALLOW_DEFAULT: u32 = 4;
}

/// What happens to a run that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retries {
    /// How often it is tried again, at most 20; 0 is never.
    pub attempts: u32,
    /// How long is waited before the first retry, 1 s to 1 day.
    pub first: String,
    /// By how much the wait grows each time, 1 to 10.
    pub factor: f64,
    /// The longest wait, up to 7 days.
    pub max: String,
    /// By which part a wait is longer or shorter than computed, 0 to 1; `max` holds all the same.
    pub jitter: f64,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 0, first: "30s".to_owned(), factor: 2.0, max: "10m".to_owned(), jitter: 0.1 }
    }
}

/// How long what was run is remembered. Whichever is reached first removes a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// Days after the slot, 2 to 3660.
    pub days: u32,
    /// Records of a job, 1 to 100,000; those of the last two days stay whatever their number.
    pub runs: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Self { days: 90, runs: 1_000 }
    }
}
