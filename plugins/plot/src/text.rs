//! Text from strangers: made harmless, measured, cut to the room there is, escaped.
//!
//! Widths are those of the embedded font; a reader whose own font is another sees much the same, so what is cut keeps a
//! little room. Characters that the font lacks count as wide ones: rather cut too early than drawn over the neighbour.

use std::sync::OnceLock;

use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider as _};

/// Inter by The Inter Project Authors, under the SIL Open Font License 1.1 (fonts/LICENSE.txt); Latin, Greek, Cyrillic
/// and signs alone.
pub(crate) const REGULAR: &[u8] = include_bytes!("../fonts/Inter-Regular.otf");
pub(crate) const BOLD: &[u8] = include_bytes!("../fonts/Inter-SemiBold.otf");

/// What is read of one text at all: a cell of a megabyte may stand where a name belongs.
const CHARACTERS_MAX: usize = 300;
/// A text may be this much wider in the reader's font than in ours.
const SLACK: f64 = 1.06;
/// Of a character that the font lacks, in parts of the size: such are ideograms and emoji.
const UNKNOWN_WIDTH: f64 = 1.25;

/// How strong a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

/// One line without anything that hides, turns or ends text.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars().filter(|c| !is_invisible(*c));
    for character in characters.by_ref().take(CHARACTERS_MAX) {
        match character {
            c if c.is_control() || c.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    if characters.next().is_some() {
        out.push('…');
    }
    out.trim().to_owned()
}

/// Characters that turn the direction, have no width, are private, or are no characters of XML.
pub(crate) fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
        | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
        || is_mark(character)
}

/// Marks that pile up on a letter: a hundred of them would draw over the whole picture.
fn is_mark(character: char) -> bool {
    matches!(character, '\u{0300}'..='\u{036f}' | '\u{0483}'..='\u{0489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// As the content of an element or the value of an attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Pixels that a text takes.
pub(crate) fn width(text: &str, size: f64, weight: Weight) -> f64 {
    let table = advances(weight);
    let parts: f64 = text
        .chars()
        .map(|c| {
            usize::try_from(u32::from(c)).ok().and_then(|at| table.get(at)).copied().flatten().unwrap_or(UNKNOWN_WIDTH)
        })
        .sum();
    parts * size
}

/// A text that is no wider than `room`, with an ellipsis where it was cut.
pub(crate) fn fit(text: &str, size: f64, weight: Weight, room: f64) -> String {
    let text = clean(text);
    let room = room / SLACK;
    if width(&text, size, weight) <= room {
        return text;
    }
    let mut left = room - width("…", size, weight);
    if left < 0.0 {
        return String::new();
    }
    let mut out = String::new();
    for character in text.chars() {
        left -= width(character.encode_utf8(&mut [0; 4]), size, weight);
        if left < 0.0 {
            break;
        }
        out.push(character);
    }
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

/// Advances by code point, in parts of the size; up to the last character that the font has.
fn advances(weight: Weight) -> &'static [Option<f64>] {
    static REGULAR_TABLE: OnceLock<Vec<Option<f64>>> = OnceLock::new();
    static BOLD_TABLE: OnceLock<Vec<Option<f64>>> = OnceLock::new();
    match weight {
        Weight::Regular => REGULAR_TABLE.get_or_init(|| read(REGULAR)),
        Weight::Bold => BOLD_TABLE.get_or_init(|| read(BOLD)),
    }
}

fn read(bytes: &[u8]) -> Vec<Option<f64>> {
    let Ok(font) = FontRef::new(bytes) else { return Vec::new() };
    let metrics = font.glyph_metrics(Size::new(1.0), LocationRef::default());
    let map = font.charmap();
    (0_u32..0x2800).map(|code| map.map(code).and_then(|glyph| metrics.advance_width(glyph)).map(f64::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_characters_are_gone_and_long_texts_end() {
        assert_eq!(clean("a\u{202e}b\u{200b}c\n\td\u{0}e"), "abc d e");
        assert_eq!(clean("z\u{0301}\u{0301}\u{0301}"), "z");
        assert_eq!(clean(&"x".repeat(10_000)).chars().count(), CHARACTERS_MAX + 1);
        assert_eq!(escape("</svg><script>'\"&"), "&lt;/svg&gt;&lt;script&gt;&#39;&quot;&amp;");
    }

    #[test]
    fn both_weights_are_measured_and_the_bold_one_is_wider() {
        let (regular, bold) = (width("orders", 12.0, Weight::Regular), width("orders", 12.0, Weight::Bold));
        assert!((30.0..50.0).contains(&regular) && bold > regular, "{regular} {bold}");
        assert!((width("語", 10.0, Weight::Regular) - 12.5).abs() < 1e-9);
    }

    #[test]
    fn what_is_cut_fits_and_what_fits_is_whole() {
        let long = "customers_by_region_and_month_of_the_first_order";
        for room in [0.0, 3.0, 20.0, 80.0, 200.0] {
            let cut = fit(long, 12.0, Weight::Regular, room);
            assert!(
                width(&cut, 12.0, Weight::Regular) <= room && (cut.is_empty() || cut.ends_with('…')),
                "{room} {cut}"
            );
        }
        assert_eq!(fit(long, 12.0, Weight::Regular, 500.0), long);
        assert_eq!(fit("", 12.0, Weight::Regular, 0.0), "");
    }
}
