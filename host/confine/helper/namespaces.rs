//! Namespaces: a PID namespace whose end is the end of all that is in it, and a mount namespace in
//! which everything but the granted folders is read-only.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind_recursive, mount_change};

use super::probe::in_child;
use super::system;

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

/// Make everything read-only for this process but `writable`, and `hidden` folders empty. Landlock does
/// not know `chmod`, `chown`, times and extended attributes: a read-only mount refuses them. And it knows
/// no exceptions within a folder: a mount does.
pub(super) fn make_read_only(writable: &[PathBuf], kept: &[PathBuf], hidden: &[PathBuf]) -> io::Result<()> {
    system::unshare(libc::CLONE_NEWNS)?;
    // Else what is mounted here would appear outside.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let mut writable: Vec<&Path> = writable.iter().map(PathBuf::as_path).filter(|path| is_writable(path)).collect();
    // An outer folder first: its mount would hide that of an inner one.
    writable.sort_by_key(|path| path.as_os_str().len());
    for path in &writable {
        mount_bind_recursive(*path, *path)?;
    }
    // A mount of its own stays read-only in a folder that is made writable below.
    for path in kept.iter().filter(|path| path.exists()) {
        mount_bind_recursive(path.as_path(), path.as_path())?;
    }
    for path in hidden.iter().filter(|path| path.exists()) {
        mount("pi-hidden", path.as_path(), "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(c"size=4k,mode=755"))?;
    }
    system::mount_attributes(Path::new("/"), true, libc::MOUNT_ATTR_RDONLY, 0)?;
    for path in &writable {
        // Its own mount alone: what was mounted read-only below it stays so.
        system::mount_attributes(path, false, 0, libc::MOUNT_ATTR_RDONLY)?;
    }
    Ok(())
}

/// There, and not on a file system that the system itself has mounted read-only.
fn is_writable(path: &Path) -> bool {
    statvfs(path).is_ok_and(|stat| !stat.f_flag.contains(StatVfsMountFlags::RDONLY))
}
