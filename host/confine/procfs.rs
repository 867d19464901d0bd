//! What `/proc` says about a process. Reading only; a process that ends meanwhile is just absent.

use std::fs;

/// The fields of `/proc/PID/stat` that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub pid: u32,
    /// The kernel's letter: `R`, `S`, `D`, `T`, `Z`, ...
    pub state: u8,
    pub parent: u32,
    pub group: u32,
    pub session: u32,
    pub threads: u32,
    /// Clock ticks since boot.
    pub start_time: u64,
}

impl Stat {
    /// Ended, and only not yet waited for.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

pub(crate) fn stat(pid: u32) -> Option<Stat> {
    parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Every process that this host can see.
pub(crate) fn all() -> Vec<Stat> {
    let Ok(folder) = fs::read_dir("/proc") else { return Vec::new() };
    folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(stat).collect()
}

/// The descendants of `root` among `all`, nearest first, without `root` itself.
pub(crate) fn below(all: &[Stat], root: u32) -> Vec<Stat> {
    let mut found: Vec<Stat> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for child in all.iter().filter(|stat| stat.parent == parent) {
            if child.pid != root && !found.iter().any(|known| known.pid == child.pid) {
                found.push(*child);
                parents.push(child.pid);
            }
        }
    }
    found
}

/// Whether the environment that `pid` was started with holds `entry` (`NAME=value`).
pub(crate) fn has_environment(pid: u32, entry: &str) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|bytes| bytes.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes()))
}

/// Anonymous and shared memory that is resident: what this process has taken for itself.
pub(crate) fn memory_bytes(pid: u32) -> u64 {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return 0 };
    status
        .lines()
        .filter(|line| line.starts_with("RssAnon:") || line.starts_with("RssShmem:"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .sum::<u64>()
        .saturating_mul(1024)
}

/// How many threads this machine, or this container, has.
pub(crate) fn threads() -> u64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').nth(3).and_then(|counts| counts.split_once('/')?.1.parse().ok()).unwrap_or(0)
}

/// The name of a program may hold spaces and brackets: the fields start after the last bracket.
fn parse(pid: u32, text: &str) -> Option<Stat> {
    let (_, fields) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    Some(Stat {
        pid,
        state: *fields.first()?.as_bytes().first()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        threads: fields.get(17)?.parse().ok()?,
        start_time: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_name_with_brackets_and_spaces() {
        let text = "7 (a) R (b c) S 1 2 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 1234 99 1";
        let stat = parse(7, text).unwrap();
        assert_eq!((stat.state, stat.parent, stat.group, stat.session), (b'S', 1, 2, 3));
        assert_eq!((stat.threads, stat.start_time), (9, 1234));
    }

    #[test]
    fn refuses_a_cut_line() {
        assert_eq!(parse(7, "7 (x) S 1 2"), None);
        assert_eq!(parse(7, ""), None);
    }

    #[test]
    fn there_are_threads() {
        assert!(threads() >= 2);
    }

    #[test]
    fn finds_grandchildren() {
        let stat = |pid, parent| Stat { pid, state: b'S', parent, group: 0, session: 0, threads: 1, start_time: 0 };
        let all = [stat(1, 0), stat(2, 1), stat(3, 2), stat(4, 3), stat(5, 1)];
        let pids: Vec<u32> = below(&all, 2).iter().map(|stat| stat.pid).collect();
        assert_eq!(pids, [3, 4]);
    }
}
