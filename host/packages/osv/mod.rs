//! Records of the OSV schema, as far as they say whether a package is affected.
//!
//! [`Record`] is what OSV publishes, read leniently: fields that are not needed are skipped, and a list
//! may be `null`. [`Entry`] is what is kept of it for one package: what [`affected`] evaluates and
//! what a person is told. Texts of a record come from strangers; they are cleaned here, once.

mod affected;
mod severity;

use std::collections::HashMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::advisory::Level;
use super::ecosystem::Ecosystem;

pub(crate) use affected::{Asked, Verdict, evaluate, newest_known};

/// Longest summary that is kept. Danger: a page of text before an approver, and a store of gigabytes.
const SUMMARY_CHARS_MAX: usize = 200;
/// Comparisons that make a record shorter. Danger: a million versions, each compared with as many events.
const COMPARISONS_MAX: usize = 1_000_000;
/// Longest identifier of a record.
const ID_BYTES_MAX: usize = 128;

/// A record as OSV publishes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) aliases: Vec<String>,
    #[serde(default)]
    pub(crate) withdrawn: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    summary: String,
    #[serde(default, deserialize_with = "or_default")]
    severity: Vec<Severity>,
    #[serde(default, deserialize_with = "or_default")]
    affected: Vec<Affected>,
    #[serde(default, deserialize_with = "or_default")]
    database_specific: Specific,
}

#[derive(Debug, Deserialize)]
struct Affected {
    #[serde(default)]
    package: Option<PackageName>,
    #[serde(default, deserialize_with = "or_default")]
    severity: Vec<Severity>,
    #[serde(default, deserialize_with = "or_default")]
    ranges: Vec<RawRange>,
    #[serde(default, deserialize_with = "or_default")]
    versions: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    ecosystem_specific: Specific,
    #[serde(default, deserialize_with = "or_default")]
    database_specific: Specific,
}

#[derive(Debug, Deserialize)]
struct PackageName {
    ecosystem: String,
    name: String,
}

/// A score in the notation of `kind`: a vector of CVSS, or the word of a distribution.
#[derive(Debug, Deserialize)]
pub(crate) struct Severity {
    #[serde(default, deserialize_with = "or_default")]
    score: String,
}

/// What a database adds in its own words. The values may be of any type.
#[derive(Debug, Default, Deserialize)]
struct Specific {
    #[serde(default)]
    severity: serde_json::Value,
    #[serde(default)]
    urgency: serde_json::Value,
}

#[derive(Debug, Deserialize)]
struct RawRange {
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    events: Vec<RawEvent>,
}

#[derive(Debug, Deserialize)]
struct RawEvent {
    #[serde(default)]
    introduced: Option<String>,
    #[serde(default)]
    fixed: Option<String>,
    #[serde(default)]
    last_affected: Option<String>,
    #[serde(default)]
    limit: Option<String>,
}

/// What a record says of one package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) aliases: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) summary: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) score: Option<f32>,
    pub(crate) level: Level,
    pub(crate) parts: Vec<Part>,
}

/// One `affected` item of a record: versions of the package in one release of a distribution.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) release: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ranges: Vec<Range>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) versions: Vec<String>,
}

impl Part {
    /// For a record of which nothing else is known.
    pub(crate) fn of_every_version() -> Self {
        let events = vec![Event::Introduced("0".to_owned())];
        Self { ranges: vec![Range { is_semver: false, events }], ..Self::default() }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Range {
    /// Of type `SEMVER`, whatever the order of the ecosystem.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_semver: bool,
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    Introduced(String),
    Fixed(String),
    LastAffected(String),
    Limit(String),
}

/// What can be had of a text that could not be read as a record.
#[derive(Debug, Default)]
pub(crate) struct Salvaged {
    pub(crate) id: Option<String>,
    /// Of each package that it names: nothing is known of the versions.
    pub(crate) entries: Vec<(String, Entry)>,
    /// There is no package that it may be about beyond these.
    pub(crate) is_complete: bool,
}

/// Why a record is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("it is not a record of OSV: {0}")]
    Malformed(String),
    #[error("its identifier is not one: `{}`", .0.escape_debug())]
    Id(String),
}

impl Record {
    pub(crate) fn read(text: &[u8]) -> Result<Self, RecordError> {
        let record: Self = serde_json::from_slice(text).map_err(|error| RecordError::Malformed(error.to_string()))?;
        if is_id(&record.id) { Ok(record) } else { Err(RecordError::Id(record.id.chars().take(40).collect())) }
    }

    /// The database took it back: it is no finding.
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.withdrawn.as_ref().is_some_and(|time| !time.is_empty())
    }

    /// What it says of each package of an ecosystem, under the packages' normal names.
    pub(crate) fn entries(&self, ecosystem: &Ecosystem) -> Vec<(String, Entry)> {
        let mut entries: Vec<(String, Entry)> = vec![];
        let mut places: HashMap<String, usize> = HashMap::new();
        for affected in &self.affected {
            let Some(package) = &affected.package else { continue };
            let Ok(theirs) = Ecosystem::parse(&package.ecosystem) else { continue };
            if theirs.name() != ecosystem.name() {
                continue;
            }
            let name = ecosystem.normal_name(&package.name);
            let part = affected.part(&theirs);
            let severity = self.severity_of(affected);
            match places.get(&name).and_then(|at| entries.get_mut(*at)) {
                Some((_, entry)) => {
                    entry.score = severity::highest(entry.score, severity.score);
                    entry.level = entry.level.max(severity.level);
                    entry.parts.push(part);
                }
                None => {
                    places.insert(name.clone(), entries.len());
                    entries.push((name, self.entry(severity, vec![part])));
                }
            }
        }
        entries
    }

    /// What it says of one package. Of a package that it does not name, or spells otherwise, that it exists
    /// and no more: without parts it is undecided, and malice is of every version.
    pub(crate) fn entry_for(&self, ecosystem: &Ecosystem, name: &str) -> Entry {
        let name = ecosystem.normal_name(name);
        let found = self.entries(ecosystem).into_iter().find(|(known, _)| *known == name);
        found.map_or_else(|| self.entry(self.own_severity(), vec![]), |(_, entry)| entry)
    }

    /// What it says of whatever it names, for a scanner that did the matching.
    pub(crate) fn entry(&self, severity: severity::Rated, parts: Vec<Part>) -> Entry {
        let aliases = self.aliases.iter().filter(|alias| is_id(alias) && **alias != self.id).cloned().collect();
        let level = if is_malicious(&self.id) { Level::Malicious } else { severity.level };
        Entry { id: self.id.clone(), aliases, summary: cleaned(&self.summary), score: severity.score, level, parts }
    }

    pub(crate) fn own_severity(&self) -> severity::Rated {
        severity::rate(&self.severity, &self.database_specific.words())
    }

    fn severity_of(&self, affected: &Affected) -> severity::Rated {
        let scores = self.severity.iter().chain(&affected.severity);
        let words = [&self.database_specific, &affected.database_specific, &affected.ecosystem_specific];
        let words: Vec<&str> = words.into_iter().flat_map(Specific::words).collect();
        severity::rate(scores, &words)
    }
}

impl Salvaged {
    /// The identifier and the packages of an ecosystem that a text names, whatever else is wrong with it.
    pub(crate) fn read(text: &[u8], ecosystem: &Ecosystem) -> Self {
        let Ok(whole) = serde_json::from_slice::<serde_json::Value>(text) else { return Self::default() };
        let id = whole.get("id").and_then(serde_json::Value::as_str).filter(|id| is_id(id)).map(str::to_owned);
        let affected = whole.get("affected").and_then(serde_json::Value::as_array);
        let (Some(id), Some(affected)) = (id.clone(), affected) else { return Self { id, ..Self::default() } };
        let mut salvaged = Self { id: Some(id.clone()), entries: vec![], is_complete: true };
        let level = if is_malicious(&id) { Level::Malicious } else { Level::Moderate };
        for item in affected {
            // Of commits alone, which is no package.
            if item.get("package").is_some_and(serde_json::Value::is_null)
                || (item.is_object() && item.get("package").is_none())
            {
                continue;
            }
            let text = |key: &str| item.pointer(key).and_then(serde_json::Value::as_str);
            let (Some(theirs), Some(name)) = (text("/package/ecosystem"), text("/package/name")) else {
                salvaged.is_complete = false;
                continue;
            };
            if Ecosystem::parse(theirs).is_ok_and(|theirs| theirs.name() == ecosystem.name()) {
                let summary = String::new();
                let entry = Entry { id: id.clone(), aliases: vec![], summary, score: None, level, parts: vec![] };
                salvaged.entries.push((ecosystem.normal_name(name), entry));
            }
        }
        salvaged
    }
}

impl Specific {
    fn words(&self) -> Vec<&str> {
        [&self.severity, &self.urgency].into_iter().filter_map(|value| value.as_str()).collect()
    }
}

impl Affected {
    fn part(&self, ecosystem: &Ecosystem) -> Part {
        let ranges: Vec<Range> = self.ranges.iter().filter_map(RawRange::range).collect();
        let mut part = Part { release: ecosystem.release().map(str::to_owned), ranges, versions: vec![] };
        // A list of thousands of versions mostly repeats the ranges. What they cover already is left
        // out: the answer for every version stays the same.
        let events: usize = part.ranges.iter().map(|range| range.events.len()).sum();
        let is_small = self.versions.len().saturating_mul(events) <= COMPARISONS_MAX;
        let is_covered =
            |version: &str| matches!(affected::is_in_ranges(&part.ranges, ecosystem.scheme(), version), Ok(true));
        part.versions = self.versions.iter().filter(|version| !is_small || !is_covered(version)).cloned().collect();
        part
    }
}

impl RawRange {
    /// A range of commits says nothing of a version: OSV lists the versions beside it.
    fn range(&self) -> Option<Range> {
        let is_semver = match self.kind.as_str() {
            "SEMVER" => true,
            "ECOSYSTEM" => false,
            _ => return None,
        };
        Some(Range { is_semver, events: self.events.iter().flat_map(RawEvent::events).collect() })
    }
}

impl RawEvent {
    fn events(&self) -> impl Iterator<Item = Event> {
        [
            self.introduced.clone().map(Event::Introduced),
            self.fixed.clone().map(Event::Fixed),
            self.last_affected.clone().map(Event::LastAffected),
            self.limit.clone().map(Event::Limit),
        ]
        .into_iter()
        .flatten()
    }
}

/// Records of malicious packages have identifiers of their own.
pub(crate) fn is_malicious(id: &str) -> bool {
    id.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("MAL-"))
}

/// An identifier becomes part of a URL and of a terminal's line: `../` or an escape must not.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// One line without what would drive a terminal or turn the text around.
fn cleaned(text: &str) -> String {
    let is_hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let text: String = text.chars().take(SUMMARY_CHARS_MAX).map(|c| if is_hostile(c) { ' ' } else { c }).collect();
    text.trim().to_owned()
}

/// A field that is `null` counts as one that is missing.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(value: &serde_json::Value) -> Result<Record, RecordError> {
        Record::read(value.to_string().as_bytes())
    }

    #[test]
    fn a_record_is_kept_per_package_with_what_matters() {
        let record = record(&json!({
            "id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2024-0001", "../evil"], "modified": "2024-01-01T00:00:00Z",
            "summary": "Bad\u{1b}[2J thing", "details": "long", "references": null,
            "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
            "affected": [
                {"package": {"ecosystem": "PyPI", "name": "Foo.Bar"},
                 "ranges": [{"type": "GIT", "repo": "https://x", "events": [{"introduced": "0"}]},
                            {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.5"}]}],
                 "versions": ["1.0", "1.4", "1.7"]},
                {"package": {"ecosystem": "npm", "name": "other"}, "versions": null}
            ]
        }))
        .unwrap();
        let entries = record.entries(&Ecosystem::parse("PyPI").unwrap());
        let [(name, entry)] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!(name, "foo-bar");
        assert_eq!(entry.aliases, ["CVE-2024-0001"]);
        assert_eq!(entry.summary, "Bad [2J thing");
        assert_eq!((entry.score, entry.level), (Some(9.8), Level::Critical));
        // Only the version that the range does not cover is kept.
        assert_eq!(entry.parts[0].versions, ["1.7"]);
        assert_eq!(entry.parts[0].ranges.len(), 1);
        let stored = serde_json::to_string(entry).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&stored).unwrap(), *entry);
    }

    #[test]
    fn a_record_without_a_proper_identifier_is_refused() {
        for id in ["", "../../etc/passwd", "GHSA-1\u{1b}", "a b", "..", &"x".repeat(129)] {
            assert!(record(&json!({"id": id})).is_err(), "{id:?}");
        }
        assert!(record(&json!({"summary": "no id"})).is_err());
        assert!(Record::read(b"{\"id\": \"GHSA").is_err());
    }

    #[test]
    fn a_withdrawn_record_says_so() {
        assert!(record(&json!({"id": "X-1", "withdrawn": "2024-01-01T00:00:00Z"})).unwrap().is_withdrawn());
        assert!(!record(&json!({"id": "X-1", "withdrawn": null})).unwrap().is_withdrawn());
    }
}
