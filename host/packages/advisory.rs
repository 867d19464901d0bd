//! What is told of a package: the advisories that concern it, and whether it was checked at all.
//!
//! One vulnerability has a record in each of several databases; [`merge`] makes one advisory of those
//! that name each other. A package that could not be checked has a status of its own: nothing here turns
//! silence into "clean".

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Package;
use super::osv::{Asked, Entry, Verdict, evaluate, newest_known};
use super::version::Scheme;

/// How bad it is, from the least to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Low,
    Moderate,
    High,
    Critical,
    /// The package itself is the attack.
    Malicious,
}

impl Level {
    /// The level of a score by the qualitative scale of CVSS; a score of zero is low here.
    #[must_use]
    pub fn of_score(score: f32) -> Self {
        match score {
            score if score >= 9.0 => Level::Critical,
            score if score >= 7.0 => Level::High,
            score if score >= 4.0 => Level::Moderate,
            _ => Level::Low,
        }
    }
}

/// Why an advisory concerns the package that was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// No version was asked about. Some versions are known to be malicious, and the newest may be one.
    SomeVersions,
    /// No version was asked about, and nothing is known to fix the newest one.
    Newest,
    /// The version that was asked about is affected.
    Version,
    /// Every version is affected: the package is malicious by its name.
    Name,
}

/// A vulnerability, or malice, of a package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advisory {
    pub id: String,
    /// Other names of the same thing, without `id`.
    pub aliases: Vec<String>,
    pub summary: String,
    /// The highest score of CVSS that any database gives it.
    pub severity: Option<f32>,
    pub level: Level,
    /// The version to go to, where one is known.
    pub fixed: Option<String>,
    pub url: String,
    pub basis: Basis,
}

/// What is known about one package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub package: Package,
    /// The worst first.
    pub findings: Vec<Advisory>,
    pub status: Status,
}

impl Report {
    pub(crate) fn unknown(package: Package, reason: String) -> Self {
        Self { package, findings: vec![], status: Status::Unknown { reason } }
    }

    /// It was checked, and nothing was found. A package that could not be checked is not clean.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && matches!(self.status, Status::Checked { .. })
    }

    /// The worst of its findings.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        self.findings.iter().map(|finding| finding.level).max()
    }
}

/// Whether a package was checked, and against what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Status {
    Checked {
        source: Source,
    },
    /// The findings, if any, may not be all there are.
    Unknown {
        reason: String,
    },
}

/// What a package was checked against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// The offline store, with the time at which it was last known to be what OSV publishes.
    Store { synced_at: String, age_days: u64, is_stale: bool },
    /// The API at this URL.
    Api { url: String },
    /// The program `osv-scanner`.
    Scanner,
}

/// An entry that concerns a package, and how.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) entry: Entry,
    pub(crate) basis: Basis,
    pub(crate) fixed: Option<String>,
}

/// Who decided which of the entries concern the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matched {
    /// Nobody yet: the entries are all there are of the package.
    ByName,
    /// The source, for the version that was asked about. It is believed, also against the evaluation here.
    BySource,
}

/// The report of a package of which the source has these entries.
pub(crate) fn report(package: Package, entries: Vec<Entry>, matched: Matched, source: Source) -> Report {
    let mut found = vec![];
    let mut status = Status::Checked { source };
    let newest = newest_known(&entries, &package.ecosystem).map(str::to_owned);
    let asked = package.version.as_deref().map_or(Asked::Newest(newest.as_deref()), Asked::Version);
    for entry in entries {
        match (evaluate(&entry, &package.ecosystem, asked), matched) {
            (Verdict::Affected { basis, fixed }, _) => found.push(Found { entry, basis, fixed }),
            (_, Matched::BySource) => found.push(Found { entry, basis: Basis::Version, fixed: None }),
            (Verdict::NotAffected, Matched::ByName) => {}
            (Verdict::Undecided { reason }, Matched::ByName) => {
                status = Status::Unknown { reason: format!("{} cannot be evaluated: {reason}", entry.id) };
            }
        }
    }
    let findings = merge(found, package.ecosystem.scheme());
    Report { package, findings, status }
}

/// One advisory for all records of the same thing, with the worst that any of them says.
pub(crate) fn merge(found: Vec<Found>, scheme: Scheme) -> Vec<Advisory> {
    let mut advisories: Vec<Advisory> = groups(found).into_iter().filter_map(|group| advisory(group, scheme)).collect();
    advisories.sort_by(|a, b| {
        let severity = |advisory: &Advisory| advisory.severity.unwrap_or(0.0);
        b.level.cmp(&a.level).then(severity(b).total_cmp(&severity(a))).then_with(|| a.id.cmp(&b.id))
    });
    advisories
}

/// Those that share a name are of one group, also by way of a third.
fn groups(found: Vec<Found>) -> Vec<Vec<Found>> {
    let mut parents: Vec<usize> = (0..found.len()).collect();
    let mut named: HashMap<&str, usize> = HashMap::new();
    for (at, found) in found.iter().enumerate() {
        for name in [&found.entry.id].into_iter().chain(&found.entry.aliases) {
            let other = *named.entry(name).or_insert(at);
            let (a, b) = (root(&parents, at), root(&parents, other));
            if let Some(parent) = parents.get_mut(a.max(b)) {
                *parent = a.min(b);
            }
        }
    }
    let roots: Vec<usize> = (0..found.len()).map(|at| root(&parents, at)).collect();
    let mut groups: HashMap<usize, Vec<Found>> = HashMap::new();
    for (found, root) in found.into_iter().zip(roots) {
        groups.entry(root).or_default().push(found);
    }
    groups.into_values().collect()
}

fn root(parents: &[usize], mut at: usize) -> usize {
    while let Some(&parent) = parents.get(at).filter(|parent| **parent != at) {
        at = parent;
    }
    at
}

fn advisory(mut group: Vec<Found>, scheme: Scheme) -> Option<Advisory> {
    group.sort_by(|a, b| (rank(&a.entry.id), &a.entry.id).cmp(&(rank(&b.entry.id), &b.entry.id)));
    let first = group.first()?;
    let id = first.entry.id.clone();
    let mut aliases: Vec<String> =
        group.iter().flat_map(|found| [&found.entry.id].into_iter().chain(&found.entry.aliases)).cloned().collect();
    aliases.sort();
    aliases.dedup();
    aliases.retain(|alias| *alias != id);
    let summary = group.iter().map(|found| &found.entry.summary).find(|summary| !summary.is_empty());
    let severity = group.iter().filter_map(|found| found.entry.score).max_by(f32::total_cmp);
    let level = group.iter().map(|found| found.entry.level).max()?;
    // Databases may name different fixes: at the highest of them, all agree.
    let fixed = group
        .iter()
        .filter_map(|found| found.fixed.as_ref())
        .max_by(|a, b| scheme.compare(a, b).unwrap_or(std::cmp::Ordering::Equal));
    let basis = group.iter().map(|found| found.basis).max()?;
    let url = format!("https://osv.dev/vulnerability/{id}");
    Some(Advisory {
        summary: summary.cloned().unwrap_or_default(),
        fixed: fixed.cloned(),
        id,
        aliases,
        severity,
        level,
        url,
        basis,
    })
}

/// Malice first, then what people know best.
fn rank(id: &str) -> u8 {
    match id.split('-').next() {
        Some("MAL") => 0,
        Some("GHSA") => 1,
        Some("CVE") => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(id: &str, aliases: &[&str], score: Option<f32>, fixed: Option<&str>) -> Found {
        let level = score.map_or(Level::Moderate, Level::of_score);
        let entry = Entry {
            id: id.into(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            summary: if id.starts_with("GHSA") { String::new() } else { format!("of {id}") },
            score,
            level: if id.starts_with("MAL") { Level::Malicious } else { level },
            parts: vec![],
        };
        Found { entry, basis: Basis::Version, fixed: fixed.map(str::to_owned) }
    }

    #[test]
    fn records_of_one_thing_are_one_finding_with_the_worst_that_is_said() {
        let merged = merge(
            vec![
                found("PYSEC-2024-5", &["CVE-2024-1"], None, Some("1.10")),
                found("GHSA-x", &["CVE-2024-1"], Some(6.1), Some("1.9")),
                found("CVE-2024-1", &[], Some(8.8), None),
            ],
            Scheme::Pypi,
        );
        let [advisory] = &merged[..] else { panic!("{merged:?}") };
        assert_eq!(advisory.id, "GHSA-x");
        assert_eq!(advisory.aliases, ["CVE-2024-1", "PYSEC-2024-5"]);
        assert_eq!((advisory.severity, advisory.level), (Some(8.8), Level::High));
        assert_eq!(advisory.fixed.as_deref(), Some("1.10"));
        assert_eq!(advisory.summary, "of PYSEC-2024-5");
        assert_eq!(advisory.url, "https://osv.dev/vulnerability/GHSA-x");
    }

    #[test]
    fn records_that_name_each_other_through_a_third_are_one() {
        let merged = merge(
            vec![
                found("A-1", &["X-1"], None, None),
                found("B-1", &["Y-1"], None, None),
                found("C-1", &["X-1", "Y-1"], None, None),
            ],
            Scheme::Semver,
        );
        assert_eq!(merged.len(), 1);
    }

    #[test]
    fn the_worst_comes_first_and_malice_before_every_score() {
        let merged = merge(
            vec![
                found("A-1", &[], Some(5.0), None),
                found("B-1", &[], Some(9.9), None),
                found("MAL-1", &[], None, None),
            ],
            Scheme::Semver,
        );
        let ids: Vec<&str> = merged.iter().map(|advisory| advisory.id.as_str()).collect();
        assert_eq!(ids, ["MAL-1", "B-1", "A-1"]);
    }
}
