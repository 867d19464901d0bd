//! The first process of a PID namespace: it waits for orphans, and its end is the end of all others.
//!
//! It is not the program itself: the kernel shields a first process from most signals, and many
//! programs do not wait for children that are not theirs.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::process::{Signal, WaitOptions, set_parent_process_death_signal, wait};

use super::namespaces::{self, Namespaces};
use super::system::{self, Fork};
use super::watch::{Pipes, ending};
use super::{let_go_of_streams, program};
use crate::confine::Spec;

pub(super) fn be(spec: &Spec, input: &OwnedFd, pipes: Pipes, namespaces: Namespaces, has_memory_cgroup: bool) -> ! {
    // A helper that is killed takes this one with it, and this one all the others.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    wait_for_go(pipes.go);
    let is_read_only = namespaces::make_read_only(&spec.write, &spec.kept, &spec.hidden).is_ok();
    let program = match system::fork() {
        Ok(Fork::Child) => {
            drop(pipes.ending);
            program::be(spec, input, &pipes.status, namespaces, is_read_only, has_memory_cgroup)
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
            Err(rustix::io::Errno::CHILD) => system::exit_now(1),
            _ => {}
        }
    }
}

/// Until the helper has put this process where it belongs.
pub(super) fn wait_for_go(go: OwnedFd) {
    let mut byte = [0];
    while matches!(rustix::io::read(&go, &mut byte), Err(rustix::io::Errno::INTR)) {}
}
