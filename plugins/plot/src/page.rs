//! What the charts have in common: heading, legend, notes, markers, and the form of the alternative text.

use crate::canvas::{Canvas, Font, Side, Spot};
use crate::palette::{Dash, Role};
use crate::text::{Weight, clean, fit, is_invisible, width};

/// Around everything.
pub(crate) const MARGIN: f64 = 16.0;
const LEGEND_ROW: f64 = 19.0;
const LEGEND_ROWS_MAX: usize = 4;
const NOTE_ROW: f64 = 15.0;
const NOTES_MAX: usize = 4;
const ALTERNATIVE_CHARACTERS_MAX: usize = 900;

pub(crate) const TITLE: Font = Font { size: 15.0, weight: Weight::Bold, colour: Role::Ink };
pub(crate) const LABEL: Font = Font { size: 12.0, weight: Weight::Regular, colour: Role::Ink };
pub(crate) const STRONG: Font = Font { size: 12.0, weight: Weight::Bold, colour: Role::Ink };
pub(crate) const PALE: Font = Font { size: 11.5, weight: Weight::Regular, colour: Role::Pale };

/// The shape of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marker {
    Circle,
    Square,
    Triangle,
    Turned,
    Cross,
    Diamond,
}

/// Markers of the series, in their order.
pub(crate) const MARKERS: [Marker; 6] =
    [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Cross, Marker::Turned, Marker::Diamond];

/// What a legend shows.
pub(crate) enum Sample {
    Line(Role, Dash, Option<Marker>),
    Fill(plotters::style::RGBAColor),
    /// A fill between two lines.
    Band(Role),
    /// A point that is marked.
    Anomaly,
}

/// Title and subtitle; the height where what follows may begin.
pub(crate) fn heading(canvas: &Canvas<'_>, room: f64, title: &str, subtitle: &str) -> f64 {
    let mut y = 12.0;
    let right = room - 2.0 * MARGIN;
    if !clean(title).is_empty() {
        canvas.text(title, (MARGIN, y + 10.0), TITLE, Side::Left, right);
        y += 23.0;
    }
    if !clean(subtitle).is_empty() {
        canvas.text(subtitle, (MARGIN, y + 8.0), PALE, Side::Left, right);
        y += 18.0;
    }
    y + 3.0
}

/// A row of samples with their names, in as many lines as it takes.
pub(crate) fn legend(canvas: &Canvas<'_>, room: f64, top: f64, items: &[(Sample, String)]) -> f64 {
    let (mut x, mut y, mut rows) = (MARGIN, top + LEGEND_ROW / 2.0, 1);
    for (sample, name) in items {
        let name = fit(name, PALE.size, PALE.weight, (room - 2.0 * MARGIN - 34.0).min(260.0));
        let wide = 30.0 + width(&name, PALE.size, PALE.weight) * 1.04;
        if x + wide > room - MARGIN && x > MARGIN {
            if rows == LEGEND_ROWS_MAX {
                break;
            }
            (x, y, rows) = (MARGIN, y + LEGEND_ROW, rows + 1);
        }
        draw_sample(canvas, sample, (x, y));
        canvas.text(&name, (x + 29.0, y), Font { colour: Role::Ink, ..PALE }, Side::Left, room);
        x += wide + 16.0;
    }
    if items.is_empty() { top } else { y + LEGEND_ROW / 2.0 + 2.0 }
}

fn draw_sample(canvas: &Canvas<'_>, sample: &Sample, (x, y): Spot) {
    match sample {
        Sample::Line(role, dash, shape) => {
            canvas.line(&[(x, y), (x + 23.0, y)], role.dashed(*dash), 2.0);
            if let Some(shape) = shape {
                marker(canvas, *shape, (x + 11.5, y), 3.5, *role);
            }
        }
        Sample::Fill(colour) => canvas.rectangle((x + 3.0, y - 6.0), (x + 20.0, y + 6.0), *colour),
        Sample::Band(role) => {
            canvas.rectangle((x, y - 5.5), (x + 23.0, y + 5.5), role.sheer(0.16));
            for edge in [y - 5.5, y + 5.5] {
                canvas.line(&[(x, edge), (x + 23.0, edge)], role.sheer(0.55), 0.8);
            }
        }
        Sample::Anomaly => anomaly(canvas, (x + 11.5, y)),
    }
}

/// The mark of an unusual point: a diamond in a ring, whatever the series.
pub(crate) fn anomaly(canvas: &Canvas<'_>, at: Spot) {
    canvas.circle(at, 6.6, Role::Paper.sheer(0.85));
    canvas.ring(at, 6.6, Role::Vermillion.plain(), 1.4);
    diamond(canvas, at, 4.0, Role::Vermillion);
}

fn diamond(canvas: &Canvas<'_>, (x, y): Spot, size: f64, role: Role) {
    canvas.area(&[(x, y - size), (x + size, y), (x, y + size), (x - size, y)], role.plain());
}

pub(crate) fn marker(canvas: &Canvas<'_>, shape: Marker, (x, y): Spot, size: f64, role: Role) {
    let half = size * 0.9;
    match shape {
        Marker::Circle => canvas.circle((x, y), size, role.plain()),
        Marker::Square => canvas.rectangle((x - half, y - half), (x + half, y + half), role.plain()),
        Marker::Triangle => canvas.area(
            &[(x, y - size * 1.2), (x + size * 1.1, y + size * 0.8), (x - size * 1.1, y + size * 0.8)],
            role.plain(),
        ),
        Marker::Turned => canvas.area(
            &[(x, y + size * 1.2), (x + size * 1.1, y - size * 0.8), (x - size * 1.1, y - size * 0.8)],
            role.plain(),
        ),
        Marker::Diamond => diamond(canvas, (x, y), size * 1.25, role),
        Marker::Cross => {
            canvas.line(&[(x - half, y - half), (x + half, y + half)], role.plain(), 2.0);
            canvas.line(&[(x - half, y + half), (x + half, y - half)], role.plain(), 2.0);
        }
    }
}

/// Pixels that notes take.
pub(crate) fn notes_height(notes: &[String]) -> f64 {
    if notes.is_empty() { 0.0 } else { notes.len().min(NOTES_MAX) as f64 * NOTE_ROW + 6.0 }
}

/// What was left out, at the foot.
pub(crate) fn notes(canvas: &Canvas<'_>, room: f64, top: f64, notes: &[String]) {
    for (row, note) in notes.iter().take(NOTES_MAX).enumerate() {
        let y = top + 6.0 + row as f64 * NOTE_ROW + NOTE_ROW / 2.0 - 2.0;
        canvas.text(note, (MARGIN, y), Font { size: 11.0, ..PALE }, Side::Left, room - 2.0 * MARGIN);
    }
}

/// In the middle of a chart that has nothing to show.
pub(crate) fn nothing(canvas: &Canvas<'_>, at: Spot, room: f64) {
    canvas.text("no data", at, Font { size: 13.0, ..PALE }, Side::Middle, room);
}

/// A text as it stands between the brackets of a picture in Markdown.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::new();
    let visible = text.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| !is_invisible(*c));
    for (count, character) in visible.enumerate() {
        if count == ALTERNATIVE_CHARACTERS_MAX {
            out.push('…');
            break;
        }
        // What ends the text or begins something else in Markdown or HTML becomes a letter that looks alike.
        out.push(match character {
            '[' => '(',
            ']' => ')',
            '<' => '‹',
            '>' => '›',
            '`' | '"' => '\'',
            '|' => '/',
            '\\' => '∖',
            '*' => '∗',
            '_' if out.ends_with([' ', '_']) => '-',
            c => c,
        });
    }
    out.trim().to_owned()
}

/// `one thing` or `3 things`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// What an alternative text begins with: the kind of picture, and its title where it has one.
pub(crate) fn begun(kind: &str, title: &str) -> String {
    let title = fit(title, 1.0, Weight::Regular, 70.0);
    if title.is_empty() { kind.to_owned() } else { format!("{kind} “{title}”") }
}

/// A name in a sentence, or what to say where it has none.
pub(crate) fn named(text: &str, otherwise: &str) -> String {
    let text = fit(text, 1.0, Weight::Regular, 60.0);
    if text.is_empty() { otherwise.to_owned() } else { text }
}
