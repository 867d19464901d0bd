//! Time zones by their IANA name, from the database that is part of the program. The machine's own database is never read:
//! two hosts with files of different age would name different instants for one job.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::error::{Error, shortened};

/// The database is data of the program, read on first use and never changed.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Abbreviations that people write and that are no zones, since they name one half of a year, or several places.
const ABBREVIATIONS: [(&str, &str); 21] = [
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
    ("PT", "America/Los_Angeles"),
    ("MDT", "America/Denver"),
    ("MT", "America/Denver"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("CT", "America/Chicago"),
    ("EDT", "America/New_York"),
    ("ET", "America/New_York"),
    ("BST", "Europe/London"),
    ("CEST", "Europe/Berlin"),
    ("EEST", "Europe/Athens"),
    ("MSK", "Europe/Moscow"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("KST", "Asia/Seoul"),
    ("SGT", "Asia/Singapore"),
    ("AEST", "Australia/Sydney"),
    ("AEDT", "Australia/Sydney"),
    ("NZST", "Pacific/Auckland"),
];

/// The time zone of that IANA name, in any case (`europe/berlin`).
///
/// # Errors
/// [`Error::Zone`] where there is none, with up to three names that are near.
pub fn zone(name: &str) -> Result<TimeZone, Error> {
    let name = name.trim();
    // `Etc/Unknown` is the answer "I do not know", and reads as UTC: a job must not run by it.
    if name.eq_ignore_ascii_case("etc/unknown") {
        return Err(Error::Zone { name: name.to_owned(), hint: "write UTC if that is meant".to_owned() });
    }
    DATABASE.get(name).map_err(|_| Error::Zone { name: shortened(name), hint: hint(name) })
}

/// The names of all zones that there are, in alphabetical order.
pub fn zone_names() -> Vec<String> {
    DATABASE.available().map(|name| name.to_string()).filter(|name| name != "Etc/Unknown").collect()
}

fn hint(name: &str) -> String {
    if let Some((_, zone)) = ABBREVIATIONS.iter().find(|(short, _)| short.eq_ignore_ascii_case(name)) {
        return format!(
            "it is an abbreviation, which says nothing of the other half of the year; name a place, as in `{zone}`"
        );
    }
    if name.contains(['+', '-']) && name.chars().any(|letter| letter.is_ascii_digit()) && !name.contains('/') {
        return "an offset is no zone; name a place, or a fixed offset with its sign turned round: `Etc/GMT-2` is two hours east".to_owned();
    }
    let near = nearest(name);
    if near.is_empty() {
        return "names look like `Europe/Berlin`, `America/New_York`, `UTC`".to_owned();
    }
    let list: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
    format!("did you mean {}?", list.join(" or "))
}

/// Up to three names that could have been meant: the same place elsewhere, then by how much would have to be typed anew.
fn nearest(name: &str) -> Vec<String> {
    const LENGTH_MAX: usize = 64;
    if name.is_empty() || name.len() > LENGTH_MAX {
        return Vec::new();
    }
    let plain = |text: &str| text.to_lowercase().replace([' ', '-'], "_");
    let place = |text: &str| text.rsplit('/').next().unwrap_or(text).to_owned();
    let wanted = plain(name);
    let wanted_place = place(&wanted);
    let mut near: Vec<(f64, String)> = zone_names()
        .into_iter()
        .filter_map(|candidate| {
            let lower = plain(&candidate);
            let likeness = strsim::jaro_winkler(&lower, &wanted);
            let place_likeness = strsim::normalized_damerau_levenshtein(&place(&lower), &wanted_place);
            let score = likeness.max(if place_likeness >= 0.7 { 0.5 + place_likeness } else { 0.0 });
            (score >= 0.9).then_some((score, candidate))
        })
        .collect();
    near.sort_by(|left, right| right.0.total_cmp(&left.0).then_with(|| left.1.cmp(&right.1)));
    // What is about as near as the nearest; a list of other cities says that the program did not understand.
    let best = near.first().map_or(0.0, |(score, _)| *score);
    near.into_iter().filter(|(score, _)| *score >= best - 0.03).take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str) -> String {
        zone(name).unwrap_err().to_string()
    }

    #[test]
    fn takes_names_in_any_case() {
        assert_eq!(zone("europe/BERLIN").unwrap().iana_name(), Some("Europe/Berlin"));
        assert_eq!(zone(" UTC ").unwrap().iana_name(), Some("UTC"));
        assert!(zone_names().len() > 400);
    }

    #[test]
    fn suggests_what_was_meant() {
        assert!(
            said("Europe/Berln")
                .starts_with("`zone`: there is no time zone `Europe/Berln` (did you mean `Europe/Berlin`"),
            "{}",
            said("Europe/Berln")
        );
        assert!(said("Berlin").contains("`Europe/Berlin`"), "{}", said("Berlin"));
        assert!(said("America/New York").contains("`America/New_York`"));
        assert!(said("US/New_York").contains("`America/New_York`"));
        assert!(said("PST").contains("`America/Los_Angeles`"));
        assert!(said("UTC+2").contains("an offset is no zone"));
        assert!(said("+02:00").contains("an offset is no zone"));
    }

    #[test]
    fn says_how_names_look_where_nothing_is_near() {
        assert!(said("xyzzyqq").contains("names look like"), "{}", said("xyzzyqq"));
        assert!(said("").contains("names look like"));
        assert!(said(&"a".repeat(1_000_000)).len() < 300);
        assert!(said("Etc/Unknown").contains("UTC"));
        assert!(said("../../etc/passwd").starts_with("`zone`: there is no time zone"));
    }
}
