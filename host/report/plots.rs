//! Curves of what was measured, as SVG: one picture a series, with onset, alarm, acts and recovery marked.
//!
//! Pure, and without the fonts of the system: the reader's own are used. A picture is read in light and in dark (its
//! colours follow `prefers-color-scheme`), by the colour-blind (Okabe and Ito's colours, and no difference that is in
//! colour alone: marks have names and dashes of their own, failed probes another shape), and aloud (title and
//! description). Names come from strangers: they are text, cut short, and no file's name as they stand.

use std::fmt::Write as _;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde_json::Value;

/// Pictures of one report; a watched instance has a few dozen series.
const PLOTS_MAX: usize = 12;
/// Points of one curve: more are thinned out, keeping the lowest and the highest of each piece.
const POINTS_MAX: usize = 1_000;
/// Marks of acts; the others are in the table.
const ACTS_MAX: usize = 8;
/// The narrowest axis, of values below ten: far above their precision.
const WIDTH_MIN: f64 = 1e-9;
const WIDTH: u32 = 880;
const CURVE_HEIGHT: u32 = 184;
/// What is beside the curve: left, right, below.
const AROUND: (u32, u32, u32) = (74, 20, 30);
/// Of the time that is shown, what is left free at either end.
const FREE: f64 = 0.02;
const ROW_PIXELS: i32 = 17;
const ROWS_TOP: i32 = 40;
const LETTER_PIXELS: i32 = 7;

const PAPER: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(36, 41, 47);
const PALE: RGBColor = RGBColor(101, 109, 118);
const GRID: RGBColor = RGBColor(225, 228, 232);
const CURVE: RGBColor = RGBColor(0, 114, 178);
const SICK: RGBColor = RGBColor(213, 94, 0);
const ONSET: RGBColor = RGBColor(176, 70, 0);
const ALARM: RGBColor = RGBColor(138, 90, 0);
const ACT: RGBColor = RGBColor(150, 70, 130);
const RECOVERY: RGBColor = RGBColor(0, 120, 85);

/// The colours in the dark, and the dashes of the marks: what is written into the picture obeys it, since a style
/// outranks an attribute.
const STYLE: &str = "<style>\
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif}\
line[stroke='#B04600'],polyline[stroke='#B04600']{stroke-dasharray:2 3}\
line[stroke='#8A5A00'],polyline[stroke='#8A5A00']{stroke-dasharray:6 3}\
line[stroke='#964682'],polyline[stroke='#964682']{stroke-dasharray:9 3 2 3}\
@media(prefers-color-scheme:dark){\
[fill='#FFFFFF']{fill:#0d1117}[fill='#24292F']{fill:#e6edf3}[fill='#656D76']{fill:#9aa4af}\
[stroke='#E1E4E8']{stroke:#2b323b}[stroke='#656D76']{stroke:#9aa4af}\
[stroke='#0072B2']{stroke:#56b4e9}[fill='#0072B2']{fill:#56b4e9}\
[stroke='#D55E00']{stroke:#ff8a3d}[fill='#D55E00']{fill:#ff8a3d}\
[stroke='#B04600']{stroke:#ff9d5c}[fill='#B04600']{fill:#ff9d5c}\
[stroke='#8A5A00']{stroke:#e3b341}[fill='#8A5A00']{fill:#e3b341}\
[stroke='#964682']{stroke:#dd99c7}[fill='#964682']{fill:#dd99c7}\
[stroke='#007855']{stroke:#3ddba4}[fill='#007855']{fill:#3ddba4}}</style>";

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plot {
    /// Of its file: small letters, digits, `-` and `_`.
    pub(crate) file: String,
    /// What it shows, in words, for who does not see it.
    pub(crate) alternative: String,
    pub(crate) svg: String,
}

/// A curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) of: String,
    pub(crate) unit: String,
    pub(crate) points: Vec<(u64, f64)>,
    /// When a probe failed, of a curve of probes; in order.
    pub(crate) sick_ms: Vec<u64>,
}

/// What is marked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Marks {
    pub(crate) onset_ms: Option<u64>,
    pub(crate) alarm_ms: Option<u64>,
    pub(crate) acts: Vec<(u64, String)>,
    pub(crate) recovery_ms: Option<u64>,
}

struct Mark {
    time_ms: u64,
    text: String,
    colour: RGBColor,
}

impl Marks {
    fn all(&self) -> Vec<Mark> {
        let one = |time_ms: Option<u64>, text: &str, colour| {
            time_ms.map(|time_ms| Mark { time_ms, text: text.to_owned(), colour })
        };
        let mut marks = Vec::new();
        match (self.onset_ms, self.alarm_ms) {
            (Some(onset), Some(alarm)) if onset == alarm => marks.extend(one(Some(onset), "onset, alarm", ONSET)),
            (onset, alarm) => marks.extend(one(onset, "onset", ONSET).into_iter().chain(one(alarm, "alarm", ALARM))),
        }
        let acts = self.acts.iter().take(ACTS_MAX);
        marks.extend(acts.map(|(time_ms, text)| Mark { time_ms: *time_ms, text: cut(text, 22), colour: ACT }));
        marks.extend(one(self.recovery_ms, "recovery", RECOVERY));
        marks.sort_by_key(|mark| mark.time_ms);
        marks
    }
}

/// The series of an observation that are worth a picture. Latency and health of a probe are one.
pub(crate) fn series(metrics: &[Value], time_of: impl Fn(&Value) -> Option<u64>) -> Vec<Series> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let points = |metric: &Value| -> Vec<(u64, f64)> {
        let all = metric["points"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
        let mut points: Vec<(u64, f64)> = all
            .filter_map(|point| Some((time_of(&point[0])?, point[1].as_f64()?)))
            .filter(|it| it.1.is_finite())
            .collect();
        points.sort_by_key(|point| point.0);
        points
    };
    let of = |metric: &Value| -> String {
        let dimensions = metric["dimensions"].as_object().into_iter().flatten();
        dimensions.map(|(_, value)| text(value)).collect::<Vec<_>>().join(" ")
    };
    let health = |of_latency: &str| {
        let found = metrics.iter().find(|metric| metric["name"] == "probe_healthy" && of(metric) == of_latency)?;
        Some(points(found).into_iter().filter(|point| point.1 < 0.5).map(|point| point.0).collect::<Vec<u64>>())
    };
    let mut found: Vec<Series> = Vec::new();
    for metric in metrics {
        let (name, of) = (text(&metric["name"]), of(metric));
        if name == "probe_healthy" && metrics.iter().any(|it| it["name"] == "probe_latency" && self::is_of(it, metric))
        {
            continue;
        }
        let sick_ms = if name == "probe_latency" { health(&of).unwrap_or_default() } else { Vec::new() };
        let points = points(metric);
        if points.len() > 1 {
            found.push(Series { name, of, unit: text(&metric["unit"]), points, sick_ms });
        }
    }
    // What changed most, for its size, says most.
    found.sort_by(|one, other| other.motion().total_cmp(&one.motion()));
    found.truncate(PLOTS_MAX);
    found
}

fn is_of(one: &Value, other: &Value) -> bool {
    one["dimensions"] == other["dimensions"]
}

impl Series {
    fn bounds(&self) -> (f64, f64) {
        let values = self.points.iter().map(|point| point.1);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    }

    /// The power of ten by which values are divided before they are drawn, so that the largest has one digit before
    /// its point. The library looks for round numbers by adding steps: among values whose width overflows, or is
    /// below their precision, a step changes nothing and it would never end.
    fn scale(&self) -> f64 {
        let (low, high) = self.bounds();
        let largest = low.abs().max(high.abs());
        if largest > 0.0 { 10f64.powf(largest.log10().floor()).clamp(1e-300, 1e308) } else { 1.0 }
    }

    fn motion(&self) -> f64 {
        let (low, high) = self.bounds();
        let is_probe = if self.name.starts_with("probe_") { 1.0 } else { 0.0 };
        is_probe + (high - low) / high.abs().max(low.abs()).max(f64::MIN_POSITIVE)
    }

    fn title(&self) -> String {
        let unit =
            if self.unit.is_empty() || self.unit == "None" { String::new() } else { format!(" ({})", self.unit) };
        let of = if self.of.is_empty() { String::new() } else { format!(" of {}", self.of) };
        cut(&format!("{}{of}{unit}", self.name), 96)
    }
}

/// The pictures, in the order of the series. One that cannot be drawn is left out.
pub(crate) fn plots(series: &[Series], marks: &Marks) -> Vec<Plot> {
    let drawn = series.iter().enumerate().filter_map(|(index, one)| {
        let svg = draw(one, &marks.all()).ok()?;
        let alternative = alternative(one, marks);
        let svg = dressed(&svg, &one.title(), &alternative);
        Some(Plot {
            file: format!("{:02}-{}.svg", index + 1, plain(&format!("{}-{}", one.name, one.of))),
            alternative,
            svg,
        })
    });
    drawn.collect()
}

/// A name as part of a file's.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars().take(60) {
        match character.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() || c == '_' => out.push(c),
            _ if out.ends_with('-') => {}
            _ => out.push('-'),
        }
    }
    out.trim_matches('-').to_owned()
}

fn cut(text: &str, max: usize) -> String {
    // What a picture is made of is text on one line; characters that hide or turn others have no place in it.
    let clean = text.chars().map(|c| if c.is_control() || is_turning(c) { ' ' } else { c });
    let clean: String = clean.take(max + 1).collect();
    if clean.chars().count() <= max { clean } else { clean.chars().take(max - 1).collect::<String>() + "…" }
}

fn is_turning(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn alternative(series: &Series, marks: &Marks) -> String {
    let (low, high) = series.bounds();
    let first = series.points.first().map_or(0.0, |point| point.1);
    let last = series.points.last().map_or(0.0, |point| point.1);
    let mut text = format!(
        "Line chart of {}, {} to {}: first {}, lowest {}, highest {}, last {}.",
        series.title(),
        series.points.first().map(|point| clock(point.0)).unwrap_or_default(),
        series.points.last().map(|point| clock(point.0)).unwrap_or_default(),
        number(first),
        number(low),
        number(high),
        number(last)
    );
    if !series.sick_ms.is_empty() {
        let _ = write!(text, " {} of {} probes failed.", series.sick_ms.len(), series.points.len());
    }
    for mark in marks.all() {
        let _ = write!(text, " {} at {}.", mark.text, clock(mark.time_ms));
    }
    text
}

/// The picture with a title, a description and its style.
fn dressed(svg: &str, title: &str, alternative: &str) -> String {
    let escape =
        |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let Some((head, rest)) = svg.split_once('>') else { return svg.to_owned() };
    let head = head.replacen("<svg ", "<svg role=\"img\" aria-labelledby=\"t d\" ", 1);
    let (title, alternative) = (escape(title), escape(alternative));
    format!("{head}><title id=\"t\">{title}</title><desc id=\"d\">{alternative}</desc>{STYLE}{rest}")
}

/// The time of the day, UTC.
fn clock(time_ms: u64) -> String {
    let seconds = time_ms / 1_000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// A number that fits beside an axis.
fn number(value: f64) -> String {
    let size = value.abs();
    let (scaled, unit) = match size {
        _ if size >= 1e15 || (size > 0.0 && size < 1e-4) => return format!("{value:.2e}"),
        _ if size >= 1e12 => (value / 1e12, "T"),
        _ if size >= 1e9 => (value / 1e9, "G"),
        _ if size >= 1e6 => (value / 1e6, "M"),
        _ if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        size if size == size.round() && size < 1e4 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        _ => 4,
    };
    format!("{scaled:.digits$}{unit}")
}

/// The ends of the vertical axis, of values below ten. A curve above zero stands on zero: a small change must not look
/// like a large one.
fn axis(low: f64, high: f64) -> (f64, f64) {
    let bottom = if low >= 0.0 { 0.0 } else { low - (high - low) * 0.08 };
    let top = high + (high - bottom) * 0.08;
    if top - bottom < WIDTH_MIN { (bottom, bottom + 1.0) } else { (bottom, top) }
}

/// The lowest and the highest of each piece, so that a peak is never thinned away.
fn thinned(points: &[(u64, f64)]) -> Vec<(u64, f64)> {
    if points.len() <= POINTS_MAX {
        return points.to_vec();
    }
    let size = points.len().div_ceil(POINTS_MAX / 2);
    let mut kept = Vec::new();
    for piece in points.chunks(size) {
        let low = piece.iter().min_by(|one, other| one.1.total_cmp(&other.1));
        let high = piece.iter().max_by(|one, other| one.1.total_cmp(&other.1));
        let mut ends: Vec<(u64, f64)> = low.into_iter().chain(high).copied().collect();
        ends.sort_by_key(|point| point.0);
        ends.dedup();
        kept.extend(ends);
    }
    kept
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What time is shown, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Window {
    first: u64,
    last: u64,
}

impl Window {
    fn of(points: &[(u64, f64)], marks: &[Mark]) -> Self {
        let times = points.iter().map(|point| point.0).chain(marks.iter().map(|mark| mark.time_ms));
        let (first, last) = times.fold((u64::MAX, 0), |(first, last), time| (first.min(time), last.max(time)));
        Self { first, last }
    }

    fn seconds(self, time_ms: u64) -> f64 {
        time_ms.saturating_sub(self.first) as f64 / 1_000.0
    }

    fn width(self) -> f64 {
        self.seconds(self.last).max(1.0)
    }

    /// Where a time is, in pixels from the left.
    fn x(self, time_ms: u64) -> i32 {
        let (left, right, _) = AROUND;
        let share = (self.seconds(time_ms) / self.width() + FREE) / (1.0 + 2.0 * FREE);
        (f64::from(left) + share * f64::from(WIDTH - left - right)).round() as i32
    }
}

/// A mark with the place of its name.
struct Placed<'a> {
    mark: &'a Mark,
    text: String,
    x: i32,
    /// The name stands left of its line.
    is_left: bool,
    row: i32,
}

/// Each name in the first row that has room for it.
fn placed(marks: &[Mark], window: Window) -> Vec<Placed<'_>> {
    let mut rows: Vec<i32> = Vec::new();
    let mut all = Vec::new();
    for mark in marks {
        let text = format!("{} {}", mark.text, clock(mark.time_ms));
        let width = i32::try_from(text.chars().count()).unwrap_or(i32::MAX).saturating_mul(LETTER_PIXELS);
        let x = window.x(mark.time_ms);
        let is_left = x + width + 8 > i32::try_from(WIDTH).unwrap_or(i32::MAX);
        let (from, to) = if is_left { (x - 4 - width, x) } else { (x, x + 4 + width) };
        let row = match rows.iter_mut().enumerate().find(|(_, end)| **end + 6 < from) {
            Some((row, end)) => {
                *end = to;
                row
            }
            None => {
                rows.push(to);
                rows.len() - 1
            }
        };
        all.push(Placed { mark, text, x, is_left, row: i32::try_from(row).unwrap_or(i32::MAX) });
    }
    all
}

fn draw(series: &Series, marks: &[Mark]) -> Result<String, String> {
    let points = thinned(&series.points);
    let window = Window::of(&points, marks);
    let placed = placed(marks, window);
    let rows = placed.iter().map(|it| it.row + 1).max().unwrap_or(0);
    let above = u32::try_from(ROWS_TOP + rows * ROW_PIXELS + 5).unwrap_or(u32::MAX);
    let (_, _, below) = AROUND;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, above + CURVE_HEIGHT + below)).into_drawing_area();
        on(&root, series, &points, window, above, &placed)?;
        root.present().map_err(|error| error.to_string())?;
    }
    Ok(svg)
}

fn on(
    root: &Area<'_>,
    series: &Series,
    points: &[(u64, f64)],
    window: Window,
    above: u32,
    marks: &[Placed<'_>],
) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let seconds = |time_ms: u64| window.seconds(time_ms);
    let width = window.width();
    let scale = series.scale();
    let (low, high) = series.bounds();
    let (bottom, top) = axis(low / scale, high / scale);
    root.fill(&PAPER).map_err(|error| failed(&error))?;
    let title = ("sans-serif", 15).into_text_style(root).color(&INK);
    root.draw_text(&series.title(), &title, (14, 12)).map_err(|error| failed(&error))?;
    let (left, right, below) = AROUND;
    let mut chart = ChartBuilder::on(root)
        .margin_right(right)
        .margin_top(above)
        .x_label_area_size(below)
        .y_label_area_size(left)
        .build_cartesian_2d(-width * FREE..width * (1.0 + FREE), bottom..top)
        .map_err(|error| failed(&error))?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(PALE)
        .x_labels(7)
        .y_labels(5)
        .label_style(("sans-serif", 12).into_text_style(root).color(&PALE))
        .x_label_formatter(&|at| clock(window.first.saturating_add((at.max(0.0) * 1_000.0) as u64)))
        .y_label_formatter(&|value| number((*value * scale).clamp(f64::MIN, f64::MAX)))
        .draw()
        .map_err(|error| failed(&error))?;
    let curve = points.iter().map(|(time_ms, value)| (seconds(*time_ms), *value / scale));
    chart.draw_series(LineSeries::new(curve.clone(), CURVE.stroke_width(2))).map_err(|error| failed(&error))?;
    let is_sick = |time_ms: u64| series.sick_ms.binary_search(&time_ms).is_ok();
    if points.len() <= 80 {
        let dots = points.iter().filter(|point| !is_sick(point.0));
        let dots = dots.map(|(time_ms, value)| Circle::new((seconds(*time_ms), *value / scale), 3, CURVE.filled()));
        chart.draw_series(dots).map_err(|error| failed(&error))?;
    }
    let crosses = points.iter().filter(|point| is_sick(point.0));
    let crosses =
        crosses.map(|(time_ms, value)| Cross::new((seconds(*time_ms), *value / scale), 5, SICK.stroke_width(3)));
    chart.draw_series(crosses).map_err(|error| failed(&error))?;
    let floor = chart.backend_coord(&(0.0, bottom)).1;
    for mark in marks {
        label(root, mark, floor)?;
    }
    if !series.sick_ms.is_empty() {
        legend(root)?;
    }
    Ok(())
}

/// A dashed line with its name at the top.
fn label(root: &Area<'_>, placed: &Placed<'_>, floor: i32) -> Result<(), String> {
    let Placed { mark, text, x, is_left, row } = placed;
    let y = ROWS_TOP + row * ROW_PIXELS;
    let line = PathElement::new(vec![(*x, y), (*x, floor)], mark.colour.stroke_width(2));
    root.draw(&line).map_err(|error| error.to_string())?;
    let side = if *is_left { HPos::Right } else { HPos::Left };
    let style = ("sans-serif", 12).into_text_style(root).color(&mark.colour).pos(Pos::new(side, VPos::Top));
    let at = if *is_left { x - 4 } else { x + 4 };
    root.draw_text(text, &style, (at, y)).map_err(|error| error.to_string())
}

/// Which shape is which.
fn legend(root: &Area<'_>) -> Result<(), String> {
    let right = i32::try_from(WIDTH).unwrap_or(0);
    let style = ("sans-serif", 12).into_text_style(root).color(&INK);
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    root.draw(&Circle::new((right - 190, 19), 3, CURVE.filled())).map_err(|error| failed(&error))?;
    root.draw_text("probe healthy", &style, (right - 182, 13)).map_err(|error| failed(&error))?;
    root.draw(&Cross::new((right - 88, 19), 5, SICK.stroke_width(3))).map_err(|error| failed(&error))?;
    root.draw_text("probe failed", &style, (right - 78, 13)).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests;
