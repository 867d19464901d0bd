//! The same picture as PNG, for channels that take no SVG.
//!
//! The SVG that is drawn anyway is rendered with resvg and the embedded font, so the two cannot differ. (Plotters' own
//! bitmaps have jagged lines, and neither dashes nor hatching.) Characters that the font lacks, such as ideograms, are empty boxes.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::text::{BOLD, REGULAR};
use crate::{BYTES_MAX, Chart, Error, Look, Picture, Theme, draw};

/// A picture may be so many times as large as its SVG, for screens with fine pixels.
pub const SCALE_MAX: u32 = 3;

/// Draw a chart as PNG, `scale` pixels for each of the SVG. A picture larger than a megabyte is drawn at a smaller scale.
///
/// # Errors
/// As [`draw`].
pub fn png(chart: &Chart, look: &Look, scale: u32) -> Result<(Vec<u8>, Picture), Error> {
    if !(1..=SCALE_MAX).contains(&scale) {
        return Err(Error::invalid("scale", format!("{scale}; 1 to {SCALE_MAX} are allowed")));
    }
    let theme = if look.theme == Theme::Auto { Theme::Light } else { look.theme };
    let picture = draw(chart, &Look { theme, ..*look })?;
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(REGULAR.to_vec());
    fonts.load_font_data(BOLD.to_vec());
    let options = Options { font_family: "Inter".to_owned(), fontdb: Arc::new(fonts), ..Options::default() };
    let tree = Tree::from_str(&picture.svg, &options).map_err(|error| Error::Failed(error.to_string()))?;
    for scale in (1..=scale).rev() {
        let bytes = rendered(&tree, &picture, scale)?;
        if bytes.len() <= BYTES_MAX {
            return Ok((bytes, picture));
        }
    }
    Err(Error::Failed(format!("the picture is larger than {BYTES_MAX} bytes")))
}

fn rendered(tree: &Tree, picture: &Picture, scale: u32) -> Result<Vec<u8>, Error> {
    let size = (picture.width.saturating_mul(scale), picture.height.saturating_mul(scale));
    let mut pixels = Pixmap::new(size.0, size.1).ok_or_else(|| Error::Failed("the picture has no size".to_owned()))?;
    resvg::render(tree, Transform::from_scale(scale as f32, scale as f32), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| Error::Failed(error.to_string()))
}
