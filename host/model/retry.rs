//! When a request is made again: pauses that double, by chance shorter, so that many who failed together do not come
//! back together. What the server asks for is kept to, or nothing is sent at all.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

/// The longest pause before the second attempt; it doubles.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause of our own choice.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The longest that a server may ask for. Danger: `Retry-After: 86400` holds a session for a day.
pub(super) const ASKED_MAX: Duration = Duration::from_secs(120);

/// Gives numbers from 0 up to, but not including, 1.
pub type Chance = Arc<dyn Fn() -> f64 + Send + Sync>;

/// By the system's random numbers.
#[must_use]
pub fn chance() -> Chance {
    Arc::new(|| {
        let mut bytes = [0_u8; 4];
        // Without random numbers the whole pause is made.
        match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
            Ok(4) => f64::from(u32::from_ne_bytes(bytes)) / (f64::from(u32::MAX) + 1.0),
            _ => 0.999,
        }
    })
}

/// The pause after so many failed attempts; none where the server asks for more than is waited.
pub(super) fn pause(failed: u32, asked: Option<Duration>, chance: f64) -> Option<Duration> {
    let longest = PAUSE.saturating_mul(1 << failed.saturating_sub(1).min(16)).min(PAUSE_MAX);
    let chosen = longest.mul_f64(chance.clamp(0.0, 1.0));
    match asked {
        None => Some(chosen),
        Some(asked) if asked > ASKED_MAX => None,
        // Later, never earlier; and not all at once.
        Some(asked) => Some(asked + PAUSE.mul_f64(chance.clamp(0.0, 1.0))),
    }
}

/// What an answer's headers ask for: `retry-after-ms`, or `Retry-After` in seconds or as a date.
pub(super) fn asked(headers: &HeaderMap, now_ms: u64) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    // A number that no duration can hold is longer than is waited for.
    let duration = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    if let Some(ms) = text("retry-after-ms").and_then(number) {
        return Some(duration(ms / 1_000.0));
    }
    let after = text("retry-after")?;
    if let Some(seconds) = number(after) {
        return Some(duration(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(after).ok()?;
    let date_ms = u64::try_from(date.as_millisecond()).unwrap_or(0);
    Some(Duration::from_millis(date_ms.saturating_sub(now_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_are_jittered_in_full() {
        let ms = |failed, chance| pause(failed, None, chance).unwrap().as_millis();
        assert_eq!(
            [ms(1, 1.0), ms(2, 1.0), ms(3, 1.0), ms(7, 1.0), ms(u32::MAX, 1.0)],
            [500, 1_000, 2_000, 30_000, 30_000]
        );
        assert_eq!([ms(3, 0.0), ms(3, 0.5)], [0, 1_000]);
    }

    #[test]
    fn what_is_asked_for_is_waited_at_least_and_too_much_is_not_waited() {
        assert_eq!(pause(1, Some(Duration::from_secs(7)), 0.0), Some(Duration::from_secs(7)));
        assert_eq!(pause(1, Some(Duration::from_secs(7)), 1.0), Some(Duration::from_millis(7_500)));
        assert!(pause(1, Some(ASKED_MAX), 0.0).is_some());
        assert_eq!(pause(1, Some(ASKED_MAX + Duration::from_secs(1)), 0.0), None);
    }

    #[test]
    fn reads_seconds_milliseconds_and_dates() {
        // 2015-10-21T07:28:00Z
        let now = 1_445_412_480_000;
        let read = |pairs: &[(&'static str, &str)]| asked(&headers(pairs), now).map(|asked| asked.as_millis());
        assert_eq!(read(&[("retry-after", "3")]), Some(3_000));
        assert_eq!(read(&[("retry-after", "0.25")]), Some(250));
        assert_eq!(read(&[("retry-after", "3"), ("retry-after-ms", "40")]), Some(40));
        assert_eq!(read(&[("retry-after", "Wed, 21 Oct 2015 07:28:05 GMT")]), Some(5_000));
        assert_eq!(read(&[("retry-after", "Wed, 21 Oct 2015 07:00:00 GMT")]), Some(0));
        assert_eq!(read(&[("retry-after", "soon")]), None);
        assert_eq!(read(&[("retry-after", "-1")]), None);
        assert!(read(&[("retry-after", "1e300")]).unwrap() > 1_000_000_000);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn chance_is_between_0_and_1_and_not_always_the_same() {
        let chance = chance();
        let drawn: Vec<f64> = (0..32).map(|_| chance()).collect();
        assert!(drawn.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(drawn.iter().any(|number| (number - drawn[0]).abs() > 1e-9));
    }
}
