//! A sample of the seeded runs; the whole of them is `cargo run --release -p pi-patterns --example seeded`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may end where the world is not as it should be")]

mod generate;

use generate::{CHANGES, Score, run};

#[test]
fn seeded_changes_are_found_and_quiet_data_is_left_alone() {
    let mut score = Score::default();
    for (at, change) in CHANGES.iter().enumerate() {
        score.add(&run(900_000 + at as u64, Some(change)));
    }
    for seed in 0..8 {
        score.add(&run(910_000 + seed, None));
    }
    assert!(score.recall() >= 0.9, "{}; missed: {:?}", score.told(), score.missed);
    assert!(score.false_claims_mean() <= 0.5, "{}", score.told());
}
