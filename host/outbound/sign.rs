//! Requests signed with a shared secret: HMAC-SHA256 over `version:timestamp:body`, as Slack does it.
//!
//! A request is taken once, and only near the time that it was signed for: what was recorded on the
//! way must not approve a second act later.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Clock, Secret};

/// How far a request's time stamp may be off, in both directions. Slack names five minutes.
pub(crate) const WINDOW_MS: u64 = 300_000;
/// Signatures that are remembered. They are of requests that were signed rightly, so that a stranger
/// cannot fill this; when it is full, further requests are refused until some are too old to be replayed.
const SEEN_MAX: usize = 4_096;
/// Digits of a time stamp in seconds that are read; more of them are no time.
const TIMESTAMP_BYTES_MAX: usize = 12;

/// Why a request is not taken. Tells a stranger nothing but what they know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("the request is not signed")]
    Missing,
    #[error("the time stamp is no number of seconds")]
    Timestamp,
    #[error("the time stamp is off by more than five minutes")]
    Stale,
    #[error("the signature is wrong")]
    Wrong,
    #[error("the same request was taken already")]
    Replayed,
    #[error("too many requests in five minutes")]
    Full,
}

/// Signs and verifies with one secret.
pub(crate) struct Signer {
    version: &'static str,
    secret: Secret,
    clock: Clock,
    /// Signature, and until when its request could be sent again.
    seen: Mutex<HashMap<[u8; 32], u64>>,
}

impl Signer {
    pub(crate) fn new(version: &'static str, secret: Secret, clock: Clock) -> Self {
        Self { version, secret, clock, seen: Mutex::default() }
    }

    /// The time stamp of now, and the signature of the body at this time.
    pub(crate) fn sign(&self, body: &[u8]) -> (String, String) {
        let timestamp = ((self.clock)() / 1_000).to_string();
        let digest = self.mac(&timestamp, body).finalize().into_bytes();
        let mut signature = format!("{}=", self.version);
        for byte in digest {
            signature.push_str(&format!("{byte:02x}"));
        }
        (timestamp, signature)
    }

    /// Whether the request was signed with the secret, a short time ago, and not seen before.
    pub(crate) fn verify(
        &self,
        timestamp: Option<&str>,
        signature: Option<&str>,
        body: &[u8],
    ) -> Result<(), SignatureError> {
        let (Some(timestamp), Some(signature)) = (timestamp, signature) else {
            return Err(SignatureError::Missing);
        };
        if timestamp.len() > TIMESTAMP_BYTES_MAX || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SignatureError::Timestamp);
        }
        let signed_ms = timestamp.parse::<u64>().map_err(|_| SignatureError::Timestamp)?.saturating_mul(1_000);
        let now_ms = (self.clock)();
        if now_ms.abs_diff(signed_ms) > WINDOW_MS {
            return Err(SignatureError::Stale);
        }
        let hex = signature
            .strip_prefix(self.version)
            .and_then(|rest| rest.strip_prefix('='))
            .ok_or(SignatureError::Wrong)?;
        let given = unhex(hex).ok_or(SignatureError::Wrong)?;
        // In constant time: a comparison that ends early tells how much of a guess was right.
        self.mac(timestamp, body).verify_slice(&given).map_err(|_| SignatureError::Wrong)?;
        self.remember(given, signed_ms.saturating_add(WINDOW_MS), now_ms)
    }

    fn remember(&self, signature: [u8; 32], until_ms: u64, now_ms: u64) -> Result<(), SignatureError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains_key(&signature) {
            return Err(SignatureError::Replayed);
        }
        if seen.len() >= SEEN_MAX {
            seen.retain(|_, until| *until >= now_ms);
        }
        if seen.len() >= SEEN_MAX {
            return Err(SignatureError::Full);
        }
        seen.insert(signature, until_ms);
        Ok(())
    }

    fn mac(&self, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = keyed(self.secret.expose().as_bytes());
        mac.update(self.version.as_bytes());
        mac.update(b":");
        mac.update(timestamp.as_bytes());
        mac.update(b":");
        mac.update(body);
        mac
    }
}

#[allow(clippy::expect_used, reason = "HMAC is defined for keys of every length")]
fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length is a key")
}

/// Exactly 32 bytes in lower-case hex: a second way of writing a signature would pass for a new one.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != 32 {
        return None;
    }
    let mut bytes = [0_u8; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// The example of Slack's own documentation.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const BODY: &[u8] =
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
        &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=\
        https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=\
        398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const TIMESTAMP: &str = "1531420618";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn signer(now_ms: u64) -> (Signer, Arc<AtomicU64>) {
        let now = Arc::new(AtomicU64::new(now_ms));
        let clock = now.clone();
        (Signer::new("v0", SECRET.into(), Arc::new(move || clock.load(Ordering::Relaxed))), now)
    }

    #[test]
    fn agrees_with_slacks_example() {
        let (signer, _) = signer(1_531_420_618_000);
        assert_eq!(signer.sign(BODY), (TIMESTAMP.into(), SIGNATURE.into()));
        assert_eq!(signer.verify(Some(TIMESTAMP), Some(SIGNATURE), BODY), Ok(()));
    }

    #[test]
    fn a_request_is_taken_once() {
        let (signer, _) = signer(1_531_420_618_000);
        assert_eq!(signer.verify(Some(TIMESTAMP), Some(SIGNATURE), BODY), Ok(()));
        assert_eq!(signer.verify(Some(TIMESTAMP), Some(SIGNATURE), BODY), Err(SignatureError::Replayed));
        assert_eq!(
            signer.verify(Some(TIMESTAMP), Some(&SIGNATURE.to_uppercase().replace("V0", "v0")), BODY),
            Err(SignatureError::Wrong)
        );
    }

    #[test]
    fn a_time_stamp_counts_for_five_minutes_in_both_directions() {
        for (now_ms, expected) in [
            (1_531_420_618_000 + WINDOW_MS, Ok(())),
            (1_531_420_618_000 + WINDOW_MS + 1, Err(SignatureError::Stale)),
            (1_531_420_618_000 - WINDOW_MS, Ok(())),
            (1_531_420_618_000 - WINDOW_MS - 1, Err(SignatureError::Stale)),
        ] {
            assert_eq!(signer(now_ms).0.verify(Some(TIMESTAMP), Some(SIGNATURE), BODY), expected);
        }
    }

    #[test]
    fn what_is_not_signed_rightly_is_refused() {
        let (signer, _) = signer(1_531_420_618_000);
        let verify = |timestamp, signature, body| signer.verify(timestamp, signature, body);
        assert_eq!(verify(None, Some(SIGNATURE), BODY), Err(SignatureError::Missing));
        assert_eq!(verify(Some(TIMESTAMP), None, BODY), Err(SignatureError::Missing));
        for timestamp in ["", "now", "-1531420618", "+1531420618", "1531420618.0", "9999999999999"] {
            assert_eq!(verify(Some(timestamp), Some(SIGNATURE), BODY), Err(SignatureError::Timestamp), "{timestamp}");
        }
        assert_eq!(verify(Some("1531420619"), Some(SIGNATURE), BODY), Err(SignatureError::Wrong));
        assert_eq!(verify(Some(TIMESTAMP), Some(SIGNATURE), b"payload=other"), Err(SignatureError::Wrong));
        let longer = format!("{SIGNATURE}00");
        for signature in ["", "v0=", "v1=a2", "v0=zz", "a2114d57", &SIGNATURE[..66], &longer, "v0=é"] {
            assert_eq!(verify(Some(TIMESTAMP), Some(signature), BODY), Err(SignatureError::Wrong), "{signature}");
        }
        // None of them used up the signature.
        assert_eq!(verify(Some(TIMESTAMP), Some(SIGNATURE), BODY), Ok(()));
    }

    #[test]
    fn the_memory_is_bounded_refuses_at_the_limit_and_frees_itself() {
        let (signer, now) = signer(1_000_000_000);
        for number in 0..SEEN_MAX {
            let body = number.to_string();
            let (timestamp, signature) = signer.sign(body.as_bytes());
            assert_eq!(signer.verify(Some(&timestamp), Some(&signature), body.as_bytes()), Ok(()));
        }
        let (timestamp, signature) = signer.sign(b"one more");
        assert_eq!(signer.verify(Some(&timestamp), Some(&signature), b"one more"), Err(SignatureError::Full));
        now.fetch_add(WINDOW_MS + 1, Ordering::Relaxed);
        let (timestamp, signature) = signer.sign(b"one more");
        assert_eq!(signer.verify(Some(&timestamp), Some(&signature), b"one more"), Ok(()));
        assert_eq!(signer.seen.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_signature_from_the_near_future_is_remembered_as_long_as_it_could_be_replayed() {
        let (signer, now) = signer(1_531_420_618_000 - WINDOW_MS);
        assert_eq!(signer.verify(Some(TIMESTAMP), Some(SIGNATURE), BODY), Ok(()));
        now.fetch_add(2 * WINDOW_MS, Ordering::Relaxed);
        assert_eq!(signer.verify(Some(TIMESTAMP), Some(SIGNATURE), BODY), Err(SignatureError::Replayed));
    }
}
