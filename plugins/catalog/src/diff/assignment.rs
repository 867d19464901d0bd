//! The best assignment of some to others, each once at most: what several renames at once need.
//!
//! A pair counts by how far its score is above what leaving both alone is worth, 0. Pairs at or below are never made.
//! Small cases are solved exactly (the Hungarian method, in O(n^3)); beyond a size, the best pairs are taken first.

/// Up to so many rows and columns together the exact method takes milliseconds.
const EXACT_MAX: usize = 400;

/// Pairs `(row, column)` with the greatest sum. `scores[row][column]`; none is a pair that cannot be.
pub(crate) fn best(scores: &[Vec<Option<f64>>], columns: usize) -> Vec<(usize, usize)> {
    let score = |row: usize, column: usize| scores.get(row).and_then(|row| row.get(column)).copied().flatten();
    let mut pairs = if scores.len() + columns <= EXACT_MAX {
        exact(scores.len(), columns, &score)
    } else {
        greedy(scores.len(), columns, &score)
    };
    pairs.retain(|(row, column)| score(*row, *column).is_some_and(|score| score > 0.0));
    pairs.sort_unstable();
    pairs
}

fn greedy(rows: usize, columns: usize, score: &dyn Fn(usize, usize) -> Option<f64>) -> Vec<(usize, usize)> {
    let all = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let mut scored: Vec<(f64, usize, usize)> =
        all.filter_map(|(row, column)| score(row, column).map(|score| (score, row, column))).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let (mut row_taken, mut column_taken) = (vec![false; rows], vec![false; columns]);
    let mut pairs = Vec::new();
    for (_, row, column) in scored {
        if let (Some(a @ false), Some(b @ false)) = (row_taken.get_mut(row), column_taken.get_mut(column)) {
            (*a, *b) = (true, true);
            pairs.push((row, column));
        }
    }
    pairs
}

/// The Hungarian method on a square of rows and columns, in which leaving alone costs nothing. Every index is below
/// `size + 1`, the length of every list here.
fn exact(rows: usize, columns: usize, score: &dyn Fn(usize, usize) -> Option<f64>) -> Vec<(usize, usize)> {
    let size = rows.max(columns);
    let cost = |row: usize, column: usize| {
        if row < rows && column < columns { -score(row, column).unwrap_or(0.0).max(0.0) } else { 0.0 }
    };
    let (mut u, mut v) = (vec![0.0; size + 1], vec![0.0; size + 1]);
    let (mut matched, mut way) = (vec![0_usize; size + 1], vec![0_usize; size + 1]);
    for row in 1..=size {
        matched[0] = row;
        let mut column = 0;
        let (mut least, mut used) = (vec![f64::INFINITY; size + 1], vec![false; size + 1]);
        loop {
            used[column] = true;
            let (from, mut delta, mut next) = (matched[column], f64::INFINITY, 0);
            for other in (1..=size).filter(|other| !used[*other]) {
                let reduced = cost(from - 1, other - 1) - u[from] - v[other];
                if reduced < least[other] {
                    (least[other], way[other]) = (reduced, column);
                }
                if least[other] < delta {
                    (delta, next) = (least[other], other);
                }
            }
            for other in 0..=size {
                if used[other] {
                    u[matched[other]] += delta;
                    v[other] -= delta;
                } else {
                    least[other] -= delta;
                }
            }
            column = next;
            if matched[column] == 0 {
                break;
            }
        }
        while column != 0 {
            let before = way[column];
            matched[column] = matched[before];
            column = before;
        }
    }
    (1..=size).filter(|column| matched[*column] > 0).map(|column| (matched[column] - 1, column - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_sum_counts_and_not_the_best_pair() {
        let scores = vec![vec![Some(5.0), Some(4.0)], vec![Some(4.0), Some(0.5)]];
        assert_eq!(best(&scores, 2), [(0, 1), (1, 0)]);
        assert_eq!(best(&[vec![Some(-1.0), None]], 2), []);
        assert_eq!(best(&[], 3), []);
    }

    fn brute(scores: &[Vec<Option<f64>>], row: usize, taken: &mut Vec<bool>) -> f64 {
        let Some(line) = scores.get(row) else { return 0.0 };
        let mut best = brute(scores, row + 1, taken);
        for column in 0..line.len() {
            if let (false, Some(score)) = (taken[column], line[column]) {
                taken[column] = true;
                best = best.max(score + brute(scores, row + 1, taken));
                taken[column] = false;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn it_is_as_good_as_trying_all(scores in (1_usize..5, 1_usize..5).prop_flat_map(|(rows, columns)| {
            prop::collection::vec(prop::collection::vec(prop::option::of(-5.0..5.0_f64), columns), rows)
        })) {
            let columns = scores[0].len();
            let sum: f64 = best(&scores, columns).iter().map(|(row, column)| scores[*row][*column].unwrap()).sum();
            prop_assert!((sum - brute(&scores, 0, &mut vec![false; columns])).abs() < 1e-9);
        }
    }
}
