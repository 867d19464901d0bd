//! The tool `read`: a part of a text file by lines, or a binary file as bytes.
//!
//! The file is read in ranges, so that its size does not matter. The text of the result is the
//! file's own, unchanged; what there is to say about it is a part of its own.

use pi_sdk::files::{self, Kind};
use pi_sdk::{Blob, Content, Error, Value};

use crate::{kind, number, text};

/// Lines of a result that does not say how many.
const LINES_DEFAULT: u64 = 2_000;
/// Most bytes of text in one result: it is read by a model or a person.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// Bytes of one range.
const RANGE_BYTES: u32 = 64 << 10;
/// Largest binary file that is handed over: it is whole or useless.
const BLOB_BYTES_MAX: u64 = 8 << 20;

pub(crate) fn read(arguments: &Value) -> Result<Vec<Content>, Error> {
    let path = text(arguments, "path")?;
    let line = number(arguments, "offset");
    let limit = number(arguments, "limit").unwrap_or(LINES_DEFAULT);
    let mut part = match number(arguments, "from_byte") {
        Some(byte) => Part::from_byte(byte, limit),
        None => Part::from_line(line.unwrap_or(1), limit),
    };
    let mut at = part.first_byte;
    loop {
        let bytes = files::read(path, at, RANGE_BYTES)?;
        if at == 0 && kind::is_binary(&bytes) {
            return blob(path);
        }
        if bytes.is_empty() {
            part.is_at_end = true;
            break;
        }
        at += bytes.len() as u64;
        if part.take(&bytes) {
            break;
        }
    }
    if part.is_at_end && part.lines_to_skip > 0 {
        return Err(Error::InvalidArguments(format!(
            "`offset` is beyond the end, the file has {} lines: `{path}`",
            part.lines_seen
        )));
    }
    if !part.is_at_end && part.is_full() {
        // Full, and perhaps just at the end.
        part.is_at_end = files::read(path, part.next_byte(), 1)?.is_empty();
    }
    Ok(part.into_content())
}

fn blob(path: &str) -> Result<Vec<Content>, Error> {
    let metadata = files::stat(path, true)?;
    if metadata.kind == Kind::File && metadata.size > BLOB_BYTES_MAX {
        return Err(Error::Failed(format!(
            "a binary file of {} bytes, and {BLOB_BYTES_MAX} is the most that is handed over: `{path}`",
            metadata.size
        )));
    }
    let length = u32::try_from(BLOB_BYTES_MAX).unwrap_or(u32::MAX);
    let bytes = files::read(path, 0, length)?;
    Ok(vec![Content::Blob(Blob { mime: kind::media_type(&bytes).to_owned(), bytes })])
}

/// The lines that were asked for, as they come in.
struct Part {
    first_byte: u64,
    /// The number of the first line, if it is known.
    first_line: Option<u64>,
    lines_to_skip: u64,
    lines_left: u64,
    /// Line ends before the part, and one more for a last line without an end.
    lines_seen: u64,
    is_in_line: bool,
    bytes: Vec<u8>,
    is_at_end: bool,
}

impl Part {
    fn from_line(line: u64, limit: u64) -> Self {
        Self {
            first_byte: 0,
            first_line: Some(line),
            lines_to_skip: line.saturating_sub(1),
            lines_left: limit,
            lines_seen: 0,
            is_in_line: false,
            bytes: Vec::new(),
            is_at_end: false,
        }
    }

    fn from_byte(byte: u64, limit: u64) -> Self {
        Self { first_byte: byte, first_line: None, ..Self::from_line(1, limit) }
    }

    /// Take what belongs to the part; true when it is full.
    fn take(&mut self, mut range: &[u8]) -> bool {
        while self.lines_to_skip > 0 {
            let Some(end) = range.iter().position(|byte| *byte == b'\n') else {
                self.first_byte += range.len() as u64;
                if !range.is_empty() && !self.is_in_line {
                    self.is_in_line = true;
                    self.lines_seen += 1;
                }
                return false;
            };
            if !self.is_in_line {
                self.lines_seen += 1;
            }
            self.is_in_line = false;
            self.lines_to_skip -= 1;
            self.first_byte += end as u64 + 1;
            range = range.get(end + 1..).unwrap_or_default();
        }
        for line in range.split_inclusive(|byte| *byte == b'\n') {
            if self.is_full() {
                return true;
            }
            let room = TEXT_BYTES_MAX.saturating_sub(self.bytes.len());
            let piece = line.get(..line.len().min(room)).unwrap_or_default();
            self.bytes.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.lines_left -= 1;
            }
        }
        self.is_full()
    }

    fn is_full(&self) -> bool {
        self.lines_left == 0 || self.bytes.len() >= TEXT_BYTES_MAX
    }

    fn next_byte(&self) -> u64 {
        self.first_byte + self.bytes.len() as u64
    }

    fn into_content(mut self) -> Vec<Content> {
        let mut remarks = Vec::new();
        if !self.is_at_end {
            self.drop_cut_character();
            remarks.push(self.how_to_go_on());
        }
        let text = match String::from_utf8(self.bytes) {
            Ok(text) => text,
            Err(error) => {
                remarks.push("bytes that are not UTF-8 are shown as U+FFFD".to_owned());
                String::from_utf8_lossy(error.as_bytes()).into_owned()
            }
        };
        let mut content = vec![Content::Text(text)];
        content.extend(remarks.into_iter().map(|remark| Content::Text(format!("[{remark}]"))));
        content
    }

    /// Where the part ends inside of a character, that character belongs to the next part.
    fn drop_cut_character(&mut self) {
        let Err(error) = std::str::from_utf8(&self.bytes) else { return };
        if error.error_len().is_none() && error.valid_up_to() > 0 {
            self.bytes.truncate(error.valid_up_to());
        }
    }

    fn how_to_go_on(&self) -> String {
        let lines = self.bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let what = match self.first_line {
            Some(first) if lines > 0 => format!("lines {first} to {} of more", first + lines - 1),
            _ => format!("bytes {} to {} of more", self.first_byte, self.next_byte()),
        };
        let cut = if self.bytes.ends_with(b"\n") { "" } else { ", the last line is cut" };
        format!("{what}{cut}; go on with `\"from_byte\": {}`", self.next_byte())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(mut part: Part, ranges: &[&[u8]]) -> Vec<String> {
        part.is_at_end = !ranges.iter().any(|range| part.take(range));
        part.into_content()
            .into_iter()
            .map(|content| match content {
                Content::Text(text) => text,
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_short_file_comes_as_it_stands() {
        assert_eq!(parts(Part::from_line(1, 10), &[b"a\r\n\xc3\xa4\nlast"]), ["a\r\nä\nlast"]);
        assert_eq!(parts(Part::from_line(1, 10), &[]), [""]);
    }

    #[test]
    fn skips_to_the_line_across_ranges() {
        assert_eq!(parts(Part::from_line(3, 10), &[b"1\n2", b"2\n3\n", b"4"]), ["3\n4"]);
    }

    #[test]
    fn a_full_part_says_how_to_go_on() {
        let said = parts(Part::from_line(2, 1), &[b"one\ntwo\nthree\n"]);
        assert_eq!(said, ["two\n", "[lines 2 to 2 of more; go on with `\"from_byte\": 8`]"]);
    }

    #[test]
    fn a_line_beyond_the_limit_is_cut_between_characters() {
        let long = "ä".repeat(TEXT_BYTES_MAX);
        let said = parts(Part::from_byte(1, 10), &[&long.as_bytes()[1..]]);
        assert_eq!(said.len(), 3, "the first byte was cut off by the caller: it is shown as U+FFFD");
        let said = parts(Part::from_line(1, 10), &[b"x", long.as_bytes()]);
        assert_eq!(said[0].len(), TEXT_BYTES_MAX - 1);
        assert_eq!(said[1], "[bytes 0 to 262143 of more, the last line is cut; go on with `\"from_byte\": 262143`]");
    }

    #[test]
    fn counts_the_lines_of_a_file_that_is_too_short() {
        let mut part = Part::from_line(9, 1);
        part.take(b"1\n2\nthree");
        part.take(b" and more");
        assert_eq!((part.lines_seen, part.lines_to_skip), (3, 6));
    }

    #[test]
    fn says_that_bytes_are_not_utf8() {
        let said = parts(Part::from_line(1, 10), &[b"caf\xe9\n"]);
        assert_eq!(said, ["caf\u{fffd}\n", "[bytes that are not UTF-8 are shown as U+FFFD]"]);
    }
}
