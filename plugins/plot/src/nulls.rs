//! How much is missing: a row for each column of a table, a cell for each span of time.

use serde::{Deserialize, Serialize};

use crate::canvas::Canvas;
use crate::grid::{Cell, Grid, Shade, shades};
use crate::line::limit;
use crate::number::Unit;
use crate::page::{self, counted, named};
use crate::text::clean;
use crate::time::{Clock, Moment};
use crate::{Draw, Error, Room, Told};

const COLUMNS_MAX: usize = 40;
const TIMES_MAX: usize = 2_000;
/// Cells of a row are at least so wide; more times than cells share one, which shows the worst of them.
const CELL_PIXELS: f64 = 9.0;

/// What is missing in which column, over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NullMatrix {
    pub title: String,
    pub subtitle: String,
    pub zone: Option<String>,
    pub columns: Vec<String>,
    /// Begins of the spans of time, ascending.
    pub times: Vec<Moment>,
    /// A list for each column: the share of rows without a value at each time, 0 to 1; none where there were no rows.
    pub shares: Vec<Vec<Option<f64>>>,
    /// Unusual cells: column and time, by position.
    pub marked: Vec<(usize, usize)>,
}

impl Draw for NullMatrix {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self, canvas: &Canvas<'_>, room: Room) -> Result<Told, Error> {
        let clock = Clock::of(self.zone.as_deref())?;
        let times = self.check(&clock)?;
        let mut notes = Vec::new();
        let dropped = self.shares.iter().flatten().flatten().filter(|it| !it.is_finite()).count();
        if dropped > 0 {
            notes.push(format!("{} left out: no finite number", counted(dropped, "share", "shares")));
        }
        let top = page::heading(canvas, room.width, &self.title, &self.subtitle);
        if self.columns.is_empty() || times.is_empty() {
            page::nothing(canvas, (room.width / 2.0, top + 50.0), room.width);
            let alternative = format!("{}: no data.", page::begun("Null matrix", &self.title));
            return Ok(Told { height: top + 100.0, alternative, notes });
        }
        let cells_max = (room.width * 0.7 / CELL_PIXELS).floor().max(1.0) as usize;
        let together = times.len().div_ceil(cells_max);
        if together > 1 {
            notes.push(format!("A cell shows the worst of {together} spans of time."));
        }
        let mut extra = Vec::new();
        if self.shares.iter().flatten().any(|it| !it.is_some_and(f64::is_finite)) {
            extra.push("no data");
        }
        if !self.marked.is_empty() {
            extra.push("unusual");
        }
        let steps = [(0, "0 %"), (1, ""), (2, ""), (3, ""), (4, ""), (5, "100 % missing")];
        let top = shades(canvas, room.width, top, &steps.map(|(at, text)| (Shade(at), text.to_owned())), &extra);
        let are_days = clock.are_days(times.iter().copied());
        let count = times.len().div_ceil(together);
        let grid = Grid {
            rows: self.columns.iter().map(|name| clean(name)).collect(),
            columns: labels(&clock, &times, together, are_days, room.width),
            count,
            cells: self.cells(together),
            row_pixels: 22.0,
        };
        let bottom = grid.draw(canvas, room.width, top + 4.0);
        page::notes(canvas, room.width, bottom, &notes);
        Ok(Told {
            height: bottom + page::notes_height(&notes) + 8.0,
            alternative: self.alternative(&clock, &times, are_days),
            notes,
        })
    }
}

/// About as many as have room, at equal distances.
fn labels(clock: &Clock, times: &[f64], together: usize, are_days: bool, room: f64) -> Vec<(usize, String)> {
    let count = times.len().div_ceil(together);
    let most = (room * 0.7 / if are_days { 90.0 } else { 125.0 }).floor().max(1.0);
    let every = (count as f64 / most).ceil().max(1.0) as usize;
    let at = |cell: usize| times.get(cell * together).map(|time| (cell, clock.told(*time, are_days)));
    (0..count).step_by(every).filter_map(at).collect()
}

impl NullMatrix {
    fn check(&self, clock: &Clock) -> Result<Vec<f64>, Error> {
        limit("columns", self.columns.len(), COLUMNS_MAX)?;
        limit("times", self.times.len(), TIMES_MAX)?;
        if self.shares.len() != self.columns.len() {
            return Err(Error::invalid(
                "shares",
                format!("{} lists for {} columns; give one for each", self.shares.len(), self.columns.len()),
            ));
        }
        for (at, shares) in self.shares.iter().enumerate() {
            if shares.len() != self.times.len() {
                return Err(Error::invalid(
                    format!("shares[{at}]"),
                    format!(
                        "{} entries for {} times; give one for each, null where there were no rows",
                        shares.len(),
                        self.times.len()
                    ),
                ));
            }
        }
        limit("marked", self.marked.len(), COLUMNS_MAX * TIMES_MAX)?;
        if let Some(at) =
            self.marked.iter().position(|(column, time)| *column >= self.columns.len() || *time >= self.times.len())
        {
            return Err(Error::invalid(
                format!("marked[{at}]"),
                "there is no such column and time; both are counted from 0",
            ));
        }
        let times = self
            .times
            .iter()
            .enumerate()
            .map(|(at, time)| clock.seconds(time, || format!("times[{at}]")))
            .collect::<Result<Vec<_>, _>>()?;
        match times.windows(2).position(|pair| !matches!(pair, [one, other] if one <= other)) {
            Some(at) => Err(Error::invalid(format!("times[{}]", at + 1), "times must ascend")),
            None => Ok(times),
        }
    }

    fn cells(&self, together: usize) -> Vec<Vec<Cell>> {
        let rows = self.shares.iter().enumerate();
        rows.map(|(row, shares)| {
            let cells = shares.chunks(together).enumerate();
            cells
                .map(|(at, chunk)| {
                    let worst = chunk.iter().flatten().filter(|it| it.is_finite()).copied().reduce(f64::max);
                    let is_marked = self.marked.iter().any(|(column, time)| *column == row && time / together == at);
                    Cell { shade: worst.map(shade), text: worst.map(text).unwrap_or_default(), is_marked }
                })
                .collect()
        })
        .collect()
    }

    fn alternative(&self, clock: &Clock, times: &[f64], are_days: bool) -> String {
        let tell = |at: usize| times.get(at).map(|time| clock.told(*time, are_days)).unwrap_or_default();
        let mut text = format!(
            "{}: {} from {} to {}",
            page::begun("Null matrix", &self.title),
            counted(self.columns.len(), "column", "columns"),
            tell(0),
            tell(times.len().saturating_sub(1))
        );
        let cells = self.shares.iter().zip(&self.columns).flat_map(|(shares, column)| {
            shares
                .iter()
                .enumerate()
                .filter_map(move |(at, share)| Some(((*share).filter(|it| it.is_finite())?, column, at)))
        });
        // Of several the first.
        match cells.reduce(|worst, cell| if cell.0 > worst.0 { cell } else { worst }) {
            Some((share, _, _)) if share <= 0.0 => text.push_str("; nothing is missing."),
            Some((share, column, at)) => text.push_str(&format!(
                "; most is missing in {} at {}, {}.",
                named(column, "a column"),
                tell(at),
                Unit::Fraction.text(share)
            )),
            None => text.push('.'),
        }
        if let Some((column, at)) = self.marked.first() {
            let name = self.columns.get(*column).map(|name| named(name, "a column")).unwrap_or_default();
            text.push_str(&format!(
                " {} unusual, the first in {name} at {}.",
                counted(self.marked.len(), "cell is", "cells are"),
                tell(*at)
            ));
        }
        text
    }
}

fn shade(share: f64) -> Shade {
    // Something missing never looks like nothing missing.
    Shade(if share <= 0.0 { 0 } else { (share * 5.0).ceil().clamp(1.0, 5.0) as i8 })
}

fn text(share: f64) -> String {
    match share {
        share if share <= 0.0 => String::new(),
        share if share < 0.01 => "<1".to_owned(),
        share => format!("{:.0}", (share * 100.0).min(999.0)),
    }
}
