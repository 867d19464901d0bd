//! A memory limit by the kernel: a control group of the service's own, where one can be made.
//!
//! Version 1 (a `memory` hierarchy) and version 2 (`memory.max`) are known. The group is a child
//! of the host's own, so nothing outside of it changes. Where none can be made (no root, no
//! delegation), [`MemoryGroup::make`] is none and the supervisor watches the resident size itself.

use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// Who ends a service beyond its memory limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryBy {
    /// The kernel, where a control group can be made, else the supervisor.
    Kernel,
    /// The supervisor, by the resident size.
    Supervisor,
}

/// A control group with a memory limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemoryGroup {
    path: PathBuf,
    version: Version,
}

impl MemoryGroup {
    /// Make (or take up) the group `name` with a limit. None where the kernel does not let us.
    pub(crate) fn make(name: &str, bytes_max: u64) -> Option<Self> {
        let (parent, version) = own_group()?;
        let group = Self { path: parent.join(name), version };
        if !group.path.is_dir() {
            fs::create_dir(&group.path).ok()?;
        }
        if group.limit(bytes_max).is_none() {
            group.remove();
            return None;
        }
        Some(group)
    }

    /// The group of a service that is taken up again.
    pub(crate) fn open(path: &Path) -> Option<Self> {
        if path.join("memory.limit_in_bytes").exists() {
            Some(Self { path: path.to_owned(), version: Version::V1 })
        } else if path.join("memory.max").exists() {
            Some(Self { path: path.to_owned(), version: Version::V2 })
        } else {
            None
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whoever writes its pid here is in, and what it starts later as well.
    pub(crate) fn processes_file(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    pub(crate) fn processes(&self) -> Vec<u32> {
        let text = fs::read_to_string(self.processes_file()).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// How often the kernel has ended a process in here because the memory ran out.
    pub(crate) fn out_of_memory_kills(&self) -> u64 {
        let name = match self.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        let text = fs::read_to_string(self.path.join(name)).unwrap_or_default();
        text.lines()
            .find_map(|line| line.strip_prefix("oom_kill ").and_then(|count| count.trim().parse().ok()))
            .unwrap_or(0)
    }

    /// Remove the group, once nothing runs in it.
    pub(crate) fn remove(&self) {
        // A group that still has a process stays, and is taken up at the next start.
        fs::remove_dir(&self.path).ok();
    }

    fn limit(&self, bytes_max: u64) -> Option<()> {
        let write = |name: &str, value: &str| fs::write(self.path.join(name), value).ok();
        let bytes = bytes_max.to_string();
        match self.version {
            Version::V1 => {
                // Memory with swap may never be below memory alone, so raise it before a limit that
                // grows, and lower it after one that shrinks: the pair is written twice.
                write("memory.memsw.limit_in_bytes", &bytes);
                write("memory.limit_in_bytes", &bytes)?;
                write("memory.memsw.limit_in_bytes", &bytes);
            }
            Version::V2 => {
                write("memory.max", &bytes)?;
                write("memory.swap.max", "0");
            }
        }
        // Without this file the end by memory could not be told from any other.
        let counter = if self.version == Version::V1 { "memory.oom_control" } else { "memory.events" };
        fs::read_to_string(self.path.join(counter)).ok().filter(|text| text.contains("oom_kill ")).map(|_| ())
    }
}

/// The host's own group, in the hierarchy that counts memory.
fn own_group() -> Option<(PathBuf, Version)> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    find_group(&groups, &mounts).into_iter().find(|(path, version)| {
        let file = if *version == Version::V1 { "memory.limit_in_bytes" } else { "cgroup.subtree_control" };
        path.join(file).exists()
    })
}

/// Where the own group may be mounted, likeliest first.
fn find_group(groups: &str, mounts: &str) -> Vec<(PathBuf, Version)> {
    let mut found = Vec::new();
    for mount in mounts.lines() {
        let Some((left, right)) = mount.split_once(" - ") else { continue };
        let left: Vec<&str> = left.split(' ').collect();
        let right: Vec<&str> = right.split(' ').collect();
        let (Some(root), Some(point), Some(kind)) = (left.get(3), left.get(4), right.first()) else { continue };
        let version = match *kind {
            "cgroup" if right.get(2).is_some_and(|options| options.split(',').any(|o| o == "memory")) => Version::V1,
            "cgroup2" => Version::V2,
            _ => continue,
        };
        let Some(own) = groups.lines().find_map(|line| own_path(line, version)) else { continue };
        let below = own.strip_prefix(root.trim_end_matches('/')).unwrap_or(own).trim_start_matches('/');
        found.push((Path::new(point).join(below), version));
        // Inside a container the path may be the outer one, and the mount our own group.
        found.push((PathBuf::from(point), version));
    }
    found.sort_by_key(|(_, version)| *version == Version::V2);
    found
}

fn own_path(line: &str, version: Version) -> Option<&str> {
    let mut parts = line.splitn(3, ':');
    let (id, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let is_it = match version {
        Version::V1 => controllers.split(',').any(|name| name == "memory"),
        Version::V2 => id == "0" && controllers.is_empty(),
    };
    is_it.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_own_group_below_its_mount() {
        let groups = "5:cpu:/a\n4:memory:/box/42\n0::/";
        let mounts = "35 31 0:32 /box /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      36 31 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let found = find_group(groups, mounts);
        assert_eq!(found.first().unwrap(), &(PathBuf::from("/sys/fs/cgroup/memory/42"), Version::V1));
        assert_eq!(found.last().unwrap().1, Version::V2);
    }

    #[test]
    fn a_group_counts_no_kill_before_any() {
        let name = format!("pi-host-test-{}", std::process::id());
        // Where no group can be made there is nothing to say.
        let Some(group) = MemoryGroup::make(&name, 64 << 20) else { return };
        assert_eq!((group.out_of_memory_kills(), group.processes().len()), (0, 0));
        group.remove();
        assert!(!group.path().exists());
    }
}
