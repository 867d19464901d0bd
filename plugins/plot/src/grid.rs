//! Cells in rows and columns, shaded by value: what the heatmap and the null matrix have in common.
//!
//! A value is told by its shade and, where there is room, as a number in its cell; a cell without one is hatched, a marked one
//! has a frame with a corner.

use crate::canvas::{Canvas, Font, Frame, Side};
use crate::page::{MARGIN, PALE};
use crate::palette::{Hatch, Role};
use crate::text::{Weight, width};

/// How strong a cell is: from below (-3) over nothing (0) to above (5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shade(pub(crate) i8);

impl Shade {
    fn role(self) -> Role {
        match self.0 {
            ..=-3 => Role::Below3,
            -2 => Role::Below2,
            -1 => Role::Below1,
            0 => Role::Ramp0,
            1 => Role::Ramp1,
            2 => Role::Ramp2,
            3 => Role::Ramp3,
            4 => Role::Ramp4,
            5.. => Role::Ramp5,
        }
    }

    /// Letters on it: strong cells are dark on light paper and light on dark paper.
    fn letters(self) -> Role {
        if self.0 >= 4 || self.0 <= -3 { Role::Paper } else { Role::Ink }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    /// None where there is no value.
    pub(crate) shade: Option<Shade>,
    pub(crate) text: String,
    pub(crate) is_marked: bool,
}

pub(crate) struct Grid {
    pub(crate) rows: Vec<String>,
    /// Labels below some columns: number of the column, text.
    pub(crate) columns: Vec<(usize, String)>,
    pub(crate) count: usize,
    pub(crate) cells: Vec<Vec<Cell>>,
    pub(crate) row_pixels: f64,
}

impl Grid {
    /// Draw it below `top`; the height where what follows may begin.
    pub(crate) fn draw(&self, canvas: &Canvas<'_>, room: f64, top: f64) -> f64 {
        let names =
            self.rows.iter().map(|it| width(it, 12.0, Weight::Regular) * 1.04).fold(0.0, f64::max).min(room * 0.3);
        let frame = Frame {
            left: MARGIN + names + 8.0,
            top,
            right: room - MARGIN,
            bottom: top + self.row_pixels * self.rows.len() as f64,
        };
        let wide = frame.width() / self.count.max(1) as f64;
        let gap = if wide > 8.0 { 1.0 } else { 0.0 };
        let sizes = [10.5, 9.5, 8.5];
        // A number in one cell of the row and none in the next would say that the next has none.
        let fits = |size: &&f64| {
            self.cells.iter().flatten().all(|cell| width(&cell.text, **size, Weight::Regular) <= wide - 3.0)
        };
        let size = sizes.iter().find(fits).copied();
        let font = Font { size: size.unwrap_or(10.5), weight: Weight::Regular, colour: Role::Ink };
        for (number, (name, cells)) in self.rows.iter().zip(&self.cells).enumerate() {
            let y = top + self.row_pixels * number as f64;
            let middle = y + self.row_pixels / 2.0;
            canvas.text(
                name,
                (frame.left - 8.0, middle),
                Font { colour: Role::Ink, size: 12.0, ..PALE },
                Side::Right,
                names + 2.0,
            );
            for (at, cell) in cells.iter().enumerate() {
                let x = frame.left + wide * at as f64;
                let (from, to) = ((x, y), (x + wide - gap, y + self.row_pixels - 1.0));
                match cell.shade {
                    Some(shade) => canvas.rectangle(from, to, shade.role().plain()),
                    None => canvas.rectangle(from, to, Role::Axis.hatched(Hatch::Falling)),
                }
                let Some(shade) = cell.shade else { continue };
                // Where there is no room for numbers, what is below nothing has its sign.
                let text = match size {
                    Some(_) => cell.text.as_str(),
                    None if shade.0 < 0 => "−",
                    None => continue,
                };
                canvas.text(
                    text,
                    (x + wide / 2.0, middle),
                    Font { colour: shade.letters(), ..font },
                    Side::Middle,
                    wide + 4.0,
                );
            }
        }
        self.marks(canvas, frame, wide);
        for (at, text) in &self.columns {
            let x = frame.left + wide * (*at as f64 + 0.5);
            let half = width(text, PALE.size, PALE.weight) / 2.0;
            let x = x.clamp(frame.left + half.min(20.0), (frame.right - half).max(frame.left + half.min(20.0)));
            canvas.text(text, (x, frame.bottom + 11.0), PALE, Side::Middle, 120.0);
        }
        frame.bottom + 22.0
    }

    /// Frames of marked cells, over all cells.
    fn marks(&self, canvas: &Canvas<'_>, frame: Frame, wide: f64) {
        for (number, cells) in self.cells.iter().enumerate() {
            for (at, _) in cells.iter().enumerate().filter(|(_, cell)| cell.is_marked) {
                let (x, y) = (frame.left + wide * at as f64, frame.top + self.row_pixels * number as f64);
                let end = (x + wide - 1.0, y + self.row_pixels - 1.0);
                canvas.outline((x, y), end, Role::Paper.plain(), 4.0);
                canvas.outline((x, y), end, Role::Vermillion.plain(), 2.0);
                let corner = (wide * 0.4).min(7.0);
                canvas.area(&[(end.0 - corner, y), (end.0, y), (end.0, y + corner)], Role::Vermillion.plain());
            }
        }
    }
}

/// The legend of the shades: boxes with the value at each end.
pub(crate) fn shades(canvas: &Canvas<'_>, room: f64, top: f64, steps: &[(Shade, String)], extra: &[&str]) -> f64 {
    let mut x = MARGIN;
    let y = top + 10.0;
    for (shade, text) in steps {
        canvas.rectangle((x, y - 6.0), (x + 17.0, y + 6.0), shade.role().plain());
        canvas.outline((x, y - 6.0), (x + 17.0, y + 6.0), Role::Axis.sheer(0.5), 0.6);
        if shade.0 < 0 {
            let font = Font { size: 10.5, weight: Weight::Regular, colour: shade.letters() };
            canvas.text("−", (x + 8.5, y), font, Side::Middle, 17.0);
        }
        x += 21.0;
        if !text.is_empty() {
            let drawn = canvas.text(text, (x, y), PALE, Side::Left, room - x - MARGIN);
            x += width(&drawn, PALE.size, PALE.weight) * 1.04 + 9.0;
        }
    }
    for name in extra {
        if *name == "no data" {
            canvas.rectangle((x, y - 6.0), (x + 17.0, y + 6.0), Role::Axis.hatched(Hatch::Falling));
        } else {
            canvas.outline((x, y - 6.0), (x + 16.0, y + 6.0), Role::Vermillion.plain(), 2.0);
            canvas.area(&[(x + 10.0, y - 6.0), (x + 16.0, y - 6.0), (x + 16.0, y)], Role::Vermillion.plain());
        }
        x += 21.0;
        let drawn = canvas.text(name, (x, y), PALE, Side::Left, room - x - MARGIN);
        x += width(&drawn, PALE.size, PALE.weight) * 1.04 + 9.0;
    }
    y + 12.0
}
