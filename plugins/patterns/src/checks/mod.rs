//! The tests of a table: each judges one measurement against its own habit, and has a p value and an effect.
//!
//! A candidate becomes a finding only when its p value holds among all tests of the look (`crate::fdr`), its effect is
//! above the floor of its kind, and nothing more specific says the same (`crate::fold`). Floors are stated where they
//! are; they follow what the field uses: 0.1 of the population stability index is a moderate change (Siddiqi, "Credit
//! Risk Scorecards", 2006), a standardised difference below 0.2 is small (Cohen, "Statistical Power Analysis", 1988).

mod shape;
mod totals;
mod tracks;
mod values;
mod words;

use std::collections::BTreeMap;

use pi_catalog::finding::{Contributor, Series, Severity};

pub(crate) use shape::{bins, copies, formats, hours, pairs};
pub(crate) use totals::{past, total_tests};
pub(crate) use tracks::track;
pub(crate) use values::{descriptions, values};
pub(crate) use words::Words;

/// What a test found, before it is decided whether it is said.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) kind: &'static str,
    pub(crate) column: Option<String>,
    pub(crate) dimension: Option<String>,
    pub(crate) severity: Severity,
    pub(crate) claim: String,
    pub(crate) numbers: BTreeMap<String, f64>,
    pub(crate) p: f64,
    pub(crate) effect: f64,
    /// Whether it is above the floor of its kind and beyond what was there before.
    pub(crate) is_large: bool,
    /// Upwards, downwards, or neither.
    pub(crate) direction: i8,
    /// First and last bucket, where it has one.
    pub(crate) buckets: Option<(i64, i64)>,
    pub(crate) since: Option<String>,
    pub(crate) series: Option<Series>,
    pub(crate) contributors: Vec<Contributor>,
    /// The statement, the columns of its answer, and the value that show it.
    pub(crate) source: usize,
    pub(crate) shown: Vec<String>,
    pub(crate) value: Option<String>,
    /// How specific it is: of two that say the same, the more specific is said.
    pub(crate) rank: u8,
    /// Which part of the change of the table's rows it makes, where it does.
    pub(crate) explains_rows: f64,
    /// Whether the bucket is a day on which many people do not work.
    pub(crate) is_holiday: bool,
}

impl Candidate {
    pub(crate) fn new(kind: &'static str, column: Option<&str>, p: f64, effect: f64) -> Self {
        Self {
            kind,
            column: column.map(str::to_owned),
            dimension: None,
            severity: Severity::Notice,
            claim: String::new(),
            numbers: BTreeMap::new(),
            p,
            effect,
            is_large: true,
            direction: 0,
            buckets: None,
            since: None,
            series: None,
            contributors: Vec::new(),
            source: 0,
            shown: Vec::new(),
            value: None,
            rank: 5,
            explains_rows: 0.0,
            is_holiday: false,
        }
    }

    pub(crate) fn said(mut self, words: Words) -> Self {
        (self.claim, self.numbers) = words.into_parts();
        self
    }
}

/// Days on which volume says nothing in much of the world: who works then is not known here.
pub(crate) fn is_holiday(month_day: (i64, i64)) -> bool {
    matches!(month_day, (1, 1) | (1, 6) | (5, 1) | (12, 24..=26) | (12, 31))
}

/// What a table's tests gave.
#[derive(Debug, Default)]
pub(crate) struct Tests {
    /// Of every test, those that found nothing too: the correction needs all.
    pub(crate) candidates: Vec<Candidate>,
    /// What was not judged, and why.
    pub(crate) abstained: Vec<String>,
    /// What is so, without being news: trend, season.
    pub(crate) descriptions: Vec<Candidate>,
}
