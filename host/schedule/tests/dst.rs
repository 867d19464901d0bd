//! What happens around changes of the clock, by instants that were worked out by hand from the rules of the zones and
//! checked against Python's `zoneinfo` (`tests/dst.py` reads the rows from this file and counts minute by minute).

use jiff::Timestamp;
use pi_schedule::{Job, JobSpec};

/// Name, zone, expression, `gap`, `fold` (`-` is not written), from, to, and the slots in between in UTC.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // New York: 02:00 to 03:00 on 8 March, 02:00 back to 01:00 on 1 November.
    ("new york, gap, default", "America/New_York", "30 2 * * *", "-", "-", "2026-03-07T05:00Z", "2026-03-10T04:00Z",
        &["2026-03-07T07:30Z", "2026-03-08T07:00Z", "2026-03-09T06:30Z"]),
    ("new york, gap, shift", "America/New_York", "30 2 * * *", "shift", "-", "2026-03-07T05:00Z", "2026-03-10T04:00Z",
        &["2026-03-07T07:30Z", "2026-03-08T07:00Z", "2026-03-09T06:30Z"]),
    ("new york, gap, skip", "America/New_York", "30 2 * * *", "skip", "-", "2026-03-07T05:00Z", "2026-03-10T04:00Z",
        &["2026-03-07T07:30Z", "2026-03-09T06:30Z"]),
    ("new york, gap, many readings become one slot", "America/New_York", "*/15 2 * * *", "-", "-", "2026-03-08T05:00Z", "2026-03-09T04:00Z",
        &["2026-03-08T07:00Z"]),
    ("new york, gap, shifted onto a slot", "America/New_York", "0 2,3 * * *", "-", "-", "2026-03-08T05:00Z", "2026-03-09T04:00Z",
        &["2026-03-08T07:00Z"]),
    ("new york, gap, every second hour", "America/New_York", "0 */2 * * *", "-", "-", "2026-03-08T05:00Z", "2026-03-08T11:00Z",
        &["2026-03-08T05:00Z", "2026-03-08T07:00Z", "2026-03-08T08:00Z", "2026-03-08T10:00Z"]),
    ("new york, gap, every hour", "America/New_York", "30 * * * *", "-", "-", "2026-03-08T05:00Z", "2026-03-08T09:00Z",
        &["2026-03-08T05:30Z", "2026-03-08T06:30Z", "2026-03-08T07:30Z", "2026-03-08T08:30Z"]),
    ("new york, gap, every hour, shift", "America/New_York", "30 * * * *", "shift", "-", "2026-03-08T05:00Z", "2026-03-08T09:00Z",
        &["2026-03-08T05:30Z", "2026-03-08T06:30Z", "2026-03-08T07:00Z", "2026-03-08T07:30Z", "2026-03-08T08:30Z"]),
    ("new york, fold, default", "America/New_York", "30 1 * * *", "-", "-", "2026-10-31T04:00Z", "2026-11-03T05:00Z",
        &["2026-10-31T05:30Z", "2026-11-01T05:30Z", "2026-11-02T06:30Z"]),
    ("new york, fold, second", "America/New_York", "30 1 * * *", "-", "second", "2026-10-31T04:00Z", "2026-11-03T05:00Z",
        &["2026-10-31T05:30Z", "2026-11-01T06:30Z", "2026-11-02T06:30Z"]),
    ("new york, fold, both", "America/New_York", "30 1 * * *", "-", "both", "2026-10-31T04:00Z", "2026-11-03T05:00Z",
        &["2026-10-31T05:30Z", "2026-11-01T05:30Z", "2026-11-01T06:30Z", "2026-11-02T06:30Z"]),
    ("new york, fold, every hour", "America/New_York", "30 * * * *", "-", "-", "2026-11-01T04:00Z", "2026-11-01T08:00Z",
        &["2026-11-01T04:30Z", "2026-11-01T05:30Z", "2026-11-01T06:30Z", "2026-11-01T07:30Z"]),
    ("new york, fold, every hour, first", "America/New_York", "30 * * * *", "-", "first", "2026-11-01T04:00Z", "2026-11-01T08:00Z",
        &["2026-11-01T04:30Z", "2026-11-01T05:30Z", "2026-11-01T07:30Z"]),
    ("new york, fold, several in the hour, both", "America/New_York", "0,30 1 * * *", "-", "both", "2026-11-01T04:00Z", "2026-11-02T04:00Z",
        &["2026-11-01T05:00Z", "2026-11-01T05:30Z", "2026-11-01T06:00Z", "2026-11-01T06:30Z"]),
    // Cairo, which has summer time again since 2023: 00:00 to 01:00 on 24 April, 24:00 back to 23:00 on 29 October.
    ("cairo, gap, shift", "Africa/Cairo", "30 0 * * *", "shift", "-", "2026-04-22T22:00Z", "2026-04-25T21:00Z",
        &["2026-04-22T22:30Z", "2026-04-23T22:00Z", "2026-04-24T21:30Z"]),
    ("cairo, gap, skip", "Africa/Cairo", "30 0 * * *", "skip", "-", "2026-04-22T22:00Z", "2026-04-25T21:00Z",
        &["2026-04-22T22:30Z", "2026-04-24T21:30Z"]),
    ("cairo, no summer time in 2022", "Africa/Cairo", "30 0 * * *", "-", "-", "2022-04-27T22:00Z", "2022-04-30T22:00Z",
        &["2022-04-27T22:30Z", "2022-04-28T22:30Z", "2022-04-29T22:30Z"]),
    ("cairo, fold, first", "Africa/Cairo", "30 23 * * *", "-", "first", "2026-10-28T12:00Z", "2026-10-31T12:00Z",
        &["2026-10-28T20:30Z", "2026-10-29T20:30Z", "2026-10-30T21:30Z"]),
    ("cairo, fold, second", "Africa/Cairo", "30 23 * * *", "-", "second", "2026-10-28T12:00Z", "2026-10-31T12:00Z",
        &["2026-10-28T20:30Z", "2026-10-29T21:30Z", "2026-10-30T21:30Z"]),
    ("cairo, fold, both", "Africa/Cairo", "30 23 * * *", "-", "both", "2026-10-28T12:00Z", "2026-10-31T12:00Z",
        &["2026-10-28T20:30Z", "2026-10-29T20:30Z", "2026-10-29T21:30Z", "2026-10-30T21:30Z"]),
    // Santiago, which changes at 24:00: 5 September 24:00 is 6 September 01:00; 4 April 24:00 is 23:00 again.
    ("santiago, gap at midnight, shift", "America/Santiago", "0 0 * * *", "shift", "-", "2026-09-05T00:00Z", "2026-09-08T00:00Z",
        &["2026-09-05T04:00Z", "2026-09-06T04:00Z", "2026-09-07T03:00Z"]),
    ("santiago, gap at midnight, skip", "America/Santiago", "0 0 * * *", "skip", "-", "2026-09-05T00:00Z", "2026-09-08T00:00Z",
        &["2026-09-05T04:00Z", "2026-09-07T03:00Z"]),
    ("santiago, fold before midnight, first", "America/Santiago", "30 23 * * *", "-", "first", "2026-04-04T00:00Z", "2026-04-06T12:00Z",
        &["2026-04-04T02:30Z", "2026-04-05T02:30Z", "2026-04-06T03:30Z"]),
    ("santiago, fold before midnight, second", "America/Santiago", "30 23 * * *", "-", "second", "2026-04-04T00:00Z", "2026-04-06T12:00Z",
        &["2026-04-04T02:30Z", "2026-04-05T03:30Z", "2026-04-06T03:30Z"]),
    ("santiago, fold before midnight, both", "America/Santiago", "30 23 * * *", "-", "both", "2026-04-04T00:00Z", "2026-04-06T12:00Z",
        &["2026-04-04T02:30Z", "2026-04-05T02:30Z", "2026-04-05T03:30Z", "2026-04-06T03:30Z"]),
    ("santiago, midnight after the fold comes once", "America/Santiago", "0 0 * * *", "-", "both", "2026-04-04T00:00Z", "2026-04-07T00:00Z",
        &["2026-04-04T03:00Z", "2026-04-05T04:00Z", "2026-04-06T04:00Z"]),
    // Lord Howe, by half an hour: 02:00 to 02:30 on 4 October, 02:00 back to 01:30 on 5 April.
    ("lord howe, gap, shift", "Australia/Lord_Howe", "15 2 * * *", "shift", "-", "2026-10-02T12:00Z", "2026-10-05T12:00Z",
        &["2026-10-02T15:45Z", "2026-10-03T15:30Z", "2026-10-04T15:15Z"]),
    ("lord howe, gap, skip", "Australia/Lord_Howe", "15 2 * * *", "skip", "-", "2026-10-02T12:00Z", "2026-10-05T12:00Z",
        &["2026-10-02T15:45Z", "2026-10-04T15:15Z"]),
    ("lord howe, the other half of the hour is there", "Australia/Lord_Howe", "45 2 * * *", "-", "-", "2026-10-02T12:00Z", "2026-10-05T12:00Z",
        &["2026-10-02T16:15Z", "2026-10-03T15:45Z", "2026-10-04T15:45Z"]),
    ("lord howe, fold, first", "Australia/Lord_Howe", "45 1 * * *", "-", "first", "2026-04-03T12:00Z", "2026-04-06T12:00Z",
        &["2026-04-03T14:45Z", "2026-04-04T14:45Z", "2026-04-05T15:15Z"]),
    ("lord howe, fold, second", "Australia/Lord_Howe", "45 1 * * *", "-", "second", "2026-04-03T12:00Z", "2026-04-06T12:00Z",
        &["2026-04-03T14:45Z", "2026-04-04T15:15Z", "2026-04-05T15:15Z"]),
    ("lord howe, fold, both", "Australia/Lord_Howe", "45 1 * * *", "-", "both", "2026-04-03T12:00Z", "2026-04-06T12:00Z",
        &["2026-04-03T14:45Z", "2026-04-04T14:45Z", "2026-04-04T15:15Z", "2026-04-05T15:15Z"]),
    // Apia went over the date line: after 29 December 2011 came 31 December.
    ("apia, a day left out, shift", "Pacific/Apia", "0 12 * * *", "shift", "-", "2011-12-29T12:00Z", "2012-01-01T12:00Z",
        &["2011-12-29T22:00Z", "2011-12-30T10:00Z", "2011-12-30T22:00Z", "2011-12-31T22:00Z"]),
    ("apia, a day left out, skip", "Pacific/Apia", "0 12 * * *", "skip", "-", "2011-12-29T12:00Z", "2012-01-01T12:00Z",
        &["2011-12-29T22:00Z", "2011-12-30T22:00Z", "2011-12-31T22:00Z"]),
    ("apia, midnight, shift", "Pacific/Apia", "0 0 * * *", "shift", "-", "2011-12-29T00:00Z", "2012-01-01T00:00Z",
        &["2011-12-29T10:00Z", "2011-12-30T10:00Z", "2011-12-31T10:00Z"]),
    ("apia, the month's 30th is not lost, shift", "Pacific/Apia", "0 12 30 * *", "shift", "-", "2011-11-01T00:00Z", "2012-02-01T00:00Z",
        &["2011-11-30T22:00Z", "2011-12-30T10:00Z", "2012-01-29T22:00Z"]),
    ("apia, the month's 30th, skip", "Pacific/Apia", "0 12 30 * *", "skip", "-", "2011-11-01T00:00Z", "2012-02-01T00:00Z",
        &["2011-11-30T22:00Z", "2012-01-29T22:00Z"]),
    // Nuuk changes at 23:00, so that what is shifted is shifted to the next day.
    ("nuuk, gap before midnight, shift", "America/Nuuk", "30 23 * * *", "shift", "-", "2024-03-30T00:00Z", "2024-04-01T12:00Z",
        &["2024-03-30T01:30Z", "2024-03-31T01:00Z", "2024-04-01T00:30Z"]),
    // Pyongyang changed its offset for good: back by half an hour in 2015, forward again in 2018.
    ("pyongyang, 2018, shift", "Asia/Pyongyang", "45 23 * * *", "shift", "-", "2018-05-03T00:00Z", "2018-05-06T00:00Z",
        &["2018-05-03T15:15Z", "2018-05-04T15:00Z", "2018-05-05T14:45Z"]),
    ("pyongyang, 2018, skip", "Asia/Pyongyang", "45 23 * * *", "skip", "-", "2018-05-03T00:00Z", "2018-05-06T00:00Z",
        &["2018-05-03T15:15Z", "2018-05-05T14:45Z"]),
    ("pyongyang, 2015, first", "Asia/Pyongyang", "45 23 * * *", "-", "first", "2015-08-13T00:00Z", "2015-08-16T00:00Z",
        &["2015-08-13T14:45Z", "2015-08-14T14:45Z", "2015-08-15T15:15Z"]),
    ("pyongyang, 2015, second", "Asia/Pyongyang", "45 23 * * *", "-", "second", "2015-08-13T00:00Z", "2015-08-16T00:00Z",
        &["2015-08-13T14:45Z", "2015-08-14T15:15Z", "2015-08-15T15:15Z"]),
    ("pyongyang, 2015, both", "Asia/Pyongyang", "45 23 * * *", "-", "both", "2015-08-13T00:00Z", "2015-08-16T00:00Z",
        &["2015-08-13T14:45Z", "2015-08-14T14:45Z", "2015-08-14T15:15Z", "2015-08-15T15:15Z"]),
    // Leap days, and the century that has none.
    ("leap day", "Europe/Berlin", "0 12 29 2 *", "-", "-", "2023-01-01T00:00Z", "2029-01-01T00:00Z",
        &["2024-02-29T11:00Z", "2028-02-29T11:00Z"]),
    ("leap day, 2100 has none", "UTC", "0 12 29 2 *", "-", "-", "2095-01-01T00:00Z", "2105-01-01T00:00Z",
        &["2096-02-29T12:00Z", "2104-02-29T12:00Z"]),
    // Month ends, one of them on another offset.
    ("month ends", "Europe/Berlin", "0 6 L * *", "-", "-", "2026-01-01T00:00Z", "2026-05-01T00:00Z",
        &["2026-01-31T05:00Z", "2026-02-28T05:00Z", "2026-03-31T04:00Z", "2026-04-30T04:00Z"]),
    ("the 31st", "Europe/Berlin", "0 6 31 * *", "-", "-", "2026-01-01T00:00Z", "2026-06-01T00:00Z",
        &["2026-01-31T05:00Z", "2026-03-31T04:00Z", "2026-05-31T04:00Z"]),
];

fn spec(row: &Row) -> JobSpec {
    let (_, zone, cron, gap, fold, ..) = *row;
    let word = |key: &str, value: &str| if value == "-" { String::new() } else { format!("{key} = \"{value}\"\n") };
    toml::from_str(&format!("cron = \"{cron}\"\nzone = \"{zone}\"\n{}{}", word("gap", gap), word("fold", fold)))
        .unwrap()
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn slots_are_those_of_the_clock() {
    for row in ROWS {
        let (name, .., from, to, expected) = *row;
        let job = Job::new("job", spec(row)).unwrap();
        let expected: Vec<Timestamp> = expected.iter().map(|text| instant(text)).collect();
        let found: Vec<Timestamp> = job.schedule().slots(instant(from), instant(to)).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn slots_are_the_same_backwards() {
    for row in ROWS {
        let (name, .., from, to, expected) = *row;
        let job = Job::new("job", spec(row)).unwrap();
        let mut found = Vec::new();
        let mut before = instant(to);
        while let Some(slot) = job.schedule().previous(before).filter(|slot| *slot >= instant(from)) {
            found.insert(0, slot);
            before = slot;
        }
        let expected: Vec<Timestamp> = expected.iter().map(|text| instant(text)).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_preview_says_why_a_slot_is_there() {
    let job = |text: &str| Job::new("job", toml::from_str(text).unwrap()).unwrap();
    let readings = |job: &Job, after: &str| -> Vec<String> {
        job.preview(instant(after), 3)
            .iter()
            .map(|planned| format!("{} {:?}", planned.local, planned.reading))
            .collect()
    };
    let spring = job("cron = \"30 2 * * *\"\nzone = \"America/New_York\"");
    assert_eq!(
        readings(&spring, "2026-03-07T07:00Z"),
        ["2026-03-07T02:30:00 Plain", "2026-03-08T03:00:00 Shifted(2026-03-08T02:30:00)", "2026-03-09T02:30:00 Plain"]
    );
    let autumn = job("cron = \"30 1 * * *\"\nzone = \"America/New_York\"\nfold = \"both\"");
    assert_eq!(
        readings(&autumn, "2026-11-01T00:00Z"),
        ["2026-11-01T01:30:00 FoldFirst", "2026-11-01T01:30:00 FoldSecond", "2026-11-02T01:30:00 Plain"]
    );
}

#[test]
fn once_is_by_the_clock_or_by_an_instant() {
    let slots = |text: &str| -> Vec<String> {
        let job = Job::new("job", toml::from_str(text).unwrap()).unwrap();
        job.schedule().slots(Timestamp::MIN, Timestamp::MAX).map(|slot| slot.to_string()).collect()
    };
    let zone = "zone = \"America/New_York\"";
    assert_eq!(slots("at = \"2026-12-24T18:00:00+01:00\""), ["2026-12-24T17:00:00Z"]);
    assert_eq!(slots(&format!("at = \"2026-12-24 18:00\"\n{zone}")), ["2026-12-24T23:00:00Z"]);
    assert_eq!(slots(&format!("at = \"2026-03-08 02:30\"\n{zone}")), ["2026-03-08T07:00:00Z"]);
    assert_eq!(slots(&format!("at = \"2026-11-01 01:30\"\n{zone}")), ["2026-11-01T05:30:00Z"]);
    assert_eq!(
        slots(&format!("at = \"2026-11-01 01:30\"\nfold = \"both\"\n{zone}")),
        ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"]
    );
}

#[test]
fn an_interval_follows_time_from_its_anchor() {
    let job = |text: &str| Job::new("job", toml::from_str(text).unwrap()).unwrap();
    let plain = job("every = \"15m\"");
    assert_eq!(plain.schedule().next(instant("2026-03-08T06:59:59Z")), Some(instant("2026-03-08T07:00Z")));
    assert_eq!(plain.schedule().next(instant("2026-03-08T07:00Z")), Some(instant("2026-03-08T07:15Z")));
    assert_eq!(plain.schedule().previous(instant("2026-03-08T07:00Z")), Some(instant("2026-03-08T06:45Z")));
    let anchored = job("every = \"1d\"\nanchor = \"2026-03-07T02:30\"\nzone = \"America/New_York\"");
    let found: Vec<Timestamp> = anchored.schedule().slots(Timestamp::MIN, instant("2026-03-10T00:00Z")).collect();
    assert_eq!(found, ["2026-03-07T07:30Z", "2026-03-08T07:30Z", "2026-03-09T07:30Z"].map(instant));
    assert_eq!(anchored.schedule().previous(instant("2026-03-07T07:30Z")), None);
}
