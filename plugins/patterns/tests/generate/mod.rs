//! A generator of databases that look real, with changes seeded into them, and the count of what was found.
//!
//! Five schemas, three sizes; weekdays, busy firsts of a month, growth, a mix that drifts, noise, promotions, late loads,
//! a status that moves on, columns that are filled later. A run has two looks: one before the newest day is there, one
//! after; a change is in the newest days (or in the past, or in the table of things). Whether it was found is decided by
//! the kind and column of a finding, nothing else.
#![allow(dead_code, reason = "tests and the example use different parts")]

pub(crate) mod database;
pub(crate) mod shape;

use std::collections::BTreeMap;

use pi_catalog::finding::Finding;
use pi_patterns::{Memory, Options, Report, look};

use database::Sqlite;
#[allow(unused_imports, reason = "each test takes the part that it needs")]
pub(crate) use shape::{CHANGES, Change, Plan};

/// What a run gave.
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) change: Option<&'static Change>,
    pub(crate) is_found: bool,
    /// Findings of the look before the newest day that are not the change.
    pub(crate) before: Vec<String>,
    /// Findings of the look after that are not the change.
    pub(crate) beside: Vec<String>,
    pub(crate) abstained: Vec<String>,
    pub(crate) gaps: Vec<String>,
    pub(crate) folded: Vec<String>,
}

/// One run: a database of this plan, with this change or none. A change that lasts for days has begun when the first look
/// is taken, and may be said then.
pub(crate) fn run(plan: &Plan, change: Option<&'static Change>) -> Outcome {
    let mut database = Sqlite::new();
    plan.fill(&mut database, change);
    let before = looked(&mut database, &Memory::default(), plan.now_ms(false));
    plan.add(&mut database, change);
    let after = looked(&mut database, &before.memory, plan.now_ms(true));
    let is_it = |finding: &Finding| change.is_some_and(|change| plan.matches(change, finding));
    let others =
        |report: &Report| report.findings.iter().filter(|finding| !is_it(finding)).map(told).collect::<Vec<_>>();
    Outcome {
        seed: plan.seed,
        change,
        is_found: before.findings.iter().chain(&after.findings).any(is_it),
        before: others(&before),
        beside: others(&after),
        abstained: after.abstained.iter().map(|one| format!("{}: {}", one.table, one.why)).collect(),
        gaps: after.gaps.iter().map(|gap| format!("{}: {}", gap.table, gap.what)).collect(),
        folded: after.folded.iter().map(|finding| format!("{} [{}]", finding.claim, finding.kind)).collect(),
    }
}

/// What is claimed of a database in which nothing changes, looked at on each of so many mornings: the first look, and all
/// after it.
pub(crate) fn quiet(mut plan: Plan, days: usize) -> (Vec<String>, Vec<String>) {
    let mut database = Sqlite::new();
    plan.fill(&mut database, None);
    let first = looked(&mut database, &Memory::default(), plan.now_ms(false));
    let mut memory = first.memory;
    let mut claims = Vec::new();
    for _ in 0..days {
        plan.add(&mut database, None);
        let report = looked(&mut database, &memory, plan.now_ms(true));
        claims.extend(report.findings.iter().map(told));
        memory = report.memory;
        plan.history += 1;
    }
    (first.findings.iter().map(told).collect(), claims)
}

fn told(finding: &Finding) -> String {
    let (p, effect) = (finding.p_value.unwrap_or(1.0), finding.effect.unwrap_or(0.0));
    format!("{} [{}] p={p:.1e} effect={effect:.2}", finding.claim, finding.kind)
}

pub(crate) fn looked(database: &mut Sqlite, memory: &Memory, now_ms: i64) -> Report {
    let snapshot = database.snapshot();
    look(database, &snapshot, memory, &Options { now_ms, ..Options::default() })
}

/// Work on all of a list, by as many threads as there are processors; answers come in the list's order.
pub(crate) fn together<T: Sync, R: Send>(list: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let worker = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some(one) = list.get(at) else { return done };
                done.push((at, work(one)));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, answer)| answer).collect()
}

/// The sum of many runs.
#[derive(Default)]
pub(crate) struct Score {
    pub(crate) seeded: usize,
    pub(crate) found: usize,
    /// Runs and finds of each change.
    pub(crate) by_change: BTreeMap<&'static str, (usize, usize)>,
    /// Findings of each look at unchanged data.
    pub(crate) false_claims: Vec<usize>,
    pub(crate) beside: usize,
    pub(crate) missed: Vec<String>,
}

impl Score {
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.false_claims.push(outcome.before.len());
        match outcome.change {
            None => self.false_claims.push(outcome.beside.len()),
            Some(change) => {
                self.seeded += 1;
                self.found += usize::from(outcome.is_found);
                let one = self.by_change.entry(change.name).or_default();
                *one = (one.0 + 1, one.1 + usize::from(outcome.is_found));
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

    pub(crate) fn claimed_falsely(&self) -> usize {
        self.false_claims.iter().sum()
    }

    pub(crate) fn told(&self) -> String {
        format!(
            "recall {}/{} = {:.1} %; looks at unchanged data {}: false claims {}, at most {} in one; beside the seeded change {}",
            self.found,
            self.seeded,
            100.0 * self.recall(),
            self.false_claims.len(),
            self.claimed_falsely(),
            self.false_claims.iter().max().unwrap_or(&0),
            self.beside
        )
    }
}
