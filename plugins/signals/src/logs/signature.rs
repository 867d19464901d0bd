//! Known faults by their words: `signatures.toml`, and whatever rules a user adds in the same form.
//!
//! All phrases are looked for at once (Aho-Corasick); a phrase counts if it stands as whole words and is not denied. What a denial is stands here and not with the rules, so that no
//! rule can forget it: a count of zero, `no` and `without` before, `disabled` and `= 0` after, a line that tells of a recovery. `*` in a phrase stands for one word, `a|b` in `all` for either.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use serde::{Deserialize, Serialize};

/// Rules that a user adds are compiled into one table; without a bound a file makes a table of any size.
const SIGNATURES_MAX: usize = 2000;
const PHRASES_MAX: usize = 10_000;
const PHRASE_BYTES_MAX: usize = 200;
/// How far around a phrase a denial is looked for.
const AROUND_BYTES: usize = 60;
/// Candidates looked at in one text; a line of nothing but phrases would take long otherwise.
const CANDIDATES_MAX: usize = 64;

const BUILT_IN: &str = include_str!("signatures.toml");

/// Where the fault is that a line reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Where the line was written.
    Own,
    /// At what was called.
    Dependency,
    Either,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    pub name: String,
    pub any: Vec<String>,
    #[serde(default)]
    pub all: Vec<String>,
    #[serde(default)]
    pub not: Vec<String>,
    /// A root cause; `healthy` marks a recovery.
    pub cause: String,
    pub weight: f64,
    pub side: Side,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    signature: Vec<Signature>,
}

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    #[error(
        "signatures are no valid TOML: {0}\nhint: each rule is a `[[signature]]` with `name`, `any`, `cause`, `weight`, `side`"
    )]
    Syntax(#[source] Box<toml::de::Error>),
    #[error("signature `{name}`: {problem}\nhint: {hint}")]
    Rule { name: String, problem: String, hint: &'static str },
    #[error(
        "too many signatures: {count}, at most {max}\nhint: join rules of one cause into one, with several phrases in `any`"
    )]
    TooMany { count: usize, max: usize },
}

/// Rules, ready to be looked for.
#[derive(Debug)]
pub struct Signatures {
    rules: Vec<Signature>,
    phrases: Vec<Phrase>,
    finder: Option<AhoCorasick>,
    /// The words beside the numbers in phrases such as `exit code 137`: a text without them, and without any phrase, is fulfilled by no text that differs from it in numbers.
    beside_numbers: Option<AhoCorasick>,
}

#[derive(Debug)]
struct Phrase {
    rule: usize,
    /// What has to follow after one word, for a phrase with `*`.
    rest: Option<String>,
    starts_word: bool,
    ends_word: bool,
}

/// A rule that a text fulfils.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Which of `Signatures::rules`.
    pub rule: usize,
    pub start: usize,
    pub end: usize,
}

impl Signatures {
    /// The rules that come with this crate, compiled once.
    pub fn built_in() -> &'static Self {
        static COMPILED: OnceLock<Signatures> = OnceLock::new();
        // That the built-in text is valid is held by the tests of this file.
        COMPILED.get_or_init(|| {
            Self::parse(&[BUILT_IN]).unwrap_or_else(|_| Self {
                rules: Vec::new(),
                phrases: Vec::new(),
                finder: None,
                beside_numbers: None,
            })
        })
    }

    /// Rules of several texts in TOML, such as the built-in one and a user's.
    pub fn parse(texts: &[&str]) -> Result<Self, SignatureError> {
        let mut rules = Vec::new();
        for text in texts {
            let file: File = toml::from_str(text).map_err(|error| SignatureError::Syntax(Box::new(error)))?;
            rules.extend(file.signature);
        }
        Self::new(rules)
    }

    /// The text of the built-in rules, to be shown, or to be extended.
    pub fn built_in_text() -> &'static str {
        BUILT_IN
    }

    pub fn new(mut rules: Vec<Signature>) -> Result<Self, SignatureError> {
        if rules.len() > SIGNATURES_MAX {
            return Err(SignatureError::TooMany { count: rules.len(), max: SIGNATURES_MAX });
        }
        let mut phrases = Vec::new();
        let mut needles = Vec::new();
        for (at, rule) in rules.iter_mut().enumerate() {
            check(rule)?;
            for list in [&mut rule.any, &mut rule.all, &mut rule.not] {
                for phrase in list.iter_mut() {
                    *phrase = phrase.to_ascii_lowercase();
                }
            }
            for phrase in &rule.any {
                let (needle, rest) = match phrase.split_once(" * ") {
                    Some((needle, rest)) => (needle, Some(rest.to_owned())),
                    None => (phrase.as_str(), None),
                };
                let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
                phrases.push(Phrase {
                    rule: at,
                    rest,
                    starts_word: is_word(needle.as_bytes().first()),
                    ends_word: is_word(needle.as_bytes().last()),
                });
                needles.push(needle.to_owned());
            }
        }
        if phrases.len() > PHRASES_MAX {
            return Err(SignatureError::TooMany { count: phrases.len(), max: PHRASES_MAX });
        }
        // Links instead of a table of states: the table is faster to look up and takes fifty milliseconds to build, which is more than most logs take to be looked at.
        let build = |needles: &[String]| {
            AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::Standard)
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .build(needles)
                .map_err(|error| SignatureError::Rule {
                    name: "all".to_owned(),
                    problem: error.to_string(),
                    hint: "use fewer or shorter phrases",
                })
        };
        let mut beside: Vec<String> = needles
            .iter()
            .filter(|needle| needle.bytes().any(|byte| byte.is_ascii_digit()))
            .flat_map(|needle| {
                needle.split(|one: char| !one.is_ascii_alphabetic()).filter(|word| word.len() >= 3).map(str::to_owned)
            })
            .collect();
        beside.sort();
        beside.dedup();
        Ok(Self { finder: Some(build(&needles)?), beside_numbers: Some(build(&beside)?), rules, phrases })
    }

    pub fn rules(&self) -> &[Signature] {
        &self.rules
    }

    /// Whether no text that differs from this one in its numbers alone can fulfil a rule.
    pub(crate) fn is_mute(&self, text: &str) -> bool {
        [&self.finder, &self.beside_numbers].into_iter().flatten().all(|finder| !finder.is_match(text))
    }

    /// The rules that a text fulfils, each once, in the order of the text.
    pub fn find(&self, text: &str) -> Vec<Match> {
        let mut found: Vec<Match> = Vec::new();
        let mut candidates = 0usize;
        for hit in self.finder.iter().flat_map(|finder| finder.find_overlapping_iter(text)) {
            let Some(phrase) = self.phrases.get(hit.pattern().as_usize()) else { continue };
            let Some(rule) = self.rules.get(phrase.rule) else { continue };
            if found.iter().any(|known| known.rule == phrase.rule) || !is_whole(text, hit.start(), hit.end(), phrase) {
                continue;
            }
            candidates += 1;
            if candidates > CANDIDATES_MAX {
                break;
            }
            let Some(end) = end_of(text, hit.end(), phrase) else { continue };
            let lower = text.to_ascii_lowercase();
            let has = |words: &String| words.split('|').any(|word| lower.contains(word));
            if !rule.all.iter().all(has) || rule.not.iter().any(has) {
                continue;
            }
            let is_recovery = rule.cause == "healthy";
            if !(is_recovery && starts_with_denial(&lower, hit.start()))
                && is_denied(&lower, hit.start(), end, is_recovery)
            {
                continue;
            }
            found.push(Match { rule: phrase.rule, start: hit.start(), end });
        }
        found.sort_unstable_by_key(|found| found.start);
        found
    }
}

fn check(rule: &Signature) -> Result<(), SignatureError> {
    let fail = |problem: String, hint| Err(SignatureError::Rule { name: rule.name.clone(), problem, hint });
    if rule.name.trim().is_empty() {
        return fail("`name` is empty".to_owned(), "name the rule, so that a finding can say which one it was");
    }
    if rule.any.is_empty() {
        return fail(
            "`any` is empty".to_owned(),
            "give at least one phrase; a rule without one would match every line",
        );
    }
    if let Some(phrase) = rule
        .any
        .iter()
        .chain(&rule.all)
        .chain(&rule.not)
        .find(|phrase| phrase.trim().len() < 3 || phrase.len() > PHRASE_BYTES_MAX)
    {
        return fail(
            format!("a phrase is too short or too long: `{}`", super::entry::cut(phrase, 40)),
            "a phrase has 3 to 200 bytes",
        );
    }
    if !(rule.weight > 0.0 && rule.weight <= 1.0) {
        return fail(format!("`weight` is out of range: {}", rule.weight), "use a number above 0, and up to 1");
    }
    if rule.cause.is_empty()
        || !rule.cause.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    {
        return fail(
            format!("`cause` is no name of a root cause: `{}`", super::entry::cut(&rule.cause, 40)),
            "use a name such as `oom_killed`",
        );
    }
    Ok(())
}

fn is_whole(text: &str, start: usize, end: usize, phrase: &Phrase) -> bool {
    let bytes = text.as_bytes();
    let before = start.checked_sub(1).and_then(|at| bytes.get(at));
    // "java.net.ConnectException" and "psycopg2_TypeError" end in a name that counts; "HeapDumpOnOutOfMemoryError" does not.
    let is_inside = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let starts = !phrase.starts_word || !is_inside(before);
    let after = bytes.get(end);
    let is_plural = matches!(after, Some(b's' | b'S')) && !is_inside(bytes.get(end + 1));
    // "SocketTimeoutException" of "SocketTimeout": what follows in one word may be the rest of an exception's name.
    let is_exception =
        bytes.get(end..).is_some_and(|rest| rest.starts_with(b"Exception") || rest.starts_with(b"Error"));
    starts && (!phrase.ends_word || !is_inside(after) || is_plural || is_exception)
}

fn end_of(text: &str, end: usize, phrase: &Phrase) -> Option<usize> {
    let Some(rest) = &phrase.rest else { return Some(end) };
    let after = text.get(end..)?.strip_prefix(' ')?;
    let word = after.bytes().take(80).take_while(|byte| *byte != b' ').count();
    let tail = after.get(word..)?.strip_prefix(' ')?;
    let head = tail.get(..rest.len())?;
    head.eq_ignore_ascii_case(rest).then_some(end + 1 + word + 1 + rest.len())
}

/// "zero errors" and "no errors" are phrases of their own.
fn starts_with_denial(lower: &str, start: usize) -> bool {
    lower
        .get(start..)
        .is_some_and(|text| ["zero ", "no ", "0 ", "error rate 0"].iter().any(|denial| text.starts_with(denial)))
}

pub(crate) fn is_denied(lower: &str, start: usize, end: usize, is_recovery: bool) -> bool {
    let from = super::entry::cut(lower, start.saturating_sub(AROUND_BYTES)).len();
    let before = lower.get(from..start).unwrap_or("");
    // A denial reaches to the end of its clause: in "could not connect: connection refused" nothing is denied.
    let clause = before.rsplit(['.', ';', ':', '!', '?', '|', ',', '(', '"', '\n']).next().unwrap_or("");
    let words: Vec<&str> = clause.split_whitespace().rev().take(4).collect();
    let near = |count: usize, denials: &[&str]| words.iter().take(count).any(|word| denials.contains(word));
    let counts_nothing =
        words.first().is_some_and(|word| *word == "0") || words.get(1).is_some_and(|word| *word == "0");
    if counts_nothing
        || near(
            4,
            &[
                "no",
                "zero",
                "without",
                "never",
                "avoid",
                "avoids",
                "avoiding",
                "prevent",
                "prevents",
                "preventing",
                "if",
            ],
        )
        || near(2, &["not", "isn't", "wasn't", "aren't", "non", "cleared", "resolved"])
    {
        return true;
    }
    if near(3, &["from"]) && before.contains("recovered") && !is_recovery {
        return true;
    }
    let to = lower.get(end..).map_or(end, |rest| end + super::entry::cut(rest, AROUND_BYTES).len());
    let after = lower.get(end..to).unwrap_or("");
    let after = after.strip_prefix('s').unwrap_or(after);
    if counts_zero(after) {
        return true;
    }
    const BENIGN: [&str; 26] = [
        " is disabled",
        " disabled",
        " detection enabled",
        " detection is enabled",
        " detector started",
        " protection enabled",
        " handler registered",
        " handling enabled",
        " alarm cleared",
        " cleared",
        " resolved",
        " is resolved",
        " was resolved",
        " has been resolved",
        " recovered",
        " has recovered",
        " no longer",
        " ended",
        " is over",
        " check passed",
        " checks passed",
        " false",
        "=false",
        ": false",
        " policy updated",
        " test passed",
    ];
    if BENIGN.iter().any(|benign| after.starts_with(benign)) {
        return true;
    }
    if is_recovery {
        return false;
    }
    const RECOVERY: [&str; 14] = [
        "recovered from",
        "has recovered",
        "retry succeeded",
        "succeeded after",
        "succeeded on retry",
        "no longer",
        "back to normal",
        "healthy again",
        "returned to normal",
        "successfully reconnected",
        "reconnected successfully",
        "connection re-established",
        "was resolved",
        "has been resolved",
    ];
    RECOVERY.iter().any(|recovery| lower.contains(recovery))
        && !lower.contains("no longer respond")
        && !lower.contains("no longer available")
        && !lower.contains("no longer reach")
        && !lower.contains("no longer accept")
}

/// "errors: 0", "count=0", "rate 0.00%".
fn counts_zero(after: &str) -> bool {
    let start = after.trim_start_matches(' ');
    let mut rest = start;
    for word in
        ["errors", "error", "events", "event", "count", "total", "failures", "rate", "requests", "is", "was", "are"]
    {
        rest = rest.strip_prefix(word).unwrap_or(rest).trim_start_matches([' ', '_']);
    }
    let Some(rest) = rest.strip_prefix([':', '=']).or_else(|| (rest.len() < start.len()).then_some(rest)) else {
        return false;
    };
    let number: &str = rest.trim_start_matches([' ', '"']);
    let length = number.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let Some(digits) = number.get(..length) else { return false };
    !digits.is_empty()
        && digits.starts_with('0')
        && digits.bytes().all(|byte| matches!(byte, b'0' | b'.'))
        && !number
            .get(length..)
            .is_some_and(|rest| rest.starts_with(|one: char| one.is_ascii_alphanumeric() || one == ':' || one == '/'))
}

#[cfg(test)]
mod tests {
    use super::{SignatureError, Signatures};

    const CAUSES: [&str; 28] = [
        "healthy",
        "oom_killed",
        "cpu_saturation",
        "storage_full",
        "connection_exhaustion",
        "replication_lag",
        "failover",
        "slow_query",
        "lock_contention",
        "memory_leak",
        "error_spike_after_deploy",
        "bad_configuration",
        "crash_loop",
        "image_pull_backoff",
        "pending_pod",
        "probe_failure",
        "resource_quota_exceeded",
        "dns_resolution_failure",
        "node_not_ready",
        "deployment_rollout_stuck",
        "dependency_down",
        "certificate_expired",
        "permission_denied",
        "port_conflict",
        "disk_io_saturation",
        "network_partition",
        "throttled",
        "process_hung",
    ];

    fn names(text: &str) -> Vec<String> {
        let signatures = Signatures::built_in();
        signatures.find(text).iter().map(|found| signatures.rules()[found.rule].cause.clone()).collect()
    }

    #[test]
    fn every_root_cause_has_a_rule_and_every_rule_a_root_cause() {
        let signatures = Signatures::built_in();
        assert!(signatures.rules().len() >= 50);
        for rule in signatures.rules() {
            assert!(CAUSES.contains(&rule.cause.as_str()), "{}", rule.name);
        }
        for cause in CAUSES {
            assert!(signatures.rules().iter().any(|rule| rule.cause == cause), "{cause}");
        }
    }

    #[test]
    fn a_fault_is_named_by_the_words_in_which_it_is_reported() {
        for (cause, lines) in [
            (
                "oom_killed",
                vec![
                    "Memory cgroup out of memory: Killed process 8986 (node) total-vm:264388kB",
                    "java.lang.OutOfMemoryError: Java heap space",
                    "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
                    "Container api was OOMKilled (exit code 137)",
                ],
            ),
            (
                "connection_exhaustion",
                vec![
                    "FATAL: sorry, too many clients already",
                    "ERROR 1040 (HY000): Too many connections",
                    "HikariPool-1 - Connection is not available, request timed out after 30000ms",
                ],
            ),
            (
                "storage_full",
                vec!["could not write to file \"base/16384\": No space left on device", "write /data/x: ENOSPC"],
            ),
            (
                "lock_contention",
                vec![
                    "ERROR: deadlock detected",
                    "Lock wait timeout exceeded; try restarting transaction",
                    "process 11 still waiting for ShareLock on transaction 5",
                ],
            ),
            (
                "dependency_down",
                vec![
                    "dial tcp 10.0.0.1:5432: connect: connection refused",
                    "Error: connect ECONNREFUSED 10.0.0.1:6379",
                    "could not connect: connection refused",
                    "no healthy upstream",
                ],
            ),
            (
                "certificate_expired",
                vec![
                    "x509: certificate has expired or is not yet valid: current time 2026",
                    "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired",
                ],
            ),
            (
                "dns_resolution_failure",
                vec![
                    "lookup db.internal on 10.0.0.2:53: no such host",
                    "getaddrinfo ENOTFOUND api.example.com",
                    "java.net.UnknownHostException: db",
                ],
            ),
            (
                "permission_denied",
                vec![
                    "open /data/key: permission denied",
                    "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied",
                ],
            ),
            (
                "port_conflict",
                vec![
                    "listen tcp :8080: bind: address already in use",
                    "Error: listen EADDRINUSE: address already in use :::3000",
                ],
            ),
            ("throttled", vec!["ThrottlingException: Rate exceeded", "HTTP 429 Too Many Requests"]),
            (
                "image_pull_backoff",
                vec!["Failed to pull image \"x:y\": manifest unknown", "Back-off pulling image \"x:y\""],
            ),
            (
                "probe_failure",
                vec![
                    "Liveness probe failed: HTTP probe failed with statuscode: 500",
                    "Container api failed liveness probe, will be restarted",
                ],
            ),
            ("resource_quota_exceeded", vec!["pods \"a\" is forbidden: exceeded quota: compute, requested: cpu=2"]),
            (
                "pending_pod",
                vec![
                    "0/3 nodes are available: 3 Insufficient cpu.",
                    "0/5 nodes are available: 5 node(s) had untolerated taint",
                ],
            ),
            (
                "replication_lag",
                vec![
                    "replication lag is 45 seconds on replica-2",
                    "requested WAL segment 00000001 has already been removed",
                ],
            ),
            ("failover", vec!["Multi-AZ instance failover started", "received promote request"]),
            (
                "crash_loop",
                vec![
                    "CrashLoopBackOff",
                    "app[1]: segfault at 0 ip 0000 sp 0000 error 4",
                    "panic: runtime error: index out of range",
                    "thread 'main' panicked at src/main.rs:3:5:",
                ],
            ),
            (
                "process_hung",
                vec!["[CRITICAL] WORKER TIMEOUT (pid:12)", "service did not stop in time, killing it with SIGKILL"],
            ),
            (
                "error_spike_after_deploy",
                vec![
                    "TypeError: Cannot read properties of undefined (reading 'id')",
                    "java.lang.NullPointerException: null",
                ],
            ),
            ("network_partition", vec!["connect: no route to host", "Detected a network partition: split brain"]),
            ("node_not_ready", vec!["Node ip-10-0-1-4 status is now: NodeNotReady"]),
            ("deployment_rollout_stuck", vec!["deployment \"api\" exceeded its progress deadline"]),
            (
                "slow_query",
                vec!["canceling statement due to statement timeout", "Slow query: 12.3s SELECT * FROM orders"],
            ),
            ("disk_io_saturation", vec!["INFO: task jbd2 blocked for more than 120 seconds."]),
            (
                "memory_leak",
                vec![
                    "MaxListenersExceededWarning: Possible EventEmitter memory leak detected",
                    "WARN heap in use 496Mi / 512Mi - approaching limit",
                ],
            ),
            ("cpu_saturation", vec!["watchdog: BUG: soft lockup - CPU#3 stuck for 23s!"]),
            (
                "bad_configuration",
                vec![
                    "Missing required environment variable DATABASE_URL",
                    "nginx: [emerg] unknown directive \"servr\"",
                ],
            ),
            ("healthy", vec!["service recovered after 3 attempts", "connection pool back to normal"]),
        ] {
            for line in lines {
                assert!(names(line).iter().any(|found| found == cause), "{cause}: {line}: {:?}", names(line));
            }
        }
    }

    #[test]
    fn denials_and_benign_uses_do_not_count() {
        for line in [
            "0 OOMKilled containers in the last hour",
            "no deadlock detected",
            "no connection refused errors since 10:00",
            "connection refused errors: 0",
            "too many connections count=0",
            "recovered from connection refused after 2 s",
            "retry succeeded: connection refused on first attempt",
            "throttled: false",
            "throttled=0",
            "throttling is disabled",
            "-XX:+HeapDumpOnOutOfMemoryError",
            "deadlock detection enabled",
            "OOMKilled=false",
            "will retry if connection refused",
            "timeouts total: 0",
            "panic mode disabled",
            "certificate will expire in 30 days; renewed",
            "0 throttled requests",
            "finished without permission denied",
            "the upstream timed out alarm cleared",
            "never OOMKilled",
            "sustained normal traffic with zero errors",
            "error rate 0.00%",
            "rate limit exceeded has been resolved",
            "node hasNoDiskPressure",
            "internal server error rate: 0.0%",
        ] {
            assert!(names(line).iter().all(|cause| cause == "healthy"), "{line}: {:?}", names(line));
        }
    }

    #[test]
    fn a_rule_that_says_nothing_is_refused_with_its_name() {
        let rule = |extra: &str| {
            Signatures::parse(&[&format!(
                "[[signature]]\nname = \"mine\"\ncause = \"oom_killed\"\nside = \"own\"\n{extra}"
            )])
        };
        assert!(rule("any = [\"abcd\"]\nweight = 0.5").is_ok());
        for (extra, expected) in [
            ("any = []\nweight = 0.5", "`any` is empty"),
            ("any = [\"ab\"]\nweight = 0.5", "too short"),
            ("any = [\"abcd\"]\nweight = 2.0", "out of range"),
        ] {
            let error = rule(extra).unwrap_err().to_string();
            assert!(error.contains("mine") && error.contains(expected) && error.contains("hint:"), "{error}");
        }
        assert!(matches!(rule("any = [\"abcd\"]\nweight = 0.5\ncolour = 1"), Err(SignatureError::Syntax(_))));
    }
}
