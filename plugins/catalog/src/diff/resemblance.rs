//! How alike two columns are by what is in them, and two names by how they are written.

use std::collections::HashMap;

use crate::schema::{Column, Fingerprint};

/// How alike two contents are, and how much that says: a column of two values is alike many others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Likeness {
    /// From 0, nothing in common, to 1.
    pub(crate) share: f64,
    /// From 0, says nothing, to 1.
    pub(crate) weight: f64,
}

/// Values that differ from which on a content is as telling as it gets.
const TELLING: f64 = 50.0;

/// Of two columns, where both have values that were looked at.
pub(crate) fn contents(old: &Column, new: &Column) -> Option<Likeness> {
    let (old, new) = (old.fingerprint.as_ref()?, new.fingerprint.as_ref()?);
    if old.present == 0 || new.present == 0 {
        return None;
    }
    let is_whole = |print: &Fingerprint| print.sketch.len() as u64 == print.distinct;
    // Where one of them is cut, only hashes up to its last can be compared.
    let last = |print: &Fingerprint| match print.sketch.last() {
        Some((hash, _)) if !is_whole(print) => *hash,
        _ => u64::MAX,
    };
    let bound = last(old).min(last(new));
    let of = |print: &Fingerprint| -> HashMap<u64, u64> {
        print.sketch.iter().copied().filter(|(hash, _)| *hash <= bound).collect()
    };
    let (before, after) = (of(old), of(new));
    let share = if is_whole(old) && is_whole(new) && are_as_many(old.present, new.present) {
        let part = |count: u64, all: u64| count as f64 / all as f64;
        let common = |(hash, count): (&u64, &u64)| {
            after.get(hash).map_or(0.0, |now| part(*count, old.present).min(part(*now, new.present)))
        };
        before.iter().map(common).sum()
    } else {
        let common = before.keys().filter(|hash| after.contains_key(hash)).count();
        let all = if are_as_many(old.present, new.present) {
            before.len() + after.len() - common
        } else {
            // One has grown: what is in the smaller should be in the larger.
            before.len().min(after.len())
        };
        if all == 0 { 0.0 } else { common as f64 / all as f64 }
    };
    let distinct = old.distinct.min(new.distinct) as f64;
    Some(Likeness { share, weight: (distinct.ln_1p() / TELLING.ln_1p()).min(1.0) })
}

fn are_as_many(a: u64, b: u64) -> bool {
    a.max(b) <= a.min(b).saturating_mul(2)
}

/// How alike two names are, from 0 to 1: by their pairs of letters, whatever separates the words.
pub(crate) fn names(old: &str, new: &str) -> f64 {
    let letters = |name: &str| -> Vec<char> { name.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect() };
    let (old, new) = (letters(old), letters(new));
    if old == new {
        return 1.0;
    }
    let pairs =
        |name: &[char]| -> Vec<(char, char)> { name.iter().copied().zip(name.iter().copied().skip(1)).collect() };
    let (before, mut after) = (pairs(&old), pairs(&new));
    let all = before.len() + after.len();
    let mut common = 0;
    for pair in before {
        if let Some(at) = after.iter().position(|other| *other == pair) {
            after.swap_remove(at);
            common += 2;
        }
    }
    if all == 0 { 0.0 } else { f64::from(common) / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(rows: u64, sketch: &[(u64, u64)], distinct: u64) -> Column {
        let present = if sketch.len() as u64 == distinct { sketch.iter().map(|(_, count)| count).sum() } else { rows };
        let fingerprint = Some(Fingerprint { rows, present, distinct, sketch: sketch.to_vec() });
        Column { fingerprint, ..Column::default() }
    }

    #[test]
    fn equal_contents_are_alike_and_others_not() {
        let states = column(10, &[(1, 5), (2, 5)], 2);
        let other = column(10, &[(3, 5), (4, 5)], 2);
        let skewed = column(10, &[(1, 9), (2, 1)], 2);
        assert_eq!(contents(&states, &states).unwrap().share, 1.0);
        assert_eq!(contents(&states, &other).unwrap().share, 0.0);
        assert!((contents(&states, &skewed).unwrap().share - 0.6).abs() < 1e-9);
        assert!(contents(&states, &states).unwrap().weight < 0.4);
        assert_eq!(contents(&states, &column(10, &[], 0)), None);
    }

    #[test]
    fn a_table_that_grew_is_still_alike() {
        let pairs = |to: u64| (1..=to).map(|hash| (hash, 1)).collect::<Vec<_>>();
        let (small, large) = (column(20, &pairs(20), 20), column(100, &pairs(100), 100));
        assert_eq!(contents(&small, &large).unwrap().share, 1.0);
    }

    #[test]
    fn names_are_compared_by_pairs_of_letters() {
        assert_eq!(names("customer_id", "customerId"), 1.0);
        assert!(names("cust_name", "customer_name") > 0.6);
        assert!(names("price", "state") < 0.3);
        assert_eq!(names("a", "b"), 0.0);
    }
}
