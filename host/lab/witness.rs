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
            let flags = inotify::WatchFlags::MOVED_TO | inotify::WatchFlags::MODIFY | inotify::WatchFlags::CLOSE_WRITE;
            folders.insert(inotify::add_watch(&descriptor, folder, flags)?, folder.to_owned());
        }
        let watching = Arc::new(Mutex::new(Watching {
            descriptor,
            folders,
            configs: configs.iter().map(|config| (config.clone(), false)).collect(),
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
    /// Whether it was changed in place since it was last counted: one that is closed without was
    /// written before it was moved there, and counted then.
    configs: BTreeMap<PathBuf, bool>,
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
                let Some(is_changed) = self.configs.get_mut(&path) else { continue };
                if event.events().contains(inotify::ReadFlags::MODIFY) {
                    *is_changed = true;
                    continue;
                }
                if event.events().contains(inotify::ReadFlags::MOVED_TO) || *is_changed {
                    *self.counts.entry(path).or_insert(0) += 1;
                }
                *is_changed = false;
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn counts_each_way_of_writing_a_file_once() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("settings.conf");
        std::fs::write(&config, "a = 1").unwrap();
        let witness = Witness::watch(std::slice::from_ref(&config), &[]).unwrap();
        std::fs::write(&config, "a = 2").unwrap();
        std::fs::write(&config, "a = 3").unwrap();
        assert_eq!(witness.count(&config), 2);
        // As an atomic write does: still open when it gets its name.
        let new = folder.path().join("new");
        let mut file = std::fs::File::create(&new).unwrap();
        file.write_all(b"a = 4").unwrap();
        std::fs::rename(&new, &config).unwrap();
        drop(file);
        assert_eq!(witness.count(&config), 3);
        drop(std::fs::OpenOptions::new().append(true).open(&config).unwrap());
        assert_eq!(witness.count(&config), 3);
        std::fs::write(&config, "a = 5").unwrap();
        assert_eq!(witness.count(&config), 4);
    }
}
