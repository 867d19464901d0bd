//! Randomness without any: a number from a job's name and a slot, the same on every host and in every version. A hash of
//! the standard library promises neither.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// A number that is spread evenly over all of `u64`.
pub(crate) fn spread(purpose: &str, job: &str, slot: Timestamp, attempt: u32) -> u64 {
    let mut hash = Sha256::new();
    // Each part has its length before it or is of fixed length, so that no two jobs run together into one text.
    for text in [purpose, job] {
        hash.update(text.len().to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.update(slot.as_nanosecond().to_le_bytes());
    hash.update(attempt.to_le_bytes());
    let digest = hash.finalize();
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The number as a part of one, 0 up to but not 1.
pub(crate) fn part(number: u64) -> f64 {
    // 53 bits are all that a double holds exactly.
    (number >> 11) as f64 / (1_u64 << 53) as f64
}
