//! How bad a record says that it is: CVSS vectors to scores, and databases' own words to levels.
//!
//! The worst of all that is said counts. A text that is neither a vector nor a known word says nothing.

use std::str::FromStr;

use cvss::Cvss;

use super::Severity;
use crate::packages::advisory::Level;

/// What is assumed of a record that says nothing. Most of the distributions' records say nothing: as
/// `high`, every second package of a distribution would stop an installation.
const LEVEL_UNRATED: Level = Level::Moderate;

/// A score of CVSS where there is one, and a level in any case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rated {
    pub(crate) score: Option<f32>,
    pub(crate) level: Level,
}

pub(super) fn rate<'a>(scores: impl IntoIterator<Item = &'a Severity>, words: &[&str]) -> Rated {
    let (mut score, mut level) = (None, None);
    for severity in scores {
        match score_of(&severity.score) {
            Some(found) => {
                score = highest(score, Some(found));
                level = level.max(Some(Level::of_score(found)));
            }
            // Ubuntu and others put their word in the place of the vector.
            None => level = level.max(level_of(&severity.score)),
        }
    }
    for word in words {
        level = level.max(level_of(word));
    }
    Rated { score, level: level.unwrap_or(LEVEL_UNRATED) }
}

pub(super) fn highest(a: Option<f32>, b: Option<f32>) -> Option<f32> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}

/// The score of a vector of CVSS 2.0, 3.0, 3.1 or 4.0.
fn score_of(vector: &str) -> Option<f32> {
    let score = Cvss::from_str(vector.trim()).ok()?.score();
    // Scores have one decimal place; the nearest of a narrower type is still the same number.
    score.is_finite().then_some(score as f32)
}

fn level_of(word: &str) -> Option<Level> {
    match word.trim().to_ascii_lowercase().as_str() {
        "critical" => Some(Level::Critical),
        "high" | "important" => Some(Level::High),
        "moderate" | "medium" => Some(Level::Moderate),
        "low" | "negligible" | "unimportant" | "none" => Some(Level::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rated(vectors: &[&str], words: &[&str]) -> Rated {
        let scores: Vec<Severity> = vectors.iter().map(|score| Severity { score: (*score).to_owned() }).collect();
        rate(&scores, words)
    }

    #[test]
    fn vectors_of_every_version_have_the_published_score() {
        for (vector, score) in [
            ("AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5),
            ("AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", 7.5),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3),
            ("CVSS:4.0/AV:L/AC:L/AT:N/PR:L/UI:N/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N", 4.8),
        ] {
            assert_eq!(rated(&[vector], &[]).score, Some(score), "{vector}");
        }
    }

    #[test]
    fn the_worst_of_all_that_is_said_counts() {
        let low = "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N";
        let critical = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        assert_eq!(rated(&[low, critical], &["LOW"]), Rated { score: Some(9.8), level: Level::Critical });
        assert_eq!(rated(&[low], &["HIGH"]).level, Level::High);
    }

    #[test]
    fn words_of_databases_are_levels_and_nonsense_is_nothing() {
        assert_eq!(rated(&[], &["MODERATE"]).level, Level::Moderate);
        assert_eq!(rated(&["negligible"], &[]), Rated { score: None, level: Level::Low });
        assert_eq!(rated(&["CVSS:9.9/XX"], &["??"]), Rated { score: None, level: LEVEL_UNRATED });
    }
}
