//! Opening what lies below a granted folder without passing a single symlink.
//!
//! The kernel does it in one step (`openat2` with `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`);
//! where it cannot (before Linux 5.6, or in sandboxes without the call), each component is opened
//! from the one before. Both hold against a symlink that is put in place meanwhile: the opening
//! fails, and nothing is done.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

/// How often an opening is tried again when the kernel could not decide because of a rename.
const TRIES_MAX: usize = 8;

/// Open the folder `relative` (empty for `start` itself) as a handle to work from, not to read.
pub(super) fn open_folder(start: impl AsFd, relative: &str) -> io::Result<OwnedFd> {
    open_with(start, relative, OFlags::PATH)
}

/// Open the folder `relative` to read its entries.
pub(super) fn open_listing(start: impl AsFd, relative: &str) -> io::Result<Dir> {
    let folder = open_with(start, relative, OFlags::RDONLY)?;
    Ok(Dir::new(folder)?)
}

fn open_with(start: impl AsFd, relative: &str, access: OFlags) -> io::Result<OwnedFd> {
    let flags = access | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let path = if relative.is_empty() { "." } else { relative };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..TRIES_MAX {
        match rustix::fs::openat2(&start, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            // Some sandboxes answer EPERM to a system call that they do not know.
            Err(Errno::NOSYS | Errno::PERM) => return open_by_steps(start, path, flags | OFlags::NOFOLLOW),
            other => return Ok(other?),
        }
    }
    Err(Errno::AGAIN.into())
}

fn open_by_steps(start: impl AsFd, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let through = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder = rustix::fs::openat(&start, ".", through, Mode::empty())?;
    let mut names = path.split('/').peekable();
    while let Some(name) = names.next() {
        let flags = if names.peek().is_some() { through } else { flags };
        folder = match rustix::fs::openat(&folder, name, flags, Mode::empty()) {
            // A symlink is no folder: say what `openat2` says.
            Err(Errno::NOTDIR) if link_text(&folder, name)?.is_some() => return Err(Errno::LOOP.into()),
            other => other?,
        };
    }
    Ok(folder)
}

/// What stands at `name`; a symlink is not followed. `None` when nothing does.
pub(super) fn look(folder: impl AsFd, name: &str) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(None),
        other => Ok(Some(other?)),
    }
}

/// The text of the symlink `name`, or `None` when it is something else or nothing.
pub(super) fn link_text(folder: impl AsFd, name: &str) -> io::Result<Option<String>> {
    match rustix::fs::readlinkat(folder, name, Vec::new()) {
        Ok(text) => match text.into_string() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "the symlink's text is not UTF-8")),
        },
        Err(Errno::INVAL | Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The kind of what was looked at.
pub(super) fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Whether an entry of a listing is the folder itself or the one above.
pub(super) fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    type Opener = fn(&std::fs::File, &str) -> io::Result<OwnedFd>;
    const OPENERS: [Opener; 2] = [
        |start, path| open_folder(start, path),
        |start, path| open_by_steps(start, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW),
    ];

    #[test]
    fn both_ways_open_a_folder_below() {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(top.path().join("a/b")).unwrap();
        let start = std::fs::File::open(top.path()).unwrap();
        for open in OPENERS {
            open(&start, "a/b").unwrap();
        }
    }

    #[test]
    fn both_ways_refuse_a_symlink_on_the_way_and_at_the_end() {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(top.path().join("a/b")).unwrap();
        symlink("a", top.path().join("link")).unwrap();
        let start = std::fs::File::open(top.path()).unwrap();
        for open in OPENERS {
            for path in ["link/b", "link"] {
                let error = open(&start, path).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(Errno::LOOP.raw_os_error()), "{path}: {error}");
            }
        }
    }
}
