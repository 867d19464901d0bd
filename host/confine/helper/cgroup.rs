//! A memory and a process cgroup for one run, where this user may make them.
//!
//! With version 1, below the cgroup that the host is in. With version 2 the kernel lets no cgroup but the real
//! root hold processes and limit its children, so the host has to be in a leaf: where its own is called
//! [`HOST_LEAF`], those of the runs are made beside it (`systemd-run -p Delegate=yes -p DelegateSubgroup=pi-host`).
//! Nothing is ever moved into such a leaf from here: other processes may be in the host's cgroup that are not
//! its own, and a service manager that starts the host there once more could not, after children are limited.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;

use crate::clock::Duration;
use crate::confine::procfs;
use crate::confine::spec::Limits;

/// The folder of a run is this with the helper's pid.
const PREFIX: &str = "pi-run-";
/// Version 2: a cgroup of this name holds the host and its services, and the one above it no process.
const HOST_LEAF: &str = "pi-host";
/// The kernel lets go of a cgroup a moment after its last process has gone.
const REMOVE_TRIES_MAX: u32 = 50;

/// Removed by [`Cgroups::remove`]; what a killed helper leaves is removed by the next one.
#[derive(Debug, Default)]
pub(super) struct Cgroups {
    folders: Vec<PathBuf>,
    pub memory: Option<u8>,
    pub processes: Option<u8>,
}

impl Cgroups {
    pub(super) fn create(limits: &Limits) -> Self {
        let mut made = Self::default();
        // The first process of the namespace counts as well.
        let processes = (u64::from(limits.processes) + 1).to_string();
        let memory = limits.memory_bytes.to_string();
        for own in own_folders() {
            let files: Vec<(&str, &str)> = match (own.version, own.controller.as_str()) {
                (1, "memory") => vec![("memory.limit_in_bytes", &memory)],
                (1, "pids") => vec![("pids.max", &processes)],
                (2, _) => vec![("memory.max", &memory), ("pids.max", &processes)],
                _ => continue,
            };
            let Ok(folder) = make(&own) else { continue };
            let is_limited = files.iter().all(|(file, value)| fs::write(folder.join(file), value).is_ok());
            if !is_limited {
                let _ = fs::remove_dir(folder);
                continue;
            }
            // Without swap the limit is what it says. Not every kernel counts swap.
            let _ = match (own.version, own.controller.as_str()) {
                (2, _) => fs::write(folder.join("memory.swap.max"), "0"),
                (_, "memory") => fs::write(folder.join("memory.memsw.limit_in_bytes"), &memory),
                _ => Ok(()),
            };
            if own.controller != "pids" {
                made.memory = Some(own.version);
            }
            if own.controller != "memory" {
                made.processes = Some(own.version);
            }
            made.folders.push(folder);
        }
        made
    }

    /// Put a process into them. What it cannot join counts as not there.
    pub(super) fn join(&mut self, pid: i32) {
        let joined = self.folders.iter().all(|folder| fs::write(folder.join("cgroup.procs"), pid.to_string()).is_ok());
        if !joined {
            self.memory = None;
            self.processes = None;
        }
    }

    pub(super) fn remove(&self) {
        for folder in &self.folders {
            for _ in 0..REMOVE_TRIES_MAX {
                match fs::remove_dir(folder) {
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => sleep(Duration::from_millis(1)),
                    _ => break,
                }
            }
        }
    }
}

struct Own {
    /// Where a run's cgroup is made.
    folder: PathBuf,
    version: u8,
    /// `memory` or `pids`; empty for version 2, which has all in one.
    controller: String,
}

fn make(own: &Own) -> io::Result<PathBuf> {
    remove_left_over(&own.folder);
    if own.version == 2 {
        let enabled = fs::read_to_string(own.folder.join("cgroup.subtree_control"))?;
        if !["memory", "pids"].iter().all(|name| enabled.split_whitespace().any(|word| word == *name)) {
            fs::write(own.folder.join("cgroup.subtree_control"), "+memory +pids")?;
        }
    }
    let folder = own.folder.join(format!("{PREFIX}{}", std::process::id()));
    fs::create_dir(&folder)?;
    Ok(folder)
}

/// Cgroups of helpers that were killed. One that still holds a process is busy, and stays.
fn remove_left_over(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if pid.is_some_and(|pid| procfs::stat(pid).is_none()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// The cgroups that this process is in, as folders.
fn own_folders() -> Vec<Own> {
    let (Ok(mounts), Ok(own)) = (fs::read_to_string("/proc/self/mountinfo"), fs::read_to_string("/proc/self/cgroup"))
    else {
        return Vec::new();
    };
    own.lines().filter_map(|line| own_folder(&mounts, line)).collect()
}

/// One line of `/proc/self/cgroup`: `4:memory:/path` or `0::/path`.
fn own_folder(mounts: &str, line: &str) -> Option<Own> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let version = if controllers.is_empty() { 2 } else { 1 };
    let controller = controllers.split(',').find(|name| matches!(*name, "memory" | "pids")).unwrap_or_default();
    if version == 1 && controller.is_empty() {
        return None;
    }
    mounts.lines().find_map(|mount| {
        let (left, right) = mount.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, point) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let kind = right.next()?;
        let is_it = match version {
            2 => kind == "cgroup2",
            _ => kind == "cgroup" && right.nth(1)?.split(',').any(|option| option == controller),
        };
        // A cgroup outside of this mount's root cannot be reached through it.
        let inner = Path::new(path).strip_prefix(root).ok().filter(|_| is_it)?;
        let inner = match inner.parent() {
            Some(above) if version == 2 && inner.ends_with(HOST_LEAF) => above,
            _ => inner,
        };
        (!path.contains("/..")).then(|| Own {
            folder: Path::new(point).join(inner),
            version,
            controller: controller.to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
30 29 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
31 29 0:27 /docker/abc /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
32 29 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct";

    #[test]
    fn finds_the_folder_below_a_containers_root() {
        let own = own_folder(MOUNTS, "4:memory:/docker/abc/x").unwrap();
        assert_eq!((own.folder, own.version), (PathBuf::from("/sys/fs/cgroup/memory/x"), 1));
    }

    #[test]
    fn finds_the_unified_hierarchy() {
        let own = own_folder(MOUNTS, "0::/user.slice").unwrap();
        assert_eq!((own.folder, own.version), (PathBuf::from("/sys/fs/cgroup/unified/user.slice"), 2));
    }

    #[test]
    fn runs_are_beside_the_hosts_leaf() {
        let own = |line| own_folder(MOUNTS, line).unwrap().folder;
        assert_eq!(own("0::/a.slice/x.service/pi-host"), Path::new("/sys/fs/cgroup/unified/a.slice/x.service"));
        assert_eq!(own("0::/a.slice/pi-host.service"), Path::new("/sys/fs/cgroup/unified/a.slice/pi-host.service"));
        assert_eq!(own("4:memory:/docker/abc/pi-host"), Path::new("/sys/fs/cgroup/memory/pi-host"));
    }

    #[test]
    fn leaves_out_what_cannot_be_reached_or_used() {
        assert!(own_folder(MOUNTS, "4:memory:/elsewhere").is_none());
        assert!(own_folder(MOUNTS, "1:cpu,cpuacct:/").is_none());
        assert!(own_folder(MOUNTS, "0::/../..").is_none());
    }
}
