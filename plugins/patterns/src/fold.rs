//! One fact is claimed once.
//!
//! A change shows in many measurements: a day that was loaded twice has more rows, repeated keys and another mix of
//! values. Of what holds at the same time the most specific is said, and what follows from it is folded into it; so is
//! the same change of a table's parent. Nothing is lost: what was folded is in the report beside the findings.

use crate::checks::Candidate;

/// Kinds that change which rows there are: what they bring along in other columns follows from them.
const OF_ROWS: [&str; 14] = [
    "bucket_copied",
    "duplicates_appeared",
    "keys_repeated",
    "data_stale",
    "category_vanished",
    "category_new",
    "volume_dropped",
    "volume_rose",
    "hours_shifted",
    "top_value_grew",
    "past_deleted",
    "past_grown",
    "table_emptied",
    "rows_fell",
];
/// Kinds that may follow from which rows there are.
const FOLLOWING: [&str; 19] = [
    "category_shifted",
    "mean_rose",
    "mean_fell",
    "spread_rose",
    "spread_fell",
    "distribution_drifted",
    "distinct_rose",
    "distinct_fell",
    "length_rose",
    "length_fell",
    "top_value_grew",
    "hours_shifted",
    "volume_dropped",
    "volume_rose",
    "duplicates_appeared",
    "maximum_rose",
    "zeros_rose",
    "nulls_rose",
    "nulls_fell",
];
const REPEATING: [&str; 4] = ["bucket_copied", "duplicates_appeared", "keys_repeated", "past_grown"];

/// Which of a table's candidates are said; for the others, by which one they are said.
pub(crate) fn fold(candidates: &[Candidate]) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    let key = |at: usize| candidates.get(at).map(|one| (one.rank, one.effect, -one.p));
    order.sort_by(|&a, &b| key(b).partial_cmp(&key(a)).unwrap_or(std::cmp::Ordering::Equal));
    let mut into: Vec<Option<usize>> = vec![None; candidates.len()];
    let mut kept: Vec<usize> = Vec::new();
    for at in order {
        let Some(one) = candidates.get(at) else { continue };
        match kept.iter().copied().find(|&other| candidates.get(other).is_some_and(|other| says(other, one))) {
            Some(other) => {
                if let Some(place) = into.get_mut(at) {
                    *place = Some(other);
                }
            }
            None => kept.push(at),
        }
    }
    into
}

fn meet(a: &Candidate, b: &Candidate) -> bool {
    match (a.buckets, b.buckets) {
        (Some(a), Some(b)) => a.0 <= b.1 + 1 && b.0 <= a.1 + 1,
        _ => true,
    }
}

/// Whether the first, which is more specific, says the second as well.
fn says(first: &Candidate, second: &Candidate) -> bool {
    if !meet(first, second) {
        return false;
    }
    if first.column.is_some() && first.column == second.column {
        return true;
    }
    let is_volume = second.kind.starts_with("volume_");
    if is_volume && first.kind.starts_with("category_") {
        return first.direction == second.direction && first.explains_rows >= 0.4 * second.effect;
    }
    if REPEATING.contains(&first.kind) && REPEATING.contains(&second.kind) {
        return true;
    }
    if is_volume && REPEATING.contains(&first.kind) {
        return second.direction > 0;
    }
    // Nulls have causes of their own, unless the rows that are there are few or other ones.
    let has_own_cause = matches!(second.kind, "nulls_rose" | "zeros_rose" | "maximum_rose")
        && !matches!(first.kind, "data_stale" | "volume_dropped" | "bucket_copied");
    if OF_ROWS.contains(&first.kind) && FOLLOWING.contains(&second.kind) && !is_volume && !has_own_cause {
        return true;
    }
    if first.kind.starts_with("nulls_") && second.kind.starts_with("nulls_")
        || first.kind.starts_with("mean_")
            && matches!(
                second.kind,
                "mean_rose" | "mean_fell" | "spread_rose" | "spread_fell" | "distribution_drifted" | "maximum_rose"
            )
    {
        // Columns that are computed from each other move together.
        return first.direction == second.direction && second.effect <= 2.0 * first.effect + 0.05;
    }
    // Of two shifts at the same time the stronger is told.
    let is_shift = |one: &Candidate| {
        matches!(
            one.kind,
            "category_shifted" | "distribution_drifted" | "distinct_fell" | "distinct_rose" | "top_value_grew"
        )
    };
    is_shift(first) && is_shift(second)
        || first.kind.starts_with("mean_") && is_shift(second)
        || is_shift(first) && second.kind.starts_with("mean_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(kind: &'static str, column: Option<&str>, rank: u8, direction: i8) -> Candidate {
        Candidate { buckets: Some((10, 12)), rank, direction, ..Candidate::new(kind, column, 1e-9, 0.5) }
    }

    #[test]
    fn nulls_of_a_column_say_its_drift_as_well() {
        let list =
            [candidate("distribution_drifted", Some("price"), 2, 1), candidate("nulls_rose", Some("price"), 8, 1)];
        assert_eq!(fold(&list), [Some(1), None]);
    }

    #[test]
    fn copied_day_says_its_rows_and_their_mix() {
        let list = [
            candidate("volume_rose", None, 5, 1),
            candidate("bucket_copied", None, 10, 0),
            candidate("category_shifted", Some("country"), 3, 1),
        ];
        assert_eq!(fold(&list), [Some(1), None, Some(1)]);
    }

    #[test]
    fn vanished_value_says_the_drop_only_if_it_makes_it() {
        let mut vanished = candidate("category_vanished", Some("country"), 8, -1);
        let list = |vanished: &Candidate| [candidate("volume_dropped", None, 5, -1), vanished.clone()];
        vanished.explains_rows = 0.05;
        assert_eq!(fold(&list(&vanished)), [None, None]);
        vanished.explains_rows = 0.45;
        assert_eq!(fold(&list(&vanished)), [Some(1), None]);
    }

    #[test]
    fn changes_of_two_columns_at_other_times_are_two() {
        let mut early = candidate("nulls_rose", Some("a"), 8, 1);
        early.buckets = Some((1, 3));
        assert_eq!(fold(&[early, candidate("nulls_rose", Some("b"), 8, 1)]), [None, None]);
    }
}
