//! Lines that are JSON objects or logfmt: the fields that matter, whatever a library calls them.
//!
//! A reader that needs no tree: it goes through the object once and keeps message, level, time, error and logger, at most `DEPTH_MAX` deep. What is no complete object is plain text, and is
//! not an error: a cut line still has a message.

use std::borrow::Cow;

use super::severity::Severity;
use super::stamp;

/// Objects in objects, such as `fields` of tracing or `kubernetes` of a collector; deeper ones are skipped. A line of brackets would overflow the stack otherwise.
const DEPTH_MAX: usize = 4;

/// What a structured line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields<'a> {
    pub(crate) message: Option<Cow<'a, str>>,
    pub(crate) level: Option<Severity>,
    pub(crate) time: Option<i64>,
    pub(crate) error: Option<Cow<'a, str>>,
    pub(crate) process: Option<Cow<'a, str>>,
    pub(crate) status: Option<u16>,
}

enum Field {
    Message,
    Level,
    Time,
    Error,
    Process,
    Status,
}

fn field(name: &str) -> Option<Field> {
    Some(match name {
        "message" | "msg" | "log" | "text" | "event" | "MESSAGE" | "Message" | "@message" | "short_message"
        | "body" => Field::Message,
        "level" | "severity" | "lvl" | "loglevel" | "log_level" | "levelname" | "severityText" | "severity_text"
        | "log.level" | "Level" | "PRIORITY" => Field::Level,
        "time" | "timestamp" | "ts" | "@timestamp" | "datetime" | "date" | "t" | "eventTime" | "Timestamp" | "@t" => {
            Field::Time
        }
        "error" | "err" | "exception" | "error.message" | "error_message" | "errorMessage" | "cause" | "reason"
        | "stack" | "stacktrace" | "stack_trace" | "exc_info" => Field::Error,
        "logger" | "logger_name" | "target" | "caller" | "component" | "service" | "module" | "app" => Field::Process,
        "status" | "status_code" | "statusCode" | "http_status" => Field::Status,
        _ => return None,
    })
}

impl<'a> Fields<'a> {
    fn take(&mut self, name: &str, value: Cow<'a, str>) {
        match field(name) {
            Some(Field::Message) if self.message.is_none() && !value.trim().is_empty() => self.message = Some(value),
            Some(Field::Level) if self.level.is_none() => self.level = Severity::parse(&value),
            Some(Field::Time) if self.time.is_none() => self.time = time(&value),
            Some(Field::Error)
                if self.error.is_none()
                    && !matches!(value.trim(), "" | "null" | "nil" | "none" | "None" | "false" | "0") =>
            {
                self.error = Some(value)
            }
            Some(Field::Process) if self.process.is_none() => self.process = Some(value),
            Some(Field::Status) if self.status.is_none() => self.status = value.parse().ok(),
            _ => {}
        }
    }

    /// The message with the error, which is where such lines say what happened.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        match (self.message, self.error) {
            (Some(message), Some(error)) if !message.contains(error.as_ref()) => {
                Some(Cow::Owned(format!("{message}: {error}")))
            }
            (Some(message), _) => Some(message),
            (None, error) => error,
        }
    }
}

fn time(value: &str) -> Option<i64> {
    // Seconds with many digits behind the point, as Go's zap writes them, lose nothing that matters.
    stamp::parse_time(value).or_else(|| {
        let seconds: f64 = value.parse().ok()?;
        let time = if seconds > 1e11 { seconds } else { seconds * 1000.0 };
        (9e11..4.2e12).contains(&time).then_some(time as i64)
    })
}

/// Reads a line that is one JSON object.
pub(crate) fn json(line: &str) -> Option<Fields<'_>> {
    let line = line.trim();
    if !line.starts_with('{') || !line.ends_with('}') {
        return None;
    }
    let mut fields = Fields::default();
    let end = object(line, 0, 0, &mut fields)?;
    (end == line.len() && (fields.message.is_some() || fields.error.is_some())).then_some(fields)
}

fn skip_space(text: &str, mut at: usize) -> usize {
    while text.as_bytes().get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

fn object<'a>(text: &'a str, at: usize, depth: usize, fields: &mut Fields<'a>) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = skip_space(text, at + 1);
    if bytes.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        let (name, end) = string(text, at)?;
        at = skip_space(text, end);
        (bytes.get(at) == Some(&b':')).then_some(())?;
        at = skip_space(text, at + 1);
        at = match bytes.get(at)? {
            b'"' => {
                let (value, end) = string(text, at)?;
                fields.take(&name, value);
                end
            }
            b'{' if depth + 1 < DEPTH_MAX => object(text, at, depth + 1, fields)?,
            b'{' | b'[' => nested_end(bytes, at)?,
            _ => {
                let length =
                    bytes.get(at..)?.iter().take_while(|byte| !matches!(byte, b',' | b'}' | b' ' | b'\n')).count();
                fields.take(&name, Cow::Borrowed(text.get(at..at + length)?));
                at + length
            }
        };
        at = skip_space(text, at);
        match bytes.get(at)? {
            b',' => at = skip_space(text, at + 1),
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

/// The end of an array or of an object that is not looked into.
fn nested_end(bytes: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = open;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b'"' => at = string_end(bytes, at)? - 1,
            _ => {}
        }
        at += 1;
    }
    None
}

/// After the closing quotation mark.
fn string_end(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn string(text: &str, open: usize) -> Option<(Cow<'_, str>, usize)> {
    let bytes = text.as_bytes();
    (bytes.get(open) == Some(&b'"')).then_some(())?;
    let end = string_end(bytes, open)?;
    let inside = text.get(open + 1..end - 1)?;
    if !inside.contains('\\') {
        return Some((Cow::Borrowed(inside), end));
    }
    Some((Cow::Owned(unescaped(inside)), end))
}

fn unescaped(inside: &str) -> String {
    let mut out = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at).unwrap_or(""));
        let mut after = rest.get(at + 1..).unwrap_or("").chars();
        match after.next() {
            Some('n' | 'r') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let digits = after.as_str().get(..4);
                if let Some(one) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
                    out.push(char::from_u32(one).unwrap_or(char::REPLACEMENT_CHARACTER));
                    rest = after.as_str().get(4..).unwrap_or("");
                    continue;
                }
            }
            Some(one) => out.push(one),
            None => {}
        }
        rest = after.as_str();
    }
    out.push_str(rest);
    out
}

/// Reads a line of `key=value` pairs that has a message or an error among them.
pub(crate) fn logfmt(line: &str) -> Option<Fields<'_>> {
    let bytes = line.as_bytes();
    // Nearly all lines are no logfmt: this is all that they pay.
    match memchr::memchr2(b'=', b' ', bytes) {
        Some(at) if at > 0 && bytes.get(at) == Some(&b'=') => {}
        _ => return None,
    }
    let mut fields = Fields::default();
    let mut at = 0;
    let mut pairs = 0usize;
    while at < bytes.len() {
        at = skip_space(line, at);
        let length = bytes.get(at..)?.iter().take_while(|byte| !matches!(byte, b'=' | b' ' | b'"')).count();
        let name = line.get(at..at + length)?;
        at += length;
        if bytes.get(at) != Some(&b'=') {
            // A word without a value.
            at = at.max(skip_space(line, at)) + usize::from(length == 0);
            continue;
        }
        at += 1;
        pairs += 1;
        if bytes.get(at) == Some(&b'"') {
            let Some((value, end)) = string(line, at) else { break };
            fields.take(name, value);
            at = end;
        } else {
            let length = bytes.get(at..)?.iter().take_while(|byte| **byte != b' ').count();
            fields.take(name, Cow::Borrowed(line.get(at..at + length)?));
            at += length;
        }
    }
    (pairs >= 2 && fields.message.is_some() && (fields.level.is_some() || fields.time.is_some() || pairs >= 3))
        .then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::{json, logfmt};
    use crate::logs::Severity;

    #[test]
    fn json_of_several_libraries_is_read() {
        for (line, message, level) in [
            (
                r#"{"level":"error","ts":1795447958.123,"caller":"a.go:1","msg":"cannot dial","error":"connection refused"}"#,
                "cannot dial: connection refused",
                Severity::Error,
            ),
            (
                r#"{"timestamp":"2026-11-23T15:32:38.000Z","level":"WARN","fields":{"message":"slow \"x\""},"target":"a::b"}"#,
                "slow \"x\"",
                Severity::Warning,
            ),
            (
                r#"{"level":50,"time":1795447958000,"pid":1,"msg":"boom","err":{"type":"Error","message":"x","list":[{"a":"]"}]}}"#,
                "boom",
                Severity::Error,
            ),
            (
                r#"{"@timestamp":"2026-11-23T15:32:38Z","log.level":"INFO","message":"gr\u00fcn","tags":["a","b"]}"#,
                "grün",
                Severity::Info,
            ),
        ] {
            let fields = json(line).unwrap();
            assert_eq!(fields.level, Some(level), "{line}");
            assert!(fields.time.is_some(), "{line}");
            assert_eq!(fields.text().unwrap(), message);
        }
    }

    #[test]
    fn what_is_no_whole_object_is_text() {
        for line in [
            "{",
            "{}",
            "{\"msg\":",
            "{\"msg\":\"a\"",
            "{\"a\":1}",
            "{\"msg\":\"a\"}}",
            "[1]",
            "{\"msg\" \"a\"}",
            "{\"msg\":\"a\\",
        ] {
            assert_eq!(json(line), None, "{line}");
        }
        assert_eq!(json(&format!("{}{}", "{\"a\":".repeat(50_000), "}".repeat(50_000))), None);
    }

    #[test]
    fn logfmt_is_read_and_parameters_in_a_sentence_are_not() {
        let fields =
            logfmt(r#"time="2026-11-23T15:32:38Z" level=error msg="pull failed" err="no such host" attempt=3"#)
                .unwrap();
        assert_eq!((fields.level, fields.time.is_some()), (Some(Severity::Error), true));
        assert_eq!(fields.text().unwrap(), "pull failed: no such host");
        for line in ["acquire lock=1, flags=0x1, msg=x", "ambient=30", "a=1 b=2", "= = =", "x=\"", ""] {
            assert_eq!(logfmt(line), None, "{line}");
        }
    }
}
