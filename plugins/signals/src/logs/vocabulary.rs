//! The words that people write messages with, as opposed to the names that programs put into them.
//!
//! Two messages that differ in one word are two events if the word is of the language (`opened`, `closed`) and one event with two parameters if it is a name
//! (`alice`, `cupsd`). `words.txt` holds the most frequent base forms of technical English, gathered from manuals and from the comments of public source code, with the names
//! of users, programs and products taken out. Whether a word is known decides nothing alone: the miner weighs it with the word's place and with how many others were seen there.

use std::collections::HashSet;
use std::sync::OnceLock;

use super::token::{WordHash, word_hash};

const WORDS: &str = include_str!("words.txt");

/// The longest word that is looked up; a longer one is a name, and its inflections need not be tried.
const WORD_BYTES_MAX: usize = 24;

fn known() -> &'static HashSet<u64, WordHash> {
    static KNOWN: OnceLock<HashSet<u64, WordHash>> = OnceLock::new();
    KNOWN.get_or_init(|| WORDS.split_whitespace().map(|word| word_hash(word.as_bytes())).collect())
}

/// Whether the piece is a word of the language: as it is listed, or inflected.
pub(crate) fn is_word(piece: &[u8]) -> bool {
    if piece.is_empty() || piece.len() > WORD_BYTES_MAX {
        return false;
    }
    let mut lower = [0u8; WORD_BYTES_MAX];
    for (to, from) in lower.iter_mut().zip(piece) {
        if !from.is_ascii_alphabetic() && *from != b'\'' {
            return false;
        }
        *to = from.to_ascii_lowercase();
    }
    let word = lower.get(..piece.len()).unwrap_or(&[]);
    if has(word) {
        return true;
    }
    if let Some(at) = memchr::memchr(b'\'', word) {
        // "can't", "doesn't", "server's": what stands before the apostrophe decides.
        return at > 1 && word.get(..at).is_some_and(|stem| has(stem) || stem.ends_with(b"n"));
    }
    const ENDINGS: [&[u8]; 16] = [
        b"s", b"es", b"ed", b"d", b"ing", b"er", b"ers", b"or", b"ors", b"ly", b"ion", b"ions", b"ation", b"ations",
        b"able", b"ment",
    ];
    ENDINGS.iter().any(|ending| word.strip_suffix(*ending).is_some_and(is_stem)) || negated(word)
}

fn has(word: &[u8]) -> bool {
    known().contains(&word_hash(word))
}

/// `stopp` of "stopped", `clos` of "closing", `retri` of "retries", `start` of "started".
fn is_stem(stem: &[u8]) -> bool {
    if stem.len() < 3 {
        return false;
    }
    if has(stem) || has_with(stem, b'e') {
        return true;
    }
    match stem {
        [front @ .., last, again] if last == again && front.len() >= 2 => {
            has(stem.get(..stem.len() - 1).unwrap_or(&[]))
        }
        [front @ .., b'i'] => has_with(front, b'y'),
        _ => false,
    }
}

fn has_with(stem: &[u8], last: u8) -> bool {
    let mut word = [0u8; WORD_BYTES_MAX + 1];
    let Some(place) = word.get_mut(..stem.len() + 1) else { return false };
    let Some((end, front)) = place.split_last_mut() else { return false };
    front.copy_from_slice(stem);
    *end = last;
    has(place)
}

/// `un`, `re`, `in`, `non`, `mis`, `dis`, `de`, `pre` before a word.
fn negated(word: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 8] = [b"un", b"re", b"in", b"non", b"mis", b"dis", b"de", b"pre"];
    BEGINNINGS.iter().any(|beginning| {
        word.strip_prefix(*beginning).is_some_and(|rest| rest.len() >= 4 && (has(rest) || ends_known(rest)))
    })
}

fn ends_known(word: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 5] = [b"s", b"ed", b"d", b"ing", b"ly"];
    ENDINGS.iter().any(|ending| word.strip_suffix(*ending).is_some_and(is_stem))
}

#[cfg(test)]
mod tests {
    use super::is_word;

    #[test]
    fn inflected_words_are_known_and_names_are_not() {
        for word in [
            "opened",
            "closing",
            "Stopped",
            "retries",
            "FAILED",
            "doesn't",
            "Can't",
            "authentication",
            "unauthorized",
            "reopened",
            "succeeded",
            "terminating",
        ] {
            assert!(is_word(word.as_bytes()), "{word}");
        }
        for name in ["cupsd", "fztu", "alice", "root", "webmaster", "kube-proxy", "xvda", "nginx", "", "0x1f"] {
            assert!(!is_word(name.as_bytes()), "{name}");
        }
    }
}
