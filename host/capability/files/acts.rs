//! Reading and marking what stands at a spot: metadata, bytes, entries, permission bits, times.
//!
//! Nothing here waits for another process: what is no regular file (a FIFO, a device, a socket) is
//! never opened for its contents, so that no reader hangs and no device notices.

#![allow(clippy::useless_conversion, reason = "the widths of these fields differ between machines")]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT};

use super::super::bindings::pi::files::files::{Entry, Error, Kind, Metadata};
use super::failure::failure;
use super::folder::{file_type, is_dots, link_text, look, open_listing};
use super::path::Folded;
use super::resolve::Spot;

/// The permission bits that a guest may set: no set-user-id, set-group-id or sticky bit, with which
/// a file would lend its owner's power to whoever runs it.
pub(super) const MODE_MAX: u32 = 0o777;

/// Reading begins with a buffer of this size: a guest may ask for 16 MiB of a file of ten bytes.
const FIRST_BYTES: usize = 64 << 10;

/// What stands at the spot; a symlink there is described itself.
pub(super) fn stat(spot: &Spot) -> Result<Metadata, Error> {
    look_at(spot).map(|stat| metadata(&stat))
}

/// Up to `length` bytes from `offset`.
pub(super) fn read(spot: &Spot, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
    let file = open_regular(spot, OFlags::RDONLY)?;
    read_from(&file, offset, length).map_err(|e| failure(&spot.path, &e))
}

/// The entries by name. What is hidden is left out; a name that is not UTF-8 is shown with
/// replacement characters, and cannot be opened.
pub(super) fn list(spot: &Spot, entries_max: usize, is_hidden: impl Fn(&str) -> bool) -> Result<Vec<Entry>, Error> {
    let fail = |e: io::Error| failure(&spot.path, &e);
    let mut entries = Vec::new();
    for entry in open_listing(&spot.folder, &spot.name).map_err(fail)? {
        let entry = entry.map_err(|e| fail(e.into()))?;
        if is_dots(entry.file_name()) {
            continue;
        }
        if entries.len() == entries_max {
            return Err(Error::Limit(format!("more than {entries_max} entries: `{}`", spot.path)));
        }
        let name = entry.file_name().to_string_lossy();
        if !is_hidden(&name) {
            entries.push((name.into_owned(), entry.file_name().to_owned()));
        }
    }
    entries.sort_unstable();
    let folder = super::folder::open_folder(&spot.folder, &spot.name).map_err(fail)?;
    let mut listed = Vec::with_capacity(entries.len());
    for (name, raw) in entries {
        match rustix::fs::statat(&folder, raw.as_c_str(), rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
            // Removed since: it is no entry any more.
            Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(fail(error.into())),
            Ok(stat) => listed.push(Entry { name, metadata: metadata(&stat) }),
        }
    }
    Ok(listed)
}

/// The text of the symlink at the spot.
pub(super) fn read_link(spot: &Spot) -> Result<String, Error> {
    look_at(spot)?;
    link_text(&spot.folder, &spot.name)
        .map_err(|e| failure(&spot.path, &e))?
        .ok_or_else(|| Error::Other(format!("no symlink: `{}`", spot.path)))
}

/// Set the permission bits.
pub(super) fn set_mode(spot: &Spot, mode: u32) -> Result<(), Error> {
    let fd = open_to_mark(spot)?;
    rustix::fs::chmod(by_descriptor(&fd), Mode::from_raw_mode(mode)).map_err(|e| failure(&spot.path, &e.into()))
}

/// Set the time of the last modification; that of the last access stays.
pub(super) fn set_modified(spot: &Spot, modified_ms: u64) -> Result<(), Error> {
    let fd = open_to_mark(spot)?;
    let seconds = i64::try_from(modified_ms / 1_000).unwrap_or(i64::MAX);
    let nanoseconds = i64::try_from(modified_ms % 1_000).unwrap_or_default() * 1_000_000;
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT.into() },
        last_modification: Timespec { tv_sec: seconds, tv_nsec: nanoseconds },
    };
    rustix::fs::utimensat(rustix::fs::CWD, by_descriptor(&fd), &times, rustix::fs::AtFlags::empty())
        .map_err(|e| failure(&spot.path, &e.into()))
}

/// Open the regular file at the spot; anything else is an error, and is not opened.
pub(super) fn open_regular(spot: &Spot, access: OFlags) -> Result<File, Error> {
    let seen = look_at(spot)?;
    demand_regular(&spot.path, &seen)?;
    let file = open_name(&spot.folder, &spot.name, access).map_err(|e| failure(&spot.path, &e))?;
    // Another one may have come to this name meanwhile. Non-blocking, the opening did not hang.
    let stat = rustix::fs::fstat(&file).map_err(|e| failure(&spot.path, &e.into()))?;
    demand_regular(&spot.path, &stat)?;
    Ok(file.into())
}

/// What stands at the spot, or an error that says that nothing does.
pub(super) fn look_at(spot: &Spot) -> Result<Stat, Error> {
    look(&spot.folder, &spot.name)
        .map_err(|e| failure(&spot.path, &e))?
        .ok_or_else(|| Error::NotFound(format!("no such file or folder: `{}`", spot.path)))
}

/// An error unless `stat` is of a regular file.
pub(super) fn demand_regular(path: &Folded, stat: &Stat) -> Result<(), Error> {
    match file_type(stat) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(Error::IsDirectory(format!("it is a folder: `{path}`"))),
        other => Err(Error::Other(format!("no regular file but a {}: `{path}`", type_name(other)))),
    }
}

fn type_name(kind: FileType) -> &'static str {
    match kind {
        FileType::Symlink => "symlink that came into the way",
        FileType::Fifo => "FIFO",
        FileType::Socket => "socket",
        FileType::CharacterDevice | FileType::BlockDevice => "device",
        _ => "special file",
    }
}

fn open_name(folder: impl AsFd, name: &str, access: OFlags) -> io::Result<OwnedFd> {
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(folder, name, flags, Mode::empty())?)
}

/// A handle on what stands at the spot that opens nothing. With several names it is refused: a mark
/// on a file counts for all its names, and the others may lie outside of the grant.
fn open_to_mark(spot: &Spot) -> Result<OwnedFd, Error> {
    let fail = |e: io::Error| failure(&spot.path, &e);
    let fd = open_name(&spot.folder, &spot.name, OFlags::PATH).map_err(fail)?;
    let stat = rustix::fs::fstat(&fd).map_err(|e| fail(e.into()))?;
    match file_type(&stat) {
        FileType::Directory => Ok(fd),
        FileType::Symlink => Err(Error::Other(format!("a symlink came into the way: `{}`", spot.path))),
        _ if stat.st_nlink > 1 => Err(Error::Other(format!(
            "the file has {} names, and a change would count for all of them; write it anew first: `{}`",
            stat.st_nlink, spot.path
        ))),
        _ => Ok(fd),
    }
}

/// A path to exactly what the handle holds: marking by name could meet a symlink.
fn by_descriptor(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

fn read_from(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length.min(FIRST_BYTES)];
    let mut filled = 0;
    while filled < length {
        if filled == bytes.len() {
            bytes.resize(length.min(filled * 2), 0);
        }
        let rest = bytes.get_mut(filled..).unwrap_or_default();
        let at = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn metadata(stat: &Stat) -> Metadata {
    let nanoseconds = i64::try_from(stat.st_mtime_nsec).unwrap_or_default();
    let modified_ms = stat.st_mtime.saturating_mul(1_000).saturating_add(nanoseconds / 1_000_000);
    Metadata {
        kind: match file_type(stat) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink,
            _ => Kind::Other,
        },
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        modified_ms: u64::try_from(modified_ms).unwrap_or_default(),
        mode: stat.st_mode & 0o7777,
        links: u64::from(stat.st_nlink),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::files::resolve::spot_at;

    #[test]
    fn lists_up_to_the_limit_and_no_more() {
        let top = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            std::fs::write(top.path().join(name), "").unwrap();
        }
        let spot = spot_at(top.path(), ".");
        assert_eq!(list(&spot, 3, |_| false).unwrap().len(), 3);
        assert!(matches!(list(&spot, 2, |_| false), Err(Error::Limit(_))));
    }

    #[test]
    fn what_is_hidden_is_not_listed() {
        let top = tempfile::tempdir().unwrap();
        std::fs::write(top.path().join("a"), "").unwrap();
        assert!(list(&spot_at(top.path(), "."), 3, |name| name == "a").unwrap().is_empty());
    }

    #[test]
    fn a_symlink_that_came_into_the_way_is_not_opened() {
        let top = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", top.path().join("link")).unwrap();
        let spot = spot_at(top.path(), "link");
        assert!(open_regular(&spot, OFlags::RDONLY).is_err());
        assert!(set_mode(&spot, 0o777).is_err());
        assert!(set_modified(&spot, 0).is_err());
    }
}
