//! Plotters' backend: what it draws becomes SVG.
//!
//! Plotters' own SVG backend knows whole pixels, fixed colours and solid lines. This one takes tenths of a pixel, so curves
//! are smooth; reads a colour as a role and a pattern (`palette.rs`), so one picture serves light and dark paper and knows
//! dashes and hatching; and ends with an error before a picture is too large.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
};

use crate::Theme;
use crate::palette::{COLOURS, DASHES, HELD, Role};
use crate::text::{Weight, escape, width};

/// Plotters counts in tenths of a pixel.
pub(crate) const TENTHS: f64 = 10.0;
/// Room for the drawing; head and style take the rest up to a megabyte.
const BODY_BYTES_MAX: usize = 900_000;
const FONTS: &str = "Inter,system-ui,-apple-system,&#39;Segoe UI&#39;,Roboto,Helvetica,Arial,sans-serif";

/// The picture is larger than a report can carry.
#[derive(Debug, thiserror::Error)]
#[error("the picture is larger than {BODY_BYTES_MAX} bytes")]
pub(crate) struct TooLarge;

/// What has been drawn.
pub(crate) struct Body {
    text: String,
    theme: Theme,
    /// Of this picture alone: several stand in one page, and their patterns must not be mistaken for one another.
    id: String,
    roles: BTreeSet<u8>,
    hatches: BTreeSet<(u8, u8)>,
}

/// What stands around the drawing.
pub(crate) struct Head<'a> {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) title: &'a str,
    pub(crate) alternative: &'a str,
}

impl Body {
    pub(crate) fn new(theme: Theme, id: String) -> Self {
        Self { text: String::new(), theme, id, roles: BTreeSet::new(), hatches: BTreeSet::new() }
    }

    /// The whole file.
    pub(crate) fn finish(mut self, head: &Head<'_>) -> String {
        let Head { width, height, title, alternative } = head;
        let id = self.id.clone();
        let paper = self.colour("fill", BackendColor { alpha: 1.0, rgb: (0, 0, 0) });
        let hatches: String = self.hatches.clone().into_iter().map(|(role, hatch)| self.pattern(role, hatch)).collect();
        let style = if self.theme == Theme::Auto { self.style() } else { String::new() };
        let defs = if hatches.is_empty() { hatches } else { format!("<defs>{hatches}</defs>") };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"pi-plot\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" font-family=\"{FONTS}\"><title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>{style}{defs}<rect width=\"{width}\" height=\"{height}\"{paper}/>{}</svg>\n",
            escape(title),
            escape(alternative),
            self.text
        )
    }

    /// The variables of the colours that occur, on light and on dark paper, and the classes that use them. Every element
    /// has its light colour as an attribute too: what knows no style sheet draws the light picture.
    fn style(&self) -> String {
        let rows = || self.roles.iter().filter_map(|role| Some((role, COLOURS.get(usize::from(*role))?)));
        let mut style = "<style>.pi-plot{color-scheme:light dark;".to_owned();
        for (_, (name, light, _)) in rows() {
            let _ = write!(style, "--{name}:{light};");
        }
        style.push_str("}@media (prefers-color-scheme:dark){.pi-plot{");
        for (_, (name, _, dark)) in rows() {
            let _ = write!(style, "--{name}:{dark};");
        }
        style.push_str("}}");
        for (role, (name, _, _)) in rows() {
            let _ = write!(style, ".pi-plot .f{role}{{fill:var(--{name})}}.pi-plot .s{role}{{stroke:var(--{name})}}");
        }
        style.push_str("</style>");
        style
    }

    fn pattern(&mut self, role: u8, hatch: u8) -> String {
        let colour = BackendColor { alpha: 1.0, rgb: (role, 0, 0) };
        // What lies behind a curve is fainter than what is a bar.
        let is_behind = [Role::Axis as u8, Role::Ochre as u8].contains(&role);
        let stroke = self.colour("stroke", BackendColor { alpha: if is_behind { 0.4 } else { 1.0 }, ..colour });
        let fill = self.colour("fill", BackendColor { alpha: if is_behind { 0.1 } else { 0.16 }, ..colour });
        let lines = match hatch {
            1 => "M-1 7L7 -1M-1 1L1 -1M5 7L7 5",
            _ => "M-1 -1L7 7M5 -1L7 1M-1 5L1 7",
        };
        format!(
            "<pattern id=\"{}-{role}-{hatch}\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\"{fill}/><path d=\"{lines}\" fill=\"none\" stroke-width=\"1.2\"{stroke}/></pattern>",
            self.id
        )
    }

    /// The attributes that give `property` its colour.
    fn colour(&mut self, property: &str, colour: BackendColor) -> String {
        let (role, _, hatch) = colour.rgb;
        let mut out = String::new();
        if hatch > 0 && hatch != HELD {
            self.hatches.insert((role, hatch));
            let _ = write!(out, " {property}=\"url(#{}-{role}-{hatch})\"", self.id);
            return out;
        }
        let Some((_, light, dark)) = COLOURS.get(usize::from(role)) else { return out };
        self.roles.insert(role);
        match self.theme {
            Theme::Auto => {
                let class = property.get(..1).unwrap_or_default();
                let _ = write!(out, " class=\"{class}{role}\" {property}=\"{light}\"");
            }
            Theme::Light => {
                let _ = write!(out, " {property}=\"{light}\"");
            }
            Theme::Dark => {
                let _ = write!(out, " {property}=\"{dark}\"");
            }
        }
        if colour.alpha < 1.0 {
            let _ = write!(out, " {property}-opacity=\"{:.2}\"", colour.alpha);
        }
        out
    }

    fn line_style<S: BackendStyle>(&mut self, style: &S) -> String {
        let colour = style.color();
        let mut out = self.colour("stroke", colour);
        let _ = write!(out, " fill=\"none\" stroke-width=\"{}\"", tenths(i64::from(style.stroke_width())));
        if let Some(dash) = DASHES.get(usize::from(colour.rgb.1)).filter(|dash| !dash.is_empty()) {
            let _ = write!(out, " stroke-dasharray=\"{dash}\"");
        }
        out
    }

    fn add(&mut self, element: &str) -> Result<(), DrawingErrorKind<TooLarge>> {
        if self.text.len() + element.len() > BODY_BYTES_MAX {
            return Err(DrawingErrorKind::DrawingError(TooLarge));
        }
        self.text.push_str(element);
        Ok(())
    }
}

/// A number of tenths in pixels, in as few letters as there are.
fn tenths(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let (whole, part) = (value.unsigned_abs() / 10, value.unsigned_abs() % 10);
    if part == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

fn path<I: IntoIterator<Item = BackendCoord>>(points: I) -> String {
    let mut out = String::new();
    let mut last = None;
    for point in points {
        if last == Some(point) {
            continue;
        }
        let letter = if last.is_none() { 'M' } else { 'L' };
        let _ = write!(out, "{letter}{} {}", tenths(point.0.into()), tenths(point.1.into()));
        last = Some(point);
    }
    out
}

/// The backend that plotters draws on.
pub(crate) struct Svg<'a> {
    pub(crate) body: &'a mut Body,
    pub(crate) size: (u32, u32),
}

type Drawn = Result<(), DrawingErrorKind<TooLarge>>;

impl DrawingBackend for Svg<'_> {
    type ErrorType = TooLarge;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, colour: BackendColor) -> Drawn {
        let end = (point.0.saturating_add(1), point.1.saturating_add(1));
        self.draw_rect(point, end, &colour, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Drawn {
        let paint = if fill { self.body.colour("fill", style.color()) } else { self.body.line_style(style) };
        let (x, y) = (i64::from(from.0), i64::from(from.1));
        let (width, height) = (i64::from(to.0) - x, i64::from(to.1) - y);
        let element = format!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{paint}/>",
            tenths(x),
            tenths(y),
            tenths(width.max(0)),
            tenths(height.max(0))
        );
        self.body.add(&element)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, points: I, style: &S) -> Drawn {
        let path = path(points);
        if !path.contains('L') {
            return Ok(());
        }
        let paint = self.body.line_style(style);
        self.body.add(&format!("<path d=\"{path}\"{paint} stroke-linejoin=\"round\"/>"))
    }

    fn draw_circle<S: BackendStyle>(&mut self, centre: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        let paint = if fill { self.body.colour("fill", style.color()) } else { self.body.line_style(style) };
        let (x, y, radius) = (tenths(centre.0.into()), tenths(centre.1.into()), tenths(radius.into()));
        self.body.add(&format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"{paint}/>"))
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, points: I, style: &S) -> Drawn {
        let path = path(points);
        if !path.contains('L') {
            return Ok(());
        }
        let paint = self.body.colour("fill", style.color());
        self.body.add(&format!("<path d=\"{path}Z\"{paint}/>"))
    }

    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, at: BackendCoord) -> Drawn {
        let (size, anchor) = (style.size() / TENTHS, style.anchor());
        let side = match anchor.h_pos {
            HPos::Left => "",
            HPos::Center => " text-anchor=\"middle\"",
            HPos::Right => " text-anchor=\"end\"",
        };
        // From the anchor to the line that letters stand on; of capitals, whose height is 0.73 of the size.
        let down = match anchor.v_pos {
            VPos::Top => size * 0.93,
            VPos::Center => size * 0.36,
            VPos::Bottom => -size * 0.2,
        };
        let weight = if weight_of(style) == Weight::Bold { " font-weight=\"600\"" } else { "" };
        let colour = style.color();
        let (is_struck, is_held) = (colour.rgb.1 > 0, colour.rgb.2 == HELD);
        let mut paint = self.body.colour("fill", colour);
        if is_struck {
            paint.push_str(" text-decoration=\"line-through\"");
        }
        if is_held {
            let pixels = width(text, size, weight_of(style));
            let _ = write!(paint, " textLength=\"{pixels:.1}\" lengthAdjust=\"spacingAndGlyphs\"");
        }
        let y = i64::from(at.1) + (down * TENTHS).round() as i64;
        self.body.add(&format!(
            "<text x=\"{}\" y=\"{}\" font-size=\"{size}\"{side}{weight}{paint}>{}</text>",
            tenths(at.0.into()),
            tenths(y),
            escape(text)
        ))
    }

    fn estimate_text_size<T: BackendTextStyle>(
        &self,
        text: &str,
        style: &T,
    ) -> Result<(u32, u32), DrawingErrorKind<TooLarge>> {
        Ok((width(text, style.size(), weight_of(style)).ceil() as u32, style.size().ceil() as u32))
    }
}

fn weight_of<T: BackendTextStyle>(style: &T) -> Weight {
    if matches!(style.style(), FontStyle::Bold) { Weight::Bold } else { Weight::Regular }
}
