//! Seeded changes over generated databases: how many are found, and how much is claimed of data that did not change.
//!
//! `cargo run --release -p pi-patterns --example seeded -- changes [rounds] [first seed] [strength]`: each round is each change once, in
//! a database of its own. `... -- quiet [databases] [first seed]`: each is looked at on thirty mornings. Seeds below
//! 100,000 are those that thresholds were tuned on; the default is held out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may end where the world is not as it should be")]

#[path = "../tests/generate/mod.rs"]
mod generate;

use generate::{CHANGES, Plan, Score, quiet, run, together};

const HELD_OUT: u64 = 800_000;
const DAYS: usize = 30;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|argument| argument.parse::<f64>().ok());
    let first = number(2).map_or(HELD_OUT, |first| first as u64);
    match arguments.first().map(String::as_str) {
        Some("changes") => changes(number(1).unwrap_or(3.0) as u64, first, number(3).unwrap_or(1.0)),
        Some("quiet") => unchanged(number(1).unwrap_or(10.0) as u64, first),
        _ => {
            changes(3, first, 1.0);
            unchanged(10, first);
        }
    }
}

/// Each change in `rounds` databases.
fn changes(rounds: u64, first: u64, strength: f64) {
    let runs: Vec<(u64, &'static generate::Change)> = (0..rounds)
        .flat_map(|round| {
            CHANGES.iter().zip(0..).map(move |(change, at)| (first + 1_000 * round + 7 * at + round, change))
        })
        .collect();
    let mut score = Score::default();
    for outcome in together(&runs, |&(seed, change)| run(&Plan::new(seed).with_strength(strength), Some(change))) {
        score.add(&outcome);
        let name = outcome.change.map_or("", |change| change.name);
        for (when, claims) in [("before", &outcome.before), ("beside", &outcome.beside), ("gap", &outcome.gaps)] {
            for claim in claims {
                println!("  {when}, seed {} ({name}): {claim}", outcome.seed);
            }
        }
        if !outcome.is_found {
            println!("  MISSED, seed {} ({name}); folded: {:?}", outcome.seed, outcome.folded);
        }
    }
    for (name, (runs, found)) in &score.by_change {
        println!("  {name}: {found} of {runs}");
    }
    println!("changes ({first} and up, {rounds} rounds, strength {strength}): {}", score.told());
}

/// Databases in which nothing changes, each looked at on thirty mornings.
fn unchanged(databases: u64, first: u64) {
    let seeds: Vec<u64> = (0..databases).map(|at| first + 50_000 + 11 * at).collect();
    let all = together(&seeds, |&seed| quiet(Plan::new(seed), DAYS));
    let (mut at_first, mut later, mut within) = (0, 0, 0);
    for (seed, (first, claims)) in seeds.iter().zip(&all) {
        first.iter().for_each(|claim| println!("  first look, seed {seed}: {claim}"));
        claims.iter().for_each(|claim| println!("  quiet, seed {seed}: {claim}"));
        (at_first, later) = (at_first + first.len(), later + claims.len());
        within += u64::from(claims.len() <= 1);
    }
    println!(
        "quiet ({first} and up): {databases} databases of {DAYS} days: {later} false claims, {:.2} a database; {within} databases with at most one; {at_first} at the first look",
        later as f64 / databases as f64
    );
}
