//! How good the diagnoses of labelled incidents are. Pure: who calls reads the files and takes the time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cause::Cause;

/// The form of answer.json. What else stands in it is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Answer {
    pub root_cause: Cause,
}

/// Why a text is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at `root_cause`: {0}\nhint: `root_cause` is one of the names in docs/diagnosis.md")]
pub struct AnswerError(String);

impl Answer {
    pub fn from_json(text: &str) -> Result<Self, AnswerError> {
        serde_json::from_str(text).map_err(|error| AnswerError(error.to_string()))
    }
}

/// One incident with what was said and what is right.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Graded {
    pub name: String,
    pub expected: Cause,
    pub said: Cause,
    pub confidence: f64,
    pub ms: f64,
}

/// All of them together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    pub cases: usize,
    pub right: usize,
    pub accuracy: f64,
    /// `unknown` where something else is right.
    pub abstained: usize,
    pub healthy: usize,
    /// Healthy ones of which a fault was claimed.
    pub healthy_accused: usize,
    /// Faulty ones that were called healthy.
    pub faults_missed: usize,
    pub ms_mean: f64,
    pub ms_max: f64,
    /// What is right, what was said instead or as well, how often.
    pub confusion: BTreeMap<Cause, BTreeMap<Cause, usize>>,
    pub wrong: Vec<Graded>,
}

impl Score {
    #[must_use]
    pub fn of(graded: &[Graded]) -> Self {
        let mut score = Self { cases: graded.len(), ..Self::default() };
        for case in graded {
            *score.confusion.entry(case.expected).or_default().entry(case.said).or_default() += 1;
            let is_right = case.expected == case.said;
            score.right += usize::from(is_right);
            score.abstained += usize::from(case.said == Cause::Unknown && !is_right);
            score.healthy += usize::from(case.expected == Cause::Healthy);
            score.healthy_accused += usize::from(case.expected == Cause::Healthy && case.said.is_fault());
            score.faults_missed += usize::from(case.expected.is_fault() && case.said == Cause::Healthy);
            score.ms_max = score.ms_max.max(case.ms);
            score.ms_mean += case.ms / graded.len() as f64;
            if !is_right {
                score.wrong.push(case.clone());
            }
        }
        score.accuracy = if graded.is_empty() { 0.0 } else { score.right as f64 / graded.len() as f64 };
        score
    }
}

/// How often diagnoses of one degree of confidence are right: what a confidence is worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bucket {
    /// Confidences from here on, below the next bucket's.
    pub from: f64,
    pub cases: usize,
    pub right: usize,
    pub confidence_mean: f64,
}

/// Diagnoses that name a cause, by their confidence. What abstains has none to be judged by.
#[must_use]
pub fn reliability(graded: &[Graded]) -> Vec<Bucket> {
    const FROM: [f64; 6] = [0.0, 0.4, 0.55, 0.7, 0.8, 0.9];
    let named = || graded.iter().filter(|case| case.said != Cause::Unknown);
    let bucket = |(index, from): (usize, &f64)| {
        let to = FROM.get(index + 1).copied().unwrap_or(f64::INFINITY);
        let within: Vec<&Graded> = named().filter(|case| case.confidence >= *from && case.confidence < to).collect();
        let sum: f64 = within.iter().map(|case| case.confidence).sum();
        Bucket {
            from: *from,
            cases: within.len(),
            right: within.iter().filter(|case| case.expected == case.said).count(),
            confidence_mean: if within.is_empty() { 0.0 } else { sum / within.len() as f64 },
        }
    };
    FROM.iter().enumerate().map(bucket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_counts_abstentions_and_false_accusations_apart() {
        let case = |expected, said| Graded { name: "n".into(), expected, said, confidence: 0.5, ms: 2.0 };
        let score = Score::of(&[
            case(Cause::Failover, Cause::Failover),
            case(Cause::Healthy, Cause::CpuSaturation),
            case(Cause::OomKilled, Cause::Unknown),
            case(Cause::OomKilled, Cause::Healthy),
        ]);
        assert_eq!((score.right, score.abstained, score.healthy_accused, score.faults_missed), (1, 1, 1, 1));
        assert_eq!((score.accuracy, score.ms_mean, score.wrong.len()), (0.25, 2.0, 3));
    }

    #[test]
    fn reliability_counts_what_was_named_by_its_confidence() {
        let case = |said, confidence| Graded { name: "n".into(), expected: Cause::Failover, said, confidence, ms: 1.0 };
        let table = reliability(&[
            case(Cause::Failover, 0.95),
            case(Cause::OomKilled, 0.92),
            case(Cause::Failover, 0.5),
            case(Cause::Unknown, 0.5),
        ]);
        let filled: Vec<_> = table.iter().filter(|it| it.cases > 0).map(|it| (it.from, it.cases, it.right)).collect();
        assert_eq!(filled, [(0.4, 1, 1), (0.9, 2, 1)]);
    }

    #[test]
    fn an_answer_that_is_no_cause_is_refused_with_its_key() {
        let error = Answer::from_json(r#"{"root_cause": "gremlins"}"#).unwrap_err().to_string();
        assert!(error.contains("root_cause") && error.contains("gremlins"), "{error}");
    }
}
