//! What stands before a message: time, level, host, process, in the many forms in which systems write them.
//!
//! No form is asked for by name: a stamp is looked for among the first words, a level after it, and what stands between two parts of a header is header as well. Whether a line has
//! a header is decided by that line alone, so lines of different systems may be mixed. JSON and logfmt are `structured`'s.

use super::severity::Severity;
use super::stamp::{self, Form};
use super::vocabulary::is_word;

/// How far into a line a header may reach.
const HEADER_BYTES_MAX: usize = 320;
/// Words before the stamp.
const BEFORE_STAMP_MAX: usize = 6;
/// Words between the stamp and the level.
const BEFORE_LEVEL_MAX: usize = 5;

/// A line, taken apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    pub(crate) time: Option<i64>,
    pub(crate) has_stamp: bool,
    pub(crate) level: Option<Severity>,
    pub(crate) host: Option<&'a str>,
    pub(crate) process: Option<&'a str>,
    pub(crate) message: &'a str,
}

/// Takes a line apart; what cannot be told is message.
pub(crate) fn parse(line: &str, reference: Option<i64>) -> Header<'_> {
    let mut header = Header { message: line, ..Header::default() };
    let mut at = 0;
    match find_stamp(line, reference) {
        Some(found) => {
            header.has_stamp = true;
            header.time = (found.stamp.form != Form::Partial).then_some(found.stamp.time);
            header.level =
                found.letter.and_then(Severity::of_letter).or_else(|| level_at(line, 0).map(|(level, _)| level));
            at = skip_marks(line, found.end);
            if found.is_syslog && header.level.is_none() {
                at = syslog(line, at, &mut header);
            }
        }
        None => {
            if let Some((level, end)) = level_at(line, 0)
                .filter(|(_, end)| line.as_bytes().get(*end).is_none_or(|byte| !byte.is_ascii_alphanumeric()))
            {
                header.level = Some(level);
                at = skip_marks(line, end);
            }
        }
    }
    if header.has_stamp {
        at = more_stamps(line, at, reference, &mut header);
        if header.level.is_none() {
            at = find_level(line, at, &mut header);
        }
        at = after_level(line, at, &mut header);
    }
    let message = line.get(at..).unwrap_or(line).trim();
    // A line that is all header says what its header says.
    header.message = if message.is_empty() { line.trim() } else { message };
    header
}

struct FoundStamp {
    stamp: stamp::Stamp,
    end: usize,
    is_syslog: bool,
    /// Kubernetes' `I1123 15:32:38.123456`.
    letter: Option<u8>,
}

fn find_stamp(line: &str, reference: Option<i64>) -> Option<FoundStamp> {
    let bytes = line.as_bytes();
    let mut at = 0;
    if let Some(letter @ (b'I' | b'W' | b'E' | b'F')) = bytes.first().copied()
        && let (Some(month @ [_, _]), Some(day @ [_, _]), Some(b' ')) = (bytes.get(1..3), bytes.get(3..5), bytes.get(5))
        && month.iter().chain(day).all(u8::is_ascii_digit)
    {
        let text = [month, b"-", day, b" ", bytes.get(6..30.min(bytes.len()))?].concat();
        let (stamp, length) = stamp::read(&text, reference)?;
        return Some(FoundStamp { stamp, end: length, is_syslog: false, letter: Some(letter) });
    }
    if let Some(end) = since_boot(bytes) {
        return Some(FoundStamp {
            stamp: stamp::Stamp { time: 0, form: Form::Partial },
            end,
            is_syslog: false,
            letter: None,
        });
    }
    if bytes.first() == Some(&b'<') {
        // The priority of syslog on the wire, and the version after it.
        let close = memchr::memchr(b'>', bytes.get(..6.min(bytes.len()))?)?;
        at = close + 1;
        if bytes.get(at..at + 2) == Some(b"1 ") {
            at += 2;
        }
    }
    for _ in 0..=BEFORE_STAMP_MAX {
        while matches!(bytes.get(at), Some(b' ' | b'[' | b'(' | b'-' | b'\t' | b'|' | b'"')) {
            at += 1;
        }
        if at >= HEADER_BYTES_MAX.min(bytes.len()) {
            return None;
        }
        let rest = bytes.get(at..)?;
        if let Some((stamp, length)) = stamp::read(rest, reference) {
            let is_syslog = rest.first().is_some_and(u8::is_ascii_alphabetic) && stamp.form == Form::WithoutYear
                || at > 0 && bytes.first() == Some(&b'<');
            return Some(FoundStamp { stamp, end: at + length, is_syslog, letter: None });
        }
        let end = word_end(bytes, at);
        // A sentence in which a date occurs is a message.
        let word = bytes.get(at..end)?;
        let is_level = line
            .get(at..end)
            .is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_uppercase()) && Severity::parse(word).is_some());
        if is_word(word) && !is_level || bytes.get(end.saturating_sub(1)) == Some(&b':') {
            return None;
        }
        at = end;
    }
    None
}

/// The kernel's `[82297.895577]`: seconds since boot, which are no time of day.
fn since_boot(bytes: &[u8]) -> Option<usize> {
    let inside = bytes.strip_prefix(b"[")?;
    let close = memchr::memchr(b']', inside.get(..24.min(inside.len()))?)?;
    let number = inside.get(..close)?.trim_ascii_start();
    let (seconds, fraction) = number.split_at_checked(memchr::memchr(b'.', number)?)?;
    let is_number =
        !seconds.is_empty() && fraction.len() == 7 && seconds.iter().chain(fraction.get(1..)?).all(u8::is_ascii_digit);
    is_number.then_some(close + 2)
}

fn word_end(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..).and_then(|rest| memchr::memchr2(b' ', b'\t', rest)).map_or(bytes.len(), |length| at + length)
}

fn skip_marks(line: &str, mut at: usize) -> usize {
    let bytes = line.as_bytes();
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\t' | b']' | b')' | b',' | b'|' | b':' | b'>') => at += 1,
            Some(b'-') if matches!(bytes.get(at + 1), Some(b' ' | b'-')) => at += 1,
            Some(b'*' | b'#') if bytes.get(at + 1) == Some(&b' ') => at += 1,
            _ => return at,
        }
    }
}

/// `host process[pid]:` after the stamp of syslog.
fn syslog<'a>(line: &'a str, at: usize, header: &mut Header<'a>) -> usize {
    let bytes = line.as_bytes();
    let end = word_end(bytes, at);
    if line.get(at..end).is_none_or(|word| word.is_empty() || word.ends_with(':') || Severity::parse(word).is_some()) {
        return at;
    }
    header.host = line.get(at..end);
    let mut at = skip_marks(line, end);
    let end = word_end(bytes, at);
    if let Some(word) = line.get(at..end).filter(|word| word.len() > 1 && (word.ends_with(':') || word.contains('['))) {
        header.process = Some(process_name(word));
        at = skip_marks(line, end);
    }
    at
}

/// `sshd` of `sshd(pam_unix)[19939]:`.
fn process_name(word: &str) -> &str {
    let word = word.trim_end_matches(':');
    word.split_once(['[', '(']).map_or(word, |(name, _)| name)
}

/// A line may have several stamps: of the collector, and of the system itself.
fn more_stamps<'a>(line: &'a str, at: usize, reference: Option<i64>, header: &mut Header<'a>) -> usize {
    let bytes = line.as_bytes();
    let (mut at, mut probe) = (at, at);
    for _ in 0..3 {
        if probe >= HEADER_BYTES_MAX || !bytes.get(probe).is_some_and(u8::is_ascii_alphanumeric) {
            return at;
        }
        if let Some((stamp, length)) = bytes.get(probe..).and_then(|rest| stamp::read(rest, reference)) {
            let is_syslog = stamp.form == Form::WithoutYear && bytes.get(probe).is_some_and(u8::is_ascii_alphabetic);
            if stamp.form == Form::Full || header.time.is_none() && stamp.form == Form::WithoutYear {
                header.time = Some(stamp.time);
            }
            at = skip_marks(line, probe + length);
            if is_syslog {
                return syslog(line, at, header);
            }
            probe = at;
            continue;
        }
        let end = word_end(bytes, probe);
        // Only what cannot be a word of a message is passed over.
        if !bytes.get(probe..end).is_some_and(|word| word.iter().any(u8::is_ascii_digit)) {
            return at;
        }
        probe = skip_marks(line, end);
    }
    at
}

/// The level that begins here, and where it ends.
fn level_at(line: &str, at: usize) -> Option<(Severity, usize)> {
    let bytes = line.as_bytes();
    let is_open = matches!(bytes.get(at), Some(b'[' | b'(' | b'<'));
    let start = at + usize::from(is_open);
    let length = bytes.get(start..)?.iter().take(12).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let word = line.get(start..start + length)?;
    let mut end = start + length;
    while is_open && bytes.get(end) == Some(&b' ') {
        end += 1;
    }
    let next = bytes.get(end).copied();
    if is_open {
        matches!(next, Some(b']' | b')' | b'>' | b':')).then_some(())?;
        end += 1;
    } else if !matches!(next, None | Some(b' ' | b'\t' | b':' | b',' | b']' | b'|')) {
        return None;
    }
    let is_upper = word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let is_marked = is_open || next == Some(b':') || next == Some(b',') || bytes.get(end..end + 2) == Some(b"  ");
    if !is_upper && !is_marked || word.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Severity::parse(word).map(|level| (level, end))
}

fn find_level<'a>(line: &'a str, at: usize, header: &mut Header<'a>) -> usize {
    let bytes = line.as_bytes();
    let mut probe = at;
    for skipped in 0..=BEFORE_LEVEL_MAX {
        if probe >= HEADER_BYTES_MAX.min(bytes.len()) {
            break;
        }
        if let Some((level, end)) = level_at(line, probe) {
            header.level = Some(level);
            if skipped > 0 && header.host.is_none() {
                header.process = header
                    .process
                    .or_else(|| line.get(at..probe).map(|between| process_name(between.trim_end_matches([' ', '-']))));
            }
            return skip_marks(line, end);
        }
        // Android: a single letter after two numbers.
        if let (Some(letter), Some(b' ')) = (bytes.get(probe), bytes.get(probe + 1))
            && skipped >= 1
            && let Some(level) = Severity::of_letter(*letter)
        {
            header.level = Some(level);
            let tag = skip_marks(line, probe + 1);
            let Some(colon) =
                bytes.get(tag..HEADER_BYTES_MAX.min(bytes.len())).and_then(|rest| memchr::memchr(b':', rest))
            else {
                return tag;
            };
            header.process = line.get(tag..tag + colon).map(str::trim);
            return skip_marks(line, tag + colon + 1);
        }
        let end = match bytes.get(probe) {
            // A thread's name in brackets may have spaces.
            Some(b'[') => bytes
                .get(probe..)
                .and_then(|rest| memchr::memchr(b']', rest))
                .map_or(bytes.len(), |length| probe + length + 1),
            _ => word_end(bytes, probe),
        };
        let Some(word) = bytes.get(probe..end) else { return at };
        // A sentence in which a level occurs is a message.
        if is_word(word) && !word.iter().all(u8::is_ascii_uppercase) {
            break;
        }
        probe = skip_marks(line, end);
    }
    // "chrome.exe - message" of programs that write no level.
    let end = word_end(bytes, at);
    let mut dash = end;
    if bytes.get(dash..dash + 4) == Some(b" *64") {
        dash += 4;
    }
    if end > at && bytes.get(dash..dash + 3) == Some(b" - ") {
        header.process = line.get(at..end);
        return dash + 3;
    }
    // "Step_LSC|30002312|message".
    if let Some(fields) = line.get(at..)
        && let Some((name, rest)) = fields.split_once('|')
        && let Some((number, _)) = rest.split_once('|')
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !name.contains(' ')
    {
        header.process = Some(name);
        return at + name.len() + number.len() + 2;
    }
    at
}

/// A thread in brackets and the name of a logger, after the level.
fn after_level<'a>(line: &'a str, at: usize, header: &mut Header<'a>) -> usize {
    let bytes = line.as_bytes();
    let mut at = at;
    if header.level.is_none() {
        return at;
    }
    if bytes.get(at) == Some(&b'[')
        && let Some(end) = bracket_end(bytes, at)
        && let Some(inside) = line.get(at + 1..end)
    {
        let is_before_name = memchr::memmem::find(bytes.get(end..(end + 120).min(bytes.len())).unwrap_or(&[]), b": ")
            .is_some()
            || bytes.get(end + 1..end + 4) == Some(b" - ");
        if inside.len() < 120
            && !inside.contains(": ")
            && !inside.contains("=") | (bytes.get(end + 1..end + 4) == Some(b" - "))
            && (!inside.contains(' ') || (is_before_name && is_logger(next_word(line, end + 1))))
        {
            at = skip_marks(line, end + 1);
        }
    }
    // "[MY-010] [Server]", "[o.e.c.Service] [node-1]": at most so many, since a message may begin with a bracket too.
    for _ in 0..2 {
        if bytes.get(at) != Some(&b'[') {
            break;
        }
        let Some(close) = bracket_end(bytes, at) else { break };
        let is_name = bytes.get(at + 1..close).is_some_and(|inside| {
            inside.len() <= 60
                && inside.first().is_some_and(u8::is_ascii_alphabetic)
                && inside.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'$'))
        });
        let next = skip_marks(line, close + 1);
        if !is_name || next >= bytes.len() {
            break;
        }
        at = next;
    }
    let end = word_end(bytes, at);
    let word = line.get(at..end).unwrap_or("");
    // "Gossiper.java:123 - message"
    if bytes.get(end..end + 3) == Some(b" - ") && word.contains(['.', ':']) && !word.contains(['=', '/', '(']) {
        header.process = Some(word);
        return end + 3;
    }
    if is_logger(word) {
        header.process = Some(word.trim_end_matches(':'));
        return skip_marks(line, end);
    }
    at
}

fn next_word(line: &str, at: usize) -> &str {
    let at = skip_marks(line, at);
    line.get(at..word_end(line.as_bytes(), at)).unwrap_or("")
}

/// `dfs.DataNode$DataXceiver:`, `my_crate::server:`, `nova.compute.manager`.
fn is_logger(word: &str) -> bool {
    let name = word.trim_end_matches(':');
    let is_identifier = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b'-' | b':' | b'/'));
    let dots = name.bytes().filter(|byte| *byte == b'.').count();
    let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    is_identifier
        && starts
        && (word.ends_with(':') && (dots > 0 || name.contains("::") || name.contains('$'))
            || dots >= 2 && !name.ends_with('.') && name.bytes().all(|byte| !byte.is_ascii_digit() && byte != b'/'))
}

fn bracket_end(bytes: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (offset, byte) in bytes.get(open..(open + 160).min(bytes.len()))?.iter().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(open + offset);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::logs::generator;

    #[test]
    fn the_message_is_what_follows_the_header() {
        for (line, message) in [
            ("081109 203518 143 INFO dfs.DataNode$DataXceiver: Receiving block blk_1", "Receiving block blk_1"),
            ("2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.mapreduce.v2.app.MRAppMaster: Created", "Created"),
            (
                "2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]/0:0:0:0:2181:FastLeaderElection@774] - Notification time out: 3200",
                "Notification time out: 3200",
            ),
            (
                "- 1117838570 2005.06.03 R02-M1-N0-C:J12-U11 2005-06-03-15.42.50.363779 R02-M1-N0-C:J12-U11 RAS KERNEL INFO instruction cache parity error corrected",
                "instruction cache parity error corrected",
            ),
            (
                "- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond(pam_unix)[2915]: session closed for user root",
                "session closed for user root",
            ),
            ("03-17 16:13:38.811  1702  2395 D WindowManager: printFreezing x", "printFreezing x"),
            (
                "Jun 14 15:16:01 combo sshd(pam_unix)[19939]: authentication failure; logname= uid=0",
                "authentication failure; logname= uid=0",
            ),
            ("[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok /etc/x", "workerEnv.init() ok /etc/x"),
            ("[10.30 16:49:06] chrome.exe *64 - proxy.x:5070 close, 0 bytes sent", "proxy.x:5070 close, 0 bytes sent"),
            ("20171223-22:15:29:606|Step_LSC|30002312|onStandStepChanged 3579", "onStandStepChanged 3579"),
            ("I1123 15:32:38.123456    1 reflector.go:125] Started container", "1 reflector.go:125] Started container"),
            ("2026-11-23 15:32:38.123 UTC [1234] user@db ERROR:  deadlock detected", "deadlock detected"),
            (
                "2026/11/23 15:32:38 [error] 31#31: *1 connect() failed (111: Connection refused)",
                "31#31: *1 connect() failed (111: Connection refused)",
            ),
            ("[2026-11-23T15:32:38Z ERROR my_crate::server] cannot bind", "my_crate::server] cannot bind"),
            ("[82297.895577] oom_reaper: reaped process 1", "oom_reaper: reaped process 1"),
            (
                "INFO  [GossipStage:1] 2026-11-23 15:32:38,123 Gossiper.java:1045 - InetAddress /10.0.0.1 is now UP",
                "InetAddress /10.0.0.1 is now UP",
            ),
            (
                "2026-11-23T15:32:38.123456Z 17 [Note] [MY-010914] [Server] Aborted connection 17",
                "Aborted connection 17",
            ),
            ("[2026-11-23T15:32:38,123][INFO ][o.e.c.r.a.AllocationService] [node-1] started", "started"),
            ("ERROR: relation \"x\" does not exist", "relation \"x\" does not exist"),
            (
                "connection from 82.2.2.2 (host) at Sat Jun 18 02:08:10 2005",
                "connection from 82.2.2.2 (host) at Sat Jun 18 02:08:10 2005",
            ),
            ("Error loading the file", "Error loading the file"),
            ("2026-11-23T15:32:38Z", "2026-11-23T15:32:38Z"),
            ("", ""),
        ] {
            assert_eq!(parse(line, None).message, message, "{line}");
        }
    }

    #[test]
    fn headers_of_all_styles_have_a_time() {
        for style in generator::styles() {
            for (_, line) in generator::lines(&style, 50, 3, true) {
                assert!(parse(&line, None).time.is_some(), "{}: {line}", style.name);
            }
        }
    }
}
