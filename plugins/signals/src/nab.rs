//! The scoring of the Numenta Anomaly Benchmark (github.com/numenta/NAB; Lavin and Ahmad, "Evaluating Real-time
//! Anomaly Detection Algorithms", 2015), as its `sweeper.py`, `optimizer.py` and `runner.py` define it.
//!
//! A detection inside a labelled window counts once, the earlier the more; one outside costs, the less the sooner it
//! comes after a window; a window without any costs. The first 15 % of a file (at most 750 rows) are probation and do
//! not count. One threshold is chosen for a whole corpus, the best of all, and the sum is put between what a detector
//! that never speaks gets (0) and what a perfect one gets (100).
//!
//! It knows rows by their number; times, files and their names are the caller's.

/// What a hit, a false alarm and a miss are worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile {
    pub name: &'static str,
    pub true_positive: f64,
    pub false_positive: f64,
    pub false_negative: f64,
}

pub const STANDARD: Profile =
    Profile { name: "standard", true_positive: 1.0, false_positive: 0.11, false_negative: 1.0 };
pub const REWARD_LOW_FP: Profile =
    Profile { name: "reward_low_FP_rate", true_positive: 1.0, false_positive: 0.22, false_negative: 1.0 };
pub const REWARD_LOW_FN: Profile =
    Profile { name: "reward_low_FN_rate", true_positive: 1.0, false_positive: 0.11, false_negative: 2.0 };
/// All three, in the order in which NAB reports them.
pub const PROFILES: [Profile; 3] = [STANDARD, REWARD_LOW_FP, REWARD_LOW_FN];

/// The share of a file in which nothing counts, and the length beyond which it does not grow.
const PROBATION_SHARE: f64 = 0.15;
const PROBATION_ROWS_MAX: usize = 5000;
/// How many window lengths after a window a false alarm costs all that it can.
const FAR_BEHIND: f64 = 3.0;
/// Above every score: the threshold of a detector that never speaks.
const NEVER: f64 = 1.1;

/// A labelled window: its first and its last row, both inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub first: usize,
    pub last: usize,
}

/// The scores of one file, one in 0..=1 for each row, and its windows in order of time.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    pub scores: &'a [f64],
    pub windows: &'a [Window],
}

/// What one threshold gives: the sum before normalisation, how many windows were hit, and how many rows were what.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    pub raw: f64,
    pub hits: usize,
    pub misses: usize,
    pub true_positives: usize,
    pub false_positives: usize,
    pub true_negatives: usize,
    pub false_negatives: usize,
}

/// The best threshold of a corpus, and what it gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    pub threshold: f64,
    pub raw: f64,
}

/// How many rows at the beginning of a file do not count.
#[must_use]
pub fn probation(rows: usize) -> usize {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a bounded length")]
    let share = (PROBATION_SHARE * rows.min(PROBATION_ROWS_MAX) as f64).floor() as usize;
    share
}

/// 2 sigmoid(-5 x) - 1: near 1 at a window's beginning (-1), 0 at its end (0), near -1 a window's length later (1).
#[must_use]
pub fn scaled_sigmoid(position: f64) -> f64 {
    if position > FAR_BEHIND {
        return -1.0;
    }
    2.0 / (1.0 + (5.0 * position).exp()) - 1.0
}

/// A row that counts, its worth if it is a detection, and the window that it lies in.
struct Row {
    score: f64,
    worth: f64,
    window: Option<usize>,
}

/// The rows after probation with what a detection in each is worth. Windows are numbered from `first_window`.
fn rows<'a>(file: &File<'a>, profile: &Profile, first_window: usize) -> impl Iterator<Item = Row> + use<'a> {
    let probation = probation(file.scores.len());
    let (windows, profile) = (file.windows, *profile);
    let mut next = 0;
    file.scores.iter().enumerate().filter_map(move |(index, &score)| {
        while windows.get(next).is_some_and(|window| window.last < index) {
            next += 1;
        }
        let inside = windows.get(next).filter(|window| window.first <= index);
        let worth = match inside {
            Some(window) => {
                let width = (window.last - window.first + 1) as f64;
                let position = -((window.last - index + 1) as f64) / width;
                scaled_sigmoid(position) * profile.true_positive / scaled_sigmoid(-1.0)
            }
            None => {
                let before = next.checked_sub(1).and_then(|before| windows.get(before));
                profile.false_positive * before.map_or(-1.0, |window| behind(window, index))
            }
        };
        (index >= probation).then(|| Row { score, worth, window: inside.map(|_| first_window + next) })
    })
}

/// The worth of a false alarm after a window. After a window of one row every distance is far.
fn behind(window: &Window, index: usize) -> f64 {
    let width = window.last.saturating_sub(window.first);
    if width == 0 {
        return -1.0;
    }
    scaled_sigmoid((index - window.last) as f64 / width as f64)
}

/// What a threshold gives on one file: a row whose score reaches it is a detection.
#[must_use]
pub fn tally(file: &File<'_>, profile: &Profile, threshold: f64) -> Tally {
    let mut tally = Tally::default();
    // Of each window that has rows: whether it was hit, and what it is worth.
    let mut best: Vec<Option<(bool, f64)>> = vec![None; file.windows.len()];
    for row in rows(file, profile, 0) {
        let is_detection = row.score >= threshold;
        let Some(slot) = row.window.and_then(|window| best.get_mut(window)) else {
            if is_detection {
                tally.raw += row.worth;
                tally.false_positives += 1;
            } else {
                tally.true_negatives += 1;
            }
            continue;
        };
        let (is_hit, so_far) = slot.get_or_insert((false, -profile.false_negative));
        if is_detection {
            *is_hit = true;
            *so_far = so_far.max(row.worth);
            tally.true_positives += 1;
        } else {
            tally.false_negatives += 1;
        }
    }
    // A window that lies in probation as a whole has no row here, and so counts for nothing, as in NAB.
    for (is_hit, worth) in best.into_iter().flatten() {
        tally.raw += worth;
        tally.hits += usize::from(is_hit);
        tally.misses += usize::from(!is_hit);
    }
    tally
}

/// The threshold that is best for a whole corpus; of several that are equally good, the highest.
#[must_use]
pub fn best_threshold(files: &[File<'_>], profile: &Profile) -> Best {
    let mut all = Vec::new();
    let mut windows = 0;
    for file in files {
        all.extend(rows(file, profile, windows));
        windows += file.windows.len();
    }
    all.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut parts: Vec<Option<f64>> = vec![None; windows];
    for part in all.iter().filter_map(|row| row.window) {
        if let Some(part) = parts.get_mut(part) {
            *part = Some(-profile.false_negative);
        }
    }
    let mut sum = parts.iter().flatten().sum::<f64>();
    let mut best = Best { threshold: NEVER, raw: sum };
    let mut at = 0;
    while let Some(threshold) = all.get(at).map(|row| row.score) {
        while let Some(row) = all.get(at).filter(|row| row.score.total_cmp(&threshold).is_eq()) {
            match row.window.and_then(|window| parts.get_mut(window)) {
                Some(Some(part)) if row.worth > *part => {
                    sum += row.worth - *part;
                    *part = row.worth;
                }
                Some(_) => {}
                None => sum += row.worth,
            }
            at += 1;
        }
        if sum > best.raw {
            best = Best { threshold, raw: sum };
        }
    }
    best
}

/// The sum as NAB reports it: 0 is a detector that never speaks, 100 a perfect one. Nothing where there is no window.
#[must_use]
pub fn normalised(files: &[File<'_>], profile: &Profile, raw: f64) -> Option<f64> {
    let windows: usize = files.iter().map(|file| file.windows.len()).sum();
    if windows == 0 {
        return None;
    }
    let silent: f64 = files.iter().map(|file| tally(file, profile, NEVER).raw).sum();
    let perfect = windows as f64 * profile.true_positive;
    Some(100.0 * (raw - silent) / (perfect - silent))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in NAB's own tests of its scorer, `tests/unit/scorer_test.py`; the sigmoid's values are those given there.
    const COSTS: Profile = Profile { name: "test", true_positive: 1.1, false_positive: 0.11, false_negative: 1.2 };
    const AT_HALF: f64 = 0.848_283_639_957_513_1;
    const AT_BEGIN: f64 = 0.986_614_298_151_430_5;

    fn raw(scores: &[f64], windows: &[(usize, usize)]) -> f64 {
        let windows: Vec<Window> = windows.iter().map(|&(first, last)| Window { first, last }).collect();
        tally(&File { scores, windows: &windows }, &COSTS, 0.5).raw
    }

    fn assert_near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    #[test]
    fn sigmoid_has_the_published_values() {
        assert_near(scaled_sigmoid(-1.0), AT_BEGIN);
        assert_near(scaled_sigmoid(-0.5), AT_HALF);
        assert_near(scaled_sigmoid(0.0), 0.0);
        assert_near(scaled_sigmoid(1.0), -AT_BEGIN);
        assert_near(scaled_sigmoid(3.01), -1.0);
    }

    #[test]
    fn published_cases_of_the_scorer_give_the_published_sums() {
        assert_near(raw(&[0.0; 5], &[]), 0.0);
        assert_near(raw(&[0.0, 1.0, 0.0, 1.0, 0.0], &[]), -2.0 * 0.11);
        assert_near(raw(&[0.0; 7], &[(1, 2), (4, 5)]), -2.0 * 1.2);
        let first = AT_HALF * 1.1 / AT_BEGIN;
        assert_near(raw(&[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], &[(1, 2)]), first);
        assert_near(raw(&[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], &[(1, 2), (4, 5)]), first - 1.2);
        assert_near(raw(&[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0], &[(4, 5)]), 1.1);
        assert_near(raw(&[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0], &[(4, 5)]), 1.1);
        assert_near(raw(&[0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0], &[(1, 2), (4, 5)]), first + 1.1);
    }

    #[test]
    fn false_alarm_costs_more_the_farther_it_is_behind_a_window() {
        let at = |index: usize| {
            let mut scores = [0.0; 40];
            scores[index] = 1.0;
            raw(&scores, &[(10, 14)]) + 1.2
        };
        // The window is 4 intervals wide: two rows after its end is half of that.
        assert_near(at(16), -0.11 * AT_HALF);
        assert_near(at(18), -0.11 * AT_BEGIN);
        assert_near(at(39), -0.11);
        assert_near(at(7), -0.11);
    }

    #[test]
    fn nothing_counts_in_probation_which_ends_at_750_rows() {
        assert_eq!(
            (probation(7), probation(100), probation(4032), probation(5000), probation(22_000)),
            (1, 15, 604, 750, 750)
        );
        let mut scores = vec![0.0; 100];
        scores[14] = 1.0;
        assert_near(raw(&scores, &[]), 0.0);
        scores[15] = 1.0;
        assert_near(raw(&scores, &[]), -0.11);
    }

    #[test]
    fn best_threshold_keeps_the_hit_and_leaves_the_false_alarms() {
        let mut scores = vec![0.1; 40];
        (scores[20], scores[30], scores[35]) = (0.9, 0.8, 0.8);
        let windows = [Window { first: 20, last: 22 }];
        let files = [File { scores: &scores, windows: &windows }];
        let best = best_threshold(&files, &STANDARD);
        assert_eq!(best.threshold, 0.9);
        assert_near(best.raw, 1.0);
        let tally = tally(&files[0], &STANDARD, best.threshold);
        assert_near(tally.raw, best.raw);
        assert_eq!((tally.hits, tally.misses, tally.true_positives, tally.false_positives), (1, 0, 1, 0));
        assert_near(normalised(&files, &STANDARD, best.raw).unwrap(), 100.0);
    }

    #[test]
    fn best_threshold_of_a_detector_that_only_errs_is_one_that_never_speaks() {
        let mut scores = vec![0.1; 40];
        scores[30] = 0.9;
        let windows = [Window { first: 20, last: 22 }];
        let costs = Profile { false_positive: 5.0, ..STANDARD };
        let files = [File { scores: &scores, windows: &windows }];
        let best = best_threshold(&files, &costs);
        assert_eq!(best.threshold, NEVER);
        assert_near(normalised(&files, &costs, best.raw).unwrap(), 0.0);
    }

    #[test]
    fn sweep_agrees_with_the_tally_at_every_threshold() {
        let scores: Vec<f64> = (0..400_u32).map(|at| f64::from((at * 7919) % 97) / 97.0).collect();
        let windows =
            [Window { first: 100, last: 139 }, Window { first: 150, last: 150 }, Window { first: 390, last: 399 }];
        let files =
            [File { scores: &scores, windows: &windows }, File { scores: &scores[..200], windows: &windows[..1] }];
        for profile in &PROFILES {
            let best = best_threshold(&files, profile);
            let at = |threshold: f64| files.iter().map(|file| tally(file, profile, threshold).raw).sum::<f64>();
            assert_near(at(best.threshold), best.raw);
            let thresholds = (0..=97).map(|step| f64::from(step) / 97.0);
            assert!(thresholds.map(at).all(|raw| raw <= best.raw + 1e-9));
        }
    }

    #[test]
    fn corpus_without_windows_has_no_score() {
        assert_eq!(normalised(&[File { scores: &[0.0; 50], windows: &[] }], &STANDARD, 0.0), None);
        assert_eq!(best_threshold(&[], &STANDARD).threshold, NEVER);
    }

    #[test]
    fn window_within_probation_counts_for_nothing_but_in_what_is_perfect() {
        let scores = vec![0.0; 100];
        let windows = [Window { first: 2, last: 9 }, Window { first: 50, last: 59 }];
        let files = [File { scores: &scores, windows: &windows }];
        assert_near(tally(&files[0], &STANDARD, 0.5).raw, -1.0);
        assert_near(normalised(&files, &STANDARD, 1.0).unwrap(), 100.0 * 2.0 / 3.0);
    }
}
