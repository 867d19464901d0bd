//! Whether a version is affected, by the evaluation algorithm that the OSV schema publishes.
//!
//! A version is affected if it is listed, or if it is in a range: events in the order of versions switch
//! between affected and not. Without a version the newest one is meant: it is affected where nothing
//! ends the last range, or nothing newer is known than what ends it without a fix. What cannot be
//! evaluated is undecided, which is never the same as not affected.

use std::cmp::Ordering;

use super::{Entry, Event, Part, Range, is_malicious};
use crate::packages::advisory::Basis;
use crate::packages::ecosystem::{Ecosystem, is_same_release};
use crate::packages::version::{Scheme, VersionError};

/// Fixes that are tried. Danger: each is compared with all events of a record.
const FIXES_MAX: usize = 16;
/// Why a record that names the package and no version of it decides nothing.
const NO_VERSIONS: &str = "it does not say which versions are affected";

/// What an entry says of a version.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Affected { basis: Basis, fixed: Option<String> },
    NotAffected,
    Undecided { reason: String },
}

/// Which version of a package is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked<'a> {
    Version(&'a str),
    /// The newest one, which is this one or a newer one.
    Newest(Option<&'a str>),
}

/// The newest version that any of the entries of a package names: there is this one, or a newer one.
pub(crate) fn newest_known<'a>(entries: &'a [Entry], ecosystem: &Ecosystem) -> Option<&'a str> {
    let scheme = ecosystem.scheme();
    let parts = entries.iter().flat_map(|entry| &entry.parts).filter(|part| part.concerns(ecosystem));
    let named = parts.flat_map(|part| {
        let events = part.ranges.iter().flat_map(|range| &range.events);
        let of_events = events.filter(|event| !matches!(event, Event::Limit(_))).map(Event::version);
        of_events.chain(part.versions.iter().map(String::as_str))
    });
    let mut newest = None;
    for version in named.filter(|version| scheme.is_version(version)) {
        if newest.is_none_or(|newest| scheme.compare(version, newest).is_ok_and(Ordering::is_gt)) {
            newest = Some(version);
        }
    }
    newest
}

/// Is this version of the package affected?
pub(crate) fn evaluate(entry: &Entry, ecosystem: &Ecosystem, asked: Asked<'_>) -> Verdict {
    let parts: Vec<&Part> = entry.parts.iter().filter(|part| part.concerns(ecosystem)).collect();
    if parts.is_empty() && !entry.parts.is_empty() {
        // It speaks of other releases of the distribution.
        return Verdict::NotAffected;
    }
    // A malicious package of which no versions are known is malicious in every version.
    let is_open = parts.is_empty() || parts.iter().any(|part| part.says_nothing());
    if is_open && is_malicious(&entry.id) {
        return Verdict::Affected { basis: Basis::Name, fixed: None };
    }
    if parts.is_empty() {
        return Verdict::Undecided { reason: NO_VERSIONS.to_owned() };
    }
    match asked {
        Asked::Version(version) => evaluate_version(&parts, ecosystem.scheme(), version),
        Asked::Newest(newest) => evaluate_newest(entry, &parts, ecosystem.scheme(), newest),
    }
}

fn evaluate_version(parts: &[&Part], scheme: Scheme, version: &str) -> Verdict {
    if !scheme.is_version(version) {
        return Verdict::Undecided { reason: format!("`{}` is not a version", version.escape_debug()) };
    }
    let mut undecided = None;
    for part in parts {
        match is_in_part(part, scheme, version) {
            Ok(true) => return Verdict::Affected { basis: Basis::Version, fixed: fixed_after(parts, scheme, version) },
            Ok(false) if part.says_nothing() => undecided = Some(NO_VERSIONS.to_owned()),
            Ok(false) => {}
            Err(error) => undecided = Some(error.to_string()),
        }
    }
    undecided.map_or(Verdict::NotAffected, |reason| Verdict::Undecided { reason })
}

fn evaluate_newest(entry: &Entry, parts: &[&Part], scheme: Scheme, newest: Option<&str>) -> Verdict {
    let mut undecided = None;
    for part in parts {
        if part.says_nothing() {
            undecided = Some(NO_VERSIONS.to_owned());
        }
        // A bare list of versions does not say that a later one is better, unless a later one is known.
        let is_behind = |listed: &String| is_newer(scheme, newest, listed);
        if part.ranges.is_empty() && !part.versions.iter().all(is_behind) {
            let basis = if is_malicious(&entry.id) { Basis::SomeVersions } else { Basis::Newest };
            return Verdict::Affected { basis, fixed: None };
        }
        for range in &part.ranges {
            match is_open(range, scheme, newest) {
                Ok(true) => return Verdict::Affected { basis: Basis::Newest, fixed: None },
                Ok(false) => {}
                Err(error) => undecided = Some(error.to_string()),
            }
        }
    }
    if is_malicious(&entry.id) {
        return Verdict::Affected { basis: Basis::SomeVersions, fixed: None };
    }
    undecided.map_or(Verdict::NotAffected, |reason| Verdict::Undecided { reason })
}

impl Part {
    fn concerns(&self, ecosystem: &Ecosystem) -> bool {
        match (&self.release, ecosystem.release()) {
            (Some(mine), Some(asked)) => is_same_release(mine, asked),
            // Where either names no release, all are meant: rather one finding too many.
            _ => true,
        }
    }

    /// It names the package and no version of it: ranges of commits alone, ranges that nothing begins, or
    /// nothing at all. Danger: taken as "no version is in it", every such record would read as clean.
    fn says_nothing(&self) -> bool {
        let mut events = self.ranges.iter().flat_map(|range| &range.events);
        self.versions.is_empty() && !events.any(|event| matches!(event, Event::Introduced(_)))
    }
}

fn is_in_part(part: &Part, scheme: Scheme, version: &str) -> Result<bool, VersionError> {
    if part.versions.iter().any(|listed| is_same(scheme, listed, version)) {
        return Ok(true);
    }
    is_in_ranges(&part.ranges, scheme, version)
}

/// `1.0` of a list is `1.0.0` of a command, where the ecosystem's order says so.
fn is_same(scheme: Scheme, listed: &str, version: &str) -> bool {
    listed == version || scheme.compare(listed, version).is_ok_and(Ordering::is_eq)
}

/// The version is in one of the ranges. An error in one of them counts only if no other has it.
pub(super) fn is_in_ranges(ranges: &[Range], scheme: Scheme, version: &str) -> Result<bool, VersionError> {
    let mut undecided = None;
    for range in ranges {
        match is_in_range(range, scheme, version) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(error) => undecided = Some(error),
        }
    }
    undecided.map_or(Ok(false), Err)
}

fn is_in_range(range: &Range, scheme: Scheme, version: &str) -> Result<bool, VersionError> {
    let scheme = range.scheme(scheme);
    if !is_before_limits(range, scheme, version)? {
        return Ok(false);
    }
    let mut last = None;
    for event in &range.events {
        let has_happened = match event {
            Event::Introduced(from) => is_start(from) || scheme.compare(version, from)?.is_ge(),
            Event::Fixed(fixed) => scheme.compare(version, fixed)?.is_ge(),
            Event::LastAffected(last) => scheme.compare(version, last)?.is_gt(),
            Event::Limit(_) => false,
        };
        if has_happened {
            last = Some(later(scheme, last, event)?);
        }
    }
    Ok(matches!(last, Some(Event::Introduced(_))))
}

/// Without limits every version counts; with some, those before any of them.
fn is_before_limits(range: &Range, scheme: Scheme, version: &str) -> Result<bool, VersionError> {
    let (mut is_limited, mut is_before) = (false, false);
    for event in &range.events {
        if let Event::Limit(limit) = event {
            is_limited = true;
            is_before |= limit == "*" || scheme.compare(version, limit)?.is_lt();
        }
    }
    Ok(is_before || !is_limited)
}

/// The newest version there is would be in the range: its last event is not a fix, nor is there a limit.
///
/// A last affected version ends a range without a fix. The newest one may well be that version, as long
/// as no newer one is known.
fn is_open(range: &Range, scheme: Scheme, newest: Option<&str>) -> Result<bool, VersionError> {
    let scheme = range.scheme(scheme);
    let mut last = None;
    for event in &range.events {
        let has_happened = match event {
            Event::Introduced(_) | Event::Fixed(_) => true,
            Event::LastAffected(affected) => is_newer(scheme, newest, affected),
            Event::Limit(limit) if limit == "*" => false,
            Event::Limit(_) => return Ok(false),
        };
        if has_happened {
            last = Some(later(scheme, last, event)?);
        }
    }
    Ok(matches!(last, Some(Event::Introduced(_))))
}

/// A version is known that is newer than this one.
fn is_newer(scheme: Scheme, newest: Option<&str>, version: &str) -> bool {
    newest.is_some_and(|newest| scheme.compare(newest, version).is_ok_and(Ordering::is_gt))
}

/// The later of two events in the order of their versions; of one version, the later one in the record.
///
/// The events are not sorted: an order that contradicts itself, in a record or in an ecosystem, must not
/// matter to more than its own answer.
fn later<'a>(scheme: Scheme, last: Option<&'a Event>, event: &'a Event) -> Result<&'a Event, VersionError> {
    let Some(last) = last else { return Ok(event) };
    let order = match (is_start(event.version()), is_start(last.version())) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => scheme.compare(event.version(), last.version())?,
    };
    // A version that is introduced and last affected at once has been passed when both have happened.
    let is_passed = matches!(last, Event::LastAffected(_)) && order.is_eq();
    Ok(if order.is_lt() || is_passed { last } else { event })
}

/// The first version after this one that is fixed in all that is said of the package.
fn fixed_after(parts: &[&Part], scheme: Scheme, version: &str) -> Option<String> {
    let mut version = version;
    for _ in 0..FIXES_MAX {
        version = next_fixed(parts, scheme, version)?;
        if parts.iter().all(|part| matches!(is_in_part(part, scheme, version), Ok(false))) {
            return Some(version.to_owned());
        }
    }
    None
}

fn next_fixed<'a>(parts: &[&'a Part], scheme: Scheme, version: &str) -> Option<&'a str> {
    let events = parts.iter().flat_map(|part| &part.ranges).flat_map(|range| &range.events);
    let fixed = events.filter_map(|event| {
        let Event::Fixed(fixed) = event else { return None };
        scheme.compare(fixed, version).is_ok_and(Ordering::is_gt).then_some(fixed.as_str())
    });
    fixed.min_by(|a, b| scheme.compare(a, b).unwrap_or(Ordering::Equal))
}

impl Range {
    fn scheme(&self, of_ecosystem: Scheme) -> Scheme {
        if self.is_semver { Scheme::Semver } else { of_ecosystem }
    }
}

/// In OSV `0` is before every version, also in an ecosystem where it would not be one.
fn is_start(version: &str) -> bool {
    version == "0"
}

impl Event {
    fn version(&self) -> &str {
        match self {
            Event::Introduced(version)
            | Event::Fixed(version)
            | Event::LastAffected(version)
            | Event::Limit(version) => version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::advisory::Level;

    fn introduced(version: &str) -> Event {
        Event::Introduced(version.into())
    }

    fn fixed(version: &str) -> Event {
        Event::Fixed(version.into())
    }

    fn entry(id: &str, parts: Vec<Part>) -> Entry {
        Entry { id: id.into(), aliases: vec![], summary: String::new(), score: None, level: Level::Moderate, parts }
    }

    fn ranges(events: &[&[Event]]) -> Entry {
        let ranges = events.iter().map(|events| Range { is_semver: false, events: events.to_vec() }).collect();
        entry("X-1", vec![Part { ranges, ..Part::default() }])
    }

    fn verdict(entry: &Entry, version: &str) -> Verdict {
        evaluate(entry, &Ecosystem::parse("PyPI").unwrap(), Asked::Version(version))
    }

    fn is_affected(entry: &Entry, version: &str) -> bool {
        match verdict(entry, version) {
            Verdict::Affected { .. } => true,
            Verdict::NotAffected => false,
            Verdict::Undecided { reason } => panic!("{version}: {reason}"),
        }
    }

    /// The newest version, where nothing else is known of the package.
    fn newest(entry: &Entry) -> Verdict {
        let pypi = Ecosystem::parse("PyPI").unwrap();
        let entries = [entry.clone()];
        evaluate(entry, &pypi, Asked::Newest(newest_known(&entries, &pypi)))
    }

    #[test]
    fn a_version_is_affected_from_introduction_until_the_fix() {
        let entry = ranges(&[&[introduced("1.2"), fixed("1.5")]]);
        for (version, expected) in [("1.1", false), ("1.2", true), ("1.4.9", true), ("1.5rc1", true), ("1.5", false)] {
            assert_eq!(is_affected(&entry, version), expected, "{version}");
        }
    }

    #[test]
    fn zero_is_before_every_version_and_events_may_be_in_any_order() {
        let entry = ranges(&[&[fixed("3.1"), introduced("3.0"), fixed("2.2"), introduced("0")]]);
        for (version, expected) in
            [("0.0.0.dev1", true), ("2.1", true), ("2.2", false), ("3.0", true), ("3.1", false), ("4", false)]
        {
            assert_eq!(is_affected(&entry, version), expected, "{version}");
        }
    }

    #[test]
    fn a_last_affected_version_is_affected_and_the_next_one_is_not() {
        let entry = ranges(&[&[introduced("0"), Event::LastAffected("1.4".into())]]);
        assert!(is_affected(&entry, "1.4.0"));
        assert!(!is_affected(&entry, "1.4.1"));
    }

    #[test]
    fn a_single_affected_version_ends_in_either_order_of_its_events() {
        let (from, to) = (introduced("1.4"), Event::LastAffected("1.4".into()));
        for events in [[from.clone(), to.clone()], [to, from]] {
            let entry = ranges(&[&events]);
            assert!(!is_affected(&entry, "1.3") && is_affected(&entry, "1.4") && !is_affected(&entry, "1.5"));
        }
    }

    #[test]
    fn thousands_of_events_in_no_order_are_evaluated() {
        let events: Vec<Event> = (0..2000_u64)
            .map(|at| at * 7919 % 2000)
            .map(|at| if at.is_multiple_of(2) { introduced(&format!("1.{at}")) } else { fixed(&format!("1.{at}")) })
            .collect();
        let entry = ranges(&[&events]);
        assert!(is_affected(&entry, "1.8.5") && !is_affected(&entry, "1.9.5"));
    }

    #[test]
    fn a_limit_bounds_a_range_unless_it_is_a_star() {
        let limited = ranges(&[&[introduced("1"), Event::Limit("2".into())]]);
        assert!(is_affected(&limited, "1.9") && !is_affected(&limited, "2"));
        assert_eq!(newest(&limited), Verdict::NotAffected);
        assert!(is_affected(&ranges(&[&[introduced("1"), Event::Limit("*".into())]]), "99"));
    }

    #[test]
    fn a_listed_version_is_affected_however_it_is_written() {
        let entry = entry("X-1", vec![Part { versions: vec!["1.0".into()], ..Part::default() }]);
        assert!(is_affected(&entry, "1.0.0"));
        assert!(!is_affected(&entry, "1.0.1"));
    }

    #[test]
    fn the_fix_that_is_named_is_the_first_one_that_helps() {
        let entry = ranges(&[&[introduced("0"), fixed("1.5"), introduced("2.0"), fixed("2.4")]]);
        let fix_for = |version| match verdict(&entry, version) {
            Verdict::Affected { fixed, .. } => fixed,
            other => panic!("{other:?}"),
        };
        assert_eq!(fix_for("1.0").as_deref(), Some("1.5"));
        assert_eq!(fix_for("2.1").as_deref(), Some("2.4"));
    }

    #[test]
    fn without_a_version_the_newest_is_affected_unless_the_last_range_is_fixed() {
        let affected = Verdict::Affected { basis: Basis::Newest, fixed: None };
        assert_eq!(newest(&ranges(&[&[introduced("0"), fixed("1.5")]])), Verdict::NotAffected);
        assert_eq!(newest(&ranges(&[&[introduced("0")]])), affected);
        assert_eq!(newest(&ranges(&[&[introduced("0"), fixed("1.5"), introduced("2.0")]])), affected);
        assert_eq!(newest(&ranges(&[&[introduced("0"), fixed("1")], &[introduced("2")]])), affected);
        assert_eq!(newest(&ranges(&[&[introduced("0"), Event::LastAffected("1.5".into())]])), affected);
        let listed = Part { versions: vec!["1".into()], ..Part::default() };
        assert_eq!(newest(&entry("X-1", vec![listed])), affected);
    }

    #[test]
    fn what_another_record_calls_fixed_is_newer_than_what_was_last_affected() {
        let pypi = Ecosystem::parse("PyPI").unwrap();
        let old = ranges(&[&[introduced("0"), Event::LastAffected("1.5".into())]]);
        let listed = entry("X-2", vec![Part { versions: vec!["1.1".into(), "1.2".into()], ..Part::default() }]);
        let entries = [old, listed, ranges(&[&[introduced("1.9"), fixed("2.3")]])];
        assert_eq!(newest_known(&entries, &pypi), Some("2.3"));
        for entry in &entries {
            assert_eq!(evaluate(entry, &pypi, Asked::Newest(Some("2.3"))), Verdict::NotAffected);
        }
        let affected = Verdict::Affected { basis: Basis::Newest, fixed: None };
        assert_eq!(evaluate(&entries[0], &pypi, Asked::Newest(Some("1.5"))), affected);
        assert_eq!(evaluate(&entries[1], &pypi, Asked::Newest(Some("1.2"))), affected);
        assert_eq!(evaluate(&entries[1], &pypi, Asked::Newest(None)), affected);
    }

    #[test]
    fn a_malicious_package_without_versions_is_affected_in_every_version() {
        let entry = entry("MAL-2024-1", vec![Part::default()]);
        let affected = Verdict::Affected { basis: Basis::Name, fixed: None };
        assert_eq!(verdict(&entry, "1.0"), affected);
        assert_eq!(verdict(&entry, "latest"), affected);
        assert_eq!(newest(&entry), affected);
    }

    #[test]
    fn a_record_that_names_no_version_decides_nothing() {
        let commits_alone = Part::default();
        let without_a_begin =
            Part { ranges: vec![Range { is_semver: false, events: vec![fixed("2")] }], ..Part::default() };
        let without_events = Part { ranges: vec![Range { is_semver: false, events: vec![] }], ..Part::default() };
        for part in [commits_alone, without_a_begin, without_events] {
            let entry = entry("GHSA-1", vec![part]);
            assert!(matches!(verdict(&entry, "1.0"), Verdict::Undecided { .. }), "{entry:?}");
            assert!(matches!(newest(&entry), Verdict::Undecided { .. }), "{entry:?}");
        }
        let beside = entry("GHSA-1", vec![Part::default(), Part { versions: vec!["1.0".into()], ..Part::default() }]);
        assert!(is_affected(&beside, "1.0"));
        assert!(matches!(verdict(&beside, "1.1"), Verdict::Undecided { .. }));
    }

    #[test]
    fn a_record_that_names_the_package_otherwise_is_never_taken_as_not_affected() {
        let other = entry("GHSA-1", vec![]);
        assert!(matches!(verdict(&other, "1.0"), Verdict::Undecided { .. }));
        assert!(matches!(newest(&other), Verdict::Undecided { .. }));
        let malicious = entry("MAL-2024-9", vec![]);
        assert_eq!(newest(&malicious), Verdict::Affected { basis: Basis::Name, fixed: None });
    }

    #[test]
    fn a_malicious_version_is_one_of_a_package_that_has_good_ones() {
        let entry = entry("MAL-2024-1", vec![Part { versions: vec!["1.3".into()], ..Part::default() }]);
        assert!(is_affected(&entry, "1.3"));
        assert!(!is_affected(&entry, "1.4"));
        assert_eq!(newest(&entry), Verdict::Affected { basis: Basis::SomeVersions, fixed: None });
    }

    #[test]
    fn what_is_no_version_is_undecided() {
        let entry = ranges(&[&[introduced("1.2"), fixed("1.5")]]);
        for text in ["latest", "main", ">=1.3"] {
            assert!(matches!(verdict(&entry, text), Verdict::Undecided { .. }), "{text}");
        }
    }

    #[test]
    fn a_range_that_cannot_be_ordered_is_undecided_unless_another_one_decides() {
        let hackage = Ecosystem::parse("Hackage").unwrap();
        let broken = [introduced("0"), fixed("one")];
        assert!(matches!(evaluate(&ranges(&[&broken]), &hackage, Asked::Version("1.0")), Verdict::Undecided { .. }));
        assert!(matches!(
            evaluate(&ranges(&[&broken]), &hackage, Asked::Newest(None)),
            Verdict::NotAffected | Verdict::Undecided { .. }
        ));
        let decided = ranges(&[&broken, &[introduced("0")]]);
        assert!(matches!(evaluate(&decided, &hackage, Asked::Version("1.0")), Verdict::Affected { .. }));
    }

    #[test]
    fn another_release_of_a_distribution_is_not_this_one() {
        let part = |release: &str, fix: &str| Part {
            release: Some(release.into()),
            ranges: vec![Range { is_semver: false, events: vec![introduced("0"), fixed(fix)] }],
            versions: vec![],
        };
        let entry = entry("DSA-1", vec![part("11", "1.2-3"), part("12", "1.4-1")]);
        let on = |release: &str| evaluate(&entry, &Ecosystem::parse(release).unwrap(), Asked::Version("1.3-1"));
        assert_eq!(on("Debian:11"), Verdict::NotAffected);
        assert!(matches!(on("Debian:12"), Verdict::Affected { fixed: Some(fixed), .. } if fixed == "1.4-1"));
        assert!(matches!(on("Debian"), Verdict::Affected { .. }));
        assert_eq!(on("Debian:13"), Verdict::NotAffected);
    }
}
