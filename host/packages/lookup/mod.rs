//! One place to ask about packages, whatever the sources are.
//!
//! The offline store answers where it has the ecosystem, is not stale and does not doubt itself, else the
//! API where that is allowed, else the package is unknown, with what the store has found of it. What the
//! API said is remembered for some minutes. It does not know what is done about a finding.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Package;
use super::advisory::{Advisory, Report, Source, Status};
use super::api::Api;
use super::cache::Cache;
use super::offline::OfflineStore;
use crate::clock;

/// Packages of one check. Danger: a lock file of a million lines, each of which is a request.
const PACKAGES_MAX: usize = 10_000;

/// The sources, and what they said.
#[derive(Debug, Default)]
pub struct Lookup {
    store: Option<OfflineStore>,
    api: Option<Api>,
    cache: Mutex<Cache>,
}

impl Lookup {
    /// Ask these sources, in this order. Without any, every package is unknown.
    #[must_use]
    pub fn new(store: Option<OfflineStore>, api: Option<Api>) -> Self {
        Self { store, api, cache: Mutex::default() }
    }

    /// The offline store, where there is one.
    #[must_use]
    pub fn store(&self) -> Option<&OfflineStore> {
        self.store.as_ref()
    }

    /// A report for each package, in their order.
    pub async fn check(&self, packages: &[Package]) -> Vec<Report> {
        let mut reports = Vec::with_capacity(packages.len());
        for (at, package) in packages.iter().enumerate() {
            reports.push(if at < PACKAGES_MAX {
                self.check_here(package).await
            } else {
                let reason = format!("{} packages were asked about, and there may be: {PACKAGES_MAX}", packages.len());
                Here::Report(Report::unknown(package.clone(), reason))
            });
        }
        self.check_there(packages, reports).await
    }

    /// What can be said without a request.
    async fn check_here(&self, package: &Package) -> Here {
        if let Some(reason) = package.refusal() {
            return Here::Report(Report::unknown(package.clone(), reason));
        }
        let (reason, old) = match &self.store {
            Some(store) => match store.check(package).await {
                Ok(Some(report)) => match shortfall(&report) {
                    None => return Here::Report(report),
                    Some(_) if self.api.is_none() && matches!(report.status, Status::Unknown { .. }) => {
                        return Here::Report(report);
                    }
                    Some(reason) => (reason, report.findings),
                },
                Ok(None) => {
                    let name = package.ecosystem.name();
                    (format!("the offline store has no {name}; get it with `pi-host packages sync {name}`"), vec![])
                }
                Err(error) => (error.to_string(), vec![]),
            },
            None => ("there is no offline store".to_owned(), vec![]),
        };
        if self.api.is_none() {
            let unknown = Report::unknown(package.clone(), format!("{reason}, and the API may not be asked"));
            return Here::Report(Report { findings: old, ..unknown });
        }
        let cached = self.cache().get(package, clock::monotonic());
        cached.map_or(Here::AskApi { old }, Here::Report)
    }

    /// Ask the API for those of which nothing was said, once for each.
    async fn check_there(&self, packages: &[Package], reports: Vec<Here>) -> Vec<Report> {
        let mut wanted: Vec<Package> = vec![];
        let mut places: HashMap<(String, String, Option<String>), usize> = HashMap::new();
        let key = |package: &Package| {
            let name = package.ecosystem.normal_name(&package.name);
            (package.ecosystem.to_string(), name, package.version.clone())
        };
        for (package, report) in packages.iter().zip(&reports) {
            if matches!(report, Here::AskApi { .. }) {
                places.entry(key(package)).or_insert_with(|| {
                    wanted.push(package.clone());
                    wanted.len() - 1
                });
            }
        }
        let answers = match &self.api {
            Some(api) if !wanted.is_empty() => api.check(&wanted).await,
            _ => vec![],
        };
        self.remember(&answers);
        let answer = |package: &Package| {
            let found = places.get(&key(package)).and_then(|at| answers.get(*at));
            match found {
                Some(report) => Report { package: package.clone(), ..report.clone() },
                None => Report::unknown(package.clone(), "no source answered".to_owned()),
            }
        };
        let finished = packages.iter().zip(reports).map(|(package, report)| match report {
            Here::Report(report) => report,
            Here::AskApi { old } => {
                let mut report = answer(package);
                // An API that does not answer takes nothing back that was known before.
                if matches!(report.status, Status::Unknown { .. }) && report.findings.is_empty() {
                    report.findings = old;
                }
                report
            }
        });
        finished.collect()
    }

    fn remember(&self, reports: &[Report]) {
        let now = clock::monotonic();
        let mut cache = self.cache();
        for report in reports.iter().filter(|report| matches!(report.status, Status::Checked { .. })) {
            cache.put(report, now);
        }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What could be said of a package without a request.
enum Here {
    Report(Report),
    AskApi {
        /// What the store has found, which may not be all.
        old: Vec<Advisory>,
    },
}

/// Why the answer of the offline store is not enough, if it is not. Danger: of a store that is too old, a
/// package that turned out malicious since then reads as clean, for as long as nobody synchronises.
fn shortfall(report: &Report) -> Option<String> {
    let age_days = match &report.status {
        Status::Unknown { reason } => return Some(reason.clone()),
        Status::Checked { source: Source::Store { age_days, is_stale: true, .. } } => age_days,
        Status::Checked { .. } => return None,
    };
    let name = report.package.ecosystem.name();
    Some(format!(
        "the offline store of {name} is {age_days} days old; bring it up to date with `pi-host packages sync {name}`"
    ))
}
