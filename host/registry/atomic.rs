//! Writing a file whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::digest::hex;
use crate::clock;

/// What the name of a file begins with that is not finished.
pub(crate) const UNFINISHED: &str = ".unfinished-";
/// What it goes on with, in hex.
const RANDOM_BYTES: usize = 12;

/// Write a file beside its place, make sure that it is on the disk, and put it there. Who reads at any
/// time finds the old one or the new one, and after a failure the old one is there and nothing else.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let unfinished = folder.join(format!("{UNFINISHED}{}", random()?));
    let written = write_new(&unfinished, bytes, mode).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // What cannot be removed is found by its name later.
        let _ = fs::remove_file(&unfinished);
    }
    written?;
    // The name itself is on the disk when the folder is.
    File::open(folder)?.sync_all()
}

/// Write a file that is not there yet.
pub(crate) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The files in a folder that were begun and never finished.
pub(crate) fn unfinished(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Remove the files in a folder that were begun longer ago than this, and never finished: those of who was
/// killed in between. Only files are removed, and only those that are named as ours are.
pub(crate) fn remove_unfinished(folder: &Path, age_min: Duration) -> io::Result<()> {
    for path in unfinished(folder)? {
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            // Whoever was writing it has finished.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let changed_ms = u64::try_from(metadata.mtime()).unwrap_or(u64::MAX).saturating_mul(1_000);
        let age_ms = u128::from(clock::now_ms().saturating_sub(changed_ms));
        if is_own(&path) && metadata.is_file() && age_ms >= age_min.as_millis() {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Whether it is named as [`write`] names what is not finished.
fn is_own(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix(UNFINISHED).is_some_and(|rest| {
        rest.len() == 2 * RANDOM_BYTES && rest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn random() -> io::Result<String> {
    let mut bytes = [0; RANDOM_BYTES];
    // The kernel's: those for keys take 20 ms to be ready, and are for keys.
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    if filled < RANDOM_BYTES {
        return Err(io::Error::other("there are no random numbers"));
    }
    Ok(hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"old", 0o600).unwrap();
        write(&path, b"new", 0o600).unwrap();
        assert_eq!((fs::read(&path).unwrap(), names(folder.path())), (b"new".to_vec(), vec!["a".to_owned()]));
    }

    #[test]
    fn what_was_left_unfinished_goes_when_it_is_old_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let own = format!("{UNFINISHED}{}", random().unwrap());
        let others = [format!("{UNFINISHED}mine"), "pi.toml".to_owned()];
        for name in others.iter().chain([&own]) {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        remove_unfinished(folder.path(), Duration::from_secs(3_600)).unwrap();
        assert_eq!(names(folder.path()).len(), 3);
        let old = std::time::SystemTime::UNIX_EPOCH;
        for name in others.iter().chain([&own]) {
            File::options().write(true).open(folder.path().join(name)).unwrap().set_modified(old).unwrap();
        }
        remove_unfinished(folder.path(), Duration::from_secs(3_600)).unwrap();
        assert_eq!(names(folder.path()), others);
    }

    #[test]
    fn a_failure_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        // A folder with something in it cannot be replaced by a file.
        fs::create_dir_all(path.join("b")).unwrap();
        assert!(write(&path, b"new", 0o600).is_err());
        assert_eq!(names(folder.path()), ["a"]);
    }
}
