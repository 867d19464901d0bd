//! What explains a change: a row for each part, with its value before and after, its change as a bar, and its share.
//!
//! Growth is solid and to the right, decline hatched and to the left; every bar has its number with its sign.

use serde::{Deserialize, Serialize};

use crate::canvas::{Canvas, Font, Side};
use crate::line::limit;
use crate::number::{Unit, drawable};
use crate::page::{self, LABEL, MARGIN, PALE, STRONG, counted, named};
use crate::palette::{Hatch, Role};
use crate::text::{Weight, clean, width};
use crate::{Draw, Error, Room, Told};

const ITEMS_MAX: usize = 1_000;
/// Rows that are drawn; the others are counted in a note.
const ROWS_MAX: usize = 15;
/// Narrower pictures write before and after below the name.
const WIDE: f64 = 560.0;

/// What explains a change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contributors {
    pub title: String,
    pub subtitle: String,
    pub unit: Unit,
    /// Drawn in this order.
    pub items: Vec<Contributor>,
}

/// One part of the whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contributor {
    /// Of what it is a part, such as `region`.
    pub dimension: String,
    /// Which part, such as `EU`.
    pub value: String,
    pub before: Option<f64>,
    pub after: Option<f64>,
    /// Its share of the whole change: 0.6 is 60 %; below zero it went against it.
    pub share: Option<f64>,
}

struct Row<'a> {
    item: &'a Contributor,
    change: Option<f64>,
}

impl Contributor {
    fn change(&self) -> Option<f64> {
        drawable(drawable(self.after?)? - drawable(self.before?)?)
    }

    fn name(&self) -> String {
        match (clean(&self.dimension), clean(&self.value)) {
            (dimension, value) if dimension.is_empty() => value,
            (dimension, value) => format!("{dimension} = {value}"),
        }
    }
}

impl Draw for Contributors {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self, canvas: &Canvas<'_>, room: Room) -> Result<Told, Error> {
        limit("items", self.items.len(), ITEMS_MAX)?;
        let rows: Vec<Row<'_>> =
            self.items.iter().take(ROWS_MAX).map(|item| Row { item, change: item.change() }).collect();
        let mut notes = Vec::new();
        if self.items.len() > rows.len() {
            notes.push(format!(
                "{} not shown",
                counted(self.items.len() - rows.len(), "more part is", "more parts are")
            ));
        }
        let broken = |value: Option<f64>| value.is_some_and(|it| !it.is_finite());
        let dropped = rows
            .iter()
            .filter(|row| broken(row.item.before) || broken(row.item.after) || broken(row.item.share))
            .count();
        if dropped > 0 {
            notes.push(format!("{} without a finite number", counted(dropped, "part is", "parts are")));
        }
        let mut y = page::heading(canvas, room.width, &self.title, &self.subtitle);
        if rows.is_empty() {
            page::nothing(canvas, (room.width / 2.0, y + 40.0), room.width);
            let alternative = format!("{}: no data.", page::begun("Contributor bars", &self.title));
            return Ok(Told { height: y + 80.0, alternative, notes });
        }
        let columns = self.columns(&rows, room.width);
        self.head(canvas, &columns, y);
        y += 20.0;
        let step = if columns.is_wide { 27.0 } else { 40.0 };
        for row in &rows {
            canvas.line(&[(MARGIN, y), (room.width - MARGIN, y)], Role::Grid.plain(), 1.0);
            self.row(canvas, &columns, row, y, step);
            y += step;
        }
        canvas.line(&[(columns.zero, y - step * rows.len() as f64), (columns.zero, y)], Role::Axis.plain(), 1.2);
        page::notes(canvas, room.width, y, &notes);
        let height = y + page::notes_height(&notes) + 10.0;
        Ok(Told { height, alternative: self.alternative(), notes })
    }
}

/// Where the columns are.
struct Columns {
    is_wide: bool,
    /// Room of the names.
    names: f64,
    /// Right end of the column before and after.
    values: f64,
    /// Where a change of nothing is, and pixels of a change of 1.
    zero: f64,
    scale: f64,
    largest: f64,
    /// Right end of the shares.
    shares: f64,
    has_shares: bool,
}

impl Contributors {
    fn columns(&self, rows: &[Row<'_>], room: f64) -> Columns {
        let is_wide = room >= WIDE;
        let widest = |texts: &mut dyn Iterator<Item = String>, weight| {
            texts.map(|it| width(&it, 12.0, weight) * 1.04).fold(0.0, f64::max)
        };
        let names = widest(&mut rows.iter().map(|row| row.item.name()), Weight::Regular).clamp(60.0, room * 0.26) + 4.0;
        let values = if is_wide {
            widest(&mut rows.iter().map(|row| self.values(row.item)), Weight::Regular).clamp(90.0, room * 0.24) + 18.0
        } else {
            0.0
        };
        let has_shares = rows.iter().any(|row| row.item.share.is_some_and(f64::is_finite));
        let shares = if has_shares { 58.0 } else { 0.0 };
        let numbers = widest(&mut rows.iter().filter_map(|row| Some(self.unit.signed(row.change?))), Weight::Bold)
            .min(90.0)
            + 8.0;
        let (left, right) = (MARGIN + names + values + 12.0, room - MARGIN - shares);
        let down = rows.iter().filter_map(|row| row.change).fold(0.0, |low: f64, it| low.min(it / 2.0)) * 2.0;
        let up = rows.iter().filter_map(|row| row.change).fold(0.0, |high: f64, it| high.max(it / 2.0)) * 2.0;
        let largest = (-down).max(up).max(1e-300);
        // In parts of the largest, so that no sum is larger than a number can be.
        let (down, up) = (-down / largest, up / largest);
        let below = if down > 0.0 { numbers } else { 6.0 };
        let above = if up > 0.0 { numbers } else { 6.0 };
        let pixels = (right - left - below - above).max(10.0);
        let scale = pixels / (down + up).max(1e-9);
        let zero = left + below + if down + up > 0.0 { down * scale } else { 0.0 };
        Columns {
            is_wide,
            names,
            values: MARGIN + names + values,
            zero,
            scale,
            largest,
            shares: room - MARGIN,
            has_shares,
        }
    }

    fn values(&self, item: &Contributor) -> String {
        let text = |value: Option<f64>| {
            value.filter(|it| it.is_finite()).map_or_else(|| "–".to_owned(), |it| self.unit.text(it))
        };
        format!("{} → {}", text(item.before), text(item.after))
    }

    fn head(&self, canvas: &Canvas<'_>, columns: &Columns, top: f64) {
        let y = top + 10.0;
        if columns.is_wide {
            canvas.text("before → after", (columns.values, y), PALE, Side::Right, 150.0);
        }
        canvas.text("change", (columns.zero, y), PALE, Side::Middle, 100.0);
        if columns.has_shares {
            canvas.text("share", (columns.shares, y), PALE, Side::Right, 60.0);
        }
    }

    fn row(&self, canvas: &Canvas<'_>, columns: &Columns, row: &Row<'_>, top: f64, step: f64) {
        let middle = top + step / 2.0;
        let values = self.values(row.item);
        if columns.is_wide {
            canvas.text(&row.item.name(), (MARGIN, middle), LABEL, Side::Left, columns.names);
            canvas.text(&values, (columns.values, middle), PALE, Side::Right, columns.values - MARGIN - columns.names);
        } else {
            canvas.text(&row.item.name(), (MARGIN, middle - 8.0), LABEL, Side::Left, columns.names + 12.0);
            canvas.text(&values, (MARGIN, middle + 8.0), Font { size: 11.0, ..PALE }, Side::Left, columns.names + 12.0);
        }
        if let Some(share) = row.item.share.filter(|it| it.is_finite()) {
            canvas.text(&Unit::Fraction.text(round_share(share)), (columns.shares, middle), LABEL, Side::Right, 58.0);
        }
        let Some(change) = row.change else {
            canvas.text("–", (columns.zero + 8.0, middle), PALE, Side::Left, 20.0);
            return;
        };
        let end = columns.zero + change / columns.largest * columns.scale;
        let (role, colour) = if change < 0.0 {
            (Role::Vermillion, Role::Vermillion.hatched(Hatch::Falling))
        } else {
            (Role::Blue, Role::Blue.plain())
        };
        canvas.rectangle((columns.zero.min(end), middle - 7.0), (columns.zero.max(end), middle + 7.0), colour);
        if change < 0.0 {
            canvas.outline((end, middle - 7.0), (columns.zero, middle + 7.0), role.plain(), 1.2);
        }
        let (at, side) = if change < 0.0 { (end - 6.0, Side::Right) } else { (end + 6.0, Side::Left) };
        canvas.text(&self.unit.signed(change), (at, middle), STRONG, side, 96.0);
    }

    fn alternative(&self) -> String {
        let mut parts = Vec::new();
        for item in self.items.iter().take(3) {
            let share = item
                .share
                .filter(|it| it.is_finite())
                .map(|it| format!(", {} of the change", Unit::Fraction.text(round_share(it))))
                .unwrap_or_default();
            let change = item.change().map_or_else(
                || "without numbers".to_owned(),
                |it| format!("{} ({}{share})", self.unit.signed(it), self.values(item).replace(" → ", " to ")),
            );
            parts.push(format!("{} {change}", named(&item.name(), "a part")));
        }
        let more = match self.items.len() {
            0..=3 => String::new(),
            count => format!(" {} follow.", counted(count - 3, "more part", "more parts")),
        };
        format!("{}: {}.{more}", page::begun("Contributor bars", &self.title), parts.join("; "))
    }
}

/// Shares are told in whole percent, small ones in tenths.
fn round_share(share: f64) -> f64 {
    if share.abs() >= 0.1 { (share * 100.0).round() / 100.0 } else { (share * 1_000.0).round() / 1_000.0 }
}
