//! What a lab has made on this machine besides files: processes and mounts. Written down before use,
//! so that the next lab in the same folder can clear away what one that was killed left behind.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Child;

use rustix::fs::FlockOperation;
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::process::Signal;

use super::identity::Identity;
use crate::clock::{self, Duration};
use crate::confine::start_own;

/// A block of ports, the first of which is held as a sign that the block is taken.
const BLOCK: u16 = 24;
/// Below the range from which the kernel takes ports for outgoing connections.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// Processes, mounts and ports of one lab. Dropping it ends, unmounts and releases them.
#[derive(Debug)]
pub(crate) struct Belongings {
    folder: PathBuf,
    children: Vec<Child>,
    mounts: Vec<PathBuf>,
    /// Held while the lab lives: one lab a folder.
    _lock: File,
    _anchor: TcpListener,
    next_port: u16,
    ports_end: u16,
}

impl Belongings {
    /// Take `folder` and a block of ports, after clearing away what an earlier lab left.
    pub(crate) fn take(folder: &Path, hint: u64) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let lock = File::create(folder.join("lock"))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| io::Error::other(format!("another lab is using `{}`: {error}", folder.display())))?;
        clear(folder)?;
        let (anchor, first) = take_block(hint)?;
        Ok(Self {
            folder: folder.to_owned(),
            children: Vec::new(),
            mounts: Vec::new(),
            _lock: lock,
            _anchor: anchor,
            next_port: first + 1,
            ports_end: first + BLOCK,
        })
    }

    /// A port that nothing listens on.
    pub(crate) fn port(&mut self) -> io::Result<u16> {
        while self.next_port < self.ports_end {
            let port = self.next_port;
            self.next_port += 1;
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return Ok(port);
            }
        }
        Err(io::Error::other("no free port is left in the lab's block"))
    }

    /// Start a process that lives as long as the lab.
    pub(crate) fn start(
        &mut self,
        program: &Path,
        name: &str,
        arguments: &[String],
        directory: &Path,
    ) -> io::Result<Identity> {
        let child = start_own(program, name, arguments, directory)?;
        let identity = Identity::of(child.id());
        self.children.push(child);
        let identity = identity?;
        self.record(&format!("process {} {}\n", identity.pid, identity.start_time))?;
        Ok(identity)
    }

    /// Count a process that somebody else started as one of the lab's.
    pub(crate) fn adopt(&mut self, pid: u32) -> io::Result<Identity> {
        let identity = Identity::of(pid)?;
        self.record(&format!("process {} {}\n", identity.pid, identity.start_time))?;
        Ok(identity)
    }

    /// Wait for those that have ended, so that they leave the process table.
    pub(crate) fn reap(&mut self) {
        self.children.retain_mut(|child| !matches!(child.try_wait(), Ok(Some(_))));
    }

    /// Mount a small file system of its own at `path`. False where this user may not.
    pub(crate) fn mount_small(&mut self, path: &Path, bytes: u64) -> io::Result<bool> {
        self.record(&format!("mount {}\n", path.display()))?;
        let options = std::ffi::CString::new(format!("size={bytes},mode=755"))?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        match rustix::mount::mount("tmpfs", path, "tmpfs", flags, options.as_c_str()) {
            Ok(()) => {
                self.mounts.push(path.to_owned());
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    fn record(&self, line: &str) -> io::Result<()> {
        OpenOptions::new().append(true).create(true).open(self.folder.join("record"))?.write_all(line.as_bytes())
    }
}

impl Drop for Belongings {
    fn drop(&mut self) {
        let _ = clear(&self.folder);
        for child in &mut self.children {
            let _ = child.wait();
        }
        for mount in &self.mounts {
            let _ = rustix::mount::unmount(mount.as_path(), UnmountFlags::DETACH);
        }
    }
}

/// End and unmount whatever the folder's record and witness files name.
fn clear(folder: &Path) -> io::Result<()> {
    let record = std::fs::read_to_string(folder.join("record")).unwrap_or_default();
    let mut processes: Vec<Identity> = Vec::new();
    let mut mounts = Vec::new();
    for line in record.lines() {
        match line.split_once(' ') {
            Some(("mount", path)) => mounts.push(PathBuf::from(path)),
            Some(("process", rest)) => processes.extend(parse_identity(rest)),
            _ => {}
        }
    }
    for entry in std::fs::read_dir(folder)?.flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "witness") {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            processes.extend(text.lines().filter_map(|line| parse_identity(line.strip_prefix("start ")?)));
        }
    }
    for process in &processes {
        let _ = process.signal(Signal::KILL);
    }
    let deadline = clock::monotonic() + Duration::from_secs(5);
    while processes.iter().any(|process| process.is_alive()) && clock::monotonic() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    for path in mounts {
        if is_mount(&path) {
            rustix::mount::unmount(path.as_path(), UnmountFlags::DETACH)
                .map_err(|error| io::Error::other(format!("cannot unmount `{}`: {error}", path.display())))?;
        }
    }
    if folder.join("record").exists() {
        std::fs::remove_file(folder.join("record"))?;
    }
    Ok(())
}

fn parse_identity(text: &str) -> Option<Identity> {
    let mut words = text.split(' ');
    Some(Identity { pid: words.next()?.parse().ok()?, start_time: words.next()?.parse().ok()? })
}

fn is_mount(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| std::fs::symlink_metadata(path).map(|metadata| metadata.dev()).ok();
    match (device(path), path.parent().and_then(device)) {
        (Some(own), Some(parents)) => own != parents,
        _ => false,
    }
}

/// The first free block from where `hint` points to, around the whole range.
fn take_block(hint: u64) -> io::Result<(TcpListener, u16)> {
    let blocks = (PORTS.end - PORTS.start) / BLOCK;
    let start = u16::try_from(hint % u64::from(blocks)).unwrap_or(0);
    for step in 0..blocks {
        let first = PORTS.start + (start + step) % blocks * BLOCK;
        if let Ok(anchor) = TcpListener::bind(("127.0.0.1", first)) {
            return Ok((anchor, first));
        }
    }
    Err(io::Error::other("no free block of ports on the loopback address"))
}
