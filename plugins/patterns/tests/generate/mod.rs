//! A generator of databases that look real, with changes seeded into them, and the count of what was found.
//!
//! Five schemas, three sizes; weekdays, growth, noise, promotions, late loads, a status that moves on, columns that are filled
//! later. A run has two looks: one before the newest days are there, one after; a change is in the newest days (or in the past, or in the
//! table of things). Whether it was found is decided by the kind and column of a finding, nothing else.
#![allow(dead_code, reason = "tests and the example use different parts")]

pub(crate) mod database;
pub(crate) mod shape;

use pi_patterns::{Memory, Options, Report, look};

use database::Sqlite;
#[allow(unused_imports, reason = "each test takes the part that it needs")]
pub(crate) use shape::{CHANGES, Change, Plan};

/// What a run gave.
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) change: Option<&'static Change>,
    pub(crate) is_found: bool,
    /// Findings of the look before anything changed.
    pub(crate) before: Vec<String>,
    /// Findings of the look after that are not the change.
    pub(crate) beside: Vec<String>,
    pub(crate) abstained: Vec<String>,
    pub(crate) gaps: Vec<String>,
    pub(crate) folded: Vec<String>,
}

/// One run: a database of this seed, with this change or none.
pub(crate) fn run(seed: u64, change: Option<&'static Change>) -> Outcome {
    let plan = Plan::new(seed);
    let mut database = Sqlite::new();
    plan.fill(&mut database, change);
    let before = looked(&mut database, &Memory::default(), plan.now_ms(false));
    plan.add(&mut database, change);
    let after = looked(&mut database, &before.memory, plan.now_ms(true));
    let told = |report: &Report| -> Vec<String> {
        report
            .findings
            .iter()
            .map(|finding| {
                format!(
                    "{} [{}] p={:.1e} effect={:.2}",
                    finding.claim,
                    finding.kind,
                    finding.p_value.unwrap_or(1.0),
                    finding.effect.unwrap_or(0.0)
                )
            })
            .collect()
    };
    let is_it = |finding: &pi_catalog::finding::Finding| change.is_some_and(|change| plan.matches(change, finding));
    Outcome {
        seed,
        change,
        is_found: after.findings.iter().any(is_it),
        before: told(&before),
        beside: after
            .findings
            .iter()
            .zip(told(&after))
            .filter(|(finding, _)| !is_it(finding))
            .map(|(_, text)| text)
            .collect(),
        abstained: after.abstained.iter().map(|one| format!("{}: {}", one.table, one.why)).collect(),
        gaps: after.gaps.iter().map(|gap| format!("{}: {}", gap.table, gap.what)).collect(),
        folded: after.folded.iter().map(|finding| format!("{} [{}]", finding.claim, finding.kind)).collect(),
    }
}

pub(crate) fn looked(database: &mut Sqlite, memory: &Memory, now_ms: i64) -> Report {
    let snapshot = database.snapshot();
    look(database, &snapshot, memory, &Options { now_ms, ..Options::default() })
}

/// The sum of many runs.
#[derive(Default)]
pub(crate) struct Score {
    pub(crate) seeded: usize,
    pub(crate) found: usize,
    pub(crate) unchanged: usize,
    /// Findings of each report on unchanged data.
    pub(crate) false_claims: Vec<usize>,
    pub(crate) beside: usize,
    pub(crate) missed: Vec<String>,
}

impl Score {
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.false_claims.push(outcome.before.len());
        match outcome.change {
            None => {
                self.unchanged += 1;
                self.false_claims.push(outcome.beside.len());
            }
            Some(change) => {
                self.seeded += 1;
                self.found += usize::from(outcome.is_found);
                self.beside += outcome.beside.len();
                if !outcome.is_found {
                    self.missed.push(format!("{} (seed {})", change.name, outcome.seed));
                }
            }
        }
    }

    pub(crate) fn recall(&self) -> f64 {
        self.found as f64 / self.seeded.max(1) as f64
    }

    pub(crate) fn false_claims_mean(&self) -> f64 {
        self.false_claims.iter().sum::<usize>() as f64 / self.false_claims.len().max(1) as f64
    }

    pub(crate) fn reports_with_more_than_one(&self) -> usize {
        self.false_claims.iter().filter(|count| **count > 1).count()
    }

    pub(crate) fn told(&self) -> String {
        format!(
            "recall {}/{} = {:.1} %; unchanged reports {}: false claims {} in all, {:.3} a report, at most {}, more than one in {}; beside the seeded change {}",
            self.found,
            self.seeded,
            100.0 * self.recall(),
            self.false_claims.len(),
            self.false_claims.iter().sum::<usize>(),
            self.false_claims_mean(),
            self.false_claims.iter().max().unwrap_or(&0),
            self.reports_with_more_than_one(),
            self.beside
        )
    }
}
