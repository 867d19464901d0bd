//! What the kernel tells of processes, read from `/proc`.
//!
//! A process is named by its pid *and* its start time: a pid alone may have been given to another
//! one in the meantime. Whatever cannot be read (it ended, it is another user's) is none.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};

/// Bytes of a command line that are shown.
const COMMAND_BYTES_MAX: usize = 512;
/// The flag of a kernel thread (`PF_KTHREAD`) in the ninth field of `/proc/PID/stat`.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// One line of `/proc/PID/stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: u32,
    /// `R`, `S`, `D`, `T`, `Z`, ...
    pub(crate) state: char,
    pub(crate) parent: u32,
    pub(crate) is_kernel_thread: bool,
    /// Clock ticks on a processor, its reaped children's not included.
    pub(crate) cpu_ticks: u64,
    /// Clock ticks since boot.
    pub(crate) start_time: u64,
    pub(crate) resident_bytes: u64,
}

impl Stat {
    /// A zombie has ended: it only waits to be noticed.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

pub(crate) fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// All processes that can be seen.
pub(crate) fn all() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(stat).collect()
}

/// The processes that any thread of `pid` has started and that still have it as parent.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// `pid`, then its parent, up to the first process.
pub(crate) fn ancestry(pid: u32) -> Vec<u32> {
    let mut chain = vec![pid];
    let mut current = pid;
    while let Some(parent) = stat(current).map(|stat| stat.parent) {
        if parent == 0 || chain.contains(&parent) {
            break;
        }
        chain.push(parent);
        current = parent;
    }
    chain
}

/// The command line for people: one line, cut; a kernel thread's or a zombie's name in brackets.
pub(crate) fn command(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut text: String = if bytes.is_empty() {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        format!("[{}]", name.trim_end())
    } else {
        let words: Vec<_> = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        words.join(" ").trim_end().to_owned()
    };
    text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.truncate(text.floor_char_boundary(COMMAND_BYTES_MAX));
    text
}

/// The effective user.
pub(crate) fn uid(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// How long a process that began at `start_time` has been there.
pub(crate) fn uptime_ms(start_time: u64) -> u64 {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds: f64 = text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
    // Seconds since boot are far below 2^53.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let now_ms = (seconds * 1_000.0) as u64;
    now_ms.saturating_sub(ticks_to_ms(start_time))
}

pub(crate) fn ticks_to_ms(ticks: u64) -> u64 {
    ticks.saturating_mul(1_000) / clock_ticks_per_second().max(1)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name stands in parentheses and may hold spaces and parentheses itself.
    let (pid, rest) = (text.split(' ').next()?.parse().ok()?, text.get(text.rfind(')')? + 1..)?);
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    let small = |index: usize| number(index).and_then(|number| u32::try_from(number).ok());
    Some(Stat {
        pid,
        state: fields.first()?.chars().next()?,
        parent: small(1)?,
        is_kernel_thread: number(6)? & KERNEL_THREAD != 0,
        cpu_ticks: number(11)?.saturating_add(number(12)?),
        start_time: number(19)?,
        resident_bytes: number(21)?.saturating_mul(page_size() as u64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_name_with_spaces_and_parentheses() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9001 1000 3 18446744073709551615";
        let stat = parse_stat(line).unwrap();
        assert_eq!((stat.pid, stat.state, stat.parent), (42, 'S', 7));
        assert_eq!((stat.cpu_ticks, stat.start_time), (11, 9001));
        assert_eq!(stat.resident_bytes, 3 * page_size() as u64);
        assert!(!stat.is_kernel_thread);
    }

    #[test]
    fn knows_its_own_line() {
        let own = stat(std::process::id()).unwrap();
        assert!(ancestry(own.pid).contains(&own.parent));
    }
}
