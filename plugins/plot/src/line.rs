//! Values over time: one or several lines, the band in which they were expected, unusual points and intervals, what happened when.
//!
//! More points than pixels are thinned to the first, lowest, highest and last of each column of pixels, so the picture is
//! the same as with all of them and no peak is lost. (Largest triangle three buckets was rejected: it keeps the look of a curve
//! and may lose an extreme.)

mod axes;
pub(crate) use axes::values;
pub(crate) use curve::thinned;
mod curve;

use serde::{Deserialize, Serialize};

use crate::canvas::{Canvas, Font, Frame, Side, stroke};
use crate::number::{Axis, Unit, bounds, drawable};
use crate::page::{self, MARKERS, PALE, STRONG, Sample};
use crate::palette::{Dash, Hatch, Role, SERIES};
use crate::scale::Scale;
use crate::text::{Weight, width};
use crate::time::{Clock, Moment};
use crate::{Draw, Error, Room, Told};
use axes::TimeAxis;
use curve::Curve;
use plotters::element::{PathElement, Polygon};

const SERIES_MAX: usize = SERIES.len();
/// Points of all series of one chart: what a call's time and memory allow.
const POINTS_MAX: usize = 200_000;
const ANNOTATIONS_MAX: usize = 12;
const INTERVALS_MAX: usize = 20;
const LEVELS_MAX: usize = 4;
/// Up to so many points each one has a dot.
const DOTS_MAX: usize = 48;
/// Up to so many unusual points each has its value beside it.
const VALUES_MAX: usize = 3;
/// Lines of which the alternative text tells.
const TOLD_MAX: usize = 3;
const PLOT_HEIGHT_MIN: f64 = 80.0;

/// Values over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Line {
    pub title: String,
    pub subtitle: String,
    pub unit: Unit,
    /// The zone of the axis and of times without an offset, as `Europe/Berlin`; UTC where there is none.
    pub zone: Option<String>,
    pub series: Vec<Series>,
    /// Spans of time that are shaded.
    pub intervals: Vec<Interval>,
    /// Moments that have a line and a name.
    pub annotations: Vec<Annotation>,
    /// Values that have a line and a name, such as a limit.
    pub levels: Vec<Level>,
    /// Whether the axis of values begins at zero. By itself it does, unless all values lie close together far from it.
    pub from_zero: Option<bool>,
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Series {
    pub label: String,
    pub times: Vec<Moment>,
    /// As many as times; none is a gap.
    pub values: Vec<Option<f64>>,
    /// What was expected, from and to: empty, or as many as times.
    pub low: Vec<Option<f64>>,
    pub high: Vec<Option<f64>>,
    /// Positions of the unusual points.
    pub marked: Vec<usize>,
}

/// A span of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    pub from: Moment,
    pub to: Moment,
    #[serde(default)]
    pub label: String,
}

/// A moment with a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Annotation {
    pub at: Moment,
    #[serde(default)]
    pub label: String,
    #[serde(default)]
    pub kind: MarkKind,
}

/// What happened at a moment: each has a dash of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    Onset,
    Alarm,
    Action,
    Recovery,
    #[default]
    Note,
}

/// A value with a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    pub value: f64,
    #[serde(default)]
    pub label: String,
}

impl MarkKind {
    fn look(self) -> (Role, Dash) {
        match self {
            Self::Onset => (Role::Vermillion, Dash::Dots),
            Self::Alarm => (Role::Ochre, Dash::Short),
            Self::Action => (Role::Purple, Dash::Mixed),
            Self::Recovery => (Role::Green, Dash::Solid),
            Self::Note => (Role::Slate, Dash::Long),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Onset => "onset",
            Self::Alarm => "alarm",
            Self::Action => "action",
            Self::Recovery => "recovery",
            Self::Note => "note",
        }
    }
}

/// A mark of which the time is known.
struct Mark {
    at: f64,
    text: String,
    kind: MarkKind,
}

/// The chart with its times read.
struct Read {
    clock: Clock,
    curves: Vec<Curve>,
    intervals: Vec<(f64, f64, String)>,
    marks: Vec<Mark>,
    notes: Vec<String>,
    are_days: bool,
}

impl Draw for Line {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self, canvas: &Canvas<'_>, room: Room) -> Result<Told, Error> {
        let mut read = self.read()?;
        let Some((first, last)) = read.times() else {
            return Ok(self.empty(canvas, room, read));
        };
        let y = self.axis_of_values(&read, room);
        self.note_axis(&y, &mut read.notes);
        let mut top = page::heading(canvas, room.width, &self.title, &self.subtitle);
        top = page::legend(canvas, room.width, top, &self.samples(&read));
        let left =
            page::MARGIN + y.ticks.iter().map(|it| width(&it.1, PALE.size, PALE.weight)).fold(0.0, f64::max) + 10.0;
        let right = room.width - page::MARGIN - 4.0;
        let x = TimeAxis::over(first, last, &read.clock, right - left);
        let flags = axes::flags(&read.marks, &x, left, right);
        top += flags.height + 8.0 + if self.unit.caption().is_some() { 12.0 } else { 0.0 };
        let foot = axes::HEIGHT + page::notes_height(&read.notes) + 8.0;
        let height = room.height.max(top + PLOT_HEIGHT_MIN + foot);
        let frame = Frame { left, top, right, bottom: height - foot };
        axes::values(canvas, frame, &y);
        if let Some(caption) = self.unit.caption() {
            canvas.text(caption, (page::MARGIN, top - flags.height - 16.0), PALE, Side::Left, room.width * 0.6);
        }
        self.shade(canvas, frame, &x, &read);
        x.draw(canvas, frame, &read.clock);
        let plane = canvas.plane(frame, x.scale(), Scale::new(y.low, y.high));
        let grain = room.grain * if read.curves.len() > 2 { 2.0 } else { 1.0 };
        let columns = (frame.width() / grain).max(1.0);
        for (curve, (role, dash)) in read.curves.iter().zip(SERIES) {
            for band in curve.bands(&x.scale(), columns) {
                canvas.on_plane(&plane, &Polygon::new(band.outline(), role.sheer(0.14)));
                for edge in [band.low, band.high] {
                    canvas.on_plane(&plane, &PathElement::new(edge, stroke(role.sheer(0.5), 0.8)));
                }
            }
            for piece in curve.pieces() {
                let points = thinned(piece, &x.scale(), columns);
                canvas.on_plane(&plane, &PathElement::new(points, stroke(role.dashed(*dash), 2.0)));
            }
        }
        for (row, curve) in read.curves.iter().enumerate() {
            self.dots(canvas, frame, (&x.scale(), &y), curve, row, read.curves.len(), columns);
        }
        self.levels_on(canvas, frame, &y);
        axes::draw_flags(canvas, frame, &flags);
        self.unusual(canvas, frame, (&x.scale(), &y), &read);
        page::notes(canvas, room.width, height - page::notes_height(&read.notes) - 8.0, &read.notes);
        Ok(Told { height, alternative: self.alternative(&read, first, last), notes: read.notes })
    }
}

impl Line {
    fn read(&self) -> Result<Read, Error> {
        limit("series", self.series.len(), SERIES_MAX)?;
        limit("annotations", self.annotations.len(), ANNOTATIONS_MAX)?;
        limit("intervals", self.intervals.len(), INTERVALS_MAX)?;
        limit("levels", self.levels.len(), LEVELS_MAX)?;
        let points: usize = self.series.iter().map(|it| it.times.len()).sum();
        limit("series", points, POINTS_MAX).map_err(|_| {
            Error::invalid(
                "series",
                format!("{points} points in all; at most {POINTS_MAX} are allowed: give means over longer intervals"),
            )
        })?;
        let clock = Clock::of(self.zone.as_deref())?;
        let curves = self
            .series
            .iter()
            .enumerate()
            .map(|(at, series)| Curve::read(series, at, &clock))
            .collect::<Result<Vec<_>, _>>()?;
        let mut intervals = Vec::new();
        for (at, interval) in self.intervals.iter().enumerate() {
            let from = clock.seconds(&interval.from, || format!("intervals[{at}].from"))?;
            let to = clock.seconds(&interval.to, || format!("intervals[{at}].to"))?;
            intervals.push((from.min(to), from.max(to), interval.label.clone()));
        }
        let times = curves.iter().flat_map(|curve| curve.rows.iter().map(|row| row.at));
        let span =
            times.clone().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (at.min(low), at.max(high)));
        let are_days = clock.are_days(times);
        let mut marks = Vec::new();
        for (at, annotation) in self.annotations.iter().enumerate() {
            let seconds = clock.seconds(&annotation.at, || format!("annotations[{at}].at"))?;
            let name = page::named(&annotation.label, annotation.kind.name());
            marks.push(Mark { at: seconds, text: name, kind: annotation.kind });
        }
        marks.sort_by(|one, other| one.at.total_cmp(&other.at));
        let mut notes = Vec::new();
        let dropped: usize = curves.iter().map(|curve| curve.dropped).sum();
        if dropped > 0 {
            notes.push(format!("{} left out: no finite number", page::counted(dropped, "value", "values")));
        }
        // A mark a year away would press the curve into one column.
        let reach = ((span.1 - span.0) * 0.5).max(60.0);
        let all = marks.len();
        if span.0 <= span.1 {
            marks.retain(|mark| mark.at >= span.0 - reach && mark.at <= span.1 + reach);
        }
        if marks.len() < all {
            notes.push(format!(
                "{} outside of the time that is shown",
                page::counted(all - marks.len(), "mark lies", "marks lie")
            ));
        }
        Ok(Read { clock, curves, intervals, marks, notes, are_days })
    }

    fn empty(&self, canvas: &Canvas<'_>, room: Room, read: Read) -> Told {
        let top = page::heading(canvas, room.width, &self.title, &self.subtitle);
        canvas.line(
            &[(page::MARGIN, room.height - 30.0), (room.width - page::MARGIN, room.height - 30.0)],
            Role::Axis.plain(),
            1.0,
        );
        page::nothing(canvas, (room.width / 2.0, (top + room.height - 30.0) / 2.0), room.width);
        page::notes(canvas, room.width, room.height - 28.0, &read.notes);
        let alternative = format!("{}: no data.", page::begun("Line chart", &self.title));
        Told { height: room.height, alternative, notes: read.notes }
    }

    fn axis_of_values(&self, read: &Read, room: Room) -> Axis {
        let values = read
            .curves
            .iter()
            .flat_map(|curve| curve.rows.iter().flat_map(|row| [row.value, row.low, row.high].into_iter().flatten()));
        let values = values.chain(self.levels.iter().map(|level| level.value));
        let (mut low, mut high) = bounds(values).unwrap_or((0.0, 1.0));
        let is_close = high - low < high.abs().max(low.abs()) * 0.25;
        if self.from_zero.unwrap_or(!is_close) {
            (low, high) = (low.min(0.0), high.max(0.0));
        }
        if low == high && self.from_zero.is_none() && low != 0.0 {
            (low, high) = (low.min(0.0), high.max(0.0));
        }
        Axis::over(low, high, &self.unit, if room.height < 220.0 { 3 } else { 5 })
    }

    fn note_axis(&self, axis: &Axis, notes: &mut Vec<String>) {
        if axis.low > 0.0 || axis.high < 0.0 {
            notes.push("The axis of values does not begin at zero.".to_owned());
        }
    }

    fn samples(&self, read: &Read) -> Vec<(Sample, String)> {
        let mut samples = Vec::new();
        let are_many = read.curves.len() > 1;
        let has_band =
            read.curves.iter().any(|curve| curve.rows.iter().any(|row| row.low.is_some() && row.high.is_some()));
        let has_marks =
            read.curves.iter().any(|curve| curve.rows.iter().any(|row| row.is_marked && row.value.is_some()));
        for (at, (curve, (role, dash))) in read.curves.iter().zip(SERIES).enumerate() {
            if are_many || has_band || has_marks {
                let marker = are_many.then(|| MARKERS.get(at).copied()).flatten();
                samples.push((Sample::Line(*role, *dash, marker), page::named(&curve.label, "observed")));
            }
        }
        if has_band {
            samples.push((Sample::Band(Role::Blue), "expected".to_owned()));
        }
        if has_marks {
            samples.push((Sample::Anomaly, "unusual".to_owned()));
        }
        if !read.intervals.is_empty() {
            let mut names: Vec<String> =
                read.intervals.iter().map(|it| page::named(&it.2, "unusual interval")).collect();
            names.dedup();
            let name = if names.len() == 1 { names.swap_remove(0) } else { "intervals".to_owned() };
            samples.push((Sample::Fill(Role::Ochre.hatched(Hatch::Rising)), name));
        }
        if !are_many && read.curves.iter().any(|curve| !curve.gaps().is_empty()) {
            samples.push((Sample::Fill(Role::Axis.hatched(Hatch::Falling)), "no data".to_owned()));
        }
        samples
    }

    /// Intervals and gaps, behind everything.
    fn shade(&self, canvas: &Canvas<'_>, frame: Frame, x: &TimeAxis, read: &Read) {
        let scale = x.scale();
        let at = |seconds: f64| frame.left + frame.width() * scale.part(seconds);
        if let [curve] = read.curves.as_slice() {
            for (from, to) in curve.gaps_apart(&scale, frame.width()) {
                canvas.rectangle((at(from), frame.top), (at(to), frame.bottom), Role::Axis.hatched(Hatch::Falling));
            }
        }
        let are_many = read.intervals.len() > 1;
        for (from, to, label) in &read.intervals {
            let (from, to) = (at(*from), at(*to));
            let to = to.max(from + 2.0);
            canvas.rectangle((from, frame.top), (to, frame.bottom), Role::Ochre.hatched(Hatch::Rising));
            for edge in [from, to] {
                canvas.line(&[(edge, frame.top), (edge, frame.bottom)], Role::Ochre.plain(), 1.0);
            }
            if are_many && to - from > 30.0 {
                let font = Font { size: 11.0, weight: Weight::Bold, colour: Role::Ochre };
                canvas.text(label, (from + 4.0, frame.top + 9.0), font, Side::Left, to - from - 6.0);
            }
        }
    }

    /// Points of a curve of few, and of those that stand alone between gaps; shapes that tell several curves apart.
    #[allow(clippy::too_many_arguments)]
    fn dots(
        &self,
        canvas: &Canvas<'_>,
        frame: Frame,
        (x, y): (&Scale, &Axis),
        curve: &Curve,
        row: usize,
        of: usize,
        columns: f64,
    ) {
        let (Some((role, _)), Some(shape)) = (SERIES.get(row), MARKERS.get(row)) else { return };
        let place = place_in(frame, x, y);
        let points: Vec<(f64, f64)> = curve.points().collect();
        if points.len() <= DOTS_MAX {
            let size = if points.len() == 1 {
                4.5
            } else if of > 1 {
                3.4
            } else {
                2.6
            };
            for point in points {
                page::marker(canvas, *shape, place(point), size, *role);
            }
            return;
        }
        for point in curve.lonely(x, columns) {
            canvas.circle(place(point), 1.6, role.plain());
        }
        if of > 1 {
            for point in curve.spread(8, row as f64 / of as f64) {
                page::marker(canvas, *shape, place(point), 3.6, *role);
            }
        }
    }

    fn levels_on(&self, canvas: &Canvas<'_>, frame: Frame, y: &Axis) {
        for level in &self.levels {
            let Some(value) = drawable(level.value) else { continue };
            let height = frame.bottom - (frame.bottom - frame.top) * Scale::new(y.low, y.high).part(value);
            canvas.line(&[(frame.left, height), (frame.right, height)], Role::Slate.dashed(Dash::Short), 1.3);
            let text = format!("{} {}", page::named(&level.label, "level"), self.unit.text(level.value));
            let above = if height - 9.0 < frame.top { height + 9.0 } else { height - 8.0 };
            canvas.text(
                &text,
                (frame.right - 4.0, above),
                Font { colour: Role::Slate, size: 11.0, weight: Weight::Bold },
                Side::Right,
                frame.width() * 0.6,
            );
        }
    }

    fn unusual(&self, canvas: &Canvas<'_>, frame: Frame, (x, y): (&Scale, &Axis), read: &Read) {
        let place = place_in(frame, x, y);
        let marked: Vec<(f64, f64)> =
            read.curves.iter().flat_map(|curve| curve.marked_apart(x, frame.width())).collect();
        for point in &marked {
            page::anomaly(canvas, place(*point));
        }
        if marked.len() > VALUES_MAX {
            return;
        }
        for point in marked {
            let (left, top) = place(point);
            let text = self.unit.text(point.1);
            let wide = width(&text, STRONG.size, STRONG.weight);
            // Above the mark, or below it where the plot ends; pushed in from the sides.
            let above = if top - 22.0 < frame.top { top + 17.0 } else { top - 16.0 };
            let middle = left
                .clamp(frame.left + wide / 2.0 + 3.0, (frame.right - wide / 2.0).max(frame.left + wide / 2.0 + 3.0));
            canvas.rectangle(
                (middle - wide / 2.0 - 3.0, above - 7.5),
                (middle + wide / 2.0 + 3.0, above + 7.5),
                Role::Paper.sheer(0.8),
            );
            canvas.text(&text, (middle, above), STRONG, Side::Middle, 200.0);
        }
    }

    fn alternative(&self, read: &Read, first: f64, last: f64) -> String {
        let tell = |at: f64| read.clock.told(at, read.are_days);
        let zone = if read.are_days { String::new() } else { format!(" {}", read.clock.name) };
        let mut text = format!("{}, {} to {}{zone}: ", page::begun("Line chart", &self.title), tell(first), tell(last));
        let mut parts = Vec::new();
        for curve in read.curves.iter().take(TOLD_MAX) {
            let name = if read.curves.len() > 1 {
                format!("{} ", page::named(&curve.label, "a series"))
            } else {
                String::new()
            };
            parts.push(match curve.extremes() {
                Some((low, high, (_, end))) => format!(
                    "{name}lowest {} at {}, highest {} at {}, last {}",
                    self.unit.text(low.1),
                    tell(low.0),
                    self.unit.text(high.1),
                    tell(high.0),
                    self.unit.text(end)
                ),
                None => format!("{name}without values"),
            });
        }
        text.push_str(&parts.join("; "));
        if read.curves.len() > TOLD_MAX {
            text.push_str(&format!("; and {}", page::counted(read.curves.len() - TOLD_MAX, "more line", "more lines")));
        }
        text.push('.');
        let marked: Vec<(f64, f64)> = read.curves.iter().flat_map(Curve::marked).collect();
        if !marked.is_empty() {
            let shown: Vec<String> = marked
                .iter()
                .take(3)
                .map(|(at, value)| format!("{} at {}", self.unit.text(*value), tell(*at)))
                .collect();
            let more = if marked.len() > 3 { ", and more" } else { "" };
            text.push_str(&format!(
                " {} unusual: {}{more}.",
                page::counted(marked.len(), "point is", "points are"),
                shown.join(", ")
            ));
        }
        for (from, to, label) in read.intervals.iter().take(3) {
            text.push_str(&format!(" {} from {} to {}.", page::named(label, "Unusual"), tell(*from), tell(*to)));
        }
        if !read.marks.is_empty() {
            let marks: Vec<String> = read
                .marks
                .iter()
                .take(5)
                .map(|mark| format!("{} at {}", mark.text, read.clock.told(mark.at, false)))
                .collect();
            text.push_str(&format!(" Marked: {}.", marks.join(", ")));
        }
        text
    }
}

impl Read {
    /// From the first moment to the last that is shown.
    fn times(&self) -> Option<(f64, f64)> {
        let points = self.curves.iter().flat_map(|curve| curve.rows.iter());
        if !points.clone().any(|row| row.value.is_some() || (row.low.is_some() && row.high.is_some())) {
            return None;
        }
        bounds(points.map(|row| row.at).chain(self.marks.iter().map(|mark| mark.at)))
    }
}

fn place_in(frame: Frame, x: &Scale, y: &Axis) -> impl Fn((f64, f64)) -> (f64, f64) {
    let (x, up) = (*x, Scale::new(y.low, y.high));
    move |(at, value)| {
        (frame.left + frame.width() * x.part(at), frame.bottom - (frame.bottom - frame.top) * up.part(value))
    }
}

pub(crate) fn limit(field: &str, count: usize, most: usize) -> Result<(), Error> {
    if count <= most {
        Ok(())
    } else {
        Err(Error::invalid(field, format!("{count} entries; at most {most} are allowed")))
    }
}
