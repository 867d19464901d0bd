//! From the system's errors to those of the interface. Each names the path it is about.

use std::fmt::Display;
use std::io;

use rustix::io::Errno;

use super::super::bindings::pi::files::files::Error;
use super::path::{Folded, PathError};

/// What the guest reads when the system refused.
pub(super) fn failure(path: &Folded, error: &io::Error) -> Error {
    let say = |what: &str| format!("{what}: `{path}`");
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT) => Error::NotFound(say("no such file or folder")),
        Some(Errno::EXIST) => Error::AlreadyExists(say("it exists already")),
        Some(Errno::ISDIR) => Error::IsDirectory(say("it is a folder")),
        Some(Errno::NOTDIR) => Error::NotDirectory(say("no folder, or a part of the path is none")),
        Some(Errno::NOTEMPTY) => Error::NotEmpty(say("the folder is not empty")),
        Some(Errno::NOSPC) => Error::NoSpace(say("no space left on the disk")),
        Some(Errno::DQUOT) => Error::NoSpace(say("the disk quota is used up")),
        Some(Errno::FBIG) => Error::NoSpace(say("the file would be larger than the system allows")),
        Some(Errno::LOOP) => Error::Other(say("a symlink came into the way while the path was looked up; try again")),
        Some(Errno::XDEV) => Error::Other(say("it is on another file system; copy it and remove it here")),
        Some(Errno::ACCESS | Errno::PERM) => Error::Other(say("the system denies it to the host's user")),
        Some(Errno::ROFS) => Error::Other(say("the file system is mounted read-only")),
        Some(Errno::NAMETOOLONG) => Error::Other(say("a name in the path is too long")),
        _ => Error::Other(format!("{error}: `{path}`")),
    }
}

/// A path that cannot be used at all.
pub(super) fn invalid(error: &PathError) -> Error {
    Error::Other(error.to_string())
}

/// The error's own text, for the journal.
pub(super) fn text(error: &Error) -> &dyn Display {
    match error {
        Error::Refused(refusal) => &refusal.reason,
        Error::OutsideGrant(text)
        | Error::ReadOnly(text)
        | Error::NotFound(text)
        | Error::AlreadyExists(text)
        | Error::IsDirectory(text)
        | Error::NotDirectory(text)
        | Error::NotEmpty(text)
        | Error::TooLarge(text)
        | Error::NoSpace(text)
        | Error::Limit(text)
        | Error::Other(text) => text,
    }
}
