//! The configuration files of a service as they were when it was last known to be good.
//!
//! Copies are kept by their contents' hash in `.pi/services/NAME/good/`, with two lists over them:
//! *settled*, the latest contents with which the service was healthy for long, and *proven*, the latest
//! with which it was also started. A file that changes under a running service has often not been
//! read yet, so the new contents are
//! - proven once the service has been started after the change and then healthy without a break for
//!   [`PROVEN_MS`];
//! - settled once it is proven, or once the service has been healthy without a break for [`SETTLED_MS`]
//!   since the change (it may have read them while it ran).
//!
//! The very first list is made in the first healthy streak: there is nothing better to compare with.
//! What differs is told against *settled*; but when the service was started after that list was made
//! and has not been healthy since, against *proven*: a bad edit of last week is then still found.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::open;
use super::record::{hex, replace};

/// Healthy probes in a row before anything is believed.
pub(crate) const HEALTHY_PROBES_MIN: u32 = 5;
pub(crate) const PROVEN_MS: u64 = 30_000;
/// Below the service's own folder.
const FOLDER: &str = "good";
const LISTS: &str = "lists.json";
pub(crate) const SETTLED_MS: u64 = 600_000;
/// A file larger than this is compared by its hash, and no copy is kept.
const FILE_BYTES_MAX: u64 = 1 << 20;
const CHUNK_BYTES: usize = 64 << 10;

/// A configuration file that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub path: PathBuf,
    pub modified_ms: u64,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// One file in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Version {
    path: PathBuf,
    /// SHA-256 of the contents. None: it did not exist.
    hash: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Lists {
    proven: Option<Vec<Version>>,
    settled: Option<Vec<Version>>,
    /// When `settled` was made, milliseconds since 1970.
    settled_ms: u64,
}

/// Whether a project's service has once been known as good: from then on a change of its configuration
/// files is told as one.
#[must_use]
pub fn is_known_as_good(services: &Path, name: &str) -> bool {
    services.join(name).join(FOLDER).join(LISTS).is_file()
}

/// How well the service is doing, as the probes say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// Healthy probes in a row.
    pub(crate) streak: u32,
    /// When the streak began.
    pub(crate) since_ms: u64,
    /// When the service was last started; 0 for one that is not ours.
    pub(crate) started_ms: u64,
}

/// The remembered configuration of one service.
pub(crate) struct Good {
    folder: PathBuf,
    files: Vec<PathBuf>,
    /// The project's folder: what really lies elsewhere is not read.
    project: PathBuf,
    lists: Lists,
    /// What differs from `settled` now, and since when that was seen.
    seen: Option<(Vec<Version>, u64)>,
    /// Sizes and times at the last look: contents are read again only when these differ.
    stamps: Vec<Option<(u64, u64, i64)>>,
    current: Vec<Version>,
}

impl Good {
    pub(crate) fn new(directory: &Path, files: Vec<PathBuf>, project: &Path) -> Self {
        let folder = directory.join(FOLDER);
        // A list that cannot be read is as good as none: it is made anew in the next healthy streak.
        let lists = fs::read(folder.join(LISTS)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let project = project.to_owned();
        let lists = lists.unwrap_or_default();
        Self { folder, files, project, lists, seen: None, stamps: Vec::new(), current: Vec::new() }
    }

    /// Look at the files after a healthy probe.
    pub(crate) fn observe(&mut self, health: Health, now_ms: u64) -> std::io::Result<()> {
        if self.files.is_empty() || health.streak < HEALTHY_PROBES_MIN {
            return Ok(());
        }
        let now = self.look();
        if self.lists.settled.as_ref().is_none_or(|settled| !is_about(settled, &self.files)) {
            return self.accept(now, true, now_ms);
        }
        if self.lists.settled.as_ref() == Some(&now) && self.lists.proven.as_ref() == Some(&now) {
            self.seen = None;
            return Ok(());
        }
        if self.seen.as_ref().is_none_or(|(versions, _)| *versions != now) {
            // The time in the file may be set to anything (`cp -p`): what counts is when it was seen,
            // or the file's own time where that is later than the last look but before now.
            let changed = self.files.iter().map(|file| modified_ms(file)).max().unwrap_or(0).min(now_ms);
            let was_settled = self.lists.settled.as_ref() == Some(&now);
            let since = if was_settled { changed.max(self.lists.settled_ms) } else { now_ms };
            self.seen = Some((now.clone(), since));
        }
        let since = self.seen.as_ref().map_or(now_ms, |(_, since)| *since);
        let calm = now_ms.saturating_sub(since.max(health.since_ms));
        if health.started_ms > changed_ms(&self.files, now_ms) && calm >= PROVEN_MS {
            self.accept(now, true, now_ms)
        } else if calm >= SETTLED_MS && self.lists.settled.as_ref() != Some(&now) {
            self.accept(now, false, now_ms)
        } else {
            Ok(())
        }
    }

    /// The files that differ from what was good. Empty as long as nothing is known to have been good.
    pub(crate) fn changes(&mut self, health: Health) -> Vec<Change> {
        let now = self.look();
        let is_unproven_start = health.streak == 0 && health.started_ms > self.lists.settled_ms;
        let base = if is_unproven_start { self.lists.proven.as_ref() } else { self.lists.settled.as_ref() };
        let Some(base) = base.or(self.lists.settled.as_ref()) else { return Vec::new() };
        now.iter()
            .filter_map(|current| {
                let before = base.iter().find(|version| version.path == current.path)?;
                (before.hash != current.hash).then(|| Change {
                    path: current.path.clone(),
                    modified_ms: modified_ms(&current.path),
                    before: before.hash.as_ref().and_then(|hash| text(File::open(self.folder.join(hash)))),
                    after: text(open::open(&current.path, &self.project)),
                })
            })
            .collect()
    }

    fn accept(&mut self, now: Vec<Version>, is_proven: bool, now_ms: u64) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        for version in &now {
            let Some(hash) = &version.hash else { continue };
            let copy = self.folder.join(hash);
            if copy.exists() {
                continue;
            }
            let Some(bytes) = read_small(open::open(&version.path, &self.project)) else { continue };
            // It changed while it was looked at: the next look will see what it is.
            if hex(&Sha256::digest(&bytes)) != *hash {
                return Ok(());
            }
            replace(&copy, &bytes)?;
        }
        let mut lists = self.lists.clone();
        if is_proven {
            lists.proven = Some(now.clone());
        }
        if lists.settled.as_ref() != Some(&now) {
            lists.settled = Some(now);
            lists.settled_ms = now_ms;
        }
        let bytes = serde_json::to_vec_pretty(&lists)?;
        replace(&self.folder.join(LISTS), &bytes)?;
        self.lists = lists;
        self.seen = None;
        self.forget_unused();
        Ok(())
    }

    /// Remove the copies that no list names.
    fn forget_unused(&self) {
        let lists = [&self.lists.proven, &self.lists.settled];
        let used: Vec<&str> =
            lists.into_iter().flatten().flatten().filter_map(|version| version.hash.as_deref()).collect();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != LISTS && !used.contains(&name.as_str()) {
                fs::remove_file(entry.path()).ok();
            }
        }
    }

    fn look(&mut self) -> Vec<Version> {
        let stamps: Vec<_> = self.files.iter().map(|file| stamp(file)).collect();
        if stamps != self.stamps || self.current.len() != self.files.len() {
            let version = |path: &PathBuf| Version { path: path.clone(), hash: hash(open::open(path, &self.project)) };
            self.current = self.files.iter().map(version).collect();
            self.stamps = stamps;
        }
        self.current.clone()
    }
}

fn is_about(versions: &[Version], files: &[PathBuf]) -> bool {
    versions.len() == files.len() && versions.iter().zip(files).all(|(version, file)| version.path == *file)
}

/// The latest modification, by the kernel's own record of it (ctime), which nobody can set.
fn changed_ms(files: &[PathBuf], now_ms: u64) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let of = |file: &PathBuf| -> Option<u64> {
        let metadata = fs::metadata(file).ok()?;
        u64::try_from(metadata.ctime().saturating_mul(1_000).saturating_add(metadata.ctime_nsec() / 1_000_000)).ok()
    };
    files.iter().filter_map(of).max().unwrap_or(0).min(now_ms)
}

fn stamp(path: &Path) -> Option<(u64, u64, i64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    let time = metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec());
    Some((metadata.len(), metadata.ino(), time))
}

fn modified_ms(path: &Path) -> u64 {
    // A file that is gone changed when its folder did.
    let metadata = fs::metadata(path).or_else(|error| path.parent().map_or(Err(error), fs::metadata));
    let modified = metadata.and_then(|metadata| metadata.modified()).unwrap_or(UNIX_EPOCH);
    modified.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn hash(file: std::io::Result<File>) -> Option<String> {
    let mut file = file.ok()?;
    let mut digest = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk).ok()? {
            0 => return Some(hex(&digest.finalize())),
            read => digest.update(chunk.get(..read)?),
        }
    }
}

fn read_small(file: std::io::Result<File>) -> Option<Vec<u8>> {
    let file = file.ok()?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= FILE_BYTES_MAX).then_some(bytes)
}

fn text(file: std::io::Result<File>) -> Option<String> {
    String::from_utf8(read_small(file)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long after the files of a test were written, by their own clock.
    const LATER: u64 = 10_000_000_000_000;

    fn healthy(since_ms: u64, started_ms: u64) -> Health {
        Health { streak: HEALTHY_PROBES_MIN, since_ms, started_ms }
    }

    fn sick(started_ms: u64) -> Health {
        Health { streak: 0, since_ms: 0, started_ms }
    }

    struct Case {
        _folder: tempfile::TempDir,
        file: PathBuf,
        good: Good,
    }

    impl Case {
        /// A service that was healthy with `good`.
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("app.conf");
            fs::write(&file, "good").unwrap();
            let mut good = Good::new(folder.path(), vec![file.clone()], folder.path());
            good.observe(healthy(0, 1), 1_000).unwrap();
            Self { _folder: folder, file, good }
        }

        fn edit(&self, text: &str) {
            fs::write(&self.file, text).unwrap();
        }

        fn before(&mut self, health: Health) -> Vec<String> {
            self.good.changes(health).into_iter().filter_map(|change| change.before).collect()
        }
    }

    #[test]
    fn tells_what_changed_with_both_texts() {
        let mut case = Case::new();
        assert!(case.good.changes(sick(1)).is_empty());
        case.edit("bad!");
        let changes = case.good.changes(sick(1));
        assert_eq!((changes[0].before.as_deref(), changes[0].after.as_deref()), (Some("good"), Some("bad!")));
        assert!(changes[0].modified_ms > 0);
    }

    #[test]
    fn a_file_that_is_gone_has_no_text_after() {
        let mut case = Case::new();
        fs::remove_file(&case.file).unwrap();
        let changes = case.good.changes(sick(1));
        assert_eq!((changes[0].before.as_deref(), changes[0].after.as_deref()), (Some("good"), None));
    }

    #[test]
    fn nothing_is_good_before_some_healthy_probes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.conf");
        fs::write(&file, "x").unwrap();
        let mut good = Good::new(folder.path(), vec![file.clone()], folder.path());
        good.observe(Health { streak: HEALTHY_PROBES_MIN - 1, since_ms: 0, started_ms: 1 }, 1_000).unwrap();
        fs::write(&file, "y2").unwrap();
        assert!(good.changes(sick(1)).is_empty());
    }

    #[test]
    fn an_unread_edit_does_not_become_good_in_half_a_minute() {
        let mut case = Case::new();
        case.edit("bad!");
        case.good.observe(healthy(2_000, 1), LATER).unwrap();
        case.good.observe(healthy(2_000, 1), LATER + SETTLED_MS - 1).unwrap();
        assert_eq!(case.before(sick(1)), ["good"]);
    }

    #[test]
    fn an_edit_with_which_it_was_started_is_good_after_half_a_minute_of_health() {
        let mut case = Case::new();
        case.edit("new!");
        case.good.observe(healthy(LATER, LATER), LATER).unwrap();
        case.good.observe(healthy(LATER, LATER), LATER + PROVEN_MS - 1).unwrap();
        assert_eq!(case.before(sick(LATER)), ["good"]);
        case.good.observe(healthy(LATER, LATER), LATER + PROVEN_MS).unwrap();
        assert!(case.good.changes(sick(LATER)).is_empty());
    }

    #[test]
    fn an_old_edit_that_was_never_read_is_found_when_a_restart_fails() {
        let mut case = Case::new();
        case.edit("bad!");
        case.good.observe(healthy(2_000, 1), LATER).unwrap();
        case.good.observe(healthy(2_000, 1), LATER + SETTLED_MS).unwrap();
        // Settled: while it runs on, nothing differs.
        assert!(case.before(healthy(2_000, 1)).is_empty());
        assert_eq!(case.before(sick(LATER + SETTLED_MS + 1)), ["good"]);
    }

    #[test]
    fn what_was_good_outlives_the_host() {
        let mut case = Case::new();
        case.edit("bad!");
        case.good = Good::new(case.file.parent().unwrap(), vec![case.file.clone()], case.file.parent().unwrap());
        assert_eq!(case.before(sick(1)), ["good"]);
    }

    #[test]
    fn a_file_that_is_no_text_or_too_large_is_told_without_its_text() {
        let mut case = Case::new();
        fs::write(&case.file, [0xff, 0xfe]).unwrap();
        assert_eq!(case.good.changes(sick(1))[0].after, None);
        fs::write(&case.file, vec![b'x'; usize::try_from(FILE_BYTES_MAX).unwrap() + 1]).unwrap();
        assert_eq!(case.good.changes(sick(1))[0].after, None);
    }
}
