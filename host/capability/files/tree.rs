//! Making, moving and removing entries of folders.
//!
//! A recursive removal is counted before it begins: one that is beyond a limit, or that would go
//! into another file system, removes nothing at all. It never follows a symlink.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;

use super::super::bindings::pi::files::files::Error;
use super::acts::look_at;
use super::failure::failure;
use super::folder::{file_type, is_dots, look, open_folder, open_listing};
use super::resolve::{Place, Spot};

/// Folders inside each other that one removal goes down: each is an open handle.
const DEPTH_MAX: usize = 64;

/// Make the folder at `place`, and those above it up to the root.
pub(super) fn make_folders(place: &Place) -> Result<(), Error> {
    let fail = |e: io::Error| failure(&place.path, &e);
    let mut folder = open_folder(&place.root.folder, "").map_err(fail)?;
    for name in place.path.below(&place.root.path).unwrap_or_default().split('/').filter(|name| !name.is_empty()) {
        match rustix::fs::mkdirat(&folder, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(fail(error.into())),
        }
        folder = open_folder(&folder, name).map_err(|e| match e.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOTDIR) => Error::AlreadyExists(format!("`{name}` is no folder, in `{}`", place.path)),
            _ => fail(e),
        })?;
    }
    Ok(())
}

/// Make the folder at the spot.
pub(super) fn make_folder(spot: &Spot) -> Result<(), Error> {
    spot.folder.create_dir(&spot.name).map_err(|e| failure(&spot.path, &e))
}

/// Make a symlink at the spot, with this text.
pub(super) fn make_symlink(spot: &Spot, text: &str) -> Result<(), Error> {
    spot.folder.symlink_contents(text, &spot.name).map_err(|e| failure(&spot.path, &e))
}

/// Move one entry; what stands at `to` is replaced.
pub(super) fn rename(from: &Spot, to: &Spot) -> Result<(), Error> {
    look_at(from)?;
    from.folder.rename(&from.name, &to.folder, &to.name).map_err(|e| failure(&to.path, &e))
}

/// Remove the entry at the spot, and all below it if `is_recursive`. Returns how many entries went.
pub(super) fn remove(spot: &Spot, is_recursive: bool, entries_max: usize) -> Result<usize, Error> {
    let stat = look_at(spot)?;
    let fail = |e: io::Error| failure(&spot.path, &e);
    if file_type(&stat) != FileType::Directory {
        spot.folder.remove_file(&spot.name).map_err(fail)?;
        return Ok(1);
    }
    let mut removed = 1;
    if is_recursive {
        let folder = open_folder(&spot.folder, &spot.name).map_err(fail)?;
        let mut walk = Walk { spot, device: stat.st_dev, left: entries_max, entries_max };
        walk.count(&folder, 0)?;
        walk.left = entries_max;
        walk.empty(&folder, 0)?;
        removed += entries_max - walk.left;
    }
    spot.folder.remove_dir(&spot.name).map_err(fail)?;
    Ok(removed)
}

/// One walk through a tree, with what it may still touch.
struct Walk<'a> {
    spot: &'a Spot,
    /// The file system that it stays in.
    device: u64,
    left: usize,
    entries_max: usize,
}

impl Walk<'_> {
    fn count(&mut self, folder: &OwnedFd, depth: usize) -> Result<(), Error> {
        self.each(folder, depth, |walk, name, kind| match kind {
            FileType::Directory => walk.count(&walk.enter(folder, name)?, depth + 1),
            _ => Ok(()),
        })
    }

    fn empty(&mut self, folder: &OwnedFd, depth: usize) -> Result<(), Error> {
        self.each(folder, depth, |walk, name, kind| {
            let flags = if kind == FileType::Directory {
                walk.empty(&walk.enter(folder, name)?, depth + 1)?;
                AtFlags::REMOVEDIR
            } else {
                AtFlags::empty()
            };
            match rustix::fs::unlinkat(folder, name, flags) {
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(error) => Err(walk.fail(error.into())),
            }
        })
    }

    fn each(
        &mut self,
        folder: &OwnedFd,
        depth: usize,
        mut visit: impl FnMut(&mut Self, &std::ffi::CStr, FileType) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if depth > DEPTH_MAX {
            return Err(self.limit(&format!("folders more than {DEPTH_MAX} deep")));
        }
        for entry in open_listing(folder, "").map_err(|e| self.fail(e))? {
            let entry = entry.map_err(|e| self.fail(e.into()))?;
            if is_dots(entry.file_name()) {
                continue;
            }
            self.left = self
                .left
                .checked_sub(1)
                .ok_or_else(|| self.limit(&format!("more than {} entries", self.entries_max)))?;
            let kind = match entry.file_type() {
                FileType::Unknown => self.kind_of(folder, entry.file_name())?,
                kind => kind,
            };
            visit(self, entry.file_name(), kind)?;
        }
        Ok(())
    }

    /// Open a folder below, on the same file system.
    fn enter(&self, folder: impl AsFd, name: &std::ffi::CStr) -> Result<OwnedFd, Error> {
        let flags = rustix::fs::OFlags::PATH
            | rustix::fs::OFlags::DIRECTORY
            | rustix::fs::OFlags::NOFOLLOW
            | rustix::fs::OFlags::CLOEXEC;
        let below = rustix::fs::openat(folder, name, flags, Mode::empty()).map_err(|e| self.fail(e.into()))?;
        let stat = rustix::fs::fstat(&below).map_err(|e| self.fail(e.into()))?;
        if stat.st_dev != self.device {
            return Err(Error::Other(format!(
                "another file system is mounted at `{}` below `{}`",
                name.to_string_lossy(),
                self.spot.path
            )));
        }
        Ok(below)
    }

    fn kind_of(&self, folder: impl AsFd, name: &std::ffi::CStr) -> Result<FileType, Error> {
        let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| self.fail(e.into()))?;
        Ok(file_type(&stat))
    }

    fn fail(&self, error: io::Error) -> Error {
        failure(&self.spot.path, &error)
    }

    fn limit(&self, what: &str) -> Error {
        Error::Limit(format!("{what}, remove it part by part: `{}`", self.spot.path))
    }
}

/// The kind of what stands at the spot, if anything does.
pub(super) fn kind(spot: &Spot) -> Result<Option<FileType>, Error> {
    let stat = look(&spot.folder, &spot.name).map_err(|e| failure(&spot.path, &e))?;
    Ok(stat.as_ref().map(file_type))
}

/// The folder that holds what stands at `place`, even if folders above it are missing.
pub(super) fn open_or_missing(place: &Place) -> Result<Option<Spot>, Error> {
    match place.open() {
        Ok(spot) => Ok(Some(spot)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::files::resolve::spot_at;

    #[test]
    fn removes_up_to_the_limit_and_beyond_it_nothing() {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(top.path().join("d/e")).unwrap();
        std::fs::write(top.path().join("d/e/f"), "").unwrap();
        let spot = spot_at(top.path(), "d");
        assert!(matches!(remove(&spot, true, 1), Err(Error::Limit(_))));
        assert!(top.path().join("d/e/f").exists());
        assert_eq!(remove(&spot, true, 2).unwrap(), 3);
        assert!(!top.path().join("d").exists());
    }

    #[test]
    fn goes_down_to_the_limit_and_beyond_it_removes_nothing() {
        let top = tempfile::tempdir().unwrap();
        let path = |depth: usize| top.path().join(vec!["d"; depth].join("/"));
        std::fs::create_dir_all(path(DEPTH_MAX + 3)).unwrap();
        let spot = spot_at(top.path(), "d");
        assert!(matches!(remove(&spot, true, 1_000), Err(Error::Limit(_))));
        assert!(path(DEPTH_MAX + 3).exists());
        std::fs::remove_dir(path(DEPTH_MAX + 3)).unwrap();
        std::fs::remove_dir(path(DEPTH_MAX + 2)).unwrap();
        remove(&spot, true, 1_000).unwrap();
    }
}
