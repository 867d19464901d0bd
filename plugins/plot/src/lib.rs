//! Charts for reports: plain data in, SVG or PNG out.
//!
//! Pure: no clock, no files, no fonts of the system. The same data give the same bytes. One SVG serves light and dark paper
//! (`prefers-color-scheme`), nothing differs in colour alone, every picture carries a title and a description, and says what it left
//! out. Numbers and texts come from strangers: none of them makes a chart fail to end, outgrow a megabyte or leave its place.
//!
//! A chart of a new kind is a file with a struct that implements `Draw`, and a row in [`Chart`].

mod backend;
mod canvas;
mod contributors;
mod grid;
mod heatmap;
mod histogram;
mod line;
mod nulls;
mod number;
mod page;
mod palette;
#[cfg(feature = "png")]
mod raster;
mod scale;
mod schema;
mod sparkline;
mod text;
mod time;

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use backend::{Body, Head};
use canvas::Canvas;

pub use contributors::{Contributor, Contributors};
pub use heatmap::Heatmap;
pub use histogram::Histogram;
pub use line::{Annotation, Interval, Level, Line, MarkKind, Series};
pub use nulls::NullMatrix;
pub use number::Unit;
#[cfg(feature = "png")]
pub use raster::{SCALE_MAX, png};
pub use schema::{Change, ColumnChange, SchemaDiff, TableChange};
pub use sparkline::Sparkline;
pub use time::Moment;

/// Pixels of a chart of which nothing is said.
pub const WIDTH_DEFAULT: u32 = 760;
pub const HEIGHT_DEFAULT: u32 = 300;
/// What a page of a report carries; a sparkline has limits of its own.
pub const WIDTH_MIN: u32 = 320;
pub const WIDTH_MAX: u32 = 1_200;
pub const HEIGHT_MIN: u32 = 160;
pub const HEIGHT_MAX: u32 = 900;
/// No picture is larger.
pub const BYTES_MAX: usize = 1_000_000;

/// What is drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Chart {
    Line(Line),
    Contributors(Contributors),
    Histogram(Histogram),
    Heatmap(Heatmap),
    NullMatrix(NullMatrix),
    SchemaDiff(SchemaDiff),
    Sparkline(Sparkline),
}

impl Chart {
    /// The kinds, as they are named in data.
    pub const KINDS: [&str; 7] =
        ["line", "contributors", "histogram", "heatmap", "null_matrix", "schema_diff", "sparkline"];

    fn inner(&self) -> &dyn Draw {
        match self {
            Self::Line(chart) => chart,
            Self::Contributors(chart) => chart,
            Self::Histogram(chart) => chart,
            Self::Heatmap(chart) => chart,
            Self::NullMatrix(chart) => chart,
            Self::SchemaDiff(chart) => chart,
            Self::Sparkline(chart) => chart,
        }
    }
}

/// On which paper it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the reader has it. A PNG knows no reader: it is light.
    #[default]
    Auto,
    Light,
    Dark,
}

/// Size and paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Look {
    /// Pixels, [`WIDTH_MIN`] to [`WIDTH_MAX`].
    pub width: Option<u32>,
    /// Pixels, [`HEIGHT_MIN`] to [`HEIGHT_MAX`]. Charts of rows (contributors, null matrix, schema) are as high as their rows.
    pub height: Option<u32>,
    pub theme: Theme,
}

/// A chart as SVG, and what is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub svg: String,
    pub width: u32,
    pub height: u32,
    pub title: String,
    /// One or two sentences with the numbers that matter, one line, for `![alternative](file)`: without characters that end it.
    pub alternative: String,
    /// What was left out of the picture, or changed to draw it.
    pub notes: Vec<String>,
}

/// Why there is no picture.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The data make no sense; the field is named as a path.
    #[error("`{field}`: {why}")]
    Invalid { field: String, why: String },
    /// It could not be drawn.
    #[error("the chart could not be drawn: {0}")]
    Failed(String),
}

impl Error {
    fn invalid(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), why: why.into() }
    }
}

/// What a chart says of itself when it is drawn.
struct Told {
    height: f64,
    alternative: String,
    notes: Vec<String>,
}

/// The room for a chart, and how fine it is.
#[derive(Clone, Copy)]
struct Room {
    width: f64,
    height: f64,
    /// Pixels that are drawn as one where there are more points than pixels.
    grain: f64,
}

trait Draw {
    fn title(&self) -> &str;

    fn draw(&self, canvas: &Canvas<'_>, room: Room) -> Result<Told, Error>;

    /// The smallest, the default, and the largest size.
    fn sizes(&self) -> [(u32, u32); 3] {
        [(WIDTH_MIN, HEIGHT_MIN), (WIDTH_DEFAULT, HEIGHT_DEFAULT), (WIDTH_MAX, HEIGHT_MAX)]
    }
}

/// Draw a chart.
///
/// # Errors
/// [`Error::Invalid`] names the field that makes no sense.
pub fn draw(chart: &Chart, look: &Look) -> Result<Picture, Error> {
    let inner = chart.inner();
    let [smallest, default, largest] = inner.sizes();
    let width = within("width", look.width.unwrap_or(default.0), smallest.0, largest.0)?;
    let height = within("height", look.height.unwrap_or(default.1), smallest.1, largest.1)?;
    let title = text::clean(inner.title());
    let id = format!("p{:012x}", fingerprint(chart, look) & 0xffff_ffff_ffff);
    let mut failed = String::new();
    // A picture that is too large is drawn again with less detail.
    for grain in [1.0, 4.0, 16.0] {
        let mut body = Body::new(look.theme, id.clone());
        let canvas = Canvas::new(&mut body, width);
        let told = inner.draw(&canvas, Room { width: f64::from(width), height: f64::from(height), grain })?;
        match canvas.finish() {
            Err(error) => failed = error,
            Ok(()) => {
                let height = (told.height.ceil() as u32).clamp(smallest.1, canvas::HEIGHT_MAX);
                let alternative = page::plain(&told.alternative);
                let svg = body.finish(&Head { width, height, title: &title, alternative: &alternative });
                if svg.len() <= BYTES_MAX {
                    return Ok(Picture { svg, width, height, title, alternative, notes: told.notes });
                }
                failed = format!("the picture has {} bytes", svg.len());
            }
        }
    }
    Err(Error::Failed(failed))
}

/// The alternative text of a chart alone.
///
/// # Errors
/// As [`draw`].
pub fn alternative(chart: &Chart) -> Result<String, Error> {
    draw(chart, &Look::default()).map(|picture| picture.alternative)
}

fn within(field: &str, value: u32, least: u32, most: u32) -> Result<u32, Error> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(Error::invalid(field, format!("{value} pixels; {least} to {most} are allowed")))
}

/// FNV-1a over what is drawn: the same picture has the same names inside, another one has others.
fn fingerprint(chart: &Chart, look: &Look) -> u64 {
    struct Hash(u64);
    impl fmt::Write for Hash {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for byte in text.bytes() {
                self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            Ok(())
        }
    }
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    // Writing into the hash cannot fail.
    let _ = write!(hash, "{chart:?}{look:?}");
    hash.0
}
