//! How values were distributed before and how they are after, in the same bins or categories.
//!
//! Before is hatched and grey, after is solid and blue. Every bin is as wide as the next: what is drawn are rows, not densities,
//! and bins of different widths are said in a note.

use serde::{Deserialize, Serialize};

use crate::canvas::{Canvas, Font, Frame, Side};
use crate::line::limit;
use crate::number::{Axis, Unit, drawable};
use crate::page::{self, MARGIN, PALE, Sample, counted, named};
use crate::palette::{Dash, Hatch, Role};
use crate::scale::Scale;
use crate::text::{Weight, width};
use crate::{Draw, Error, Room, Told};

const BINS_MAX: usize = 200;
/// Narrower bins have before as a line over after, instead of two bars.
const PAIR_PIXELS: f64 = 11.0;

/// Before and after.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Histogram {
    pub title: String,
    pub subtitle: String,
    /// Of the edges.
    pub unit: Unit,
    /// Where bins begin and end, ascending: one more than there are bins. Empty where there are `categories`.
    pub edges: Vec<f64>,
    /// Names of the bins, where they are no ranges.
    pub categories: Vec<String>,
    /// Rows in each bin. Empty: only after is drawn.
    pub before: Vec<f64>,
    pub after: Vec<f64>,
    /// Names of the two, `before` and `after` where they are empty.
    pub before_label: String,
    pub after_label: String,
    /// Draw shares of all rows, so that the two compare whatever their numbers. By itself where there are both.
    pub as_share: Option<bool>,
}

impl Draw for Histogram {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self, canvas: &Canvas<'_>, room: Room) -> Result<Told, Error> {
        let mut notes = Vec::new();
        let (before, after) = self.read(&mut notes)?;
        let bins = after.len();
        let mut top = page::heading(canvas, room.width, &self.title, &self.subtitle);
        if bins == 0 {
            page::nothing(canvas, (room.width / 2.0, (top + room.height) / 2.0), room.width);
            let alternative = format!("{}: no data.", page::begun("Histogram", &self.title));
            return Ok(Told { height: room.height, alternative, notes });
        }
        if !before.is_empty() {
            // As wide as the bars will be, less the labels of the axis.
            let is_pair = (room.width - 80.0) / bins as f64 >= PAIR_PIXELS;
            let before_sample = if is_pair {
                Sample::Fill(Role::Slate.hatched(Hatch::Rising))
            } else {
                Sample::Line(Role::Slate, Dash::Short, None)
            };
            let samples = [(before_sample, self.name_before()), (Sample::Fill(Role::Blue.plain()), self.name_after())];
            top = page::legend(canvas, room.width, top, &samples);
        }
        let largest = before.iter().chain(&after).copied().fold(0.0, f64::max);
        let unit = if self.is_share() { Unit::Fraction } else { Unit::Number };
        let axis =
            Axis::over(0.0, if largest > 0.0 { largest } else { 1.0 }, &unit, if room.height < 220.0 { 3 } else { 4 });
        let left = MARGIN + axis.ticks.iter().map(|it| width(&it.1, PALE.size, PALE.weight)).fold(0.0, f64::max) + 10.0;
        let foot = 30.0
            + if self.unit.caption().is_some() && self.categories.is_empty() { 14.0 } else { 0.0 }
            + page::notes_height(&notes);
        let height = room.height.max(top + 90.0 + foot);
        let frame = Frame { left, top: top + 14.0, right: room.width - MARGIN - 4.0, bottom: height - foot };
        crate::line::values(canvas, frame, &axis);
        self.bars(canvas, frame, &axis, &before, &after);
        self.labels(canvas, frame, bins);
        page::notes(canvas, room.width, height - page::notes_height(&notes) - 4.0, &notes);
        Ok(Told { height, alternative: self.alternative(&before, &after), notes })
    }
}

impl Histogram {
    fn is_share(&self) -> bool {
        self.as_share.unwrap_or(!self.before.is_empty())
    }

    fn name_before(&self) -> String {
        named(&self.before_label, "before")
    }

    fn name_after(&self) -> String {
        named(&self.after_label, "after")
    }

    /// Rows or shares of each bin, before and after.
    fn read(&self, notes: &mut Vec<String>) -> Result<(Vec<f64>, Vec<f64>), Error> {
        let bins = self.after.len();
        limit("after", bins, BINS_MAX)?;
        if !self.before.is_empty() && self.before.len() != bins {
            return Err(Error::invalid(
                "before",
                format!(
                    "{} entries for {bins} of `after`; both need one for each bin, or `before` none",
                    self.before.len()
                ),
            ));
        }
        match (self.edges.len(), self.categories.len()) {
            (0, 0) if bins == 0 => {}
            (0, names) if names == bins => {}
            (edges, 0) if edges == bins + 1 => {}
            (edges, 0) => {
                return Err(Error::invalid(
                    "edges",
                    format!("{edges} entries for {bins} bins; there must be one more than bins"),
                ));
            }
            (0, names) => {
                return Err(Error::invalid(
                    "categories",
                    format!("{names} entries for {bins} bins; there must be one for each"),
                ));
            }
            _ => return Err(Error::invalid("categories", "give `edges` or `categories`, not both")),
        }
        if let Some(at) = self.edges.windows(2).position(|pair| !matches!(pair, [low, high] if low < high)) {
            return Err(Error::invalid(format!("edges[{}]", at + 1), "edges must ascend"));
        }
        if let Some(at) = self.edges.iter().position(|edge| !edge.is_finite()) {
            return Err(Error::invalid(format!("edges[{at}]"), "an edge must be a finite number"));
        }
        let widths: Vec<f64> = self
            .edges
            .windows(2)
            .map(|pair| pair.iter().rev().copied().reduce(|high, low| high - low).unwrap_or(0.0))
            .collect();
        let (narrow, wide) =
            widths.iter().fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), it| (low.min(*it), high.max(*it)));
        if wide > narrow * 1.01 {
            notes.push("The bins are not equally wide; each bar is the rows of its bin.".to_owned());
        }
        let mut dropped = 0;
        let mut read = |values: &[f64]| -> Vec<f64> {
            let rows: Vec<f64> = values
                .iter()
                .map(|value| match drawable(*value) {
                    Some(value) if value >= 0.0 => value,
                    _ => {
                        dropped += 1;
                        0.0
                    }
                })
                .collect();
            // The largest first: a sum of the largest numbers would be none.
            let most = rows.iter().copied().fold(0.0, f64::max);
            let sum: f64 = rows.iter().map(|row| row / most.max(1e-300)).sum();
            if self.is_share() && most > 0.0 { rows.iter().map(|row| row / most / sum).collect() } else { rows }
        };
        let (before, after) = (read(&self.before), read(&self.after));
        if dropped > 0 {
            notes.push(format!(
                "{} drawn as none: below zero, or no finite number",
                counted(dropped, "bin is", "bins are")
            ));
        }
        Ok((before, after))
    }

    fn bars(&self, canvas: &Canvas<'_>, frame: Frame, axis: &Axis, before: &[f64], after: &[f64]) {
        let scale = Scale::new(axis.low, axis.high);
        let y = |value: f64| frame.bottom - (frame.bottom - frame.top) * scale.part(value);
        let slot = frame.width() / after.len() as f64;
        let is_pair = (frame.right + MARGIN + 4.0 - 80.0) / after.len() as f64 >= PAIR_PIXELS && !before.is_empty();
        let gap = (slot * 0.12).min(8.0);
        for (at, value) in after.iter().enumerate() {
            let (from, to) = (frame.left + slot * at as f64, frame.left + slot * (at + 1) as f64);
            let middle = (from + to) / 2.0;
            let begin = if is_pair { middle } else { from + gap / 2.0 };
            canvas.rectangle((begin, y(*value)), (to - gap, frame.bottom), Role::Blue.plain());
            let Some(old) = before.get(at) else { continue };
            if is_pair {
                canvas.rectangle(
                    (from + gap, y(*old)),
                    (middle - 1.0, frame.bottom),
                    Role::Slate.hatched(Hatch::Rising),
                );
                canvas.outline((from + gap, y(*old)), (middle - 1.0, frame.bottom), Role::Slate.plain(), 1.0);
            }
            let word = match (*old > 0.0, *value > 0.0) {
                (false, true) => "new",
                (true, false) => "gone",
                _ => continue,
            };
            if !self.categories.is_empty() && slot > 30.0 {
                let font = Font { weight: Weight::Bold, colour: Role::Ink, ..PALE };
                let side = if *value > 0.0 { (middle + to - gap) / 2.0 } else { (from + gap + middle) / 2.0 };
                canvas.text(word, (side, y(value.max(*old)) - 8.0), font, Side::Middle, slot);
            }
        }
        if !is_pair && !before.is_empty() {
            let mut steps = vec![(frame.left, frame.bottom)];
            for (at, value) in before.iter().enumerate() {
                steps.push((frame.left + slot * at as f64, y(*value)));
                steps.push((frame.left + slot * (at + 1) as f64, y(*value)));
            }
            steps.push((frame.right, frame.bottom));
            canvas.line(&steps, Role::Paper.sheer(0.8), 3.5);
            canvas.line(&steps, Role::Slate.dashed(Dash::Short), 1.8);
        }
    }

    fn labels(&self, canvas: &Canvas<'_>, frame: Frame, bins: usize) {
        let slot = frame.width() / bins as f64;
        let y = frame.bottom + 13.0;
        if !self.categories.is_empty() {
            // Too many names for their slots: every other, every third, ...
            let every = (34.0 / slot).ceil().max(1.0) as usize;
            for (at, name) in self.categories.iter().enumerate().step_by(every) {
                let middle = frame.left + slot * (at as f64 + 0.5);
                canvas.text(name, (middle, y), PALE, Side::Middle, slot * every as f64 - 4.0);
            }
            return;
        }
        let texts: Vec<String> = self.edges.iter().map(|edge| self.unit_alone().text(*edge)).collect();
        let widest = texts.iter().map(|it| width(it, PALE.size, PALE.weight)).fold(0.0, f64::max);
        let every = ((widest + 12.0) / slot).ceil().max(1.0) as usize;
        for (at, text) in texts.iter().enumerate().step_by(every) {
            let x = frame.left + slot * at as f64;
            canvas.line(&[(x, frame.bottom), (x, frame.bottom + 4.0)], Role::Axis.plain(), 1.0);
            canvas.text(text, (x, y), PALE, Side::Middle, 120.0);
        }
        if let Some(caption) = self.unit.caption() {
            canvas.text(caption, ((frame.left + frame.right) / 2.0, y + 15.0), PALE, Side::Middle, frame.width());
        }
    }

    /// The unit without its name, which stands once below the axis.
    fn unit_alone(&self) -> Unit {
        if matches!(self.unit, Unit::Named(_)) { Unit::Number } else { self.unit.clone() }
    }

    fn bin(&self, at: usize) -> String {
        match (self.categories.get(at), self.edges.get(at), self.edges.get(at + 1)) {
            (Some(name), _, _) => named(name, "no name"),
            (None, Some(from), Some(to)) => format!("{} to {}", self.unit_alone().text(*from), self.unit.text(*to)),
            _ => String::new(),
        }
    }

    fn alternative(&self, before: &[f64], after: &[f64]) -> String {
        let unit = if self.is_share() { Unit::Fraction } else { Unit::Number };
        let title = page::begun("Histogram", &self.title);
        let most = |values: &[f64]| {
            (0..values.len()).fold(0, |most, at| if values.get(at) > values.get(most) { at } else { most })
        };
        let value = |values: &[f64], at: usize| unit.text(values.get(at).copied().unwrap_or(0.0));
        let bins = counted(after.len(), "bin", "bins");
        if before.is_empty() {
            let at = most(after);
            return format!("{title} in {bins}: most in {}, {}.", self.bin(at), value(after, at));
        }
        let moved: Vec<f64> = before.iter().zip(after).map(|(old, new)| (new - old).abs()).collect();
        let at = most(&moved);
        format!(
            "{title} in {bins}, {} and {}: most in {} before ({}) and in {} after ({}). The largest change is in {}, from {} to {}.",
            self.name_before(),
            self.name_after(),
            self.bin(most(before)),
            value(before, most(before)),
            self.bin(most(after)),
            value(after, most(after)),
            self.bin(at),
            value(before, at),
            value(after, at)
        )
    }
}
