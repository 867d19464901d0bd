//! Seeded changes over generated databases: how many are found, and how much is claimed of data that did not change.
//!
//! `cargo run --release -p pi-patterns --example seeded -- [runs] [first seed]`: each run is one database; of five one is left unchanged.
//! Seeds below 100,000 are those that thresholds were tuned on; the default is 240 runs each of those and of held-out
//! ones, which are printed apart.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may end where the world is not as it should be")]

#[path = "../tests/generate/mod.rs"]
mod generate;

use generate::{CHANGES, Score, run};

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let runs = numbers.first().copied().unwrap_or(240);
    let sets = match numbers.get(1) {
        Some(&first) => vec![("chosen seeds", first)],
        None => vec![("seeds tuned on", 0), ("held-out seeds", 500_000)],
    };
    for (name, first) in sets {
        let mut score = Score::default();
        for at in 0..runs {
            // Of five databases one is left as it is; the others go through the changes in turn.
            let turn = (at - at / 5 - u64::from(at % 5 > 4)) as usize;
            let change = (at % 5 != 4).then(|| &CHANGES[turn % CHANGES.len()]);
            let outcome = run(first + at * 7 + at / 5, change);
            score.add(&outcome);
            let told = change.map_or("unchanged", |change| change.name);
            for claim in &outcome.before {
                println!("  before, seed {} ({told}): {claim}", outcome.seed);
            }
            for claim in &outcome.beside {
                println!("  beside, seed {} ({told}): {claim}", outcome.seed);
            }
            if change.is_some() && !outcome.is_found {
                println!("  MISSED, seed {} ({told}); folded: {:?}", outcome.seed, outcome.folded);
            }
            for gap in &outcome.gaps {
                println!("  gap, seed {} ({told}): {gap}", outcome.seed);
            }
        }
        println!("{name} ({first} and up, {runs} runs): {}", score.told());
        println!("  missed: {:?}", score.missed);
    }
}
