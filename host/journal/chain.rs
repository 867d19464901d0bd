//! The hash chain: pure functions over bytes.
//!
//! A link's hash is SHA-256 over the previous link's hash, the sequence, the time and the body's
//! text as it is stored, so that nobody has to write JSON twice the same way. The first link of a
//! session is linked to the session's place in the chain over all sessions.
//!
//! The hashes have no secret in them: the chain shows a change by whoever does not rewrite all that
//! follows and the heads. To be safe from the owner of the file, keep a head's hash elsewhere.

use sha2::{Digest, Sha256};

/// A link's hash as bytes.
pub(super) type Hash = [u8; 32];

/// What the chain over the sessions begins with.
pub(super) const ORIGIN: Hash = [0; 32];

/// The hash of one entry.
pub(super) fn link(previous: &Hash, sequence: u64, time_ms: u64, body: &str) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(previous);
    hasher.update(sequence.to_be_bytes());
    hasher.update(time_ms.to_be_bytes());
    hasher.update(body.as_bytes());
    hasher.finalize().into()
}

/// The hash of one session in the chain over the sessions.
pub(super) fn link_session(previous: &Hash, number: u64, created_ms: u64, id: &str) -> Hash {
    link(previous, number, created_ms, id)
}

/// The hash of a payload that is stored beside the chain.
pub(super) fn digest(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

pub(super) fn to_hex(hash: &Hash) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(64);
    for byte in hash {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS.get(usize::from(digit)).copied().unwrap_or(b'?')));
        }
    }
    text
}

pub(super) fn from_hex(text: &str) -> Option<Hash> {
    if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut hash = ORIGIN;
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_depends_on_all_that_it_names() {
        let base = link(&ORIGIN, 1, 2, "{}");
        assert_ne!(base, link(&digest("x"), 1, 2, "{}"));
        assert_ne!(base, link(&ORIGIN, 2, 2, "{}"));
        assert_ne!(base, link(&ORIGIN, 1, 3, "{}"));
        assert_ne!(base, link(&ORIGIN, 1, 2, "{ }"));
    }

    #[test]
    fn hex_reads_back() {
        let hash = digest("pi");
        assert_eq!(from_hex(&to_hex(&hash)), Some(hash));
        assert_eq!(from_hex("zz"), None);
        assert_eq!(from_hex(&"+1".repeat(32)), None);
    }
}
