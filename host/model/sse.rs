//! Server-sent events, as the standard has them: lines that end with CR, LF or both, fields, an empty line.
//!
//! It knows nothing of models. Pieces may be cut anywhere, in the middle of a character or of a field's name: only
//! bytes are looked at, and each byte once.

use super::frame::{Frame, FrameError, Framer};

/// Longest event. Danger: a line without an end fills the memory.
pub(super) const EVENT_BYTES_MAX: usize = 8 << 20;

#[derive(Default)]
pub(super) struct Sse {
    /// What is not read yet begins at `start`; up to `looked` there is no line's end.
    buffer: Vec<u8>,
    start: usize,
    looked: usize,
    /// Bytes that were taken out of the buffer before.
    gone: u64,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// Where the event began.
    at: u64,
    /// The line before ended with a CR, and an LF that follows belongs to it.
    is_after_cr: bool,
    is_begun: bool,
    is_given: bool,
}

impl Framer for Sse {
    fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.gone += self.start as u64;
            self.looked -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        if std::mem::take(&mut self.is_given) {
            self.name.clear();
            self.data.clear();
            self.has_data = false;
        }
        while let Some(line) = self.line()? {
            if !line.is_empty() {
                let (start, end) = (line.start, line.end);
                self.field(start, end)?;
                continue;
            }
            let at = std::mem::replace(&mut self.at, self.gone + self.start as u64);
            if self.has_data {
                self.is_given = true;
                let name = std::str::from_utf8(&self.name).unwrap_or_default();
                return Ok(Some(Frame { name, is_exception: false, data: &self.data, at }));
            }
            self.name.clear();
        }
        Ok(None)
    }

    /// Some servers end with the last line, without an empty one behind it.
    fn end(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        self.push(b"\n\n");
        self.next()
    }
}

impl Sse {
    /// The next whole line, without its end.
    fn line(&mut self) -> Result<Option<std::ops::Range<usize>>, FrameError> {
        if self.is_after_cr && self.start < self.buffer.len() {
            self.is_after_cr = false;
            if self.buffer.get(self.start) == Some(&b'\n') {
                self.start += 1;
                self.looked = self.looked.max(self.start);
            }
        }
        if !self.is_begun && self.buffer.len() >= 3 {
            self.is_begun = true;
            if self.gone == 0 && self.start == 0 && self.buffer.starts_with(b"\xef\xbb\xbf") {
                self.start = 3;
                self.looked = 3;
            }
        }
        let unread = self.buffer.get(self.looked..).unwrap_or_default();
        let Some(length) = unread.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            self.looked = self.buffer.len();
            if self.looked - self.start > EVENT_BYTES_MAX {
                return Err(FrameError::TooLarge(format!("an event is longer than {EVENT_BYTES_MAX} bytes")));
            }
            return Ok(None);
        };
        let end = self.looked + length;
        self.is_after_cr = self.buffer.get(end) == Some(&b'\r');
        let line = self.start..end;
        self.start = end + 1;
        self.looked = self.start;
        Ok(Some(line))
    }

    fn field(&mut self, start: usize, end: usize) -> Result<(), FrameError> {
        let line = self.buffer.get(start..end).unwrap_or_default();
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            Some(at) => (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default()),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                if self.data.len() + value.len() > EVENT_BYTES_MAX {
                    return Err(FrameError::TooLarge(format!("an event is longer than {EVENT_BYTES_MAX} bytes")));
                }
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
                self.has_data = true;
            }
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            // Comments, ids and what is not known.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut sse = Sse::default();
        let mut found = Vec::new();
        for piece in pieces {
            sse.push(piece);
            while let Some(frame) = sse.next().unwrap() {
                found.push((frame.name.to_owned(), String::from_utf8_lossy(frame.data).into_owned()));
            }
        }
        while let Some(frame) = sse.end().unwrap() {
            found.push((frame.name.to_owned(), String::from_utf8_lossy(frame.data).into_owned()));
        }
        found
    }

    fn pair(name: &str, data: &str) -> (String, String) {
        (name.into(), data.into())
    }

    #[test]
    fn reads_fields_comments_and_several_lines() {
        let text =
            b"\xef\xbb\xbf: hello\nevent: a\ndata: 1\ndata:2\nid: 7\n\nretry: 3\n\ndata\n\nevent: x\n\ndata: end";
        assert_eq!(events(&[text]), [pair("a", "1\n2"), pair("", ""), pair("", "end")]);
    }

    #[test]
    fn the_same_is_read_wherever_it_is_cut() {
        let text = "event: a\r\ndata: gr\u{fc}n \u{1f642}\r\n\r\n: ping\rdata: x\r\rdata: y\n\n".as_bytes();
        let whole = events(&[text]);
        assert_eq!(whole, [pair("a", "grün 🙂"), pair("", "x"), pair("", "y")]);
        for first in 0..text.len() {
            for second in first..text.len() {
                assert_eq!(events(&[&text[..first], &text[first..second], &text[second..]]), whole, "{first} {second}");
            }
        }
    }

    #[test]
    fn says_where_an_event_began() {
        let mut sse = Sse::default();
        sse.push(b"data: 1\n\n");
        assert_eq!(sse.next().unwrap().unwrap().at, 0);
        assert!(sse.next().unwrap().is_none());
        sse.push(b"data: 2\n\ndata: 3\n\n");
        assert_eq!(sse.next().unwrap().unwrap().at, 9);
        assert_eq!(sse.next().unwrap().unwrap().at, 18);
    }

    #[test]
    fn a_line_without_an_end_is_refused_at_the_limit() {
        let mut sse = Sse::default();
        sse.push(&vec![b'x'; EVENT_BYTES_MAX]);
        assert!(sse.next().unwrap().is_none());
        sse.push(b"x");
        assert!(matches!(sse.next(), Err(FrameError::TooLarge(_))));
    }

    #[test]
    fn an_event_of_many_lines_is_refused_at_the_limit() {
        let mut sse = Sse::default();
        let line = [b"data: ".as_slice(), &vec![b'x'; 1 << 20], b"\n"].concat();
        for _ in 0..7 {
            sse.push(&line);
            assert!(sse.next().unwrap().is_none());
        }
        sse.push(&line);
        sse.push(&line);
        assert!(matches!(sse.next(), Err(FrameError::TooLarge(_))));
    }
}
