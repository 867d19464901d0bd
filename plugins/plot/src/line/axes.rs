//! The two axes of a line chart, and the flags above it that name moments.

use super::Mark;
use crate::canvas::{Canvas, Font, Frame, Side};
use crate::number::Axis;
use crate::page::PALE;
use crate::palette::Role;
use crate::scale::Scale;
use crate::text::{Weight, fit, width};
use crate::time::Clock;

/// Below the plot: marks, their labels, and what those are part of.
pub(super) const HEIGHT: f64 = 38.0;
const FLAG_ROW: f64 = 17.0;
const FLAG_ROWS_MAX: usize = 4;
const FLAG_ROOM: f64 = 170.0;

pub(super) struct TimeAxis {
    low: f64,
    high: f64,
    ticks: Vec<(f64, String, String)>,
}

impl TimeAxis {
    pub(super) fn over(first: f64, last: f64, clock: &Clock, pixels: f64) -> Self {
        // One moment alone stands in the middle of an hour.
        let (low, high) = if last - first > 1e-3 { (first, last) } else { (first - 1_800.0, last + 1_800.0) };
        // Room beside the ends, so that their marks are whole.
        let room = (high - low) * 8.0 / pixels.max(40.0);
        let (low, high) = (low - room, high + room);
        let mut count = (pixels / 64.0) as usize;
        let mut ticks = clock.ticks(low, high, count.max(2));
        // Labels that would touch: fewer of them.
        while count > 1 && ticks.iter().map(|it| width(&it.1, PALE.size, PALE.weight) + 14.0).sum::<f64>() > pixels {
            count -= 1;
            ticks = clock.ticks(low, high, count);
        }
        Self { low, high, ticks }
    }

    pub(super) fn scale(&self) -> Scale {
        Scale::new(self.low, self.high)
    }

    pub(super) fn draw(&self, canvas: &Canvas<'_>, frame: Frame, clock: &Clock) {
        let at = |seconds: f64| frame.left + frame.width() * self.scale().part(seconds);
        let zone = if clock.name == "UTC" { "UTC".to_owned() } else { fit(&clock.name, PALE.size, PALE.weight, 130.0) };
        let zone_left = frame.right - width(&zone, PALE.size, PALE.weight);
        canvas.text(&zone, (frame.right, frame.bottom + 29.0), PALE, Side::Right, 140.0);
        let mut part = "";
        let mut free = f64::NEG_INFINITY;
        for (index, (seconds, label, whole)) in self.ticks.iter().enumerate() {
            let x = at(*seconds);
            canvas.line(&[(x, frame.bottom), (x, frame.bottom + 5.0)], Role::Axis.plain(), 1.0);
            let half = width(label, PALE.size, PALE.weight) / 2.0;
            let middle = x.min(frame.right + 14.0 - half);
            canvas.text(label, (middle, frame.bottom + 13.5), PALE, Side::Middle, 120.0);
            if whole.as_str() == part {
                continue;
            }
            let left = (middle - half).max(4.0);
            let wide = width(whole, PALE.size, PALE.weight);
            // Where the next part begins at once, that one is named: the first has no room.
            let next = self.ticks.get(index + 1).filter(|it| it.2 != *whole).map(|it| at(it.0));
            let is_squeezed = part.is_empty() && next.is_some_and(|next| next - left < wide + 10.0);
            if left > free && left + wide < zone_left - 8.0 && !is_squeezed {
                canvas.text(
                    whole,
                    (left, frame.bottom + 29.0),
                    Font { weight: Weight::Bold, ..PALE },
                    Side::Left,
                    140.0,
                );
                free = left + wide + 10.0;
            }
            part = whole;
        }
    }
}

/// Lines across the plot with their values, and the line at zero or at the foot.
pub(crate) fn values(canvas: &Canvas<'_>, frame: Frame, axis: &Axis) {
    let scale = Scale::new(axis.low, axis.high);
    for (value, label) in &axis.ticks {
        let y = frame.bottom - (frame.bottom - frame.top) * scale.part(*value);
        let is_base = *value == 0.0 || (*value == axis.low && (axis.low > 0.0 || axis.high < 0.0));
        let (role, wide) = if is_base { (Role::Axis, 1.2) } else { (Role::Grid, 1.0) };
        canvas.line(&[(frame.left, y), (frame.right, y)], role.plain(), wide);
        canvas.text(label, (frame.left - 8.0, y), PALE, Side::Right, 200.0);
    }
}

pub(super) struct Flag {
    x: f64,
    row: usize,
    text: String,
    is_left: bool,
    look: (Role, crate::palette::Dash),
}

pub(super) struct Flags {
    all: Vec<Flag>,
    /// Pixels that they need above the plot.
    pub(super) height: f64,
}

/// Places for the names of moments: each in the first row that has room beside its line.
pub(super) fn flags(marks: &[Mark], axis: &TimeAxis, left: f64, right: f64) -> Flags {
    let mut rows: Vec<f64> = Vec::new();
    let mut all = Vec::new();
    for mark in marks {
        let x = left + (right - left) * axis.scale().part(mark.at);
        let mut text = fit(&mark.text, 11.5, Weight::Bold, FLAG_ROOM);
        let wide = width(&text, 11.5, Weight::Bold) * 1.04 + 6.0;
        let is_left = x + wide > right + 12.0;
        let from = if is_left { x - wide } else { x };
        let row = rows.iter().position(|end| *end + 6.0 < from).or_else(|| {
            (rows.len() < FLAG_ROWS_MAX).then(|| {
                rows.push(0.0);
                rows.len() - 1
            })
        });
        let row = match row {
            Some(row) => {
                if let Some(end) = rows.get_mut(row) {
                    *end = if is_left { x } else { x + wide };
                }
                row
            }
            // No room is left: the line stands without its name, which the alternative text still has.
            None => {
                text = String::new();
                0
            }
        };
        all.push(Flag { x, row, text, is_left, look: mark.kind.look() });
    }
    let height = rows.len() as f64 * FLAG_ROW;
    Flags { all, height }
}

pub(super) fn draw_flags(canvas: &Canvas<'_>, frame: Frame, flags: &Flags) {
    let top = frame.top - flags.height - 2.0;
    for flag in &flags.all {
        let (role, dash) = flag.look;
        let y = top + flag.row as f64 * FLAG_ROW;
        let begin = if flag.text.is_empty() { frame.top } else { y };
        canvas.line(&[(flag.x, begin), (flag.x, frame.bottom)], role.dashed(dash), 1.6);
    }
    // The names stand over all lines, each on paper of its own.
    for flag in flags.all.iter().filter(|flag| !flag.text.is_empty()) {
        let (role, _) = flag.look;
        let y = top + flag.row as f64 * FLAG_ROW;
        let wide = width(&flag.text, 11.5, Weight::Bold) + 4.0;
        let from = if flag.is_left { flag.x - 3.0 - wide } else { flag.x + 3.0 };
        canvas.rectangle((from, y), (from + wide, y + FLAG_ROW - 2.0), Role::Paper.sheer(0.9));
        let side = if flag.is_left { Side::Right } else { Side::Left };
        let x = if flag.is_left { flag.x - 5.0 } else { flag.x + 5.0 };
        canvas.text(
            &flag.text,
            (x, y + FLAG_ROW / 2.0 - 1.0),
            Font { size: 11.5, weight: Weight::Bold, colour: role },
            side,
            FLAG_ROOM + 20.0,
        );
    }
}
