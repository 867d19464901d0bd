//! The system calls that have no safe wrapper. Each is one call, and the comment says why it holds.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Which side of a fork this is.
pub(super) enum Fork {
    Child,
    /// The child's pid.
    Parent(i32),
}

/// Fork. The helper has one thread from its start to here, so no lock can be held by a thread that
/// the child does not have, and the child may go on as an ordinary process.
pub(super) fn fork() -> io::Result<Fork> {
    // SAFETY: single-threaded, see above.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid)),
    }
}

/// End this process at once. Nothing is flushed and no exit handler runs: in a forked child those
/// are the parent's.
pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Close every descriptor from 3 on but one. Called where nothing that is open is used any more: first of
/// all in the helper, and in the first process of a namespace, which from there on only waits and never
/// returns to what owned them.
pub(super) fn close_all_but(kept: RawFd) {
    let kept = u32::try_from(kept).unwrap_or(3);
    // SAFETY: no owner of any of them is used or dropped afterwards, see above.
    unsafe {
        if kept > 3 {
            libc::syscall(libc::SYS_close_range, 3u32, kept - 1, 0u32);
        }
        libc::syscall(libc::SYS_close_range, kept + 1, u32::MAX, 0u32);
    }
}

/// Have every descriptor from 3 on closed when the program is executed.
pub(super) fn close_all_on_exec() {
    // SAFETY: sets a flag on descriptors and closes none.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
    }
}

/// Move this process into new namespaces. No `CLONE_FILES`, `CLONE_FS` or `CLONE_VM` is ever among the flags.
pub(super) fn unshare(flags: i32) -> io::Result<()> {
    // SAFETY: namespaces do not touch memory or descriptors.
    result(i64::from(unsafe { libc::unshare(flags) }))
}

/// Set attributes of `mount` and all below it (`AT_RECURSIVE`), or of it alone.
pub(super) fn mount_attributes(mount: BorrowedFd<'_>, is_recursive: bool, set: u64, clear: u64) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set: set, attr_clr: clear, propagation: 0, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if is_recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a C string and the struct is alive and of the size that is given.
    result(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    })
}

/// Ignore a signal, in the program that is executed as well.
pub(super) fn ignore(signal: i32) -> io::Result<()> {
    // SAFETY: installs no handler.
    if unsafe { libc::signal(signal, libc::SIG_IGN) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The version of Landlock that the kernel has; 0 for none.
pub(super) fn landlock_abi() -> u32 {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the kernel reads no memory.
    let abi = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0usize, VERSION) };
    u32::try_from(abi).unwrap_or(0)
}

fn result(code: i64) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
