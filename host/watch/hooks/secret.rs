//! Who a request is from: a token in a header, or a signature over time and body. Nothing here prints a secret.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::{HeaderMap, HeaderName, header};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};

use super::Refused;

/// How far the time of a signed request may be off, in both directions.
pub(super) const WINDOW_MS: u64 = 300_000;
/// A shorter one can be guessed.
pub const SECRET_BYTES_MIN: usize = 16;
/// Digits of a time in seconds; more of them are no time.
const TIMESTAMP_BYTES_MAX: usize = 12;
pub const SIGNATURE: &str = "x-signature-256";
pub const TIMESTAMP: &str = "x-timestamp";

/// The key of signatures. Debug prints `[redacted]`.
pub(super) struct Key(Vec<u8>);

/// What a token is compared with: its digest.
pub(super) struct Token {
    digest: [u8; 32],
    header: HeaderName,
}

impl Key {
    pub(super) fn new(secret: &str) -> Self {
        Self(secret.as_bytes().to_vec())
    }

    /// Whether the body was signed with the key a short time ago; what names the request, and until when it could be
    /// sent again. The signature is the HMAC-SHA256 of the time stamp, a point and the body: a time stamp that is not
    /// signed could be replaced by whoever has recorded the request.
    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8], now_ms: u64) -> Result<(String, u64), Refused> {
        let (Some(timestamp), Some(signature)) = (one(headers, TIMESTAMP), one(headers, SIGNATURE)) else {
            let text = "the request is not signed: it needs the headers `X-Timestamp` and `X-Signature-256`";
            return Err(Refused::new(401, "signature", text));
        };
        let is_number = timestamp.len() <= TIMESTAMP_BYTES_MAX && timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let signed_ms =
            timestamp.parse::<u64>().ok().filter(|_| is_number).map(|seconds| seconds.saturating_mul(1_000));
        let Some(signed_ms) = signed_ms else {
            return Err(Refused::new(401, "signature", "`X-Timestamp` is no number of seconds since 1970"));
        };
        if now_ms.abs_diff(signed_ms) > WINDOW_MS {
            return Err(Refused::new(401, "stale", "`X-Timestamp` is off by more than five minutes"));
        }
        let wrong =
            || Refused::new(401, "signature", "the signature is wrong: `sha256=` and the HMAC in lower-case hex");
        let given = signature.strip_prefix("sha256=").and_then(unhex).ok_or_else(wrong)?;
        let mut mac = self.mac();
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        // In constant time: a comparison that ends early tells how much of a guess was right.
        mac.verify_slice(&given).map_err(|_| wrong())?;
        Ok((signature.to_owned(), signed_ms.saturating_add(WINDOW_MS)))
    }

    #[allow(clippy::expect_used, reason = "HMAC is defined for keys of every length")]
    fn mac(&self) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length is a key")
    }
}

impl Token {
    pub(super) fn new(token: &str, header: HeaderName) -> Self {
        Self { digest: Sha256::digest(token.as_bytes()).into(), header }
    }

    /// Whether a request carries it, once. The digests are compared, and in constant time.
    pub(super) fn verify(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let mut sent = headers.get_all(&self.header).iter();
        let (Some(value), None) = (sent.next(), sent.next()) else {
            let text = format!("the request needs the header `{}`, once", self.header);
            return Err(Refused::new(401, "token", text));
        };
        let mut token = value.as_bytes();
        if self.header == header::AUTHORIZATION {
            let (scheme, rest) = token.split_at_checked(b"Bearer ".len()).unwrap_or_default();
            token = if scheme.eq_ignore_ascii_case(b"Bearer ") { rest } else { b"" };
        }
        let digest: [u8; 32] = Sha256::digest(token).into();
        verify_slices_are_equal(&self.digest, &digest).map_err(|_| Refused::new(401, "token", "the token is wrong"))
    }
}

/// A header that is there once.
pub(super) fn one<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut all = headers.get_all(name).iter();
    let (value, None) = (all.next()?, all.next()) else { return None };
    value.to_str().ok()
}

/// Exactly 32 bytes in lower-case hex: a second way of writing a signature would pass for a new one.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != 32 {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0_u8; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;
    // printf '1800000000.{"title":"x"}' | openssl dgst -sha256 -hmac 0123456789abcdef
    const BODY: &[u8] = b"{\"title\":\"x\"}";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        pairs.iter().for_each(|(name, value)| _ = headers.append(*name, value.parse().unwrap()));
        headers
    }

    fn signature(key: &Key, text: &[u8]) -> String {
        let mut mac = key.mac();
        mac.update(text);
        format!("sha256={}", crate::watch::alarms::alarm::hex(&mac.finalize().into_bytes()))
    }

    #[test]
    fn what_is_signed_with_the_key_in_time_is_taken_and_nothing_else() {
        let key = Key::new("0123456789abcdef");
        let right = signature(&key, b"1800000000.{\"title\":\"x\"}");
        let verify = |time: &str, signature: &str, body: &[u8], now_ms| {
            key.verify(&headers(&[(TIMESTAMP, time), (SIGNATURE, signature)]), body, now_ms).map_err(|it| it.reason)
        };
        let until = NOW_MS + WINDOW_MS;
        assert_eq!(verify("1800000000", &right, BODY, NOW_MS), Ok((right.clone(), until)));
        assert_eq!(verify("1800000000", &right, BODY, NOW_MS + WINDOW_MS), Ok((right.clone(), until)));
        assert_eq!(verify("1800000000", &right, BODY, NOW_MS + WINDOW_MS + 1), Err("stale"));
        assert_eq!(verify("1800000000", &right, BODY, NOW_MS - WINDOW_MS - 1), Err("stale"));
        assert_eq!(verify("1800000001", &right, BODY, NOW_MS), Err("signature"));
        assert_eq!(verify("1800000000", &right, b"{}", NOW_MS), Err("signature"));
        assert_eq!(verify("1800000000", &signature(&Key::new("another"), BODY), BODY, NOW_MS), Err("signature"));
        for time in ["", "now", "+1800000000", "-1", "1800000000.0", "9999999999999"] {
            assert_eq!(verify(time, &right, BODY, NOW_MS), Err("signature"), "{time}");
        }
        for other in
            ["", "sha256=", &right.to_uppercase().replace("SHA256", "sha256"), &right[7..], &format!("{right}00")]
        {
            assert_eq!(verify("1800000000", other, BODY, NOW_MS), Err("signature"), "{other}");
        }
        let twice = headers(&[(TIMESTAMP, "1800000000"), (SIGNATURE, &right), (SIGNATURE, &right)]);
        assert!(key.verify(&twice, BODY, NOW_MS).is_err());
        assert!(key.verify(&HeaderMap::new(), BODY, NOW_MS).is_err());
    }

    #[test]
    fn a_token_is_taken_in_its_header_alone() {
        let bearer = Token::new("0123456789abcdef", header::AUTHORIZATION);
        for (value, expected) in [
            ("Bearer 0123456789abcdef", true),
            ("bearer 0123456789abcdef", true),
            ("Bearer 0123456789abcdeF", false),
            ("0123456789abcdef", false),
            ("Basic 0123456789abcdef", false),
            ("Bearer ", false),
        ] {
            assert_eq!(bearer.verify(&headers(&[("authorization", value)])).is_ok(), expected, "{value}");
        }
        let own = Token::new("0123456789abcdef", HeaderName::from_static("x-api-key"));
        assert!(own.verify(&headers(&[("x-api-key", "0123456789abcdef")])).is_ok());
        assert!(own.verify(&headers(&[("authorization", "Bearer 0123456789abcdef")])).is_err());
        assert!(own.verify(&headers(&[("x-api-key", "0123456789abcdef"), ("x-api-key", "x")])).is_err());
    }
}
