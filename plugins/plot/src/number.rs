//! Numbers for people: units, prefixes, and the round values that an axis is marked at.
//!
//! Everything ends whatever the numbers: steps are counted by whole numbers, never by adding until the end is reached, and
//! ranges without width are widened before they are divided.

use serde::{Deserialize, Serialize};

/// Numbers beyond are drawn at this one: differences of what is left are still numbers.
const SIZE_MAX: f64 = 1e300;
const SIZE_MIN: f64 = 1e-290;
/// Labels of one axis, whatever the numbers.
const TICKS_MAX: i64 = 24;

/// What a value counts. As text: `number` (or nothing), `bytes`, `seconds`, `milliseconds`, `percent` (0 to 100), `fraction`
/// (0 to 1, shown as percent), the three capitals of a currency such as `EUR`, or any other word, which is shown as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Unit {
    #[default]
    Number,
    Bytes,
    Seconds,
    Milliseconds,
    Percent,
    Fraction,
    Currency(String),
    Named(String),
}

impl From<String> for Unit {
    fn from(text: String) -> Self {
        match text.trim() {
            "" | "number" | "count" | "Count" | "None" => Self::Number,
            "bytes" | "Bytes" => Self::Bytes,
            "seconds" | "Seconds" | "s" => Self::Seconds,
            "milliseconds" | "Milliseconds" | "ms" => Self::Milliseconds,
            "percent" | "Percent" | "%" => Self::Percent,
            "fraction" => Self::Fraction,
            code if code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()) => Self::Currency(code.to_owned()),
            other => Self::Named(crate::text::clean(other)),
        }
    }
}

impl From<Unit> for String {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Number => "number".into(),
            Unit::Bytes => "bytes".into(),
            Unit::Seconds => "seconds".into(),
            Unit::Milliseconds => "milliseconds".into(),
            Unit::Percent => "percent".into(),
            Unit::Fraction => "fraction".into(),
            Unit::Currency(text) | Unit::Named(text) => text,
        }
    }
}

/// A part of a unit: so many of the unit, and its sign.
#[derive(Clone, Copy)]
struct Prefix {
    factor: f64,
    sign: &'static str,
}

const fn prefix(factor: f64, sign: &'static str) -> Prefix {
    Prefix { factor, sign }
}

const COUNTS: &[Prefix] = &[prefix(1.0, ""), prefix(1e3, "k"), prefix(1e6, "M"), prefix(1e9, "bn"), prefix(1e12, "tn")];
const METRIC: &[Prefix] = &[prefix(1.0, ""), prefix(1e3, "k"), prefix(1e6, "M"), prefix(1e9, "G"), prefix(1e12, "T")];
const BYTES: &[Prefix] = &[
    prefix(1.0, " B"),
    prefix(1_024.0, " KiB"),
    prefix(1_048_576.0, " MiB"),
    prefix(1_073_741_824.0, " GiB"),
    prefix(1_099_511_627_776.0, " TiB"),
    prefix(1_125_899_906_842_624.0, " PiB"),
];
const SECONDS: &[Prefix] = &[
    prefix(1e-9, " ns"),
    prefix(1e-6, " µs"),
    prefix(1e-3, " ms"),
    prefix(1.0, " s"),
    prefix(60.0, " min"),
    prefix(3_600.0, " h"),
    prefix(86_400.0, " d"),
];
const PERCENT: &[Prefix] = &[prefix(1.0, " %")];

impl Unit {
    fn prefixes(&self) -> &'static [Prefix] {
        match self {
            Self::Number | Self::Currency(_) => COUNTS,
            Self::Named(_) => METRIC,
            Self::Bytes => BYTES,
            Self::Seconds | Self::Milliseconds => SECONDS,
            Self::Percent | Self::Fraction => PERCENT,
        }
    }

    /// From the unit as it is given to the one that the prefixes count.
    fn base(&self) -> f64 {
        match self {
            Self::Milliseconds => 1e-3,
            Self::Fraction => 100.0,
            _ => 1.0,
        }
    }

    /// The prefix for a value of this size.
    fn prefix_for(&self, size: f64) -> Prefix {
        self.prefix_from(size, |_| 1.0)
    }

    /// The prefix for an axis up to this size: thousands begin at ten of them, minutes, hours and days at two.
    fn prefix_of_axis(&self, size: f64) -> Prefix {
        let is_time = matches!(self, Self::Seconds | Self::Milliseconds);
        self.prefix_from(size, |prefix| match prefix.factor {
            1e3 => 10.0,
            factor if is_time && factor > 1.0 => 2.0,
            _ => 1.0,
        })
    }

    /// The largest prefix of which there are enough.
    fn prefix_from(&self, size: f64, enough: impl Fn(&Prefix) -> f64) -> Prefix {
        let all = self.prefixes();
        let smallest = all.first().copied().unwrap_or(prefix(1.0, ""));
        if size == 0.0 {
            return *all.iter().find(|it| it.factor == 1.0).unwrap_or(&smallest);
        }
        all.iter().rev().find(|it| size >= it.factor * enough(it)).copied().unwrap_or(smallest)
    }

    /// The name of a unit as it stands behind a number.
    fn name(text: &str) -> String {
        crate::text::fit(text, 1.0, crate::text::Weight::Regular, 9.0)
    }

    /// What stands beside the axis where the labels do not say it.
    pub(crate) fn caption(&self) -> Option<&str> {
        match self {
            Self::Named(text) if !text.is_empty() => Some(text),
            Self::Currency(code) if sign_of(code).is_none() => Some(code),
            _ => None,
        }
    }

    fn dressed(&self, number: &str, sign: &str, is_axis: bool) -> String {
        let (minus, number) = number.strip_prefix('-').map_or(("", number), |rest| ("−", rest));
        match self {
            Self::Currency(code) => match sign_of(code) {
                Some(currency) => format!("{minus}{currency}{number}{sign}"),
                None if is_axis => format!("{minus}{number}{sign}"),
                None => format!("{minus}{number}{sign} {}", Self::name(code)),
            },
            Self::Named(name) if !is_axis && !name.is_empty() => format!("{minus}{number}{sign} {}", Self::name(name)),
            _ => format!("{minus}{number}{sign}"),
        }
    }

    /// A value in a sentence.
    #[must_use]
    pub fn text(&self, value: f64) -> String {
        if !value.is_finite() {
            return "no number".to_owned();
        }
        let value = value * self.base();
        let size = value.abs();
        if size >= 1e15 || (size > 0.0 && size < 1e-9) || !size.is_finite() {
            return self.dressed(&format!("{value:.2e}"), self.sign_of_one(), false);
        }
        // Up to a million a count is told in full.
        let is_count = self.prefixes().get(1).is_some_and(|it| it.factor == 1e3);
        let prefix = self.prefix_for(if is_count && size < 1e6 { size.min(1.0) } else { size });
        self.dressed(&significant(value / prefix.factor), prefix.sign, false)
    }

    fn sign_of_one(&self) -> &'static str {
        self.prefixes().iter().find(|it| it.factor == 1.0).map_or("", |it| it.sign)
    }

    /// A change, with its sign.
    #[must_use]
    pub fn signed(&self, value: f64) -> String {
        let text = self.text(value);
        if value > 0.0 && value.is_finite() { format!("+{text}") } else { text }
    }

    /// The shortest form, for a cell of a few letters.
    pub(crate) fn short(&self, value: f64) -> String {
        let value = value * self.base();
        let size = value.abs();
        if size >= 1e15 || !size.is_finite() {
            return format!("{value:.0e}");
        }
        let prefix = match self {
            Self::Percent | Self::Fraction => Prefix { factor: 1.0, sign: "" },
            _ => self.prefix_for(size),
        };
        let scaled = value / prefix.factor;
        let decimals = usize::from(scaled.abs() < 9.95 && (scaled - scaled.round()).abs() >= 0.05);
        format!("{scaled:.decimals$}{}", prefix.sign.trim()).replace('-', "−")
    }
}

fn sign_of(code: &str) -> Option<&'static str> {
    match code {
        "EUR" => Some("€"),
        "USD" => Some("$"),
        "GBP" => Some("£"),
        "JPY" => Some("¥"),
        "INR" => Some("₹"),
        _ => None,
    }
}

/// About three digits that count; whole numbers in full, in groups of three.
fn significant(value: f64) -> String {
    let size = value.abs();
    if size > 0.0 && size < 1e-4 {
        return format!("{value:.1e}");
    }
    let decimals = if (value - value.round()).abs() < 1e-9 || size >= 1_000.0 {
        0
    } else {
        let digits = if size > 0.0 { size.log10().floor() as i32 } else { 0 };
        usize::try_from((2 - digits).clamp(0, 6)).unwrap_or(0)
    };
    let text = format!("{value:.decimals$}");
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    grouped(if text == "-0" { "0" } else { text })
}

fn grouped(number: &str) -> String {
    let (minus, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, part) = rest.split_once('.').map_or((rest, None), |(whole, part)| (whole, Some(part)));
    let mut out = minus.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(part) = part {
        out.push('.');
        out.push_str(part);
    }
    out
}

/// A number that can be drawn: no number is none, one too large or too small for differences is cut.
pub(crate) fn drawable(value: f64) -> Option<f64> {
    if !value.is_finite() {
        return None;
    }
    let size = value.abs();
    Some(if size < SIZE_MIN { 0.0 } else { value.clamp(-SIZE_MAX, SIZE_MAX) })
}

/// Where an axis of values begins and ends, and its marks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) ticks: Vec<(f64, String)>,
}

/// The lowest and the highest of the values that can be drawn.
pub(crate) fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter_map(drawable).fold(None, |found, value| {
        let (low, high) = found.unwrap_or((value, value));
        Some((value.min(low), value.max(high)))
    })
}

impl Axis {
    /// An axis over `low..high` with about `count` marks.
    pub(crate) fn over(low: f64, high: f64, unit: &Unit, count: usize) -> Self {
        let base = unit.base();
        let (low, high) = widened(low, high);
        let largest = (low.abs().max(high.abs()) * base).min(SIZE_MAX);
        let prefix = unit.prefix_of_axis(largest);
        let scale = prefix.factor / base;
        let step = step(high - low, count.max(2) as f64, scale, prefix.sign);
        // Whole numbers of steps: beyond 2^53 of them neighbours are one and the same float, and only the ends are marked.
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let countable = first.abs() < 9e15 && last.abs() < 9e15 && (last - first) <= TICKS_MAX as f64;
        if !countable || step <= 0.0 || !step.is_finite() {
            let ticks = vec![(low, unit.text(low)), (high, unit.text(high))];
            return Self { low, high, ticks };
        }
        let (first, last) = (first as i64, last as i64);
        let decimals = decimals(step / scale);
        let (prefix, decimals) = if decimals > 3 && prefix.factor > 1.0 && unit.prefixes().len() > 1 {
            let plain = Prefix { factor: 1.0, sign: unit.sign_of_one() };
            (plain, self::decimals(step * base))
        } else {
            (prefix, decimals)
        };
        let label = |value: f64| {
            let scaled = value * base / prefix.factor;
            let number = if scaled.abs() >= 1e15 || decimals > 9 {
                format!("{scaled:.1e}")
            } else {
                format!("{scaled:.decimals$}")
            };
            let number = if number.bytes().all(|b| matches!(b, b'-' | b'0' | b'.')) { "0".to_owned() } else { number };
            let sign =
                if number == "0" && prefix.factor > 1.0 && !prefix.sign.starts_with(' ') { "" } else { prefix.sign };
            if scaled.abs() >= 1e12 {
                let sign = if prefix.sign.starts_with(' ') { unit.sign_of_one() } else { "" };
                return unit.dressed(&format!("{:.1e}", value * base), sign, true);
            }
            let number = if number.contains('e') { number } else { grouped(&number) };
            unit.dressed(&number, sign, true)
        };
        let ticks = (first..=last).map(|at| at as f64 * step).map(|value| (value, label(value))).collect();
        Self { low: first as f64 * step, high: last as f64 * step, ticks }
    }
}

/// A range that can be divided.
fn widened(low: f64, high: f64) -> (f64, f64) {
    let (low, high) = (drawable(low).unwrap_or(0.0), drawable(high).unwrap_or(1.0));
    let (low, high) = (low.min(high), low.max(high));
    let size = low.abs().max(high.abs());
    if high - low > size * 1e-9 && high - low > SIZE_MIN {
        return (low, high);
    }
    let room = if size > 0.0 { size * 0.1 } else { 1.0 };
    (low - room, high + room)
}

/// The round step of which about `count` fill the range; round in what the labels count.
fn step(range: f64, count: f64, scale: f64, sign: &str) -> f64 {
    let rough = range / count / scale;
    let table: &[f64] = match sign {
        " s" | " min" => &[1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0],
        " h" => &[1.0, 2.0, 3.0, 6.0, 12.0, 24.0, 48.0],
        " KiB" | " MiB" | " GiB" | " TiB" | " B" => &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0],
        _ => &[],
    };
    if rough >= 0.75
        && let Some(step) = table.iter().find(|step| **step >= rough * 0.85)
    {
        return step * scale;
    }
    let power = 10f64.powi((rough.log10().floor() as i32).clamp(-305, 305));
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|step| step * power >= rough * 0.85).unwrap_or(10.0);
    step * power * scale
}

/// Digits after the point that tell multiples of the step apart.
fn decimals(step: f64) -> usize {
    (0..10)
        .find(|digits| {
            let scaled = step * 10f64.powi(*digits);
            (scaled - scaled.round()).abs() < 1e-6 * scaled.abs().max(1e-300) && scaled.abs() >= 0.5
        })
        .and_then(|digits| usize::try_from(digits).ok())
        .unwrap_or(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, unit: &str) -> String {
        let axis = Axis::over(low, high, &Unit::from(unit.to_owned()), 5);
        axis.ticks.iter().map(|it| it.1.as_str()).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn axes_are_marked_at_round_values_in_their_unit() {
        assert_eq!(labels(0.0, 9.3, ""), "0 | 2 | 4 | 6 | 8 | 10");
        assert_eq!(labels(0.0, 1_800_000.0, ""), "0 | 0.5M | 1.0M | 1.5M | 2.0M");
        assert_eq!(labels(0.0, 3.2e9, "bytes"), "0 GiB | 1 GiB | 2 GiB | 3 GiB");
        assert_eq!(labels(0.0, 540.0, "seconds"), "0 min | 2 min | 4 min | 6 min | 8 min | 10 min");
        assert_eq!(labels(0.0, 0.2, "seconds"), "0 ms | 50 ms | 100 ms | 150 ms | 200 ms");
        assert_eq!(labels(0.0, 900.0, "milliseconds"), "0 ms | 200 ms | 400 ms | 600 ms | 800 ms | 1,000 ms");
        assert_eq!(labels(0.0, 0.4, "fraction"), "0 % | 10 % | 20 % | 30 % | 40 %");
        assert_eq!(labels(-40_000.0, 20_000.0, "EUR"), "−€40k | −€20k | €0 | €20k");
    }

    #[test]
    fn numbers_in_a_sentence_have_the_digits_that_count() {
        let text = |value: f64, unit: &str| Unit::from(unit.to_owned()).text(value);
        assert_eq!(text(12_345.0, ""), "12,345");
        assert_eq!(text(1_234_567.0, ""), "1.23M");
        assert_eq!(text(0.123_456, ""), "0.123");
        assert_eq!(text(-2.0, "percent"), "−2 %");
        assert_eq!(text(0.051, "fraction"), "5.1 %");
        assert_eq!(text(1536.0, "bytes"), "1.5 KiB");
        assert_eq!(text(90.0, "seconds"), "1.5 min");
        assert_eq!(text(12.5, "USD"), "$12.5");
        assert_eq!(text(12.5, "SEK"), "12.5 SEK");
        assert_eq!(text(7.0, "orders/s"), "7 orders/s");
        assert_eq!(text(f64::NAN, ""), "no number");
        assert_eq!(text(1e300, ""), "1.00e300");
    }

    #[test]
    fn no_range_is_without_marks_or_with_too_many() {
        let odd = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5e-324,
            1e-300,
            1e15,
            1e15 + 0.25,
            f64::NAN,
            f64::INFINITY,
        ];
        for low in odd {
            for high in odd {
                for unit in ["", "bytes", "seconds", "milliseconds", "fraction", "EUR", "x"] {
                    let axis = Axis::over(low, high, &Unit::from(unit.to_owned()), 5);
                    assert!((2..=30).contains(&axis.ticks.len()), "{low} {high} {unit} {axis:?}");
                    assert!(axis.high > axis.low && (axis.high - axis.low).is_finite(), "{low} {high} {axis:?}");
                }
            }
        }
    }
}
