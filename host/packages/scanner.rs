//! The program `osv-scanner`: how it is called for a file or a folder, and what its answer says.
//!
//! It reads lock files and trees, which nothing here does. Starting it is not done here. Its exit status
//! counts: 0 is no finding, 1 is findings, 128 is that there was nothing to scan, and all others are
//! failures, whatever was written. By <https://google.github.io/osv-scanner/output/>.

use serde::Deserialize;

use super::Package;
use super::advisory::{Matched, Report, Source, report};
use super::ecosystem::Ecosystem;
use super::osv::Record;

/// The program's name.
pub const PROGRAM: &str = "osv-scanner";
/// Longest answer that is read. Danger: an answer that fills the memory.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// It found nothing.
const EXIT_CLEAN: i32 = 0;
/// It found vulnerabilities.
const EXIT_FOUND: i32 = 1;
/// It found no packages. It is said apart, since it is not the same as clean.
const EXIT_NO_PACKAGES: i32 = 128;

/// Why a scan says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    #[error("the path to scan would be read as an option, put `./` before it: {0}")]
    Path(String),
    #[error("osv-scanner failed with exit status: {0}")]
    Failed(i32),
    #[error("osv-scanner found no packages to check")]
    NoPackages,
    #[error("the answer of osv-scanner is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the answer of osv-scanner cannot be read: {0}")]
    Malformed(String),
    #[error(
        "osv-scanner says by its exit status {exit} that there are findings or none, and by its answer the opposite"
    )]
    Contradiction { exit: i32 },
}

/// The arguments after the program's name that scan a folder and all below it.
///
/// # Errors
/// The path begins with a dash.
pub fn arguments_for_folder(path: &str) -> Result<Vec<String>, ScanError> {
    if path.starts_with('-') {
        return Err(ScanError::Path(path.escape_debug().to_string()));
    }
    // Without the subcommand `source`, which is meant anyway and not known to the first versions.
    Ok(["scan", "--format", "json", "--recursive", path].map(str::to_owned).to_vec())
}

/// The arguments after the program's name that scan one lock file.
#[must_use]
pub fn arguments_for_lock_file(path: &str) -> Vec<String> {
    // What stands before a colon is the name of a parser; an empty one lets a path have colons.
    let lock_file = if path.contains(':') { format!("--lockfile=:{path}") } else { format!("--lockfile={path}") };
    ["scan", "--format", "json", &lock_file].map(str::to_owned).to_vec()
}

/// The reports in the answer of a scan: one for each package that has a finding.
///
/// # Errors
/// The scan failed, or its answer is not one.
pub fn reports(exit: i32, answer: &[u8]) -> Result<Vec<Report>, ScanError> {
    match exit {
        EXIT_CLEAN | EXIT_FOUND => {}
        EXIT_NO_PACKAGES => return Err(ScanError::NoPackages),
        _ => return Err(ScanError::Failed(exit)),
    }
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(ScanError::TooLarge);
    }
    let answer: Answer = serde_json::from_slice(answer).map_err(|error| ScanError::Malformed(error.to_string()))?;
    let mut reports: Vec<Report> = vec![];
    for found in answer.results.unwrap_or_default().into_iter().flat_map(|result| result.packages.unwrap_or_default()) {
        let report = found.report()?;
        // One package of several lock files is one report.
        let is_known = reports.iter().any(|known| known.package == report.package);
        if !report.is_clean() && !is_known {
            reports.push(report);
        }
    }
    match (exit, reports.is_empty()) {
        (EXIT_CLEAN, true) | (EXIT_FOUND, false) => Ok(reports),
        _ => Err(ScanError::Contradiction { exit }),
    }
}

#[derive(Deserialize)]
struct Answer {
    results: Option<Vec<PathResult>>,
}

#[derive(Deserialize)]
struct PathResult {
    #[serde(default)]
    packages: Option<Vec<PackageResult>>,
}

#[derive(Deserialize)]
struct PackageResult {
    package: ScannedPackage,
    #[serde(default)]
    vulnerabilities: Option<Vec<Record>>,
    #[serde(default)]
    groups: Option<Vec<Group>>,
}

#[derive(Deserialize)]
struct ScannedPackage {
    name: String,
    #[serde(default)]
    version: String,
    ecosystem: String,
}

/// Records of the same thing, with the highest score of them.
#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    max_severity: String,
}

impl PackageResult {
    fn report(self) -> Result<Report, ScanError> {
        let malformed = |error: super::ecosystem::EcosystemError| ScanError::Malformed(error.to_string());
        let ecosystem = Ecosystem::parse(&self.package.ecosystem).map_err(malformed)?;
        let version = Some(self.package.version).filter(|version| !version.is_empty());
        let package = Package { ecosystem, name: self.package.name, version };
        let records = self.vulnerabilities.unwrap_or_default();
        let entries = records.iter().filter(|record| !record.is_withdrawn());
        let entries = entries.map(|record| record.entry_for(&package.ecosystem, &package.name)).collect();
        let mut report = report(package, entries, Matched::BySource, Source::Scanner);
        for group in self.groups.unwrap_or_default() {
            let Ok(score) = group.max_severity.parse::<f32>() else { continue };
            for finding in report.findings.iter_mut().filter(|finding| group.ids.contains(&finding.id)) {
                finding.severity = Some(finding.severity.map_or(score, |known| known.max(score)));
                finding.level = finding.level.max(super::advisory::Level::of_score(score));
            }
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::advisory::Level;

    /// In the form that the documentation of osv-scanner shows.
    const ANSWER: &str = r#"{
      "results": [
        {
          "source": {"path": "/app/package-lock.json", "type": "lockfile"},
          "packages": [
            {
              "package": {"name": "left-trim", "version": "1.2.0", "ecosystem": "npm"},
              "vulnerabilities": [
                {
                  "modified": "2024-02-01T00:00:00Z", "published": "2024-01-01T00:00:00Z",
                  "schema_version": "1.6.0", "id": "GHSA-1111-2222-3333", "aliases": ["CVE-2024-1"],
                  "summary": "Denial of service", "details": "...",
                  "affected": [{
                    "package": {"ecosystem": "npm", "name": "left-trim", "purl": "pkg:npm/left-trim"},
                    "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.3.0"}]}],
                    "database_specific": {"source": "https://example.com/x.json"}
                  }],
                  "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L"}]
                },
                {"id": "CVE-2024-1", "modified": "2024-02-01T00:00:00Z"}
              ],
              "groups": [
                {"ids": ["GHSA-1111-2222-3333", "CVE-2024-1"], "aliases": ["CVE-2024-1"], "max_severity": "7.5"}
              ]
            },
            {
              "package": {"name": "fine", "version": "2.0.0", "ecosystem": "npm"}
            }
          ]
        }
      ],
      "experimental_config": {"licenses": {"summary": false, "allowlist": null}}
    }"#;

    #[test]
    fn an_answer_with_findings_is_read_with_the_scores_of_its_groups() {
        let reports = reports(1, ANSWER.as_bytes()).unwrap();
        let [report] = &reports[..] else { panic!("{reports:?}") };
        let [finding] = &report.findings[..] else { panic!("{report:?}") };
        assert_eq!((report.package.name.as_str(), report.package.version.as_deref()), ("left-trim", Some("1.2.0")));
        assert_eq!(
            (finding.id.as_str(), finding.aliases.as_slice()),
            ("GHSA-1111-2222-3333", &["CVE-2024-1".to_owned()][..])
        );
        assert_eq!((finding.severity, finding.level), (Some(7.5), Level::High));
        assert_eq!(finding.fixed.as_deref(), Some("1.3.0"));
    }

    #[test]
    fn a_clean_scan_has_no_reports() {
        assert_eq!(reports(0, br#"{"results": []}"#), Ok(vec![]));
        assert_eq!(reports(0, br#"{"results": null}"#), Ok(vec![]));
    }

    #[test]
    fn a_scan_that_failed_is_never_clean() {
        assert_eq!(reports(127, br#"{"results": []}"#), Err(ScanError::Failed(127)));
        assert_eq!(reports(-9, b""), Err(ScanError::Failed(-9)));
        assert_eq!(reports(128, br#"{"results": []}"#), Err(ScanError::NoPackages));
        assert!(matches!(reports(0, b""), Err(ScanError::Malformed(_))));
        let cut = &ANSWER.as_bytes()[..ANSWER.len() / 2];
        assert!(matches!(reports(1, cut), Err(ScanError::Malformed(_))));
    }

    #[test]
    fn an_answer_that_contradicts_the_exit_status_is_refused() {
        assert_eq!(reports(1, br#"{"results": []}"#), Err(ScanError::Contradiction { exit: 1 }));
        assert_eq!(reports(0, ANSWER.as_bytes()), Err(ScanError::Contradiction { exit: 0 }));
    }

    #[test]
    fn a_path_is_never_read_as_an_option() {
        assert_eq!(arguments_for_folder("--config=/tmp/x"), Err(ScanError::Path("--config=/tmp/x".into())));
        assert_eq!(arguments_for_folder("app").unwrap().last().map(String::as_str), Some("app"));
        assert_eq!(arguments_for_lock_file("-x").last().map(String::as_str), Some("--lockfile=-x"));
        assert_eq!(arguments_for_lock_file("a:b").last().map(String::as_str), Some("--lockfile=:a:b"));
    }
}
