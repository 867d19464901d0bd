//! Putting bytes into files so that no reader sees a half-written one.
//!
//! `create` and `replace` write a new file beside the old one and rename it into place. That also
//! keeps a write from reaching other names of the same file: what stood there keeps its bytes, and
//! only this name changes. The new file has the old one's permission bits and, where the host's
//! user may give it, its owner; extended attributes are not carried over.
//!
//! Before a file is replaced its successor is synchronised, so that a power cut leaves the old one
//! or the new one and never an empty one. What is new or appended is not: there is nothing to lose,
//! and a synchronisation can take milliseconds.

use std::fs::File;
use std::io::{self, Read, Write};

use cap_std::fs::{OpenOptions, OpenOptionsExt};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, RenameFlags, Stat, Uid};
use rustix::io::Errno;
use rustix::rand::GetRandomFlags;

use super::super::bindings::pi::files::files::{Error, WriteMode};
use super::acts::{demand_regular, open_regular};
use super::failure::failure;
use super::folder::look;
use super::resolve::Spot;

/// Most bytes of a file with several names that an append copies: more would let a small call
/// write any amount.
pub(super) const COPY_BYTES_MAX: u64 = 16 << 20;

/// Names tried for the new file before giving up.
const NAMES_MAX: usize = 8;

/// Write the whole file, or add to its end.
pub(super) fn write(spot: &Spot, bytes: &[u8], mode: WriteMode) -> Result<(), Error> {
    if spot.name == "." {
        return Err(Error::IsDirectory(format!("it is a folder: `{}`", spot.path)));
    }
    let old = look(&spot.folder, &spot.name).map_err(|e| failure(&spot.path, &e))?;
    if let Some(old) = &old {
        if mode == WriteMode::Create {
            return Err(Error::AlreadyExists(format!("it exists already: `{}`", spot.path)));
        }
        demand_regular(&spot.path, old)?;
    }
    match (mode, old) {
        (WriteMode::Append, Some(old)) if old.st_nlink == 1 => append(spot, bytes),
        (WriteMode::Append, Some(old)) => append_to_copy(spot, bytes, &old),
        (WriteMode::Create | WriteMode::Append, None) => create(spot, bytes),
        (_, old) => replace(spot, bytes, old.as_ref()),
    }
    .map_err(|error| error.into_error(spot))
}

/// A failure of the system's, or one that already has its words.
enum Trouble {
    System(io::Error),
    Said(Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<Errno> for Trouble {
    fn from(error: Errno) -> Self {
        Self::System(error.into())
    }
}

impl Trouble {
    fn into_error(self, spot: &Spot) -> Error {
        match self {
            Self::System(error) => failure(&spot.path, &error),
            Self::Said(error) => error,
        }
    }
}

fn append(spot: &Spot, bytes: &[u8]) -> Result<(), Trouble> {
    let mut file = open_regular(spot, OFlags::WRONLY | OFlags::APPEND).map_err(Trouble::Said)?;
    // A name that was added since it was looked at would be written through.
    if rustix::fs::fstat(&file)?.st_nlink > 1 {
        return Err(Errno::AGAIN.into());
    }
    Ok(file.write_all(bytes)?)
}

fn append_to_copy(spot: &Spot, bytes: &[u8], old: &Stat) -> Result<(), Trouble> {
    let mut contents = Vec::new();
    let file = open_regular(spot, OFlags::RDONLY).map_err(Trouble::Said)?;
    file.take(COPY_BYTES_MAX + 1).read_to_end(&mut contents)?;
    if contents.len() as u64 > COPY_BYTES_MAX {
        return Err(Trouble::Said(Error::TooLarge(format!(
            "the file has {} names, so that appending has to copy it, and that is done up to {COPY_BYTES_MAX} bytes: `{}`",
            old.st_nlink, spot.path
        ))));
    }
    contents.extend_from_slice(bytes);
    replace(spot, &contents, Some(old))
}

fn create(spot: &Spot, bytes: &[u8]) -> Result<(), Trouble> {
    let mut beside = Beside::new(spot, 0o666)?;
    beside.file.write_all(bytes)?;
    match beside.rename(RenameFlags::NOREPLACE) {
        // A file system without that kind of rename: a link has the same effect, in two steps.
        Err(Errno::INVAL | Errno::NOSYS) => {
            Ok(rustix::fs::linkat(&spot.folder, &beside.name, &spot.folder, &spot.name, AtFlags::empty())?)
        }
        other => Ok(other?),
    }
}

fn replace(spot: &Spot, bytes: &[u8], old: Option<&Stat>) -> Result<(), Trouble> {
    let mut beside = Beside::new(spot, if old.is_some() { 0o600 } else { 0o666 })?;
    beside.file.write_all(bytes)?;
    if let Some(old) = old {
        beside.inherit(old)?;
        beside.file.sync_data()?;
    }
    Ok(beside.rename(RenameFlags::empty())?)
}

/// A new file beside the one that is meant; removed unless it was renamed into place.
struct Beside<'a> {
    spot: &'a Spot,
    name: String,
    file: File,
    is_placed: bool,
}

impl<'a> Beside<'a> {
    fn new(spot: &'a Spot, mode: u32) -> Result<Self, Trouble> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        for _ in 0..NAMES_MAX {
            let name = random_name()?;
            match spot.folder.open_with(&name, &options) {
                Ok(file) => return Ok(Self { spot, name, file: file.into_std(), is_placed: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    }

    /// Take over permission bits and owner. The set-user-id, set-group-id and sticky bits are
    /// dropped, as the kernel drops them when a file is written to.
    fn inherit(&self, old: &Stat) -> Result<(), Trouble> {
        let new = rustix::fs::fstat(&self.file)?;
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid) {
            let (owner, group) = (Uid::from_raw(old.st_uid), Gid::from_raw(old.st_gid));
            // Only root may give a file away; another user keeps what it wrote.
            match rustix::fs::fchown(&self.file, Some(owner), Some(group)) {
                Ok(()) | Err(Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(rustix::fs::fchmod(&self.file, Mode::from_raw_mode(old.st_mode & 0o777))?)
    }

    fn rename(&mut self, flags: RenameFlags) -> Result<(), Errno> {
        let folder = &self.spot.folder;
        match rustix::fs::renameat_with(folder, &self.name, folder, &self.spot.name, flags) {
            Err(Errno::NOSYS) if flags.is_empty() => {
                rustix::fs::renameat(folder, &self.name, folder, &self.spot.name)?;
            }
            other => other?,
        }
        self.is_placed = true;
        Ok(())
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        if !self.is_placed {
            // Nothing more can be done about a file that does not go away.
            let _ = self.spot.folder.remove_file(&self.name);
        }
    }
}

/// A name that no one can have guessed: whoever could, could put a symlink there first.
fn random_name() -> Result<String, Errno> {
    let mut bytes = [0; 8];
    rustix::rand::getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(format!(".pi-host-{:016x}.new", u64::from_ne_bytes(bytes)))
}
