//! A message as tokens: literal pieces, marks, and variables that can be told by their shape alone.
//!
//! One setting for all systems. A variable is what holds a digit, a path, an address, a URL, a truth value, what stands in quotes, what follows `key=`, a date's month, a
//! number with its unit; neighbouring variables are one, since lists differ in their length. It errs on the side of masking: two events that differ in a number alone are
//! rarer than one event with an unexpected form of number. Knows nothing of other messages: that is the miner's.

use std::hash::{BuildHasherDefault, Hasher};

/// What of a message is looked at; a line may be a megabyte.
pub(crate) const MESSAGE_BYTES_MAX: usize = 2048;
/// A message has at most so many tokens; what follows is one variable. It bounds the time for each new form of message.
pub(crate) const TOKENS_MAX: usize = 80;
/// How far the end of a quotation or a bracket is looked for; without a bound a line of quotes takes quadratic time.
const SPAN_BYTES_MAX: usize = 400;

/// So many tokens before a request make it what the message is about.
const HEAD_TOKENS: usize = 4;

pub(crate) const VARIABLE: u64 = 0x9E37_79B9_7F4A_7C15;

/// Keys are already hashes: they are taken as they are.
#[derive(Default, Clone)]
pub(crate) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = word_hash(bytes);
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

pub(crate) type WordHash = BuildHasherDefault<Identity>;

/// A hash by eight bytes at a time, the same on every machine.
pub(crate) fn word_hash(bytes: &[u8]) -> u64 {
    let mut state = 0x243F_6A88_85A3_08D3 ^ (bytes.len() as u64);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut eight = [0u8; 8];
        eight.copy_from_slice(chunk);
        state = fold(state ^ u64::from_le_bytes(eight));
    }
    let mut last = 0u64;
    for byte in chunks.remainder() {
        last = (last << 8) | u64::from(*byte);
    }
    fold(state ^ last)
}

#[inline]
pub(crate) fn fold(value: u64) -> u64 {
    let wide = u128::from(value ^ 0xA076_1D64_78BD_642F).wrapping_mul(0xE703_7ED1_A0B4_28DB);
    (wide as u64) ^ ((wide >> 64) as u64)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Told by its shape.
    Variable,
    /// A piece of text that may yet turn out to be a name.
    Piece,
    /// `= : ( ) [ ] { } |`
    Mark(u8),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) hash: u64,
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) kind: Kind,
    /// No white space between this and what stands before it.
    pub(crate) is_tight: bool,
    /// A comma without white space stands before it: one list.
    pub(crate) is_listed: bool,
    /// A comma stands before it.
    pub(crate) is_after_comma: bool,
}

impl Token {
    pub(crate) fn text<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        message.get(self.start as usize..self.end as usize).unwrap_or(&[])
    }
}

const SPACE: u8 = 0;
const WORD: u8 = 1;
const MARK: u8 = 2;
const DROP: u8 = 3;
const QUOTE: u8 = 4;
const DIGIT: u8 = 5;

const CLASSES: [u8; 256] = {
    let mut classes = [WORD; 256];
    let mut byte = 0;
    while byte <= 32 {
        classes[byte] = SPACE;
        byte += 1;
    }
    classes[127] = SPACE;
    let marks = b"=:()[]{}|";
    let mut at = 0;
    while at < marks.len() {
        classes[marks[at] as usize] = MARK;
        at += 1;
    }
    classes[b',' as usize] = DROP;
    classes[b';' as usize] = DROP;
    classes[b'"' as usize] = QUOTE;
    classes[b'`' as usize] = QUOTE;
    classes[b'<' as usize] = DROP;
    classes[b'>' as usize] = DROP;
    let mut digit = b'0';
    while digit <= b'9' {
        classes[digit as usize] = DIGIT;
        digit += 1;
    }
    classes
};

#[inline]
fn class(byte: u8) -> u8 {
    CLASSES.get(byte as usize).copied().unwrap_or(WORD)
}

#[inline]
fn at(message: &[u8], index: usize) -> u8 {
    message.get(index).copied().unwrap_or(b' ')
}

#[inline]
fn is_wordy(byte: u8) -> bool {
    matches!(class(byte), WORD | DIGIT)
}

/// Reads tokens of one message into a buffer that is used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    pub(crate) list: Vec<Token>,
    has_comma: bool,
    /// A quotation or a value of `key=` holds words: two messages of one form may then say different things.
    pub(crate) has_free_text: bool,
}

impl Tokens {
    /// Reads the message and returns the hash of its form.
    pub(crate) fn read(&mut self, message: &[u8]) -> u64 {
        self.list.clear();
        self.has_comma = false;
        self.has_free_text = message.len() > MESSAGE_BYTES_MAX;
        let message = message.get(..MESSAGE_BYTES_MAX).unwrap_or(message);
        let mut index = 0;
        while index < message.len() {
            if self.list.len() >= TOKENS_MAX {
                self.has_free_text = true;
                self.variable(index, message.len(), false);
                break;
            }
            let byte = at(message, index);
            index = match class(byte) {
                SPACE => index + 1,
                DROP => {
                    self.has_comma |= byte == b',';
                    index + 1
                }
                QUOTE => self.quotation(message, index, byte),
                MARK => self.mark(message, index, byte),
                _ if byte == b'\'' => self.quotation(message, index, byte),
                _ => self.piece(message, index),
            };
        }
        self.list.iter().fold(0, |state: u64, token| fold(state.rotate_left(7) ^ token.hash))
    }

    fn previous(&self) -> Option<&Token> {
        self.list.last()
    }

    fn push(&mut self, start: usize, end: usize, kind: Kind, hash: u64) {
        let is_tight = self.previous().is_some_and(|token| token.end as usize == start);
        let is_listed = self.has_comma && self.previous().is_some_and(|token| token.end as usize + 1 == start);
        let is_after_comma = std::mem::take(&mut self.has_comma);
        self.list.push(Token { hash, start: start as u32, end: end as u32, kind, is_tight, is_listed, is_after_comma });
    }

    /// A variable, joined to the one before it.
    fn variable(&mut self, start: usize, end: usize, joins_over_colon: bool) {
        match self.list.as_mut_slice() {
            [.., last] if last.kind == Kind::Variable => {
                last.end = end as u32;
                self.has_comma = false;
                return;
            }
            [.., last, colon]
                if joins_over_colon
                    && colon.kind == Kind::Mark(b':')
                    && colon.is_tight
                    && last.kind == Kind::Variable =>
            {
                last.end = end as u32;
                self.list.pop();
                return;
            }
            _ => {}
        }
        self.push(start, end, Kind::Variable, VARIABLE);
    }

    fn literal(&mut self, message: &[u8], start: usize, end: usize) {
        let text = message.get(start..end).unwrap_or(&[]);
        self.push(start, end, Kind::Piece, word_hash(text));
    }

    fn quotation(&mut self, message: &[u8], start: usize, quote: u8) -> usize {
        let limit = message.len().min(start + SPAN_BYTES_MAX);
        let inside = message.get(start + 1..limit).unwrap_or(&[]);
        let mut from = 0;
        let end = loop {
            let Some(found) = inside.get(from..).and_then(|rest| memchr::memchr(quote, rest)) else { break None };
            let close = from + found;
            let is_escaped = close > 0 && at(inside, close - 1) == b'\\' && quote == b'"';
            let is_apostrophe = quote == b'\'' && is_wordy(at(message, start + 2 + close));
            if !is_escaped && !is_apostrophe {
                break Some(close);
            }
            from = close + 1;
        };
        let Some(length) = end else { return start + 1 };
        let end = start + 1 + length;
        let text = inside.get(..length).unwrap_or(&[]);
        self.has_free_text |= has_words(text);
        if let Some(method) = method(text).filter(|_| self.list.len() <= HEAD_TOKENS) {
            // `GET` and `DELETE` of a resource are two events, if the message is about the request; further on it is a parameter.
            self.literal(message, start + 1, start + 1 + method);
            self.push(start + 1 + method, end, Kind::Variable, VARIABLE);
        } else {
            self.variable(start, end + 1, false);
        }
        end + 1
    }

    fn mark(&mut self, message: &[u8], index: usize, byte: u8) -> usize {
        match byte {
            b'(' => {
                if let Some(close) = command_in_brackets(message, index) {
                    self.push(index, index + 1, Kind::Mark(byte), u64::from(byte));
                    self.has_free_text = true;
                    self.push(index + 1, close, Kind::Variable, VARIABLE);
                    return close;
                }
            }
            b')' | b']' | b'}' if self.previous().is_some_and(|token| token.kind == Kind::Mark(opening(byte))) => {
                // An empty parameter is a parameter.
                self.push(index, index, Kind::Variable, VARIABLE);
            }
            b'=' => return self.assignment(message, index),
            _ => {}
        }
        self.push(index, index + 1, Kind::Mark(byte), u64::from(byte));
        index + 1
    }

    fn assignment(&mut self, message: &[u8], index: usize) -> usize {
        let next = at(message, index + 1);
        let has_key =
            matches!(self.previous(), Some(Token { kind: Kind::Piece | Kind::Variable | Kind::Mark(b')' | b']'), .. }));
        self.push(index, index + 1, Kind::Mark(b'='), u64::from(b'='));
        if !has_key || next == b'=' || next == b'>' {
            return index + 1;
        }
        let mut start = index + 1;
        while start < message.len() && class(at(message, start)) == SPACE {
            start += 1;
        }
        let end = value_end(message, start);
        let is_key_itself = at(message, end) == b'=' && at(message, end + 1) != b'=';
        let quoted = matches!(at(message, start), b'"' | b'\'');
        if end == start || (start > index + 1 && is_key_itself && !quoted) {
            self.push(index + 1, index + 1, Kind::Variable, VARIABLE);
            return index + 1;
        }
        self.has_free_text |= has_words(message.get(start..end).unwrap_or(&[]));
        self.push(start, end, Kind::Variable, VARIABLE);
        end
    }

    fn piece(&mut self, message: &[u8], start: usize) -> usize {
        let first = at(message, start);
        if first == b'/' || (first == b'~' && at(message, start + 1) == b'/') || is_drive(message, start) {
            let end = path_end(message, start);
            if end > start + 1 || first != b'/' {
                self.variable(start, end, false);
                return end;
            }
        }
        if (first.is_ascii_hexdigit() || first == b':')
            && message.get(start..message.len().min(start + 5)).is_some_and(|near| near.contains(&b':'))
        {
            let end = address_end(message, start);
            if end > start {
                self.variable(start, end, true);
                return end;
            }
        }
        let mut end = start;
        let mut has_digit = false;
        let mut slashes = 0usize;
        let mut is_address = false;
        while end < message.len() {
            let byte = at(message, end);
            match class(byte) {
                DIGIT => has_digit = true,
                WORD => match byte {
                    b'/' => slashes += 1,
                    b'@' if end > start => is_address = true,
                    b'\\' | b'%' => is_address = true,
                    b'.' if at(message, end + 1) == b'.' => break,
                    _ => {}
                },
                MARK if byte == b':' => {
                    if at(message, end + 1) == b':' && is_wordy(at(message, end + 2)) && end > start {
                        end += 2;
                        continue;
                    }
                    if at(message, end + 1) == b'/' && at(message, end + 2) == b'/' && end > start {
                        let end = path_end(message, end);
                        self.variable(start, end, false);
                        return end;
                    }
                    break;
                }
                _ => break,
            }
            end += 1;
        }
        let resume = skip_dots(message, end).max(start + 1);
        let (from, to) = trimmed(message, start, end);
        if from >= to {
            return resume;
        }
        let text = message.get(from..to).unwrap_or(&[]);
        let follows_number = self.previous().is_some_and(|token| {
            token.kind == Kind::Variable
                && at(message, token.end as usize - (token.end > token.start) as usize).is_ascii_alphanumeric()
        });
        if has_digit
            || is_address
            || slashes >= 2
            || is_truth(text)
            || is_hexadecimal(text)
            || is_host_with_port(message, text, to)
        {
            self.variable(from, to, true);
        } else if follows_number && is_unit(text) {
            if let Some(last) = self.list.last_mut() {
                last.end = to as u32;
            }
        } else if text.len() == 3 && is_calendar(text) && precedes_date(message, resume) {
            self.variable(from, to, false);
        } else if follows_number
            && text.len() > 3
            && text.last() == Some(&b's')
            && text.iter().all(u8::is_ascii_lowercase)
        {
            // "1 second", "2 seconds".
            let singular = text.get(..text.len() - 1).unwrap_or(text);
            self.push(from, to, Kind::Piece, word_hash(singular));
        } else {
            self.literal(message, from, to);
        }
        resume
    }
}

/// Whether a value may say something: it holds a run of letters that is no path and no unit.
fn has_words(text: &[u8]) -> bool {
    let is_name = memchr::memchr(b'.', text).is_some()
        && text.iter().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_' | b'/' | b':')
        });
    if text.first() == Some(&b'/') || is_truth(text) || is_name || method(text).is_some() {
        return false;
    }
    let mut run = 0usize;
    for byte in text {
        run = if byte.is_ascii_alphabetic() { run + 1 } else { 0 };
        if run >= 5 {
            return true;
        }
    }
    false
}

fn opening(close: u8) -> u8 {
    match close {
        b')' => b'(',
        b']' => b'[',
        _ => b'{',
    }
}

/// `(run-parts /etc/cron.hourly)`: a command line is one parameter, however many words it has.
fn command_in_brackets(message: &[u8], open: usize) -> Option<usize> {
    let limit = message.len().min(open + SPAN_BYTES_MAX);
    let inside = message.get(open + 1..limit)?;
    let close = memchr::memchr3(b')', b'(', b'=', inside)?;
    let text = inside.get(..close)?;
    (inside.get(close) == Some(&b')')
        && memchr::memchr(b' ', text).is_some()
        && (text.first() == Some(&b'/') || memchr::memmem::find(text, b" /").is_some()))
    .then_some(open + 1 + close)
}

/// The end of what follows `key=`: to the white space, over brackets and quotations that it opens.
fn value_end(message: &[u8], start: usize) -> usize {
    let limit = message.len().min(start + SPAN_BYTES_MAX);
    let quote = at(message, start);
    if matches!(quote, b'"' | b'\'') && start < limit {
        let inside = message.get(start + 1..limit).unwrap_or(&[]);
        if let Some(close) = memchr::memchr(quote, inside) {
            return start + 2 + close;
        }
    }
    let mut depth = 0usize;
    let mut end = start;
    while end < limit {
        match at(message, end) {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                if depth == 0 {
                    break;
                }
                depth -= 1;
            }
            b',' | b';' | b'|' | b'=' if depth == 0 => break,
            byte if depth == 0 && class(byte) == SPACE => break,
            _ => {}
        }
        end += 1;
    }
    if depth == 0 {
        return end;
    }
    // A bracket that is never closed: only to the white space.
    let mut end = start;
    while end < limit && !matches!(class(at(message, end)), SPACE | DROP) {
        end += 1;
    }
    end
}

fn path_end(message: &[u8], start: usize) -> usize {
    let mut end = start;
    while end < message.len() {
        let byte = at(message, end);
        let is_end = match byte {
            b'"' | b'<' | b'>' | b')' | b']' | b'}' | b'|' => true,
            b',' | b';' | b':' => class(at(message, end + 1)) == SPACE,
            _ => class(byte) == SPACE,
        };
        if is_end {
            break;
        }
        end += 1;
    }
    end.max(start + 1)
}

/// The end of a hardware address or an IPv6 address, `00:de:ad:be:ef:00`; the start if there is none.
fn address_end(message: &[u8], start: usize) -> usize {
    let (mut end, mut colons, mut group) = (start, 0usize, 0usize);
    while end < message.len() {
        match at(message, end) {
            b':' => (colons, group) = (colons + 1, 0),
            byte if byte.is_ascii_hexdigit() && group < 4 => group += 1,
            b'.' | b'%' if colons >= 2 => {}
            byte if is_wordy(byte) => return start,
            _ => break,
        }
        end += 1;
    }
    // What ends with a colon is a label.
    if colons >= 2 && group > 0 { end } else { start }
}

fn is_drive(message: &[u8], start: usize) -> bool {
    at(message, start).is_ascii_alphabetic() && at(message, start + 1) == b':' && at(message, start + 2) == b'\\'
}

fn skip_dots(message: &[u8], mut end: usize) -> usize {
    while at(message, end) == b'.' && end < message.len() {
        end += 1;
    }
    end
}

/// Without the punctuation at both ends, which is not part of a word.
fn trimmed(message: &[u8], mut start: usize, mut end: usize) -> (usize, usize) {
    while start < end
        && matches!(
            at(message, end - 1),
            b'.' | b'!' | b'?' | b'\'' | b'*' | b'-' | b'+' | b'&' | b'/' | b'#' | b'~' | b'^'
        )
    {
        end -= 1;
    }
    while start < end
        && matches!(at(message, start), b'-' | b'+' | b'*' | b'&' | b'#' | b'.' | b'~' | b'^' | b'!' | b'?')
    {
        start += 1;
    }
    (start, end)
}

/// The length of the method, for `GET /path HTTP/1.1`.
fn method(text: &[u8]) -> Option<usize> {
    let end = memchr::memchr(b' ', text)?;
    let word = text.get(..end)?;
    is_method(word).then_some(end)
}

pub(crate) fn is_method(word: &[u8]) -> bool {
    matches!(word, b"GET" | b"POST" | b"PUT" | b"DELETE" | b"HEAD" | b"PATCH" | b"OPTIONS" | b"CONNECT" | b"TRACE")
}

fn is_truth(text: &[u8]) -> bool {
    matches!(
        text,
        b"true"
            | b"false"
            | b"null"
            | b"True"
            | b"False"
            | b"TRUE"
            | b"FALSE"
            | b"NULL"
            | b"nil"
            | b"None"
            | b"YES"
            | b"NO"
            | b"undefined"
            | b"NaN"
            | b"localhost"
    )
}

fn is_hexadecimal(text: &[u8]) -> bool {
    text.len() >= 8 && text.iter().all(u8::is_ascii_hexdigit)
}

/// `proxy.example.org:5070`: the name belongs to the number.
fn is_host_with_port(message: &[u8], text: &[u8], end: usize) -> bool {
    at(message, end) == b':'
        && at(message, end + 1).is_ascii_digit()
        && memchr::memchr(b'.', text).is_some()
        && text.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'.' | b'-'))
}

fn is_unit(text: &[u8]) -> bool {
    matches!(
        text,
        b"B" | b"KB"
            | b"MB"
            | b"GB"
            | b"TB"
            | b"kB"
            | b"KiB"
            | b"MiB"
            | b"GiB"
            | b"TiB"
            | b"K"
            | b"M"
            | b"G"
            | b"T"
            | b"kb"
            | b"mb"
            | b"gb"
            | b"ms"
            | b"us"
            | b"ns"
            | b"s"
            | b"sec"
            | b"secs"
            | b"min"
            | b"mins"
            | b"h"
            | b"hr"
            | b"hrs"
            | b"AM"
            | b"PM"
            | b"UTC"
            | b"GMT"
            | b"MHz"
            | b"GHz"
            | b"Mbps"
            | b"Gbps"
    )
}

fn is_calendar(text: &[u8]) -> bool {
    matches!(
        text,
        b"Jan"
            | b"Feb"
            | b"Mar"
            | b"Apr"
            | b"May"
            | b"Jun"
            | b"Jul"
            | b"Aug"
            | b"Sep"
            | b"Oct"
            | b"Nov"
            | b"Dec"
            | b"Mon"
            | b"Tue"
            | b"Wed"
            | b"Thu"
            | b"Fri"
            | b"Sat"
            | b"Sun"
    )
}

fn precedes_date(message: &[u8], mut index: usize) -> bool {
    while index < message.len() && matches!(class(at(message, index)), SPACE | DROP) {
        index += 1;
    }
    at(message, index).is_ascii_digit()
        || message.get(index..index + 3).is_some_and(|text| is_calendar(text) && class(at(message, index + 3)) == SPACE)
}

#[cfg(test)]
mod tests {
    use super::{Kind, Tokens};

    fn shown(message: &str) -> String {
        let mut tokens = Tokens::default();
        tokens.read(message.as_bytes());
        let parts: Vec<String> = tokens
            .list
            .iter()
            .map(|token| match token.kind {
                Kind::Variable => "<*>".to_owned(),
                _ => String::from_utf8_lossy(token.text(message.as_bytes())).into_owned(),
            })
            .collect();
        parts.join(" ")
    }

    #[test]
    fn what_has_the_shape_of_a_value_is_masked() {
        for (message, expected) in [
            (
                "Receiving block blk_-16 src: /10.0.0.1:54106 dest: /10.0.0.2:50010",
                "Receiving block <*> src : <*> dest : <*>",
            ),
            ("close, 403 bytes sent, lifetime <1 sec", "close <*> byte sent lifetime <*>"),
            (
                "auth failure; logname= uid=0 tty=ssh ruser= rhost=a.b user=root",
                "auth failure logname = <*> uid = <*> tty = <*> ruser = <*> rhost = <*> user = <*>",
            ),
            ("Times: total = 40, boot = -1", "Times : total = <*> boot = <*>"),
            ("(root) CMD (run-parts /etc/cron.hourly)", "( root ) CMD ( <*> )"),
            ("1.2.3.4 \"GET /v2/x HTTP/1.1\" status: 200", "<*> GET <*> status : <*>"),
            ("Fan speeds ( 3552 3534 3375 )", "Fan speeds ( <*> )"),
            ("program interrupt: fp compare......0", "program interrupt : fp compare <*>"),
            ("at Sat Jun 18 02:08:10 2005", "at <*>"),
            ("took 1 second (5.2 KB), free 3 MB", "took <*> second ( <*> ) free <*>"),
            ("can't open 'a b' of \"x\"", "can't open <*> of <*>"),
            ("win=Surface(name=com.x/y) by Session{3 a b}", "win = <*> by Session { <*> a b }"),
            ("DHCPOFFER to de:ad:be:ef:00:aa via 10.0.0.1 <a@b>", "DHCPOFFER to <*> via <*>"),
            ("std::sys::start() in C:\\Windows\\a.dll", "std::sys::start ( <*> ) in <*>"),
        ] {
            assert_eq!(shown(message).replace("bytes", "byte"), expected, "{message}");
        }
    }
}
