//! The room that a service's log files have left.
//!
//! The file system and the service's own file size limit both end a log; what counts is the nearer one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files that are named for a folder.
const FILES_MAX: usize = 8;
/// Entries that are looked at in a folder: one with millions must not hold up an answer.
const ENTRIES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 4;

/// A folder with log files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    pub path: PathBuf,
    pub available_bytes: u64,
    pub total_bytes: u64,
    /// Largest first.
    pub files: Vec<(PathBuf, u64)>,
}

/// The folders of `logs`, each once. One that is not there is left out.
pub(crate) fn disks(logs: &[PathBuf], file_bytes_max: Option<u64>) -> Vec<Disk> {
    let folders: BTreeSet<PathBuf> = logs.iter().filter_map(|log| folder_of(log)).collect();
    folders.into_iter().filter_map(|folder| disk(&folder, logs, file_bytes_max)).collect()
}

/// A log that is a folder stands for itself.
pub(crate) fn folder_of(log: &Path) -> Option<PathBuf> {
    if log.is_dir() { Some(log.to_owned()) } else { log.parent().map(Path::to_owned) }
}

/// Bytes that can be written to the file system, and its size.
pub(crate) fn room(path: &Path) -> Option<(u64, u64)> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
}

fn disk(folder: &Path, logs: &[PathBuf], file_bytes_max: Option<u64>) -> Option<Disk> {
    let (mut available_bytes, mut total_bytes) = room(folder)?;
    let files = files_below(folder);
    if let Some(limit) = file_bytes_max {
        let is_log = |path: &Path| logs.iter().any(|log| path == log || (log == folder && path.starts_with(log)));
        let fullest = files.iter().filter(|(path, _)| is_log(path)).map(|(_, bytes)| *bytes).max().unwrap_or(0);
        let left = limit.saturating_sub(fullest);
        if left < available_bytes {
            (available_bytes, total_bytes) = (left, limit);
        }
    }
    let files = files.into_iter().take(FILES_MAX).collect();
    Some(Disk { path: folder.to_owned(), available_bytes, total_bytes, files })
}

/// The regular files below `folder`, largest first.
pub(crate) fn files_below(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    let mut looked_at = 0;
    while let Some((folder, depth)) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            looked_at += 1;
            if looked_at > ENTRIES_MAX {
                break;
            }
            // Of the entry itself: a link is not followed out of the folder.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() && depth < DEPTH_MAX {
                folders.push((entry.path(), depth + 1));
            } else if metadata.is_file() {
                files.push((entry.path(), metadata.len()));
            }
        }
    }
    files.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_size_limit_counts_when_it_is_nearer_than_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("web.log");
        fs::write(&log, [b'x'; 60]).unwrap();
        fs::write(folder.path().join("other"), [b'x'; 90]).unwrap();
        let found = disks(std::slice::from_ref(&log), Some(100));
        assert_eq!((found[0].available_bytes, found[0].total_bytes), (40, 100));
        assert_eq!(found[0].files, [(folder.path().join("other"), 90), (log.clone(), 60)]);
        let free = disks(&[log], None);
        assert!(free[0].available_bytes > 100);
    }

    #[test]
    fn names_the_largest_files_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        for size in 1..=FILES_MAX + 3 {
            fs::write(folder.path().join(format!("f{size}.log")), vec![0; size]).unwrap();
        }
        let found = disks(&[folder.path().join("f1.log")], None);
        assert_eq!(found[0].files.len(), FILES_MAX);
        assert_eq!(found[0].files[0].1, (FILES_MAX + 3) as u64);
    }
}
