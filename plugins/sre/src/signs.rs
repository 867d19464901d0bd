//! What words in a log point at. Words are evidence of the weak kind: they raise or lower a
//! hypothesis, and never choose an act by themselves, since whoever can write to a log can write them.
//!
//! A text is folded first (lower case, everything but letters and digits is one blank), so that
//! `ERR_OUT_OF_MEMORY`, `out-of-memory` and `Out of memory:` are the same words. A phrase matches
//! whole words; with a `*` at its end it matches the beginning of a word. Add a phrase to the table
//! of its sign when another program says the same thing in other words.

/// What a text points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    NoSpace,
    AddressInUse,
    OutOfMemory,
    Unreachable,
    NameResolution,
    PermissionDenied,
    CertificateExpired,
    TooManyConnections,
    Throttled,
    Deadlock,
    BadConfiguration,
    MemoryGrowth,
}

const PHRASES: &[(Sign, &[&str])] = &[
    (
        Sign::NoSpace,
        &[
            "enospc",
            "edquot",
            "efbig",
            "no space left*",
            "no space on",
            "not enough space",
            "not enough disk",
            "insufficient disk",
            "insufficient storage",
            "insufficient space",
            "disk full",
            "disk is full",
            "disk quota*",
            "quota exceeded",
            "out of disk*",
            "device full",
            "volume full",
            "volume is full",
            "filesystem full",
            "file system full",
            "filesystem is full",
            "storage full",
            "storage is full",
            "file too large",
            "file size limit*",
            "filesize limit*",
            "errno 28",
            "errno 27",
            "errno 122",
            "os error 28",
            "os error 27",
            "os error 122",
            "sigxfsz",
            "log partition full",
        ],
    ),
    (
        Sign::AddressInUse,
        &[
            "eaddrinuse",
            "addrinuse",
            "address already in use",
            "address in use",
            "already in use",
            "port in use",
            "port is in use",
            "port is already*",
            "port already*",
            "already bound",
            "already listening",
            "cannot bind*",
            "could not bind*",
            "failed to bind*",
            "unable to bind*",
            "bind failed",
            "bind error",
            "error binding*",
            "cannot listen on*",
            "cannot assign requested address",
            "errno 98",
            "os error 98",
            "only one usage of each socket address",
        ],
    ),
    (
        Sign::OutOfMemory,
        &[
            "out of memory",
            "outofmemory*",
            "oom",
            "oomkilled",
            "oomkill*",
            "enomem",
            "cannot allocate memory",
            "memoryerror",
            "memory exhausted",
            "memory limit exceeded",
            "bad alloc",
            "allocation failed",
            "failed to allocate*",
            "unable to allocate*",
            "memory allocation of*",
            "heap limit",
            "heap space",
            "os error 12",
            "errno 12",
        ],
    ),
    (
        Sign::Unreachable,
        &[
            "econnrefused",
            "connection refused",
            "econnreset",
            "connection reset",
            "ehostunreach",
            "enetunreach",
            "no route to host",
            "network is unreachable",
            "host is unreachable",
            "etimedout",
            "connection timed out",
            "connect timeout",
            "connect timed out",
            "upstream*",
            "backend unavailable",
            "backend is unavailable",
            "bad gateway",
            "dependency*",
            "cannot reach*",
            "could not reach*",
            "unable to reach*",
            "could not connect*",
            "cannot connect*",
            "failed to connect*",
            "unable to connect*",
            "connection to server",
            "lost connection*",
            "server closed the connection*",
            "errno 111",
            "errno 110",
            "os error 111",
            "os error 110",
            "unreachable",
        ],
    ),
    (
        Sign::NameResolution,
        &[
            "enotfound",
            "eai again",
            "eai noname",
            "name or service not known",
            "nodename nor servname*",
            "temporary failure in name resolution",
            "could not resolve*",
            "cannot resolve*",
            "failed to resolve*",
            "unable to resolve*",
            "no such host",
            "nxdomain",
            "servfail",
            "getaddrinfo*",
            "name resolution fail*",
            "dns lookup fail*",
            "dns error",
            "unknown host*",
            "failed to lookup address*",
        ],
    ),
    (
        Sign::PermissionDenied,
        &[
            "eacces",
            "eperm",
            "permission denied",
            "operation not permitted",
            "access denied",
            "accessdenied*",
            "not authorized",
            "unauthorized",
            "insufficient privilege*",
            "insufficient permission*",
            "errno 13",
            "os error 13",
            "os error 1",
            "read only file system",
            "erofs",
        ],
    ),
    (
        Sign::CertificateExpired,
        &[
            "certificate has expired",
            "certificate expired",
            "cert has expired",
            "cert expired",
            "certificate is expired",
            "certificate is not yet valid",
            "expired certificate",
            "x509 certificate has expired*",
            "certificateexpired",
            "tls certificate expired",
            "certificate verify failed certificate has expired*",
        ],
    ),
    (
        Sign::TooManyConnections,
        &[
            "too many connections",
            "too many clients*",
            "remaining connection slots*",
            "connection pool exhausted",
            "connection pool is exhausted",
            "pool exhausted",
            "pool is exhausted",
            "pool timeout",
            "pool timed out",
            "timeout waiting for connection*",
            "timed out waiting for connection*",
            "connection limit*",
            "max connections*",
            "emfile",
            "enfile",
            "too many open files",
            "errno 24",
            "os error 24",
            "no free connections",
        ],
    ),
    (
        Sign::Throttled,
        &[
            "throttl*",
            "rate exceeded",
            "rate limit*",
            "ratelimit*",
            "too many requests",
            "slow down",
            "quota per second",
        ],
    ),
    (
        Sign::Deadlock,
        &[
            "deadlock*",
            "watchdog*",
            "lock wait timeout*",
            "could not acquire lock",
            "event loop blocked",
            "hung task",
            "blocked for more than*",
            "worker timeout",
        ],
    ),
    (
        Sign::BadConfiguration,
        &[
            "config",
            "configuration",
            "configured",
            "misconfigur*",
            "settings",
            "setting",
            "parse error",
            "parsing error",
            "failed to parse*",
            "could not parse*",
            "cannot parse*",
            "unable to parse*",
            "syntax error",
            "unexpected token*",
            "unexpected key*",
            "unknown key*",
            "unknown field*",
            "unknown option*",
            "unknown directive*",
            "unknown value*",
            "unrecognized*",
            "unrecognised*",
            "missing field*",
            "missing key*",
            "missing required*",
            "invalid value*",
            "invalid option*",
            "invalid setting*",
            "invalid type*",
            "not a valid*",
            "unsupported value*",
            "out of range",
            "jsondecodeerror",
            "tomldecodeerror",
            "keyerror",
            "yaml*",
            "toml*",
        ],
    ),
    (
        Sign::MemoryGrowth,
        &["memory leak*", "heap growing", "memory growing", "gc overhead*", "memory usage*", "memory pressure"],
    ),
];

/// Words right before a phrase that turn it round.
const NEGATIONS: &[&str] = &[" no ", " not ", " without ", " zero ", " 0 ", " never "];

/// What `text` points at, in a fixed order.
pub fn signs_of(text: &str) -> Vec<Sign> {
    let folded = fold(text);
    PHRASES
        .iter()
        .filter(|(_, phrases)| phrases.iter().any(|phrase| contains(&folded, phrase)))
        .map(|(sign, _)| *sign)
        .collect()
}

/// Whether `text` names `word`, as whole words.
pub fn names(text: &str, word: &str) -> bool {
    let word = fold(word);
    let word = word.trim();
    !word.is_empty() && fold(text).contains(&format!(" {word} "))
}

/// Lower case words with one blank around each.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len() + 2);
    folded.push(' ');
    for character in text.chars() {
        if character.is_alphanumeric() {
            folded.extend(character.to_lowercase());
        } else if !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    if !folded.ends_with(' ') {
        folded.push(' ');
    }
    folded
}

/// The words of a text without those that hold a digit: what is left of two messages that differ in
/// numbers and identifiers alone is the same.
pub fn gist(text: &str) -> String {
    let folded = fold(text);
    let words: Vec<_> =
        folded.split_whitespace().filter(|word| !word.contains(|c: char| c.is_ascii_digit())).take(24).collect();
    words.join(" ")
}

fn contains(folded: &str, phrase: &str) -> bool {
    let (phrase, end) = phrase.strip_suffix('*').map_or((phrase, " "), |beginning| (beginning, ""));
    let needle = format!(" {phrase}{end}");
    folded.match_indices(&needle).any(|(at, _)| {
        // The blank before the phrase belongs to the negation as well.
        let before = folded.get(..=at).unwrap_or_default();
        !NEGATIONS.iter().any(|negation| before.ends_with(negation))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_in_other_words_is_the_same_sign() {
        for text in [
            "OSError: [Errno 28] No space left on device",
            "write failed: ENOSPC",
            "could not append: Disk quota exceeded (os error 122)",
            "io error: File too large (os error 27)",
            "the DISK IS FULL",
        ] {
            assert!(signs_of(text).contains(&Sign::NoSpace), "{text}");
        }
        for text in [
            "OSError: [Errno 98] Address already in use",
            "Error: listen EADDRINUSE: address already in use 127.0.0.1:9000",
            "failed to bind 0.0.0.0:80",
            "Port 8080 is already allocated; port already allocated",
        ] {
            assert!(signs_of(text).contains(&Sign::AddressInUse), "{text}");
        }
    }

    #[test]
    fn a_word_inside_another_is_no_sign() {
        assert_eq!(signs_of("the classroom opened its bloom"), []);
        assert_eq!(signs_of("GET /rooms 200"), []);
    }

    #[test]
    fn what_is_denied_is_no_sign() {
        assert_eq!(signs_of("started with no deadlocks, 0 throttled"), []);
    }

    #[test]
    fn what_begins_with_a_negation_is_still_a_sign() {
        assert_eq!(signs_of("no space left on device"), [Sign::NoSpace]);
    }

    #[test]
    fn the_gist_forgets_numbers_and_identifiers() {
        assert_eq!(gist("500 request 8f3a failed at 10:22"), gist("500 request 91bc failed at 11:40"));
        assert_ne!(gist("upstream refused"), gist("cannot write the journal"));
    }

    #[test]
    fn names_finds_whole_words_only() {
        assert!(names("cannot reach orders-db: refused", "orders-db"));
        assert!(!names("reorders-dbx", "orders-db"));
    }
}
