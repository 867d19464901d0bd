//! The helper: a process of its own, with one thread, that sets up what a program is held by and
//! then becomes it, or watches over it.
//!
//! Runs before anything else in `main`. Whatever goes wrong before the program is executed is a
//! report to the host, and the program is not executed: the confinement fails closed. What the system
//! does not offer at all is left out, and `doctor` says so.

mod cgroup;
mod first;
mod granted;
mod namespaces;
mod paths;
mod probe;
mod program;
mod service;
mod syscalls;
mod system;
mod watch;

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use super::StartError;
use super::control::{self, Job, Report, SUBCOMMAND};

/// Be the helper, if this process was started as one; then this does not return. Must be the first
/// thing in `main`: a second thread would make what follows unsound.
pub fn run_if_asked() {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == SUBCOMMAND) {
        system::exit_now(be_helper());
    }
}

/// Exit codes are seen by nobody but a person who calls this by hand.
fn be_helper() -> i32 {
    let Ok(control) = rustix::io::fcntl_dupfd_cloexec(std::io::stdin(), 3) else { return 2 };
    system::close_all_but(control.as_raw_fd());
    let control = UnixStream::from(control);
    let Ok((job, input)) = control::take_job(&control) else {
        eprintln!("{SUBCOMMAND} is called by pi-host itself");
        return 2;
    };
    match job {
        Job::Run(spec) => watch::run(&control, spec, input),
        Job::Service(spec) => fail(&control, &service::run(&control, &spec)),
        Job::Probe => {
            control::report(&control, &Report::Abilities(probe::abilities()));
            0
        }
    }
}

fn fail(control: &UnixStream, error: &StartError) -> i32 {
    control::report(control, &Report::Failed(error.clone()));
    1
}

/// Let go of what is the program's: as long as the helper has a pipe open too, it never ends.
fn let_go_of_streams() {
    if let Ok(nothing) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null") {
        let nothing = OwnedFd::from(nothing);
        let _ = rustix::stdio::dup2_stdin(&nothing);
        let _ = rustix::stdio::dup2_stdout(&nothing);
        let _ = rustix::stdio::dup2_stderr(&nothing);
    }
}

/// `error` in words, with what was being done.
fn confinement(what: &str, error: &dyn std::fmt::Display) -> StartError {
    StartError::Confinement(format!("{what}: {error}"))
}
