//! The folder that keeps components by their digest.
//!
//! A component is checked when it comes and when it is handed out. Hashing ten megabytes for each plugin
//! at each start would take longer than all the rest of the start, so beside a component lies a stamp: its
//! size, its inode, and the times of its last change, as they were when it was last hashed. The system sets
//! the time of change at every write, every rename and every change of rights, and nobody can set it back
//! without being root; a component that was touched in any way is hashed again. Who could forge a stamp can
//! write to this folder, which is for its owner alone, and so to `pi.toml` as well. A disk that changes bits
//! by itself is not noticed before [`Store::check_fully`], which hashes whatever a stamp says.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::COMPONENT_BYTES_MAX;
use super::atomic;
use super::digest::Digest;
use super::fetch::{Failure, read_file};
use super::signature::PROOF_BYTES_MAX;
use crate::clock;

/// How long another pi-host is waited for. Danger: one that was stopped holds the folder forever.
const HOLD_WAIT: Duration = Duration::from_secs(10);
const HOLD_PAUSE: Duration = Duration::from_millis(20);
/// A stamp is made only for what was last changed longer ago than this. Danger: the clock of a file
/// system has steps, and a write within the same step as the stamp would not be seen.
const STAMP_AGE_MIN_MS: u64 = 2000;
/// Longest stamp.
const STAMP_BYTES_MAX: u64 = 512;

/// A folder of components.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// While this lives, no other pi-host adds to the store or removes from it. Hold it from before the lock is
/// read until it is written: two installs at once would else each write a lock without the other's plugin.
/// Nobody is asked anything, and nothing is downloaded, while it is held.
#[derive(Debug)]
pub struct Hold {
    _file: File,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    pub components: usize,
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store of components `{}` cannot be used: {why}", path.display())]
    Io { path: PathBuf, why: io::Error },
    #[error("the store of components `{}` can be written by others\nhint: `chmod 700` it and make it yours, or name another folder", .0.display())]
    NotPrivate(PathBuf),
    #[error("another pi-host is busy with the store of components for more than {} s: `{}`\nhint: see what it does, and try again", HOLD_WAIT.as_secs(), .0.display())]
    Busy(PathBuf),
    #[error(
        "the component {digest} is not in the store\nhint: fetch what plugins.lock names again: `pi-host plugin install`"
    )]
    Missing { digest: Digest },
    #[error("a component in the store is not what its name says: `{}`\n  expected: {expected}\n  found:    {found}\nhint: it was changed on this machine; remove it and fetch it again: `pi-host plugin install`", path.display())]
    Changed { path: PathBuf, expected: Digest, found: Digest },
    #[error("the component is larger than the {} MiB allowed", COMPONENT_BYTES_MAX >> 20)]
    TooLarge,
    #[error("which components are in use is not known, so none was removed: {0}")]
    Unknown(String),
}

impl Store {
    /// The store in a folder, which is made where it is not there, for its owner alone.
    ///
    /// # Errors
    /// It cannot be made, or others could write to it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let store = Self { folder: folder.to_owned() };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|why| store.io(why))?;
        let metadata = fs::metadata(folder).map_err(|why| store.io(why))?;
        let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
        if !is_own || metadata.mode() & 0o022 != 0 {
            return Err(StoreError::NotPrivate(folder.to_owned()));
        }
        Ok(store)
    }

    /// Keep others out of the store while something is installed.
    ///
    /// # Errors
    /// Another pi-host is installing or removing, and does not end.
    pub fn hold(&self) -> Result<Hold, StoreError> {
        let path = self.folder.join(".hold");
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(|why| StoreError::Io { path: path.clone(), why })?;
        let end = clock::monotonic() + HOLD_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Hold { _file: file }),
                Err(TryLockError::Error(why)) => return Err(StoreError::Io { path, why }),
                Err(TryLockError::WouldBlock) if clock::monotonic() >= end => return Err(StoreError::Busy(path)),
                Err(TryLockError::WouldBlock) => std::thread::sleep(HOLD_PAUSE),
            }
        }
    }

    /// Keep a component, and say where it is. What is there already and right stays.
    ///
    /// # Errors
    /// It cannot be written; nothing of it is there then.
    pub fn put(&self, _hold: &Hold, bytes: &[u8]) -> Result<Digest, StoreError> {
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > COMPONENT_BYTES_MAX {
            return Err(StoreError::TooLarge);
        }
        let digest = Digest::of(bytes);
        if self.check_fully(&digest).is_err() {
            let path = self.path(&digest);
            atomic::write(&path, bytes, 0o600).map_err(|why| StoreError::Io { path, why })?;
        }
        Ok(digest)
    }

    /// Keep the proof of a component's signature beside it, in the form of whoever asks for it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_proof(&self, _hold: &Hold, digest: &Digest, proof: &[u8]) -> Result<(), StoreError> {
        let path = self.proof_path(digest);
        atomic::write(&path, proof, 0o600).map_err(|why| StoreError::Io { path, why })
    }

    /// The proof of a component's signature; none, where none was kept.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn proof(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.proof_path(digest);
        match read_file(&path, PROOF_BYTES_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Failure::File(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(failure) => Err(StoreError::Io { path, why: io::Error::other(failure.to_string()) }),
        }
    }

    /// The bytes of a component.
    ///
    /// # Errors
    /// It is not there, or not what it was.
    pub fn get(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let (mut file, path) = self.file(digest)?;
        let failed = |why| StoreError::Io { path: path.clone(), why };
        let before = Stamp::of(&file).map_err(failed)?;
        let mut bytes = Vec::with_capacity(usize::try_from(before.bytes).unwrap_or(0));
        (&mut file).take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        let is_as_stamped = self.stamp(digest).as_ref() == Some(&before);
        // It may have been written to while it was read.
        let after = Stamp::of(&file).map_err(failed)?;
        if is_as_stamped && before == after && u64::try_from(bytes.len()) == Ok(before.bytes) {
            return Ok(bytes);
        }
        let found = Digest::of(&bytes);
        if found != *digest {
            return Err(StoreError::Changed { path, expected: digest.clone(), found });
        }
        self.put_stamp(digest, &before, &after);
        Ok(bytes)
    }

    /// Whether a component is there and as it was, without reading it where its stamp says so; where it is.
    ///
    /// # Errors
    /// It is not there, or not what it was.
    pub fn check(&self, digest: &Digest) -> Result<PathBuf, StoreError> {
        let (file, path) = self.file(digest)?;
        let now = Stamp::of(&file).map_err(|why| StoreError::Io { path: path.clone(), why })?;
        if self.stamp(digest) == Some(now) {
            return Ok(path);
        }
        self.check_fully(digest)
    }

    /// The same, reading it whatever its stamp says.
    ///
    /// # Errors
    /// It is not there, or not what it was.
    pub fn check_fully(&self, digest: &Digest) -> Result<PathBuf, StoreError> {
        let (_, path) = self.file(digest)?;
        let _ = fs::remove_file(self.stamp_path(digest));
        self.get(digest)?;
        Ok(path)
    }

    /// Remove the components that nobody uses, and what was never finished. What is in use is asked for
    /// when nothing can be added any more.
    ///
    /// # Errors
    /// It is not known what is in use, or another pi-host is installing. Nothing is removed then.
    pub fn remove_unused(
        &self,
        in_use: impl FnOnce() -> Result<BTreeSet<Digest>, String>,
    ) -> Result<Removed, StoreError> {
        let _alone = self.hold()?;
        let in_use = in_use().map_err(StoreError::Unknown)?;
        let mut removed = Removed::default();
        for path in atomic::unfinished(&self.folder).map_err(|why| self.io(why))? {
            fs::remove_file(&path).map_err(|why| StoreError::Io { path, why })?;
        }
        for entry in fs::read_dir(&self.folder).map_err(|why| self.io(why))? {
            let entry = entry.map_err(|why| self.io(why))?;
            let Some((digest, is_component)) = named(&entry.file_name().to_string_lossy()) else { continue };
            if in_use.contains(&digest) {
                continue;
            }
            let bytes = entry.metadata().map_err(|why| self.io(why))?.len();
            fs::remove_file(entry.path()).map_err(|why| StoreError::Io { path: entry.path(), why })?;
            if is_component {
                removed.components += 1;
                removed.bytes += bytes;
            }
        }
        Ok(removed)
    }

    /// Where a component is, or would be.
    #[must_use]
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("sha256-{}.wasm", digest.hex()))
    }

    fn stamp_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("sha256-{}.stamp", digest.hex()))
    }

    fn proof_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("sha256-{}.signature", digest.hex()))
    }

    fn file(&self, digest: &Digest) -> Result<(File, PathBuf), StoreError> {
        let path = self.path(digest);
        let no_follow =
            i32::try_from((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits()).unwrap_or(0);
        match File::options().read(true).custom_flags(no_follow).open(&path) {
            Ok(file) => Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::Missing { digest: digest.clone() })
            }
            Err(why) => Err(StoreError::Io { path, why }),
        }
    }

    fn stamp(&self, digest: &Digest) -> Option<Stamp> {
        let mut text = String::new();
        File::open(self.stamp_path(digest)).ok()?.take(STAMP_BYTES_MAX).read_to_string(&mut text).ok()?;
        Stamp::parse(&text)
    }

    /// A stamp that cannot be written is no harm: the component is hashed again.
    fn put_stamp(&self, digest: &Digest, before: &Stamp, after: &Stamp) {
        if before == after && after.changed_ms().saturating_add(STAMP_AGE_MIN_MS) < clock::now_ms() {
            let _ = atomic::write(&self.stamp_path(digest), after.print().as_bytes(), 0o600);
        }
    }

    fn io(&self, why: io::Error) -> StoreError {
        StoreError::Io { path: self.folder.clone(), why }
    }
}

/// What the system says about a file that was hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    device: u64,
    inode: u64,
    modified_ns: i128,
    changed_ns: i128,
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() > COMPONENT_BYTES_MAX {
            return Err(io::Error::other("it is not a file of a component"));
        }
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Ok(Self {
            bytes: metadata.len(),
            device: metadata.dev(),
            inode: metadata.ino(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    fn changed_ms(&self) -> u64 {
        // A file from before 1970 or after the year of overflow is not trusted to be old.
        u64::try_from(self.changed_ns / 1_000_000).unwrap_or(u64::MAX)
    }

    fn print(&self) -> String {
        let Self { bytes, device, inode, modified_ns, changed_ns } = self;
        format!("1 {bytes} {device} {inode} {modified_ns} {changed_ns}\n")
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_prefix("1 ")?.strip_suffix('\n')?.split(' ');
        let mut next = || words.next();
        let stamp = Self {
            bytes: next()?.parse().ok()?,
            device: next()?.parse().ok()?,
            inode: next()?.parse().ok()?,
            modified_ns: next()?.parse().ok()?,
            changed_ns: next()?.parse().ok()?,
        };
        next().is_none().then_some(stamp)
    }
}

/// The digest in the name of one of our files, and whether it is a component.
fn named(name: &str) -> Option<(Digest, bool)> {
    let (stem, ending) = name.strip_prefix("sha256-")?.split_once('.')?;
    let digest = Digest::parse(&format!("sha256:{stem}")).ok()?;
    matches!(ending, "wasm" | "stamp" | "signature").then_some((digest, ending == "wasm"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::SystemTime;

    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("components")).unwrap();
        (folder, store)
    }

    fn put(store: &Store, bytes: &[u8]) -> Digest {
        store.put(&store.hold().unwrap(), bytes).unwrap()
    }

    fn names(store: &Store) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&store.folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A stamp as if the component had been written long ago.
    fn stamp_now(store: &Store, digest: &Digest) {
        let stamp = Stamp::of(&store.file(digest).unwrap().0).unwrap();
        fs::write(store.stamp_path(digest), stamp.print()).unwrap();
    }

    #[test]
    fn what_is_put_is_got_and_is_for_its_owner_alone() {
        let (_folder, store) = store();
        let digest = put(&store, b"component");
        assert_eq!(store.get(&digest).unwrap(), b"component");
        assert_eq!(store.check(&digest).unwrap(), store.path(&digest));
        assert_eq!(fs::metadata(store.path(&digest)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&store.folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(names(&store), [".hold".to_owned(), format!("sha256-{}.wasm", digest.hex())]);
        assert!(matches!(store.get(&Digest::of(b"other")), Err(StoreError::Missing { .. })));
    }

    #[test]
    fn a_component_that_was_changed_is_not_handed_out_and_is_mended_by_the_next_put() {
        let (_folder, store) = store();
        let digest = put(&store, b"component");
        fs::write(store.path(&digest), b"COMPONENT").unwrap();
        let said = store.get(&digest).unwrap_err().to_string();
        assert!(said.contains(&digest.to_string()) && said.contains(&Digest::of(b"COMPONENT").to_string()), "{said}");
        assert!(store.check(&digest).is_err());
        put(&store, b"component");
        assert_eq!(store.get(&digest).unwrap(), b"component");
    }

    #[test]
    fn a_stamp_is_believed_until_the_component_is_touched() {
        let (_folder, store) = store();
        let digest = put(&store, b"component");
        // The stamp of another content shows that it is the stamp that is believed.
        fs::write(store.path(&digest), b"COMPONENT").unwrap();
        stamp_now(&store, &digest);
        assert_eq!(store.get(&digest).unwrap(), b"COMPONENT");
        assert!(store.check(&digest).is_ok());
        assert!(store.check_fully(&digest).is_err());
        stamp_now(&store, &digest);
        // The same size and the same time of modification: the time of change tells.
        let time = fs::metadata(store.path(&digest)).unwrap().modified().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        fs::write(store.path(&digest), b"cOMPONENT").unwrap();
        File::options().write(true).open(store.path(&digest)).unwrap().set_modified(time).unwrap();
        assert!(store.get(&digest).is_err());
        assert!(store.check(&digest).is_err());
    }

    #[test]
    fn what_was_changed_a_moment_ago_gets_no_stamp() {
        let (_folder, store) = store();
        let digest = put(&store, b"component");
        store.get(&digest).unwrap();
        assert_eq!(store.stamp(&digest), None);
        let old = Stamp { changed_ns: 0, ..Stamp::of(&store.file(&digest).unwrap().0).unwrap() };
        store.put_stamp(&digest, &old, &old);
        assert_eq!(store.stamp(&digest), Some(old));
    }

    #[test]
    fn a_stamp_of_nonsense_is_no_stamp() {
        for text in ["", "1 2 3", "2 1 1 1 1 1\n", "1 1 1 1 1 1", "1 1 1 1 1 1 1\n", "1 x 1 1 1 1\n"] {
            assert_eq!(Stamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_no_lock_names_is_removed_and_the_rest_stays() {
        let (_folder, store) = store();
        let (kept, dropped) = (put(&store, b"kept"), put(&store, b"dropped"));
        stamp_now(&store, &dropped);
        fs::write(store.folder.join(format!("{}x", atomic::UNFINISHED)), "half").unwrap();
        fs::write(store.folder.join("sha256-not-ours.wasm"), "").unwrap();
        assert!(store.remove_unused(|| Err("the lock is broken".into())).is_err());
        assert!(store.get(&dropped).is_ok());
        let removed = store.remove_unused(|| Ok(BTreeSet::from([kept.clone()]))).unwrap();
        assert_eq!(removed, Removed { components: 1, bytes: 7 });
        assert!(store.get(&kept).is_ok() && store.get(&dropped).is_err());
        assert_eq!(
            names(&store),
            [".hold".to_owned(), format!("sha256-{}.wasm", kept.hex()), "sha256-not-ours.wasm".into()]
                .into_iter()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn nothing_is_removed_while_somebody_installs() {
        let (_folder, store) = store();
        let hold = store.hold().unwrap();
        let digest = store.put(&hold, b"new").unwrap();
        let other = store.clone();
        let remover = std::thread::spawn(move || other.remove_unused(|| Ok(BTreeSet::new())));
        std::thread::sleep(Duration::from_millis(50));
        assert!(store.get(&digest).is_ok());
        drop(hold);
        assert_eq!(remover.join().unwrap().unwrap().components, 1);
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let said = Store::open(folder.path()).unwrap_err().to_string();
        assert!(said.contains("chmod 700"), "{said}");
    }

    #[test]
    fn a_link_or_a_fifo_in_place_of_a_component_is_not_read() {
        let (folder, store) = store();
        let digest = Digest::of(b"component");
        let target = folder.path().join("target");
        fs::write(&target, b"component").unwrap();
        std::os::unix::fs::symlink(&target, store.path(&digest)).unwrap();
        assert!(store.get(&digest).is_err());
        put(&store, b"component");
        assert_eq!(store.get(&digest).unwrap(), b"component");
        assert!(fs::symlink_metadata(store.path(&digest)).unwrap().is_file());
    }

    #[test]
    fn a_component_of_any_age_is_stamped_by_the_time_of_its_change_alone() {
        let (_folder, store) = store();
        let digest = put(&store, b"component");
        File::options().write(true).open(store.path(&digest)).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        store.get(&digest).unwrap();
        assert_eq!(store.stamp(&digest), None);
    }
}
