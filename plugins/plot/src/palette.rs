//! The colours, by what they are for: each has a value for light and one for dark paper.
//!
//! The series are Okabe and Ito's colours, darkened for light paper and lightened for dark until each has a contrast of at
//! least 4 to 1. What differs in colour differs in dash, marker, hatching or a word as well.
//! Plotters carries colours through to the backend unseen, so what it is given here is no colour but the number of a role and of a
//! pattern; the backend turns them into classes, variables and dashes (`backend.rs`).

use plotters::style::RGBAColor;

/// What a colour is for. The number is the row of [`COLOURS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Role {
    Paper,
    Ink,
    Pale,
    Grid,
    Axis,
    Blue,
    Vermillion,
    Green,
    Purple,
    Ochre,
    Slate,
    Ramp0,
    Ramp1,
    Ramp2,
    Ramp3,
    Ramp4,
    Ramp5,
    Below1,
    Below2,
    Below3,
    Panel,
}

/// Name of the variable, on light paper, on dark.
pub(crate) const COLOURS: &[(&str, &str, &str)] = &[
    ("paper", "#ffffff", "#0d1117"),
    ("ink", "#1f2328", "#e6edf3"),
    ("pale", "#59636e", "#9aa4af"),
    ("grid", "#e4e8ec", "#272e37"),
    ("axis", "#8c959f", "#6b7580"),
    ("blue", "#0072b2", "#56b4e9"),
    ("vermillion", "#c25400", "#ff8f45"),
    ("green", "#007a59", "#2fcf9f"),
    ("purple", "#9b4a80", "#e39cc6"),
    ("ochre", "#8a6500", "#f0c24b"),
    ("slate", "#3d4650", "#c4ccd4"),
    ("ramp0", "#eef3f8", "#151d27"),
    ("ramp1", "#cfe1ef", "#19334c"),
    ("ramp2", "#9fc7e2", "#1d5079"),
    ("ramp3", "#5f9fcb", "#2f78ad"),
    ("ramp4", "#2676b0", "#5fa8d8"),
    ("ramp5", "#0b4a7d", "#b0dbf7"),
    ("below1", "#fae0cb", "#4a2d15"),
    ("below2", "#e8a06a", "#a15d2a"),
    ("below3", "#a84300", "#ffb98a"),
    ("panel", "#f6f8fa", "#161b22"),
];

/// How a line is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Dash {
    Solid,
    Long,
    Dots,
    Mixed,
    Short,
    LongDots,
}

/// The lengths of each dash, as SVG writes them.
pub(crate) const DASHES: &[&str] = &["", "8 4", "1.5 3.5", "8 3 2 3", "4 3", "12 3 2 3 2 3"];

/// How an area is hatched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Hatch {
    Rising = 1,
    Falling = 2,
}

/// In the place of a hatch: a text of which the width is fixed.
pub(crate) const HELD: u8 = 255;

/// Series in the order in which they are drawn: no two share colour, dash or marker.
pub(crate) const SERIES: &[(Role, Dash)] = &[
    (Role::Blue, Dash::Solid),
    (Role::Vermillion, Dash::Long),
    (Role::Green, Dash::Mixed),
    (Role::Purple, Dash::Short),
    (Role::Ochre, Dash::LongDots),
    (Role::Slate, Dash::Dots),
];

impl Role {
    pub(crate) fn plain(self) -> RGBAColor {
        RGBAColor(self as u8, 0, 0, 1.0)
    }

    /// See-through: 0 is nothing, 1 is opaque.
    pub(crate) fn sheer(self, opacity: f64) -> RGBAColor {
        RGBAColor(self as u8, 0, 0, opacity)
    }

    pub(crate) fn dashed(self, dash: Dash) -> RGBAColor {
        RGBAColor(self as u8, dash as u8, 0, 1.0)
    }

    /// Letters that must not be wider than measured, whatever the reader's font; with a line through them where they are gone.
    pub(crate) fn lettered(self, is_held: bool, is_struck: bool) -> RGBAColor {
        RGBAColor(self as u8, u8::from(is_struck), if is_held { HELD } else { 0 }, 1.0)
    }

    pub(crate) fn hatched(self, hatch: Hatch) -> RGBAColor {
        RGBAColor(self as u8, 0, hatch as u8, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn row(role: Role) -> (&'static str, &'static str, &'static str) {
        COLOURS[role as usize]
    }

    #[test]
    fn every_series_and_every_text_stands_out_from_its_paper() {
        let paper = row(Role::Paper);
        for role in SERIES.iter().map(|it| it.0).chain([Role::Ink, Role::Pale]) {
            let (name, light, dark) = row(role);
            assert!(contrast(light, paper.1) >= 4.0, "{name} on light: {}", contrast(light, paper.1));
            assert!(contrast(dark, paper.2) >= 4.0, "{name} on dark: {}", contrast(dark, paper.2));
        }
    }

    #[test]
    fn ramp_goes_one_way_in_both_lights() {
        let ramp: Vec<_> = (Role::Ramp0 as usize..=Role::Ramp5 as usize).map(|at| COLOURS[at]).collect();
        for pair in ramp.windows(2) {
            assert!(
                luminance(pair[0].1) > luminance(pair[1].1) && luminance(pair[0].2) < luminance(pair[1].2),
                "{pair:?}"
            );
        }
    }

    #[test]
    fn each_series_has_a_dash_of_its_own() {
        for (at, one) in SERIES.iter().enumerate() {
            assert!(SERIES.iter().skip(at + 1).all(|other| one.1 != other.1 && one.0 != other.0));
        }
        assert_eq!(COLOURS.len(), Role::Panel as usize + 1);
        assert_eq!(DASHES.len(), Dash::LongDots as usize + 1);
    }
}
