//! The points of one line: read, put in order of time, cut at gaps, thinned to the pixels there are.

use super::Series;
use crate::Error;
use crate::number::drawable;
use crate::scale::Scale;
use crate::time::Clock;

/// Gaps and unusual points closer than this are drawn as one.
const APART_PIXELS: f64 = 4.0;

#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) at: f64,
    pub(super) value: Option<f64>,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    pub(super) is_marked: bool,
}

pub(super) struct Curve {
    pub(super) label: String,
    /// In order of time.
    pub(super) rows: Vec<Row>,
    /// Values that are no numbers.
    pub(super) dropped: usize,
}

/// What was expected over a span without gaps.
pub(super) struct Band {
    pub(super) low: Vec<(f64, f64)>,
    pub(super) high: Vec<(f64, f64)>,
}

impl Band {
    /// There along the upper edge, back along the lower one.
    pub(super) fn outline(&self) -> Vec<(f64, f64)> {
        self.high.iter().chain(self.low.iter().rev()).copied().collect()
    }
}

impl Curve {
    pub(super) fn read(series: &Series, number: usize, clock: &Clock) -> Result<Self, Error> {
        let count = series.times.len();
        let named = |field: &str| format!("series[{number}].{field}");
        for (field, length, may_be_empty) in
            [("values", series.values.len(), false), ("low", series.low.len(), true), ("high", series.high.len(), true)]
        {
            if length != count && !(may_be_empty && length == 0) {
                return Err(Error::invalid(
                    named(field),
                    format!("{length} entries for {count} times; give one for each, null where there is none"),
                ));
            }
        }
        if series.low.is_empty() != series.high.is_empty() && count > 0 {
            return Err(Error::invalid(named("low"), "a band needs both `low` and `high`"));
        }
        let (mut rows, mut dropped) = (Vec::with_capacity(count), 0);
        for (at, time) in series.times.iter().enumerate() {
            let mut number = |values: &[Option<f64>]| {
                let given = values.get(at).copied().flatten();
                let value = given.and_then(drawable);
                dropped += usize::from(given.is_some() && value.is_none());
                value
            };
            let (value, low, high) = (number(&series.values), number(&series.low), number(&series.high));
            let at = clock.seconds(time, || named(&format!("times[{at}]")))?;
            rows.push(Row { at, value, low, high, is_marked: false });
        }
        for (place, at) in series.marked.iter().enumerate() {
            match rows.get_mut(*at) {
                Some(row) => row.is_marked = true,
                None => {
                    return Err(Error::invalid(
                        named(&format!("marked[{place}]")),
                        format!("{at} is no position; there are {count} values, the first is 0"),
                    ));
                }
            }
        }
        // A stable order: of several values at one time the first that was given comes first.
        rows.sort_by(|one, other| one.at.total_cmp(&other.at));
        Ok(Self { label: series.label.clone(), rows, dropped })
    }

    pub(super) fn points(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.rows.iter().filter_map(|row| Some((row.at, row.value?)))
    }

    /// Spans without a gap.
    pub(super) fn pieces(&self) -> Vec<Vec<(f64, f64)>> {
        let pieces = self.rows.split(|row| row.value.is_none()).filter(|piece| !piece.is_empty());
        pieces.map(|piece| piece.iter().filter_map(|row| Some((row.at, row.value?))).collect()).collect()
    }

    pub(super) fn bands(&self, x: &Scale, columns: f64) -> Vec<Band> {
        let pieces = self.rows.split(|row| row.low.is_none() || row.high.is_none()).filter(|piece| piece.len() > 1);
        let edge = |piece: &[Row], of: fn(&Row) -> Option<f64>, pick: fn(f64, f64) -> f64| {
            let mut kept: Vec<(f64, f64)> = Vec::new();
            let mut column = f64::NAN;
            for row in piece {
                let Some(value) = of(row) else { continue };
                let here = (x.part(row.at) * columns).floor();
                match kept.last_mut() {
                    Some(last) if here == column => last.1 = pick(last.1, value),
                    _ => kept.push((row.at, value)),
                }
                column = here;
            }
            // The last moment belongs to the band, whatever its column.
            if let (Some(row), Some(last)) = (piece.last(), kept.last().copied())
                && row.at > last.0
            {
                kept.push((row.at, of(row).unwrap_or(last.1)));
            }
            kept
        };
        pieces
            .map(|piece| Band {
                low: edge(piece, |row| Some(row.low?.min(row.high?)), f64::min),
                high: edge(piece, |row| Some(row.low?.max(row.high?)), f64::max),
            })
            .collect()
    }

    /// Spans without values between two that have one.
    pub(super) fn gaps(&self) -> Vec<(f64, f64)> {
        let mut gaps = Vec::new();
        let mut last: Option<f64> = None;
        let mut is_open = false;
        for row in &self.rows {
            if row.value.is_some() {
                if let (true, Some(from)) = (is_open, last) {
                    gaps.push((from, row.at));
                }
                (last, is_open) = (Some(row.at), false);
            } else {
                is_open = true;
            }
        }
        gaps
    }

    /// The gaps that can be seen, those that touch as one.
    pub(super) fn gaps_apart(&self, x: &Scale, pixels: f64) -> Vec<(f64, f64)> {
        let place = |at: f64| x.part(at) * pixels;
        let mut seen: Vec<(f64, f64)> = Vec::new();
        for (from, to) in self.gaps() {
            match seen.last_mut() {
                Some(last) if place(from) - place(last.1) < APART_PIXELS => last.1 = to,
                _ => seen.push((from, to)),
            }
        }
        seen
    }

    /// Points between two gaps, which no line shows; the lowest and highest of each column.
    pub(super) fn lonely(&self, x: &Scale, columns: f64) -> Vec<(f64, f64)> {
        let alone: Vec<(f64, f64)> = self.pieces().into_iter().filter(|piece| piece.len() == 1).flatten().collect();
        // A dot is wider than a column.
        thinned(alone, x, columns / 2.0)
    }

    /// About `count` points evenly over the curve, shifted by a part of their distance.
    pub(super) fn spread(&self, count: usize, shift: f64) -> Vec<(f64, f64)> {
        let points: Vec<(f64, f64)> = self.points().collect();
        let apart = points.len() as f64 / count.max(1) as f64;
        (0..count).filter_map(|at| points.get(((at as f64 + 0.25 + shift * 0.5) * apart) as usize).copied()).collect()
    }

    pub(super) fn marked(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.rows.iter().filter(|row| row.is_marked).filter_map(|row| Some((row.at, row.value?)))
    }

    /// Unusual points that can be told apart: of those in one place the one that is farthest from the others of the curve.
    pub(super) fn marked_apart(&self, x: &Scale, pixels: f64) -> Vec<(f64, f64)> {
        let middle = self.middle();
        let mut kept: Vec<(f64, f64)> = Vec::new();
        for point in self.marked() {
            match kept.last_mut() {
                Some(last) if (x.part(point.0) - x.part(last.0)) * pixels < APART_PIXELS => {
                    if (point.1 - middle).abs() > (last.1 - middle).abs() {
                        *last = point;
                    }
                }
                _ => kept.push(point),
            }
        }
        kept
    }

    fn middle(&self) -> f64 {
        let mut values: Vec<f64> = self.points().map(|point| point.1).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    }

    /// The lowest, the highest and the last point.
    #[allow(clippy::type_complexity)]
    pub(super) fn extremes(&self) -> Option<((f64, f64), (f64, f64), (f64, f64))> {
        let low = self.points().min_by(|one, other| one.1.total_cmp(&other.1))?;
        // Of several the first: `max_by` would tell the last.
        let high = self.points().fold(low, |high, point| if point.1 > high.1 { point } else { high });
        Some((low, high, self.points().last()?))
    }
}

/// The first, the lowest, the highest and the last point of each column.
pub(crate) fn thinned(points: Vec<(f64, f64)>, x: &Scale, columns: f64) -> Vec<(f64, f64)> {
    if points.len() as f64 <= columns {
        return points;
    }
    let column_of = |point: &(f64, f64)| (x.part(point.0) * columns).floor();
    let mut kept = Vec::new();
    for column in points.chunk_by(|one, other| column_of(one) == column_of(other)) {
        let first = 0;
        let last = column.len() - 1;
        let value = |at: usize| column.get(at).map_or(0.0, |point| point.1);
        let low = (0..column.len()).min_by(|one, other| value(*one).total_cmp(&value(*other))).unwrap_or(first);
        let high = (0..column.len()).max_by(|one, other| value(*one).total_cmp(&value(*other))).unwrap_or(last);
        let mut places = vec![first, low, high, last];
        places.sort_unstable();
        places.dedup();
        kept.extend(places.into_iter().filter_map(|at| column.get(at).copied()));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_every_extreme_and_no_more_than_four_a_column() {
        let points: Vec<(f64, f64)> = (0..100_000)
            .map(|at| {
                (
                    f64::from(at),
                    if at == 77_777 {
                        99.0
                    } else if at == 12_345 {
                        -99.0
                    } else {
                        f64::from(at % 7)
                    },
                )
            })
            .collect();
        let kept = thinned(points.clone(), &Scale::new(0.0, 99_999.0), 700.0);
        assert!(kept.len() <= 4 * 701, "{}", kept.len());
        assert!(kept.contains(&(77_777.0, 99.0)) && kept.contains(&(12_345.0, -99.0)));
        assert!(kept.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(kept.first(), points.first());
        assert_eq!(kept.last(), points.last());
    }

    #[test]
    fn gaps_lie_between_values_and_touching_ones_are_one() {
        let series = Series {
            times: (0..8).map(|at| f64::from(at).into()).collect(),
            values: vec![None, Some(1.0), None, None, Some(2.0), None, Some(f64::NAN), Some(3.0)],
            ..Series::default()
        };
        let curve = Curve::read(&series, 0, &Clock::of(None).unwrap()).unwrap();
        assert_eq!(curve.gaps(), [(1.0, 4.0), (4.0, 7.0)]);
        assert_eq!(curve.gaps_apart(&Scale::new(0.0, 7.0), 700.0), [(1.0, 7.0)]);
        assert_eq!((curve.dropped, curve.pieces().len()), (1, 3));
    }
}
