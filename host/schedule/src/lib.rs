//! When a job wakes: cron expressions, fixed intervals and single instants in any time zone, and what is to be done about
//! the slots that came due.
//!
//! Everything here is pure: no clock, no files, no network, no tasks. Whoever calls gives the instants and keeps the
//! records; the same arguments give the same answer on every host, which is what lets two hosts share one store. A slot is
//! an instant at which a job has to run, and (job, origin, instant) is its identity ([`SlotKey`]).
//!
//! The way through: a [`JobSpec`] is what `pi.toml` says, a [`Job`] is one that has been checked, its [`Schedule`] names
//! the slots, [`plan`] says what to do now, the [`Agenda`] says when to look again. `cron` knows civil calendars and no
//! zone, `walk` knows zones and no jobs; gaps and folds of a clock that is changed are decided in `walk` alone.

mod agenda;
mod cron;
mod duration;
mod error;
mod explicit;
mod jitter;
mod job;
mod plan;
mod retry;
mod schedule;
mod slot;
mod spec;
mod walk;
mod zone;

pub use agenda::Agenda;
pub use error::{CronError, Error};
pub use explicit::{BACKFILL_MAX, backfill, run_now};
pub use job::{Job, MisfireRule, Retrying};
pub use plan::clock::{Look, Notice};
pub use plan::{CANDIDATES_MAX, Cancel, CancelWhy, Known, MissedSlot, MissedSpan, ON_TIME_MS, Plan, Start, plan};
pub use schedule::{Planned, Reading, Schedule, Slots};
pub use slot::{MissedWhy, Origin, Record, SlotKey, SlotState};
pub use spec::{Fold, Gap, JobSpec, Keep, Misfire, Overlap, Retries};
pub use walk::Policies;
pub use zone::{zone, zone_names};
