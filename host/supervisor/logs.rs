//! The latest lines of a service: the tails of its log files and of its captured output, in one order.
//!
//! A line's time is read where it stands at the line's beginning. A line without one (a stack trace)
//! stays behind the line it followed. A file without any time is placed by when it was last written.

use std::fs;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::open;

/// Lines of one answer.
pub(crate) const LINES_MAX: usize = 1_000;
/// A line longer than this is cut: a log of one endless line must not become one endless answer.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Read from the end of one file, and answered in all.
const TAIL_BYTES_MAX: u64 = 4 << 20;
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// Files of a log folder that are read.
const FILES_MAX: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Milliseconds since 1970.
    pub time_ms: Option<u64>,
    pub source: PathBuf,
    pub message: String,
}

/// The latest `lines` lines of `files`, oldest first. A folder stands for the files in it.
pub(crate) fn latest(files: &[PathBuf], lines: usize, project: &Path) -> Vec<LogLine> {
    let lines = lines.clamp(1, LINES_MAX);
    let mut all: Vec<(u64, LogLine)> = files
        .iter()
        .flat_map(|file| if file.is_dir() { newest_in(file) } else { vec![file.clone()] })
        .flat_map(|file| placed(&file, tail(&file, lines, project)))
        .collect();
    // Stable: what has the same place stays in the order of the files and of their lines.
    all.sort_by_key(|(place, _)| *place);
    let mut left = ANSWER_BYTES_MAX;
    let mut latest: Vec<LogLine> = all
        .into_iter()
        .rev()
        .take(lines)
        .map(|(_, line)| line)
        .take_while(|line| {
            let fits = line.message.len() <= left;
            left = left.saturating_sub(line.message.len());
            fits
        })
        .collect();
    latest.reverse();
    latest
}

/// Bytes as text: what is no text, and what would steer a terminal, is shown and not obeyed.
pub(crate) fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for c in String::from_utf8_lossy(bytes).chars() {
        match c {
            '\n' | '\t' => text.push(c),
            '\r' => {}
            c if c.is_control() => text.extend(c.escape_default()),
            c => text.push(c),
        }
    }
    text
}

fn newest_in(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<(u64, PathBuf)> =
        super::disk::files_below(folder).into_iter().map(|(path, _)| (modified_ms(&path), path)).collect();
    files.sort_by(|a, b| b.cmp(a));
    files.into_iter().take(FILES_MAX).map(|(_, path)| path).collect()
}

/// The last `lines` lines of a file, oldest first.
fn tail(path: &Path, lines: usize, project: &Path) -> Vec<String> {
    let read = || -> std::io::Result<(u64, Vec<u8>)> {
        let mut file = open::open(path, project)?;
        let start = file.metadata()?.len().saturating_sub(TAIL_BYTES_MAX);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok((start, bytes))
    };
    let (start, bytes) = match read() {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return vec![format!("[not read: {error}]")],
        Err(_) => return Vec::new(),
    };
    let mut found: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    if found.last().is_some_and(|last| last.is_empty()) {
        found.pop();
    }
    // The first one began before what was read, unless it is all there is.
    let cut = usize::from(start > 0 && found.len() > 1);
    let first = found.len().saturating_sub(lines).max(cut);
    found.get(first..).unwrap_or_default().iter().map(|line| cut_line(line)).collect()
}

fn cut_line(line: &[u8]) -> String {
    let mut text = readable(line.get(..LINE_BYTES_MAX).unwrap_or(line));
    if text.len() > LINE_BYTES_MAX || line.len() > LINE_BYTES_MAX {
        text.truncate(text.floor_char_boundary(LINE_BYTES_MAX));
        text.push_str(" [cut]");
    }
    text
}

/// Each line with its place in time.
fn placed(path: &Path, lines: Vec<String>) -> Vec<(u64, LogLine)> {
    let times: Vec<Option<u64>> = lines.iter().map(|line| time_of(line)).collect();
    let first = times.iter().flatten().next().copied();
    let mut place = first.unwrap_or_else(|| modified_ms(path));
    lines
        .into_iter()
        .zip(times)
        .map(|(message, time_ms)| {
            // Never backwards within a file: its own order is the truth.
            place = place.max(time_ms.unwrap_or(place));
            (place, LogLine { time_ms, source: path.to_owned(), message })
        })
        .collect()
}

fn modified_ms(path: &Path) -> u64 {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap_or(UNIX_EPOCH);
    modified.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The time at a line's beginning: RFC 3339, `2026-01-02 03:04:05` (in UTC, the zone that
/// the environment of a service names; with a fraction after `.` or `,`), or seconds or milliseconds since 1970.
fn time_of(line: &str) -> Option<u64> {
    let line = line.trim_start_matches(['[', ' ', '"']);
    let word = line.split([' ', ']', '\t', '"', '|']).next()?;
    if let Ok(time) = word.parse::<jiff::Timestamp>() {
        return u64::try_from(time.as_millisecond()).ok();
    }
    if word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('-') {
        let length = line.find(|c: char| !(c.is_ascii_digit() || "-: T.,".contains(c))).unwrap_or(line.len());
        // A second word that is no time belongs to the message.
        let two: Vec<&str> = line.get(..length)?.split(' ').take(2).collect();
        let text = two.join(" ").replace(',', ".");
        let civil: DateTime = text.trim_end_matches(['.', ':', '-']).parse().ok()?;
        if !text.contains(':') {
            return None;
        }
        let time = TimeZone::UTC.to_timestamp(civil).ok()?;
        return u64::try_from(time.as_millisecond()).ok();
    }
    epoch(word)
}

fn epoch(word: &str) -> Option<u64> {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, ""));
    if !whole.bytes().all(|byte| byte.is_ascii_digit()) || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = whole.parse().ok()?;
    match whole.len() {
        13 => Some(number),
        10 => {
            let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
            Some(number.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_usual_times() {
        assert_eq!(time_of("2026-01-02T03:04:05.678Z up"), Some(1_767_323_045_678));
        assert_eq!(time_of("[2026-01-02T04:04:05+01:00] up"), Some(1_767_323_045_000));
        assert_eq!(time_of("1767323045.5 up"), Some(1_767_323_045_500));
        assert_eq!(time_of("1767323045678 up"), Some(1_767_323_045_678));
        assert_eq!(time_of("2026-01-02 03:04:05,678 INFO up"), Some(1_767_323_045_678));
        assert_eq!(time_of("2026-01-02 03:04:05 42 requests"), Some(1_767_323_045_000));
    }

    #[test]
    fn takes_no_other_number_for_a_time() {
        for line in ["", "42 requests", "2026-01-02 done", "10.0.0.1 - GET /", "error: 1767323045", "12345678901 x"] {
            assert_eq!(time_of(line), None, "{line}");
        }
    }

    #[test]
    fn merges_by_time_and_keeps_a_trace_behind_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.log"), folder.path().join("b.log"));
        fs::write(&a, "2026-01-02T03:04:01Z one\n  at x\n2026-01-02T03:04:03Z three\n").unwrap();
        fs::write(&b, "2026-01-02T03:04:02Z two\n").unwrap();
        let messages: Vec<String> = latest(&[a, b], 10, folder.path()).into_iter().map(|line| line.message).collect();
        let ends: Vec<&str> = messages.iter().map(|m| m.rsplit(' ').next().unwrap()).collect();
        assert_eq!(ends, ["one", "x", "two", "three"]);
    }

    #[test]
    fn answers_the_last_lines_and_no_more_than_a_thousand() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        let text: String = (0..1_500).map(|number| format!("line {number}\n")).collect();
        fs::write(&log, text).unwrap();
        let few = latest(std::slice::from_ref(&log), 2, folder.path());
        assert_eq!(few.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["line 1498", "line 1499"]);
        assert_eq!(latest(&[log], 5_000, folder.path()).len(), LINES_MAX);
    }

    #[test]
    fn cuts_a_long_line_and_shows_binary() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        fs::write(&log, vec![b'x'; LINE_BYTES_MAX + 1]).unwrap();
        let cut = latest(std::slice::from_ref(&log), 1, folder.path());
        assert_eq!(cut[0].message.len(), LINE_BYTES_MAX + " [cut]".len());
        fs::write(&log, b"a\x1b[2Jb\xff\n").unwrap();
        assert_eq!(latest(&[log], 1, folder.path())[0].message, "a\\u{1b}[2Jb\u{fffd}");
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        assert!(tail(Path::new("/dev/zero"), 5, Path::new("/tmp")).is_empty());
    }
}
