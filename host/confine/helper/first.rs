//! The first process of a PID namespace: it waits for orphans, and its end is the end of all others.
//!
//! It is not the program itself: the kernel shields a first process from most signals, and many
//! programs do not wait for children that are not theirs.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, set_parent_process_death_signal, wait};

use super::granted::Granted;
use super::namespaces::{self, Namespaces};
use super::system::{self, Fork};
use super::watch::{Pipes, ending};
use super::{let_go_of_streams, program};
use crate::confine::Spec;

pub(super) fn be(spec: &Spec, granted: &Granted, input: &OwnedFd, pipes: Pipes, namespaces: Namespaces) -> ! {
    let has_memory_cgroup = wait_for_go(pipes.go);
    let is_read_only = match namespaces::make_read_only(&granted.write, &granted.kept, &granted.hidden) {
        Ok(is_read_only) => is_read_only,
        Err(error) => program::fail(&pipes.status, &error),
    };
    let program = match system::fork() {
        Ok(Fork::Child) => {
            drop(pipes.ending);
            program::be(spec, granted, input, &pipes.status, namespaces, is_read_only, has_memory_cgroup)
        }
        Ok(Fork::Parent(pid)) => pid,
        Err(error) => program::fail(&pipes.status, &super::confinement("no fork", &error)),
    };
    drop(pipes.status);
    system::close_all_but(pipes.ending.as_raw_fd());
    let_go_of_streams();
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == program => {
                let _ = rustix::io::write(&pipes.ending, &ending(status).to_ne_bytes());
                system::exit_now(0);
            }
            Err(Errno::CHILD) => system::exit_now(1),
            _ => {}
        }
    }
}

/// Until the helper has put this process where it belongs. Returns whether a memory cgroup counts it there.
///
/// A helper that is killed takes this process with it, and the first of a namespace all the others: by the
/// signal, or, if it was killed before that was asked for, by the end of the pipe.
pub(super) fn wait_for_go(go: OwnedFd) -> bool {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let mut byte = [0];
    loop {
        match rustix::io::read(&go, &mut byte) {
            Ok(1..) => return byte != [0],
            Err(Errno::INTR) => {}
            _ => system::exit_now(1),
        }
    }
}

/// Let the process that waits for it go on.
pub(super) fn say_go(go: &OwnedFd, has_memory_cgroup: bool) {
    // One that has died is noticed elsewhere.
    let _ = rustix::io::write(go, &[u8::from(has_memory_cgroup)]);
}
