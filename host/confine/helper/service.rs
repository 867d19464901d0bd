//! The helper on its way to become a service: on record first, then executed.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Resource, setsid};

use super::program::{set, start_error};
use super::system;
use crate::confine::control::{self, Report};
use crate::confine::identity::{Identity, MARK, mark};
use crate::confine::service::{Record, ServiceSpec, boot_id, lock_file, pid_file, recorded};
use crate::confine::{StartError, environment, procfs};

/// Become the service. Returns only if that fails.
pub(super) fn run(control: &UnixStream, spec: &ServiceSpec) -> StartError {
    match prepare(spec) {
        Ok((identity, lock)) => become_it(control, spec, identity, &lock),
        Err(error) => error,
    }
}

/// Everything that can fail without a trace, then the record, under the lock.
fn prepare(spec: &ServiceSpec) -> Result<(Identity, File), StartError> {
    let failed = |what: String, error: &dyn std::fmt::Display| StartError::Invalid(format!("{what}: {error}"));
    let path = lock_file(&spec.state_dir, &spec.name);
    let lock = open_append(&path, 0o600).map_err(|error| failed(format!("`{}`", path.display()), &error))?;
    // Held until the program is executed, or this process ends.
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| failed(format!("`{}`", path.display()), &error))?;
    if let Some(running) = recorded(&spec.state_dir, &spec.name) {
        return Err(StartError::AlreadyRunning(running));
    }
    let _ = setsid();
    std::env::set_current_dir(&spec.directory)
        .map_err(|error| failed(format!("the folder `{}` cannot be entered", spec.directory.display()), &error))?;
    if let Some(cgroup) = &spec.cgroup_procs {
        // `0` is the process that writes. Not created: a cgroup that is gone is an error.
        let joined = OpenOptions::new().write(true).open(cgroup).and_then(|mut file| file.write_all(b"0"));
        joined.map_err(|error| failed(format!("`{}` cannot be joined", cgroup.display()), &error))?;
    }
    if let Some(most) = spec.file_bytes_max {
        // The write fails with EFBIG, which a program can handle; the signal would end it.
        system::ignore(libc::SIGXFSZ).map_err(|error| failed("SIGXFSZ".into(), &error))?;
        set(Resource::Fsize, most).map_err(|error| failed("the file size limit".into(), &error))?;
    }
    let pid = std::process::id();
    let stat = procfs::stat(pid).ok_or_else(|| StartError::Helper("`/proc` is not there".into()))?;
    let identity = Identity { pid, start_time: stat.start_time };
    record(spec, identity)
        .map_err(|error| failed(format!("`{}`", pid_file(&spec.state_dir, &spec.name).display()), &error))?;
    Ok((identity, lock))
}

/// Replaced as a whole: a reader sees the old record or the new one.
fn record(spec: &ServiceSpec, identity: Identity) -> std::io::Result<()> {
    let path = pid_file(&spec.state_dir, &spec.name);
    let new = path.with_extension("pid.new");
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec(&Record { identity, boot_id: boot_id() })?)?;
    file.sync_all()?;
    fs::rename(new, path)
}

fn become_it(control: &UnixStream, spec: &ServiceSpec, identity: Identity, _lock: &File) -> StartError {
    let error = execute(control, spec, identity);
    // This process is the one on record, and will not be a service.
    let _ = fs::remove_file(pid_file(&spec.state_dir, &spec.name));
    error
}

fn execute(control: &UnixStream, spec: &ServiceSpec, identity: Identity) -> StartError {
    let streams = [&spec.stdout, &spec.stderr].map(|path| {
        open_append(path, 0o640).map_err(|error| StartError::Invalid(format!("`{}`: {error}", path.display())))
    });
    let [Ok(stdout), Ok(stderr)] = streams else {
        return streams.into_iter().find_map(Result::err).unwrap_or_else(|| StartError::Helper("no streams".into()));
    };
    let Some((name, arguments)) = spec.command.split_first() else {
        return StartError::Invalid("no command".into());
    };
    let Some(program) = find(name, spec) else {
        return StartError::NotFound(format!("`{name}`"));
    };
    let mark = mark(&identity);
    let additions: Vec<(String, String)> = spec
        .environment
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .chain(mark.split_once('=').map(|(_, value)| (MARK.to_owned(), value.to_owned())))
        .collect();
    system::close_all_on_exec();
    // Said before it is true: afterwards this process is another program. If the execution fails, the
    // host reads that next.
    control::report(control, &Report::Started(identity));
    let error = Command::new(&program)
        .arg0(name)
        .args(arguments)
        .env_clear()
        .envs(environment::whole(&additions))
        .stdin(std::process::Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .exec();
    start_error(&program.display().to_string(), &error)
}

fn open_append(path: &Path, mode: u32) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(mode).open(path)
}

/// The file that `name` means to the service.
fn find(name: &str, spec: &ServiceSpec) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(spec.directory.join(name));
    }
    let path = spec.environment.get("PATH").map_or(environment::PATH, String::as_str);
    crate::confine::environment::find(name, OsStr::new(path))
}
