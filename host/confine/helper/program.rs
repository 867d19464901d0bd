//! The last steps before the program: everything that holds it is set up here, in this order,
//! because each step takes away what the one before it needed.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit, setsid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};

use super::granted::Granted;
use super::namespaces::Namespaces;
use super::syscalls::Allowed;
use super::{confinement, paths, syscalls, system};
use crate::confine::spec::Limits;
use crate::confine::{Spec, StartError, environment, procfs};

/// Become the program, or say why not.
pub(super) fn be(
    spec: &Spec,
    granted: &Granted,
    input: &OwnedFd,
    status: &OwnedFd,
    namespaces: Namespaces,
    is_read_only: bool,
    has_memory_cgroup: bool,
) -> ! {
    let allowed = Allowed { network: spec.network, attributes: is_read_only, memory_files: has_memory_cgroup };
    let error = match confine(spec, granted, input, namespaces, allowed) {
        Ok(()) => execute(spec),
        Err(error) => error,
    };
    fail(status, &error)
}

/// Tell the helper why, and end.
pub(super) fn fail(status: &OwnedFd, error: &StartError) -> ! {
    if let Ok(text) = serde_json::to_vec(error) {
        let _ = rustix::io::write(status, &text);
    }
    system::exit_now(127)
}

fn confine(
    spec: &Spec,
    granted: &Granted,
    input: &OwnedFd,
    namespaces: Namespaces,
    allowed: Allowed,
) -> Result<(), StartError> {
    let failed = |what: &'static str| move |error: rustix::io::Errno| confinement(what, &error);
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("no death signal"))?;
    setsid().map_err(failed("no session"))?;
    rustix::stdio::dup2_stdin(input).map_err(failed("no input"))?;
    granted.directory.enter()?;
    // Before the limits: they may leave fewer descriptors than the granted folders take.
    let rules =
        paths::rules(spec, granted, allowed.attributes).map_err(|error| confinement("no Landlock rules", &error))?;
    limit(&spec.limits, namespaces)?;
    let filters = syscalls::filters(allowed).map_err(|error| confinement("no seccomp filter", &error))?;
    set_no_new_privs(true).map_err(failed("new privileges cannot be given up"))?;
    drop_capabilities().map_err(failed("capabilities cannot be dropped"))?;
    paths::enforce(rules).map_err(|error| confinement("Landlock", &error))?;
    syscalls::enforce(&filters).map_err(|error| confinement("seccomp", &error))?;
    system::close_all_on_exec();
    Ok(())
}

/// Returns only if it fails.
fn execute(spec: &Spec) -> StartError {
    let mut argv = spec.argv.iter();
    let error = Command::new(&spec.program)
        .arg0(argv.next().map_or("", String::as_str))
        .args(argv)
        .env_clear()
        .envs(environment::whole(&spec.environment))
        .exec();
    start_error(&spec.program.display().to_string(), &error)
}

/// What the system says of an execution that failed, as the caller knows it.
pub(super) fn start_error(program: &str, error: &io::Error) -> StartError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            // The interpreter of a script may be what is missing.
            StartError::NotFound(format!("`{program}`, or the interpreter or loader that it names"))
        }
        io::ErrorKind::PermissionDenied => StartError::Permission(format!("`{program}`: {error}")),
        io::ErrorKind::ArgumentListTooLong => {
            StartError::Invalid(format!("arguments and environment are too long: {error}"))
        }
        _ => StartError::Invalid(format!("`{program}` could not be executed: {error}")),
    }
}

fn limit(limits: &Limits, namespaces: Namespaces) -> Result<(), StartError> {
    // Processor time of one process: the deadline counts for all; this is for a helper that is stopped.
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let seconds = (limits.timeout_ms / 1000).saturating_add(2).saturating_mul(cores);
    // The kernel counts this user's processes, in a user namespace only those within; there the helper and
    // the first process are two of them.
    let others = if namespaces.user { 2 } else { threads_of_this_user() };
    // Of memory, what a process can write: address space alone is reserved by the gigabyte by
    // runtimes that never use it.
    for (resource, most) in [
        (Resource::Data, limits.memory_bytes),
        (Resource::Fsize, limits.file_bytes),
        (Resource::Nofile, limits.open_files),
        (Resource::Nproc, u64::from(limits.processes) + others),
        (Resource::Cpu, seconds),
        (Resource::Core, 0),
        (Resource::Msgqueue, 0),
    ] {
        set(resource, most).map_err(|error| confinement("a resource limit cannot be set", &error))?;
    }
    Ok(())
}

/// Limit `resource`, soft and hard, and never beyond what this process has.
pub(super) fn set(resource: Resource, most: u64) -> io::Result<()> {
    let most = getrlimit(resource).maximum.map_or(most, |own| own.min(most));
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}

fn threads_of_this_user() -> u64 {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::geteuid();
    if user.is_root() {
        // Never held to this limit: not worth the counting.
        return 0;
    }
    let user = user.as_raw();
    procfs::all()
        .iter()
        .filter(|stat| std::fs::metadata(format!("/proc/{}", stat.pid)).is_ok_and(|of| of.uid() == user))
        .map(|stat| u64::from(stat.threads))
        .sum()
}

/// None is kept, and none can come back by executing a program as root.
fn drop_capabilities() -> rustix::io::Result<()> {
    for bit in 0..u64::BITS {
        // Without privileges there is nothing to drop, and what the kernel does not know are no capabilities.
        if remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)).is_err() {
            break;
        }
    }
    let _ = clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}
