//! The binary frames of AWS (`application/vnd.amazon.eventstream`): lengths, headers, payload, two checksums.
//!
//! It knows nothing of models. Both checksums are looked at: a frame that is misread gives lengths out of nothing.

use super::frame::{Frame, FrameError, Framer};

/// Longest frame; AWS has 16 MiB. Danger: a length out of nothing, for which memory is filled.
pub(super) const FRAME_BYTES_MAX: usize = 16 << 20;
/// Lengths, and their checksum.
const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;
const HEADERS_BYTES_MAX: usize = 128 << 10;

#[derive(Default)]
pub(super) struct EventStream {
    buffer: Vec<u8>,
    start: usize,
    gone: u64,
    name: String,
}

impl Framer for EventStream {
    fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.gone += self.start as u64;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let at = self.gone + self.start as u64;
        let broken = |reason: &str| FrameError::Broken { at, reason: reason.to_owned() };
        let unread = self.buffer.get(self.start..).unwrap_or_default();
        let Some(prelude) = unread.get(..PRELUDE_BYTES) else { return Ok(None) };
        let (lengths, sum) = prelude.split_at(PRELUDE_BYTES - CHECKSUM_BYTES);
        if number(sum) != crc32(lengths) {
            return Err(broken("the checksum of a frame's length is wrong"));
        }
        let (total, headers) = lengths.split_at(4);
        let (total, headers) = (number(total) as usize, number(headers) as usize);
        if total > FRAME_BYTES_MAX {
            return Err(FrameError::TooLarge(format!("a frame is longer than {FRAME_BYTES_MAX} bytes")));
        }
        if headers > HEADERS_BYTES_MAX || total < PRELUDE_BYTES + headers + CHECKSUM_BYTES {
            return Err(broken("the lengths of a frame contradict each other"));
        }
        let Some(frame) = unread.get(..total) else { return Ok(None) };
        let (content, sum) = frame.split_at(total - CHECKSUM_BYTES);
        if number(sum) != crc32(content) {
            return Err(broken("the checksum of a frame is wrong"));
        }
        let headers_end = PRELUDE_BYTES + headers;
        let found = read_headers(content.get(PRELUDE_BYTES..headers_end).unwrap_or_default())
            .ok_or_else(|| broken("the headers of a frame cannot be read"))?;
        let data = self.start + headers_end..self.start + content.len();
        self.start += total;
        let is_exception = matches!(found.kind.as_str(), "exception" | "error");
        self.name = if is_exception { found.exception } else { found.event };
        Ok(Some(Frame { name: &self.name, is_exception, data: self.buffer.get(data).unwrap_or_default(), at }))
    }

    fn end(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        self.next()
    }
}

#[derive(Default)]
struct Headers {
    kind: String,
    event: String,
    exception: String,
}

fn read_headers(mut bytes: &[u8]) -> Option<Headers> {
    let mut headers = Headers::default();
    while let Some((length, rest)) = bytes.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (kind, rest) = rest.split_first()?;
        let value_bytes = match kind {
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            9 => 16,
            6 | 7 => 2 + usize::try_from(number(rest.get(..2)?)).ok()?,
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(value_bytes)?;
        if *kind == 7 {
            let text = String::from_utf8_lossy(value.get(2..)?).into_owned();
            match name {
                b":message-type" => headers.kind = text,
                b":event-type" => headers.event = text,
                b":exception-type" | b":error-code" => headers.exception = text,
                _ => {}
            }
        }
        bytes = rest;
    }
    Some(headers)
}

/// Big endian, of at most four bytes.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The checksum of zip files and Ethernet.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    let step = |sum: u32, byte: &u8| {
        let index = usize::from((sum as u8) ^ byte);
        sum >> 8 ^ TABLE.get(index).copied().unwrap_or_default()
    };
    !bytes.iter().fold(u32::MAX, step)
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut sum = index as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, value) in headers {
            bytes.push(u8::try_from(name.len()).unwrap());
            bytes.extend(name.as_bytes());
            bytes.push(7);
            bytes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            bytes.extend(value.as_bytes());
        }
        let total = u32::try_from(bytes.len() + payload.len() + 16).unwrap();
        let mut frame = Vec::new();
        frame.extend(total.to_be_bytes());
        frame.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        frame.extend(crc32(&frame).to_be_bytes());
        frame.extend(bytes);
        frame.extend(payload);
        frame.extend(crc32(&frame).to_be_bytes());
        frame
    }

    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_same_is_read_wherever_it_is_cut() {
        let stream = [
            frame(&[(":message-type", "event"), (":event-type", "a")], b"{}"),
            frame(&[(":message-type", "exception"), (":exception-type", "bad")], b"why"),
        ]
        .concat();
        for cut in 0..stream.len() {
            let mut framer = EventStream::default();
            let mut found = Vec::new();
            for piece in [&stream[..cut], &stream[cut..]] {
                framer.push(piece);
                while let Some(frame) = framer.next().unwrap() {
                    found.push((frame.name.to_owned(), frame.is_exception, frame.data.to_vec()));
                }
            }
            assert_eq!(found, [("a".into(), false, b"{}".to_vec()), ("bad".into(), true, b"why".to_vec())]);
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed_wherever_it_is() {
        let good = frame(&[(":message-type", "event"), (":event-type", "a")], b"{}");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let mut framer = EventStream::default();
            framer.push(&bad);
            assert!(framer.next().is_err(), "{at}");
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_it_is_waited_for() {
        let lengths = [u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_be_bytes(), 0_u32.to_be_bytes()].concat();
        let mut framer = EventStream::default();
        framer.push(&lengths);
        framer.push(&crc32(&lengths).to_be_bytes());
        assert!(matches!(framer.next(), Err(FrameError::TooLarge(_))));
    }
}
