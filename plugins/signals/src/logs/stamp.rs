//! Time stamps in the forms that logs use, to milliseconds since 1970.
//!
//! ISO 8601 and RFC 3339, syslog (without a year), `ctime`, the common log format, Android, compact digits, seconds and milliseconds since 1970. A stamp without a zone counts as
//! UTC: nothing in a line says otherwise. One without a year takes the year that brings it nearest to the reference; without a reference it is used for order alone.

use crate::instant::days_of;

/// How sure a stamp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Full,
    /// The year is missing, and is that of the reference.
    WithoutYear,
    /// A day without a time, or a time without a day: a header, but no time.
    Partial,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) time: i64,
    pub(crate) form: Form,
}

const DAY: i64 = 86_400_000;

/// Reads a time of a field, such as `time` of an incident's log.
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let (stamp, length) = read(text.as_bytes(), None)?;
    (stamp.form == Form::Full && length + 6 >= text.len()).then_some(stamp.time)
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn ahead(&self, by: usize) -> u8 {
        self.text.get(self.at + by).copied().unwrap_or(0)
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == byte;
        self.at += usize::from(is_there);
        is_there
    }

    fn take_any(&mut self, bytes: &[u8]) -> bool {
        let is_there = self.peek() != 0 && bytes.contains(&self.peek());
        self.at += usize::from(is_there);
        is_there
    }

    fn digits(&self) -> usize {
        self.text.get(self.at..).map_or(0, |rest| rest.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count())
    }

    fn number(&mut self, length: usize) -> Option<i64> {
        let digits = self.text.get(self.at..self.at + length)?;
        let mut value = 0i64;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            value = value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
        }
        self.at += length;
        Some(value)
    }

    fn short(&mut self) -> Option<i64> {
        match self.digits() {
            length @ (1 | 2) => self.number(length),
            _ => None,
        }
    }

    fn month(&mut self) -> Option<i64> {
        const NAMES: [&[u8; 3]; 12] =
            [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
        let mut name = [0u8; 3];
        name.copy_from_slice(self.text.get(self.at..self.at + 3)?);
        name.make_ascii_lowercase();
        let month = NAMES.iter().position(|known| **known == name)?;
        self.at += 3;
        Some(month as i64 + 1)
    }

    fn spaces(&mut self) {
        while self.peek() == b' ' {
            self.at += 1;
        }
    }

    /// Milliseconds of the day.
    fn clock(&mut self) -> Option<i64> {
        let hour = self.short()?;
        if !self.take_any(b":.") {
            return None;
        }
        let minute = self.number(2)?;
        let mut second = 0;
        if matches!(self.peek(), b':' | b'.') && self.ahead(1).is_ascii_digit() {
            self.at += 1;
            second = self.number(2)?;
        }
        if hour > 24 || minute > 59 || second > 60 {
            return None;
        }
        let mut time = ((hour * 60 + minute) * 60 + second) * 1000;
        if matches!(self.peek(), b'.' | b',' | b':') && self.ahead(1).is_ascii_digit() {
            self.at += 1;
            time += self.fraction();
        }
        if self.peek() == b' ' && matches!(self.ahead(1), b'A' | b'P') && self.ahead(2) == b'M' {
            if self.ahead(1) == b'P' && hour < 12 {
                time += DAY / 2;
            } else if self.ahead(1) == b'A' && hour == 12 {
                time -= DAY / 2;
            }
            self.at += 3;
        }
        Some(time)
    }

    fn fraction(&mut self) -> i64 {
        let mut value = 0i64;
        for place in 0..self.digits() {
            if place < 3 {
                value = value * 10 + i64::from(self.peek() - b'0');
            }
            self.at += 1;
            if place < 2 && !self.peek().is_ascii_digit() {
                value *= if place == 0 { 100 } else { 10 };
            }
        }
        value
    }

    /// The offset of the zone, in milliseconds; none is UTC.
    fn zone(&mut self) -> i64 {
        let before = self.at;
        self.spaces();
        if self.take(b'Z') {
            return 0;
        }
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(b"UTC") || rest.starts_with(b"GMT")) {
            self.at += 3;
            return 0;
        }
        if matches!(self.peek(), b'+' | b'-') && self.ahead(1).is_ascii_digit() {
            let sign = if self.peek() == b'-' { -1 } else { 1 };
            self.at += 1;
            let length = self.digits();
            let hours = self.number(2);
            let has_minutes = length >= 4 || self.take(b':');
            let minutes = if has_minutes { self.number(2) } else { Some(0) };
            if let (Some(hours @ 0..=15), Some(minutes @ 0..=59), 2 | 4) = (hours, minutes, length) {
                return sign * (hours * 60 + minutes) * 60_000;
            }
        }
        self.at = before;
        0
    }
}

/// Reads a stamp at the start of the text; returns it and its length.
pub(crate) fn read(text: &[u8], reference: Option<i64>) -> Option<(Stamp, usize)> {
    let mut reader = Reader { text, at: 0 };
    let first = reader.peek();
    let stamp = if first.is_ascii_digit() {
        numeric(&mut reader, reference)?
    } else if first.is_ascii_alphabetic() {
        named(&mut reader, reference)?
    } else {
        return None;
    };
    if reader.peek().is_ascii_alphanumeric() {
        return None;
    }
    Some((stamp, reader.at))
}

fn full(year: i64, month: i64, day: i64, time: i64) -> Option<Stamp> {
    Some(Stamp { time: days_of(year, month, day)? * DAY + time, form: Form::Full })
}

fn without_year(month: i64, day: i64, time: i64, reference: Option<i64>) -> Option<Stamp> {
    // A reference beyond all calendars is none.
    let Some(reference) = reference.filter(|reference| reference.unsigned_abs() < 1 << 50) else {
        return Some(Stamp { time: days_of(2000, month, day)? * DAY + time, form: Form::WithoutYear });
    };
    let year = year_of(reference);
    let near = (year - 1..=year + 1)
        .filter_map(|year| Some(days_of(year, month, day)? * DAY + time))
        .min_by_key(|time| time.abs_diff(reference))?;
    Some(Stamp { time: near, form: Form::WithoutYear })
}

fn numeric(reader: &mut Reader<'_>, reference: Option<i64>) -> Option<Stamp> {
    match reader.digits() {
        4 => {
            let year = reader.number(4)?;
            let separator = reader.peek();
            if !reader.take_any(b"-/.") || !(1900..=2200).contains(&year) {
                return None;
            }
            let month = if reader.peek().is_ascii_alphabetic() { reader.month()? } else { reader.short()? };
            if !reader.take(separator) {
                return None;
            }
            let day = reader.short()?;
            if !matches!(reader.peek(), b'T' | b't' | b' ' | b'-' | b'_' | b':' | b',')
                || !reader.ahead(1).is_ascii_digit()
            {
                let stamp = full(year, month, day, 0)?;
                return Some(Stamp { form: Form::Partial, ..stamp });
            }
            let before = reader.at;
            reader.at += 1;
            match reader.clock() {
                Some(time) => {
                    let zone = reader.zone();
                    full(year, month, day, time - zone)
                }
                None => {
                    reader.at = before;
                    let stamp = full(year, month, day, 0)?;
                    Some(Stamp { form: Form::Partial, ..stamp })
                }
            }
        }
        8 => {
            let (year, month, day) = (reader.number(4)?, reader.number(2)?, reader.number(2)?);
            if !(1990..=2100).contains(&year) || !reader.take_any(b"-T _") {
                return None;
            }
            let time = if reader.digits() == 6 { compact_clock(reader)? } else { reader.clock()? };
            let zone = reader.zone();
            full(year, month, day, time - zone)
        }
        6 => {
            let (year, month, day) = (reader.number(2)?, reader.number(2)?, reader.number(2)?);
            if !reader.take(b' ') {
                return None;
            }
            let time = if reader.digits() == 6 { compact_clock(reader)? } else { reader.clock()? };
            full(2000 + year, month, day, time)
        }
        10 => {
            let seconds = reader.number(10)?;
            let mut time = seconds * 1000;
            if reader.peek() == b'.' && reader.ahead(1).is_ascii_digit() {
                reader.at += 1;
                time += reader.fraction();
            }
            (900_000_000..4_200_000_000).contains(&seconds).then_some(Stamp { time, form: Form::Full })
        }
        length @ (13 | 16 | 19) => {
            let value = reader.number(length)?;
            let time = value / 10i64.pow(length as u32 - 13);
            (900_000_000_000..4_200_000_000_000).contains(&time).then_some(Stamp { time, form: Form::Full })
        }
        1 | 2 => {
            let one = reader.short()?;
            let separator = reader.peek();
            if separator == b':' {
                reader.at = 0;
                let time = reader.clock()?;
                // "12:30" alone is too often something else.
                return (reader.at >= 7).then_some(Stamp { time, form: Form::Partial });
            }
            if !reader.take_any(b"-/. ") {
                return None;
            }
            if reader.peek().is_ascii_alphabetic() {
                let month = reader.month()?;
                if !reader.take_any(b"-/ ") {
                    return None;
                }
                let year = reader.number(4)?;
                if !reader.take_any(b": ") {
                    return None;
                }
                let time = reader.clock()?;
                let zone = reader.zone();
                return full(year, month, one, time - zone);
            }
            if separator == b' ' {
                return None;
            }
            let two = reader.short()?;
            if reader.take(separator) {
                // Two digits of a year first, as Hadoop and Spark write it; a year of four digits comes last.
                let length = reader.digits();
                let three = reader.number(if length == 4 { 4 } else { 2 })?;
                if !reader.take_any(b" T,") {
                    return None;
                }
                reader.spaces();
                let time = reader.clock()?;
                return match length {
                    4 if one > 12 => full(three, two, one, time),
                    4 => full(three, one, two, time),
                    _ => full(2000 + one, two, three, time),
                };
            }
            if !reader.take(b' ') {
                return None;
            }
            let time = reader.clock()?;
            without_year(one, two, time, reference)
        }
        _ => None,
    }
}

fn compact_clock(reader: &mut Reader<'_>) -> Option<i64> {
    let (hour, minute, second) = (reader.number(2)?, reader.number(2)?, reader.number(2)?);
    (hour < 25 && minute < 60 && second < 61).then_some(((hour * 60 + minute) * 60 + second) * 1000)
}

fn named(reader: &mut Reader<'_>, reference: Option<i64>) -> Option<Stamp> {
    const DAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    if reader.text.get(..3).is_some_and(|name| DAYS.iter().any(|day| day.as_slice() == name)) {
        reader.at = 3;
        reader.take(b',');
        if !reader.take(b' ') {
            return None;
        }
        if reader.peek().is_ascii_digit() {
            let day = reader.short()?;
            reader.take_any(b" -");
            let month = reader.month()?;
            reader.take_any(b" -");
            let year = reader.number(4)?;
            reader.spaces();
            let time = reader.clock()?;
            let zone = reader.zone();
            return full(year, month, day, time - zone);
        }
    }
    let month = reader.month()?;
    if !reader.take(b' ') {
        return None;
    }
    reader.spaces();
    let day = reader.short()?;
    reader.take(b',');
    if !reader.take(b' ') {
        return None;
    }
    reader.spaces();
    if reader.digits() == 4 {
        let year = reader.number(4)?;
        reader.spaces();
        let time = reader.clock()?;
        return full(year, month, day, time);
    }
    let time = reader.clock()?;
    let before = reader.at;
    reader.spaces();
    let zone = reader.zone();
    reader.spaces();
    if reader.digits() == 4 && !reader.ahead(4).is_ascii_alphanumeric() {
        let year = reader.number(4)?;
        if (1990..=2100).contains(&year) {
            return full(year, month, day, time - zone);
        }
    }
    reader.at = before;
    without_year(month, day, time, reference)
}

fn year_of(time: i64) -> i64 {
    // Close enough: the neighbours are tried as well.
    1970 + time.div_euclid(31_556_952_000)
}

#[cfg(test)]
mod tests {
    use super::{Form, parse_time, read};

    #[test]
    fn every_form_of_one_moment_reads_as_that_moment() {
        let expected = parse_time("2026-11-23T15:32:38Z").unwrap();
        assert_eq!(expected, 1_795_447_958_000);
        for text in [
            "2026-11-23 15:32:38",
            "2026-11-23T16:32:38+01:00",
            "2026-11-23 15:32:38,000 INFO",
            "2026/11/23 15:32:38 [error]",
            "2026-11-23-15.32.38.000000 R02",
            "20261123-15:32:38:000|x",
            "20261123T153238Z",
            "261123 153238 143 INFO",
            "26/11/23 15:32:38 INFO",
            "Mon Nov 23 15:32:38 2026",
            "Mon Nov 23 15:32:38 UTC 2026",
            "Mon, 23 Nov 2026 15:32:38 GMT",
            "23/Nov/2026:10:32:38 -0500",
            "23 Nov 2026 15:32:38.000 *",
            "Nov 23, 2026 3:32:38 PM",
            "1795447958",
            "1795447958.000",
            "1795447958000",
            "1795447958000000000",
            "Nov 23 15:32:38 combo",
            "11-23 15:32:38.000  1702",
            "11.23 15:32:38] x",
        ] {
            let (stamp, _) = read(text.as_bytes(), Some(expected)).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(stamp.time, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_stamp_is_not_read_as_one() {
        for text in [
            "",
            "12345",
            "1.2.3.4",
            "99/99/99 10:10:10",
            "Nov",
            "Marching on",
            "2026-13-40 10:10:10",
            "10:5",
            "9000000000000000",
            "2026-11-23x",
            "Mon",
        ] {
            assert!(read(text.as_bytes(), None).is_none_or(|(stamp, _)| stamp.form == Form::Partial), "{text}");
        }
        assert_eq!(parse_time("yesterday"), None);
    }

    #[test]
    fn a_stamp_without_a_year_takes_the_nearest() {
        let reference = parse_time("2026-01-01T00:10:00Z");
        let (stamp, _) = read(b"Dec 31 23:59:00 host", reference).unwrap();
        assert_eq!(Some(stamp.time), parse_time("2025-12-31T23:59:00Z"));
        assert_eq!(stamp.form, Form::WithoutYear);
    }
}
