//! The many tests of one look, corrected together.
//!
//! Hierarchical: a table's p value is Simes' of its tests; tables are chosen by Benjamini and Hochberg (1995), and within
//! a chosen table tests hold by the same procedure at the rate that Benjamini and Bogomolov ("Selective inference on
//! multiple families of hypotheses", 2014) give for selected families: `q` times the share of tables that were chosen. So
//! a look at a hundred quiet tables makes no more false claims than one at ten. Tests of one table depend on each other
//! positively, for which the procedure holds (Benjamini and Yekutieli, 2001).

/// Which tests hold, by table.
pub fn hold(tables: &[Vec<f64>], rate: f64) -> Vec<Vec<bool>> {
    let simes: Vec<f64> = tables.iter().map(|tests| simes(tests)).collect();
    let chosen = benjamini_hochberg(&simes, rate);
    let share = chosen.iter().filter(|is_chosen| **is_chosen).count() as f64 / tables.len().max(1) as f64;
    tables
        .iter()
        .zip(chosen)
        .map(
            |(tests, is_chosen)| {
                if is_chosen { benjamini_hochberg(tests, rate * share) } else { vec![false; tests.len()] }
            },
        )
        .collect()
}

/// Simes' p value of a family.
fn simes(tests: &[f64]) -> f64 {
    let mut sorted = tests.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    sorted.iter().enumerate().map(|(at, p)| p * count / (at + 1) as f64).fold(1.0, f64::min)
}

/// Which of the tests hold at this rate of false discoveries.
pub fn benjamini_hochberg(tests: &[f64], rate: f64) -> Vec<bool> {
    let mut sorted = tests.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len().max(1) as f64;
    let limit =
        sorted.iter().enumerate().filter(|(at, p)| **p <= rate * (at + 1) as f64 / count).map(|(_, p)| *p).next_back();
    tests.iter().map(|p| limit.is_some_and(|limit| *p <= limit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_of_benjamini_and_hochberg_holds_four() {
        let tests = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
            0.7590, 1.0,
        ];
        assert_eq!(benjamini_hochberg(&tests, 0.05).iter().filter(|held| **held).count(), 4);
    }

    #[test]
    fn what_holds_alone_does_not_hold_among_many_quiet_tables() {
        let mut tables = vec![vec![0.5, 0.8, 0.3]; 200];
        tables[0][0] = 0.001;
        assert!(hold(&tables[..1], 0.01)[0][0]);
        assert!(!hold(&tables, 0.01)[0][0]);
        tables[0][0] = 1e-9;
        assert!(hold(&tables, 0.01)[0][0]);
    }

    #[test]
    fn nothing_is_held_of_nothing() {
        assert!(hold(&[], 0.01).is_empty());
        assert_eq!(hold(&[vec![]], 0.01), vec![Vec::<bool>::new()]);
    }
}
