//! Rotating a log: its contents go to the project's archive, and the file is emptied in place.
//!
//! In place, since the service goes on writing to the descriptor that it has. Nothing is emptied
//! before all of it is in the archive and synced; what the service appends meanwhile is copied as
//! well, until a look finds nothing more. Between that look and the emptying are microseconds in
//! which a line can be lost: no call of the kernel does both at once.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::{SupervisorError, disk};
use crate::clock;

/// What must stay free in the archive's file system: the journal lives there too.
const ROOM_BYTES_MIN: u64 = 1 << 20;
/// How often what was appended meanwhile is copied, before the writer is too fast to keep up with.
const ROUNDS_MAX: usize = 1_000;
const CHUNK_BYTES: usize = 256 << 10;

/// Which file of a service may be emptied, and where its contents go.
pub(crate) struct Rotation<'a> {
    pub(crate) logs: &'a [PathBuf],
    pub(crate) config: &'a [PathBuf],
    pub(crate) archive: &'a Path,
}

impl Rotation<'_> {
    /// Copy `path` to the archive and empty it. Returns the copy's path.
    pub(crate) fn rotate(&self, path: &Path) -> Result<PathBuf, SupervisorError> {
        self.check(path)?;
        // Not through a link at the end: it could lead to any file that the host can write.
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
        let log = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(path)
            .map_err(|error| SupervisorError::file("open", path, &error))?;
        let metadata = log.metadata().map_err(|error| SupervisorError::file("read", path, &error))?;
        // A second name of the same file may be anything but a log.
        if !metadata.is_file() || metadata.nlink() != 1 {
            return Err(SupervisorError::Unsupported(format!("`{}` is no plain file with one name", path.display())));
        }
        fs::create_dir_all(self.archive).map_err(|error| SupervisorError::file("make", self.archive, &error))?;
        let (room, _) = disk::room(self.archive).unwrap_or((u64::MAX, 0));
        if room < metadata.len().saturating_add(ROOM_BYTES_MIN) {
            return Err(SupervisorError::Failed(format!(
                "nothing was rotated: `{}` has {room} bytes left, and `{}` holds {}; make room there first",
                self.archive.display(),
                path.display(),
                metadata.len()
            )));
        }
        let archived = self.reserve(path)?;
        copy_and_empty(&log, &archived).map_err(|(error, is_emptied)| {
            if is_emptied {
                return SupervisorError::Failed(format!("`{}` has all of it, but: {error}", archived.display()));
            }
            fs::remove_file(&archived).ok();
            SupervisorError::Failed(format!("nothing was lost: cannot archive `{}`: {error}", path.display()))
        })?;
        Ok(archived)
    }

    /// A new file for the copy, under its final name: the log's and the time. Whatever happens later
    /// cannot take the name away from it.
    fn reserve(&self, path: &Path) -> Result<PathBuf, SupervisorError> {
        let stem = format!("{}-{}", file_name(path), clock::rfc3339(clock::now_ms()).replace(':', ""));
        let names = std::iter::once(stem.clone()).chain((2..1_000).map(|number| format!("{stem}-{number}")));
        for name in names {
            let archived = self.archive.join(name);
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&archived) {
                Ok(_) => return Ok(archived),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(SupervisorError::file("make", &archived, &error)),
            }
        }
        Err(SupervisorError::Failed("nothing was rotated: a thousand copies of this millisecond are there".into()))
    }

    /// A configured log, or a log file beside one. The folder alone decides nothing: a service may
    /// write its logs next to its data.
    fn check(&self, path: &Path) -> Result<(), SupervisorError> {
        let refused = || {
            SupervisorError::NotFound(format!(
                "`{}` is no log file of the service; its `logs` in `pi.toml` name them",
                path.display()
            ))
        };
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Err(refused()) };
        // Folded by the file system itself, so that neither `..` nor a linked folder leads elsewhere.
        let folder = folder.canonicalize().map_err(|_| refused())?;
        let path = folder.join(name);
        let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        if self.config.iter().any(|config| real(config) == path) {
            return Err(refused());
        }
        let is_log = self.logs.iter().any(|log| {
            let log = log.parent().and_then(|parent| parent.canonicalize().ok()).map_or_else(
                || log.clone(),
                |parent| log.file_name().map_or_else(|| parent.clone(), |name| parent.join(name)),
            );
            path == log
                || (log.is_dir() && path.starts_with(&log))
                || (log.parent() == Some(folder.as_path()) && name.to_string_lossy().contains(".log"))
        });
        if is_log { Ok(()) } else { Err(refused()) }
    }
}

/// Copy, and empty the log once the copy is on the disk. With an error comes whether it was emptied.
fn copy_and_empty(log: &File, archived: &Path) -> Result<(), (std::io::Error, bool)> {
    copy(log, archived).map_err(|error| (error, false))?;
    log.set_len(0).map_err(|error| (error, false))?;
    let folder = archived.parent().map(File::open);
    // The name as well: without it the copy could not be found after a power cut.
    folder.map_or(Ok(()), |folder| folder.and_then(|folder| folder.sync_all())).map_err(|error| (error, true))
}

fn copy(log: &File, archived: &Path) -> std::io::Result<()> {
    let mut copy = OpenOptions::new().write(true).open(archived)?;
    let mut from = log;
    from.seek(SeekFrom::Start(0))?;
    let mut copied = 0_u64;
    let mut chunk = vec![0; CHUNK_BYTES];
    for _ in 0..ROUNDS_MAX {
        let end = log.metadata()?.len();
        if end == copied {
            copy.sync_all()?;
            // What was appended while the copy was synced is another round.
            if log.metadata()?.len() == copied {
                return Ok(());
            }
            continue;
        }
        let mut part = from.take(end.saturating_sub(copied));
        loop {
            let read = part.read(&mut chunk)?;
            if read == 0 {
                break;
            }
            copy.write_all(chunk.get(..read).unwrap_or_default())?;
            copied += read as u64;
        }
        if log.metadata()?.len() < copied {
            return Err(std::io::Error::other("it was emptied by another meanwhile"));
        }
    }
    Err(std::io::Error::other("the service writes faster than it can be copied"))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotate(folder: &Path, log: &Path, path: &Path) -> Result<PathBuf, SupervisorError> {
        let config = [folder.join("app.log.conf")];
        Rotation { logs: &[log.to_owned()], config: &config, archive: &folder.join("archive") }.rotate(path)
    }

    #[test]
    fn the_service_goes_on_writing_to_the_emptied_file() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("web.log");
        let mut service = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        service.write_all(b"before\n").unwrap();
        let archived = rotate(folder.path(), &log, &log).unwrap();
        service.write_all(b"after\n").unwrap();
        assert_eq!(fs::read(archived).unwrap(), b"before\n");
        assert_eq!(fs::read(&log).unwrap(), b"after\n");
    }

    #[test]
    fn no_line_is_lost_while_the_service_writes() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("web.log");
        fs::write(&log, vec![b'.'; 3 * CHUNK_BYTES]).unwrap();
        let mut service = OpenOptions::new().append(true).open(&log).unwrap();
        service.write_all(b"x").unwrap();
        let archived = rotate(folder.path(), &log, &log).unwrap();
        assert_eq!(fs::metadata(archived).unwrap().len(), 3 * CHUNK_BYTES as u64 + 1);
    }

    #[test]
    fn two_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("web.log");
        fs::write(&log, vec![b'.'; 40 * CHUNK_BYTES]).unwrap();
        let rotated: Vec<_> = std::thread::scope(|scope| {
            let both: Vec<_> = (0..2).map(|_| scope.spawn(|| rotate(folder.path(), &log, &log))).collect();
            both.into_iter().filter_map(|one| one.join().unwrap().ok()).collect()
        });
        let longest = rotated.iter().map(|copy| fs::metadata(copy).unwrap().len()).max();
        assert_eq!(longest, Some(40 * CHUNK_BYTES as u64));
    }

    #[test]
    fn refuses_what_is_no_log_of_the_service() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("web.log");
        for name in ["web.log", "web.log.1", "data.db", "app.log.conf"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("data.db", folder.path().join("linked.log")).unwrap();
        fs::hard_link(folder.path().join("data.db"), folder.path().join("second.log")).unwrap();
        let cases = ["data.db", "app.log.conf", "linked.log", "second.log", "../etc/passwd", "none.log"];
        for name in cases {
            assert!(rotate(folder.path(), &log, &folder.path().join(name)).is_err(), "{name}");
        }
        assert_eq!(fs::read(folder.path().join("data.db")).unwrap(), b"x");
        assert!(rotate(folder.path(), &log, &folder.path().join("web.log.1")).is_ok());
    }
}
