//! A value for each hour of each weekday.
//!
//! Values of one sign are shaded from pale to strong; of both, from orange over pale to blue, and the numbers in the cells
//! have their signs.

use serde::{Deserialize, Serialize};

use crate::canvas::Canvas;
use crate::grid::{Cell, Grid, Shade, shades};
use crate::line::limit;
use crate::number::{Unit, bounds, drawable};
use crate::page::{self, MARGIN, counted};
use crate::{Draw, Error, Room, Told};

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const NAMES: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const HOURS: usize = 24;

/// Hours and weekdays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Heatmap {
    pub title: String,
    pub subtitle: String,
    pub unit: Unit,
    /// Seven lists, Monday first, of 24 values, midnight first; none where there is no value.
    pub values: Vec<Vec<Option<f64>>>,
    /// Unusual cells: weekday (0 is Monday) and hour.
    pub marked: Vec<(usize, usize)>,
}

impl Draw for Heatmap {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self, canvas: &Canvas<'_>, room: Room) -> Result<Told, Error> {
        self.check()?;
        let mut notes = Vec::new();
        let all = || self.values.iter().flatten().copied().flatten();
        let dropped = all().filter(|value| !value.is_finite()).count();
        if dropped > 0 {
            notes.push(format!("{} left out: no finite number", counted(dropped, "value", "values")));
        }
        let top = page::heading(canvas, room.width, &self.title, &self.subtitle);
        let Some((low, high)) = bounds(all()) else {
            page::nothing(canvas, (room.width / 2.0, top + 60.0), room.width);
            let alternative = format!("{}: no data.", page::begun("Heatmap", &self.title));
            return Ok(Told { height: top + 120.0, alternative, notes });
        };
        let has_gap = all().filter(|it| it.is_finite()).count() < WEEKDAYS.len() * HOURS;
        let mut extra = Vec::new();
        if has_gap {
            extra.push("no data");
        }
        if !self.marked.is_empty() {
            extra.push("unusual");
        }
        let top = shades(canvas, room.width, top, &self.steps(low, high), &extra);
        let every = if room.width < 480.0 { 6 } else { 3 };
        let grid = Grid {
            rows: WEEKDAYS.map(str::to_owned).to_vec(),
            columns: (0..HOURS).step_by(every).map(|hour| (hour, format!("{hour:02}"))).collect(),
            count: HOURS,
            cells: self.cells(low, high),
            row_pixels: ((room.height - top - 40.0) / 7.0).clamp(20.0, 40.0),
        };
        let bottom = grid.draw(canvas, room.width, top + 4.0);
        canvas.text("hour", (MARGIN, bottom - 11.0), page::PALE, crate::canvas::Side::Left, 60.0);
        page::notes(canvas, room.width, bottom, &notes);
        Ok(Told { height: bottom + page::notes_height(&notes) + 8.0, alternative: self.alternative(), notes })
    }
}

impl Heatmap {
    fn check(&self) -> Result<(), Error> {
        if !self.values.is_empty() && self.values.len() != WEEKDAYS.len() {
            return Err(Error::invalid(
                "values",
                format!("{} lists; there must be 7, one for each weekday, Monday first", self.values.len()),
            ));
        }
        for (day, hours) in self.values.iter().enumerate() {
            if hours.len() != HOURS {
                return Err(Error::invalid(
                    format!("values[{day}]"),
                    format!("{} values; there must be 24, one for each hour, null where there is none", hours.len()),
                ));
            }
        }
        limit("marked", self.marked.len(), WEEKDAYS.len() * HOURS)?;
        match self.marked.iter().position(|(day, hour)| *day >= WEEKDAYS.len() || *hour >= HOURS) {
            Some(at) => {
                Err(Error::invalid(format!("marked[{at}]"), "a weekday is 0 to 6 (0 is Monday), an hour 0 to 23"))
            }
            None => Ok(()),
        }
    }

    fn cells(&self, low: f64, high: f64) -> Vec<Vec<Cell>> {
        let cell = |day: usize, hour: usize, value: Option<f64>| {
            let value = value.and_then(drawable);
            Cell {
                shade: value.map(|value| shade(value, low, high)),
                text: value.map(|value| self.unit.short(value)).unwrap_or_default(),
                is_marked: self.marked.contains(&(day, hour)),
            }
        };
        let rows = self.values.iter().enumerate();
        rows.map(|(day, hours)| hours.iter().enumerate().map(|(hour, value)| cell(day, hour, *value)).collect())
            .collect()
    }

    fn steps(&self, low: f64, high: f64) -> Vec<(Shade, String)> {
        if low == high {
            return vec![(shade(low, low, high), self.unit.text(low))];
        }
        let all: &[i8] = if low < 0.0 && high > 0.0 { &[-3, -2, -1, 0, 1, 3, 5] } else { &[0, 1, 2, 3, 4, 5] };
        let last = all.len() - 1;
        let steps = all.iter().enumerate().map(|(at, number)| {
            let text = match at {
                0 => self.unit.text(if low < 0.0 && high > 0.0 { -low.abs().max(high) } else { low }),
                at if at == last => self.unit.text(if low < 0.0 && high > 0.0 { low.abs().max(high) } else { high }),
                _ => String::new(),
            };
            (Shade(*number), text)
        });
        steps.collect()
    }

    fn alternative(&self) -> String {
        let cells = self.values.iter().zip(NAMES).flat_map(|(hours, day)| {
            hours
                .iter()
                .enumerate()
                .filter_map(move |(hour, value)| Some(((*value).filter(|it| it.is_finite())?, day, hour)))
        });
        let tell =
            |(value, day, hour): (f64, &str, usize)| format!("{} on {day} at {hour:02}:00", self.unit.text(value));
        let low = cells.clone().min_by(|one, other| one.0.total_cmp(&other.0)).map(tell).unwrap_or_default();
        let high = cells.max_by(|one, other| one.0.total_cmp(&other.0)).map(tell).unwrap_or_default();
        let mut text =
            format!("{} of hours and weekdays: lowest {low}, highest {high}.", page::begun("Heatmap", &self.title));
        if !self.marked.is_empty() {
            let cells: Vec<String> = self
                .marked
                .iter()
                .take(3)
                .filter_map(|(day, hour)| Some(format!("{} {hour:02}:00", NAMES.get(*day)?)))
                .collect();
            let more = if self.marked.len() > 3 { ", and more" } else { "" };
            text.push_str(&format!(
                " {} unusual: {}{more}.",
                counted(self.marked.len(), "hour is", "hours are"),
                cells.join(", ")
            ));
        }
        text
    }
}

fn shade(value: f64, low: f64, high: f64) -> Shade {
    if low < 0.0 && high > 0.0 {
        let part = value / low.abs().max(high);
        let step = (part.abs() * 3.5).floor().min(3.0) as i8;
        return Shade(if part < 0.0 {
            -step
        } else {
            [0, 1, 3, 5].get(usize::from(step.unsigned_abs())).copied().unwrap_or(5)
        });
    }
    if low == high {
        return Shade(if low == 0.0 { 0 } else { 3 });
    }
    let part = (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
    Shade((part * 6.0).floor().clamp(0.0, 5.0) as i8)
}
