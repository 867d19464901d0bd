//! `pi-host run --demo`: the seven faults, one after the other and some at once, in a folder of its
//! own, until each is healed, escalated or rightly left alone. It asks nothing and ends by itself.
//! What it says goes through a callback; what it starts as the host comes from its caller.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

use super::belongings::Belongings;
use super::{Fault, Finding, Incident, Lab, LabError, Outcome, STATE, Scenario, Verdict};
use crate::clock::{self, Duration};

/// The folder that the demo makes.
pub const FOLDER: &str = "pi-demo";
/// Says that the folder is the demo's, and may be made anew.
const MARKER: &str = "made-by-pi-host-demo";
/// So many faults are under way at once, at most.
const TOGETHER_MAX: usize = 3;
/// From the first fault on. A demo that takes longer has failed.
const RUN_MS_MAX: u64 = 240_000;
const HEALTHY_MS_MAX: u64 = 40_000;

#[derive(Clone, Debug)]
pub struct DemoOptions {
    pub seed: u64,
    /// The folder in which `pi-demo/` is made.
    pub directory: PathBuf,
    /// The `pi-host` binary.
    pub exe: PathBuf,
}

/// The host that has to deal with it all.
pub trait HostUnderTest {
    /// The next incident that was closed, if there is one within this time.
    fn next_incident(&mut self, within: Duration) -> Option<Incident>;
    /// Why it cannot go on, if it cannot.
    fn failure(&mut self) -> Option<String>;
}

/// What happens, for people.
#[derive(Clone, Debug)]
pub enum Progress {
    Prepared {
        folder: PathBuf,
        services: Vec<String>,
    },
    Healthy,
    Injected {
        fault: Fault,
        service: String,
    },
    Closed {
        incident: Incident,
    },
    /// The lab has seen for itself how the fault ended.
    Settled {
        fault: Fault,
        service: String,
        expected: Outcome,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("`{path}` exists, and no demo made it\nhint: run the demo in another folder, or move it away", path = path.display())]
    NotOurs { path: PathBuf },
    #[error("`{path}` cannot be made ready: {source}", path = path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error("the host ended: {0}")]
    Host(String),
}

/// How the demo went.
#[derive(Clone, Debug)]
pub struct Summary {
    pub folder: PathBuf,
    pub verdict: Verdict,
    pub took_ms: u64,
}

/// Run the demo. `start` starts the host in the project folder that it is given.
///
/// # Errors
/// The folder is not the demo's, the services do not get healthy, or the host ends.
pub fn run<H: HostUnderTest>(
    options: &DemoOptions,
    start: impl FnOnce(&Path) -> Result<H, String>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, DemoError> {
    let folder = options.directory.join(FOLDER);
    make_ready(&folder)?;
    let mut lab = Lab::generate(Scenario::all(options.seed), &folder, &options.exe)?;
    let services = lab.services.iter().map(|service| service.name.clone()).collect();
    progress(Progress::Prepared { folder: lab.project.clone(), services });
    // Dropped before the lab: a host that is still there would start again what the lab ends.
    let mut host = start(&lab.project).map_err(DemoError::Host)?;
    wait_until_healthy(&lab, &mut host)?;
    progress(Progress::Healthy);
    let began = clock::monotonic();
    let deadline = began + Duration::from_millis(RUN_MS_MAX);
    let mut incidents = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut next = 0;
    while (next < lab.planned.len() || !open.is_empty()) && clock::monotonic() < deadline {
        if let Some(reason) = host.failure() {
            return Err(DemoError::Host(reason));
        }
        if open.len() < TOGETHER_MAX && next < lab.planned.len() {
            lab.inject(next)?;
            let (fault, service) = what(&lab, next);
            progress(Progress::Injected { fault, service });
            open.push(next);
            next += 1;
        }
        if let Some(incident) = host.next_incident(Duration::from_millis(200)) {
            progress(Progress::Closed { incident: incident.clone() });
            incidents.push(incident);
        }
        open.retain(|index| {
            let is_settled = lab.is_settled(*index, &incidents);
            if is_settled {
                let (fault, service) = what(&lab, *index);
                progress(Progress::Settled { fault, service, expected: fault.outcome() });
            }
            !is_settled
        });
    }
    let verdict = lab.judge(&incidents);
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    drop(host);
    Ok(Summary { folder: lab.project.clone(), verdict, took_ms })
}

impl Summary {
    /// Each fault was healed, rightly escalated or rightly left alone.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.verdict.is_good() && self.verdict.findings.len() == Fault::ALL.len()
    }

    /// A table for people: fault, service, expected, got, time to detect, time to mitigate, report.
    #[must_use]
    pub fn table(&self) -> String {
        let mut rows =
            vec![["fault", "service", "expected", "got", "cause", "detected", "over", "report"].map(str::to_owned)];
        rows.extend(self.verdict.findings.iter().map(|finding| self.row(finding)));
        let widths: Vec<usize> = (0..8)
            .map(|column| rows.iter().map(|row| row.get(column).map_or(0, String::len)).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in &rows {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            let _ = writeln!(text, "{}", cells.join("  ").trim_end());
        }
        text
    }

    fn row(&self, finding: &Finding) -> [String; 8] {
        let seconds = |ms: u64| format!("{:.1} s", Duration::from_millis(ms).as_secs_f64());
        let since = |ms: u64| seconds(ms.saturating_sub(finding.injected_ms));
        let got = match finding.incident.as_ref().map(|incident| incident.status.as_str()) {
            None => "no incident",
            Some(status) => {
                Outcome::ALL.iter().find(|outcome| outcome.status() == status).map_or(status, |outcome| outcome.name())
            }
        };
        let report = finding.incident.as_ref().and_then(|incident| incident.report.as_ref());
        let report = report.map(|path| path.strip_prefix(&self.folder).unwrap_or(path).display().to_string());
        [
            finding.fault.name().to_owned(),
            finding.service.clone(),
            finding.expected.to_string(),
            got.to_owned(),
            finding.incident.as_ref().map_or_else(String::new, |incident| incident.root_cause.clone()),
            finding.incident.as_ref().map_or_else(String::new, |incident| since(incident.detected_ms)),
            finding.incident.as_ref().map_or_else(String::new, |incident| since(incident.ended_ms)),
            report.unwrap_or_default(),
        ]
    }
}

fn what(lab: &Lab, index: usize) -> (Fault, String) {
    let planned = &lab.planned[index];
    (planned.fault, lab.services[planned.service].name.clone())
}

fn wait_until_healthy(lab: &Lab, host: &mut impl HostUnderTest) -> Result<(), DemoError> {
    let deadline = clock::monotonic() + Duration::from_millis(HEALTHY_MS_MAX);
    loop {
        // In short turns, so that a host that cannot start is noticed at once.
        let healthy = lab.wait_until_healthy(Duration::from_millis(500));
        if let Some(reason) = host.failure() {
            return Err(DemoError::Host(reason));
        }
        match healthy {
            Ok(()) => return Ok(()),
            Err(error) if clock::monotonic() > deadline => return Err(error.into()),
            Err(_) => {}
        }
    }
}

/// An empty folder that carries the demo's marker. One that an earlier demo left is emptied.
fn make_ready(folder: &Path) -> Result<(), DemoError> {
    let failed = |source| DemoError::Folder { path: folder.to_owned(), source };
    let state = folder.join(STATE);
    let marker = state.join(MARKER);
    let is_there = std::fs::symlink_metadata(folder).is_ok();
    let is_empty = || std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if is_there && !marker.is_file() && !is_empty() {
        return Err(DemoError::NotOurs { path: folder.to_owned() });
    }
    std::fs::create_dir_all(&state).map_err(failed)?;
    std::fs::write(&marker, "").map_err(failed)?;
    // What an earlier demo left running or mounted goes first; nothing is removed below a mount.
    drop(Belongings::take(&state, 0).map_err(failed)?);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path == state {
            continue;
        }
        let is_folder = std::fs::symlink_metadata(&path).map_err(failed)?.is_dir();
        let removed = if is_folder { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_no_demo_made_is_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mine = folder.path().join(FOLDER);
        std::fs::create_dir(&mine).expect("made");
        std::fs::write(mine.join("thesis.txt"), "years of work").expect("written");
        let error = make_ready(&mine).expect_err("refused").to_string();
        assert!(error.contains("no demo made it") && error.contains("hint:"), "{error}");
        assert!(mine.join("thesis.txt").is_file());
    }

    #[test]
    fn a_folder_of_an_earlier_demo_is_emptied() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ours = folder.path().join(FOLDER);
        make_ready(&ours).expect("made");
        std::fs::write(ours.join("pi.toml"), "").expect("written");
        make_ready(&ours).expect("made again");
        assert!(!ours.join("pi.toml").exists());
    }

    #[test]
    fn a_link_in_place_of_the_folder_is_not_followed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let other = folder.path().join("other");
        std::fs::create_dir(&other).expect("made");
        std::fs::write(other.join("thesis.txt"), "").expect("written");
        std::os::unix::fs::symlink(&other, folder.path().join(FOLDER)).expect("linked");
        assert!(make_ready(&folder.path().join(FOLDER)).is_err());
        assert!(other.join("thesis.txt").is_file());
    }
}
