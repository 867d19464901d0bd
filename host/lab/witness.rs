//! The witness: counts what was really done to the services, from outside of the host. Starts and
//! polite stops are lines that the services write; writes of configuration files come from inotify;
//! a log that shrinks was rotated.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::fs::inotify;

use super::identity::Identity;
use crate::clock::Duration;

const LOOK_EVERY_MS: u64 = 5;

/// Watches files for as long as it lives.
pub(crate) struct Witness {
    watching: Arc<Mutex<Watching>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Witness {
    /// Watch the configuration files for writes and the logs for shrinking.
    pub(crate) fn watch(configs: &[PathBuf], logs: &[PathBuf]) -> io::Result<Self> {
        let descriptor = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        let mut folders: BTreeMap<i32, PathBuf> = BTreeMap::new();
        for config in configs {
            let folder = config.parent().unwrap_or(Path::new("/"));
            let flags = inotify::WatchFlags::MOVED_TO | inotify::WatchFlags::CLOSE_WRITE;
            folders.insert(inotify::add_watch(&descriptor, folder, flags)?, folder.to_owned());
        }
        let watching = Arc::new(Mutex::new(Watching {
            descriptor,
            folders,
            configs: configs.iter().map(|config| (config.clone(), version(config))).collect(),
            logs: logs.iter().map(|log| (log.clone(), length(log))).collect(),
            counts: BTreeMap::new(),
        }));
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (watching, is_over) = (watching.clone(), is_over.clone());
            move || {
                while !is_over.load(Ordering::Relaxed) {
                    watching.lock().unwrap_or_else(PoisonError::into_inner).look();
                    std::thread::sleep(Duration::from_millis(LOOK_EVERY_MS));
                }
            }
        });
        Ok(Self { watching, is_over, thread: Some(thread) })
    }

    /// How often `path` was written (a configuration file) or shrank (a log), up to now.
    pub(crate) fn count(&self, path: &Path) -> u32 {
        let mut watching = self.watching.lock().unwrap_or_else(PoisonError::into_inner);
        watching.look();
        watching.counts.get(path).copied().unwrap_or(0)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Watching {
    descriptor: OwnedFd,
    folders: BTreeMap<i32, PathBuf>,
    /// With the inode and the time of what was last moved there: closing a file after it was renamed
    /// tells of the same write again.
    configs: BTreeMap<PathBuf, (u64, i64, i64)>,
    logs: BTreeMap<PathBuf, u64>,
    counts: BTreeMap<PathBuf, u32>,
}

impl Watching {
    fn look(&mut self) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.descriptor, &mut buffer);
        while let Ok(event) = reader.next() {
            let name = event.file_name().and_then(|name| name.to_str().ok());
            if let (Some(folder), Some(name)) = (self.folders.get(&event.wd()), name) {
                let path = folder.join(name);
                let Some(known) = self.configs.get_mut(&path) else { continue };
                let now = version(&path);
                if event.events().contains(inotify::ReadFlags::MOVED_TO) || now != *known {
                    *self.counts.entry(path).or_insert(0) += 1;
                }
                *known = now;
            }
        }
        for (path, known) in &mut self.logs {
            let now = length(path);
            if now < *known {
                *self.counts.entry(path.clone()).or_insert(0) += 1;
            }
            *known = now;
        }
    }
}

fn version(path: &Path) -> (u64, i64, i64) {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map_or((0, 0, 0), |metadata| (metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// What the witness file of a service says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Testimony {
    /// In the order of their starts.
    pub(crate) starts: Vec<Identity>,
    pub(crate) stopped: BTreeSet<Identity>,
    /// Ended by themselves: they could not listen.
    pub(crate) gave_up: BTreeSet<Identity>,
    pub(crate) ready: BTreeSet<Identity>,
    /// How many MiB of cache each began to fill last.
    pub(crate) load_mib: BTreeMap<Identity, u64>,
    /// Hold the port that they were told to take.
    pub(crate) holds: BTreeSet<Identity>,
}

impl Testimony {
    pub(crate) fn read(path: &Path) -> Self {
        let mut testimony = Self::default();
        for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
            let mut words = line.split(' ');
            let word = words.next().unwrap_or_default();
            let (Some(pid), Some(start_time)) =
                (words.next().and_then(|word| word.parse().ok()), words.next().and_then(|word| word.parse().ok()))
            else {
                continue;
            };
            let identity = Identity { pid, start_time };
            match word {
                "start" => testimony.starts.push(identity),
                "term" => _ = testimony.stopped.insert(identity),
                "exit" => _ = testimony.gave_up.insert(identity),
                "ready" => _ = testimony.ready.insert(identity),
                "load" => {
                    let mib = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
                    testimony.load_mib.insert(identity, mib);
                }
                "holds" => _ = testimony.holds.insert(identity),
                _ => {}
            }
        }
        testimony
    }

    /// The process that serves now.
    pub(crate) fn current(&self) -> Option<Identity> {
        self.starts.iter().rev().copied().find(|identity| identity.is_alive())
    }

    /// How often somebody ended the service who was not the lab: stops by signal that neither the
    /// memory limit nor its own failure to listen explains.
    pub(crate) fn ended_by_others(&self, by_lab: &[Identity], memory_bytes_max: u64) -> u32 {
        let is_too_large =
            |identity: &Identity| self.load_mib.get(identity).is_some_and(|mib| mib << 20 > memory_bytes_max);
        let ended = self.starts.iter().filter(|identity| !identity.is_alive() && !by_lab.contains(identity));
        let count = ended
            .filter(|identity| {
                self.stopped.contains(identity) || !(self.gave_up.contains(identity) || is_too_large(identity))
            })
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}
