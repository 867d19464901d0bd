//! From lines to entries: control codes taken out, long lines cut, stack traces joined to the line that they belong to, headers read.
//!
//! A line that continues another is told by its text alone, and joined to the last entry of the same source; sources may be mixed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use memchr::memmem::Finder;

use serde::Serialize;

use super::header;
use super::severity::Severity;
use super::structured;

/// What is kept of a line. A line may be a megabyte, of which the beginning says what it is.
pub(crate) const LINE_BYTES_MAX: usize = 8192;
/// What an entry may grow to by continuation lines, and how many of them are looked at.
pub(crate) const ENTRY_BYTES_MAX: usize = 16 * 1024;
pub(crate) const CONTINUATIONS_MAX: usize = 400;
/// Sources whose last entry is remembered, so that their traces can be joined.
const SOURCES_MAX: usize = 1024;

/// A line as it was received.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogLine<'a> {
    /// Milliseconds since 1970, if the line came with a time; otherwise it is looked for in the text.
    pub time: Option<i64>,
    /// Where it came from: a pod, a host, a file.
    pub source: &'a str,
    /// The level that came with it.
    pub level: Option<&'a str>,
    pub message: &'a str,
}

/// A message with its header, and what was joined to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Entry<'a> {
    pub time: Option<i64>,
    pub severity: Option<Severity>,
    pub source: Cow<'a, str>,
    pub process: Option<Cow<'a, str>>,
    /// What the template is mined from.
    pub message: Cow<'a, str>,
    /// The lines joined to it: a stack trace.
    pub trace: String,
    /// How many lines it is made of.
    pub lines: u32,
    #[serde(skip)]
    marks: Marks,
}

/// What was seen of a trace, so that each line of it is looked at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Marks {
    is_python: bool,
    is_go: bool,
    is_panic: bool,
    was_indented: bool,
}

impl Marks {
    fn note(&mut self, text: &str) {
        self.is_python |= text.trim_start().starts_with("Traceback (most recent call last)");
        self.is_go |= text.starts_with("goroutine ");
        self.is_panic |= text.contains("panic") || text.contains("fatal error");
        self.was_indented = text.starts_with([' ', '\t']);
    }
}

/// Cuts at a border of a character.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let mut end = bytes_max;
    while end > 0 && !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

/// Takes out escape sequences and control characters, and cuts.
pub(crate) fn clean(line: &str) -> Cow<'_, str> {
    let line = cut(line, LINE_BYTES_MAX);
    let is_clean = !line.bytes().any(|byte| (byte < 32 && byte != b'\t') || byte == 127);
    if is_clean {
        return Cow::Borrowed(line.trim_end());
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(one) = rest.next() {
        match one {
            '\u{1b}' => match rest.next() {
                // "ESC [ parameters letter"
                Some('[') => {
                    for one in rest.by_ref() {
                        if ('\u{40}'..='\u{7e}').contains(&one) {
                            break;
                        }
                    }
                }
                // "ESC ] text BEL": a title.
                Some(']') => {
                    for one in rest.by_ref() {
                        if matches!(one, '\u{7}' | '\\') {
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\t' => out.push('\t'),
            one if one.is_control() => out.push(' '),
            one => out.push(one),
        }
    }
    out.truncate(out.trim_end().len());
    Cow::Owned(out)
}

/// Bytes as lines; what is no UTF-8 is replaced, and UTF-16 with its mark is read as such.
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    let wide = |bytes: &[u8], of: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes
            .chunks_exact(2)
            .map(|pair| of([pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0)]))
            .collect();
        Cow::Owned(String::from_utf16_lossy(&units))
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest),
        _ => String::from_utf8_lossy(bytes),
    }
}

/// Lines to entries, with traces joined. `reference` is a time near those of the lines, for stamps without a year.
pub fn entries<'a>(lines: &[LogLine<'a>], reference: Option<i64>) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::with_capacity(lines.len().min(1 << 20));
    let mut last_of: HashMap<&str, usize> = HashMap::new();
    // Most logs have one source, or runs of one: the map is asked only when it changes.
    let mut current: Option<(&str, usize)> = None;
    for line in lines {
        let text = clean(line.message);
        if text.trim().is_empty() {
            continue;
        }
        let last = match current {
            Some((source, at)) if source == line.source => Some(at),
            _ => last_of.get(line.source).copied(),
        };
        if let Some(entry) = last.and_then(|at| entries.get_mut(at))
            && continues(&text, entry)
        {
            join(entry, &text);
            continue;
        }
        entries.push(entry(line, text, reference));
        current = Some((line.source, entries.len() - 1));
        if last_of.len() >= SOURCES_MAX {
            last_of.clear();
        }
        last_of.insert(line.source, entries.len() - 1);
    }
    entries
}

fn entry<'a>(line: &LogLine<'a>, text: Cow<'a, str>, reference: Option<i64>) -> Entry<'a> {
    let given = line.level.and_then(Severity::parse);
    let (mut time, mut severity, process, message) = match text {
        Cow::Borrowed(text) => read(text, line.time.or(reference)),
        Cow::Owned(text) => {
            let (time, severity, process, message) = read(&text, line.time.or(reference));
            (time, severity, process.map(|process| Cow::Owned(process.into_owned())), Cow::Owned(message.into_owned()))
        }
    };
    if let Some(given) = line.time {
        time = Some(given);
    }
    severity = match (given, severity) {
        // What a collector says of a line is often `info` for all of them: the line's own level counts if it is worse.
        (Some(given), Some(own)) => Some(given.max(own)),
        (given, own) => given.or(own),
    };
    let mut marks = Marks::default();
    marks.note(&message);
    Entry {
        time,
        severity,
        source: Cow::Borrowed(line.source),
        process,
        message,
        trace: String::new(),
        lines: 1,
        marks,
    }
}

type Parts<'a> = (Option<i64>, Option<Severity>, Option<Cow<'a, str>>, Cow<'a, str>);

fn read(text: &str, reference: Option<i64>) -> Parts<'_> {
    let fields = if text.starts_with('{') { structured::json(text) } else { structured::logfmt(text) };
    if let Some(mut fields) = fields {
        let (time, mut level, process) = (fields.time, fields.level, fields.process.take());
        if level.is_none() && fields.status.is_some_and(|status| (500..600).contains(&status)) {
            level = Some(Severity::Error);
        }
        if let Some(message) = fields.text() {
            // A container's log is a line within a line: its own header says more.
            let inner = header::parse(message.trim(), reference);
            if inner.has_stamp || inner.level.is_some() {
                let (inner_time, inner_level, message) = (inner.time, inner.level, inner.message.to_owned());
                return (time.or(inner_time), level.max(inner_level), process, Cow::Owned(message));
            }
            return (time, level, process, message);
        }
    }
    let header = header::parse(text, reference);
    let severity = header.level.or_else(|| server_error(header.message));
    (header.time, severity, header.process.map(Cow::Borrowed), Cow::Borrowed(header.message))
}

/// A request that was answered with 5xx, in the common log format.
fn server_error(message: &str) -> Option<Severity> {
    static FINDER: OnceLock<Finder<'static>> = OnceLock::new();
    let at = FINDER.get_or_init(|| Finder::new(b" HTTP/")).find(message.as_bytes())?;
    let after = message.get(at + 6..)?;
    let mut words = after.split_ascii_whitespace();
    words.next()?;
    let status = words.next()?;
    (status.len() == 3 && status.starts_with('5') && status.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some(Severity::Error)
}

fn join(entry: &mut Entry<'_>, text: &str) {
    entry.lines = entry.lines.saturating_add(1);
    entry.marks.note(text);
    if entry.lines as usize > CONTINUATIONS_MAX || entry.trace.len() >= ENTRY_BYTES_MAX {
        return;
    }
    if !entry.trace.is_empty() {
        entry.trace.push('\n');
    }
    entry.trace.push_str(cut(text, ENTRY_BYTES_MAX - entry.trace.len().min(ENTRY_BYTES_MAX)));
    // Python names the error in the last line, which stands at the margin again.
    let is_margin = !text.starts_with([' ', '\t']);
    if is_margin && entry.marks.is_python {
        let head = if entry.message.starts_with("Traceback") { String::new() } else { format!("{}: ", entry.message) };
        if error_name(text).is_some() && head.len() + text.len() < LINE_BYTES_MAX {
            entry.message = Cow::Owned(format!("{head}{text}"));
            entry.severity = entry.severity.max(Some(Severity::Error));
        }
    }
}

/// `ValueError` of `ValueError: bad`, `psycopg2.OperationalError` of the same.
fn error_name(text: &str) -> Option<&str> {
    let name = text.split_once(':').map_or(text, |(name, _)| name);
    let is_name = !name.is_empty()
        && name.len() < 100
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$'));
    let ends = ["Error", "Exception", "Exit", "Interrupt", "Warning", "Timeout"];
    (is_name && ends.iter().any(|end| name.ends_with(end))).then_some(name)
}

/// Whether a line belongs to the entry before it.
fn continues(text: &str, entry: &Entry<'_>) -> bool {
    let bytes = text.as_bytes();
    let marks = entry.marks;
    match bytes.first() {
        Some(b' ' | b'\t') => {
            let inner = text.trim_start();
            // A stamp of its own makes it a line of its own, however far in it stands.
            let starts = [
                "at ",
                "File \"",
                "... ",
                "in ",
                "from ",
                "caused by",
                "Caused by",
                "Suppressed",
                "#",
                "| ",
                "goroutine",
                "where ",
                "note:",
                "^",
                "~",
                "-->",
                "=",
            ];
            if starts.iter().any(|start| inner.starts_with(start)) {
                return true;
            }
            let is_deep = bytes.first() == Some(&b'\t') || bytes.starts_with(b"  ");
            is_deep
                && (entry.lines > 1
                    || marks.is_python
                    || inner.contains(".go:")
                    || inner.contains(".rs:")
                    || !header::parse(inner, None).has_stamp)
        }
        Some(b'C') => text.starts_with("Caused by:") || text.starts_with("CONTEXT: "),
        Some(b'.') => text.starts_with("... ") && text.ends_with(" more"),
        Some(b'T') => {
            text.starts_with("Traceback (most recent call last)")
                && entry.severity >= Some(Severity::Error)
                && entry.lines == 1
        }
        Some(b'D') if marks.is_python => text.starts_with("During handling of the above exception"),
        Some(b'a') => text.starts_with("at ") && entry.lines > 1,
        Some(b'g') if text.starts_with("goroutine ") && text.ends_with("]:") => marks.is_panic || marks.is_go,
        Some(b'[') if text.starts_with("[signal ") => marks.is_panic,
        Some(b'n') => text.starts_with("note: run with `RUST_BACKTRACE"),
        Some(b's') if text.starts_with("stack backtrace:") => marks.is_panic,
        // The frame of a goroutine: "main.work(0x1, {0x2})", and the place on the line after it.
        Some(one) if one.is_ascii_alphabetic() => {
            (marks.is_go
                && !text.contains(' ') | text.starts_with("created by ")
                && text.contains(['(', '.'])
                && !header::parse(text, None).has_stamp)
                || ends_traceback(text, entry)
        }
        _ => false,
    }
}

fn ends_traceback(text: &str, entry: &Entry<'_>) -> bool {
    entry.lines > 1 && entry.marks.is_python && entry.marks.was_indented && error_name(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::{LogLine, clean, entries, text_of};
    use crate::logs::Severity;

    fn of(text: &str) -> Vec<super::Entry<'_>> {
        let lines: Vec<LogLine<'_>> = text.lines().map(|message| LogLine { message, ..LogLine::default() }).collect();
        entries(&lines, None)
    }

    #[test]
    fn traces_of_several_languages_are_one_entry() {
        for trace in [
            "2026-11-23 10:00:00 ERROR failed\njava.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)\n\t... 3 more\nCaused by: java.io.IOException: y\n\tat d.E.f(E.java:2)",
            "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    f()\nValueError: bad value",
            "panic: runtime error: index out of range [5] with length 3\ngoroutine 1 [running]:\nmain.work(0x1)\n\t/src/main.go:7 +0x1d\nmain.main()\n\t/src/main.go:3 +0x20",
            "thread 'main' panicked at src/main.rs:3:5:\n  boom\nstack backtrace:\n   0: rust_begin_unwind\n             at /rustc/x.rs:1\nnote: run with `RUST_BACKTRACE=full`",
            "TypeError: Cannot read properties of undefined\n    at handle (/app/a.js:3:9)\n    at process (/app/b.js:9:1)",
        ] {
            let text = format!("INFO before\n{trace}\nINFO after");
            let entries = of(&text);
            // Java's exception stands at the margin below the line that reports it.
            assert!(entries.len() <= 4, "{entries:#?}");
            assert!(entries.iter().any(|entry| entry.lines >= 3), "{entries:#?}");
            assert_eq!(entries.last().unwrap().message, "after", "{trace}");
        }
    }

    #[test]
    fn the_error_of_a_traceback_is_its_message() {
        let entries = of(
            "Traceback (most recent call last):\n  File \"a.py\", line 1\n    f()\npsycopg2.OperationalError: connection refused",
        );
        assert_eq!(entries[0].message, "psycopg2.OperationalError: connection refused");
        assert_eq!(entries[0].severity, Some(Severity::Error));
    }

    #[test]
    fn traces_of_mixed_sources_go_to_their_own() {
        let line = |source, message| LogLine { source, message, ..LogLine::default() };
        let entries = entries(
            &[
                line("a", "boom"),
                line("b", "fine"),
                line("a", "\tat x.Y.z(Y.java:1)"),
                line("b", "\tat u.V.w(V.java:1)"),
            ],
            None,
        );
        assert_eq!(entries.len(), 2);
        assert!(entries[0].trace.contains("x.Y.z") && entries[1].trace.contains("u.V.w"));
    }

    #[test]
    fn control_codes_are_no_text() {
        assert_eq!(clean("\u{1b}[31mERROR\u{1b}[0m x\u{0}y\u{1b}"), "ERROR x y");
        assert_eq!(text_of(&[0xFF, 0xFE, b'h', 0, b'i', 0]), "hi");
        assert_eq!(text_of(b"caf\xe9"), "caf\u{fffd}");
    }

    #[test]
    fn a_long_line_and_a_long_trace_are_cut() {
        let long = "x".repeat(1 << 20);
        let mut lines = vec![LogLine { message: &long, ..LogLine::default() }];
        let frame = format!("\tat {}", "y".repeat(3000));
        lines.extend(std::iter::repeat_n(LogLine { message: &frame, ..LogLine::default() }, 5000));
        let entries = entries(&lines, None);
        assert_eq!((entries.len(), entries[0].lines), (1, 5001));
        assert!(
            entries[0].message.len() <= super::LINE_BYTES_MAX
                && entries[0].trace.len() <= super::ENTRY_BYTES_MAX + 3001
        );
    }

    #[test]
    fn a_request_answered_with_5xx_is_an_error() {
        let entries = of(
            "10.0.0.1 - bob [23/Nov/2026:10:00:00 +0000] \"GET /a HTTP/1.1\" 503 12\n10.0.0.1 - - [23/Nov/2026:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 500",
        );
        assert_eq!((entries[0].severity, entries[1].severity), (Some(Severity::Error), None));
    }
}
