//! Who listens on a TCP port: from the kernel's table of sockets to the process that holds one.

use std::collections::BTreeSet;
use std::fs;

use super::SupervisorError;
use super::procfs::{self, Stat};

/// The state of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// A process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub pid: u32,
    pub start_time: u64,
    pub command: String,
    pub uid: u32,
    pub uptime_ms: u64,
    /// The supervised service that it belongs to.
    pub service: Option<String>,
}

/// The owner of `port`, without its service. Of several (a forked server shares its socket) the eldest.
pub(crate) fn owner(port: u16) -> Result<Option<Owner>, SupervisorError> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let sockets: BTreeSet<u64> = tables.iter().flat_map(|table| listening(table, port)).collect();
    if sockets.is_empty() {
        return Ok(None);
    }
    let mut holders: Vec<Stat> = procfs::all().into_iter().filter(|stat| holds(stat.pid, &sockets)).collect();
    holders.sort_by_key(|stat| (stat.start_time, stat.pid));
    let Some(eldest) = holders.first() else {
        return Err(SupervisorError::Failed(format!(
            "a process listens on port {port}, but whose it is cannot be seen: it is another user's, or in another container"
        )));
    };
    Ok(Some(Owner {
        pid: eldest.pid,
        start_time: eldest.start_time,
        command: procfs::command(eldest.pid),
        uid: procfs::uid(eldest.pid).unwrap_or_default(),
        uptime_ms: procfs::uptime_ms(eldest.start_time),
        service: None,
    }))
}

/// The inodes of the sockets that listen on `port`.
fn listening(table: &str, port: u16) -> Vec<u64> {
    let row = |line: &str| -> Option<u64> {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let is_it = fields.get(3) == Some(&LISTEN) && u16::from_str_radix(local, 16) == Ok(port);
        if is_it { fields.get(9)?.parse().ok() } else { None }
    };
    table.lines().skip(1).filter_map(row).collect()
}

fn holds(pid: u32, sockets: &BTreeSet<u64>) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors.flatten().filter_map(|descriptor| fs::read_link(descriptor.path()).ok()).any(|target| {
        target
            .to_str()
            .and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
            .is_some_and(|inode| sockets.contains(&inode))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_process_that_listens_and_nobody_after_it_is_closed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let found = owner(port).unwrap().unwrap();
        assert_eq!(found.pid, std::process::id());
        assert_eq!(found.start_time, procfs::stat(found.pid).unwrap().start_time);
        drop(listener);
        assert_eq!(owner(port).unwrap(), None);
    }

    #[test]
    fn a_connection_is_no_listener() {
        let table = "  sl  local_address rem_address   st tx_queue\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4242 1\n\
            1: 0100007F:1F91 0100007F:0050 01 00000000:00000000 00:00000000 00000000 0 0 4243 1";
        assert_eq!(listening(table, 8080), [4242]);
        assert!(listening(table, 8081).is_empty());
    }
}
