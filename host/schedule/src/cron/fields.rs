//! Looks at each field of a cron expression before croner does, so that an error names the field, the part of it that is
//! wrong, and what may stand there. Croner drops empty parts of lists and takes steps that never repeat; both are most
//! likely slips of the pen, so they are refused here.

use crate::error::{CronError, shortened};

struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
    /// The value of the first name.
    names_from: u32,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Day,
    Weekday,
}

const FIELDS: [Field; 6] = [
    Field { name: "second", least: 0, most: 59, names: &[], names_from: 0, kind: Kind::Plain },
    Field { name: "minute", least: 0, most: 59, names: &[], names_from: 0, kind: Kind::Plain },
    Field { name: "hour", least: 0, most: 23, names: &[], names_from: 0, kind: Kind::Plain },
    Field { name: "day of month", least: 1, most: 31, names: &[], names_from: 0, kind: Kind::Day },
    Field {
        name: "month",
        least: 1,
        most: 12,
        names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
        names_from: 1,
        kind: Kind::Plain,
    },
    Field {
        name: "day of week",
        least: 0,
        most: 7,
        names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        names_from: 0,
        kind: Kind::Weekday,
    },
];

/// Longer than any expression that means something.
const LENGTH_MAX: usize = 1_000;

/// The expression with `@daily` and the like written out, once every field of it has been looked at.
pub(super) fn checked(expression: &str) -> Result<String, CronError> {
    let trimmed = expression.trim();
    if let Some(word) = trimmed.strip_prefix('@') {
        return nickname(word).map(str::to_owned);
    }
    let parts: Vec<&str> = trimmed.split_whitespace().collect();
    let found = parts.len();
    if !(5..=6).contains(&found) || trimmed.len() > LENGTH_MAX {
        return Err(CronError::Fields { found, expression: shortened(trimmed) });
    }
    for (index, (field, part)) in FIELDS.iter().skip(6 - found).zip(&parts).enumerate() {
        field.check(&part.to_uppercase()).map_err(|(item, reason)| CronError::Field {
            name: field.name,
            position: index + 1,
            count: found,
            item: shortened(&item),
            reason,
        })?;
    }
    Ok(parts.join(" "))
}

fn nickname(word: &str) -> Result<&'static str, CronError> {
    Ok(match word.to_ascii_lowercase().as_str() {
        "hourly" => "0 * * * *",
        "daily" | "midnight" => "0 0 * * *",
        "weekly" => "0 0 * * 0",
        "monthly" => "0 0 1 * *",
        "yearly" | "annually" => "0 0 1 1 *",
        other => {
            let reason = if other.starts_with("every") {
                "a fixed interval has a key of its own: every = \"15m\""
            } else if other == "reboot" {
                "there is no schedule by starts of the host; use a time"
            } else {
                "expected @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually"
            };
            return Err(CronError::Nickname { word: shortened(&format!("@{word}")), reason: reason.to_owned() });
        }
    })
}

/// The part of a field that is wrong, and why.
type Wrong = (String, String);

impl Field {
    fn check(&self, part: &str) -> Result<(), Wrong> {
        let part = match part.strip_prefix('+') {
            Some(rest) if self.kind == Kind::Weekday => rest,
            _ => part,
        };
        if part == "*" || (part == "?" && self.kind != Kind::Plain) {
            return Ok(());
        }
        part.split(',').try_for_each(|item| self.check_item(item, part))
    }

    fn check_item(&self, item: &str, part: &str) -> Result<(), Wrong> {
        if item.is_empty() {
            return Err((part.to_owned(), "a list has an empty part".to_owned()));
        }
        if item == "*" {
            return Err((part.to_owned(), "`*` stands alone, or with a step as in `*/5`".to_owned()));
        }
        if let Some((range, step)) = item.split_once('/') {
            return self.check_step(item, range, step);
        }
        match self.kind {
            Kind::Day if item == "L" || item == "LW" => Ok(()),
            Kind::Day if item.ends_with('W') => self.value(item.strip_suffix('W').unwrap_or(item), item).map(|_| ()),
            Kind::Weekday if item == "L" => Err((
                item.to_owned(),
                "`L` needs a weekday here, as in `FRIL`, the last Friday of the month".to_owned(),
            )),
            Kind::Weekday if item.contains('#') || item.ends_with('L') => self.check_nth(item),
            _ => self.range(item, item).map(|_| ()),
        }
    }

    fn check_nth(&self, item: &str) -> Result<(), Wrong> {
        let (days, nth) = match item.split_once('#') {
            Some(halves) => halves,
            None => (item.strip_suffix('L').unwrap_or(item), "L"),
        };
        if nth != "L" && !matches!(nth, "1" | "2" | "3" | "4" | "5") {
            return Err((
                item.to_owned(),
                "after `#` comes 1 to 5 or L, as in `MON#1`, the first Monday of the month".to_owned(),
            ));
        }
        // Croner reads a range before `#`, but not before a bare `L`.
        if item.contains('#') { self.range(days, item).map(|_| ()) } else { self.value(days, item).map(|_| ()) }
    }

    fn check_step(&self, item: &str, range: &str, step: &str) -> Result<(), Wrong> {
        let wrong = |reason: String| (item.to_owned(), reason);
        let (first, last) = match range {
            "*" => (self.least, self.most),
            _ if range.contains('-') => self.range(range, item)?,
            _ => {
                let from = self.value(range, item).unwrap_or(self.least);
                let most = self.most;
                return Err(wrong(format!("a step needs a range: write `{from}-{most}/{step}` or `*/{step}`")));
            }
        };
        let step: u32 = step
            .parse()
            .ok()
            .filter(|step| *step > 0)
            .ok_or_else(|| wrong("a step is a number from 1 on, as in `*/5`".to_owned()))?;
        if step > last - first {
            let name = self.name;
            return Err(wrong(format!(
                "a step of {step} never repeats from {first} to {last}, it counts within the {name} field alone; for a fixed interval use `every`"
            )));
        }
        Ok(())
    }

    /// The ends of `5` or `5-9`.
    fn range(&self, text: &str, item: &str) -> Result<(u32, u32), Wrong> {
        let Some((first, last)) = text.split_once('-') else {
            let value = self.value(text, item)?;
            return Ok((value, value));
        };
        if self.kind == Kind::Day && (first == "L" || last == "L") {
            return Err((item.to_owned(), "days before the last one cannot be counted; `L` stands alone".to_owned()));
        }
        let from = self.value(first, item)?;
        let mut to = self.value(last, item)?;
        if self.kind == Kind::Weekday && last == "SUN" {
            to = 7;
        }
        if from > to {
            let most = if self.kind == Kind::Weekday { 6 } else { self.most };
            let least = self.least;
            return Err((
                item.to_owned(),
                format!("the range runs backwards; list its parts, as in `{first}-{most},{least}-{last}`"),
            ));
        }
        Ok((from, to))
    }

    fn value(&self, text: &str, item: &str) -> Result<u32, Wrong> {
        if let Some(index) = self.names.iter().position(|name| *name == text) {
            return Ok(self.names_from + u32::try_from(index).unwrap_or(0));
        }
        let number: Option<u32> = text.parse().ok().filter(|_| text.chars().all(|letter| letter.is_ascii_digit()));
        match number {
            Some(number) if (self.least..=self.most).contains(&number) => Ok(number),
            _ => Err((item.to_owned(), format!("expected {}", self.allowed()))),
        }
    }

    fn allowed(&self) -> String {
        let (least, most) = (self.least, self.most);
        match self.kind {
            Kind::Day => format!("{least} to {most}, `L`, `LW`, or a day with `W`"),
            Kind::Weekday => {
                format!("{least} to {most} (0 and 7 are Sunday) or SUN to SAT, also with `#1` to `#5` or `L`")
            }
            Kind::Plain if self.names.is_empty() => format!("{least} to {most}"),
            Kind::Plain => format!("{least} to {most} or JAN to DEC"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(expression: &str) -> String {
        checked(expression).unwrap_err().to_string()
    }

    #[test]
    fn names_the_field_the_part_and_what_is_allowed() {
        assert_eq!(said("0 25 * * *"), "hour (field 2 of 5): expected 0 to 23: `25`");
        assert_eq!(said("0 0 25 * * *"), "hour (field 3 of 6): expected 0 to 23: `25`");
        assert_eq!(
            said("0 0 1,32 * *"),
            "day of month (field 3 of 5): expected 1 to 31, `L`, `LW`, or a day with `W`: `32`"
        );
        assert_eq!(said("0 0 * 13 *"), "month (field 4 of 5): expected 1 to 12 or JAN to DEC: `13`");
        assert_eq!(
            said("0 0 * * MONDAY"),
            "day of week (field 5 of 5): expected 0 to 7 (0 and 7 are Sunday) or SUN to SAT, also with `#1` to `#5` or `L`: `MONDAY`"
        );
        assert_eq!(said("60 * * * *"), "minute (field 1 of 5): expected 0 to 59: `60`");
        assert_eq!(said("x * * * * *"), "second (field 1 of 6): expected 0 to 59: `X`");
    }

    #[test]
    fn says_how_to_write_what_was_meant() {
        assert_eq!(
            said("0/10 * * * *"),
            "minute (field 1 of 5): a step needs a range: write `0-59/10` or `*/10`: `0/10`"
        );
        assert!(said("*/90 * * * *").contains("use `every`"));
        assert!(said("*/0 * * * *").contains("from 1 on"));
        assert!(said("0 0 * * SAT-MON").contains("`SAT-6,0-MON`"), "{}", said("0 0 * * SAT-MON"));
        assert!(said("0 22-6 * * *").contains("`22-23,0-6`"));
        assert!(said("0 0 * * L").contains("`FRIL`"));
        assert!(said("0 0 L-3 * *").contains("`L` stands alone"));
        assert!(said("0 0 * * MON#6").contains("1 to 5"));
        assert!(said("0,,5 * * * *").contains("empty part"));
        assert!(said("*,5 * * * *").contains("stands alone"));
        assert!(said("@every 5m").contains("every = \"15m\""));
        assert!(said("@fortnightly").contains("@monthly"));
        assert!(said("0 0 * *").contains("found 4"));
        assert!(said("0 0 0 * * * 2026").contains("found 7"));
        assert!(said("").contains("found 0"));
    }

    #[test]
    fn survives_what_is_hostile() {
        for expression in [
            "🦀 * * * *",
            "99999999999999999999 * * * *",
            "-1 * * * *",
            "1-2-3 * * * *",
            "*/ * * * *",
            "/5 * * * *",
            "#1 * * * *",
            "0 0 W * *",
            "0 0 * * #",
            "0 0 * * +",
            "+1 * * * *",
            "ß ß ß ß ß",
        ] {
            assert!(checked(expression).is_err(), "{expression}");
        }
        assert!(said(&"* ".repeat(100_000)).len() < 400);
        assert!(said(&format!("{} * * * *", "1,".repeat(400))).len() < 400);
    }
}
