//! Namespaces: a PID namespace whose end is the end of all that is in it, and a mount namespace in
//! which everything but the granted folders is read-only.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, StatVfsMountFlags, fstatvfs};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_change, move_mount, open_tree,
};

use super::granted::Opened;
use super::probe::in_child;
use super::system;
use crate::confine::StartError;

/// What the next child of this process will be in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Namespaces {
    pub pid: bool,
    pub user: bool,
}

/// Make a PID namespace for the next child: as root, else within a user namespace.
pub(super) fn enter() -> Namespaces {
    if system::unshare(libc::CLONE_NEWPID).is_ok() {
        return Namespaces { pid: true, user: false };
    }
    // Tried in a child first: there is no way back from a user namespace in which nobody is anybody.
    let is_user = in_child(|| enter_user().is_ok(), |_| {}) && enter_user().is_ok();
    Namespaces { pid: is_user && system::unshare(libc::CLONE_NEWPID).is_ok(), user: is_user }
}

/// A user namespace in which this user is itself and nobody else exists.
fn enter_user() -> io::Result<()> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    system::unshare(libc::CLONE_NEWUSER)?;
    // Without this, dropping a group could open what the group is kept out of.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

/// Make everything read-only for this process but `write`, and `hidden` folders empty. Landlock does
/// not know `chmod`, `chown`, times and extended attributes: a read-only mount refuses them. And it knows
/// no exceptions within a folder: a mount does. False where the system does not offer that.
///
/// # Errors
/// A path leads elsewhere than when it was opened: nothing may be started then.
pub(super) fn make_read_only(write: &[Opened], kept: &[Opened], hidden: &[Opened]) -> Result<bool, StartError> {
    match mount_all(write, kept, hidden) {
        Ok(()) => Ok(true),
        Err(Failure::NotOffered) => Ok(false),
        Err(Failure::Elsewhere(error)) => Err(error),
    }
}

/// Why the mounts are not all made.
enum Failure {
    NotOffered,
    Elsewhere(StartError),
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Self::NotOffered
    }
}

impl From<Errno> for Failure {
    fn from(_: Errno) -> Self {
        Self::NotOffered
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Elsewhere(error)
    }
}

/// Every path is walked once here and compared, and mounted by its descriptor: who swaps folders for links
/// meanwhile finds no second look-up to catch.
fn mount_all(write: &[Opened], kept: &[Opened], hidden: &[Opened]) -> Result<(), Failure> {
    system::unshare(libc::CLONE_NEWNS)?;
    // Else what is mounted here would appear outside.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let mut write: Vec<&Opened> = write.iter().collect();
    // An outer folder first: its mount would hide that of an inner one.
    write.sort_by_key(|opened| opened.path.as_os_str().len());
    let mut writable = Vec::new();
    for opened in write {
        let place = opened.again()?;
        if !is_writable(&place) {
            continue;
        }
        // The root is a mount of its own, and what is mounted over it would not be seen.
        writable.push(if opened.path == Path::new("/") { place } else { bind(&place)? });
    }
    // A mount of its own stays read-only in a folder that is made writable below.
    for opened in kept {
        bind(&opened.again()?)?;
    }
    let hidden = hidden.iter().map(Opened::again).collect::<Result<Vec<_>, _>>()?;
    for place in &hidden {
        let path = format!("/proc/self/fd/{}", place.as_raw_fd());
        mount("pi-hidden", path, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(c"size=4k,mode=755"))?;
    }
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    system::mount_attributes(root.as_fd(), true, libc::MOUNT_ATTR_RDONLY, 0)?;
    for place in &writable {
        // Its own mount alone: what was mounted read-only below it stays so.
        system::mount_attributes(place.as_fd(), false, 0, libc::MOUNT_ATTR_RDONLY)?;
    }
    Ok(())
}

/// Mount `place`, with all that is mounted below it, onto itself. Returns the new mount.
fn bind(place: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(place, c"", flags)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(&tree, c"", place, c"", flags)?;
    Ok(tree)
}

/// Not on a file system that the system itself has mounted read-only.
fn is_writable(place: &OwnedFd) -> bool {
    fstatvfs(place).is_ok_and(|stat| !stat.f_flag.contains(StatVfsMountFlags::RDONLY))
}
