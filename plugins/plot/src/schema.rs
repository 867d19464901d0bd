//! What changed in a schema: a card for each table, a line for each column that changed.
//!
//! Each change has a sign and a word of its own (`+` added, `−` removed, `→` renamed, `~` changed), so it is read without
//! colour; what breaks those who depend on it says so.

use serde::{Deserialize, Serialize};

use crate::canvas::{Canvas, Font, HEIGHT_MAX, Side};
use crate::line::limit;
use crate::page::{self, LABEL, MARGIN, PALE, STRONG, counted, named};
use crate::palette::Role;
use crate::text::{Weight, clean, fit, width};
use crate::{Draw, Error, Room, Told};

const TABLES_MAX: usize = 5_000;
const COLUMNS_MAX: usize = 2_000;
/// Cards that are drawn, and lines of one; the others are counted.
const CARDS_MAX: usize = 18;
const LINES_MAX: usize = 10;
const HEAD: f64 = 30.0;
const LINE: f64 = 20.0;
const GAP: f64 = 12.0;
const CARD_MIN: f64 = 330.0;

/// What changed in a schema.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SchemaDiff {
    pub title: String,
    pub subtitle: String,
    pub tables: Vec<TableChange>,
}

/// A table that changed, or of which columns changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableChange {
    pub name: String,
    pub change: Change,
    /// Its name before, where it was renamed.
    pub from: Option<String>,
    /// The columns that changed.
    pub columns: Vec<ColumnChange>,
    /// How many columns did not.
    pub unchanged: usize,
    /// Whether what depends on it breaks.
    pub breaking: bool,
}

/// A column that changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnChange {
    pub name: String,
    pub change: Change,
    /// Its name before, where it was renamed.
    pub from: Option<String>,
    /// Its type, or another property, before and after, such as `integer` and `bigint not null`.
    pub before: Option<String>,
    pub after: Option<String>,
    pub breaking: bool,
}

/// What happened to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Added,
    Removed,
    Renamed,
    #[default]
    Changed,
}

impl Change {
    fn look(self) -> (&'static str, &'static str, Role) {
        match self {
            Self::Added => ("+", "added", Role::Green),
            Self::Removed => ("−", "removed", Role::Vermillion),
            Self::Renamed => ("→", "renamed", Role::Purple),
            Self::Changed => ("~", "changed", Role::Blue),
        }
    }
}

impl Draw for SchemaDiff {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self, canvas: &Canvas<'_>, room: Room) -> Result<Told, Error> {
        limit("tables", self.tables.len(), TABLES_MAX)?;
        for (at, table) in self.tables.iter().enumerate() {
            limit(&format!("tables[{at}].columns"), table.columns.len(), COLUMNS_MAX)?;
        }
        let mut top = page::heading(canvas, room.width, &self.title, &self.subtitle);
        if self.tables.is_empty() {
            canvas.text(
                "nothing changed",
                (room.width / 2.0, top + 30.0),
                Font { size: 13.0, ..PALE },
                Side::Middle,
                room.width,
            );
            let alternative = format!("{}: nothing changed.", page::begun("Schema changes", &self.title));
            return Ok(Told { height: top + 60.0, alternative, notes: Vec::new() });
        }
        top = self.counts(canvas, room.width, top);
        let count = ((room.width - 2.0 * MARGIN + GAP) / (CARD_MIN + GAP)).floor().clamp(1.0, 3.0);
        let wide = (room.width - 2.0 * MARGIN - GAP * (count - 1.0)) / count;
        let mut ends = vec![top; count as usize];
        let mut drawn = 0;
        for table in self.tables.iter().take(CARDS_MAX) {
            // Each card below the shortest of the columns, the first of equals.
            let place = (0..ends.len()).fold(0, |best, at| if ends.get(at) < ends.get(best) { at } else { best });
            let Some(end) = ends.get_mut(place) else { break };
            if *end + table.height() > f64::from(HEIGHT_MAX) - 60.0 {
                break;
            }
            table.draw(canvas, (MARGIN + (wide + GAP) * place as f64, *end), wide);
            *end += table.height() + GAP;
            drawn += 1;
        }
        let mut notes = Vec::new();
        if drawn < self.tables.len() {
            notes.push(format!("{} not shown", counted(self.tables.len() - drawn, "more table is", "more tables are")));
        }
        let bottom = ends.into_iter().fold(top, f64::max) - GAP;
        page::notes(canvas, room.width, bottom, &notes);
        Ok(Told { height: bottom + page::notes_height(&notes) + 14.0, alternative: self.alternative(), notes })
    }
}

impl SchemaDiff {
    /// How many of each change, in words and signs: the legend at once.
    fn counts(&self, canvas: &Canvas<'_>, room: f64, top: f64) -> f64 {
        let (mut x, mut y) = (MARGIN, top + 10.0);
        for change in [Change::Added, Change::Removed, Change::Renamed, Change::Changed] {
            let (sign, word, role) = change.look();
            let tables = self
                .tables
                .iter()
                .filter(|table| table.change == change && (change != Change::Changed || table.columns.is_empty()))
                .count();
            let columns =
                self.tables.iter().flat_map(|table| &table.columns).filter(|column| column.change == change).count();
            let text = match (tables, columns) {
                (0, 0) => continue,
                (tables, 0) => format!("{} {word}", counted(tables, "table", "tables")),
                (0, columns) => format!("{} {word}", counted(columns, "column", "columns")),
                (tables, columns) => {
                    format!("{}, {} {word}", counted(tables, "table", "tables"), counted(columns, "column", "columns"))
                }
            };
            let wide = width(&text, PALE.size, PALE.weight) * 1.04 + 22.0;
            if x + wide > room - MARGIN && x > MARGIN {
                (x, y) = (MARGIN, y + 19.0);
            }
            sign_at(canvas, sign, (x + 6.0, y), role);
            canvas.text(&text, (x + 17.0, y), PALE, Side::Left, wide);
            x += wide + 12.0;
        }
        y + 17.0
    }

    fn alternative(&self) -> String {
        let mut parts = Vec::new();
        for table in self.tables.iter().take(3) {
            let name = named(&table.name, "a table");
            match (table.change, &table.from) {
                (Change::Changed, _) => {}
                (Change::Renamed, Some(from)) => {
                    parts.push(format!("table {} renamed to {name}", named(from, "a table")))
                }
                (change, _) => parts.push(format!("table {name} {}", change.look().1)),
            }
            for column in table.columns.iter().take(3) {
                let (word, own) = (column.change.look().1, named(&column.name, "a column"));
                let breaks = if column.breaking { ", which breaks what depends on it" } else { "" };
                parts.push(match (&column.from, &column.before, &column.after) {
                    (Some(from), _, _) if column.change == Change::Renamed => {
                        format!("{name}.{} renamed to {own}{breaks}", named(from, "a column"))
                    }
                    (_, Some(before), Some(after)) if column.change == Change::Changed => {
                        format!("{name}.{own} from {} to {}{breaks}", named(before, "nothing"), named(after, "nothing"))
                    }
                    _ => format!("{name}.{own} {word}{breaks}"),
                });
            }
        }
        let columns: usize = self.tables.iter().map(|table| table.columns.len()).sum();
        // A table that came or went has no columns of its own to count.
        let and_columns =
            if columns == 0 { String::new() } else { format!(" and {}", counted(columns, "column", "columns")) };
        format!(
            "{}: {}{and_columns}. {}.",
            page::begun("Schema changes", &self.title),
            counted(self.tables.len(), "table", "tables"),
            parts.join("; ")
        )
    }
}

impl TableChange {
    fn lines(&self) -> usize {
        let more = usize::from(self.columns.len() > LINES_MAX || self.unchanged > 0);
        self.columns.len().min(LINES_MAX) + more
    }

    fn height(&self) -> f64 {
        HEAD + if self.lines() == 0 { 0.0 } else { self.lines() as f64 * LINE + 8.0 }
    }

    fn draw(&self, canvas: &Canvas<'_>, (x, y): (f64, f64), wide: f64) {
        let (sign, word, role) = self.change.look();
        let is_whole = self.change != Change::Changed;
        let edge = if is_whole { role } else { Role::Axis };
        canvas.rectangle((x, y), (x + wide, y + self.height()), Role::Panel.plain());
        canvas.outline((x + 0.5, y + 0.5), (x + wide - 0.5, y + self.height() - 0.5), Role::Grid.plain(), 1.0);
        canvas.rectangle((x, y), (x + 4.0, y + self.height()), edge.plain());
        let middle = y + HEAD / 2.0 + 1.0;
        let mut right = x + wide - 10.0;
        if self.breaking {
            right = breaks(canvas, (right, middle));
        }
        if is_whole {
            let word = if self.change == Change::Renamed { "renamed" } else { word };
            canvas.text(word, (right, middle), Font { colour: role, weight: Weight::Bold, ..PALE }, Side::Right, 80.0);
            right -= width(word, PALE.size, Weight::Bold) + 10.0;
        }
        let mut left = x + 14.0;
        if is_whole {
            sign_at(canvas, sign, (left + 6.0, middle), role);
            left += 18.0;
        }
        let title = Font { size: 13.0, ..STRONG };
        match &self.from {
            Some(from) if self.change == Change::Renamed => {
                renamed(canvas, (left, middle), right - left, (from, &self.name), (Font { size: 13.0, ..PALE }, title))
            }
            _ => name(canvas, self.change, &self.name, (left, middle), title, right - left),
        }
        let mut line = y + HEAD + LINE / 2.0;
        if self.lines() > 0 {
            canvas.line(&[(x + 4.0, y + HEAD - 1.0), (x + wide, y + HEAD - 1.0)], Role::Grid.plain(), 1.0);
        }
        for column in self.columns.iter().take(LINES_MAX) {
            column.draw(canvas, (x + 14.0, line + 1.0), wide - 24.0);
            line += LINE;
        }
        let more = self.columns.len().saturating_sub(LINES_MAX);
        let text = match (more, self.unchanged) {
            (0, 0) => return,
            (0, same) => format!("{} unchanged", counted(same, "column", "columns")),
            (more, 0) => counted(more, "more change", "more changes"),
            (more, same) => format!(
                "{}, {} unchanged",
                counted(more, "more change", "more changes"),
                counted(same, "column", "columns")
            ),
        };
        canvas.text(&text, (x + 32.0, line + 1.0), PALE, Side::Left, wide - 44.0);
    }
}

impl ColumnChange {
    fn draw(&self, canvas: &Canvas<'_>, (x, y): (f64, f64), wide: f64) {
        let (sign, _, role) = self.change.look();
        sign_at(canvas, sign, (x + 6.0, y), role);
        let left = x + 18.0;
        let mut right = x + wide;
        if self.breaking {
            right = breaks(canvas, (right, y));
        }
        let kind = match (&self.before, &self.after) {
            (Some(before), Some(after)) if clean(before) != clean(after) => {
                format!("{} → {}", clean(before), clean(after))
            }
            (Some(one), _) | (_, Some(one)) => clean(one),
            (None, None) => String::new(),
        };
        let room = right - left;
        // The name first: what it leaves is for the type, and at least half.
        let names = [Some(&self.name), self.from.as_ref()]
            .into_iter()
            .flatten()
            .map(|name| width(&clean(name), 12.0, Weight::Bold) * 1.1 + 12.0);
        let kind = fit(&kind, PALE.size, PALE.weight, (room - names.sum::<f64>() - 12.0).max(room * 0.5));
        let kind_wide = width(&kind, PALE.size, PALE.weight) * 1.04;
        canvas.text(&kind, (right, y), PALE, Side::Right, kind_wide + 4.0);
        let names = room - kind_wide - 10.0;
        match &self.from {
            Some(from) if self.change == Change::Renamed => {
                renamed(canvas, (left, y), names, (from, &self.name), (Font { size: 12.0, ..PALE }, STRONG))
            }
            _ => name(canvas, self.change, &self.name, (left, y), LABEL, names),
        }
    }
}

/// The old name, an arrow, the new name: each has at least a share of the room.
fn renamed(canvas: &Canvas<'_>, (x, y): (f64, f64), room: f64, (from, to): (&str, &str), (old, new): (Font, Font)) {
    let arrow = 20.0;
    let wide = |text: &str, font: Font| width(&clean(text), font.size, font.weight) * 1.05;
    let (first, second) = (wide(from, old), wide(to, new));
    let left = if first + second + arrow <= room {
        first
    } else {
        (room - arrow - second).max((room - arrow) * 0.42).min(first)
    };
    let drawn = canvas.struck(from, (x, y), old, left + 2.0);
    let after = x + width(&drawn, old.size, old.weight) * 1.03 + 4.0;
    canvas.text("→", (after + 6.0, y), Font { colour: Role::Purple, ..new }, Side::Middle, 20.0);
    canvas.text(to, (after + 16.0, y), new, Side::Left, x + room - after - 16.0);
}

/// A name, with a line through it where it is gone.
fn name(canvas: &Canvas<'_>, change: Change, name: &str, at: (f64, f64), font: Font, room: f64) {
    if change == Change::Removed {
        canvas.struck(name, at, font, room);
    } else {
        canvas.text(name, at, font, Side::Left, room);
    }
}

/// The sign of a change in a box of its colour.
fn sign_at(canvas: &Canvas<'_>, sign: &str, (x, y): (f64, f64), role: Role) {
    canvas.rectangle((x - 6.5, y - 6.5), (x + 6.5, y + 6.5), role.sheer(0.16));
    canvas.text(sign, (x, y), Font { size: 12.0, weight: Weight::Bold, colour: role }, Side::Middle, 20.0);
}

/// The word that a change breaks something; the place left of it.
fn breaks(canvas: &Canvas<'_>, (right, y): (f64, f64)) -> f64 {
    let font = Font { size: 10.5, weight: Weight::Bold, colour: Role::Paper };
    let wide = width("breaks", font.size, font.weight) + 12.0;
    canvas.rectangle((right - wide, y - 8.0), (right, y + 8.0), Role::Vermillion.plain());
    canvas.text("breaks", (right - wide / 2.0, y), font, Side::Middle, wide);
    right - wide - 8.0
}
