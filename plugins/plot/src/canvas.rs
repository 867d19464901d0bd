//! What the charts draw on: plotters' drawing area in pixels with a fraction, and one with scales for data.
//!
//! Coordinates are held within the area by plotters and by the scales, so no number can point outside of what an SVG reader
//! can take. The first error ends the drawing and is told when it is finished.

use std::cell::RefCell;

use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, Drawable, PathElement, PointCollection, Polygon, Rectangle, Text};
use plotters::prelude::IntoDrawingArea as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontDesc, FontFamily, FontStyle, RGBAColor, ShapeStyle, TextStyle};
use plotters_backend::BackendCoord;

use crate::backend::{Body, Svg, TENTHS};
use crate::scale::Scale;
use crate::text::{Weight, fit, width};

/// No picture is higher; the drawing area reaches so far before the height is known.
pub(crate) const HEIGHT_MAX: u32 = 4_000;

/// A place in pixels.
pub(crate) type Spot = (f64, f64);

/// The area of a chart, in pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Frame {
    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Font {
    pub(crate) size: f64,
    pub(crate) weight: Weight,
    pub(crate) colour: crate::palette::Role,
}

/// On which side of its place a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Middle,
    Right,
}

pub(crate) type Plane<'a> = DrawingArea<Svg<'a>, Cartesian2d<Scale, Scale>>;

pub(crate) struct Canvas<'a> {
    area: DrawingArea<Svg<'a>, Shift>,
    failed: RefCell<Option<String>>,
}

impl<'a> Canvas<'a> {
    pub(crate) fn new(body: &'a mut Body, width: u32) -> Self {
        let size = (width.saturating_mul(TENTHS as u32), HEIGHT_MAX * TENTHS as u32);
        Self { area: Svg { body, size }.into_drawing_area(), failed: RefCell::new(None) }
    }

    /// Whether everything could be drawn.
    pub(crate) fn finish(self) -> Result<(), String> {
        self.failed.into_inner().map_or(Ok(()), Err)
    }

    /// A plane for data inside of `frame`.
    pub(crate) fn plane(&self, frame: Frame, x: Scale, y: Scale) -> Plane<'a> {
        let across = tenth(frame.left)..tenth(frame.right);
        // Values grow upwards.
        let up = tenth(frame.bottom)..tenth(frame.top);
        self.area.apply_coord_spec(Cartesian2d::new(x, y, (across, up)))
    }

    fn keep<E: std::fmt::Display>(&self, drawn: Result<(), E>) {
        if let Err(error) = drawn {
            self.failed.borrow_mut().get_or_insert_with(|| error.to_string());
        }
    }

    /// Draw an element in coordinates of data.
    pub(crate) fn on_plane<'e, E>(&self, plane: &Plane<'a>, element: &'e E)
    where
        &'e E: PointCollection<'e, (f64, f64)>,
        E: Drawable<Svg<'a>>,
    {
        self.keep(plane.draw(element));
    }

    pub(crate) fn line(&self, points: &[Spot], colour: RGBAColor, width: f64) {
        let points: Vec<BackendCoord> = points.iter().map(place).collect();
        self.keep(self.area.draw(&PathElement::new(points, stroke(colour, width))));
    }

    pub(crate) fn area(&self, points: &[Spot], colour: RGBAColor) {
        let points: Vec<BackendCoord> = points.iter().map(place).collect();
        self.keep(self.area.draw(&Polygon::new(points, colour.filled())));
    }

    pub(crate) fn rectangle(&self, from: Spot, to: Spot, colour: RGBAColor) {
        self.keep(self.area.draw(&Rectangle::new([place(&from), place(&to)], colour.filled())));
    }

    pub(crate) fn outline(&self, from: Spot, to: Spot, colour: RGBAColor, width: f64) {
        self.keep(self.area.draw(&Rectangle::new([place(&from), place(&to)], stroke(colour, width))));
    }

    pub(crate) fn circle(&self, at: Spot, radius: f64, colour: RGBAColor) {
        self.keep(self.area.draw(&Circle::new(place(&at), tenth(radius), colour.filled())));
    }

    pub(crate) fn ring(&self, at: Spot, radius: f64, colour: RGBAColor, width: f64) {
        self.keep(self.area.draw(&Circle::new(place(&at), tenth(radius), stroke(colour, width))));
    }

    /// A text with its middle on the height of `at`, cut to `room`. What was drawn is returned.
    pub(crate) fn text(&self, text: &str, at: Spot, font: Font, side: Side, room: f64) -> String {
        self.letters(text, at, font, side, room, false)
    }

    /// A text with a line through it.
    pub(crate) fn struck(&self, text: &str, at: Spot, font: Font, room: f64) -> String {
        self.letters(text, at, font, Side::Left, room, true)
    }

    fn letters(&self, text: &str, at: Spot, font: Font, side: Side, room: f64, is_struck: bool) -> String {
        let text = fit(text, font.size, font.weight, room);
        if text.is_empty() {
            return text;
        }
        // A reader's font may be a quarter wider than ours: what nearly fills its room is held to its width.
        let is_held = is_struck || width(&text, font.size, font.weight) * 1.25 > room;
        let style = if font.weight == Weight::Bold { FontStyle::Bold } else { FontStyle::Normal };
        let side = match side {
            Side::Left => HPos::Left,
            Side::Middle => HPos::Center,
            Side::Right => HPos::Right,
        };
        let style = TextStyle {
            font: FontDesc::new(FontFamily::SansSerif, font.size * TENTHS, style),
            color: font.colour.lettered(is_held, is_struck).to_backend_color(),
            pos: Pos::new(side, VPos::Center),
        };
        self.keep(self.area.draw(&Text::new(text.as_str(), place(&at), style)));
        text
    }
}

/// A line of so many pixels.
pub(crate) fn stroke(colour: RGBAColor, width: f64) -> ShapeStyle {
    colour.stroke_width((width * TENTHS).round() as u32)
}

fn place(spot: &Spot) -> BackendCoord {
    (tenth(spot.0), tenth(spot.1))
}

/// Casting a float saturates, and no number at all becomes zero.
fn tenth(pixels: f64) -> i32 {
    (pixels * TENTHS).round().clamp(-100_000.0, 100_000.0) as i32
}
