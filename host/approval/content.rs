//! What a write would put into a file, for who decides about it: the difference to what is there now,
//! or its first lines.

use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use similar::TextDiff;

use super::mask::masked;
use crate::gate::WriteMode;
use crate::gate::explain::escaped;

/// Lines that are shown. Danger: a question that scrolls itself away.
const LINES_MAX: usize = 80;
const LINE_CHARS_MAX: usize = 300;
/// Larger texts are not compared. Danger: a comparison that takes minutes.
const COMPARED_BYTES_MAX: u64 = 256 << 10;
/// Around a change.
const CONTEXT_LINES: usize = 3;

/// What is shown of what an act writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Lines that are escaped, without secrets.
    pub lines: Vec<String>,
    /// All of it is shown: nobody agrees to what they could not read.
    pub is_whole: bool,
}

impl Content {
    /// Of a write. Reads the file that is there: not on a runtime thread.
    #[must_use]
    pub fn of_write(path: &Path, bytes: &[u8], mode: WriteMode) -> Self {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Self {
                lines: vec![format!("({} bytes that are no text)", bytes.len())],
                is_whole: bytes.is_empty(),
            };
        };
        let old = if mode == WriteMode::Replace { text_of(path) } else { None };
        match old {
            Some(old) if bytes.len() as u64 <= COMPARED_BYTES_MAX => Self::cut(&difference(&old, text)),
            _ => Self::cut(text),
        }
    }

    fn cut(text: &str) -> Self {
        let count = text.lines().count();
        let mut is_whole = count <= LINES_MAX;
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines().take(LINES_MAX) {
            let mut shown: String = line.chars().take(LINE_CHARS_MAX).collect();
            if shown.len() < line.len() {
                is_whole = false;
                shown.push('…');
            }
            lines.push(masked(&escaped(&shown)));
        }
        if count > LINES_MAX {
            lines.push(format!("and {} lines more, which are not shown", count - LINES_MAX));
        }
        Self { lines, is_whole }
    }
}

/// What changes, with a few lines around it. Without a change that lines show: that.
fn difference(old: &str, new: &str) -> String {
    if old == new {
        return "(what is there already)".to_owned();
    }
    let diff = TextDiff::from_lines(old, new);
    diff.unified_diff().context_radius(CONTEXT_LINES).to_string()
}

fn text_of(path: &Path) -> Option<String> {
    let found = path.metadata().ok().filter(|found| found.is_file() && found.len() <= COMPARED_BYTES_MAX)?;
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(found.len()).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_as_a_difference() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "a\nb\nc\n").unwrap();
        let content = Content::of_write(&path, b"a\nB\nc\n", WriteMode::Replace);
        assert_eq!(content.lines, ["@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"]);
        assert!(content.is_whole);
    }

    #[test]
    fn what_is_new_is_shown_escaped_and_without_secrets() {
        let content = Content::of_write(Path::new("/none"), b"x\x1b[2K\nTOKEN=abc\n", WriteMode::Create);
        assert_eq!(content.lines, ["x\\u{1b}[2K", "TOKEN=[hidden: 3 characters]"]);
    }

    #[test]
    fn what_is_cut_is_not_whole() {
        let long = "x\n".repeat(LINES_MAX + 7);
        let content = Content::of_write(Path::new("/none"), long.as_bytes(), WriteMode::Append);
        assert!(!content.is_whole && content.lines.last().unwrap().starts_with("and 7 lines more"));
        let wide = "x".repeat(LINE_CHARS_MAX + 1);
        assert!(!Content::of_write(Path::new("/none"), wide.as_bytes(), WriteMode::Create).is_whole);
        assert!(!Content::of_write(Path::new("/none"), &[0xff], WriteMode::Create).is_whole);
    }
}
