//! Lengths of time as people write them: `500ms`, `30s`, `5m`, `1h`.

/// The longest: what takes longer is no runbook.
pub(crate) const DURATION_MS_MAX: u64 = 86_400_000;

/// Milliseconds.
///
/// # Errors
/// It is no length of time, or longer than a day.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or((text, ""));
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    let ms = number.parse::<u64>().ok().filter(|_| factor > 0).and_then(|number| number.checked_mul(factor));
    match ms {
        Some(ms) if ms <= DURATION_MS_MAX => Ok(ms),
        Some(_) => Err("longer than a day".into()),
        None => Err("no length of time: write it as `500ms`, `30s`, `5m` or `1h`".into()),
    }
}

/// As people write it.
pub(crate) fn text(ms: u64) -> String {
    match ms {
        _ if ms == 0 || !ms.is_multiple_of(1_000) => format!("{ms}ms"),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ => format!("{}s", ms / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for ms in [0, 1, 999, 1_000, 90_000, 60_000, 3_600_000, DURATION_MS_MAX] {
            assert_eq!(parse(&text(ms)), Ok(ms));
        }
    }

    #[test]
    fn refuses_what_has_no_unit_or_is_too_long() {
        for wrong in ["", "5", "s", "5 m", "-1s", "1.5s", "5m ", "99999999999999999999h", "ä"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse("25h"), Err("longer than a day".into()));
    }
}
