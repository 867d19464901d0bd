//! Text for people: escaping, numbers, days, and claims cut into what is said first and what is said after.
//!
//! Names and values come out of databases, so anybody may have written them: what goes into Markdown goes through
//! [`escaped`]. Whoever needs another form of number or day adds it here, so that the report has one form of each.

use pi_signals::instant::date_of;

/// Characters of a heading: a longer one is cut, and told in full below it.
const HEADING_CHARS_MAX: usize = 160;

/// Text in which nothing is Markdown but what stands between backticks; there everything is as it is.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find('`') {
        let (before, from) = rest.split_at(begin);
        plain(&mut out, before);
        let Some(end) = from.get(1..).and_then(|inner| inner.find('`')) else {
            // A backtick alone begins nothing.
            plain(&mut out, &from.replace('`', "'"));
            return out;
        };
        let inner = from.get(1..=end).unwrap_or_default();
        // In a table a bar parts cells even between backticks.
        let inner: String =
            inner.chars().filter(|c| !is_dangerous(*c)).map(|c| if c == '|' { '¦' } else { c }).collect();
        out.push_str(&if inner.trim().is_empty() { String::new() } else { format!("`{inner}`") });
        rest = from.get(end + 2..).unwrap_or_default();
    }
    plain(&mut out, rest);
    out
}

fn plain(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_dangerous(c) => {}
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '[' | ']' | '*' | '\\' | '!' | '_' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
}

/// Control characters, and those that turn the direction of a text.
fn is_dangerous(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A claim as a heading says it: up to the first semicolon, and up to a colon behind which only its consequence follows.
pub fn heading(claim: &str) -> String {
    let (first, _) = parts(claim);
    let first = first.trim().trim_end_matches('.');
    if first.chars().count() <= HEADING_CHARS_MAX {
        return first.to_owned();
    }
    format!("{}…", first.chars().take(HEADING_CHARS_MAX).collect::<String>().replace('`', "'"))
}

/// What a claim says besides its heading, as sentences.
pub fn consequence(claim: &str) -> String {
    let (_, rest) = parts(claim);
    let sentences = rest.split("; ").map(str::trim).filter(|part| !part.is_empty());
    sentences.map(|part| sentence(&capital(part))).collect::<Vec<_>>().join(" ")
}

fn parts(claim: &str) -> (&str, &str) {
    // Both signs are of two bytes.
    match ["; ", ": each "].iter().filter_map(|cut| outside_quotes(claim, cut)).min() {
        Some(at) => (claim.get(..at).unwrap_or(claim), claim.get(at + 2..).unwrap_or_default()),
        None => (claim, ""),
    }
}

/// Where a text first stands outside of backticks.
fn outside_quotes(text: &str, wanted: &str) -> Option<usize> {
    text.match_indices(wanted)
        .map(|(at, _)| at)
        .find(|at| text.get(..*at).is_some_and(|before| before.matches('`').count() % 2 == 0))
}

pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

pub fn sentence(claim: &str) -> String {
    let text = claim.trim();
    if text.ends_with(['.', '!', '?', '…']) { text.to_owned() } else { format!("{text}.") }
}

/// A claim with its long whole numbers in groups, outside of backticks and quotes: `111911 rows` is `111,911 rows`.
pub fn with_groups(claim: &str) -> String {
    let mut out = String::with_capacity(claim.len() + 8);
    let mut quote: Option<char> = None;
    let mut run = String::new();
    let mut before = ' ';
    for c in claim.chars().chain(std::iter::once('\0')) {
        if quote.is_none() && c.is_ascii_digit() {
            run.push(c);
            continue;
        }
        if !run.is_empty() {
            // A part of a word, of a decimal or of a date is no number of its own; four digits may be a year.
            let is_alone =
                !before.is_alphanumeric() && !matches!(before, '.' | '-' | '_' | ':') && !c.is_alphabetic() && c != '-';
            out.push_str(&if is_alone && run.len() > 4 { grouped(&run) } else { std::mem::take(&mut run) });
            run.clear();
        }
        match (quote, c) {
            (None, '`') | (None, '\'') if c == '`' || !before.is_alphanumeric() => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        if c != '\0' {
            out.push(c);
        }
        before = c;
    }
    out
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number as people read it.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    // A zero that came from below is a zero.
    let value = if value.abs() < f64::MIN_POSITIVE { 0.0 } else { value };
    let digits = match value.abs() {
        large if large >= 1_000.0 || large == large.trunc() => 0,
        large if large >= 100.0 => 1,
        middle if middle >= 1.0 => 2,
        small if small >= 0.01 => 3,
        _ => return format!("{value:.2e}"),
    };
    let text = format!("{value:.digits$}");
    let (sign, rest) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, part) = rest.split_once('.').map_or((rest, None), |(whole, part)| (whole, Some(part)));
    let whole = grouped(whole);
    let part = part.map(|part| part.trim_end_matches('0')).filter(|part| !part.is_empty());
    part.map_or_else(|| format!("{sign}{whole}"), |part| format!("{sign}{whole}.{part}"))
}

/// `one thing`, `3 things`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    match count {
        1 => format!("one {one}"),
        count => format!("{count} {many}"),
    }
}

/// Names as a sentence lists them: `a, b and c`.
pub fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// A day or moment with its weekday in front: `Sun 2026-11-29`. What is no day stays as it is.
pub fn with_weekday(day: &str) -> String {
    let fields: Vec<i64> = day.get(..10).unwrap_or_default().split('-').filter_map(|part| part.parse().ok()).collect();
    let [year, month, date] = fields.as_slice() else { return day.to_owned() };
    match days_of(*year, *month, *date) {
        Some(days) => format!("{} {day}", weekday(days)),
        None => day.to_owned(),
    }
}

/// Days since 1970 of a date; none where there is no such date.
fn days_of(year: i64, month: i64, date: i64) -> Option<i64> {
    if !(1970..=9999).contains(&year) {
        return None;
    }
    let guess = (year - 1970) * 365 + (year - 1969) / 4 - (year - 1901) / 100 + (year - 1601) / 400;
    (guess..guess + 366).find(|days| date_of(*days) == (year, month, date))
}

fn weekday(days: i64) -> &'static str {
    const NAMES: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    usize::try_from(days.rem_euclid(7)).ok().and_then(|at| NAMES.get(at)).copied().unwrap_or_default()
}

/// The day of a moment.
pub fn day(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or_default();
    pi_signals::instant::rfc3339(ms).chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_shown_as_it_is() {
        assert_eq!(escaped("`order_date` of order_date"), "`order_date` of order\\_date");
        assert_eq!(escaped("`<b>` and <b>"), "`<b>` and &lt;b&gt;");
    }

    #[test]
    fn a_backtick_alone_opens_nothing() {
        assert_eq!(escaped("a ` b_c"), "a ' b\\_c");
        assert_eq!(escaped("`a|b` | c"), "`a¦b` \\| c");
    }

    #[test]
    fn a_heading_is_what_a_claim_says_first() {
        let claim = "Table dropped: `shop.a; b`; statements that name it fail; 1 thing uses it: view `v`.";
        assert_eq!(heading(claim), "Table dropped: `shop.a; b`");
        assert_eq!(consequence(claim), "Statements that name it fail. 1 thing uses it: view `v`.");
        let claim = "The foreign key `k` has no index: each delete in `a` reads the whole table.";
        assert_eq!(heading(claim), "The foreign key `k` has no index");
        assert_eq!(consequence(claim), "Each delete in `a` reads the whole table.");
        assert_eq!(
            (heading("orders: fewer rows").as_str(), consequence("orders: fewer rows").as_str()),
            ("orders: fewer rows", "")
        );
    }

    #[test]
    fn long_numbers_of_a_claim_are_in_groups_and_years_are_not() {
        assert_eq!(with_groups("111911 rows since 2026-11-29, 1.23456 %"), "111,911 rows since 2026-11-29, 1.23456 %");
        assert_eq!(with_groups("`t12345` and '99999' of 12345"), "`t12345` and '99999' of 12,345");
        assert_eq!(with_groups("4096 rows, 1000000"), "4096 rows, 1,000,000");
    }

    #[test]
    fn numbers_are_as_people_read_them() {
        let all: Vec<String> = [1_234_567.0, 0.5, 3.451_59, -12.0, 126.46, 0.0, f64::NAN].map(number).to_vec();
        assert_eq!(all, ["1,234,567", "0.5", "3.45", "-12", "126.5", "0", "unknown"]);
    }

    #[test]
    fn a_day_has_its_weekday() {
        assert_eq!(with_weekday("2026-11-29"), "Sun 2026-11-29");
        assert_eq!(with_weekday("2026-11-29 07:00:00"), "Sun 2026-11-29 07:00:00");
        assert_eq!(with_weekday("2026-02-30"), "2026-02-30");
        assert_eq!(with_weekday("yesterday"), "yesterday");
    }

    #[test]
    fn names_are_listed_as_in_a_sentence() {
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!((listed(&names), listed(&names[..1])), ("a, b and c".to_owned(), "a".to_owned()));
    }
}
