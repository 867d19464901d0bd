//! A curve as large as a word: no axes, the last value as a dot, unusual ones in a ring.

use plotters::element::PathElement;
use serde::{Deserialize, Serialize};

use crate::canvas::{Canvas, Frame, stroke};
use crate::line::limit;
use crate::number::{Unit, bounds, drawable};
use crate::page;
use crate::palette::Role;
use crate::scale::Scale;
use crate::{Draw, Error, Room, Told};

const VALUES_MAX: usize = 20_000;

/// A curve as large as a word.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sparkline {
    pub title: String,
    pub unit: Unit,
    /// At equal distances; none is a gap.
    pub values: Vec<Option<f64>>,
    /// Positions of the unusual values.
    pub marked: Vec<usize>,
}

impl Draw for Sparkline {
    fn title(&self) -> &str {
        &self.title
    }

    fn sizes(&self) -> [(u32, u32); 3] {
        [(40, 16), (140, 32), (600, 120)]
    }

    fn draw(&self, canvas: &Canvas<'_>, room: Room) -> Result<Told, Error> {
        limit("values", self.values.len(), VALUES_MAX)?;
        if let Some(at) = self.marked.iter().position(|at| *at >= self.values.len()) {
            return Err(Error::invalid(
                format!("marked[{at}]"),
                format!("there is no such value; there are {}, the first is 0", self.values.len()),
            ));
        }
        let values: Vec<Option<f64>> = self.values.iter().map(|value| value.and_then(drawable)).collect();
        let dropped = self.values.iter().flatten().filter(|it| !it.is_finite()).count();
        let notes = if dropped > 0 {
            vec![format!("{} left out: no finite number", page::counted(dropped, "value", "values"))]
        } else {
            Vec::new()
        };
        let name = page::begun("Sparkline", &self.title);
        let Some((low, high)) = bounds(values.iter().copied().flatten()) else {
            canvas.line(
                &[(4.0, room.height / 2.0), (room.width - 4.0, room.height / 2.0)],
                Role::Axis.dashed(crate::palette::Dash::Short),
                1.0,
            );
            return Ok(Told { height: room.height, alternative: format!("{name}: no data."), notes });
        };
        let frame = Frame { left: 6.0, top: 6.0, right: room.width - 6.0, bottom: room.height - 6.0 };
        // Without width the curve lies in the middle.
        let y =
            if high > low { Scale::new(low, high) } else { Scale::new(low - 1.0 - low.abs(), low + 1.0 + low.abs()) };
        let x = Scale::new(0.0, (values.len() as f64 - 1.0).max(1.0));
        let plane = canvas.plane(frame, x, y);
        let place = |(at, value): (f64, f64)| {
            (frame.left + frame.width() * x.part(at), frame.bottom - (frame.bottom - frame.top) * y.part(value))
        };
        let points: Vec<(f64, Option<f64>)> =
            values.iter().enumerate().map(|(at, value)| (at as f64, *value)).collect();
        for piece in points.split(|point| point.1.is_none()).filter(|piece| !piece.is_empty()) {
            let piece: Vec<(f64, f64)> = piece.iter().filter_map(|(at, value)| Some((*at, (*value)?))).collect();
            if let [alone] = piece.as_slice()
                && values.len() <= 200
            {
                canvas.circle(place(*alone), 1.2, Role::Blue.plain());
            }
            let piece = crate::line::thinned(piece, &x, frame.width());
            canvas.on_plane(&plane, &PathElement::new(piece, stroke(Role::Blue.plain(), 1.5)));
        }
        for at in self.marked.iter().take(50) {
            if let Some(value) = values.get(*at).copied().flatten() {
                canvas.circle(place((*at as f64, value)), 3.6, Role::Paper.sheer(0.85));
                canvas.ring(place((*at as f64, value)), 3.4, Role::Vermillion.plain(), 1.5);
            }
        }
        let last = points.iter().rev().find_map(|(at, value)| Some((*at, (*value)?)));
        if let Some(last) = last {
            canvas.circle(place(last), 2.4, Role::Blue.plain());
        }
        let mut alternative = format!(
            "{name}: lowest {}, highest {}, last {}",
            self.unit.text(low),
            self.unit.text(high),
            self.unit.text(last.map_or(low, |it| it.1))
        );
        if !self.marked.is_empty() {
            alternative.push_str(&format!("; {} unusual", page::counted(self.marked.len(), "value is", "values are")));
        }
        alternative.push('.');
        Ok(Told { height: room.height, alternative, notes })
    }
}
