//! Reports of the API, for a while and for so many packages.
//!
//! A plan of an agent installs the same packages again and again, and each time would be a request.
//! Only what was checked is kept: an answer that failed is asked for again.

use std::collections::HashMap;
use std::time::Duration;

use super::Package;
use super::advisory::{Report, Status};
use crate::clock::Instant;

/// Reports that are kept. Danger: memory that grows with every name that is ever asked about.
const REPORTS_MAX: usize = 4096;
/// Findings of a report that is kept. Danger: a report of thousands of findings, thousands of times.
const FINDINGS_MAX: usize = 64;
/// How long a report is true. A package may turn out malicious at any time.
const AGE_MAX: Duration = Duration::from_secs(10 * 60);

/// The reports of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    reports: HashMap<Key, (Instant, Report)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    ecosystem: String,
    name: String,
    version: Option<String>,
}

impl Key {
    fn new(package: &Package) -> Self {
        Self {
            ecosystem: package.ecosystem.to_string(),
            name: package.ecosystem.normal_name(&package.name),
            version: package.version.clone(),
        }
    }
}

impl Cache {
    pub(crate) fn get(&self, package: &Package, now: Instant) -> Option<Report> {
        let (time, report) = self.reports.get(&Key::new(package))?;
        let is_fresh = now.saturating_duration_since(*time) < AGE_MAX;
        is_fresh.then(|| Report { package: package.clone(), ..report.clone() })
    }

    pub(crate) fn put(&mut self, report: &Report, now: Instant) {
        if !matches!(report.status, Status::Checked { .. }) || report.findings.len() > FINDINGS_MAX {
            return;
        }
        if self.reports.len() >= REPORTS_MAX {
            self.make_room(now);
        }
        self.reports.insert(Key::new(&report.package), (now, report.clone()));
    }

    /// Drop what is too old, and if nothing is, the older half.
    fn make_room(&mut self, now: Instant) {
        self.reports.retain(|_, (time, _)| now.saturating_duration_since(*time) < AGE_MAX);
        if self.reports.len() < REPORTS_MAX {
            return;
        }
        let mut times: Vec<Instant> = self.reports.values().map(|(time, _)| *time).collect();
        times.sort_unstable();
        let Some(&middle) = times.get(times.len() / 2) else { return };
        self.reports.retain(|_, (time, _)| *time > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::packages::advisory::Source;
    use crate::packages::ecosystem::Ecosystem;

    fn report(name: &str) -> Report {
        let package =
            Package { ecosystem: Ecosystem::parse("PyPI").unwrap(), name: name.into(), version: Some("1".into()) };
        Report { package, findings: vec![], status: Status::Checked { source: Source::Scanner } }
    }

    #[test]
    fn a_report_is_kept_under_every_spelling_until_it_is_too_old() {
        let (mut cache, now) = (Cache::default(), clock::monotonic());
        cache.put(&report("a-b"), now);
        assert!(cache.get(&report("A_B").package, now).is_some());
        assert!(cache.get(&report("a-b").package, now + AGE_MAX).is_none());
        assert!(cache.get(&report("other").package, now).is_none());
    }

    #[test]
    fn what_is_unknown_is_not_kept() {
        let (mut cache, now) = (Cache::default(), clock::monotonic());
        let unknown = Report::unknown(report("a").package, "late".into());
        cache.put(&unknown, now);
        assert!(cache.get(&unknown.package, now).is_none());
    }

    #[test]
    fn there_are_never_more_reports_than_the_limit() {
        let (mut cache, now) = (Cache::default(), clock::monotonic());
        for count in 0..REPORTS_MAX * 2 {
            cache.put(&report(&count.to_string()), now + Duration::from_millis(count as u64 / 16));
            assert!(cache.reports.len() <= REPORTS_MAX);
        }
        assert!(cache.get(&report(&(REPORTS_MAX * 2 - 1).to_string()).package, now).is_some());
    }
}
