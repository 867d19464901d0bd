//! Slots that people ask for: a run now, and slots that have passed. They have origins of their own, are written down as
//! queued, and `plan` starts them when they may run.

use jiff::Timestamp;

use crate::error::Error;
use crate::job::Job;
use crate::slot::{Origin, SlotKey};

/// The most that one backfill may bring.
pub const BACKFILL_MAX: usize = 10_000;

/// The slot of a run that is asked for at `now`; of two requests within one millisecond there is one run.
pub fn run_now(job: &Job, now: Timestamp) -> SlotKey {
    let at = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
    job.key(Origin::Manual, at)
}

/// The slots of the schedule from `from` up to but not `to`, to be run again or for the first time. Asked for twice, the
/// same slots come out, and those that the store has already stay as they are.
///
/// # Errors
/// Where there are more than `most` (or than [`BACKFILL_MAX`]), none, or where `from` is not before `to`. Nothing is cut
/// off in silence.
pub fn backfill(job: &Job, from: Timestamp, to: Timestamp, most: usize) -> Result<Vec<SlotKey>, Error> {
    if from >= to {
        return Err(Error::value("from", &from.to_string(), format!("expected an instant before {to}")));
    }
    let most = most.min(BACKFILL_MAX);
    let slots: Vec<SlotKey> =
        job.schedule().slots(from, to).take(most + 1).map(|slot| job.key(Origin::Backfill, slot)).collect();
    if slots.is_empty() {
        return Err(Error::value("from", &from.to_string(), format!("the job has no slot from there up to {to}")));
    }
    if slots.len() > most {
        return Err(Error::value(
            "to",
            &to.to_string(),
            format!("there are more than {most} slots from {from} up to there"),
        ));
    }
    Ok(slots)
}
